//! What became of the findings of some ids, counted.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DatabaseConnection;

use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// Findings of a vulnerability in a workspace, guesses left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Open ones, by VEX status.
    pub open: BTreeMap<String, i64>,
    /// Those that were closed in the period.
    pub closed: i64,
    /// The flaw is known to be exploited.
    pub exploited: bool,
}

/// For each of `ids` (aliases too) the main id of the vulnerability, and for each main id what became of its findings;
/// closed ones count where they were closed from the day `first` to the day `last`.
pub(crate) async fn standing(
    db: &DatabaseConnection,
    actor: &Actor,
    ids: &[String],
    (first, last): (&str, &str),
) -> Result<(HashMap<String, String>, HashMap<String, Standing>)> {
    actor.need_everywhere(Permission::FindingRead)?;
    let what = "counting what became of findings";
    let select = format!(
        "SELECT a.id, v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability WHERE a.id IN {}",
        sql::texts(db, 1)
    );
    let rows: Vec<(String, String)> = sql::rows(db, what, &select, vec![sql::list(ids)]).await?;
    let mut mains: HashMap<String, String> = ids.iter().map(|id| (id.clone(), id.clone())).collect();
    mains.extend(rows);
    let wanted: Vec<&String> = mains.values().collect();
    let select = format!(
        "SELECT f.vulnerability, f.status, CAST(CASE WHEN f.closed IS NULL THEN 1 ELSE 0 END AS BIGINT), COUNT(*), \
         CAST(MAX(f.kev) AS BIGINT) FROM finding f WHERE f.workspace = $1 AND f.confidence > 0 AND f.vulnerability IN {} \
         AND (f.closed IS NULL OR (f.closed >= $3 AND f.closed < $4)) GROUP BY 1, 2, 3",
        sql::texts(db, 2)
    );
    let values = vec![actor.workspace.into(), sql::list(&wanted), first.into(), format!("{last}T99").into()];
    let rows: Vec<(String, String, i64, i64, i64)> = sql::rows(db, what, &select, values).await?;
    let mut found: HashMap<String, Standing> = HashMap::new();
    for (id, status, open, n, kev) in rows {
        let one = found.entry(id).or_default();
        one.exploited |= kev != 0;
        if open == 1 {
            *one.open.entry(status).or_default() += n;
        } else {
            one.closed += n;
        }
    }
    Ok((mains, found))
}

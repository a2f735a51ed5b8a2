//! What stands behind the findings of a release (evidence, the decision in force), and taking a decision back.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, QueryResult, Value};

use super::{Decision, Evidence, Reach, note};
use crate::error::{Error, Result};
use crate::inventory::in_lines;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// What stands behind a finding.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// The sources' words.
    pub evidence: Vec<Evidence>,
    /// The decision in force.
    pub decision: Option<Decision>,
}

/// Grounds of all findings of a release, closed ones too, by finding.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn grounds(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<HashMap<i64, Ground>> {
    let what = "reading what stands behind findings";
    let mut values: Vec<Value> = vec![actor.workspace.into(), release.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT f.id, f.evidence, d.status, d.justification, d.response, d.detail, d.reach, d.expires FROM finding f \
         JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product \
         LEFT JOIN decision d ON d.id = f.decision WHERE f.workspace = $1 AND f.release = $2{scope}"
    );
    let rows = sql::raw(db, what, &select, values).await?;
    let ground = |row: &QueryResult| {
        let text = |n: usize| row.try_get_by_index::<Option<String>>(n);
        let decision = match text(2)? {
            Some(status) => Some(Decision {
                status,
                justification: text(3)?.unwrap_or_default(),
                response: text(4)?.unwrap_or_default(),
                detail: text(5)?.unwrap_or_default(),
                reach: Reach::parse(&text(6)?.unwrap_or_default()).unwrap_or(Reach::Finding),
                expires: text(7)?,
            }),
            None => None,
        };
        let evidence = serde_json::from_str(&text(1)?.unwrap_or_default()).unwrap_or_default();
        Ok((row.try_get_by_index::<i64>(0)?, Ground { evidence, decision }))
    };
    Ok(sql::read(&rows, what, ground)?.into_iter().collect())
}

/// The vulnerability of a finding. Whoever changes the finding needs the permission to decide there.
async fn place(change: &Change<'_>, finding: i64) -> Result<String> {
    let select = "SELECT p.line, f.vulnerability FROM finding f JOIN release r ON r.id = f.release \
                  JOIN product p ON p.id = r.product WHERE f.id = $1 AND f.workspace = $2";
    let values = vec![finding.into(), change.actor.workspace.into()];
    let row: Option<(i64, String)> = sql::row(&change.tx, "reading a finding", select, values).await?;
    let (line, vulnerability) = row.ok_or_else(|| Error::NotFound(format!("finding {finding}")))?;
    change.actor.need_in(Permission::FindingDecide, line)?;
    Ok(vulnerability)
}

/// Takes the decision on this finding alone back: it falls back to another decision that reaches it, or is under
/// investigation again. A decision that reaches further is not taken back by one of the findings it reaches.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Conflict`]: the decision in force reaches further.
pub async fn withdraw(change: &mut Change<'_>, finding: i64) -> Result<()> {
    let what = "taking a decision back";
    place(change, finding).await?;
    let select = "SELECT d.id, d.reach FROM finding f JOIN decision d ON d.id = COALESCE(f.decision, f.proposal) \
                  WHERE f.id = $1";
    let Some((decision, reach)) =
        sql::row::<(i64, String)>(&change.tx, what, select, vec![finding.into()]).await?
    else {
        return Ok(());
    };
    if Reach::parse(&reach) != Some(Reach::Finding) {
        let message = format!("the decision was made for a whole {reach}; take it back or replace it there");
        return Err(Error::Conflict(message));
    }
    super::withdraw_decision(change, decision).await
}

/// Adds a remark to a finding's history.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: it is too long.
pub async fn remark(change: &mut Change<'_>, finding: i64, text: &str) -> Result<()> {
    let vulnerability = place(change, finding).await?;
    if text.len() > 20_000 {
        return Err(Error::Rejected {
            field: "comment".to_owned(),
            message: "at most 20,000 bytes".to_owned(),
        });
    }
    note(change, vec![(finding, "remarked", text.to_owned())]).await?;
    change.record("finding.remark", format!("finding/{finding}"), &vulnerability, &(), &text);
    Ok(())
}

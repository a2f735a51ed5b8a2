//! What the first page asks: which flaws wait for a decision, and what came in lately.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_model::finding::Confidence;

use super::SEVERITIES;
use crate::error::Result;
use crate::inventory::in_lines;
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// A vulnerability with undecided findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Urgent {
    /// Main id.
    pub vulnerability: String,
    /// Title.
    pub title: String,
    /// Severity in words.
    pub severity: &'static str,
    /// Known to be exploited.
    pub kev: bool,
    /// EPSS probability.
    pub epss: Option<f64>,
    /// Releases in which it is undecided.
    pub releases: i64,
    /// Their units in the field.
    pub units: i64,
    /// When the first of them was found.
    pub since: String,
}

/// The vulnerabilities with undecided findings, most urgent first and of the same urgency the younger id, at most `most`.
/// Guessed identities aside.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn urgent(db: &DatabaseConnection, actor: &Actor, most: usize) -> Result<Vec<Urgent>> {
    let what = "reading what is undecided";
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::FindingRead, "p.line", &mut values)?;
    let waiting = format!(
        "f.workspace = $1 AND f.closed IS NULL AND f.status = 'under_investigation' AND f.confidence > {}",
        Confidence::Inferred as i64
    );
    // from flaw to flaw in the order of urgency, however many findings each has
    let place = (values.len() + 1, values.len() + 2);
    let select = format!(
        "SELECT f.vulnerability, f.title, f.severity, f.kev, f.epss, f.rank FROM finding f \
         JOIN release r ON r.id = f.release AND r.active = 1 JOIN product p ON p.id = r.product \
         WHERE {waiting}{scope} AND (f.rank, f.vulnerability) < (${}, ${}) \
         ORDER BY f.rank DESC, f.vulnerability DESC LIMIT 1",
        place.0, place.1
    );
    type Row = (String, String, i64, i64, Option<f64>, i64);
    let mut list: Vec<Urgent> = Vec::with_capacity(most);
    let mut last = (i64::MAX, String::new());
    while list.len() < most {
        let mut asked = values.clone();
        asked.extend([last.0.into(), last.1.clone().into()]);
        let row: Option<Row> = sql::row(db, what, &select, asked).await?;
        let Some((vulnerability, title, severity, kev, epss, rank)) = row else { break };
        last = (rank, vulnerability.clone());
        // found with more than one rank, where one was not matched since the rank changed
        if list.iter().all(|u| u.vulnerability != vulnerability) {
            let severity = usize::try_from(severity).ok().and_then(|n| SEVERITIES.get(n)).copied();
            list.push(Urgent {
                vulnerability,
                title,
                severity: severity.unwrap_or("unknown"),
                kev: kev != 0,
                epss,
                releases: 0,
                units: 0,
                since: String::new(),
            });
        }
    }
    let ids: Vec<&str> = list.iter().map(|u| u.vulnerability.as_str()).collect();
    values.push(sql::list(&ids));
    let select = format!(
        "SELECT x.vulnerability, COUNT(*), CAST(SUM(x.units) AS BIGINT), MIN(x.since) FROM \
         (SELECT f.vulnerability, r.units, MIN(f.first_seen) AS since FROM finding f \
         JOIN release r ON r.id = f.release AND r.active = 1 JOIN product p ON p.id = r.product \
         WHERE {waiting}{scope} AND f.vulnerability IN {} GROUP BY f.vulnerability, r.id, r.units) x \
         GROUP BY x.vulnerability",
        sql::texts(db, values.len())
    );
    let rows: Vec<(String, i64, i64, String)> = sql::rows(db, what, &select, values).await?;
    let reach: HashMap<String, (i64, i64, String)> =
        rows.into_iter().map(|(id, releases, units, since)| (id, (releases, units, since))).collect();
    for u in &mut list {
        if let Some((releases, units, since)) = reach.get(&u.vulnerability) {
            (u.releases, u.units) = (*releases, *units);
            u.since.clone_from(since);
        }
    }
    Ok(list)
}

/// A document that came in.
#[derive(Debug, Clone, Serialize)]
pub struct Arrival {
    /// Release.
    pub release: i64,
    /// Its product.
    pub product: String,
    /// Its version.
    pub version: String,
    /// When.
    pub at: String,
    /// Components added to what was there.
    pub added: usize,
    /// Components that went.
    pub removed: usize,
    /// Components in another version.
    pub changed: usize,
}

/// The last documents that came in, newest first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn arrivals(db: &DatabaseConnection, actor: &Actor, most: i64) -> Result<Vec<Arrival>> {
    let mut values: Vec<Value> = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT r.id, p.name, r.version, d.uploaded, d.difference FROM document d \
         JOIN release r ON r.id = d.release JOIN product p ON p.id = r.product \
         WHERE r.workspace = $1{scope} ORDER BY d.uploaded DESC, d.id DESC LIMIT {most}"
    );
    type Row = (i64, String, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "reading what came in", &select, values).await?;
    let arrival = |(release, product, version, at, difference): Row| {
        let d: crate::inventory::Difference = serde_json::from_str(&difference).unwrap_or_default();
        Arrival {
            release,
            product,
            version,
            at,
            added: d.added,
            removed: d.removed,
            changed: d.changed.len(),
        }
    };
    Ok(rows.into_iter().map(arrival).collect())
}

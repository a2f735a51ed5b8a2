//! Decisions: what the team says of a vulnerability in a finding, a release, a product or a component everywhere.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::{SEVERITIES, count, note};
use crate::error::{Error, Result};
use crate::inventory::Release;
use crate::platform::access::Permission;
use crate::platform::change::Change;
use crate::platform::sql;

/// Statuses a person can give: VEX statuses and CycloneDX's `false_positive` for a wrong match.
pub const STATUSES: [&str; 5] =
    ["under_investigation", "affected", "not_affected", "fixed", "false_positive"];

/// Justifications for `not_affected` (CISA, "Vulnerability Exploitability eXchange: Status Justifications", 2022).
pub const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// How far a decision reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// This component in this release.
    Finding,
    /// Every component of the release.
    Release,
    /// Every release of the product that has this very component.
    Product,
    /// This very component wherever the workspace has it.
    Component,
}

impl Reach {
    /// The reach of a stored name.
    pub fn parse(name: &str) -> Option<Reach> {
        serde_json::from_value(name.into()).ok()
    }

    fn name(self) -> &'static str {
        match self {
            Reach::Finding => "finding",
            Reach::Release => "release",
            Reach::Product => "product",
            Reach::Component => "component",
        }
    }
}

/// A decision to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decision {
    /// One of [`STATUSES`].
    pub status: String,
    /// One of [`JUSTIFICATIONS`] or empty; `not_affected` needs one or a detail.
    pub justification: String,
    /// What will be done (CycloneDX `analysis.response`), or empty.
    #[serde(default)]
    pub response: String,
    /// In words.
    #[serde(default)]
    pub detail: String,
    /// How far it reaches.
    pub reach: Reach,
    /// Day on which it ends.
    #[serde(default)]
    pub expires: Option<String>,
}

fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

fn check(d: &Decision) -> Result<()> {
    if !STATUSES.contains(&d.status.as_str()) {
        return Err(rejected("status", format!("the status is one of: {}", STATUSES.join(", "))));
    }
    if !d.justification.is_empty() && !JUSTIFICATIONS.contains(&d.justification.as_str()) {
        return Err(rejected("justification", format!("one of: {}", JUSTIFICATIONS.join(", "))));
    }
    if d.status == "not_affected" && d.justification.is_empty() && d.detail.trim().is_empty() {
        let message =
            "not affected needs a justification, or the reason in words (CISA VEX, minimum requirements)";
        return Err(rejected("justification", message));
    }
    if d.detail.len() > 20_000 {
        return Err(rejected("detail", "at most 20,000 bytes"));
    }
    Ok(())
}

/// Most findings that one call of [`decide_all`] takes.
pub const MOST: usize = 1_000;

/// Decides a finding, and with it whatever the decision reaches. Gives the number of findings changed.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn decide(change: &mut Change<'_>, finding: i64, d: &Decision) -> Result<u64> {
    check(d)?;
    Ok(one(change, finding, d).await?.len() as u64)
}

/// Decides many findings alike. Each is asked for on its own: where one may not be decided, the caller drops the
/// change and none is. Gives the number of findings changed, each counted once.
///
/// # Errors
/// As [`decide`]; [`Error::Rejected`] for no finding or more than [`MOST`].
pub async fn decide_all(change: &mut Change<'_>, findings: &[i64], d: &Decision) -> Result<u64> {
    let findings: BTreeSet<i64> = findings.iter().copied().collect();
    if findings.is_empty() {
        return Err(rejected("finding", "no finding is selected; tick those that the decision is for"));
    }
    if findings.len() > MOST {
        return Err(rejected("finding", format!("at most {MOST} findings are decided at once")));
    }
    check(d)?;
    let mut changed = HashSet::new();
    for finding in findings {
        changed.extend(one(change, finding, d).await?);
    }
    Ok(changed.len() as u64)
}

/// Ids of the findings that a decision, already checked, changed.
async fn one(change: &mut Change<'_>, finding: i64, d: &Decision) -> Result<Vec<i64>> {
    let what = "deciding a finding";
    let select = "SELECT f.release, f.component, f.vulnerability, f.severity, f.kev, p.id, p.line, c.version, f.status \
                  FROM finding f JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product \
                  JOIN component c ON c.id = f.component WHERE f.id = $1 AND f.workspace = $2";
    type Row = (i64, i64, String, i64, i64, i64, i64, String, String);
    let values = vec![finding.into(), change.actor.workspace.into()];
    let (release, component, vulnerability, severity, kev, product, line, version, before) =
        sql::row::<Row>(&change.tx, what, select, values)
            .await?
            .ok_or_else(|| Error::NotFound(format!("finding {finding}")))?;
    match d.reach {
        Reach::Component => change.actor.need_everywhere(Permission::FindingDecide)?,
        _ => change.actor.need_in(Permission::FindingDecide, line)?,
    }
    let end = "UPDATE decision SET ended = $2, ending = 'replaced' WHERE workspace = $1 AND ended IS NULL \
               AND vulnerability = $3 AND reach = $4 AND COALESCE(finding, 0) = $5 AND COALESCE(release, 0) = $6 \
               AND COALESCE(product, 0) = $7 AND COALESCE(component, 0) = $8";
    let only = |on: bool, id: i64| on.then_some(id);
    let keys = [
        only(d.reach == Reach::Finding, finding),
        only(d.reach == Reach::Release, release),
        only(d.reach == Reach::Product, product),
        only(matches!(d.reach, Reach::Product | Reach::Component), component),
    ];
    let mut values =
        vec![change.actor.workspace.into(), change.actor.now.clone().into(), vulnerability.clone().into()];
    values.push(d.reach.name().into());
    values.extend(keys.iter().map(|k| k.unwrap_or(0).into()));
    sql::run(&change.tx, what, end, values).await?;
    let insert = "INSERT INTO decision (workspace, vulnerability, reach, finding, release, product, component, status, \
                  justification, response, detail, source, version, severity, exploited, expires, proposed, proposer) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'person', $12, $13, $14, $15, $16, $17) \
                  RETURNING id";
    let mut values = vec![change.actor.workspace.into(), vulnerability.clone().into(), d.reach.name().into()];
    values.extend(keys.map(Into::into));
    values.extend([
        d.status.clone().into(),
        d.justification.clone().into(),
        sql::text(&d.response),
        sql::text(&d.detail),
        sql::text(&version),
        severity.into(),
        kev.into(),
        d.expires.clone().into(),
        change.actor.now.clone().into(),
        change.actor.person.unwrap_or(0).into(),
    ]);
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    let decision = row.map_or(0, |r| r.0);
    let (condition, key) = match d.reach {
        Reach::Finding => ("id = $2", finding),
        Reach::Release => ("release = $2", release),
        Reach::Product => {
            ("component = $3 AND release IN (SELECT id FROM release WHERE product = $2)", product)
        }
        Reach::Component => ("component = $2", component),
    };
    let select = format!(
        "SELECT id, release FROM finding WHERE vulnerability = $1 AND workspace = $4 AND {condition} AND $3 = $3"
    );
    let values =
        vec![vulnerability.clone().into(), key.into(), component.into(), change.actor.workspace.into()];
    let reached: Vec<(i64, i64)> = sql::rows(&change.tx, what, &select, values).await?;
    let ids: Vec<i64> = reached.iter().map(|r| r.0).collect();
    let update = format!(
        "UPDATE finding SET status = $2, justification = $3, decision = $4 WHERE id IN {}",
        sql::numbers(&change.tx, 1)
    );
    let values =
        vec![sql::list(&ids), d.status.clone().into(), d.justification.clone().into(), decision.into()];
    sql::run(&change.tx, what, &update, values).await?;
    let detail = [d.status.as_str(), d.justification.as_str(), d.detail.as_str()].join(" · ");
    note(change, ids.iter().map(|id| (*id, "decided", detail.clone())).collect()).await?;
    let mut releases: Vec<i64> = reached.into_iter().map(|r| r.1).collect();
    releases.sort_unstable();
    releases.dedup();
    for release in releases {
        count(change, release).await?;
    }
    change.record("finding.decide", format!("finding/{finding}"), &vulnerability, &before, d);
    Ok(ids)
}

/// Puts standing decisions to the findings of a release that have none, the nearest first; a decision about risk
/// lapses where the flaw has become worse or is exploited since, while a wrong match stays one.
pub(super) async fn carry(change: &mut Change<'_>, release: &Release) -> Result<()> {
    let what = "carrying decisions over";
    let select = "SELECT f.id, d.id, d.status, d.justification, d.severity, f.severity, d.exploited, f.kev \
                  FROM finding f JOIN decision d ON d.workspace = f.workspace AND d.vulnerability = f.vulnerability \
                  AND d.ended IS NULL AND (d.expires IS NULL OR d.expires > $2) AND ( \
                    d.reach = 'release' AND d.release = f.release \
                    OR d.reach = 'product' AND d.product = $3 AND d.component = f.component \
                    OR d.reach = 'component' AND d.component = f.component) \
                  WHERE f.release = $1 AND f.closed IS NULL AND f.decision IS NULL ORDER BY f.id, CASE d.reach \
                  WHEN 'release' THEN 0 WHEN 'product' THEN 1 ELSE 2 END, d.id DESC";
    type Row = (i64, i64, String, String, i64, i64, i64, i64);
    let values = vec![release.id.into(), change.actor.now.clone().into(), release.product.into()];
    let rows: Vec<Row> = sql::rows(&change.tx, what, select, values).await?;
    let mut events = Vec::new();
    let mut last = 0;
    for (finding, decision, status, justification, was, is, exploited, kev) in rows {
        if finding == last {
            continue;
        }
        last = finding;
        if status != "false_positive" && (is > was || kev > exploited) {
            let worse = SEVERITIES.get(is as usize).copied().unwrap_or("unknown");
            let why = if kev > exploited { "is exploited now".to_owned() } else { format!("is {worse} now") };
            events.push((
                finding,
                "lapsed",
                format!("the flaw {why}, so the decision {status} is not carried over"),
            ));
            continue;
        }
        let update = "UPDATE finding SET status = $2, justification = $3, decision = $4 WHERE id = $1";
        let values = vec![finding.into(), status.clone().into(), justification.into(), decision.into()];
        sql::run(&change.tx, what, update, values).await?;
        events.push((finding, "decided", format!("{status} · carried over")));
    }
    note(change, events).await
}

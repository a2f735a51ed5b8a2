//! Findings: a release, a component in it and a vulnerability that hurts it, with evidence, status and history.
//!
//! A finding is never deleted: what is no longer found is closed with its reason.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tocsin_engine::matching::{Finding as Match, Report};
use tocsin_model::bom::Bom;
use utoipa::ToSchema;

use crate::error::Result;
use crate::intel::{self, Changes, Opened};
use crate::inventory::{Difference, How, Release};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

mod approve;
mod carry;
mod counted;
mod decide;
mod decided;
mod decisions;
mod early;
mod exploitation;
mod fanout;
mod flaws;
mod ground;
mod groups;
mod hold;
mod list;
#[cfg(test)]
pub(crate) mod list_tests;
mod outcome;
mod own;
mod query;
mod rematch;
mod renew;
mod tell;
#[cfg(test)]
mod tests;
mod thing;
mod today;
mod values;
mod vex;

pub(crate) use approve::is_asked;
pub use approve::{approve, reject, withdraw_decision};
pub use carry::expire;
pub use counted::{Counted, counted};
pub use decide::{Decision, JUSTIFICATIONS, MOST, RESPONSES, Reach, STATUSES, decide, decide_all};
#[cfg(test)]
pub(crate) use decided::DECISIONS;
pub use decided::{decision_list, decision_schema};
pub use decisions::{Asked, Kept, Like, State, decision, decisions, reached, similar, waiting};
#[cfg(test)]
pub(crate) use early::recognise;
pub use early::{Merged, bring as bring_warnings, merge as merge_warning};
pub use fanout::{Behind, behind};
pub use flaws::{Flaw, Hurting, Presence, Reaching, flaw_schema, hurting, presence, reaching};
pub use ground::{Ground, grounds, remark, withdraw};
pub use groups::{FOLDED, Group, groups, groups_sorted};
pub use hold::hold;
pub(crate) use list::conditions;
pub use list::{Export, Within, ids, in_release, list, schema, sorted, total, within};
pub(crate) use outcome::{Standing, standing};
pub use own::{Ownership, own, owners};
pub use query::{
    Counts, Filter, Finding, Page, Spread, Story, counts, finding, findings, history, spread, vulnerabilities,
};
pub use rematch::{Done, Means, Read, is_due, rematch};
pub(crate) use renew::{Found, Key};
pub use today::{Arrival, Urgent, arrivals, urgent};
pub use values::values;
#[cfg(test)]
pub(crate) use vex::DOCUMENTS;
pub use vex::{
    Imported, Outcome as VexOutcome, Place, Publisher, export, import, publisher, vex_import, vex_imports,
    vex_list, vex_schema,
};

/// The package URL by which VEX documents name a release: of the type `generic`, by its product's name and version.
pub fn product_purl(product: &str, version: &str) -> String {
    vex::generic("", product, version)
}
/// Severities from 0, as stored: unknown, none, low, medium, high, critical.
pub const SEVERITIES: [&str; 6] = ["unknown", "none", "low", "medium", "high", "critical"];

/// What a new report did to a release's findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// Found for the first time.
    pub new: usize,
    /// Found again after they were closed.
    pub reopened: usize,
    /// No longer found, by reason.
    pub closed: HashMap<String, usize>,
    /// Open now (guesses too).
    pub open: usize,
}

/// One source's word, as stored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Source.
    pub source: String,
    /// Record at the source.
    pub record: String,
    /// Identifier that met it.
    pub identifier: String,
    /// Range that decided.
    pub range: String,
    /// Its verdict.
    pub verdict: String,
    /// How sure the identification is.
    pub confidence: String,
    /// Why it was dismissed or is conditional.
    pub reason: String,
}

/// What a component that is gone tells of why its findings end.
fn of_gone(difference: &Difference, key: &Key, met: &HashSet<Key>) -> Option<&'static str> {
    Some(match difference.gone.get(&key.1)? {
        None => "removed",
        Some(by) => match by.how {
            // its findings went over to the one told otherwise; what stays behind is there twice
            How::Told => "told-otherwise",
            _ if met.contains(&(key.0, by.id, key.2.clone())) => "upgraded-still-vulnerable",
            How::Upgraded => "upgraded",
            How::Revised => "revised-downstream",
        },
    })
}

/// A component of the same version that the document only tells otherwise keeps its findings, with their history.
async fn keep(change: &Change<'_>, release: i64, difference: &Difference) -> Result<HashSet<i64>> {
    let told = difference.gone.iter().filter_map(|(old, by)| match by {
        Some(by) if by.how == How::Told => Some((*old, by.id)),
        _ => None,
    });
    let told: Vec<(i64, i64)> = told.collect();
    if !told.is_empty() {
        let update = format!(
            "UPDATE finding SET component = p.b FROM {} p WHERE finding.release = $2 AND finding.component = p.a \
             AND finding.closed IS NULL AND NOT EXISTS (SELECT 1 FROM finding x WHERE x.release = $2 \
             AND x.component = p.b AND x.vulnerability = finding.vulnerability)",
            sql::pairs(&change.tx, 1)
        );
        let values = vec![sql::list(&told), release.into()];
        sql::run(&change.tx, "keeping findings", &update, values).await?;
    }
    Ok(told.into_iter().map(|t| t.1).collect())
}

/// Why a component that is still there no longer has a finding: `changes` since the release was last matched, the
/// index it is matched with now, and whether something else of the release changed.
pub(crate) fn of_present(
    opened: Option<&Opened>,
    changes: Option<&Changes>,
    vulnerability: &str,
    settled: Option<&Found>,
    moved: bool,
) -> &'static str {
    if let Some(found) = settled {
        return if found.patched { "patched-by-the-build" } else { "stated-not-affected" };
    }
    let standing = opened.map(|o| o.index.find(vulnerability));
    match standing {
        // what cannot be read is no word on the record
        Some(Ok(None)) => return "record-withdrawn",
        Some(Ok(Some(v))) if matches!(v.state, "withdrawn" | "rejected") => return "record-withdrawn",
        _ => {}
    }
    match changes {
        Some(changes) if !changes.concern(vulnerability) && moved => "surroundings-changed",
        Some(changes) if !changes.concern(vulnerability) => "unexplained",
        _ => "record-changed",
    }
}

/// Brings the findings of a release up to a report of its document. The early warnings of its workspace are matched
/// here, since they are in no index that others have. `components` gives for each component of the matched document
/// its id; `opened` is the index that was matched with.
pub(crate) async fn apply(
    change: &mut Change<'_>,
    release: &Release,
    report: &Report,
    bom: &Bom,
    components: &[i64],
    difference: &Difference,
    opened: Option<&Opened>,
) -> Result<Outcome> {
    let told = keep(change, release.id, difference).await?;
    let stored = renew::of_release(change, release.id).await?;
    let changes = match opened {
        Some(opened) => {
            intel::changes(&change.tx, edition(change, release.id).await?, opened.generation).await?
        }
        None => None,
    };
    let id = |m: &Match| components.get(m.component).copied().filter(|c| *c != 0);
    let early = early::of_document(change, bom, opened).await?;
    let apart = |m: &&Match| early.as_ref().is_none_or(|(book, _)| !book.mains.contains(&m.vulnerability.id));
    let own = early.iter().flat_map(|(_, report)| &report.findings);
    let found: Vec<(i64, Found)> = report
        .findings
        .iter()
        .filter(apart)
        .chain(own)
        .filter_map(|m| Some((id(m)?, Found::new(m))))
        .collect();
    let moved = difference.added > 0 || difference.removed > 0 || !difference.gone.is_empty();
    let why = |key: &Key, settled: Option<&Found>, met: &HashSet<Key>| {
        let moved = moved && !told.contains(&key.1);
        of_gone(difference, key, met).unwrap_or_else(|| {
            match early.as_ref().filter(|(book, _)| book.mains.contains(&key.2)) {
                Some((book, _)) => of_present(Some(&book.opened), None, &key.2, settled, moved),
                None => of_present(opened, changes.as_ref(), &key.2, settled, moved),
            }
        })
    };
    let all: Vec<(i64, i64, &Found)> = found.iter().map(|(c, f)| (release.id, *c, f)).collect();
    let (outcome, _) = renew::bring(change, &stored, &all, &why).await?;
    carry::follow(change, &[release.id]).await?;
    count(change, release.id).await?;
    let update = "UPDATE release SET matched = $2, generation = $3, matchings = matchings + 1 WHERE id = $1";
    let generation = opened.map_or(0, |o| o.generation);
    let values = vec![release.id.into(), change.actor.now.clone().into(), generation.into()];
    sql::run(&change.tx, "storing findings", update, values).await?;
    Ok(outcome)
}

/// The edition of the index that a release's findings are of.
async fn edition(change: &Change<'_>, release: i64) -> Result<i64> {
    let select = "SELECT generation FROM release WHERE id = $1";
    let row: Option<(i64,)> = sql::row(&change.tx, "reading a release", select, vec![release.into()]).await?;
    Ok(row.map_or(0, |r| r.0))
}

/// Adds to the history of findings: (finding, what, detail).
async fn note(change: &Change<'_>, events: Vec<(i64, &'static str, String)>) -> Result<()> {
    let what = "writing the history of findings";
    if events.is_empty() {
        return Ok(());
    }
    tell::history(change, &events).await?;
    let ids: Vec<i64> = events.iter().map(|e| e.0).collect();
    let mut last: HashMap<i64, i64> = HashMap::new();
    for chunk in ids.chunks(20_000) {
        let select = format!(
            "SELECT finding, MAX(n) FROM finding_event WHERE finding IN {} GROUP BY finding",
            sql::numbers(&change.tx, 1)
        );
        let rows: Vec<(i64, i64)> = sql::rows(&change.tx, what, &select, vec![sql::list(chunk)]).await?;
        last.extend(rows);
    }
    let rows = events
        .into_iter()
        .map(|(finding, kind, detail)| {
            let n = last.entry(finding).and_modify(|n| *n += 1).or_insert(1);
            [
                finding.into(),
                (*n).into(),
                change.actor.now.clone().into(),
                change.actor.name.clone().into(),
                kind.into(),
                sql::text(&detail),
            ]
        })
        .collect();
    let head = "INSERT INTO finding_event (finding, n, at, actor, what, detail)";
    bulk::insert(&change.tx, what, head, "", rows).await?;
    Ok(())
}

/// Counts the open findings of releases anew after decisions.
async fn recount(change: &Change<'_>, releases: &[i64]) -> Result<()> {
    if releases.is_empty() { Ok(()) } else { renew::count(change, releases).await }
}

/// Counts a release's open findings anew.
pub(crate) async fn count(change: &Change<'_>, release: i64) -> Result<()> {
    renew::count(change, &[release]).await
}

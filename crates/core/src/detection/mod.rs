//! Findings: a release, a component in it and a vulnerability that hurts it, with evidence, status and history.
//!
//! A finding is never deleted: what is no longer found is closed with its reason.

use std::collections::{HashMap, HashSet};

use sea_orm::Value;
use serde::{Deserialize, Serialize};
use tocsin_engine::matching::{Finding as Match, Report};
use tocsin_model::finding::{Confidence, Verdict};

use crate::error::Result;
use crate::inventory::{Difference, Release};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

mod decide;
mod ground;
mod query;

pub use decide::{Decision, JUSTIFICATIONS, MOST, Reach, STATUSES, decide, decide_all};
pub use ground::{Ground, grounds, remark, withdraw};
pub use query::{Counts, Filter, Finding, Page, Spread, Story, counts, finding, findings, history, spread};

/// Severities from 0, as stored: unknown, none, low, medium, high, critical.
pub const SEVERITIES: [&str; 6] = ["unknown", "none", "low", "medium", "high", "critical"];

/// What a new report did to a release's findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
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

struct Stored {
    id: i64,
    closed: Option<String>,
    fingerprint: String,
}

/// Order of findings: malware, exploited, score, EPSS; higher is more urgent.
fn rank(m: &Match) -> i64 {
    let v = &m.vulnerability;
    let score = v.score.unwrap_or(match v.severity {
        "critical" => 9.0,
        "high" => 7.0,
        "medium" => 4.0,
        "low" => 0.1,
        _ => 0.0,
    });
    let first = i64::from(v.kind == "malware") * 2 + i64::from(v.kev.is_some());
    (first * 1001 + (score * 10.0) as i64) * 100_001 + v.epss.map_or(0, |(s, _)| (s * 1e5) as i64)
}

fn severity(m: &Match) -> i64 {
    SEVERITIES.iter().position(|s| *s == m.vulnerability.severity).unwrap_or(0) as i64
}

fn evidence(m: &Match) -> String {
    let list: Vec<Evidence> = m
        .evidence
        .iter()
        .map(|e| Evidence {
            source: e.source.to_owned(),
            record: e.record.clone(),
            identifier: e.identifier.clone(),
            range: e.range.clone(),
            verdict: e.verdict.as_str().to_owned(),
            confidence: e.confidence.as_str().to_owned(),
            reason: e.reason.clone(),
        })
        .collect();
    serde_json::to_string(&list).unwrap_or_default()
}

/// The columns that follow from matching, in the order of [`apply`]'s statements.
fn matched(m: &Match) -> [Value; 11] {
    let v = &m.vulnerability;
    let real = |x: Option<f32>| Value::from(x.map(|x| f64::from((x * 1e5).round()) / 1e5));
    [
        m.status.as_str().into(),
        (m.confidence as i64).into(),
        severity(m).into(),
        real(v.score),
        real(v.epss.map(|(s, _)| s)),
        i64::from(v.kev.is_some()).into(),
        (v.exploits.len() as i64).into(),
        sql::text(&v.title),
        sql::text(&m.fixed_versions.join(", ")),
        sql::text(&evidence(m)),
        rank(m).into(),
    ]
}

fn fingerprint(values: &[Value; 11]) -> String {
    let text = format!("{values:?}");
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// Brings the findings of a release up to a report. `components` gives for each component of the matched document
/// its id.
pub(crate) async fn apply(
    change: &mut Change<'_>,
    release: &Release,
    report: &Report,
    components: &[i64],
    difference: &Difference,
) -> Result<Outcome> {
    let what = "storing findings";
    let select = "SELECT id, component, vulnerability, closed, print FROM finding WHERE release = $1";
    type Row = (i64, i64, String, Option<String>, String);
    let rows: Vec<Row> = sql::rows(&change.tx, what, select, vec![release.id.into()]).await?;
    let stored: HashMap<(i64, String), Stored> = rows
        .into_iter()
        .map(|(id, c, v, closed, fingerprint)| ((c, v), Stored { id, closed, fingerprint }))
        .collect();
    let open = |m: &Match| matches!(m.status, Verdict::Affected | Verdict::Conditional);
    let mut outcome = Outcome::default();
    let mut met: HashSet<(i64, String)> = HashSet::new();
    let mut settled: HashSet<(i64, String)> = HashSet::new();
    let (mut new, mut events) = (Vec::new(), Vec::new());
    for m in &report.findings {
        let Some(component) = components.get(m.component).copied().filter(|c| *c != 0) else { continue };
        let key = (component, m.vulnerability.id.clone());
        if !open(m) {
            settled.insert(key);
            continue;
        }
        if met.contains(&key) {
            continue; // the same thing in another place of the document
        }
        let values = matched(m);
        let print = fingerprint(&values);
        match stored.get(&key) {
            None => {
                outcome.new += 1;
                let mut row = vec![
                    change.actor.workspace.into(),
                    release.id.into(),
                    component.into(),
                    m.vulnerability.id.clone().into(),
                ];
                row.extend(values);
                row.extend([
                    Value::from(print),
                    "under_investigation".into(),
                    change.actor.now.clone().into(),
                    change.actor.now.clone().into(),
                ]);
                if let Ok(row) = <[Value; 19]>::try_from(row) {
                    new.push(row);
                }
            }
            Some(s) if s.closed.is_some() || s.fingerprint != print => {
                if s.closed.is_some() {
                    outcome.reopened += 1;
                    events.push((s.id, "reopened", String::new()));
                } else {
                    events.push((s.id, "updated", String::new()));
                }
                let update = "UPDATE finding SET verdict = $2, confidence = $3, severity = $4, score = $5, epss = $6, \
                              kev = $7, exploits = $8, title = $9, fixed = $10, evidence = $11, rank = $12, \
                              print = $13, last_seen = $14, closed = NULL, reason = '' WHERE id = $1";
                let mut row = vec![s.id.into()];
                row.extend(values);
                row.extend([Value::from(print), change.actor.now.clone().into()]);
                sql::run(&change.tx, what, update, row).await?;
            }
            Some(_) => {}
        }
        met.insert(key);
    }
    let head = "INSERT INTO finding (workspace, release, component, vulnerability, verdict, confidence, severity, \
                score, epss, kev, exploits, title, fixed, evidence, rank, print, status, first_seen, last_seen)";
    bulk::insert(&change.tx, what, head, "", new).await?;
    let mut closing: HashMap<&'static str, Vec<i64>> = HashMap::new();
    for ((component, vulnerability), s) in &stored {
        let key = (*component, vulnerability.clone());
        if s.closed.is_some() || met.contains(&key) {
            continue;
        }
        let reason = match difference.gone.get(component) {
            Some(Some((by, _))) if met.contains(&(*by, vulnerability.clone())) => "upgraded-still-vulnerable",
            Some(Some(_)) => "upgraded",
            Some(None) => "removed",
            None if settled.contains(&key) => "patched-by-the-build",
            None => "record-changed",
        };
        closing.entry(reason).or_default().push(s.id);
        events.push((s.id, "closed", reason.to_owned()));
    }
    for (reason, ids) in closing {
        let update = format!(
            "UPDATE finding SET closed = $2, reason = $3 WHERE id IN {}",
            sql::numbers(&change.tx, 1)
        );
        let values = vec![sql::list(&ids), change.actor.now.clone().into(), reason.into()];
        sql::run(&change.tx, what, &update, values).await?;
        outcome.closed.insert(reason.to_owned(), ids.len());
    }
    note(change, events).await?;
    decide::carry(change, release).await?;
    count(change, release.id).await?;
    outcome.open = met.len();
    Ok(outcome)
}

/// Adds to the history of findings: (finding, what, detail).
async fn note(change: &Change<'_>, events: Vec<(i64, &'static str, String)>) -> Result<()> {
    let what = "writing the history of findings";
    if events.is_empty() {
        return Ok(());
    }
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

/// Counts a release's open findings anew: what is surely identified and not decided away.
pub(crate) async fn count(change: &Change<'_>, release: i64) -> Result<()> {
    let of = |severities: &str| {
        format!(
            "(SELECT COUNT(*) FROM finding f WHERE f.release = $1 AND f.closed IS NULL AND f.confidence > {} \
             AND f.status NOT IN ('not_affected', 'fixed', 'false_positive') AND {severities})",
            Confidence::Inferred as i64
        )
    };
    let update = format!(
        "UPDATE release SET matched = $2, critical = {}, high = {}, medium = {}, low = {}, unrated = {}, exploited = {} \
         WHERE id = $1",
        of("f.severity = 5"),
        of("f.severity = 4"),
        of("f.severity = 3"),
        of("f.severity = 2"),
        of("f.severity < 2"),
        of("f.kev = 1"),
    );
    let values = vec![release.into(), change.actor.now.clone().into()];
    sql::run(&change.tx, "counting findings", &update, values).await?;
    Ok(())
}

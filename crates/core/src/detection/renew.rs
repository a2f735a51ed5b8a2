//! Bringing stored findings up to what matching says: only what differs is written, and what is no longer found is
//! closed with its reason.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::Value;
use tocsin_engine::index::Vulnerability;
use tocsin_engine::matching::Finding as Match;
use tocsin_model::finding::{Confidence, Verdict};

use super::{Evidence, Outcome, SEVERITIES};
use crate::error::Result;
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// A match in the form in which it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub vulnerability: String,
    /// Affected or conditional; else it is settled: somebody says that it is fixed or does not apply.
    pub open: bool,
    /// Settled by a fix in the build.
    pub patched: bool,
    /// What matching says: verdict, confidence, severity, score, title, fixed versions, evidence.
    said: [Value; 7],
    /// Fingerprint of `said`.
    print: String,
    severity: i64,
    standing: Standing,
}

/// What is known of a vulnerability's exploitation, and how urgent that makes it; in the form stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub epss: Option<f64>,
    pub kev: bool,
    pub exploits: i64,
    pub rank: i64,
}

impl Standing {
    /// Of a vulnerability.
    pub(crate) fn of(v: &Vulnerability) -> Standing {
        Standing {
            epss: real(v.epss.map(|(s, _)| s)),
            kev: v.kev.is_some(),
            exploits: v.exploits.len() as i64,
            rank: rank(v),
        }
    }
}

/// Five digits are kept, the same on each backend.
fn real(x: Option<f32>) -> Option<f64> {
    x.map(|x| f64::from((x * 1e5).round()) / 1e5)
}

/// Order of findings: malware, exploited, score, EPSS; higher is more urgent.
fn rank(v: &Vulnerability) -> i64 {
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

impl Found {
    pub(crate) fn new(m: &Match) -> Found {
        let v = &m.vulnerability;
        let severity = SEVERITIES.iter().position(|s| *s == v.severity).unwrap_or(0) as i64;
        let said = [
            m.status.as_str().into(),
            (m.confidence as i64).into(),
            severity.into(),
            real(v.score).into(),
            sql::text(&v.title),
            sql::text(&m.fixed_versions.join(", ")),
            sql::text(&evidence(m)),
        ];
        let print = format!("2{:016x}", xxhash_rust::xxh3::xxh3_64(format!("{said:?}").as_bytes()));
        Found {
            vulnerability: v.id.clone(),
            open: matches!(m.status, Verdict::Affected | Verdict::Conditional),
            patched: m.status == Verdict::Fixed
                && m.justification.as_deref() == Some("inline_mitigations_already_exist"),
            said,
            print,
            severity,
            standing: Standing::of(v),
        }
    }
}

/// Release, component, vulnerability.
pub(crate) type Key = (i64, i64, String);

/// A finding as it stands in the database.
pub(crate) struct Stored {
    id: i64,
    closed: Option<String>,
    print: String,
    standing: Standing,
    severity: i64,
}

const STORED: &str = "SELECT f.id, f.release, f.component, f.vulnerability, f.closed, f.print, f.epss, f.kev, f.exploits, f.rank, \
                      f.severity";

fn stored(row: &sea_orm::QueryResult) -> std::result::Result<(Key, Stored), sea_orm::DbErr> {
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    let standing = Standing {
        epss: row.try_get_by_index(6)?,
        kev: number(7)? != 0,
        exploits: number(8)?,
        rank: number(9)?,
    };
    let (closed, print) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
    let key = (number(1)?, number(2)?, row.try_get_by_index(3)?);
    Ok((key, Stored { id: number(0)?, closed, print, standing, severity: number(10)? }))
}

/// All findings of a release.
pub(crate) async fn of_release(change: &Change<'_>, release: i64) -> Result<HashMap<Key, Stored>> {
    let what = "reading findings";
    let select = format!("{STORED} FROM finding f WHERE f.release = $1");
    let rows = sql::raw(&change.tx, what, &select, vec![release.into()]).await?;
    Ok(sql::read(&rows, what, stored)?.into_iter().collect())
}

/// Findings of (release, component) pairs about some vulnerabilities.
pub(crate) async fn of_pairs(
    change: &Change<'_>,
    pairs: &[(i64, i64)],
    about: &BTreeSet<String>,
) -> Result<HashMap<Key, Stored>> {
    let what = "reading findings";
    let mut found = HashMap::new();
    for chunk in pairs.chunks(20_000) {
        let select = format!(
            "{STORED} FROM {} p JOIN finding f ON f.release = p.a AND f.component = p.b",
            sql::pairs(&change.tx, 1)
        );
        let rows = sql::raw(&change.tx, what, &select, vec![sql::list(chunk)]).await?;
        found.extend(sql::read(&rows, what, stored)?.into_iter().filter(|(k, _)| about.contains(&k.2)));
    }
    Ok(found)
}

/// The reason for which a finding is closed: its key, who settled it, and all findings that are open.
pub(crate) type Why<'a> = dyn Fn(&Key, Option<&Found>, &HashSet<Key>) -> &'static str + Sync + 'a;

/// Writes what differs between `stored` and `found`. Every stored finding that is not found is closed for the reason
/// that `why` gives. Gives what came of it and the releases that it touched.
pub(crate) async fn bring(
    change: &mut Change<'_>,
    stored: &HashMap<Key, Stored>,
    found: &[(i64, i64, &Found)],
    why: &Why<'_>,
) -> Result<(Outcome, BTreeSet<i64>)> {
    let what = "storing findings";
    let (mut outcome, mut touched) = (Outcome::default(), BTreeSet::new());
    let (mut met, mut settled) = (HashSet::new(), HashMap::new());
    let mut news = super::tell::News::default();
    let (mut rows, mut events, mut flaws) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (release, component, f) in found.iter().copied() {
        let key = (release, component, f.vulnerability.clone());
        if !f.open {
            settled.entry(key).or_insert(f);
            continue;
        }
        if met.contains(&key) {
            continue; // the same thing in another place of the document
        }
        match stored.get(&key) {
            None => {
                outcome.new += 1;
                touched.insert(release);
                news.releases.insert(release);
                rows.push(row(change, &key, f));
                flaws.insert(key.2.clone(), facts(&key, f));
            }
            Some(s) if s.closed.is_some() => {
                outcome.reopened += 1;
                touched.insert(release);
                events.push((s.id, "reopened", String::new()));
                rows.push(row(change, &key, f));
                flaws.insert(key.2.clone(), facts(&key, f));
            }
            Some(s) if s.print != f.print || s.standing != f.standing => {
                touched.insert(release);
                // a fingerprint of an older kind tells of no change
                if s.print != f.print && s.print.starts_with('2') && s.print.len() == 17 {
                    events.push((s.id, "updated", String::new()));
                }
                events.extend(exploited(s.id, s.standing.kev, f.standing.kev));
                news.changed(s.id, (s.severity, f.severity), (s.standing.exploits, f.standing.exploits));
                rows.push(row(change, &key, f));
                flaws.insert(key.2.clone(), facts(&key, f));
            }
            Some(_) => {}
        }
        met.insert(key);
    }
    let head = "INSERT INTO finding (workspace, release, component, vulnerability, verdict, confidence, severity, \
                score, title, fixed, evidence, print, epss, kev, exploits, rank, status, first_seen, last_seen)";
    let tail = "ON CONFLICT (release, component, vulnerability) DO UPDATE SET verdict = excluded.verdict, \
                confidence = excluded.confidence, severity = excluded.severity, score = excluded.score, \
                title = excluded.title, fixed = excluded.fixed, evidence = excluded.evidence, print = excluded.print, \
                epss = excluded.epss, kev = excluded.kev, exploits = excluded.exploits, rank = excluded.rank, \
                last_seen = excluded.last_seen, closed = NULL, reason = ''";
    bulk::insert(&change.tx, what, head, tail, rows).await?;
    super::flaws::met(change, flaws).await?;
    let mut closing: BTreeMap<&'static str, Vec<i64>> = BTreeMap::new();
    for (key, s) in stored {
        if s.closed.is_some() || met.contains(key) {
            continue;
        }
        let reason = why(key, settled.get(key).copied(), &met);
        closing.entry(reason).or_default().push(s.id);
        touched.insert(key.0);
        events.push((s.id, "closed", reason.to_owned()));
    }
    for (reason, ids) in closing {
        for chunk in ids.chunks(20_000) {
            let list = sql::numbers(&change.tx, 1);
            let update = format!("UPDATE finding SET closed = $2, reason = $3 WHERE id IN {list}");
            let values = vec![sql::list(chunk), change.actor.now.clone().into(), reason.into()];
            sql::run(&change.tx, what, &update, values).await?;
        }
        outcome.closed.insert(reason.to_owned(), ids.len());
    }
    super::note(change, events).await?;
    news.tell(change).await?;
    outcome.open = met.len();
    Ok((outcome, touched))
}

/// What the history of a finding says where its flaw became known to be exploited, or is so no more.
pub(crate) fn exploited(id: i64, was: bool, is: bool) -> Option<(i64, &'static str, String)> {
    let words = if is { "known to be exploited" } else { "no longer listed as exploited" };
    (was != is).then(|| (id, "updated", words.to_owned()))
}

fn row(change: &Change<'_>, key: &Key, f: &Found) -> [Value; 19] {
    let [verdict, confidence, severity, score, title, fixed, evidence] = f.said.clone();
    let s = &f.standing;
    [
        change.actor.workspace.into(),
        key.0.into(),
        key.1.into(),
        key.2.clone().into(),
        verdict,
        confidence,
        severity,
        score,
        title,
        fixed,
        evidence,
        f.print.clone().into(),
        s.epss.into(),
        i64::from(s.kev).into(),
        s.exploits.into(),
        s.rank.into(),
        "under_investigation".into(),
        change.actor.now.clone().into(),
        change.actor.now.clone().into(),
    ]
}

/// What a finding says of its vulnerability.
fn facts(key: &Key, f: &Found) -> super::flaws::Facts {
    let [_, _, severity, score, title, _, _] = f.said.clone();
    let s = &f.standing;
    let (kev, exploits) = (i64::from(s.kev).into(), s.exploits.into());
    [key.2.clone().into(), title, severity, score, s.epss.into(), kev, exploits, s.rank.into()]
}

/// Counts the open findings of releases anew: what is surely identified and not decided away.
pub(crate) async fn count(change: &Change<'_>, releases: &[i64]) -> Result<()> {
    let of = |condition: &str| format!("SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)");
    let update = format!(
        "UPDATE release SET critical = x.critical, high = x.high, medium = x.medium, low = x.low, \
         unrated = x.unrated, exploited = x.exploited FROM (SELECT r.id AS id, {} AS critical, {} AS high, \
         {} AS medium, {} AS low, {} AS unrated, {} AS exploited FROM release r LEFT JOIN finding f \
         ON f.release = r.id AND f.closed IS NULL AND f.confidence > {} \
         AND f.status NOT IN ('not_affected', 'fixed', 'false_positive') WHERE r.id IN {} GROUP BY r.id) x \
         WHERE release.id = x.id",
        of("f.severity = 5"),
        of("f.severity = 4"),
        of("f.severity = 3"),
        of("f.severity = 2"),
        of("f.severity < 2"),
        of("f.kev = 1"),
        Confidence::Inferred as i64,
        sql::numbers(&change.tx, 1),
    );
    for chunk in releases.chunks(5_000) {
        sql::run(&change.tx, "counting findings", &update, vec![sql::list(chunk)]).await?;
    }
    super::counted::keep(change, releases).await
}

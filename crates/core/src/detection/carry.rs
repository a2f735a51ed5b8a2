//! How decisions go on and end: carried to what is found later as far as their reason reaches, lapsed when the
//! component's version, the severity or the exploitation of the flaw is another, ended by their day or by a person.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, Value};

use super::decide::{EXPLOITED, Reach};
use super::thing::{COLUMNS as THING, Thing};
use super::{SEVERITIES, note, recount};
use crate::error::Result;
use crate::platform::access::Permission;
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Ends decisions. Findings that stood on them are under investigation again, with `lapsed` as the reason that lists
/// show; what was proposed is proposed no longer. [`settle`] is still to be called.
pub(super) async fn end(
    change: &Change<'_>,
    decisions: &[i64],
    ending: &'static str,
    lapsed: &str,
) -> Result<()> {
    let what = "ending decisions";
    if decisions.is_empty() {
        return Ok(());
    }
    let list = sql::list(decisions);
    let update = format!(
        "UPDATE decision SET ended = $2, ending = $3, waits = 0 WHERE ended IS NULL AND id IN {}",
        sql::numbers(&change.tx, 1)
    );
    let values = vec![list.clone(), change.actor.now.clone().into(), ending.into()];
    sql::run(&change.tx, what, &update, values).await?;
    let update = format!(
        "UPDATE finding SET proposal = NULL WHERE proposal IS NOT NULL AND proposal IN {}",
        sql::numbers(&change.tx, 1)
    );
    sql::run(&change.tx, what, &update, vec![list.clone()]).await?;
    let update = format!(
        "UPDATE finding SET status = 'under_investigation', justification = '', lapsed = $2 \
         WHERE decision IS NOT NULL AND decision IN {}",
        sql::numbers(&change.tx, 1)
    );
    sql::run(&change.tx, what, &update, vec![list, lapsed.into()]).await?;
    Ok(())
}

/// After [`end`] and whatever took the place of the ended decisions: findings that still stand on one of them are let
/// go, fall back to another decision that reaches them, and their releases are counted again. `more` are releases
/// that are counted in any case.
pub(super) async fn settle(change: &Change<'_>, ended: &[i64], more: &BTreeSet<i64>) -> Result<()> {
    let what = "letting findings of ended decisions go";
    if ended.is_empty() {
        return Ok(());
    }
    let select = format!(
        "SELECT f.id, f.release, d.ending, f.lapsed FROM finding f JOIN decision d ON d.id = f.decision \
         WHERE f.decision IS NOT NULL AND f.decision IN {}",
        sql::numbers(&change.tx, 1)
    );
    let left: Vec<(i64, i64, String, String)> =
        sql::rows(&change.tx, what, &select, vec![sql::list(ended)]).await?;
    if left.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = left.iter().map(|l| l.0).collect();
    let reasons: HashMap<i64, String> =
        left.iter().filter(|l| !l.3.is_empty()).map(|l| (l.0, l.3.clone())).collect();
    let update = format!(
        "UPDATE finding SET decision = NULL, lapsed = '' WHERE id IN {}",
        sql::numbers(&change.tx, 1)
    );
    sql::run(&change.tx, what, &update, vec![sql::list(&ids)]).await?;
    let words = |ending: &str| match ending {
        "withdrawn" => "withdrawn",
        "expired" => "expired",
        "replaced" => "let-go",
        _ => "ended",
    };
    let told = |(id, _, ending, reason): &(i64, i64, String, String)| (*id, words(ending), reason.clone());
    note(change, left.iter().map(told).collect()).await?;
    let mut releases: BTreeSet<i64> = left.iter().map(|l| l.1).collect();
    releases.extend(more);
    let releases: Vec<i64> = releases.into_iter().collect();
    follow(change, &releases).await?;
    let select =
        format!("SELECT id FROM finding WHERE decision IS NULL AND id IN {}", sql::numbers(&change.tx, 1));
    let alone: Vec<(i64,)> = sql::rows(&change.tx, what, &select, vec![sql::list(&ids)]).await?;
    let rows: Vec<[Value; 2]> =
        alone.into_iter().filter_map(|(id,)| Some([id.into(), sql::text(reasons.get(&id)?)])).collect();
    mark(change, rows).await?;
    recount(change, &releases).await
}

async fn mark(change: &Change<'_>, rows: Vec<[Value; 2]>) -> Result<()> {
    let head = "UPDATE finding SET lapsed = v.column2";
    bulk::update(&change.tx, "marking what lapsed", head, "WHERE finding.id = v.column1", rows).await?;
    Ok(())
}

/// Severity and exploitation of a flaw: now, and when a decision was made.
struct Risk {
    severity: (i64, i64),
    exploited: (i64, i64),
}

impl Risk {
    /// Why a decision about it holds no longer.
    fn changed(&self) -> Option<String> {
        let ((was, is), (quiet, loud)) = (self.severity, self.exploited);
        if quiet != loud {
            let words = ["is not known to be exploited", "has public exploits", "is known to be exploited"];
            let word = |n: i64| words.get(n as usize).copied().unwrap_or("may be exploited");
            return Some(format!(
                "the flaw {} now; when it was decided, it was one that {}",
                word(loud),
                word(quiet)
            ));
        }
        let word = |n: i64| SEVERITIES.get(n as usize).copied().unwrap_or("unknown");
        // less than 0: it was made on an early warning that was merged since, and is to stand
        (was != is && was >= 0)
            .then(|| format!("the severity is {} now; when it was decided, it was {}", word(is), word(was)))
    }
}

/// Lets decisions about risk lapse in the open findings of vulnerabilities whose exploitation was looked at anew.
pub(super) async fn lapse_of(change: &Change<'_>, vulnerabilities: &[&str]) -> Result<()> {
    let condition = format!("f.workspace = $2 AND f.vulnerability IN {}", sql::texts(&change.tx, 1));
    let values = vec![sql::list(vulnerabilities), change.actor.workspace.into()];
    let releases: Vec<i64> = lapse(change, &condition, values).await?.into_iter().collect();
    recount(change, &releases).await
}

/// Lets decisions about risk lapse in open findings where severity or exploitation changed since; their releases.
async fn lapse(change: &Change<'_>, condition: &str, values: Vec<Value>) -> Result<BTreeSet<i64>> {
    let what = "letting decisions lapse";
    let select = format!(
        "SELECT f.id, f.release, d.status, d.severity, f.severity, d.exploited, {EXPLOITED} FROM finding f \
         JOIN decision d ON d.id = f.decision WHERE {condition} AND f.closed IS NULL \
         AND d.status NOT IN ('false_positive', 'under_investigation') \
         AND (f.severity <> d.severity AND d.severity >= 0 OR d.exploited <> {EXPLOITED})"
    );
    type Row = (i64, i64, String, i64, i64, i64, i64);
    let rows: Vec<Row> = sql::rows(&change.tx, what, &select, values).await?;
    let (mut lapsed, mut releases) = (Vec::new(), BTreeSet::new());
    for (finding, release, status, was, is, quiet, loud) in rows {
        let risk = Risk { severity: (was, is), exploited: (quiet, loud) };
        if let Some(why) = risk.changed() {
            lapsed.push((finding, status, why));
            releases.insert(release);
        }
    }
    let update = "UPDATE finding SET decision = NULL, status = 'under_investigation', justification = '', \
                  lapsed = v.column2";
    let rows: Vec<[Value; 2]> = lapsed.iter().map(|(id, _, why)| [(*id).into(), sql::text(why)]).collect();
    bulk::update(&change.tx, what, update, "WHERE finding.id = v.column1", rows).await?;
    let events = lapsed.into_iter().map(|(id, status, why)| (id, "lapsed", format!("{status} · {why}")));
    note(change, events.collect()).await?;
    Ok(releases)
}

/// A decision that may hold for a finding without one.
struct Candidate {
    finding: i64,
    release: i64,
    product: i64,
    thing: Thing,
    decision: i64,
    reach: Reach,
    status: String,
    justification: String,
    subject: Thing,
    risk: Risk,
}

async fn candidates(change: &Change<'_>, releases: &[i64]) -> Result<Vec<Candidate>> {
    let what = "carrying decisions over";
    let subject = THING.replace("c.", "s.");
    let select = format!(
        "SELECT f.id, f.release, r.product, d.id, d.reach, d.status, d.justification, d.severity, f.severity, \
         d.exploited, {EXPLOITED}, {THING}, {subject} FROM finding f JOIN release r ON r.id = f.release \
         JOIN component c ON c.id = f.component JOIN decision d ON d.workspace = f.workspace \
         AND d.vulnerability = f.vulnerability AND d.ended IS NULL AND d.waits = 0 \
         AND (d.expires IS NULL OR d.expires > $2) LEFT JOIN finding g ON g.id = d.finding \
         LEFT JOIN component s ON s.id = d.subject \
         WHERE f.release IN {} AND f.closed IS NULL AND f.decision IS NULL AND f.lapsed = '' \
         AND (d.reach = 'finding' AND g.release = f.release OR d.reach = 'release' AND d.release = f.release \
         OR d.reach = 'product' AND d.product = r.product OR d.reach = 'component') \
         ORDER BY f.id, CASE d.reach WHEN 'finding' THEN 0 WHEN 'release' THEN 1 WHEN 'product' THEN 2 ELSE 3 END, \
         d.id DESC",
        sql::numbers(&change.tx, 1)
    );
    let values = vec![sql::list(releases), change.actor.now.clone().into()];
    let rows = sql::raw(&change.tx, what, &select, values).await?;
    sql::read(&rows, what, |row| {
        Ok(Candidate {
            finding: row.try_get_by_index(0)?,
            release: row.try_get_by_index(1)?,
            product: row.try_get_by_index(2)?,
            decision: row.try_get_by_index(3)?,
            reach: Reach::parse(&row.try_get_by_index::<String>(4)?).unwrap_or(Reach::Finding),
            status: row.try_get_by_index(5)?,
            justification: row.try_get_by_index(6)?,
            risk: Risk {
                severity: (row.try_get_by_index(7)?, row.try_get_by_index(8)?),
                exploited: (row.try_get_by_index(9)?, row.try_get_by_index(10)?),
            },
            thing: Thing::read(row, 11)?.unwrap_or_default(),
            subject: Thing::read(row, 15)?.unwrap_or_default(),
        })
    })
}

/// What decisions held for so far: release, product and component of each finding, closed ones too.
type Covered = HashMap<i64, Vec<(i64, i64, Thing)>>;

async fn covered(db: &impl ConnectionTrait, decisions: &[i64]) -> Result<Covered> {
    let what = "asking what decisions hold for";
    let select = format!(
        "SELECT DISTINCT f.decision, f.release, r.product, {THING} FROM finding f JOIN release r ON r.id = f.release \
         JOIN component c ON c.id = f.component WHERE f.decision IS NOT NULL AND f.decision IN {}",
        sql::numbers(db, 1)
    );
    let rows = sql::raw(db, what, &select, vec![sql::list(decisions)]).await?;
    let rows = sql::read(&rows, what, |row| {
        let ids: (i64, i64, i64) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        Ok((ids, Thing::read(row, 3)?.unwrap_or_default()))
    })?;
    let mut covered = Covered::new();
    for ((decision, release, product), thing) in rows {
        covered.entry(decision).or_default().push((release, product, thing));
    }
    Ok(covered)
}

/// What a decision means for a finding that came later.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Holds,
    Lapses(String),
    Silent,
}

fn word(c: &Candidate, covered: &[(i64, i64, Thing)]) -> Word {
    if c.status == "false_positive" {
        let holds = c.reach == Reach::Release || c.subject.is_package(&c.thing);
        return if holds { Word::Holds } else { Word::Silent };
    }
    let held_in_release: Vec<&Thing> = covered.iter().filter(|x| x.0 == c.release).map(|x| &x.2).collect();
    let same = match c.reach {
        Reach::Release => held_in_release.iter().any(|t| t.is(&c.thing)) || c.subject.is(&c.thing),
        _ => c.subject.is(&c.thing),
    };
    if same {
        return match c.risk.changed() {
            Some(why) if c.status != "under_investigation" => Word::Lapses(why),
            _ => Word::Holds,
        };
    }
    // Only where it held before can it lapse; elsewhere it never spoke of this version.
    let before = match c.reach {
        Reach::Finding | Reach::Release => held_in_release,
        _ => covered.iter().filter(|x| x.1 == c.product).map(|x| &x.2).collect(),
    };
    match before.iter().find(|t| t.is_package(&c.thing)) {
        Some(was) => Word::Lapses(format!(
            "the version is {} now; when it was decided, it was {}",
            c.thing.version, was.version
        )),
        None if c.reach == Reach::Release => {
            Word::Lapses("the component came after the release was decided on".to_owned())
        }
        None => Word::Silent,
    }
}

/// Lets decisions lapse and carries standing ones to the open findings of releases that have none, the nearest first.
pub(crate) async fn follow(change: &Change<'_>, releases: &[i64]) -> Result<()> {
    let what = "carrying decisions over";
    if releases.is_empty() {
        return Ok(());
    }
    let condition = format!("f.release IN {}", sql::numbers(&change.tx, 1));
    lapse(change, &condition, vec![sql::list(releases)]).await?;
    let all = candidates(change, releases).await?;
    if all.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = all.iter().map(|c| c.decision).collect::<BTreeSet<_>>().into_iter().collect();
    let covered = covered(&change.tx, &ids).await?;
    let (mut rows, mut lapsed, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for list in all.chunk_by(|a, b| a.finding == b.finding) {
        let mut why = None;
        for c in list {
            match word(c, covered.get(&c.decision).map_or(&[][..], Vec::as_slice)) {
                Word::Holds => {
                    let (status, justification) = (c.status.clone(), c.justification.clone());
                    events.push((c.finding, "decided", format!("{status} · carried over")));
                    rows.push([c.finding.into(), c.decision.into(), status.into(), justification.into()]);
                    why = None;
                    break;
                }
                Word::Lapses(reason) => why = why.or(Some((c, reason))),
                Word::Silent => {}
            }
        }
        if let Some((c, reason)) = why {
            events.push((c.finding, "lapsed", format!("{} · {reason}", c.status)));
            lapsed.push([c.finding.into(), sql::text(&reason)]);
        }
    }
    let head = "UPDATE finding SET decision = v.column2, status = v.column3, justification = v.column4";
    bulk::update(&change.tx, what, head, "WHERE finding.id = v.column1", rows).await?;
    mark(change, lapsed).await?;
    note(change, events).await
}

/// Ends the decisions of the workspace whose day has come; the number of them.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn expire(change: &mut Change<'_>) -> Result<usize> {
    change.actor.need_everywhere(Permission::FindingDecide)?;
    let what = "looking for decisions whose day has come";
    let select = "SELECT id, vulnerability, status, expires FROM decision WHERE workspace = $1 AND ended IS NULL \
                  AND expires IS NOT NULL AND expires <= $2 ORDER BY id";
    let values = vec![change.actor.workspace.into(), change.actor.now.clone().into()];
    let rows: Vec<(i64, String, String, String)> = sql::rows(&change.tx, what, select, values).await?;
    let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
    end(change, &ids, "expired", "the decision ended on its day").await?;
    settle(change, &ids, &BTreeSet::new()).await?;
    for (id, vulnerability, status, expires) in rows {
        change.record("decision.expire", format!("decision/{id}"), &vulnerability, &(status, expires), &());
    }
    Ok(ids.len())
}

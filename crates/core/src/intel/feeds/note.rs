//! What came of asking a source: the source's state then, and the row of the run.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::Serialize;

use super::{Feed, Mark, one};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{clock, outbox, sql};

/// Failures in a row after which a source is left alone for a while.
pub const PATIENCE: i64 = 3;
/// The first such while, in minutes; it doubles with every further failure.
const PAUSE: i64 = 15;
/// The longest, in minutes.
const LONGEST: i64 = 24 * 60;
/// Runs of a source that are kept.
const KEPT: i64 = 200;

/// What a run took in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Documents.
    pub documents: u64,
    /// Records or facts read …
    pub read: u64,
    /// … not known before …
    pub new: u64,
    /// … known and now different …
    pub changed: u64,
    /// … and not understood.
    pub refused: u64,
    /// Bytes of the documents.
    pub bytes: u64,
}

impl Sum {
    /// Adds what another took in.
    pub fn add(&mut self, other: &Sum) {
        self.documents += other.documents;
        self.read += other.read;
        self.new += other.new;
        self.changed += other.changed;
        self.refused += other.refused;
        self.bytes += other.bytes;
    }
}

/// What came of asking a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing that we do not have.
    Unchanged,
    /// Something was taken in, and all of it.
    Taken {
        /// What the publisher calls the edition, where it is one document.
        mark: Option<Mark>,
        /// What it was.
        sum: Sum,
    },
    /// Of a source of many parts that have nothing to do with each other some were heard and others not: it is asked as
    /// before, and each part is left alone by itself.
    Partly {
        /// Which parts failed, and why.
        error: String,
        /// One of them failed so often that people are told.
        alarm: bool,
        /// What was taken in of the others.
        sum: Sum,
    },
    /// It was not heard, or not understood; what was known before stays.
    Failed {
        /// Why, with the remedy.
        error: String,
        /// The publisher asked not to be called for so many seconds (`Retry-After`). 0: it was heard, and parts of what it
        /// gave failed; it is not left alone, or one bad document would keep all others away.
        wait: Option<u64>,
        /// What was taken in until then.
        sum: Sum,
    },
}

/// One run of a source, or several in a row that found nothing new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SourceRun)]
pub struct Run {
    /// Id.
    pub id: i64,
    /// When the first of them began.
    pub started: String,
    /// When the last of them ended.
    pub ended: String,
    /// `taken`, `unchanged` or `failed`.
    pub outcome: String,
    /// How many runs it stands for.
    pub times: i64,
    /// Documents taken in.
    pub documents: i64,
    /// Records or facts read …
    pub read: i64,
    /// … not known before …
    pub new: i64,
    /// … known and now different …
    pub changed: i64,
    /// … and not understood.
    pub refused: i64,
    /// Bytes of the documents.
    pub bytes: i64,
    /// Why it failed, with the remedy.
    pub error: String,
}

fn number(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

fn numbers(sum: &Sum) -> Vec<Value> {
    [sum.read, sum.new, sum.changed, sum.refused, sum.bytes].map(number).to_vec()
}

/// Notes what came of asking a source that was begun at `started`, at the actor's time; its state then.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn note(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
    started: &str,
    outcome: &Outcome,
) -> Result<Feed> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "noting what a source gave";
    let mut change = Change::begin(db, actor).await?;
    let made = "INSERT INTO feed (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
    sql::run(&change.tx, what, made, vec![name.into()]).await?;
    let heard = "tried = $2, good = $2, error = '', failures = 0, not_before = NULL";
    let taken = "read = $3, fresh = $4, changed = $5, refused = $6, bytes = $7";
    let subject = format!("source/{name}");
    let select = "SELECT failures FROM feed WHERE name = $1";
    let row: Option<(i64,)> = sql::row(&change.tx, what, select, vec![name.into()]).await?;
    let before = row.map_or(0, |r| r.0);
    // one failure is no news, and neither is the tenth
    if before >= PATIENCE && !matches!(outcome, Outcome::Failed { .. }) {
        outbox::feed(&change, name, None).await?;
    }
    let mut values = vec![name.into(), actor.now.clone().into()];
    match outcome {
        Outcome::Unchanged => {
            sql::run(&change.tx, what, &format!("UPDATE feed SET {heard} WHERE name = $1"), values).await?;
            run(&change.tx, name, started, &actor.now, ("unchanged", ""), &Sum::default()).await?;
        }
        Outcome::Taken { mark, sum } => {
            values.extend(numbers(sum));
            values.push(mark.as_ref().and_then(|m| serde_json::to_string(m).ok()).unwrap_or_default().into());
            let update = format!("UPDATE feed SET {heard}, {taken}, mark = $8 WHERE name = $1");
            sql::run(&change.tx, what, &update, values).await?;
            run(&change.tx, name, started, &actor.now, ("taken", ""), sum).await?;
            let told = (sum.read, sum.new, sum.changed, sum.refused);
            change.record("source.sync", subject, name, &(), &told);
        }
        Outcome::Partly { error, alarm, sum } => {
            if *alarm {
                outbox::feed(&change, name, Some(error)).await?;
            }
            let mut set = "tried = $2, good = $2, error = $3, failures = 0, not_before = NULL".to_owned();
            values.push(error.clone().into());
            if sum.documents > 0 {
                set.push_str(", read = $4, fresh = $5, changed = $6, refused = $7, bytes = $8");
                values.extend(numbers(sum));
            }
            sql::run(&change.tx, what, &format!("UPDATE feed SET {set} WHERE name = $1"), values).await?;
            run(&change.tx, name, started, &actor.now, ("failed", error), sum).await?;
            change.record("source.fail", subject, name, &(), &error);
        }
        Outcome::Failed { error, wait, sum } => {
            let failures = before.saturating_add(1);
            if failures == PATIENCE {
                outbox::feed(&change, name, Some(error)).await?;
            }
            let until = until(&actor.now, failures, *wait);
            let mut set = "tried = $2, error = $3, failures = $4, not_before = $5".to_owned();
            values.extend([error.clone().into(), failures.into(), sql::maybe(until.as_deref())]);
            if sum.documents > 0 {
                set.push_str(", read = $6, fresh = $7, changed = $8, refused = $9, bytes = $10");
                values.extend(numbers(sum));
            }
            sql::run(&change.tx, what, &format!("UPDATE feed SET {set} WHERE name = $1"), values).await?;
            run(&change.tx, name, started, &actor.now, ("failed", error), sum).await?;
            change.record("source.fail", subject, name, &(), &error);
        }
    }
    change.commit().await?;
    one(db, actor, name).await
}

/// Writes a run down, and forgets those that are too many.
async fn run(
    tx: &impl ConnectionTrait,
    name: &str,
    started: &str,
    ended: &str,
    (outcome, error): (&str, &str),
    sum: &Sum,
) -> Result<()> {
    let what = "keeping a source's run";
    if outcome == "unchanged" {
        let update = "UPDATE feed_run SET ended = $2, times = times + 1 WHERE outcome = 'unchanged' AND id = \
                      (SELECT MAX(id) FROM feed_run WHERE feed = $1)";
        if sql::run(tx, what, update, vec![name.into(), ended.into()]).await? > 0 {
            return Ok(());
        }
    }
    let insert = "INSERT INTO feed_run (feed, started, ended, outcome, error, documents, read, fresh, changed, \
                  refused, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let mut values: Vec<Value> =
        vec![name.into(), started.into(), ended.into(), outcome.into(), error.into(), number(sum.documents)];
    values.extend(numbers(sum));
    sql::run(tx, what, insert, values).await?;
    let prune = "DELETE FROM feed_run WHERE feed = $1 AND id <= \
                 (SELECT id FROM feed_run WHERE feed = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    sql::run(tx, what, prune, vec![name.into(), KEPT.into()]).await?;
    Ok(())
}

type Times = (i64, String, String, String, i64, String);
type Numbers = (i64, i64, i64, i64, i64, i64, i64);

/// The last runs of a source, newest first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn runs(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<Vec<Run>> {
    actor.need_everywhere(Permission::IntelRead)?;
    let what = "reading a source's runs";
    let select = |columns: &str| format!("SELECT {columns} FROM feed_run WHERE feed = $1 ORDER BY id DESC");
    let times = select("id, started, ended, outcome, times, error");
    let times: Vec<Times> = sql::rows(db, what, &times, vec![name.into()]).await?;
    let numbers = select("id, documents, read, fresh, changed, refused, bytes");
    let numbers: Vec<Numbers> = sql::rows(db, what, &numbers, vec![name.into()]).await?;
    let mut numbers: std::collections::HashMap<i64, Numbers> =
        numbers.into_iter().map(|n| (n.0, n)).collect();
    let whole = |(id, started, ended, outcome, times, error): Times| {
        let (_, documents, read, new, changed, refused, bytes) = numbers.remove(&id).unwrap_or_default();
        Run { id, started, ended, outcome, times, documents, read, new, changed, refused, bytes, error }
    };
    Ok(times.into_iter().map(whole).collect())
}

/// When each schedule of a source comes next, by the schedule's name; those that are switched off are missing.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn times(db: &DatabaseConnection, actor: &Actor) -> Result<BTreeMap<String, String>> {
    actor.need_everywhere(Permission::IntelRead)?;
    let select = "SELECT name, next FROM schedule WHERE enabled = 1 AND name LIKE 'feed-%'";
    let rows: Vec<(String, String)> = sql::rows(db, "reading the times of sources", select, vec![]).await?;
    Ok(rows.into_iter().collect())
}

/// Until when a source is left alone after so many failures in a row, at least for as long as it asked (at most a day:
/// nobody switches us off by a header).
pub fn until(now: &str, failures: i64, wait: Option<u64>) -> Option<String> {
    if wait == Some(0) {
        return None;
    }
    let over = failures - PATIENCE;
    let pause = if over < 0 { 0 } else { (PAUSE << over.min(10)).min(LONGEST) };
    let asked = wait.map_or(0, |s| i64::try_from(s.div_ceil(60)).unwrap_or(LONGEST).min(LONGEST));
    let minutes = pause.max(asked);
    (minutes > 0).then(|| clock::minutes_after(now, minutes))
}

//! The queue: writing jobs down, taking them, keeping and ending them.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Value};
use serde::Serialize;

use super::{INSTALLATION, Job, LEASE, New, Payload, State, ring};
use crate::error::{Error, Result};
use crate::platform::change::Change;
use crate::platform::{clock, sql};

/// First pause before a job is tried again, and the longest, in milliseconds.
const PAUSE: i64 = 5_000;
const LONGEST: i64 = 3_600_000;
/// Characters of an error that are kept.
const ERROR: usize = 8_000;

pub(super) const COLUMNS: &str = "id, kind, workspace, title, subject, line, payload, state, attempts, most, due, \
                                  worker, done, total, note, result, error, cancelling, actor, address, created, \
                                  started, ended";

pub(super) fn read(row: &QueryResult) -> std::result::Result<Job, sea_orm::DbErr> {
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let maybe = |n: usize| row.try_get_by_index::<Option<String>>(n);
    Ok(Job {
        id: number(0)?,
        kind: text(1)?,
        workspace: number(2)?,
        title: text(3)?,
        subject: text(4)?,
        line: number(5)?,
        payload: serde_json::from_str(&text(6)?).unwrap_or_default(),
        state: State::parse(&text(7)?).unwrap_or(State::Failed),
        attempts: number(8)?,
        most: number(9)?,
        due: text(10)?,
        worker: maybe(11)?,
        done: number(12)?,
        total: number(13)?,
        note: text(14)?,
        result: maybe(15)?.and_then(|r| serde_json::from_str(&r).ok()),
        error: maybe(16)?,
        cancelling: number(17)? != 0,
        actor: text(18)?,
        address: text(19)?,
        created: text(20)?,
        started: maybe(21)?,
        ended: maybe(22)?,
    })
}

/// Writes a job down in the change that asks for it; its id, or nothing where one of its key waits or runs already.
/// Who may ask is the caller's to check: the job runs with the rights of the program, in the name of the actor.
///
/// # Errors
/// The database does not answer.
pub async fn enqueue<P: Payload>(change: &mut Change<'_>, payload: &P, new: New) -> Result<Option<i64>> {
    let payload = serde_json::to_string(payload)
        .map_err(|e| Error::Internal { doing: "writing a job down".to_owned(), cause: Box::new(e) })?;
    write(change, P::KIND, P::ATTEMPTS, &payload, new).await
}

pub(super) async fn write(
    change: &mut Change<'_>,
    kind: &str,
    most: i64,
    payload: &str,
    new: New,
) -> Result<Option<i64>> {
    let insert = "INSERT INTO job (kind, workspace, payload, unique_key, state, due, actor, created, title, subject, \
                  line, lane, blob, most, address) \
                  VALUES ($1, $2, $3, $4, 'waiting', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                  ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running') \
                  DO NOTHING RETURNING id";
    let actor = change.actor;
    let values = vec![
        kind.into(),
        (if new.installation { INSTALLATION } else { actor.workspace }).into(),
        sql::text(payload),
        sql::maybe(new.key.as_deref()),
        new.due.unwrap_or_else(|| actor.now.clone()).into(),
        sql::text(&actor.name),
        actor.now.clone().into(),
        sql::text(&new.title),
        sql::text(&new.subject),
        new.line.into(),
        sql::maybe(new.lane.as_deref()),
        sql::maybe(new.blob.as_deref()),
        most.into(),
        actor.address.clone().into(),
    ];
    let id = sql::row::<(i64,)>(&change.tx, "writing a job down", insert, values).await?.map(|r| r.0);
    if id.is_some() {
        change.ring();
    }
    Ok(id)
}

/// A job that a worker has.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The job as it was taken.
    pub job: Job,
    worker: String,
}

/// Takes the next job of one of these kinds that is due, for the length of [`LEASE`]. `worker` names who takes it,
/// `NODE/…`. Safe for any number of workers on any number of nodes.
///
/// # Errors
/// The database does not answer.
pub async fn claim(
    db: &DatabaseConnection,
    worker: &str,
    kinds: &[&str],
    now: &str,
) -> Result<Option<Claimed>> {
    let what = "taking a job";
    reap(db, now).await?;
    // A read first: on SQLite an update that finds nothing would still wait for whoever writes.
    if next_due(db).await?.is_none_or(|due| due.as_str() > now) {
        return Ok(None);
    }
    let take = format!(
        "UPDATE job SET state = 'running', worker = $2, lease = $3, attempts = attempts + 1, started = $1, done = 0, \
         total = 0, note = '', cancelling = 0 WHERE state = 'waiting' AND id = (SELECT j.id FROM job j \
         WHERE j.state = 'waiting' AND j.due <= $1 AND j.kind IN {} AND (j.lane IS NULL OR NOT EXISTS (SELECT 1 \
         FROM job e WHERE e.lane = j.lane AND e.state IN ('waiting', 'running') AND (e.state = 'running' OR \
         e.id < j.id))) ORDER BY j.due, j.id LIMIT 1{}) RETURNING {COLUMNS}",
        sql::texts(db, 4),
        sql::skip_locked(db, "j"),
    );
    let values = vec![now.into(), worker.into(), clock::after(now, LEASE)?.into(), sql::list(kinds)];
    let rows = sql::raw(db, what, &take, values).await?;
    let job = sql::read(&rows, what, read)?.into_iter().next();
    if job.is_some() {
        ring();
    }
    Ok(job.map(|job| Claimed { job, worker: worker.to_owned() }))
}

/// When the next waiting job is due.
///
/// # Errors
/// The database does not answer.
pub async fn next_due(db: &DatabaseConnection) -> Result<Option<String>> {
    let select = "SELECT due FROM job WHERE state = 'waiting' ORDER BY due LIMIT 1";
    Ok(sql::row::<(String,)>(db, "looking for jobs", select, vec![]).await?.map(|r| r.0))
}

/// Jobs whose workers are silent for longer than their lease wait again, or are given up where that was the last
/// attempt.
async fn reap(db: &DatabaseConnection, now: &str) -> Result<()> {
    let what = "looking for silent workers";
    let silent = "SELECT id FROM job WHERE state = 'running' AND lease < $1 LIMIT 1";
    if sql::row::<(i64,)>(db, what, silent, vec![now.into()]).await?.is_none() {
        return Ok(());
    }
    let cancelled = "UPDATE job SET state = 'cancelled', ended = $1, worker = NULL, lease = NULL \
                     WHERE state = 'running' AND lease < $1 AND cancelling = 1";
    sql::run(db, what, cancelled, vec![now.into()]).await?;
    let given_up = "UPDATE job SET state = 'failed', ended = $1, worker = NULL, lease = NULL, error = 'its worker ended \
                    without a word, time after time: killed, or out of memory. The log of the server may tell; run \
                    it again once that is settled.' WHERE state = 'running' AND lease < $1 AND attempts >= most";
    sql::run(db, what, given_up, vec![now.into()]).await?;
    let again = "UPDATE job SET state = 'waiting', due = $1, worker = NULL, lease = NULL \
                 WHERE state = 'running' AND lease < $1";
    sql::run(db, what, again, vec![now.into()]).await?;
    ring();
    Ok(())
}

/// Lets go of all jobs whose workers were of a node that is known to have ended: they wait again, without waiting for
/// their leases to run out.
///
/// # Errors
/// The database does not answer.
pub async fn orphan(db: &DatabaseConnection, node: &str, now: &str) -> Result<u64> {
    let prefix = format!("{node}/");
    // just run out; what follows is up to `reap`
    let update = format!(
        "UPDATE job SET lease = $2 WHERE state = 'running' AND SUBSTR(worker, 1, {}) = $1",
        prefix.len()
    );
    let values = vec![prefix.into(), clock::after(now, -1)?.into()];
    let n = sql::run(db, "letting go of jobs", &update, values).await?;
    reap(db, now).await?;
    Ok(n)
}

/// What a worker hears when it renews its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Go on.
    Go,
    /// Somebody cancelled the job.
    Cancel,
    /// The job is no longer this worker's.
    Lost,
}

/// Condition that a job is still the worker's who took it; binds `$1`, `$2`, `$3`.
const MINE: &str = "id = $1 AND state = 'running' AND worker = $2 AND attempts = $3";

fn mine(c: &Claimed) -> Vec<Value> {
    vec![c.job.id.into(), c.worker.clone().into(), c.job.attempts.into()]
}

/// Renews the lease and tells progress: done, total, and what it is at.
///
/// # Errors
/// The database does not answer.
pub async fn beat(
    db: &DatabaseConnection,
    claimed: &Claimed,
    (done, total, note): (i64, i64, &str),
    now: &str,
) -> Result<Word> {
    let update = format!(
        "UPDATE job SET lease = $4, done = $5, total = $6, note = $7 WHERE {MINE} RETURNING cancelling"
    );
    let mut values = mine(claimed);
    values.extend([clock::after(now, LEASE)?.into(), done.into(), total.into(), sql::text(note)]);
    let row = sql::row(db, "keeping a job", &update, values).await?;
    ring();
    Ok(word(row))
}

/// What a worker is to hear without renewing its lease.
///
/// # Errors
/// The database does not answer.
pub async fn heard(db: &DatabaseConnection, claimed: &Claimed) -> Result<Word> {
    let select = format!("SELECT cancelling FROM job WHERE {MINE}");
    Ok(word(sql::row(db, "keeping a job", &select, mine(claimed)).await?))
}

fn word(row: Option<(i64,)>) -> Word {
    match row {
        None => Word::Lost,
        Some((0,)) => Word::Go,
        Some(_) => Word::Cancel,
    }
}

/// Ends a job as done, in the transaction of its last write.
///
/// # Errors
/// [`Error::Conflict`]: it was cancelled or taken from this worker; the change must not be committed then.
pub async fn end(change: &mut Change<'_>, claimed: &Claimed, result: &impl Serialize) -> Result<()> {
    let what = "ending a job";
    let json = serde_json::to_string(result)
        .map_err(|e| Error::Internal { doing: what.to_owned(), cause: Box::new(e) })?;
    let update = format!(
        "UPDATE job SET state = 'done', ended = $4, result = $5, error = NULL, worker = NULL, lease = NULL, \
         note = '', done = total WHERE {MINE} AND cancelling = 0"
    );
    let mut values = mine(claimed);
    values.extend([change.actor.now.clone().into(), sql::text(&json)]);
    if sql::run(&change.tx, what, &update, values).await? != 1 {
        let message = "the job was cancelled or given to another worker; nothing of this attempt is kept";
        return Err(Error::Conflict(message.to_owned()));
    }
    change.ring();
    Ok(())
}

/// Notes that an attempt failed: the job waits for the next, or is given up where it was the last or `for_good`.
/// `chance` (0 to 1, at random) spreads attempts of jobs that failed together over half the pause.
///
/// # Errors
/// The database does not answer.
pub async fn fail(
    db: &impl ConnectionTrait,
    claimed: &Claimed,
    error: &str,
    for_good: bool,
    chance: f64,
    now: &str,
) -> Result<()> {
    let given_up = for_good || claimed.job.attempts >= claimed.job.most;
    let update = format!(
        "UPDATE job SET state = CASE WHEN cancelling = 1 THEN 'cancelled' ELSE $4 END, error = $5, due = $6, \
         ended = CASE WHEN cancelling = 1 THEN $8 ELSE $7 END, cancelling = 0, worker = NULL, lease = NULL \
         WHERE {MINE}"
    );
    let mut values = mine(claimed);
    values.extend([
        if given_up { "failed" } else { "waiting" }.into(),
        sql::text(&error.chars().take(ERROR).collect::<String>()),
        clock::after(now, pause(claimed.job.attempts, chance))?.into(),
        sql::maybe(given_up.then_some(now)),
        now.into(),
    ]);
    sql::run(db, "noting that a job failed", &update, values).await?;
    ring();
    Ok(())
}

/// How long after attempt number `attempts` the next one waits, in milliseconds: twice as long each time, a random
/// half of it.
fn pause(attempts: i64, chance: f64) -> i64 {
    let doubled = PAUSE.saturating_mul(1_i64 << (attempts - 1).clamp(0, 20)).min(LONGEST);
    doubled / 2 + ((doubled / 2) as f64 * chance.clamp(0.0, 1.0)) as i64
}

/// Notes that a job was cancelled while it ran.
///
/// # Errors
/// The database does not answer.
pub async fn cancelled(db: &impl ConnectionTrait, claimed: &Claimed, now: &str) -> Result<()> {
    let update = format!(
        "UPDATE job SET state = 'cancelled', ended = $4, worker = NULL, lease = NULL, cancelling = 0 WHERE {MINE}"
    );
    let mut values = mine(claimed);
    values.push(now.into());
    sql::run(db, "cancelling a job", &update, values).await?;
    ring();
    Ok(())
}

/// Gives a job back that was not finished since the worker stops; the attempt does not count.
///
/// # Errors
/// The database does not answer.
pub async fn release(db: &impl ConnectionTrait, claimed: &Claimed, now: &str) -> Result<()> {
    let update = format!(
        "UPDATE job SET state = 'waiting', due = $4, attempts = attempts - 1, worker = NULL, lease = NULL WHERE {MINE}"
    );
    let mut values = mine(claimed);
    values.push(now.into());
    sql::run(db, "giving a job back", &update, values).await?;
    ring();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let all: Vec<i64> = [1, 2, 3, 40].map(|n| pause(n, 1.0)).to_vec();
        assert_eq!(all, [5_000, 10_000, 20_000, 3_600_000]);
        assert_eq!(pause(1, 0.0), 2_500);
        assert_eq!(pause(i64::MAX, 7.0), 3_600_000);
        assert_eq!(pause(0, f64::NAN), 2_500);
    }
}

//! What people do to jobs: cancel them, run them again; and the removal of old ones.

use sea_orm::{DatabaseConnection, Value};

use super::query::scope;
use super::{Job, State};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{clock, sql};

/// Days for which a job is kept that was done or cancelled, and that failed.
const DAYS: i64 = 30;
const FAILED_DAYS: i64 = 180;
const DAY: i64 = 24 * 3600 * 1000;

/// The job as the change sees it, for who may change it.
async fn managed(change: &Change<'_>, id: i64) -> Result<Job> {
    let mut values: Vec<Value> = vec![id.into()];
    let scope = scope(&change.tx, change.actor, Permission::JobManage, &mut values)?;
    let select = format!("SELECT {} FROM job WHERE id = $1{scope}", super::queue::COLUMNS);
    let rows = sql::raw(&change.tx, "reading a job", &select, values).await?;
    let found = sql::read(&rows, "reading a job", super::queue::read)?.into_iter().next();
    found.ok_or_else(|| Error::NotFound(format!("job {id}")))
}

/// Cancels a job: one that waits at once, one that runs as soon as its worker hears of it. What it has written
/// stays.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Conflict`]: it has ended.
pub async fn cancel(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<State> {
    let what = "cancelling a job";
    let mut change = Change::begin(db, actor).await?;
    let job = managed(&change, id).await?;
    let waits = "UPDATE job SET state = 'cancelled', ended = $2 WHERE id = $1 AND state = 'waiting'";
    let values = vec![id.into(), actor.now.clone().into()];
    let runs = "UPDATE job SET cancelling = 1 WHERE id = $1 AND state = 'running'";
    let state = if sql::run(&change.tx, what, waits, values).await? == 1 {
        State::Cancelled
    } else if sql::run(&change.tx, what, runs, vec![id.into()]).await? == 1 {
        State::Running
    } else {
        let message = format!("job {id} has ended ({}); there is nothing to cancel", job.state.name());
        return Err(Error::Conflict(message));
    };
    change.record("job.cancel", format!("job/{id}"), &job.title, &job.state, &state);
    change.ring();
    change.commit().await?;
    Ok(state)
}

/// Runs a job that failed or was cancelled again, at once and with all its attempts.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Conflict`]: it is in another state, or another of its key waits or runs.
pub async fn retry(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    let mut change = Change::begin(db, actor).await?;
    let job = managed(&change, id).await?;
    let update = "UPDATE job SET state = 'waiting', due = $2, attempts = 0, ended = NULL, done = 0, total = 0, \
                  note = '', cancelling = 0 WHERE id = $1 AND state IN ('failed', 'cancelled') AND NOT EXISTS \
                  (SELECT 1 FROM job o WHERE o.unique_key = job.unique_key AND o.state IN ('waiting', 'running'))";
    let values = vec![id.into(), actor.now.clone().into()];
    if sql::run(&change.tx, "running a job again", update, values).await? != 1 {
        let message = match job.state {
            State::Failed | State::Cancelled => {
                format!("the work of job {id} already waits or runs as another job")
            }
            state => {
                format!("job {id} is {}; only one that failed or was cancelled is run again", state.name())
            }
        };
        return Err(Error::Conflict(message));
    }
    change.record("job.retry", format!("job/{id}"), &job.title, &job.state, &State::Waiting);
    change.ring();
    change.commit().await
}

/// Removes jobs that ended long ago. Returns how many.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn sweep(change: &mut Change<'_>) -> Result<u64> {
    change.actor.need_everywhere(Permission::JobManage)?;
    let now = &change.actor.now;
    let delete = "DELETE FROM job WHERE ended IS NOT NULL AND state IN ('done', 'cancelled', 'failed') \
                  AND (ended < $1 OR ended < $2 AND state <> 'failed')";
    let values = vec![clock::after(now, -FAILED_DAYS * DAY)?.into(), clock::after(now, -DAYS * DAY)?.into()];
    sql::run(&change.tx, "removing old jobs", delete, values).await
}

//! Schedules: jobs that are written down at cron times (UTC). A time that passed while nobody looked is made up for
//! once.

use std::str::FromStr;

use croner::Cron;
use sea_orm::DatabaseConnection;
use serde::Serialize;

use super::{INSTALLATION, New, Payload, queue};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{clock, sql};

/// A schedule as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct Schedule {
    /// Name, unique in the installation.
    pub name: String,
    /// What it does.
    pub title: String,
    /// Five fields of cron, in UTC: minute, hour, day, month, weekday.
    pub cron: String,
    /// Kind of its jobs.
    pub kind: String,
    /// Whether it goes on.
    pub enabled: bool,
    /// When it writes the next job down.
    pub next: String,
    /// When it wrote the last.
    pub last: Option<String>,
}

/// The first time after `now` that a cron text means.
///
/// # Errors
/// [`Error::Rejected`]: it cannot be read, or means no time.
pub fn next(cron: &str, now: &str) -> Result<String> {
    let rejected = |message: String| Error::Rejected { field: "cron".to_owned(), message };
    if cron.split_whitespace().count() != 5 || cron.len() > 200 {
        let message = "five fields are wanted: minute, hour, day of the month, month, weekday (`30 2 * * *` is every \
                       day at 02:30 UTC)";
        return Err(rejected(message.to_owned()));
    }
    let parsed = Cron::from_str(cron).map_err(|e| rejected(format!("`{cron}` cannot be read: {e}")))?;
    let at = parsed.find_next_occurrence(&clock::parse(now)?, false);
    at.map(clock::text).map_err(|e| rejected(format!("`{cron}` means no time to come: {e}")))
}

/// Sees to it that a schedule of the installation is there. One that is there stays as it was set.
///
/// # Errors
/// The cron text cannot be read; the database does not answer.
pub async fn ensure<P: Payload>(
    db: &DatabaseConnection,
    name: &str,
    title: &str,
    cron: &str,
    payload: &P,
    now: &str,
) -> Result<()> {
    let what = "writing a schedule down";
    let known = "SELECT name FROM schedule WHERE name = $1";
    if sql::row::<(String,)>(db, what, known, vec![name.into()]).await?.is_some() {
        return Ok(());
    }
    let insert = "INSERT INTO schedule (name, title, cron, kind, workspace, payload, enabled, next) \
                  VALUES ($1, $2, $3, $4, $5, $6, 1, $7) ON CONFLICT (name) DO NOTHING";
    let values = vec![
        name.into(),
        title.into(),
        cron.into(),
        P::KIND.into(),
        INSTALLATION.into(),
        serde_json::to_string(payload).unwrap_or_default().into(),
        next(cron, now)?.into(),
    ];
    sql::run(db, what, insert, values).await?;
    Ok(())
}

/// Writes down the jobs of all schedules whose time has come; how many. Safe on several nodes: whoever moves a
/// schedule on writes its job, in one transaction.
///
/// # Errors
/// The database does not answer.
pub async fn tick(db: &DatabaseConnection, now: &str) -> Result<usize> {
    let select = "SELECT name, title, cron, kind, workspace, payload, next FROM schedule \
                  WHERE enabled = 1 AND next <= $1 ORDER BY next, name LIMIT 100";
    type Row = (String, String, String, String, i64, String, String);
    let due: Vec<Row> = sql::rows(db, "looking for schedules", select, vec![now.into()]).await?;
    let mut written = 0;
    for (name, title, cron, kind, workspace, payload, was) in due {
        let actor = Actor::system(workspace, now);
        let mut change = Change::begin(db, &actor).await?;
        // A text that means no more times ends the schedule rather than all of them.
        let (to, goes_on) = next(&cron, now).map_or_else(|_| (was.clone(), 0_i64), |to| (to, 1));
        let move_on = "UPDATE schedule SET next = $3, last = $4, enabled = $5 \
                       WHERE name = $1 AND next = $2 AND enabled = 1";
        let values = vec![name.clone().into(), was.into(), to.into(), now.into(), goes_on.into()];
        if sql::run(&change.tx, "moving a schedule on", move_on, values).await? == 1 {
            let written_down = put(&mut change, &name, title, &kind, &payload, workspace).await?;
            written += usize::from(written_down.is_some());
            change.commit().await?;
        }
    }
    Ok(written)
}

async fn put(
    change: &mut Change<'_>,
    name: &str,
    title: String,
    kind: &str,
    payload: &str,
    workspace: i64,
) -> Result<Option<i64>> {
    let key = Some(format!("schedule/{name}"));
    let new = New { title, key, installation: workspace == INSTALLATION, ..New::default() };
    queue::write(change, kind, 3, payload, new).await
}

/// Schedules of the installation and of the actor's workspace, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn schedules(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Schedule>> {
    actor.need_everywhere(Permission::JobRead)?;
    let select = "SELECT name, title, cron, kind, enabled, next, last FROM schedule WHERE workspace IN ($1, $2) \
                  ORDER BY name";
    type Row = (String, String, String, String, i64, String, Option<String>);
    let values = vec![actor.workspace.into(), INSTALLATION.into()];
    let rows: Vec<Row> = sql::rows(db, "listing schedules", select, values).await?;
    let one = |(name, title, cron, kind, enabled, next, last): Row| Schedule {
        name,
        title,
        cron,
        kind,
        enabled: enabled != 0,
        next,
        last,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// Sets when a schedule's jobs are written down and whether at all.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: the cron text cannot be read.
pub async fn set(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
    cron: &str,
    enabled: bool,
) -> Result<()> {
    actor.need_everywhere(Permission::JobManage)?;
    let (what, cron) = ("changing a schedule", cron.trim());
    let to = next(cron, &actor.now)?;
    let mut change = Change::begin(db, actor).await?;
    let select = "SELECT title, cron, enabled FROM schedule WHERE name = $1 AND workspace IN ($2, $3)";
    let values = vec![name.into(), actor.workspace.into(), INSTALLATION.into()];
    let Some((title, was, went)) =
        sql::row::<(String, String, i64)>(&change.tx, what, select, values).await?
    else {
        return Err(Error::NotFound(format!("schedule {name}")));
    };
    if (was.as_str(), went != 0) == (cron, enabled) {
        return Ok(());
    }
    let update = "UPDATE schedule SET cron = $2, enabled = $3, next = $4 WHERE name = $1";
    let values = vec![name.into(), cron.into(), i64::from(enabled).into(), to.into()];
    sql::run(&change.tx, what, update, values).await?;
    change.record("schedule.set", format!("schedule/{name}"), &title, &(was, went != 0), &(cron, enabled));
    change.ring();
    change.commit().await
}

/// Writes a schedule's job down now, whenever its time is; its id, or nothing where it already waits or runs.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn run_now(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<Option<i64>> {
    actor.need_everywhere(Permission::JobManage)?;
    let mut change = Change::begin(db, actor).await?;
    let select =
        "SELECT title, kind, payload, workspace FROM schedule WHERE name = $1 AND workspace IN ($2, $3)";
    let values = vec![name.into(), actor.workspace.into(), INSTALLATION.into()];
    type Row = (String, String, String, i64);
    let row: Option<Row> = sql::row(&change.tx, "reading a schedule", select, values).await?;
    let (title, kind, payload, workspace) = row.ok_or_else(|| Error::NotFound(format!("schedule {name}")))?;
    let id = put(&mut change, name, title.clone(), &kind, &payload, workspace).await?;
    change.record("schedule.run", format!("schedule/{name}"), &title, &(), &id);
    change.commit().await?;
    Ok(id)
}

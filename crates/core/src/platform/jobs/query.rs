//! Looking at jobs. Who holds the permission in some product lines sees the jobs of these and their own.

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;
use tocsin_model::query::{Kind, Query, Schema};

use super::queue::{COLUMNS, read};
use super::{INSTALLATION, Job, State};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Lines, Permission};
use crate::platform::query::{self, Key, Noun, Rows, may, order, own};
use crate::platform::sql;

/// Which jobs.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// That wait or run.
    pub active: bool,
    /// Of this kind.
    pub kind: Option<String>,
    /// About this (`release/17`).
    pub subject: Option<String>,
    /// Oldest first.
    pub oldest: bool,
    /// Of these ids.
    pub ids: Option<Vec<i64>>,
}

/// Some jobs, in the order that was asked for.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = JobPage)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// `from` of the next page, where there is one.
    pub next: Option<i64>,
}

/// ` AND …` for the jobs that an actor may see or, with [`Permission::JobManage`], change.
pub(super) fn scope(
    db: &impl sea_orm::ConnectionTrait,
    actor: &Actor,
    permission: Permission,
    values: &mut Vec<Value>,
) -> Result<String> {
    actor.need(permission)?;
    values.push(actor.workspace.into());
    let workspace = values.len();
    // The plus keeps the condition, which most rows meet, from choosing the index.
    Ok(match actor.lines(permission) {
        Lines::All => format!(" AND +workspace IN (${workspace}, {INSTALLATION})"),
        Lines::Some(lines) => {
            values.push(sql::list(&lines));
            let list = sql::numbers(db, values.len());
            let mut own = String::new();
            if permission == Permission::JobRead {
                values.push(sql::text(&actor.name));
                own = format!(" OR actor = ${}", values.len());
            }
            format!(" AND +workspace = ${workspace} AND (line IN {list}{own})")
        }
    })
}

/// Jobs that the actor may see, newest first unless told otherwise, beyond the id `from`.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn jobs(
    db: &DatabaseConnection,
    actor: &Actor,
    filter: &Filter,
    from: Option<i64>,
    most: u64,
) -> Result<Page> {
    let (beyond, order, start) = if filter.oldest { (">", "ASC", 0) } else { ("<", "DESC", i64::MAX) };
    let mut values: Vec<Value> = vec![from.unwrap_or(start).into(), (most as i64 + 1).into()];
    let mut wanted = String::new();
    for (column, value) in [
        ("state", filter.state.map(|s| s.name().to_owned())),
        ("kind", filter.kind.clone()),
        ("subject", filter.subject.clone()),
    ] {
        if let Some(value) = value {
            values.push(sql::text(&value));
            wanted.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    if filter.subject.is_some() {
        wanted.push_str(" AND subject <> ''");
    }
    if filter.active {
        wanted.push_str(" AND state IN ('waiting', 'running')");
    }
    if let Some(ids) = &filter.ids {
        values.push(sql::list(ids));
        wanted.push_str(&format!(" AND id IN {}", sql::numbers(db, values.len())));
    }
    let scope = scope(db, actor, Permission::JobRead, &mut values)?;
    let select =
        format!("SELECT {COLUMNS} FROM job WHERE id {beyond} $1{wanted}{scope} ORDER BY id {order} LIMIT $2");
    let rows = sql::raw(db, "listing jobs", &select, values).await?;
    let mut jobs = sql::read(&rows, "listing jobs", read)?;
    let more = jobs.len() as u64 > most;
    jobs.truncate(most as usize);
    let next = jobs.last().filter(|_| more).map(|j| j.id);
    Ok(Page { jobs, next })
}

const NAMES: [&str; 5] = ["running", "waiting", "failed", "done", "cancelled"];

/// Jobs as a noun of queries. Who sees which is said by [`scope`].
pub(crate) static JOBS: Noun = Noun {
    doing: "listing jobs",
    permission: Permission::JobRead,
    entries: &[
        own("state", Kind::Word(&NAMES), "state", "where it stands"),
        own("active", Kind::Truth, "state IN ('waiting', 'running')", "it waits or runs"),
        own("kind", Kind::Text, "kind", "what kind of work: sbom, rematch …"),
        own("title", Kind::Text, "title", "what it does, in words"),
        may("subject", Kind::Text, "subject", "what it is about: release/17"),
        own("actor", Kind::Text, "actor", "who asked for it: person:anna"),
        may("error", Kind::Text, "error", "why its last attempt failed"),
        own("attempts", Kind::Number, "attempts", "attempts begun"),
        own("created", Kind::Time, "created", "when it was written down"),
        own("age", Kind::Age, "created", "time since it was written down"),
        may("started", Kind::Time, "started", "when its last attempt began"),
        may("ended", Kind::Time, "ended", "when it ended"),
    ],
    orders: &[
        order("created", &[("id", Key::Int)], true),
        order("ended", &[("COALESCE(ended, '9999')", Key::Text), ("id", Key::Int)], true),
        order("kind", &[("kind", Key::Text), ("id", Key::Int)], false),
    ],
    columns: &["title", "kind", "state", "actor", "created", "ended"],
    groups: &[],
    table: "job",
    id: "id",
    from: "job",
    on: "",
    workspace: "workspace IN ($1, 0)",
    lines: "",
    unless: &[],
    words: &["LOWER(title || ' ' || subject || ' ' || actor) {}"],
};

/// What a query over jobs may name.
pub fn schema() -> Schema {
    JOBS.schema()
}

/// Jobs of a query that the actor may see; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Job>> {
    let mut s = query::statement(db, actor, &JOBS, query)?;
    let limited = scope(db, actor, Permission::JobRead, &mut s.values)?;
    if let Some(limited) = limited.strip_prefix(" AND ") {
        s.push(format!("({limited})"));
    }
    s.lead();
    let total = query::count(db, &s).await?;
    query::list(db, s, query, (COLUMNS, read), after, (most, total)).await
}

/// One job.
///
/// # Errors
/// [`Error::NotFound`] also where the actor may not see it.
pub async fn job(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Job> {
    let filter = Filter { ids: Some(vec![id]), ..Filter::default() };
    let found = jobs(db, actor, &filter, None, 1).await?.jobs.into_iter().next();
    found.ok_or_else(|| Error::NotFound(format!("job {id}")))
}

/// What is to be told of a subject's jobs: those that wait or run, and the last of those that ended where it failed.
/// Nothing for an actor who may not see jobs.
///
/// # Errors
/// The database does not answer.
pub async fn of(db: &DatabaseConnection, actor: &Actor, subject: &str) -> Result<Vec<Job>> {
    if !actor.may(Permission::JobRead) {
        return Ok(Vec::new());
    }
    let filter = Filter { subject: Some(subject.to_owned()), ..Filter::default() };
    let mut jobs = jobs(db, actor, &filter, None, 50).await?.jobs;
    let last = jobs.iter().find(|j| !j.state.is_active()).filter(|j| j.state == State::Failed).map(|j| j.id);
    jobs.retain(|j| j.state.is_active() || Some(j.id) == last);
    Ok(jobs)
}

/// Whether a job of the actor's workspace waits or runs. This is all that is told, so any right will do.
///
/// # Errors
/// The database does not answer.
pub async fn is_pending(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<bool> {
    let select = "SELECT id FROM job WHERE id = $1 AND workspace = $2 AND state IN ('waiting', 'running')";
    let values = vec![id.into(), actor.workspace.into()];
    Ok(sql::row::<(i64,)>(db, "looking for a job", select, values).await?.is_some())
}

/// Whether a job of this key was ever written down and is kept. For the program itself.
///
/// # Errors
/// The database does not answer.
pub async fn known(db: &DatabaseConnection, key: &str) -> Result<bool> {
    let select =
        "SELECT id FROM job WHERE unique_key = $1 AND state IN ('waiting', 'running', 'done') LIMIT 1";
    Ok(sql::row::<(i64,)>(db, "looking for a job", select, vec![key.into()]).await?.is_some())
}

/// How many jobs there are; each number stops at [`Active::MOST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Active {
    /// That run.
    pub running: i64,
    /// That wait.
    pub waiting: i64,
    /// That were given up.
    pub failed: i64,
}

impl Active {
    /// Where counting stops.
    pub const MOST: i64 = 1000;
}

/// Counts the jobs that the actor may see; all zero where they may see none.
///
/// # Errors
/// The database does not answer.
pub async fn active(db: &DatabaseConnection, actor: &Actor) -> Result<Active> {
    if !actor.may(Permission::JobRead) {
        return Ok(Active::default());
    }
    let mut values = Vec::new();
    let scope = scope(db, actor, Permission::JobRead, &mut values)?;
    let count = |state: &str| {
        let most = Active::MOST;
        format!(
            "(SELECT COUNT(*) FROM (SELECT 1 AS one FROM job WHERE state = '{state}'{scope} LIMIT {most}) AS {state}_jobs)"
        )
    };
    let select = format!("SELECT {}, {}, {}", count("running"), count("waiting"), count("failed"));
    let row: Option<(i64, i64, i64)> = sql::row(db, "counting jobs", &select, values).await?;
    let (running, waiting, failed) = row.unwrap_or_default();
    Ok(Active { running, waiting, failed })
}

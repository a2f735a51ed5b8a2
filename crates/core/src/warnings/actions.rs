//! Writing early warnings: making, changing, withdrawing them, and answering proposals to merge them.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Value};

use super::record::checked;
use super::types::{Bring, NewWarning, SEVERITY_WORDS};
use super::{json, rejected, writes};
use crate::error::{Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::jobs::{self, New};
use crate::platform::{bulk, sql};

/// A warning as it is stored, as far as matching and changes need it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Id.
    pub id: i64,
    /// `TOCSIN-YYYY-NNNN`.
    pub name: String,
    /// What the analyst wrote.
    pub what: NewWarning,
    /// `open`, `withdrawn`, `merged`.
    pub state: String,
    /// What it was merged into.
    pub main: String,
    /// Greater than 0 where findings are to be brought up to it.
    pub stale: i64,
    /// Version.
    pub version: i64,
    /// The story it was made of, or 0.
    pub story: i64,
    /// When it was written, and last changed.
    pub times: (String, String),
}

pub(super) const COLUMNS: &str = "w.id, w.name, w.title, w.summary, w.product, w.vendor, w.purl, w.cpe, w.told, w.affected, \
                                  w.severity, w.tlp, w.links, w.state, w.main, w.stale, w.version, w.story, w.created, \
                                  w.changed";

/// Reads a row of [`COLUMNS`].
pub(crate) fn read_row(row: &QueryResult) -> std::result::Result<Row, sea_orm::DbErr> {
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    let severity = usize::try_from(number(10)?).unwrap_or(0);
    Ok(Row {
        id: number(0)?,
        name: text(1)?,
        what: NewWarning {
            title: text(2)?,
            summary: text(3)?,
            product: text(4)?,
            vendor: text(5)?,
            purl: text(6)?,
            cpe: text(7)?,
            told: text(8)?,
            affected: text(9)?,
            severity: (*SEVERITY_WORDS.get(severity).unwrap_or(&"unknown")).to_owned(),
            tlp: text(11)?,
            links: serde_json::from_str(&text(12)?).unwrap_or_default(),
        },
        state: text(13)?,
        main: text(14)?,
        stale: number(15)?,
        version: number(16)?,
        story: number(17)?,
        times: (text(18)?, text(19)?),
    })
}

fn severity(word: &str) -> i64 {
    SEVERITY_WORDS.iter().position(|w| *w == word).unwrap_or(0) as i64
}

/// The warning of the actor's workspace that is called so; nobody else's.
pub(super) async fn one(db: &impl ConnectionTrait, actor: &Actor, name: &str, lock: bool) -> Result<Row> {
    let end = if lock { sql::for_update(db) } else { "" };
    let select = format!("SELECT {COLUMNS} FROM warning w WHERE w.workspace = $1 AND w.name = $2{end}");
    let values = vec![actor.workspace.into(), name.to_ascii_uppercase().into()];
    let rows = sql::raw(db, "reading an early warning", &select, values).await?;
    let found = sql::read(&rows, "reading an early warning", read_row)?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("early warning {name}")))
}

/// The same, that is open and of the version that was read, to be changed.
pub(crate) async fn version_of(change: &Change<'_>, name: &str, version: i64) -> Result<Row> {
    writes(change.actor)?;
    let row = one(&change.tx, change.actor, name, true).await?;
    if row.state != "open" {
        let word = if row.main.is_empty() { row.state.clone() } else { format!("merged into {}", row.main) };
        return Err(Error::Conflict(format!("{} is {word} and is not changed any more", row.name)));
    }
    if version != 0 && row.version != version {
        return Err(Error::Conflict(
            "somebody changed the early warning meanwhile; look at it again and repeat your change"
                .to_owned(),
        ));
    }
    Ok(row)
}

/// Adds to the timeline of a warning.
pub(crate) async fn event(change: &Change<'_>, warning: i64, what: &str, detail: &str) -> Result<()> {
    let insert = "INSERT INTO warning_event (warning, n, at, actor, what, detail) SELECT w.id, COALESCE((SELECT MAX(e.n) FROM \
                  warning_event e WHERE e.warning = w.id), 0) + 1, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
                  CAST($5 AS TEXT) FROM warning w WHERE w.id = $1";
    let values = vec![
        warning.into(),
        change.actor.now.clone().into(),
        sql::text(&change.actor.name),
        what.into(),
        sql::text(detail),
    ];
    sql::run(&change.tx, "noting what happened to an early warning", insert, values).await?;
    Ok(())
}

/// Findings are to be brought up to a warning: a job does it. One that waits is enough.
pub(crate) async fn stale(change: &mut Change<'_>, warning: i64) -> Result<()> {
    let what = "asking for findings of an early warning";
    let update = "UPDATE warning SET stale = stale + 1 WHERE id = $1";
    sql::run(&change.tx, what, update, vec![warning.into()]).await?;
    let select = "SELECT id FROM job WHERE kind = 'warning' AND state = 'waiting' LIMIT 1";
    if sql::row::<(i64,)>(&change.tx, what, select, vec![]).await?.is_some() {
        return Ok(());
    }
    let new = New {
        title: "Match early warnings".to_owned(),
        lane: Some("warning".to_owned()),
        installation: true,
        ..New::default()
    };
    jobs::enqueue(change, &Bring {}, new).await?;
    Ok(())
}

/// Writes a warning in a change; its id and name. Numbers are counted for the whole installation, year by year, without
/// gaps: they are given in the change that writes them.
pub(crate) async fn put(change: &mut Change<'_>, new: &NewWarning, story: i64) -> Result<(i64, String)> {
    writes(change.actor)?;
    let new = checked(new)?;
    let what = "writing an early warning";
    if change.tx.get_database_backend() == DbBackend::Postgres {
        // one at a time; SQLite has one writer
        sql::run(&change.tx, what, "SELECT pg_advisory_xact_lock(8313446920142)", vec![]).await?;
    }
    let actor = change.actor;
    let year: i64 = actor.now.get(..4).and_then(|y| y.parse().ok()).unwrap_or(0);
    let select = "SELECT COALESCE(MAX(number), 0) + 1 FROM warning WHERE year = $1";
    let next: Option<(i64,)> = sql::row(&change.tx, what, select, vec![year.into()]).await?;
    let number = next.map_or(1, |n| n.0);
    let name = format!("TOCSIN-{year:04}-{number:04}");
    let insert = "INSERT INTO warning (workspace, year, number, name, title, summary, product, vendor, purl, cpe, told, affected, \
                  severity, tlp, links, story, stale, created, changed, author) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
                  $10, $11, $12, $13, $14, $15, $16, 0, $17, $17, $18) RETURNING id";
    let mut values: Vec<Value> =
        vec![actor.workspace.into(), year.into(), number.into(), name.clone().into()];
    values.extend(fields(&new));
    values.extend([story.into(), actor.now.clone().into(), sql::text(&actor.name)]);
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    let id = row.map_or(0, |r| r.0);
    event(change, id, "made", &if story == 0 { String::new() } else { format!("of story {story}") }).await?;
    change.record("warning.create", format!("warning/{name}"), &new.title, &(), &new);
    stale(change, id).await?;
    Ok((id, name))
}

fn fields(w: &NewWarning) -> [Value; 11] {
    [
        sql::text(&w.title),
        sql::text(&w.summary),
        sql::text(&w.product),
        sql::text(&w.vendor),
        sql::text(&w.purl),
        sql::text(&w.cpe),
        sql::text(&w.told),
        sql::text(&w.affected),
        severity(&w.severity).into(),
        w.tlp.clone().into(),
        sql::text(&json(&w.links)),
    ]
}

/// Writes a warning that is of no story. Its name.
///
/// # Errors
/// Denied; [`Error::Rejected`]: which field is wrong, and why; the database does not answer.
pub async fn create(db: &DatabaseConnection, actor: &Actor, new: &NewWarning) -> Result<String> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (_, name) = put(&mut change, new, 0).await?;
    change.commit().await?;
    Ok(name)
}

/// Changes an open warning; `version` is that which was read (0: whatever it is). What it was before stays in the trail.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]; [`Error::Conflict`]: it is not open, or somebody changed it meanwhile.
pub async fn edit(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
    version: i64,
    new: &NewWarning,
) -> Result<()> {
    let mut change = Change::begin(db, actor).await?;
    let row = version_of(&change, name, version).await?;
    let new = checked(new)?;
    if new == row.what {
        return Ok(());
    }
    let update = "UPDATE warning SET title = $2, summary = $3, product = $4, vendor = $5, purl = $6, cpe = $7, told = $8, \
                  affected = $9, severity = $10, tlp = $11, links = $12, changed = $13, version = version + 1 WHERE id = $1";
    let mut values: Vec<Value> = vec![row.id.into()];
    values.extend(fields(&new));
    values.push(actor.now.clone().into());
    sql::run(&change.tx, "changing an early warning", update, values).await?;
    let (was, is) = (json(&row.what), json(&new));
    event(&change, row.id, "changed", &changed(&was, &is)).await?;
    change.record("warning.edit", format!("warning/{}", row.name), &new.title, &row.what, &new);
    stale(&mut change, row.id).await?;
    change.commit().await
}

/// The fields that differ, by name.
fn changed(was: &str, is: &str) -> String {
    let read =
        |t: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(t).unwrap_or_default();
    let (was, is) = (read(was), read(is));
    is.iter().filter(|(k, v)| was.get(*k) != Some(*v)).map(|(k, _)| k.as_str()).collect::<Vec<_>>().join(", ")
}

/// Withdraws a warning: it was none, or is nobody's concern. Its findings are closed.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it is not open, or somebody changed it meanwhile; [`Error::Rejected`]: no reason.
pub async fn withdraw(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
    version: i64,
    why: &str,
) -> Result<()> {
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    if why.is_empty() || why.len() > 1_000 {
        return Err(rejected("why", "say why, in at most 1000 bytes"));
    }
    let mut change = Change::begin(db, actor).await?;
    let row = version_of(&change, name, version).await?;
    let update = "UPDATE warning SET state = 'withdrawn', changed = $2, version = version + 1 WHERE id = $1";
    let values = vec![row.id.into(), actor.now.clone().into()];
    sql::run(&change.tx, "withdrawing an early warning", update, values).await?;
    event(&change, row.id, "withdrawn", &why).await?;
    change.record("warning.withdraw", format!("warning/{}", row.name), &row.what.title, &row.state, &why);
    stale(&mut change, row.id).await?;
    change.commit().await
}

/// Says that a warning and a proposed id are not the same flaw: it is not proposed again.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: the warning is not open.
pub async fn refuse(db: &DatabaseConnection, actor: &Actor, name: &str, main: &str) -> Result<()> {
    let mut change = Change::begin(db, actor).await?;
    let row = version_of(&change, name, 0).await?;
    let update =
        "UPDATE warning_proposal SET state = 'refused' WHERE warning = $1 AND main = $2 AND state = 'open'";
    let values = vec![row.id.into(), main.into()];
    if sql::run(&change.tx, "refusing a proposal", update, values).await? == 0 {
        return Err(Error::NotFound(format!("proposal {main} for {}", row.name)));
    }
    event(&change, row.id, "refused", main).await?;
    change.record("warning.refuse", format!("warning/{}", row.name), &row.what.title, &main, &());
    change.commit().await
}

/// Proposes ids that open warnings may be merged into: (warning, id, why). What is proposed or refused already stays as
/// it is. How many are new.
pub(crate) async fn propose(change: &mut Change<'_>, proposals: &[(i64, String, String)]) -> Result<u64> {
    let mut new = 0;
    for (warning, main, why) in proposals {
        let head = "INSERT INTO warning_proposal (warning, main, reason, at)";
        let rows =
            vec![[(*warning).into(), sql::text(main), sql::text(why), change.actor.now.clone().into()]];
        let what = "proposing a merge";
        let tail = "ON CONFLICT (warning, main) DO NOTHING";
        if bulk::insert(&change.tx, what, head, tail, rows).await? > 0 {
            event(change, *warning, "proposed", &format!("{main}: {why}")).await?;
            change.record("warning.propose", format!("warning/{warning}"), "", &(), &(main, why));
            new += 1;
        }
    }
    Ok(new)
}

//! Urging: what must be acknowledged and is not, is reminded of, and then told to the next on the ladder. Each step is in
//! the record. No mute, no quiet hours and no switched-off mail hold a step back.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dispatch::{Person, everybody};
use super::send::{Place, deliver};
use super::{Body, INBOX, channels, damaged, json, rejected};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Lines, Permission, Role};
use crate::platform::change::Change;
use crate::platform::{clock, sql};

/// Rungs of a ladder.
const MOST: usize = 10;
/// Messages urged in one transaction.
const CHUNK: i64 = 200;

/// Who is told next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Rung {
    /// Minutes after the step before; the first is after the reminder.
    pub after: i64,
    /// Everybody in these roles, for what their role reaches.
    pub roles: Vec<Role>,
    /// People by id.
    pub people: Vec<i64>,
}

/// A ladder of a product line, or of the workspace for lines that have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ladder {
    /// Product line; 0 for the workspace.
    pub line: i64,
    /// Its rungs, lowest first.
    pub rungs: Vec<Rung>,
}

pub(super) async fn all(db: &impl ConnectionTrait, workspace: i64) -> Result<Vec<Ladder>> {
    let select = "SELECT line, settings FROM notify_ladder WHERE workspace = $1 ORDER BY line";
    let rows: Vec<(i64, String)> = sql::rows(db, "reading ladders", select, vec![workspace.into()]).await?;
    rows.into_iter()
        .map(|(line, text)| Ok(Ladder { line, rungs: serde_json::from_str(&text).map_err(damaged)? }))
        .collect()
}

/// Ladders of the workspace.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn ladders(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Ladder>> {
    actor.need(Permission::FindingRead)?;
    all(db, actor.workspace).await
}

/// The rungs for what a message is about: those of its product line, where it is about one that has some.
pub(super) fn of(ladders: &[Ladder], body: &Body) -> Vec<Rung> {
    let lines = lines(body);
    let own = match lines.iter().collect::<Vec<_>>().as_slice() {
        [one] => ladders.iter().find(|l| l.line == **one),
        _ => None,
    };
    let ladder = own.or_else(|| ladders.iter().find(|l| l.line == 0));
    ladder.map_or_else(
        // without a ladder it ends with whoever leads the PSIRT
        || vec![Rung { after: 60, roles: vec![Role::Manager], people: Vec::new() }],
        |l| l.rungs.clone(),
    )
}

fn lines(body: &Body) -> BTreeSet<i64> {
    body.groups.iter().map(|g| g.line).chain(body.items.iter().map(|i| i.line)).collect()
}

/// Writes a ladder.
///
/// # Errors
/// Denied; [`Error::Rejected`].
pub async fn set_ladder(db: &DatabaseConnection, actor: &Actor, new: &Ladder) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "writing a ladder";
    if new.rungs.is_empty() || new.rungs.len() > MOST {
        return Err(rejected("rungs", format!("1 to {MOST} rungs")));
    }
    for rung in &new.rungs {
        if !(1..=30 * 24 * 60).contains(&rung.after) {
            return Err(rejected("after", "minutes, from 1 to 43200"));
        }
        if rung.roles.is_empty() && rung.people.is_empty() {
            return Err(rejected("rungs", "each rung names a role or a person"));
        }
    }
    let mut change = Change::begin(db, actor).await?;
    if new.line != 0 {
        let select = "SELECT id FROM line WHERE workspace = $1 AND id = $2";
        let values = vec![actor.workspace.into(), new.line.into()];
        let line: Option<(i64,)> = sql::row(&change.tx, what, select, values).await?;
        line.ok_or_else(|| rejected("line", "a product line of this workspace"))?;
    }
    let people: BTreeSet<i64> = new.rungs.iter().flat_map(|r| r.people.iter().copied()).collect();
    let select = format!(
        "SELECT COUNT(DISTINCT person) FROM membership WHERE workspace = $1 AND person IN {}",
        sql::numbers(&change.tx, 2)
    );
    let named: Vec<i64> = people.into_iter().collect();
    let values = vec![actor.workspace.into(), sql::list(&named)];
    let known: Option<(i64,)> = sql::row(&change.tx, what, &select, values).await?;
    if known.is_none_or(|(n,)| n != named.len() as i64) {
        return Err(rejected("people", "people of this workspace"));
    }
    let before = all(&change.tx, actor.workspace).await?.into_iter().find(|l| l.line == new.line);
    let insert = "INSERT INTO notify_ladder (workspace, line, settings) VALUES ($1, $2, $3) \
                  ON CONFLICT (workspace, line) DO UPDATE SET settings = excluded.settings";
    let values = vec![actor.workspace.into(), new.line.into(), json(&new.rungs).into()];
    sql::run(&change.tx, what, insert, values).await?;
    change.record("notify.ladder", format!("line/{}", new.line), "ladder", &before, new);
    change.commit().await
}

/// Removes a ladder; the workspace's is used then.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn drop_ladder(db: &DatabaseConnection, actor: &Actor, line: i64) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let mut change = Change::begin(db, actor).await?;
    let delete = "DELETE FROM notify_ladder WHERE workspace = $1 AND line = $2";
    let values = vec![actor.workspace.into(), line.into()];
    if sql::run(&change.tx, "removing a ladder", delete, values).await? == 0 {
        return Err(Error::NotFound("the ladder".to_owned()));
    }
    change.record("notify.ladder.remove", format!("line/{line}"), "ladder", &line, &());
    change.commit().await
}

/// Notes a step of a message's way.
pub(super) async fn note(change: &Change<'_>, message: i64, what: &str, who: &str) -> Result<()> {
    let insert = "INSERT INTO notify_step (message, n, at, what, who) SELECT $1, COALESCE(MAX(n), 0) + 1, $2, $3, $4 \
                  FROM notify_step WHERE message = $1";
    let values = vec![message.into(), change.actor.now.clone().into(), what.into(), sql::text(who)];
    sql::run(&change.tx, "noting a step", insert, values).await?;
    Ok(())
}

fn climbs(person: &Person, rung: &Rung, lines: &BTreeSet<i64>) -> bool {
    let sees = |line: &i64| match person.actor.lines(Permission::FindingRead) {
        Lines::All => true,
        Lines::Some(list) => list.contains(line),
    };
    let grants = person.actor.grants.iter().filter(|g| rung.roles.contains(&g.role));
    let by_role = |line: &i64| grants.clone().any(|g| g.line.is_none() || g.line == Some(*line));
    // all of the message must be theirs to see
    lines.iter().all(sees) && (rung.people.contains(&person.id) || lines.iter().all(by_role))
}

/// Takes the next step with every message of the workspace whose time has come; the number of steps.
///
/// # Errors
/// The database does not answer; nothing is done then.
pub async fn urge(db: &DatabaseConnection, actor: &Actor) -> Result<usize> {
    let what = "urging";
    let mut change = Change::begin(db, actor).await?;
    let select = format!(
        "SELECT id, title, body, step, ladder, embargo FROM notify_message WHERE urge <= $1 AND workspace = $2 \
         AND acknowledged IS NULL ORDER BY urge, id LIMIT {CHUNK}{}",
        sql::skip_locked(&change.tx, "notify_message")
    );
    type Row = (i64, String, String, i64, String, i64);
    let values = vec![actor.now.clone().into(), actor.workspace.into()];
    let rows: Vec<Row> = sql::rows(&change.tx, what, &select, values).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let everybody = everybody(&change).await?;
    let mail = channels::used(&change.tx, actor.workspace).await?.into_iter().find(|c| c.1 == "mail");
    let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
    let select = format!(
        "SELECT DISTINCT message, person FROM notify_delivery WHERE person > 0 AND step = 0 AND message IN {}",
        sql::numbers(&change.tx, 1)
    );
    let told: Vec<(i64, i64)> = sql::rows(&change.tx, what, &select, vec![sql::list(&ids)]).await?;
    let mut places: Vec<Place> = Vec::new();
    let steps = rows.len();
    for (id, title, body, step, ladder, embargo) in rows {
        let body: Body = serde_json::from_str(&body).map_err(damaged)?;
        let rungs: Vec<Rung> = serde_json::from_str(&ladder).map_err(damaged)?;
        let lines = lines(&body);
        let (kind, people): (_, Vec<&Person>) = match usize::try_from(step).ok().filter(|s| *s > 0) {
            None => {
                let was = |p: &&Person| told.contains(&(id, p.id));
                ("reminded", everybody.values().filter(was).collect())
            }
            Some(n) => {
                let rung = rungs.get(n - 1);
                let up = |p: &&Person| rung.is_some_and(|r| climbs(p, r, &lines));
                ("escalated", everybody.values().filter(up).collect())
            }
        };
        for person in &people {
            let now = actor.now.clone();
            places.push((id, INBOX, person.id, String::new(), step + 1, now.clone()));
            if let Some((channel, _)) = &mail
                && person.email.contains('@')
            {
                places.push((id, *channel, person.id, person.email.clone(), step + 1, now));
            }
        }
        let names: Vec<&str> = people.iter().map(|p| p.actor.name.trim_start_matches("person:")).collect();
        let who = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        note(&change, id, kind, &who).await?;
        let next = usize::try_from(step).ok().and_then(|n| rungs.get(n));
        let next = next.map(|r| clock::minutes_after(&actor.now, r.after));
        if next.is_none() {
            note(&change, id, "exhausted", "").await?;
        }
        let update = "UPDATE notify_message SET step = $2, urge = $3 WHERE id = $1";
        let values = vec![id.into(), (step + 1).into(), sql::maybe(next.as_deref())];
        sql::run(&change.tx, what, update, values).await?;
        let action = if kind == "reminded" { "notify.remind" } else { "notify.escalate" };
        let name = if embargo != 0 { "under embargo" } else { title.as_str() };
        change.record(action, format!("notification/{id}"), name, &(), &names);
    }
    deliver(&mut change, places).await?;
    change.commit().await?;
    Ok(steps)
}

//! How a person wants to be told: hours, mail, what they do not want to hear of.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hours::{Quiet, is_zone, time};
use super::{damaged, json, rejected};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::outbox::Topic;
use crate::platform::{clock, sql};

/// What a person set for themselves in a workspace. It never silences a reminder or an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = NotificationHabits)]
pub struct Habits {
    /// Quiet hours.
    pub quiet: Quiet,
    /// Mail is sent.
    pub mail: bool,
    /// Nothing is told until then (RFC 3339); empty for no pause.
    pub muted_until: String,
    /// Topics of which nothing is told.
    pub muted: Vec<Topic>,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits { quiet: Quiet::default(), mail: true, muted_until: String::new(), muted: Vec::new() }
    }
}

impl Habits {
    /// Whether a topic is not wanted now.
    pub fn is_muted(&self, topic: &str, now: &str) -> bool {
        self.muted_until.as_str() > now || self.muted.iter().any(|t| t.name() == topic)
    }
}

fn person(actor: &Actor) -> Result<i64> {
    actor.person.ok_or_else(|| Error::Denied("only a person has an inbox; this is a key".to_owned()))
}

/// What the actor set.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn habits(db: &DatabaseConnection, actor: &Actor) -> Result<Habits> {
    actor.need(Permission::FindingRead)?;
    let select = "SELECT settings FROM notify_person WHERE workspace = $1 AND person = $2";
    let values = vec![actor.workspace.into(), person(actor)?.into()];
    let row: Option<(String,)> = sql::row(db, "reading how to tell a person", select, values).await?;
    row.map_or_else(|| Ok(Habits::default()), |(text,)| serde_json::from_str(&text).map_err(damaged))
}

/// What everybody in a workspace set.
pub(super) async fn all(db: &impl ConnectionTrait, workspace: i64) -> Result<Vec<(i64, Habits)>> {
    let select = "SELECT person, settings FROM notify_person WHERE workspace = $1";
    let rows: Vec<(i64, String)> =
        sql::rows(db, "reading how to tell people", select, vec![workspace.into()]).await?;
    // what cannot be read silences nobody
    Ok(rows.into_iter().map(|(id, text)| (id, serde_json::from_str(&text).unwrap_or_default())).collect())
}

/// Sets it.
///
/// # Errors
/// Denied; [`Error::Rejected`].
pub async fn set_habits(db: &DatabaseConnection, actor: &Actor, new: &Habits) -> Result<()> {
    actor.need(Permission::FindingRead)?;
    let person = person(actor)?;
    if !is_zone(&new.quiet.zone) {
        return Err(rejected("zone", "a time zone like Europe/Berlin"));
    }
    for (field, text) in [("from", &new.quiet.from), ("to", &new.quiet.to)] {
        if !text.is_empty() && time(text).is_none() {
            return Err(rejected(field, "a time of day like 22:00"));
        }
    }
    if new.quiet.from.is_empty() != new.quiet.to.is_empty() {
        return Err(rejected("to", "quiet hours have a beginning and an end"));
    }
    if !new.muted_until.is_empty() {
        clock::parse(&new.muted_until)?;
    }
    let before = habits(db, actor).await?;
    let mut change = Change::begin(db, actor).await?;
    let insert = "INSERT INTO notify_person (workspace, person, settings) VALUES ($1, $2, $3) \
                  ON CONFLICT (workspace, person) DO UPDATE SET settings = excluded.settings";
    let values = vec![actor.workspace.into(), person.into(), json(new).into()];
    sql::run(&change.tx, "writing how to tell a person", insert, values).await?;
    change.record("notify.habits", format!("person/{person}"), "", &before, new);
    change.commit().await
}

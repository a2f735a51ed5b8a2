//! What a person was told, what of it they acknowledged; and the log of all that went out.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Message, damaged, dispatch, list, urge};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// A message as one was told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = InboxEntry)]
pub struct Told {
    /// Place in the inbox; newer ones have higher numbers.
    pub id: i64,
    /// 0 as it was told first; above it as a reminder or an escalation.
    pub step: i64,
    /// When it was seen.
    pub seen: Option<String>,
    /// The message.
    pub message: Message,
}

pub(super) const MESSAGE: &str = "m.id, m.topic, m.thread, m.severity, m.embargo, m.title, m.body, m.at, m.urge, m.step, \
                       m.acknowledged, m.acknowledger";

pub(super) fn read(row: &QueryResult) -> std::result::Result<(Message, String), sea_orm::DbErr> {
    let text = |n: usize| row.try_get_by_index::<String>(n);
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    let message = Message {
        id: number(0)?,
        topic: text(1)?,
        thread: text(2)?,
        severity: number(3)?,
        embargo: number(4)? != 0,
        title: text(5)?,
        body: super::Body::default(),
        at: text(7)?,
        urge: row.try_get_by_index(8)?,
        step: number(9)?,
        acknowledged: row.try_get_by_index(10)?,
        acknowledger: text(11)?,
    };
    Ok((message, text(6)?))
}

fn whole((mut message, body): (Message, String)) -> Result<Message> {
    message.body = serde_json::from_str(&body).map_err(damaged)?;
    Ok(message)
}

/// A message of a workspace, whoever asks.
pub(super) async fn bare(db: &impl ConnectionTrait, workspace: i64, id: i64) -> Result<Message> {
    let what = "reading a message";
    let select = format!("SELECT {MESSAGE} FROM notify_message m WHERE m.workspace = $1 AND m.id = $2");
    let rows = sql::raw(db, what, &select, vec![workspace.into(), id.into()]).await?;
    let row = sql::read(&rows, what, read)?.into_iter().next();
    row.map_or_else(|| Err(Error::NotFound(format!("notification {id}"))), whole)
}

pub(super) fn person(actor: &Actor) -> Result<i64> {
    actor.need(Permission::FindingRead)?;
    actor.person.ok_or_else(|| Error::Denied("only a person has an inbox; this is a key".to_owned()))
}

/// How many messages the actor has not seen, at most 100; none for a key.
///
/// # Errors
/// The database does not answer.
pub async fn unseen(db: &DatabaseConnection, actor: &Actor) -> Result<i64> {
    let Some(person) = actor.person else { return Ok(0) };
    let select = "SELECT COUNT(*) FROM (SELECT 1 FROM notify_delivery WHERE workspace = $1 AND person = $2 \
                  AND channel = 0 AND seen IS NULL LIMIT 100) t";
    let values = vec![actor.workspace.into(), person.into()];
    let row: Option<(i64,)> = sql::row(db, "counting what is new", select, values).await?;
    Ok(row.map_or(0, |r| r.0))
}

/// That the actor was told of a message; or that a channel was, whose readers come by its link, and the actor may see
/// all that it is about. Whether it was the actor.
async fn was_told(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<bool> {
    let gone = || Error::NotFound(format!("notification {id}"));
    let select = "SELECT MAX(person) FROM notify_delivery WHERE workspace = $1 AND message = $2 \
                  AND person IN ($3, 0)";
    let values = vec![actor.workspace.into(), id.into(), person(actor)?.into()];
    let row: Option<(Option<i64>,)> = sql::row(db, "reading a message", select, values).await?;
    if row.and_then(|r| r.0).ok_or_else(gone)? != 0 {
        return Ok(true);
    }
    let message = bare(db, actor.workspace, id).await?;
    if dispatch::may_see(actor, &message.body) && !message.embargo { Ok(false) } else { Err(gone()) }
}

/// A message that the actor was told.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn message(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Message> {
    was_told(db, actor, id).await?;
    bare(db, actor.workspace, id).await
}

/// Marks a message as seen by the actor.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn see(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    was_told(db, actor, id).await?;
    let update = "UPDATE notify_delivery SET seen = $4 WHERE workspace = $1 AND message = $2 AND person = $3 \
                  AND channel = 0 AND seen IS NULL";
    let values = vec![actor.workspace.into(), id.into(), person(actor)?.into(), actor.now.clone().into()];
    sql::run(db, "marking a message", update, values).await?;
    Ok(())
}

/// Marks all of the actor's messages as seen up to a place in the inbox; how many there were. What is to be
/// acknowledged is not acknowledged by it.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn see_all(db: &DatabaseConnection, actor: &Actor, up_to: i64) -> Result<u64> {
    let update = "UPDATE notify_delivery SET seen = $4 WHERE workspace = $1 AND person = $2 AND id <= $3 \
                  AND channel = 0 AND seen IS NULL";
    let values = vec![actor.workspace.into(), person(actor)?.into(), up_to.into(), actor.now.clone().into()];
    sql::run(db, "marking messages", update, values).await
}

/// Acknowledges a message: nobody is urged any more. Whether it was not yet. A person acknowledges what they were told;
/// who may decide everywhere also what a channel was told, and a key of that right whatever the workspace was told: it
/// acts for whoever is on call.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn acknowledge(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<bool> {
    match actor.person {
        Some(_) if was_told(db, actor, id).await? => {}
        Some(_) => actor.need_everywhere(Permission::FindingDecide)?,
        None => {
            actor.need_everywhere(Permission::FindingDecide)?;
            bare(db, actor.workspace, id).await?;
        }
    }
    let mut change = Change::begin(db, actor).await?;
    let update = "UPDATE notify_message SET acknowledged = $2, acknowledger = $3, urge = NULL \
                  WHERE id = $1 AND acknowledged IS NULL";
    let values = vec![id.into(), actor.now.clone().into(), sql::text(&actor.name)];
    let done = sql::run(&change.tx, "acknowledging a message", update, values).await? > 0;
    let update = "UPDATE notify_delivery SET seen = $3 WHERE message = $1 AND person = $2 AND channel = 0 \
                  AND seen IS NULL";
    let values = vec![id.into(), actor.person.unwrap_or(0).into(), actor.now.clone().into()];
    sql::run(&change.tx, "acknowledging a message", update, values).await?;
    if done {
        urge::note(&change, id, "acknowledged", actor.name.trim_start_matches("person:")).await?;
        change.record("notify.acknowledge", format!("notification/{id}"), "", &(), &());
    }
    change.commit().await?;
    Ok(done)
}

/// A step of a message's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotificationStep)]
pub struct Step {
    /// When.
    pub at: String,
    /// `reminded`, `escalated`, `exhausted` (nobody is left to tell), `acknowledged`.
    pub what: String,
    /// Whom it reached, or who acknowledged.
    pub who: String,
}

/// The steps of a message's way so far, for whoever was told of it.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn steps(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Vec<Step>> {
    was_told(db, actor, id).await?;
    let select = "SELECT at, what, who FROM notify_step WHERE message = $1 ORDER BY n";
    let rows: Vec<(String, String, String)> = sql::rows(db, "reading steps", select, vec![id.into()]).await?;
    Ok(rows.into_iter().map(|(at, what, who)| Step { at, what, who }).collect())
}

/// Messages that the actor was told and that are about a finding, newest first, at most twenty.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn messages_of_finding(
    db: &DatabaseConnection,
    actor: &Actor,
    finding: i64,
) -> Result<Vec<Message>> {
    let what = "reading what was told of a finding";
    let Ok(person) = person(actor) else { return Ok(Vec::new()) };
    let select = format!(
        "SELECT {MESSAGE} FROM notify_message m WHERE m.workspace = $1 AND m.id IN (SELECT t.message FROM \
         outbox_finding x JOIN notify_message_event t ON t.event = x.event WHERE x.finding = $2) \
         AND EXISTS (SELECT 1 FROM notify_delivery d WHERE d.message = m.id AND d.person = $3) \
         ORDER BY m.id DESC LIMIT 20"
    );
    let values = vec![actor.workspace.into(), finding.into(), person.into()];
    let rows = sql::raw(db, what, &select, values).await?;
    sql::read(&rows, what, read)?.into_iter().map(whole).collect()
}

/// One line of the log of what went out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NotificationDelivery)]
pub struct Delivery {
    /// Id; also its key for receivers, the same at every attempt.
    pub id: i64,
    /// Message.
    pub message: i64,
    /// Its title; nothing of what is under embargo.
    pub title: String,
    /// Name of the channel; `inbox` for the inbox.
    pub channel: String,
    /// Whom it is for: login or address; empty where the channel itself is.
    pub to: String,
    /// 0 as it was told first; above it as a reminder or an escalation.
    pub step: i64,
    /// `held` (until a digest or the end of quiet hours), `waiting`, `sent`, `merged` into a digest, `dropped`, `dead`
    /// (given up: run its job again).
    pub state: String,
    /// Not before.
    pub due: String,
    /// When it went.
    pub sent: Option<String>,
    /// Why the last attempt failed.
    pub error: String,
    /// The job that sends it.
    pub job: Option<i64>,
    /// Attempts so far.
    pub attempts: i64,
}

/// What went out of a message, newest first, for whoever was told of it; the first thousand.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn deliveries_of(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Vec<Delivery>> {
    was_told(db, actor, id).await?;
    let what = "reading deliveries";
    let select = format!(
        "SELECT {} FROM notify_delivery d JOIN notify_message m ON m.id = d.message LEFT JOIN job j ON j.id = d.job \
         WHERE d.workspace = $1 AND d.message = $2 ORDER BY d.id DESC LIMIT 1000",
        list::columns()
    );
    let rows = sql::raw(db, what, &select, vec![actor.workspace.into(), id.into()]).await?;
    sql::read(&rows, what, list::delivery)
}

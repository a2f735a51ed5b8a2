//! The inbox and the log of all that went out, asked for by query.

use sea_orm::{DatabaseConnection, QueryResult};
use tocsin_model::query::{Kind, Query, Schema};

use super::inbox::{self, Delivery, MESSAGE, Told};
use super::{Body, damaged};
use crate::detection::SEVERITIES;
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Key, Noun, Rows, inside, may, order, own};

const OF_MESSAGE: &str = "d.message IN (SELECT m.id FROM notify_message m WHERE {})";
const OPEN: &str = "EXISTS (SELECT 1 FROM notify_message m WHERE m.id = d.message AND m.urge IS NOT NULL \
                    AND m.acknowledged IS NULL)";
/// What is given up is known by its job, which can be run again.
const STATE: &str = "(CASE WHEN d.state = 'waiting' AND EXISTS (SELECT 1 FROM job j WHERE j.id = d.job \
                     AND j.state IN ('failed', 'cancelled')) THEN 'dead' ELSE d.state END)";
/// What is under embargo is found by no word of its title by who was not told of it.
const TITLE: &str =
    "d.message IN (SELECT m.id FROM notify_message m WHERE m.embargo = 0 AND LOWER(m.title) {})";
const CHANNEL: &str = "(CASE WHEN d.channel = 0 THEN 'inbox' ELSE COALESCE((SELECT c.name FROM notify_channel c \
                       WHERE c.id = d.channel), 'removed') END)";
const TO: &str = "(CASE WHEN d.address <> '' THEN d.address ELSE COALESCE((SELECT p.login FROM person p \
                  WHERE p.id = d.person), '') END)";

/// Messages in an inbox as a noun of queries; whose inbox it is, is a condition beside it.
pub(crate) static INBOX: Noun = Noun {
    doing: "reading the inbox",
    permission: Permission::FindingRead,
    entries: &[
        inside("topic", Kind::Id, (OF_MESSAGE, "m.topic"), "what it tells of: finding-new, feed-broken"),
        inside(
            "severity",
            Kind::Scale(&SEVERITIES),
            (OF_MESSAGE, "m.severity"),
            "the worst that it tells of",
        ),
        own("unseen", Kind::Truth, "d.seen IS NULL", "it was not looked at"),
        own("open", Kind::Truth, OPEN, "somebody must acknowledge it, and nobody has"),
        inside("acknowledged", Kind::Time, (OF_MESSAGE, "m.acknowledged"), "when it was acknowledged"),
        inside("at", Kind::Time, (OF_MESSAGE, "m.at"), "when it was written"),
        inside("age", Kind::Age, (OF_MESSAGE, "m.at"), "time since"),
        own("step", Kind::Number, "d.step", "0 as it was told first, 1 a reminder, above it an escalation"),
    ],
    orders: &[order("at", &[("d.id", Key::Int)], true)],
    columns: &["message", "severity", "acknowledgement", "at"],
    groups: &[],
    table: "notify_delivery d",
    id: "d.id",
    from: "notify_delivery d CROSS JOIN notify_message m",
    on: "m.id = d.message",
    workspace: "d.workspace = $1",
    lines: "",
    unless: &[],
    words: &["d.message IN (SELECT m.id FROM notify_message m WHERE LOWER(m.title) {})"],
};

/// What went out as a noun of queries.
pub(crate) static DELIVERIES: Noun = Noun {
    doing: "reading deliveries",
    permission: Permission::SettingsWrite,
    entries: &[
        own(
            "state",
            Kind::Word(&["held", "waiting", "sent", "merged", "dropped", "dead"]),
            STATE,
            "held for a digest or quiet hours, waiting, sent, merged into a digest, dropped, or dead: given up",
        ),
        own("channel", Kind::Text, CHANNEL, "name of the channel, or inbox"),
        own("to", Kind::Text, TO, "login or address"),
        inside("topic", Kind::Id, (OF_MESSAGE, "m.topic"), "what it tells of"),
        own("message", Kind::Number, "d.message", "number of the message"),
        own("step", Kind::Number, "d.step", "0 as it was told first, 1 a reminder, above it an escalation"),
        may("sent", Kind::Time, "d.sent", "when it went"),
        own("due", Kind::Time, "d.due", "not before"),
        own("error", Kind::Text, "d.error", "why the last attempt failed"),
    ],
    orders: &[
        order("number", &[("d.id", Key::Int)], true),
        order("sent", &[("COALESCE(d.sent, '')", Key::Text), ("d.id", Key::Int)], true),
    ],
    columns: &["message", "to", "channel", "state", "attempts", "sent"],
    groups: &[],
    table: "notify_delivery d",
    id: "d.id",
    from: "notify_delivery d JOIN notify_message m ON m.id = d.message LEFT JOIN job j ON j.id = d.job",
    on: "",
    workspace: "d.workspace = $1",
    lines: "",
    unless: &[],
    words: &[TITLE],
};

/// What a query over an inbox may name.
pub fn inbox_schema() -> Schema {
    INBOX.schema()
}

/// The actor's inbox, newest first; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn inbox(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Told>> {
    let person = inbox::person(actor)?;
    let columns = format!("{MESSAGE}, d.id, d.step, d.seen");
    let read = |row: &QueryResult| {
        let (message, body) = inbox::read(row)?;
        let told = Told {
            id: row.try_get_by_index(12)?,
            step: row.try_get_by_index(13)?,
            seen: row.try_get_by_index(14)?,
            message,
        };
        Ok((told, body))
    };
    let more = vec![("d.channel = 0 AND d.person = {}", person.into())];
    let page =
        query::page_where(db, actor, &INBOX, query, more, (columns.as_str(), read), after, most).await?;
    let whole = |(mut told, body): (Told, String)| -> Result<Told> {
        told.message.body = serde_json::from_str::<Body>(&body).map_err(damaged)?;
        Ok(told)
    };
    let rows: Result<Vec<Told>> = page.rows.into_iter().map(whole).collect();
    Ok(Rows { rows: rows?, next: page.next, total: page.total })
}

/// What a query over deliveries may name.
pub fn delivery_schema() -> Schema {
    DELIVERIES.schema()
}

/// The log of what went out, newest first; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn deliveries(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Delivery>> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    query::page(db, actor, &DELIVERIES, query, (&columns(), delivery), after, most).await
}

/// Columns of a delivery `d` of a message `m` by a job `j`, as [`delivery`] reads them.
pub(super) fn columns() -> String {
    format!(
        "d.id, d.message, CASE WHEN m.embargo = 1 THEN 'under embargo' ELSE m.title END, {CHANNEL}, {TO}, d.step, \
         {STATE}, d.due, d.sent, CASE WHEN d.error <> '' THEN d.error WHEN d.state = 'waiting' \
         THEN COALESCE(j.error, '') ELSE '' END, d.job, COALESCE(j.attempts, 0)"
    )
}

/// A delivery of a row.
pub(super) fn delivery(r: &QueryResult) -> std::result::Result<Delivery, sea_orm::DbErr> {
    Ok(Delivery {
        id: r.try_get_by_index(0)?,
        message: r.try_get_by_index(1)?,
        title: r.try_get_by_index(2)?,
        channel: r.try_get_by_index(3)?,
        to: r.try_get_by_index(4)?,
        step: r.try_get_by_index(5)?,
        state: r.try_get_by_index(6)?,
        due: r.try_get_by_index(7)?,
        sent: r.try_get_by_index(8)?,
        error: r.try_get_by_index(9)?,
        job: r.try_get_by_index(10)?,
        attempts: r.try_get_by_index(11)?,
    })
}

//! The audit trail asked for by query.

use sea_orm::{DatabaseConnection, QueryResult, TryGetableMany};
use tocsin_model::query::{Field, Kind, Query, Schema};

use super::access::{Actor, Permission};
use super::change::{COLUMNS, Event, Row, event};
use super::query::{self, Entry, How, Key, Noun, Order, Rows};
use crate::error::Result;

const fn entry(name: &'static str, kind: Kind, expr: &'static str, what: &'static str) -> Entry {
    Entry { field: Field { name, kind, optional: false, what }, how: How::Own(expr), leads: false }
}

/// Events of the audit trail as a noun of queries. The trail is the workspace's as a whole.
pub(crate) static TRAIL: Noun = Noun {
    doing: "reading the audit trail",
    permission: Permission::AuditRead,
    entries: &[
        entry("actor", Kind::Text, "actor", "who: person:anna, key:ci, system"),
        entry("action", Kind::Text, "action", "what was done: finding.decide"),
        entry("subject", Kind::Text, "subject", "to what: release/17"),
        entry("name", Kind::Text, "name", "what it is called"),
        entry("address", Kind::Text, "address", "address of the caller"),
        entry("at", Kind::Time, "at", "when"),
        entry("age", Kind::Age, "at", "time since"),
        entry("seq", Kind::Number, "seq", "place in the chain"),
    ],
    orders: &[Order { name: "at", keys: &[("seq", Key::Int)], from: None, apart: false, down: true }],
    columns: &["at", "actor", "action", "subject", "name", "address"],
    groups: &[],
    table: "audit",
    id: "seq",
    from: "audit",
    on: "",
    workspace: "workspace = $1",
    lines: "",
    unless: &[],
    words: &["LOWER(actor || ' ' || action || ' ' || subject || ' ' || name) {}"],
};

/// What a query over the audit trail may name.
pub fn schema() -> Schema {
    TRAIL.schema()
}

/// Events of a query, newest first; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn trail(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Event>> {
    let read =
        |row: &QueryResult| Row::try_get_many_by_index(row).map(|row| event(row).1).map_err(Into::into);
    query::page(db, actor, &TRAIL, query, (COLUMNS, read), after, most).await
}

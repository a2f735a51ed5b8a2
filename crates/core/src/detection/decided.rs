//! Decisions asked for by query.

use sea_orm::DatabaseConnection;
use tocsin_model::query::{Field, Kind, Query, Schema};

use super::decisions::{COLUMNS, Kept, TABLES, read};
use super::{JUSTIFICATIONS, STATUSES};
use crate::error::Result;
use crate::inventory::plain;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Entry, How, Key, Noun, Rows, inside, may, order, own};

const STATES: [&str; 3] = ["standing", "waiting", "ended"];
const REACHES: [&str; 4] = ["finding", "release", "product", "component"];
const SOURCES: [&str; 2] = ["person", "vex"];
const ENDINGS: [&str; 4] = ["replaced", "withdrawn", "expired", "rejected"];

const IS_FLAW: &str = "d.vulnerability IN (SELECT v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability \
                       WHERE a.id IN (CAST({} AS TEXT), UPPER(CAST({} AS TEXT))) \
                       UNION SELECT CAST({} AS TEXT) UNION SELECT UPPER(CAST({} AS TEXT)) \
                       UNION SELECT w.main FROM warning w WHERE w.workspace = $1 AND w.main <> '' AND w.name = UPPER(CAST({} AS TEXT)))";
const SUBJECT: &str = "d.subject IN (SELECT c.id FROM component c WHERE {})";
const RELEASE: &str = "EXISTS (SELECT 1 FROM release r WHERE r.id = COALESCE(d.release, (SELECT g.release FROM finding g \
                       WHERE g.id = d.finding)) AND {})";
const PRODUCT: &str = "EXISTS (SELECT 1 FROM product p WHERE p.id = COALESCE(d.product, (SELECT r.product FROM release r \
                       WHERE r.id = COALESCE(d.release, (SELECT g.release FROM finding g WHERE g.id = d.finding)))) \
                       AND {})";

/// Decisions as a noun of queries: those of the lines that the actor may see, and those that hold everywhere.
pub(crate) static DECISIONS: Noun = Noun {
    doing: "listing decisions",
    permission: Permission::FindingRead,
    entries: &[
        own(
            "state",
            Kind::Word(&STATES),
            "CASE WHEN d.ended IS NOT NULL THEN 'ended' WHEN d.waits = 1 THEN 'waiting' ELSE 'standing' END",
            "in force, waiting for a second person, or ended",
        ),
        own("status", Kind::Word(&STATUSES), "d.status", "what was decided"),
        may("justification", Kind::Word(&JUSTIFICATIONS), "d.justification", "why it is not affected"),
        Entry {
            field: Field {
                name: "vulnerability",
                kind: Kind::Id,
                optional: false,
                what: "any id of the flaw",
            },
            how: How::Id(IS_FLAW, "LOWER(d.vulnerability) {}"),
            leads: false,
        },
        Entry {
            field: Field {
                name: "component",
                kind: Kind::Text,
                optional: false,
                what: "name of the component",
            },
            how: How::Name(SUBJECT, "c.plain", plain),
            leads: false,
        },
        inside("version", Kind::Text, (SUBJECT, "c.version"), "version of the component"),
        inside("product", Kind::Text, (PRODUCT, "p.name"), "name of the product"),
        inside("release", Kind::Text, (RELEASE, "r.version"), "version of the release"),
        own("reach", Kind::Word(&REACHES), "d.reach", "how far it reaches"),
        own("author", Kind::Text, "d.author", "who proposed it: person:anna"),
        may("approver", Kind::Text, "d.approver_name", "who approved it or turned it down"),
        may("detail", Kind::Text, "d.detail", "what it says in words"),
        own("source", Kind::Word(&SOURCES), "d.source", "a person, or a VEX document"),
        may("expires", Kind::Time, "d.expires", "day on which it ends"),
        own("proposed", Kind::Time, "d.proposed", "when it was proposed"),
        own("age", Kind::Age, "d.proposed", "time since it was proposed"),
        may("approved", Kind::Time, "d.approved", "when it was approved"),
        may("ended", Kind::Time, "d.ended", "when it ended"),
        own("ending", Kind::Word(&ENDINGS), "d.ending", "how it ended"),
    ],
    orders: &[
        order("proposed", &[("d.id", Key::Int)], true),
        order("expires", &[("COALESCE(d.expires, '9999')", Key::Text), ("d.id", Key::Int)], false),
        order("vulnerability", &[("d.vulnerability", Key::Text), ("d.id", Key::Int)], false),
        order("status", &[("d.status", Key::Text), ("d.id", Key::Int)], false),
    ],
    columns: &["vulnerability", "status", "holds", "author", "findings", "expires", "state"],
    groups: &[],
    table: "decision d",
    id: "d.id",
    from: TABLES,
    on: "",
    workspace: "d.workspace = $1",
    lines: "(d.line = 0 OR d.line IN (SELECT p.line FROM (SELECT q.id AS line FROM line q) p WHERE {}))",
    unless: &[],
    words: &[
        "LOWER(d.vulnerability || ' ' || d.author || ' ' || d.detail) {}",
        "d.subject IN (SELECT c.id FROM component c WHERE LOWER(c.grp || '/' || c.name || '@' || c.version) {})",
        "EXISTS (SELECT 1 FROM product p WHERE p.id = COALESCE(d.product, (SELECT r.product FROM release r \
         WHERE r.id = COALESCE(d.release, (SELECT g.release FROM finding g WHERE g.id = d.finding)))) \
         AND LOWER(p.name) {})",
    ],
};

/// What a query over decisions may name.
pub fn decision_schema() -> Schema {
    DECISIONS.schema()
}

/// Decisions of a query that the actor may see; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn decision_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Kept>> {
    query::page(db, actor, &DECISIONS, query, (COLUMNS, |row| Ok(read(row)?.0)), after, most).await
}

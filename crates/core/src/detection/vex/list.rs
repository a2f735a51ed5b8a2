//! VEX documents that were taken in, asked for by query.

use sea_orm::DatabaseConnection;
use tocsin_model::query::{Kind, Query, Schema};

use super::import::{Imported, read};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Key, Noun, Rows, inside, order, own};

const IN_PRODUCT: &str = "COALESCE(v.product, (SELECT r.product FROM release r WHERE r.id = v.release)) IN \
                          (SELECT p.id FROM product p WHERE p.workspace = $1 AND {})";
const IN_RELEASE: &str = "v.release IN (SELECT r.id FROM release r WHERE r.workspace = $1 AND {})";

/// VEX documents taken in as a noun of queries: those of the lines that the actor may see.
pub(crate) static DOCUMENTS: Noun = Noun {
    doing: "listing VEX documents",
    permission: Permission::FindingRead,
    entries: &[
        own("name", Kind::Text, "v.name", "name of the file"),
        own("document", Kind::Text, "v.document", "id that the document gives itself"),
        own("format", Kind::Text, "v.format", "openvex, csaf, cyclonedx"),
        own("actor", Kind::Text, "v.actor", "who took it in: person:anna"),
        inside("product", Kind::Text, (IN_PRODUCT, "p.name"), "the product that it was for"),
        inside("release", Kind::Text, (IN_RELEASE, "r.version"), "version of the release that it was for"),
        own("at", Kind::Time, "v.at", "when it was taken in"),
        own("age", Kind::Age, "v.at", "time since it was taken in"),
        own("statements", Kind::Number, "v.statements", "statements in it"),
        own("applied", Kind::Number, "v.applied", "statements that decided something"),
        own("findings", Kind::Number, "v.findings", "findings decided"),
    ],
    orders: &[
        order("at", &[("v.id", Key::Int)], true),
        order("name", &[("v.name", Key::Text), ("v.id", Key::Int)], false),
    ],
    columns: &["name", "format", "product", "at", "statements", "applied", "findings"],
    groups: &[],
    table: "vex_import v",
    id: "v.id",
    from: "vex_import v LEFT JOIN release r ON r.id = v.release LEFT JOIN product p ON p.id = COALESCE(v.product, \
           r.product)",
    on: "",
    workspace: "v.workspace = $1",
    lines: "v.line IN (SELECT p.line FROM (SELECT q.id AS line FROM line q) p WHERE {})",
    unless: &[],
    words: &["LOWER(v.name || ' ' || v.document || ' ' || v.actor) {}"],
};

/// What a query over VEX documents may name.
pub fn vex_schema() -> Schema {
    DOCUMENTS.schema()
}

/// VEX documents of a query that the actor may see, for one release where it is told, without what became of their
/// statements; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn vex_list(
    db: &DatabaseConnection,
    actor: &Actor,
    release: Option<i64>,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Imported>> {
    let columns = "v.id, v.name, v.format, v.document, COALESCE(p.name, ''), COALESCE(r.version, ''), v.at, v.actor, \
                   v.statements, v.applied, v.findings, ''";
    let more = release.map(|id| ("v.release = {}", id.into())).into_iter().collect();
    query::page_where(db, actor, &DOCUMENTS, query, more, (columns, read), after, most).await
}

//! Reports as a list: the archive.

use sea_orm::DatabaseConnection;
use tocsin_model::query::{Kind, Query, Schema};

use super::reads;
use super::store::{COLUMNS, read};
use super::types::{Report, STATES};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Key, Noun, Rows, inside, may, order, own};

const IN_SECTION: &str = "EXISTS (SELECT 1 FROM report_section x WHERE x.report = r.id AND {})";

/// Reports as a noun of queries.
pub(crate) static REPORTS: Noun = Noun {
    doing: "listing reports",
    permission: Permission::ReportRead,
    entries: &[
        own("title", Kind::Text, "r.title", "its title"),
        inside("text", Kind::Text, (IN_SECTION, "x.search"), "a text of its sections, ids and products too"),
        own("state", Kind::Word(&STATES), "r.state", "where it stands"),
        own("tlp", Kind::Text, "r.tlp", "its marking, TLP 2.0"),
        own("author", Kind::Text, "r.author_name", "who drafted it"),
        own("approver", Kind::Text, "r.approver_name", "who approved it"),
        own("year", Kind::Number, "r.year", "the year of its number"),
        own("number", Kind::Number, "r.number", "its number in the year"),
        own("first", Kind::Time, "r.first || 'T00:00:00.000Z'", "the first day of its period"),
        own("last", Kind::Time, "r.last || 'T00:00:00.000Z'", "the last day of its period"),
        own("correction", Kind::Truth, "r.corrects <> 0", "it corrects another"),
        own("changed", Kind::Time, "r.changed", "when it was last changed"),
        may("sent", Kind::Time, "NULLIF(r.sent, '')", "when it was sent"),
        own("age", Kind::Age, "r.changed", "time since it was last changed"),
    ],
    orders: &[
        order("last", &[("r.last", Key::Text), ("r.id", Key::Int)], true),
        order(
            "number",
            &[("r.year", Key::Int), ("r.number", Key::Int), ("r.revision", Key::Int), ("r.id", Key::Int)],
            true,
        ),
        order("changed", &[("r.changed", Key::Text), ("r.id", Key::Int)], true),
        order("title", &[("r.title", Key::Text), ("r.id", Key::Int)], false),
        order("sent", &[("r.sent", Key::Text), ("r.id", Key::Int)], true),
    ],
    columns: &["number", "title", "last", "tlp", "state", "sections", "author", "changed"],
    groups: &[],
    table: "report r",
    id: "r.id",
    from: "report r",
    on: "",
    workspace: "r.workspace = $1",
    lines: "",
    unless: &[],
    words: &["r.search {}", "EXISTS (SELECT 1 FROM report_section x WHERE x.report = r.id AND x.search {})"],
};

/// What a query over reports may name.
pub fn report_schema() -> Schema {
    REPORTS.schema()
}

/// Reports of a query, the youngest period first; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn report_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Report>> {
    reads(actor)?;
    query::page(db, actor, &REPORTS, query, (COLUMNS, read), after, most).await
}

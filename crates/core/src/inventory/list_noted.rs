//! Product lines and stakeholders asked for by query.

use sea_orm::{DatabaseConnection, QueryResult};
use tocsin_model::query::{Kind, Query, Schema};

use super::{Line, Stakeholder};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Key, Noun, Rows, inside, order, own};

/// Product lines as a noun of queries.
pub(crate) static LINES: Noun = Noun {
    doing: "listing product lines",
    permission: Permission::InventoryRead,
    entries: &[
        own("line", Kind::Text, "l.name", "name of the product line"),
        own(
            "products",
            Kind::Number,
            "(SELECT COUNT(*) FROM product p WHERE p.line = l.id)",
            "number of products",
        ),
    ],
    orders: &[order("line", &[("l.name", Key::Text), ("l.id", Key::Int)], false)],
    columns: &["line", "products"],
    groups: &[],
    table: "line l",
    id: "l.id",
    from: "line l",
    on: "",
    workspace: "l.workspace = $1",
    lines: "l.id IN (SELECT p.line FROM (SELECT q.id AS line FROM line q) p WHERE {})",
    unless: &[],
    words: &["LOWER(l.name) {}"],
};

/// What a query over product lines may name.
pub fn line_schema() -> Schema {
    LINES.schema()
}

/// Product lines of a query that the actor may see; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn line_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Line>> {
    let columns = "l.id, l.name, l.contact, (SELECT COUNT(*) FROM product p WHERE p.line = l.id)";
    let read = |row: &QueryResult| {
        Ok(Line {
            id: row.try_get_by_index(0)?,
            name: row.try_get_by_index(1)?,
            contact: row.try_get_by_index(2)?,
            products: row.try_get_by_index(3)?,
        })
    };
    query::page(db, actor, &LINES, query, (columns, read), after, most).await
}

const IN_PRODUCT: &str = "s.product IN (SELECT p.id FROM product p WHERE p.workspace = $1 AND {})";
const IN_LINE: &str = "COALESCE((SELECT o.line FROM product o WHERE o.id = s.product), s.line) IN \
                       (SELECT l.id FROM line l WHERE l.workspace = $1 AND {})";

/// Stakeholders as a noun of queries. Those of the whole workspace are seen by who may see all of it.
pub(crate) static STAKEHOLDERS: Noun = Noun {
    doing: "listing stakeholders",
    permission: Permission::InventoryRead,
    entries: &[
        own("name", Kind::Text, "s.name", "who is told"),
        own("email", Kind::Text, "s.email", "mail address"),
        own("interest", Kind::Text, "s.interest", "what they are told of: exploited, critical, advisory …"),
        inside("product", Kind::Text, (IN_PRODUCT, "p.name"), "the product that it is about"),
        inside("line", Kind::Text, (IN_LINE, "l.name"), "the product line that it is about"),
        own("everything", Kind::Truth, "(s.product = 0 AND s.line = 0)", "about the whole workspace"),
    ],
    orders: &[
        order("name", &[("s.name", Key::Text), ("s.id", Key::Int)], false),
        order("email", &[("s.email", Key::Text), ("s.id", Key::Int)], false),
        order("about", &[("COALESCE(p.name, l.name, '')", Key::Text), ("s.id", Key::Int)], false),
    ],
    columns: &["name", "email", "interests", "about"],
    groups: &[],
    table: "stakeholder s",
    id: "s.id",
    from: "stakeholder s LEFT JOIN product p ON p.id = s.product LEFT JOIN line l ON l.id = s.line",
    on: "",
    workspace: "s.workspace = $1",
    lines: "EXISTS (SELECT 1 FROM (SELECT COALESCE((SELECT o.line FROM product o WHERE o.id = s.product), s.line) \
            AS line) p WHERE {})",
    unless: &[],
    words: &[
        "LOWER(s.name || ' ' || s.email) {}",
        "s.product IN (SELECT p.id FROM product p WHERE p.workspace = $1 AND LOWER(p.name) {})",
        "s.line IN (SELECT l.id FROM line l WHERE l.workspace = $1 AND LOWER(l.name) {})",
    ],
};

/// What a query over stakeholders may name.
pub fn stakeholder_schema() -> Schema {
    STAKEHOLDERS.schema()
}

/// Stakeholders of a query that the actor may see; as [`line_list`].
///
/// # Errors
/// As [`line_list`].
pub async fn stakeholder_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Stakeholder>> {
    let columns = "s.id, s.name, s.email, s.interest, s.line, s.product, COALESCE(p.name, l.name, '')";
    let read = |row: &QueryResult| {
        let interest: String = row.try_get_by_index(3)?;
        Ok(Stakeholder {
            id: row.try_get_by_index(0)?,
            name: row.try_get_by_index(1)?,
            email: row.try_get_by_index(2)?,
            interests: interest.split_whitespace().map(str::to_owned).collect(),
            line: row.try_get_by_index(4)?,
            product: row.try_get_by_index(5)?,
            about: row.try_get_by_index(6)?,
        })
    };
    query::page(db, actor, &STAKEHOLDERS, query, (columns, read), after, most).await
}

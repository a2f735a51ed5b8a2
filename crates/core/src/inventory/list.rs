//! Releases, products, components and deployments asked for by query.

use sea_orm::{DatabaseConnection, QueryResult, Value};
use serde::Serialize;
use tocsin_model::query::{Field, Kind, Query, Schema};
use utoipa::ToSchema;

use super::{Product, RELEASE, Release, plain, release};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Entry, How, Key, Noun, Rows, order};

const fn entry(name: &'static str, kind: Kind, how: How, what: &'static str) -> Entry {
    Entry { field: Field { name, kind, optional: false, what }, how, leads: false }
}

const fn maybe(name: &'static str, kind: Kind, how: How, what: &'static str) -> Entry {
    Entry { field: Field { name, kind, optional: true, what }, how, leads: false }
}

const IN_PRODUCT: &str = "r.product IN (SELECT p.id FROM product p WHERE p.workspace = $1 AND {})";
const IN_LINE: &str = "r.product IN (SELECT p.id FROM product p JOIN line l ON l.id = p.line \
                       WHERE p.workspace = $1 AND {})";
const DEPLOYED: &str =
    "r.id IN (SELECT d.release FROM deployment d WHERE d.workspace = $1 AND d.units > 0 AND {})";
const HOLDS: &str =
    "r.id IN (SELECT o.release FROM occurrence o JOIN component c ON c.id = o.component WHERE {})";
const HURT_BY: &str = "r.id IN (SELECT f.release FROM finding f WHERE f.workspace = $1 AND f.closed IS NULL \
                       AND f.vulnerability IN (SELECT v.main FROM alias a JOIN vulnerability v \
                       ON v.id = a.vulnerability WHERE a.id IN (CAST({} AS TEXT), UPPER(CAST({} AS TEXT))) \
                       UNION SELECT CAST({} AS TEXT) UNION SELECT UPPER(CAST({} AS TEXT))))";

const HURT_LIKE: &str = "r.id IN (SELECT f.release FROM finding f WHERE f.workspace = $1 AND f.closed IS NULL \
                         AND LOWER(f.vulnerability) {})";

/// Releases as a noun of queries.
pub(crate) static RELEASES: Noun = Noun {
    doing: "listing releases",
    permission: Permission::InventoryRead,
    entries: &[
        entry("product", Kind::Text, How::Inside(IN_PRODUCT, "p.name"), "name of the product"),
        entry("version", Kind::Text, How::Own("r.version"), "version of the release"),
        entry("line", Kind::Text, How::Inside(IN_LINE, "l.name"), "product line"),
        entry(
            "tag",
            Kind::Text,
            How::Inside("r.id IN (SELECT t.release FROM tag t WHERE {})", "t.name"),
            "a tag",
        ),
        entry("latest", Kind::Truth, How::Own("r.latest = 1"), "the newest of its product"),
        entry("active", Kind::Truth, How::Own("r.active = 1"), "still watched"),
        maybe("released", Kind::Time, How::Own("r.released"), "day it was released"),
        maybe("support", Kind::Time, How::Own("r.support_until"), "day until which it is supported"),
        maybe("matched", Kind::Time, How::Own("r.matched"), "when it was last matched"),
        entry("components", Kind::Number, How::Own("r.components"), "number of components"),
        entry("units", Kind::Number, How::Own("r.units"), "units in the field"),
        entry("critical", Kind::Number, How::Own("r.critical"), "open findings that are critical"),
        entry("high", Kind::Number, How::Own("r.high"), "open findings that are high"),
        entry("exploited", Kind::Number, How::Own("r.exploited"), "open findings known to be exploited"),
        entry(
            "open",
            Kind::Number,
            How::Own("(r.critical + r.high + r.medium + r.low + r.unrated)"),
            "open findings",
        ),
        entry("component", Kind::Text, How::Name(HOLDS, "c.plain", plain), "a component that it holds"),
        entry("purl", Kind::Text, How::Inside(HOLDS, "c.purl"), "package URL of a component that it holds"),
        entry(
            "vulnerability",
            Kind::Id,
            How::Id(HURT_BY, HURT_LIKE),
            "any id of a flaw that was found in it",
        ),
        entry("customer", Kind::Text, How::Inside(DEPLOYED, "d.customer"), "who has units"),
        entry("region", Kind::Text, How::Inside(DEPLOYED, "d.region"), "where units are"),
    ],
    orders: &[
        order("product", &[("l.name", Key::Text), ("p.name", Key::Text), ("r.id", Key::Int)], false),
        order(
            "urgency",
            &[("r.exploited", Key::Int), ("r.critical", Key::Int), ("r.high", Key::Int), ("r.id", Key::Int)],
            true,
        ),
        order("version", &[("r.version", Key::Text), ("r.id", Key::Int)], false),
        order("released", &[("COALESCE(r.released, '')", Key::Text), ("r.id", Key::Int)], true),
        order("support", &[("COALESCE(r.support_until, '9999')", Key::Text), ("r.id", Key::Int)], false),
        order("matched", &[("COALESCE(r.matched, '')", Key::Text), ("r.id", Key::Int)], true),
        order("components", &[("r.components", Key::Int), ("r.id", Key::Int)], true),
        order("units", &[("r.units", Key::Int), ("r.id", Key::Int)], true),
        order(
            "open",
            &[("(r.critical + r.high + r.medium + r.low + r.unrated)", Key::Int), ("r.id", Key::Int)],
            true,
        ),
    ],
    columns: &[
        "product",
        "version",
        "line",
        "open",
        "exploited",
        "components",
        "units",
        "released",
        "support",
        "matched",
    ],
    groups: &["line"],
    table: "release r",
    id: "r.id",
    from: "release r CROSS JOIN product p CROSS JOIN line l",
    on: "p.id = r.product AND l.id = p.line",
    workspace: "r.workspace = $1",
    lines: "r.product IN (SELECT p.id FROM product p WHERE {})",
    unless: &[(&["active"], "r.active = 1")],
    words: &[
        "LOWER(r.version) {}",
        "r.product IN (SELECT p.id FROM product p JOIN line l ON l.id = p.line WHERE p.workspace = $1 \
         AND LOWER(l.name || ' ' || p.name) {})",
    ],
};

/// Products as a noun of queries.
pub(crate) static PRODUCTS: Noun = Noun {
    doing: "listing products",
    permission: Permission::InventoryRead,
    entries: &[
        entry("product", Kind::Text, How::Own("p.name"), "name of the product"),
        entry("description", Kind::Text, How::Own("p.description"), "what it is"),
        entry(
            "line",
            Kind::Text,
            How::Inside("p.line IN (SELECT l.id FROM line l WHERE l.workspace = $1 AND {})", "l.name"),
            "product line",
        ),
        entry(
            "releases",
            Kind::Number,
            How::Own("(SELECT COUNT(*) FROM release r WHERE r.product = p.id)"),
            "number of releases",
        ),
    ],
    orders: &[
        order("line", &[("l.name", Key::Text), ("p.name", Key::Text), ("p.id", Key::Int)], false),
        order("product", &[("p.name", Key::Text), ("p.id", Key::Int)], false),
    ],
    columns: &["product", "line", "releases"],
    groups: &["line"],
    table: "product p",
    id: "p.id",
    from: "product p CROSS JOIN line l",
    on: "l.id = p.line",
    workspace: "p.workspace = $1",
    lines: "{}",
    unless: &[],
    words: &["LOWER(p.name || ' ' || p.description) {}"],
};

const OF_RELEASE: &str = "c.id IN (SELECT o.component FROM occurrence o JOIN release r ON r.id = o.release \
                          JOIN product p ON p.id = r.product WHERE r.workspace = $1 AND {})";
const LICENSED: &str = "c.id IN (SELECT x.component FROM occurrence_licence x JOIN release r ON r.id = x.release \
                        WHERE r.workspace = $1 AND {})";
const HASHED: &str = "c.id IN (SELECT x.component FROM occurrence_hash x JOIN release r ON r.id = x.release \
                      WHERE r.workspace = $1 AND x.value = {})";
const HASHED_LIKE: &str = "c.id IN (SELECT x.component FROM occurrence_hash x JOIN release r ON r.id = x.release \
                           WHERE r.workspace = $1 AND LOWER(x.value) {})";
const FLAWED: &str =
    "c.id IN (SELECT f.component FROM finding f WHERE f.workspace = $1 AND f.closed IS NULL AND {})";

/// Components that releases of the workspace hold, as a noun of queries.
pub(crate) static COMPONENTS: Noun = Noun {
    doing: "listing components",
    permission: Permission::InventoryRead,
    entries: &[
        entry("name", Kind::Text, How::Name("{}", "c.plain", plain), "name of the component"),
        entry("namespace", Kind::Text, How::Own("c.grp"), "its group"),
        entry("version", Kind::Text, How::Own("c.version"), "its version"),
        entry("purl", Kind::Text, How::Own("c.purl"), "its package URL"),
        entry("cpe", Kind::Text, How::Own("c.cpes"), "its CPE names"),
        maybe("supplier", Kind::Text, How::Own("c.supplier"), "who supplies it"),
        entry("kind", Kind::Text, How::Own("c.kind"), "library, application, operating-system …"),
        entry("product", Kind::Text, How::Inside(OF_RELEASE, "p.name"), "a product that holds it"),
        entry(
            "release",
            Kind::Text,
            How::Inside(OF_RELEASE, "r.version"),
            "version of a release that holds it",
        ),
        entry("direct", Kind::Truth, How::Inside(OF_RELEASE, "o.direct = 1"), "named by a product itself"),
        entry(
            "licence",
            Kind::Text,
            How::Inside(LICENSED, "x.licence"),
            "a licence that a document gives it",
        ),
        entry("hash", Kind::Id, How::Id(HASHED, HASHED_LIKE), "a hash, sha256:…"),
        entry(
            "severity",
            Kind::Scale(&crate::detection::SEVERITIES),
            How::Inside(FLAWED, "f.severity"),
            "severity of an open finding in it",
        ),
        entry(
            "kev",
            Kind::Truth,
            How::Inside(FLAWED, "f.kev = 1"),
            "hurt by something known to be exploited",
        ),
    ],
    orders: &[order("name", &[("c.plain", Key::Text), ("c.version", Key::Text), ("c.id", Key::Int)], false)],
    columns: &["name", "version", "purl", "supplier", "kind"],
    groups: &[],
    table: "component c",
    id: "c.id",
    from: "component c",
    on: "",
    workspace: "EXISTS (SELECT 1 FROM occurrence o JOIN release r ON r.id = o.release WHERE o.component = c.id \
                AND r.workspace = $1)",
    lines: "c.id IN (SELECT o.component FROM occurrence o JOIN release r ON r.id = o.release JOIN product p \
            ON p.id = r.product WHERE r.workspace = $1 AND {})",
    unless: &[],
    words: &["LOWER(c.grp || '/' || c.name || '@' || c.version || ' ' || c.purl) {}"],
};

const AT: &str = "d.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product JOIN line l \
                  ON l.id = p.line WHERE r.workspace = $1 AND {})";

/// Units in the field as a noun of queries.
pub(crate) static DEPLOYMENTS: Noun = Noun {
    doing: "listing deployments",
    permission: Permission::InventoryRead,
    entries: &[
        entry("customer", Kind::Text, How::Own("d.customer"), "who has the units"),
        entry("region", Kind::Text, How::Own("d.region"), "where they are"),
        entry("units", Kind::Number, How::Own("d.units"), "how many"),
        entry("product", Kind::Text, How::Inside(AT, "p.name"), "name of the product"),
        entry("release", Kind::Text, How::Inside(AT, "r.version"), "version of the release"),
        entry("line", Kind::Text, How::Inside(AT, "l.name"), "product line"),
        entry(
            "exploited",
            Kind::Number,
            How::Inside(AT, "r.exploited"),
            "open exploited findings of the release",
        ),
    ],
    orders: &[
        order("customer", &[("d.customer", Key::Text), ("d.region", Key::Text), ("d.id", Key::Int)], false),
        order("units", &[("d.units", Key::Int), ("d.id", Key::Int)], true),
        order("product", &[("p.name", Key::Text), ("r.id", Key::Int), ("d.id", Key::Int)], false),
    ],
    columns: &["customer", "region", "units", "product", "release"],
    groups: &["customer"],
    table: "deployment d",
    id: "d.id",
    from: "deployment d CROSS JOIN release r CROSS JOIN product p",
    on: "r.id = d.release AND p.id = r.product",
    workspace: "d.workspace = $1",
    lines: "d.release IN (SELECT r.id FROM release r JOIN product p ON p.id = r.product WHERE {})",
    unless: &[],
    words: &["LOWER(d.customer || ' ' || d.region) {}"],
};

/// What a query over releases may name.
pub fn release_schema() -> Schema {
    RELEASES.schema()
}

/// What a query over products may name.
pub fn product_schema() -> Schema {
    PRODUCTS.schema()
}

/// What a query over components may name.
pub fn component_schema() -> Schema {
    COMPONENTS.schema()
}

/// What a query over deployments may name.
pub fn deployment_schema() -> Schema {
    DEPLOYMENTS.schema()
}

/// What a list of releases is of; everything where both are missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Within {
    /// Releases of this product.
    pub product: Option<i64>,
    /// Releases of products of this line.
    pub line: Option<i64>,
}

/// Releases of a query that the actor may see; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn release_list(
    db: &DatabaseConnection,
    actor: &Actor,
    within: Within,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Release>> {
    // the columns of every list of releases, without the tables that they join
    let columns = RELEASE.trim_start_matches("SELECT ").split(" FROM ").next().unwrap_or(RELEASE);
    let mut more: Vec<(&str, Value)> = Vec::new();
    if let Some(product) = within.product {
        more.push(("r.product = {}", product.into()));
    }
    if let Some(line) = within.line {
        more.push(("r.product IN (SELECT p.id FROM product p WHERE p.line = {})", line.into()));
    }
    query::page_where(db, actor, &RELEASES, query, more, (columns, release), after, most).await
}

/// Products of a query that the actor may see, of one product line where it is told; as [`release_list`].
///
/// # Errors
/// As [`release_list`].
pub async fn product_list(
    db: &DatabaseConnection,
    actor: &Actor,
    line: Option<i64>,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Product>> {
    let columns = "p.id, p.line, l.name, p.name, p.description, (SELECT COUNT(*) FROM release r WHERE r.product = p.id)";
    let read = |row: &QueryResult| {
        Ok(Product {
            id: row.try_get_by_index(0)?,
            line: row.try_get_by_index(1)?,
            line_name: row.try_get_by_index(2)?,
            name: row.try_get_by_index(3)?,
            description: row.try_get_by_index(4)?,
            releases: row.try_get_by_index(5)?,
        })
    };
    let more = line.map(|line| ("p.line = {}", line.into())).into_iter().collect();
    query::page_where(db, actor, &PRODUCTS, query, more, (columns, read), after, most).await
}

/// A component as lists across releases show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ComponentRow {
    /// Id.
    pub id: i64,
    /// CycloneDX component type.
    pub kind: String,
    /// Name with its group.
    pub name: String,
    /// Version, or empty.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// Who supplies it, or empty.
    pub supplier: String,
}

/// Components of a query that the actor may see; as [`release_list`].
///
/// # Errors
/// As [`release_list`].
pub async fn component_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<ComponentRow>> {
    let columns = "c.id, c.kind, c.grp, c.name, c.version, c.purl, c.supplier";
    let read = |row: &QueryResult| {
        let (group, name): (String, String) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        Ok(ComponentRow {
            id: row.try_get_by_index(0)?,
            kind: row.try_get_by_index(1)?,
            name: if group.is_empty() { name } else { format!("{group}/{name}") },
            version: row.try_get_by_index(4)?,
            purl: row.try_get_by_index(5)?,
            supplier: row.try_get_by_index(6)?,
        })
    };
    query::page(db, actor, &COMPONENTS, query, (columns, read), after, most).await
}

/// Units of a customer in a region, with the release they run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeploymentRow {
    /// Id.
    pub id: i64,
    /// Customer.
    pub customer: String,
    /// Region, or empty.
    pub region: String,
    /// Units in the field.
    pub units: i64,
    /// Release.
    pub release: i64,
    /// Its product.
    pub product: String,
    /// Its version.
    pub version: String,
}

/// Deployments of a query that the actor may see, of one release where it is told; as [`release_list`].
///
/// # Errors
/// As [`release_list`].
pub async fn deployment_list(
    db: &DatabaseConnection,
    actor: &Actor,
    release: Option<i64>,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<DeploymentRow>> {
    let columns = "d.id, d.customer, d.region, d.units, d.release, p.name, r.version";
    let read = |row: &QueryResult| {
        Ok(DeploymentRow {
            id: row.try_get_by_index(0)?,
            customer: row.try_get_by_index(1)?,
            region: row.try_get_by_index(2)?,
            units: row.try_get_by_index(3)?,
            release: row.try_get_by_index(4)?,
            product: row.try_get_by_index(5)?,
            version: row.try_get_by_index(6)?,
        })
    };
    let more = release.map(|id| ("d.release = {}", id.into())).into_iter().collect();
    query::page_where(db, actor, &DEPLOYMENTS, query, more, (columns, read), after, most).await
}

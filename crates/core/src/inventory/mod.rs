//! Product lines, products, releases and what is in them.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

pub(crate) use crate::platform::query::in_lines;

mod amend;
mod broken;
mod card;
#[cfg(test)]
mod card_tests;
mod compare;
mod component;
mod deployments;
mod devices;
pub(crate) mod document;
mod ecosystems;
mod export;
mod graph;
mod imports;
mod licences;
mod list;
mod list_noted;
#[cfg(test)]
mod list_tests;
mod lives;
mod manage;
mod overview;
mod part;
mod received;
mod remove;
mod stakeholders;
mod suppliers;
mod system;
#[cfg(test)]
pub(crate) mod tests;
mod unusual;
mod upload;
mod used;
pub(crate) mod words;

pub use amend::{Amend, amend, held_release, tags, tags_by, tags_of};
pub use broken::{Broken, broken};
pub use card::{Card, Property, cards, properties, remove_property, set_card, set_property};
pub use compare::{Changed, Comparison, Piece, compare};
pub use component::{Detail, Hurt, Place, Version, component_of, hurts, package, places, versions};
pub use deployments::{Deployment, customer, deploy, deployments, deployments_of};
pub use devices::{
    Device, DevicePlace, Located, devices, devices_after, drop_devices, locate, locate_after, note_devices,
};
pub(crate) use document::How;
pub use document::{Difference, Document, documents, original};
pub use ecosystems::ecosystems;
pub use export::{Export, export};
pub use graph::{Graph, Node, graph, why};
pub use imports::{Imported, imported, note_import};
pub use licences::{
    Licence, LicenceAsked, LicenceUse, Ruling, Violation, ViolationPlace, licence_rules, licence_uses,
    licences, rule_licences, violations,
};
pub use list::{
    ComponentRow, DeploymentRow, Within, component_list, component_schema, deployment_list,
    deployment_schema, product_list, product_schema, release_list, release_schema,
};
pub use list_noted::{line_list, line_schema, stakeholder_list, stakeholder_schema};
pub use lives::{Heard, Life, all_lives, hear_lives, life_keys, life_of, lives, note_lives};
pub use manage::{
    Consequences, LineDetail, LineEdit, ProductDetail, ProductEdit, ReleaseEdit, Thing, archive,
    consequences, delete, edit_line, edit_product, edit_release, line_of, product_of, release_edit,
};
pub use overview::{Branch, SOON, Support, Wanted, overview, support};
pub use part::{Part, edges, parts};
pub use received::{Packed, Received, pack, receive, received, sweep, waits};
pub use remove::remove_release;
pub use stakeholders::{INTERESTS, Stakeholder, drop_stakeholder, save_stakeholder, stakeholder_of, told};
pub use suppliers::{Supplier, note_supplier, supplier, suppliers};
pub use system::{SYSTEM_BYTES, System, has_system, set_system, system};
pub use unusual::{Held, Unusual, drop_held, forget_held, held, held_bytes, hold_upload};
pub use upload::{Prepared, Uploaded, apply, apply_again, prepare, prepare_with, upload};
pub(crate) use upload::{identity, kind_named, options, place};
pub(crate) use used::main_id;
pub use used::{Answer, FoundPart, Holder, OWNERS, Owner, Totals, Use, answer, where_used};

/// A product line with how much is in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Line {
    /// Id.
    pub id: i64,
    /// Name, unique in the workspace.
    pub name: String,
    /// Its security contact (a person).
    pub contact: Option<i64>,
    /// Number of products.
    pub products: i64,
}

/// A product with its releases' numbers added up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Product {
    /// Id.
    pub id: i64,
    /// Product line.
    pub line: i64,
    /// Name of the line.
    pub line_name: String,
    /// Name, unique in the workspace.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Number of releases.
    pub releases: i64,
}

/// A release: what was shipped.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoredRelease)]
pub struct Release {
    /// Id.
    pub id: i64,
    /// Product.
    pub product: i64,
    /// Name of the product.
    pub product_name: String,
    /// Product line.
    pub line: i64,
    /// Name of the line.
    pub line_name: String,
    /// Version.
    pub version: String,
    /// Day it was released.
    pub released: Option<String>,
    /// Day until which it is supported.
    pub support_until: Option<String>,
    /// Still watched.
    pub active: bool,
    /// The newest of its product.
    pub latest: bool,
    /// When it was last matched.
    pub matched: Option<String>,
    /// Distinct components.
    pub components: i64,
    /// Open findings by severity: critical, high, medium, low, without rating.
    pub open: [i64; 5],
    /// Open findings of flaws that are known to be exploited.
    pub exploited: i64,
    /// Units in the field.
    pub units: i64,
}

const RELEASE: &str = "SELECT r.id, r.product, p.name, p.line, l.name, r.version, r.released, r.support_until, \
                       r.active, r.latest, r.matched, r.components, r.critical, r.high, r.medium, r.low, r.unrated, \
                       r.exploited, r.units FROM release r JOIN product p ON p.id = r.product \
                       JOIN line l ON l.id = p.line";

fn release(row: &sea_orm::QueryResult) -> std::result::Result<Release, sea_orm::DbErr> {
    let number = |n: usize| row.try_get_by_index::<i64>(n);
    Ok(Release {
        id: number(0)?,
        product: number(1)?,
        product_name: row.try_get_by_index(2)?,
        line: number(3)?,
        line_name: row.try_get_by_index(4)?,
        version: row.try_get_by_index(5)?,
        released: row.try_get_by_index(6)?,
        support_until: row.try_get_by_index(7)?,
        active: number(8)? != 0,
        latest: number(9)? != 0,
        matched: row.try_get_by_index(10)?,
        components: number(11)?,
        open: [number(12)?, number(13)?, number(14)?, number(15)?, number(16)?],
        exploited: number(17)?,
        units: number(18)?,
    })
}

/// Product lines that the actor may see and for which a condition over `l` and `$2` holds, by name.
async fn lines_where(
    db: &impl ConnectionTrait,
    actor: &Actor,
    condition: &str,
    value: Value,
) -> Result<Vec<Line>> {
    let mut values = vec![actor.workspace.into(), value];
    let scope = in_lines(db, actor, Permission::InventoryRead, "l.id", &mut values)?;
    let select = format!(
        "SELECT l.id, l.name, l.contact, (SELECT COUNT(*) FROM product p WHERE p.line = l.id) FROM line l \
         WHERE l.workspace = $1 AND {condition}{scope} ORDER BY l.name"
    );
    let rows: Vec<(i64, String, Option<i64>, i64)> =
        sql::rows(db, "listing product lines", &select, values).await?;
    Ok(rows.into_iter().map(|(id, name, contact, products)| Line { id, name, contact, products }).collect())
}

/// Product lines that the actor may see, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn lines(db: &impl ConnectionTrait, actor: &Actor) -> Result<Vec<Line>> {
    lines_where(db, actor, "l.id > $2", 0_i64.into()).await
}

/// One product line.
///
/// # Errors
/// [`Error::NotFound`] also where the actor may not see it: that it is there is not told.
pub async fn line_by_id(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<Line> {
    let found = lines_where(db, actor, "l.id = $2", id.into()).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("product line {id}")))
}

/// The product line of a name.
///
/// # Errors
/// As [`line_by_id`].
pub async fn line_named(db: &impl ConnectionTrait, actor: &Actor, name: &str) -> Result<Line> {
    let found = lines_where(db, actor, "l.name = $2", name.into()).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("product line {name}")))
}

/// Products that the actor may see and for which a condition over `p` and `$2` holds, by line and name.
async fn products_where(
    db: &impl ConnectionTrait,
    actor: &Actor,
    condition: &str,
    value: Value,
) -> Result<Vec<Product>> {
    let mut values = vec![actor.workspace.into(), value];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT p.id, p.line, l.name, p.name, p.description, (SELECT COUNT(*) FROM release r WHERE r.product = p.id) \
         FROM product p JOIN line l ON l.id = p.line WHERE p.workspace = $1 AND {condition}{scope} \
         ORDER BY l.name, p.name"
    );
    type Row = (i64, i64, String, String, String, i64);
    let rows: Vec<Row> = sql::rows(db, "listing products", &select, values).await?;
    let product = |(id, line, line_name, name, description, releases)| Product {
        id,
        line,
        line_name,
        name,
        description,
        releases,
    };
    Ok(rows.into_iter().map(product).collect())
}

/// Products that the actor may see, by line and name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn products(db: &impl ConnectionTrait, actor: &Actor) -> Result<Vec<Product>> {
    products_where(db, actor, "p.id > $2", 0_i64.into()).await
}

/// One product.
///
/// # Errors
/// [`Error::NotFound`] also where the actor may not see it: that it is there is not told.
pub async fn product_by_id(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<Product> {
    let found = products_where(db, actor, "p.id = $2", id.into()).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("product {id}")))
}

/// The product of a name.
///
/// # Errors
/// As [`product_by_id`].
pub async fn product_named(db: &impl ConnectionTrait, actor: &Actor, name: &str) -> Result<Product> {
    let found = products_where(db, actor, "p.name = $2", name.into()).await?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("product {name}")))
}

/// Releases that the actor may see, of one product or of all, newest first within a product.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn releases(db: &DatabaseConnection, actor: &Actor, product: Option<i64>) -> Result<Vec<Release>> {
    let mut values = vec![actor.workspace.into(), product.unwrap_or(0).into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "{RELEASE} WHERE r.workspace = $1 AND ($2 = 0 OR r.product = $2){scope} ORDER BY l.name, p.name, r.id DESC"
    );
    let rows = sql::raw(db, "listing releases", &select, values).await?;
    sql::read(&rows, "listing releases", release)
}

/// One release.
///
/// # Errors
/// [`Error::NotFound`] also where the actor may not see it: that it is there is not told.
pub async fn release_of(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<Release> {
    let mut values = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!("{RELEASE} WHERE r.workspace = $1 AND r.id = $2{scope}");
    let rows = sql::raw(db, "reading a release", &select, values).await?;
    let found = sql::read(&rows, "reading a release", release)?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("release {id}")))
}

/// The release of a product's name and version.
///
/// # Errors
/// [`Error::NotFound`] as [`release_of`].
pub async fn release_named(
    db: &impl ConnectionTrait,
    actor: &Actor,
    product: &str,
    version: &str,
) -> Result<Release> {
    let mut values = vec![actor.workspace.into(), product.into(), version.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!("{RELEASE} WHERE r.workspace = $1 AND p.name = $2 AND r.version = $3{scope}");
    let rows = sql::raw(db, "reading a release", &select, values).await?;
    let found = sql::read(&rows, "reading a release", release)?;
    found.into_iter().next().ok_or_else(|| Error::NotFound(format!("release {product} {version}")))
}

/// Releases of these ids that the actor may see, in no order.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn releases_by(db: &DatabaseConnection, actor: &Actor, ids: &[i64]) -> Result<Vec<Release>> {
    let mut values = vec![actor.workspace.into(), sql::list(ids)];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!("{RELEASE} WHERE r.workspace = $1 AND r.id IN {}{scope}", sql::numbers(db, 2));
    let rows = sql::raw(db, "reading releases", &select, values).await?;
    sql::read(&rows, "reading releases", release)
}

/// A text for `LIKE … ESCAPE '!'` in which nothing stands for something else.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '!' | '%' | '_') {
            out.push('!');
        }
        out.push(c);
        out
    })
}

/// What holds a text in any case, for `LOWER(…) LIKE … ESCAPE '!'`.
pub(crate) fn like(text: &str) -> String {
    format!("%{}%", escaped(&text.trim().to_lowercase()))
}

fn named(what: &str, name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        let message = format!("the {what} has 1 to 200 characters and no line breaks");
        return Err(Error::Rejected { field: what.to_owned(), message });
    }
    Ok(name.to_owned())
}

/// Makes a product line, or gives the one of that name.
///
/// # Errors
/// Denied; the name does not do.
pub async fn make_line(change: &mut Change<'_>, name: &str) -> Result<i64> {
    let (what, name) = ("making a product line", named("line", name)?);
    let values = vec![change.actor.workspace.into(), name.clone().into()];
    let select = "SELECT id FROM line WHERE workspace = $1 AND name = $2";
    if let Some((id,)) = sql::row::<(i64,)>(&change.tx, what, select, values.clone()).await? {
        // Whoever may see the line may name it; what they may put into it is asked where they do.
        change.actor.need_in(Permission::InventoryRead, id)?;
        return Ok(id);
    }
    change.actor.need_everywhere(Permission::InventoryWrite)?;
    // Who makes the same at the same time is waited for; then it is there.
    let insert = "INSERT INTO line (workspace, name, created) VALUES ($1, $2, $3) \
                  ON CONFLICT (workspace, name) DO NOTHING RETURNING id";
    let mut values = values;
    values.push(change.actor.now.clone().into());
    let Some((id,)) = sql::row::<(i64,)>(&change.tx, what, insert, values.clone()).await? else {
        values.pop();
        return one(sql::row(&change.tx, what, select, values).await?);
    };
    change.record("line.create", format!("line/{id}"), &name, &(), &());
    Ok(id)
}

/// Makes a product in a line, or gives the one of that name.
///
/// # Errors
/// Denied; the name does not do.
pub async fn make_product(change: &mut Change<'_>, line: i64, name: &str) -> Result<i64> {
    let (what, name) = ("making a product", named("product", name)?);
    let values = vec![change.actor.workspace.into(), name.clone().into()];
    let select = "SELECT id, line FROM product WHERE workspace = $1 AND name = $2";
    if let Some((id, line)) = sql::row::<(i64, i64)>(&change.tx, what, select, values.clone()).await? {
        change.actor.need_in(Permission::InventoryRead, line)?;
        return Ok(id);
    }
    change.actor.need_in(Permission::InventoryWrite, line)?;
    let insert = "INSERT INTO product (workspace, name, line, created) SELECT $1, $2, id, $4 FROM line \
                  WHERE id = $3 AND workspace = $1 ON CONFLICT (workspace, name) DO NOTHING RETURNING id";
    let again = values.clone();
    let mut values = values;
    values.extend([Value::from(line), change.actor.now.clone().into()]);
    let Some((id,)) = sql::row::<(i64,)>(&change.tx, what, insert, values).await? else {
        let made = sql::row::<(i64, i64)>(&change.tx, what, select, again).await?;
        let (id, line) = made.ok_or_else(|| Error::NotFound("the product line".to_owned()))?;
        change.actor.need_in(Permission::InventoryRead, line)?;
        return Ok(id);
    };
    change.record("product.create", format!("product/{id}"), &name, &(), &line);
    Ok(id)
}

/// Makes a release of a product, or gives the one of that version; the newest made is the product's latest.
///
/// # Errors
/// Denied; the version does not do.
pub async fn make_release(change: &mut Change<'_>, product: i64, version: &str) -> Result<i64> {
    let (what, version) = ("making a release", named("version", version)?);
    let select = "SELECT line, name FROM product WHERE id = $1 AND workspace = $2";
    let values = vec![product.into(), change.actor.workspace.into()];
    let (line, name): (i64, String) = sql::row(&change.tx, what, select, values)
        .await?
        .ok_or_else(|| Error::NotFound(format!("product {product}")))?;
    change.actor.need_in(Permission::InventoryRead, line)?;
    let select = "SELECT id FROM release WHERE product = $1 AND version = $2";
    let values = vec![product.into(), version.clone().into()];
    if let Some((id,)) = sql::row::<(i64,)>(&change.tx, what, select, values).await? {
        return Ok(id);
    }
    change.actor.need_in(Permission::InventoryWrite, line)?;
    // Releases of one product are made one after another, so that one alone is the latest.
    sql::run(&change.tx, what, "UPDATE product SET name = name WHERE id = $1", vec![product.into()]).await?;
    let again = vec![product.into(), version.clone().into()];
    if let Some((id,)) = sql::row::<(i64,)>(&change.tx, what, select, again).await? {
        return Ok(id);
    }
    sql::run(&change.tx, what, "UPDATE release SET latest = 0 WHERE product = $1", vec![product.into()])
        .await?;
    let insert = "INSERT INTO release (workspace, product, version, latest, created) VALUES ($1, $2, $3, 1, $4) \
                  RETURNING id";
    let values = vec![
        change.actor.workspace.into(),
        product.into(),
        version.clone().into(),
        change.actor.now.clone().into(),
    ];
    let id = one(sql::row(&change.tx, what, insert, values).await?)?;
    change.record("release.create", format!("release/{id}"), &format!("{name} {version}"), &(), &());
    Ok(id)
}

/// Holds a release until the change ends: whoever else writes its content waits.
pub(crate) async fn hold(change: &Change<'_>, release: i64) -> Result<()> {
    let update = "UPDATE release SET version = version WHERE id = $1";
    sql::run(&change.tx, "holding a release", update, vec![release.into()]).await?;
    Ok(())
}

fn one(row: Option<(i64,)>) -> Result<i64> {
    row.map(|r| r.0).ok_or_else(|| Error::NotFound("what it belongs to".to_owned()))
}

/// A component of a release as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Listed {
    /// Id.
    pub id: i64,
    /// Name with its group.
    pub name: String,
    /// Version.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// Licences as the document gives them.
    pub licences: String,
    /// Named by the product itself, not by another component.
    pub direct: bool,
    /// In how many places of the document it stands.
    pub places: i64,
    /// Open findings.
    pub findings: i64,
    /// Highest severity among them, 0 (none) to 5 (critical).
    pub worst: i64,
    /// Latest version of its series that is told, or empty.
    pub latest: String,
    /// Last day of maintenance of its series that is told (`YYYY-MM-DD`), or empty.
    pub ends: String,
    /// Its maintenance is over, as is told.
    pub over: bool,
}

/// Components of a release whose name, version, purl or licence holds `text`, worst first; `licence:NAME` is for
/// those with just this licence among theirs, `licence:` for those that name none, `over:` for those whose maintenance
/// is over.
///
/// # Errors
/// As [`release_of`].
pub async fn components(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    text: &str,
    skip: u64,
    most: u64,
) -> Result<Vec<Listed>> {
    release_of(db, actor, release).await?;
    if text.trim() == "over:" {
        // what is told is compared by the order of versions, which no database knows
        let mut list = listed(db, actor, release, "", 0, i64::MAX as u64).await?;
        list.retain(|c| c.over);
        return Ok(list.into_iter().skip(skip as usize).take(most as usize).collect());
    }
    listed(db, actor, release, text, skip, most).await
}

async fn listed(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    text: &str,
    skip: u64,
    most: u64,
) -> Result<Vec<Listed>> {
    let (condition, text) = match text.trim().strip_prefix("licence:") {
        Some("") => ("o.licences = '' AND $2 = ''", String::new()),
        Some(name) => {
            let listed = "EXISTS (SELECT 1 FROM occurrence_licence x WHERE x.release = o.release \
                          AND x.component = o.component AND x.licence = $2)";
            (listed, name.to_owned())
        }
        None if text.trim().is_empty() => ("$2 = ''", String::new()),
        None => {
            let holds = "LOWER(c.grp || '/' || c.name || '@' || c.version || ' ' || c.purl || ' ' || o.licences) LIKE $2";
            (holds, format!("%{}%", text.trim().to_lowercase()))
        }
    };
    let select = format!(
        "SELECT c.id, c.grp, c.name, c.version, c.purl, c.cpes, o.licences, o.direct, o.places, \
                  COALESCE(f.n, 0), COALESCE(f.worst, 0) FROM occurrence o JOIN component c ON c.id = o.component \
                  LEFT JOIN (SELECT component, COUNT(*) AS n, MAX(severity) AS worst FROM finding WHERE release = $1 \
                  AND closed IS NULL GROUP BY component) f ON f.component = c.id \
                  WHERE o.release = $1 AND {condition} ORDER BY COALESCE(f.worst, 0) DESC, COALESCE(f.n, 0) DESC, c.name, c.version, c.id LIMIT $3 OFFSET $4"
    );
    let values = vec![release.into(), text.into(), (most as i64).into(), (skip as i64).into()];
    type Row = (i64, String, String, String, String, String, String, i64, String, i64, i64);
    let rows: Vec<Row> = sql::rows(db, "listing components", &select, values).await?;
    let named = |r: &Row| (r.0, r.4.clone(), serde_json::from_str(&r.5).unwrap_or_default());
    let of: Vec<(i64, String, Vec<String>)> = rows.iter().map(named).collect();
    let lives = lives(db, actor, &of).await?;
    let today = actor.now.get(..10).unwrap_or_default();
    let listed = |(id, group, name, version, purl, _, licences, direct, places, findings, worst): Row| {
        let life = lives.get(&id).and_then(|list| life_of(list, &version));
        Listed {
            id,
            name: if group.is_empty() { name } else { format!("{group}/{name}") },
            version,
            purl,
            licences,
            direct: direct != 0,
            places: serde_json::from_str::<Vec<String>>(&places).map_or(1, |p| p.len() as i64),
            findings,
            worst,
            latest: life.map(|l| l.latest.clone()).unwrap_or_default(),
            ends: life.map(|l| l.ends.clone()).unwrap_or_default(),
            over: life.is_some_and(|l| l.is_over(today)),
        }
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// A name as it is looked up: lower case, `_` and `.` as `-`.
pub(crate) fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '.'], "-")
}

/// Ids of components by the hash of what identifies them.
pub(crate) async fn component_ids(
    db: &impl ConnectionTrait,
    hashes: &[String],
) -> Result<HashMap<String, i64>> {
    let mut ids = HashMap::with_capacity(hashes.len());
    for chunk in hashes.chunks(20_000) {
        let select = format!("SELECT hash, id FROM component WHERE hash IN {}", sql::texts(db, 1));
        let rows: Vec<(String, i64)> =
            sql::rows(db, "looking components up", &select, vec![sql::list(chunk)]).await?;
        ids.extend(rows);
    }
    Ok(ids)
}

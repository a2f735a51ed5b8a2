//! Naming, describing, archiving and deleting product lines, products and releases.
//!
//! What is archived is no longer watched and comes back whole. What is deleted is gone with all that belongs to it,
//! but for its trail in the audit; whoever deletes types its name.

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;

use super::{in_lines, named, release_of};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Most bytes of a description or note.
const WORDS: usize = 20_000;

/// What a product line is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LineEdit {
    /// Name, unique in the workspace.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its security contact (a person of the workspace).
    pub contact: Option<i64>,
}

/// What a product is called and where it belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProductEdit {
    /// Name, unique in the workspace.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its product line.
    pub line: i64,
}

/// What a release is called and how long it is supported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReleaseEdit {
    /// Version, unique in the product.
    pub version: String,
    /// Day it was released (`YYYY-MM-DD`).
    pub released: Option<String>,
    /// Last day of its support.
    pub support_until: Option<String>,
    /// In words.
    pub note: String,
}

/// What more there is to a product line than lists show.
#[derive(Debug, Clone, Serialize)]
pub struct LineDetail {
    /// Id.
    pub id: i64,
    /// What can be changed.
    #[serde(flatten)]
    pub edit: LineEdit,
    /// When it was archived.
    pub archived: Option<String>,
}

/// What more there is to a product than lists show.
#[derive(Debug, Clone, Serialize)]
pub struct ProductDetail {
    /// Id.
    pub id: i64,
    /// What can be changed.
    #[serde(flatten)]
    pub edit: ProductEdit,
    /// Name of its product line.
    pub line_name: String,
    /// When it was made.
    pub created: String,
    /// When it was archived.
    pub archived: Option<String>,
}

fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

fn words(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.len() > WORDS {
        return Err(rejected(field, format!("at most {WORDS} bytes")));
    }
    Ok(text.to_owned())
}

/// A day as `YYYY-MM-DD`, or nothing.
pub(super) fn day(field: &str, text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(None) };
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|d| d.parse::<u32>().ok());
    let shape =
        text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    let leap = |y: u32| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let good = match (number(0..4), number(5..7), number(8..10)) {
        (Some(y), Some(m @ 1..=12), Some(d)) if shape && y >= 1900 => {
            let last = match m {
                2 => 28 + u32::from(leap(y)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (1..=last).contains(&d)
        }
        _ => false,
    };
    if good {
        Ok(Some(text.to_owned()))
    } else {
        Err(rejected(field, "a day is written YYYY-MM-DD, like 2031-12-31"))
    }
}

/// A product line.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not see it.
pub async fn line_of(db: &impl sea_orm::ConnectionTrait, actor: &Actor, id: i64) -> Result<LineDetail> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "l.id", &mut values)?;
    let select = format!(
        "SELECT l.name, l.description, l.contact, l.archived FROM line l WHERE l.workspace = $1 AND l.id = $2{scope}"
    );
    type Row = (String, String, Option<i64>, Option<String>);
    let row: Option<Row> = sql::row(db, "reading a product line", &select, values).await?;
    let (name, description, contact, archived) =
        row.ok_or_else(|| Error::NotFound(format!("product line {id}")))?;
    Ok(LineDetail { id, edit: LineEdit { name, description, contact }, archived })
}

/// A product.
///
/// # Errors
/// [`Error::NotFound`], also where the actor may not see it.
pub async fn product_of(db: &impl sea_orm::ConnectionTrait, actor: &Actor, id: i64) -> Result<ProductDetail> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), id.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT p.name, p.description, p.line, l.name, p.created, p.archived FROM product p JOIN line l ON l.id = p.line \
         WHERE p.workspace = $1 AND p.id = $2{scope}"
    );
    type Row = (String, String, i64, String, String, Option<String>);
    let row: Option<Row> = sql::row(db, "reading a product", &select, values).await?;
    let (name, description, line, line_name, created, archived) =
        row.ok_or_else(|| Error::NotFound(format!("product {id}")))?;
    Ok(ProductDetail { id, edit: ProductEdit { name, description, line }, line_name, created, archived })
}

/// What can be changed of a release.
///
/// # Errors
/// As [`release_of`].
pub async fn release_edit(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<ReleaseEdit> {
    let r = release_of(db, actor, id).await?;
    let select = "SELECT note FROM release WHERE id = $1";
    let row: Option<(String,)> = sql::row(db, "reading a release", select, vec![id.into()]).await?;
    let note = row.map(|r| r.0).unwrap_or_default();
    Ok(ReleaseEdit { version: r.version, released: r.released, support_until: r.support_until, note })
}

/// Refuses a name that another thing of the same kind has.
async fn free(change: &Change<'_>, select: &str, values: Vec<Value>, field: &str, name: &str) -> Result<()> {
    match sql::row::<(i64,)>(&change.tx, "looking a name up", select, values).await? {
        Some(_) => Err(rejected(field, format!("there is another one called {name}"))),
        None => Ok(()),
    }
}

/// Changes a product line.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: the name is taken or does not do, the contact is nobody here.
pub async fn edit_line(change: &mut Change<'_>, id: i64, edit: &LineEdit) -> Result<()> {
    let before = line_of(&change.tx, change.actor, id).await?;
    change.actor.need_in(Permission::InventoryWrite, id)?;
    let (name, description) = (named("name", &edit.name)?, words("description", &edit.description)?);
    let workspace = change.actor.workspace;
    let taken = "SELECT id FROM line WHERE workspace = $1 AND name = $2 AND id <> $3";
    free(change, taken, vec![workspace.into(), name.clone().into(), id.into()], "name", &name).await?;
    if let Some(person) = edit.contact {
        let member = "SELECT person FROM membership WHERE workspace = $1 AND person = $2";
        let values = vec![workspace.into(), person.into()];
        if sql::row::<(i64,)>(&change.tx, "reading people", member, values).await?.is_none() {
            return Err(rejected("contact", "the contact is a person of this workspace"));
        }
    }
    let after = LineEdit { name, description, contact: edit.contact };
    if after == before.edit {
        return Ok(());
    }
    let update = "UPDATE line SET name = $2, description = $3, contact = $4 WHERE id = $1";
    let values =
        vec![id.into(), after.name.clone().into(), sql::text(&after.description), after.contact.into()];
    sql::run(&change.tx, "changing a product line", update, values).await?;
    change.record("line.edit", format!("line/{id}"), &after.name, &before.edit, &after);
    Ok(())
}

/// Changes a product; it takes its releases with it into another product line.
///
/// # Errors
/// Denied, in the line it leaves or comes to; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn edit_product(change: &mut Change<'_>, id: i64, edit: &ProductEdit) -> Result<()> {
    let before = product_of(&change.tx, change.actor, id).await?;
    change.actor.need_in(Permission::InventoryWrite, before.edit.line)?;
    line_of(&change.tx, change.actor, edit.line).await?;
    change.actor.need_in(Permission::InventoryWrite, edit.line)?;
    let (name, description) = (named("name", &edit.name)?, words("description", &edit.description)?);
    let workspace = change.actor.workspace;
    let taken = "SELECT id FROM product WHERE workspace = $1 AND name = $2 AND id <> $3";
    free(change, taken, vec![workspace.into(), name.clone().into(), id.into()], "name", &name).await?;
    let after = ProductEdit { name, description, line: edit.line };
    if after == before.edit {
        return Ok(());
    }
    let update = "UPDATE product SET name = $2, description = $3, line = $4 WHERE id = $1";
    let values = vec![id.into(), after.name.clone().into(), sql::text(&after.description), after.line.into()];
    sql::run(&change.tx, "changing a product", update, values).await?;
    change.record("product.edit", format!("product/{id}"), &after.name, &before.edit, &after);
    Ok(())
}

/// Changes a release.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: the version is taken, a day is none, support ends before the
/// release.
pub async fn edit_release(change: &mut Change<'_>, id: i64, edit: &ReleaseEdit) -> Result<()> {
    let r = release_of(&change.tx, change.actor, id).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let version = named("version", &edit.version)?;
    let taken = "SELECT id FROM release WHERE product = $1 AND version = $2 AND id <> $3";
    free(change, taken, vec![r.product.into(), version.clone().into(), id.into()], "version", &version)
        .await?;
    let released = day("released", edit.released.as_deref())?;
    let support_until = day("support_until", edit.support_until.as_deref())?;
    if let (Some(from), Some(until)) = (&released, &support_until)
        && until < from
    {
        return Err(rejected("support_until", "the support ends before the day of the release"));
    }
    let note = words("note", &edit.note)?;
    let select = "SELECT note FROM release WHERE id = $1";
    let old: Option<(String,)> = sql::row(&change.tx, "reading a release", select, vec![id.into()]).await?;
    let before = ReleaseEdit {
        version: r.version,
        released: r.released,
        support_until: r.support_until,
        note: old.map(|o| o.0).unwrap_or_default(),
    };
    let after = ReleaseEdit { version, released, support_until, note };
    if after == before {
        return Ok(());
    }
    let update =
        "UPDATE release SET version = $2, released = $3, support_until = $4, note = $5 WHERE id = $1";
    let values = vec![
        id.into(),
        after.version.clone().into(),
        after.released.clone().into(),
        after.support_until.clone().into(),
        sql::text(&after.note),
    ];
    sql::run(&change.tx, "changing a release", update, values).await?;
    let name = format!("{} {}", r.product_name, after.version);
    change.record("release.edit", format!("release/{id}"), &name, &before, &after);
    Ok(())
}

/// Something that can be archived and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A product line with all in it.
    Line(i64),
    /// A product with its releases.
    Product(i64),
    /// A release.
    Release(i64),
}

struct Known {
    line: i64,
    /// As it is typed to delete it.
    name: String,
    archived: Option<String>,
    subject: String,
    word: &'static str,
}

async fn known(change: &Change<'_>, thing: Thing) -> Result<Known> {
    let (tx, actor) = (&change.tx, change.actor);
    Ok(match thing {
        Thing::Line(id) => {
            let l = line_of(tx, actor, id).await?;
            let subject = format!("line/{id}");
            Known { line: id, name: l.edit.name, archived: l.archived, subject, word: "product line" }
        }
        Thing::Product(id) => {
            let p = product_of(tx, actor, id).await?;
            let subject = format!("product/{id}");
            Known { line: p.edit.line, name: p.edit.name, archived: p.archived, subject, word: "product" }
        }
        Thing::Release(id) => {
            let r = release_of(tx, actor, id).await?;
            let select = "SELECT archived FROM release WHERE id = $1";
            let row: Option<(Option<String>,)> =
                sql::row(tx, "reading a release", select, vec![id.into()]).await?;
            let archived = if r.active { None } else { row.and_then(|r| r.0).or(Some(r.version.clone())) };
            let name = format!("{} {}", r.product_name, r.version);
            Known { line: r.line, name, archived, subject: format!("release/{id}"), word: "release" }
        }
    })
}

/// The releases of a thing, as a condition over the table `release`; the id is `$1`.
fn releases_of(thing: Thing) -> (&'static str, i64) {
    match thing {
        Thing::Line(id) => ("product IN (SELECT id FROM product WHERE line = $1)", id),
        Thing::Product(id) => ("product = $1", id),
        Thing::Release(id) => ("id = $1", id),
    }
}

/// Archives a thing and what belongs to it, or takes it out of the archive with what went there with it. What is
/// archived is not watched, and not counted among what is open.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn archive(change: &mut Change<'_>, thing: Thing, archived: bool) -> Result<()> {
    let what = "archiving";
    let k = known(change, thing).await?;
    change.actor.need_in(Permission::InventoryWrite, k.line)?;
    if k.archived.is_some() == archived {
        return Ok(());
    }
    let now = change.actor.now.clone();
    let (of, id) = releases_of(thing);
    // What was archived before on its own keeps its own instant, and stays when the whole comes back.
    let (set, which, instant) = match archived {
        true => ("archived = $2, active = 0", "archived IS NULL", now),
        false => ("archived = NULL, active = 1", "archived = $2", k.archived.unwrap_or_default()),
    };
    let values = || vec![Value::from(id), instant.clone().into()];
    let all = if let (Thing::Release(_), false) = (thing, archived) { "$2 = $2" } else { which };
    sql::run(&change.tx, what, &format!("UPDATE release SET {set} WHERE {of} AND {all}"), values()).await?;
    let set = if archived { "archived = $2" } else { "archived = NULL" };
    let tables: &[(&str, &str)] = match thing {
        Thing::Line(_) => &[("product", "line = $1"), ("line", "id = $1")],
        Thing::Product(_) => &[("product", "id = $1")],
        Thing::Release(_) => &[],
    };
    for (table, of) in tables {
        sql::run(&change.tx, what, &format!("UPDATE {table} SET {set} WHERE {of} AND {which}"), values())
            .await?;
    }
    let action = match (thing, archived) {
        (Thing::Line(_), true) => "line.archive",
        (Thing::Line(_), false) => "line.restore",
        (Thing::Product(_), true) => "product.archive",
        (Thing::Product(_), false) => "product.restore",
        (Thing::Release(_), true) => "release.archive",
        (Thing::Release(_), false) => "release.restore",
    };
    change.record(action, k.subject, &k.name, &(), &());
    Ok(())
}

/// What goes with a thing that is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Consequences {
    /// Products.
    pub products: i64,
    /// Releases.
    pub releases: i64,
    /// SBOM documents with their original bytes.
    pub documents: i64,
    /// Findings with their history, closed ones too.
    pub findings: i64,
    /// Units in the field that are noted for them.
    pub units: i64,
}

/// What would go with a thing.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn consequences(db: &DatabaseConnection, actor: &Actor, thing: Thing) -> Result<Consequences> {
    match thing {
        Thing::Line(id) => drop(line_of(db, actor, id).await?),
        Thing::Product(id) => drop(product_of(db, actor, id).await?),
        Thing::Release(id) => drop(release_of(db, actor, id).await?),
    }
    count(db, thing).await
}

async fn count(db: &impl sea_orm::ConnectionTrait, thing: Thing) -> Result<Consequences> {
    let (of, id) = releases_of(thing);
    let products = match thing {
        Thing::Line(_) => "SELECT COUNT(*) FROM product WHERE line = $1",
        Thing::Product(_) => "SELECT COUNT(*) FROM product WHERE id = $1",
        Thing::Release(_) => "SELECT COUNT(*) FROM product WHERE id = $1 AND 1 = 0",
    };
    let select = format!(
        "SELECT ({products}), (SELECT COUNT(*) FROM release WHERE {of}), \
         (SELECT COUNT(*) FROM document WHERE release IN (SELECT id FROM release WHERE {of})), \
         (SELECT COUNT(*) FROM finding WHERE release IN (SELECT id FROM release WHERE {of})), \
         (SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM release WHERE {of})"
    );
    let row: Option<(i64, i64, i64, i64, i64)> =
        sql::row(db, "counting what would go", &select, vec![id.into()]).await?;
    let (products, releases, documents, findings, units) = row.unwrap_or_default();
    Ok(Consequences { products, releases, documents, findings, units })
}

/// Deletes a thing with all that belongs to it. `typed` is its name as the person typed it. Its trail in the audit
/// stays, and says what went with it.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: another name was typed.
pub async fn delete(change: &mut Change<'_>, thing: Thing, typed: &str) -> Result<()> {
    let what = "deleting";
    let k = known(change, thing).await?;
    change.actor.need_in(Permission::InventoryWrite, k.line)?;
    if typed.trim() != k.name {
        return Err(rejected("typed", format!("type the name of the {} to delete it: {}", k.word, k.name)));
    }
    let before = count(&change.tx, thing).await?;
    let (of, id) = releases_of(thing);
    let inside = format!("release IN (SELECT id FROM release WHERE {of})");
    let select = format!("SELECT DISTINCT blob FROM document WHERE {inside}");
    let blobs: Vec<(String,)> = sql::rows(&change.tx, what, &select, vec![id.into()]).await?;
    let blobs: Vec<String> = blobs.into_iter().map(|b| b.0).collect();
    let product = match thing {
        Thing::Release(id) => {
            Some(release_of(&change.tx, change.actor, id).await?).filter(|r| r.latest).map(|r| r.product)
        }
        _ => None,
    };
    let decisions = match thing {
        Thing::Line(_) => "product IN (SELECT id FROM product WHERE line = $1)",
        Thing::Product(_) => "product = $1",
        Thing::Release(_) => "1 = 0",
    };
    // Rows that name no table they belong to by a key; everything else goes with its release.
    let first = format!(
        "DELETE FROM decision WHERE {inside} OR {decisions} OR finding IN (SELECT id FROM finding WHERE {inside})"
    );
    let mut statements = vec![first, format!("DELETE FROM release WHERE {of}")];
    if let Thing::Product(_) = thing {
        statements.push("DELETE FROM stakeholder WHERE product = $1".to_owned());
        statements.push("DELETE FROM product WHERE id = $1".to_owned());
    }
    if let Thing::Line(_) = thing {
        let of = "product IN (SELECT id FROM product WHERE line = $1)";
        statements.push(format!("DELETE FROM stakeholder WHERE line = $1 OR {of}"));
        statements.push("DELETE FROM licence_rule WHERE line = $1".to_owned());
        statements.push("DELETE FROM membership WHERE line = $1".to_owned());
        statements.push("DELETE FROM invitation WHERE line = $1".to_owned());
        statements.push("DELETE FROM product WHERE line = $1".to_owned());
        statements.push("DELETE FROM line WHERE id = $1".to_owned());
    }
    if let Thing::Line(_) = thing {
        // An id may come again: no key may reach a line that it was not made for.
        let revoke = "UPDATE api_key SET revoked = $2 WHERE line = $1 AND revoked IS NULL";
        sql::run(&change.tx, what, revoke, vec![id.into(), change.actor.now.clone().into()]).await?;
    }
    for statement in statements {
        sql::run(&change.tx, what, &statement, vec![id.into()]).await?;
    }
    if let Some(product) = product {
        let latest =
            "UPDATE release SET latest = 1 WHERE id = (SELECT MAX(id) FROM release WHERE product = $1)";
        sql::run(&change.tx, what, latest, vec![product.into()]).await?;
    }
    let orphans = format!(
        "DELETE FROM blob WHERE hash IN {} AND NOT EXISTS (SELECT 1 FROM document d WHERE d.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM vex_import v WHERE v.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM held_upload h WHERE h.blob = blob.hash)",
        sql::texts(&change.tx, 1)
    );
    sql::run(&change.tx, what, &orphans, vec![sql::list(&blobs)]).await?;
    let action = match thing {
        Thing::Line(_) => "line.delete",
        Thing::Product(_) => "product.delete",
        Thing::Release(_) => "release.delete",
    };
    change.record(action, k.subject, &k.name, &before, &());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_days() {
        for (text, good) in [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("2100-02-29", false),
            ("2024-13-01", false),
            ("2024-1-1", false),
            ("2024/01/01", false),
            ("", true),
        ] {
            assert_eq!(day("d", Some(text)).is_ok(), good, "{text}");
        }
    }
}

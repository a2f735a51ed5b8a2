//! What programs say of a release beyond what Tocsin itself asks: a release it belongs to, a kind, fields and
//! properties. They are kept and given back; nothing is decided by them.

use std::collections::HashMap;

use sea_orm::{DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{in_lines, release_of};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Most bytes of all fields of a release together.
const FIELDS: usize = 100_000;
/// Most properties of a release.
const PROPERTIES: i64 = 1_000;
/// Most releases above one another.
const DEPTH: usize = 100;

/// What is said of a release.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Card {
    /// The release it is part of.
    pub parent: Option<i64>,
    /// CycloneDX component type, or empty.
    pub kind: String,
    /// Whatever else, by name.
    pub fields: Map<String, Json>,
}

/// A property of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Group of the name.
    pub group: String,
    /// Name, unique in its group.
    pub name: String,
    /// Value as text.
    pub value: String,
    /// What the text is: `STRING`, `BOOLEAN` …
    pub kind: String,
    /// What it is for, or empty.
    pub description: String,
}

type Row = (i64, Option<i64>, String, String);

fn card((release, parent, kind, fields): Row) -> (i64, Card) {
    (release, Card { parent, kind, fields: serde_json::from_str(&fields).unwrap_or_default() })
}

/// What is said of releases that the actor may see, by release; those of whom nothing is said are missing.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn cards(db: &DatabaseConnection, actor: &Actor) -> Result<HashMap<i64, Card>> {
    let mut values = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT c.release, c.parent, c.kind, c.fields FROM card c JOIN release r ON r.id = c.release \
         JOIN product p ON p.id = r.product WHERE r.workspace = $1{scope}"
    );
    let rows: Vec<Row> = sql::rows(db, "reading what is said of releases", &select, values).await?;
    Ok(rows.into_iter().map(card).collect())
}

/// Says something of a release, in place of what was said.
///
/// # Errors
/// Denied; [`Error::NotFound`] for the release or its parent; [`Error::Rejected`]: it is too much, or the release
/// would be part of itself.
pub async fn set_card(change: &mut Change<'_>, release: i64, new: &Card) -> Result<()> {
    let what = "saying something of a release";
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let fields = serde_json::to_string(&new.fields).unwrap_or_default();
    if fields.len() > FIELDS || new.kind.len() > 100 {
        let message = format!("all fields together are at most {FIELDS} bytes");
        return Err(Error::Rejected { field: "fields".to_owned(), message });
    }
    let select = "SELECT release, parent, kind, fields FROM card WHERE release = $1";
    let mut above = new.parent;
    for _ in 0..DEPTH {
        let Some(id) = above else { break };
        if id == release {
            let message = "a release is not part of itself or of what is part of it".to_owned();
            return Err(Error::Rejected { field: "parent".to_owned(), message });
        }
        release_of(&change.tx, change.actor, id).await?;
        let row: Option<Row> = sql::row(&change.tx, what, select, vec![id.into()]).await?;
        above = row.and_then(|r| r.1);
    }
    if above.is_some() {
        let message = format!("at most {DEPTH} releases are above one another");
        return Err(Error::Rejected { field: "parent".to_owned(), message });
    }
    let before: Option<Row> = sql::row(&change.tx, what, select, vec![release.into()]).await?;
    let before = before.map(|row| card(row).1);
    if before.as_ref() == Some(new) {
        return Ok(());
    }
    let write = "INSERT INTO card (release, parent, kind, fields) VALUES ($1, $2, $3, $4) ON CONFLICT (release) \
                 DO UPDATE SET parent = excluded.parent, kind = excluded.kind, fields = excluded.fields";
    let values = vec![release.into(), new.parent.into(), sql::text(&new.kind), sql::text(&fields)];
    sql::run(&change.tx, what, write, values).await?;
    let name = format!("{} {}", r.product_name, r.version);
    change.record("release.describe", format!("release/{release}"), &name, &before, new);
    Ok(())
}

/// Properties of a release, by group and name.
///
/// # Errors
/// As [`release_of`].
pub async fn properties(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Property>> {
    release_of(db, actor, release).await?;
    let select =
        "SELECT grp, name, value, kind, description FROM property WHERE release = $1 ORDER BY grp, name";
    type Row = (String, String, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "listing properties", select, vec![release.into()]).await?;
    let one = |(group, name, value, kind, description)| Property { group, name, value, kind, description };
    Ok(rows.into_iter().map(one).collect())
}

/// Gives a release a property, or another value to one that it has; tells what it was before.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: a text is too long, or there are too many.
pub async fn set_property(change: &mut Change<'_>, release: i64, new: &Property) -> Result<Option<Property>> {
    let what = "setting a property";
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let texts = [&new.group, &new.name, &new.kind, &new.description];
    if new.name.is_empty() || new.value.len() > 1024 || texts.iter().any(|t| t.len() > 255) {
        let message = "a property has a name; names have at most 255 bytes and a value 1,024".to_owned();
        return Err(Error::Rejected { field: "propertyName".to_owned(), message });
    }
    let before = read_property(change, release, &new.group, &new.name).await?;
    if before.is_none() {
        let count = "SELECT COUNT(*) FROM property WHERE release = $1";
        let row: Option<(i64,)> = sql::row(&change.tx, what, count, vec![release.into()]).await?;
        if row.is_some_and(|n| n.0 >= PROPERTIES) {
            let message = format!("a release has at most {PROPERTIES} properties");
            return Err(Error::Rejected { field: "propertyName".to_owned(), message });
        }
    }
    let write = "INSERT INTO property (release, grp, name, value, kind, description) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (release, grp, name) DO UPDATE SET value = excluded.value, kind = excluded.kind, \
                 description = excluded.description";
    let mut values: Vec<Value> = vec![release.into(), sql::text(&new.group), sql::text(&new.name)];
    values.extend([sql::text(&new.value), sql::text(&new.kind), sql::text(&new.description)]);
    sql::run(&change.tx, what, write, values).await?;
    let name = format!("{} {}", r.product_name, r.version);
    change.record("release.property", format!("release/{release}"), &name, &before, new);
    Ok(before)
}

async fn read_property(
    change: &Change<'_>,
    release: i64,
    group: &str,
    name: &str,
) -> Result<Option<Property>> {
    let select =
        "SELECT value, kind, description FROM property WHERE release = $1 AND grp = $2 AND name = $3";
    let values = vec![release.into(), sql::text(group), sql::text(name)];
    let row: Option<(String, String, String)> =
        sql::row(&change.tx, "reading a property", select, values).await?;
    let (group, name) = (group.to_owned(), name.to_owned());
    Ok(row.map(|(value, kind, description)| Property { group, name, value, kind, description }))
}

/// Takes a property away.
///
/// # Errors
/// Denied; [`Error::NotFound`] for the release or the property.
pub async fn remove_property(
    change: &mut Change<'_>,
    release: i64,
    group: &str,
    name: &str,
) -> Result<Property> {
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let before = read_property(change, release, group, name).await?;
    let before = before.ok_or_else(|| Error::NotFound(format!("property {group} {name}")))?;
    let delete = "DELETE FROM property WHERE release = $1 AND grp = $2 AND name = $3";
    let values = vec![release.into(), sql::text(group), sql::text(name)];
    sql::run(&change.tx, "taking a property away", delete, values).await?;
    let called = format!("{} {}", r.product_name, r.version);
    change.record("release.property", format!("release/{release}"), &called, &before, &());
    Ok(before)
}

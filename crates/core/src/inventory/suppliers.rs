//! Who supplies components, as documents name them, and how to reach them.

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;

use super::{in_lines, named};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// A supplier with what it supplies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Supplier {
    /// Name, as documents give it.
    pub name: String,
    /// Distinct components of it in releases that the actor may see.
    pub components: i64,
    /// Releases that hold some of them.
    pub releases: i64,
    /// How to reach its security team: a mail address or web page, or empty.
    pub contact: String,
    /// Where it publishes advisories, or empty.
    pub address: String,
    /// In words.
    pub note: String,
}

/// Suppliers whose name holds `text`, by name; those after `after`, at most `most`.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn suppliers(
    db: &DatabaseConnection,
    actor: &Actor,
    text: &str,
    after: &str,
    most: u64,
) -> Result<Vec<Supplier>> {
    let mut values: Vec<Value> = vec![actor.workspace.into(), super::like(text).into(), after.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    values.push((most as i64).into());
    // Names first, bounded; what they supply is counted for those alone: releases as they are kept by supplier, components
    // one by one, each asked whether any release that may be seen holds it.
    let select = format!(
        "WITH named AS (SELECT x.supplier AS name, COUNT(*) AS releases FROM release_supplier x \
         JOIN release r ON r.id = x.release JOIN product p ON p.id = r.product WHERE x.supplier > $3 \
         AND LOWER(x.supplier) LIKE $2 ESCAPE '!' AND r.workspace = $1{scope} GROUP BY x.supplier ORDER BY 1 LIMIT ${}) \
         SELECT n.name, (SELECT COUNT(*) FROM component c WHERE c.supplier = n.name AND c.supplier <> '' AND EXISTS \
         (SELECT 1 FROM occurrence o JOIN release r ON r.id = o.release JOIN product p ON p.id = r.product \
         WHERE o.component = c.id AND r.workspace = $1{scope})), n.releases, COALESCE(s.contact, ''), \
         COALESCE(s.address, ''), COALESCE(s.note, '') FROM named n LEFT JOIN supplier s ON s.workspace = $1 \
         AND s.name = n.name ORDER BY n.name",
        values.len()
    );
    type Row = (String, i64, i64, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "listing suppliers", &select, values).await?;
    let supplier = |(name, components, releases, contact, address, note)| Supplier {
        name,
        components,
        releases,
        contact,
        address,
        note,
    };
    Ok(rows.into_iter().map(supplier).collect())
}

/// Notes anew who supplies something in a release; its occurrences are in place.
pub(super) async fn count(change: &Change<'_>, release: i64) -> Result<()> {
    let what = "noting the suppliers of a release";
    let delete = "DELETE FROM release_supplier WHERE release = $1";
    sql::run(&change.tx, what, delete, vec![release.into()]).await?;
    let insert = "INSERT INTO release_supplier (release, supplier) SELECT DISTINCT o.release, c.supplier FROM occurrence o \
                  JOIN component c ON c.id = o.component WHERE o.release = $1 AND c.supplier <> ''";
    sql::run(&change.tx, what, insert, vec![release.into()]).await?;
    Ok(())
}

/// How to reach a supplier; empty texts where nothing is noted.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn supplier(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<Supplier> {
    actor.need(Permission::InventoryRead)?;
    let select = "SELECT contact, address, note FROM supplier WHERE workspace = $1 AND name = $2";
    let values = vec![actor.workspace.into(), sql::text(name)];
    let row: Option<(String, String, String)> = sql::row(db, "reading a supplier", select, values).await?;
    let (contact, address, note) = row.unwrap_or_default();
    Ok(Supplier { name: name.to_owned(), contact, address, note, ..Supplier::default() })
}

/// Notes how to reach a supplier.
///
/// # Errors
/// Denied (it holds for the whole workspace); [`Error::Rejected`]: the name or address does not do.
pub async fn note_supplier(change: &mut Change<'_>, s: &Supplier) -> Result<()> {
    change.actor.need_everywhere(Permission::InventoryWrite)?;
    let name = named("supplier", &s.name)?;
    let address = s.address.trim();
    if !address.is_empty() && !address.starts_with("https://") && !address.starts_with("http://") {
        let message = "an address begins with https://".to_owned();
        return Err(Error::Rejected { field: "address".to_owned(), message });
    }
    for (field, text) in [("contact", &s.contact), ("address", &s.address), ("note", &s.note)] {
        if text.len() > 4_000 {
            return Err(Error::Rejected {
                field: field.to_owned(),
                message: "at most 4,000 bytes".to_owned(),
            });
        }
    }
    let what = "noting a supplier";
    let select = "SELECT contact, address, note FROM supplier WHERE workspace = $1 AND name = $2";
    let values = vec![change.actor.workspace.into(), sql::text(&name)];
    let before: Option<(String, String, String)> = sql::row(&change.tx, what, select, values).await?;
    let after = (s.contact.trim().to_owned(), address.to_owned(), s.note.trim().to_owned());
    if before.as_ref() == Some(&after) {
        return Ok(());
    }
    let insert = "INSERT INTO supplier (workspace, name, contact, address, note, changed) VALUES ($1, $2, $3, $4, $5, $6) \
                  ON CONFLICT (workspace, name) DO UPDATE SET contact = $3, address = $4, note = $5, changed = $6";
    let values = vec![
        change.actor.workspace.into(),
        sql::text(&name),
        sql::text(&after.0),
        sql::text(&after.1),
        sql::text(&after.2),
        change.actor.now.clone().into(),
    ];
    sql::run(&change.tx, what, insert, values).await?;
    change.record("supplier.note", format!("supplier/{name}"), &name, &before, &after);
    Ok(())
}

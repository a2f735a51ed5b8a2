//! When a program last sent a release's document: also where it was the document that the release has already.

use sea_orm::DatabaseConnection;
use std::collections::HashMap;

use super::{in_lines, release_of};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// The current document of a release, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// When it was last sent.
    pub at: String,
    /// See [`super::Document::format`].
    pub format: String,
    /// See [`super::Document::spec`].
    pub spec: String,
}

/// Notes that a release's document was sent just now.
///
/// # Errors
/// Denied; [`crate::Error::NotFound`] as [`release_of`].
pub async fn note_import(change: &mut Change<'_>, release: i64) -> Result<()> {
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::SbomUpload, r.line)?;
    let write = "INSERT INTO release_import (release, at) VALUES ($1, $2) ON CONFLICT (release) DO UPDATE SET \
                 at = excluded.at";
    let values = vec![release.into(), change.actor.now.clone().into()];
    sql::run(&change.tx, "noting an import", write, values).await?;
    Ok(())
}

/// Current documents by release, of the releases that the actor may see.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn imported(db: &DatabaseConnection, actor: &Actor) -> Result<HashMap<i64, Imported>> {
    let mut values = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT d.release, CASE WHEN i.at > d.uploaded THEN i.at ELSE d.uploaded END, d.format, d.spec \
         FROM document d JOIN release r ON r.id = d.release JOIN product p ON p.id = r.product \
         LEFT JOIN release_import i ON i.release = d.release WHERE r.workspace = $1 AND d.state = 'current'{scope}"
    );
    let rows: Vec<(i64, String, String, String)> =
        sql::rows(db, "listing current documents", &select, values).await?;
    Ok(rows.into_iter().map(|(release, at, format, spec)| (release, Imported { at, format, spec })).collect())
}

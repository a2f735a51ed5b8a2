//! Taking a release away for good. The audit trail keeps that it was there.

use sea_orm::Value;

use super::release_of;
use crate::error::Result;
use crate::platform::access::Permission;
use crate::platform::change::Change;
use crate::platform::sql;

/// Removes a release with its documents, findings and what was decided of them alone. Decisions that reach further
/// stay. The newest that is left becomes its product's latest.
///
/// # Errors
/// Denied; [`crate::Error::NotFound`].
pub async fn remove_release(change: &mut Change<'_>, release: i64) -> Result<()> {
    let what = "removing a release";
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let id = || -> Vec<Value> { vec![release.into()] };
    let select = "SELECT DISTINCT blob FROM document WHERE release = $1";
    let blobs: Vec<(String,)> = sql::rows(&change.tx, what, select, id()).await?;
    let end = "UPDATE decision SET ended = $2, ending = 'removed' WHERE ended IS NULL AND (release = $1 OR finding IN \
               (SELECT id FROM finding WHERE release = $1))";
    sql::run(&change.tx, what, end, vec![release.into(), change.actor.now.clone().into()]).await?;
    sql::run(&change.tx, what, "DELETE FROM release WHERE id = $1", id()).await?;
    let blobs: Vec<String> = blobs.into_iter().map(|b| b.0).collect();
    let orphans = format!(
        "DELETE FROM blob WHERE hash IN {} AND NOT EXISTS (SELECT 1 FROM document d WHERE d.blob = blob.hash) \
         AND NOT EXISTS (SELECT 1 FROM job j WHERE j.blob = blob.hash)",
        sql::texts(&change.tx, 1)
    );
    sql::run(&change.tx, what, &orphans, vec![sql::list(&blobs)]).await?;
    if r.latest {
        let latest =
            "UPDATE release SET latest = 1 WHERE id = (SELECT MAX(id) FROM release WHERE product = $1)";
        sql::run(&change.tx, what, latest, vec![r.product.into()]).await?;
    }
    let name = format!("{} {}", r.product_name, r.version);
    change.record("release.remove", format!("release/{release}"), &name, &r, &());
    Ok(())
}

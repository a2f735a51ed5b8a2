//! Holding a finding: nobody else changes it until the change ends.

use crate::error::{Error, Result};
use crate::platform::access::Permission;
use crate::platform::change::Change;
use crate::platform::sql;

use super::{Evidence, Finding, query};

/// Reads a finding and holds its row until the change ends, so that what was read is still so when it is changed.
///
/// # Errors
/// As [`super::finding`].
pub async fn hold(change: &Change<'_>, id: i64) -> Result<(Finding, Vec<Evidence>)> {
    change.actor.need(Permission::FindingRead)?;
    let update = "UPDATE finding SET id = id WHERE id = $1 AND workspace = $2";
    let values = vec![id.into(), change.actor.workspace.into()];
    if sql::run(&change.tx, "holding a finding", update, values).await? == 0 {
        return Err(Error::NotFound(format!("finding {id}")));
    }
    query::finding(&change.tx, change.actor, id).await
}

//! Licences of what a release holds.

use sea_orm::DatabaseConnection;
use serde::Serialize;

use super::release_of;
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::sql;

/// A licence as documents give it: an SPDX expression, or a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Licence {
    /// The licence; empty for components that name none.
    pub name: String,
    /// Distinct components of the release with it.
    pub components: i64,
}

/// Licences in a release, the most common first, components without one last.
///
/// # Errors
/// As [`release_of`].
pub async fn licences(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Licence>> {
    release_of(db, actor, release).await?;
    let select = "SELECT licence, COUNT(*), 0 AS last FROM occurrence_licence WHERE release = $1 AND licence <> '' \
                  GROUP BY licence UNION ALL SELECT '', COUNT(*), 1 FROM occurrence WHERE release = $1 \
                  AND licences = '' HAVING COUNT(*) > 0 ORDER BY 3, 2 DESC, 1";
    let rows: Vec<(String, i64)> = sql::rows(db, "listing licences", select, vec![release.into()]).await?;
    Ok(rows.into_iter().map(|(name, components)| Licence { name, components }).collect())
}

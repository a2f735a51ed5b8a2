//! Components of a release with all that identifies them, for programs.

use sea_orm::DatabaseConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::release_of;
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::sql;

/// A component of a release.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Part {
    /// Id.
    pub id: i64,
    /// CycloneDX component type.
    pub kind: String,
    /// Group, or empty.
    pub group: String,
    /// Name without the group.
    pub name: String,
    /// Version, or empty.
    pub version: String,
    /// Package URL, or empty.
    pub purl: String,
    /// CPE names.
    pub cpes: Vec<String>,
    /// Licences as the document gives them.
    pub licences: String,
    /// Scope as the document gives it, or empty.
    pub scope: String,
    /// References and locations in the document.
    pub places: Vec<String>,
    /// Named by the product itself.
    pub direct: bool,
}

/// Every component of a release, by name and version.
///
/// # Errors
/// As [`release_of`].
pub async fn parts(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Part>> {
    release_of(db, actor, release).await?;
    let select = "SELECT c.id, c.kind, c.grp, c.name, c.version, c.purl, c.cpes, o.licences, o.scope, o.places, \
                  o.direct FROM occurrence o JOIN component c ON c.id = o.component WHERE o.release = $1 \
                  ORDER BY c.name, c.version, c.id";
    type Row = (i64, String, String, String, String, String, String, String, String, String, i64);
    let rows: Vec<Row> =
        sql::rows(db, "reading what the release holds", select, vec![release.into()]).await?;
    let list = |json: String| serde_json::from_str(&json).unwrap_or_default();
    let part = |(id, kind, group, name, version, purl, cpes, licences, scope, places, direct): Row| Part {
        id,
        kind,
        group,
        name,
        version,
        purl,
        cpes: list(cpes),
        licences,
        scope,
        places: list(places),
        direct: direct != 0,
    };
    Ok(rows.into_iter().map(part).collect())
}

/// Which component of a release needs which: (the one that needs, the one that is needed), by id.
///
/// # Errors
/// As [`release_of`].
pub async fn edges(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<(i64, i64)>> {
    release_of(db, actor, release).await?;
    let select = "SELECT parent, child FROM edge WHERE release = $1 ORDER BY parent, child";
    sql::rows(db, "reading who needs whom", select, vec![release.into()]).await
}

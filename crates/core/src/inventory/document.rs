//! Documents of a release: original bytes by their hash, and what each changed against the one before.

use std::collections::{HashMap, HashSet};

use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tocsin_engine::matching::upstream_of;
use tocsin_model::bom::Bom;
use tocsin_model::purl::Purl;
use utoipa::ToSchema;

use super::release_of;
use crate::error::{Doing, Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::sql;

/// What a document changed: numbers, and the components by name and version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// Components that were not there.
    pub added: usize,
    /// Components that are gone.
    pub removed: usize,
    /// Components of the same name in another version: (name, before, after).
    pub changed: Vec<(String, String, String)>,
    /// Ids of components that are gone, with the id of the version that took their place.
    #[serde(skip)]
    pub(crate) gone: HashMap<i64, Option<Successor>>,
}

/// What took the place of a component that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Successor {
    /// Its id.
    pub id: i64,
    /// How it differs.
    pub how: How,
}

/// How a component took the place of another of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// In another version.
    Upgraded,
    /// In another revision of the distribution's package of the same upstream version.
    Revised,
    /// In the same version; the document tells something else of it (package URL, CPE names, supplier …).
    Told,
}

/// How `new` differs from `old`.
fn how(old: &Row, new: &Row) -> How {
    if old.version == new.version {
        return How::Told;
    }
    let upstream = |row: &Row| upstream_of(&Purl::parse(&row.purl).ok()?, &row.version);
    match (upstream(old), upstream(new)) {
        (Some(a), Some(b)) if a == b => How::Revised,
        _ => How::Upgraded,
    }
}

/// A document as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// Id.
    pub id: i64,
    /// File name.
    pub name: String,
    /// Format and how it was written: `CycloneDX 1.6 json`.
    pub format: String,
    /// Specification version.
    pub spec: String,
    /// Serial number or namespace.
    pub serial: String,
    /// When it was uploaded.
    pub uploaded: String,
    /// By whom.
    pub actor: String,
    /// Components in it.
    pub components: i64,
    /// SHA-256 of its bytes.
    pub blob: String,
    /// Remarks of the reader, JSON.
    pub diagnostics: String,
    /// See [`Difference`], JSON.
    pub difference: String,
}

impl Document {
    pub(super) fn draft(bom: &Bom, name: &str, blob: String, difference: &Difference) -> Document {
        #[derive(Serialize)]
        struct Remark<'a> {
            code: &'a str,
            path: &'a str,
            message: &'a str,
        }
        let remarks: Vec<Remark<'_>> = bom
            .diagnostics
            .iter()
            .take(1000)
            .map(|d| Remark { code: d.code, path: &d.path, message: &d.message })
            .collect();
        Document {
            id: 0,
            name: name.to_owned(),
            format: format!("{} {}", bom.format.name, bom.format.encoding).trim().to_owned(),
            spec: bom.format.version.clone(),
            serial: bom.serial.clone().unwrap_or_default(),
            uploaded: String::new(),
            actor: String::new(),
            components: bom.components.len() as i64,
            blob,
            diagnostics: serde_json::to_string(&remarks).unwrap_or_default(),
            difference: serde_json::to_string(difference).unwrap_or_default(),
        }
    }
}

/// Stores bytes under their SHA-256 in hexadecimal, compressed; the same bytes are stored once.
pub(crate) async fn keep(change: &Change<'_>, bytes: &[u8]) -> Result<String> {
    let what = "storing a document";
    let hash = hash(bytes);
    // The row is held, also one that was there, so that it is not removed as unused before this change ends.
    let held = "UPDATE blob SET size = size WHERE hash = $1";
    if sql::run(&change.tx, what, held, vec![hash.clone().into()]).await? == 0 {
        let body = zstd::bulk::compress(bytes, 3).doing(what)?;
        store(change, &hash, bytes.len(), body).await?;
    }
    Ok(hash)
}

/// SHA-256 in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Stores compressed bytes under their hash.
pub(super) async fn store(change: &Change<'_>, hash: &str, size: usize, body: Vec<u8>) -> Result<()> {
    let insert = "INSERT INTO blob (hash, size, body) VALUES ($1, $2, $3) \
                  ON CONFLICT (hash) DO UPDATE SET size = excluded.size";
    let values = vec![hash.into(), (size as i64).into(), body.into()];
    sql::run(&change.tx, "storing a document", insert, values).await?;
    Ok(())
}

/// The release's current document: id and hash.
pub(super) async fn current(change: &Change<'_>, release: i64) -> Result<Option<(i64, String)>> {
    let select = "SELECT id, blob FROM document WHERE release = $1 AND state = 'current'";
    sql::row(&change.tx, "reading documents", select, vec![release.into()]).await
}

/// Adds a document as the current one.
pub(super) async fn insert(change: &Change<'_>, release: i64, d: &Document) -> Result<i64> {
    let what = "storing a document";
    let update = "UPDATE document SET state = 'replaced' WHERE release = $1 AND state = 'current'";
    sql::run(&change.tx, what, update, vec![release.into()]).await?;
    let insert = "INSERT INTO document (release, blob, name, format, spec, serial, uploaded, actor, components, \
                  state, diagnostics, difference) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'current', $10, $11) \
                  RETURNING id";
    let values = vec![
        release.into(),
        d.blob.clone().into(),
        sql::text(&d.name),
        d.format.clone().into(),
        d.spec.clone().into(),
        sql::text(&d.serial),
        change.actor.now.clone().into(),
        change.actor.name.clone().into(),
        d.components.into(),
        sql::text(&d.diagnostics),
        sql::text(&d.difference),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    row.map(|r| r.0).ok_or_else(|| Error::NotFound("the document".to_owned()))
}

/// Ids of the components that a release holds.
pub(super) async fn content(change: &Change<'_>, release: i64) -> Result<Vec<i64>> {
    let select = "SELECT component FROM occurrence WHERE release = $1";
    let rows: Vec<(i64,)> =
        sql::rows(&change.tx, "reading what the release holds", select, vec![release.into()]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// What is different between two contents. A component that went while another of its kind, group and name came
/// was changed.
pub(super) async fn difference(change: &Change<'_>, before: &[i64], after: &[i64]) -> Result<Difference> {
    let (old, new): (HashSet<i64>, HashSet<i64>) =
        (before.iter().copied().collect(), after.iter().copied().collect());
    let gone: Vec<i64> = old.difference(&new).copied().collect();
    let come: Vec<i64> = new.difference(&old).copied().collect();
    if before.is_empty() || (gone.is_empty() && come.is_empty()) {
        return Ok(Difference { added: come.len(), ..Difference::default() });
    }
    let gone = named(change, &gone).await?;
    let mut come = named(change, &come).await?;
    let mut d = Difference::default();
    for (key, list) in gone {
        let mut replacements = come.remove(&key).unwrap_or_default();
        // what is the same version told otherwise is nobody else's successor
        let (told, list): (Vec<Row>, Vec<Row>) =
            list.into_iter().partition(|old| replacements.iter().any(|new| new.version == old.version));
        for old in told.into_iter().chain(list) {
            let same = replacements.iter().position(|new| new.version == old.version);
            match same.or_else(|| (!replacements.is_empty()).then_some(0)).map(|n| replacements.remove(n)) {
                Some(new) => {
                    let how = how(&old, &new);
                    d.changed.push((key.clone(), old.version, new.version));
                    d.gone.insert(old.id, Some(Successor { id: new.id, how }));
                }
                None => {
                    d.removed += 1;
                    d.gone.insert(old.id, None);
                }
            }
        }
        d.added += replacements.len();
    }
    d.added += come.values().map(Vec::len).sum::<usize>();
    d.changed.sort();
    Ok(d)
}

type Named = HashMap<String, Vec<Row>>;

/// A component as differences look at it.
struct Row {
    id: i64,
    version: String,
    purl: String,
}

/// Components by kind-less name; each with id and version, in order of versions as text.
async fn named(change: &Change<'_>, ids: &[i64]) -> Result<Named> {
    let mut map = Named::new();
    for chunk in ids.chunks(20_000) {
        let select = format!(
            "SELECT id, grp, name, version, purl FROM component WHERE id IN {} ORDER BY version, id",
            sql::numbers(&change.tx, 1)
        );
        let rows: Vec<(i64, String, String, String, String)> =
            sql::rows(&change.tx, "naming components", &select, vec![sql::list(chunk)]).await?;
        for (id, group, name, version, purl) in rows {
            let name = if group.is_empty() { name } else { format!("{group}/{name}") };
            map.entry(name).or_default().push(Row { id, version, purl });
        }
    }
    Ok(map)
}

/// Documents of a release, newest first.
///
/// # Errors
/// [`Error::NotFound`] as [`release_of`].
pub async fn documents(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Document>> {
    release_of(db, actor, release).await?;
    let select = "SELECT id, name, format, spec, serial, uploaded, actor, components, blob, diagnostics, difference \
                  FROM document WHERE release = $1 ORDER BY id DESC";
    type Row = (i64, String, String, String, String, String, String, i64, String, String, String);
    let rows: Vec<Row> = sql::rows(db, "listing documents", select, vec![release.into()]).await?;
    let document = |(
        id,
        name,
        format,
        spec,
        serial,
        uploaded,
        actor,
        components,
        blob,
        diagnostics,
        difference,
    ): Row| {
        Document {
            id,
            name,
            format,
            spec,
            serial,
            uploaded,
            actor,
            components,
            blob,
            diagnostics,
            difference,
        }
    };
    Ok(rows.into_iter().map(document).collect())
}

/// A document's name and original bytes.
///
/// # Errors
/// [`Error::NotFound`]; the stored bytes are not what was stored.
pub async fn original(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    document: i64,
) -> Result<(String, Vec<u8>)> {
    release_of(db, actor, release).await?;
    let what = "reading a document";
    let select = "SELECT d.name, b.size, b.body FROM document d JOIN blob b ON b.hash = d.blob \
                  WHERE d.release = $1 AND ($2 = 0 AND d.state = 'current' OR d.id = $2)";
    let row: Option<(String, i64, Vec<u8>)> =
        sql::row(db, what, select, vec![release.into(), document.into()]).await?;
    let (name, size, body) = row.ok_or_else(|| Error::NotFound(format!("document {document}")))?;
    Ok((name, zstd::bulk::decompress(&body, size as usize).doing(what)?))
}

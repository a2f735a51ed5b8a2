//! Large documents: their bytes are kept first, then a job reads them and puts them in place.

use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};

use super::{Release, document, release_of};
use crate::error::{Doing, Error, Result};
use crate::platform::access::Permission;
use crate::platform::change::Change;
use crate::platform::jobs::{self, New, Payload};
use crate::platform::sql;

/// What the job that reads a document is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Received {
    /// The release.
    pub release: i64,
    /// File name.
    pub name: String,
    /// SHA-256 of the bytes.
    pub blob: String,
}

impl Payload for Received {
    const KIND: &'static str = "sbom";
}

/// Bytes ready to be kept.
pub struct Packed {
    hash: String,
    size: usize,
    body: Vec<u8>,
}

/// Characters of a file name that are kept.
const NAME: usize = 200;

/// Compresses a document. Takes its time: call it where blocking is allowed.
///
/// # Errors
/// There is no memory for it.
pub fn pack(bytes: &[u8]) -> Result<Packed> {
    let body = zstd::bulk::compress(bytes, 3).doing("compressing a document")?;
    Ok(Packed { hash: document::hash(bytes), size: bytes.len(), body })
}

/// Subject of the jobs of a release.
fn subject(release: i64) -> String {
    format!("release/{release}")
}

/// Keeps a document for a release and writes the job down that reads it; the job's id. Jobs of one release run in the
/// order in which documents came. The same bytes sent again while they wait are the same job.
///
/// # Errors
/// Denied; [`Error::NotFound`] as [`release_of`].
pub async fn receive(change: &mut Change<'_>, release: i64, name: &str, packed: Packed) -> Result<i64> {
    let r: Release = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::SbomUpload, r.line)?;
    super::hold(change, release).await?;
    document::store(change, &packed.hash, packed.size, packed.body).await?;
    let name: &str = name.char_indices().nth(NAME).map_or(name, |(end, _)| &name[..end]);
    let payload = Received { release, name: name.to_owned(), blob: packed.hash.clone() };
    let key = format!("sbom/{release}/{}", packed.hash);
    let new = New {
        title: format!("Read {name} for {} {}", r.product_name, r.version),
        subject: subject(release),
        line: r.line,
        key: Some(key.clone()),
        lane: Some(subject(release)),
        blob: Some(packed.hash),
        ..New::default()
    };
    if let Some(id) = jobs::enqueue(change, &payload, new).await? {
        let name = format!("{} {}", r.product_name, r.version);
        change.record("sbom.receive", subject(release), &name, &(), &(&payload.name, packed.size));
        return Ok(id);
    }
    let select = "SELECT id FROM job WHERE unique_key = $1 AND state IN ('waiting', 'running')";
    let row = sql::row::<(i64,)>(&change.tx, "looking for a job", select, vec![key.into()]).await?;
    let gone =
        || Error::Conflict("the same document was just read; send it again to read it anew".to_owned());
    row.map(|r| r.0).ok_or_else(gone)
}

/// Whether documents of a release wait to be read. One that comes now has to wait behind them.
///
/// # Errors
/// The database does not answer.
pub async fn waits(db: &DatabaseConnection, release: i64) -> Result<bool> {
    let select = "SELECT id FROM job WHERE lane = $1 AND state IN ('waiting', 'running') LIMIT 1";
    let row = sql::row::<(i64,)>(db, "looking for jobs", select, vec![subject(release).into()]).await?;
    Ok(row.is_some())
}

/// The bytes of a document that was received. For the job that reads it.
///
/// # Errors
/// [`Error::NotFound`]; what is stored is not what was stored.
pub async fn received(db: &DatabaseConnection, blob: &str) -> Result<Vec<u8>> {
    let what = "reading a document";
    let select = "SELECT size, body FROM blob WHERE hash = $1";
    let row: Option<(i64, Vec<u8>)> = sql::row(db, what, select, vec![blob.into()]).await?;
    let (size, body) = row.ok_or_else(|| Error::NotFound(format!("document {blob}")))?;
    zstd::bulk::decompress(&body, size as usize).doing(what)
}

/// Removes bytes that neither a document, a job, an upload that waits for a word nor a VEX document needs any more. Returns how many documents.
///
/// # Errors
/// The database does not answer, or one of them was just taken up again: then nothing is removed.
pub async fn sweep(change: &mut Change<'_>) -> Result<u64> {
    change.actor.need_everywhere(Permission::JobManage)?;
    let delete = "DELETE FROM blob WHERE NOT EXISTS (SELECT 1 FROM document d WHERE d.blob = blob.hash) \
                  AND NOT EXISTS (SELECT 1 FROM job j WHERE j.blob = blob.hash) \
                  AND NOT EXISTS (SELECT 1 FROM held_upload h WHERE h.blob = blob.hash) \
                  AND NOT EXISTS (SELECT 1 FROM vex_import v WHERE v.blob = blob.hash)";
    sql::run(&change.tx, "removing unused documents", delete, vec![]).await
}

//! The file of a backup: a tar archive with the database (compressed with Zstandard), the key file and, last, the
//! manifest, so that it can be opened with common tools too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::file::{Seen, Through};
use crate::error::{Doing, Error, Result};
use crate::platform::dump;
use crate::platform::vault::KEY_FILE;

/// Version of the archive's form.
pub const VERSION: u32 = 1;
/// Name of the manifest in the archive.
const MANIFEST: &str = "manifest.json";
/// Largest manifest and key file read.
const SMALL_MOST: u64 = 4 << 20;

/// What a backup was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// The file as SQLite wrote it (`VACUUM INTO`).
    Sqlite,
    /// An export of every table.
    Postgres,
}

impl Database {
    /// Name of the database in the archive.
    pub(crate) fn entry(self) -> &'static str {
        match self {
            Database::Sqlite => "tocsin.db.zst",
            Database::Postgres => "tocsin.jsonl.zst",
        }
    }
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name in the archive.
    pub name: String,
    /// Bytes in the archive.
    pub bytes: u64,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// Bytes without compression.
    pub content_bytes: u64,
    /// SHA-256 of them, in hexadecimal.
    pub content_sha256: String,
}

/// The audit trail as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Events.
    pub events: i64,
    /// The first event that does not follow from those before it; nothing where the chain is whole.
    pub broken_at: Option<i64>,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the archive's form.
    #[serde(rename = "tocsin-backup")]
    pub version: u32,
    /// When it was made (RFC 3339, UTC).
    pub made: String,
    /// Version of the program that made it.
    pub program: String,
    /// Kind of database.
    pub database: Database,
    /// Migrations of its schema, oldest first.
    #[serde(rename = "migrations")]
    pub schema: Vec<String>,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// The audit trail; nothing where the schema has none yet.
    pub audit: Option<Trail>,
    /// Whether the key file is in it. Without the key, sealed secrets cannot be opened.
    pub key: bool,
    /// Files of the archive but the manifest.
    pub files: Vec<Part>,
}

impl Manifest {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.values().sum()
    }
}

pub(crate) fn damaged(path: &Path, why: &str) -> Error {
    Error::Invalid {
        doing: "reading the backup".to_owned(),
        diagnostic: Diagnostic::new("backup-damaged", path.display().to_string(), why),
    }
}

/// Writes an archive front to back. The size of the database is known only when it is written, so its header is
/// put in afterwards.
pub(crate) struct Writer<'a> {
    out: &'a mut File,
    made: i64,
    parts: Vec<Part>,
}

const BLOCK: u64 = 512;

impl<'a> Writer<'a> {
    /// Begins; `made` is the time of the entries, in seconds since 1970.
    pub fn new(out: &'a mut File, made: i64) -> Writer<'a> {
        Writer { out, made, parts: Vec::new() }
    }

    fn header(&self, name: &str, bytes: u64) -> std::io::Result<tar::Header> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name)?;
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.made).unwrap_or(0));
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        Ok(header)
    }

    /// Adds an entry that `fill` writes, compressed.
    pub async fn compressed<T>(
        &mut self,
        name: &str,
        fill: impl AsyncFnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<T> {
        let what = "writing the backup";
        let start = self.out.stream_position().doing(what)?;
        self.out.seek(SeekFrom::Start(start + BLOCK)).doing(what)?;
        let (mut packed, mut content) = (Seen::default(), Seen::default());
        let filled = {
            let file = BufWriter::with_capacity(1 << 20, &mut *self.out);
            let file = Through { inner: file, seen: &mut packed };
            let mut encoder = zstd::Encoder::new(file, 3).doing(what)?;
            encoder.include_checksum(true).doing(what)?;
            let mut through = Through { inner: encoder, seen: &mut content };
            let filled = fill(&mut through).await?;
            let mut file = through.inner.finish().doing(what)?;
            file.flush().doing(what)?;
            filled
        };
        let padding = (BLOCK - packed.bytes % BLOCK) % BLOCK;
        self.out.write_all(&vec![0; usize::try_from(padding).unwrap_or(0)]).doing(what)?;
        let end = self.out.stream_position().doing(what)?;
        self.out.seek(SeekFrom::Start(start)).doing(what)?;
        self.out.write_all(self.header(name, packed.bytes).doing(what)?.as_bytes()).doing(what)?;
        self.out.seek(SeekFrom::Start(end)).doing(what)?;
        self.parts.push(Part {
            name: name.to_owned(),
            bytes: packed.bytes,
            sha256: packed.sha256(),
            content_bytes: content.bytes,
            content_sha256: content.sha256(),
        });
        Ok(filled)
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let what = "writing the backup";
        self.out.write_all(self.header(name, bytes.len() as u64).doing(what)?.as_bytes()).doing(what)?;
        self.out.write_all(bytes).doing(what)?;
        let padding = (BLOCK as usize - bytes.len() % BLOCK as usize) % BLOCK as usize;
        self.out.write_all(&vec![0; padding]).doing(what)
    }

    /// Adds a small file as it is.
    pub fn plain(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.entry(name, bytes)?;
        let seen = Seen::of(bytes);
        self.parts.push(Part {
            name: name.to_owned(),
            bytes: seen.bytes,
            sha256: seen.sha256(),
            content_bytes: seen.bytes,
            content_sha256: seen.sha256(),
        });
        Ok(())
    }

    /// Ends with the manifest, to which the files are added.
    pub fn finish(mut self, mut manifest: Manifest) -> Result<Manifest> {
        manifest.files = std::mem::take(&mut self.parts);
        let mut text = serde_json::to_vec_pretty(&manifest)
            .map_err(std::io::Error::from)
            .doing("writing the backup's manifest")?;
        text.push(b'\n');
        self.entry(MANIFEST, &text)?;
        self.out.write_all(&[0; 2 * BLOCK as usize]).doing("writing the backup")?;
        Ok(manifest)
    }
}

/// Whether a file begins as a backup does.
///
/// # Errors
/// The file cannot be read.
pub fn recognise(path: &Path) -> std::io::Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let mut archive = tar::Archive::new(File::open(path)?);
    let Ok(mut entries) = archive.entries() else { return Ok(false) };
    let Some(Ok(entry)) = entries.next() else { return Ok(false) };
    let name = entry.path_bytes().into_owned();
    Ok([Database::Sqlite, Database::Postgres].iter().any(|d| d.entry().as_bytes() == name.as_slice()))
}

/// Calls `each` with the entries of an archive by name.
async fn entries(
    path: &Path,
    mut each: impl AsyncFnMut(&str, tar::Entry<'_, BufReader<File>>) -> Result<bool>,
) -> Result<()> {
    let file = File::open(path).doing(&format!("opening {}", path.display()))?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 18, file));
    let broken = |e: std::io::Error| damaged(path, &excerpt(&e.to_string()));
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !each(&name, entry).await? {
            return Ok(());
        }
    }
    Ok(())
}

fn small(path: &Path, mut entry: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = Read::by_ref(&mut entry).take(SMALL_MOST + 1).read_to_end(&mut bytes);
    read.map_err(|e| damaged(path, &excerpt(&e.to_string())))?;
    if bytes.len() as u64 > SMALL_MOST {
        return Err(damaged(path, &format!("a small file of it is larger than {SMALL_MOST} bytes")));
    }
    Ok(bytes)
}

/// Reads every byte of a backup and compares it with its manifest; an export in it is read row by row.
///
/// # Errors
/// It cannot be read, is no backup, or is damaged.
pub async fn verify(path: &Path, progress: dump::Progress<'_>) -> Result<Manifest> {
    let mut found: Vec<Part> = Vec::new();
    let mut manifest: Option<Manifest> = None;
    let mut rows: Option<BTreeMap<String, u64>> = None;
    entries(path, async |name, mut entry| {
        if manifest.is_some() || found.iter().any(|p| p.name == name) {
            return Err(damaged(
                path,
                &format!("{} stands in it twice or behind the manifest", excerpt(name)),
            ));
        }
        let (mut packed, mut content) = (Seen::default(), Seen::default());
        if name == MANIFEST {
            let text = small(path, entry)?;
            let read: Manifest =
                serde_json::from_slice(&text).map_err(|e| damaged(path, &format!("its manifest: {e}")))?;
            manifest = Some(read);
            return Ok(true);
        } else if name == KEY_FILE {
            content = Seen::of(&small(path, &mut entry)?);
            packed.clone_from(&content);
        } else if name == Database::Postgres.entry() {
            let through = Through { inner: &mut entry, seen: &mut packed };
            let decoder = zstd::Decoder::new(through).map_err(|e| damaged(path, &excerpt(&e.to_string())))?;
            let content = Through { inner: decoder, seen: &mut content };
            let source: dump::Source<'_> = Box::new(BufReader::with_capacity(1 << 18, content));
            let checked = dump::check(source, progress).await.map_err(|e| match e {
                Error::Invalid { diagnostic, .. } => damaged(path, &format!("its export: {diagnostic}")),
                other => other,
            })?;
            rows = Some(checked.tables);
        } else if name == Database::Sqlite.entry() {
            let through = Through { inner: &mut entry, seen: &mut packed };
            let decoder = zstd::Decoder::new(through).map_err(|e| damaged(path, &excerpt(&e.to_string())))?;
            let mut content = Through { inner: decoder, seen: &mut content };
            std::io::copy(&mut content, &mut std::io::sink())
                .map_err(|e| damaged(path, &excerpt(&e.to_string())))?;
        } else {
            return Err(damaged(path, &format!("{} is no file of a backup", excerpt(name))));
        }
        found.push(Part {
            name: name.to_owned(),
            bytes: packed.bytes,
            sha256: packed.sha256(),
            content_bytes: content.bytes,
            content_sha256: content.sha256(),
        });
        Ok(true)
    })
    .await?;
    let manifest = manifest
        .ok_or_else(|| damaged(path, "it is no backup, or was cut short: it does not end with a manifest"))?;
    if manifest.version != VERSION {
        let why = format!("it has form {}, and this program reads form {VERSION}", manifest.version);
        return Err(damaged(path, &why));
    }
    if manifest.files != found || !found.iter().any(|p| p.name == manifest.database.entry()) {
        let differs =
            found.iter().find(|p| !manifest.files.contains(p)).map_or("a file", |p| p.name.as_str());
        return Err(damaged(path, &format!("{differs} is not what the manifest says")));
    }
    if rows.is_some_and(|rows| rows != manifest.tables) {
        return Err(damaged(path, "its tables are not those of the manifest"));
    }
    Ok(manifest)
}

/// Unpacks the database of a verified backup.
pub(crate) async fn unpack(path: &Path, manifest: &Manifest, out: &mut dyn Write) -> Result<()> {
    let wanted = manifest.database.entry();
    let part = manifest.files.iter().find(|p| p.name == wanted);
    let part = part.ok_or_else(|| damaged(path, "the database is missing"))?;
    let mut seen = Seen::default();
    entries(path, async |name, entry| {
        if name != wanted {
            return Ok(true);
        }
        let decoder = zstd::Decoder::new(entry).map_err(|e| damaged(path, &excerpt(&e.to_string())))?;
        let mut through = Through { inner: decoder.take(part.content_bytes + 1), seen: &mut seen };
        std::io::copy(&mut through, out).doing("unpacking the backup")?;
        Ok(false)
    })
    .await?;
    if seen.sha256() != part.content_sha256 {
        return Err(damaged(path, "it was changed while it was read"));
    }
    Ok(())
}

/// The key file of a verified backup, where it has one.
pub(crate) async fn key(path: &Path) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
    let mut key = None;
    entries(path, async |name, entry| {
        if name == KEY_FILE {
            key = Some(zeroize::Zeroizing::new(small(path, entry)?));
        }
        Ok(key.is_none())
    })
    .await?;
    Ok(key)
}

/// Passes the export of a verified backup to `take`.
pub(crate) async fn stream<T>(
    path: &Path,
    take: impl AsyncFnOnce(dump::Source<'_>) -> Result<T>,
) -> Result<T> {
    let mut take = Some(take);
    let mut out = None;
    entries(path, async |name, entry| {
        if name == Database::Postgres.entry()
            && let Some(take) = take.take()
        {
            let decoder = zstd::Decoder::new(entry).map_err(|e| damaged(path, &excerpt(&e.to_string())))?;
            out = Some(take(Box::new(BufReader::with_capacity(1 << 18, decoder))).await?);
        }
        Ok(out.is_none())
    })
    .await?;
    out.ok_or_else(|| damaged(path, "the export is missing"))
}

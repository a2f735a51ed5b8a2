//! The matching index of a store: building, opening, swapping. Files lie in `index/` of the data directory; a
//! `manifest` names them and is replaced by a rename, so readers of older maps go on.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sqlx::{QueryBuilder, Sqlite};
use tocsin_engine::index::{Bytes, FactsBuilder, Group, Index, SegmentBuilder, encode};
use tocsin_formats::intel::parse;
use tocsin_model::record::{Record, Target};

use crate::error::{Doing, Error, Result};
use crate::intel::Store;
use crate::intel::types::kind_of;

/// Vulnerabilities read, parsed and encoded at once.
const BATCH: i64 = 2000;
/// More segments than this are compacted into one.
const MAX_SEGMENTS: usize = 8;

/// First line of the manifest; another one is foreign.
const HEADER: &str = "tocsin-index 1";

/// Names in the manifest: segments, oldest first, and the facts file.
struct Manifest {
    segments: Vec<String>,
    facts: String,
}

impl Manifest {
    fn read(dir: &Path) -> Option<Manifest> {
        let text = std::fs::read_to_string(dir.join("manifest")).ok()?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return None;
        }
        // A damaged manifest must not lead out of the folder.
        let mut names = lines.map(|l| (!l.contains(['/', '\\'])).then(|| l.to_owned()));
        let facts = names.next()??;
        let segments = names.collect::<Option<Vec<_>>>()?;
        Some(Manifest { segments, facts })
    }

    fn write(&self, dir: &Path) -> Result<()> {
        let text = format!("{HEADER}\n{}\n{}\n", self.facts, self.segments.join("\n"));
        write_file(dir, "manifest", text.as_bytes())
    }
}

/// Writes a file under a temporary name, syncs it and renames it into place.
fn write_file(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let what = "writing the index";
    let temp = dir.join(format!("{name}.tmp"));
    let mut file = std::fs::File::create(&temp).doing(what)?;
    file.write_all(bytes).doing(what)?;
    file.sync_all().doing(what)?;
    std::fs::rename(&temp, dir.join(name)).doing(what)?;
    std::fs::File::open(dir).and_then(|d| d.sync_all()).doing(what)
}

/// A mapped file.
struct Map(memmap2::Mmap);

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[expect(
    unsafe_code,
    reason = "mapping a file is unsafe because another process could change it under the map"
)]
fn map(path: &Path) -> std::io::Result<Bytes> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(Arc::new(Vec::new()));
    }
    // SAFETY: index files are written under another name, renamed into place and never changed afterwards, only
    // unlinked, which leaves the map whole. Their blocks carry checksums.
    let map = unsafe { memmap2::Mmap::map(&file)? };
    Ok(Arc::new(Map(map)))
}

/// Opens the index as the manifest tells; `None`: missing, foreign or damaged.
fn try_open(dir: &Path) -> Option<Index> {
    let manifest = Manifest::read(dir)?;
    let segments = manifest.segments.iter().map(|n| map(&dir.join(n)).ok()).collect::<Option<Vec<_>>>()?;
    Index::open(segments, Some(map(&dir.join(&manifest.facts)).ok()?)).ok()
}

/// Opens the index, building it from the database where it cannot be used.
pub(crate) fn open(store: &Store) -> Result<Index> {
    let dir = store.dir.join("index");
    if let Some(index) = try_open(&dir) {
        return Ok(index);
    }
    {
        let _lock = store.lock()?;
        // Another process may have built it while this one waited.
        if try_open(&dir).is_none() {
            build(store, true)?;
        }
    }
    try_open(&dir).ok_or_else(|| Error::Internal {
        doing: "opening the index just built".to_owned(),
        cause: "it cannot be read back".into(),
    })
}

/// Brings the index up to date: a delta of what is dirty, or all of it when `full`, when there is no usable
/// index, too many segments or more than a fifth is dirty. The caller holds the lock.
pub(crate) fn build(store: &Store, full: bool) -> Result<()> {
    let dir = store.dir.join("index");
    std::fs::create_dir_all(&dir).doing("making the index folder")?;
    let (dirty, all, gone): (i64, i64, i64) = store.runtime.block_on(async {
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM vulnerability WHERE dirty = 1), (SELECT count(*) FROM vulnerability),
             (SELECT count(*) FROM gone)",
        )
        .fetch_one(&store.pool)
        .await
        .doing("counting what is dirty")
    })?;
    let old = Manifest::read(&dir).filter(|_| try_open(&dir).is_some());
    let old_names: Vec<String> = old.as_ref().map(|m| m.segments.clone()).unwrap_or_default();
    let full = full || old.is_none() || old_names.len() >= MAX_SEGMENTS || dirty * 5 > all;
    let mut segments = if full { Vec::new() } else { old_names };
    if full || dirty > 0 || gone > 0 {
        let bytes = segment(store, full)?;
        let name = name_of("segment", &bytes);
        write_file(&dir, &name, &bytes)?;
        segments.retain(|n| *n != name);
        segments.push(name);
    }
    let facts = facts(store)?;
    let name = name_of("facts", &facts);
    write_file(&dir, &name, &facts)?;
    let manifest = Manifest { segments, facts: name };
    manifest.write(&dir)?;
    store.runtime.block_on(async {
        let mut tx = store.pool.begin().await.doing("closing the index build")?;
        for sql in ["UPDATE vulnerability SET dirty = 0 WHERE dirty = 1", "DELETE FROM gone"] {
            sqlx::query(sql).execute(&mut *tx).await.doing("closing the index build")?;
        }
        tx.commit().await.doing("closing the index build")
    })?;
    for entry in std::fs::read_dir(&dir).doing("tidying the index folder")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "manifest" && name != manifest.facts && !manifest.segments.contains(&name) {
            // A file that stays behind only takes space; the next build tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn name_of(kind: &str, bytes: &[u8]) -> String {
    format!("{kind}-{}", super::hash(0, bytes))
}

/// Builds a segment, of all vulnerabilities or of the dirty ones, and their rows of the text search.
fn segment(store: &Store, full: bool) -> Result<Vec<u8>> {
    let mut builder = SegmentBuilder::default();
    if full {
        store.runtime.block_on(async {
            sqlx::query("DELETE FROM search").execute(&store.pool).await.doing("clearing the text search")
        })?;
    } else {
        let gone: Vec<(String,)> = store.runtime.block_on(async {
            sqlx::query_as("SELECT main FROM gone").fetch_all(&store.pool).await.doing("reading what is gone")
        })?;
        gone.iter().for_each(|(id,)| builder.replace(id));
    }
    let mut after = 0i64;
    loop {
        let groups = store.runtime.block_on(groups(store, full, after))?;
        let Some((last, _)) = groups.last() else { break };
        after = *last;
        let rows: Vec<(i64, String, String, String)> =
            groups.par_iter().map(|(id, g)| text_of(*id, g)).collect();
        store.runtime.block_on(write_search(store, &rows))?;
        let encoded: Vec<_> = groups.par_iter().map(|(_, g)| encode(g)).collect();
        encoded.into_iter().for_each(|e| builder.push(e));
    }
    Ok(builder.finish())
}

/// The next groups after number `after`, with their records parsed.
async fn groups(store: &Store, full: bool, after: i64) -> Result<Vec<(i64, Group)>> {
    let what = "reading vulnerabilities for the index";
    let sql = if full {
        "SELECT id, main FROM vulnerability WHERE id > ? ORDER BY id LIMIT ?"
    } else {
        "SELECT id, main FROM vulnerability WHERE dirty = 1 AND id > ? ORDER BY id LIMIT ?"
    };
    let mains: Vec<(i64, String)> =
        sqlx::query_as(sql).bind(after).bind(BATCH).fetch_all(&store.pool).await.doing(what)?;
    let ids = format!("[{}]", mains.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(","));
    let links: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT l.vulnerability, l.record, l.part FROM json_each(?) j
         CROSS JOIN record_link l ON l.vulnerability = j.value ORDER BY 1, 2, 3",
    )
    .bind(&ids)
    .fetch_all(&store.pool)
    .await
    .doing(what)?;
    let aliases: Vec<(i64, String)> = sqlx::query_as(
        "SELECT a.vulnerability, a.id FROM json_each(?) j CROSS JOIN alias a ON a.vulnerability = j.value ORDER BY 2",
    )
    .bind(&ids)
    .fetch_all(&store.pool)
    .await
    .doing(what)?;
    let raw: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT r.id, r.kind, w.raw FROM record r JOIN record_raw w ON w.record = r.id WHERE r.id IN
         (SELECT l.record FROM json_each(?) j CROSS JOIN record_link l ON l.vulnerability = j.value)",
    )
    .bind(&ids)
    .fetch_all(&store.pool)
    .await
    .doing(what)?;
    let parsed: HashMap<i64, Vec<Record>> =
        raw.into_par_iter().map(|(id, kind, raw)| (id, parse_stored(kind, &raw))).collect();
    let mut out: BTreeMap<i64, Group> =
        mains.into_iter().map(|(n, id)| (n, Group { id, ..Group::default() })).collect();
    for (n, alias) in aliases {
        if let Some(g) = out.get_mut(&n).filter(|g| g.id != alias) {
            g.aliases.push(alias);
        }
    }
    for (n, record, part) in links {
        let found = parsed.get(&record).and_then(|r| r.get(usize::try_from(part).unwrap_or(usize::MAX)));
        if let (Some(g), Some(r)) = (out.get_mut(&n), found) {
            g.records.push(r.clone());
        }
    }
    Ok(out.into_iter().collect())
}

/// Unpacks stored bytes; at most what one document may have.
pub(crate) fn unpack(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::new(raw).ok()?;
    std::io::Read::read_to_end(&mut decoder, &mut out).ok()?;
    Some(out)
}

/// Parses stored bytes; they were parsable when stored, so what is not any more gives nothing.
pub(crate) fn parse_stored(kind: i64, raw: &[u8]) -> Vec<Record> {
    let Some((kind, bytes)) = kind_of(kind).zip(unpack(raw)) else { return Vec::new() };
    parse(kind, &bytes).map(|(records, _)| records).unwrap_or_default()
}

/// Text search row: number, ids, title, packages.
fn text_of(id: i64, group: &Group) -> (i64, String, String, String) {
    let mut packages: Vec<&str> = Vec::new();
    for affected in group.records.iter().flat_map(|r| &r.affected) {
        let name = match &affected.target {
            Target::Package { name, .. } => name,
            Target::Named { product, .. } => product,
            Target::Cpe(_) | Target::OtherPurl(_) => continue,
        };
        if packages.len() < 50 && !packages.contains(&name.as_str()) {
            packages.push(name);
        }
    }
    let title = group.records.iter().map(|r| r.title.as_str()).find(|t| !t.is_empty()).unwrap_or("");
    (id, format!("{} {}", group.id, group.aliases.join(" ")), title.to_owned(), packages.join(" "))
}

async fn write_search(store: &Store, rows: &[(i64, String, String, String)]) -> Result<()> {
    let what = "writing the text search";
    let mut tx = store.pool.begin().await.doing(what)?;
    let ids = format!("[{}]", rows.iter().map(|r| r.0.to_string()).collect::<Vec<_>>().join(","));
    sqlx::query("DELETE FROM search WHERE rowid IN (SELECT value FROM json_each(?))")
        .bind(ids)
        .execute(&mut *tx)
        .await
        .doing(what)?;
    for chunk in rows.chunks(2000) {
        let mut q = QueryBuilder::<Sqlite>::new("INSERT INTO search (rowid, ids, title, packages) ");
        q.push_values(chunk, |mut b, (id, ids, title, packages)| {
            b.push_bind(*id).push_bind(ids).push_bind(title).push_bind(packages);
        });
        q.build().execute(&mut *tx).await.doing(what)?;
    }
    tx.commit().await.doing(what)
}

fn facts(store: &Store) -> Result<Vec<u8>> {
    let mut builder = FactsBuilder::default();
    store.runtime.block_on(async {
        for fact in super::query::facts(store, None).await? {
            builder.push(&fact);
        }
        Ok::<_, Error>(())
    })?;
    Ok(builder.finish())
}

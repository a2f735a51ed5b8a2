//! The matching index of a store: building, opening, swapping. Files lie in `index/` of the data directory; a
//! `manifest` names them and is replaced by a rename, so readers of older maps go on.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use sea_orm::{ConnectionTrait, TransactionTrait, Value};
use tocsin_engine::index::{
    Bytes, FactsBuilder, Group, Index, IndexError, SegmentBuilder, Vulnerability, encode,
};
use tocsin_formats::intel::parse;
use tocsin_model::record::{Record, Source, Target};
use tocsin_model::vex::VexStatement;

use crate::error::{Doing, Error, Result};
use crate::intel::types::{IndexStatus, kind_of};
use crate::intel::{Store, changes};
use crate::platform::sql::{list, numbers, row, rows, run};

/// Vulnerabilities read, parsed and encoded at once.
const BATCH: i64 = 2000;
/// More segments than this are compacted into one.
const MAX_SEGMENTS: usize = 8;

/// First line of the manifest; another one is foreign.
const HEADER: &str = "tocsin-index 3";

/// Number of the edition, and names: the facts file, the VEX statements (JSON lines), and segments, oldest first.
struct Manifest {
    generation: i64,
    segments: Vec<String>,
    facts: String,
    vex: String,
}

impl Manifest {
    fn read(dir: &Path) -> Option<Manifest> {
        let text = std::fs::read_to_string(dir.join("manifest")).ok()?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return None;
        }
        let generation = lines.next()?.parse().ok()?;
        // A damaged manifest must not lead out of the folder.
        let mut names = lines.map(|l| (!l.contains(['/', '\\'])).then(|| l.to_owned()));
        let facts = names.next()??;
        let vex = names.next()??;
        let segments = names.collect::<Option<Vec<_>>>()?;
        Some(Manifest { generation, segments, facts, vex })
    }

    fn write(&self, dir: &Path) -> Result<()> {
        let text = format!("{HEADER}\n{}\n{}\n", self.generation, self.content());
        write_file(dir, "manifest", text.as_bytes())
    }

    /// The names, which tell the content.
    fn content(&self) -> String {
        format!("{}\n{}\n{}", self.facts, self.vex, self.segments.join("\n"))
    }

    /// What tells this edition from every other.
    fn token(&self) -> String {
        super::hash(1, self.content().as_bytes())
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

/// What was made to go with an edition, after what it was made of.
pub(crate) type Made = (String, Arc<dyn Any + Send + Sync>);

/// An opened index: what is matched against, and the VEX statements that go with it.
pub struct Opened {
    /// The index.
    pub index: Index,
    /// Statements of stored VEX documents, oldest first: a later word wins.
    pub vex: Vec<VexStatement>,
    /// Which edition of the index it is; larger ones are newer. 0: none that the store tells changes of.
    pub generation: i64,
    /// Ids in capitals of the vulnerabilities that statements are about.
    pub(crate) spoken: HashSet<String>,
    /// What later rooms made to go with this edition, by workspace, with what it was made of.
    pub(crate) beside: Mutex<HashMap<i64, Made>>,
}

impl Opened {
    /// An index by itself, of no store.
    pub fn new(index: Index, vex: Vec<VexStatement>, generation: i64) -> Opened {
        let ids = vex.iter().flat_map(|s| std::iter::once(&s.vulnerability).chain(&s.aliases));
        let spoken = ids.map(|id| id.to_ascii_uppercase()).collect();
        Opened { index, vex, generation, spoken, beside: Mutex::default() }
    }

    /// Opens the index in a data directory where it is there and whole, without asking the store.
    pub fn at(data_dir: &Path) -> Option<Opened> {
        try_open(&data_dir.join("index"))
    }

    /// Whether a statement is about this vulnerability.
    pub(crate) fn speaks_of(&self, v: &Vulnerability) -> bool {
        !self.spoken.is_empty()
            && std::iter::once(&v.id)
                .chain(&v.aliases)
                .any(|id| self.spoken.contains(&id.to_ascii_uppercase()))
    }
}

/// Opens the index as the manifest tells; `None`: missing, foreign or damaged.
fn try_open(dir: &Path) -> Option<Opened> {
    open_files(dir, &Manifest::read(dir)?)
}

fn open_files(dir: &Path, manifest: &Manifest) -> Option<Opened> {
    let segments = manifest.segments.iter().map(|n| map(&dir.join(n)).ok()).collect::<Option<Vec<_>>>()?;
    let index = Index::open(segments, Some(map(&dir.join(&manifest.facts)).ok()?)).ok()?;
    let vex = std::fs::read(dir.join(&manifest.vex)).ok()?;
    // The name tells the hash, which is this file's checksum.
    if name_of("vex", &vex) != manifest.vex {
        return None;
    }
    let lines: Vec<&str> = std::str::from_utf8(&vex).ok()?.lines().collect();
    let vex = lines.into_par_iter().filter_map(super::vex::from_json).collect();
    Some(Opened::new(index, vex, manifest.generation))
}

/// Opens the index, building it from the database where it cannot be used.
pub(crate) fn open(store: &Store) -> Result<Opened> {
    let dir = store.dir.join("index");
    // An import that ends now may take the files away that the manifest just named: then there is a new one.
    for _ in 0..3 {
        let before = std::fs::read(dir.join("manifest")).ok();
        if let Some(opened) = try_open(&dir) {
            return Ok(opened);
        }
        if before == std::fs::read(dir.join("manifest")).ok() {
            break;
        }
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

/// The state of the index, without building anything.
pub(crate) fn status(store: &Store) -> IndexStatus {
    let dir = store.dir.join("index");
    let mut status = IndexStatus::default();
    for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        status.bytes += entry.metadata().map_or(0, |m| m.len());
    }
    let written = std::fs::metadata(dir.join("manifest")).and_then(|m| m.modified()).ok();
    status.written = written.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).map(|d| d.as_secs());
    status.segments = Manifest::read(&dir).map_or(0, |m| m.segments.len() as u64);
    if let Some(opened) = try_open(&dir) {
        status.usable = true;
        status.vulnerabilities = opened.index.len() as u64;
        status.vex = opened.vex.len() as u64;
    }
    status
}

/// Brings the index up to date: a delta of what is dirty, or all of it when `full`, when there is no usable
/// index, too many segments or more than a fifth is dirty. The caller holds the lock.
pub(crate) fn build(store: &Store, full: bool) -> Result<()> {
    let dir = store.dir.join("index");
    std::fs::create_dir_all(&dir).doing("making the index folder")?;
    let sql =
        "SELECT (SELECT count(*) FROM vulnerability WHERE dirty = 1), (SELECT count(*) FROM vulnerability),
         (SELECT count(*) FROM gone)";
    let counted: Option<(i64, i64, i64)> =
        store.runtime.block_on(row(&store.db, "counting what is dirty", sql, vec![]))?;
    let (dirty, all, gone) = counted.unwrap_or_default();
    let old = Manifest::read(&dir).and_then(|m| Some((open_files(&dir, &m)?, m)));
    // Another edition made since, from elsewhere: what it took in is not marked any more.
    let last = store.runtime.block_on(changes::last(&store.db))?;
    let old = old.filter(|(_, m)| last.as_ref() == Some(&(m.generation, m.token())));
    let old_names: Vec<String> = old.as_ref().map(|(_, m)| m.segments.clone()).unwrap_or_default();
    let full = full || old.is_none() || old_names.len() >= MAX_SEGMENTS || dirty * 5 > all;
    let mut segments = if full { Vec::new() } else { old_names.clone() };
    if full || dirty > 0 || gone > 0 {
        let bytes = segment(store, full)?;
        let name = name_of("segment", &bytes);
        write_file(&dir, &name, &bytes)?;
        segments.retain(|n| *n != name);
        segments.push(name);
    }
    let stale = store.runtime.block_on(changes::stale(&store.db))?;
    let kept = |what: &str| old.as_ref().map(|(_, m)| m).filter(|_| !full && !stale.contains(what));
    let name = match kept("facts") {
        Some(m) => m.facts.clone(),
        None => {
            let facts = facts(store)?;
            let name = name_of("facts", &facts);
            write_file(&dir, &name, &facts)?;
            name
        }
    };
    let vex = match kept("vex") {
        Some(m) => m.vex.clone(),
        None => {
            let mut statements = store.runtime.block_on(super::vex::read(&store.db))?.join("\n").into_bytes();
            statements.push(b'\n');
            let vex = name_of("vex", &statements);
            write_file(&dir, &vex, &statements)?;
            vex
        }
    };
    let mut manifest = Manifest { generation: 0, segments, facts: name, vex };
    number(store, &dir, &mut manifest, old)?;
    manifest.write(&dir)?;
    store.runtime.block_on(async {
        let what = "closing the index build";
        let tx = store.db.begin().await.doing(what)?;
        for sql in ["UPDATE vulnerability SET dirty = 0 WHERE dirty = 1", "DELETE FROM gone"] {
            run(&tx, what, sql, vec![]).await?;
        }
        changes::fresh(&tx).await?;
        tx.commit().await.doing(what)
    })?;
    for entry in std::fs::read_dir(&dir).doing("tidying the index folder")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "manifest"
            && name != manifest.facts
            && name != manifest.vex
            && !manifest.segments.contains(&name)
        {
            // A file that stays behind only takes space; the next build tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Gives the edition about to be put in place its number and notes what is different in it, before anybody can match
/// with it. One with the same content keeps the number.
fn number(store: &Store, dir: &Path, new: &mut Manifest, old: Option<(Opened, Manifest)>) -> Result<()> {
    let Some((was, old)) = old else {
        let last = Manifest::read(dir).map_or(0, |m| m.generation);
        new.generation = store.runtime.block_on(changes::note(&store.db, last, &new.token(), None))?;
        return Ok(());
    };
    if new.content() == old.content() {
        new.generation = old.generation;
        return Ok(());
    }
    let is = open_files(dir, new).ok_or_else(|| Error::Internal {
        doing: "comparing the index with the one before".to_owned(),
        cause: "the files just written cannot be read back".into(),
    })?;
    let shared = new.segments.iter().zip(&old.segments).take_while(|(a, b)| a == b).count();
    let compare = || {
        let mut changed = is.index.changed_since(&was.index, shared)?;
        for id in changes::restated(&was.vex, &is.vex) {
            is.index.tell_of(&id, &mut changed)?;
        }
        Ok::<_, IndexError>(changed)
    };
    // a damaged one tells nothing: everything may be different
    let changed = compare().ok();
    let token = new.token();
    let noted = changes::note(&store.db, old.generation, &token, changed.as_ref());
    new.generation = store.runtime.block_on(noted)?;
    Ok(())
}

fn name_of(kind: &str, bytes: &[u8]) -> String {
    format!("{kind}-{}", super::hash(0, bytes))
}

/// Builds a segment, of all vulnerabilities or of the dirty ones, and their rows of the text search.
fn segment(store: &Store, full: bool) -> Result<Vec<u8>> {
    let mut builder = SegmentBuilder::default();
    if full {
        store.runtime.block_on(run(&store.db, "clearing the text search", "DELETE FROM search", vec![]))?;
    } else {
        let sql = "SELECT main FROM gone";
        let gone: Vec<(String,)> =
            store.runtime.block_on(rows(&store.db, "reading what is gone", sql, vec![]))?;
        gone.iter().for_each(|(id,)| builder.replace(id));
    }
    let mut after = 0i64;
    loop {
        let groups = store.runtime.block_on(groups(store, full, after))?;
        let Some((last, _)) = groups.last() else { break };
        after = *last;
        let texts: Vec<(i64, String, String, String)> =
            groups.par_iter().map(|(id, g)| text_of(*id, g)).collect();
        store.runtime.block_on(super::search::write(store, &texts))?;
        let encoded: Vec<_> = groups.par_iter().map(|(_, g)| encode(g)).collect();
        encoded.into_iter().for_each(|e| builder.push(e));
    }
    Ok(builder.finish())
}

/// The next groups after number `after`, with their records parsed.
async fn groups(store: &Store, full: bool, after: i64) -> Result<Vec<(i64, Group)>> {
    let what = "reading vulnerabilities for the index";
    let filter = if full { "" } else { "dirty = 1 AND" };
    let sql = format!("SELECT id, main FROM vulnerability WHERE {filter} id > $1 ORDER BY id LIMIT $2");
    let values = vec![Value::from(after), Value::from(BATCH)];
    let mains: Vec<(i64, String)> = rows(&store.db, what, &sql, values).await?;
    groups_of(&store.db, mains).await
}

/// What all sources say of vulnerabilities, by their numbers and main ids.
pub(super) async fn groups_of(
    db: &impl ConnectionTrait,
    mains: Vec<(i64, String)>,
) -> Result<Vec<(i64, Group)>> {
    let what = "reading vulnerabilities for the index";
    let ids: Vec<i64> = mains.iter().map(|(id, _)| *id).collect();
    let ids = list(&ids);
    let within = numbers(db, 1);
    let sql = format!(
        "SELECT vulnerability, record, part FROM record_link WHERE vulnerability IN {within} ORDER BY 1, 2, 3"
    );
    let links: Vec<(i64, i64, i64)> = rows(db, what, &sql, vec![ids.clone()]).await?;
    let sql = format!("SELECT vulnerability, id FROM alias WHERE vulnerability IN {within}");
    let mut aliases: Vec<(i64, String)> = rows(db, what, &sql, vec![ids.clone()]).await?;
    // Sorted here, since the order of texts in SQL differs between databases.
    aliases.sort();
    let sql = format!(
        "SELECT r.id, r.kind, w.raw FROM record r JOIN record_raw w ON w.record = r.id WHERE r.id IN
         (SELECT l.record FROM record_link l WHERE l.vulnerability IN {within})"
    );
    let raw: Vec<(i64, i64, Vec<u8>)> = rows(db, what, &sql, vec![ids]).await?;
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
    // a title in Japanese only where there is no other
    let late = |r: &&Record| r.affected.iter().any(|a| a.source == Source::Jvn);
    let (last, first): (Vec<&Record>, Vec<&Record>) = group.records.iter().partition(late);
    let mut titles = first.into_iter().chain(last).map(|r| r.title.as_str());
    let title = titles.find(|t| !t.is_empty()).unwrap_or("");
    let aliases: Vec<&str> = group.aliases.iter().take(200).map(String::as_str).collect();
    (id, format!("{} {}", group.id, aliases.join(" ")), title.to_owned(), packages.join(" "))
}

fn facts(store: &Store) -> Result<Vec<u8>> {
    let mut builder = FactsBuilder::default();
    for fact in store.runtime.block_on(super::facts::read(&store.db, None))? {
        builder.push(&fact);
    }
    Ok(builder.finish())
}

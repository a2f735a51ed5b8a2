//! The import pipeline: one thread splits files, rayon parses and packs, the caller's thread writes.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rayon::prelude::*;
use sea_orm::TransactionTrait;
use tocsin_formats::input::Limits;
use tocsin_formats::intel::{Item, RawKind, RawRecord, parse, split};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::RecordState;

use crate::error::{Doing, Result};
use crate::intel::runs;
use crate::intel::store::{self, Batch, Prepared, Refused, Run};
use crate::intel::types::{Counts, ImportReport, Progress};
use crate::intel::vex::VexDocument;
use crate::intel::{Store, hash, remarks};

/// Records of one transaction, and bytes that end a batch earlier so that memory stays flat.
const BATCH_ITEMS: usize = 4000;
const BATCH_BYTES: usize = 16 << 20;
/// Bytes of an id; longer ones are no ids, and no database has them in an index.
const LONGEST_ID: usize = 512;

#[derive(Default)]
struct Chunk {
    file: String,
    /// Its whole path.
    key: String,
    /// Records, each with the whole path of its file.
    records: Vec<(RawRecord, String)>,
    batch: Batch,
    skipped: Vec<String>,
    items: usize,
    bytes: usize,
    files: u64,
    broken: Vec<Diagnostic>,
}

/// Whether a problem ends the reading of a file: one inside a file of an archive costs that file alone.
fn breaks(d: &Diagnostic) -> bool {
    matches!(d.code, "input-syntax" | "limit-depth") && !d.path.contains('!')
}

/// Imports `paths` (folders in sorted order) and tells `report`; see [`Store::import`].
pub(crate) fn run(
    store: &Store,
    paths: &[PathBuf],
    run: &Run<'_>,
    report: &mut ImportReport,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<()> {
    let files = walk(paths)?;
    let mut read = 0u64;
    std::thread::scope(|scope| {
        let (to_prepare, chunks) = sync_channel::<Chunk>(2);
        let (to_write, batches) = sync_channel::<Result<Chunk>>(2);
        scope.spawn(move || read_files(&files, &to_prepare));
        scope.spawn(move || prepare_all(store, &chunks, &to_write));
        // Dropping the receiver (on error or break) ends both threads at their next send.
        let batches: Receiver<Result<Chunk>> = batches;
        for chunk in batches {
            let chunk = chunk?;
            read += chunk.items as u64;
            report.files += chunk.files;
            report.skipped += chunk.skipped.len() as u64;
            report.skipped_places.extend(chunk.skipped);
            report.skipped_places.truncate(100);
            report.broken.extend(chunk.broken);
            report.broken.truncate(100);
            report.problems += chunk.batch.refused.len() as u64;
            report.remarks += chunk.batch.records.iter().map(|r| r.remarks.len() as u64).sum::<u64>();
            report.diagnostics.extend(chunk.batch.refused.iter().map(|r| r.diagnostic.clone()));
            store.runtime.block_on(write(store, chunk.batch, run, report))?;
            report.diagnostics.truncate(100);
            if progress(&Progress { what: chunk.file, read }).is_break() {
                report.interrupted = true;
                break;
            }
        }
        Ok(())
    })
}

/// Writes a batch, and how far the run is, in one transaction.
async fn write(store: &Store, batch: Batch, run: &Run<'_>, report: &mut ImportReport) -> Result<()> {
    let tx = store.db.begin().await.doing("beginning an import batch")?;
    let (counts, conflicts) = store::write(&tx, batch, run).await?;
    for (source, c) in counts {
        add(report.sources.entry(source).or_default(), &c);
    }
    report.problems += conflicts.len() as u64;
    report.diagnostics.extend(conflicts);
    runs::note(&tx, run.id, report, None).await?;
    tx.commit().await.doing("committing an import batch")
}

fn add(to: &mut Counts, c: &Counts) {
    to.read += c.read;
    to.new += c.new;
    to.changed += c.changed;
    to.unchanged += c.unchanged;
    to.older += c.older;
    to.refused += c.refused;
}

/// Files under `paths`, folders in sorted order; links inside folders are not followed.
fn walk(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut todo: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = todo.pop() {
        let what = format!("reading {}", path.display());
        if std::fs::metadata(&path).doing(&what)?.is_dir() {
            let mut inner = Vec::new();
            for entry in std::fs::read_dir(&path).doing(&what)? {
                let entry = entry.doing(&what)?;
                // a database kept in git holds its history beside the records
                let history = entry.file_name() == ".git";
                if !history && !entry.file_type().doing(&what)?.is_symlink() {
                    inner.push(entry.path());
                }
            }
            inner.sort();
            todo.extend(inner.into_iter().rev());
        } else {
            out.push(path);
        }
    }
    Ok(out)
}

fn read_files(files: &[PathBuf], out: &SyncSender<Chunk>) {
    let mut chunk = Chunk::default();
    for file in files {
        let name = file.display().to_string();
        chunk.files += 1;
        chunk.file.clone_from(&name);
        if read_file(file, &name, &mut chunk, out).is_break() {
            return;
        }
    }
    let _ = out.send(chunk);
}

fn read_file(path: &Path, name: &str, chunk: &mut Chunk, out: &SyncSender<Chunk>) -> ControlFlow<()> {
    // Problems are known by the file they stand in, whatever way it was named.
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    chunk.key.clone_from(&whole);
    let failed = |chunk: &mut Chunk, diagnostic: Diagnostic| {
        let refused = Refused { source: "", file: chunk.key.clone(), diagnostic, bytes: Vec::new() };
        chunk.batch.refused.push(refused);
    };
    let input = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) => {
            failed(chunk, Diagnostic::new("record-invalid", name, format!("the file cannot be opened: {e}")));
            return ControlFlow::Continue(());
        }
    };
    let mut gone = false;
    let mut sink = |item: Item| {
        chunk.items += 1;
        match item {
            Item::Record(r) => {
                chunk.bytes += r.bytes.len();
                chunk.records.push((r, chunk.key.clone()));
            }
            Item::Fact(f) => chunk.batch.facts.push(f),
            Item::Vex(statements) => {
                let document = VexDocument::new(&statements);
                chunk.bytes += document.size();
                chunk.batch.vex.push(document);
            }
            Item::Problem(diagnostic, bytes) => {
                chunk.bytes += bytes.len();
                let file = chunk.key.clone();
                if breaks(&diagnostic) {
                    chunk.broken.push(diagnostic.clone());
                }
                chunk.batch.refused.push(Refused { source: "", file, diagnostic, bytes });
            }
            Item::Skipped(place) => chunk.skipped.push(place),
        }
        if chunk.items >= BATCH_ITEMS * if chunk.records.is_empty() { 5 } else { 1 }
            || chunk.bytes >= BATCH_BYTES
        {
            let file = chunk.file.clone();
            if out.send(std::mem::take(chunk)).is_err() {
                gone = true;
                return ControlFlow::Break(());
            }
            chunk.file = file;
            chunk.key.clone_from(&whole);
        }
        ControlFlow::Continue(())
    };
    let result = split(name, &mut BufReader::with_capacity(1 << 17, input), &Limits::default(), &mut sink);
    if let Err(diagnostic) = result {
        chunk.broken.push(diagnostic.clone());
        failed(chunk, diagnostic);
    }
    if !gone {
        chunk.batch.ended.push(whole);
    }
    if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn prepare_all(store: &Store, chunks: &Receiver<Chunk>, out: &SyncSender<Result<Chunk>>) {
    for mut chunk in chunks {
        let result = prepare(store, &mut chunk).map(|()| chunk);
        if out.send(result).is_err() {
            return;
        }
    }
}

/// Hashes, passes over what is stored already, parses and compresses the rest.
fn prepare(store: &Store, chunk: &mut Chunk) -> Result<()> {
    let raw = std::mem::take(&mut chunk.records);
    let hashes: Vec<String> = raw.par_iter().map(|(r, _)| hash(r.kind as u8, &r.bytes)).collect();
    let refs: Vec<&str> = hashes.iter().map(String::as_str).collect();
    let known = if refs.is_empty() {
        Default::default()
    } else {
        store.runtime.block_on(store::known_hashes(&store.db, &refs))?
    };
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut rest = Vec::new();
    for ((r, file), h) in raw.into_iter().zip(hashes) {
        if let Some(source) = known.get(&h) {
            let c = counts.entry(source.clone()).or_default();
            c.read += 1;
            c.unchanged += 1;
        } else {
            rest.push((r, file, h));
        }
    }
    let done: Vec<std::result::Result<Prepared, Box<Refused>>> =
        rest.into_par_iter().map(|(r, file, h)| prepare_one(r, file, h)).collect();
    for one in done {
        match one {
            Ok(p) => {
                counts.entry(p.source.to_owned()).or_default().read += 1;
                chunk.batch.records.push(p);
            }
            Err(refused) => {
                let c = counts.entry(refused.source.to_owned()).or_default();
                c.read += 1;
                c.refused += 1;
                chunk.batch.refused.push(*refused);
            }
        }
    }
    chunk.batch.counts = counts;
    Ok(())
}

/// Where a record counts: OSV records of GitHub apart from the other OSV databases.
fn source_of(kind: RawKind, id: &str) -> &'static str {
    if kind == RawKind::Osv && id.starts_with("GHSA-") { "ghsa" } else { kind.source() }
}

fn prepare_one(raw: RawRecord, file: String, hash: String) -> std::result::Result<Prepared, Box<Refused>> {
    let refuse = |diagnostic: Diagnostic, mut bytes: Vec<u8>| {
        bytes.truncate(64 << 10);
        Box::new(Refused { source: source_of(raw.kind, ""), file, diagnostic, bytes })
    };
    let (records, said) = match parse(raw.kind, &raw.bytes) {
        Ok(done) => done,
        Err(d) => return Err(refuse(d.within(&raw.place), raw.bytes)),
    };
    let Some(first) = records.first() else {
        let d = Diagnostic::new("record-invalid", raw.place.clone(), "the document holds no record");
        return Err(refuse(d, raw.bytes));
    };
    let packed = match zstd::bulk::compress(&raw.bytes, 1) {
        Ok(packed) => packed,
        Err(e) => {
            let d =
                Diagnostic::new("record-invalid", raw.place.clone(), format!("it could not be packed: {e}"));
            return Err(refuse(d, raw.bytes));
        }
    };
    let document = raw.kind.document_id(&raw.bytes);
    let own_id = document.is_none();
    let record_id = document.unwrap_or_else(|| first.id.clone());
    let record_id = record_id.replace('\0', "\u{fffd}");
    if record_id.len() > LONGEST_ID {
        let d = Diagnostic::new(
            "record-invalid",
            raw.place.clone(),
            format!("its id is {} bytes long", record_id.len()),
        );
        return Err(refuse(d, raw.bytes));
    }
    let parts = records
        .iter()
        .map(|r| {
            // The parts of one document share its id, which is no id of a flaw where the part has its own.
            let own = Some(&r.id).filter(|id| own_id || **id != record_id || r.aliases.is_empty());
            let mut ids: Vec<String> = Vec::new();
            for id in own.into_iter().chain(&r.aliases) {
                let id = id.replace('\0', "\u{fffd}");
                if !id.is_empty() && id.len() <= LONGEST_ID && !ids.contains(&id) {
                    ids.push(id);
                }
            }
            ids
        })
        .collect();
    Ok(Prepared {
        source: source_of(raw.kind, &record_id),
        kind: i64::from(raw.kind as u8),
        hash,
        modified: first.modified.clone(),
        state: match first.state {
            RecordState::Published => "published",
            RecordState::Disputed => "disputed",
            RecordState::Withdrawn => "withdrawn",
            RecordState::Rejected => "rejected",
        },
        title: first.title.clone(),
        raw: packed,
        parts,
        record_id,
        remarks: remarks::bounded(said),
    })
}

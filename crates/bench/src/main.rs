//! `cargo xtask bench NAME`: makes its own data from a seed at the shape of the real thing, measures, and prints
//! figures as JSON lines. Never fails on a time.

#![allow(clippy::print_stdout, reason = "figures are what this program is for")]

mod desk;
mod mail;
mod portfolio;
mod relevance;
mod replay;
mod seed;

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tocsin_core::intel::Store;
use tocsin_core::platform::db::Place;
use tocsin_engine::index::{FactsBuilder, Group, Index, SegmentBuilder, encode};
use tocsin_engine::matching::{Options, count, scan};
use tocsin_formats::input::ReadOptions;
use tocsin_formats::intel::{RawKind, parse};
use tocsin_formats::sbom;
use tocsin_model::finding::Confidence;

use seed::Seed;

/// The allocator of the `tocsin` binary: what is measured is what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of the full-size index: NVD-like and OSV-like.
const NVD: u64 = 300_000;
const OSV: u64 = 250_000;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("match") => matching(),
        Some("index") => index().map(|_| ()),
        Some("import") => import(),
        Some("sbom") => sboms(),
        Some("portfolio") => portfolio::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        Some("desk") => desk::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        Some("relevance") => relevance::run(),
        Some("replay") => replay::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => anyhow::bail!("cargo xtask bench match|index|import|sbom|portfolio|desk|relevance|replay"),
    }
}

/// Prints a figure.
fn figure(bench: &str, what: &str, value: f64, unit: &str) {
    println!(
        "{}",
        json!({"bench": bench, "what": what, "value": (value * 1000.0).round() / 1000.0, "unit": unit})
    );
}

/// Largest resident size of this process so far, MiB (Linux).
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn build() -> anyhow::Result<Vec<u8>> {
    let mut seed = Seed::new(42);
    let started = Instant::now();
    let mut builder = SegmentBuilder::default();
    let lines = (0..NVD).map(|n| (RawKind::Nvd, n)).chain((0..OSV).map(|n| (RawKind::Osv, n)));
    let mut bytes = 0;
    for (kind, n) in lines {
        let line =
            if kind == RawKind::Nvd { seed::nvd_line(&mut seed, n) } else { seed::osv_line(&mut seed, n) };
        bytes += line.len();
        let (records, _) = parse(kind, line.as_bytes())?;
        let id = records.first().map(|r| r.id.clone()).unwrap_or_default();
        builder.push(encode(&Group { id, aliases: Vec::new(), records }));
    }
    figure("index", "records", (NVD + OSV) as f64, "1");
    figure("index", "input", bytes as f64 / 1048576.0, "MiB");
    figure("index", "parse and encode, one thread", started.elapsed().as_secs_f64(), "s");
    let file = builder.finish();
    figure("index", "build in all", started.elapsed().as_secs_f64(), "s");
    figure("index", "file", file.len() as f64 / 1048576.0, "MiB");
    figure("index", "peak memory", peak_mib(), "MiB");
    Ok(file)
}

fn index() -> anyhow::Result<Index> {
    let file = build()?;
    let started = Instant::now();
    let index = Index::open(vec![Arc::new(file)], Some(Arc::new(FactsBuilder::default().finish())))?;
    figure("index", "open", started.elapsed().as_secs_f64() * 1e3, "ms");
    Ok(index)
}

fn matching() -> anyhow::Result<()> {
    let index = index()?;
    let mut seed = Seed::new(7);
    let bom = seed::bom(&mut seed, 1_000_000);
    for (what, min_confidence) in
        [("exact and declared", Confidence::Declared), ("with inferred", Confidence::Inferred)]
    {
        let options = Options { min_confidence, explain: false };
        let started = Instant::now();
        let found = count(&index, &bom, &options)?;
        figure("match", &format!("1,000,000 components, {what}"), started.elapsed().as_secs_f64(), "s");
        figure("match", "matches", found as f64, "1");
    }
    let small = seed::bom(&mut seed, 10_000);
    let started = Instant::now();
    let report =
        scan(&index, &small, &[], &Options { min_confidence: Confidence::Declared, explain: false })?;
    figure(
        "match",
        "10,000 components to findings with evidence",
        started.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    figure("match", "findings", report.findings.len() as f64, "1");
    figure("match", "peak memory (with the index built in it)", peak_mib(), "MiB");
    Ok(())
}

/// Imports a file of OSV records into a new store, and again (nothing new).
fn import() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("osv.jsonl");
    let mut seed = Seed::new(42);
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for n in 0..OSV {
        writeln!(out, "{}", seed::osv_line(&mut seed, n))?;
    }
    out.flush()?;
    let data = dir.path().join("data");
    // An empty PostgreSQL database instead of a SQLite file, where one is named.
    let store = match std::env::var("TOCSIN_BENCH_POSTGRES") {
        Ok(url) => Store::open_at(&data, Place::Postgres(url))?,
        Err(_) => Store::open(&data)?,
    };
    for what in ["first import, index built", "the same again"] {
        let started = Instant::now();
        let clock = || "2026-01-01T00:00:00Z".to_owned();
        let paths = std::slice::from_ref(&file);
        let report = store.import(paths, &clock, &mut |_| ControlFlow::Continue(()))?;
        let took = started.elapsed().as_secs_f64();
        let read: u64 = report.sources.values().map(|c| c.read).sum();
        figure("import", what, took, "s");
        figure("import", "rate", read as f64 / took, "records/s");
    }
    figure("import", "peak memory", peak_mib(), "MiB");
    Ok(())
}

fn sboms() -> anyhow::Result<()> {
    let mut seed = Seed::new(9);
    let dir = tempfile::tempdir()?;
    for count in [500, 20_000, 870_000] {
        let file = dir.path().join("bench.cdx.json");
        std::fs::write(&file, seed::cyclonedx(&mut seed, count))?;
        // what the generator held is no part of the figure; the kernel forgets the peak when it is told 5 (proc(5))
        let forgotten = std::fs::write("/proc/self/clear_refs", "5").is_ok();
        let started = Instant::now();
        let bytes = std::fs::read(&file)?;
        let found = sbom::read("bench.cdx.json", &bytes, &ReadOptions::default(), None);
        let took = started.elapsed().as_secs_f64();
        let size = bytes.len() as f64 / 1048576.0;
        let read = found.map_or(0, |b| b.components.len());
        anyhow::ensure!(read == count, "{read} of {count} components read");
        let what = format!("{count} components, {size:.1} MiB");
        figure("sbom", &what, took * 1e3, "ms");
        figure("sbom", "rate", size / took, "MiB/s");
        if forgotten {
            figure("sbom", "peak memory", peak_mib(), "MiB");
        }
    }
    Ok(())
}

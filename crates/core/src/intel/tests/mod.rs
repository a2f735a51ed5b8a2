//! The store against files in a temporary data directory, on SQLite and, where `TOCSIN_TEST_POSTGRES` tells a
//! server's URL, on PostgreSQL.

mod changes;
mod flaws;
mod guards;
mod imports;
mod index;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use sea_orm::{TransactionTrait, TryGetableMany};
use tocsin_model::diagnostic::Diagnostic;

use super::store::{self, Batch, Prepared, Run};
use super::*;
use crate::platform::sql::rows;
use crate::platform::testing::postgres;

const NOW: &str = "2025-01-01T00:00:00Z";

/// Runs `check` with a new store on each backend; it may open the data directory again with [`again`].
fn each(check: impl Fn(&Store)) {
    let dir = tempfile::tempdir().unwrap();
    check(&Store::open(dir.path()).unwrap());
    if let Some(place) = postgres() {
        let dir = tempfile::tempdir().unwrap();
        check(&Store::open_at(dir.path(), place).unwrap());
    }
}

/// Another store over the same data.
fn again(store: &Store) -> Store {
    Store::open_at(&store.dir, store.place.clone()).unwrap()
}

fn prepared(id: &str, aliases: &[&str], modified: &str, body: &str) -> Prepared {
    let mut ids = vec![id.to_owned()];
    ids.extend(aliases.iter().map(|a| (*a).to_owned()));
    let raw = format!(r#"{{"id":"{id}","modified":"{modified}","summary":"{body}"}}"#);
    Prepared {
        source: "osv",
        record_id: id.to_owned(),
        kind: 0,
        hash: hash(0, raw.as_bytes()),
        modified: Some(modified.to_owned()),
        state: "published",
        title: body.to_owned(),
        raw: zstd::bulk::compress(raw.as_bytes(), 1).unwrap(),
        parts: vec![ids],
        remarks: Vec::new(),
    }
}

fn write_batch(store: &Store, batch: Batch, now: &str) -> (BTreeMap<String, Counts>, Vec<Diagnostic>) {
    store.runtime.block_on(async {
        let tx = store.db.begin().await.unwrap();
        let done = store::write(&tx, batch, &Run { id: 1, now }).await.unwrap();
        tx.commit().await.unwrap();
        done
    })
}

fn write(store: &Store, records: Vec<Prepared>, now: &str) -> (Counts, Vec<Diagnostic>) {
    let (counts, conflicts) = write_batch(store, Batch { records, ..Batch::default() }, now);
    (counts.get("osv").copied().unwrap_or_default(), conflicts)
}

fn ask<T: TryGetableMany>(store: &Store, sql: &str) -> Vec<T> {
    store.runtime.block_on(rows(&store.db, "asking", sql, vec![])).unwrap()
}

fn all() -> ProblemFilter {
    ProblemFilter { limit: 100, ..ProblemFilter::default() }
}

/// Imports paths at a fixed time, to the end.
fn import(store: &Store, paths: &[&Path]) -> ImportReport {
    let paths: Vec<PathBuf> = paths.iter().map(|p| p.to_path_buf()).collect();
    store.import(&paths, &|| NOW.to_owned(), &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Everything stored but times and the log of imports, as sorted lines without the numbers of flaws, which tell
/// nothing.
fn contents(store: &Store) -> Vec<String> {
    let mut out = Vec::new();
    let mut add =
        |name: &str, lines: Vec<String>| out.extend(lines.into_iter().map(|l| format!("{name} {l}")));
    let text = |sql: &str| ask::<(String,)>(store, sql).into_iter().map(|r| r.0).collect::<Vec<_>>();
    add(
        "record",
        text(
            "SELECT source || ' ' || record_id || ' ' || kind || ' ' || hash || ' ' || coalesce(modified, '-') || ' '
             || state || ' ' || title FROM record",
        ),
    );
    let raw: Vec<(String, Vec<u8>)> =
        ask(store, "SELECT r.record_id, w.raw FROM record_raw w JOIN record r ON r.id = w.record");
    add("raw", raw.into_iter().map(|(id, raw)| format!("{id} {}", hash(0, &raw))).collect());
    add(
        "history",
        text(
            "SELECT r.record_id || ' ' || h.n || ' ' || h.hash || ' ' || coalesce(h.modified, '-')
             FROM record_history h JOIN record r ON r.id = h.record",
        ),
    );
    add(
        "link",
        text(
            "SELECT r.source || ' ' || r.record_id || ' ' || l.part || ' ' || v.main || ' ' || l.ids FROM record_link l
             JOIN record r ON r.id = l.record JOIN vulnerability v ON v.id = l.vulnerability",
        ),
    );
    add(
        "alias",
        text("SELECT a.id || ' ' || v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability"),
    );
    add(
        "also",
        text(
            "SELECT r.record_id || ' ' || o.part || ' ' || o.id || ' ' || o.bound FROM record_also o
             JOIN record r ON r.id = o.record",
        ),
    );
    add("epss", text("SELECT cve || ' ' || date || ' ' || score || ' ' || percentile FROM epss"));
    add("epss_change", text("SELECT cve || ' ' || date || ' ' || score FROM epss_change"));
    add(
        "kev",
        text(
            "SELECT cve || ' ' || date_added || ' ' || coalesce(due_date, '-') || ' ' || ransomware || ' ' || name
             || ' ' || coalesce(released, '-') FROM kev",
        ),
    );
    add("kev_change", text("SELECT cve || ' ' || date_added || ' ' || name FROM kev_change"));
    add(
        "exploit",
        text(
            "SELECT origin || ' ' || id || ' ' || cve || ' ' || title || ' ' || coalesce(updated, '-') FROM exploit",
        ),
    );
    add("vex", text("SELECT document || ' ' || n || ' ' || body FROM vex_statement"));
    add("problem", text("SELECT source || ' ' || place || ' ' || code || ' ' || message FROM problem"));
    add("search", text("SELECT ids || ' ' || title || ' ' || packages FROM search"));
    out.sort();
    out
}

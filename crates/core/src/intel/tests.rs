//! The store against files in a temporary data directory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::Fact;

use super::store::{self, Batch, Prepared, Refused};
use super::*;

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
        place: format!("{id}.json"),
    }
}

fn write(store: &Store, records: Vec<Prepared>, now: &str) -> (Counts, Vec<Diagnostic>) {
    let batch = Batch { records, ..Batch::default() };
    let (counts, conflicts): (BTreeMap<String, Counts>, _) =
        store.runtime.block_on(store::write(&store.pool, batch, now)).unwrap();
    (counts.get("osv").copied().unwrap_or_default(), conflicts)
}

fn mains(store: &Store) -> Vec<String> {
    store.runtime.block_on(async {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT main FROM vulnerability ORDER BY main")
            .fetch_all(&store.pool)
            .await
            .unwrap();
        rows.into_iter().map(|r| r.0).collect()
    })
}

#[test]
fn same_bytes_are_unchanged_newer_replace_and_older_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = || prepared("OSV-1", &[], "2024-01-02T00:00:00Z", "one");
    let n = |c: Counts| (c.new, c.changed, c.unchanged, c.older);
    assert_eq!(n(write(&store, vec![first()], "2025-01-01T00:00:00Z").0), (1, 0, 0, 0));
    assert_eq!(n(write(&store, vec![first()], "2025-01-02T00:00:00Z").0), (0, 0, 1, 0));
    let newer = prepared("OSV-1", &[], "2024-01-02T01:00:00+00:30", "two");
    assert_eq!(n(write(&store, vec![newer], "2025-01-03T00:00:00Z").0), (0, 1, 0, 0));
    assert_eq!(n(write(&store, vec![first()], "2025-01-04T00:00:00Z").0), (0, 0, 0, 1));
    assert!(String::from_utf8(store.raw("osv", "OSV-1").unwrap()).unwrap().contains("two"));
    let until: Vec<(String,)> = store.runtime.block_on(async {
        sqlx::query_as("SELECT until FROM record_history").fetch_all(&store.pool).await.unwrap()
    });
    assert_eq!(until, [("2025-01-03T00:00:00Z".to_owned(),)]);
}

#[test]
fn one_record_twice_in_a_batch_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let batch = vec![
        prepared("OSV-1", &[], "2024-01-02T00:00:00Z", "newer"),
        prepared("OSV-1", &[], "2024-01-01T00:00:00Z", "older"),
    ];
    let (c, _) = write(&store, batch, "2025-01-01T00:00:00Z");
    assert_eq!((c.new, c.older), (1, 1));
    assert!(String::from_utf8(store.raw("osv", "OSV-1").unwrap()).unwrap().contains("newer"));
}

#[test]
fn aliases_merge_across_batches_split_again_and_never_join_two_cves() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let now = "2025-01-01T00:00:00Z";
    write(&store, vec![prepared("GHSA-a", &[], "2024-01-01T00:00:00Z", "a")], now);
    write(&store, vec![prepared("PYSEC-1", &["GHSA-a", "CVE-2020-1"], "2024-01-01T00:00:00Z", "b")], now);
    assert_eq!(mains(&store), ["CVE-2020-1"]);
    let (_, conflicts) = write(
        &store,
        vec![prepared("GO-1", &["CVE-2020-1", "CVE-2020-2"], "2024-01-01T00:00:00Z", "c")],
        now,
    );
    assert_eq!(conflicts.iter().map(|d| d.code).collect::<Vec<_>>(), ["record-alias-conflict"]);
    assert_eq!(mains(&store), ["CVE-2020-1", "GO-1"]);
    assert_eq!(store.problems(10).unwrap().len(), 1);
    // The record drops its aliases: the groups come apart.
    write(&store, vec![prepared("PYSEC-1", &[], "2024-02-01T00:00:00Z", "b")], now);
    assert_eq!(mains(&store), ["GHSA-a", "GO-1", "PYSEC-1"]);
}

#[test]
fn facts_keep_their_changes_and_problems_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let epss = |score, date: &str| Fact::Epss {
        cve: "CVE-2020-1".into(),
        score,
        percentile: 0.5,
        date: date.into(),
    };
    for (score, date) in [(0.25, "2024-01-01"), (0.25, "2024-01-02"), (0.5, "2024-01-03")] {
        let refused =
            Refused { diagnostic: Diagnostic::new("record-invalid", "x", "bad"), bytes: b"{".to_vec() };
        let batch = Batch { facts: vec![epss(score, date)], refused: vec![refused], ..Batch::default() };
        store.runtime.block_on(store::write(&store.pool, batch, "2025-01-01T00:00:00Z")).unwrap();
    }
    let status = store.status().unwrap();
    assert_eq!((status.epss, status.problems), ((1, Some("2024-01-03".to_owned())), 1));
    let changes: Vec<(String,)> = store.runtime.block_on(async {
        sqlx::query_as("SELECT date FROM epss_change ORDER BY 1").fetch_all(&store.pool).await.unwrap()
    });
    assert_eq!(changes.into_iter().map(|c| c.0).collect::<Vec<_>>(), ["2024-01-01", "2024-01-03"]);
    let id = store.problems(1).unwrap()[0].id;
    assert_eq!(store.problem_bytes(id).unwrap(), b"{");
}

#[test]
fn a_damaged_or_missing_index_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.open_index().unwrap();
    for damage in [b"".as_slice(), b"other 9\n", b"tocsin-index 1\n../x\n", b"tocsin-index 1\nno\nno\n"] {
        std::fs::write(dir.path().join("index/manifest"), damage).unwrap();
        store.open_index().unwrap();
    }
    let manifest = std::fs::read_to_string(dir.path().join("index/manifest")).unwrap();
    let facts = manifest.lines().nth(1).unwrap();
    std::fs::write(dir.path().join("index").join(facts), b"rubbish").unwrap();
    store.open_index().unwrap();
}

#[test]
fn a_second_import_is_refused_while_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let _lock = store.lock().unwrap();
    let result = store.import(&[], "2025-01-01T00:00:00Z", &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(Error::Conflict(_))));
}

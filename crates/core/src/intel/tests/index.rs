//! The index: deltas, compaction, damage, readers beside a writer.

use super::*;

fn osv(n: usize, fixed: &str, modified: &str) -> String {
    format!(
        r#"{{"id":"OSV-{n}","modified":"{modified}","summary":"{fixed}","affected":[{{"package":{{"ecosystem":"npm","name":"p{n}"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
}

fn feed(store: &Store, lines: &[String]) {
    let file = store.dir.join("feed.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    import(store, &[&file]);
}

fn segments(store: &Store) -> u64 {
    store.status().unwrap().index.segments
}

/// Titles by id, of every vulnerability the index holds.
fn titles(store: &Store) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let index = store.open_index().unwrap().index;
    index
        .each(&mut |v| {
            assert!(out.insert(v.id.clone(), v.title).is_none(), "{} stands twice", v.id);
            true
        })
        .unwrap();
    assert_eq!(out.len(), index.len());
    out
}

#[test]
fn deltas_are_folded_in_and_compacted() {
    each(|store| {
        feed(store, &(0..50).map(|n| osv(n, "1.0.0", "2024-01-01T00:00:00Z")).collect::<Vec<_>>());
        assert_eq!(segments(store), 1);
        for day in 1..=8u64 {
            // one changes, one is new
            let time = format!("2024-02-0{day}T00:00:00Z");
            feed(store, &[osv(7, &format!("2.0.{day}"), &time), osv(100 + day as usize, "1.0.0", &time)]);
            let want = if day < 8 { 1 + day } else { 1 };
            assert_eq!(segments(store), want, "day {day}");
            let titles = titles(store);
            assert_eq!(titles.len(), 50 + day as usize);
            assert_eq!(titles["OSV-7"], format!("2.0.{day}"));
        }
        // the same again writes nothing
        let before = titles(store);
        let manifest = std::fs::read(store.dir.join("index/manifest")).unwrap();
        feed(store, &[osv(108, "1.0.0", "2024-02-08T00:00:00Z")]);
        assert_eq!(std::fs::read(store.dir.join("index/manifest")).unwrap(), manifest);
        // a delta and a whole build hold the same
        feed(store, &[osv(1, "3.0.0", "2024-03-01T00:00:00Z")]);
        let by_delta = titles(store);
        store.rebuild_index().unwrap();
        assert_eq!(titles(store), by_delta);
        assert_eq!(before.len(), by_delta.len());
        // merging takes the old main id out of the index
        feed(
            store,
            &[r#"{"id":"OSV-2","modified":"2024-03-01T00:00:00Z","aliases":["CVE-2020-1"],"summary":"m"}"#
                .to_owned()],
        );
        let titles = titles(store);
        assert_eq!((titles.get("OSV-2"), titles["CVE-2020-1"].as_str()), (None, "m"));
    });
}

#[test]
fn a_damaged_foreign_or_missing_index_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    feed(&store, &(0..300).map(|n| osv(n, "1.0.0", "2024-01-01T00:00:00Z")).collect::<Vec<_>>());
    let want = titles(&store);
    let folder = dir.path().join("index");
    for text in [
        "",
        "other 9\n",
        "tocsin-index 1\nno\nno\n",
        "tocsin-index 3\n1\n../x\n",
        "tocsin-index 3\nno\nno\nno\nno\n",
        "tocsin-index 3\n1\nno\nno\nno\n",
    ] {
        std::fs::write(folder.join("manifest"), text).unwrap();
        assert_eq!(titles(&store), want, "manifest {text:?}");
    }
    let names = || {
        let text = std::fs::read_to_string(folder.join("manifest")).unwrap();
        text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>()
    };
    for n in 0..names().len() {
        let file = folder.join(&names()[n]);
        let whole = std::fs::read(&file).unwrap();
        // header: magic, version, kind, ends, sums, own sum; the first and last byte of the rest; the list of sums
        let mut places = vec![0, 8, 12, 16, 48, 52];
        places.extend([64, whole.len() / 3, whole.len() / 2, whole.len().saturating_sub(8), whole.len() - 1]);
        for at in places.into_iter().filter(|at| *at < whole.len()) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            std::fs::write(&file, &damaged).unwrap();
            let opened = store.open_index().unwrap();
            if opened.index.verify().is_err() {
                // pages are looked at when they are read
                store.rebuild_index().unwrap();
            }
            assert_eq!(titles(&store), want, "{} byte {at}", file.display());
            assert_eq!(std::fs::read(&file).unwrap(), whole, "{} byte {at} was mended", file.display());
        }
        for damaged in [&whole[..0], &whole[..whole.len() / 2], b"rubbish"] {
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(titles(&store), want, "{} cut", file.display());
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(titles(&store), want, "{} missing", file.display());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(titles(&store), want);
}

#[test]
fn a_reader_beside_a_writer_sees_the_old_or_the_new_never_both() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let edition = |day: u64| {
        let time = format!("2024-02-{day:02}T00:00:00Z");
        (0..40).map(|n| osv(n, &format!("1.0.{day}"), &time)).collect::<Vec<_>>()
    };
    feed(&store, &edition(1));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let store = again(&store);
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let titles = titles(&store);
                let mut all: Vec<&String> = titles.values().collect();
                all.dedup();
                assert_eq!((titles.len(), all.len()), (40, 1), "a mixture: {titles:?}");
                seen.insert(all[0].clone());
            }
            seen
        });
        for day in 2..=20 {
            feed(&store, &edition(day));
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap().len() > 1, "the reader never ran beside the writer");
    });
}

//! Imports of files: broken off and taken up, problems that come and go, two at once.

use super::*;

fn osv(n: usize, body: &str) -> String {
    format!(
        r#"{{"id":"OSV-{n}","modified":"2024-01-01T00:00:00Z","aliases":["CVE-2020-{}"],"summary":"{body}","affected":[{{"package":{{"ecosystem":"npm","name":"p{n}"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"1.0.0"}}]}}]}}]}}"#,
        n / 2
    )
}

/// A folder of a record file longer than several batches, with a bad line in it, and facts.
fn folder(dir: &Path) -> PathBuf {
    let folder = dir.join("in");
    std::fs::create_dir_all(&folder).unwrap();
    let mut lines: Vec<String> = (0..9000).map(|n| osv(n, "x")).collect();
    lines.insert(5000, r#"{"id":"OSV-bad","modified":7,"affected":3"#.to_owned());
    lines.push(
        r#"{"id":"GO-1","modified":"2024-01-01T00:00:00Z","aliases":["CVE-2020-1","CVE-2020-2"]}"#.to_owned(),
    );
    std::fs::write(folder.join("osv.jsonl"), lines.join("\n")).unwrap();
    let epss =
        "#model_version:v1,score_date:2025-01-01T00:00:00+0000\ncve,epss,percentile\nCVE-2020-1,0.5,0.9\n";
    std::fs::write(folder.join("epss.csv"), epss).unwrap();
    folder
}

#[test]
fn broken_off_and_taken_up_gives_what_one_go_gives_and_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    let whole = Store::open(&dir.path().join("whole")).unwrap();
    let report = import(&whole, &[&folder]);
    assert_eq!(report.sources["osv"].new, 9001, "{report:?}");
    let want = contents(&whole);
    for batches in 1..4 {
        each(|store| {
            let mut left = batches;
            let report = store
                .import(std::slice::from_ref(&folder), &|| NOW.to_owned(), &mut |_| {
                    left -= 1;
                    if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .unwrap();
            assert!(report.interrupted);
            import(store, &[&folder]);
            let got = contents(store);
            assert!(got == want, "after {batches} batches: {} and {} lines", got.len(), want.len());
            let outcomes: Vec<String> =
                store.status().unwrap().imports.into_iter().map(|r| r.outcome).collect();
            assert_eq!(outcomes, ["complete", "interrupted"]);
        });
    }
    let report = import(&whole, &[&folder]);
    let c = report.sources["osv"];
    assert_eq!((c.new, c.changed, c.unchanged), (0, 0, 9001));
    assert!(contents(&whole) == want);
}

/// The test binary runs this test in a child process, which is killed in the middle of its import.
#[test]
fn killed_and_taken_up_gives_what_one_go_gives() {
    if let (Ok(data), Ok(folder)) = (std::env::var("TOCSIN_TEST_DATA"), std::env::var("TOCSIN_TEST_IN")) {
        let store = Store::open(Path::new(&data)).unwrap();
        let mut batches = 0;
        let _ = store.import(&[PathBuf::from(folder)], &|| NOW.to_owned(), &mut |_| {
            batches += 1;
            std::fs::write(Path::new(&data).join("batches"), batches.to_string()).unwrap();
            ControlFlow::Continue(())
        });
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    let whole = Store::open(&dir.path().join("whole")).unwrap();
    import(&whole, &[&folder]);
    let data = dir.path().join("killed");
    std::fs::create_dir_all(&data).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "intel::tests::imports::killed_and_taken_up_gives_what_one_go_gives"])
        .env("TOCSIN_TEST_DATA", &data)
        .env("TOCSIN_TEST_IN", &folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !data.join("batches").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let store = Store::open(&data).unwrap();
    let (written,): (i64,) = ask(&store, "SELECT count(*) FROM record").remove(0);
    assert!((1..9001).contains(&written), "it was not killed in the middle: {written}");
    assert_eq!(store.status().unwrap().imports[0].outcome, "running");
    import(&store, &[&folder]);
    assert!(contents(&store) == contents(&whole));
    let outcomes: Vec<String> = store.status().unwrap().imports.into_iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, ["complete", "interrupted"]);
}

#[test]
fn a_problem_goes_when_the_same_place_is_good() {
    each(|store| {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.jsonl"), dir.path().join("b.jsonl"));
        let good = osv(1, "x");
        std::fs::write(&a, format!("{good}\n{{\"id\":\n{{\"id\":[\n")).unwrap();
        std::fs::write(&b, format!("{good}\n{{\"id\":\n")).unwrap();
        import(store, &[&a, &b]);
        assert_eq!(store.problems(&all()).unwrap().len(), 3);
        // the same again: nothing goes and nothing is added
        import(store, &[&a]);
        assert_eq!(store.problems(&all()).unwrap().len(), 3);
        std::fs::write(&a, format!("{good}\n{}\n{{\"id\":[\n", osv(2, "x"))).unwrap();
        import(store, &[&a]);
        let left: Vec<String> = store.problems(&all()).unwrap().into_iter().map(|p| p.place).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        std::fs::write(&b, good).unwrap();
        import(store, &[&b]);
        assert_eq!(store.problems(&all()).unwrap().len(), 1);
    });
}

#[test]
fn texts_no_database_can_hold_and_ids_no_index_can_hold_do_no_harm() {
    each(|store| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jsonl");
        let long = "L".repeat(5000);
        let lines = [
            r#"{"id":"NUL-\u0000-1","modified":"2024-01-01T00:00:00Z","summary":"a\u0000b"}"#.to_owned(),
            format!(r#"{{"id":"{long}","modified":"2024-01-01T00:00:00Z"}}"#),
            format!(r#"{{"id":"OK-1","modified":"2024-01-01T00:00:00Z","aliases":["{long}"]}}"#),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        for _ in 0..2 {
            let report = import(store, &[&file]);
            assert_eq!((report.sources["osv"].read, report.sources["osv"].refused), (3, 1));
        }
        assert!(store.show("OK-1").unwrap().aliases.is_empty());
        assert_eq!(store.search("NUL", 10, None).unwrap().hits.len(), 1);
    });
}

#[test]
fn a_second_import_is_refused_while_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let _lock = store.lock().unwrap();
    let result = store.import(&[], &|| NOW.to_owned(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(crate::Error::Conflict(_))));
}

#[test]
fn words_are_found_page_by_page() {
    each(|store| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jsonl");
        let lines: Vec<String> = (0..10).map(|n| osv(n * 2, "Buffer over-read")).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        import(store, &[&file]);
        let (mut after, mut pages, mut found) = (None, 0, Vec::new());
        loop {
            let page = store.search("over-read buf", 4, after).unwrap();
            pages += 1;
            found.extend(page.hits.into_iter().map(|h| h.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort();
        found.dedup();
        assert_eq!((pages, found.len()), (3, 10));
        for (asked, n) in [("p4", 1), ("CVE-2020-", 10), ("osv-4", 1), ("nothing", 0), ("'\"; --", 0)] {
            assert_eq!(store.search(asked, 50, None).unwrap().hits.len(), n, "{asked}");
        }
        // the id itself comes first, once
        let hits = store.search("CVE-2020-4", 50, None).unwrap().hits;
        assert_eq!(hits.iter().filter(|h| h.id == "CVE-2020-4").count(), 1);
        assert_eq!(hits[0].id, "CVE-2020-4");
    });
}

#[test]
fn remarks_stay_with_the_content_they_are_on() {
    each(|store| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("osv.jsonl");
        let record = |modified: &str, ecosystems: &[&str]| {
            let affected: Vec<String> = ecosystems
                .iter()
                .map(|e| format!(r#"{{"package":{{"ecosystem":"{e}","name":"p"}},"versions":["1"]}}"#))
                .collect();
            format!(r#"{{"id":"OSV-1","modified":"{modified}","affected":[{}]}}"#, affected.join(","))
        };
        let told = |store: &Store| store.remarks(&all()).unwrap();
        std::fs::write(&file, record("2024-01-01T00:00:00Z", &["npm", "Nowhere"])).unwrap();
        let report = import(store, &[&file]);
        assert_eq!((report.remarks, report.problems, report.sources["osv"].refused), (1, 0, 0), "{report:?}");
        let list = told(store);
        assert_eq!(
            (list[0].code.as_str(), list[0].source.as_str(), list[0].place.as_str()),
            ("value-ignored", "osv", "OSV-1: affected[1]")
        );
        assert_eq!((store.problems(&all()).unwrap().len(), store.status().unwrap().remarks), (0, 1));
        // Passed over as unchanged, the record is not parsed again; its remark stays.
        assert_eq!(import(store, &[&file]).remarks, 0);
        assert_eq!(told(store).len(), 1);
        assert_eq!(
            store.remarks(&ProblemFilter { source: Some("nvd".to_owned()), ..all() }).unwrap().len(),
            0
        );
        assert_eq!(store.remarks(&ProblemFilter { before: Some(list[0].id), ..all() }).unwrap().len(), 0);
        // Bounded, the rest counted.
        let names: Vec<String> = (0..50).map(|n| format!("Nowhere{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        std::fs::write(&file, record("2024-02-01T00:00:00Z", &names)).unwrap();
        import(store, &[&file]);
        let list = told(store);
        assert_eq!((list.len(), list[0].message.as_str()), (20, "31 more remarks on this record"));
        // Mended, nothing is left to say.
        std::fs::write(&file, record("2024-03-01T00:00:00Z", &["npm"])).unwrap();
        import(store, &[&file]);
        assert_eq!(told(store).len(), 0);
    });
}

//! What became different, edition by edition.

use super::*;
use crate::intel::changes;

fn osv(id: &str, name: &str, fixed: &str, modified: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"{modified}","summary":"{fixed}","affected":[{{"package":{{"ecosystem":"npm","name":"{name}"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
}

fn feed(store: &Store, name: &str, text: &str) {
    let file = store.dir.join(name);
    std::fs::write(&file, text).unwrap();
    import(store, &[&file]);
}

fn between(store: &Store, from: i64, to: i64) -> Option<Changes> {
    store.runtime.block_on(changes(&store.db, from, to)).unwrap()
}

fn edition(store: &Store) -> i64 {
    store.open_index().unwrap().generation
}

#[test]
fn each_edition_tells_what_changed_in_it() {
    each(|store| {
        let first = (0..20)
            .map(|n| osv(&format!("CVE-2024-{n:04}"), &format!("p{n}"), "1.0.0", "2024-01-01T00:00:00Z"));
        feed(store, "osv.jsonl", &first.collect::<Vec<_>>().join("\n"));
        assert_eq!(edition(store), 1);
        assert!(between(store, 0, 1).is_none(), "the first edition is not compared with anything");
        // nothing new is no edition
        feed(store, "again.jsonl", &osv("CVE-2024-0001", "p1", "1.0.0", "2024-01-01T00:00:00Z"));
        assert_eq!(edition(store), 1);

        feed(store, "more.jsonl", &osv("CVE-2024-0007", "p7", "2.0.0", "2024-02-01T00:00:00Z"));
        assert_eq!(edition(store), 2);
        let told = between(store, 1, 2).unwrap();
        assert_eq!(told.vulnerabilities.iter().collect::<Vec<_>>(), ["CVE-2024-0007"]);
        assert_eq!((told.keys.len(), told.exploitation.map(|e| e.len())), (1, Some(0)));

        let epss = "#model_version:v1,score_date:2025-01-01T00:00:00+0000\ncve,epss,percentile\nCVE-2024-0003,0.5,0.9\nCVE-1999-1,0.1,0.1\n";
        feed(store, "epss.csv", epss);
        let told = between(store, 2, 3).unwrap();
        assert_eq!((told.keys.len(), told.vulnerabilities.len()), (0, 0));
        assert_eq!(told.exploitation.unwrap().iter().collect::<Vec<_>>(), ["CVE-2024-0003"]);

        let vex = r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"urn:vex:1","author":"Acme","timestamp":
            "2025-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2024-0005"},"products":
            [{"@id":"pkg:npm/p5"}],"status":"not_affected","justification":"vulnerable_code_not_present"}]}"#;
        feed(store, "vex.json", vex);
        let told = between(store, 3, 4).unwrap();
        assert_eq!(told.vulnerabilities.iter().collect::<Vec<_>>(), ["CVE-2024-0005"]);

        // built anew, nothing is different
        store.rebuild_index().unwrap();
        assert_eq!(edition(store), 5);
        let told = between(store, 4, 5).unwrap();
        assert_eq!(
            (told.keys.len(), told.vulnerabilities.len(), told.exploitation.unwrap().len()),
            (0, 0, 0)
        );
        let all = between(store, 1, 5).unwrap();
        assert_eq!((all.vulnerabilities.len(), all.exploitation.unwrap().len()), (2, 1));

        // where the one before is lost, everything may be different
        std::fs::remove_file(store.dir.join("index/manifest")).unwrap();
        assert_eq!(edition(store), 6);
        assert!(between(store, 5, 6).is_none() && between(store, 1, 6).is_none());
        feed(store, "last.jsonl", &osv("CVE-2024-0008", "p8", "2.0.0", "2024-02-01T00:00:00Z"));
        assert_eq!(between(store, 6, 7).unwrap().vulnerabilities.len(), 1);

        // steps that no release needs are forgotten; the index is known all the same
        store.runtime.block_on(prune(&store.db, 7)).unwrap();
        assert!(between(store, 6, 7).is_none());
        feed(store, "end.jsonl", &osv("CVE-2024-0009", "p9", "2.0.0", "2024-02-01T00:00:00Z"));
        assert_eq!(between(store, 7, 8).unwrap().vulnerabilities.len(), 1);
    });
}

#[test]
fn an_index_of_another_copy_of_the_database_is_built_anew() {
    each(|store| {
        feed(store, "a.jsonl", &osv("CVE-2024-0001", "p1", "1.0.0", "2024-01-01T00:00:00Z"));
        feed(store, "b.jsonl", &osv("CVE-2024-0002", "p2", "1.0.0", "2024-01-01T00:00:00Z"));
        assert_eq!(edition(store), 2);
        // the database as it was before the second import, its index not
        let sql = "DELETE FROM generation WHERE n = 2";
        store.runtime.block_on(crate::platform::sql::run(&store.db, "going back", sql, vec![])).unwrap();
        feed(store, "c.jsonl", &osv("CVE-2024-0003", "p3", "1.0.0", "2024-01-01T00:00:00Z"));
        assert_eq!(edition(store), 3, "no number is given twice");
        assert!(between(store, 1, 3).is_none() && between(store, 2, 3).is_none());
        assert_eq!(store.status().unwrap().index.segments, 1);
    });
}

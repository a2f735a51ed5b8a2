//! What is stored is replaced by what is newer, and by nothing else.

use tocsin_model::record::Fact;

use super::*;
use crate::intel::store::Refused;
use crate::intel::vex::VexDocument;

#[test]
fn same_bytes_are_unchanged_newer_replace_and_older_do_not() {
    each(|store| {
        let first = || prepared("OSV-1", &[], "2024-01-02T00:00:00Z", "one");
        let n = |c: Counts| (c.new, c.changed, c.unchanged, c.older);
        assert_eq!(n(write(store, vec![first()], "2025-01-01T00:00:00Z").0), (1, 0, 0, 0));
        assert_eq!(n(write(store, vec![first()], "2025-01-02T00:00:00Z").0), (0, 0, 1, 0));
        let newer = prepared("OSV-1", &[], "2024-01-02T01:00:00+00:30", "two");
        assert_eq!(n(write(store, vec![newer], "2025-01-03T00:00:00Z").0), (0, 1, 0, 0));
        assert_eq!(n(write(store, vec![first()], "2025-01-04T00:00:00Z").0), (0, 0, 0, 1));
        assert!(String::from_utf8(store.raw("osv", "OSV-1").unwrap()).unwrap().contains("two"));
        let until: Vec<(String,)> = ask(store, "SELECT until FROM record_history");
        assert_eq!(until, [("2025-01-03T00:00:00Z".to_owned(),)]);
    });
}

#[test]
fn changed_and_changed_back_keeps_every_step() {
    each(|store| {
        // Without a time the last word holds; the same bytes come back twice.
        let undated = |body: &str| Prepared { modified: None, ..prepared("OSV-1", &[], "", body) };
        for (day, body) in ["a", "b", "a", "c"].into_iter().enumerate() {
            write(store, vec![undated(body)], &format!("2025-01-0{}T00:00:00Z", day + 1));
        }
        let steps: Vec<(i64, String)> = ask(store, "SELECT n, until FROM record_history ORDER BY n");
        let want = [(1, "2025-01-02"), (2, "2025-01-03"), (3, "2025-01-04")];
        assert_eq!(steps, want.map(|(n, day)| (n, format!("{day}T00:00:00Z"))));
        assert_eq!(store.show("OSV-1").unwrap().records[0].history.len(), 3);
    });
}

#[test]
fn two_publishers_of_one_record_do_not_take_turns() {
    each(|store| {
        let from = |body: &str| prepared("OSV-1", &[], "2024-01-01T00:00:00Z", body);
        write(store, vec![from("json"), from("yaml")], NOW);
        let before = contents(store);
        assert_eq!(store.show("OSV-1").unwrap().records[0].history.len(), 1);
        let (c, _) = write(store, vec![from("json"), from("yaml")], NOW);
        assert_eq!((c.changed, c.older, c.unchanged), (0, 1, 1));
        assert_eq!(contents(store), before);
    });
}

#[test]
fn one_record_twice_in_a_batch_is_written_once() {
    each(|store| {
        let batch = vec![
            prepared("OSV-1", &[], "2024-01-02T00:00:00Z", "newer"),
            prepared("OSV-1", &[], "2024-01-01T00:00:00Z", "older"),
        ];
        let (c, _) = write(store, batch, NOW);
        assert_eq!((c.new, c.older), (1, 1));
        assert!(String::from_utf8(store.raw("osv", "OSV-1").unwrap()).unwrap().contains("newer"));
    });
}

fn epss(score: f32, date: &str) -> Fact {
    Fact::Epss { cve: "CVE-2020-1".into(), score, percentile: 0.5, date: date.into() }
}

fn kev(name: &str, released: Option<&str>) -> Fact {
    Fact::Kev {
        cve: "CVE-2020-1".into(),
        date_added: "2021-01-01".into(),
        due_date: None,
        ransomware: false,
        name: name.into(),
        released: released.map(Into::into),
    }
}

fn exploit(title: &str, updated: Option<&str>) -> Fact {
    Fact::Exploit {
        vulnerabilities: vec!["CVE-2020-1".into()],
        origin: "exploit-db",
        id: "EDB-1".into(),
        title: title.into(),
        date: None,
        verified: true,
        rank: None,
        updated: updated.map(Into::into),
    }
}

#[test]
fn an_older_edition_never_replaces_a_newer_fact() {
    type Case = (&'static str, Fact, (u64, u64, u64, u64));
    let cases: Vec<Case> = vec![
        ("epss", epss(0.25, "2024-01-02"), (1, 0, 0, 0)),
        ("epss", epss(0.25, "2024-01-02"), (0, 0, 1, 0)),
        ("epss", epss(0.5, "2024-01-01"), (0, 0, 0, 1)),
        ("epss", epss(0.5, "2024-01-03"), (0, 1, 0, 0)),
        ("kev", kev("b", Some("2024-02-01T10:00:00.1Z")), (1, 0, 0, 0)),
        ("kev", kev("a", Some("2024-01-01T10:00:00.1Z")), (0, 0, 0, 1)),
        ("kev", kev("b", Some("2024-03-01")), (0, 0, 1, 0)),
        ("kev", kev("a", Some("2024-02-02")), (0, 0, 0, 1)),
        ("kev", kev("c", Some("2024-03-02")), (0, 1, 0, 0)),
        ("exploit", exploit("b", Some("2024-02-01")), (1, 0, 0, 0)),
        ("exploit", exploit("a", Some("2024-01-01")), (0, 0, 0, 1)),
        ("exploit", exploit("c", Some("2024-02-02")), (0, 1, 0, 0)),
    ];
    each(|store| {
        for (n, (source, fact, want)) in cases.iter().enumerate() {
            let batch = Batch { facts: vec![fact.clone()], ..Batch::default() };
            let c = write_batch(store, batch, NOW).0.get(*source).copied().unwrap_or_default();
            assert_eq!((c.new, c.changed, c.unchanged, c.older), *want, "case {n}: {fact:?}");
        }
        let shown: Vec<(String, String, String)> = ask(
            store,
            "SELECT e.date, k.name, x.title FROM epss e JOIN kev k ON k.cve = e.cve JOIN exploit x ON x.cve = e.cve",
        );
        assert_eq!(shown, [("2024-01-03".to_owned(), "c".to_owned(), "c".to_owned())]);
    });
}

/// A year of scores that creep, fall by half and jump; what is kept of them, and what holds now.
#[test]
fn of_epss_the_steps_are_kept_and_the_score_of_now() {
    each(|store| {
        let days: Vec<(f32, String)> =
            [0.02, 0.0202, 0.0204, 0.025, 0.029, 0.031, 0.0312, 0.5, 0.499, 0.4989]
                .into_iter()
                .zip((1..).map(|d| format!("2024-01-{d:02}")))
                .collect();
        for (score, day) in &days {
            write_batch(store, Batch { facts: vec![epss(*score, day)], ..Batch::default() }, NOW);
        }
        let kept = "SELECT date FROM epss_change ORDER BY date";
        let told: Vec<String> = ask(store, kept).into_iter().map(|r: (String,)| r.0).collect();
        assert_eq!(
            told,
            ["2024-01-01", "2024-01-06", "2024-01-08"],
            "what creeps is a step once it came so far"
        );
        let now: Vec<(String,)> = ask(store, "SELECT date FROM epss");
        assert_eq!(now[0].0, "2024-01-10");
        // the small ones: a doubling from a thousandth on
        for (n, (score, day)) in
            [(0.0004, 11), (0.0009, 12), (0.0013, 13), (0.0028, 14), (0.0016, 15), (0.0011, 16)]
                .into_iter()
                .enumerate()
        {
            let fact = match epss(score, &format!("2024-01-{day}")) {
                Fact::Epss { score, percentile, date, .. } => {
                    Fact::Epss { cve: "CVE-2024-9999".into(), score, percentile, date }
                }
                other => other,
            };
            let c = write_batch(store, Batch { facts: vec![fact], ..Batch::default() }, NOW).0;
            assert_eq!(c["epss"].new, u64::from(n == 0), "every score that differs is counted");
        }
        let kept = "SELECT date FROM epss_change WHERE cve = 'CVE-2024-9999' ORDER BY date";
        let told: Vec<String> = ask(store, kept).into_iter().map(|r: (String,)| r.0).collect();
        assert_eq!(told, ["2024-01-11", "2024-01-14", "2024-01-16"]);
    });
}

#[test]
fn facts_keep_their_changes_and_problems_their_bytes() {
    each(|store| {
        for (score, date) in [(0.25, "2024-01-01"), (0.25, "2024-01-02"), (0.5, "2024-01-03")] {
            let diagnostic = Diagnostic::new("record-invalid", "x", "bad");
            let refused = Refused { source: "nvd", file: "x".to_owned(), diagnostic, bytes: b"{".to_vec() };
            let batch = Batch { facts: vec![epss(score, date)], refused: vec![refused], ..Batch::default() };
            write_batch(store, batch, NOW);
        }
        let status = store.status().unwrap();
        assert_eq!((status.epss, status.problems), ((1, Some("2024-01-03".to_owned())), 1));
        let changes: Vec<(String,)> = ask(store, "SELECT date FROM epss_change ORDER BY 1");
        assert_eq!(changes.into_iter().map(|c| c.0).collect::<Vec<_>>(), ["2024-01-01", "2024-01-03"]);
        let problem = store.problems(&all()).unwrap().remove(0);
        assert_eq!((problem.source.as_str(), problem.place.as_str()), ("nvd", "x"));
        assert_eq!(store.problem_bytes(problem.id).unwrap(), b"{");
        for (filter, n) in [
            (ProblemFilter { source: Some("osv".to_owned()), ..all() }, 0),
            (
                ProblemFilter {
                    source: Some("nvd".to_owned()),
                    code: Some("record-invalid".to_owned()),
                    ..all()
                },
                1,
            ),
            (ProblemFilter { before: Some(problem.id), ..all() }, 0),
        ] {
            assert_eq!(store.problems(&filter).unwrap().len(), n, "{filter:?}");
        }
    });
}

#[test]
fn a_newer_edition_of_a_vex_document_replaces_all_of_the_older() {
    let document = |time: &str, ids: &[&str]| {
        let statements: Vec<_> = ids
            .iter()
            .map(|id| tocsin_model::vex::VexStatement {
                vulnerability: (*id).to_owned(),
                aliases: Vec::new(),
                products: Vec::new(),
                status: tocsin_model::vex::VexStatus::Fixed,
                justification: None,
                statement: None,
                timestamp: Some(time.to_owned()),
                author: None,
                document: Some("https://example.com/vex".to_owned()),
                path: String::new(),
                wrong_match: false,
                response: None,
            })
            .collect();
        VexDocument::new(&statements)
    };
    each(|store| {
        let write =
            |d: VexDocument| write_batch(store, Batch { vex: vec![d], ..Batch::default() }, NOW).0["vex"];
        assert_eq!(write(document("2024-01-02T00:00:00Z", &["CVE-1", "CVE-2"])).new, 2);
        assert_eq!(write(document("2024-01-02T00:00:00Z", &["CVE-1", "CVE-2"])).unchanged, 2);
        assert_eq!(write(document("2024-01-01T00:00:00Z", &["CVE-3"])).older, 1);
        assert_eq!(write(document("2024-01-03T00:00:00Z", &["CVE-2"])).changed, 1);
        store.rebuild_index().unwrap();
        let vex = store.open_index().unwrap().vex;
        assert_eq!(vex.iter().map(|s| s.vulnerability.as_str()).collect::<Vec<_>>(), ["CVE-2"]);
    });
}

//! Which records are of one flaw, whatever the order they come in.

use proptest::prelude::*;

use super::*;

fn mains(store: &Store) -> Vec<String> {
    let mut mains: Vec<String> =
        ask::<(String,)>(store, "SELECT main FROM vulnerability").into_iter().map(|r| r.0).collect();
    mains.sort();
    mains
}

#[test]
fn aliases_merge_across_batches_split_again_and_never_join_two_cves() {
    each(|store| {
        write(store, vec![prepared("GHSA-a", &[], "2024-01-01T00:00:00Z", "a")], NOW);
        write(store, vec![prepared("PYSEC-1", &["GHSA-a", "CVE-2020-1"], "2024-01-01T00:00:00Z", "b")], NOW);
        assert_eq!(mains(store), ["CVE-2020-1"]);
        let collective = prepared("GO-1", &["CVE-2020-1", "CVE-2020-2"], "2024-01-01T00:00:00Z", "c");
        let (_, conflicts) = write(store, vec![collective], NOW);
        assert_eq!(conflicts.iter().map(|d| d.code).collect::<Vec<_>>(), ["record-alias-conflict"]);
        assert_eq!(mains(store), ["CVE-2020-1", "GO-1"]);
        assert_eq!(store.problems(&all()).unwrap().len(), 1);
        let link = |how, id: &str, main: Option<&str>| (how, id.to_owned(), main.map(str::to_owned));
        let shown = store.show("GO-1").unwrap();
        let wanted = [link("names", "CVE-2020-1", Some("CVE-2020-1")), link("names", "CVE-2020-2", None)];
        assert_eq!((shown.see_also, shown.problems.len()), (wanted.to_vec(), 1));
        let shown = store.show("CVE-2020-1").unwrap();
        assert_eq!(shown.see_also, [link("named by", "GO-1", Some("GO-1"))]);
        // The record drops its aliases: the groups come apart.
        write(store, vec![prepared("PYSEC-1", &[], "2024-02-01T00:00:00Z", "b")], NOW);
        assert_eq!(mains(store), ["GHSA-a", "GO-1", "PYSEC-1"]);
        // It is about one flaw after all: the problem is gone and it is merged.
        write(store, vec![prepared("GO-1", &["GHSA-a"], "2024-02-01T00:00:00Z", "c")], NOW);
        assert_eq!(mains(store), ["GHSA-a", "PYSEC-1"]);
        assert_eq!(store.problems(&all()).unwrap().len(), 0);
    });
}

/// Chains, collective records, records that name a collective one, conflicts at every link of a chain.
const RECORDS: &[&[&str]] = &[
    &["CVE-2020-1"],
    &["CVE-2020-2"],
    &["CVE-2020-3"],
    &["CVE-2020-4"],
    &["GHSA-a", "CVE-2020-1"],
    &["PYSEC-a", "GHSA-a"],
    &["OSV-a", "PYSEC-a"],
    &["GHSA-b", "CVE-2020-2"],
    // would join 1 and 2
    &["OSV-ab", "GHSA-a", "GHSA-b"],
    &["OSV-abc", "OSV-ab"],
    // collective
    &["RUSTSEC-1", "CVE-2020-1", "CVE-2020-3"],
    &["RUSTSEC-2", "CVE-2020-3", "CVE-2020-4", "GHSA-c"],
    // names a collective record
    &["GHSA-c", "RUSTSEC-2", "CVE-2020-3"],
    &["GHSA-d", "RUSTSEC-1"],
    // a chain of ids without a CVE that meets two
    &["X-1", "X-2"],
    &["X-2", "X-3"],
    &["X-3", "X-4"],
    &["X-1", "CVE-2020-5"],
    &["X-4", "CVE-2020-6"],
    &["X-5", "X-3", "CVE-2020-6"],
    // nobody's record is named
    &["Y-1", "Y-9"],
    &["Y-2", "Y-9"],
    &["Y-3", "Y-9", "CVE-2020-7"],
    &["Y-4", "Y-2", "CVE-2020-8"],
    &["Z-1"],
    &["Z-2", "Z-1"],
    &["Z-3", "Z-2", "CVE-2020-9"],
    &["Z-4", "Z-1", "CVE-2020-9"],
    &["CVE-2020-9", "Z-1"],
    &["CVE-2020-10", "CVE-2020-9"],
];

fn grouped(store: &Store, order: &[usize], batch: usize) -> Vec<String> {
    for some in order.chunks(batch) {
        let records = some
            .iter()
            .map(|n| {
                let (id, aliases) = RECORDS[*n].split_first().unwrap();
                // two records share an id: they come from two sources
                let source = if *n == 17 { "ghsa" } else { "osv" };
                Prepared { source, ..prepared(id, aliases, "2024-01-01T00:00:00Z", &format!("{n}")) }
            })
            .collect();
        write(store, records, NOW);
    }
    let told = ["link", "alias", "also", "problem"];
    contents(store).into_iter().filter(|l| told.iter().any(|t| l.starts_with(&format!("{t} ")))).collect()
}

fn fresh(order: &[usize], batch: usize) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    grouped(&Store::open(dir.path()).unwrap(), order, batch)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_import_does_not_change_the_flaws(
        order in Just((0..RECORDS.len()).collect::<Vec<_>>()).prop_shuffle(),
        batch in 1usize..12,
    ) {
        static WANT: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        let want = WANT.get_or_init(|| fresh(&(0..RECORDS.len()).collect::<Vec<_>>(), RECORDS.len()));
        prop_assert_eq!(&fresh(&order, batch), want);
    }
}

#[test]
fn the_flaws_are_as_told() {
    let order: Vec<usize> = (0..RECORDS.len()).collect();
    each(|store| {
        let lines = grouped(store, &order, 7);
        let flaw = |id: &str| {
            let line = lines.iter().find_map(|l| l.strip_prefix(&format!("alias {id} ")));
            line.unwrap_or("nobody").to_owned()
        };
        for (id, main) in [
            ("OSV-a", "CVE-2020-1"),
            ("GHSA-b", "CVE-2020-2"),
            ("OSV-ab", "OSV-ab"),
            ("OSV-abc", "OSV-ab"),
            ("RUSTSEC-1", "RUSTSEC-1"),
            ("RUSTSEC-2", "RUSTSEC-2"),
            ("GHSA-c", "CVE-2020-3"),
            ("GHSA-d", "GHSA-d"),
            ("Z-2", "CVE-2020-9"),
            ("CVE-2020-10", "CVE-2020-10"),
        ] {
            assert_eq!(flaw(id), main, "{id}");
        }
        let cves = |main: &str| {
            lines.iter().filter(|l| l.starts_with("alias CVE-") && l.ends_with(&format!(" {main}"))).count()
        };
        for line in lines.iter().filter(|l| l.starts_with("alias ")) {
            let main = line.rsplit(' ').next().unwrap();
            assert!(cves(main) <= 1, "{main} holds {} CVE ids", cves(main));
        }
    });
}

//! Intelligence of the corpus, read from its archives as an import reads it, and counted independently.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use tocsin_formats::input::Limits;
use tocsin_formats::intel::{Item, RawKind, parse, split};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::{CatalogueEntry, Fact, Record};

/// A file of the corpus; nothing, loudly, where the corpus is absent.
fn corpus(name: &str) -> Option<PathBuf> {
    let base = std::env::var_os("TOCSIN_CORPUS").map(PathBuf::from);
    let base =
        base.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")));
    let path = base.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not in the corpus", path.display());
    None
}

#[derive(Default)]
struct Read_ {
    /// By format: records as stored, and parsed records with the place of their document.
    records: Vec<(RawKind, String, Vec<Record>)>,
    entries: Vec<CatalogueEntry>,
    facts: usize,
    vex: usize,
    remarks: Vec<(String, Diagnostic)>,
    refused: Vec<Diagnostic>,
    skipped: Vec<String>,
}

fn read_bytes(name: &str, input: &mut dyn Read) -> Read_ {
    let mut out = Read_::default();
    let end = split(name, input, &Limits::default(), &mut |item| {
        match item {
            Item::Record(r) => match parse(r.kind, &r.bytes) {
                Ok((records, remarks)) => {
                    out.remarks.extend(remarks.into_iter().map(|d| (r.place.clone(), d)));
                    out.records.push((r.kind, r.place, records));
                }
                Err(d) => out.refused.push(d.within(&r.place)),
            },
            Item::Fact(Fact::Catalogue(e)) => out.entries.push(*e),
            Item::Fact(_) => out.facts += 1,
            Item::Vex(v) => out.vex += v.len(),
            Item::Problem(d, _) => out.refused.push(d),
            Item::Skipped(place) => out.skipped.push(place),
        }
        ControlFlow::Continue(())
    });
    out.refused.extend(end.err());
    out
}

fn read(name: &str) -> Option<Read_> {
    let path = corpus(name)?;
    let mut file = std::fs::File::open(&path).unwrap();
    Some(read_bytes(name, &mut file))
}

/// Files of an archive whose name ends so, outside of anything of ours.
fn files(name: &str, ends: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let Some(path) = corpus(name) else { return BTreeMap::new() };
    let mut archive = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap());
    let mut out = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && ends.iter().any(|e| path.ends_with(e)) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            out.insert(path, bytes);
        }
    }
    out
}

/// Every file is read as `kind`, but for those of `left`; every record has its own id and its statements.
fn every_file(name: &str, ends: &[&str], kind: RawKind, left: &[&str], remarks: usize) {
    let (Some(got), files) = (read(name), files(name, ends)) else { return };
    assert!(got.refused.is_empty(), "{:?}", got.refused);
    assert!(got.records.iter().all(|(k, ..)| *k == kind));
    let read: BTreeSet<&str> =
        got.records.iter().map(|(_, place, _)| place.split_once('!').unwrap().1).collect();
    let missed: Vec<&String> = files.keys().filter(|f| !read.contains(f.as_str())).collect();
    assert!(missed.iter().all(|f| left.iter().any(|l| f.ends_with(l))), "{missed:?}");
    assert_eq!(missed.len(), left.len(), "{missed:?}");
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, place, records) in &got.records {
        assert!(!records.is_empty(), "{place}");
        for r in records {
            // the same advisory twice is one; two that differ must not hide one another
            if let Some(other) = ids.insert(&r.id, place) {
                let of = |place: &str| files.get(place.split_once('!').unwrap().1);
                assert_eq!(of(other), of(place), "{} twice: {other} {place}", r.id);
            }
            assert!(
                r.affected.iter().all(|a| {
                    !a.versions.entries.is_empty()
                        || a.versions.default == tocsin_model::record::VersionStatus::Affected
                }),
                "{place}"
            );
        }
    }
    let told: Vec<String> = got.remarks.iter().map(|(p, d)| format!("{p}: {d}")).collect();
    assert_eq!(told.len(), remarks, "{told:#?}");
}

#[test]
fn rubysec_whole() {
    every_file("advisories/rubysec.tar.zst", &[".yml", ".yaml"], RawKind::RubySec, &[], 0);
}

#[test]
fn friendsofphp_whole() {
    every_file("advisories/friendsofphp.tar.zst", &[".yml", ".yaml"], RawKind::Composer, &[], 0);
}

/// `index.json` holds the same advisories of Node.js once more, in one object.
#[test]
fn node_whole() {
    every_file("advisories/nodejs-security-wg.tar.zst", &[".json"], RawKind::Node, &["core/index.json"], 0);
}

/// Ranges told: builds of JBoss and Fedora, whose series is no number and whose versions are not PyPI's.
#[test]
fn victims_whole() {
    every_file("advisories/victims-java-python.tar.zst", &[".yml", ".yaml"], RawKind::Victims, &[], 14);
}

#[test]
fn every_release_of_the_weaknesses() {
    let Some(dir) = corpus("cwe") else { return };
    let mut releases = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".csv") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let got = read_bytes(&name, &mut text.as_bytes());
        assert!(got.refused.is_empty() && got.skipped.is_empty(), "{name}: {:?}", got.refused);
        let lines = text.lines().filter(|l| !l.trim().is_empty()).count();
        assert_eq!(got.entries.len(), lines, "{name}");
        let release = name.trim_start_matches("cwe_").split('_').next().unwrap();
        assert!(got.entries.iter().all(|e| e.release == release), "{name}");
        releases += 1;
        if release == "4.20" {
            let of = |id: &str| got.entries.iter().find(|e| e.id == id).unwrap();
            assert_eq!(of("CWE-79").usage, "Allowed");
            assert_eq!(of("CWE-20").usage, "Discouraged");
            assert_eq!(of("CWE-79").status, "Stable");
        }
    }
    assert_eq!(releases, 57);
}

#[test]
fn every_attack_pattern() {
    let Some(got) = read("capec/capec-2.1-attack-patterns.jsonl.zst") else { return };
    assert_eq!((got.entries.len(), got.refused.len(), got.skipped.len()), (615, 0, 0));
    assert!(got.entries.iter().all(|e| e.release == "3.9"));
    assert_eq!(got.entries.iter().filter(|e| e.status == "Deprecated").count(), 56);
    assert_eq!(got.entries.iter().filter(|e| !e.parents.is_empty()).count(), 499);
    let forceful = got.entries.iter().find(|e| e.id == "CAPEC-87").unwrap();
    assert_eq!(forceful.weaknesses, ["CWE-425", "CWE-285", "CWE-693"]);
}

/// What a CSAF document holds, by walking the JSON: vulnerabilities, statuses and remediations; the statements
/// that the statuses give (one for each purl, else each CPE, else one) and the statuses of products that are
/// not in the tree.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Walked {
    vulnerabilities: usize,
    statuses: usize,
    statements: usize,
    unknown: usize,
    remediations: usize,
}

fn walk(doc: &serde_json::Value) -> Walked {
    use serde_json::Value;
    fn products(v: &Value, out: &mut BTreeMap<String, (usize, usize)>) {
        match v {
            Value::Object(map) => {
                if let Some(id) = map.get("product_id").and_then(Value::as_str) {
                    let helper = map.get("product_identification_helper");
                    let one = |k: &str| helper.and_then(|h| h.get(k)).is_some() as usize;
                    let purls =
                        helper.and_then(|h| h.get("purls")).and_then(Value::as_array).map_or(0, Vec::len);
                    out.insert(id.trim().to_owned(), (one("purl") + purls, one("cpe")));
                }
                map.values().for_each(|v| products(v, out));
            }
            Value::Array(list) => list.iter().for_each(|v| products(v, out)),
            _ => {}
        }
    }
    let mut ids = BTreeMap::new();
    if let Some(tree) = doc.get("product_tree") {
        products(tree, &mut ids);
        // a relationship's product has the identifiers of its part too
        for r in tree.get("relationships").and_then(Value::as_array).into_iter().flatten() {
            let part =
                r["product_reference"].as_str().and_then(|id| ids.get(id).copied()).unwrap_or_default();
            if let Some(own) = r["full_product_name"]["product_id"].as_str().and_then(|id| ids.get_mut(id)) {
                *own = (own.0 + part.0, own.1 + part.1);
            }
        }
    }
    let mut out = Walked::default();
    for v in doc.get("vulnerabilities").and_then(Value::as_array).into_iter().flatten() {
        out.vulnerabilities += 1;
        out.remediations += v.get("remediations").and_then(Value::as_array).map_or(0, Vec::len);
        for (list, named) in v.get("product_status").and_then(Value::as_object).into_iter().flatten() {
            if list == "recommended" {
                out.remediations += 1;
                continue;
            }
            for id in named.as_array().into_iter().flatten() {
                out.statuses += 1;
                match ids.get(id.as_str().unwrap_or_default()) {
                    Some((0, 0)) => out.statements += 1,
                    Some((0, cpes)) => out.statements += cpes,
                    Some((purls, _)) => out.statements += purls,
                    None => out.unknown += 1,
                }
            }
        }
    }
    out
}

/// Every document of an archive, as an import reads it, holds what walking its JSON finds.
fn csaf_whole(documents: impl IntoIterator<Item = (String, Vec<u8>)>, want: (usize, usize, usize)) {
    let (mut count, mut total, mut undecidable) = (0, Walked::default(), 0);
    for (name, bytes) in documents {
        let got = read_bytes(&name, &mut bytes.as_slice());
        let Ok(doc) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
            assert_eq!(got.refused.len(), 1, "{name}");
            continue;
        };
        let csaf = doc.pointer("/document/csaf_version").is_some_and(|v| v.is_string());
        if !csaf || doc.get("vulnerabilities").is_none() {
            assert!(got.records.is_empty(), "{name}");
            continue;
        }
        let want = walk(&doc);
        let records: Vec<&Record> = got.records.iter().flat_map(|(.., r)| r).collect();
        let of = |part: &str, code: &str| {
            got.remarks.iter().filter(|(_, d)| d.code == code && d.path.contains(part)).count()
        };
        let found = Walked {
            vulnerabilities: records.len(),
            statuses: want.statuses,
            statements: records.iter().map(|r| r.affected.len()).sum(),
            unknown: of("product_status", "ref-unknown"),
            remediations: records.iter().map(|r| r.remediations.len()).sum(),
        };
        assert_eq!(found, want, "{name}: {:?} {:?}", got.remarks, got.refused);
        // a range that decides nothing is told
        let odd: BTreeSet<&str> = records
            .iter()
            .flat_map(|r| &r.affected)
            .filter_map(|a| a.versions.undecidable.as_deref())
            .collect();
        let told = of("product_tree product", "version-undecidable");
        assert!(odd.is_empty() || told > 0, "{name}: {odd:?}");
        undecidable += told;
        count += 1;
        total.vulnerabilities += want.vulnerabilities;
        total.statuses += want.statuses;
        total.statements += want.statements;
        total.unknown += want.unknown;
        total.remediations += want.remediations;
    }
    eprintln!("{count} documents, {total:?}, {undecidable} ranges undecidable");
    assert_eq!((count, total.vulnerabilities, total.statuses), want);
}

#[test]
fn csaf_of_cisa() {
    let all = files("csaf/cisa-csaf.tar.zst", &[".json"]);
    if !all.is_empty() {
        csaf_whole(all, (537, 1707, 5955));
    }
}

#[test]
fn csaf_of_red_hat() {
    let all = files("csaf/redhat-csaf-vex.tar.zst", &[".json"]);
    if !all.is_empty() {
        csaf_whole(all, (37, 40, 1613));
    }
}

#[test]
fn csaf_of_the_oasis_suite() {
    let all = files("csaf/oasis-csaf-suite.tar.zst", &[".json"]);
    if !all.is_empty() {
        csaf_whole(all, (554, 769, 1170));
    }
}

#[test]
fn csaf_as_files() {
    let Some(dir) = corpus("csaf-real") else { return };
    let (mut todo, mut all) = (vec![dir], Vec::new());
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "json") {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    csaf_whole(all, (40, 117, 236));
}

/// Distribution data: what each kind of file gave. Files of other forms are told as skipped.
#[test]
fn distributions_of_the_fixtures() {
    let name = "distro/distro-fixtures.tar.zst";
    let Some(got) = read(name) else { return };
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (kind, _, records) in &got.records {
        let c = counts.entry(format!("{kind:?}")).or_default();
        c.0 += 1;
        c.1 += records.len();
    }
    // counted by walking the files' JSON and YAML: documents and flaws (Debian: seven, one of them damaged)
    for (kind, want) in
        [("Secdb", (128, 368)), ("DebianTracker", (6, 6)), ("Arch", (9, 9)), ("Photon", (42, 42))]
    {
        assert_eq!(counts.get(kind), Some(&want), "{kind}");
    }
    let bad = |d: &&Diagnostic| {
        !["secureos/", "invalid", "sad", "empty_cveid"].iter().any(|known| d.path.contains(known))
    };
    assert_eq!(got.refused.iter().filter(bad).count(), 0, "{:#?}", got.refused);
    let damaged = got.remarks.iter().filter(|(place, _)| place.contains("debian.json")).count();
    assert_eq!(damaged, 1);
}

/// What an import meets in the whole corpus, a line per file. Slow; run by name with `--ignored --nocapture`.
#[test]
#[ignore = "reads the whole corpus"]
fn table_of_the_corpus() {
    for folder in [
        "nvd",
        "cve",
        "osv",
        "advisories",
        "distro",
        "kev",
        "epss",
        "exploits",
        "csaf",
        "csaf-real",
        "openvex",
        "cyclonedx-vex",
        "cwe",
        "capec",
    ] {
        let Some(dir) = corpus(folder) else { return };
        let (mut todo, mut all) = (vec![dir.clone()], Vec::new());
        while let Some(path) = todo.pop() {
            if path.is_dir() {
                todo.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            } else {
                all.push(path);
            }
        }
        all.sort();
        for path in all {
            let name = path.strip_prefix(dir.parent().unwrap()).unwrap().display().to_string();
            let got = read_bytes(&name, &mut std::fs::File::open(&path).unwrap());
            let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
            for (kind, _, records) in &got.records {
                let c = kinds.entry(kind.source()).or_default();
                *c = (c.0 + 1, c.1 + records.len());
            }
            let kinds: Vec<String> = kinds.iter().map(|(k, (d, r))| format!("{k} {d}/{r}")).collect();
            eprintln!(
                "TABLE | {name} | {} | {} | {} | {} | {} | {} | {} |",
                kinds.join(", "),
                got.entries.len(),
                got.facts,
                got.vex,
                got.remarks.len(),
                got.refused.len(),
                got.skipped.len()
            );
            got.refused.iter().for_each(|d| eprintln!("REFUSED {d}"));
            got.skipped.iter().for_each(|p| eprintln!("SKIPPED {p}"));
        }
    }
}

#[test]
fn what_communities_share_becomes_reports() {
    use serde_json::Value;
    use tocsin_formats::{misp, stix};
    let all = files("misp/misp-taxii.tar.zst", &[".json"]);
    let (mut events, mut bundles) = (0, 0);
    for (place, bytes) in &all {
        let Ok(document) = serde_json::from_slice::<Value>(bytes) else { continue };
        if document["Event"]["uuid"].is_string() {
            let report = misp::event(bytes).unwrap_or_else(|d| panic!("{place}: {d}"));
            events += 1;
            let named = document["Event"]["Attribute"].as_array().into_iter().flatten();
            for flaw in named.filter(|a| a["type"] == "vulnerability" && a["deleted"] != true) {
                let flaw = flaw["value"].as_str().unwrap();
                assert!(report.text.contains(flaw), "{place}: {flaw}");
            }
            assert!(!report.title.is_empty() && report.published.len() == 20, "{place}: {report:?}");
        } else if document["type"] == "bundle" {
            let read = stix::envelope(bytes).unwrap_or_else(|d| panic!("{place}: {d}"));
            bundles += 1;
            assert_eq!(read.refused, 0, "{place}");
            let told = document["objects"].as_array().unwrap().iter().filter(|o| o["type"] == "report");
            for report in told {
                let name = report["name"].as_str().unwrap().trim();
                assert!(read.reports.iter().any(|r| r.title == name), "{place}: {name}");
            }
        }
    }
    if !all.is_empty() {
        assert_eq!((events, bundles), (16, 8));
    }
}

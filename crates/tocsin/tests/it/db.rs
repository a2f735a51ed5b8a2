//! `tocsin db` and what it means for a scan, through the built program.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::tocsin;

/// Intelligence of the demo: every id, score and fact in it is known.
fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/intelligence")
}

/// Runs a `db` command that must succeed; its stdout.
fn db(data: &Path, args: &[&str]) -> String {
    let out = tocsin(data, &[&["db"], args].concat());
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

fn db_json(data: &Path, args: &[&str]) -> Value {
    let text = db(data, &[args, &["--format", "json"]].concat());
    assert_eq!(text.lines().count(), 1, "one object on one line");
    serde_json::from_str(&text).unwrap()
}

/// No line over 100 columns, no trailing space, nothing a terminal would obey.
fn readable(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        assert_eq!(line, line.trim_end(), "{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn status_tells_sources_catalogues_index_and_imports() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    assert_eq!(db(data, &["status"]), "Nothing was imported yet: tocsin db import PATH…\n");
    let report = db_json(data, &["import", demo().to_str().unwrap()]);
    assert_eq!((&report["schema"], &report["files"]), (&json!("tocsin.db.import/1"), &json!(4)));
    let status = db_json(data, &["status"]);
    assert_eq!(status["schema"], "tocsin.db.status/1");
    assert_eq!((&status["epss"]["rows"], &status["epss"]["newest"]), (&json!(6), &json!("2025-11-01")));
    assert_eq!((&status["kev"]["rows"], &status["problems"]), (&json!(2), &json!(0)));
    assert_eq!((&status["index"]["usable"], &status["index"]["behind"]), (&json!(true), &json!(0)));
    assert_eq!(status["index"]["vulnerabilities"], status["vulnerabilities"]);
    assert_eq!(
        (&status["imports"][0]["outcome"], &status["imports"][0]["id"]),
        (&json!("complete"), &json!(1))
    );
    let nvd = status["sources"].as_array().unwrap().iter().find(|s| s["source"] == "nvd").unwrap();
    assert_eq!((&nvd["records"], &nvd["problems"]), (&json!(6), &json!(0)));
    assert_eq!(nvd["imported"], status["imports"][0]["started"]);
    let text = db(data, &["status"]);
    readable(&text);
    for told in
        ["SOURCE", "nvd", "EPSS scores", "newest 2025-11-01", "1 segment", "LAST IMPORTS", "complete:"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    // The same again is another run, and changes nothing.
    let again = db_json(data, &["import", demo().to_str().unwrap()]);
    for source in again["sources"].as_array().unwrap() {
        assert_eq!(source["read"], source["unchanged"], "{source}");
    }
    let later = db_json(data, &["status"]);
    assert_eq!((later["imports"].as_array().unwrap().len(), &later["sources"]), (2, &later["sources"]));
    readable(&db(data, &["import", demo().to_str().unwrap()]));
}

#[test]
fn show_gives_every_sources_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let records = dir.path().join("records.jsonl");
    let description = "A flaw in the reader. ".repeat(30);
    let lines = [
        json!({"id": "GHSA-zzzz-zzzz-zzzz", "modified": "2024-01-01T00:00:00Z", "aliases": ["CVE-2021-44228"],
            "summary": "Told by another", "details": description, "withdrawn": "2024-02-01T00:00:00Z",
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}],
            "related": ["CVE-2021-45046"], "database_specific": {"cwe_ids": ["CWE-502"]},
            "affected": [{"package": {"ecosystem": "Maven", "name": "org.apache.logging.log4j:log4j-core"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2.0"}, {"fixed": "2.15.0"}]}]}]}),
        json!({"id": "GO-1", "modified": "2024-01-01T00:00:00Z", "aliases": ["CVE-2021-44228", "CVE-2022-0847"],
            "summary": "About two flaws"}),
    ];
    fs::write(&records, lines.map(|l| l.to_string()).join("\n")).unwrap();
    db(data, &["import", demo().to_str().unwrap(), records.to_str().unwrap()]);
    // changed once
    let changed = lines_with(&records, "2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z");
    fs::write(&records, changed).unwrap();
    db(data, &["import", records.to_str().unwrap()]);
    let shown = db_json(data, &["show", "GHSA-zzzz-zzzz-zzzz"]);
    assert_eq!((&shown["schema"], &shown["id"]), (&json!("tocsin.db.show/1"), &json!("CVE-2021-44228")));
    assert_eq!(db_json(data, &["show", "cve-2021-44228"])["id"], "CVE-2021-44228");
    assert_eq!(shown["kev"]["added"], "2021-12-10");
    assert_eq!(shown["kev"]["released"], "2025-11-01T00:00:00.0000Z");
    assert_eq!(shown["epss"], json!({"score": 0.94, "percentile": 0.999, "date": "2025-11-01"}));
    let ghsa =
        shown["records"].as_array().unwrap().iter().find(|r| r["record"] == "GHSA-zzzz-zzzz-zzzz").unwrap();
    assert_eq!((&ghsa["state"], &ghsa["title"]), (&json!("withdrawn"), &json!("Told by another")));
    assert_eq!(ghsa["scores"][0]["score"], 10.0);
    assert_eq!(ghsa["affected"][0]["versions"][0]["to"], "2.15.0");
    assert_eq!(ghsa["history"][0]["modified"], "2024-01-01T00:00:00Z");
    let links = shown["see_also"].as_array().unwrap();
    assert!(links.contains(&json!({"how": "named by", "id": "GO-1", "vulnerability": "GO-1"})), "{links:?}");
    assert!(links.iter().any(|l| l["how"] == "related" && l["id"] == "CVE-2021-45046"), "{links:?}");
    let go = db_json(data, &["show", "GO-1"]);
    assert_eq!(go["problems"][0]["code"], "record-alias-conflict");
    let text = db(data, &["show", "CVE-2021-44228"]);
    readable(&text);
    for told in [
        "WITHDRAWN by ghsa",
        "KEV        known exploited: added 2021-12-10, due 2021-12-24, used by ransomware",
        "EPSS       94.0 % in 30 days",
        "GO-1, named by",
        "Maven org.apache.logging.log4j:log4j-core: >=2.0 <2.15.0; fixed in 2.15.0",
        "before: modified 2024-01-01",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    readable(&db(data, &["show", "GO-1"]));
    let out = tocsin(data, &["db", "show", "CVE-1999-0001"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("CVE-1999-0001 was not found"));
}

fn lines_with(file: &Path, from: &str, to: &str) -> String {
    fs::read_to_string(file).unwrap().replace(from, to)
}

#[test]
fn search_goes_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let file = dir.path().join("a.jsonl");
    let line = |n: usize| {
        json!({"id": format!("OSV-{n}"), "modified": "2024-01-01T00:00:00Z",
            "summary": "A very long title of a flaw in a reader of outside input that goes on and on and on, so far",
            "affected": [{"package": {"ecosystem": "npm", "name": format!("@scope/package-with-a-long-name-{n}")},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]})
        .to_string()
    };
    fs::write(&file, (0..25).map(line).collect::<Vec<_>>().join("\n")).unwrap();
    db(data, &["import", file.to_str().unwrap()]);
    let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let from = after.to_string();
        let mut args = vec!["search", "outside", "read", "--limit", "10"];
        if !after.is_null() {
            args.extend(["--after", &from]);
        }
        let page = db_json(data, &args);
        assert_eq!(page["schema"], "tocsin.db.search/1");
        seen.extend(page["hits"].as_array().unwrap().iter().map(|h| h["id"].as_str().unwrap().to_owned()));
        pages += 1;
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!((pages, seen.len()), (3, 25));
    let page = db_json(data, &["search", "name-7"]);
    assert_eq!((page["hits"].as_array().unwrap().len(), &page["hits"][0]["id"]), (1, &json!("OSV-7")));
    let text = db(data, &["search", "outside", "--limit", "10"]);
    readable(&text);
    assert!(text.starts_with("VULNERABILITY") && text.contains("\nMore: --after "), "{text}");
    assert_eq!(db(data, &["search", "nothing-of-the-kind"]), "Nothing was found.\n");
}

#[test]
fn problems_are_listed_shown_raw_and_solved() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (file, other) = (dir.path().join("a.jsonl"), dir.path().join("b.jsonl"));
    let good = r#"{"id":"OSV-1","modified":"2024-01-01T00:00:00Z"}"#;
    let bad = "{\"id\":\"OSV-2\",\u{1b}[31m";
    let wrong = json!({"id": "L".repeat(1000), "modified": "2024-01-01T00:00:00Z", "affected": []});
    fs::write(&file, format!("{good}\n{bad}\n{wrong}\n")).unwrap();
    fs::write(&other, format!("{good}\n{bad}\n")).unwrap();
    db(data, &["import", file.to_str().unwrap(), other.to_str().unwrap()]);
    let list = db_json(data, &["problems"]);
    assert_eq!(list["schema"], "tocsin.db.problems/1");
    let all = list["problems"].as_array().unwrap();
    assert_eq!(all.len(), 3, "{list}");
    let of_osv = db_json(data, &["problems", "--source", "osv"]);
    assert_eq!(of_osv["problems"].as_array().unwrap().len(), 1, "{of_osv}");
    assert_eq!(of_osv["problems"][0]["code"], "record-invalid");
    let syntax = db_json(data, &["problems", "--code", "input-syntax", "--limit", "1"]);
    assert_eq!(syntax["problems"].as_array().unwrap().len(), 1);
    assert_eq!(syntax["next"], syntax["problems"][0]["id"]);
    let next = db_json(data, &["problems", "--code", "input-syntax", "--after", &syntax["next"].to_string()]);
    assert_eq!((next["problems"].as_array().unwrap().len(), &next["next"]), (1, &Value::Null));
    let raw = tocsin(data, &["db", "problems", &syntax["problems"][0]["id"].to_string()]);
    assert_eq!(raw.stdout, bad.as_bytes());
    readable(&db(data, &["problems"]));
    // a good import of the same file solves its problems, not those of the other
    fs::write(&file, format!("{good}\n")).unwrap();
    db(data, &["import", file.to_str().unwrap()]);
    assert_eq!(db_json(data, &["problems"])["problems"].as_array().unwrap().len(), 1);
    fs::write(&other, good).unwrap();
    db(data, &["import", other.to_str().unwrap()]);
    assert_eq!(db(data, &["problems"]), "No problems.\n");
}

const BOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[
 {"type":"library","bom-ref":"a","name":"a","version":"1.0.0","purl":"pkg:npm/a@1.0.0"},
 {"type":"library","bom-ref":"b","name":"b","version":"1.0.0","purl":"pkg:npm/b@1.0.0"},
 {"type":"library","bom-ref":"c","name":"c","version":"1.0.0","purl":"pkg:npm/c@1.0.0"}]}"#;

/// A store with one flaw of npm a, b and c, and the bill of materials that holds them.
fn flawed(dir: &Path) -> (PathBuf, PathBuf) {
    let (data, bom, record) = (dir.join("data"), dir.join("bom.json"), dir.join("osv.json"));
    fs::write(&bom, BOM).unwrap();
    let affected: Vec<Value> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            json!({"package": {"ecosystem": "npm", "name": name},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]})
        })
        .collect();
    let osv = json!({"id": "GHSA-aaaa-bbbb-cccc", "modified": "2024-01-01T00:00:00Z", "aliases": ["CVE-2024-0001"],
        "summary": "A flaw", "affected": affected});
    fs::write(&record, osv.to_string()).unwrap();
    db(&data, &["import", record.to_str().unwrap()]);
    (data, bom)
}

/// Status by component.
fn statuses(data: &Path, bom: &Path, more: &[&str]) -> (Vec<(String, String)>, Value) {
    let out = tocsin(data, &[&["scan", bom.to_str().unwrap(), "--format", "json"], more].concat());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let scan: Value = serde_json::from_slice(&out.stdout).unwrap();
    let mut list: Vec<(String, String)> = scan["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            let text = |v: &Value| v.as_str().unwrap().to_owned();
            (text(&f["component"]["name"]), text(&f["status"]))
        })
        .collect();
    list.sort();
    (list, scan)
}

fn want(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn openvex(id: &str, time: &str, product: &str, status: &str) -> String {
    json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": id, "author": "Example Ltd", "timestamp": time,
        "version": 1, "statements": [{"vulnerability": {"name": "CVE-2024-0001"}, "products": [{"@id": product}],
            "status": status, "justification": "vulnerable_code_not_present"}]})
    .to_string()
}

#[test]
fn stored_vex_holds_for_the_named_product_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (data, bom) = flawed(dir.path());
    let all = |a, b, c| want(&[("a", a), ("b", b), ("c", c)]);
    assert_eq!(statuses(&data, &bom, &[]).0, all("affected", "affected", "affected"));
    // OpenVEX speaks of a, CycloneDX of b, CSAF of c.
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let of_a = openvex("https://example.com/a", "2024-05-01T00:00:00Z", "pkg:npm/a@1.0.0", "not_affected");
    let cyclonedx = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "components": [{"type": "library", "bom-ref": "x", "name": "b", "version": "1.0.0", "purl": "pkg:npm/b@1.0.0"}],
        "vulnerabilities": [{"id": "CVE-2024-0001", "analysis": {"state": "not_affected", "justification": "code_not_reachable"},
            "affects": [{"ref": "pkg:npm/b@1.0.0"}]}]})
    .to_string();
    let csaf = json!({"document": {"category": "csaf_vex", "csaf_version": "2.0", "title": "c is fine",
            "publisher": {"category": "vendor", "name": "Example Ltd", "namespace": "https://example.com"},
            "tracking": {"id": "EX-2024-1", "status": "final", "version": "1", "initial_release_date": "2024-05-01T00:00:00Z",
                "current_release_date": "2024-05-01T00:00:00Z", "revision_history": []}},
        "product_tree": {"full_product_names": [{"product_id": "P1", "name": "c 1.0.0",
            "product_identification_helper": {"purl": "pkg:npm/c@1.0.0"}}]},
        "vulnerabilities": [{"cve": "CVE-2024-0001", "product_status": {"known_not_affected": ["P1"]},
            "flags": [{"label": "vulnerable_code_not_present", "product_ids": ["P1"]}]}]})
    .to_string();
    let files = [write("a.json", &of_a), write("b.json", &cyclonedx), write("c.json", &csaf)];
    db(&data, &["import", &files[0]]);
    let (list, scan) = statuses(&data, &bom, &[]);
    assert_eq!(list, all("not_affected", "affected", "affected"));
    let a = scan["findings"].as_array().unwrap().iter().find(|f| f["component"]["name"] == "a").unwrap();
    assert_eq!(a["justification"], "vulnerable_code_not_present");
    let word = a["evidence"].as_array().unwrap().iter().find(|e| e["source"] == "vex").unwrap();
    assert_eq!(
        (&word["record"], &word["verdict"]),
        (&json!("https://example.com/a"), &json!("not_affected"))
    );
    db(&data, &["import", &files[1], &files[2]]);
    let (list, scan) = statuses(&data, &bom, &["--explain"]);
    assert_eq!(list, all("not_affected", "not_affected", "not_affected"), "{scan}");
    let c = scan["findings"].as_array().unwrap().iter().find(|f| f["component"]["name"] == "c").unwrap();
    let csaf = c["evidence"].as_array().unwrap().iter().find(|e| e["source"] == "csaf").unwrap();
    assert_eq!((&csaf["record"], &csaf["verdict"]), (&json!("CVE-2024-0001"), &json!("not_affected")));
    // Left out on request; the CSAF record is a source like any other and still speaks.
    let (list, _) = statuses(&data, &bom, &["--no-stored-vex", "--explain"]);
    assert_eq!(list, all("affected", "affected", "not_affected"));
    // The word of the user comes last.
    let other =
        write("d.json", &openvex("https://example.com/d", "2023-01-01T00:00:00Z", "pkg:npm/a", "affected"));
    let (list, _) = statuses(&data, &bom, &["--vex", &other, "--explain"]);
    assert_eq!(list, all("affected", "not_affected", "not_affected"));
    // A newer edition of the document takes its word back; the old one given again changes nothing.
    let newer =
        openvex("https://example.com/a", "2024-06-01T00:00:00Z", "pkg:npm/a@1.0.0", "under_investigation");
    db(&data, &["import", &write("a2.json", &newer)]);
    db(&data, &["import", &files[0]]);
    assert_eq!(statuses(&data, &bom, &["--explain"]).0, all("affected", "not_affected", "not_affected"));
    let shown = db_json(&data, &["show", "CVE-2024-0001"]);
    assert_eq!(shown["vex"].as_array().unwrap().len(), 2, "{shown}");
    readable(&db(&data, &["show", "CVE-2024-0001"]));
    assert_eq!(db_json(&data, &["status"])["index"]["vex_statements"], 2);
}

#[test]
fn a_scan_mends_a_damaged_index() {
    let dir = tempfile::tempdir().unwrap();
    let (data, bom) = flawed(dir.path());
    let whole = statuses(&data, &bom, &[]).1;
    let index = data.join("index");
    let segment = fs::read_dir(&index).unwrap().flatten().map(|e| e.path());
    let segment = segment.into_iter().find(|p| p.to_string_lossy().contains("segment-")).unwrap();
    let good = fs::read(&segment).unwrap();
    for at in (0..good.len()).step_by(good.len() / 24 + 1) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&segment, bad).unwrap();
        assert_eq!(statuses(&data, &bom, &[]).1, whole, "byte {at}");
    }
    fs::remove_dir_all(&index).unwrap();
    assert_eq!(statuses(&data, &bom, &[]).1, whole);
}

#[test]
fn remarks_have_a_listing_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let file = data.join("osv.jsonl");
    let record = json!({"id": "OSV-1", "modified": "2024-01-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "Nowhere", "name": "p"}, "versions": ["1"]}]});
    fs::write(&file, record.to_string()).unwrap();
    let report = db_json(data, &["import", file.to_str().unwrap()]);
    assert_eq!((&report["problems"], &report["remarks"]), (&json!(0), &json!(1)));
    assert_eq!(report["sources"][0]["refused"], 0);
    assert_eq!(db_json(data, &["problems"])["problems"], json!([]));
    let list = db_json(data, &["problems", "--remarks"]);
    let remark = &list["problems"][0];
    assert_eq!(
        (&remark["place"], &remark["code"], &remark["severity"]),
        (&json!("OSV-1: affected[0]"), &json!("value-ignored"), &json!("warning"))
    );
    assert_eq!(db_json(data, &["status"])["remarks"], 1);
    let text = db(data, &["problems", "--remarks", "--source", "osv"]);
    readable(&text);
    assert!(text.contains("OSV-1: affected[0]"), "{text}");
    readable(&db(data, &["status"]));
}

//! Hostile inputs at the command: exit code, a message with file, place and remedy, and components in equal to
//! components counted. What the readers say of each is tested with them (`crates/formats/tests/hostile.rs`).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use tocsin::cli::scan::run_with;
use tocsin::cli::{Cli, Command};
use tocsin_core::intel::Opened;
use tocsin_engine::index::{Group, Index, SegmentBuilder, encode};
use tocsin_formats::osv;

use crate::tocsin;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file of this name and content.
fn file(dir: &Path, name: &str, content: &[u8]) -> String {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_read_ends_with_2_and_says_where_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let deep = format!(
        r#"{{"bomFormat":"CycloneDX","components":[{}{}]}}"#,
        r#"{"name":"a","components":["#.repeat(10_000),
        "]}".repeat(10_000)
    );
    for (name, content, code, place, remedy) in [
        ("empty.json", "", "input-empty", "empty.json", "Give a file with content"),
        ("blank.json", " \n", "input-empty", "blank.json", "Give a file with content"),
        ("bom.json", "\u{feff}", "input-empty", "bom.json", "Give a file with content"),
        ("object.json", "{}", "input-unrecognised", "object.json", "of a supported format"),
        ("list.json", "[]", "input-unrecognised", "list.json", "of a supported format"),
        ("null.json", "null", "input-unrecognised", "null.json", "of a supported format"),
        (
            "cut.json",
            "{\"bomFormat\":\"CycloneDX\",\n\"a\":",
            "input-syntax",
            "cut.json: line 2",
            "produce it again",
        ),
        ("deep.json", &deep, "limit-depth", "deep.json: line 1", "flatten it"),
        ("Cargo.lock", "[[package]\n", "input-syntax", "Cargo.lock: line 1", "produce it again"),
    ] {
        let path = file(dir.path(), name, content.as_bytes());
        let out = tocsin(dir.path(), &["scan", &path]);
        let said = text(&out.stderr);
        assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(2), &b""[..]), "{name}: {said}");
        assert!(said.starts_with(&format!("error[{code}] ")), "{name}: {said}");
        assert!(said.contains(place) && said.contains(remedy), "{name}: {said}");
    }
}

#[test]
fn every_component_in_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"components":[
        {"name":":","version":"2.10.13","purl":"pkg:maven/@2.10.13"},{"name":"","purl":"pkg:golang/@%28devel%29"},
        {"name":"a","bom-ref":"x","version":"${project.version}","components":[{"name":"b","bom-ref":"x"}]},
        {"name":"c","cpe":"cpe:2.3:a:v:c:1:*:*:*:*:*:*:* ","version":null},{"name":"caf?","licenses":null}],
        "dependencies":[{"ref":"x","dependsOn":["gone"]}],"specVersion":"1.6","bomFormat":"CycloneDX"}"#;
    let bytes: Vec<u8> = text.bytes().map(|b| if b == b'?' { 0xe9 } else { b }).collect();
    let path = file(dir.path(), "a.json", &bytes);
    let out = tocsin(dir.path(), &["scan", &path, "--format", "json"]);
    assert_eq!(out.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["components"], 6);
    let codes: Vec<_> =
        json["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(
        codes,
        [
            "input-encoding",
            "purl-invalid",
            "purl-invalid",
            "component-unidentified",
            "value-ignored",
            "value-ignored",
            "ref-duplicate",
            "ref-unknown"
        ]
    );
}

/// google/osv-scanner#2831, #2936: neither a version that is none nor a bound that is none gives a verdict.
#[test]
fn what_cannot_be_ordered_gives_no_verdict() {
    let record = |id: &str, name: &str, fixed: &str| {
        let text = format!(
            r#"{{"id":"{id}","modified":"2024-01-01T00:00:00Z","affected":[{{"package":{{"ecosystem":"npm","name":"{name}"}},
            "ranges":[{{"type":"SEMVER","events":[{{"introduced":"1.0.0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
        );
        Group { id: id.to_owned(), records: osv::parse(text.as_bytes()).unwrap().0, ..Group::default() }
    };
    let mut segment = SegmentBuilder::default();
    for group in [record("GOOD-1", "good", "2.0.0"), record("BAD-1", "bad", "not a version")] {
        segment.push(encode(&group));
    }
    let bytes = segment.finish();
    let dir = tempfile::tempdir().unwrap();
    let digits = "1".repeat(400);
    // name, version, and the verdict of `scan --explain`
    for (name, version, verdict) in [
        ("good", "1.5.0", Some("affected")),
        ("good", "2.0.0", Some("fixed")),
        ("good", "v", Some("undecidable")),
        ("good", "*", Some("undecidable")),
        ("good", "latest", Some("undecidable")),
        ("good", "unknown", Some("undecidable")),
        ("good", "${project.version}", Some("undecidable")),
        ("good", "1.0.0-alpha.-1", Some("not_affected")),
        ("good", &digits, Some("fixed")),
        ("good", "", Some("undecidable")),
        ("bad", "1.5.0", Some("undecidable")),
        ("bad", "0.9.0", Some("not_affected")),
    ] {
        let bom = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
            {{"name":"{name}","version":"{version}","purl":"pkg:npm/{name}"}},{{"name":"o","purl":"pkg:github/o/o@1"}}]}}"#
        );
        let path = file(dir.path(), "a.json", bom.as_bytes());
        let args = ["tocsin", "scan", &path, "--format", "json", "--explain"];
        let Command::Scan(args) = Cli::try_parse_from(args).unwrap().command else { panic!("not a scan") };
        let open = |_| {
            let index = Index::open(vec![Arc::new(bytes.clone())], None).unwrap();
            Ok(Some(Opened::new(index, Vec::new(), 0)))
        };
        let mut out = Vec::new();
        run_with(open, &args, &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["components"], 2, "{name} {version}");
        let statuses: Vec<_> =
            json["findings"].as_array().unwrap().iter().filter_map(|f| f["status"].as_str()).collect();
        assert_eq!(statuses.first().copied(), verdict, "{name} {version}: {json}");
        let told: Vec<_> = json["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| (d["code"].as_str(), d["path"].as_str()))
            .collect();
        let code = if version.is_empty() { "version-missing" } else { "version-undecidable" };
        let expected = (Some(code), Some("components[0]"));
        assert_eq!(
            told,
            Vec::from_iter((verdict == Some("undecidable")).then_some(expected)),
            "{name} {version}"
        );
    }
}

#[test]
fn an_archive_with_one_bad_file_still_gives_the_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("bad.json", &b"{\"bomFormat\":\"CycloneDX\","[..]),
        ("good.json", br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"a"}]}"#),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append_data(&mut header, name, content).unwrap();
    }
    let path = file(dir.path(), "a.tar", &archive.into_inner().unwrap());
    let out = tocsin(dir.path(), &["scan", &path, "--format", "json"]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.contains("error[input-syntax] ") && said.contains("a.tar!bad.json: line 1"), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["components"], 1);
    assert_eq!(tocsin(dir.path(), &["scan", &path, "--strict"]).status.code(), Some(2));
}

/// An import twice leaves what one leaves; an empty or foreign file is no harm.
#[test]
fn importing_the_same_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let osv = r#"{"id":"GHSA-aaaa-bbbb-cccc","modified":"2024-01-01T00:00:00Z","summary":"s","affected":[]}"#;
    let twice = file(dir.path(), "a.jsonl", format!("{osv}\n{osv}\n").as_bytes());
    let empty = file(dir.path(), "empty.json", b"");
    let data = dir.path().join("data");
    let mut shown = Vec::new();
    for _ in 0..2 {
        let out = tocsin(&data, &["db", "import", &twice, &empty]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        shown.push(tocsin(&data, &["db", "show", "GHSA-aaaa-bbbb-cccc"]).stdout);
    }
    assert!(!shown[0].is_empty());
    assert_eq!(shown[0], shown[1]);
}

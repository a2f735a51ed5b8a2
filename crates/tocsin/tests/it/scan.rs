//! `tocsin scan`: exit codes, streams, and the same bytes for the same input.

use std::fs;
use std::sync::Arc;

use clap::Parser;
use tocsin::cli::scan::run_with;
use tocsin::cli::{Cli, Command, Outcome};
use tocsin_core::intel::Opened;
use tocsin_engine::index::{Group, Index, SegmentBuilder, encode};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};

use crate::tocsin;

const BOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[
    {"type":"library","bom-ref":"a","name":"django","version":"2.2.8","purl":"pkg:pypi/django@2.2.8"}]}"#;

#[test]
fn wrong_use_and_unreadable_input_exit_with_2_and_leave_stdout_empty() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.json");
    fs::write(&empty, "").unwrap();
    let bare = dir.path().join("bare");
    fs::create_dir(&bare).unwrap();
    let cases: [&[&str]; 5] = [
        &["scan"],
        &["scan", "--format", "nonsense", "x"],
        &["scan", "/nowhere/at/all.json"],
        &["scan", empty.to_str().unwrap()],
        &["scan", bare.to_str().unwrap()],
    ];
    for case in cases {
        let out = tocsin(dir.path(), case);
        assert_eq!(out.status.code(), Some(2), "{case:?}");
        assert!(out.stdout.is_empty(), "{case:?}");
        assert!(!out.stderr.is_empty(), "{case:?}");
    }
}

#[test]
fn without_intelligence_the_notice_is_on_stderr_and_nothing_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let bom = dir.path().join("bom.json");
    fs::write(&bom, BOM).unwrap();
    let args = ["scan", bom.to_str().unwrap(), "--format", "json", "--fail-on", "low"];
    let first = tocsin(dir.path(), &args);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(String::from_utf8_lossy(&first.stderr).contains("no vulnerability intelligence"));
    let json: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(json["schema"], "tocsin.scan/1");
    assert_eq!(json["components"], 1);
    assert_eq!(json["findings"].as_array().unwrap().len(), 0);
    assert_eq!(first.stdout, tocsin(dir.path(), &args).stdout, "same input, same bytes");
}

#[test]
fn every_format_writes_something_and_output_goes_to_the_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let bom = dir.path().join("bom.json");
    fs::write(&bom, BOM).unwrap();
    for format in ["table", "json", "sarif", "cyclonedx", "csv"] {
        let file = dir.path().join(format);
        let args = ["scan", bom.to_str().unwrap(), "--format", format, "--output", file.to_str().unwrap()];
        let out = tocsin(dir.path(), &args);
        assert_eq!(out.status.code(), Some(0), "{format}");
        assert!(out.stdout.is_empty(), "{format}");
        assert!(!fs::read(&file).unwrap().is_empty(), "{format}");
    }
}

/// An index that holds one advisory of high severity for django before 2.2.9.
fn advisory() -> Index {
    let mut versions = Versions::new(Ecosystem::Pypi.scheme());
    versions.entries.push(VersionEntry::range(None, Some("2.2.9".to_owned()), VersionStatus::Affected));
    let affected = Affected {
        target: Target::Package {
            ecosystem: Ecosystem::Pypi,
            release: String::new(),
            name: "django".to_owned(),
            qualifiers: Vec::new(),
        },
        source: Source::Osv,
        versions,
        symbols: Vec::new(),
        note: None,
    };
    let record = Record {
        id: "CASE-1".to_owned(),
        severity_word: Some("HIGH".to_owned()),
        affected: vec![affected],
        ..Record::default()
    };
    let group = Group { id: record.id.clone(), records: vec![record], ..Group::default() };
    let mut segment = SegmentBuilder::default();
    segment.push(encode(&group));
    Index::open(vec![Arc::new(segment.finish())], None).unwrap()
}

#[test]
fn the_gate_fails_and_the_result_is_written_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("project");
    fs::create_dir_all(folder.join("node_modules/x")).unwrap();
    fs::write(folder.join("bom.json"), BOM).unwrap();
    fs::write(folder.join("node_modules/x/bom.json"), BOM).unwrap();
    fs::write(folder.join("other.json"), "{}").unwrap();
    for (gate, outcome) in [("high", Outcome::GateFailed), ("critical", Outcome::Fine)] {
        let args = ["tocsin", "scan", folder.to_str().unwrap(), "--format", "json", "--fail-on", gate];
        let Command::Scan(args) = Cli::try_parse_from(args).unwrap().command else { panic!("not a scan") };
        let mut out = Vec::new();
        assert_eq!(
            run_with(|_| Ok(Some(Opened::new(advisory(), Vec::new(), 0))), &args, &mut out).unwrap(),
            outcome,
            "{gate}"
        );
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["components"], 1, "node_modules is not looked into");
        assert_eq!(json["findings"][0]["vulnerability"]["id"], "CASE-1");
        assert_eq!(json["findings"][0]["status"], "affected");
        assert_eq!(json["findings"][0]["fixed_versions"].as_array().map(Vec::len), Some(0));
    }
}

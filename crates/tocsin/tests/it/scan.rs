//! `tocsin scan`: exit codes, streams, and the same bytes for the same input.

use std::fs;

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

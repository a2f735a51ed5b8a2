//! The written forms of `tocsin scan` and their contracts, through the built program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::tocsin;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A data folder with the intelligence of the demo.
fn data() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let out = tocsin(dir.path(), &["db", "import", root("demo/intelligence").to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    dir
}

fn pump() -> String {
    root("demo/infusion-pump-3.2.cdx.json").to_str().unwrap().to_owned()
}

/// Runs a scan that must end with `code`; its stdout.
fn scan(data: &Path, code: i32, args: &[&str]) -> Vec<u8> {
    let out = tocsin(data, &[&["scan"], args].concat());
    assert_eq!(out.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

pub fn valid(schema: &str, document: &Value) {
    let schema = json_of(&fs::read(root(schema)).unwrap());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(document).map(|e| format!("{} {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// An SBOM with much that means nothing to matching.
fn rich() -> Value {
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 7,
        "serialNumber": "urn:uuid:5b0d1b8e-8a54-4c6e-9f52-3d1e6f0a7c12",
        "metadata": {"component": {"type": "device", "name": "gauge", "bom-ref": "gauge"},
            "properties": [{"name": "of the document", "value": "kept"}]},
        "components": [
            {"type": "library", "bom-ref": "a", "name": "openssl", "version": "1.1.1k",
                "cpe": "cpe:2.3:a:openssl:openssl:1.1.1k:*:*:*:*:*:*:*", "copyright": "somebody",
                "properties": [{"name": "twice", "value": "1"}, {"name": "twice", "value": "2"}],
                "components": [{"type": "library", "name": "lodash", "version": "4.17.15",
                    "purl": "pkg:npm/lodash@4.17.15", "hashes": [{"alg": "MD5", "content": "0".repeat(32)}]}]},
            {"type": "file", "bom-ref": "b", "name": "readme.txt"}],
        "services": [{"name": "telemetry"}],
        "dependencies": [{"ref": "gauge", "dependsOn": ["a"]}],
        "compositions": [{"aggregate": "incomplete"}]
    })
}

/// All of `before` is in `after`: every member, and the items of every list in their order.
fn kept(before: &Value, after: &Value, path: &str) {
    match (before, after) {
        (Value::Object(b), Value::Object(a)) => {
            for (key, value) in b {
                kept(value, a.get(key).unwrap_or(&Value::Null), &format!("{path}/{key}"));
            }
        }
        (Value::Array(b), Value::Array(a)) => {
            assert!(a.len() >= b.len(), "{path}");
            b.iter().zip(a).enumerate().for_each(|(n, (b, a))| kept(b, a, &format!("{path}/{n}")));
        }
        _ => assert_eq!(before, after, "{path}"),
    }
}

#[test]
fn sarif_and_json_keep_their_schemas_and_every_form_its_bytes() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(pump(), folder.path().join("pump.cdx.json")).unwrap();
    fs::write(folder.path().join("gauge.cdx.json"), rich().to_string()).unwrap();
    let pump = pump();
    for target in [pump.as_str(), folder.path().to_str().unwrap()] {
        for more in [&[][..], &["--explain"], &["--min-confidence", "inferred"]] {
            let form = |f: &str| scan(data.path(), 0, &[&[target, "--format", f], more].concat());
            let sarif = json_of(&form("sarif"));
            assert!(sarif["runs"][0]["results"].as_array().unwrap().len() > 5);
            valid("testdata/schemas/sarif-2.1.0.json", &sarif);
            let json = json_of(&form("json"));
            assert!(json["findings"].as_array().unwrap().len() > 5);
            valid("docs/schema/tocsin.scan-1.json", &json);
        }
        for format in ["table", "json", "sarif", "cyclonedx", "csv"] {
            let once = scan(data.path(), 0, &[target, "--format", format]);
            assert!(!once.is_empty());
            assert!(once == scan(data.path(), 0, &[target, "--format", format]), "{format}");
        }
    }
}

#[test]
fn cyclonedx_keeps_the_input_and_is_strictly_valid() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let gauge = dir.path().join("gauge.cdx.json");
    fs::write(&gauge, rich().to_string()).unwrap();
    for input in [gauge.to_str().unwrap(), &pump()] {
        let out = dir.path().join("out.json");
        scan(data.path(), 0, &[input, "--format", "cyclonedx", "--output", out.to_str().unwrap()]);
        scan(data.path(), 0, &[out.to_str().unwrap(), "--strict"]);
        let (before, after) = (json_of(&fs::read(input).unwrap()), json_of(&fs::read(&out).unwrap()));
        kept(&before, &after, "");
        assert!(!after["vulnerabilities"].as_array().unwrap().is_empty());
    }
}

#[test]
fn other_documents_become_cyclonedx_with_all_their_components() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("several");
    fs::create_dir(&folder).unwrap();
    fs::copy(pump(), folder.join("pump.cdx.json")).unwrap();
    fs::write(folder.join("gauge.cdx.json"), rich().to_string()).unwrap();
    let out = dir.path().join("out.json");
    scan(
        data.path(),
        0,
        &[folder.to_str().unwrap(), "--format", "cyclonedx", "--output", out.to_str().unwrap()],
    );
    scan(data.path(), 0, &[out.to_str().unwrap(), "--strict"]);
    let bom = json_of(&fs::read(&out).unwrap());
    let mut components = Vec::new();
    let mut open: Vec<&Value> = bom["components"].as_array().unwrap().iter().collect();
    while let Some(c) = open.pop() {
        open.extend(c["components"].as_array().into_iter().flatten());
        components.push(c);
    }
    let told = json_of(&scan(data.path(), 0, &[folder.to_str().unwrap(), "--format", "json"]));
    assert_eq!(told["components"], components.len());
    let openssl = components.iter().find(|c| c["bom-ref"] == "0:a").unwrap();
    let properties = json!([{"name": "twice", "value": "1"}, {"name": "twice", "value": "2"},
        {"name": "tocsin:document", "value": "gauge.cdx.json"}]);
    assert_eq!(openssl["properties"], properties);
    assert_eq!(openssl["components"][0]["name"], "lodash", "what is part of it stays in it");
    let refs: Vec<&Value> = components.iter().map(|c| &c["bom-ref"]).collect();
    for v in bom["vulnerabilities"].as_array().unwrap() {
        assert!(refs.contains(&&v["affects"][0]["ref"]), "{v}");
    }
}

#[test]
fn a_finding_tells_its_document() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/gauge.cdx.json"), rich().to_string()).unwrap();
    fs::copy(pump(), dir.path().join("pump.cdx.json")).unwrap();
    let target = dir.path().to_str().unwrap();
    let json = json_of(&scan(data.path(), 0, &[target, "--format", "json"]));
    let mut places: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["vulnerability"]["id"] == "CVE-2022-0778")
        .map(|f| f["component"]["document"].as_str().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(places, ["pump.cdx.json", "sub/gauge.cdx.json"]);
    let table = String::from_utf8(scan(data.path(), 0, &[target])).unwrap();
    for line in ["[1] pump.cdx.json", "[2] sub/gauge.cdx.json"] {
        assert!(table.lines().any(|l| l == line), "{table}");
    }
    let single = json_of(&scan(data.path(), 0, &[&pump(), "--format", "json"]));
    assert_eq!(single["findings"][0]["component"]["document"], Value::Null);
    // a reviewer's tool shows a result beside its file, so SARIF names the file and not the folder
    let sarif = json_of(&scan(data.path(), 0, &[target, "--format", "sarif"]));
    let files: std::collections::BTreeSet<&str> = sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        .map(|uri| uri.as_str().unwrap().strip_prefix(target).unwrap())
        .collect();
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["/pump.cdx.json", "/sub/gauge.cdx.json"]);
}

#[test]
fn tables_are_a_hundred_columns_wide_and_plain() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let mut long = rich();
    long["components"][0]["version"] = json!(format!("1.1.1k{}", "\u{1b}[31m\u{202e}".repeat(20)));
    long["components"][0]["name"] = json!("openssl ".repeat(30));
    fs::write(dir.path().join("long.cdx.json"), long.to_string()).unwrap();
    fs::copy(pump(), dir.path().join("pump.cdx.json")).unwrap();
    let pump = pump();
    for target in [pump.as_str(), dir.path().to_str().unwrap()] {
        let table = String::from_utf8(scan(data.path(), 0, &[target])).unwrap();
        assert!(table.contains("SEVERITY") && table.contains("CVE-2022-0778"), "{table}");
        for line in table.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
        assert!(!table.contains(['\u{1b}', '\u{202e}']), "{table}");
    }
}

#[test]
fn standard_input_is_read_like_a_file() {
    let data = data();
    let run = |input: &[u8]| -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .arg("--data-dir")
            .arg(data.path())
            .args(["scan", "-", "--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    };
    let piped = run(&fs::read(pump()).unwrap());
    assert_eq!(piped.status.code(), Some(0));
    let (piped, file) =
        (json_of(&piped.stdout), json_of(&scan(data.path(), 0, &[&pump(), "--format", "json"])));
    assert_eq!((&piped["target"], &piped["findings"]), (&json!("-"), &file["findings"]));
    assert_eq!(run(b"").status.code(), Some(2));
}

#[test]
fn a_vex_file_changes_a_status_and_the_gate() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let one = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [
        {"type": "library", "bom-ref": "a", "name": "lodash", "version": "4.17.15",
            "purl": "pkg:npm/lodash@4.17.15"}]});
    let bom = dir.path().join("one.cdx.json");
    fs::write(&bom, one.to_string()).unwrap();
    let bom = bom.to_str().unwrap();
    let before = json_of(&scan(data.path(), 1, &[bom, "--format", "json", "--fail-on", "low"]));
    let found = &before["findings"][0];
    assert_eq!(found["status"], "affected");
    let vex = dir.path().join("vex.json");
    let statements: Vec<Value> = before["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            json!({"vulnerability": {"name": f["vulnerability"]["id"]},
                "products": [{"@id": "pkg:npm/lodash@4.17.15"}], "status": "not_affected",
                "justification": "vulnerable_code_not_in_execute_path"})
        })
        .collect();
    let document = json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:case:vex", "author": "case",
        "timestamp": "2025-01-01T00:00:00Z", "version": 1, "statements": statements});
    fs::write(&vex, document.to_string()).unwrap();
    let vex = vex.to_str().unwrap();
    let after = json_of(&scan(data.path(), 0, &[bom, "--format", "json", "--fail-on", "low", "--vex", vex]));
    let closed = &after["findings"][0];
    assert_eq!(closed["vulnerability"]["id"], found["vulnerability"]["id"]);
    assert_eq!(closed["status"], "not_affected");
    assert_eq!(closed["justification"], "vulnerable_code_not_in_execute_path");
    scan(data.path(), 2, &[bom, "--vex", "/nowhere/vex.json"]);
}

#[test]
fn gate_and_confidence_decide_the_exit_code() {
    let data = data();
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, component: Value| {
        let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "components": [component]});
        let file = dir.path().join(name);
        fs::write(&file, bom.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    // CVE-2022-0778, 7.5: once declared by a CPE, once only guessed from the name
    let declared = write(
        "declared.cdx.json",
        json!({"type": "library", "name": "x",
        "cpe": "cpe:2.3:a:openssl:openssl:1.1.1k:*:*:*:*:*:*:*"}),
    );
    let guessed =
        write("guessed.cdx.json", json!({"type": "library", "name": "openssl", "version": "1.1.1k"}));
    let clean = write("clean.cdx.json", json!({"type": "library", "name": "nothing", "version": "1"}));
    let cases: [(&str, i32, &[&str]); 12] = [
        (&declared, 0, &[]),
        (&declared, 1, &["--fail-on", "low"]),
        (&declared, 1, &["--fail-on", "high"]),
        (&declared, 0, &["--fail-on", "critical"]),
        (&declared, 1, &["--fail-on", "high", "--min-confidence", "declared"]),
        (&declared, 0, &["--fail-on", "high", "--min-confidence", "exact"]),
        (&guessed, 0, &["--fail-on", "low"]),
        (&guessed, 1, &["--fail-on", "high", "--min-confidence", "inferred"]),
        (&guessed, 0, &["--fail-on", "low", "--min-confidence", "declared"]),
        (&clean, 0, &["--fail-on", "low", "--min-confidence", "inferred"]),
        (&declared, 2, &["--fail-on", "severe"]),
        (&declared, 2, &["--min-confidence", "certain"]),
    ];
    for (target, code, args) in cases {
        scan(data.path(), code, &[&[target], args].concat());
    }
}

/// A document may list a component twice: what is found of it is one finding with its places, in the CycloneDX output
/// too.
#[test]
fn a_component_listed_twice_is_one_finding() {
    let data = data();
    let file = data.path().join("twice.cdx.json");
    let component = |r: &str, version: &str| {
        serde_json::json!({"type": "library", "name": "lodash", "version": version, "bom-ref": r,
            "purl": format!("pkg:npm/lodash@{version}")})
    };
    let bom = serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "components": [component("a", "4.17.15"), component("b", "4.17.15"), component("c", "4.17.14")]});
    std::fs::write(&file, bom.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let report = json_of(&scan(data.path(), 0, &[file, "--format", "json"]));
    let findings = report["findings"].as_array().unwrap();
    let of = |r: &str| findings.iter().filter(|f| f["component"]["ref"] == r).collect::<Vec<_>>();
    assert_eq!(report["components"], 3);
    assert!(!of("a").is_empty() && of("b").is_empty() && of("a").len() == of("c").len(), "{findings:#?}");
    assert!(of("a").iter().all(|f| f["component"]["also"] == serde_json::json!(["b"])));
    assert!(of("c").iter().all(|f| f["component"].get("also").is_none()));
    let vdr = json_of(&scan(data.path(), 0, &[file, "--format", "cyclonedx"]));
    let refs =
        |v: &Value| v["affects"].as_array().unwrap().iter().map(|a| a["ref"].clone()).collect::<Vec<_>>();
    let affects: Vec<_> = vdr["vulnerabilities"].as_array().unwrap().iter().map(refs).collect();
    assert!(affects.iter().all(|r| r.contains(&"a".into()) == r.contains(&"b".into())), "{affects:?}");
}

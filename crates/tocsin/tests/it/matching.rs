//! The cases of `testdata/matching`, each advisory alone against each component alone, in process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin::cli::{Cli, Command};
use tocsin_engine::index::{Group, Index, SegmentBuilder, encode};
use tocsin_engine::matching::{Options, scan};
use tocsin_model::bom::{Bom, Component};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::finding::Confidence;
use tocsin_model::purl::Purl;
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};

use crate::tocsin;

#[derive(Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    why: String,
    affected: Vec<Told>,
    components: Vec<Part>,
}

#[derive(Deserialize)]
struct Told {
    package: Package,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    events: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Part {
    expect: String,
    purl: String,
}

#[test]
fn every_package_case_comes_out_as_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/matching/packages.json");
    let suite: Suite = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut checks = 0;
    let mut wrong = Vec::new();
    for case in &suite.cases {
        let index = index_of(case);
        for part in &case.components {
            checks += 1;
            let got = status(&index, &part.purl);
            // The component is unaffected also where it is known to hold the fix, or nothing is said of it.
            let got = if matches!(got.as_str(), "fixed" | "none") { "not_affected" } else { &got };
            if got != part.expect {
                wrong.push(format!("{} {}: {got}, not {}: {}", case.id, part.purl, part.expect, case.why));
            }
        }
    }
    assert!(checks >= 150, "only {checks} cases");
    assert!(wrong.is_empty(), "{} of {checks} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn index_of(case: &Case) -> Index {
    let affected = case.affected.iter().map(affected).collect();
    let record = Record { id: format!("CASE-{}", case.id), affected, ..Record::default() };
    let group = Group { id: record.id.clone(), records: vec![record], ..Group::default() };
    let mut segment = SegmentBuilder::default();
    segment.push(encode(&group));
    Index::open(vec![Arc::new(segment.finish())], None).unwrap()
}

fn affected(told: &Told) -> Affected {
    let name = told.package.ecosystem.replace("@cargo", Ecosystem::Cargo.osv_name());
    let (ecosystem, release) = Ecosystem::from_osv(&name).unwrap();
    let mut versions = Versions::new(ecosystem.scheme());
    let hurt = VersionStatus::Affected;
    versions.entries.extend(told.versions.iter().map(|v| VersionEntry::exact(v.clone(), hurt)));
    for range in &told.ranges {
        let mut low: Option<Option<String>> = None;
        for (word, version) in range.events.iter().flatten() {
            match word.as_str() {
                "introduced" => low = Some((version != "0").then(|| version.clone())),
                "fixed" => {
                    versions.entries.push(VersionEntry::range(
                        low.take().unwrap(),
                        Some(version.clone()),
                        hurt,
                    ));
                    versions.fixed.push(version.clone());
                }
                "last_affected" => versions.entries.push(VersionEntry {
                    high_closed: true,
                    ..VersionEntry::range(low.take().unwrap(), Some(version.clone()), hurt)
                }),
                other => panic!("event {other}"),
            }
        }
        if let Some(low) = low {
            versions.entries.push(VersionEntry::range(low, None, hurt));
        }
    }
    let name = ecosystem.normalise_name(&told.package.name);
    let source = if ecosystem.is_distribution() { Source::Distribution } else { Source::Osv };
    let target = Target::Package { ecosystem, release, name, qualifiers: Vec::new() };
    Affected { target, source, versions, symbols: Vec::new(), note: None }
}

fn status(index: &Index, purl: &str) -> String {
    let purl = Purl::parse(purl).unwrap_or_else(|e| panic!("{purl}: {e}"));
    let component = Component {
        reference: "c".to_owned(),
        name: purl.name.clone(),
        version: purl.version.clone(),
        purl: Some(purl),
        ..Component::default()
    };
    let bom = Bom { components: vec![component], ..Bom::default() };
    let options = Options { min_confidence: Confidence::Inferred, explain: false };
    let report = scan(index, &bom, &[], &options).unwrap();
    report.findings.first().map_or_else(|| "none".to_owned(), |f| f.status.as_str().to_owned())
}

#[derive(Deserialize)]
struct NvdSuite {
    cases: Vec<NvdCase>,
}

#[derive(Deserialize)]
struct NvdCase {
    id: String,
    why: String,
    #[serde(default)]
    status: Option<String>,
    configurations: Value,
    inventories: Vec<Inventory>,
}

#[derive(Deserialize)]
struct Inventory {
    expect: String,
    components: Vec<Value>,
}

/// `testdata/matching/nvd.json`: every record imported with `db import`, every inventory scanned.
#[test]
fn every_nvd_case_comes_out_as_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/matching/nvd.json");
    let suite: NvdSuite = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let items: Vec<Value> = suite.cases.iter().enumerate().map(|(n, case)| nvd_item(n, case)).collect();
    let feed = dir.path().join("nvd.json");
    let page =
        json!({"format": "NVD_CVE", "version": "2.0", "totalResults": items.len(), "vulnerabilities": items});
    std::fs::write(&feed, page.to_string()).unwrap();
    let out = tocsin(dir.path(), &["db", "import", feed.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut checks = 0;
    let mut wrong = Vec::new();
    for (n, case) in suite.cases.iter().enumerate() {
        for inventory in &case.inventories {
            checks += 1;
            let got = nvd_status(dir.path(), &nvd_id(n), &inventory.components);
            if got != inventory.expect {
                let shown = json!(inventory.components);
                wrong.push(format!("{} {shown}: {got}, not {}: {}", case.id, inventory.expect, case.why));
            }
        }
    }
    assert!(checks >= 190, "only {checks} inventories");
    assert!(wrong.is_empty(), "{} of {checks} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn nvd_id(n: usize) -> String {
    format!("CVE-2000-{}", 90_000 + n)
}

fn nvd_item(n: usize, case: &NvdCase) -> Value {
    json!({"cve": {
        "id": nvd_id(n),
        "sourceIdentifier": "cases",
        "published": "2020-01-01T00:00:00.000",
        "lastModified": "2020-01-01T00:00:00.000",
        "vulnStatus": case.status.as_deref().unwrap_or("Analyzed"),
        "descriptions": [{"lang": "en", "value": case.id}],
        "metrics": {},
        "configurations": case.configurations,
        "references": [],
    }})
}

/// What is found of vulnerability `id` in the first component.
fn nvd_status(data: &Path, id: &str, components: &[Value]) -> String {
    let mut list = components.to_vec();
    for (n, component) in list.iter_mut().enumerate() {
        let map = component.as_object_mut().unwrap();
        map.insert("bom-ref".to_owned(), json!(n.to_string()));
        map.entry("type").or_insert(json!("library"));
        let purl = map.get("purl").and_then(|p| Purl::parse(p.as_str().unwrap()).ok());
        let name = purl.map_or_else(|| format!("component {n}"), |p| p.name);
        map.entry("name").or_insert(json!(name));
    }
    let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": list});
    let file = data.join("inventory.cdx.json");
    std::fs::write(&file, bom.to_string()).unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let cli =
        ["tocsin", "--data-dir", data, "scan", file, "--format", "json", "--no-stored-vex", "--explain"];
    let cli = Cli::try_parse_from(cli).unwrap();
    let Command::Scan(args) = &cli.command else { panic!("not a scan") };
    let mut out = Vec::new();
    tocsin::cli::scan::run(&cli.global, args, &mut out).unwrap();
    let result: Value = serde_json::from_slice(&out).unwrap();
    let found = |list: &str| {
        let all = result[list].as_array().unwrap();
        let mine = |f: &&Value| f["vulnerability"]["id"] == id && f["component"]["ref"] == "0";
        all.iter().find(mine).map(|f| f["status"].as_str().unwrap().to_owned())
    };
    match (found("findings"), found("inferred")) {
        (Some(status), None) if status != "fixed" => status,
        (None, Some(status)) if status == "affected" => "inferred".to_owned(),
        (None, Some(status)) if !matches!(status.as_str(), "fixed" | "not_affected") => {
            format!("inferred {status}")
        }
        (Some(_), Some(_)) => "twice".to_owned(),
        _ => "not_affected".to_owned(),
    }
}

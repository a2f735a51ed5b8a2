//! The cases of `testdata/matching`, each advisory alone against each component alone, in process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use tocsin_engine::index::{Group, Index, SegmentBuilder, encode};
use tocsin_engine::matching::{Options, scan};
use tocsin_model::bom::{Bom, Component};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::finding::Confidence;
use tocsin_model::purl::Purl;
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};

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

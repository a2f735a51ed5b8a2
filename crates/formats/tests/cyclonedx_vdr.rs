//! Vulnerability reports written into documents, against the official schema where the corpus is at hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod corpus;

use std::collections::HashMap;

use corpus::corpus;
use serde_json::{Value, json};
use tocsin_formats::cyclonedx::read;
use tocsin_formats::cyclonedx::vdr::{
    VdrAffect, VdrAnalysis, VdrRating, VdrSource, VdrVulnerability, enrich,
};
use tocsin_formats::input::ReadOptions;
use tocsin_model::bom::{Bom, Component, License};

/// The published schemas by file name; nothing, loudly, where the corpus is absent.
fn schemas() -> HashMap<String, Value> {
    let files = corpus("suites/cyclonedx-schemas.tar.zst");
    let json = files.iter().filter(|(name, _)| name.ends_with(".json"));
    json.map(|(name, bytes)| {
        let name = name.rsplit('/').next().unwrap_or(name);
        (name.to_owned(), serde_json::from_slice(bytes).expect("schema"))
    })
    .collect()
}

fn faults(schemas: &HashMap<String, Value>, version: &str, document: &Value) -> Vec<String> {
    let Some(schema) = schemas.get(&format!("bom-{version}.schema.json")) else { return Vec::new() };
    let mut registry = jsonschema::Registry::new();
    for (name, schema) in schemas {
        registry =
            registry.add(format!("http://cyclonedx.org/schema/{name}"), schema.clone()).expect("schema");
    }
    let registry = registry.prepare().expect("schemas");
    let validator = jsonschema::options().with_registry(&registry).build(schema).expect("schema");
    validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

fn report() -> Vec<VdrVulnerability> {
    vec![VdrVulnerability {
        id: "CVE-2024-1".into(),
        source: Some(VdrSource { name: "NVD".into(), url: Some("https://nvd.nist.gov/".into()) }),
        references: vec!["GHSA-aaaa-bbbb-cccc".into(), "GHSA-aaaa-bbbb-cccc".into()],
        ratings: vec![VdrRating {
            source: Some("NVD".into()),
            score: Some(9.8),
            severity: Some("Critical".into()),
            method: Some("CVSSv4".into()),
            vector: None,
        }],
        cwes: vec![79],
        description: Some("A flaw.".into()),
        recommendation: Some("Upgrade.".into()),
        properties: Vec::new(),
        analysis: Some(VdrAnalysis {
            state: Some("not_affected".into()),
            justification: Some("vulnerable_code_not_present".into()),
            detail: None,
            ..VdrAnalysis::default()
        }),
        affects: vec![VdrAffect {
            reference: "components[0]".into(),
            versions: vec!["1".into(), "vers:npm/<2".into()],
        }],
    }]
}

#[test]
fn a_document_keeps_its_order_and_what_it_has() {
    let schemas = schemas();
    for (version, becomes) in
        [("1.2", "1.6"), ("1.3", "1.6"), ("1.4", "1.4"), ("1.5", "1.5"), ("1.6", "1.6"), ("1.7", "1.7")]
    {
        let input = json!({
            "components": [{"type": "library", "name": "a", "version": "1", "x:kept": 1}],
            "bomFormat": "CycloneDX", "specVersion": version, "version": 1, "dependencies": [],
        });
        // The member that is not of the specification is kept, and taken out before the schema looks.
        let bytes = serde_json::to_vec(&input).expect("bytes");
        let bom = read(&bytes, &ReadOptions::default()).expect("readable");
        let out = enrich(&bytes, &bom, &report()).expect("written");
        let mut value: Value = serde_json::from_slice(&out).expect("JSON");
        let keys: Vec<&str> = value.as_object().expect("object").keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["components", "bomFormat", "specVersion", "version", "dependencies", "vulnerabilities"]
        );
        assert_eq!(value["specVersion"], becomes);
        assert_eq!(value["components"][0]["x:kept"], 1);
        assert_eq!(value["components"][0]["bom-ref"], "components[0]");
        let method = if becomes == "1.4" { "other" } else { "CVSSv4" };
        assert_eq!(value["vulnerabilities"][0]["ratings"][0]["method"], method);
        value["components"][0].as_object_mut().expect("component").remove("x:kept");
        assert_eq!(faults(&schemas, becomes, &value), Vec::<String>::new(), "{version}");
        let strict = ReadOptions { strict: true, ..ReadOptions::default() };
        let again = read(&serde_json::to_vec(&value).expect("bytes"), &strict).expect("passes strict");
        assert_eq!(again.vex[0].products[0].identifiers[0], "components[0]");
    }
}

#[test]
fn another_format_becomes_a_new_document() {
    let component = |reference: &str, licenses: Vec<License>| Component {
        reference: reference.into(),
        name: "n".into(),
        version: Some("1".into()),
        hashes: vec![("SHA-1".into(), "a".repeat(40)), ("ADLER32".into(), "00000001".into())].into(),
        licenses: licenses.into(),
        path: reference.into(),
        ..Component::default()
    };
    let mit = License::Expression("MIT".into());
    let components = vec![
        component("SPDXRef-root", vec![]),
        component("SPDXRef-a", vec![mit.clone()]),
        component(
            "SPDXRef-a",
            vec![mit, License::Named("Ours".into()), License::Expression("MIT OR Zlib".into())],
        ),
    ];
    let bom = Bom { components, root: Some(0), dependencies: vec![(0, 1), (0, 2), (0, 1)], ..Bom::default() };
    let out = enrich(b"SPDXVersion: SPDX-2.3", &bom, &report()).expect("written");
    let value: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(faults(&schemas(), "1.6", &value), Vec::<String>::new());
    let again = read(&out, &ReadOptions { strict: true, ..ReadOptions::default() }).expect("passes strict");
    assert_eq!((again.components.len(), again.dependencies.len()), (3, 2));
}

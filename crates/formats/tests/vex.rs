//! VEX written and read back: what was said is what is read, in each format, and the documents are valid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tocsin_formats::input::ReadOptions;
use tocsin_formats::vex::{Claim, Export, Format, Part, Whole, read, write};

fn part(name: &str, version: &str) -> Part {
    Part {
        name: name.to_owned(),
        version: version.to_owned(),
        purl: format!("pkg:npm/{name}@{version}"),
        cpe: if name == "left" {
            format!("cpe:2.3:a:left:left:{version}:*:*:*:*:*:*:*")
        } else {
            String::new()
        },
        reference: format!("ref {name}"),
    }
}

/// Status, justification, response, words.
type Said = [&'static str; 4];

const SAID: [(&str, Said); 7] = [
    ("CVE-2025-0001", ["not_affected", "vulnerable_code_not_present", "", "compiled without it"]),
    ("CVE-2025-0002", ["not_affected", "", "", "only the words"]),
    ("CVE-2025-0003", ["affected", "", "update", "update to 1.1"]),
    ("CVE-2025-0004", ["affected", "", "will_not_fix", ""]),
    ("GHSA-aaaa-bbbb-cccc", ["fixed", "", "", ""]),
    ("CVE-2025-0006", ["under_investigation", "", "", ""]),
    ("CVE-2025-0007", ["false_positive", "", "", "another project of this name"]),
];

fn export(serial: bool) -> Export {
    let whole = |version: &str| Whole {
        family: "Infusion".to_owned(),
        name: "Pump 3".to_owned(),
        version: version.to_owned(),
        purl: format!("pkg:generic/Pump%203@{version}"),
        document: serial.then(|| (format!("3e671687-395b-41f5-a30f-a58921a69b7{}", version.len()), 1)),
    };
    let claim = |(n, (id, [status, justification, response, detail])): (usize, &(&str, Said))| Claim {
        vulnerability: (*id).to_owned(),
        title: format!("flaw {n}"),
        whole: n % 2,
        part: part(if n % 3 == 0 { "left" } else { "right" }, "1.0.0"),
        status: (*status).to_owned(),
        justification: (*justification).to_owned(),
        response: (*response).to_owned(),
        detail: (*detail).to_owned(),
        at: "2026-01-01T10:00:00Z".to_owned(),
    };
    Export {
        title: "VEX of Pump 3".to_owned(),
        id: "vex-pump-3-20260102t000000z".to_owned(),
        publisher: "Example Medical".to_owned(),
        category: String::new(),
        contact: "psirt@example.com".to_owned(),
        authority: String::new(),
        namespace: "https://psirt.example.org".to_owned(),
        at: "2026-01-02T00:00:00.000Z".to_owned(),
        program: "0.1.0".to_owned(),
        wholes: vec![whole("1.0"), whole("10.1")],
        claims: SAID.iter().enumerate().map(claim).collect(),
    }
}

fn corpus(path: &str) -> Option<Value> {
    let base = std::env::var_os("TOCSIN_CORPUS").map(PathBuf::from);
    let base = base.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let Ok(bytes) = std::fs::read(base.join(path)) else {
        eprintln!("SKIPPED: no {path} in the corpus; not validated against its schema");
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn what_was_said_is_read_back() {
    for (format, serial) in [
        (Format::OpenVex, false),
        (Format::Csaf, false),
        (Format::CycloneDx, true),
        (Format::CycloneDx, false),
    ] {
        let export = export(serial);
        let bytes = write(format, &export);
        let document = read(&bytes, &ReadOptions::default()).unwrap();
        assert!(document.diagnostics.is_empty(), "{format:?}: {:?}", document.diagnostics);
        assert_eq!(document.statements.len(), SAID.len(), "{format:?}");
        let by_id: BTreeMap<&str, _> =
            document.statements.iter().map(|s| (s.vulnerability.as_str(), s)).collect();
        for (n, (id, [status, justification, response, detail])) in SAID.iter().enumerate() {
            let s = by_id[id];
            let read = if s.wrong_match { "false_positive" } else { s.status.as_str() };
            assert_eq!(read, *status, "{format:?} {id}");
            if *status == "not_affected" {
                let word = s.justification.as_deref().unwrap_or_default();
                // CSAF's impact statement stands where a flag would
                let word = if word == "only the words" { "" } else { word };
                assert_eq!(word, *justification, "{format:?} {id}");
            }
            assert_eq!(s.statement.as_deref().unwrap_or_default(), *detail, "{format:?} {id}");
            if format != Format::OpenVex {
                assert_eq!(s.response.as_deref().unwrap_or_default(), *response, "{format:?} {id}");
            }
            let wanted = &export.claims[n];
            let product = &s.products[0];
            let whole = &export.wholes[wanted.whole];
            match (format, &whole.document) {
                (Format::CycloneDx, Some((serial, version))) => {
                    let link =
                        format!("urn:cdx:{serial}/{version}#{}", wanted.part.reference.replace(' ', "%20"));
                    assert_eq!(product.identifiers, [link]);
                }
                (Format::CycloneDx, None) => assert_eq!(product.identifiers[0], wanted.part.purl),
                _ => {
                    assert!(product.identifiers.contains(&whole.purl), "{format:?} {id} {product:?}");
                    assert!(product.subcomponents.contains(&wanted.part.purl), "{format:?} {id} {product:?}");
                }
            }
        }
    }
}

#[test]
fn the_exact_justification_of_cyclonedx_comes_back() {
    let mut export = export(true);
    export.claims.truncate(1);
    export.claims[0].justification = "inline_mitigations_already_exist".to_owned();
    export.claims[0].detail = "CycloneDX justification: PROTECTED_AT_PERIMETER\nbehind a gateway".to_owned();
    let bytes = write(Format::CycloneDx, &export);
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    let analysis = &json["vulnerabilities"][0]["analysis"];
    assert_eq!(
        (&analysis["justification"], &analysis["detail"]),
        (&"protected_at_perimeter".into(), &"behind a gateway".into())
    );
    let back = read(&bytes, &ReadOptions::default()).unwrap();
    assert_eq!(back.statements[0].statement.as_deref(), Some(export.claims[0].detail.as_str()));
    assert_eq!(back.statements[0].justification.as_deref(), Some("inline_mitigations_already_exist"));
}

#[test]
fn openvex_is_valid() {
    let Some(schema) = corpus("openvex/openvex_json_schema.json") else { return };
    let document: Value = serde_json::from_slice(&write(Format::OpenVex, &export(false))).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn cyclonedx_is_valid() {
    let options = ReadOptions { strict: true, ..ReadOptions::default() };
    for serial in [true, false] {
        tocsin_formats::cyclonedx::read(&write(Format::CycloneDx, &export(serial)), &options).unwrap();
    }
}

#[test]
fn csaf_is_valid_by_schema() {
    let Some(schema) = corpus("csaf-tests/csaf_2.0/json_schema/csaf_json_schema.json") else { return };
    let mut registry = jsonschema::Registry::new();
    for version in ["v2.0", "v3.0", "v3.1"] {
        let address = format!("https://www.first.org/cvss/cvss-{version}.json");
        registry = registry.add(address, serde_json::json!({"type": "object"})).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let validator =
        jsonschema::options().with_registry(&registry).should_validate_formats(true).build(&schema).unwrap();
    let document: Value = serde_json::from_slice(&write(Format::Csaf, &export(false))).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The mandatory tests of CSAF 2.0 (section 6.1) that a document of this shape could fail.
#[test]
fn csaf_passes_the_mandatory_tests() {
    let d: Value = serde_json::from_slice(&write(Format::Csaf, &export(false))).unwrap();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut defined: Vec<String> = Vec::new();
    fn branches(v: &Value, out: &mut Vec<String>) {
        for b in v.as_array().into_iter().flatten() {
            out.extend(b["product"]["product_id"].as_str().map(str::to_owned));
            branches(&b["branches"], out);
        }
    }
    branches(&d["product_tree"]["branches"], &mut defined);
    defined.extend(list(&d["product_tree"]["full_product_names"]).iter().map(|p| text(&p["product_id"])));
    let relationships = list(&d["product_tree"]["relationships"]);
    let known = defined.clone();
    for r in &relationships {
        // 6.1.1, 6.1.3: what is referred to is there, and not itself
        assert!(
            known.contains(&text(&r["product_reference"]))
                && known.contains(&text(&r["relates_to_product_reference"]))
        );
        defined.push(text(&r["full_product_name"]["product_id"]));
    }
    let mut once = defined.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), defined.len(), "6.1.2");
    // 6.1.14 to 6.1.22: one revision, which is the version
    let tracking = &d["document"]["tracking"];
    assert_eq!(list(&tracking["revision_history"]).len(), 1);
    assert_eq!(tracking["revision_history"][0]["number"], tracking["version"]);
    // 6.1.27.4, 6.1.27.11: a tree and vulnerabilities
    assert!(!list(&d["vulnerabilities"]).is_empty());
    for v in list(&d["vulnerabilities"]) {
        // 6.1.27.5, 6.1.27.8
        assert!(!list(&v["notes"]).is_empty());
        assert!(v["cve"].is_string() != v["ids"].is_array());
        let status = v["product_status"].as_object().unwrap();
        let mut all: Vec<String> = Vec::new();
        for (name, products) in status {
            assert!(
                ["fixed", "known_affected", "known_not_affected", "under_investigation"]
                    .contains(&name.as_str()),
                "6.1.27.7"
            );
            for p in list(products) {
                let p = text(&p);
                assert!(defined.contains(&p), "6.1.1");
                assert!(!all.contains(&p), "6.1.6: contradicting status");
                all.push(p);
            }
        }
        let named = |key: &str| -> Vec<String> {
            list(&v[key]).iter().flat_map(|f| list(&f["product_ids"])).map(|p| text(&p)).collect()
        };
        let (mut reasons, actions, flags) = (named("flags"), named("remediations"), named("flags"));
        reasons.extend(named("threats"));
        for p in list(&v["product_status"]["known_not_affected"]) {
            assert!(reasons.contains(&text(&p)), "6.1.27.9");
            assert!(flags.iter().filter(|f| **f == text(&p)).count() <= 1, "6.1.32");
        }
        for p in list(&v["product_status"]["known_affected"]) {
            assert!(actions.contains(&text(&p)), "6.1.27.10");
        }
    }
}

#[test]
fn a_reference_of_the_document_itself_is_no_reference_of_another() {
    let document = |purl: &str| {
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[{{"type":"library","bom-ref":"c0",
            "name":"left","version":"1.0.0"{purl}}}],"vulnerabilities":[{{"id":"CVE-2025-0001","analysis":{{"state":
            "not_affected"}},"affects":[{{"ref":"c0"}}]}},{{"id":"CVE-2025-0002","affects":[{{"ref":"c0"}}]}}]}}"#
        )
    };
    let with = read(document(r#","purl":"pkg:npm/left@1.0.0""#).as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(with.statements[0].products[0].identifiers, ["pkg:npm/left@1.0.0"]);
    assert_eq!(with.diagnostics.len(), 1, "{:?}", with.diagnostics);
    assert_eq!(with.diagnostics[0].path, "vulnerabilities[1]");
    let without = read(document("").as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(without.statements[0].products[0].identifiers, ["c0"]);
    assert!(read(b"{}", &ReadOptions::default()).is_err());
}

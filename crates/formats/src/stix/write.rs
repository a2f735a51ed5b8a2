//! STIX 2.1 bundles (OASIS Standard, 10 June 2021), written: a report with its vulnerabilities, a note for each section,
//! who made it, and how it is marked (TLP 2.0 in the extension that OASIS defines for it).
//!
//! Ids are UUIDs of version 5 (RFC 4122, section 4.3) over what the objects are, so that the same report gives the same
//! bytes and a changed one is a newer version of the same objects (§ 3.6).

use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

/// Namespace of our ids; that of the standard is for observables alone (§ 2.9).
const NAMESPACE: [u8; 16] =
    [0x6f, 0x0d, 0x3a, 0x52, 0x5d, 0x0e, 0x4a, 0x6b, 0x9b, 0x0e, 0x2f, 0x7c, 0x8a, 0x41, 0xd3, 0xe9];

/// The TLP 2.0 markings with the ids that OASIS gave them.
const MARKINGS: [(&str, &str); 5] = [
    ("CLEAR", "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    ("GREEN", "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    ("AMBER", "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    ("AMBER+STRICT", "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    ("RED", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
];
const MARKING_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
const MARKED: &str = "2022-10-01T00:00:00.000Z";

/// A section of a report.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// What it is, among all sections of all reports of the maker.
    pub key: String,
    /// Heading.
    pub heading: String,
    /// Text, in Markdown or plain.
    pub content: String,
    /// Ids of vulnerabilities and advisories.
    pub ids: Vec<String>,
    /// Marking: `AMBER+STRICT`.
    pub tlp: String,
    /// Addresses that it refers to.
    pub references: Vec<String>,
}

/// A report to be written. Times are RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What tells the maker from all others.
    pub maker_key: String,
    /// Name of the maker.
    pub maker: String,
    /// Since when the maker is known.
    pub maker_since: String,
    /// What the report is, among all of the maker.
    pub key: String,
    /// Title.
    pub title: String,
    /// Introduction.
    pub description: String,
    /// When it was begun.
    pub created: String,
    /// When it was last changed.
    pub modified: String,
    /// When it was published.
    pub published: String,
    /// Language (BCP 47).
    pub language: String,
    /// Marking.
    pub tlp: String,
    /// Sections.
    pub notes: Vec<Note>,
}

/// A UUID of version 5.
fn uuid(name: &str) -> String {
    let digest = Sha1::new().chain_update(NAMESPACE).chain_update(name.as_bytes()).finalize();
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// The id of an object; fields of its name are told apart by their lengths.
fn id(kind: &str, parts: &[&str]) -> String {
    let name: String = parts.iter().map(|p| format!("{}:{p}", p.len())).collect();
    format!("{kind}--{}", uuid(&format!("{kind}/{name}")))
}

fn marking(tlp: &str) -> (&'static str, &'static str) {
    // what is not understood is marked most strictly
    MARKINGS.into_iter().find(|m| m.0 == tlp).unwrap_or(MARKINGS[4])
}

/// Where an id comes from, as external references name it (§ 2.5).
fn reference(id: &str) -> Value {
    let source = match id.split('-').next().unwrap_or_default() {
        "CVE" => "cve".to_owned(),
        other => other.to_lowercase(),
    };
    let source = if source.is_empty() { "unknown".to_owned() } else { source };
    json!({"source_name": source, "external_id": id})
}

/// Writes the bundle.
pub fn bundle(r: &Report) -> Value {
    let maker = id("identity", &[&r.maker_key]);
    let (name, tlp) = marking(&r.tlp);
    let mut marked = vec![(name, tlp)];
    let common = |kind: &str, id: &str, tlp: &str| {
        let mut object = Map::new();
        object.insert("type".to_owned(), json!(kind));
        object.insert("spec_version".to_owned(), json!("2.1"));
        object.insert("id".to_owned(), json!(id));
        object.insert("created_by_ref".to_owned(), json!(maker));
        object.insert("created".to_owned(), json!(r.created));
        object.insert("modified".to_owned(), json!(r.modified));
        object.insert("object_marking_refs".to_owned(), json!([tlp]));
        object
    };
    let report_id = id("report", &[&r.maker_key, &r.key]);
    let mut vulnerabilities: Vec<(String, Map<String, Value>)> = Vec::new();
    let mut notes = Vec::new();
    for n in &r.notes {
        let (name, note_tlp) = marking(&n.tlp);
        if !marked.contains(&(name, note_tlp)) {
            marked.push((name, note_tlp));
        }
        let mut refs = Vec::new();
        for cve in &n.ids {
            let flaw = id("vulnerability", &[&r.maker_key, &r.key, cve]);
            refs.push(flaw.clone());
            if !vulnerabilities.iter().any(|v| v.0 == flaw) {
                // that there is such a flaw is no secret; what is said of it is in the note
                let mut object = common("vulnerability", &flaw, note_tlp);
                object.insert("name".to_owned(), json!(cve));
                object.insert("external_references".to_owned(), json!([reference(cve)]));
                vulnerabilities.push((flaw, object));
            }
        }
        let note = id("note", &[&r.maker_key, &r.key, &n.key]);
        let mut object = common("note", &note, note_tlp);
        object.insert("abstract".to_owned(), json!(n.heading));
        object
            .insert("content".to_owned(), json!(if n.content.is_empty() { &n.heading } else { &n.content }));
        if refs.is_empty() {
            refs.push(report_id.clone());
        }
        refs.dedup();
        object.insert("object_refs".to_owned(), json!(refs));
        if !n.references.is_empty() {
            let all: Vec<Value> =
                n.references.iter().map(|url| json!({"source_name": "reference", "url": url})).collect();
            object.insert("external_references".to_owned(), json!(all));
        }
        notes.push((note, object));
    }
    let mut report = common("report", &report_id, tlp);
    report.insert("name".to_owned(), json!(r.title));
    if !r.description.is_empty() {
        report.insert("description".to_owned(), json!(r.description));
    }
    report.insert("lang".to_owned(), json!(r.language));
    report.insert("report_types".to_owned(), json!(["vulnerability"]));
    report.insert("published".to_owned(), json!(r.published));
    let mut refs: Vec<&str> = vulnerabilities.iter().chain(&notes).map(|o| o.0.as_str()).collect();
    if refs.is_empty() {
        // a report refers to something (§ 4.16)
        refs.push(&maker);
    }
    report.insert("object_refs".to_owned(), json!(refs));
    let mut objects = vec![json!({
        "type": "identity", "spec_version": "2.1", "id": maker, "created": r.maker_since, "modified": r.maker_since,
        "name": r.maker, "identity_class": "organization",
    })];
    marked.sort_unstable();
    for (name, id) in marked {
        objects.push(json!({
            "type": "marking-definition", "spec_version": "2.1", "id": id, "created": MARKED,
            "name": format!("TLP:{name}"),
            "extensions": {MARKING_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": name.to_lowercase()}},
        }));
    }
    objects.push(Value::Object(report));
    objects.extend(vulnerabilities.into_iter().chain(notes).map(|o| Value::Object(o.1)));
    let bundle = id("bundle", &[&r.maker_key, &r.key, &r.modified]);
    json!({"type": "bundle", "id": bundle, "objects": objects})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sample() -> Report {
        let note = |n: u8, ids: &[&str], tlp: &str| Note {
            key: n.to_string(),
            heading: format!("Section {n}"),
            content: "A *parser* overflows.".to_owned(),
            ids: ids.iter().map(|i| (*i).to_owned()).collect(),
            tlp: tlp.to_owned(),
            references: vec!["https://example.org/a".to_owned()],
        };
        Report {
            maker_key: "https://tocsin.example/1".to_owned(),
            maker: "Example Medical".to_owned(),
            maker_since: "2026-01-01T00:00:00.000Z".to_owned(),
            key: "2026-03".to_owned(),
            title: "Weekly report".to_owned(),
            description: "A quiet week".to_owned(),
            created: "2026-01-18T08:00:00.000Z".to_owned(),
            modified: "2026-01-18T09:00:00.000Z".to_owned(),
            published: "2026-01-18T10:00:00.000Z".to_owned(),
            language: "en".to_owned(),
            tlp: "AMBER+STRICT".to_owned(),
            notes: vec![
                note(1, &["CVE-2026-0001", "GHSA-aaaa-bbbb-cccc"], "AMBER+STRICT"),
                note(2, &["CVE-2026-0001"], "GREEN"),
                note(3, &[], "CLEAR"),
            ],
        }
    }

    /// What § 3 and § 4 ask of the objects that we write.
    fn check(bundle: &Value) {
        let objects = bundle["objects"].as_array().unwrap();
        let ids: BTreeSet<&str> = objects.iter().map(|o| o["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), objects.len(), "no id twice");
        assert!(bundle.get("spec_version").is_none(), "a bundle of 2.1 has none");
        for o in objects {
            let (kind, id) = (o["type"].as_str().unwrap(), o["id"].as_str().unwrap());
            let uuid = id.strip_prefix(&format!("{kind}--")).unwrap();
            assert_eq!(uuid.len(), 36, "{id}");
            assert_eq!(o["spec_version"], "2.1");
            let wanted: &[&str] = match kind {
                "identity" => &["created", "modified", "name"],
                "marking-definition" => &["created", "name", "extensions"],
                "report" => &["created", "modified", "name", "published", "object_refs"],
                "vulnerability" => &["created", "modified", "name"],
                "note" => &["created", "modified", "content", "object_refs"],
                other => panic!("{other}"),
            };
            for name in wanted {
                assert!(!o[*name].is_null(), "{id} has no {name}");
            }
            if kind != "marking-definition" {
                assert_eq!(&uuid[14..15], "5", "{id}");
                assert!(o["created"].as_str() <= o["modified"].as_str());
            }
            for name in ["object_refs", "object_marking_refs"] {
                let Some(refs) = o.get(name) else { continue };
                let refs = refs.as_array().unwrap();
                assert!(!refs.is_empty(), "lists are never empty (§ 2.8)");
                for r in refs {
                    assert!(ids.contains(r.as_str().unwrap()), "{id} refers to {r}, which is not there");
                }
            }
            for r in o.get("external_references").and_then(Value::as_array).into_iter().flatten() {
                let told = ["description", "url", "external_id"].iter().any(|n| r.get(*n).is_some());
                assert!(r["source_name"].is_string() && told, "{r}");
            }
        }
    }

    #[test]
    fn a_report_becomes_a_bundle_the_same_twice() {
        let report = sample();
        let bundle = bundle(&report);
        check(&bundle);
        assert_eq!(bundle.to_string(), super::bundle(&report).to_string());
        let kinds: Vec<&str> =
            bundle["objects"].as_array().unwrap().iter().map(|o| o["type"].as_str().unwrap()).collect();
        assert_eq!(kinds.iter().filter(|k| **k == "vulnerability").count(), 2, "one for each flaw");
        assert_eq!(kinds.iter().filter(|k| **k == "marking-definition").count(), 3);
        // a changed report is a newer version of the same objects, in another bundle
        let newer =
            super::bundle(&Report { modified: "2026-01-19T09:00:00.000Z".to_owned(), ..report.clone() });
        assert_ne!(newer["id"], bundle["id"]);
        let ids =
            |b: &Value| b["objects"].as_array().unwrap().iter().map(|o| o["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&newer), ids(&bundle));
        check(&super::bundle(&Report { notes: Vec::new(), ..report.clone() }));
        // another maker's report of the same number is another
        let other = super::bundle(&Report { maker_key: "https://other.example/1".to_owned(), ..report });
        assert!(
            ids(&other)
                .iter()
                .all(|id| id.as_str().unwrap().starts_with("marking") || !ids(&bundle).contains(id))
        );
        // RFC 9562, appendix A.4, in our arithmetic: version and variant stand where they must
        let one = uuid("x");
        assert!(
            one.as_bytes()[14] == b'5' && matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{one}"
        );
    }

    /// The published schemas, where they are there: the files of `stix21/schemas` of the corpus.
    #[test]
    fn the_schemas_of_oasis_agree() {
        let Some(base) = std::env::var_os("TOCSIN_CORPUS").map(std::path::PathBuf::from) else {
            eprintln!("SKIPPED: TOCSIN_CORPUS is not set");
            return;
        };
        let base = base.join("stix21/schemas");
        let read = |path: &std::path::Path| -> Value {
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
        };
        let mut registry = jsonschema::Registry::new();
        for part in ["common", "sdos", "sros", "observables"] {
            for entry in std::fs::read_dir(base.join(part)).unwrap() {
                let schema = read(&entry.unwrap().path());
                let id = schema["$id"].as_str().unwrap().to_owned();
                registry = registry.add(id, schema).unwrap();
            }
        }
        let registry = registry.prepare().unwrap();
        let bundle = bundle(&sample());
        for o in bundle["objects"].as_array().unwrap() {
            let kind = o["type"].as_str().unwrap();
            let part = if kind == "marking-definition" { "common" } else { "sdos" };
            let schema = read(&base.join(part).join(format!("{kind}.json")));
            let validator = jsonschema::options().with_registry(&registry).build(&schema).unwrap();
            let wrong: Vec<String> =
                validator.iter_errors(o).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(wrong.is_empty(), "{kind}: {wrong:?}\n{o}");
        }
    }
}

//! A CycloneDX document, as [`super::vdr::enrich`] makes it, for another version of the specification or as XML.

use serde_json::{Map, Value};

/// Versions that a document can be brought to.
pub const VERSIONS: [&str; 6] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];
/// The version of documents for which nobody asks for another.
pub const NEWEST: &str = "1.6";

/// Whether a version of the specification came before another.
pub fn is_before(version: &str, other: &str) -> bool {
    let place = |v: &str| VERSIONS.iter().position(|known| *known == v);
    place(version) < place(other)
}

/// Brings a JSON document to a version of the specification: what that version does not know yet is left out.
pub fn to_version(document: &mut Value, version: &str) {
    let before = |other: &str| is_before(version, other);
    let Some(top) = document.as_object_mut() else { return };
    top.insert("specVersion".to_owned(), version.into());
    if top.contains_key("$schema") {
        top.insert(
            "$schema".to_owned(),
            format!("http://cyclonedx.org/schema/bom-{version}.schema.json").into(),
        );
    }
    if before("1.4") {
        top.shift_remove("vulnerabilities");
    }
    let below = |value: &mut Value| {
        let Some(c) = value.as_object_mut() else { return };
        let kind = c.get("type").and_then(Value::as_str).unwrap_or_default();
        let newer = match kind {
            "platform" | "device-driver" | "machine-learning-model" | "data" => before("1.5"),
            "cryptographic-asset" => before("1.6"),
            _ => false,
        };
        if newer {
            c.insert("type".to_owned(), "library".into());
        }
        if before("1.3") {
            c.shift_remove("properties");
        }
        if before("1.4") {
            c.shift_remove("releaseNotes");
            c.shift_remove("signature");
            // 1.4 made it optional
            c.entry("version").or_insert_with(|| "".into());
        }
        if before("1.6")
            && let Some(evidence) = c.get_mut("evidence").and_then(Value::as_object_mut)
        {
            evidence.shift_remove("identity");
            if before("1.5") {
                evidence.shift_remove("occurrences");
                evidence.shift_remove("callstack");
            }
            if evidence.is_empty() || before("1.3") {
                c.shift_remove("evidence");
            }
        }
    };
    if let Some(root) = top.get_mut("metadata").and_then(|m| m.get_mut("component")) {
        each(root, &below);
    }
    for component in top.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten() {
        each(component, &below);
    }
    for v in top.get_mut("vulnerabilities").and_then(Value::as_array_mut).into_iter().flatten() {
        for rating in v.get_mut("ratings").and_then(Value::as_array_mut).into_iter().flatten() {
            if before("1.5") && matches!(rating["method"].as_str(), Some("CVSSv4" | "SSVC")) {
                rating["method"] = "other".into();
            }
        }
    }
}

/// A component and those nested in it.
fn each(component: &mut Value, f: &impl Fn(&mut Value)) {
    f(component);
    for inner in component.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten() {
        each(inner, f);
    }
}

/// The document as XML.
pub fn to_xml(document: &Value) -> String {
    let mut w = Writer { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() };
    let version = document["specVersion"].as_str().unwrap_or(NEWEST);
    let namespace = format!("http://cyclonedx.org/schema/bom/{version}");
    let mut attributes = vec![("xmlns", namespace)];
    if let Some(serial) = document["serialNumber"].as_str() {
        attributes.push(("serialNumber", serial.to_owned()));
    }
    attributes.push(("version", document["version"].as_u64().unwrap_or(1).to_string()));
    w.open("bom", &attributes);
    if let Some(metadata) = document["metadata"].as_object() {
        w.open("metadata", &[]);
        w.text("timestamp", metadata.get("timestamp"));
        if let Some(root) = metadata.get("component") {
            w.component(root);
        }
        w.close("metadata");
    }
    w.open("components", &[]);
    list(&document["components"]).for_each(|c| w.component(c));
    w.close("components");
    w.open("dependencies", &[]);
    for d in list(&document["dependencies"]) {
        w.open("dependency", &[("ref", text(&d["ref"]))]);
        for on in list(&d["dependsOn"]) {
            w.empty("dependency", &[("ref", text(on))]);
        }
        w.close("dependency");
    }
    w.close("dependencies");
    if list(&document["vulnerabilities"]).next().is_some() {
        w.open("vulnerabilities", &[]);
        list(&document["vulnerabilities"]).for_each(|v| w.vulnerability(v));
        w.close("vulnerabilities");
    }
    w.close("bom");
    w.out
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text or number as it stands in XML.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

struct Writer {
    out: String,
}

impl Writer {
    /// Puts a text, without the characters that XML 1.0 cannot hold.
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\t' | '\n' | '\r' => self.out.push_str(&format!("&#{};", u32::from(c))),
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => self.out.push('\u{fffd}'),
                c => self.out.push(c),
            }
        }
    }

    fn start(&mut self, name: &str, attributes: &[(&str, String)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            self.out.push_str(&format!(" {attribute}=\""));
            self.escaped(value);
            self.out.push('"');
        }
    }

    fn open(&mut self, name: &str, attributes: &[(&str, String)]) {
        self.start(name, attributes);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) {
        self.out.push_str(&format!("</{name}>"));
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, String)]) {
        self.start(name, attributes);
        self.out.push_str("/>");
    }

    fn with(&mut self, name: &str, attributes: &[(&str, String)], value: &Value) {
        self.open(name, attributes);
        self.escaped(&text(value));
        self.close(name);
    }

    fn text(&mut self, name: &str, value: Option<&Value>) {
        if let Some(value) = value.filter(|v| !v.is_null()) {
            self.with(name, &[], value);
        }
    }

    fn texts(&mut self, outer: &str, inner: &str, values: &Value) {
        if list(values).next().is_some() {
            self.open(outer, &[]);
            list(values).for_each(|v| self.with(inner, &[], v));
            self.close(outer);
        }
    }

    /// The element in the order of the schema (`component` in `bom-1.6.xsd`).
    fn component(&mut self, c: &Value) {
        let mut attributes = vec![("type", text(&c["type"]))];
        if let Some(reference) = c["bom-ref"].as_str() {
            attributes.push(("bom-ref", reference.to_owned()));
        }
        self.open("component", &attributes);
        if c["supplier"].is_object() {
            self.open("supplier", &[]);
            self.text("name", c["supplier"].get("name"));
            self.close("supplier");
        }
        for name in ["group", "name", "version"] {
            self.text(name, c.get(name));
        }
        if list(&c["hashes"]).next().is_some() {
            self.open("hashes", &[]);
            for hash in list(&c["hashes"]) {
                self.with("hash", &[("alg", text(&hash["alg"]))], &hash["content"]);
            }
            self.close("hashes");
        }
        self.licenses(&c["licenses"]);
        self.text("cpe", c.get("cpe"));
        self.text("purl", c.get("purl"));
        self.pedigree(&c["pedigree"]["patches"]);
        self.properties(&c["properties"]);
        if let Some(evidence) = c["evidence"].as_object() {
            self.evidence(evidence);
        }
        self.close("component");
    }

    fn licenses(&mut self, licenses: &Value) {
        if list(licenses).next().is_none() {
            return;
        }
        self.open("licenses", &[]);
        for one in list(licenses) {
            if one["expression"].is_string() {
                self.with("expression", &[], &one["expression"]);
                continue;
            }
            self.open("license", &[]);
            self.text("id", one["license"].get("id"));
            self.text("name", one["license"].get("name"));
            self.close("license");
        }
        self.close("licenses");
    }

    fn pedigree(&mut self, patches: &Value) {
        if list(patches).next().is_none() {
            return;
        }
        self.open("pedigree", &[]);
        self.open("patches", &[]);
        for patch in list(patches) {
            self.open("patch", &[("type", text(&patch["type"]))]);
            self.open("resolves", &[]);
            for issue in list(&patch["resolves"]) {
                self.open("issue", &[("type", text(&issue["type"]))]);
                self.text("id", issue.get("id"));
                self.close("issue");
            }
            self.close("resolves");
            self.close("patch");
        }
        self.close("patches");
        self.close("pedigree");
    }

    fn properties(&mut self, properties: &Value) {
        if list(properties).next().is_none() {
            return;
        }
        self.open("properties", &[]);
        for p in list(properties) {
            self.with("property", &[("name", text(&p["name"]))], &p["value"]);
        }
        self.close("properties");
    }

    fn evidence(&mut self, evidence: &Map<String, Value>) {
        self.open("evidence", &[]);
        for identity in evidence.get("identity").into_iter().flat_map(list) {
            self.open("identity", &[]);
            self.text("field", identity.get("field"));
            self.text("concludedValue", identity.get("concludedValue"));
            self.close("identity");
        }
        if let Some(places) = evidence.get("occurrences").filter(|o| list(o).next().is_some()) {
            self.open("occurrences", &[]);
            for place in list(places) {
                self.open("occurrence", &[]);
                self.text("location", place.get("location"));
                self.close("occurrence");
            }
            self.close("occurrences");
        }
        self.close("evidence");
    }

    fn source(&mut self, source: &Value) {
        if source.is_object() {
            self.open("source", &[]);
            self.text("name", source.get("name"));
            self.text("url", source.get("url"));
            self.close("source");
        }
    }

    /// The element in the order of the schema (`vulnerabilityType` in `bom-1.6.xsd`).
    fn vulnerability(&mut self, v: &Value) {
        self.open("vulnerability", &[]);
        self.text("id", v.get("id"));
        self.source(&v["source"]);
        if list(&v["references"]).next().is_some() {
            self.open("references", &[]);
            for reference in list(&v["references"]) {
                self.open("reference", &[]);
                self.text("id", reference.get("id"));
                self.source(&reference["source"]);
                self.close("reference");
            }
            self.close("references");
        }
        if list(&v["ratings"]).next().is_some() {
            self.open("ratings", &[]);
            for rating in list(&v["ratings"]) {
                self.open("rating", &[]);
                self.source(&rating["source"]);
                for name in ["score", "severity", "method", "vector"] {
                    self.text(name, rating.get(name));
                }
                self.close("rating");
            }
            self.close("ratings");
        }
        self.texts("cwes", "cwe", &v["cwes"]);
        self.text("description", v.get("description"));
        self.text("recommendation", v.get("recommendation"));
        if let Some(analysis) = v["analysis"].as_object() {
            self.open("analysis", &[]);
            self.text("state", analysis.get("state"));
            self.text("justification", analysis.get("justification"));
            self.texts("responses", "response", analysis.get("response").unwrap_or(&Value::Null));
            self.text("detail", analysis.get("detail"));
            self.close("analysis");
        }
        self.open("affects", &[]);
        for target in list(&v["affects"]) {
            self.open("target", &[]);
            self.text("ref", target.get("ref"));
            self.close("target");
        }
        self.close("affects");
        self.properties(&v["properties"]);
        self.close("vulnerability");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cyclonedx::{self, vdr};
    use crate::input::ReadOptions;

    fn sample() -> (tocsin_model::bom::Bom, Value) {
        let input = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":3,
          "serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
          "metadata":{"component":{"type":"firmware","bom-ref":"root","name":"pump <3>","version":"1"}},
          "components":[{"type":"platform","bom-ref":"a&b","group":"@x","name":"a","version":"1.0","supplier":{"name":"S"},
            "purl":"pkg:npm/%40x/a@1.0","cpe":"cpe:2.3:a:x:a:1.0:*:*:*:*:*:*:*",
            "hashes":[{"alg":"SHA-256","content":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}],
            "licenses":[{"license":{"id":"MIT"}},{"license":{"name":"Own \"terms\""}}],
            "evidence":{"occurrences":[{"location":"/lib/a"}]},
            "properties":[{"name":"k","value":"line\nbreak"}]},
           {"type":"library","bom-ref":"b","name":"b","version":"2"}],
          "dependencies":[{"ref":"root","dependsOn":["a&b"]},{"ref":"a&b","dependsOn":["b"]}]}"#;
        let bom = cyclonedx::read(input.as_bytes(), &ReadOptions::default()).unwrap();
        let vulns = vec![vdr::VdrVulnerability {
            id: "CVE-2024-1".to_owned(),
            source: Some(vdr::VdrSource { name: "NVD".to_owned(), url: Some("https://x/?a&b".to_owned()) }),
            references: vec!["GHSA-a".to_owned()],
            ratings: vec![vdr::VdrRating {
                score: Some(9.8),
                method: Some("CVSSv4".to_owned()),
                vector: Some("CVSS:4.0/AV:N".to_owned()),
                ..vdr::VdrRating::default()
            }],
            cwes: vec![79],
            description: Some("a < b".to_owned()),
            recommendation: Some("Update.".to_owned()),
            analysis: Some(vdr::VdrAnalysis {
                state: Some("not_affected".to_owned()),
                justification: Some("code_not_reachable".to_owned()),
                responses: vec!["update".to_owned(), "will_not_fix".to_owned()],
                detail: Some("never called".to_owned()),
            }),
            affects: vec![vdr::VdrAffect { reference: "a&b".to_owned(), versions: Vec::new() }],
            properties: Vec::new(),
        }];
        let made = vdr::enrich(b"{}", &bom, &vulns).unwrap();
        (bom, serde_json::from_slice(&made).unwrap())
    }

    #[test]
    fn every_version_validates_in_both_encodings_and_says_the_same() {
        let (bom, document) = sample();
        for version in VERSIONS {
            let mut document = document.clone();
            to_version(&mut document, version);
            for bytes in [document.to_string(), to_xml(&document)] {
                let strict = ReadOptions { strict: true, ..ReadOptions::default() };
                let back = cyclonedx::read(bytes.as_bytes(), &strict)
                    .unwrap_or_else(|e| panic!("{version}: {e:?}\n{bytes}"));
                assert_eq!(back.diagnostics, [], "{version}: {bytes}");
                assert_eq!(back.format.version, version);
                let of = |b: &tocsin_model::bom::Bom| -> Vec<_> {
                    b.components
                        .iter()
                        .map(|c| {
                            (
                                c.reference.clone(),
                                c.full_name(),
                                c.version.clone(),
                                c.purl.clone(),
                                c.licenses.clone(),
                            )
                        })
                        .collect()
                };
                assert_eq!(of(&back), of(&bom), "{version}");
                assert_eq!(back.hashes_of("a&b"), bom.hashes_of("a&b"), "{version}");
                assert_eq!(back.dependencies, bom.dependencies, "{version}");
                let told = if is_before(version, "1.4") { 0 } else { 1 };
                assert_eq!(back.vex.len(), told, "{version}: {bytes}");
            }
        }
    }

    trait Hashes {
        fn hashes_of(&self, reference: &str) -> Vec<(String, String)>;
    }

    impl Hashes for tocsin_model::bom::Bom {
        fn hashes_of(&self, reference: &str) -> Vec<(String, String)> {
            self.components
                .iter()
                .find(|c| c.reference == reference)
                .map(|c| c.hashes.to_vec())
                .unwrap_or_default()
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        let mut w = Writer { out: String::new() };
        w.escaped("a\u{0}b\u{7}&<\u{ffff}");
        assert_eq!(w.out, "a\u{fffd}b\u{fffd}&amp;&lt;\u{fffd}");
    }
}

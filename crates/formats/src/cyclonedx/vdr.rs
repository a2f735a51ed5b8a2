//! Writing what is known of vulnerabilities into a bill of materials: a Vulnerability Disclosure Report (VDR).

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use tocsin_model::bom::{Bom, Component, License};
use tocsin_model::diagnostic::Diagnostic;

use super::component::KINDS;
use super::write::document;

/// One vulnerability of a report (CycloneDX 1.6 `vulnerability`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VdrVulnerability {
    /// Its id (`CVE-2024-1`).
    pub id: String,
    /// Who publishes the record under that id.
    pub source: Option<VdrSource>,
    /// Other ids of the same vulnerability.
    pub references: Vec<String>,
    /// How severe, by whom.
    pub ratings: Vec<VdrRating>,
    /// CWE numbers.
    pub cwes: Vec<u32>,
    /// What it is.
    pub description: Option<String>,
    /// What to do.
    pub recommendation: Option<String>,
    /// What the maker says of it.
    pub analysis: Option<VdrAnalysis>,
    /// What it affects.
    pub affects: Vec<VdrAffect>,
    /// Whatever else is to be told: (name, value).
    pub properties: Vec<(String, String)>,
}

/// A publisher of records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VdrSource {
    /// Name (`NVD`).
    pub name: String,
    /// Address of the record or the publisher.
    pub url: Option<String>,
}

/// A rating (CycloneDX 1.6 `rating`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VdrRating {
    /// Who rates.
    pub source: Option<String>,
    /// The score.
    pub score: Option<f64>,
    /// `critical`, `high`, `medium`, `low`, `info`, `none`; anything else is written as `unknown`.
    pub severity: Option<String>,
    /// `CVSSv2`, `CVSSv3`, `CVSSv31`, `CVSSv4`, `OWASP`, `SSVC`; anything else is written as `other`.
    pub method: Option<String>,
    /// The vector.
    pub vector: Option<String>,
}

/// An analysis (CycloneDX 1.6 `analysis`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VdrAnalysis {
    /// State in the words of CycloneDX, or a VEX status, which is translated.
    pub state: Option<String>,
    /// Justification in the words of CycloneDX, or of CISA's VEX, which are translated.
    pub justification: Option<String>,
    /// What will be done, in the words of CycloneDX.
    pub responses: Vec<String>,
    /// Explanation.
    pub detail: Option<String>,
}

/// Something affected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VdrAffect {
    /// [`Component::reference`] of the component, or a BOM-Link.
    pub reference: String,
    /// Versions affected, or ranges where they start with `vers:`.
    pub versions: Vec<String>,
}

/// The document with these vulnerabilities added to those it has.
///
/// A CycloneDX JSON document keeps everything else and the order of its keys; one before 1.4, which knows no
/// vulnerabilities, becomes 1.6; a signature of the whole document, void once it is changed, is left out. From any
/// other input a new CycloneDX 1.6 document is made of the [`Bom`].
///
/// # Errors
/// `input-syntax` where the result cannot be written.
pub fn enrich(input: &[u8], bom: &Bom, vulns: &[VdrVulnerability]) -> Result<Vec<u8>, Diagnostic> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut document = match serde_json::from_slice(input) {
        Ok(Value::Object(o)) if o.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") => o,
        _ => document(bom),
    };
    let known =
        matches!(document.get("specVersion").and_then(Value::as_str), Some("1.4" | "1.5" | "1.6" | "1.7"));
    if !known {
        document.insert("specVersion".into(), "1.6".into());
        if document.contains_key("$schema") {
            document.insert("$schema".into(), "http://cyclonedx.org/schema/bom-1.6.schema.json".into());
        }
    }
    document.shift_remove("signature");
    let old_methods = document.get("specVersion").and_then(Value::as_str) == Some("1.4");
    let mut document = Value::Object(document);
    let made: HashSet<&str> =
        bom.components.iter().filter(|c| c.reference == c.path).map(|c| c.reference.as_str()).collect();
    for affect in vulns.iter().flat_map(|v| &v.affects).filter(|a| made.contains(a.reference.as_str())) {
        name_component(&mut document, &affect.reference);
    }
    if let Value::Object(members) = &mut document {
        let list = members.entry("vulnerabilities").or_insert_with(|| Value::Array(Vec::new()));
        if !list.is_array() {
            *list = Value::Array(Vec::new());
        }
        if let Value::Array(list) = list {
            let mut seen: HashSet<String> = list.iter().map(Value::to_string).collect();
            let new = vulns.iter().map(|v| vulnerability(v, old_methods));
            list.extend(new.filter(|v| seen.insert(v.to_string())));
        }
    }
    serde_json::to_vec_pretty(&document).map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))
}

/// A component without `bom-ref` gets the one the reader made for it, its path, so that it can be referred to.
fn name_component(document: &mut Value, reference: &str) {
    let pointer: String =
        reference.split(['.', '[']).map(|part| format!("/{}", part.trim_end_matches(']'))).collect();
    if let Some(Value::Object(component)) = document.pointer_mut(&pointer)
        && component.get("bom-ref").and_then(Value::as_str).is_none_or(|r| r.trim().is_empty())
    {
        component.insert("bom-ref".into(), reference.into());
    }
}

pub(super) fn put(object: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(key.into(), value.into());
    }
}

pub(super) fn vulnerability(v: &VdrVulnerability, old_methods: bool) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), v.id.clone().into());
    if let Some(source) = &v.source {
        let mut object = Map::from_iter([("name".to_owned(), Value::from(source.name.clone()))]);
        put(&mut object, "url", source.url.clone());
        out.insert("source".into(), object.into());
    }
    let references: Vec<Value> =
        unique(&v.references).map(|id| json!({ "id": id, "source": { "name": publisher(id) } })).collect();
    put(&mut out, "references", Some(references).filter(|l| !l.is_empty()));
    let ratings: Vec<Value> = v.ratings.iter().map(|r| rating(r, old_methods)).collect();
    put(&mut out, "ratings", Some(ratings).filter(|l| !l.is_empty()));
    let cwes: Vec<Value> = v.cwes.iter().filter(|n| **n > 0).map(|n| (*n).into()).collect();
    put(&mut out, "cwes", Some(cwes).filter(|l| !l.is_empty()));
    put(&mut out, "description", v.description.clone());
    put(&mut out, "recommendation", v.recommendation.clone());
    put(&mut out, "analysis", v.analysis.as_ref().map(analysis));
    let mut seen = HashSet::new();
    let affects: Vec<Value> = v.affects.iter().map(affect).filter(|a| seen.insert(a.to_string())).collect();
    put(&mut out, "affects", Some(affects).filter(|l| !l.is_empty()));
    put(&mut out, "properties", Some(properties(&v.properties)).filter(|l| !l.is_empty()));
    Value::Object(out)
}

fn properties(list: &[(String, String)]) -> Vec<Value> {
    list.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn unique(texts: &[String]) -> impl Iterator<Item = &String> {
    let mut seen = HashSet::new();
    texts.iter().filter(move |t| seen.insert(t.as_str()))
}

/// Who publishes records with such ids, by their prefix.
fn publisher(id: &str) -> &str {
    match id.split('-').next().unwrap_or_default() {
        "CVE" => "CVE Program",
        "GHSA" => "GitHub",
        prefix => prefix,
    }
}

fn rating(r: &VdrRating, old_methods: bool) -> Value {
    let mut out = Map::new();
    put(&mut out, "source", r.source.as_ref().map(|name| json!({ "name": name })));
    put(&mut out, "score", r.score.filter(|s| s.is_finite()));
    let severity = r.severity.as_deref().map(|s| match s.to_ascii_lowercase().as_str() {
        word @ ("critical" | "high" | "medium" | "low" | "info" | "none") => word.to_owned(),
        _ => "unknown".to_owned(),
    });
    put(&mut out, "severity", severity);
    let method = r.method.as_deref().map(|m| match m {
        "CVSSv2" | "CVSSv3" | "CVSSv31" | "OWASP" => m,
        // 1.5 introduced them.
        "CVSSv4" | "SSVC" if !old_methods => m,
        _ => "other",
    });
    put(&mut out, "method", method);
    put(&mut out, "vector", r.vector.clone());
    Value::Object(out)
}

fn analysis(a: &VdrAnalysis) -> Value {
    let mut out = Map::new();
    let mut detail: Vec<String> = a.detail.iter().cloned().collect();
    if let Some(state) = &a.state {
        match state.as_str() {
            "resolved"
            | "resolved_with_pedigree"
            | "exploitable"
            | "in_triage"
            | "false_positive"
            | "not_affected" => {
                put(&mut out, "state", Some(state.as_str()));
            }
            "fixed" => put(&mut out, "state", Some("resolved")),
            "affected" => put(&mut out, "state", Some("exploitable")),
            "under_investigation" => put(&mut out, "state", Some("in_triage")),
            other => detail.push(format!("State: {other}")),
        }
    }
    if let Some(justification) = &a.justification {
        match justification.as_str() {
            "code_not_present"
            | "code_not_reachable"
            | "requires_configuration"
            | "requires_dependency"
            | "requires_environment"
            | "protected_by_compiler"
            | "protected_at_runtime"
            | "protected_at_perimeter"
            | "protected_by_mitigating_control" => {
                put(&mut out, "justification", Some(justification.as_str()))
            }
            "component_not_present" | "vulnerable_code_not_present" => {
                put(&mut out, "justification", Some("code_not_present"));
            }
            "vulnerable_code_not_in_execute_path" => {
                put(&mut out, "justification", Some("code_not_reachable"))
            }
            "inline_mitigations_already_exist" => {
                put(&mut out, "justification", Some("protected_by_mitigating_control"));
            }
            // CISA's fifth has no counterpart; it is not forced into one.
            other => detail.push(format!("Justification: {other}")),
        }
    }
    const RESPONSES: [&str; 5] =
        ["can_not_fix", "will_not_fix", "update", "rollback", "workaround_available"];
    let responses = a.responses.iter().filter(|r| RESPONSES.contains(&r.as_str()));
    let responses: Vec<Value> = responses.map(|r| r.clone().into()).collect();
    put(&mut out, "response", Some(responses).filter(|l| !l.is_empty()));
    put(&mut out, "detail", Some(detail.join("\n")).filter(|d| !d.is_empty()));
    Value::Object(out)
}

fn affect(a: &VdrAffect) -> Value {
    let versions = unique(&a.versions).map(|text| {
        let key = if text.starts_with("vers:") { "range" } else { "version" };
        json!({ key: text, "status": "affected" })
    });
    let versions: Vec<Value> = versions.collect();
    let mut out = Map::from_iter([("ref".to_owned(), Value::from(a.reference.clone()))]);
    put(&mut out, "versions", Some(versions).filter(|l| !l.is_empty()));
    Value::Object(out)
}

/// The first one of a reference keeps it; a later one is told apart by a number.
pub(super) fn free_reference(wanted: &str, used: &mut HashSet<String>) -> String {
    let wanted = if wanted.is_empty() { "component" } else { wanted };
    let mut name = wanted.to_owned();
    let mut n = 1;
    while !used.insert(name.clone()) {
        n += 1;
        name = format!("{wanted}~{n}");
    }
    name
}

/// `urn:uuid:` and an RFC 4122 UUID in lower case, as the specification's pattern asks.
pub(super) fn is_serial(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    let groups: Vec<&str> = uuid.split('-').collect();
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|g| g.chars().all(hex))
}

pub(super) fn component(c: &Component, reference: &str) -> Value {
    let mut out = Map::new();
    let kind = KINDS.iter().find(|(_, kind)| *kind == c.kind).map_or("library", |(word, _)| word);
    out.insert("type".into(), kind.into());
    out.insert("bom-ref".into(), reference.into());
    put(&mut out, "supplier", c.supplier.as_ref().map(|name| json!({ "name": name })));
    put(&mut out, "group", c.group.clone());
    let name = if c.name.is_empty() { reference } else { &c.name };
    out.insert("name".into(), name.into());
    put(&mut out, "version", c.version.clone());
    let hashes = c.hashes.iter().filter(|(alg, hex)| HASHES.contains(&alg.as_str()) && is_hash(hex));
    let hashes: Vec<Value> = hashes.map(|(alg, hex)| json!({ "alg": alg, "content": hex })).collect();
    put(&mut out, "hashes", Some(hashes).filter(|l| !l.is_empty()));
    put(&mut out, "licenses", Some(licenses(&c.licenses)).filter(|l| !l.is_empty()));
    put(&mut out, "cpe", c.cpes.first().map(ToString::to_string));
    put(&mut out, "purl", c.purl.as_ref().map(ToString::to_string));
    if !c.resolves.is_empty() {
        let issues: Vec<Value> =
            c.resolves.iter().map(|id| json!({ "type": "security", "id": id })).collect();
        put(&mut out, "pedigree", Some(json!({ "patches": [{ "type": "unofficial", "resolves": issues }] })));
    }
    let references: Vec<Value> = c.references.iter().filter_map(reference_of).collect();
    put(&mut out, "externalReferences", Some(references).filter(|l| !l.is_empty()));
    put(&mut out, "properties", Some(properties(&c.properties)).filter(|l| !l.is_empty()));
    put(&mut out, "evidence", evidence(c));
    Value::Object(out)
}

/// An external reference, where its address is one; a kind that CycloneDX does not know is `other`.
fn reference_of((kind, url): &(String, String)) -> Option<Value> {
    let address = url.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    let plain = url.chars().all(|c| !c.is_control() && !" <>\"{}|\\^`".contains(c));
    let kind = if REFERENCES.contains(&kind.as_str()) { kind } else { "other" };
    (address && plain).then(|| json!({ "type": kind, "url": url }))
}

/// The CPE names beside the main one, and where the component was seen.
fn evidence(c: &Component) -> Option<Value> {
    let mut out = Map::new();
    let names = c.cpes.iter().skip(1);
    let names: Vec<Value> =
        names.map(|cpe| json!({ "field": "cpe", "concludedValue": cpe.to_string() })).collect();
    put(&mut out, "identity", Some(names).filter(|l| !l.is_empty()));
    let places: Vec<Value> = c.locations.iter().map(|place| json!({ "location": place })).collect();
    put(&mut out, "occurrences", Some(places).filter(|l| !l.is_empty()));
    (!out.is_empty()).then_some(Value::Object(out))
}

/// Hash algorithms CycloneDX 1.6 knows.
pub(super) const HASHES: &[&str] = &[
    "MD5",
    "SHA-1",
    "SHA-256",
    "SHA-384",
    "SHA-512",
    "SHA3-256",
    "SHA3-384",
    "SHA3-512",
    "BLAKE2b-256",
    "BLAKE2b-384",
    "BLAKE2b-512",
    "BLAKE3",
];

/// Kinds of external references of CycloneDX 1.6.
const REFERENCES: &[&str] = &[
    "vcs",
    "issue-tracker",
    "website",
    "advisories",
    "bom",
    "mailing-list",
    "social",
    "chat",
    "documentation",
    "support",
    "source-distribution",
    "distribution",
    "distribution-intake",
    "license",
    "build-meta",
    "build-system",
    "release-notes",
    "security-contact",
    "log",
    "configuration",
    "evidence",
    "attestation",
    "vulnerability-assertion",
    "exploitability-statement",
];

/// Hex digits of one of the lengths hashes have.
pub(super) fn is_hash(hex: &str) -> bool {
    matches!(hex.len(), 32 | 40 | 64 | 96 | 128) && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Either one expression, or any number of licences by id or name (CycloneDX 1.6 `licenseChoice`).
fn licenses(list: &[License]) -> Vec<Value> {
    if let [License::Expression(text)] = list {
        return vec![json!({ "expression": text })];
    }
    // Several are all meant; where one of them is more than an id, one expression says so.
    let texts: Option<Vec<&str>> =
        list.iter().map(|l| if let License::Expression(t) = l { Some(t.as_str()) } else { None }).collect();
    if let Some(texts) = texts.filter(|t| t.iter().any(|t| t.contains(' '))) {
        let parts: Vec<String> =
            texts.iter().map(|t| if t.contains(' ') { format!("({t})") } else { (*t).to_owned() }).collect();
        return vec![json!({ "expression": parts.join(" AND ") })];
    }
    let each = list.iter().filter_map(|l| match l {
        License::Expression(text) | License::Named(text) if text.is_empty() => None,
        License::Expression(id) if spdx::license_id(id).is_some_and(|l| l.name == id) => {
            Some(json!({ "license": { "id": id } }))
        }
        License::Expression(text) | License::Named(text) => Some(json!({ "license": { "name": text } })),
    });
    each.collect()
}

//! Claims as CycloneDX 1.6 VEX: components are named by BOM-Links into the bills of materials of their products, or,
//! where one has no serial number, by package URLs in the document itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::write::{Claim, Export, by_vulnerability};

pub(super) fn document(export: &Export) -> Value {
    let mut parts: BTreeMap<String, Value> = BTreeMap::new();
    let mut vulnerabilities = Vec::new();
    for (id, claims) in by_vulnerability(export) {
        type Key<'a> = (&'a str, Option<String>, &'a str, &'a str);
        let mut groups: Vec<(Key<'_>, Vec<&Claim>)> = Vec::new();
        for c in claims {
            let (justification, words) = c.exact();
            let key = (c.status.as_str(), justification, c.response.as_str(), words);
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, list)) => list.push(c),
                None => groups.push((key, vec![c])),
            }
        }
        for ((status, justification, response, words), claims) in groups {
            let mut analysis = Map::new();
            analysis.insert("state".into(), state(status).into());
            if let Some(word) = justification {
                analysis.insert("justification".into(), word.into());
            }
            if !response.is_empty() {
                analysis.insert("response".into(), json!([response]));
            }
            if !words.is_empty() {
                analysis.insert("detail".into(), words.into());
            }
            if let Some(at) = claims.iter().map(|c| c.at.as_str()).max() {
                analysis.insert("lastUpdated".into(), at.into());
            }
            let mut affects: Vec<Value> = Vec::new();
            for c in claims {
                let one = json!({"ref": reference(export, c, &mut parts)});
                if !affects.contains(&one) {
                    affects.push(one);
                }
            }
            vulnerabilities.push(json!({"id": id, "analysis": analysis, "affects": affects}));
        }
    }
    let mut metadata = Map::new();
    metadata.insert("timestamp".into(), export.at.clone().into());
    let tool = json!({"type": "application", "name": "Tocsin", "version": export.program});
    metadata.insert("tools".into(), json!({"components": [tool]}));
    if let [only] = export.wholes.as_slice() {
        let component = json!({"type": "application", "bom-ref": only.purl, "name": only.name,
            "version": only.version, "purl": only.purl});
        metadata.insert("component".into(), component);
    }
    let mut out = Map::new();
    out.insert("bomFormat".into(), "CycloneDX".into());
    out.insert("specVersion".into(), "1.6".into());
    out.insert("serialNumber".into(), serial(&export.id, &vulnerabilities).into());
    out.insert("version".into(), 1.into());
    out.insert("metadata".into(), metadata.into());
    if !parts.is_empty() {
        out.insert("components".into(), parts.into_values().collect());
    }
    out.insert("vulnerabilities".into(), vulnerabilities.into());
    Value::Object(out)
}

fn state(status: &str) -> &str {
    match status {
        "affected" => "exploitable",
        "fixed" => "resolved",
        "not_affected" | "false_positive" => status,
        _ => "in_triage",
    }
}

fn reference(export: &Export, c: &Claim, parts: &mut BTreeMap<String, Value>) -> String {
    if let Some((serial, version)) = export.wholes.get(c.whole).and_then(|w| w.document.as_ref())
        && !c.part.reference.is_empty()
    {
        return format!("urn:cdx:{serial}/{version}#{}", encoded(&c.part.reference));
    }
    let mut part =
        json!({"type": "library", "bom-ref": c.part.purl, "name": c.part.name, "purl": c.part.purl});
    for (key, text) in [("version", &c.part.version), ("cpe", &c.part.cpe)] {
        if !text.is_empty() {
            part[key] = text.clone().into();
        }
    }
    parts.entry(c.part.purl.clone()).or_insert(part);
    c.part.purl.clone()
}

/// A reference as part of a BOM-Link: a URI has no blanks and few signs.
fn encoded(reference: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&b);
    reference.bytes().fold(String::new(), |mut out, b| {
        if plain(b) {
            out.push(char::from(b))
        } else {
            out.push_str(&format!("%{b:02X}"))
        }
        out
    })
}

/// A UUID (version 8, RFC 9562) made of what is said, so that the same document has the same number.
fn serial(id: &str, vulnerabilities: &[Value]) -> String {
    let text = format!("{id}\n{}", Value::from(vulnerabilities.to_vec()));
    let hash: String = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

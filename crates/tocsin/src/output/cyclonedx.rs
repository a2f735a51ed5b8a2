//! Findings as a CycloneDX 1.6 vulnerability disclosure report: the components found and what hurts them.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};
use tocsin_engine::index::Vulnerability;
use tocsin_model::finding::Verdict;

use super::{Item, Scan};

/// Writes the answer as one CycloneDX JSON document. Only components with findings are listed.
///
/// Inferred findings carry the property `tocsin:confidence`, like all others.
///
/// # Errors
/// The writer fails.
pub fn write(out: &mut dyn Write, scan: &Scan<'_>) -> io::Result<()> {
    let mut refs: HashMap<(usize, usize), String> = HashMap::new();
    let mut components = Vec::new();
    let mut vulnerabilities = Vec::new();
    for item in scan.all() {
        let key = (item.document, item.finding.component);
        let next = refs.len();
        let reference = refs.entry(key).or_insert_with(|| {
            // References of several documents may clash; CycloneDX wants them unique.
            let made = format!("{next}:{}", item.component.reference);
            components.push(component(item, &made));
            made
        });
        vulnerabilities.push(vulnerability(item, reference));
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [
                {"type": "application", "name": "tocsin", "version": env!("CARGO_PKG_VERSION")}
            ]},
            "component": {"type": "application", "name": scan.target},
        },
        "components": components,
        "vulnerabilities": vulnerabilities,
    });
    let mut buffer = io::BufWriter::new(out);
    serde_json::to_writer(&mut buffer, &document).map_err(io::Error::from)?;
    buffer.write_all(b"\n")?;
    buffer.flush()
}

fn component(item: &Item<'_>, reference: &str) -> Value {
    let c = item.component;
    let mut map = Map::new();
    map.insert("type".into(), "library".into());
    map.insert("bom-ref".into(), reference.into());
    map.insert("name".into(), c.full_name().into());
    if let Some(version) = &c.version {
        map.insert("version".into(), version.as_str().into());
    }
    if let Some(purl) = &c.purl {
        map.insert("purl".into(), purl.to_string().into());
    }
    if let Some(cpe) = c.cpes.first() {
        map.insert("cpe".into(), cpe.to_string().into());
    }
    Value::Object(map)
}

fn vulnerability(item: &Item<'_>, reference: &str) -> Value {
    let f = item.finding;
    let v = &f.vulnerability;
    // CycloneDX 1.6 `cwes` are integers.
    let cwes: Vec<u32> =
        v.cwes.iter().filter_map(|c| c.strip_prefix("CWE-").and_then(|n| n.parse().ok())).collect();
    let mut properties = vec![json!({"name": "tocsin:confidence", "value": f.confidence.as_str()})];
    if let Some(justification) = &f.justification {
        properties.push(json!({"name": "tocsin:justification", "value": justification}));
    }
    let mut value = json!({
        "id": v.id,
        "references": v.aliases.iter().map(|a| json!({"id": a, "source": {"name": "alias"}})).collect::<Vec<_>>(),
        "ratings": ratings(v),
        "cwes": cwes,
        "description": v.title,
        "analysis": {"state": state(f.status)},
        "affects": [{"ref": reference}],
        "properties": properties,
    });
    if !f.fixed_versions.is_empty()
        && let Some(map) = value.as_object_mut()
    {
        let text = format!("Update to {}.", f.fixed_versions.join(" or "));
        map.insert("recommendation".into(), text.into());
    }
    value
}

fn ratings(v: &Vulnerability) -> Vec<Value> {
    v.cvss
        .iter()
        .map(|(version, vector, score, source)| {
            let method = match version.as_str() {
                "2.0" => "CVSSv2",
                "3.0" => "CVSSv3",
                "3.1" => "CVSSv31",
                "4.0" => "CVSSv4",
                _ => "other",
            };
            // Through text, so that 7.5f32 is written 7.5 and not with the digits of its f64.
            let score: f64 = score.to_string().parse().unwrap_or_default();
            json!({"source": {"name": source}, "score": score, "method": method, "vector": vector})
        })
        .collect()
}

/// The CycloneDX 1.6 impact analysis state.
fn state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Affected => "exploitable",
        Verdict::Fixed => "resolved",
        Verdict::NotAffected => "not_affected",
        Verdict::Conditional | Verdict::Undecidable => "in_triage",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_affected_reference_is_a_listed_component() {
        let data = crate::output::sample::data();
        let mut out = Vec::new();
        write(&mut out, &data.scan()).unwrap();
        let bom: Value = serde_json::from_slice(&out).unwrap();
        let refs: Vec<_> = bom["components"].as_array().unwrap().iter().map(|c| &c["bom-ref"]).collect();
        assert_eq!(refs.len(), 2);
        for v in bom["vulnerabilities"].as_array().unwrap() {
            assert!(refs.contains(&&v["affects"][0]["ref"]));
            assert_eq!(v["ratings"][0]["score"], 7.5);
            assert_eq!(v["cwes"][0], 79);
        }
    }
}

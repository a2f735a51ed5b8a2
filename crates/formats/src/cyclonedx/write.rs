//! Writing a bill of materials as CycloneDX 1.6, JSON and XML, with or without vulnerabilities.
//!
//! The document is made once, in the shape of the JSON encoding; the XML encoding follows from that. Components that
//! contain others nest, to a bounded depth.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use super::strict::is_time;
use super::vdr::{VdrVulnerability, component, free_reference, is_serial, put, vulnerability};
use super::xml_out;

/// Deepest nesting of components that is written; what lies deeper stands at the top.
const DEPTH: usize = 24;

/// The document as CycloneDX 1.6 JSON.
///
/// # Errors
/// `input-syntax` where it cannot be written.
pub fn to_json(bom: &Bom, vulnerabilities: &[VdrVulnerability]) -> Result<Vec<u8>, Diagnostic> {
    let whole = whole(bom, vulnerabilities);
    serde_json::to_vec_pretty(&whole).map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))
}

/// The document as CycloneDX 1.6 XML.
pub fn to_xml(bom: &Bom, vulnerabilities: &[VdrVulnerability]) -> Vec<u8> {
    xml_out::write(&whole(bom, vulnerabilities))
}

fn whole(bom: &Bom, vulnerabilities: &[VdrVulnerability]) -> Value {
    let mut out = document(bom);
    let mut seen = HashSet::new();
    let list = vulnerabilities.iter().map(|v| vulnerability(v, false));
    let list: Vec<Value> = list.filter(|v| seen.insert(v.to_string())).collect();
    put(&mut out, "vulnerabilities", Some(list).filter(|l| !l.is_empty()));
    Value::Object(out)
}

/// A CycloneDX 1.6 document of a bill of materials.
pub(super) fn document(bom: &Bom) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("bomFormat".into(), "CycloneDX".into());
    out.insert("specVersion".into(), "1.6".into());
    put(&mut out, "serialNumber", bom.serial.as_ref().filter(|s| is_serial(s)).cloned());
    out.insert("version".into(), bom.version.filter(|v| *v > 0).unwrap_or(1).into());
    let mut used = HashSet::new();
    let references: Vec<String> =
        bom.components.iter().map(|c| free_reference(&c.reference, &mut used)).collect();
    let values = bom.components.iter().zip(&references).map(|(c, reference)| Some(component(c, reference)));
    let (root, components) = nest(bom, values.collect());
    put(&mut out, "metadata", Some(metadata(bom, root)).filter(|m| !m.is_empty()));
    out.insert("components".into(), components.into());
    let mut edges: Vec<(usize, Vec<Value>)> = Vec::new();
    let mut sorted = bom.dependencies.clone();
    sorted.sort_unstable();
    sorted.dedup();
    for (from, to) in sorted {
        let Some(target) = references.get(to) else { continue };
        match edges.last_mut() {
            Some((last, targets)) if *last == from => targets.push(target.clone().into()),
            _ => edges.push((from, vec![target.clone().into()])),
        }
    }
    let dependencies = edges.into_iter().filter_map(|(from, targets)| {
        references.get(from).map(|reference| json!({ "ref": reference, "dependsOn": targets }))
    });
    out.insert("dependencies".into(), dependencies.collect());
    out
}

/// When, by whom and for what the document was made.
fn metadata(bom: &Bom, root: Option<Value>) -> Map<String, Value> {
    let mut out = Map::new();
    put(&mut out, "timestamp", bom.timestamp.clone().filter(|t| is_instant(t)));
    let named = |kind: &str| -> Vec<&str> {
        let of = |c: &'_ String| c.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':')).is_some();
        let names = bom.creators.iter().filter(|c| of(c));
        names.filter_map(|c| c.split_once(':')).map(|(_, n)| n.trim()).filter(|n| !n.is_empty()).collect()
    };
    let tools: Vec<Value> =
        named("Tool").into_iter().map(|name| json!({ "type": "application", "name": name })).collect();
    put(&mut out, "tools", Some(tools).filter(|l| !l.is_empty()).map(|l| json!({ "components": l })));
    let authors: Vec<Value> = named("Person").into_iter().map(|name| json!({ "name": name })).collect();
    put(&mut out, "authors", Some(authors).filter(|l| !l.is_empty()));
    put(&mut out, "component", root);
    put(&mut out, "manufacturer", named("Organization").first().map(|name| json!({ "name": name })));
    out
}

/// RFC 3339 with an offset, as the schema's `date-time` asks.
fn is_instant(text: &str) -> bool {
    let offset = text.ends_with('Z')
        || text.len().checked_sub(6).and_then(|at| text.get(at..)).is_some_and(|o| o.starts_with(['+', '-']));
    is_time(text) && text.len() >= 20 && offset
}

/// Puts components into those that contain them: the root, and what stands at the top.
fn nest(bom: &Bom, mut values: Vec<Option<Value>>) -> (Option<Value>, Vec<Value>) {
    // How deep each lies; a chain that is too long or goes round ends at the top.
    let parent = |n: usize| {
        let told = bom.components.get(n)?.parent?;
        (told < bom.components.len() && Some(told) != bom.root && Some(n) != bom.root).then_some(told)
    };
    let depths: Vec<usize> = (0..values.len())
        .map(|n| {
            let chain = std::iter::successors(parent(n), |p| parent(*p)).take(DEPTH + 1).count();
            if chain > DEPTH { 0 } else { chain }
        })
        .collect();
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); values.len()];
    for (n, depth) in depths.iter().enumerate() {
        if let Some(list) = parent(n).filter(|_| *depth > 0).and_then(|p| inside.get_mut(p)) {
            list.push(n);
        }
    }
    let mut order: Vec<usize> =
        (0..values.len()).filter(|n| inside.get(*n).is_some_and(|l| !l.is_empty())).collect();
    order.sort_by_key(|n| std::cmp::Reverse(depths.get(*n).copied()));
    for n in order {
        let list = inside.get(n).map(Vec::as_slice).unwrap_or_default();
        let children: Vec<Value> =
            list.iter().filter_map(|c| values.get_mut(*c).and_then(Option::take)).collect();
        if let Some(Some(Value::Object(object))) = values.get_mut(n) {
            object.insert("components".into(), children.into());
        }
    }
    let root = bom.root.and_then(|at| values.get_mut(at)).and_then(Option::take);
    (root, values.into_iter().flatten().collect())
}

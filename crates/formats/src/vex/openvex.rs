//! Claims as OpenVEX 0.2.0.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::write::{Claim, Export, by_vulnerability};
use super::{NO_ACTION, WRONG_MATCH};

/// Status and justification of a claim, and the key and text of its words.
fn said(c: &Claim) -> (&str, Option<&str>, Option<(&'static str, String)>) {
    let some = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    match c.status.as_str() {
        "false_positive" => {
            let words = format!("{WRONG_MATCH} {}", c.detail).trim().to_owned();
            ("not_affected", Some("component_not_present"), Some(("impact_statement", words)))
        }
        "not_affected" => {
            let justification = Some(c.justification.as_str()).filter(|j| !j.is_empty());
            (&c.status, justification, some(&c.detail).map(|w| ("impact_statement", w)))
        }
        // a product that is affected needs an action statement
        "affected" => {
            let words = some(&c.detail).unwrap_or_else(|| NO_ACTION.to_owned());
            (&c.status, None, Some(("action_statement", words)))
        }
        _ => (&c.status, None, some(&c.detail).map(|w| ("status_notes", w))),
    }
}

pub(super) fn document(export: &Export) -> Value {
    let mut statements = Vec::new();
    for (id, claims) in by_vulnerability(export) {
        type Key<'a> = (&'a str, Option<&'a str>, Option<(&'static str, String)>);
        let mut groups: Vec<(Key<'_>, Vec<&Claim>)> = Vec::new();
        for claim in claims {
            let key = said(claim);
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, list)) => list.push(claim),
                None => groups.push((key, vec![claim])),
            }
        }
        for ((status, justification, words), claims) in groups {
            let mut s = Map::new();
            s.insert("vulnerability".into(), json!({"name": id}));
            let at = claims.iter().map(|c| c.at.as_str()).max().unwrap_or(&export.at);
            s.insert("timestamp".into(), at.into());
            s.insert("products".into(), products(export, &claims));
            s.insert("status".into(), status.into());
            if let Some(word) = justification {
                s.insert("justification".into(), word.into());
            }
            if let Some((key, text)) = words {
                s.insert(key.into(), text.into());
            }
            statements.push(Value::Object(s));
        }
    }
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("{}/{}", export.namespace.trim_end_matches('/'), export.id),
        "author": export.publisher,
        "timestamp": export.at,
        "version": 1,
        "tooling": format!("Tocsin {}", export.program),
        "statements": statements,
    })
}

fn products(export: &Export, claims: &[&Claim]) -> Value {
    let mut by_whole: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    for c in claims {
        let mut part = json!({"@id": c.part.purl});
        let identifiers = if c.part.cpe.is_empty() {
            json!({"purl": c.part.purl})
        } else {
            json!({"purl": c.part.purl, "cpe23": c.part.cpe})
        };
        part["identifiers"] = identifiers;
        let list = by_whole.entry(c.whole).or_default();
        if !list.contains(&part) {
            list.push(part);
        }
    }
    let product = |(whole, parts): (usize, Vec<Value>)| {
        let purl = export.wholes.get(whole).map(|w| w.purl.as_str()).unwrap_or_default();
        json!({"@id": purl, "identifiers": {"purl": purl}, "subcomponents": parts})
    };
    by_whole.into_iter().map(product).collect()
}

//! OpenVEX 0.0.1 and 0.2.0 documents.

use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};

/// Whether an input that begins with `head` is an OpenVEX document.
pub fn recognise(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).contains("://openvex.dev/ns")
}

/// Reads an OpenVEX document.
///
/// # Errors
/// It is not one: no JSON object, or no list `statements`.
pub fn read(bytes: &[u8]) -> Result<(Vec<VexStatement>, Vec<Diagnostic>), Diagnostic> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let doc: Value =
        serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))?;
    let list = doc.get("statements").and_then(Value::as_array);
    let Some(list) = list.filter(|_| recognise(text(&doc, "@context").unwrap_or_default().as_bytes())) else {
        return Err(Diagnostic::new("input-unrecognised", "", "no OpenVEX context or no list `statements`"));
    };
    let (mut out, mut remarks) = (Vec::new(), Vec::new());
    for (i, s) in list.iter().enumerate() {
        let path = format!("statements[{i}]");
        let (name, aliases) = vulnerability(s.get("vulnerability"));
        let word = text(s, "status").unwrap_or_default();
        let status = match word.as_str() {
            "not_affected" => VexStatus::NotAffected,
            "affected" => VexStatus::Affected,
            "fixed" => VexStatus::Fixed,
            "under_investigation" => VexStatus::UnderInvestigation,
            _ => {
                let message = format!("no known status: {}", excerpt(&word));
                remarks.push(Diagnostic::new("value-ignored", path, message));
                continue;
            }
        };
        let Some(vulnerability) = name else {
            remarks.push(Diagnostic::new("value-ignored", path, "the statement names no vulnerability"));
            continue;
        };
        // 0.0.1 keeps subcomponents beside the products, 0.2.0 inside each.
        let common: Vec<String> = items(s, "subcomponents").flat_map(identifiers).collect();
        let products = items(s, "products")
            .map(|p| VexProduct {
                identifiers: identifiers(p),
                subcomponents: common
                    .iter()
                    .cloned()
                    .chain(items(p, "subcomponents").flat_map(identifiers))
                    .collect(),
                versions: Vec::new(),
            })
            .filter(|p| !p.identifiers.is_empty())
            .collect();
        let notes = ["impact_statement", "action_statement", "status_notes"];
        let statement = notes.iter().filter_map(|k| text(s, k)).collect::<Vec<_>>().join("\n");
        out.push(VexStatement {
            vulnerability,
            aliases,
            products,
            status,
            justification: text(s, "justification"),
            statement: (!statement.is_empty()).then_some(statement),
            timestamp: ["last_updated", "timestamp"]
                .iter()
                .find_map(|k| text(s, k))
                .or_else(|| text(&doc, "last_updated"))
                .or_else(|| text(&doc, "timestamp")),
            author: text(s, "supplier").or_else(|| text(&doc, "author")),
            document: text(&doc, "@id"),
            path,
            wrong_match: false,
            response: None,
        });
    }
    Ok((out, remarks))
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Name and aliases: a text in 0.0.1, an object in 0.2.0.
fn vulnerability(value: Option<&Value>) -> (Option<String>, Vec<String>) {
    match value {
        Some(Value::String(s)) if !s.trim().is_empty() => (Some(s.trim().to_owned()), Vec::new()),
        Some(v) => {
            let aliases = items(v, "aliases").filter_map(Value::as_str).map(str::to_owned).collect();
            (text(v, "name").or_else(|| text(v, "@id")), aliases)
        }
        None => (None, Vec::new()),
    }
}

/// Everything that identifies a product: its `@id`, its identifiers and hashes.
fn identifiers(value: &Value) -> Vec<String> {
    if let Some(s) = value.as_str() {
        return vec![s.trim().to_owned()];
    }
    let mut out: Vec<String> = text(value, "@id").into_iter().collect();
    let map = |key: &str| value.get(key).and_then(Value::as_object).into_iter().flatten();
    for id in map("identifiers").filter_map(|(_, v)| v.as_str()) {
        if !out.iter().any(|o| o == id) {
            out.push(id.to_owned());
        }
    }
    for (algorithm, hash) in map("hashes") {
        if let Some(hash) = hash.as_str() {
            out.push(format!("{}:{hash}", algorithm.to_lowercase().replace("sha-", "sha")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions() {
        let old = r#"{"@context":"https://openvex.dev/ns","@id":"d","statements":[{"products":["pkg:a/b@1"],"subcomponents":["pkg:c/d"],"vulnerability":"CVE-2024-0001","status":"fixed"},{"status":"?"}]}"#;
        let new = r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"d","statements":[{"products":[{"@id":"pkg:a/b@1","hashes":{"sha-256":"00"},"subcomponents":[{"@id":"pkg:c/d"}]}],"vulnerability":{"name":"CVE-2024-0001","aliases":["X-1"]},"status":"fixed"}]}"#;
        let (a, remarks) = read(old.as_bytes()).unwrap();
        assert_eq!((a.len(), remarks.len()), (1, 1));
        let (b, _) = read(new.as_bytes()).unwrap();
        assert_eq!(a[0].products[0].subcomponents, b[0].products[0].subcomponents);
        assert_eq!(b[0].products[0].identifiers, ["pkg:a/b@1", "sha256:00"]);
        assert_eq!((a[0].status, b[0].aliases.len()), (VexStatus::Fixed, 1));
        assert!(read(b"{}").is_err() && read(b"[").is_err());
    }
}

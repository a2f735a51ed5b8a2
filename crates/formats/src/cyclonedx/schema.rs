//! Strict mode for JSON: the schemas of the specification, and what they ask for in words alone.

use std::collections::HashMap;
use std::sync::OnceLock;

use jsonschema::{Registry, Validator};
use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};

/// Schemas by specification version; 1.0 and 1.1 know no JSON.
const SCHEMAS: &[(&str, &str)] = &[
    ("1.2", include_str!("../../schemas/cyclonedx/bom-1.2.json")),
    ("1.3", include_str!("../../schemas/cyclonedx/bom-1.3.json")),
    ("1.4", include_str!("../../schemas/cyclonedx/bom-1.4.json")),
    ("1.5", include_str!("../../schemas/cyclonedx/bom-1.5.json")),
    ("1.6", include_str!("../../schemas/cyclonedx/bom-1.6.json")),
    ("1.7", include_str!("../../schemas/cyclonedx/bom-1.7.json")),
];

/// What the schemas refer to, by file name.
const REFERRED: &[(&str, &str)] = &[
    ("jsf-0.82.schema.json", include_str!("../../schemas/cyclonedx/jsf-0.82.json")),
    ("cryptography-defs.schema.json", include_str!("../../schemas/cyclonedx/cryptography-defs.json")),
    ("spdx.schema.json", r#"{"type":"string","format":"spdx-license-id"}"#),
];

/// Most violations told of one document.
const MOST: usize = 1000;

/// Everything in which the document breaks its specification, up to a bound.
///
/// # Errors
/// It is no JSON.
pub(super) fn violations(text: &str) -> Result<Vec<Diagnostic>, serde_json::Error> {
    let document: Value = serde_json::from_str(text)?;
    let version = document.get("specVersion").and_then(Value::as_str).unwrap_or_default();
    let Some(n) = SCHEMAS.iter().position(|(v, _)| *v == version) else {
        let message = format!("{:?} is no version published with a JSON encoding", excerpt(version));
        return Ok(vec![Diagnostic::new("schema-violation", "specVersion", message)]);
    };
    let mut said = match against(n, &document) {
        Ok(said) => said,
        // The schemas are part of the program; a test builds each.
        Err(e) => vec![Diagnostic::new("schema-violation", "", format!("the schema cannot be used: {e}"))],
    };
    references(&document, &mut said);
    Ok(said)
}

/// The validator of each schema, built when it is first asked for: building one costs more than most documents.
static BUILT: [OnceLock<Result<Validator, String>>; SCHEMAS.len()] =
    [const { OnceLock::new() }; SCHEMAS.len()];

fn build(schema: &str) -> Result<Validator, String> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
    let mut registry = Registry::new();
    for (name, text) in REFERRED {
        let address = format!("http://cyclonedx.org/schema/{name}");
        registry = registry.add(address, parsed(text)?).map_err(|e| e.to_string())?;
    }
    let registry = registry.prepare().map_err(|e| e.to_string())?;
    jsonschema::options()
        .with_registry(&registry)
        .with_format("spdx-license-id", super::strict::is_license)
        .should_validate_formats(true)
        .build(&parsed(schema)?)
        .map_err(|e| e.to_string())
}

/// What the schema of this number in [`SCHEMAS`] has against a document.
fn against(n: usize, document: &Value) -> Result<Vec<Diagnostic>, &'static str> {
    let (Some(built), Some((_, schema))) = (BUILT.get(n), SCHEMAS.get(n)) else { return Ok(Vec::new()) };
    let validator = built.get_or_init(|| build(schema)).as_ref().map_err(String::as_str)?;
    let errors = validator.iter_errors(document).take(MOST);
    Ok(errors
        .map(|e| {
            let path = path(e.instance_path().as_str());
            Diagnostic::new("schema-violation", path, excerpt(&e.masked_with("the value").to_string()))
        })
        .collect())
}

/// A JSON pointer as the paths of diagnostics are written: `components[3].name`.
fn path(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    out
}

/// Every `bom-ref` names one thing (the schemas say so in words). Formulations are left out: the specification's own
/// examples describe one workspace at each place it is used. A list of what is still to look at stands in for
/// recursion.
fn references(document: &Value, said: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    let mut open: Vec<(&Value, String)> = vec![(document, String::new())];
    while let Some((value, at)) = open.pop() {
        match value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate().rev() {
                    open.push((item, format!("{at}[{i}]")));
                }
            }
            Value::Object(members) => {
                if let Some(reference) = members.get("bom-ref").and_then(Value::as_str)
                    && let Some(first) = seen.insert(reference, at.clone())
                {
                    let message = format!("{:?} is the reference of {first} too", excerpt(reference));
                    said.push(Diagnostic::new("ref-duplicate", format!("{at}.bom-ref"), message));
                }
                for (key, item) in members
                    .iter()
                    .rev()
                    .filter(|(k, v)| *k != "formulation" && (v.is_object() || v.is_array()))
                {
                    let dot = if at.is_empty() { "" } else { "." };
                    open.push((item, format!("{at}{dot}{key}")));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_usable_and_refuses_what_it_does_not_know() {
        for (version, _) in SCHEMAS {
            let good = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"{version}","version":1}}"#);
            assert_eq!(violations(&good).unwrap(), [], "{version}");
            let bad = format!(
                r#"{{"bomFormat":"CycloneDX","specVersion":"{version}","version":1,"unheard":1,"serialNumber":"1",
                "metadata":{{"timestamp":"yesterday"}},"components":[{{"name":1,"type":"thing","version":"1"}},
                {{"type":"library","name":"a","version":"1","hashes":[{{"alg":"MD5","content":"zz"}}],
                "licenses":[{{"license":{{"id":"no-such-licence"}}}}]}}]}}"#
            );
            let paths: Vec<String> = violations(&bad).unwrap().into_iter().map(|d| d.path).collect();
            for path in ["", "serialNumber", "metadata.timestamp", "components[0].name", "components[0].type"]
            {
                assert!(paths.iter().any(|p| p == path), "{version}: {path} not in {paths:?}");
            }
            for path in ["components[1].hashes[0].content", "components[1].licenses"] {
                assert!(paths.iter().any(|p| p.starts_with(path)), "{version}: {path} not in {paths:?}");
            }
        }
    }

    #[test]
    fn a_reference_names_one_thing() {
        let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"a",
            "bom-ref":"x"}],"services":[{"name":"s","bom-ref":"x"}]}"#;
        let said = violations(text).unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!((said[0].code, said[0].path.as_str()), ("ref-duplicate", "services[0].bom-ref"));
    }
}

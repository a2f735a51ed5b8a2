//! SPDX 3.0 in JSON-LD: elements in `@graph`, joined by relationships (SPDX 3.0.1, Core and Software profiles).

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use tocsin_model::bom::{Bom, BomFormat, Component, ComponentKind};
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

use super::document::{license, told};

#[derive(Deserialize)]
struct Graph {
    #[serde(rename = "@graph", default)]
    graph: Vec<Value>,
}

fn text<'a>(v: &'a Value, key: &str) -> Option<&'a str> {
    v.get(key).and_then(Value::as_str)
}

/// A value that may stand alone or in a list.
fn many<'a>(v: &'a Value, key: &str) -> Vec<&'a Value> {
    match v.get(key) {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one],
    }
}

fn id(v: &Value) -> Option<&str> {
    text(v, "spdxId").or_else(|| text(v, "@id"))
}

/// The element's type; `software_Package` and `Package` of older contexts are one. The AI and Dataset profiles have
/// packages of their own.
fn kind(v: &Value) -> &str {
    let told = text(v, "type").or_else(|| text(v, "@type")).unwrap_or("");
    told.rsplit(['_', '/']).next().unwrap_or(told)
}

/// Reads a document.
///
/// # Errors
/// It is no JSON, or has no graph.
pub(super) fn read(json: &str) -> Result<Bom, Vec<Diagnostic>> {
    let doc: Graph = serde_json::from_str(json).map_err(|e| super::json_fault(&e))?;
    if doc.graph.is_empty() {
        return Err(vec![Diagnostic::new("input-syntax", "@graph", "the document holds no element")]);
    }
    let elements: HashMap<&str, &Value> = doc.graph.iter().filter_map(|v| Some((id(v)?, v))).collect();
    let mut bom = Bom {
        format: BomFormat { name: "SPDX".into(), version: "SPDX-3.0".into(), encoding: "json-ld".into() },
        ..Bom::default()
    };
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (n, v) in doc.graph.iter().enumerate() {
        match kind(v) {
            "Package" | "AIPackage" | "DatasetPackage" => {
                let path = format!("@graph[{n}]");
                let c = component(v, &elements, path, &mut bom.diagnostics);
                if let Some(id) = id(v) {
                    by_id.entry(id).or_insert(bom.components.len());
                }
                bom.components.push(c);
            }
            "CreationInfo" if bom.timestamp.is_none() => {
                bom.timestamp = text(v, "created").map(str::to_owned)
            }
            "SpdxDocument" => {
                bom.name = text(v, "name").map(str::to_owned);
                bom.serial = id(v).map(str::to_owned);
            }
            _ => {}
        }
    }
    // the document names a Sbom element, which names the packages
    let roots = |of: &str| {
        doc.graph
            .iter()
            .filter(|v| kind(v) == of)
            .flat_map(|v| many(v, "rootElement"))
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
    };
    let named = roots("SpdxDocument").into_iter().chain(roots("Sbom")).chain(roots("Bom"));
    bom.root = named.filter_map(|r| by_id.get(r)).next().copied();
    let mut licensed = HashSet::new();
    for (n, v) in doc.graph.iter().enumerate() {
        if kind(v).ends_with("Relationship") {
            relate(v, n, &elements, &by_id, &mut licensed, &mut bom);
        }
    }
    Ok(bom)
}

fn component(
    v: &Value,
    all: &HashMap<&str, &Value>,
    path: String,
    diagnostics: &mut Vec<Diagnostic>,
) -> Component {
    let own = |key: &str| {
        let found = text(v, &format!("software_{key}")).or_else(|| text(v, key));
        told(found.map(str::to_owned))
    };
    let mut c = Component {
        reference: id(v).map_or_else(|| path.clone(), str::to_owned),
        kind: match own("primaryPurpose").as_deref() {
            Some("application" | "executable") => ComponentKind::Application,
            Some("framework") => ComponentKind::Framework,
            Some("container") => ComponentKind::Container,
            Some("operatingSystem") => ComponentKind::OperatingSystem,
            Some("device") => ComponentKind::Device,
            Some("deviceDriver") => ComponentKind::DeviceDriver,
            Some("firmware") => ComponentKind::Firmware,
            Some("file") => ComponentKind::File,
            Some("model") => ComponentKind::MachineLearningModel,
            Some("data") => ComponentKind::Data,
            None if self::kind(v) == "AIPackage" => ComponentKind::MachineLearningModel,
            None if self::kind(v) == "DatasetPackage" => ComponentKind::Data,
            _ => ComponentKind::Library,
        },
        name: text(v, "name").unwrap_or("").to_owned(),
        version: own("packageVersion"),
        references: own("homePage").into_iter().map(|h| ("website".to_owned(), h)).collect(),
        ..Component::default()
    };
    let supplier = many(v, "suppliedBy").into_iter().chain(many(v, "originatedBy")).find_map(Value::as_str);
    c.supplier = supplier.map(|s| all.get(s).and_then(|e| text(e, "name")).unwrap_or(s).to_owned());
    for h in many(v, "verifiedUsing") {
        if let (Some(algorithm), Some(value)) = (text(h, "algorithm"), text(h, "hashValue")) {
            let name = algorithm.to_uppercase().replacen("SHA", "SHA-", 1).replace("SHA-3_", "SHA3-");
            c.hashes.push((name, value.to_lowercase()));
        }
    }
    let mut purls: Vec<(String, String)> =
        own("packageUrl").map(|p| (format!("{path}.packageUrl"), p)).into_iter().collect();
    for (n, e) in many(v, "externalIdentifier").into_iter().enumerate() {
        let place = format!("{path}.externalIdentifier[{n}]");
        let Some(identifier) = text(e, "identifier") else { continue };
        match text(e, "externalIdentifierType").unwrap_or("").rsplit('/').next() {
            Some("packageUrl" | "packageURL" | "purl") => purls.push((place, identifier.to_owned())),
            Some("cpe23" | "cpe22") => match Cpe::parse(identifier) {
                Ok(cpe) => c.cpes.push(cpe),
                Err(e) => diagnostics.push(Diagnostic::new(
                    "cpe-invalid",
                    place,
                    format!("{}: {e}", excerpt(identifier)),
                )),
            },
            _ => {}
        }
    }
    for (place, p) in purls {
        match Purl::parse(&p) {
            Ok(purl) if c.purl.is_none() => c.purl = Some(purl),
            Ok(_) => {}
            Err(e) => {
                diagnostics.push(Diagnostic::new("purl-invalid", place, format!("{}: {e}", excerpt(&p))))
            }
        }
    }
    c.path = path;
    c
}

/// Applies a relationship; `licensed` knows which licence each component has already.
fn relate(
    v: &Value,
    n: usize,
    all: &HashMap<&str, &Value>,
    by_id: &HashMap<&str, usize>,
    licensed: &mut HashSet<(usize, String)>,
    bom: &mut Bom,
) {
    let Some(from) = text(v, "from").and_then(|f| by_id.get(f)).copied() else { return };
    let relation = text(v, "relationshipType").unwrap_or("");
    for to in many(v, "to").into_iter().filter_map(Value::as_str) {
        match (relation, by_id.get(to).copied()) {
            ("dependsOn", Some(to)) => bom.dependencies.push((from, to)),
            ("contains", Some(to)) if to != from => {
                if let Some(c) = bom.components.get_mut(to) {
                    c.parent = c.parent.or(Some(from));
                }
            }
            ("hasDeclaredLicense" | "hasConcludedLicense", None) => {
                let found = all
                    .get(to)
                    .and_then(|l| text(l, "simplelicensing_licenseExpression").or_else(|| text(l, "name")));
                let expression = told(found.or_else(|| to.rsplit('/').next()).map(str::to_owned));
                let expression = expression.filter(|e| licensed.insert((from, e.clone())));
                if let (Some(c), Some(e)) = (bom.components.get_mut(from), expression) {
                    c.licenses.push(license(e, &c.path, &mut bom.diagnostics));
                }
            }
            ("dependsOn", None) if !all.contains_key(to) => {
                let what = format!("{} is no element of the document", excerpt(to));
                bom.diagnostics.push(Diagnostic::new("ref-unknown", format!("@graph[{n}].to"), what));
            }
            _ => {}
        }
    }
}

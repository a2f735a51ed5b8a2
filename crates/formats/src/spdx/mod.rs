//! SPDX 2.2 and 2.3 documents in JSON. (Tag-value, YAML, RDF and 3.0 are not recognised yet.)

use std::collections::HashMap;

use serde::Deserialize;
use tocsin_model::bom::{Bom, BomFormat, Component, ComponentKind, License};
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

use crate::input::ReadOptions;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: String,
    name: Option<String>,
    document_namespace: Option<String>,
    creation_info: Option<CreationInfo>,
    packages: Option<Vec<Package>>,
    relationships: Option<Vec<Relationship>>,
    document_describes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreationInfo {
    created: Option<String>,
    creators: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    name: Option<String>,
    version_info: Option<String>,
    supplier: Option<String>,
    originator: Option<String>,
    license_concluded: Option<String>,
    license_declared: Option<String>,
    checksums: Option<Vec<Checksum>>,
    external_refs: Option<Vec<ExternalRef>>,
    primary_package_purpose: Option<String>,
    homepage: Option<String>,
    source_info: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    related_spdx_element: String,
    relationship_type: String,
}

/// Whether the bytes (already unwrapped) look like such a document.
pub fn recognise(bytes: &[u8]) -> bool {
    /// Only what tells the format; everything else is passed over without being kept.
    #[derive(Deserialize)]
    struct Probe {
        #[serde(rename = "spdxVersion")]
        version: Option<String>,
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    body.first() == Some(&b'{')
        && body.windows(13).any(|w| w == b"\"spdxVersion\"")
        && serde_json::from_slice::<Probe>(body)
            // a damaged document is still one of ours: the reader says what is wrong with it
            .map_or(true, |p| p.version.is_some_and(|v| v.starts_with("SPDX-")))
}

/// Reads a document (already unwrapped).
///
/// # Errors
/// The diagnostics that made it unusable (in strict mode: every violation).
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let doc: Document = serde_json::from_slice(body).map_err(|e| {
        let deep = e.to_string().contains("recursion limit");
        vec![Diagnostic::new(if deep { "limit-depth" } else { "input-syntax" }, "", e.to_string())]
    })?;
    let mut bom = Bom {
        format: BomFormat { name: "SPDX".into(), version: doc.spdx_version.clone(), encoding: "json".into() },
        serial: doc.document_namespace,
        name: doc.name,
        ..Bom::default()
    };
    if !matches!(doc.spdx_version.as_str(), "SPDX-2.2" | "SPDX-2.3") {
        let what = format!("{} was read as SPDX-2.3", excerpt(&doc.spdx_version));
        bom.diagnostics.push(Diagnostic::new("format-version", "spdxVersion", what));
    }
    if let Some(info) = doc.creation_info {
        bom.timestamp = info.created;
        bom.creators = info.creators.unwrap_or_default();
    }
    let mut by_id: HashMap<String, usize> = HashMap::new();
    let mut violations = Vec::new();
    for (n, p) in doc.packages.unwrap_or_default().into_iter().enumerate() {
        let path = format!("packages[{n}]");
        if p.id.is_none() || p.name.is_none() {
            violations.push(Diagnostic::new(
                "schema-violation",
                path.clone(),
                "SPDXID and name are required",
            ));
        }
        let c = component(p, path.clone(), &mut bom.diagnostics);
        if by_id.contains_key(&c.reference) {
            let what = format!("{} stands twice", excerpt(&c.reference));
            bom.diagnostics.push(Diagnostic::new("ref-duplicate", path, what));
        } else {
            by_id.insert(c.reference.clone(), bom.components.len());
        }
        bom.components.push(c);
    }
    if options.strict && !violations.is_empty() {
        return Err(violations);
    }
    bom.root = doc.document_describes.iter().flatten().find_map(|id| by_id.get(id)).copied();
    for (n, r) in doc.relationships.unwrap_or_default().into_iter().enumerate() {
        relate(&r, n, &by_id, &mut bom);
    }
    Ok(bom)
}

/// SPDX writes NOASSERTION and NONE where nothing is told.
fn told(text: Option<String>) -> Option<String> {
    text.filter(|t| !matches!(t.trim(), "" | "NOASSERTION" | "NONE"))
}

fn component(p: Package, path: String, diagnostics: &mut Vec<Diagnostic>) -> Component {
    let mut c = Component {
        reference: p.id.unwrap_or_else(|| path.clone()),
        kind: match p.primary_package_purpose.as_deref() {
            Some("APPLICATION") => ComponentKind::Application,
            Some("FRAMEWORK") => ComponentKind::Framework,
            Some("CONTAINER") => ComponentKind::Container,
            Some("OPERATING-SYSTEM" | "OPERATING_SYSTEM") => ComponentKind::OperatingSystem,
            Some("DEVICE") => ComponentKind::Device,
            Some("FIRMWARE") => ComponentKind::Firmware,
            Some("FILE") => ComponentKind::File,
            _ => ComponentKind::Library,
        },
        name: p.name.unwrap_or_default(),
        version: told(p.version_info),
        locations: told(p.source_info).into_iter().collect(),
        references: told(p.homepage).into_iter().map(|h| ("website".to_owned(), h)).collect(),
        ..Component::default()
    };
    c.supplier = told(p.supplier)
        .or_else(|| told(p.originator))
        .map(|s| s.trim_start_matches("Organization:").trim_start_matches("Person:").trim().to_owned());
    for text in [told(p.license_declared), told(p.license_concluded)].into_iter().flatten() {
        let license = match spdx::Expression::parse(&text) {
            Ok(_) => License::Expression(text),
            Err(_) => {
                let what = format!("{} is no SPDX expression", excerpt(&text));
                diagnostics.push(Diagnostic::new("license-invalid", path.clone(), what));
                License::Named(text)
            }
        };
        if !c.licenses.contains(&license) {
            c.licenses.push(license);
        }
    }
    for h in p.checksums.unwrap_or_default() {
        let algorithm =
            h.algorithm.replacen("SHA", "SHA-", 1).replace("SHA--", "SHA-").replace("SHA-3-", "SHA3-");
        c.hashes.push((algorithm, h.checksum_value.to_lowercase()));
    }
    for (n, r) in p.external_refs.unwrap_or_default().into_iter().enumerate() {
        let place = format!("{path}.externalRefs[{n}]");
        let kind = r.reference_type.rsplit('/').next().unwrap_or("");
        match kind {
            "purl" => match Purl::parse(r.reference_locator.trim()) {
                Ok(purl) if c.purl.is_none() => c.purl = Some(purl),
                Ok(_) => {}
                Err(e) => {
                    let what = format!("{}: {e}", excerpt(&r.reference_locator));
                    diagnostics.push(Diagnostic::new("purl-invalid", place, what));
                }
            },
            "cpe23Type" | "cpe22Type" => match Cpe::parse(&r.reference_locator) {
                Ok(cpe) => c.cpes.push(cpe),
                Err(e) => {
                    let what = format!("{}: {e}", excerpt(&r.reference_locator));
                    diagnostics.push(Diagnostic::new("cpe-invalid", place, what));
                }
            },
            _ => c.references.push((r.reference_type, r.reference_locator)),
        }
    }
    c.path = path;
    c
}

/// A relationship as an edge from the dependent to what it depends on, the root, or containment.
fn relate(r: &Relationship, n: usize, by_id: &HashMap<String, usize>, bom: &mut Bom) {
    let (from, to) = (by_id.get(&r.spdx_element_id).copied(), by_id.get(&r.related_spdx_element).copied());
    let document = |id: &str| id == "SPDXRef-DOCUMENT";
    match (r.relationship_type.as_str(), from, to) {
        ("DESCRIBES", _, Some(root)) if document(&r.spdx_element_id) => bom.root = bom.root.or(Some(root)),
        ("DESCRIBED_BY", Some(root), _) if document(&r.related_spdx_element) => {
            bom.root = bom.root.or(Some(root))
        }
        ("DEPENDS_ON", Some(a), Some(b)) => bom.dependencies.push((a, b)),
        ("CONTAINS", Some(a), Some(b)) if a != b => set_parent(bom, b, a),
        ("CONTAINED_BY", Some(a), Some(b)) if a != b => set_parent(bom, a, b),
        (kind, Some(a), Some(b)) if kind.ends_with("DEPENDENCY_OF") => bom.dependencies.push((b, a)),
        ("DEPENDS_ON", ..) if !r.related_spdx_element.contains(':') => {
            let what = format!(
                "{} or {} is no package",
                excerpt(&r.spdx_element_id),
                excerpt(&r.related_spdx_element)
            );
            bom.diagnostics.push(Diagnostic::new("ref-unknown", format!("relationships[{n}]"), what));
        }
        _ => {}
    }
}

fn set_parent(bom: &mut Bom, child: usize, parent: usize) {
    if let Some(c) = bom.components.get_mut(child) {
        c.parent = c.parent.or(Some(parent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = r#"{"packages":[
        {"SPDXID":"SPDXRef-a","name":"app","supplier":"Organization: Acme","licenseDeclared":"MIT","licenseConcluded":"NOASSERTION"},
        {"SPDXID":"SPDXRef-b","name":"lib","versionInfo":"1.2","checksums":[{"algorithm":"SHA256","checksumValue":"AB"}],
         "externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/lib@1.2"},
          {"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a:lib:lib:1.2:*:*:*:*:*:*:* "}]}],
        "relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relatedSpdxElement":"SPDXRef-a","relationshipType":"DESCRIBES"},
         {"spdxElementId":"SPDXRef-b","relatedSpdxElement":"SPDXRef-a","relationshipType":"DEPENDENCY_OF"},
         {"spdxElementId":"SPDXRef-a","relatedSpdxElement":"SPDXRef-gone","relationshipType":"DEPENDS_ON"}],
        "name":"doc","SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3"}"#;

    #[test]
    fn packages_relationships_and_keys_in_any_order() {
        assert!(recognise(DOC.as_bytes()));
        let bom = read(DOC.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(
            (bom.components.len(), bom.root, bom.dependencies.as_slice()),
            (2, Some(0), &[(0, 1)][..])
        );
        let lib = &bom.components[1];
        assert_eq!(lib.purl.as_ref().unwrap().to_string(), "pkg:npm/lib@1.2");
        assert_eq!((lib.cpes.len(), lib.hashes[0].0.as_str()), (1, "SHA-256"));
        assert_eq!(bom.components[0].supplier.as_deref(), Some("Acme"));
        assert_eq!(bom.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["ref-unknown"]);
    }

    #[test]
    fn strict_mode_asks_for_what_is_required() {
        let text = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"x"}]}"#;
        assert_eq!(read(text.as_bytes(), &ReadOptions::default()).unwrap().components.len(), 1);
        let strict = ReadOptions { strict: true, ..ReadOptions::default() };
        assert_eq!(read(text.as_bytes(), &strict).unwrap_err()[0].code, "schema-violation");
    }
}

//! An SPDX 2.x document as JSON and YAML spell it (tag-value and XML are read into the same shape), and the bill of
//! materials made of it (SPDX 2.3 clauses 7 and 11).

use std::collections::HashMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use tocsin_model::bom::{Bom, BomFormat, Component, ComponentKind, License};
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

use super::strict;
use crate::input::ReadOptions;

/// A member that is there; what it holds matters to nobody.
pub(super) struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Present)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Document {
    #[serde(rename = "SPDXID")]
    pub id: Option<String>,
    pub data_license: Option<String>,
    pub spdx_version: String,
    pub name: Option<String>,
    pub document_namespace: Option<String>,
    pub creation_info: Option<CreationInfo>,
    pub packages: Option<Vec<Package>>,
    pub relationships: Option<Vec<Relationship>>,
    pub document_describes: Option<Vec<String>>,
    pub files: Option<Vec<Package>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreationInfo {
    pub created: Option<String>,
    pub creators: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Package {
    #[serde(rename = "SPDXID")]
    pub id: Option<String>,
    pub name: Option<String>,
    pub file_name: Option<String>,
    pub version_info: Option<String>,
    pub supplier: Option<String>,
    pub originator: Option<String>,
    pub license_concluded: Option<String>,
    pub license_declared: Option<String>,
    pub checksums: Option<Vec<Checksum>>,
    pub external_refs: Option<Vec<ExternalRef>>,
    pub primary_package_purpose: Option<String>,
    pub homepage: Option<String>,
    pub source_info: Option<String>,
    pub download_location: Option<Present>,
    pub copyright_text: Option<Present>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Checksum {
    pub algorithm: String,
    pub checksum_value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ExternalRef {
    pub reference_type: String,
    pub reference_locator: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Relationship {
    pub spdx_element_id: String,
    pub related_spdx_element: String,
    pub relationship_type: String,
}

/// The bill of materials of a document.
///
/// # Errors
/// In strict mode: every violation.
pub(super) fn build(doc: Document, encoding: &str, options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    if options.strict {
        let violations = strict::violations(&doc);
        if !violations.is_empty() {
            return Err(violations);
        }
    }
    let mut bom = Bom {
        format: BomFormat {
            name: "SPDX".into(),
            version: doc.spdx_version.clone(),
            encoding: encoding.into(),
        },
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
    let packages = doc.packages.unwrap_or_default();
    // a document without packages lists the files it is about
    let (list, items, only_files) = match packages.is_empty() {
        true => ("files", doc.files.unwrap_or_default(), true),
        false => ("packages", packages, false),
    };
    for (n, mut p) in items.into_iter().enumerate() {
        p.name = p.name.or(p.file_name.take());
        let path = format!("{list}[{n}]");
        let mut c = component(p, path.clone(), &mut bom.diagnostics);
        if only_files {
            c.kind = ComponentKind::File;
        }
        if by_id.contains_key(&c.reference) {
            let what = format!("{} stands twice", excerpt(&c.reference));
            bom.diagnostics.push(Diagnostic::new("ref-duplicate", path, what));
        } else {
            by_id.insert(c.reference.clone(), bom.components.len());
        }
        bom.components.push(c);
    }
    bom.root = doc.document_describes.iter().flatten().find_map(|id| by_id.get(id)).copied();
    for (n, r) in doc.relationships.unwrap_or_default().into_iter().enumerate() {
        relate(&r, n, &by_id, &mut bom);
    }
    Ok(bom)
}

/// SPDX writes NOASSERTION and NONE where nothing is told.
pub(super) fn told(text: Option<String>) -> Option<String> {
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
        let license = license(text, &path, diagnostics);
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
        // tools also write the type as an IRI
        let kind = r.reference_type.rsplit(['/', '#']).next().unwrap_or("");
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

/// A licence text as an SPDX expression where it is one.
pub(super) fn license(text: String, path: &str, diagnostics: &mut Vec<Diagnostic>) -> License {
    match spdx::Expression::parse(&text) {
        Ok(_) => License::Expression(text),
        Err(_) => {
            let what = format!("{} is no SPDX expression", excerpt(&text));
            diagnostics.push(Diagnostic::new("license-invalid", path, what));
            License::Named(text)
        }
    }
}

/// A relationship as an edge from the dependent to what it depends on, the root, or containment.
fn relate(r: &Relationship, n: usize, by_id: &HashMap<String, usize>, bom: &mut Bom) {
    let (from, to) = (by_id.get(&r.spdx_element_id).copied(), by_id.get(&r.related_spdx_element).copied());
    let document = |id: &str| id == "SPDXRef-DOCUMENT";
    // Older tag-value documents write the type in small letters.
    let kind = r.relationship_type.to_ascii_uppercase();
    match (kind.as_str(), from, to) {
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

//! Strict mode: the fields SPDX 2.2 and 2.3 make mandatory and the forms they give them (clauses 6, 7, 8 and 11).

use std::collections::HashSet;

use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::document::{Document, Package};

/// Relationship types of SPDX 2.3 (clause 11.1); 2.2 knows all but the last two.
const RELATIONS: &[&str] = &[
    "DESCRIBES",
    "DESCRIBED_BY",
    "CONTAINS",
    "CONTAINED_BY",
    "DEPENDS_ON",
    "DEPENDENCY_OF",
    "DEPENDENCY_MANIFEST_OF",
    "BUILD_DEPENDENCY_OF",
    "DEV_DEPENDENCY_OF",
    "OPTIONAL_DEPENDENCY_OF",
    "PROVIDED_DEPENDENCY_OF",
    "TEST_DEPENDENCY_OF",
    "RUNTIME_DEPENDENCY_OF",
    "EXAMPLE_OF",
    "GENERATES",
    "GENERATED_FROM",
    "ANCESTOR_OF",
    "DESCENDANT_OF",
    "VARIANT_OF",
    "DISTRIBUTION_ARTIFACT",
    "PATCH_FOR",
    "PATCH_APPLIED",
    "COPY_OF",
    "FILE_ADDED",
    "FILE_DELETED",
    "FILE_MODIFIED",
    "EXPANDED_FROM_ARCHIVE",
    "DYNAMIC_LINK",
    "STATIC_LINK",
    "DATA_FILE_OF",
    "TEST_CASE_OF",
    "BUILD_TOOL_OF",
    "DEV_TOOL_OF",
    "TEST_OF",
    "TEST_TOOL_OF",
    "DOCUMENTATION_OF",
    "OPTIONAL_COMPONENT_OF",
    "METAFILE_OF",
    "PACKAGE_OF",
    "AMENDS",
    "PREREQUISITE_FOR",
    "HAS_PREREQUISITE",
    "OTHER",
    "REQUIREMENT_DESCRIPTION_FOR",
    "SPECIFICATION_FOR",
];

/// Everything in which the document breaks the specification it names.
pub(super) fn violations(doc: &Document) -> Vec<Diagnostic> {
    let mut said = Said(Vec::new());
    let old = match doc.spdx_version.as_str() {
        "SPDX-2.2" => true,
        "SPDX-2.3" => false,
        _ => {
            said.wrong("spdxVersion", "SPDX-2.2 or SPDX-2.3 is required");
            false
        }
    };
    if doc.data_license.as_deref() != Some("CC0-1.0") {
        said.wrong("dataLicense", "CC0-1.0 is required");
    }
    if doc.id.as_deref() != Some("SPDXRef-DOCUMENT") {
        said.wrong("SPDXID", "SPDXRef-DOCUMENT is required");
    }
    said.filled("name", doc.name.as_deref());
    let namespace = doc.document_namespace.as_deref().unwrap_or_default();
    if !namespace.contains(':') || namespace.contains(['#', ' ']) {
        said.wrong("documentNamespace", "an absolute URI without fragment is required");
    }
    match &doc.creation_info {
        None => said.wrong("creationInfo", "is missing"),
        Some(info) => {
            if !info.created.as_deref().is_some_and(is_time) {
                said.wrong("creationInfo.created", "a time as YYYY-MM-DDThh:mm:ssZ is required");
            }
            let creators = info.creators.as_deref().unwrap_or_default();
            if creators.is_empty() {
                said.wrong("creationInfo.creators", "at least one creator is required");
            }
            for (n, creator) in creators.iter().enumerate() {
                if !["Person:", "Organization:", "Tool:"].iter().any(|w| creator.trim().starts_with(w)) {
                    let what = format!("{} is no Person, Organization or Tool", excerpt(creator));
                    said.wrong(&format!("creationInfo.creators[{n}]"), &what);
                }
            }
        }
    }
    let mut ids = HashSet::from(["SPDXRef-DOCUMENT"]);
    for (list, items) in [("packages", &doc.packages), ("files", &doc.files)] {
        for (n, item) in items.iter().flatten().enumerate() {
            let path = format!("{list}[{n}]");
            said.element(&path, item, old, list == "packages");
            if let Some(id) = item.id.as_deref()
                && !ids.insert(id)
            {
                said.0.push(Diagnostic::new("ref-duplicate", path, format!("{} stands twice", excerpt(id))));
            }
        }
    }
    for (n, r) in doc.relationships.iter().flatten().enumerate() {
        let path = format!("relationships[{n}]");
        if !RELATIONS.contains(&r.relationship_type.as_str()) {
            let what = format!("{} is no type of relationship", excerpt(&r.relationship_type));
            said.wrong(&format!("{path}.relationshipType"), &what);
        }
        said.filled(&format!("{path}.spdxElementId"), Some(&r.spdx_element_id));
        said.filled(&format!("{path}.relatedSpdxElement"), Some(&r.related_spdx_element));
    }
    said.0
}

struct Said(Vec<Diagnostic>);

impl Said {
    fn wrong(&mut self, path: &str, message: &str) {
        self.0.push(Diagnostic::new("schema-violation", path, message));
    }

    fn filled(&mut self, path: &str, value: Option<&str>) {
        if value.is_none_or(|v| v.trim().is_empty()) {
            self.wrong(path, "is missing");
        }
    }

    /// A package or file; 2.2 (`old`) also asks for licences and the copyright.
    fn element(&mut self, path: &str, p: &Package, old: bool, package: bool) {
        if !p.id.as_deref().is_some_and(is_id) {
            self.wrong(&format!("{path}.SPDXID"), "SPDXRef- and letters, digits, '.' or '-' are required");
        }
        self.filled(&format!("{path}.name"), p.name.as_deref().or(p.file_name.as_deref()));
        if package && p.download_location.is_none() {
            self.wrong(&format!("{path}.downloadLocation"), "is missing");
        }
        let sha1 = p.checksums.iter().flatten().any(|c| c.algorithm.replace('-', "") == "SHA1");
        if !package && !sha1 {
            self.wrong(&format!("{path}.checksums"), "a SHA1 checksum is required");
        }
        if old {
            self.filled(&format!("{path}.licenseConcluded"), p.license_concluded.as_deref());
            if package {
                self.filled(&format!("{path}.licenseDeclared"), p.license_declared.as_deref());
            }
            if p.copyright_text.is_none() {
                self.wrong(&format!("{path}.copyrightText"), "is missing");
            }
        }
        for (n, c) in p.checksums.iter().flatten().enumerate() {
            let hex = c.checksum_value.bytes().all(|b| b.is_ascii_hexdigit());
            if c.algorithm.is_empty() || c.checksum_value.is_empty() || !hex {
                self.wrong(&format!("{path}.checksums[{n}]"), "an algorithm and hex digits are required");
            }
        }
        for (n, r) in p.external_refs.iter().flatten().enumerate() {
            let path = format!("{path}.externalRefs[{n}]");
            self.filled(&format!("{path}.referenceType"), Some(&r.reference_type));
            self.filled(&format!("{path}.referenceLocator"), Some(&r.reference_locator));
        }
    }
}

fn is_id(id: &str) -> bool {
    id.strip_prefix("SPDXRef-").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
    })
}

/// `YYYY-MM-DDThh:mm:ssZ` (clause 6.9).
fn is_time(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00Z";
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(b, s)| if *s == b'0' { b.is_ascii_digit() } else { b == *s })
}

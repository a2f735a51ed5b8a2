//! What is written as VEX: claims about components of products.

use std::collections::BTreeMap;

use tocsin_model::vex::CYCLONEDX_JUSTIFICATIONS;

use super::{EXACT, csaf, cyclonedx, openvex};

/// A format of VEX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenVEX 0.2.0.
    OpenVex,
    /// CSAF 2.0, profile 5 (section 4.5).
    Csaf,
    /// CycloneDX 1.6 JSON.
    CycloneDx,
}

impl Format {
    /// The format of a name: `openvex`, `csaf`, `cyclonedx`.
    pub fn parse(name: &str) -> Option<Format> {
        match name.to_ascii_lowercase().as_str() {
            "openvex" => Some(Format::OpenVex),
            "csaf" => Some(Format::Csaf),
            "cyclonedx" => Some(Format::CycloneDx),
            _ => None,
        }
    }

    /// End of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Format::OpenVex => "openvex.json",
            Format::Csaf => "csaf.json",
            Format::CycloneDx => "vex.cdx.json",
        }
    }
}

/// A VEX document to be written.
#[derive(Debug, Clone, Default)]
pub struct Export {
    /// What it is called: `VEX of Pump 3 1.0`.
    pub title: String,
    /// Id, unique with its publisher: `vex-pump-3-1.0-20260101T000000Z`.
    pub id: String,
    /// Who publishes it.
    pub publisher: String,
    /// Address under which the publisher's ids are unique.
    pub namespace: String,
    /// Category of the publisher (CSAF 2.0, 3.2.1.8.1); `vendor` where empty.
    pub category: String,
    /// How to reach the publisher, or empty.
    pub contact: String,
    /// The publisher's authority to speak of the products, or empty.
    pub authority: String,
    /// When it is made (RFC 3339, UTC).
    pub at: String,
    /// Version of the program that writes it.
    pub program: String,
    /// Products that claims are about.
    pub wholes: Vec<Whole>,
    /// The claims.
    pub claims: Vec<Claim>,
}

/// A product in one version.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    /// Product line, which CSAF calls the product family.
    pub family: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Package URL.
    pub purl: String,
    /// Serial number (a UUID without prefix) and version of the bill of materials that components are named in.
    pub document: Option<(String, u64)>,
}

/// A component of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Name with its group.
    pub name: String,
    /// Version, or empty.
    pub version: String,
    /// Package URL; one of the type `generic` where the component has none of its own.
    pub purl: String,
    /// CPE name, or empty.
    pub cpe: String,
    /// Reference in the product's bill of materials.
    pub reference: String,
}

/// What is said of a vulnerability in a component of a product.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// Vulnerability id.
    pub vulnerability: String,
    /// What it is.
    pub title: String,
    /// Which of [`Export::wholes`].
    pub whole: usize,
    /// The component.
    pub part: Part,
    /// VEX status, or `false_positive`.
    pub status: String,
    /// CISA's justification, or empty.
    pub justification: String,
    /// CycloneDX's response, or empty.
    pub response: String,
    /// In words, or empty.
    pub detail: String,
    /// When it was said (RFC 3339, UTC).
    pub at: String,
}

impl Claim {
    /// CycloneDX's justification, and the words without the line that keeps it.
    pub(super) fn exact(&self) -> (Option<String>, &str) {
        if let Some(rest) = self.detail.strip_prefix(EXACT) {
            let (word, rest) = rest.split_once('\n').unwrap_or((rest, ""));
            return (Some(word.to_ascii_lowercase()), rest);
        }
        let found = CYCLONEDX_JUSTIFICATIONS.iter().find(|(_, ours)| *ours == self.justification);
        (found.map(|(theirs, _)| (*theirs).to_owned()), &self.detail)
    }
}

/// Claims of each vulnerability, in order of ids.
pub(super) fn by_vulnerability(export: &Export) -> BTreeMap<&str, Vec<&Claim>> {
    let mut map: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
    for claim in &export.claims {
        map.entry(&claim.vulnerability).or_default().push(claim);
    }
    map
}

/// Writes a document.
pub fn write(format: Format, export: &Export) -> Vec<u8> {
    let document = match format {
        Format::OpenVex => openvex::document(export),
        Format::Csaf => csaf::document(export),
        Format::CycloneDx => cyclonedx::document(export),
    };
    let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

//! VEX: what a maker says of a vulnerability in its product (status and justification words of CISA,
//! "Minimum Requirements for VEX", 2023; OpenVEX 0.2; CSAF 2.0 section 4.5; CycloneDX 1.6 `analysis`).

/// What a VEX statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VexStatus {
    /// The product is not affected.
    NotAffected,
    /// The product is affected.
    Affected,
    /// The product was affected and this version holds the fix.
    Fixed,
    /// Not yet known.
    UnderInvestigation,
}

impl VexStatus {
    /// The word of the standard.
    pub fn as_str(self) -> &'static str {
        match self {
            VexStatus::NotAffected => "not_affected",
            VexStatus::Affected => "affected",
            VexStatus::Fixed => "fixed",
            VexStatus::UnderInvestigation => "under_investigation",
        }
    }
}

/// A statement: these products have this status for this vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VexStatement {
    /// Vulnerability id as written, and other ids given for it.
    pub vulnerability: String,
    /// Other ids of the same vulnerability.
    pub aliases: Vec<String>,
    /// What the statement is about.
    pub products: Vec<VexProduct>,
    /// The status.
    pub status: VexStatus,
    /// Justification in the standard's words (`vulnerable_code_not_present` …), CycloneDX ones as theirs.
    pub justification: Option<String>,
    /// Free text: impact statement, detail, action statement.
    pub statement: Option<String>,
    /// When it was made, as written (RFC 3339 where valid).
    pub timestamp: Option<String>,
    /// Who says so.
    pub author: Option<String>,
    /// Document it came from.
    pub document: Option<String>,
    /// Where it stands in the document: `statements[3]`.
    pub path: String,
    /// The match is wrong (CycloneDX `false_positive`), which the other formats tell as not affected.
    pub wrong_match: bool,
    /// What will be done, in CycloneDX's words (`will_not_fix` …).
    pub response: Option<String>,
}

/// Justifications of CycloneDX 1.6 (`analysis.justification`) and those of CISA that say the same. Of several that are
/// one of CISA's, the first is what that one alone means.
pub const CYCLONEDX_JUSTIFICATIONS: [(&str, &str); 9] = [
    ("code_not_present", "vulnerable_code_not_present"),
    ("code_not_reachable", "vulnerable_code_not_in_execute_path"),
    ("requires_environment", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("requires_configuration", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("requires_dependency", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("protected_by_mitigating_control", "inline_mitigations_already_exist"),
    ("protected_by_compiler", "inline_mitigations_already_exist"),
    ("protected_at_runtime", "inline_mitigations_already_exist"),
    ("protected_at_perimeter", "inline_mitigations_already_exist"),
];

/// A product or component named by a VEX statement, by any of its identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VexProduct {
    /// purls, CPEs, `bom-ref`s, BOM-Links and hashes (`sha256:…`), as written. Any of them identifies it.
    pub identifiers: Vec<String>,
    /// Subcomponents the statement is limited to; empty: the product itself.
    pub subcomponents: Vec<String>,
    /// Version range in VERS or list of versions (CycloneDX `affects[].versions`); empty: as identified.
    pub versions: Vec<String>,
}

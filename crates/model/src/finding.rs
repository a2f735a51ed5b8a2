//! The outcome of matching: which vulnerability hurts which component, and why.

/// What a source, or all of them weighed, says of a component and a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The component is affected.
    Affected,
    /// Affected if conditions hold that the inventory cannot tell (NVD platforms).
    Conditional,
    /// The component holds the fix.
    Fixed,
    /// The component is not affected.
    NotAffected,
    /// It cannot be decided (no version, unparsable bound, commit range).
    Undecidable,
}

impl Verdict {
    /// The word of the output contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Affected => "affected",
            Verdict::Conditional => "conditional",
            Verdict::Fixed => "fixed",
            Verdict::NotAffected => "not_affected",
            Verdict::Undecidable => "undecidable",
        }
    }
}

/// How sure the identification of the component is. Higher is surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// CPE or name was guessed.
    Inferred,
    /// The document gives a CPE (or names the vendor and product).
    Declared,
    /// The package URL is exact.
    Exact,
}

impl Confidence {
    /// The word of the output contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Exact => "exact",
            Confidence::Declared => "declared",
            Confidence::Inferred => "inferred",
        }
    }
}

/// One source's word on one component, and how it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Source (`ghsa`, `nvd`, …).
    pub source: &'static str,
    /// Record id at the source.
    pub record: String,
    /// Identifier that met the record (purl, CPE, name).
    pub identifier: String,
    /// Range or version entry that decided, in words (`>=1.5.0 <1.5.10`).
    pub range: String,
    /// The verdict of this source.
    pub verdict: Verdict,
    /// How sure the identification is.
    pub confidence: Confidence,
    /// Why a candidate was dismissed or is conditional; empty otherwise.
    pub reason: String,
}

//! Matching: components of a bill of materials against the index.

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::finding::{Confidence, Evidence, Verdict};
use tocsin_model::vex::VexStatement;

use crate::index::{Index, IndexError, Vulnerability};

/// How to match.
#[derive(Debug, Clone)]
pub struct Options {
    /// Findings below it are left out.
    pub min_confidence: Confidence,
    /// Also return dismissed candidates (not affected, fixed, undecidable) with their reasons.
    pub explain: bool,
}

/// A component and a vulnerability, weighed.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Index into [`Bom::components`].
    pub component: usize,
    /// The vulnerability.
    pub vulnerability: std::sync::Arc<Vulnerability>,
    /// All sources weighed, VEX applied.
    pub status: Verdict,
    /// VEX justification, where a statement decided.
    pub justification: Option<String>,
    /// Identification of the component by the deciding source.
    pub confidence: Confidence,
    /// Versions known to hold the fix, lowest above ours first.
    pub fixed_versions: Vec<String>,
    /// Each source's word, deciding source first.
    pub evidence: Vec<Evidence>,
}

/// The outcome for one bill of materials.
#[derive(Debug, Default)]
pub struct Report {
    /// Findings sorted by priority (known exploited, severity score, EPSS), then vulnerability id, then component.
    pub findings: Vec<Finding>,
    /// Remarks (undecidable versions …).
    pub diagnostics: Vec<Diagnostic>,
}

/// Matches every component of `bom`; `vex` statements are applied in order, the last word wins.
///
/// # Errors
/// A block of the index is damaged.
pub fn scan(index: &Index, bom: &Bom, vex: &[VexStatement], options: &Options) -> Result<Report, IndexError> {
    let _ = (index, bom, vex, options);
    Ok(Report::default())
}

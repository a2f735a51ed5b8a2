//! What a scan found, and its writers: one module per format, all from the same borrowed view.

pub mod csv;
pub mod cyclonedx;
pub mod findings;
pub mod json;
pub mod said;
pub mod sarif;
pub mod table;
pub mod text;

#[cfg(test)]
pub(crate) mod sample;

use std::cmp::Ordering;
use std::collections::HashMap;

use tocsin_engine::index::Vulnerability;
use tocsin_engine::matching::Finding;
use tocsin_model::bom::{Bom, Component};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::finding::{Confidence, Verdict};

/// A finding together with the component it is about.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// The component.
    pub component: &'a Component,
    /// The same component in other places of the document (numbers of its components), of which the same was found.
    pub also: Vec<usize>,
    /// What was found.
    pub finding: &'a Finding,
    /// Number of the document in the input, for a stable order.
    pub document: usize,
}

/// The whole answer of a scan.
#[derive(Debug)]
pub struct Scan<'a> {
    /// The target as the user wrote it.
    pub target: &'a str,
    /// The documents that were read.
    pub documents: &'a [Bom],
    /// Where in the target each document stands; empty for the target itself.
    pub places: &'a [String],
    /// The bytes of the target, where it is one document.
    pub raw: Option<&'a [u8]>,
    /// Remarks of readers and of the engine.
    pub diagnostics: &'a [Diagnostic],
    /// Findings, sorted by priority.
    pub findings: Vec<Item<'a>>,
    /// Findings whose identification was guessed, kept apart; `None` when the user chose a confidence.
    pub inferred: Option<Vec<Item<'a>>>,
    /// Whether dismissed candidates and reasons are wanted.
    pub explain: bool,
}

impl Scan<'_> {
    /// How many components were looked at.
    pub fn components(&self) -> usize {
        self.documents.iter().map(|b| b.components.len()).sum()
    }

    /// Where in the target the document of a finding stands; `None` for the target itself.
    pub fn place(&self, item: &Item<'_>) -> Option<&str> {
        self.places.get(item.document).map(String::as_str).filter(|p| !p.is_empty())
    }

    /// The findings and, after them, the inferred ones.
    pub fn all(&self) -> impl Iterator<Item = &Item<'_>> {
        self.findings.iter().chain(self.inferred.iter().flatten())
    }
}

/// The findings of a document, each once: what is found alike of the same component in several places of the
/// document is one finding with its places.
pub fn once<'a>(bom: &'a Bom, report: &'a [Finding], document: usize) -> Vec<Item<'a>> {
    let mut same: HashMap<_, usize> = HashMap::new();
    let who = |c: &'a Component| (&c.group, &c.name, &c.version, &c.purl, &c.cpes, &c.supplier);
    let numbered = bom.components.iter().enumerate();
    let first: Vec<usize> = numbered.map(|(n, c)| *same.entry(who(c)).or_insert(n)).collect();
    let mut items: Vec<Item<'a>> = Vec::with_capacity(report.len());
    let mut told: HashMap<(usize, &str), usize> = HashMap::new();
    for finding in report {
        let (Some(component), Some(first)) =
            (bom.components.get(finding.component), first.get(finding.component))
        else {
            continue;
        };
        let at = *told.entry((*first, finding.vulnerability.id.as_str())).or_insert(items.len());
        match items.get_mut(at) {
            Some(item) if alike(item.finding, finding) => item.also.push(finding.component),
            _ => items.push(Item { component, also: Vec::new(), finding, document }),
        }
    }
    items
}

/// Whether two findings of one vulnerability say the same.
fn alike(a: &Finding, b: &Finding) -> bool {
    (a.status, a.confidence, &a.justification) == (b.status, b.confidence, &b.justification)
}

/// Sorts the findings of several documents by priority, then vulnerability id, then place in the input.
///
/// The order is the engine's for one document: malware, known exploited, then score, then EPSS.
pub fn sort(items: &mut [Item<'_>]) {
    items.sort_by(|a, b| {
        priority(&a.finding.vulnerability, &b.finding.vulnerability)
            .then_with(|| a.finding.vulnerability.id.cmp(&b.finding.vulnerability.id))
            .then_with(|| (a.document, a.finding.component).cmp(&(b.document, b.finding.component)))
    });
}

fn priority(a: &Vulnerability, b: &Vulnerability) -> Ordering {
    let epss = |v: &Vulnerability| v.epss.map_or(-1.0, |(score, _)| score);
    (b.kind == "malware")
        .cmp(&(a.kind == "malware"))
        .then_with(|| b.kev.is_some().cmp(&a.kev.is_some()))
        .then_with(|| severity_rank(b.severity).cmp(&severity_rank(a.severity)))
        .then_with(|| b.score.unwrap_or(-1.0).total_cmp(&a.score.unwrap_or(-1.0)))
        .then_with(|| epss(b).total_cmp(&epss(a)))
}

/// Rank of a severity word: 4 critical … 1 low, 0 none or unknown.
pub fn severity_rank(word: &str) -> u8 {
    match word {
        "critical" => 4,
        "high" => 3,
        "medium" => 2,
        "low" => 1,
        _ => 0,
    }
}

/// Whether a finding asks for action: affected, or affected under conditions nobody has ruled out.
pub fn is_open(finding: &Finding) -> bool {
    matches!(finding.status, Verdict::Affected | Verdict::Conditional)
}

/// Whether the gate `--fail-on` counts this finding: open, of severity rank `least` or worse, and identified at
/// least as surely as `confidence`.
///
/// Malware always counts as critical: its records carry no score.
pub fn fails_gate(finding: &Finding, least: u8, confidence: Confidence) -> bool {
    let rank = if finding.vulnerability.kind == "malware" {
        4
    } else {
        severity_rank(finding.vulnerability.severity)
    };
    is_open(finding) && finding.confidence >= confidence && rank >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_counts_open_findings_of_the_severity_and_confidence() {
        let data = sample::data();
        let scan = data.scan();
        let mut finding = scan.findings[0].finding.clone();
        assert!(fails_gate(&finding, 3, Confidence::Declared), "high at --fail-on high");
        assert!(!fails_gate(&finding, 4, Confidence::Declared), "high at --fail-on critical");
        finding.confidence = Confidence::Inferred;
        assert!(!fails_gate(&finding, 3, Confidence::Declared), "guessed identity is not gated");
        assert!(fails_gate(&finding, 3, Confidence::Inferred), "unless asked for");
        for status in [Verdict::NotAffected, Verdict::Fixed, Verdict::Undecidable] {
            finding.status = status;
            assert!(!fails_gate(&finding, 1, Confidence::Inferred), "{status:?} is closed");
        }
        finding.status = Verdict::Conditional;
        assert!(fails_gate(&finding, 1, Confidence::Inferred), "nobody has ruled the condition out");
    }
}

//! Step 5: when sources disagree. One table decides whose word counts; every word stays visible.

use tocsin_model::finding::{Confidence, Evidence, Verdict};
use tocsin_model::record::Source;

/// Weight of a source's word, higher first. The vendor about its product; the distributor about its package (a
/// backported fix is a fix); the ecosystem's databases; the CNA; CISA; NVD and those that analyse like it; last EUVD, which
/// names vendors and products apart, and an early warning of our own.
pub(crate) fn weight(source: Source) -> u8 {
    match source {
        Source::Csaf => 6,
        Source::Distribution => 5,
        Source::Ghsa | Source::RustSec | Source::Osv => 4,
        Source::Cna => 3,
        Source::Adp => 2,
        Source::Nvd | Source::Jvn | Source::VulnDb => 1,
        Source::Euvd | Source::Own => 0,
    }
}

/// One source's word, with what is needed to weigh it.
#[derive(Debug, Clone)]
pub(crate) struct Opinion {
    pub source: Source,
    /// Said of an upstream name of a distribution's package.
    pub upstream: bool,
    pub evidence: Evidence,
    pub fixed: Vec<String>,
}

impl Opinion {
    /// Order of weighing: surely identified before guessed, then by source.
    fn rank(&self) -> (bool, u8) {
        (self.evidence.confidence > Confidence::Inferred, weight(self.source))
    }
}

/// Sorts opinions, deciding one first, and gives the verdict and the confidence of the deciding one.
///
/// Among the highest rank that decides anything, affected wins over conditional over fixed over not affected:
/// several statements of one rank are alternatives (packages, configurations), any of which may hold.
pub(crate) fn weigh(opinions: &mut [Opinion]) -> (Verdict, Confidence) {
    opinions.sort_by(|a, b| {
        let undecided = |o: &Opinion| o.evidence.verdict == Verdict::Undecidable;
        undecided(a)
            .cmp(&undecided(b))
            .then(b.rank().cmp(&a.rank()))
            .then(a.evidence.verdict.cmp(&b.evidence.verdict))
            .then(b.evidence.confidence.cmp(&a.evidence.confidence))
            .then(a.evidence.record.cmp(&b.evidence.record))
            .then(a.evidence.identifier.cmp(&b.evidence.identifier))
            .then(a.evidence.range.cmp(&b.evidence.range))
    });
    opinions
        .first()
        .map_or((Verdict::Undecidable, Confidence::Inferred), |o| (o.evidence.verdict, o.evidence.confidence))
}

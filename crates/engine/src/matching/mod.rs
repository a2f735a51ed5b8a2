//! Matching: components of a bill of materials against the index.
//!
//! Six steps, one file each: [`identity`] (who is it), the index (which rules stand under its names),
//! [`decide`] (versions, releases, attributes), [`context`] (platforms), [`weigh`] (whose word counts),
//! [`vex`] (what the maker says).

mod context;
mod decide;
mod identity;
mod names;
mod part;
mod vex;
mod weigh;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use tocsin_model::bom::{Bom, Component};
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::finding::{Confidence, Evidence, Verdict};
use tocsin_model::record::Source;
use tocsin_model::version::Scheme;
use tocsin_model::vex::VexStatement;

pub use vex::{Link, Subject, version_fits};

use crate::index::rule::Rule;
use crate::index::{Index, IndexError, Ref, Vulnerability};
use context::{Context, Truth};
use decide::{VersionKeys, Word};
use weigh::Opinion;

pub use identity::Distribution;
pub use part::{About, Alone, alone, distribution, keys, scan_part, upstream_of};

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
    pub vulnerability: Arc<Vulnerability>,
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
    /// Findings sorted by priority (malware, known exploited, severity score, EPSS), then vulnerability id, then
    /// component.
    pub findings: Vec<Finding>,
    /// What is no vulnerability but said of a component: unmaintained, unsound, notice (RustSec).
    pub informational: Vec<Finding>,
    /// Remarks (undecidable versions …).
    pub diagnostics: Vec<Diagnostic>,
}

/// The opinions on one vulnerability in one component.
struct Candidate {
    component: usize,
    vulnerability: Ref,
    opinions: Vec<Opinion>,
    /// A source calls it affected only together with others of the release.
    leans: bool,
}

/// Matches every component of `bom`; `vex` statements are applied in order, the last word wins.
///
/// # Errors
/// A block of the index is damaged.
pub fn scan(index: &Index, bom: &Bom, vex: &[VexStatement], options: &Options) -> Result<Report, IndexError> {
    let all: Vec<usize> = (0..bom.components.len()).collect();
    scan_some(index, bom, vex, options, &all, None)
}

fn scan_some(
    index: &Index,
    bom: &Bom,
    vex: &[VexStatement],
    options: &Options,
    subjects: &[usize],
    about: Option<&About>,
) -> Result<Report, IndexError> {
    let document = identity::document_release(bom);
    let matcher = Matcher { index, document, context: Some(Context::new(bom)), options, about };
    let found: Vec<(Vec<Candidate>, Option<Diagnostic>)> = subjects
        .par_iter()
        .with_min_len(64)
        .filter_map(|n| Some((*n, bom.components.get(*n)?)))
        .map(|(n, c)| matcher.candidates(n, c))
        // most components have nothing to tell, and an empty answer for each would cost as much as all findings
        .filter(|told| !matches!(told, Ok((list, None)) if list.is_empty()))
        .collect::<Result<_, IndexError>>()?;
    let mut report = Report::default();
    let mut candidates = Vec::new();
    for (list, diagnostic) in found {
        candidates.extend(list);
        report.diagnostics.extend(diagnostic);
    }
    let described = describe(index, &candidates)?;
    let statements = vex::Statements::new(bom, vex);
    let findings: Vec<Finding> = candidates
        .into_par_iter()
        .filter_map(|c| weighed(c, &described, Some(&statements), bom, options))
        .filter(|f| about.is_none_or(|a| a.is_about(&f.vulnerability.id)))
        .collect();
    let (informational, findings) =
        findings.into_iter().partition(|f| f.vulnerability.kind == "informational");
    report.findings = findings;
    report.informational = informational;
    sort(&mut report.findings, bom);
    sort(&mut report.informational, bom);
    Ok(report)
}

/// The number of (component, vulnerability) pairs that any source calls affected, without details: the bare
/// work of matching.
///
/// # Errors
/// A block of the index is damaged.
pub fn count(index: &Index, bom: &Bom, options: &Options) -> Result<usize, IndexError> {
    let document = identity::document_release(bom);
    let matcher = Matcher { index, document, context: Some(Context::new(bom)), options, about: None };
    bom.components
        .par_iter()
        .enumerate()
        .with_min_len(64)
        .map(|(n, c)| matcher.candidates(n, c).map(|(list, _)| list.len()))
        .try_reduce(|| 0, |a, b| Ok(a + b))
}

/// A rule's word on a component, not yet in words.
#[derive(Clone)]
struct Heard<'a> {
    /// The vulnerability it speaks on.
    vulnerability: Ref,
    /// The vulnerability whose record it stands in.
    told_in: Ref,
    rule: Rule<'a>,
    word: Word<'a>,
    name: &'a identity::Identity,
}

impl Heard<'_> {
    fn hurts(&self) -> bool {
        matches!(self.word.verdict, Verdict::Affected | Verdict::Conditional)
    }
}

struct Matcher<'a> {
    index: &'a Index,
    document: Option<Distribution>,
    /// The release, where others are asked.
    context: Option<Context<'a>>,
    options: &'a Options,
    /// Rules of these vulnerabilities alone.
    about: Option<&'a About>,
}

impl Matcher<'_> {
    /// Every vulnerability some source calls affected, conditional or (to explain) anything else.
    ///
    /// Most of what is heard is dismissed, so nothing is put into words before it is known to be kept.
    fn candidates(
        &self,
        n: usize,
        c: &Component,
    ) -> Result<(Vec<Candidate>, Option<Diagnostic>), IndexError> {
        let who = identity::identify(c, &self.document, self.options.min_confidence);
        let diagnostic = (who.names.is_empty() && c.name.is_empty()).then(|| {
            Diagnostic::new("component-unidentified", c.path.clone(), "no package URL, no CPE and no name")
        });
        let mut heard: Vec<Heard<'_>> = Vec::new();
        for name in who.names.iter().filter(|n| n.confidence >= self.options.min_confidence) {
            let keys = VersionKeys::new(name.version.as_deref());
            self.index.rules(&name.key, &mut |r, bytes| {
                if self.about.is_some_and(|a| !a.is_asked(r)) {
                    return Ok(());
                }
                let rule = Rule::read(bytes)?;
                if let Some(mut word) = decide::apply(&rule, name, &keys, &who)? {
                    self.ask_platforms(r, &mut word, name)?;
                    heard.push(Heard { vulnerability: r, told_in: r, rule, word, name });
                }
                Ok(())
            })?;
        }
        self.fold_upstream(&mut heard)?;
        heard.sort_by_key(|h| h.vulnerability);
        let diagnostic = diagnostic.or_else(|| undecided(c, &heard));
        let mut list = Vec::new();
        for group in heard.chunk_by(|a, b| a.vulnerability == b.vulnerability) {
            if self.options.explain || group.iter().any(Heard::hurts) {
                let opinions = group.iter().map(|h| self.opinion(h, c)).collect::<Result<_, _>>()?;
                let leans = group.iter().any(|h| h.hurts() && h.word.config.is_some());
                list.extend(group.first().map(|h| Candidate {
                    component: n,
                    vulnerability: h.vulnerability,
                    opinions,
                    leans,
                }));
            }
        }
        Ok((list, diagnostic))
    }

    /// Asks the other components of the release about the platforms that a configuration wants.
    fn ask_platforms(
        &self,
        r: Ref,
        word: &mut Word<'_>,
        name: &identity::Identity,
    ) -> Result<(), IndexError> {
        let affected = matches!(word.verdict, Verdict::Affected | Verdict::Conditional);
        let (true, Some(number), Some(cpe), Some(context)) =
            (affected, word.config, &name.cpe, &self.context)
        else {
            return Ok(());
        };
        let block = self.index.block(r)?;
        let Some(config) = block.configs.get(number) else { return Ok(()) };
        let (truth, unknown) = context.decide(config, cpe, name.version.as_deref());
        match truth {
            Truth::Yes => {}
            Truth::No => {
                word.verdict = Verdict::NotAffected;
                word.reason =
                    "the release does not hold the platform that the configuration asks for".to_owned();
            }
            Truth::Unknown => {
                word.verdict = Verdict::Conditional;
                word.reason = format!("only together with {unknown}, which the inventory does not tell");
            }
        }
        Ok(())
    }

    fn opinion(&self, heard: &Heard<'_>, c: &Component) -> Result<Opinion, IndexError> {
        let Heard { rule, word, name, .. } = heard;
        let (fixed, note) = if heard.hurts() { rule.tail()? } else { (Vec::new(), String::new()) };
        let reason = if word.reason.is_empty() { note } else { word.reason.clone() };
        let mut evidence = Evidence {
            source: rule.source.as_str(),
            // named when the vulnerability is described: its block is read once for all its findings
            record: rule.record.to_string(),
            identifier: name.shown(c),
            range: word.range.words(),
            verdict: word.verdict,
            confidence: word.confidence,
            reason,
        };
        if heard.told_in != heard.vulnerability {
            name_record(&mut evidence, &self.index.block(heard.told_in)?.records);
        }
        Ok(Opinion {
            source: rule.source,
            upstream: name.upstream,
            fixed: sorted_fixed(rule.scheme, fixed, name.version.as_deref()),
            evidence,
        })
    }

    /// A distributor's record that names the flaw it is about (`upstream`) speaks on that flaw, where it is known. What
    /// it names is meant, not what that names in its turn: the answer does not depend on the order of vulnerabilities.
    fn fold_upstream(&self, heard: &mut Vec<Heard<'_>>) -> Result<(), IndexError> {
        let mut targets: BTreeMap<Ref, Vec<Ref>> = BTreeMap::new();
        for h in heard.iter().filter(|h| matches!(h.rule.source, Source::Distribution | Source::Csaf)) {
            if targets.contains_key(&h.vulnerability) {
                continue;
            }
            let mut of_it = Vec::new();
            for id in self.index.links(h.vulnerability)?.1 {
                of_it.extend(self.index.by_id(&id)?.filter(|t| *t != h.vulnerability && !of_it.contains(t)));
            }
            targets.insert(h.vulnerability, of_it);
        }
        if targets.values().all(Vec::is_empty) {
            return Ok(());
        }
        for h in std::mem::take(heard) {
            match targets.get(&h.vulnerability).filter(|t| !t.is_empty()) {
                Some(of_it) => heard.extend(of_it.iter().map(|t| Heard { vulnerability: *t, ..h.clone() })),
                None => heard.push(h),
            }
        }
        Ok(())
    }
}

/// Puts the record's id in place of its number.
fn name_record(evidence: &mut Evidence, records: &[String]) {
    if let Some(id) = evidence.record.parse::<usize>().ok().and_then(|n| records.get(n)) {
        evidence.record.clone_from(id);
    }
}

/// The remark on a component of which some vulnerabilities give no verdict, by any source; guessed names aside.
/// What is `heard` is sorted by vulnerability.
fn undecided(c: &Component, heard: &[Heard<'_>]) -> Option<Diagnostic> {
    let open =
        |h: &Heard<'_>| h.word.verdict == Verdict::Undecidable && h.word.confidence > Confidence::Inferred;
    let mut first = None;
    let mut number = 0_usize;
    for group in heard.chunk_by(|a, b| a.vulnerability == b.vulnerability) {
        if group.iter().all(open) {
            number += 1;
            first = first.or(group.first());
        }
    }
    let reason = &first?.word.reason;
    let code = if c.version.is_none() { "version-missing" } else { "version-undecidable" };
    let version = c.version.as_deref().map_or_else(|| "no version".to_owned(), excerpt);
    let what =
        format!("{number} vulnerabilities give no verdict on {} {version}: {reason}", excerpt(&c.name));
    Some(Diagnostic::new(code, c.path.clone(), what))
}

type Described = HashMap<Ref, (Arc<Vulnerability>, Vec<String>)>;

fn describe(index: &Index, candidates: &[Candidate]) -> Result<Described, IndexError> {
    let mut refs: Vec<Ref> = candidates.iter().map(|c| c.vulnerability).collect();
    refs.sort_unstable();
    refs.dedup();
    refs.into_par_iter()
        .with_min_len(256)
        .map(|r| {
            let mut block = index.block(r)?;
            let records = std::mem::take(&mut block.records);
            Ok((r, (Arc::new(index.describe(block)?), records)))
        })
        .collect()
}

fn weighed(
    c: Candidate,
    described: &Described,
    statements: Option<&vex::Statements<'_>>,
    bom: &Bom,
    options: &Options,
) -> Option<Finding> {
    let (vulnerability, records) = described.get(&c.vulnerability)?;
    let mut opinions = c.opinions;
    for o in &mut opinions {
        name_record(&mut o.evidence, records);
    }
    // the distributor has spoken on its package: upstream ranges are evidence only
    let spoken = |o: &Opinion| {
        o.source == Source::Distribution
            && o.evidence.verdict != Verdict::Undecidable
            && o.evidence.confidence > Confidence::Inferred
    };
    let superseded = opinions.iter().any(spoken);
    let (mut deciding, mut rest): (Vec<_>, Vec<_>) =
        opinions.into_iter().partition(|o| !(superseded && o.upstream));
    let (mut status, confidence) = weigh::weigh(&mut deciding);
    weigh::weigh(&mut rest);
    let mut justification = None;
    let component = bom.components.get(c.component)?;
    let ids = || std::iter::once(&vulnerability.id).chain(&vulnerability.aliases);
    if component.resolves.iter().any(|r| ids().any(|id| id.eq_ignore_ascii_case(r))) {
        status = Verdict::Fixed;
        justification = Some("inline_mitigations_already_exist".to_owned());
    }
    let mut decided = justification.is_some();
    let mut word = None;
    if let Some(s) = statements.and_then(|s| s.find(vulnerability, c.component))
        && let Some(verdict) = vex::verdict(s.status)
    {
        // a statement that the flaw does not apply needs a flaw that was found
        decided = matches!(status, Verdict::Affected | Verdict::Conditional) || decided;
        status = verdict;
        justification.clone_from(&s.justification);
        word = Some(vex::evidence(s, component, verdict, confidence));
    }
    let shown = options.explain || decided || matches!(status, Verdict::Affected | Verdict::Conditional);
    if !shown || confidence < options.min_confidence {
        return None;
    }
    let mut fixed: Vec<String> = Vec::new();
    for f in deciding.iter().filter(|o| o.evidence.verdict != Verdict::Undecidable).flat_map(|o| &o.fixed) {
        if !fixed.contains(f) {
            fixed.push(f.clone());
        }
    }
    let mut evidence: Vec<Evidence> = deciding.into_iter().chain(rest).map(|o| o.evidence).collect();
    evidence.dedup();
    evidence.extend(word);
    Some(Finding {
        component: c.component,
        vulnerability: vulnerability.clone(),
        status,
        justification,
        confidence,
        fixed_versions: fixed,
        evidence,
    })
}

/// Fixed versions above ours, lowest first; versions that cannot be read stay, at the end.
fn sorted_fixed(scheme: Scheme, fixed: Vec<String>, own: Option<&str>) -> Vec<String> {
    if fixed.is_empty() {
        return fixed;
    }
    let own = own.and_then(|v| scheme.key(v).ok());
    let mut keyed: Vec<(bool, Vec<u8>, String)> = fixed
        .into_iter()
        .map(|f| scheme.key(&f).map_or((true, Vec::new(), f.clone()), |k| (false, k, f)))
        .filter(|(unread, k, _)| *unread || own.as_ref().is_none_or(|own| k > own))
        .collect();
    keyed.sort();
    keyed.dedup();
    keyed.into_iter().map(|(_, _, f)| f).collect()
}

fn sort(findings: &mut [Finding], bom: &Bom) {
    let urgency = |f: &Finding| {
        let v = &f.vulnerability;
        let score = v.score.unwrap_or(match v.severity {
            "critical" => 9.0,
            "high" => 7.0,
            "medium" => 4.0,
            "low" => 0.1,
            _ => 0.0,
        });
        (
            v.kind == "malware",
            v.kev.is_some(),
            (score * 10.0) as u32,
            v.epss.map_or(0, |(s, _)| (s * 1e5) as u32),
        )
    };
    let name = |f: &Finding| bom.components.get(f.component).map(|c| (&c.name, &c.version));
    findings.par_sort_by(|a, b| {
        urgency(b)
            .cmp(&urgency(a))
            .then_with(|| a.vulnerability.id.cmp(&b.vulnerability.id))
            .then_with(|| name(a).cmp(&name(b)))
            .then(a.component.cmp(&b.component))
    });
}

/// Whether a CPE name of a statement covers a component's: each attribute equal or `*`.
fn cpe_covers(named: &Cpe, own: &Cpe) -> bool {
    let all = |c: &Cpe| {
        let c = c.clone();
        [
            c.part,
            c.vendor,
            c.product,
            c.version,
            c.update,
            c.edition,
            c.language,
            c.sw_edition,
            c.target_sw,
            c.target_hw,
            c.other,
        ]
    };
    all(named).iter().zip(&all(own)).all(|(n, o)| *n == CpeValue::Any || n == o)
}

#[cfg(test)]
mod tests;

//! Matching a part: some components, some vulnerabilities. What is asked comes out as it would of the whole.

use std::collections::HashSet;
use std::sync::Arc;

use tocsin_model::bom::{Bom, Component};
use tocsin_model::ecosystem::of_purl;
use tocsin_model::finding::Confidence;
use tocsin_model::purl::Purl;
use tocsin_model::vex::VexStatement;

use super::identity::{self, Distribution};
use super::{Finding, Matcher, Options, Report, describe, scan_some, weighed};
use crate::index::{Index, IndexError, Ref, Vulnerability};

/// Vulnerabilities that are asked about.
#[derive(Debug, Default)]
pub struct About {
    /// They, and those whose records speak on them.
    asked: HashSet<Ref>,
    ids: HashSet<String>,
}

impl About {
    /// These vulnerabilities, by main id; those that the index does not know are passed over.
    ///
    /// # Errors
    /// A block of the index is damaged.
    pub fn new<'a>(index: &Index, ids: impl IntoIterator<Item = &'a str>) -> Result<About, IndexError> {
        let mut about = About::default();
        for id in ids {
            about.ids.insert(id.to_owned());
            let Some(r) = index.by_id(id)? else { continue };
            let block = index.block(r)?;
            let mut names = block.aliases;
            names.push(block.id);
            about.asked.insert(r);
            about.asked.extend(index.linking(&names)?);
        }
        Ok(about)
    }

    pub(super) fn is_asked(&self, r: Ref) -> bool {
        self.asked.contains(&r)
    }

    pub(super) fn is_about(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

/// The distribution release a whole document is for.
pub fn distribution(bom: &Bom) -> Option<Distribution> {
    identity::document_release(bom)
}

/// Hashes of the keys under which rules for a component are looked up, sorted. They do not depend on the document it
/// stands in, and for most components not on its version.
pub fn keys(component: &Component) -> Vec<u64> {
    let names = identity::identify(component, &None, Confidence::Inferred).names;
    let mut keys: Vec<u64> = names.iter().map(|n| crate::index::hash(&n.key)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// As [`super::scan`], of the components `subjects` (indices) and the vulnerabilities `about` alone; the rest of the
/// document is what they stand among.
///
/// # Errors
/// A block of the index is damaged.
pub fn scan_part(
    index: &Index,
    bom: &Bom,
    vex: &[VexStatement],
    options: &Options,
    subjects: &[usize],
    about: Option<&About>,
) -> Result<Report, IndexError> {
    scan_some(index, bom, vex, options, subjects, about)
}

/// What a component comes to by itself.
#[derive(Debug, Default)]
pub struct Alone {
    /// Findings without any VEX statement; [`Finding::component`] is 0.
    pub findings: Vec<Finding>,
    /// Vulnerabilities on which some source says that it is affected, whatever the others say.
    pub candidates: Vec<Arc<Vulnerability>>,
    /// Some of this depends on what else the release holds.
    pub leans: bool,
}

/// Matches a component without a release: one that holds nothing else and is for `document`. Where nothing
/// [leans](Alone::leans), a release of that distribution that has no statement on the candidates comes to the same.
///
/// # Errors
/// A block of the index is damaged.
pub fn alone(
    index: &Index,
    component: &Component,
    document: &Option<Distribution>,
    options: &Options,
    about: Option<&About>,
) -> Result<Alone, IndexError> {
    let matcher = Matcher { index, document: document.clone(), context: None, options, about };
    let (candidates, _) = matcher.candidates(0, component)?;
    let described = describe(index, &candidates)?;
    let mut out = Alone { leans: candidates.iter().any(|c| c.leans), ..Alone::default() };
    let bom = Bom { components: vec![component.clone()], ..Bom::default() };
    for candidate in candidates {
        let known = described.get(&candidate.vulnerability).map(|d| &d.0);
        let Some(v) = known.filter(|v| about.is_none_or(|a| a.is_about(&v.id))) else { continue };
        if v.kind != "informational" {
            out.candidates.push(v.clone());
            out.findings.extend(weighed(candidate, &described, None, &bom, options));
        }
    }
    Ok(out)
}

/// The upstream part of a version as a distribution writes it, where the package is of one: `1.1.1n-0+deb11u4` is
/// `1.1.1n`.
pub fn upstream_of(purl: &Purl, version: &str) -> Option<String> {
    let (ecosystem, _) = of_purl(purl)?;
    ecosystem.is_distribution().then(|| identity::upstream_version(ecosystem, version))
}

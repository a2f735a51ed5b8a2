//! VEX statements applied to findings: only the component that a statement names, the last word wins.

use std::collections::{HashMap, HashSet};

use tocsin_model::bom::{Bom, Component};
use tocsin_model::cpe::Cpe;
use tocsin_model::finding::{Confidence, Evidence, Verdict};
use tocsin_model::purl::Purl;
use tocsin_model::version::vers::Range;
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};

use crate::index::Vulnerability;

/// Statements by the vulnerability they are about.
pub(crate) struct Statements<'a> {
    by_id: HashMap<String, Vec<usize>>,
    all: Vec<&'a VexStatement>,
    bom: &'a Bom,
}

impl<'a> Statements<'a> {
    pub(crate) fn new(bom: &'a Bom, more: &'a [VexStatement]) -> Self {
        let all: Vec<&VexStatement> = bom.vex.iter().chain(more).collect();
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        for (n, s) in all.iter().enumerate() {
            for id in std::iter::once(&s.vulnerability).chain(&s.aliases) {
                by_id.entry(id.to_ascii_uppercase()).or_default().push(n);
            }
        }
        Statements { by_id, all, bom }
    }

    /// The last statement about this vulnerability in this component.
    pub(crate) fn find(&self, v: &Vulnerability, component: usize) -> Option<&'a VexStatement> {
        if self.all.is_empty() {
            return None;
        }
        let ids = std::iter::once(&v.id).chain(&v.aliases);
        let numbers: HashSet<usize> =
            ids.filter_map(|id| self.by_id.get(&id.to_ascii_uppercase())).flatten().copied().collect();
        let mut numbers: Vec<usize> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers
            .into_iter()
            .rev()
            .map(|n| self.all[n])
            .find(|s| s.products.iter().any(|p| self.names(p, component)))
    }

    fn names(&self, product: &VexProduct, component: usize) -> bool {
        let bom = self.bom;
        let Some(c) = bom.components.get(component) else { return false };
        let root = bom.root.and_then(|r| bom.components.get(r));
        let is = |ids: &[String], c: &Component| ids.iter().any(|id| identifies(id, c, bom));
        if !product.subcomponents.is_empty() {
            let product_is_ours =
                root.is_some_and(|r| is(&product.identifiers, r)) || is(&product.identifiers, c);
            return product_is_ours && is(&product.subcomponents, c);
        }
        let version_fits = |c: &Component| {
            product.versions.is_empty()
                || c.version
                    .as_deref()
                    .is_some_and(|own| product.versions.iter().any(|v| v == own || in_vers(v, own)))
        };
        if is(&product.identifiers, c) {
            return version_fits(c);
        }
        // a statement about the whole product holds for everything in it
        root.is_some_and(|r| is(&product.identifiers, r) && version_fits(r))
    }
}

fn in_vers(range: &str, version: &str) -> bool {
    Range::parse(range).ok().and_then(|r| r.contains(version)).unwrap_or(false)
}

/// Whether an identifier of a statement names this component.
fn identifies(id: &str, c: &Component, bom: &Bom) -> bool {
    let id = id.trim();
    if id == c.reference {
        return true;
    }
    if id.starts_with("pkg:") {
        let (Ok(named), Some(own)) = (Purl::parse(id), &c.purl) else { return false };
        return (&named.ty, &named.namespace, &named.name) == (&own.ty, &own.namespace, &own.name)
            && named.version.as_ref().is_none_or(|v| own.version.as_ref().or(c.version.as_ref()) == Some(v))
            && named.qualifiers.iter().all(|q| own.qualifiers.contains(q))
            && (named.subpath.is_none() || named.subpath == own.subpath);
    }
    if id.starts_with("cpe:") {
        let Ok(named) = Cpe::parse(id) else { return false };
        return c.cpes.iter().any(|own| super::cpe_covers(&named, own));
    }
    // BOM-Link: urn:cdx:SERIAL/VERSION#REF
    if let Some(link) = id.strip_prefix("urn:cdx:") {
        let (document, reference) = link.split_once('#').unwrap_or((link, ""));
        let serial = document.split('/').next().unwrap_or("");
        let ours = bom
            .serial
            .as_deref()
            .is_some_and(|s| s.trim_start_matches("urn:uuid:").eq_ignore_ascii_case(serial));
        return ours && reference == c.reference;
    }
    if let Some((algorithm, value)) = id.split_once(':') {
        let plain = |s: &str| s.replace('-', "").to_ascii_lowercase();
        return c.hashes.iter().any(|(a, v)| plain(a) == plain(algorithm) && v.eq_ignore_ascii_case(value));
    }
    false
}

/// The verdict of a statement; under investigation decides nothing.
pub(crate) fn verdict(status: VexStatus) -> Option<Verdict> {
    match status {
        VexStatus::NotAffected => Some(Verdict::NotAffected),
        VexStatus::Affected => Some(Verdict::Affected),
        VexStatus::Fixed => Some(Verdict::Fixed),
        VexStatus::UnderInvestigation => None,
    }
}

/// The word of the statement that decided: who said it, of what, and why.
pub(crate) fn evidence(
    s: &VexStatement,
    component: &Component,
    verdict: Verdict,
    confidence: Confidence,
) -> Evidence {
    let identifier = component.purl.as_ref().map_or_else(|| component.full_name(), ToString::to_string);
    let said = [s.author.as_deref(), s.justification.as_deref(), s.timestamp.as_deref()];
    Evidence {
        source: "vex",
        record: s.document.clone().unwrap_or_else(|| s.vulnerability.clone()),
        identifier,
        range: s.status.as_str().to_owned(),
        verdict,
        confidence,
        reason: said.into_iter().flatten().collect::<Vec<_>>().join(", "),
    }
}

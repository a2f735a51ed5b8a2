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
        let serial = bom.serial.as_deref();
        let is = |ids: &[String], c: &Component| {
            let subject = Subject::of(c, serial, bom.version);
            ids.iter().any(|id| subject.is(id))
        };
        if !product.subcomponents.is_empty() {
            let product_is_ours =
                root.is_some_and(|r| is(&product.identifiers, r)) || is(&product.identifiers, c);
            return product_is_ours && is(&product.subcomponents, c);
        }
        let version_fits = |c: &Component| version_fits(product, c.version.as_deref());
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

/// A component as identifiers of VEX statements name it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// Its references in its document; the same component may stand in several places.
    pub references: &'a [String],
    /// Package URL.
    pub purl: Option<&'a Purl>,
    /// Version.
    pub version: Option<&'a str>,
    /// CPE names.
    pub cpes: &'a [Cpe],
    /// Hashes: algorithm and hexadecimal.
    pub hashes: &'a [(String, String)],
    /// Serial number of its document, with or without `urn:uuid:`.
    pub serial: Option<&'a str>,
    /// Version of its document.
    pub revision: Option<u64>,
}

impl<'a> Subject<'a> {
    /// A component of a document.
    pub fn of(c: &'a Component, serial: Option<&'a str>, revision: Option<u64>) -> Subject<'a> {
        Subject {
            references: std::slice::from_ref(&c.reference),
            purl: c.purl.as_ref(),
            version: c.version.as_deref(),
            cpes: &c.cpes,
            hashes: &c.hashes,
            serial,
            revision,
        }
    }

    /// Whether an identifier names this component: by its reference, by a package URL without version or with this
    /// one, by a CPE name that covers one of its own, by a BOM-Link to its place in its document, or by a hash.
    pub fn is(&self, id: &str) -> bool {
        let id = id.trim();
        if self.references.iter().any(|r| r == id) {
            return true;
        }
        if id.starts_with("pkg:") {
            let (Ok(named), Some(own)) = (Purl::parse(id), self.purl) else { return false };
            let version = own.version.as_deref().or(self.version);
            return (&named.ty, &named.namespace, &named.name) == (&own.ty, &own.namespace, &own.name)
                && named.version.as_deref().is_none_or(|v| version == Some(v))
                && named.qualifiers.iter().all(|q| own.qualifiers.contains(q))
                && (named.subpath.is_none() || named.subpath == own.subpath);
        }
        if id.starts_with("cpe:") {
            let Ok(named) = Cpe::parse(id) else { return false };
            return self.cpes.iter().any(|own| super::cpe_covers(&named, own));
        }
        if let Some(link) = Link::parse(id) {
            return self.has(&link) && self.references.iter().any(|r| link.names(r));
        }
        if let Some((algorithm, value)) = id.split_once(':') {
            let plain = |s: &str| s.replace('-', "").to_ascii_lowercase();
            let same =
                |(a, v): &(String, String)| plain(a) == plain(algorithm) && v.eq_ignore_ascii_case(value);
            return self.hashes.iter().any(same);
        }
        false
    }

    /// Whether a BOM-Link is to this component's document.
    pub fn has(&self, link: &Link<'_>) -> bool {
        let serial = self.serial.map(|s| s.trim_start_matches("urn:uuid:"));
        serial.is_some_and(|s| s.eq_ignore_ascii_case(link.serial))
            && (link.version.is_none() || self.revision.is_none() || link.version == self.revision)
    }
}

/// A BOM-Link (CycloneDX, ECMA-424 section on BOM-Link): `urn:cdx:SERIAL/VERSION#REFERENCE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// Serial number of the document, a UUID.
    pub serial: &'a str,
    /// Version of the document.
    pub version: Option<u64>,
    /// Reference in it, as written in the link; the whole document where missing.
    pub reference: Option<&'a str>,
}

impl<'a> Link<'a> {
    /// Reads a link; nothing where the text is none.
    pub fn parse(text: &'a str) -> Option<Link<'a>> {
        let (document, reference) = match text.strip_prefix("urn:cdx:")?.split_once('#') {
            Some((document, reference)) => (document, Some(reference)),
            None => (text.strip_prefix("urn:cdx:")?, None),
        };
        let (serial, version) = document.split_once('/').unwrap_or((document, ""));
        Some(Link { serial, version: version.parse().ok(), reference })
    }

    /// Whether it names this reference, with or without per cent signs for what a URI cannot have.
    fn names(&self, reference: &str) -> bool {
        self.reference.is_some_and(|r| r == reference || decoded(r).as_deref() == Some(reference))
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

/// Whether a component's version is one that a statement is about ([`VexProduct::versions`]).
pub fn version_fits(product: &VexProduct, version: Option<&str>) -> bool {
    product.versions.is_empty()
        || version.is_some_and(|own| product.versions.iter().any(|v| v == own || in_vers(v, own)))
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

//! What a text names: vulnerabilities and advisories by id, products, components and vendors of a dictionary,
//! versions beside them, techniques of ATT&CK, exploits, indicators, TLP markings. Each with its place in bytes and
//! the reason why it was taken for one.
//!
//! Pure over any UTF-8 text, plain, Markdown or light HTML. A word of ordinary language (`express`, `time`) is a
//! component only where something near by makes it software.

mod ids;
mod links;
mod mentions;
mod names;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod versions;

use std::ops::Range;

pub use ids::technique;
pub use names::{Dictionary, Name, Strength, Thing, ThingKind, package_names};

/// Bytes of a text that are looked at; what comes after names nothing.
pub const MAX_TEXT: usize = 1 << 20;
/// Entities that are found in one text at most, of each step.
pub const MAX_ENTITIES: usize = 4096;

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The id of one flaw: CVE, GHSA, EUVD, ZDI …
    Vulnerability,
    /// The id of an advisory: RHSA, DSA, USN, ICSA, VDE, JVN, MSRC …
    Advisory,
    /// One of our products; the value is the key of the dictionary.
    Product,
    /// A component of our inventory; the value is the key of the dictionary.
    Component,
    /// A vendor; the value is the key of the dictionary.
    Vendor,
    /// A version beside a product or component, `<`, `<=` or `>=` before it where the words say so.
    Version,
    /// A technique of ATT&CK, Enterprise or ICS: `T1059.003`, `T0831`.
    Technique,
    /// An exploit: `EDB-50592`, a module of Metasploit, a link.
    Exploit,
    /// An indicator of compromise, without its disguise.
    Indicator(IndicatorKind),
    /// A marking of the Traffic Light Protocol 2.0: `TLP:AMBER+STRICT`.
    Tlp,
}

/// Sorts of indicators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is its name")]
pub enum IndicatorKind {
    Ipv4,
    Ipv6,
    Domain,
    Url,
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Kind {
    /// The word for lists, filters and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Vulnerability => "vulnerability",
            Kind::Advisory => "advisory",
            Kind::Product => "product",
            Kind::Component => "component",
            Kind::Vendor => "vendor",
            Kind::Version => "version",
            Kind::Technique => "technique",
            Kind::Exploit => "exploit",
            Kind::Indicator(IndicatorKind::Ipv4) => "ipv4",
            Kind::Indicator(IndicatorKind::Ipv6) => "ipv6",
            Kind::Indicator(IndicatorKind::Domain) => "domain",
            Kind::Indicator(IndicatorKind::Url) => "url",
            Kind::Indicator(IndicatorKind::Md5) => "md5",
            Kind::Indicator(IndicatorKind::Sha1) => "sha1",
            Kind::Indicator(IndicatorKind::Sha256) => "sha256",
            Kind::Indicator(IndicatorKind::Sha512) => "sha512",
            Kind::Tlp => "tlp",
        }
    }
}

/// Why something was taken for an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its shape can be nothing else.
    Shape,
    /// A name of the dictionary that means nothing else.
    Name,
    /// A plain word, written exactly as the name is.
    Spelling,
    /// A plain word in code font.
    Code,
    /// A plain word with a version beside it.
    Version,
    /// A plain word after its vendor's name.
    Vendor,
    /// A plain word beside one that calls it software: npm, package, library.
    Ecosystem,
    /// A package URL.
    Purl,
    /// It stands beside a name.
    Beside,
    /// A link to a place where exploits are kept.
    Link,
    /// The path of a module of Metasploit.
    Module,
    /// It was written so that it cannot be clicked.
    Defanged,
    /// It stands under a heading that announces indicators.
    Listed,
}

impl Reason {
    /// The reason in words: "a plain word in code font".
    pub fn words(self) -> &'static str {
        match self {
            Reason::Shape => "its shape can be nothing else",
            Reason::Name => "a name that means nothing else",
            Reason::Spelling => "a plain word, written exactly as the name is",
            Reason::Code => "a plain word in code font",
            Reason::Version => "a plain word with a version beside it",
            Reason::Vendor => "a plain word after its vendor's name",
            Reason::Ecosystem => "a plain word beside one that calls it software",
            Reason::Purl => "a package URL",
            Reason::Beside => "it stands beside the name",
            Reason::Link => "a link to a place where exploits are kept",
            Reason::Module => "the path of a Metasploit module",
            Reason::Defanged => "written so that it cannot be clicked",
            Reason::Listed => "under a heading that announces indicators",
        }
    }
}

/// Something that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: Kind,
    /// The thing itself: canonical id, key of the dictionary, address without disguise.
    pub value: String,
    /// Its place in the text, in bytes, at character boundaries.
    pub span: Range<usize>,
    /// Why it was taken for one.
    pub reason: Reason,
    /// Of a version: the entity that it stands beside, by its place in the list.
    pub of: Option<usize>,
}

/// Finds what a text names, in the order of the text. `own_hosts` are the sites of the article itself.
///
/// A name that means several things of the dictionary gives one entity for each, with the same span.
pub fn find(text: &str, dictionary: &Dictionary, own_hosts: &[&str]) -> Vec<Entity> {
    let text = text::after(text, 0, MAX_TEXT);
    let tokens = text::tokens(text);
    let mut found = Vec::new();
    let links = links::find(text, &tokens, dictionary, own_hosts, MAX_ENTITIES, &mut found);
    mentions::find(text, &tokens, &links.spans, dictionary, found.len() + MAX_ENTITIES, &mut found);
    ids::find(text, &tokens, found.len() + MAX_ENTITIES, &mut found);
    ids::techniques(text, &tokens, found.len() + MAX_ENTITIES, &mut found);
    ids::tlp(text, &tokens, &mut found);
    // a number beside a name is its version before it is an address
    let versions: Vec<Range<usize>> = found
        .iter()
        .filter(|e| e.kind == Kind::Version && e.reason == Reason::Beside)
        .map(|e| e.span.clone())
        .collect();
    let mut order: Vec<usize> = (0..found.len())
        .filter(|i| {
            let e = &found[*i];
            e.kind != Kind::Indicator(IndicatorKind::Ipv4)
                || e.reason != Reason::Shape
                || !versions.contains(&e.span)
        })
        .collect();
    order.sort_by_key(|i| (found[*i].span.start, found[*i].span.end, *i));
    let mut places = vec![0; found.len()];
    for (place, i) in order.iter().enumerate() {
        places[*i] = place;
    }
    order.into_iter().map(|i| Entity { of: found[i].of.map(|of| places[of]), ..found[i].clone() }).collect()
}

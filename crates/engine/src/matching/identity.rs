//! Step 1: what a component is called, in the words of each kind of source, and with which version.

use tocsin_model::bom::{Bom, Component, ComponentKind};
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::ecosystem::{ALL, Ecosystem, of_purl, plain_name, release_of};
use tocsin_model::finding::Confidence;
use tocsin_model::purl::Purl;

use super::names::{CPE_ALIASES, VENDORS};
use crate::index::key;
use crate::index::rule::joined;

/// One name of a component under which rules may stand.
pub(crate) struct Identity {
    /// Key in the index.
    pub key: Vec<u8>,
    /// Where the name is from; [`Identity::shown`] puts it into words.
    pub from: From,
    /// How sure it is.
    pub confidence: Confidence,
    /// Version in the sense of this name, where there is one.
    pub version: Option<String>,
    /// The CPE behind it, given or guessed.
    pub cpe: Option<Cpe>,
    /// It is an upstream name of a distribution's package: evidence only once the distributor speaks.
    pub upstream: bool,
}

/// Where a name is from.
pub(crate) enum From {
    /// The component's package URL.
    Purl,
    /// A CPE the document gives.
    Cpe,
    /// Supplier and name as the document states them.
    Supplier,
    /// Vendor and product guessed from the name.
    Guess(String, String),
}

impl Identity {
    /// The identifier as people know it, for evidence.
    pub(crate) fn shown(&self, c: &Component) -> String {
        match &self.from {
            From::Purl => c.purl.as_ref().map(Purl::to_string).unwrap_or_default(),
            From::Cpe => self.cpe.as_ref().map(Cpe::to_string).unwrap_or_default(),
            From::Supplier => format!("{} {}", c.supplier.as_deref().unwrap_or(""), c.name),
            From::Guess(vendor, product) => {
                let between = if self.cpe.is_some() { ':' } else { ' ' };
                format!("{vendor}{between}{product} (guessed from the name)")
            }
        }
    }
}

/// All that is known of who a component is.
pub(crate) struct Identified {
    pub names: Vec<Identity>,
    pub ecosystem: Option<Ecosystem>,
    /// Release of the distribution the package is for, from the purl, the version's mark or the document.
    pub release: Option<String>,
    /// purl qualifiers that rules may ask for.
    pub qualifiers: Vec<(String, String)>,
}

/// A distribution and its release (`12`, `9`, `v3.19`).
pub type Distribution = (Ecosystem, String);

/// The source package of a distribution's purl: (name, version) from `upstream=NAME[@VERSION]` or
/// `sourcerpm=NAME-VERSION-RELEASE.src.rpm`.
fn source_package(purl: &Purl) -> Option<(String, Option<String>)> {
    let told = purl.qualifier("upstream").or_else(|| purl.qualifier("sourcerpm"))?;
    if let Some(stem) = told.strip_suffix(".src.rpm").or_else(|| told.strip_suffix(".nosrc.rpm")) {
        let mut parts = stem.rsplitn(3, '-');
        let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
        return Some((name.to_owned(), Some(format!("{version}-{release}"))));
    }
    match told.split_once('@') {
        Some((name, version)) => Some((name.to_owned(), Some(version.to_owned()).filter(|v| !v.is_empty()))),
        None if !told.is_empty() => Some((told.to_owned(), None)),
        None => None,
    }
}

/// The release a distribution version names in itself: `+deb12u1`, `.el9_2`, `.fc38`, `~22.04`.
pub(crate) fn release_mark(ecosystem: Ecosystem, version: &str) -> Option<String> {
    let after = |mark: &str| {
        let at = version.rfind(mark)? + mark.len();
        let digits: String = version[at..].chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    match ecosystem {
        Ecosystem::Debian => after("+deb").or_else(|| after("~deb")),
        Ecosystem::RedHat | Ecosystem::Rocky | Ecosystem::AlmaLinux | Ecosystem::Oracle => {
            after(".el").or_else(|| after("+el"))
        }
        Ecosystem::Fedora => after(".fc"),
        Ecosystem::Photon => after(".ph").map(|n| format!("{n}.0")),
        _ => None,
    }
}

/// The upstream part of a distribution's version: without epoch, revision and repacking marks.
pub(crate) fn upstream_version(ecosystem: Ecosystem, version: &str) -> String {
    let (_, ty) = (0, ecosystem.purl_type().0);
    let v = version
        .split_once(':')
        .map_or(version, |(e, rest)| if e.bytes().all(|b| b.is_ascii_digit()) { rest } else { version });
    let v = match ty {
        "apk" => v
            .rsplit_once("-r")
            .map_or(v, |(head, tail)| if tail.bytes().all(|b| b.is_ascii_digit()) { head } else { v }),
        _ => v.rsplit_once('-').map_or(v, |(head, _)| head),
    };
    let cut = ["+dfsg", "~dfsg", "+ds", "~ds", ".dfsg", "+really", "+git", "+repack"]
        .iter()
        .filter_map(|m| v.find(m))
        .min();
    cut.map_or(v, |at| &v[..at]).to_owned()
}

/// Everything a component may be called, as surely as `least` or more. `document` is the distribution release the
/// whole document is for.
pub(crate) fn identify(
    c: &Component,
    document: &Option<(Ecosystem, String)>,
    least: Confidence,
) -> Identified {
    let mut it = Identified { names: Vec::new(), ecosystem: None, release: None, qualifiers: Vec::new() };
    let own = |v: &Option<String>| v.clone().filter(|v| !v.trim().is_empty());
    let version = c.purl.as_ref().and_then(|p| own(&p.version)).or_else(|| own(&c.version));
    if let Some(purl) = &c.purl {
        by_purl(purl, &version, document, &mut it);
    }
    for cpe in &c.cpes {
        by_cpe(cpe, &version, &mut it);
    }
    if c.name.is_empty() || matches!(c.kind, ComponentKind::File | ComponentKind::Data) {
        return it;
    }
    by_supplier(c, &version, &mut it);
    if least <= Confidence::Inferred {
        by_guess(c, &version, &mut it);
    }
    it
}

fn by_purl(
    purl: &Purl,
    version: &Option<String>,
    document: &Option<(Ecosystem, String)>,
    it: &mut Identified,
) {
    it.qualifiers = purl.qualifiers.to_vec();
    let exact = |key, version| Identity {
        key,
        from: From::Purl,
        confidence: Confidence::Exact,
        version,
        cpe: None,
        upstream: false,
    };
    // vendors name their products by whole purls (CSAF), of whatever type
    it.names.push(exact(key::other_purl(purl), version.clone()));
    let Some((eco, name)) = of_purl(purl) else { return };
    it.ecosystem = Some(eco);
    let mut version = version.clone();
    if eco == Ecosystem::RubyGems {
        version = version.map(|v| without_platform(&v, purl.qualifier("platform")));
    }
    if !eco.is_distribution() {
        it.names.push(exact(key::package(eco, &name), version));
        return;
    }
    let told = purl.qualifier("distro").map(|d| release_of(eco, d)).filter(|r| !r.is_empty());
    let mark = version.as_deref().and_then(|v| release_mark(eco, v));
    let whole = document.as_ref().filter(|(e, _)| *e == eco).map(|(_, r)| r.clone());
    it.release = told.or(whole).or(mark);
    let source = source_package(purl);
    // the name of a source rpm has no epoch; it is that of the packages made of it
    let with_epoch = |v: String| match purl.qualifier("epoch").filter(|_| purl.ty == "rpm") {
        Some(epoch) if !v.contains(':') => format!("{epoch}:{v}"),
        _ => v,
    };
    // rpm advisories speak of binary packages too; deb and apk advisories of source packages alone
    if source.is_none() || purl.ty == "rpm" {
        it.names.push(exact(key::package(eco, &name), version.clone().map(with_epoch)));
    }
    if let Some((source, told)) = source
        && (source != name || purl.ty != "rpm")
    {
        it.names.push(exact(key::package(eco, &source), told.or(version).map(with_epoch)));
    }
}

/// A gem's version without the platform it was built for: `1.13.6-x86_64-linux` is `1.13.6`.
fn without_platform(version: &str, platform: Option<&str>) -> String {
    const PLATFORMS: &[&str] =
        &["-java", "-jruby", "-x86", "-x64", "-arm", "-aarch64", "-universal", "-mswin", "-mingw", "-ruby"];
    if let Some(p) = platform
        && let Some(v) = version.strip_suffix(p).and_then(|v| v.strip_suffix('-'))
    {
        return v.to_owned();
    }
    let cut = PLATFORMS.iter().filter_map(|p| version.find(p)).min();
    cut.map_or(version, |at| &version[..at]).to_owned()
}

fn by_cpe(cpe: &Cpe, version: &Option<String>, it: &mut Identified) {
    let (Some(part), Some(vendor), Some(product)) =
        (key::plain(&cpe.part), key::plain(&cpe.vendor), key::plain(&cpe.product))
    else {
        return; // an unknown vendor or product names nothing
    };
    let own = match &cpe.version {
        CpeValue::Text(v) => Some(joined(v, &cpe.update)),
        _ => version.as_ref().map(|v| match it.ecosystem {
            Some(e) if e.is_distribution() => upstream_version(e, v),
            _ => v.clone(),
        }),
    };
    let upstream = it.ecosystem.is_some_and(Ecosystem::is_distribution);
    let mut add = |key, confidence| {
        it.names.push(Identity {
            key,
            from: From::Cpe,
            confidence,
            version: own.clone(),
            cpe: Some(cpe.clone()),
            upstream,
        });
    };
    let row = CPE_ALIASES.iter().find(|row| row.contains(&(vendor, product)));
    let single = [(vendor, product)];
    for (v, p) in row.map_or(&single[..], |r| r) {
        add(key::cpe(part, v, p), Confidence::Declared);
        add(key::named(v, p), Confidence::Declared);
    }
    add(key::cpe_vendor(part, vendor), Confidence::Declared);
    if (vendor, product) == ("linux", "linux_kernel") {
        add(key::package(Ecosystem::Linux, "Kernel"), Confidence::Declared);
        add(key::named("linux", "linux"), Confidence::Declared);
    }
}

/// A supplier and name that the document states: how a maker names its own product.
fn by_supplier(c: &Component, version: &Option<String>, it: &mut Identified) {
    if let Some(supplier) = c.supplier.as_deref().filter(|_| it.ecosystem.is_none()) {
        it.names.push(Identity {
            key: key::named(supplier, &c.name),
            from: From::Supplier,
            confidence: Confidence::Declared,
            version: version.clone(),
            cpe: None,
            upstream: false,
        });
    }
}

/// Names guessed from name, group and supplier.
fn by_guess(c: &Component, version: &Option<String>, it: &mut Identified) {
    let distribution = it.ecosystem.filter(|e| e.is_distribution());
    let version = match (distribution, version) {
        (Some(e), Some(v)) => Some(upstream_version(e, v)),
        (_, v) => v.clone(),
    };
    let name = match (&c.purl, distribution.and(c.purl.as_ref()).and_then(source_package)) {
        (_, Some((source, _))) => source,
        (Some(p), None) => p.name.clone(),
        (None, None) => c.name.clone(),
    };
    let product = plain_name(&name).replace('_', "-");
    let product = product.as_str();
    let mut guesses: Vec<(String, String)> = Vec::new();
    let mut guess = |vendor: &str, product: &str| {
        let pair = (vendor.to_lowercase(), product.to_lowercase());
        if !vendor.is_empty() && !product.is_empty() && !guesses.contains(&pair) {
            guesses.push(pair);
        }
    };
    let spellings = [product.to_owned(), product.replace('-', "_")];
    for (n, vendor, p) in VENDORS {
        // a language's package is named like a C library too often to be the same
        if *n == product && it.ecosystem.is_none_or(Ecosystem::is_distribution) {
            guess(vendor, p);
        }
    }
    for p in &spellings {
        guess(p, p);
        guess(&format!("{p}_project"), p);
        let space = c.purl.as_ref().and_then(|p| p.namespace.as_deref()).or(c.group.as_deref()).unwrap_or("");
        let last = space.rsplit(['/', '.']).next().unwrap_or("").trim_start_matches('@');
        if distribution.is_none() {
            guess(last, p);
        }
        if let Some(supplier) = c.supplier.as_deref().filter(|_| distribution.is_none()) {
            guess(&plain_name(supplier), p);
        }
    }
    let declared: Vec<(String, String)> = it
        .names
        .iter()
        .filter_map(|n| n.cpe.as_ref())
        .filter_map(|c| Some((key::plain(&c.vendor)?.to_owned(), key::plain(&c.product)?.to_owned())))
        .collect();
    let parts: &[&str] = match c.kind {
        ComponentKind::OperatingSystem | ComponentKind::Firmware => &["o", "a"],
        ComponentKind::Device => &["h"],
        _ if product.starts_with("linux") || product == "kernel" => &["o", "a"],
        _ => &["a"],
    };
    for (vendor, product) in guesses {
        if declared.contains(&(vendor.clone(), product.clone())) {
            continue;
        }
        for part in parts {
            let text = |s: &str| CpeValue::Text(s.to_owned());
            let cpe = Cpe {
                part: text(part),
                vendor: text(&vendor),
                product: text(&product),
                version: version.as_deref().map_or(CpeValue::Any, text),
                ..Cpe::default()
            };
            it.names.push(Identity {
                key: key::cpe(part, &vendor, &product),
                from: From::Guess(vendor.clone(), product.clone()),
                confidence: Confidence::Inferred,
                version: version.clone(),
                cpe: Some(cpe),
                upstream: distribution.is_some(),
            });
        }
        if it.ecosystem.is_none() {
            it.names.push(Identity {
                key: key::named(&vendor, &product),
                from: From::Guess(vendor.clone(), product.clone()),
                confidence: Confidence::Inferred,
                version: version.clone(),
                cpe: None,
                upstream: false,
            });
        }
    }
}

/// The distribution and release a whole document is for: its operating system component, or what most of its
/// packages' purls say.
pub(crate) fn document_release(bom: &Bom) -> Option<(Ecosystem, String)> {
    bom.components.iter().filter(|c| c.kind == ComponentKind::OperatingSystem).find_map(|c| {
        let name = plain_name(&c.name);
        let eco = *ALL
            .iter()
            .find(|e| e.is_distribution() && (e.purl_type().1 == name || plain_name(e.osv_name()) == name))?;
        let release = release_of(eco, c.version.as_deref()?);
        (!release.is_empty()).then_some((eco, release))
    })
}

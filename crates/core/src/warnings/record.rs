//! An early warning as a record of vulnerability intelligence, and what it must say to be one.

use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::ecosystem::{of_purl, release_of};
use tocsin_model::purl::Purl;
use tocsin_model::record::{Affected, Record, RecordState, Source, Target, VersionStatus, Versions};
use tocsin_model::version::Scheme;

use super::types::{NewWarning, SEVERITY_WORDS, TLPS};
use super::{range, rejected};
use crate::error::Result;

/// Characters of a title or name, and of an identifier or a note on versions.
const LINE: usize = 200;
const SHORT: usize = 1_000;
/// Bytes of a summary.
const TEXT: usize = 20_000;
/// Addresses.
const LINKS: usize = 20;

/// What is written, in the form in which it is kept.
///
/// # Errors
/// [`crate::Error::Rejected`]: which field is wrong, and why.
pub(super) fn checked(new: &NewWarning) -> Result<NewWarning> {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut w = NewWarning {
        title: line(&new.title),
        summary: new.summary.replace("\r\n", "\n").trim().to_owned(),
        product: line(&new.product),
        vendor: line(&new.vendor),
        purl: new.purl.trim().to_owned(),
        cpe: new.cpe.trim().to_owned(),
        told: line(&new.told),
        affected: new.affected.replace("\r\n", "\n").trim().to_owned(),
        severity: new.severity.trim().to_lowercase(),
        tlp: new.tlp.trim().to_uppercase(),
        links: new.links.iter().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect(),
    };
    if w.severity.is_empty() {
        w.severity = "unknown".to_owned();
    }
    if w.tlp.is_empty() {
        w.tlp = "AMBER".to_owned();
    }
    for (field, text, most) in [
        ("title", &w.title, LINE),
        ("product", &w.product, LINE),
        ("vendor", &w.vendor, LINE),
        ("purl", &w.purl, SHORT),
        ("cpe", &w.cpe, SHORT),
        ("told", &w.told, SHORT),
        ("affected", &w.affected, SHORT),
    ] {
        if text.chars().count() > most {
            return Err(rejected(field, format!("at most {most} characters")));
        }
    }
    if w.summary.len() > TEXT {
        return Err(rejected("summary", format!("at most {TEXT} bytes")));
    }
    if w.title.is_empty() {
        return Err(rejected("title", "an early warning has a title"));
    }
    if !SEVERITY_WORDS.contains(&w.severity.as_str()) {
        return Err(rejected("severity", format!("one of {}", SEVERITY_WORDS.join(", "))));
    }
    if !TLPS.contains(&w.tlp.as_str()) {
        return Err(rejected("tlp", format!("one of {}", TLPS.join(", "))));
    }
    if w.links.len() > LINKS {
        return Err(rejected("links", format!("at most {LINKS} addresses")));
    }
    let web = |l: &&String| !(l.starts_with("https://") || l.starts_with("http://")) || l.len() > SHORT * 2;
    if let Some(bad) = w.links.iter().find(web) {
        return Err(rejected("links", format!("'{bad}' is no address that begins with https:// or http://")));
    }
    affected(&w)?;
    Ok(w)
}

/// What a warning says is affected.
fn affected(w: &NewWarning) -> Result<Vec<Affected>> {
    let mut targets: Vec<(Target, Scheme)> = Vec::new();
    let mut own_version = None;
    if !w.purl.is_empty() {
        let wrong = |e: String| rejected("purl", format!("no package URL: {e}"));
        let purl = Purl::parse(&w.purl).map_err(|e| wrong(e.to_string()))?;
        let purl = purl.normalised().map_err(|e| wrong(e.to_string()))?;
        own_version = purl.version.clone();
        targets.push(match of_purl(&purl) {
            Some((ecosystem, name)) => {
                let release = purl.qualifier("distro").map(|d| release_of(ecosystem, d)).unwrap_or_default();
                (Target::Package { ecosystem, release, name, qualifiers: Vec::new() }, ecosystem.scheme())
            }
            None => (Target::OtherPurl(Box::new(purl)), Scheme::Generic),
        });
    }
    if !w.cpe.is_empty() {
        let mut cpe = Cpe::parse(&w.cpe).map_err(|e| rejected("cpe", format!("no CPE name: {e}")))?;
        if [&cpe.part, &cpe.vendor, &cpe.product].iter().any(|v| !matches!(v, CpeValue::Text(_))) {
            return Err(rejected("cpe", "a CPE name here tells part, vendor and product"));
        }
        if let CpeValue::Text(v) = &cpe.version {
            own_version = own_version.or_else(|| Some(v.clone()));
        }
        (cpe.version, cpe.update) = (CpeValue::Any, CpeValue::Any);
        targets.push((Target::Cpe(Box::new(cpe)), Scheme::Generic));
    }
    if targets.is_empty() {
        if w.product.is_empty() {
            return Err(rejected("product", "name the component or product, or give its package URL or CPE"));
        }
        let named = |vendor: &str| Target::Named { vendor: vendor.to_owned(), product: w.product.clone() };
        targets.push((named(""), Scheme::Generic));
        if !w.vendor.is_empty() {
            targets.push((named(&w.vendor), Scheme::Generic));
        }
    }
    let text = match (&own_version, w.affected.is_empty()) {
        (Some(version), true) => version,
        _ => &w.affected,
    };
    let one = |(target, scheme): (Target, Scheme)| -> Result<Affected> {
        let entries = range::parse(text, scheme).map_err(|e| rejected("affected", e))?;
        let mut versions = Versions { entries, ..Versions::new(scheme) };
        let open = versions.entries.iter().filter(|e| !e.high_closed && !e.is_exact());
        versions.fixed = open.filter_map(|e| e.high.clone()).collect();
        versions.default = VersionStatus::Unaffected;
        let note = Some(w.told.clone()).filter(|t| !t.is_empty());
        Ok(Affected { target, source: Source::Own, versions, symbols: Vec::new(), note })
    };
    targets.into_iter().map(one).collect()
}

/// The record that a warning is. One that cannot be read any more affects nothing.
pub(super) fn of(name: &str, w: &NewWarning, state: &str, (created, changed): (&str, &str)) -> Record {
    Record {
        id: name.to_owned(),
        state: if state == "withdrawn" { RecordState::Withdrawn } else { RecordState::Published },
        title: w.title.clone(),
        description: w.summary.clone(),
        published: Some(created.to_owned()),
        modified: Some(changed.to_owned()),
        severity_word: Some(w.severity.clone()).filter(|s| s != "unknown"),
        references: w.links.iter().map(|l| ("web".to_owned(), l.clone())).collect(),
        affected: affected(w).unwrap_or_default(),
        ..Record::default()
    }
}

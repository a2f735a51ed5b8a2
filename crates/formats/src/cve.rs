//! CVE Record Format 5.x: the CNA's container and each ADP's are opinions of their own.

use serde::Deserialize;
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::{Ecosystem, of_purl, plain_name};
use tocsin_model::purl::Purl;
use tocsin_model::record::{
    Affected, Record, RecordState, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;

use crate::nvd;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct CveRecord {
    cve_metadata: Metadata,
    containers: Containers,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    state: String,
    date_published: Option<String>,
    date_updated: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Containers {
    cna: Container,
    adp: Vec<Container>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    title: String,
    provider_metadata: Provider,
    descriptions: Vec<Description>,
    affected: Vec<Product>,
    metrics: Vec<serde_json::Value>,
    problem_types: Vec<ProblemType>,
    references: Vec<Reference>,
    tags: Vec<String>,
    cpe_applicability: Vec<nvd::Config>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Provider {
    short_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Description {
    lang: String,
    value: String,
    cwe_id: String,
    description: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ProblemType {
    descriptions: Vec<Description>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference {
    url: String,
    tags: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Product {
    vendor: String,
    product: String,
    #[serde(rename = "packageURL")]
    package_url: String,
    #[serde(rename = "collectionURL")]
    collection_url: String,
    package_name: String,
    cpes: Vec<String>,
    platforms: Vec<String>,
    default_status: String,
    versions: Vec<Version>,
    program_files: Vec<String>,
    program_routines: Vec<Routine>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Routine {
    name: String,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default, rename_all = "camelCase")]
struct Version {
    version: String,
    status: String,
    version_type: String,
    less_than: Option<String>,
    less_than_or_equal: Option<String>,
    changes: Vec<Change>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Change {
    at: String,
    status: String,
}

/// Parses one record.
///
/// # Errors
/// It is no CVE record or has no id.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let cve: CveRecord = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if cve.cve_metadata.cve_id.is_empty() {
        return Err(bad("the record has no cveMetadata.cveId".to_owned()));
    }
    let mut diagnostics = Vec::new();
    let mut record = Record {
        id: cve.cve_metadata.cve_id,
        published: cve.cve_metadata.date_published,
        modified: cve.cve_metadata.date_updated,
        title: cve.containers.cna.title.clone(),
        description: english(&cve.containers.cna.descriptions),
        ..Record::default()
    };
    if cve.cve_metadata.state.eq_ignore_ascii_case("REJECTED") {
        record.state = RecordState::Rejected;
    } else if cve.containers.cna.tags.iter().any(|t| t == "disputed") {
        record.state = RecordState::Disputed;
    }
    container(cve.containers.cna, Source::Cna, "containers.cna", &mut record, &mut diagnostics);
    for (n, adp) in cve.containers.adp.into_iter().enumerate() {
        container(adp, Source::Adp, &format!("containers.adp[{n}]"), &mut record, &mut diagnostics);
    }
    Ok((vec![record], diagnostics))
}

fn english(list: &[Description]) -> String {
    list.iter()
        .find(|d| d.lang.starts_with("en"))
        .or(list.first())
        .map(|d| d.value.clone())
        .unwrap_or_default()
}

fn container(
    c: Container,
    source: Source,
    path: &str,
    record: &mut Record,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let by = c.provider_metadata.short_name;
    for m in &c.metrics {
        for key in ["cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0"] {
            let vector = m.get(key).and_then(|v| v.get("vectorString")).and_then(|v| v.as_str());
            if let Some(Ok(cvss)) = vector.map(Cvss::parse) {
                record.scores.push(Score { cvss, by: by.clone() });
            }
        }
        if let Some(other) = m.get("other") {
            ssvc(other, record);
        }
    }
    for d in c.problem_types.iter().flat_map(|p| &p.descriptions) {
        let told = if d.cwe_id.is_empty() {
            d.description.split([' ', ':']).next().unwrap_or("")
        } else {
            &d.cwe_id
        };
        if told.starts_with("CWE-") && !record.cwes.iter().any(|c| c == told) {
            record.cwes.push(told.to_owned());
        }
    }
    for r in c.references {
        record.references.push((r.tags.into_iter().next().unwrap_or_default(), r.url));
    }
    for (n, a) in c.cpe_applicability.into_iter().enumerate() {
        let place = format!("{path}.cpeApplicability[{n}]");
        record.configurations.extend(nvd::configuration(a, &place, diagnostics));
    }
    for (n, p) in c.affected.into_iter().enumerate() {
        product(p, source, &format!("{path}.affected[{n}]"), &mut record.affected, diagnostics);
    }
}

/// CISA's ADP tells SSVC decision points and KEV dates in `other`.
fn ssvc(other: &serde_json::Value, record: &mut Record) {
    let content = other.get("content");
    match other.get("type").and_then(|t| t.as_str()) {
        Some("ssvc") => {
            let options = content.and_then(|c| c.get("options")).and_then(|o| o.as_array());
            for (name, value) in options.into_iter().flatten().filter_map(|o| o.as_object()).flatten() {
                if let Some(v) = value.as_str() {
                    record.ssvc.push((name.clone(), v.to_owned()));
                }
            }
        }
        Some("kev") => {
            if let Some(date) = content.and_then(|c| c.get("dateAdded")).and_then(|d| d.as_str()) {
                record.ssvc.push(("KEV".to_owned(), date.to_owned()));
            }
        }
        _ => {}
    }
}

/// The ecosystem whose packages live at a collection's address.
fn collection(url: &str) -> Option<Ecosystem> {
    const HOSTS: &[(&str, Ecosystem)] = &[
        ("npmjs.", Ecosystem::Npm),
        ("pypi.", Ecosystem::Pypi),
        ("python.org", Ecosystem::Pypi),
        ("maven", Ecosystem::Maven),
        ("rubygems.", Ecosystem::RubyGems),
        ("nuget.", Ecosystem::Nuget),
        ("packagist.", Ecosystem::Packagist),
        ("pkg.go.dev", Ecosystem::Go),
        ("proxy.golang", Ecosystem::Go),
        ("hex.pm", Ecosystem::Hex),
        ("pub.dev", Ecosystem::Pub),
        ("hackage.", Ecosystem::Hackage),
        ("cran.", Ecosystem::Cran),
    ];
    let cargo = Ecosystem::Cargo.osv_name();
    if url.contains(cargo) {
        return Some(Ecosystem::Cargo);
    }
    HOSTS.iter().find(|(h, _)| url.contains(h)).map(|(_, e)| *e)
}

fn told(text: &str) -> bool {
    !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "n/a" | "unspecified" | "unknown" | "-")
}

fn product(
    p: Product,
    source: Source,
    path: &str,
    out: &mut Vec<Affected>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut targets = Vec::new();
    let mut eco = None;
    if let Ok(purl) = Purl::parse(&p.package_url) {
        targets.push(match of_purl(&purl) {
            Some((e, name)) => {
                eco = Some(e);
                package(e, &name)
            }
            None => Target::OtherPurl(Box::new(Purl { version: None, ..purl })),
        });
    } else if told(&p.package_name)
        && let Some(e) = collection(&p.collection_url.to_ascii_lowercase())
    {
        eco = Some(e);
        targets.push(package(e, &p.package_name));
    }
    if targets.is_empty() && told(&p.product) {
        let vendor = if told(&p.vendor) { plain_name(&p.vendor) } else { String::new() };
        targets.push(Target::Named { vendor, product: plain_name(&p.product) });
    }
    for (n, text) in p.cpes.iter().enumerate() {
        match Cpe::parse(text) {
            // the versions beside it tell which are meant
            Ok(cpe) => targets.push(Target::Cpe(Box::new(Cpe {
                version: Default::default(),
                update: Default::default(),
                ..cpe
            }))),
            Err(e) => diagnostics.push(Diagnostic::new(
                "cpe-invalid",
                format!("{path}.cpes[{n}]"),
                format!("{}: {e}", excerpt(text)),
            )),
        }
    }
    let kernel = plain_name(&p.vendor) == "linux" && plain_name(&p.product) == "linux";
    let versions = versions(&p, eco, kernel);
    let mut symbols = p.program_files;
    symbols.extend(p.program_routines.into_iter().map(|r| r.name));
    let note = (!p.platforms.is_empty()).then(|| format!("platforms: {}", p.platforms.join(", ")));
    targets.dedup();
    for target in targets {
        out.push(Affected {
            target,
            source,
            versions: versions.clone(),
            symbols: symbols.clone(),
            note: note.clone(),
        });
    }
}

fn package(ecosystem: Ecosystem, name: &str) -> Target {
    Target::Package {
        ecosystem,
        release: String::new(),
        name: ecosystem.normalise_name(name),
        qualifiers: vec![],
    }
}

fn status(text: &str) -> VersionStatus {
    match text.to_ascii_lowercase().as_str() {
        "affected" => VersionStatus::Affected,
        "unaffected" => VersionStatus::Unaffected,
        _ => VersionStatus::Unknown,
    }
}

/// The version statement (CVE schema, `product.versions`): exact entries, ranges, changes inside ranges.
fn versions(p: &Product, eco: Option<Ecosystem>, kernel: bool) -> Versions {
    let kind = p
        .versions
        .iter()
        .map(|v| v.version_type.as_str())
        .find(|t| !t.is_empty() && *t != "git")
        .unwrap_or("");
    let scheme = match (eco, kernel) {
        (Some(e), _) => e.scheme(),
        (None, true) => Scheme::Kernel,
        (None, false) => match kind {
            // vendors call anything semver; the generic order agrees on what is
            "" | "custom" | "semver" => Scheme::Generic,
            other => Scheme::from_name(other).unwrap_or(Scheme::Generic),
        },
    };
    let mut out = Versions::new(scheme);
    out.default = status(&p.default_status);
    for v in &p.versions {
        let ranged = v.less_than.is_some() || v.less_than_or_equal.is_some();
        if v.version_type == "git" {
            out.undecidable = Some("commit ranges need the commit graph".to_owned());
        } else if !ranged && v.changes.is_empty() {
            exact(v, &mut out);
        } else {
            range(v, &mut out);
        }
    }
    // a default that commits alone narrow decides nothing
    if out.undecidable.is_some() && out.entries.is_empty() {
        out.default = VersionStatus::Unknown;
    }
    out
}

fn exact(v: &Version, out: &mut Versions) {
    let text = v.version.trim();
    match text {
        "*" => out.entries.push(VersionEntry::range(None, None, status(&v.status))),
        "" | "-" => {}
        t if !told(t) => {}
        t if t.contains(['<', '>', ',']) || t.contains(" through ") || t.contains(" and ") => {
            prose(t, v, out)
        }
        t => match series(t) {
            Some((low, high)) => {
                out.entries.push(VersionEntry::range(Some(low), Some(high), status(&v.status)))
            }
            None => out.entries.push(VersionEntry::exact(t, status(&v.status))),
        },
    }
}

/// Versions written as a comparison in one text: `< 1.2.3`, `<= 1.2`, `>= 1.0, < 1.2`. Anything else is prose.
fn prose(text: &str, v: &Version, out: &mut Versions) {
    let mut e = VersionEntry::range(None, None, status(&v.status));
    for part in text.split(',').map(str::trim) {
        let (op, version) =
            part.split_at(part.find(|c| !matches!(c, '<' | '>' | '=' | ' ')).unwrap_or(part.len()));
        let version = version.trim();
        let readable = !version.is_empty() && !version.contains(char::is_whitespace);
        match op.trim() {
            "<" if readable => (e.high, e.high_closed) = (Some(version.to_owned()), false),
            "<=" if readable => (e.high, e.high_closed) = (Some(version.to_owned()), true),
            ">" if readable => (e.low, e.low_open) = (Some(version.to_owned()), true),
            ">=" if readable => e.low = Some(version.to_owned()),
            "=" | "==" if readable => e = VersionEntry::exact(version, e.status),
            _ => {
                out.undecidable = Some(format!("versions are told in prose: {}", excerpt(text)));
                return;
            }
        }
    }
    if e.status == VersionStatus::Affected
        && !e.high_closed
        && let Some(high) = &e.high
    {
        out.fixed.push(high.clone());
    }
    out.entries.push(e);
}

/// `5.10.*` is everything from 5.10 to before 5.11.
fn series(text: &str) -> Option<(String, String)> {
    let stem = text.strip_suffix(".*").or_else(|| text.strip_suffix(".x"))?;
    let (head, last) = stem.rsplit_once('.').map_or(("", stem), |(h, l)| (h, l));
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    let high = if head.is_empty() { next.to_string() } else { format!("{head}.{next}") };
    Some((stem.to_owned(), high))
}

fn range(v: &Version, out: &mut Versions) {
    let low = Some(v.version.trim()).filter(|l| told(l) && *l != "0" && *l != "*").map(str::to_owned);
    let (mut high, mut closed) = match (&v.less_than, &v.less_than_or_equal) {
        (Some(h), _) => (Some(h.trim().to_owned()), false),
        (None, Some(h)) => (Some(h.trim().to_owned()), true),
        (None, None) => (None, false),
    };
    high = high.filter(|h| h != "*" && !h.is_empty());
    if let Some((_, next)) = high.as_deref().and_then(series) {
        (high, closed) = (Some(next), false);
    }
    let mut from = low;
    let mut state = status(&v.status);
    for change in v.changes.iter().filter(|c| told(&c.at)) {
        out.entries.push(VersionEntry::range(from.take(), Some(change.at.clone()), state));
        if state == VersionStatus::Affected && status(&change.status) == VersionStatus::Unaffected {
            out.fixed.push(change.at.clone());
        }
        from = Some(change.at.clone());
        state = status(&change.status);
    }
    if state == VersionStatus::Affected
        && !closed
        && let Some(h) = &high
    {
        out.fixed.push(h.clone());
    }
    out.entries.push(VersionEntry { low: from, low_open: false, high, high_closed: closed, status: state });
}

//! OSV records (schema 1.7), JSON or YAML, also those of GHSA, PyPA, Go and the distributions.

use std::borrow::Cow;

use serde::Deserialize;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::purl::Purl;
use tocsin_model::record::{
    Affected, Record, RecordKind, RecordState, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;

type Text<'a> = Cow<'a, str>;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Osv<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    modified: Option<Text<'a>>,
    published: Option<Text<'a>>,
    withdrawn: Option<Text<'a>>,
    aliases: Option<Vec<String>>,
    related: Option<Vec<String>>,
    upstream: Option<Vec<String>>,
    summary: Option<Text<'a>>,
    details: Option<Text<'a>>,
    severity: Option<Vec<Severity>>,
    affected: Option<Vec<Package>>,
    references: Option<Vec<Reference>>,
    database_specific: Option<Specific>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Severity {
    score: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference {
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Specific {
    severity: Option<serde_json::Value>,
    cwe_ids: Option<Vec<String>>,
    cwes: Option<Vec<serde_json::Value>>,
    informational: Option<serde_json::Value>,
    last_known_affected_version_range: Option<String>,
    urgency: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Package {
    package: Option<Name>,
    ranges: Option<Vec<Range>>,
    versions: Option<Vec<String>>,
    severity: Option<Vec<Severity>>,
    database_specific: Option<Specific>,
    ecosystem_specific: Option<serde_json::Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Name {
    ecosystem: String,
    name: String,
    purl: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<Event>,
    database_specific: Option<Specific>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// Parses one record.
///
/// # Errors
/// The record has no id, or is not valid JSON or YAML.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let text = std::str::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
    let osv: Osv<'_> = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| bad(e.to_string()))?
    } else {
        serde_saphyr::from_str(text).map_err(|e| bad(e.to_string()))?
    };
    if osv.id.trim().is_empty() {
        return Err(bad("the record has no id".to_owned()));
    }
    Ok(build(osv))
}

fn build(osv: Osv<'_>) -> (Vec<Record>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let owned = |t: Option<Text<'_>>| t.map(Cow::into_owned);
    let mut record = Record {
        id: osv.id.trim().to_owned(),
        aliases: osv.aliases.unwrap_or_default(),
        related: osv.related.unwrap_or_default(),
        upstream: osv.upstream.unwrap_or_default(),
        title: owned(osv.summary).unwrap_or_default(),
        description: owned(osv.details).unwrap_or_default(),
        published: owned(osv.published),
        modified: owned(osv.modified),
        references: osv.references.unwrap_or_default().into_iter().map(|r| (r.kind, r.url)).collect(),
        ..Record::default()
    };
    if osv.withdrawn.is_some() {
        record.state = RecordState::Withdrawn;
    }
    let word = |s: &Option<Specific>| {
        s.as_ref().and_then(|s| s.severity.as_ref()).and_then(|v| v.as_str()).map(str::to_owned)
    };
    record.severity_word = word(&osv.database_specific);
    if let Some(s) = &osv.database_specific {
        cwes(s, &mut record.cwes);
        if s.informational.as_ref().is_some_and(|i| !i.is_null()) {
            record.kind = RecordKind::Informational;
        }
    }
    if record.id.starts_with("MAL-") {
        record.kind = RecordKind::Malware;
    }
    let by = record.id.split('-').next().unwrap_or("").to_ascii_lowercase();
    let mut score = |list: Option<Vec<Severity>>| {
        for s in list.unwrap_or_default() {
            if let Ok(cvss) = Cvss::parse(&s.score) {
                let score = Score { cvss, by: by.clone() };
                if !record.scores.contains(&score) {
                    record.scores.push(score);
                }
            }
        }
    };
    score(osv.severity);
    let mut affected = Vec::new();
    for (n, mut p) in osv.affected.unwrap_or_default().into_iter().enumerate() {
        score(p.severity.take());
        if record.severity_word.is_none() {
            record.severity_word = word(&p.database_specific);
        }
        if let Some(s) = &p.database_specific {
            cwes(s, &mut record.cwes);
            if s.informational.as_ref().is_some_and(|i| !i.is_null()) {
                record.kind = RecordKind::Informational;
            }
        }
        match one(&record.id, p) {
            Ok(a) => affected.push(a),
            Err(why) => diagnostics.push(Diagnostic::new("value-ignored", format!("affected[{n}]"), why)),
        }
    }
    record.affected = affected;
    (vec![record], diagnostics)
}

fn cwes(s: &Specific, out: &mut Vec<String>) {
    let objects =
        s.cwes.iter().flatten().filter_map(|v| v.get("cweId").or(Some(v))?.as_str().map(str::to_owned));
    for c in s.cwe_ids.iter().flatten().cloned().chain(objects) {
        if c.starts_with("CWE-") && !out.contains(&c) {
            out.push(c);
        }
    }
}

fn source(id: &str, ecosystem: Option<Ecosystem>) -> Source {
    if id.starts_with("GHSA-") {
        Source::Ghsa
    } else if id.starts_with("RUSTSEC-") {
        Source::RustSec
    } else if ecosystem.is_some_and(Ecosystem::is_distribution) {
        Source::Distribution
    } else {
        Source::Osv
    }
}

fn one(id: &str, p: Package) -> Result<Affected, String> {
    let name = p.package.ok_or("no package is named; commits alone cannot be matched")?;
    let known = Ecosystem::from_osv(&name.ecosystem);
    let purl = name.purl.as_deref().and_then(|p| Purl::parse(p).ok());
    let (target, eco) = match (known, purl) {
        (Some((ecosystem, release)), purl) if !name.name.trim().is_empty() => {
            let mut qualifiers: Vec<(String, String)> = purl
                .map(|p| p.qualifiers.into_iter().filter(|(k, _)| k == "rpmmod").collect())
                .unwrap_or_default();
            qualifiers.sort();
            let name = ecosystem.normalise_name(&name.name);
            (Target::Package { ecosystem, release, name, qualifiers }, Some(ecosystem))
        }
        (_, Some(purl)) => (Target::OtherPurl(Box::new(Purl { version: None, ..purl })), None),
        _ => return Err(format!("unknown ecosystem {}", excerpt(&name.ecosystem))),
    };
    let mut versions = Versions::new(eco.map_or(Scheme::Generic, Ecosystem::scheme));
    for range in p.ranges.unwrap_or_default() {
        let bound = [&range.database_specific, &p.database_specific]
            .into_iter()
            .flatten()
            .find_map(|s| s.last_known_affected_version_range.clone());
        match range.kind.as_str() {
            "GIT" => versions.undecidable = Some("commit ranges need the commit graph".to_owned()),
            _ => intervals(range.events, bound.as_deref(), &mut versions),
        }
    }
    for v in p.versions.unwrap_or_default() {
        versions.entries.push(VersionEntry::exact(v, VersionStatus::Affected));
    }
    let note = [
        p.database_specific.and_then(|s| s.urgency),
        p.ecosystem_specific.as_ref().and_then(|e| e.get("urgency")?.as_str().map(str::to_owned)),
    ]
    .into_iter()
    .flatten()
    .next();
    let symbols = p.ecosystem_specific.as_ref().map(symbols).unwrap_or_default();
    Ok(Affected {
        target,
        source: source(id, eco),
        versions,
        symbols,
        note: note.map(|u| format!("urgency: {u}")),
    })
}

/// Vulnerable functions: Go `imports[].symbols` with their path, RustSec `affects.functions`.
fn symbols(specific: &serde_json::Value) -> Vec<String> {
    let mut out = Vec::new();
    for import in specific.get("imports").and_then(|i| i.as_array()).into_iter().flatten() {
        let path = import.get("path").and_then(|p| p.as_str()).unwrap_or("");
        match import.get("symbols").and_then(|s| s.as_array()) {
            Some(list) => out.extend(list.iter().filter_map(|s| s.as_str()).map(|s| format!("{path}.{s}"))),
            None => out.push(path.to_owned()),
        }
    }
    let functions = specific.get("affects").and_then(|a| a.get("functions")).and_then(|f| f.as_array());
    out.extend(functions.into_iter().flatten().filter_map(|f| f.as_str().map(str::to_owned)));
    out
}

/// Turns a list of events into intervals: sorted by the scheme, `introduced` opens, `fixed` closes before,
/// `last_affected` closes after (OSV schema, "Evaluation"). An unreadable bound keeps its place in the list.
fn intervals(events: Vec<Event>, last_known: Option<&str>, versions: &mut Versions) {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Kind {
        Fixed,
        Introduced,
        Last,
    }
    let mut list: Vec<(Option<Vec<u8>>, Kind, String)> = Vec::new();
    for e in events {
        let told = [(e.introduced, Kind::Introduced), (e.fixed, Kind::Fixed), (e.last_affected, Kind::Last)];
        let limit = e.limit.filter(|l| l != "*").map(|l| (Some(l), Kind::Fixed));
        for (version, kind) in told.into_iter().chain(limit) {
            let Some(v) = version else { continue };
            // "0" is the beginning of time, before every version there is
            let key = if v == "0" { Some(Vec::new()) } else { versions.scheme.key(&v).ok() };
            list.push((key, kind, v));
        }
    }
    if list.iter().all(|(k, ..)| k.is_some()) {
        list.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    }
    let mut open: Option<Option<String>> = None;
    for (_, kind, v) in list {
        match kind {
            Kind::Introduced if open.is_none() => open = Some(Some(v).filter(|v| v != "0")),
            Kind::Introduced => {}
            Kind::Fixed => {
                if let Some(low) = open.take() {
                    if v != "0" {
                        versions.entries.push(VersionEntry::range(
                            low,
                            Some(v.clone()),
                            VersionStatus::Affected,
                        ));
                        versions.fixed.push(v);
                    }
                } else if v != "0" && !versions.fixed.contains(&v) {
                    versions.fixed.push(v);
                }
            }
            Kind::Last => {
                if let Some(low) = open.take() {
                    let mut e = VersionEntry::range(low, Some(v), VersionStatus::Affected);
                    e.high_closed = true;
                    versions.entries.push(e);
                }
            }
        }
    }
    if let Some(low) = open {
        let mut e = VersionEntry::range(low, None, VersionStatus::Affected);
        if let Some(bound) = last_known.map(str::trim) {
            if let Some(v) = bound.strip_prefix("<=") {
                (e.high, e.high_closed) = (Some(v.trim().to_owned()), true);
            } else if let Some(v) = bound.strip_prefix('<') {
                e.high = Some(v.trim().to_owned());
            }
        }
        versions.entries.push(e);
    }
}

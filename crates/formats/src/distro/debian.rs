//! The Debian security tracker's JSON: source package, flaw, release.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::{Ecosystem, release_of};
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::version::Scheme;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Issue {
    description: Option<String>,
    debianbug: Option<u64>,
    releases: BTreeMap<String, Release>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Release {
    status: String,
    fixed_version: Option<String>,
    urgency: Option<String>,
    nodsa: Option<String>,
    nodsa_reason: Option<String>,
}

type Packages = BTreeMap<String, BTreeMap<String, Value>>;

fn load(bytes: &[u8]) -> Result<Packages, Diagnostic> {
    serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("record-invalid", "", e.to_string()))
}

/// The id of a document: `debian/` and the package where there is one alone.
pub fn document_id(bytes: &[u8]) -> Option<String> {
    let packages = load(bytes).ok()?;
    let mut names = packages.keys();
    let first = names.next()?;
    Some(if names.next().is_none() { format!("debian/{first}") } else { "debian".to_owned() })
}

/// Parses packages of the tracker: a record for each flaw of each, whose id is the flaw's (`CVE-…`, or
/// Debian's own `TEMP-…`).
///
/// `resolved` in a version means affected before it, in `0` never affected; `open` means affected, with no fix
/// known; `undetermined` decides nothing. Urgency (`unimportant`, `end-of-life` …) and why there is no
/// advisory are noted, not judged.
///
/// # Errors
/// It is no JSON of this form.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let (mut records, mut diagnostics) = (Vec::new(), Vec::new());
    for (package, issues) in load(bytes)? {
        for (id, value) in issues {
            // anything would pass for a structure whose fields all have defaults
            let value = if value.get("releases").is_some() { value } else { Value::Null };
            let issue: Issue = match serde_json::from_value(value) {
                Ok(issue) => issue,
                Err(e) => {
                    diagnostics.push(Diagnostic::new(
                        "value-ignored",
                        format!("{package}.{id}"),
                        e.to_string(),
                    ));
                    continue;
                }
            };
            let mut affected = Vec::new();
            for (name, told) in issue.releases {
                match statement(&package, &name, told) {
                    Ok(one) => affected.push(one),
                    Err(why) => diagnostics.push(Diagnostic::new(
                        "value-ignored",
                        format!("{package}.{id}.releases.{name}"),
                        why,
                    )),
                }
            }
            let bug = issue.debianbug.map(|n| ("REPORT".to_owned(), format!("https://bugs.debian.org/{n}")));
            records.push(Record {
                id,
                description: issue.description.unwrap_or_default(),
                references: bug.into_iter().collect(),
                affected,
                ..Record::default()
            });
        }
    }
    Ok((records, diagnostics))
}

fn statement(package: &str, codename: &str, told: Release) -> Result<Affected, String> {
    let release = release_of(Ecosystem::Debian, codename);
    if release.is_empty() {
        return Err(format!("no known release of Debian: {}", excerpt(codename)));
    }
    let mut versions = Versions::new(Scheme::Debian);
    let fixed = told.fixed_version.filter(|v| !v.is_empty());
    match (told.status.as_str(), fixed) {
        ("resolved", Some(v)) if v == "0" => {}
        ("resolved", Some(v)) => {
            Scheme::Debian.key(&v).map_err(|e| e.to_string())?;
            versions.entries.push(VersionEntry::range(None, Some(v.clone()), VersionStatus::Affected));
            versions.fixed.push(v);
        }
        ("open", _) => versions.entries.push(VersionEntry::range(None, None, VersionStatus::Affected)),
        (status @ ("undetermined" | "resolved"), _) => {
            versions.default = VersionStatus::Unknown;
            versions.undecidable = Some(format!("status {status} without a version"));
        }
        (other, _) => return Err(format!("no known status: {}", excerpt(other))),
    }
    let mut note: Vec<String> = told
        .urgency
        .map(|u| u.trim_end_matches('*').to_owned())
        .filter(|u| !u.is_empty() && u != "not yet assigned")
        .map(|u| format!("urgency: {u}"))
        .into_iter()
        .collect();
    if told.nodsa.is_some() || told.nodsa_reason.is_some() {
        let why = told.nodsa_reason.filter(|r| !r.is_empty()).or(told.nodsa).unwrap_or_default();
        note.push(format!("no DSA: {why}"));
    }
    Ok(Affected {
        target: Target::Package {
            ecosystem: Ecosystem::Debian,
            release,
            name: package.to_owned(),
            qualifiers: Vec::new(),
        },
        source: Source::Distribution,
        versions,
        symbols: Vec::new(),
        note: (!note.is_empty()).then(|| note.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status() {
        let text = r#"{"openssl":{"CVE-2023-1":{"description":"d","debianbug":1,"releases":{
            "bookworm":{"status":"resolved","fixed_version":"3.0.9-1+deb12u1","urgency":"high**"},
            "bullseye":{"status":"resolved","fixed_version":"0","urgency":"not yet assigned"},
            "trixie":{"status":"open","urgency":"unimportant","nodsa":"Minor issue","nodsa_reason":""},
            "buster":{"status":"undetermined"},
            "sid":{"status":"open","urgency":"end-of-life"},
            "nowhere":{"status":"open"}}},
            "CVE-2023-2":[],
            "TEMP-1":{"releases":{}}}}"#;
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        assert_eq!((records.len(), remarks.len()), (2, 2));
        let of = |release: &str| {
            let named =
                |a: &&Affected| matches!(&a.target, Target::Package { release: r, .. } if r == release);
            records[0].affected.iter().find(named).unwrap()
        };
        assert_eq!(of("12").versions.fixed, ["3.0.9-1+deb12u1"]);
        assert_eq!(of("12").note.as_deref(), Some("urgency: high"));
        assert!(of("11").versions.entries.is_empty() && of("11").versions.undecidable.is_none());
        assert_eq!(of("13").note.as_deref(), Some("urgency: unimportant; no DSA: Minor issue"));
        assert!(of("13").versions.entries[0].high.is_none());
        assert_eq!(of("10").versions.default, VersionStatus::Unknown);
        assert_eq!(of("sid").note.as_deref(), Some("urgency: end-of-life"));
        assert_eq!(document_id(text.as_bytes()).unwrap(), "debian/openssl");
    }
}

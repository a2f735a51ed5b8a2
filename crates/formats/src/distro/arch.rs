//! Arch Linux security tracker, JSON: groups of packages that share flaws (`AVG-…`).

use serde::Deserialize;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::version::Scheme;

#[derive(Deserialize)]
struct Group {
    name: String,
    packages: Vec<String>,
    status: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    fixed: Option<String>,
    #[serde(default)]
    issues: Vec<String>,
    #[serde(default)]
    advisories: Vec<String>,
}

fn load(bytes: &[u8]) -> Result<Group, Diagnostic> {
    serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("record-invalid", "", e.to_string()))
}

/// The id of a group.
pub fn document_id(bytes: &[u8]) -> Option<String> {
    load(bytes).ok().map(|g| g.name)
}

/// Parses one group: a record for each flaw of it, whose id is the flaw's.
///
/// Versions before `fixed` are affected; without it all are, unless the status is `Not affected`. `Unknown`
/// decides nothing.
///
/// # Errors
/// It is no JSON of this form, or its status is none of the tracker's.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let group = load(bytes)?;
    let bad = |path: &str, message: String| Diagnostic::new("record-invalid", path, message);
    let mut versions = Versions::new(Scheme::Alpm);
    match (group.status.as_str(), group.fixed.filter(|v| !v.is_empty())) {
        ("Not affected", _) => {}
        ("Fixed" | "Testing" | "Vulnerable", Some(v)) => {
            Scheme::Alpm.key(&v).map_err(|e| bad("fixed", e.to_string()))?;
            versions.entries.push(VersionEntry::range(None, Some(v.clone()), VersionStatus::Affected));
            versions.fixed.push(v);
        }
        ("Vulnerable" | "Testing", None) => {
            versions.entries.push(VersionEntry::range(None, None, VersionStatus::Affected));
        }
        ("Unknown" | "Fixed", _) => {
            versions.default = VersionStatus::Unknown;
            versions.undecidable = Some(format!("status {} without a version", group.status));
        }
        (other, _) => return Err(bad("status", format!("no known status: {}", excerpt(other)))),
    }
    let affected = |package: &String| Affected {
        target: Target::Package {
            ecosystem: Ecosystem::Arch,
            release: String::new(),
            name: package.clone(),
            qualifiers: Vec::new(),
        },
        source: Source::Distribution,
        versions: versions.clone(),
        symbols: Vec::new(),
        note: None,
    };
    let record = |id: &String| Record {
        id: id.clone(),
        related: std::iter::once(&group.name).chain(&group.advisories).cloned().collect(),
        title: group.kind.clone().unwrap_or_default(),
        severity_word: group.severity.clone(),
        affected: group.packages.iter().map(affected).collect(),
        ..Record::default()
    };
    Ok((group.issues.iter().map(record).collect(), Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status() {
        let of = |status: &str, fixed: &str| {
            let text = format!(
                r#"{{"name":"AVG-1","packages":["curl","libcurl-compat"],"status":"{status}","fixed":{fixed},"issues":["CVE-2016-1","CVE-2016-2"],"advisories":["ASA-1"]}}"#
            );
            parse(text.as_bytes()).map(|(r, _)| r)
        };
        let fixed = of("Fixed", "\"7.50.3-1\"").unwrap();
        assert_eq!((fixed.len(), fixed[0].affected.len()), (2, 2));
        assert_eq!(fixed[1].affected[1].versions.fixed, ["7.50.3-1"]);
        assert_eq!(fixed[0].related, ["AVG-1", "ASA-1"]);
        assert!(of("Vulnerable", "null").unwrap()[0].affected[0].versions.entries[0].high.is_none());
        assert!(of("Not affected", "null").unwrap()[0].affected[0].versions.entries.is_empty());
        assert!(of("Unknown", "null").unwrap()[0].affected[0].versions.undecidable.is_some());
        assert!(of("Gone", "null").is_err());
    }
}

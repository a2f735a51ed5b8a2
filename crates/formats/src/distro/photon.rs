//! Photon OS `cve_data_photonN.json`: an entry for each flaw of each package. The release is the mark of the
//! version (`.ph4`), as the entries do not name it.

use serde::Deserialize;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::version::Scheme;

#[derive(Deserialize)]
struct Entry {
    cve_id: String,
    pkg: String,
    #[serde(default)]
    res_ver: String,
    #[serde(default)]
    aff_ver: String,
}

fn load(bytes: &[u8]) -> Result<Entry, Diagnostic> {
    let entry: Entry =
        serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("record-invalid", "", e.to_string()))?;
    if entry.cve_id.trim().is_empty() || entry.pkg.trim().is_empty() {
        return Err(Diagnostic::new("record-invalid", "cve_id", "no id or no package"));
    }
    Ok(entry)
}

/// `4.0` of `7.86.0-2.ph4`.
fn release(version: &str) -> Option<String> {
    let mark = version.rsplit('.').next()?.strip_prefix("ph")?;
    (!mark.is_empty() && mark.bytes().all(|b| b.is_ascii_digit())).then(|| format!("{mark}.0"))
}

/// The id of an entry: release, package and flaw.
pub fn document_id(bytes: &[u8]) -> Option<String> {
    let e = load(bytes).ok()?;
    let release = release(&e.res_ver).unwrap_or_else(|| "unknown".to_owned());
    Some(format!("photon/{release}/{}/{}", e.pkg, e.cve_id))
}

/// Parses one entry into a record whose id is the flaw's. An entry without a version that holds the fix says
/// nothing of any release and leaves the record without statements.
///
/// # Errors
/// It is no JSON of this form, or has no id or package.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let e = load(bytes)?;
    let mut record = Record { id: e.cve_id.trim().to_owned(), ..Record::default() };
    let told = e.aff_ver.trim();
    let before = told.strip_prefix("all versions before ").and_then(|t| t.strip_suffix(" are vulnerable"));
    let Some(release) = release(&e.res_ver).filter(|_| before == Some(e.res_ver.as_str())) else {
        let message = format!("no range of a release: {}; fixed in {}", excerpt(told), excerpt(&e.res_ver));
        return Ok((vec![record], vec![Diagnostic::new("value-ignored", "aff_ver", message)]));
    };
    let mut versions = Versions::new(Scheme::Rpm);
    versions.entries.push(VersionEntry::range(None, Some(e.res_ver.clone()), VersionStatus::Affected));
    versions.fixed.push(e.res_ver);
    record.affected.push(Affected {
        target: Target::Package {
            ecosystem: Ecosystem::Photon,
            release,
            name: e.pkg.trim().to_owned(),
            qualifiers: Vec::new(),
        },
        source: Source::Distribution,
        versions,
        symbols: Vec::new(),
        note: None,
    });
    Ok((vec![record], Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_versions_mark() {
        let text = br#"{"cve_id":"CVE-2019-3828","pkg":"ansible","cve_score":10,"aff_ver":"all versions before 2.7.6-2.ph3 are vulnerable","res_ver":"2.7.6-2.ph3"}"#;
        let (records, remarks) = parse(text).unwrap();
        assert!(remarks.is_empty());
        let a = &records[0].affected[0];
        assert!(matches!(&a.target, Target::Package { release, .. } if release == "3.0"));
        assert_eq!(a.versions.fixed, ["2.7.6-2.ph3"]);
        assert_eq!(document_id(text).unwrap(), "photon/3.0/ansible/CVE-2019-3828");
        let none = br#"{"cve_id":"CVE-2019-1","pkg":"a","aff_ver":"NA","res_ver":"NA"}"#;
        let (records, remarks) = parse(none).unwrap();
        assert!(records[0].affected.is_empty() && remarks.len() == 1);
        assert!(parse(br#"{"cve_id":"","pkg":"a"}"#).is_err());
    }
}

//! FriendsOfPHP `security-advisories`: YAML advisories of Composer packages.

use std::collections::BTreeMap;

use serde::Deserialize;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::version::Scheme;

use super::{add, fingerprint, prefixed, requirement, yaml};

#[derive(Deserialize)]
struct Advisory {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    cve: Option<String>,
    branches: BTreeMap<String, Branch>,
    reference: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Branch {
    time: Option<String>,
    versions: Vec<String>,
}

/// Parses one advisory: the constraints of a branch must all hold, any branch makes a version vulnerable.
/// Of `dev-…` branches numbers say nothing.
///
/// # Errors
/// It is no YAML of this form, or its reference names no Composer package.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let a: Advisory = yaml(bytes)?;
    let Some(name) = a.reference.trim().strip_prefix("composer://").filter(|n| !n.is_empty()) else {
        return Err(Diagnostic::new("record-invalid", "reference", "it names no Composer package"));
    };
    let mut diagnostics = Vec::new();
    let mut versions = Versions::new(Scheme::Composer);
    // named branches sort before every number; what is told in numbers does not reach them
    versions.entries.push(VersionEntry::range(None, Some("0-dev".to_owned()), VersionStatus::Unknown));
    let mut published: Option<&String> = None;
    for (key, branch) in &a.branches {
        let text = branch.versions.join(", ");
        let entry =
            requirement::composer(branch.versions.iter().map(String::as_str), VersionStatus::Affected);
        let last = branch.versions.iter().find_map(|v| v.trim().strip_prefix('<')).map(str::trim);
        versions.fixed.extend(last.filter(|v| !v.starts_with('=')).map(str::to_owned));
        let entry = entry.filter(|_| !branch.versions.is_empty()).map(|e| [e]);
        add(&mut versions, &mut diagnostics, format!("branches.{key}.versions"), &text, entry);
        published = [published, branch.time.as_ref()].into_iter().flatten().min();
    }
    let title = a.title.unwrap_or_default();
    let link = a.link.unwrap_or_default();
    let cve = prefixed("CVE-", a.cve.as_deref());
    let own = cve.clone().unwrap_or_else(|| fingerprint(&[&link, &title, published.map_or("", |t| t)]));
    let record = Record {
        id: format!("{name}/{own}"),
        aliases: cve.into_iter().collect(),
        title: title.trim().to_owned(),
        published: published.cloned(),
        references: [link].into_iter().filter(|l| !l.is_empty()).map(|l| ("WEB".to_owned(), l)).collect(),
        affected: vec![Affected {
            target: Target::Package {
                ecosystem: Ecosystem::Packagist,
                release: String::new(),
                name: Ecosystem::Packagist.normalise_name(name),
                qualifiers: Vec::new(),
            },
            source: Source::Osv,
            versions,
            symbols: Vec::new(),
            note: None,
        }],
        ..Record::default()
    };
    Ok((vec![record], diagnostics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_with_two_branches() {
        let text = "title: t\nlink: https://example.org/a\ncve: CVE-2019-10910\nbranches:\n    2.7.x:\n        time: 2019-04-17 10:00:00\n        versions: ['>=2.7.0', '<2.7.51']\n    master:\n        time: ~\n        versions: ['>=4.2.0', '<=4.2.6']\nreference: composer://Symfony/proxy-manager-bridge\n";
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        let r = &records[0];
        assert!(remarks.is_empty(), "{remarks:?}");
        assert_eq!(r.id, "Symfony/proxy-manager-bridge/CVE-2019-10910");
        let v = &r.affected[0].versions;
        assert_eq!(v.fixed, ["2.7.51"]);
        assert_eq!(v.entries[1].low.as_deref(), Some("2.7.0-dev"));
        assert_eq!(v.entries[1].high.as_deref(), Some("2.7.51-dev"));
        assert!(v.entries[2].high_closed);
        assert_eq!(r.published.as_deref(), Some("2019-04-17 10:00:00"));
    }

    #[test]
    fn a_branch_that_cannot_be_read_costs_itself() {
        let text =
            "branches:\n  a: {versions: ['<1.0']}\n  b: {versions: ['soon']}\nreference: composer://a/b\n";
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        assert_eq!((records[0].affected[0].versions.entries.len(), remarks.len()), (2, 1));
        assert!(parse(b"branches: {}\nreference: https://a\n").is_err());
    }
}

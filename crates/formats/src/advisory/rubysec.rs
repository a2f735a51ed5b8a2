//! RubySec `ruby-advisory-db`: YAML advisories of gems and of Ruby itself.

use serde::Deserialize;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::ecosystem::{Ecosystem, plain_name};
use tocsin_model::record::{Affected, Record, Source, Target, VersionStatus, Versions};
use tocsin_model::version::Scheme;

use super::{add, fingerprint, prefixed, rating, requirement, yaml};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Advisory {
    gem: Option<String>,
    engine: Option<String>,
    library: Option<String>,
    platform: Option<String>,
    cve: Option<String>,
    ghsa: Option<String>,
    osvdb: Option<String>,
    url: Option<String>,
    title: Option<String>,
    date: Option<String>,
    description: Option<String>,
    cvss_v2: Option<String>,
    cvss_v3: Option<String>,
    cvss_v4: Option<String>,
    patched_versions: Option<Vec<String>>,
    unaffected_versions: Option<Vec<String>>,
    related: Option<Related>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Related {
    cve: Option<Vec<String>>,
    ghsa: Option<Vec<String>>,
    url: Option<Vec<String>>,
}

/// Parses one advisory. As `bundler-audit` has it, a version is vulnerable unless a requirement of
/// `patched_versions` or `unaffected_versions` holds for it.
///
/// # Errors
/// It is no YAML of this form, or names neither gem nor engine nor library.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let a: Advisory = yaml(bytes)?;
    let mut diagnostics = Vec::new();
    let (folder, name, target) = match (&a.gem, a.engine.as_ref().or(a.library.as_ref())) {
        (Some(gem), _) => {
            let target = Target::Package {
                ecosystem: Ecosystem::RubyGems,
                release: String::new(),
                name: Ecosystem::RubyGems.normalise_name(gem),
                qualifiers: Vec::new(),
            };
            ("gems", gem, target)
        }
        (None, Some(name)) => {
            ("rubies", name, Target::Named { vendor: String::new(), product: plain_name(name) })
        }
        (None, None) => {
            return Err(Diagnostic::new(
                "record-invalid",
                "gem",
                "neither gem nor engine nor library is named",
            ));
        }
    };
    let mut versions = Versions::new(Scheme::Gem);
    versions.default = VersionStatus::Affected;
    let lists = [
        ("patched_versions", &a.patched_versions, VersionStatus::Fixed),
        ("unaffected_versions", &a.unaffected_versions, VersionStatus::Unaffected),
    ];
    for (key, list, status) in lists {
        for (n, text) in list.iter().flatten().enumerate() {
            let entry = requirement::gem(text, status);
            if status == VersionStatus::Fixed {
                versions.fixed.extend(entry.as_ref().and_then(|e| e.low.clone()));
            }
            add(&mut versions, &mut diagnostics, format!("{key}[{n}]"), text, entry.map(|e| [e]));
        }
    }
    let aliases: Vec<String> = [
        prefixed("CVE-", a.cve.as_deref()),
        prefixed("GHSA-", a.ghsa.as_deref()),
        prefixed("OSVDB-", a.osvdb.as_deref()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let title = a.title.unwrap_or_default();
    let own = aliases
        .first()
        .cloned()
        .unwrap_or_else(|| fingerprint(&[&title, a.url.as_deref().unwrap_or_default()]));
    let related = a.related.unwrap_or_default();
    let ids = |prefix, list: Option<Vec<String>>| {
        list.into_iter().flatten().filter_map(move |i| prefixed(prefix, Some(&i)))
    };
    let record = Record {
        id: format!("{folder}/{name}/{own}"),
        aliases,
        related: ids("CVE-", related.cve).chain(ids("GHSA-", related.ghsa)).collect(),
        title: title.trim().to_owned(),
        description: a.description.unwrap_or_default().trim().to_owned(),
        published: a.date,
        severity_word: rating(&[("4.0", a.cvss_v4), ("3.1", a.cvss_v3), ("2.0", a.cvss_v2)]),
        references: a
            .url
            .into_iter()
            .chain(related.url.into_iter().flatten())
            .map(|u| ("WEB".to_owned(), u))
            .collect(),
        affected: vec![Affected {
            target,
            source: Source::Osv,
            versions,
            symbols: Vec::new(),
            note: a.platform.map(|p| format!("platform: {p}")),
        }],
        ..Record::default()
    };
    Ok((vec![record], diagnostics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_of_a_gem() {
        let text = "---\ngem: actionpack\nframework: rails\ncve: 2016-0752\nghsa: XRR4-P6FQ-HJG7\nurl: https://example.org/a\ntitle: t\ndate: 2016-01-25\ncvss_v3: 7.5\nunaffected_versions:\n  - \"< 3.0.0\"\npatched_versions:\n  - \"~> 4.2.5, >= 4.2.5.1\"\n  - \">= 5.0.0.beta1.1\"\nrelated:\n  cve:\n    - 2016-0751\n";
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        let r = &records[0];
        assert!(remarks.is_empty());
        assert_eq!(r.id, "gems/actionpack/CVE-2016-0752");
        assert_eq!(r.aliases, ["CVE-2016-0752", "GHSA-xrr4-p6fq-hjg7"]);
        assert_eq!(r.related, ["CVE-2016-0751"]);
        assert_eq!(r.severity_word.as_deref(), Some("high"));
        let v = &r.affected[0].versions;
        assert_eq!((v.default, v.entries.len()), (VersionStatus::Affected, 3));
        assert_eq!(v.fixed, ["4.2.5.1", "5.0.0.beta1.1"]);
        assert_eq!(v.entries[2].status, VersionStatus::Unaffected);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_gives_no_verdict() {
        let text = "gem: a\ntitle: t\nurl: u\npatched_versions:\n  - soon\n";
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        assert_eq!(remarks[0].code, "version-undecidable");
        assert_eq!(records[0].affected[0].versions.default, VersionStatus::Unknown);
        assert!(parse(b"title: t\n").is_err() && parse(b"gem: [").is_err());
        let ruby = "engine: ruby\ntitle: t\nurl: u\ncve: 2017-0898\n";
        let target = &parse(ruby.as_bytes()).unwrap().0[0].affected[0].target;
        assert_eq!(*target, Target::Named { vendor: String::new(), product: "ruby".into() });
    }
}

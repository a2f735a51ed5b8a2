//! RustSec advisories as their database keeps them: Markdown whose first block is TOML (advisory format 3).

use std::collections::BTreeMap;

use semver::{Op, VersionReq};
use serde::Deserialize;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{
    Affected, Record, RecordKind, RecordState, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;

#[derive(Deserialize)]
struct Front {
    advisory: Advisory,
    #[serde(default)]
    versions: Requirements,
    #[serde(default)]
    affected: Functions,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    package: String,
    date: Option<String>,
    withdrawn: Option<String>,
    url: Option<String>,
    #[serde(default)]
    references: Vec<String>,
    cvss: Option<String>,
    informational: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    related: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Requirements {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Functions {
    #[serde(default)]
    functions: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    os: Vec<String>,
    #[serde(default)]
    arch: Vec<String>,
}

/// Whether text begins like such an advisory.
pub fn recognise(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    head.starts_with(b"```toml") && head.windows(10).any(|w| w == b"[advisory]")
}

/// Parses one advisory. A version is vulnerable unless a requirement of `patched` or `unaffected` holds for it;
/// requirements are compared by order, pre-releases too, as the database's own OSV export does.
///
/// # Errors
/// There is no TOML block, it lacks the id or the package, or a requirement cannot be read.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let text = std::str::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
    let inside = text.trim_start().strip_prefix("```toml").ok_or_else(|| bad("no TOML block".to_owned()))?;
    let (toml, rest) =
        inside.split_once("\n```").ok_or_else(|| bad("the TOML block does not end".to_owned()))?;
    let front: Front = toml::from_str(toml).map_err(|e| bad(e.to_string()))?;
    let a = front.advisory;
    let rest = rest.trim_start();
    let (title, description) = match rest.strip_prefix("# ") {
        Some(t) => t.split_once('\n').unwrap_or((t, "")),
        None => ("", rest),
    };
    let mut versions = Versions::new(Ecosystem::Cargo.scheme());
    versions.default = VersionStatus::Affected;
    let lists = [
        (&front.versions.patched, VersionStatus::Fixed),
        (&front.versions.unaffected, VersionStatus::Unaffected),
    ];
    for (list, status) in lists {
        for requirement in list {
            let entry = interval(requirement, status)
                .ok_or_else(|| bad(format!("no version requirement: {}", excerpt(requirement))))?;
            if status == VersionStatus::Fixed {
                versions.fixed.extend(entry.low.clone());
            }
            versions.entries.push(entry);
        }
    }
    let limits = [("os", front.affected.os), ("arch", front.affected.arch)];
    let note: Vec<String> =
        limits.iter().filter(|(_, l)| !l.is_empty()).map(|(k, l)| format!("{k}: {}", l.join(", "))).collect();
    let target = Target::Package {
        ecosystem: Ecosystem::Cargo,
        release: String::new(),
        name: a.package,
        qualifiers: Vec::new(),
    };
    let scores = a.cvss.as_deref().and_then(|v| Cvss::parse(v).ok());
    let record = Record {
        state: if a.withdrawn.is_some() { RecordState::Withdrawn } else { RecordState::Published },
        kind: if a.informational.is_some() { RecordKind::Informational } else { RecordKind::Vulnerability },
        id: a.id,
        aliases: a.aliases,
        related: a.related,
        title: title.trim().to_owned(),
        description: description.trim().to_owned(),
        published: a.date.clone(),
        modified: a.withdrawn.or(a.date),
        severity_word: a.informational,
        scores: scores.into_iter().map(|cvss| Score { cvss, by: "rustsec".to_owned() }).collect(),
        references: a.url.into_iter().chain(a.references).map(|u| ("WEB".to_owned(), u)).collect(),
        affected: vec![Affected {
            target,
            source: Source::RustSec,
            versions,
            symbols: front.affected.functions.into_keys().collect(),
            note: (!note.is_empty()).then(|| note.join("; ")),
        }],
        ..Record::default()
    };
    Ok((vec![record], Vec::new()))
}

/// A requirement (`>= 1.2, < 1.4`, `^1.2`, `~0.3.1`, `=1.0.0`, `1.*`) as one interval.
fn interval(requirement: &str, status: VersionStatus) -> Option<VersionEntry> {
    let req = VersionReq::parse(requirement).ok()?;
    let mut e = VersionEntry::range(None, None, status);
    for c in &req.comparators {
        let (major, minor, patch) = (c.major, c.minor.unwrap_or(0), c.patch.unwrap_or(0));
        let pre = if c.pre.is_empty() { String::new() } else { format!("-{}", c.pre) };
        let own = Some(format!("{major}.{minor}.{patch}{pre}"));
        // the first version past what the written parts mean
        let next = |parts: u8| {
            Some(match parts {
                0 => format!("{}.0.0", major.checked_add(1)?),
                1 => format!("{major}.{}.0", minor.checked_add(1)?),
                _ => format!("{major}.{minor}.{}", patch.checked_add(1)?),
            })
        };
        let written = u8::from(c.minor.is_some()) + u8::from(c.patch.is_some());
        match c.op {
            Op::Exact if written == 2 => e = VersionEntry::exact(own?, status),
            Op::Exact | Op::Wildcard => (e.low, e.high) = (own, next(written)),
            Op::Greater if written < 2 => e.low = next(written),
            Op::Greater => (e.low, e.low_open) = (own, true),
            Op::GreaterEq => e.low = own,
            Op::Less => (e.high, e.high_closed) = (own, false),
            Op::LessEq if written < 2 => e.high = next(written),
            Op::LessEq => (e.high, e.high_closed) = (own, true),
            Op::Tilde => (e.low, e.high) = (own, next(written.min(1))),
            // ^ keeps the leftmost part that is not zero
            Op::Caret => {
                let keeps = match (major, minor) {
                    (1.., _) => 0,
                    (0, 1..) => 1,
                    _ => written,
                };
                (e.low, e.high) = (own, next(keeps));
            }
            _ => return None,
        }
    }
    Some(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cargo reference, "Specifying dependencies".
    #[test]
    fn requirements_are_the_intervals_of_the_cargo_reference() {
        let cases = [
            ("^1.2.3", Some("1.2.3"), Some("2.0.0")),
            ("^0.2.3", Some("0.2.3"), Some("0.3.0")),
            ("^0.0.3", Some("0.0.3"), Some("0.0.4")),
            ("^0.0", Some("0.0.0"), Some("0.1.0")),
            ("^0", Some("0.0.0"), Some("1.0.0")),
            ("~1.2.3", Some("1.2.3"), Some("1.3.0")),
            ("~1.2", Some("1.2.0"), Some("1.3.0")),
            ("~1", Some("1.0.0"), Some("2.0.0")),
            ("1.2.*", Some("1.2.0"), Some("1.3.0")),
            (">= 1.2, < 1.4.1", Some("1.2.0"), Some("1.4.1")),
            ("> 1.2", Some("1.3.0"), None),
            ("< 0.5", None, Some("0.5.0")),
        ];
        for (text, low, high) in cases {
            let e = interval(text, VersionStatus::Fixed).unwrap();
            assert_eq!((e.low.as_deref(), e.high.as_deref()), (low, high), "{text}");
        }
        assert!(interval("=1.0.0", VersionStatus::Fixed).unwrap().is_exact());
    }

    #[test]
    fn an_advisory_with_its_title() {
        let text = "```toml\n[advisory]\nid = \"RUSTSEC-2020-0071\"\npackage = \"time\"\ndate = \"2020-11-18\"\n\
            aliases = [\"CVE-2020-26235\"]\n[versions]\npatched = [\">= 0.2.23\"]\nunaffected = [\"=0.2.0\"]\n```\n\n# Title\n\ntext\n";
        assert!(recognise(text.as_bytes()));
        let (records, _) = parse(text.as_bytes()).unwrap();
        let r = &records[0];
        assert_eq!((r.id.as_str(), r.title.as_str(), r.aliases.len()), ("RUSTSEC-2020-0071", "Title", 1));
        assert_eq!(r.affected[0].versions.fixed, ["0.2.23"]);
    }
}

//! Alpine's `secdb` (JSON, formerly YAML), also as Wolfi, Chainguard and MinimOS publish it: for each source
//! package the versions that fixed something.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::{Ecosystem, release_of};
use tocsin_model::record::{Affected, Record, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::version::Scheme;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    distroversion: Option<String>,
    reponame: Option<String>,
    urlprefix: Option<String>,
    // an empty list may be written as an empty object
    packages: Value,
    // one package alone, as lists made from secdb keep it
    name: Option<String>,
    secfixes: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Wrapped {
    pkg: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    secfixes: BTreeMap<String, Value>,
}

/// Marks of the distributions in `urlprefix`.
const HOSTS: &[(&str, Ecosystem)] = &[
    ("wolfi", Ecosystem::Wolfi),
    ("cgr.dev", Ecosystem::Chainguard),
    ("mini.dev", Ecosystem::MinimOs),
    ("alpinelinux", Ecosystem::Alpine),
];

impl Document {
    fn load(bytes: &[u8]) -> Result<Document, Diagnostic> {
        let bad = |e: String| Diagnostic::new("record-invalid", "", e);
        let text = std::str::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| bad(e.to_string()))
        } else {
            serde_saphyr::from_str(text).map_err(|e| bad(e.to_string()))
        }
    }

    /// The packages, each or why it is none.
    fn take(&mut self) -> Vec<Result<Package, String>> {
        let list = match std::mem::take(&mut self.packages) {
            Value::Array(list) => list,
            _ => Vec::new(),
        };
        let one = |v| serde_json::from_value::<Wrapped>(v).map(|w| w.pkg).map_err(|e| e.to_string());
        let mut out: Vec<_> = list.into_iter().map(one).collect();
        if let Some(name) = self.name.take() {
            out.push(Ok(Package { name, secfixes: std::mem::take(&mut self.secfixes) }));
        }
        out
    }

    /// Whose packages these are, and of which release.
    fn distribution(&self) -> Option<(Ecosystem, String)> {
        let prefix = self.urlprefix.as_deref().unwrap_or_default();
        let told = match HOSTS.iter().find(|(host, _)| prefix.contains(host)) {
            Some((_, e)) => *e,
            None if prefix.is_empty() => Ecosystem::Alpine,
            // a distribution unknown here must not pass for Alpine
            None => return None,
        };
        if told != Ecosystem::Alpine {
            return Some((told, String::new()));
        }
        let release = release_of(told, self.distroversion.as_deref().unwrap_or_default());
        (!release.is_empty()).then_some((told, release))
    }
}

/// The id of a document: distribution, release, repository, and the package where there is one alone.
pub fn document_id(bytes: &[u8]) -> Option<String> {
    let mut doc = Document::load(bytes).ok()?;
    let (ecosystem, release) = doc.distribution()?;
    let mut id = ecosystem.purl_type().1.to_owned();
    let packages = doc.take();
    let package = match packages.as_slice() {
        [Ok(one)] => one.name.as_str(),
        _ => "",
    };
    for part in [release.as_str(), doc.reponame.as_deref().unwrap_or_default(), package] {
        if !part.is_empty() {
            id.push('/');
            id.push_str(part);
        }
    }
    Some(id)
}

/// Parses one document: a record for each flaw of each package, whose id is the flaw's.
///
/// Versions before the fix are affected; a fix in version `0` says that the package never was (Alpine,
/// "APKBUILD reference", secfixes). Of several fixes of one flaw the last counts.
///
/// # Errors
/// It is no document of this form, or does not tell of which distribution and release it is.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let mut doc = Document::load(bytes)?;
    let Some((ecosystem, release)) = doc.distribution() else {
        return Err(Diagnostic::new("record-invalid", "distroversion", "no known distribution and release"));
    };
    let (mut records, mut diagnostics) = (Vec::new(), Vec::new());
    for (n, pkg) in doc.take().into_iter().enumerate() {
        let pkg = match pkg {
            Ok(pkg) => pkg,
            Err(why) => {
                diagnostics.push(Diagnostic::new("value-ignored", format!("packages[{n}]"), why));
                continue;
            }
        };
        // by flaw: other names of it, and the last version that fixed it
        let mut flaws: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
        for (version, ids) in pkg.secfixes {
            if version != "0" && Scheme::Apk.key(&version).is_err() {
                let place = format!("{}.secfixes", pkg.name);
                let message = format!("no version of a package: {}", excerpt(&version));
                diagnostics.push(Diagnostic::new("version-undecidable", place, message));
            }
            for text in ids.as_array().into_iter().flatten().filter_map(Value::as_str) {
                for (id, aliases) in flaws_of(text) {
                    let (names, fixed) = flaws.entry(id).or_insert_with(|| (Vec::new(), version.clone()));
                    names.extend(aliases);
                    let later = fixed.as_str() == "0"
                        || Scheme::Apk.compare(&version, fixed).is_some_and(|o| o.is_gt());
                    if later {
                        fixed.clone_from(&version);
                    }
                }
            }
        }
        for (id, (aliases, fixed)) in flaws {
            let mut versions = Versions::new(Scheme::Apk);
            if Scheme::Apk.key(&fixed).is_err() {
                versions.default = VersionStatus::Unknown;
                versions.undecidable = Some(format!("fixed in {fixed}"));
            } else if fixed != "0" {
                versions.entries.push(VersionEntry::range(
                    None,
                    Some(fixed.clone()),
                    VersionStatus::Affected,
                ));
                versions.fixed.push(fixed);
            }
            records.push(Record {
                id,
                aliases,
                affected: vec![Affected {
                    target: Target::Package {
                        ecosystem,
                        release: release.clone(),
                        name: pkg.name.clone(),
                        qualifiers: Vec::new(),
                    },
                    source: Source::Distribution,
                    versions,
                    symbols: Vec::new(),
                    note: None,
                }],
                ..Record::default()
            });
        }
    }
    Ok((records, diagnostics))
}

/// The flaws a line names, with other ids of each: `CVE-2020-29479 XSA-353`, `CVE-2017-2616 (+ regression fix)`.
fn flaws_of(text: &str) -> Vec<(String, Vec<String>)> {
    let is_id =
        |w: &&str| w.contains('-') && w.bytes().any(|b| b.is_ascii_digit()) && !w.contains(['(', ')']);
    let words: Vec<&str> =
        text.split([' ', '\t', ',', ';']).map(|w| w.trim_matches([':', '?'])).filter(is_id).collect();
    let cves: Vec<&str> = words.iter().copied().filter(|w| w.starts_with("CVE-")).collect();
    let owned = |w: &&str| (*w).to_owned();
    match cves.as_slice() {
        [one] => vec![(owned(one), words.iter().filter(|w| *w != one).map(owned).collect())],
        [] => {
            words.first().map(|w| (owned(w), words.iter().skip(1).map(owned).collect())).into_iter().collect()
        }
        several => several.iter().map(|c| (owned(c), Vec::new())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_zero_and_several_fixes() {
        let text = r#"{"distroversion":"v3.19","reponame":"main","urlprefix":"https://dl-cdn.alpinelinux.org/alpine","packages":[{"pkg":{"name":"openssl","secfixes":{"0":["CVE-2022-1292","CVE-2020-9"],"3.1.4-r1":["CVE-2023-5678"],"3.1.4-r10":["CVE-2023-5678 XSA-1"],"1.0-r0":["CVE-2020-9"]}}}]}"#;
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        assert!(remarks.is_empty());
        let by = |id: &str| records.iter().find(|r| r.id == id).unwrap();
        assert_eq!(by("CVE-2023-5678").affected[0].versions.fixed, ["3.1.4-r10"]);
        assert_eq!(by("CVE-2023-5678").aliases, ["XSA-1"]);
        assert!(by("CVE-2022-1292").affected[0].versions.entries.is_empty());
        assert_eq!(by("CVE-2020-9").affected[0].versions.fixed, ["1.0-r0"]);
        assert!(matches!(&by("CVE-2020-9").affected[0].target,
            Target::Package { ecosystem: Ecosystem::Alpine, release, name, .. } if release == "3.19" && name == "openssl"));
        assert_eq!(document_id(text.as_bytes()).unwrap(), "alpine/3.19/main/openssl");
    }

    #[test]
    fn others_and_yaml_and_what_cannot_be_read() {
        let wolfi = r#"{"reponame":"os","urlprefix":"https://packages.wolfi.dev","packages":[{"pkg":{"name":"a","secfixes":{"1-r0":["CVE-2022-1 CVE-2022-2"]}}}]}"#;
        let (records, _) = parse(wolfi.as_bytes()).unwrap();
        assert_eq!(records.len(), 2);
        let yaml = "reponame: main\ndistroversion: v3.15\npackages:\n- pkg:\n    name: xz\n    secfixes:\n      5.2.5-r1:\n      - CVE-2022-1271\n      what?:\n      - CVE-2022-2\n";
        let (records, remarks) = parse(yaml.as_bytes()).unwrap();
        assert_eq!((records.len(), remarks.len()), (2, 1));
        assert!(records.iter().any(|r| r.affected[0].versions.undecidable.is_some()));
        assert!(parse(b"{\"packages\":[]}").is_err());
        let other = wolfi.replace("packages.wolfi.dev", "apk.example.org");
        assert!(parse(other.as_bytes()).is_err(), "an unknown distribution is not Alpine");
        let odd = r#"{"distroversion":"edge","packages":[{"pkg":{"name":"a","secfixes":{"1-r0":{},"2-r0":["CVE-2022-1"]}}},{"pkg":[]}]}"#;
        let (records, remarks) = parse(odd.as_bytes()).unwrap();
        assert_eq!((records.len(), remarks.len()), (1, 1));
    }
}

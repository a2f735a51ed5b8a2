//! The Victims database: YAML advisories of Maven artifacts and Python packages.

use serde::Deserialize;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{Affected, Record, Source, Target, VersionStatus, Versions};

use super::{add, prefixed, rating, requirement, yaml};

#[derive(Deserialize)]
struct Advisory {
    cve: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    cvss_v2: Option<String>,
    #[serde(default)]
    cvss_v3: Option<String>,
    #[serde(default)]
    references: Option<Vec<String>>,
    affected: Vec<Package>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Package {
    #[serde(rename = "groupId")]
    group: Option<String>,
    #[serde(rename = "artifactId")]
    artifact: Option<String>,
    name: Option<String>,
    version: Option<Vec<String>>,
    fixedin: Option<Vec<String>>,
    unaffected: Option<Vec<String>>,
}

/// Parses one advisory: what `version` names is vulnerable, except what `fixedin` or `unaffected` names.
///
/// # Errors
/// It is no YAML of this form, or has no CVE.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let a: Advisory = yaml(bytes)?;
    let Some(cve) = prefixed("CVE-", Some(&a.cve)) else {
        return Err(Diagnostic::new("record-invalid", "cve", "no CVE id"));
    };
    let mut diagnostics = Vec::new();
    let mut affected = Vec::new();
    let mut space = "maven";
    for (n, p) in a.affected.iter().enumerate() {
        let (ecosystem, name) = match (&p.group, &p.artifact, &p.name) {
            (Some(g), Some(a), _) => (Ecosystem::Maven, format!("{}:{}", g.trim(), a.trim())),
            (_, _, Some(name)) => (Ecosystem::Pypi, name.clone()),
            _ => {
                let message = "neither group and artifact nor a name";
                diagnostics.push(Diagnostic::new("value-ignored", format!("affected[{n}]"), message));
                continue;
            }
        };
        if ecosystem == Ecosystem::Pypi {
            space = "pypi";
        }
        let mut versions = Versions::new(ecosystem.scheme());
        let lists = [
            ("fixedin", &p.fixedin, VersionStatus::Fixed),
            ("unaffected", &p.unaffected, VersionStatus::Unaffected),
            ("version", &p.version, VersionStatus::Affected),
        ];
        for (key, list, status) in lists {
            for (i, text) in list.iter().flatten().enumerate() {
                let entry = requirement::victims(text, ecosystem.scheme(), status);
                if status == VersionStatus::Fixed {
                    versions.fixed.extend(
                        text.split(',')
                            .next()
                            .map(|v| v.trim_start_matches(['<', '>', '=', ' ']).trim().to_owned()),
                    );
                }
                let place = format!("affected[{n}].{key}[{i}]");
                add(&mut versions, &mut diagnostics, place, text, entry.map(|e| [e]));
            }
        }
        affected.push(Affected {
            target: Target::Package {
                ecosystem,
                release: String::new(),
                name: ecosystem.normalise_name(&name),
                qualifiers: Vec::new(),
            },
            source: Source::Osv,
            versions,
            symbols: Vec::new(),
            note: None,
        });
    }
    let record = Record {
        id: format!("victims/{space}/{cve}"),
        aliases: vec![cve],
        title: a.title.unwrap_or_default().trim().to_owned(),
        description: a.description.unwrap_or_default().trim().to_owned(),
        severity_word: rating(&[("3.1", a.cvss_v3), ("2.0", a.cvss_v2)]),
        references: a
            .references
            .into_iter()
            .flatten()
            .map(|u| ("WEB".to_owned(), u.trim().to_owned()))
            .collect(),
        affected,
        ..Record::default()
    };
    Ok((vec![record], diagnostics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maven_and_python() {
        let text = "cve: 2013-2160\ntitle: \"t\"\ncvss_v2: 7.5\naffected:\n    - groupId: \"org.apache.cxf\"\n      artifactId: \"cxf-api\"\n      version:\n        - \"<=2.5.9,2.5\"\n      fixedin:\n        - \">=2.5.10,2.5\"\n    - name: \"Django\"\n      version: [\"==1.4\"]\n    - artifactId: x\n";
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        let r = &records[0];
        assert_eq!((r.affected.len(), remarks.len()), (2, 1));
        assert_eq!(r.aliases, ["CVE-2013-2160"]);
        assert_eq!(r.affected[0].versions.fixed, ["2.5.10"]);
        assert!(matches!(&r.affected[1].target, Target::Package { name, .. } if name == "django"));
        assert!(parse(b"cve: 1\n").is_err());
    }
}

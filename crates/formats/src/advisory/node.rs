//! Advisories of the Node.js Security Working Group, JSON: of npm packages and of Node.js itself.

use serde_json::Value;
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::{Affected, Record, Score, Source, Target, VersionStatus, Versions};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;

use super::{add, fingerprint, prefixed, requirement};

/// Parses one advisory; with several CVEs it gives a record for each, all of the same ranges.
///
/// Of a package, what `vulnerable_versions` names is vulnerable; of Node.js, what `vulnerable` names and
/// `patched` does not.
///
/// # Errors
/// It is no JSON of this form.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let doc: Value =
        serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("record-invalid", "", e.to_string()))?;
    let text = |key: &str| doc.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let module = text("module_name");
    let mut diagnostics = Vec::new();
    let mut versions = Versions::new(Scheme::Npm);
    let affected =
        [("vulnerable_versions", VersionStatus::Affected), ("patched_versions", VersionStatus::Fixed)];
    let core = [("patched", VersionStatus::Fixed), ("vulnerable", VersionStatus::Affected)];
    let mut told = false;
    for (key, status) in if module.is_some() { affected } else { core } {
        let Some(range) = text(key) else { continue };
        told |= status == VersionStatus::Affected;
        let entries = requirement::npm(range, status);
        if status == VersionStatus::Fixed {
            versions.fixed.extend(entries.iter().flatten().filter_map(|e| e.low.clone()));
        }
        add(&mut versions, &mut diagnostics, key.to_owned(), range, entries);
    }
    if !told {
        return Err(Diagnostic::new("record-invalid", "", "no range of vulnerable versions"));
    }
    let target = match module {
        Some(name) => Target::Package {
            ecosystem: Ecosystem::Npm,
            release: String::new(),
            name: Ecosystem::Npm.normalise_name(name),
            qualifiers: Vec::new(),
        },
        None => {
            let cpe = Cpe::parse("cpe:2.3:a:nodejs:node.js:*:*:*:*:*:*:*:*");
            let cpe = cpe.map_err(|e| Diagnostic::new("record-invalid", "", e.to_string()))?;
            Target::Cpe(Box::new(cpe))
        }
    };
    let strings = |key: &str| -> Vec<String> {
        let list = doc.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let cves: Vec<String> = strings(if module.is_some() { "cves" } else { "cve" })
        .iter()
        .filter_map(|c| prefixed("CVE-", Some(c)))
        .collect();
    let overview = text("overview").or_else(|| text("description")).unwrap_or_default();
    let own = match (doc.get("id").and_then(Value::as_u64), module) {
        (Some(n), Some(_)) => format!("NSWG-ECO-{n}"),
        // they bear no number, and two may speak of one CVE
        _ => {
            let own = [
                overview,
                text("ref").unwrap_or_default(),
                text("vulnerable").unwrap_or_default(),
                text("patched").unwrap_or_default(),
            ];
            let first = cves.first().map_or("core", String::as_str);
            format!("nodejs/{first}/{}", fingerprint(&own))
        }
    };
    let environments = strings("affectedEnvironments");
    let limited = !environments.is_empty() && environments != ["all"];
    let record = Record {
        id: own,
        title: text("title").or_else(|| text("description")).unwrap_or_default().to_owned(),
        description: overview.to_owned(),
        published: text("publish_date").or_else(|| text("created_at")).map(str::to_owned),
        modified: text("updated_at").map(str::to_owned),
        severity_word: text("severity").map(str::to_owned),
        scores: text("cvss_vector")
            .or_else(|| text("cvss"))
            .and_then(|v| Cvss::parse(v).ok())
            .map(|cvss| Score { cvss, by: "nodejs".to_owned() })
            .into_iter()
            .collect(),
        references: text("ref")
            .map(str::to_owned)
            .into_iter()
            .chain(strings("references"))
            .map(|u| ("WEB".to_owned(), u))
            .collect(),
        affected: vec![Affected {
            target,
            source: Source::Osv,
            versions,
            symbols: Vec::new(),
            note: limited.then(|| format!("environments: {}", environments.join(", "))),
        }],
        ..Record::default()
    };
    let several = cves.len() > 1;
    let each = |cve: &String| Record {
        id: if several { format!("{}/{cve}", record.id) } else { record.id.clone() },
        aliases: vec![cve.clone()],
        ..record.clone()
    };
    let records = if cves.is_empty() { vec![record] } else { cves.iter().map(each).collect() };
    Ok((records, diagnostics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_package() {
        let text = r#"{"id":10,"title":"Directory Traversal","module_name":"geddy","publish_date":"2015-07-27","updated_at":"2016-04-20","cves":["CVE-2015-5688"],"vulnerable_versions":"<13.0.8","patched_versions":">=13.0.8","overview":"o","references":["https://example.org"],"cvss_vector":"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"}"#;
        let (records, remarks) = parse(text.as_bytes()).unwrap();
        let r = &records[0];
        assert!(remarks.is_empty());
        assert_eq!((r.id.as_str(), r.aliases.len(), r.scores.len()), ("NSWG-ECO-10", 1, 1));
        assert_eq!(r.affected[0].versions.fixed, ["13.0.8"]);
        assert_eq!(r.affected[0].versions.entries[0].high.as_deref(), Some("13.0.8"));
    }

    #[test]
    fn of_node_itself_patched_comes_before_vulnerable() {
        let text = r#"{"cve":["CVE-2017-1000381","CVE-2017-1"],"vulnerable":"8.x || 4.x","patched":"^8.1.4","description":"d","affectedEnvironments":["windows"],"severity":"high"}"#;
        let (records, _) = parse(text.as_bytes()).unwrap();
        assert_eq!(records.len(), 2);
        let a = &records[0].affected[0];
        assert_eq!(a.versions.entries[0].status, VersionStatus::Fixed);
        assert_eq!(a.note.as_deref(), Some("environments: windows"));
        assert!(parse(b"{}").is_err() && parse(b"[").is_err());
    }
}

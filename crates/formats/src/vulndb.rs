//! Records of Flashpoint's VulnDB, as `/api/v1/vulnerabilities` gives them. The service is paid for and its documentation
//! is for customers: what is read here is what its public clients read, and nothing is made of what is not understood.

use serde::Deserialize;
use serde_json::Value;
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::plain_name;
use tocsin_model::record::{
    Affected, Record, Remediation, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;

/// Products, references and CVEs of one record that are kept, and versions of one product.
const MOST: usize = 5000;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Item {
    vulndb_id: u64,
    title: Option<String>,
    description: Option<String>,
    solution: Option<String>,
    vulndb_published_date: Option<String>,
    disclosure_date: Option<String>,
    vulndb_last_modified: Option<String>,
    ext_references: Option<Vec<Reference>>,
    cvss_metrics: Option<Vec<Value>>,
    cvss_version_three_metrics: Option<Vec<Value>>,
    nvd_additional_information: Option<Vec<Nvd>>,
    classifications: Option<Vec<Classification>>,
    vendors: Option<Vec<OfVendor>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference {
    r#type: Option<String>,
    value: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Nvd {
    cve_id: Option<String>,
    cwe_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Classification {
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OfVendor {
    vendor: Option<Vendor>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Vendor {
    name: Option<String>,
    products: Option<Vec<Product>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Product {
    name: Option<String>,
    versions: Option<Vec<Version>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Version {
    name: Option<String>,
    affected: Option<Value>,
    cpe: Option<Vec<CpeName>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CpeName {
    cpe: Option<String>,
}

/// The id of a record, under which it is kept where it tells of several CVEs.
pub(crate) fn document_id(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        vulndb_id: u64,
    }
    serde_json::from_slice::<Head>(bytes).ok().map(|h| format!("VULNDB-{}", h.vulndb_id))
}

/// Parses one item of an answer: a record for each CVE that it names, or one of its own id.
///
/// # Errors
/// It is none, or has no id.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let item: Item = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if item.vulndb_id == 0 {
        return Err(bad("the item has no vulndb_id".to_owned()));
    }
    let (id, mut remarks) = (format!("VULNDB-{}", item.vulndb_id), Vec::new());
    let mut record = Record {
        title: item.title.unwrap_or_default(),
        description: item.description.unwrap_or_default(),
        published: item.vulndb_published_date.or(item.disclosure_date),
        modified: item.vulndb_last_modified,
        ..Record::default()
    };
    if let Some(details) = item.solution.filter(|s| !s.trim().is_empty()) {
        let category = "mitigation".to_owned();
        record.remediations.push(Remediation { category, details, ..Remediation::default() });
    }
    for (metrics, vector) in [
        (item.cvss_version_three_metrics, three as fn(&Value) -> Option<String>),
        (item.cvss_metrics, two as fn(&Value) -> Option<String>),
    ] {
        for metric in metrics.iter().flatten().take(20) {
            let score = vector(metric).and_then(|v| Cvss::parse(&v).ok());
            let by = metric.get("source").and_then(Value::as_str).unwrap_or("VulnDB");
            match score {
                Some(cvss) => record.scores.push(Score { cvss, by: by.chars().take(200).collect() }),
                None => {
                    let what = "the metrics make no vector";
                    remarks.push(Diagnostic::new("value-ignored", "cvss_metrics", what));
                }
            }
        }
    }
    let mut cves: Vec<String> = Vec::new();
    let mut note = |text: &str| {
        let digits = text.trim().trim_start_matches("CVE-");
        let cve = format!("CVE-{digits}");
        let (year, number) = digits.split_once('-').unwrap_or_default();
        let number_like = |t: &str| !t.is_empty() && t.len() < 20 && t.bytes().all(|b| b.is_ascii_digit());
        if year.len() == 4 && number_like(year) && number_like(number) && !cves.contains(&cve) {
            cves.push(cve);
        }
    };
    for nvd in item.nvd_additional_information.into_iter().flatten().take(MOST) {
        note(nvd.cve_id.as_deref().unwrap_or_default());
        if let Some(cwe) =
            nvd.cwe_id.filter(|c| c.starts_with("CWE-") && c.len() < 20 && !record.cwes.contains(c))
        {
            record.cwes.push(cwe);
        }
    }
    for r in item.ext_references.into_iter().flatten().take(MOST) {
        let value = match r.value {
            Some(Value::String(s)) => s,
            Some(Value::Number(n)) => n.to_string(),
            _ => continue,
        };
        let kind = r.r#type.unwrap_or_default();
        if kind.eq_ignore_ascii_case("CVE ID") {
            note(&value);
        } else if value.starts_with("https://") || value.starts_with("http://") {
            record.references.push((kind, value));
        }
    }
    let exploited = |c: &Classification| c.name.as_deref().is_some_and(|n| n == "exploit_wormified");
    let classes = item.classifications.unwrap_or_default();
    if classes.iter().any(exploited) {
        record.ssvc.push(("Exploitation".to_owned(), "active".to_owned()));
    } else if classes.iter().any(|c| c.name.as_deref() == Some("exploit_public")) {
        record.ssvc.push(("Exploitation".to_owned(), "poc".to_owned()));
    }
    record.affected = affected(item.vendors.unwrap_or_default(), &mut remarks);
    Ok((flaws(record, id, &cves), remarks))
}

fn flaws(record: Record, id: String, cves: &[String]) -> Vec<Record> {
    match cves {
        [] => vec![Record { id, ..record }],
        [one] => vec![Record { id: one.clone(), aliases: vec![id], ..record }],
        several => several
            .iter()
            .map(|cve| Record { id: cve.clone(), related: vec![id.clone()], ..record.clone() })
            .collect(),
    }
}

/// Letters of a vector from metrics written as words; `None`: one is missing.
fn letters(metric: &Value, names: &[(&str, &str, usize)]) -> Option<String> {
    let mut out = Vec::new();
    for (letter, name, take) in names {
        let word = metric.get(name)?.as_str()?;
        let word: String = word.chars().filter(char::is_ascii_alphabetic).take(*take).collect();
        out.push(format!("{letter}:{}", word.to_ascii_uppercase()));
    }
    Some(out.join("/"))
}

fn three(metric: &Value) -> Option<String> {
    let names = [
        ("AV", "attack_vector", 1),
        ("AC", "attack_complexity", 1),
        ("PR", "privileges_required", 1),
        ("UI", "user_interaction", 1),
        ("S", "scope", 1),
        ("C", "confidentiality_impact", 1),
        ("I", "integrity_impact", 1),
        ("A", "availability_impact", 1),
    ];
    Some(format!("CVSS:3.0/{}", letters(metric, &names)?))
}

fn two(metric: &Value) -> Option<String> {
    let names = [
        ("AV", "access_vector", 1),
        ("AC", "access_complexity", 1),
        ("Au", "authentication", 1),
        ("C", "confidentiality_impact", 1),
        ("I", "integrity_impact", 1),
        ("A", "availability_impact", 1),
    ];
    letters(metric, &names)
}

fn affected(vendors: Vec<OfVendor>, remarks: &mut Vec<Diagnostic>) -> Vec<Affected> {
    let mut all = Vec::new();
    for vendor in vendors.into_iter().filter_map(|v| v.vendor).take(MOST) {
        let by = plain_name(vendor.name.as_deref().unwrap_or_default());
        for product in vendor.products.into_iter().flatten().take(MOST) {
            let Some(name) = product.name.filter(|n| !n.trim().is_empty()) else { continue };
            let mut versions = Versions::new(Scheme::Generic);
            versions.default = VersionStatus::Unknown;
            let mut target = Target::Named { vendor: by.clone(), product: plain_name(&name) };
            for v in product.versions.into_iter().flatten().take(MOST) {
                if let (Target::Named { .. }, Some(text)) =
                    (&target, v.cpe.into_iter().flatten().find_map(|c| c.cpe))
                {
                    match Cpe::parse(&text) {
                        Ok(cpe) => {
                            target = Target::Cpe(Box::new(Cpe {
                                version: Default::default(),
                                update: Default::default(),
                                ..cpe
                            }))
                        }
                        Err(e) => {
                            let what = format!("{}: {e}", excerpt(&text));
                            remarks.push(Diagnostic::new(
                                "cpe-invalid",
                                "vendors.products.versions.cpe",
                                what,
                            ));
                        }
                    }
                }
                version(v.name.as_deref().unwrap_or_default(), v.affected.as_ref(), &mut versions);
            }
            if versions.entries.is_empty() {
                versions.undecidable.get_or_insert_with(|| "no versions are told".to_owned());
            }
            all.push(Affected { target, source: Source::VulnDb, versions, symbols: Vec::new(), note: None });
        }
    }
    remarks.truncate(100);
    all.truncate(MOST);
    all
}

fn version(name: &str, affected: Option<&Value>, out: &mut Versions) {
    let status = match affected {
        Some(Value::Bool(true)) => VersionStatus::Affected,
        Some(Value::Bool(false)) => VersionStatus::Unaffected,
        Some(Value::String(s)) if s == "true" => VersionStatus::Affected,
        Some(Value::String(s)) if s == "false" => VersionStatus::Unaffected,
        _ => VersionStatus::Unknown,
    };
    let name = name.trim();
    let plain = name.starts_with(|c: char| c.is_ascii_digit())
        && !name.contains(char::is_whitespace)
        && !name.split('.').any(|p| matches!(p, "x" | "X" | "*"));
    if plain {
        out.entries.push(VersionEntry::exact(name, status));
    } else if status == VersionStatus::Affected {
        out.undecidable.get_or_insert(format!("versions are told in prose: {}", excerpt(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_gives_cves_scores_and_versions() {
        let item = br#"{"vulndb_id":12345,"title":"Pump Overflow","description":"A flaw.","solution":"Update to 1.2.",
          "vulndb_published_date":"2025-01-02T03:04:05Z","vulndb_last_modified":"2025-01-03T03:04:05Z",
          "ext_references":[{"type":"CVE ID","value":"2025-0001"},{"type":"Vendor URL","value":"https://maker.example"},
            {"type":"Bugtraq ID","value":7}],
          "classifications":[{"name":"exploit_public"}],
          "nvd_additional_information":[{"cve_id":"CVE-2025-0001","cwe_id":"CWE-787"}],
          "cvss_metrics":[{"access_vector":"NETWORK","access_complexity":"LOW","authentication":"NONE",
            "confidentiality_impact":"PARTIAL","integrity_impact":"NONE","availability_impact":"NONE","source":"nvd"}],
          "cvss_version_three_metrics":[{"attack_vector":"ADJACENT_NETWORK","attack_complexity":"LOW","privileges_required":"NONE",
            "user_interaction":"REQUIRED","scope":"UNCHANGED","confidentiality_impact":"HIGH","integrity_impact":"NONE",
            "availability_impact":"NONE"},{}],
          "vendors":[{"vendor":{"name":"Maker GmbH","products":[{"name":"Pump","versions":[
            {"name":"1.0","affected":"true","cpe":[{"cpe":"cpe:2.3:a:maker:pump:1.0:*:*:*:*:*:*:*"}]},
            {"name":"1.2","affected":"false"},{"name":"All","affected":true}]},{"name":"Valve"}]}}]}"#;
        let (records, remarks) = parse(item).unwrap();
        assert_eq!(remarks.len(), 1, "{remarks:?}");
        let r = &records[0];
        assert_eq!(
            (r.id.as_str(), r.aliases.as_slice()),
            ("CVE-2025-0001", &["VULNDB-12345".to_owned()][..])
        );
        let vectors: Vec<&str> = r.scores.iter().map(|s| s.cvss.vector.as_str()).collect();
        assert_eq!(vectors, ["CVSS:3.0/AV:A/AC:L/PR:N/UI:R/S:U/C:H/I:N/A:N", "AV:N/AC:L/Au:N/C:P/I:N/A:N"]);
        assert_eq!((r.cwes.len(), r.references.len(), r.ssvc[0].1.as_str()), (1, 1, "poc"));
        assert!(matches!(r.affected[0].target, Target::Cpe(_)));
        let v = &r.affected[0].versions;
        assert_eq!((v.entries.len(), v.undecidable.is_some(), r.affected.len()), (2, true, 2));
        assert_eq!(document_id(item).as_deref(), Some("VULNDB-12345"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in ["{}", r#"{"vulndb_id":"x"}"#, r#"{"vulndb_id":0}"#, "[]", ""] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(parse(br#"{"vulndb_id":7}"#).unwrap().0[0].id, "VULNDB-7");
        let two = br#"{"vulndb_id":7,"ext_references":[{"type":"CVE ID","value":"2025-0001"},{"type":"CVE ID","value":"2025-0002"}]}"#;
        assert_eq!(parse(two).unwrap().0.len(), 2);
    }
}

//! The demo's vulnerabilities in the forms in which intelligence comes: OSV, NVD, KEV and EPSS.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bom;
use crate::maker::Flaw;

/// When the demo's records say they were written.
const WRITTEN: &str = "2025-11-01T00:00:00";

/// Writes the files into a folder.
///
/// # Errors
/// A row does not make sense, or a file cannot be written.
pub fn write(folder: &Path, flaws: &[Flaw]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let (mut osv, mut nvd) = (String::new(), Vec::new());
    let mut by_id: BTreeMap<&str, Vec<&Flaw>> = BTreeMap::new();
    for flaw in flaws {
        by_id.entry(&flaw.id).or_default().push(flaw);
    }
    for (id, rows) in &by_id {
        let (names, packages): (Vec<&Flaw>, Vec<&Flaw>) =
            rows.iter().partition(|f| f.package.starts_with("cpe:"));
        if !packages.is_empty() {
            osv.push_str(&osv_record(id, &packages)?.to_string());
            osv.push('\n');
        }
        if !names.is_empty() {
            nvd.push(json!({"cve": nvd_record(id, &names)?}));
        }
    }
    fs::write(folder.join("osv.jsonl"), osv)?;
    let total = nvd.len();
    let nvd = json!({"resultsPerPage": total, "startIndex": 0, "totalResults": total, "format": "NVD_CVE",
        "version": "2.0", "timestamp": format!("{WRITTEN}.000"), "vulnerabilities": nvd});
    fs::write(folder.join("nvd.json"), nvd.to_string())?;
    fs::write(folder.join("kev.json"), kev(&by_id).to_string())?;
    fs::write(folder.join("epss.csv"), epss(&by_id))?;
    Ok(())
}

/// The bounds of a range: operator and version.
fn bounds(range: &str) -> Result<Vec<(&str, &str)>> {
    range
        .split_whitespace()
        .map(|word| {
            let at = word.find(|c: char| !"<>=".contains(c)).context("a bound without version")?;
            let (operator, version) = word.split_at(at);
            Ok((operator, version))
        })
        .collect()
}

fn ranges(flaw: &Flaw) -> impl Iterator<Item = &str> {
    flaw.ranges.split(',').map(str::trim).filter(|r| !r.is_empty())
}

fn osv_record(id: &str, rows: &[&Flaw]) -> Result<Value> {
    let mut affected = Vec::new();
    for row in rows {
        let (kind, name) = row.package.split_once(':').context("a package is ecosystem:name")?;
        let ecosystem = match kind {
            "npm" => "npm",
            "maven" => "Maven",
            "pypi" => "PyPI",
            "golang" => "Go",
            "cargo" => "crates.io",
            _ => bail!("{id}: unknown ecosystem {kind}"),
        };
        let (mut list, mut versions) = (Vec::new(), Vec::new());
        for range in ranges(row) {
            let mut events = Vec::new();
            for (operator, version) in bounds(range)? {
                match operator {
                    ">=" => events.push(json!({"introduced": version})),
                    "<" => events.push(json!({"fixed": version})),
                    "<=" => events.push(json!({"last_affected": version})),
                    "=" => versions.push(version),
                    _ => bail!("{id}: OSV has no bound {operator}{version}"),
                }
            }
            if events.first().is_some_and(|e| e.get("introduced").is_none()) {
                events.insert(0, json!({"introduced": "0"}));
            }
            if !events.is_empty() {
                list.push(
                    json!({"type": if kind == "cargo" || kind == "golang" { "SEMVER" } else { "ECOSYSTEM" },
                    "events": events}),
                );
            }
        }
        // OSV writes Go's versions without the v
        let list: Vec<Value> = if kind == "golang" {
            serde_json::from_str(&serde_json::to_string(&list)?.replace(":\"v", ":\""))?
        } else {
            list
        };
        affected.push(
            json!({"package": {"ecosystem": ecosystem, "name": name}, "ranges": list, "versions": versions}),
        );
    }
    let first = rows.first().context("a record without package")?;
    let own = if first.alias.is_empty() { id } else { first.alias.as_str() };
    let aliases: Vec<&str> = if own == id { Vec::new() } else { vec![id] };
    let severity: Vec<Value> = (!first.cvss.is_empty())
        .then(|| json!({"type": "CVSS_V3", "score": format!("CVSS:3.1/{}", first.cvss)}))
        .into_iter()
        .collect();
    let cwes: Vec<String> =
        (!first.cwe.is_empty()).then(|| format!("CWE-{}", first.cwe)).into_iter().collect();
    Ok(json!({"schema_version": "1.6.0", "id": own, "modified": format!("{WRITTEN}Z"), "aliases": aliases,
        "summary": first.title, "severity": severity, "affected": affected,
        "database_specific": {"cwe_ids": cwes}}))
}

fn nvd_record(id: &str, rows: &[&Flaw]) -> Result<Value> {
    let mut matches = Vec::new();
    for row in rows {
        let pair = row.package.trim_start_matches("cpe:");
        for range in ranges(row) {
            let mut m = json!({"vulnerable": true, "criteria": bom::cpe(pair, "*")});
            for (operator, version) in bounds(range)? {
                let key = match operator {
                    ">=" => "versionStartIncluding",
                    ">" => "versionStartExcluding",
                    "<" => "versionEndExcluding",
                    "<=" => "versionEndIncluding",
                    _ => bail!("{id}: NVD has no bound {operator}{version}"),
                };
                m[key] = version.into();
            }
            matches.push(m);
        }
    }
    let first = rows.first().context("a record without product")?;
    let mut cve = json!({"id": id, "sourceIdentifier": "demo@tocsin.example", "published": format!("{WRITTEN}.000"),
        "lastModified": format!("{WRITTEN}.000"), "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "en", "value": first.title}],
        "configurations": [{"nodes": [{"operator": "OR", "negate": false, "cpeMatch": matches}]}]});
    if !first.cvss.is_empty() {
        // the reader takes scores from vectors; NVD's form wants a number as well
        cve["metrics"] = json!({"cvssMetricV31": [{"source": "demo@tocsin.example", "type": "Primary",
            "cvssData": {"version": "3.1", "vectorString": format!("CVSS:3.1/{}", first.cvss)}}]});
    }
    if !first.cwe.is_empty() {
        cve["weaknesses"] = json!([{"source": "demo@tocsin.example", "type": "Primary",
            "description": [{"lang": "en", "value": format!("CWE-{}", first.cwe)}]}]);
    }
    Ok(cve)
}

fn kev(by_id: &BTreeMap<&str, Vec<&Flaw>>) -> Value {
    let list: Vec<Value> = by_id
        .values()
        .filter_map(|rows| rows.first())
        .filter(|f| !f.kev.is_empty())
        .map(|f| {
            let product = f.package.rsplit(':').next().unwrap_or_default();
            json!({"cveID": f.id, "vendorProject": product, "product": product, "vulnerabilityName": f.title,
                "dateAdded": f.kev, "shortDescription": f.title, "requiredAction": "Update.", "dueDate": f.kev,
                "knownRansomwareCampaignUse": "Unknown", "notes": "", "cwes": []})
        })
        .collect();
    json!({"title": "Demo catalogue of exploited vulnerabilities", "catalogVersion": "2025.11.01",
        "dateReleased": format!("{WRITTEN}.0000Z"), "count": list.len(), "vulnerabilities": list})
}

fn epss(by_id: &BTreeMap<&str, Vec<&Flaw>>) -> String {
    let mut text = format!("#model_version:v2025.03.14,score_date:{WRITTEN}+0000\ncve,epss,percentile\n");
    for f in by_id.values().filter_map(|rows| rows.first()).filter(|f| !f.epss.is_empty()) {
        text.push_str(&format!("{},{},{}\n", f.id, f.epss, f.percentile));
    }
    text
}

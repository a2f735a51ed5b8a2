//! Records of ENISA's European Union Vulnerability Database, as `/api/search` gives them (https://euvd.enisa.europa.eu/apidoc).
//!
//! Names of vendors and products stand in two lists that say nothing of which belongs to which, and versions are prose that
//! is often a comparison: what cannot be read as one stays undecidable.

use serde::Deserialize;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::plain_name;
use tocsin_model::record::{
    Affected, Record, RecordState, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;

/// Products and references of one record that are kept.
const MOST: usize = 5000;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Item {
    id: String,
    description: Option<String>,
    date_published: Option<String>,
    date_updated: Option<String>,
    base_score_vector: Option<String>,
    references: Option<String>,
    aliases: Option<String>,
    assigner: Option<String>,
    epss: Option<serde_json::Value>,
    exploited_since: Option<String>,
    enisa_id_product: Option<Vec<Product>>,
    enisa_id_vendor: Option<Vec<Vendor>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Product {
    product: Option<Name>,
    product_version: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Vendor {
    vendor: Option<Name>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Name {
    name: Option<String>,
}

/// Parses one item of an answer.
///
/// # Errors
/// It is none, or has no EUVD id.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let item: Item = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if !item.id.starts_with("EUVD-") {
        return Err(bad(format!("`{}` is no EUVD id", excerpt(&item.id))));
    }
    let mut remarks = Vec::new();
    let mut time = |text: Option<String>, path: &str| {
        let text = text.filter(|t| !t.trim().is_empty())?;
        let read = instant(&text);
        if read.is_none() {
            let what = format!("`{}` is no time as EUVD writes them", excerpt(&text));
            remarks.push(Diagnostic::new("value-ignored", path, what));
        }
        read
    };
    let published = time(item.date_published, "datePublished");
    let modified = time(item.date_updated, "dateUpdated");
    let exploited = time(item.exploited_since, "exploitedSince");
    let mut record = Record { id: item.id, published, modified, ..Record::default() };
    record.description = item.description.unwrap_or_default().trim().to_owned();
    let start = record.description.as_str();
    if start.starts_with("** REJECT **") || start.starts_with("Rejected reason") {
        record.state = RecordState::Rejected;
    } else if start.starts_with("** DISPUTED **") {
        record.state = RecordState::Disputed;
    }
    let others: Vec<String> =
        words(item.aliases.as_deref()).filter(|a| *a != record.id).map(str::to_owned).collect();
    // one entry is one flaw; of one that names several it is not told which it is
    if others.iter().filter(|a| a.starts_with("CVE-")).count() > 1 {
        record.related = others;
    } else {
        record.aliases = others;
    }
    if let Some(vector) = item.base_score_vector.filter(|v| !v.trim().is_empty()) {
        match Cvss::parse(&vector) {
            Ok(cvss) => {
                let by = item.assigner.filter(|a| !a.trim().is_empty()).unwrap_or_else(|| "EUVD".to_owned());
                record.scores.push(Score { cvss, by });
            }
            Err(e) => {
                remarks.push(Diagnostic::new("value-ignored", "baseScoreVector", e.to_string()));
            }
        }
    }
    if let Some(since) = exploited {
        record.ssvc.push(("Exploitation".to_owned(), "active".to_owned()));
        record.ssvc.push(("Exploited since".to_owned(), since.chars().take(10).collect()));
    }
    // a percentage here; FIRST's own file gives the score that counts
    let percent = match item.epss {
        Some(serde_json::Value::Number(n)) => n.as_f64(),
        Some(serde_json::Value::String(s)) => s.trim().parse().ok(),
        _ => None,
    };
    if let Some(percent) = percent.filter(|p: &f64| *p > 0.0 && *p <= 100.0) {
        record.ssvc.push(("EPSS".to_owned(), format!("{percent} %")));
    }
    let links = words(item.references.as_deref()).filter(|r| r.contains("://")).take(MOST);
    record.references = links.map(|url| (String::new(), url.to_owned())).collect();
    let vendors = item.enisa_id_vendor.unwrap_or_default();
    record.affected = affected(item.enisa_id_product.unwrap_or_default(), &vendors);
    Ok((vec![record], remarks))
}

/// Words of a text with one in each line.
fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split_whitespace()
}

fn told(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    !matches!(lower.as_str(), "" | "-" | "n/a" | "na" | "unspecified" | "unknown" | "none" | "*")
}

/// A statement for each product that is named, in the order of the source.
fn affected(products: Vec<Product>, vendors: &[Vendor]) -> Vec<Affected> {
    let mut names = vendors.iter().filter_map(|v| v.vendor.as_ref()?.name.as_deref()).filter(|n| told(n));
    // of several vendors it is not told whose a product is
    let vendor = match (names.next(), names.next()) {
        (Some(one), None) => plain_name(one),
        _ => String::new(),
    };
    let mut all: Vec<Affected> = Vec::new();
    for p in products.into_iter().take(MOST) {
        let Some(name) = p.product.and_then(|p| p.name).filter(|n| told(n)) else { continue };
        let target = Target::Named { vendor: vendor.clone(), product: plain_name(&name) };
        let place = all.iter().position(|a| a.target == target).unwrap_or_else(|| {
            let mut versions = Versions::new(Scheme::Generic);
            versions.default = VersionStatus::Unknown;
            all.push(Affected { target, source: Source::Euvd, versions, symbols: Vec::new(), note: None });
            all.len() - 1
        });
        if let Some(statement) = all.get_mut(place) {
            version(p.product_version.as_deref().unwrap_or_default(), &mut statement.versions);
        }
    }
    all
}

/// Reads `1.2`, `< 1.2`, `1.0 <1.2`, `1.0 ≤ 1.2`, `>= 1.0, < 1.2`; all else is prose.
pub(crate) fn version(text: &str, out: &mut Versions) {
    let text = text.trim();
    if !told(text) {
        out.undecidable.get_or_insert_with(|| "no versions are told".to_owned());
        return;
    }
    match comparison(text) {
        Some(entry) => {
            if let Some(high) = entry.high.as_ref().filter(|_| !entry.high_closed) {
                out.fixed.push(high.clone());
            }
            out.entries.push(entry);
        }
        None => {
            let why = format!("versions are told in prose: {}", excerpt(text));
            out.undecidable.get_or_insert(why);
        }
    }
}

fn comparison(text: &str) -> Option<VersionEntry> {
    let spaced = text.replace('≤', "<=").replace('≥', ">=");
    let mut entry = VersionEntry::range(None, None, VersionStatus::Affected);
    let mut rest = spaced.trim();
    let mut bounds = 0;
    // a version before the first comparison is where the range begins
    let first = rest.find(['<', '>', '=']).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(first);
    let head = head.trim().trim_end_matches(',').trim_end();
    if !head.is_empty() {
        if !is_version(head) {
            return None;
        }
        if tail.is_empty() {
            return Some(VersionEntry::exact(head, VersionStatus::Affected));
        }
        // the beginning of time is written as 0
        entry.low = Some(head.to_owned()).filter(|v| v != "0");
        bounds += 1;
    }
    rest = tail;
    while !rest.is_empty() {
        let end = rest.find(|c| !matches!(c, '<' | '>' | '=')).unwrap_or(rest.len());
        let (op, more) = rest.split_at(end);
        let next = more.find(['<', '>', '=']).unwrap_or(more.len());
        let (version, further) = more.split_at(next);
        let version = version.trim().trim_end_matches(',').trim_end();
        if !is_version(version) || bounds == 2 {
            return None;
        }
        let version = Some(version.to_owned());
        match op {
            "<" if entry.high.is_none() => entry.high = version,
            "<=" if entry.high.is_none() => (entry.high, entry.high_closed) = (version, true),
            ">" if entry.low.is_none() => (entry.low, entry.low_open) = (version, true),
            ">=" if entry.low.is_none() => entry.low = version,
            "=" | "==" if bounds == 0 && further.is_empty() => {
                return Some(VersionEntry::exact(version?, VersionStatus::Affected));
            }
            _ => return None,
        }
        bounds += 1;
        rest = further;
    }
    Some(entry)
}

/// One word that begins like a version and is no name of a product.
fn is_version(word: &str) -> bool {
    let bare = word.strip_prefix(['v', 'V']).unwrap_or(word);
    word.len() <= 100
        && bare.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '~' | ':'))
        // `1.x` is a series, and which it ends with is not told
        && !bare.split('.').any(|p| matches!(p, "x" | "X" | ""))
}

/// A time as EUVD writes it, `Mar 3, 2025, 9:36:55 PM` (UTC), as RFC 3339, so that two of them compare as text.
pub(crate) fn instant(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let text = text.trim();
    // and as most others do
    if text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-') {
        return text.is_ascii().then(|| text.to_owned());
    }
    let words: Vec<&str> =
        text.split(|c: char| c == ',' || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    let [month, day, year, time, half] = words.as_slice() else { return None };
    let month = 1 + MONTHS.iter().position(|m| month.to_ascii_lowercase().starts_with(m))?;
    let (day, year): (u8, u16) = (day.parse().ok()?, year.parse().ok()?);
    let mut parts = time.split(':').map(|p| p.parse::<u8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let noon = match half.to_ascii_uppercase().as_str() {
        "AM" => 0,
        "PM" => 12,
        _ => return None,
    };
    let right = (1..=31).contains(&day)
        && (1900..=9999).contains(&year)
        && (1..=12).contains(&hour)
        && minute < 60
        && second < 61;
    right.then(|| format!("{year}-{month:02}-{day:02}T{:02}:{minute:02}:{second:02}Z", hour % 12 + noon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_gives_ids_score_exploitation_and_products() {
        let (records, remarks) = parse(
            br#"{"id":"EUVD-2025-4893","enisaUuid":"u","description":"A flaw of a pump.","datePublished":"Feb 25, 2025, 1:15:11 AM",
            "dateUpdated":"Mar 3, 2025, 12:36:55 PM","baseScore":7.5,"baseScoreVersion":"3.1","epss":4.35,
            "baseScoreVector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N","references":"https://a.example/1\nhttps://a.example/2\n",
            "aliases":"CVE-2025-1234\nGHSA-aaaa-bbbb-cccc\n","assigner":"maker","exploitedSince":"Apr 1, 2025, 12:00:00 AM",
            "enisaIdProduct":[{"id":"x","product":{"name":"Pump Control"},"product_version":"1.0 <1.2"},
              {"product":{"name":"Pump Control"},"product_version":"2.0 \u22642.5"},{"product":{"name":"n/a"}}],
            "enisaIdVendor":[{"vendor":{"name":"Maker GmbH"}}]}"#,
        )
        .unwrap();
        assert!(remarks.is_empty(), "{remarks:?}");
        let r = &records[0];
        assert_eq!((r.id.as_str(), r.aliases.len(), r.references.len()), ("EUVD-2025-4893", 2, 2));
        assert_eq!(r.published.as_deref(), Some("2025-02-25T01:15:11Z"));
        assert_eq!(r.modified.as_deref(), Some("2025-03-03T12:36:55Z"));
        assert_eq!((r.scores[0].cvss.base_score(), r.scores[0].by.as_str()), (7.5, "maker"));
        let told: Vec<&str> = r.ssvc.iter().map(|s| s.1.as_str()).collect();
        assert_eq!(told, ["active", "2025-04-01", "4.35 %"]);
        assert_eq!(r.affected.len(), 1);
        let want = Target::Named { vendor: "maker_gmbh".to_owned(), product: "pump_control".to_owned() };
        assert_eq!((&r.affected[0].target, r.affected[0].versions.entries.len()), (&want, 2));
        assert_eq!(r.affected[0].versions.fixed, ["1.2"]);
    }

    #[test]
    fn an_entry_of_several_cves_is_none_of_them() {
        let r = parse(br#"{"id":"EUVD-2025-1","aliases":"CVE-2025-1\nCVE-2025-2\n"}"#).unwrap().0;
        assert!(r[0].aliases.is_empty() && r[0].related.len() == 2);
        for bad in ["{}", "[]", r#"{"id":"CVE-2025-1"}"#, r#"{"id":7}"#, ""] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_comparisons_or_undecidable() {
        let read = |text: &str| {
            let mut v = Versions::new(Scheme::Generic);
            version(text, &mut v);
            match v.entries.first() {
                None => format!("? {}", v.undecidable.is_some()),
                Some(e) => {
                    let (open, close) =
                        (if e.low_open { "(" } else { "[" }, if e.high_closed { "]" } else { ")" });
                    let side = |b: &Option<String>| b.clone().unwrap_or_default();
                    format!("{open}{},{}{close}", side(&e.low), side(&e.high))
                }
            }
        };
        for (text, want) in [
            ("1.2.3", "[1.2.3,1.2.3]"),
            ("<3.1.7", "[,3.1.7)"),
            ("< 3.1.7", "[,3.1.7)"),
            ("0 <3.1.7", "[,3.1.7)"),
            ("1.0 ≤1.2", "[1.0,1.2]"),
            ("≤ 7.2.5", "[,7.2.5]"),
            (">= 1.0, < 2.0", "[1.0,2.0)"),
            ("> 1.0 <= 2.0", "(1.0,2.0]"),
            ("= 4", "[4,4]"),
            ("n/a", "? true"),
            ("", "? true"),
            ("Version 3 and prior", "? true"),
            ("3.x", "? true"),
            ("1.0 <2.0 <3.0", "? true"),
            ("1.0 <unspecified", "? true"),
            ("patch: 1.2", "? true"),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, want) in [
            ("Jan 1, 2026, 12:00:00 AM", Some("2026-01-01T00:00:00Z")),
            ("Dec 31, 2025, 11:59:59\u{202f}PM", Some("2025-12-31T23:59:59Z")),
            ("2025-01-02T03:04:05Z", Some("2025-01-02T03:04:05Z")),
            ("yesterday", None),
            ("Foo 1, 2026, 12:00:00 AM", None),
            ("Jan 32, 2026, 12:00:00 AM", None),
        ] {
            assert_eq!(instant(text).as_deref(), want, "{text}");
        }
    }
}

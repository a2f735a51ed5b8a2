//! CSAF 2.0 and 2.1 documents: one record per vulnerability, its products as statements, or VEX statements.

use std::collections::HashMap;

use serde_json::Value;
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::{of_purl, plain_name, release_of};
use tocsin_model::purl::Purl;
use tocsin_model::record::{Affected, Record, Score, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};

/// Deepest nesting of product branches followed; CSAF documents have fewer than ten.
const DEPTH: usize = 60;

/// Product status lists and what they mean (CSAF 2.0 section 3.2.3.9).
const STATUS: &[(&str, VersionStatus, VexStatus)] = &[
    ("fixed", VersionStatus::Fixed, VexStatus::Fixed),
    ("first_fixed", VersionStatus::Fixed, VexStatus::Fixed),
    ("known_affected", VersionStatus::Affected, VexStatus::Affected),
    ("first_affected", VersionStatus::Affected, VexStatus::Affected),
    ("last_affected", VersionStatus::Affected, VexStatus::Affected),
    ("known_not_affected", VersionStatus::Unaffected, VexStatus::NotAffected),
    ("under_investigation", VersionStatus::UnderInvestigation, VexStatus::UnderInvestigation),
];

/// What the product tree tells of one product id.
#[derive(Debug, Clone, Default)]
struct Product {
    name: String,
    vendor: String,
    product: String,
    version: Option<String>,
    range: Option<String>,
    purls: Vec<String>,
    cpes: Vec<String>,
    hashes: Vec<String>,
    /// Product id this one is a component of.
    inside: Option<String>,
}

/// Parses one document into a record per vulnerability.
///
/// # Errors
/// It is no JSON, or no CSAF document.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let doc = load(bytes)?;
    let products = product_tree(&doc);
    let (mut records, mut remarks) = (Vec::new(), Vec::new());
    let head = doc.get("document").unwrap_or(&Value::Null);
    let tracking = head.get("tracking").unwrap_or(&Value::Null);
    let publisher = text(head.get("publisher").unwrap_or(&Value::Null), "name").unwrap_or_default();
    let document = text(tracking, "id").unwrap_or_default();
    for (i, v) in items(&doc, "vulnerabilities").enumerate() {
        let ids = ids(v);
        let mut record = Record {
            id: ids.first().cloned().unwrap_or_else(|| format!("{document}#{i}")),
            aliases: ids.get(1..).unwrap_or_default().to_vec(),
            title: text(v, "title").or_else(|| text(head, "title")).unwrap_or_default(),
            description: items(v, "notes")
                .find(|n| matches!(text(n, "category").as_deref(), Some("description" | "summary")))
                .and_then(|n| text(n, "text"))
                .unwrap_or_default(),
            published: text(v, "release_date").or_else(|| text(tracking, "initial_release_date")),
            modified: text(tracking, "current_release_date"),
            severity_word: head.get("aggregate_severity").and_then(|s| text(s, "text")),
            ..Record::default()
        };
        if !document.is_empty() {
            record.related.push(document.clone());
        }
        // 2.0 has one `cwe`, 2.1 a list `cwes`.
        record.cwes =
            v.get("cwe").into_iter().chain(items(v, "cwes")).filter_map(|c| text(c, "id")).collect();
        for r in items(v, "references").chain(items(head, "references")) {
            if let Some(url) = text(r, "url") {
                record.references.push((text(r, "category").unwrap_or_default(), url));
            }
        }
        // 2.0: `scores[].cvss_v3`; 2.1: `metrics[].content.cvss_v3`.
        let scores = items(v, "scores").chain(items(v, "metrics").filter_map(|m| m.get("content")));
        for vector in scores.flat_map(|s| ["cvss_v2", "cvss_v3", "cvss_v4"].map(|k| s.get(k))).flatten() {
            let Some(vector) = text(vector, "vectorString") else { continue };
            match Cvss::parse(&vector) {
                Ok(cvss) => {
                    let score = Score { cvss, by: publisher.clone() };
                    if !record.scores.contains(&score) {
                        record.scores.push(score);
                    }
                }
                Err(e) => {
                    let message = format!("{e}: {}", excerpt(&vector));
                    remarks.push(Diagnostic::new(
                        "value-ignored",
                        format!("vulnerabilities[{i}].scores"),
                        message,
                    ));
                }
            }
        }
        let notes = flags(v);
        for (list, status, _) in STATUS {
            for id in
                v.get("product_status").into_iter().flat_map(|s| items(s, list)).filter_map(Value::as_str)
            {
                match products.get(id) {
                    Some(p) => record.affected.extend(statements(p, &products, *status, notes.get(id))),
                    None => remarks.push(Diagnostic::new(
                        "ref-unknown",
                        format!("vulnerabilities[{i}].product_status.{list}"),
                        format!("no product `{}`", excerpt(id)),
                    )),
                }
            }
        }
        records.push(record);
    }
    Ok((records, remarks))
}

/// Reads one document as VEX statements, one per vulnerability and status.
///
/// # Errors
/// It is no JSON, or no CSAF document.
pub fn vex(bytes: &[u8]) -> Result<Vec<VexStatement>, Diagnostic> {
    let doc = load(bytes)?;
    let products = product_tree(&doc);
    let head = doc.get("document").unwrap_or(&Value::Null);
    let tracking = head.get("tracking").unwrap_or(&Value::Null);
    let mut out = Vec::new();
    for v in items(&doc, "vulnerabilities") {
        let ids = ids(v);
        let Some(id) = ids.first() else { continue };
        let flags = flags(v);
        for (list, _, status) in STATUS {
            // One statement per justification, as each belongs to its own products.
            let mut groups: Vec<(Option<&String>, Vec<VexProduct>)> = Vec::new();
            for pid in
                v.get("product_status").into_iter().flat_map(|s| items(s, list)).filter_map(Value::as_str)
            {
                let Some(p) = products.get(pid) else { continue };
                let product = vex_product(p, &products);
                let flag = flags.get(pid);
                match groups.iter_mut().find(|(f, _)| *f == flag) {
                    Some((_, list)) => list.push(product),
                    None => groups.push((flag, vec![product])),
                }
            }
            for (flag, products) in groups {
                out.push(VexStatement {
                    vulnerability: id.clone(),
                    aliases: ids.get(1..).unwrap_or_default().to_vec(),
                    products,
                    status: *status,
                    justification: flag.cloned(),
                    statement: items(v, "threats")
                        .find(|t| text(t, "category").as_deref() == Some("impact"))
                        .and_then(|t| text(t, "details")),
                    timestamp: text(tracking, "current_release_date"),
                    author: head.get("publisher").and_then(|p| text(p, "name")),
                    document: text(tracking, "id"),
                });
            }
        }
    }
    Ok(out)
}

/// The tracking id of a document.
pub fn document_id(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Head {
        document: Document,
    }
    #[derive(serde::Deserialize)]
    struct Document {
        tracking: Tracking,
    }
    #[derive(serde::Deserialize)]
    struct Tracking {
        id: String,
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice::<Head>(bytes).ok().map(|head| head.document.tracking.id)
}

fn vex_product(p: &Product, all: &HashMap<String, Product>) -> VexProduct {
    let own = |p: &Product| {
        let mut ids: Vec<String> = p.purls.iter().chain(&p.cpes).chain(&p.hashes).cloned().collect();
        if ids.is_empty() {
            ids.push(p.name.clone());
        }
        ids
    };
    let versions = p.range.iter().cloned().collect();
    match p.inside.as_ref().and_then(|id| all.get(id)) {
        Some(outer) => VexProduct { identifiers: own(outer), subcomponents: own(p), versions },
        None => VexProduct { identifiers: own(p), subcomponents: Vec::new(), versions },
    }
}

fn load(bytes: &[u8]) -> Result<Value, Diagnostic> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let doc: Value =
        serde_json::from_slice(bytes).map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))?;
    match doc.get("document").and_then(|d| text(d, "csaf_version")) {
        Some(v) if v.starts_with("2.") => Ok(doc),
        _ => Err(Diagnostic::new("record-invalid", "document.csaf_version", "no CSAF 2.x document")),
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The CVE first, then the other ids.
fn ids(v: &Value) -> Vec<String> {
    text(v, "cve").into_iter().chain(items(v, "ids").filter_map(|i| text(i, "text"))).collect()
}

/// Flag label (the justification) by product id.
fn flags(v: &Value) -> HashMap<String, String> {
    let mut out = HashMap::new();
    for flag in items(v, "flags") {
        let Some(label) = text(flag, "label") else { continue };
        for id in items(flag, "product_ids").filter_map(Value::as_str) {
            out.insert(id.to_owned(), label.clone());
        }
    }
    out
}

fn product_tree(doc: &Value) -> HashMap<String, Product> {
    let mut out = HashMap::new();
    let Some(tree) = doc.get("product_tree") else { return out };
    for p in items(tree, "full_product_names") {
        add(&mut out, p, Product::default());
    }
    for b in items(tree, "branches") {
        branch(&mut out, b, &Product::default(), 0);
    }
    for r in items(tree, "relationships").chain(items(tree, "product_paths")) {
        let part = text(r, "product_reference").and_then(|id| out.get(&id).cloned());
        let mut product = part.unwrap_or_default();
        product.inside = text(r, "relates_to_product_reference");
        if let Some(full) = r.get("full_product_name") {
            add(&mut out, full, product);
        }
    }
    out
}

fn branch(out: &mut HashMap<String, Product>, value: &Value, above: &Product, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let mut here = above.clone();
    let name = text(value, "name").unwrap_or_default();
    match text(value, "category").as_deref() {
        Some("vendor") => here.vendor = name,
        Some("product_name") => here.product = name,
        Some("product_version") => here.version = Some(name),
        Some("product_version_range") => here.range = Some(name),
        _ => {}
    }
    if let Some(product) = value.get("product") {
        add(out, product, here.clone());
    }
    for b in items(value, "branches") {
        branch(out, b, &here, depth + 1);
    }
}

fn add(out: &mut HashMap<String, Product>, value: &Value, mut p: Product) {
    let Some(id) = text(value, "product_id") else { return };
    p.name = text(value, "name").unwrap_or_default();
    if let Some(helper) = value.get("product_identification_helper") {
        let purls = helper.get("purl").into_iter().chain(items(helper, "purls"));
        p.purls.extend(purls.filter_map(Value::as_str).map(str::to_owned));
        p.cpes.extend(text(helper, "cpe"));
        for h in items(helper, "hashes").flat_map(|h| items(h, "file_hashes")) {
            if let (Some(a), Some(v)) = (text(h, "algorithm"), text(h, "value")) {
                p.hashes.push(format!("{}:{v}", a.to_lowercase()));
            }
        }
    }
    out.insert(id, p);
}

/// The statements about one product: by each purl, else by CPE, else by name.
fn statements(
    p: &Product,
    all: &HashMap<String, Product>,
    status: VersionStatus,
    flag: Option<&String>,
) -> Vec<Affected> {
    let inside = p.inside.as_ref().and_then(|id| all.get(id)).map(|o| format!("in {}", o.name));
    let note = match (flag.cloned(), inside) {
        (Some(f), Some(i)) => Some(format!("{f}; {i}")),
        (f, i) => f.or(i),
    };
    let make = |target, scheme, version: Option<&str>| Affected {
        target,
        source: Source::Csaf,
        versions: versions(scheme, version.or(p.version.as_deref()), p.range.as_deref(), status),
        symbols: Vec::new(),
        note: note.clone(),
    };
    let mut out = Vec::new();
    for mut purl in p.purls.iter().filter_map(|t| Purl::parse(t).ok()) {
        let version = purl.version.take();
        let (target, scheme) = match of_purl(&purl) {
            Some((ecosystem, name)) => {
                let release = purl.qualifier("distro").map(|d| release_of(ecosystem, d)).unwrap_or_default();
                let qualifiers = std::mem::take(&mut purl.qualifiers);
                (Target::Package { ecosystem, release, name, qualifiers }, ecosystem.scheme())
            }
            None => (Target::OtherPurl(Box::new(purl)), Scheme::Generic),
        };
        out.push(make(target, scheme, version.as_deref()));
    }
    if out.is_empty() {
        for mut cpe in p.cpes.iter().filter_map(|t| Cpe::parse(t).ok()) {
            let version = match std::mem::take(&mut cpe.version) {
                CpeValue::Text(v) => Some(v),
                _ => None,
            };
            out.push(make(Target::Cpe(Box::new(cpe)), Scheme::Generic, version.as_deref()));
        }
    }
    if out.is_empty() {
        let product = if p.product.is_empty() { &p.name } else { &p.product };
        let target = Target::Named { vendor: plain_name(&p.vendor), product: plain_name(product) };
        out.push(make(target, Scheme::Generic, None));
    }
    out
}

fn versions(scheme: Scheme, version: Option<&str>, range: Option<&str>, status: VersionStatus) -> Versions {
    let mut out = Versions::new(scheme);
    // A document speaks of the versions it names; of others it says nothing.
    out.default = VersionStatus::Unknown;
    match (range, version) {
        (Some(range), _) => match vers(range, status) {
            Some(entries) => out.entries = entries,
            None => out.undecidable = Some(range.to_owned()),
        },
        (None, Some(v)) => {
            out.entries.push(VersionEntry::exact(v, status));
            if status == VersionStatus::Fixed {
                out.fixed.push(v.to_owned());
            }
        }
        (None, None) => out.entries.push(VersionEntry::range(None, None, status)),
    }
    out
}

/// Entries of a `vers:` range; `None` where it is prose or holds `!=`, which entries cannot say.
fn vers(range: &str, status: VersionStatus) -> Option<Vec<VersionEntry>> {
    let (_, list) = range.trim().strip_prefix("vers:")?.split_once('/')?;
    if list.trim() == "*" {
        return Some(vec![VersionEntry::range(None, None, status)]);
    }
    let mut out = Vec::new();
    let mut open: Option<VersionEntry> = None;
    for part in list.split('|').map(str::trim) {
        let digits = part.trim_start_matches(['<', '>', '=', '!']);
        let v = Some(digits.trim().to_owned()).filter(|v| !v.is_empty() && v != "*" && !v.contains('%'))?;
        match part.get(..part.len() - digits.len())? {
            op @ (">" | ">=") => {
                out.extend(open.take());
                open =
                    Some(VersionEntry { low_open: op == ">", ..VersionEntry::range(Some(v), None, status) });
            }
            op @ ("<" | "<=") => {
                let mut entry = open.take().unwrap_or(VersionEntry::range(None, None, status));
                entry.high = Some(v);
                entry.high_closed = op == "<=";
                out.push(entry);
            }
            "" | "=" => out.push(VersionEntry::exact(v, status)),
            _ => return None,
        }
    }
    out.extend(open);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_per_vulnerability() {
        let doc = r#"{"document":{"csaf_version":"2.0","tracking":{"id":"T-1"}},"product_tree":{"branches":[{"category":"vendor","name":"Acme","branches":[{"category":"product_name","name":"Pump","branches":[{"category":"product_version_range","name":"vers:generic/>=1|<2","product":{"product_id":"p","name":"Pump 1"}},{"category":"product_version","name":"2","product":{"product_id":"q","name":"Pump 2"}}]}]}]},"vulnerabilities":[{"cve":"CVE-2024-0001","product_status":{"known_affected":["p","x"],"fixed":["q"]}}]}"#;
        let (records, remarks) = parse(doc.as_bytes()).unwrap();
        assert_eq!((records.len(), remarks.len()), (1, 1));
        assert_eq!(records[0].affected.len(), 2);
        let affected = &records[0].affected[1].versions.entries;
        assert_eq!(
            *affected,
            [VersionEntry::range(Some("1".into()), Some("2".into()), VersionStatus::Affected)]
        );
        assert_eq!(records[0].affected[0].versions.fixed, ["2"]);
        assert_eq!(vex(doc.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn ranges() {
        assert_eq!(vers("prior to 2", VersionStatus::Affected), None);
        assert_eq!(vers("vers:generic/!=2", VersionStatus::Affected), None);
        assert_eq!(vers("vers:generic/1|>3|<=4|>5", VersionStatus::Affected).map(|e| e.len()), Some(3));
        assert!(parse(b"{}").is_err() && vex(b"[]").is_err());
    }
}

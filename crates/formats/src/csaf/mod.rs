//! CSAF 2.0 and 2.1 documents: one record per vulnerability, its products as statements, or VEX statements.

mod range;
mod tree;

use std::collections::HashMap;

use serde_json::Value;
use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::ecosystem::{Ecosystem, of_purl, plain_name, release_of};
use tocsin_model::purl::Purl;
use tocsin_model::record::{
    Affected, Record, Remediation, Score, Source, Target, VersionEntry, VersionStatus, Versions,
};
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};
use tree::{Product, Tree};

/// Product status lists and what they mean (CSAF 2.0 section 3.2.3.9).
const STATUS: &[(&str, VersionStatus, VexStatus)] = &[
    ("fixed", VersionStatus::Fixed, VexStatus::Fixed),
    ("first_fixed", VersionStatus::Fixed, VexStatus::Fixed),
    ("known_affected", VersionStatus::Affected, VexStatus::Affected),
    ("first_affected", VersionStatus::Affected, VexStatus::Affected),
    ("last_affected", VersionStatus::Affected, VexStatus::Affected),
    ("known_not_affected", VersionStatus::Unaffected, VexStatus::NotAffected),
    ("under_investigation", VersionStatus::UnderInvestigation, VexStatus::UnderInvestigation),
    // 2.1 only
    ("unknown", VersionStatus::Unknown, VexStatus::UnderInvestigation),
];

/// Parses one document into a record per vulnerability.
///
/// # Errors
/// It is no JSON, or no CSAF document.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let doc = load(bytes)?;
    let mut tree = Tree::read(&doc);
    let (mut records, mut remarks) = (Vec::new(), std::mem::take(&mut tree.remarks));
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
        let notes = notes(v, &tree);
        for (list, status, _) in STATUS {
            for id in
                v.get("product_status").into_iter().flat_map(|s| items(s, list)).filter_map(Value::as_str)
            {
                match tree.products.get(id) {
                    Some(p) => record.affected.extend(statements(p, &tree, *status, notes.get(id))),
                    None => remarks.push(Diagnostic::new(
                        "ref-unknown",
                        format!("vulnerabilities[{i}].product_status.{list}"),
                        format!("no product `{}`", excerpt(id)),
                    )),
                }
            }
        }
        fixed_versions(&mut record.affected);
        record.remediations = remediations(v, &tree);
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
    let tree = Tree::read(&doc);
    let head = doc.get("document").unwrap_or(&Value::Null);
    let tracking = head.get("tracking").unwrap_or(&Value::Null);
    let mut out = Vec::new();
    for (i, v) in items(&doc, "vulnerabilities").enumerate() {
        let ids = ids(v);
        let Some(id) = ids.first() else { continue };
        let flags = flags(v, &tree);
        let (impacts, actions) = (impacts(v, &tree), actions(v, &tree));
        for (list, _, status) in STATUS {
            // One statement per justification, impact and action, as each belongs to its own products.
            let mut groups: Vec<(Said<'_>, Vec<VexProduct>)> = Vec::new();
            for pid in
                v.get("product_status").into_iter().flat_map(|s| items(s, list)).filter_map(Value::as_str)
            {
                let Some(p) = tree.products.get(pid) else { continue };
                let product = vex_product(p, &tree.products);
                let of = |map: &'_ HashMap<String, String>| map.get(pid).or_else(|| map.get("")).cloned();
                let action = actions.get(pid).or_else(|| actions.get(""));
                let said = match status {
                    VexStatus::NotAffected => (flags.get(pid), of(&impacts), None),
                    VexStatus::Affected => (None, action.map(|a| a.1.clone()), action.and_then(|a| a.0)),
                    _ => (None, None, None),
                };
                match groups.iter_mut().find(|(s, _)| *s == said) {
                    Some((_, list)) => list.push(product),
                    None => groups.push((said, vec![product])),
                }
            }
            for ((flag, statement, response), products) in groups {
                out.push(VexStatement {
                    vulnerability: id.clone(),
                    aliases: ids.get(1..).unwrap_or_default().to_vec(),
                    products,
                    status: *status,
                    justification: flag.cloned(),
                    statement,
                    timestamp: text(tracking, "current_release_date"),
                    author: head.get("publisher").and_then(|p| text(p, "name")),
                    document: text(tracking, "id"),
                    path: format!("vulnerabilities[{i}].product_status.{list}"),
                    wrong_match: false,
                    response: response.map(str::to_owned),
                });
            }
        }
    }
    Ok(out)
}

/// Justification, words and response of a statement.
type Said<'a> = (Option<&'a String>, Option<String>, Response);
/// A word of CycloneDX's `analysis.response`.
type Response = Option<&'static str>;

/// Impact statements by product id; by the empty id where one names no product and so is for all.
fn impacts(v: &Value, tree: &Tree) -> HashMap<String, String> {
    let mut out = HashMap::new();
    for threat in items(v, "threats").filter(|t| text(t, "category").as_deref() == Some("impact")) {
        let Some(details) = text(threat, "details") else { continue };
        let named: Vec<&str> = tree.named(threat).collect();
        for id in if named.is_empty() { vec![""] } else { named } {
            out.entry(id.to_owned()).or_insert_with(|| details.clone());
        }
    }
    out
}

/// Remediations as responses of CycloneDX, with their details, by product id as [`impacts`].
fn actions(v: &Value, tree: &Tree) -> HashMap<String, (Response, String)> {
    let mut out = HashMap::new();
    for r in items(v, "remediations") {
        let response = match text(r, "category").as_deref() {
            Some("vendor_fix" | "fix_planned") => Some("update"),
            Some("workaround" | "mitigation" | "optional_patch") => Some("workaround_available"),
            Some("no_fix_planned") => Some("will_not_fix"),
            // there is none so far, which is no decision
            Some("none_available") => None,
            _ => continue,
        };
        let details = text(r, "details").unwrap_or_default();
        let named: Vec<&str> = tree.named(r).collect();
        for id in if named.is_empty() { vec![""] } else { named } {
            out.entry(id.to_owned()).or_insert_with(|| (response, details.clone()));
        }
    }
    out
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
fn flags(v: &Value, tree: &Tree) -> HashMap<String, String> {
    let mut out = HashMap::new();
    for flag in items(v, "flags") {
        let Some(label) = text(flag, "label") else { continue };
        for id in tree.named(flag) {
            out.insert(id.to_owned(), label.clone());
        }
    }
    out
}

/// By product id the flag, else the impact, which a `known_not_affected` needs one of (section 6.1.27.7).
fn notes(v: &Value, tree: &Tree) -> HashMap<String, String> {
    let mut out = flags(v, tree);
    for threat in items(v, "threats").filter(|t| text(t, "category").as_deref() == Some("impact")) {
        let Some(details) = text(threat, "details") else { continue };
        for id in tree.named(threat) {
            out.entry(id.to_owned()).or_insert_with(|| details.clone());
        }
    }
    out
}

/// What the document says one can do, and the versions it recommends.
fn remediations(v: &Value, tree: &Tree) -> Vec<Remediation> {
    let names = |ids: &mut dyn Iterator<Item = &str>| {
        let mut out: Vec<String> = Vec::new();
        for id in ids {
            let name = tree.products.get(id).map_or(id, |p| p.name.as_str());
            if !out.iter().any(|n| n == name) {
                out.push(name.to_owned());
            }
        }
        out
    };
    let mut out: Vec<Remediation> = items(v, "remediations")
        .map(|r| Remediation {
            category: text(r, "category").unwrap_or_default(),
            details: text(r, "details").unwrap_or_default(),
            url: text(r, "url"),
            date: text(r, "date"),
            products: names(&mut tree.named(r)),
        })
        .collect();
    let list = v.get("product_status").into_iter().flat_map(|s| items(s, "recommended"));
    let products = names(&mut list.filter_map(Value::as_str));
    if !products.is_empty() {
        out.push(Remediation { category: "recommended".to_owned(), products, ..Remediation::default() });
    }
    out
}

/// The versions said to be fixed, told with the statements of what is affected of the same product.
fn fixed_versions(affected: &mut [Affected]) {
    let fixed: Vec<(Target, Vec<String>)> = affected
        .iter()
        .filter(|a| !a.versions.fixed.is_empty())
        .map(|a| (a.target.clone(), a.versions.fixed.clone()))
        .collect();
    if fixed.is_empty() {
        return;
    }
    for a in affected.iter_mut() {
        for (_, versions) in fixed.iter().filter(|(target, _)| *target == a.target) {
            for v in versions {
                if !a.versions.fixed.contains(v) {
                    a.versions.fixed.push(v.clone());
                }
            }
        }
    }
}

/// The release of Red Hat's distribution that a product is a component of, from the CPE of the whole.
fn release_of_whole(whole: Option<&Product>) -> String {
    let cpes = whole.into_iter().flat_map(|w| &w.cpes).filter_map(|c| Cpe::parse(c).ok());
    let release = |cpe: Cpe| {
        let text = |v: &CpeValue| if let CpeValue::Text(t) = v { t.clone() } else { String::new() };
        let product = text(&cpe.product);
        let known = product.starts_with("enterprise_linux") || product.starts_with("rhel_");
        (text(&cpe.vendor) == "redhat" && known)
            .then(|| release_of(Ecosystem::RedHat, &text(&cpe.version)))
            .filter(|r| !r.is_empty())
    };
    cpes.filter_map(release).next().unwrap_or_default()
}

/// The statements about one product: by each purl, else by CPE, else by name.
fn statements(p: &Product, tree: &Tree, status: VersionStatus, note: Option<&String>) -> Vec<Affected> {
    let whole = p.inside.as_ref().and_then(|id| tree.products.get(id));
    let inside = whole.map(|o| format!("{} {}", p.how, o.name));
    let note = match (note.cloned(), inside) {
        (Some(f), Some(i)) => Some(format!("{f}; {i}")),
        (f, i) => f.or(i),
    };
    let make = |target: Target, scheme, version: Option<&str>| Affected {
        versions: versions(
            scheme,
            matches!(target, Target::Package { .. }),
            version.or(p.version.as_deref()),
            p.range.as_deref(),
            status,
        ),
        target,
        source: Source::Csaf,
        symbols: Vec::new(),
        note: note.clone(),
    };
    let mut out = Vec::new();
    for mut purl in p.purls.iter().filter_map(|t| Purl::parse(t).ok()) {
        let version = purl.version.take();
        let (target, scheme) = match of_purl(&purl) {
            Some((ecosystem, name)) => {
                let mut release =
                    purl.qualifier("distro").map(|d| release_of(ecosystem, d)).unwrap_or_default();
                if release.is_empty() && ecosystem == Ecosystem::RedHat {
                    release = release_of_whole(whole);
                }
                let qualifiers = std::mem::take(&mut purl.qualifiers);
                (
                    Target::Package { ecosystem, release, name, qualifiers: qualifiers.into() },
                    ecosystem.scheme(),
                )
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

fn versions(
    scheme: Scheme,
    package: bool,
    version: Option<&str>,
    range: Option<&str>,
    status: VersionStatus,
) -> Versions {
    let mut out = Versions::new(scheme);
    // A document speaks of the versions it names; of others it says nothing.
    out.default = VersionStatus::Unknown;
    match (range, version) {
        (Some(text), _) => match range::read(text, status) {
            Some(told) => {
                // a package's versions compare as its ecosystem has it, whatever the range claims
                out.scheme = told.scheme.filter(|_| !package).unwrap_or(scheme);
                out.entries = told.entries;
                if status == VersionStatus::Fixed {
                    let low = |e: &VersionEntry| e.low.clone().filter(|_| !e.low_open && e.status == status);
                    out.fixed.extend(out.entries.iter().filter_map(low));
                }
            }
            None => out.undecidable = Some(text.to_owned()),
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
        assert_eq!(records[0].affected[1].versions.fixed, ["2"]);
        assert_eq!(vex(doc.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn remediations_groups_relationships_and_what_is_unknown() {
        let doc = r#"{"document":{"csaf_version":"2.0","tracking":{"id":"T-2"}},"product_tree":{
            "full_product_names":[{"product_id":"rhel9","name":"RHEL 9","product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:9"}},
              {"product_id":"ssl","name":"openssl","product_identification_helper":{"purl":"pkg:rpm/redhat/openssl@3.0.7-1.el9"}}],
            "branches":[{"category":"product_version_range","name":"< R520.2","product":{"product_id":"odd","name":"Odd"}}],
            "relationships":[{"category":"default_component_of","product_reference":"ssl","relates_to_product_reference":"rhel9","full_product_name":{"product_id":"rhel9:ssl","name":"openssl in RHEL 9"}},
              {"category":"installed_on","product_reference":"ssl","relates_to_product_reference":"gone","full_product_name":{"product_id":"on","name":"x"}}],
            "product_groups":[{"group_id":"g","product_ids":["rhel9:ssl","odd"]}]},
          "vulnerabilities":[{"cve":"CVE-2024-0002","product_status":{"known_affected":["odd"],"known_not_affected":["rhel9:ssl"],"recommended":["ssl"]},
            "flags":[{"label":"vulnerable_code_not_present","group_ids":["g"]}],
            "remediations":[{"category":"vendor_fix","details":"Update","url":"https://example.org","group_ids":["g"]},{"category":"no_fix_planned","details":"None"}]}]}"#;
        let (records, remarks) = parse(doc.as_bytes()).unwrap();
        let codes: Vec<&str> = remarks.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["version-undecidable", "ref-unknown"]);
        let r = &records[0];
        assert_eq!(r.remediations.len(), 3);
        assert_eq!(r.remediations[0].products, ["openssl in RHEL 9", "Odd"]);
        assert_eq!(
            (r.remediations[2].category.as_str(), r.remediations[2].products.len()),
            ("recommended", 1)
        );
        let ssl = r.affected.iter().find(|a| matches!(a.target, Target::Package { .. })).unwrap();
        assert!(matches!(&ssl.target, Target::Package { release, .. } if release == "9"));
        assert_eq!(ssl.note.as_deref(), Some("vulnerable_code_not_present; in RHEL 9"));
        assert!(r.affected.iter().any(|a| a.versions.undecidable.as_deref() == Some("< R520.2")));
        assert!(parse(b"{}").is_err() && vex(b"[]").is_err());
    }
}

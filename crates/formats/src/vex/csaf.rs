//! Claims as CSAF 2.0, profile 5: VEX (section 4.5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::write::{Claim, Export, Part, by_vulnerability};
use super::{NO_ACTION, WRONG_MATCH};

/// Product ids: `P1` for products, `C1` for components, `P1-C1` for a component of a product.
struct Ids {
    parts: BTreeMap<Part, usize>,
}

impl Ids {
    fn of(&self, c: &Claim) -> String {
        format!("P{}-C{}", c.whole + 1, self.parts.get(&c.part).copied().unwrap_or_default())
    }
}

pub(super) fn document(export: &Export) -> Value {
    let all: BTreeSet<&Part> = export.claims.iter().map(|c| &c.part).collect();
    let ids = Ids { parts: all.into_iter().zip(1..).map(|(p, n)| (p.clone(), n)).collect() };
    let vulnerabilities: Vec<Value> =
        by_vulnerability(export).into_iter().map(|(id, claims)| vulnerability(id, &claims, &ids)).collect();
    json!({
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "lang": "en",
            "title": export.title,
            "publisher": publisher(export),
            "tracking": {
                "id": export.id,
                "status": "final",
                "version": "1",
                "initial_release_date": export.at,
                "current_release_date": export.at,
                "revision_history": [{"date": export.at, "number": "1", "summary": "As decided on this day."}],
                "generator": {"date": export.at, "engine": {"name": "Tocsin", "version": export.program}},
            },
        },
        "product_tree": tree(export, &ids),
        "vulnerabilities": vulnerabilities,
    })
}

fn tree(export: &Export, ids: &Ids) -> Value {
    let mut products: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (n, w) in export.wholes.iter().enumerate() {
        products.entry(&w.name).or_default().push(json!({
            "category": "product_version",
            "name": w.version,
            "product": {
                "product_id": format!("P{}", n + 1),
                "name": format!("{} {}", w.name, w.version),
                "product_identification_helper": {"purl": w.purl},
            },
        }));
    }
    let branch = |(name, versions): (&str, Vec<Value>)| json!({"category": "product_name", "name": name, "branches": versions});
    let branches: Vec<Value> = products.into_iter().map(branch).collect();
    let parts: Vec<Value> = ids
        .parts
        .iter()
        .map(|(p, n)| {
            let mut helper = Map::new();
            helper.insert("purl".into(), p.purl.clone().into());
            if !p.cpe.is_empty() {
                helper.insert("cpe".into(), p.cpe.clone().into());
            }
            let name = format!("{} {}", p.name, p.version);
            json!({"product_id": format!("C{n}"), "name": name.trim(), "product_identification_helper": helper})
        })
        .collect();
    let pairs: BTreeSet<(usize, usize)> =
        export.claims.iter().filter_map(|c| Some((c.whole, ids.parts.get(&c.part).copied()?))).collect();
    let names: BTreeMap<usize, String> =
        ids.parts.iter().map(|(p, n)| (*n, format!("{} {}", p.name, p.version).trim().to_owned())).collect();
    let relationship = |(whole, part): (usize, usize)| {
        let product =
            export.wholes.get(whole).map(|w| format!("{} {}", w.name, w.version)).unwrap_or_default();
        let name = names.get(&part).cloned().unwrap_or_default();
        json!({
            "category": "default_component_of",
            "product_reference": format!("C{part}"),
            "relates_to_product_reference": format!("P{}", whole + 1),
            "full_product_name": {
                "product_id": format!("P{}-C{part}", whole + 1),
                "name": format!("{name} as a component of {product}"),
            },
        })
    };
    json!({
        "branches": [{"category": "vendor", "name": export.publisher, "branches": branches}],
        "full_product_names": parts,
        "relationships": pairs.into_iter().map(relationship).collect::<Vec<Value>>(),
    })
}

fn is_cve(id: &str) -> bool {
    let mut parts = id.split('-');
    let digits = |p: Option<&str>, least: usize| {
        p.is_some_and(|p| p.len() >= least && p.bytes().all(|b| b.is_ascii_digit()))
    };
    parts.next() == Some("CVE")
        && digits(parts.next(), 4)
        && digits(parts.next(), 4)
        && parts.next().is_none()
}

/// The list of `product_status` for a status.
fn list_of(status: &str) -> &'static str {
    match status {
        "affected" => "known_affected",
        "not_affected" | "false_positive" => "known_not_affected",
        "fixed" => "fixed",
        _ => "under_investigation",
    }
}

fn category(response: &str) -> &'static str {
    match response {
        "update" => "vendor_fix",
        "workaround_available" | "rollback" => "workaround",
        "will_not_fix" | "can_not_fix" => "no_fix_planned",
        _ => "none_available",
    }
}

fn vulnerability(id: &str, claims: &[&Claim], ids: &Ids) -> Value {
    let mut v = Map::new();
    if is_cve(id) {
        v.insert("cve".into(), id.into());
    } else {
        let system = id.split('-').next().filter(|s| !s.is_empty()).unwrap_or("other");
        v.insert("ids".into(), json!([{"system_name": system, "text": id}]));
    }
    let title = claims.iter().map(|c| c.title.as_str()).find(|t| !t.trim().is_empty()).unwrap_or(id);
    v.insert("title".into(), title.into());
    v.insert("notes".into(), json!([{"category": "summary", "text": title}]));
    let mut status: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut flags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut threats: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut actions: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for c in claims {
        let product = ids.of(c);
        status.entry(list_of(&c.status)).or_default().insert(product.clone());
        let words = c.detail.trim();
        match c.status.as_str() {
            "affected" => {
                let words = if words.is_empty() { NO_ACTION } else { words };
                let key = (category(&c.response), words.to_owned());
                actions.entry(key).or_default().insert(product);
            }
            "not_affected" => {
                if !c.justification.is_empty() {
                    flags.entry(c.justification.clone()).or_default().insert(product.clone());
                }
                // each needs a flag or an impact statement
                if !words.is_empty() {
                    threats.entry(words.to_owned()).or_default().insert(product);
                }
            }
            "false_positive" => {
                flags.entry("component_not_present".to_owned()).or_default().insert(product.clone());
                let words = format!("{WRONG_MATCH} {words}").trim().to_owned();
                threats.entry(words).or_default().insert(product);
            }
            _ => {}
        }
    }
    v.insert("product_status".into(), json!(status));
    let mut put = |key: &str, list: Vec<Value>| {
        if !list.is_empty() {
            v.insert(key.into(), list.into());
        }
    };
    put("flags", flags.into_iter().map(|(label, p)| json!({"label": label, "product_ids": p})).collect());
    let threat = |(details, p)| json!({"category": "impact", "details": details, "product_ids": p});
    put("threats", threats.into_iter().map(threat).collect());
    let action =
        |((category, details), p)| json!({"category": category, "details": details, "product_ids": p});
    put("remediations", actions.into_iter().map(action).collect());
    Value::Object(v)
}

/// The publisher (CSAF 2.0, 3.2.1.8).
fn publisher(export: &Export) -> Value {
    let category = if export.category.is_empty() { "vendor" } else { &export.category };
    let mut publisher =
        json!({"category": category, "name": export.publisher, "namespace": export.namespace});
    for (key, value) in [("contact_details", &export.contact), ("issuing_authority", &export.authority)] {
        if !value.is_empty() {
            publisher[key] = value.as_str().into();
        }
    }
    publisher
}

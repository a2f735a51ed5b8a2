//! The product tree: product ids and what they stand for (CSAF 2.0 section 3.2.2, 2.1 with product paths).

use std::collections::HashMap;

use serde_json::Value;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::record::VersionStatus;

use super::{items, range, text};

/// Deepest nesting of product branches followed; CSAF documents have fewer than ten.
const DEPTH: usize = 60;

/// What the product tree tells of one product id.
#[derive(Debug, Clone, Default)]
pub(super) struct Product {
    pub name: String,
    pub vendor: String,
    pub product: String,
    pub version: Option<String>,
    pub range: Option<String>,
    pub purls: Vec<String>,
    pub cpes: Vec<String>,
    pub hashes: Vec<String>,
    /// Product id this one is a component of or stands on.
    pub inside: Option<String>,
    /// How it does: `in`, `on`, `with`.
    pub how: &'static str,
}

/// The product tree.
#[derive(Default)]
pub(super) struct Tree {
    pub products: HashMap<String, Product>,
    groups: HashMap<String, Vec<String>>,
    pub remarks: Vec<Diagnostic>,
}

impl Tree {
    pub fn read(doc: &Value) -> Tree {
        let mut out = Tree::default();
        let Some(tree) = doc.get("product_tree") else { return out };
        for p in items(tree, "full_product_names") {
            out.add(p, Product::default());
        }
        for b in items(tree, "branches") {
            out.branch(b, &Product::default(), 0);
        }
        // 2.0: pairs. 2.1: paths, of which the first step names the whole.
        for (n, r) in items(tree, "relationships").chain(items(tree, "product_paths")).enumerate() {
            let step = items(r, "subpaths").next().unwrap_or(r);
            let part = text(r, "product_reference").or_else(|| text(r, "beginning_product_reference"));
            let outer =
                text(step, "relates_to_product_reference").or_else(|| text(step, "next_product_reference"));
            for id in part.iter().chain(&outer).filter(|id| !out.products.contains_key(*id)) {
                let message = format!("no product `{}`", excerpt(id));
                out.remarks.push(Diagnostic::new(
                    "ref-unknown",
                    format!("product_tree.relationships[{n}]"),
                    message,
                ));
            }
            let mut product = part.and_then(|id| out.products.get(&id).cloned()).unwrap_or_default();
            product.inside = outer;
            product.how = match text(step, "category").as_deref() {
                Some("installed_on") => "on",
                Some("installed_with") => "with",
                _ => "in",
            };
            if let Some(full) = r.get("full_product_name") {
                out.add(full, product);
            }
        }
        for g in items(tree, "product_groups") {
            if let Some(id) = text(g, "group_id") {
                let ids = items(g, "product_ids").filter_map(Value::as_str).map(str::to_owned);
                out.groups.insert(id, ids.collect());
            }
        }
        out
    }

    /// The product ids an object names, by itself and through groups.
    pub fn named<'a>(&'a self, value: &'a Value) -> impl Iterator<Item = &'a str> {
        let groups = items(value, "group_ids").filter_map(Value::as_str);
        let members = groups.filter_map(|g| self.groups.get(g)).flatten().map(String::as_str);
        items(value, "product_ids").filter_map(Value::as_str).chain(members)
    }

    fn branch(&mut self, value: &Value, above: &Product, depth: usize) {
        if depth > DEPTH {
            let message = format!("limit: {DEPTH} levels of branches");
            self.remarks.push(Diagnostic::new("limit-depth", "product_tree.branches", message));
            return;
        }
        let mut here = above.clone();
        let name = text(value, "name").unwrap_or_default();
        match text(value, "category").as_deref() {
            Some("vendor") => here.vendor = name,
            Some("product_name") => here.product = name,
            Some("product_version") => here.version = Some(name),
            Some("product_version_range") => {
                if range::read(&name, VersionStatus::Affected).is_none() {
                    let id = value.get("product").and_then(|p| text(p, "product_id")).unwrap_or_default();
                    let place = format!("product_tree product `{}`", excerpt(&id));
                    let message = format!("the range may mean several things: {}", excerpt(&name));
                    self.remarks.push(Diagnostic::new("version-undecidable", place, message));
                }
                here.range = Some(name);
            }
            _ => {}
        }
        if let Some(product) = value.get("product") {
            self.add(product, here.clone());
        }
        for b in items(value, "branches") {
            self.branch(b, &here, depth + 1);
        }
    }

    fn add(&mut self, value: &Value, mut p: Product) {
        let Some(id) = text(value, "product_id") else {
            let name = text(value, "name").unwrap_or_default();
            let message = format!("a product without product_id: {}", excerpt(&name));
            self.remarks.push(Diagnostic::new("value-ignored", "product_tree", message));
            return;
        };
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
        if self.products.insert(id.clone(), p).is_some() {
            let message = format!("product `{}` is defined twice; the last counts", excerpt(&id));
            self.remarks.push(Diagnostic::new("ref-duplicate", "product_tree", message));
        }
    }
}

//! One component, and the ones nested in it.

use std::collections::HashSet;

use tocsin_model::bom::{Bom, Component, ComponentKind, License};
use tocsin_model::cpe::Cpe;
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

use super::node::Node;

/// Words of `component.type` (CycloneDX 1.6) and what they stand for.
pub(super) const KINDS: &[(&str, ComponentKind)] = &[
    ("application", ComponentKind::Application),
    ("framework", ComponentKind::Framework),
    ("library", ComponentKind::Library),
    ("container", ComponentKind::Container),
    ("platform", ComponentKind::Platform),
    ("operating-system", ComponentKind::OperatingSystem),
    ("device", ComponentKind::Device),
    ("device-driver", ComponentKind::DeviceDriver),
    ("firmware", ComponentKind::Firmware),
    ("file", ComponentKind::File),
    ("machine-learning-model", ComponentKind::MachineLearningModel),
    ("data", ComponentKind::Data),
    ("cryptographic-asset", ComponentKind::CryptographicAsset),
];

/// Adds a component and, after it, those nested in it. The depth was bounded when the tree was read.
pub(super) fn add(bom: &mut Bom, node: &Node<'_>, path: &str, parent: Option<usize>) -> usize {
    let mut reader = Reader { said: &mut bom.diagnostics, path };
    let mut component = reader.component(node, parent);
    component.shrink_to_fit();
    let index = bom.components.len();
    bom.components.push(component);
    for (i, nested) in node.items("components").iter().enumerate() {
        let path = format!("{path}.components[{i}]");
        if matches!(nested, Node::Map(_)) {
            add(bom, nested, &path, Some(index));
        } else {
            let message = format!("{} stands where a component belongs", nested.kind());
            bom.diagnostics.push(Diagnostic::new("value-ignored", path, message));
        }
    }
    index
}

struct Reader<'d, 'p> {
    said: &'d mut Vec<Diagnostic>,
    path: &'p str,
}

impl Reader<'_, '_> {
    fn say(&mut self, code: &'static str, field: &str, message: impl Into<String>) {
        let path = if field.is_empty() { self.path.to_owned() } else { format!("{}.{field}", self.path) };
        self.said.push(Diagnostic::new(code, path, message));
    }

    /// The text of a field; a value of another type is set aside with a remark.
    fn text(&mut self, node: &Node<'_>, key: &str) -> Option<String> {
        match node.get(key)? {
            Node::Text(t) => Some(t.to_string()),
            Node::Number(n) => {
                self.say("value-ignored", key, "a number stands where a string belongs; read as text");
                Some(n.to_string())
            }
            Node::Null => {
                self.say("value-ignored", key, "null stands where a string belongs");
                None
            }
            other => {
                self.say("value-ignored", key, format!("{} stands where a string belongs", other.kind()));
                None
            }
        }
    }

    /// The items of a list; a value of another type is set aside with a remark.
    fn list<'n, 'a>(&mut self, node: &'n Node<'a>, key: &str) -> &'n [Node<'a>] {
        match node.get(key) {
            None => &[],
            Some(Node::List(items)) => items,
            Some(other) => {
                self.say("value-ignored", key, format!("{} stands where a list belongs", other.kind()));
                &[]
            }
        }
    }

    fn component(&mut self, node: &Node<'_>, parent: Option<usize>) -> Component {
        let filled = |text: Option<String>| text.filter(|t| !t.trim().is_empty());
        let mut c = Component { path: self.path.to_owned(), parent, ..Component::default() };
        c.reference = filled(self.text(node, "bom-ref")).unwrap_or_else(|| self.path.to_owned());
        c.kind = self.kind(node);
        c.group = filled(self.text(node, "group"));
        c.name = self.text(node, "name").unwrap_or_default();
        c.version = filled(self.text(node, "version"));
        c.purl = self.purl(node);
        c.cpes = self.cpes(node).into();
        c.supplier = self.supplier(node);
        c.licenses = self.licenses(node).into();
        for (i, hash) in self.list(node, "hashes").iter().enumerate() {
            match (hash.text_of("alg"), hash.text_of("content")) {
                (Some(alg), Some(hex)) => c.hashes.push((alg.to_owned(), hex.trim().to_ascii_lowercase())),
                _ => self.say("value-ignored", &format!("hashes[{i}]"), "the hash lacks alg or content"),
            }
        }
        for (i, reference) in self.list(node, "externalReferences").iter().enumerate() {
            match reference.text_of("url") {
                Some(url) => {
                    c.references.push((reference.text_of("type").unwrap_or("other").into(), url.into()))
                }
                None => {
                    self.say("value-ignored", &format!("externalReferences[{i}]"), "the reference has no url")
                }
            }
        }
        for property in self.list(node, "properties") {
            let value = property.text_of("value").unwrap_or_default();
            c.properties.push((property.text_of("name").unwrap_or_default().to_owned(), value.to_owned()));
        }
        if let Some(evidence) = node.get("evidence") {
            let places = evidence.items("occurrences").iter().filter_map(|o| o.text_of("location"));
            c.locations.extend(places.map(str::to_owned));
            self.identity(evidence, &mut c);
        }
        c.resolves = resolves(node).into();
        if c.purl.is_none() && c.cpes.is_empty() && c.name.trim().is_empty() {
            self.say("component-unidentified", "", "the component has no package URL, no CPE and no name");
        }
        c
    }

    fn kind(&mut self, node: &Node<'_>) -> ComponentKind {
        let Some(word) = self.text(node, "type") else { return ComponentKind::default() };
        match KINDS.iter().find(|(w, _)| *w == word) {
            Some((_, kind)) => *kind,
            None => {
                self.say("value-ignored", "type", format!("{:?} is no type of component", excerpt(&word)));
                ComponentKind::default()
            }
        }
    }

    fn purl(&mut self, node: &Node<'_>) -> Option<Purl> {
        let text = self.text(node, "purl").filter(|t| !t.trim().is_empty())?;
        match Purl::parse(text.trim()) {
            Ok(purl) => Some(purl),
            Err(e) => {
                self.say("purl-invalid", "purl", format!("{:?}: {e}", excerpt(&text)));
                None
            }
        }
    }

    fn cpes(&mut self, node: &Node<'_>) -> Vec<Cpe> {
        let Some(text) = self.text(node, "cpe").filter(|t| !t.trim().is_empty()) else { return Vec::new() };
        match Cpe::parse(&text) {
            Ok(cpe) => vec![cpe],
            Err(e) => {
                self.say("cpe-invalid", "cpe", format!("{:?}: {e}", excerpt(&text)));
                Vec::new()
            }
        }
    }

    /// What the evidence concludes the identity to be: a purl where none is declared, further CPEs.
    fn identity(&mut self, evidence: &Node<'_>, c: &mut Component) {
        let identities = match evidence.get("identity") {
            Some(Node::List(items)) => items.as_slice(),
            Some(one @ Node::Map(_)) => std::slice::from_ref(one),
            _ => &[],
        };
        // a document may list very many
        let mut known: HashSet<String> = c.cpes.iter().map(ToString::to_string).collect();
        for identity in identities {
            let Some(value) = identity.text_of("concludedValue") else { continue };
            match identity.text_of("field") {
                Some("purl") if c.purl.is_none() => c.purl = Purl::parse(value).ok(),
                Some("cpe") => {
                    if let Some(cpe) = Cpe::parse(value).ok().filter(|cpe| known.insert(cpe.to_string())) {
                        c.cpes.push(cpe);
                    }
                }
                _ => {}
            }
        }
    }

    fn supplier(&mut self, node: &Node<'_>) -> Option<String> {
        let entity = |key: &str| node.get(key).and_then(|s| s.text_of("name")).map(str::to_owned);
        let person = || node.items("authors").first().and_then(|a| a.text_of("name")).map(str::to_owned);
        let plain = |key: &str| node.text_of(key).map(str::to_owned);
        let found = entity("supplier").or_else(|| entity("manufacturer")).or_else(|| plain("publisher"));
        found.or_else(|| plain("author")).or_else(person).filter(|s| !s.is_empty())
    }

    fn licenses(&mut self, node: &Node<'_>) -> Vec<License> {
        let mut out = Vec::new();
        for (i, choice) in self.list(node, "licenses").iter().enumerate() {
            let field = format!("licenses[{i}]");
            if let Some(text) = choice.text_of("expression") {
                out.push(self.expression(text, &format!("{field}.expression")));
                continue;
            }
            let Some(license) = choice.get("license") else {
                self.say("value-ignored", &field, "neither a license nor an expression");
                continue;
            };
            let content = license.get("text").and_then(|t| t.text().or_else(|| t.text_of("content")));
            if let Some(id) = license.text_of("id") {
                out.push(self.expression(id, &format!("{field}.license.id")));
            } else if let Some(name) = license.text_of("name").or(content).or_else(|| license.text()) {
                out.push(License::Named(name.to_owned()));
            } else {
                self.say("value-ignored", &field, "the license has no id, name or text");
            }
        }
        out
    }

    fn expression(&mut self, text: &str, field: &str) -> License {
        match spdx::Expression::parse(text) {
            Ok(_) => License::Expression(text.to_owned()),
            // Long ones nest; the parser's own message carries the whole text.
            Err(e) => {
                self.say("license-invalid", field, format!("{:?}: {}", excerpt(text), e.reason));
                License::Named(text.to_owned())
            }
        }
    }
}

/// Ids of the issues that patches in the pedigree resolve.
fn resolves(node: &Node<'_>) -> Vec<String> {
    let Some(pedigree) = node.get("pedigree") else { return Vec::new() };
    let issues = pedigree.items("patches").iter().flat_map(|patch| patch.items("resolves"));
    issues.filter_map(|issue| issue.text_of("id")).map(str::to_owned).collect()
}

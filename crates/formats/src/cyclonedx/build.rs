//! Collects the elements of a document, in whatever order they come, into a [`Bom`].

use tocsin_model::bom::{Bom, BomFormat, Component};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::node::Node;
use super::strict::Strict;
use super::vdr::is_serial;
use super::{VERSIONS, component, vex};

/// What is known of a document so far.
pub(super) struct Builder<'a> {
    /// The document.
    pub(super) bom: Bom,
    strict: Option<Strict>,
    /// Dependencies wait for the components they name.
    edges: Vec<(String, String, Vec<String>)>,
    named_format: Option<bool>,
    _document: std::marker::PhantomData<&'a ()>,
}

impl<'a> Builder<'a> {
    /// An empty document of the encoding.
    pub(super) fn new(encoding: &str, strict: Option<Strict>) -> Self {
        let format =
            BomFormat { name: "CycloneDX".into(), version: String::new(), encoding: encoding.into() };
        let bom = Bom { format, ..Bom::default() };
        Builder { bom, strict, edges: Vec::new(), named_format: None, _document: std::marker::PhantomData }
    }

    /// Whether a member of the top level matters.
    pub(super) fn wants(&self, key: &str) -> bool {
        let read = matches!(key, "bomFormat" | "specVersion" | "serialNumber" | "version" | "metadata");
        read || self.strict.is_some()
    }

    /// Keeps remarks.
    pub(super) fn remarks(&mut self, remarks: Vec<Diagnostic>) {
        self.bom.diagnostics.extend(remarks);
    }

    /// Says that a value has the wrong type.
    pub(super) fn misplaced(&mut self, path: &str, node: &Node<'_>) {
        let code = if self.strict.is_some() { "schema-violation" } else { "value-ignored" };
        let message = format!("{} stands where another type belongs", node.kind());
        self.bom.diagnostics.push(Diagnostic::new(code, path, message));
    }

    /// Takes a member of the top level that is not one of the long lists.
    pub(super) fn member(&mut self, key: &str, node: Node<'a>) {
        if let Some(strict) = &self.strict {
            strict.member(key, &node, &mut self.bom.diagnostics);
        }
        match (key, &node) {
            ("bomFormat", Node::Text(t)) => self.named_format = Some(t == "CycloneDX"),
            ("specVersion", Node::Text(t)) => self.version(t),
            ("serialNumber", Node::Text(t)) => {
                if !is_serial(&t.to_ascii_lowercase()) && self.strict.is_none() {
                    let message = format!("{:?} is no urn:uuid: with a UUID; kept as written", excerpt(t));
                    self.bom.diagnostics.push(Diagnostic::new("value-ignored", key, message));
                }
                self.bom.serial = Some(t.to_string());
            }
            ("version", Node::Number(n)) if *n >= 0.0 => self.bom.version = Some(*n as u64),
            // XML has no numbers.
            ("version", Node::Text(t)) if t.parse::<u64>().is_ok() => self.bom.version = t.parse().ok(),
            ("metadata", Node::Map(_)) => self.metadata(&node),
            ("bomFormat" | "specVersion" | "serialNumber" | "version" | "metadata", _) => {
                self.misplaced(key, &node)
            }
            _ => {}
        }
    }

    /// Called with what members there were once all have been seen.
    pub(super) fn end_of_members(&mut self, has: &dyn Fn(&str) -> bool) {
        if let Some(strict) = &self.strict {
            strict.top(has, &mut self.bom.diagnostics);
        }
    }

    fn version(&mut self, text: &str) {
        if !VERSIONS.contains(&text) {
            let message = format!("CycloneDX {:?} is not known; read as {}", excerpt(text), "1.7");
            self.bom.diagnostics.push(Diagnostic::new("format-version", "specVersion", message));
        }
        self.bom.format.version = text.to_owned();
    }

    /// Takes an item of one of the long lists.
    pub(super) fn item(&mut self, key: &str, path: &str, node: &Node<'a>) {
        if let Some(strict) = &self.strict {
            strict.item(key, path, node, &mut self.bom.diagnostics);
        }
        if !matches!(node, Node::Map(_)) {
            return self.misplaced(path, node);
        }
        match key {
            "components" => {
                component::add(&mut self.bom, node, path, None);
            }
            "dependencies" => self.dependency(path, node),
            _ => vex::add(&mut self.bom, node, path),
        }
    }

    fn dependency(&mut self, path: &str, node: &Node<'_>) {
        let Some(from) = node.text_of("ref") else {
            let message = "the dependency has no ref";
            return self.bom.diagnostics.push(Diagnostic::new("value-ignored", path, message));
        };
        let mut to = Vec::new();
        for key in ["dependsOn", "provides"] {
            for (i, item) in node.items(key).iter().enumerate() {
                match item.text() {
                    Some(text) => to.push(text.to_owned()),
                    None => self.misplaced(&format!("{path}.{key}[{i}]"), item),
                }
            }
        }
        self.edges.push((path.to_owned(), from.to_owned(), to));
    }

    fn metadata(&mut self, node: &Node<'_>) {
        let bom = &mut self.bom;
        bom.timestamp = node.text_of("timestamp").map(str::to_owned);
        // 1.4 and before: a list of tools; 1.5: an object with components and services.
        let tools = match node.get("tools") {
            Some(Node::List(tools)) => tools.as_slice(),
            Some(tools @ Node::Map(_)) => tools.items("components"),
            _ => &[],
        };
        for tool in tools {
            let parts = ["vendor", "name", "version"].map(|k| tool.text_of(k).unwrap_or_default());
            let words: Vec<&str> = parts.into_iter().filter(|w| !w.is_empty()).collect();
            if !words.is_empty() {
                bom.creators.push(format!("Tool: {}", words.join(" ")));
            }
        }
        for author in node.items("authors") {
            if let Some(name) = author.text_of("name").or_else(|| author.text_of("email")) {
                bom.creators.push(format!("Person: {name}"));
            }
        }
        for key in ["manufacturer", "manufacture", "supplier"] {
            if let Some(name) = node.get(key).and_then(|m| m.text_of("name")) {
                bom.creators.push(format!("Organization: {name}"));
            }
        }
        match node.get("component") {
            Some(component @ Node::Map(_)) => {
                bom.root = Some(component::add(bom, component, "metadata.component", None));
            }
            Some(other) => self.misplaced("metadata.component", other),
            None => {}
        }
    }

    /// The document, references resolved.
    pub(super) fn finish(mut self) -> Bom {
        if self.named_format != Some(true) && self.bom.format.encoding == "json" {
            let message = "the document does not say \"bomFormat\": \"CycloneDX\"";
            self.bom.diagnostics.push(Diagnostic::new("value-ignored", "bomFormat", message));
        }
        let index = References::new(&mut self.bom);
        for (path, from, targets) in std::mem::take(&mut self.edges) {
            let Some(dependent) = index.get(&self.bom.components, &from) else {
                // Services are not read, and may well be named; with nothing to depend on nothing is lost.
                self.unknown(&format!("{path}.ref"), &from);
                continue;
            };
            for to in targets {
                match index.get(&self.bom.components, &to) {
                    Some(dependency) => self.bom.dependencies.push((dependent, dependency)),
                    None => self.unknown(&format!("{path}.dependsOn"), &to),
                }
            }
        }
        vex::resolve(&mut self.bom, &index);
        self.bom
    }

    fn unknown(&mut self, path: &str, reference: &str) {
        let message = format!("{:?} is no component of this document", excerpt(reference));
        self.bom.diagnostics.push(Diagnostic::new("ref-unknown", path, message));
    }
}

/// The components in the order of their references: what a million of them costs in a hash table of texts is more than
/// all else that reading needs.
pub(super) struct References(Vec<usize>);

impl References {
    /// Sorts the components; those whose reference another had before are told of.
    fn new(bom: &mut Bom) -> References {
        let of = |n: usize| bom.components.get(n).map_or("", |c| c.reference.as_str());
        let mut order: Vec<usize> = (0..bom.components.len()).collect();
        order.sort_by(|a, b| of(*a).cmp(of(*b)));
        let mut again: Vec<(usize, usize)> = Vec::new();
        for group in order.chunk_by(|a, b| of(*a) == of(*b)) {
            if let [first, rest @ ..] = group {
                again.extend(rest.iter().map(|n| (*n, *first)));
            }
        }
        order.dedup_by(|b, a| of(*b) == of(*a));
        again.sort_unstable();
        for (n, first) in again {
            if let (Some(component), Some(first)) = (bom.components.get(n), bom.components.get(first)) {
                let message =
                    format!("{:?} is the reference of {} too", excerpt(&component.reference), first.path);
                let path = format!("{}.bom-ref", component.path);
                bom.diagnostics.push(Diagnostic::new("ref-duplicate", path, message));
            }
        }
        References(order)
    }

    /// The first component of this reference.
    pub(super) fn get(&self, components: &[Component], reference: &str) -> Option<usize> {
        let of = |n: usize| components.get(n).map_or("", |c| c.reference.as_str());
        let at = self.0.binary_search_by(|n| of(*n).cmp(reference)).ok()?;
        self.0.get(at).copied()
    }
}

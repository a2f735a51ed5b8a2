//! How every reader of this folder makes its document: one place for package URLs, references, bounds and the
//! remarks on entries that are not pinned.

use std::collections::{HashMap, HashSet};

use roxmltree::Document;
use tocsin_model::bom::{Bom, BomFormat, Component, ComponentKind, License};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::purl::Purl;

use super::Distro;
use crate::input::ReadOptions;

/// Where an entry came from when that is no registry: `local`, or a `git+…`, `file:` or other URL.
pub const PROPERTY_SOURCE: &str = "tocsin:lock:source";
/// The part of the build an entry is for, where the file tells: `dev`, `optional`, `test`, `indirect` …
pub const PROPERTY_SCOPE: &str = "tocsin:lock:scope";
/// The requirement as written, of an entry that is not pinned.
pub const PROPERTY_REQUIREMENT: &str = "tocsin:lock:requirement";

/// Why a file could not be read.
pub(super) type Refusal = Vec<Diagnostic>;

/// One package on its way into the document.
#[derive(Default)]
pub(super) struct Entry {
    ty: &'static str,
    namespace: Option<String>,
    name: String,
    version: Option<String>,
    reference: Option<String>,
    path: String,
    qualifiers: Vec<(String, String)>,
    properties: Vec<(String, String)>,
    hashes: Vec<(String, String)>,
    licenses: Vec<License>,
    requirement: Option<String>,
    local: bool,
}

impl Entry {
    /// A package of the purl type `ty`; `name` may carry its namespace before the last `/`.
    pub fn new(ty: &'static str, name: &str) -> Self {
        let name = name.trim();
        let (namespace, name) = match (ty, name.rsplit_once('/')) {
            ("npm" | "golang" | "composer" | "swift" | "github" | "hex", Some((ns, n))) if !ns.is_empty() => {
                (Some(ns.to_owned()), n)
            }
            _ => (None, name),
        };
        Entry { ty, namespace, name: name.to_owned(), ..Entry::default() }
    }

    pub fn namespace(mut self, ns: &str) -> Self {
        self.namespace = Some(ns.trim().to_owned()).filter(|n| !n.is_empty());
        self
    }

    pub fn version(mut self, v: &str) -> Self {
        self.version = Some(v.trim().to_owned()).filter(|v| !v.is_empty());
        self
    }

    /// The entry names a range, not a version.
    pub fn unresolved(mut self, requirement: &str) -> Self {
        self.version = None;
        self.requirement = Some(requirement.trim().to_owned());
        self
    }

    /// The place in the file.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub fn reference(mut self, r: impl Into<String>) -> Self {
        self.reference = Some(r.into());
        self
    }

    pub fn qualifier(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.qualifiers.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn property(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.properties.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn scope(self, scope: &str) -> Self {
        self.property(PROPERTY_SCOPE, scope)
    }

    /// The package is not from a registry, so advisories on the registry's package of that name do not speak of
    /// it: it is kept without a package URL.
    pub fn local(mut self, source: &str) -> Self {
        self.local = true;
        self.property(PROPERTY_SOURCE, source)
    }

    pub fn hash(mut self, algorithm: &str, hex: &str) -> Self {
        if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            self.hashes.push((algorithm.to_owned(), hex.to_ascii_lowercase()));
        }
        self
    }

    /// Subresource integrity (`sha512-BASE64 …`, W3C SRI), as npm and yarn write it.
    pub fn integrity(mut self, text: &str) -> Self {
        for word in text.split_whitespace() {
            let Some((algorithm, value)) = word.split_once('-') else { continue };
            let name = match algorithm {
                "sha1" => "SHA-1",
                "sha256" => "SHA-256",
                "sha384" => "SHA-384",
                "sha512" => "SHA-512",
                _ => continue,
            };
            if let Some(hex) = base64_to_hex(value.split('?').next().unwrap_or(value)) {
                self.hashes.push((name.to_owned(), hex));
            }
        }
        self
    }

    pub fn license(mut self, text: &str) -> Self {
        let text = text.trim();
        if !text.is_empty() {
            self.licenses.push(match spdx::Expression::parse(text) {
                Ok(_) => License::Expression(text.to_owned()),
                Err(_) => License::Named(text.to_owned()),
            });
        }
        self
    }
}

/// Standard base64 (RFC 4648 section 4) as lower-case hex; `None` where it is none.
pub(super) fn base64_to_hex(text: &str) -> Option<String> {
    let (mut bits, mut held, mut out) = (0_u32, 0_u32, String::new());
    for b in text.trim_end_matches('=').bytes() {
        let v = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(v);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push_str(&format!("{:02x}", (bits >> held) & 0xff));
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The document in the making.
pub(super) struct Builder<'a> {
    /// What is handed back.
    pub bom: Bom,
    /// The distribution the file lies in, where the caller knows it.
    pub distro: Option<&'a Distro>,
    /// How to read.
    pub options: &'a ReadOptions,
    references: HashSet<String>,
    edges: HashSet<(usize, usize)>,
    repeats: HashMap<String, u32>,
    overfull: bool,
}

impl<'a> Builder<'a> {
    pub fn new(kind: &str, encoding: &str, options: &'a ReadOptions, distro: Option<&'a Distro>) -> Self {
        let format =
            BomFormat { name: kind.to_owned(), version: String::new(), encoding: encoding.to_owned() };
        Builder {
            bom: Bom { format, ..Bom::default() },
            distro,
            options,
            references: HashSet::new(),
            edges: HashSet::new(),
            repeats: HashMap::new(),
            overfull: false,
        }
    }

    pub fn remark(&mut self, code: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.bom.diagnostics.push(Diagnostic::new(code, path, message));
    }

    /// Adds a package and gives its index. `None`: it has no name, or is beyond a limit (said in a diagnostic).
    pub fn add(&mut self, mut e: Entry) -> Option<usize> {
        if e.name.is_empty() {
            self.remark("component-unidentified", e.path, "the entry has no name");
            return None;
        }
        let longest = self.options.limits.string_bytes;
        if e.name.len() > longest || e.version.as_ref().is_some_and(|v| v.len() > longest) {
            self.remark("value-ignored", e.path, format!("a name or version is longer than {longest} bytes"));
            return None;
        }
        if self.bom.components.len() as u64 >= self.options.limits.entries {
            self.overfull = true;
            return None;
        }
        let mut properties = std::mem::take(&mut e.properties);
        match (&e.version, &e.requirement) {
            (None, Some(r)) => {
                let what = format!("`{}` is not pinned to one version: {}", excerpt(&e.name), excerpt(r));
                self.remark("lock-unresolved", e.path.clone(), what);
                if !r.is_empty() {
                    properties.push((PROPERTY_REQUIREMENT.to_owned(), r.clone()));
                }
            }
            (None, None) if !e.local => {
                self.remark(
                    "version-missing",
                    e.path.clone(),
                    format!("`{}` has no version", excerpt(&e.name)),
                );
            }
            _ => {}
        }
        let purl = if e.ty.is_empty() || e.local { None } else { self.purl(&e) };
        let (group, name) = match (e.ty, e.namespace) {
            ("golang" | "swift" | "github", Some(ns)) => (None, format!("{ns}/{}", e.name)),
            ("deb" | "apk" | "rpm" | "opkg" | "yocto", _) => (None, e.name),
            (_, ns) => (ns, e.name),
        };
        let wanted = e.reference.unwrap_or_else(|| match (&purl, &e.version) {
            (Some(p), _) => p.to_string(),
            (None, Some(v)) => format!("{name}@{v}"),
            (None, None) => name.clone(),
        });
        let reference = self.unique(wanted);
        let mut component = Component {
            reference,
            kind: ComponentKind::Library,
            group,
            name,
            version: e.version,
            purl,
            licenses: e.licenses.into(),
            hashes: e.hashes.into(),
            properties: properties.into(),
            path: e.path,
            ..Component::default()
        };
        component.hashes.truncate(self.options.limits.list_items);
        component.licenses.truncate(self.options.limits.list_items);
        self.bom.components.push(component);
        Some(self.bom.components.len() - 1)
    }

    fn purl(&mut self, e: &Entry) -> Option<Purl> {
        let purl = Purl {
            ty: e.ty.to_owned(),
            namespace: e.namespace.clone(),
            name: e.name.clone(),
            version: e.version.clone(),
            qualifiers: e.qualifiers.clone().into(),
            subpath: None,
        };
        match purl.normalised() {
            Ok(p) => Some(p),
            Err(why) => {
                self.remark("purl-invalid", e.path.clone(), format!("`{}`: {why}", excerpt(&e.name)));
                None
            }
        }
    }

    fn unique(&mut self, wanted: String) -> String {
        let mut reference = wanted.clone();
        while !self.references.insert(reference.clone()) {
            let n = self.repeats.entry(wanted.clone()).or_insert(1);
            *n += 1;
            reference = format!("{wanted}#{n}");
        }
        reference
    }

    /// Adds a dependency edge once.
    pub fn edge(&mut self, from: usize, to: usize) {
        if from != to && self.edges.insert((from, to)) {
            self.bom.dependencies.push((from, to));
        }
    }

    /// The component the document is about; it is one of the components.
    pub fn root(&mut self, index: Option<usize>) {
        self.bom.root = index;
        if let Some(c) = index.and_then(|i| self.bom.components.get_mut(i)) {
            c.kind = ComponentKind::Application;
        }
    }

    /// Ends the document.
    pub fn finish(mut self) -> Result<Bom, Refusal> {
        if self.overfull {
            let what = format!("limit: {} packages in one file", self.options.limits.entries);
            self.bom.diagnostics.push(Diagnostic::new("limit-entries", "", what));
            return Err(self.bom.diagnostics);
        }
        Ok(self.bom)
    }
}

/// The refusal of a file that is not what its name says.
pub(super) fn syntax(path: impl Into<String>, message: impl Into<String>) -> Refusal {
    vec![Diagnostic::new("input-syntax", path, message)]
}

/// Reads JSON, remarks going to the document; nesting is bounded by the parser.
pub(super) fn json(text: &str, b: &mut Builder<'_>) -> Result<serde_json::Value, Refusal> {
    crate::json::read(text, &mut b.bom.diagnostics).map_err(|d| vec![d])
}

/// Reads XML.
pub(super) fn xml<'t>(text: &'t str, b: &Builder<'_>) -> Result<Document<'t>, Refusal> {
    crate::xml::parse(text, Some(b.options.limits.depth)).map_err(|d| vec![d])
}

/// Line numbers of growing offsets, counted on from the last one asked for.
pub(super) struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        Lines { text, at: 0, line: 1 }
    }

    /// The line of an offset, from 1.
    pub fn of(&mut self, offset: usize) -> usize {
        let from = if offset < self.at { 0 } else { self.at };
        if from == 0 {
            self.line = 1;
        }
        let passed = self.text.as_bytes().get(from..offset).unwrap_or_default();
        self.line += passed.iter().filter(|b| **b == b'\n').count();
        self.at = offset;
        self.line
    }
}

/// Reads TOML.
pub(super) fn toml(text: &str) -> Result<toml::Table, Refusal> {
    text.parse::<toml::Table>().map_err(|e| {
        let at = e.span().map_or(0, |s| s.start.min(text.len()));
        let line = text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
        let code = if e.message().contains("recurs") { "limit-depth" } else { "input-syntax" };
        vec![Diagnostic::new(code, format!("line {line}"), excerpt(e.message()))]
    })
}

/// Reads all YAML documents of a text; aliases and nesting are bounded by the size of the text.
pub(super) fn yaml(text: &str) -> Result<Vec<serde_json::Value>, Refusal> {
    let mut budget = serde_saphyr::Budget::default();
    // Lock files are flat and have no aliases: what grows is the number of nodes, at most one per byte.
    budget.max_events = text.len().saturating_add(1000);
    budget.max_nodes = text.len().saturating_add(1000);
    budget.max_total_scalar_bytes = text.len().saturating_mul(2).saturating_add(1000);
    let options = serde_saphyr::options! { budget: Some(budget) };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|e| {
        let place = e.location().map_or_else(String::new, |l| format!("line {}", l.line()));
        let what = e.to_string();
        let what = excerpt(what.lines().next().unwrap_or_default());
        let code = if what.contains("recursion limit") { "limit-depth" } else { "input-syntax" };
        vec![Diagnostic::new(code, place, what)]
    })
}

/// A text member of a JSON object.
pub(super) fn text<'v>(v: &'v serde_json::Value, key: &str) -> Option<&'v str> {
    v.get(key).and_then(serde_json::Value::as_str)
}

/// A true flag of a JSON object.
pub(super) fn flag(v: &serde_json::Value, key: &str) -> bool {
    v.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false)
}

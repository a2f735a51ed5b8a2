//! Strict mode for XML and Protocol Buffers: what the specification asks of a document beyond which elements stand
//! where (for that see [`super::xsd`]), such as either this or that. JSON has [`super::schema`].

use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::VERSIONS;
use super::component::KINDS;
use super::node::Node;
use super::vdr::{HASHES, is_hash, is_serial};

/// What a field must hold.
#[derive(Clone, Copy)]
enum Check {
    /// Anything.
    Any,
    /// A string that is not empty.
    Filled,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Whatever this says yes to.
    Form(fn(&str) -> bool),
}

/// A row of the table.
struct Rule {
    element: &'static str,
    field: &'static str,
    /// Minor version of 1.x from which the field is known.
    since: usize,
    /// Minor versions in which it must be there: from, to (inclusive).
    required: Option<(usize, usize)>,
    check: Check,
}

const fn rule(element: &'static str, field: &'static str, since: usize, check: Check) -> Rule {
    Rule { element, field, since, required: None, check }
}

const fn must(element: &'static str, field: &'static str, from: usize, to: usize, check: Check) -> Rule {
    Rule { element, field, since: 0, required: Some((from, to)), check }
}

/// The newest minor version there is.
const NEWEST: usize = 7;

const RULES: &[Rule] = &[
    must("component", "name", 0, NEWEST, Check::Any),
    must("component", "type", 0, NEWEST, Check::Form(is_kind)),
    must("component", "version", 0, 3, Check::Any),
    rule("component", "bom-ref", 1, Check::Filled),
    rule("component", "scope", 0, Check::Words(&["required", "optional", "excluded"])),
    must("hash", "alg", 0, NEWEST, Check::Form(is_algorithm)),
    must("hash", "content", 0, NEWEST, Check::Form(is_hash)),
    rule("license", "id", 0, Check::Form(is_license)),
    rule("text", "encoding", 0, Check::Words(&["base64"])),
    must("swid", "tagId", 2, NEWEST, Check::Any),
    must("swid", "name", 2, NEWEST, Check::Any),
    must("patch", "type", 2, NEWEST, Check::Words(&["unofficial", "monkey", "backport", "cherry-pick"])),
    must("issue", "type", 2, NEWEST, Check::Words(&["defect", "enhancement", "security"])),
    must("dependency", "ref", 2, NEWEST, Check::Filled),
    must("service", "name", 2, NEWEST, Check::Any),
    rule("data", "flow", 2, Check::Words(&["inbound", "outbound", "bi-directional", "unknown"])),
    must("property", "name", 5, NEWEST, Check::Any),
    rule(
        "distributionConstraints",
        "tlp",
        7,
        Check::Words(&["CLEAR", "GREEN", "AMBER", "AMBER_AND_STRICT", "RED"]),
    ),
    rule("metadata", "timestamp", 2, Check::Form(is_time)),
];

/// Kind of the elements in a member, by the name of the member.
fn element_of(key: &str) -> &'static str {
    match key {
        "component" | "components" | "ancestors" | "descendants" | "variants" => "component",
        "hashes" => "hash",
        "license" => "license",
        "licenses" => "choice",
        "text" => "text",
        "swid" => "swid",
        "patches" => "patch",
        "resolves" => "issue",
        "dependencies" => "dependency",
        "services" => "service",
        "properties" => "property",
        "distributionConstraints" => "distributionConstraints",
        "metadata" => "metadata",
        "citations" => "citation",
        _ => "",
    }
}

fn is_kind(text: &str) -> bool {
    KINDS.iter().any(|(word, _)| *word == text)
}

fn is_algorithm(text: &str) -> bool {
    // 1.7 added Streebog.
    HASHES.contains(&text) || text.starts_with("Streebog-")
}

pub(super) fn is_license(text: &str) -> bool {
    spdx::license_id(text).is_some() || spdx::exception_id(text).is_some()
}

/// RFC 3339 as far as the shape goes (XML Schema allows to leave out the offset).
pub(super) fn is_time(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()))
    };
    digits(0..4)
        && text.get(4..5) == Some("-")
        && digits(5..7)
        && digits(8..10)
        && text.get(10..11) == Some("T")
        && digits(11..13)
}

/// The checks of one specification version.
pub(super) struct Strict {
    minor: Option<usize>,
}

impl Strict {
    /// Checks for a document of this version.
    pub(super) fn new(version: &str) -> Self {
        Strict { minor: VERSIONS.iter().position(|v| *v == version) }
    }

    /// Checks a member of the top level.
    pub(super) fn member(&self, key: &str, node: &Node<'_>, said: &mut Vec<Diagnostic>) {
        match (key, node) {
            ("bomFormat", Node::Text(t)) if t != "CycloneDX" => violation(said, key, "must be CycloneDX"),
            ("serialNumber", Node::Text(t)) if !is_serial(&t.to_ascii_lowercase()) => {
                violation(said, key, "must be urn:uuid: and a UUID");
            }
            _ => self.walk(key, key, node, said),
        }
    }

    /// Checks an item of a list of the top level.
    pub(super) fn item(&self, key: &str, path: &str, node: &Node<'_>, said: &mut Vec<Diagnostic>) {
        self.walk(key, path, node, said);
    }

    /// Checks what members the document has.
    pub(super) fn top(&self, has: &dyn Fn(&str) -> bool, said: &mut Vec<Diagnostic>) {
        if self.minor.is_none() {
            violation(said, "specVersion", "must be a published version");
        }
        if !has("bomFormat") {
            violation(said, "bomFormat", "is missing");
        }
    }

    /// Checks an element and what is in it. The depth was bounded when the tree was read.
    fn walk(&self, key: &str, path: &str, node: &Node<'_>, said: &mut Vec<Diagnostic>) {
        match node {
            Node::List(items) => {
                let expressions = items.iter().filter(|i| i.get("expression").is_some()).count();
                // 1.7 allows to mix them.
                if key == "licenses" && self.minor < Some(7) && expressions > 0 && items.len() > 1 {
                    violation(said, path, "must be one expression or any number of licenses");
                }
                for (i, item) in items.iter().enumerate() {
                    self.walk(key, &format!("{path}[{i}]"), item, said);
                }
            }
            Node::Map(members) => {
                self.element(element_of(key), path, node, said);
                for (inner, value) in members {
                    self.walk(inner, &format!("{path}.{inner}"), value, said);
                }
            }
            // In XML an element without attributes and children is a leaf; it lacks what it must have.
            Node::Text(text) if text.is_empty() && matches!(key, "license" | "swid" | "dependencies") => {
                self.element(element_of(key), path, &Node::Map(Vec::new()), said);
            }
            Node::Text(_) if key == "distribution" => violation(said, path, "is not of the specification"),
            _ => {}
        }
    }

    fn element(&self, element: &str, path: &str, node: &Node<'_>, said: &mut Vec<Diagnostic>) {
        let minor = self.minor.unwrap_or(NEWEST);
        for rule in RULES.iter().filter(|r| r.element == element && minor >= r.since) {
            let place = || format!("{path}.{}", rule.field);
            let required = rule.required.is_some_and(|(from, to)| (from..=to).contains(&minor));
            let Some(value) = node.get(rule.field) else {
                if required {
                    violation(said, &place(), "is missing");
                }
                continue;
            };
            let Some(text) = value.text() else { continue };
            let fits = match rule.check {
                Check::Any => true,
                Check::Filled => !text.is_empty(),
                Check::Words(words) => words.contains(&text),
                Check::Form(form) => form(text),
            };
            if !fits {
                violation(said, &place(), &format!("may not be {:?}", excerpt(text)));
            }
        }
        if element == "service" {
            let data = match node.get("data") {
                Some(Node::List(items)) => items.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => &[],
            };
            for item in data {
                self.element(
                    "data",
                    &format!("{path}.data"),
                    item.get("classification").unwrap_or(item),
                    said,
                );
                self.element("data", &format!("{path}.data"), item, said);
            }
        }
        let has = |field: &str| node.get(field).is_some();
        match element {
            "license" if has("id") == has("name") => {
                violation(said, path, "must have either an id or a name")
            }
            "choice" if has("license") == has("expression") => {
                violation(said, path, "must be either a license or an expression");
            }
            "component" if has("versionRange") && (has("version") || !external(node)) => {
                violation(said, path, "a versionRange is for external components without version");
            }
            "citation"
                if has("pointers") == has("expressions") || !(has("attributedTo") || has("process")) =>
            {
                violation(said, path, "must have pointers or expressions, and attributedTo or process");
            }
            _ => {}
        }
        if let Node::Map(members) = node {
            let twice = |field: &str| members.iter().filter(|(k, _)| k == field).count() > 1;
            for field in ["id", "name"].iter().filter(|f| element == "license" && twice(f)) {
                violation(said, &format!("{path}.{field}"), "may stand once");
            }
        }
    }
}

fn external(component: &Node<'_>) -> bool {
    match component.get("isExternal") {
        Some(Node::Bool(yes)) => *yes,
        Some(Node::Text(text)) => text == "true" || text == "1",
        _ => false,
    }
}

fn violation(said: &mut Vec<Diagnostic>, path: &str, message: &str) {
    said.push(Diagnostic::new("schema-violation", path, message));
}

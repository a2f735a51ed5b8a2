//! The XML encoding (1.0 and later), brought into the shape of the JSON encoding: attributes and leaf elements are
//! members, wrapper elements of lists are lists. Read event by event without recursion; entities a document
//! declares itself are never expanded.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::build::Builder;
use super::node::{Context, Node};
use super::strict::Strict;
use crate::input::ReadOptions;

/// Start of the namespace of every version; the version follows.
const NAMESPACE: &str = "http://cyclonedx.org/schema/bom/";

/// Elements that wrap a list: (element, its items, or "" for every child).
const LISTS: &[(&str, &str)] = &[
    ("advisories", "advisory"),
    ("affects", "target"),
    ("ancestors", "component"),
    ("authors", "author"),
    ("citations", "citation"),
    ("commits", "commit"),
    ("components", "component"),
    ("cwes", "cwe"),
    ("dependencies", "dependency"),
    ("descendants", "component"),
    ("externalReferences", "reference"),
    ("hashes", "hash"),
    ("licenses", ""),
    ("methods", "method"),
    ("occurrences", "occurrence"),
    ("patches", "patch"),
    ("properties", "property"),
    ("ratings", "rating"),
    ("references", "reference"),
    ("resolves", "issue"),
    ("responses", "response"),
    ("services", "service"),
    ("tools", "tool"),
    ("variants", "component"),
    ("versions", "version"),
    ("vulnerabilities", "vulnerability"),
];

/// An element whose end has not come.
struct Frame<'a> {
    name: String,
    /// Whether the element is of CycloneDX; others are extensions and passed over.
    ours: bool,
    members: Vec<(Cow<'a, str>, Node<'a>)>,
    text: String,
    /// Items handed to the builder already.
    handed: usize,
}

/// Reads an XML document.
///
/// # Errors
/// No well-formed XML, no CycloneDX, nested too deep.
pub(super) fn read(text: &str, options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let context = Context { limits: &options.limits, remarks: Default::default() };
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut walk = Walk {
        context,
        builder: Builder::new("xml", None),
        stack: Vec::new(),
        prefix: None,
        top: Vec::new(),
    };
    loop {
        let step = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => walk.event(&event, options),
            Err(e) => Err(Diagnostic::new("input-syntax", "", e.to_string())),
        };
        if let Err(mut diagnostic) = step {
            let at = (reader.buffer_position() as usize).min(text.len());
            let before = text.as_bytes().get(..at).unwrap_or_default();
            diagnostic.path = format!("line {}", 1 + before.iter().filter(|b| **b == b'\n').count());
            return Err(vec![diagnostic]);
        }
    }
    if walk.prefix.is_none() || !walk.stack.is_empty() {
        return Err(vec![Diagnostic::new(
            "input-syntax",
            "",
            "the document ends before its root element does",
        )]);
    }
    let Walk { mut builder, top, .. } = walk;
    builder.end_of_members(&|key| top.iter().any(|k| k == key));
    Ok(builder.finish())
}

struct Walk<'a, 'l> {
    context: Context<'l>,
    builder: Builder<'a>,
    stack: Vec<Frame<'a>>,
    /// Prefix of the CycloneDX namespace, once the root has been seen.
    prefix: Option<String>,
    /// Members the root has.
    top: Vec<String>,
}

impl<'a> Walk<'a, '_> {
    fn event(&mut self, event: &Event<'_>, options: &ReadOptions) -> Result<(), Diagnostic> {
        let syntax = |message: String| Diagnostic::new("input-syntax", "", message);
        match event {
            Event::Start(start) if self.prefix.is_none() => self.root(start, options),
            Event::Start(start) if self.stack.is_empty() => {
                Err(syntax(format!("a second root element {:?}", excerpt(&name_of(start).1))))
            }
            Event::Start(start) => self.start(start),
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) => self.push(text),
            Event::CData(data) => self.push(data),
            Event::GeneralRef(reference) => {
                let text = entity(reference);
                self.push(&text)
            }
            _ => Ok(()),
        }
    }

    fn root(&mut self, start: &BytesStart<'_>, options: &ReadOptions) -> Result<(), Diagnostic> {
        let (prefix, name) = name_of(start);
        let declaration = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        let attributes = attributes(start, &self.context)?;
        let namespace = attributes.iter().find(|(k, _)| *k == declaration).and_then(|(_, v)| v.text());
        let version =
            namespace.and_then(|n| n.strip_prefix(NAMESPACE)).map(|v| v.trim_end_matches('/').to_owned());
        let (Some(version), "bom") = (version, name.as_str()) else {
            let message = format!("the root element {:?} is no CycloneDX bom", excerpt(&name));
            return Err(Diagnostic::new("input-unrecognised", "", message));
        };
        let strict = options.strict.then(|| Strict::new(&version));
        self.builder = Builder::new("xml", strict);
        self.prefix = Some(prefix);
        self.top = vec!["bomFormat".to_owned(), "specVersion".to_owned()];
        self.builder.member("specVersion", Node::Text(version.into()));
        for (key, node) in attributes {
            if matches!(&*key, "serialNumber" | "version") {
                self.top.push(key.to_string());
                self.builder.member(&key, node);
            }
        }
        self.stack.push(Frame { name, ours: true, members: Vec::new(), text: String::new(), handed: 0 });
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Diagnostic> {
        if self.stack.len() >= self.context.limits.depth as usize {
            return Err(Diagnostic::new("limit-depth", "", self.context.too_deep()));
        }
        let (prefix, name) = name_of(start);
        let ours = self.prefix.as_deref() == Some(&prefix);
        let mut members = attributes(start, &self.context)?;
        members.retain(|(k, _)| !k.starts_with("xmlns") && !k.contains(':'));
        self.stack.push(Frame { name, ours, members, text: String::new(), handed: 0 });
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), Diagnostic> {
        let limit = self.context.limits.document_bytes as usize;
        if let Some(frame) = self.stack.last_mut()
            && frame.text.len() + text.len() <= limit
        {
            frame.text.push_str(text);
        }
        Ok(())
    }

    fn end(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        let depth = self.stack.len();
        if !frame.ours || depth == 0 {
            return;
        }
        let (name, handed) = (frame.name.clone(), frame.handed);
        let path = self.path(&name);
        let node = node_of(frame, &self.context);
        let Some(parent) = self.stack.last_mut() else { return };
        match depth {
            1 => {
                self.builder.remarks(self.context.take(&name));
                // The items of long lists have been handed over one by one.
                if handed == 0 && !long(&name) && self.builder.wants(&name) {
                    self.builder.member(&name, node);
                }
                self.top.push(name);
            }
            2 if long(&parent.name) => {
                parent.handed += 1;
                let list = parent.name.clone();
                self.builder.remarks(self.context.take(&path));
                self.builder.item(&list, &path, &node);
            }
            _ if parent.members.len() >= self.context.limits.list_items && parent.name != "components" => {
                if parent.members.len() == self.context.limits.list_items && parent.handed == 0 {
                    parent.handed = 1;
                    self.context.list_cut();
                }
            }
            _ => parent.members.push((name.into(), node)),
        }
    }

    /// Path of the item of a long list that ends now.
    fn path(&self, name: &str) -> String {
        match self.stack.last() {
            Some(parent) if self.stack.len() == 2 && long(&parent.name) => {
                format!("{}[{}]", parent.name, parent.handed)
            }
            _ => name.to_owned(),
        }
    }
}

fn long(name: &str) -> bool {
    matches!(name, "components" | "dependencies" | "vulnerabilities")
}

/// Prefix and local name of an element.
fn name_of(start: &BytesStart<'_>) -> (String, String) {
    let name = start.name().into_inner().to_owned();
    match name.split_once(':') {
        Some((prefix, local)) => (prefix.to_owned(), local.to_owned()),
        None => (String::new(), name),
    }
}

fn attributes<'a>(
    start: &BytesStart<'_>,
    context: &Context<'_>,
) -> Result<Vec<(Cow<'a, str>, Node<'a>)>, Diagnostic> {
    let mut out = Vec::new();
    // the check for attributes that stand twice takes the square of their number; the first one counts then
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|e| Diagnostic::new("input-syntax", "", e.to_string()))?;
        let raw = attribute.value.to_string();
        let value = quick_xml::escape::unescape(&raw).map_or_else(|_| raw.clone(), Cow::into_owned);
        let key = attribute.key.into_inner().to_owned();
        out.push((Cow::Owned(key), context.string(Cow::Owned(value))));
    }
    Ok(out)
}

/// What an entity or character reference stands for; one the document declares itself is kept as written.
fn entity(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return c.to_string();
    }
    let name: &str = reference;
    resolve_predefined_entity(name).map_or_else(|| format!("&{name};"), str::to_owned)
}

/// An element in the shape JSON gives it.
fn node_of<'a>(frame: Frame<'a>, context: &Context<'_>) -> Node<'a> {
    let Frame { name, mut members, text, .. } = frame;
    if let Some((_, item)) = LISTS.iter().find(|(list, _)| *list == name) {
        // 1.5 and later: `tools` may hold components and services instead of tools.
        let items_only = members.iter().all(|(k, _)| item.is_empty() || k == item);
        if items_only {
            let wrap = |(k, v): (Cow<'a, str>, Node<'a>)| match v {
                // 1.7: an expression with details has it in an attribute, as JSON has it in a member.
                Node::Map(inner) if k == "expression-detailed" => Node::Map(inner),
                v if item.is_empty() => Node::Map(vec![(k, v)]),
                v => v,
            };
            return Node::List(members.into_iter().map(wrap).collect());
        }
        // Anything else in a list is not of it; strict mode sees that the list is none.
        if name != "tools" {
            members.retain(|(k, _)| k == item);
            return Node::List(members.into_iter().map(|(_, v)| v).collect());
        }
    }
    if name == "dependency" {
        return dependency(members);
    }
    let text_key = match name.as_str() {
        "hash" | "text" | "attachment" => "content",
        "property" => "value",
        "expression" | "commit" => "text",
        _ => "#text",
    };
    if members.is_empty() && !matches!(text_key, "content" | "value") {
        return context.string(Cow::Owned(text.trim().to_owned()));
    }
    // An expression keeps its text where JSON has it, beside its attributes.
    if name == "expression" {
        return context.string(Cow::Owned(text.trim().to_owned()));
    }
    if !text.trim().is_empty() {
        members.push((Cow::Borrowed(text_key), context.string(Cow::Owned(text.trim().to_owned()))));
    }
    // Elements that repeat without a wrapper are a list in JSON.
    if name == "evidence" {
        gather(&mut members, "identity");
    }
    Node::Map(members)
}

/// `<dependency ref="a"><dependency ref="b"/><provides ref="c"/></dependency>` as JSON has it.
fn dependency<'a>(members: Vec<(Cow<'a, str>, Node<'a>)>) -> Node<'a> {
    let (mut own, mut depends, mut provides) = (Vec::new(), Vec::new(), Vec::new());
    for (key, node) in members {
        let list = match &*key {
            "dependency" => &mut depends,
            "provides" => &mut provides,
            _ => {
                own.push((key, node));
                continue;
            }
        };
        match node {
            Node::Map(inner) => list.extend(inner.into_iter().filter(|(k, _)| k == "ref").map(|(_, v)| v)),
            other => list.push(other),
        }
    }
    for (key, list) in [("dependsOn", depends), ("provides", provides)] {
        if !list.is_empty() {
            own.push((Cow::Borrowed(key), Node::List(list)));
        }
    }
    Node::Map(own)
}

fn gather<'a>(members: &mut Vec<(Cow<'a, str>, Node<'a>)>, key: &'static str) {
    let (found, rest): (Vec<_>, Vec<_>) = std::mem::take(members).into_iter().partition(|(k, _)| k == key);
    *members = rest;
    if !found.is_empty() {
        members.push((Cow::Borrowed(key), Node::List(found.into_iter().map(|(_, v)| v).collect())));
    }
}

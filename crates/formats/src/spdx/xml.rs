//! SPDX 2.x in XML: the RDF/XML of the specification, and the plain form of the SPDX tools, whose elements are
//! named like the members in JSON and stand once per item of a list.

use roxmltree::Node;
use serde_json::{Map, Value};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::document::Document;
use super::rdf;
use crate::input::ReadOptions;
use crate::xml as tree;

/// Members that are lists in JSON.
const LISTS: &[&str] =
    &["packages", "files", "relationships", "creators", "externalRefs", "checksums", "documentDescribes"];

/// Whether the text, which begins with `<`, is such a document: `Some(true)` for RDF, `Some(false)` for plain XML.
pub(super) fn recognise(body: &[u8]) -> Option<bool> {
    let head = body.get(..body.len().min(1 << 16)).unwrap_or_default();
    let has = |text: &[u8], word: &str| text.windows(word.len()).any(|w| w == word.as_bytes());
    // The vocabulary itself is RDF too, but has no element that tells a version; plain documents name its terms.
    let graph = has(head, rdf::TERMS) && opens(head, "RDF");
    if graph && (opens(body, "specVersion") || opens(body, "SpdxDocument")) {
        return Some(true);
    }
    let plain = opens(head, "Document") || opens(head, "SpdxDocument");
    (plain && opens(body, "spdxVersion")).then_some(false)
}

/// Whether an element of that local name stands in the text.
fn opens(text: &[u8], name: &str) -> bool {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|t| find(t, name.as_bytes())) {
        let (start, end) = (from + at, from + at + name.len());
        let before = text.get(..start).unwrap_or_default();
        let prefix = before.iter().rev().take(64).position(|b| *b == b'<');
        let clean = prefix.and_then(|p| before.get(before.len() - p..)).is_some_and(|prefix| {
            prefix.is_empty()
                || (prefix.last() == Some(&b':')
                    && prefix.iter().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(b)))
        });
        let ends = text.get(end).is_some_and(|b| b.is_ascii_whitespace() || b"/>".contains(b));
        if clean && ends {
            return true;
        }
        from = end;
    }
    false
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|w| w == word)
}

/// Reads either form into the shape that JSON has.
///
/// # Errors
/// It is no well-formed XML, has no document, or nests too deep.
pub(super) fn parse(text: &str, options: &ReadOptions) -> Result<Document, Vec<Diagnostic>> {
    let syntax = |m: String| vec![Diagnostic::new("input-syntax", "", m)];
    // a graph is read without recursion, and nests as deep as the longest path between packages
    let rdf = recognise(text.as_bytes()) == Some(true);
    let xml = tree::parse(text, (!rdf).then_some(options.limits.depth)).map_err(|d| vec![d])?;
    let root = xml.root_element();
    if root.tag_name().name() == "RDF" {
        let doc = rdf::parse(root);
        let empty = doc.packages.iter().flatten().chain(doc.files.iter().flatten()).next().is_none();
        if doc.spdx_version.is_empty() && empty {
            return Err(syntax("the graph holds no SpdxDocument and no package".to_owned()));
        }
        return Ok(doc);
    }
    let mut inner = root.descendants().take(64).filter(|n| n.is_element());
    let Some(document) = inner.find(|n| n.children().any(|c| c.tag_name().name() == "spdxVersion")) else {
        return Err(syntax(format!("{} holds no SPDX document", excerpt(root.tag_name().name()))));
    };
    let value = value(document, options.limits.depth).map_err(|d| vec![d])?;
    serde_json::from_value(value).map_err(|e| syntax(e.to_string()))
}

/// An element as the JSON encoding has it.
fn value(element: Node<'_, '_>, depth: u32) -> Result<Value, Diagnostic> {
    if !element.children().any(|c| c.is_element()) {
        let text = element.children().filter_map(|c| c.text()).collect::<String>();
        return Ok(Value::String(text.trim().to_owned()));
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Diagnostic::new("limit-depth", "", "limit: elements nest deeper than allowed (depth)"));
    };
    let mut members = Map::new();
    for child in element.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let value = value(child, depth)?;
        // An element without content says nothing.
        if value.as_str() == Some("") {
            continue;
        }
        if LISTS.contains(&name) {
            if let Value::Array(list) = members.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                list.push(value);
            }
        } else {
            members.entry(name).or_insert(value);
        }
    }
    Ok(Value::Object(members))
}

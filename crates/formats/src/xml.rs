//! XML as a tree. What the library would take too long over, or its callers too deep, is refused before.

use quick_xml::events::Event;
use roxmltree::{Document, ParsingOptions};
use tocsin_model::diagnostic::Diagnostic;

/// Attributes that one element may have: the library looks for repeated ones by comparing each with each.
const ATTRIBUTES: usize = 1000;
/// Nodes of one tree; each takes about a hundred bytes.
const NODES: u32 = 10_000_000;

/// Parses a document whose elements nest no deeper than `depth`, where that is asked for. A document type
/// declaration is refused: an entity of its own may be named without end.
///
/// # Errors
/// It is not well-formed, or passes a limit; the path is the line.
pub(crate) fn parse(text: &str, depth: Option<u32>) -> Result<Document<'_>, Diagnostic> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut level = 0_u32;
    // what this reader refuses, the next one does too, and says it better
    while let Ok(event) = reader.read_event() {
        let (element, inside) = match &event {
            Event::Start(e) => (Some(e), level.saturating_add(1)),
            Event::Empty(e) => (Some(e), level),
            Event::End(_) => (None, level.saturating_sub(1)),
            Event::Eof => break,
            _ => (None, level),
        };
        level = inside;
        let crowded = element.is_some_and(|e| e.attributes().with_checks(false).nth(ATTRIBUTES).is_some());
        let passed = match (crowded, depth.filter(|limit| level > *limit)) {
            (true, _) => Some(("limit-entries", format!("limit: {ATTRIBUTES} attributes of one element"))),
            (_, Some(limit)) => {
                Some(("limit-depth", format!("limit: elements nest deeper than {limit} (depth)")))
            }
            _ => None,
        };
        if let Some((code, what)) = passed {
            let before = text.as_bytes().iter().take(reader.buffer_position() as usize);
            let line = 1 + before.filter(|b| **b == b'\n').count();
            return Err(Diagnostic::new(code, format!("line {line}"), what));
        }
    }
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|e| Diagnostic::new("input-syntax", format!("line {}", e.pos().row), e.to_string()))
}

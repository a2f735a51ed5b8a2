//! CycloneDX 1.0 to 1.7 (ECMA-424), JSON, XML and Protocol Buffers, read into [`Bom`]; 1.6 JSON and
//! XML written, also with vulnerabilities.
//!
//! A document is streamed: one component, dependency or vulnerability at a time is held as a small tree
//! ([`node::Node`]) of strings borrowed from the input, turned into the model and dropped, so that memory is the
//! bytes and the [`Bom`]. The encodings meet in that tree, which has the shape of the JSON encoding; everything
//! after it is written once.

mod build;
mod component;
pub mod convert;
mod json;
mod node;
mod protobuf;
mod schema;
mod strict;
#[cfg(test)]
mod tests;
pub mod vdr;
mod vex;
mod write;
mod xml;
mod xml_out;
mod xsd;

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::{Diagnostic, Level};
pub use write::{to_json, to_xml};

use crate::input::{ReadOptions, text_of};

/// Specification versions this reader knows, oldest first.
pub(crate) const VERSIONS: &[&str] = &["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];

/// Whether the bytes (already unwrapped) look like such a document.
pub fn recognise(bytes: &[u8]) -> bool {
    if protobuf::recognise(bytes) {
        return true;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match bytes.first() {
        // The key may stand last, after all components.
        Some(b'{') => String::from_utf8_lossy(bytes).contains("\"bomFormat\""),
        Some(b'<') => {
            let head = bytes.get(..bytes.len().min(1 << 16)).unwrap_or_default();
            String::from_utf8_lossy(head).contains("http://cyclonedx.org/schema/bom/")
        }
        _ => false,
    }
}

/// Reads a document (already unwrapped) in any of its encodings.
///
/// # Errors
/// The diagnostics that made it unusable (in strict mode: every violation).
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    if bytes.len() as u64 > options.limits.document_bytes {
        let limit = options.limits.document_bytes;
        let message = format!(
            "the document has {} bytes, more than the limit of {limit} (document_bytes)",
            bytes.len()
        );
        return Err(vec![Diagnostic::new("limit-size", "", message)]);
    }
    let bom =
        if protobuf::recognise(bytes) { protobuf::read(bytes, options) } else { read_text(bytes, options) }?;
    let refused = |d: &Diagnostic| {
        d.level == Level::Error
            || matches!(d.code, "input-encoding" | "input-duplicate-key" | "ref-duplicate")
    };
    if options.strict && bom.diagnostics.iter().any(refused) {
        return Err(bom.diagnostics.into_iter().filter(refused).collect());
    }
    Ok(bom)
}

/// Reads a document in one of the encodings that are text.
fn read_text(bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (text, damaged) = text_of(bytes);
    let text = text.trim_start();
    if text.is_empty() {
        return Err(vec![Diagnostic::new("input-empty", "", "the document is empty")]);
    }
    let mut bom = if text.starts_with('<') { xml::read(text, options) } else { json::read(text, options) }?;
    if options.strict && bom.format.encoding == "xml" {
        bom.diagnostics.extend(xsd::violations(text, &bom.format.version));
    }
    if let Some(remark) = damaged {
        bom.diagnostics.insert(0, remark);
    }
    Ok(bom)
}

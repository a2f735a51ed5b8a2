//! VEX documents of any format: CSAF, OpenVEX, CycloneDX; read into statements, and written from what was decided.

mod csaf;
mod cyclonedx;
mod openvex;
mod write;

use std::collections::HashSet;

use serde_json::Value;
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::vex::{CYCLONEDX_JUSTIFICATIONS, VexStatement};

use crate::input::ReadOptions;

pub use write::{Claim, Export, Format, Part, Whole, write};

/// Action of an affected product for which none was decided; formats that ask for one get these words.
pub const NO_ACTION: &str = "No action is decided yet.";
/// Impact on a product whose match is wrong, in formats that have no word for that.
pub const WRONG_MATCH: &str = "The match is wrong: the vulnerability is not one of this component.";
/// Before the exact justification of CycloneDX in a detail, where CISA's word says less.
pub const EXACT: &str = "CycloneDX justification: ";

/// Identifier of what a CycloneDX document itself describes, beside those that it has.
pub const DESCRIBED: &str = "urn:tocsin:described";

/// A VEX document.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// `CSAF`, `OpenVEX` or `CycloneDX`.
    pub format: &'static str,
    /// Its id: tracking id, `@id` or serial number.
    pub id: Option<String>,
    /// Its statements in their order.
    pub statements: Vec<VexStatement>,
    /// What the reader had to say.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a VEX document, told apart by content.
///
/// # Errors
/// It is none of the formats, or cannot be read; the diagnostics say why.
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Document, Vec<Diagnostic>> {
    if crate::cyclonedx::recognise(bytes) {
        return of_cyclonedx(bytes, options);
    }
    if crate::openvex::recognise(bytes) {
        let (statements, diagnostics) = crate::openvex::read(bytes).map_err(|d| vec![d])?;
        let id = statements.iter().find_map(|s| s.document.clone());
        return Ok(Document { format: "OpenVEX", id, statements: unmarked(statements), diagnostics });
    }
    let statements = crate::csaf::vex(bytes).map_err(|mut d| {
        if d.code == "record-invalid" {
            d = Diagnostic::new(
                "input-unrecognised",
                "",
                "no VEX document: neither CSAF 2.x, OpenVEX nor CycloneDX",
            );
        }
        vec![d]
    })?;
    let id = crate::csaf::document_id(bytes);
    Ok(Document { format: "CSAF", id, statements: unmarked(statements), diagnostics: Vec::new() })
}

/// Statements without the words that [`write()`] puts where a format asks for some and there are none.
fn unmarked(mut statements: Vec<VexStatement>) -> Vec<VexStatement> {
    for s in &mut statements {
        if s.statement.as_deref().is_some_and(|t| t.starts_with(WRONG_MATCH)) {
            s.wrong_match = true;
        }
        for words in [NO_ACTION, WRONG_MATCH] {
            s.statement = s.statement.take().and_then(|t| {
                let rest = t.strip_prefix(words).unwrap_or(&t).trim();
                (!rest.is_empty()).then(|| rest.to_owned())
            });
        }
    }
    statements
}

fn of_cyclonedx(bytes: &[u8], options: &ReadOptions) -> Result<Document, Vec<Diagnostic>> {
    let mut bom = crate::cyclonedx::read(bytes, options)?;
    let mut statements = std::mem::take(&mut bom.vex);
    for s in &mut statements {
        for product in &mut s.products {
            own(&bom, &mut product.identifiers);
        }
        exact(s);
    }
    let mut diagnostics = std::mem::take(&mut bom.diagnostics);
    // references to another document are what VEX is made of
    diagnostics.retain(|d| d.code != "ref-unknown");
    diagnostics.extend(silent(bytes));
    Ok(Document { format: "CycloneDX", id: bom.serial, statements, diagnostics })
}

/// Identifiers of what a bare reference names in this document: with a package URL or CPE name of its own, the
/// reference says nothing of other documents, in which it may be of another component.
fn own(bom: &Bom, identifiers: &mut Vec<String>) {
    let refs: HashSet<&str> = bom.components.iter().map(|c| c.reference.as_str()).collect();
    let Some(at) = identifiers.iter().position(|id| refs.contains(id.as_str())) else { return };
    let component = identifiers.get(at).and_then(|id| bom.components.iter().find(|c| c.reference == *id));
    let Some(c) = component else { return };
    if c.purl.is_some() || !c.cpes.is_empty() {
        let reference = c.reference.clone();
        // written as a package URL, the reference is one
        identifiers.retain(|id| *id != reference || id.starts_with("pkg:"));
    }
    let root = bom.root.and_then(|at| bom.components.get(at));
    if root.is_some_and(|r| std::ptr::eq(r, c)) {
        let version = c.version.as_deref().unwrap_or_default();
        identifiers.push(format!("{} {version}", c.full_name()).trim().to_owned());
        identifiers.push(DESCRIBED.to_owned());
    }
}

/// CISA's word for CycloneDX's justification; where that says more, the exact one begins the words.
fn exact(s: &mut VexStatement) {
    let Some(theirs) = s.justification.take() else { return };
    let theirs = theirs.to_ascii_lowercase();
    let Some((_, ours)) = CYCLONEDX_JUSTIFICATIONS.iter().find(|(word, _)| *word == theirs) else { return };
    s.justification = Some((*ours).to_owned());
    let first = CYCLONEDX_JUSTIFICATIONS.iter().find(|(_, o)| o == ours);
    if first.is_some_and(|(word, _)| *word != theirs) {
        let rest = s.statement.take().unwrap_or_default();
        s.statement = Some(format!("{EXACT}{}\n{rest}", theirs.to_ascii_uppercase()));
    }
}

/// Vulnerabilities without an analysis: they claim nothing, which who takes the document in wants to know.
fn silent(bytes: &[u8]) -> Vec<Diagnostic> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return Vec::new() };
    let list = document.get("vulnerabilities").and_then(Value::as_array);
    let silent = |(i, v): (usize, &Value)| {
        let claims = v.get("analysis").is_some_and(|a| a.get("state").is_some())
            || v.get("affects")
                .and_then(Value::as_array)
                .is_some_and(|l| l.iter().any(|a| a.get("versions").is_some()));
        let id = v.get("id").and_then(Value::as_str).unwrap_or("the vulnerability");
        let message = format!("{id} has no analysis.state, so nothing is said of it");
        (!claims).then(|| Diagnostic::new("value-ignored", format!("vulnerabilities[{i}]"), message))
    };
    list.into_iter().flatten().enumerate().filter_map(silent).collect()
}

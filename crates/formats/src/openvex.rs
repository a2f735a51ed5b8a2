//! OpenVEX 0.0.1 and 0.2.0 documents.

use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::vex::VexStatement;

/// Reads an OpenVEX document.
///
/// # Errors
/// It is not one.
pub fn read(bytes: &[u8]) -> Result<(Vec<VexStatement>, Vec<Diagnostic>), Diagnostic> {
    let _ = bytes;
    Err(Diagnostic::new("input-unrecognised", "", ""))
}

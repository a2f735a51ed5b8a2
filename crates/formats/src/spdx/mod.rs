//! spdx documents.

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::input::ReadOptions;

/// Whether the bytes (already unwrapped) look like such a document.
pub fn recognise(bytes: &[u8]) -> bool {
    let _ = bytes;
    false
}

/// Reads a document (already unwrapped) in any of its encodings.
///
/// # Errors
/// The diagnostics that made it unusable (in strict mode: every violation).
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let _ = options;
    let _ = bytes;
    Err(vec![])
}

//! nvd records.

use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::Record;

/// Parses one record.
///
/// # Errors
/// The record is unusable.
pub fn parse(bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let _ = bytes;
    Err(Diagnostic::new("record-invalid", "", ""))
}

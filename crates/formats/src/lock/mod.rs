//! Lock files, package databases and manifests.

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::input::ReadOptions;

/// Whether a file of this name (a path with `/`) and content is a lock file read here.
pub fn recognise(name: &str, bytes: &[u8]) -> bool {
    let _ = (name, bytes);
    false
}

/// Reads a lock file, package database or manifest; the name decides where content alone cannot.
///
/// # Errors
/// The diagnostics that made it unusable.
pub fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let _ = (name, bytes, options);
    Err(vec![])
}

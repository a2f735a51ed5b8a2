//! One entrance for every SBOM and lock file: recognise, read. What is packed is unpacked before, by
//! [`crate::archive`].

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::input::ReadOptions;
use crate::lock::Distro;
use crate::{bound, cyclonedx, lock, spdx};

/// Whether a file (its path, and all of its bytes) is an SBOM, lock file or package database read here.
pub fn recognise(path: &str, bytes: &[u8]) -> bool {
    cyclonedx::recognise(bytes) || spdx::recognise(bytes) || lock::recognise(path, bytes)
}

/// Reads one document that is not packed. `path` tells lock files apart; `distro` is the distribution it lies in,
/// where that is known.
///
/// # Errors
/// The diagnostics that made it unusable; `input-unrecognised` where it is of no format read here.
pub fn read(
    path: &str,
    bytes: &[u8],
    options: &ReadOptions,
    distro: Option<&Distro>,
) -> Result<Bom, Vec<Diagnostic>> {
    if bytes.len() as u64 > options.limits.document_bytes {
        let what = format!("limit: a document of {} bytes", options.limits.document_bytes);
        return Err(vec![Diagnostic::new("limit-size", "", what)]);
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(vec![Diagnostic::new("input-empty", "", "the file has no content")]);
    }
    let mut bom = if cyclonedx::recognise(bytes) {
        cyclonedx::read(bytes, options)
    } else if spdx::recognise(bytes) {
        spdx::read(bytes, options)
    } else if lock::recognise(path, bytes) || lock::recognise_content(bytes) {
        lock::read_with(path, bytes, options, distro)
    } else {
        let what = "the content is of no SBOM or lock file format that is read here";
        Err(vec![Diagnostic::new("input-unrecognised", "", what)])
    }?;
    bound::keep(&mut bom, &options.limits);
    Ok(bom)
}

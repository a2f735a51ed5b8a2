//! Reading `--vex` files: OpenVEX, CSAF VEX and CycloneDX VEX, told apart by content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tocsin_formats::input::ReadOptions;
use tocsin_formats::{csaf, cyclonedx, openvex};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::vex::VexStatement;

use crate::error::Error;

/// Reads one file's statements, in the order of the file.
///
/// # Errors
/// The file cannot be read or is none of the formats.
pub fn read(path: &Path, options: &ReadOptions) -> Result<(Vec<VexStatement>, Vec<Diagnostic>), Error> {
    let name = path.display().to_string();
    let fault = |code, message: String| Error::Input(vec![Diagnostic::new(code, name.clone(), message)]);
    let limit = options.limits.document_bytes;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|f| f.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|e| fault("input-unreadable", e.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(fault("limit-size", format!("the file is larger than {limit} bytes")));
    }
    if cyclonedx::recognise(&bytes) {
        let bom = cyclonedx::read(&bytes, options)
            .map_err(|why| Error::Input(why.into_iter().map(|d| d.within(&name)).collect()))?;
        return Ok((bom.vex, bom.diagnostics));
    }
    if !openvex::recognise(&bytes) {
        let statements = csaf::vex(&bytes).map_err(|d| Error::Input(vec![d.within(&name)]))?;
        return Ok((statements, Vec::new()));
    }
    openvex::read(&bytes).map_err(|d| Error::Input(vec![d.within(&name)]))
}

//! One entrance for vulnerability intelligence: recognise by content, split into records, parse each.
//!
//! Splitting and parsing are apart so that a stored record's bytes can be parsed again at any time.

use std::io::Read;
use std::ops::ControlFlow;

use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::{Fact, Record};
use tocsin_model::vex::VexStatement;

use crate::input::Limits;

/// The format of one stored record's bytes. Numbers are stored in the database: never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RawKind {
    /// One OSV record, JSON (or YAML as PyPA and OSS-Fuzz keep it).
    Osv = 0,
    /// One CVE record 5.x.
    Cve = 1,
    /// One NVD CVE item: API 2.0 (`{"cve":…}` or the inner object) or feed 1.1.
    Nvd = 2,
    /// One CSAF 2.x document.
    Csaf = 3,
    /// One RustSec advisory as the database keeps it (Markdown with TOML front matter).
    RustSec = 4,
    /// One advisory of RubySec (YAML).
    RubySec = 5,
    /// One advisory of FriendsOfPHP (YAML).
    FriendsOfPhp = 6,
}

/// One record cut out of the input.
#[derive(Debug, Clone)]
pub struct RawRecord {
    /// Its format.
    pub kind: RawKind,
    /// Its bytes as they stood in the input.
    pub bytes: Vec<u8>,
    /// Where it stood: `file.zip!GHSA-….json`, `feed.json.gz vulnerabilities[17]`.
    pub place: String,
}

/// What splitting an input yields.
#[derive(Debug)]
pub enum Item {
    /// A record to be parsed with [`parse`].
    Record(RawRecord),
    /// An exploitation fact or catalogue entry.
    Fact(Fact),
    /// VEX statements of a document (OpenVEX, CycloneDX VEX) that is no advisory.
    Vex(Vec<VexStatement>),
    /// A part that could not be read; `bytes` (at most 64 KiB) are kept for inspection.
    Problem(Diagnostic, Vec<u8>),
    /// A file that is of no known format, with its place.
    Skipped(String),
}

/// Reads `input` (a file called `name`) as a stream through gz, zst, zip, tar, recognises what it is by
/// content, and hands every record to `sink` in the order of the input until `sink` breaks.
///
/// # Errors
/// The input itself could not be read further (truncated archive, limit passed); what came before was handed on.
pub fn split(
    name: &str,
    input: &mut dyn Read,
    limits: &Limits,
    sink: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<(), Diagnostic> {
    let _ = (name, input, limits, sink);
    Ok(())
}

/// Parses one record's bytes; a CSAF document gives one record per vulnerability.
///
/// # Errors
/// The record breaks its format so far that it is unusable.
pub fn parse(kind: RawKind, bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    let _ = bytes;
    Err(Diagnostic::new("record-invalid", "", format!("{kind:?}")))
}

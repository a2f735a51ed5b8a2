//! One entrance for every SBOM and lock file: unwrap, recognise, read.

use std::borrow::Cow;

use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::input::{ReadOptions, unwrap_all};
use crate::{cyclonedx, lock, spdx};

/// A document found in the input.
pub struct Found {
    /// Where: the file's name, with `!inner` for each archive.
    pub place: String,
    /// The document, or why it could not be read.
    pub outcome: Result<Bom, Vec<Diagnostic>>,
}

/// Reads every SBOM or lock file in `bytes` (a file called `name`), through gzip, zstd, zip and tar.
///
/// Always returns at least one entry: input in which nothing is recognised is an error entry. Inside an archive,
/// files of other formats are passed over as long as one is recognised.
pub fn read_all(name: &str, bytes: &[u8], options: &ReadOptions) -> Vec<Found> {
    let mut found = Vec::new();
    let mut passed = Vec::new();
    unwrap_all(name, Cow::Borrowed(bytes), &options.limits, &mut |place, outcome| {
        let outcome = match outcome {
            Ok(bytes) if bytes.len() as u64 > options.limits.document_bytes => {
                let what = format!("limit: a document of {} bytes", options.limits.document_bytes);
                Err(vec![Diagnostic::new("limit-size", &place, what)])
            }
            Ok(bytes) => read_one(&place, &bytes, options),
            Err(d) => Err(vec![d]),
        };
        let unknown = |d: &Diagnostic| d.code == "input-unrecognised";
        let list = if matches!(&outcome, Err(d) if d.iter().any(unknown)) { &mut passed } else { &mut found };
        list.push(Found { place, outcome });
    });
    if found.is_empty() {
        passed.truncate(1);
        found = passed;
    }
    if found.is_empty() {
        let d = Diagnostic::new("input-empty", name, "the archive holds no file");
        found.push(Found { place: name.to_owned(), outcome: Err(vec![d]) });
    }
    found
}

/// Reads one unwrapped document.
fn read_one(place: &str, bytes: &[u8], options: &ReadOptions) -> Result<Bom, Vec<Diagnostic>> {
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(vec![Diagnostic::new("input-empty", place, "the file has no content")]);
    }
    let name = place.rsplit('!').next().unwrap_or(place);
    if cyclonedx::recognise(bytes) {
        cyclonedx::read(bytes, options)
    } else if spdx::recognise(bytes) {
        spdx::read(bytes, options)
    } else if lock::recognise(name, bytes) {
        lock::read(name, bytes, options)
    } else {
        let what = "the content is of no SBOM or lock file format that is read here";
        Err(vec![Diagnostic::new("input-unrecognised", place, what)])
    }
}

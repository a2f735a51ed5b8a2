//! Getting at what is to be scanned: a file, standard input, or a folder walked in sorted order.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tocsin_formats::input::ReadOptions;
use tocsin_formats::{lock, sbom};
use tocsin_model::bom::Bom;
use tocsin_model::diagnostic::Diagnostic;

use crate::error::Error;

/// Folders whose content is not looked into: history, installed dependencies and build products repeat what
/// the lock file beside them says.
const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];
/// Deepest folder below the target.
const MAX_DEPTH: usize = 64;
/// How much of a file is read to tell whether it is a lock file.
const HEAD: u64 = 64 << 10;
/// Endings of files that can be an SBOM.
const ENDINGS: [&str; 7] = ["json", "xml", "spdx", "rdf", "yaml", "yml", "cdx"];

/// What a target holds.
#[derive(Debug, Default)]
pub struct Input {
    /// The documents, in the order of their places.
    pub documents: Vec<Bom>,
    /// What went wrong with parts of the input.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads every document of `target`: `-` is standard input.
///
/// # Errors
/// Nothing usable is there; in strict mode, or for a single document, any document that cannot be read.
pub fn read(target: &str, options: &ReadOptions) -> Result<Input, Error> {
    let limit = options.limits.document_bytes;
    if target == "-" {
        let bytes = bounded("-", &mut io::stdin().lock(), limit)?;
        return single("-", &bytes, options);
    }
    let path = Path::new(target);
    let meta = fs::metadata(path).map_err(|e| unreadable(target, &e))?;
    if meta.is_dir() {
        return folder(path, options);
    }
    let mut file = File::open(path).map_err(|e| unreadable(target, &e))?;
    let bytes = bounded(target, &mut file, limit)?;
    single(target, &bytes, options)
}

fn single(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Input, Error> {
    let mut input = Input::default();
    for found in sbom::read_all(name, bytes, options) {
        match found.outcome {
            Ok(bom) => take(&mut input, bom, if found.place == name { "" } else { &found.place }),
            Err(why) => input.diagnostics.extend(refusal(&found.place, why)),
        }
    }
    finish(input, name, options.strict)
}

fn folder(root: &Path, options: &ReadOptions) -> Result<Input, Error> {
    let mut input = Input::default();
    let mut files = Vec::new();
    walk(root, options.limits.entries, &mut files, &mut input.diagnostics);
    files.sort();
    for name in files {
        match candidate(root, &name, options.limits.document_bytes) {
            Ok(Some(bytes)) => {
                for found in sbom::read_all(&name, &bytes, options) {
                    match found.outcome {
                        Ok(bom) => take(&mut input, bom, &found.place),
                        // A folder is full of other JSON and XML; that is no fault of the input.
                        Err(why) if why.iter().all(|d| d.code == "input-unrecognised") => {}
                        Err(why) => input.diagnostics.extend(refusal(&found.place, why)),
                    }
                }
            }
            Ok(None) => {}
            Err(Error::Input(why)) => input.diagnostics.extend(why),
            Err(other) => return Err(other),
        }
    }
    finish(input, &root.display().to_string(), options.strict)
}

/// Collects the files below `root` as paths with `/` relative to it. Symbolic links are never followed: what
/// they name inside the folder is met at its own place, what they name outside is not part of the target.
fn walk(root: &Path, most: u64, files: &mut Vec<String>, diagnostics: &mut Vec<Diagnostic>) {
    let mut open: Vec<(PathBuf, String, usize)> = vec![(root.to_owned(), String::new(), 0)];
    let mut seen = 0_u64;
    while let Some((dir, prefix, depth)) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) => {
                diagnostics.push(Diagnostic::new("input-unreadable", prefix, e.to_string()));
                continue;
            }
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > most {
                let message = format!("the folder has more than {most} entries");
                diagnostics.push(Diagnostic::new("limit-entries", prefix, message));
                return;
            }
            let Ok(kind) = entry.file_type() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            let place = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if kind.is_file() {
                files.push(place);
            } else if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                if depth >= MAX_DEPTH {
                    let message = format!("folders deeper than {MAX_DEPTH} were not looked into");
                    diagnostics.push(Diagnostic::new("limit-depth", place, message));
                } else {
                    open.push((entry.path(), place, depth + 1));
                }
            }
        }
    }
}

/// The bytes of a file that may be a document, `None` for any other file.
fn candidate(root: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut file = File::open(root.join(name)).map_err(|e| unreadable(name, &e))?;
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(HEAD).read_to_end(&mut head).map_err(|e| unreadable(name, &e))?;
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if !ENDINGS.contains(&ending.as_str()) && !lock::recognise(name, &head) {
        return Ok(None);
    }
    bounded(name, &mut head.as_slice().chain(file), limit).map(Some)
}

fn bounded(name: &str, reader: &mut dyn Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| unreadable(name, &e))?;
    if bytes.len() as u64 > limit {
        let message = format!("the file is larger than {limit} bytes");
        return Err(Error::Input(vec![Diagnostic::new("limit-size", name, message)]));
    }
    Ok(bytes)
}

fn take(input: &mut Input, mut bom: Bom, place: &str) {
    let remarks = std::mem::take(&mut bom.diagnostics);
    input.diagnostics.extend(remarks.into_iter().map(|d| if place.is_empty() { d } else { d.within(place) }));
    input.documents.push(bom);
}

fn refusal(place: &str, why: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if why.is_empty() {
        return vec![Diagnostic::new("input-unrecognised", place, "no SBOM or lock file was recognised")];
    }
    why.into_iter().map(|d| if d.path.starts_with(place) { d } else { d.within(place) }).collect()
}

fn finish(input: Input, name: &str, strict: bool) -> Result<Input, Error> {
    let failed = input.diagnostics.iter().any(|d| d.level == tocsin_model::diagnostic::Level::Error);
    if input.documents.is_empty() || (strict && failed) {
        let mut why = input.diagnostics;
        if why.is_empty() {
            why.push(Diagnostic::new("input-unrecognised", name, "no SBOM or lock file was found"));
        }
        return Err(Error::Input(why));
    }
    Ok(input)
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    Error::Input(vec![Diagnostic::new("input-unreadable", name, error.to_string())])
}

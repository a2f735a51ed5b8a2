//! Getting at the bytes: wrappers (gzip, zstd, zip, tar), byte order marks, encodings, limits.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use tocsin_model::diagnostic::Diagnostic;

/// Bounds every reader keeps to. Passing one ends in a diagnostic that names it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest document after unpacking, bytes.
    pub document_bytes: u64,
    /// Largest total that one archive may unpack to, bytes.
    pub archive_bytes: u64,
    /// Largest ratio of unpacked to packed bytes, looked at beyond the first 64 MiB unpacked.
    pub expansion_ratio: u64,
    /// Most entries of one archive.
    pub entries: u64,
    /// Deepest wrapping (gzip inside zip …).
    pub wrappings: u32,
    /// Deepest nesting of elements inside a document.
    pub depth: u32,
    /// Longest single string, bytes.
    pub string_bytes: usize,
    /// Most items of one list inside a component (licences, properties, hashes).
    pub list_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            document_bytes: 1 << 30,
            archive_bytes: 64 << 30,
            expansion_ratio: 200,
            entries: 2_000_000,
            wrappings: 4,
            depth: 100,
            string_bytes: 1 << 20,
            list_items: 100_000,
        }
    }
}

/// How to read a document.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Refuse what breaks the specification instead of reading what is usable.
    pub strict: bool,
    /// Bounds.
    pub limits: Limits,
}

/// How bytes are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// ZIP archive.
    Zip,
    /// tar archive (ustar).
    Tar,
}

/// The wrapping of bytes that begin like this (262 bytes decide).
pub fn wrapping(head: &[u8]) -> Option<Wrapping> {
    match head {
        [0x1f, 0x8b, ..] => Some(Wrapping::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Wrapping::Zstd),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Wrapping::Zip),
        _ if head.get(257..262) == Some(b"ustar") => Some(Wrapping::Tar),
        _ => None,
    }
}

/// A reader that refuses to hand out more than a number of bytes, or far more than was put in.
pub struct Bounded<R> {
    inner: R,
    left: u64,
    limit: &'static str,
}

/// Makes an I/O error that names a limit.
fn limit_error(what: String) -> std::io::Error {
    std::io::Error::other(what)
}

impl<R: Read> Bounded<R> {
    /// At most `bytes`; passing it is an error that names `limit`.
    pub fn new(inner: R, bytes: u64, limit: &'static str) -> Self {
        Bounded { inner, left: bytes, limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| limit_error(format!("limit: {} passed", self.limit)))?;
        Ok(n)
    }
}

/// The diagnostic of an I/O error while unpacking `place`.
pub fn unpack_error(place: &str, e: &std::io::Error) -> Diagnostic {
    let text = e.to_string();
    let code = if text.contains("expansion") {
        "limit-expansion"
    } else if text.contains("limit:") {
        "limit-size"
    } else {
        "input-syntax"
    };
    Diagnostic::new(code, place, text)
}

/// Unpacks one compressed stream in memory, bounded in size and ratio.
fn inflate(place: &str, packed: u64, reader: impl Read, limits: &Limits) -> Result<Vec<u8>, Diagnostic> {
    const FREE: u64 = 64 << 20;
    let by_ratio = packed.saturating_mul(limits.expansion_ratio).max(FREE);
    let (most, name) = if by_ratio < limits.document_bytes {
        (by_ratio, "expansion ratio of an archive")
    } else {
        (limits.document_bytes, "document size")
    };
    let mut out = Vec::new();
    Bounded::new(reader, most, name).read_to_end(&mut out).map_err(|e| unpack_error(place, &e))?;
    Ok(out)
}

/// Unwraps `bytes` (a file called `name`) in memory and hands every file inside to `sink` with its place
/// (`a.zip!b.json`). What cannot be unpacked is handed on as the diagnostic.
pub fn unwrap_all<'a>(
    name: &str,
    bytes: Cow<'a, [u8]>,
    limits: &Limits,
    sink: &mut dyn FnMut(String, Result<Cow<'a, [u8]>, Diagnostic>),
) {
    let mut left = limits.entries;
    unwrap_at(name, bytes, limits, 0, &mut left, sink);
}

fn unwrap_at<'a>(
    place: &str,
    bytes: Cow<'a, [u8]>,
    limits: &Limits,
    depth: u32,
    left: &mut u64,
    sink: &mut dyn FnMut(String, Result<Cow<'a, [u8]>, Diagnostic>),
) {
    let Some(kind) = wrapping(&bytes) else {
        sink(place.to_owned(), Ok(bytes));
        return;
    };
    if depth >= limits.wrappings {
        let what = format!("limit: {} wrappings inside one another", limits.wrappings);
        sink(place.to_owned(), Err(Diagnostic::new("limit-depth", place, what)));
        return;
    }
    let packed = bytes.len() as u64;
    let result = match kind {
        Wrapping::Gzip => inflate(place, packed, flate2::read::MultiGzDecoder::new(&*bytes), limits)
            .map(|b| vec![(inner(place), b)]),
        Wrapping::Zstd => zstd::stream::read::Decoder::new(&*bytes)
            .map_err(|e| unpack_error(place, &e))
            .and_then(|r| inflate(place, packed, r, limits))
            .map(|b| vec![(inner(place), b)]),
        Wrapping::Zip => zip_entries(place, &bytes, limits, left),
        Wrapping::Tar => tar_entries(place, &bytes, limits, left),
    };
    match result {
        Err(d) => sink(place.to_owned(), Err(d)),
        Ok(files) => {
            for (place, bytes) in files {
                unwrap_at(&place, Cow::Owned(bytes), limits, depth + 1, left, sink);
            }
        }
    }
}

/// The name of what is inside a compressed file: `a.json.gz` holds `a.json`.
fn inner(place: &str) -> String {
    for (end, new) in [(".tgz", ".tar"), (".gz", ""), (".zst", "")] {
        if let Some(stem) = place.strip_suffix(end) {
            return format!("{stem}{new}");
        }
    }
    place.to_owned()
}

type Files = Vec<(String, Vec<u8>)>;

fn count(place: &str, left: &mut u64, limits: &Limits) -> Result<(), Diagnostic> {
    *left = left.checked_sub(1).ok_or_else(|| {
        Diagnostic::new("limit-entries", place, format!("limit: {} entries in one archive", limits.entries))
    })?;
    Ok(())
}

fn zip_entries(place: &str, bytes: &[u8], limits: &Limits, left: &mut u64) -> Result<Files, Diagnostic> {
    let bad = |e: zip::result::ZipError| Diagnostic::new("input-syntax", place, e.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(bad)?;
    let mut files = Vec::new();
    let mut total = 0u64;
    for n in 0..archive.len() {
        count(place, left, limits)?;
        let file = archive.by_index(n).map_err(bad)?;
        if !file.is_file() {
            continue;
        }
        let (name, packed) =
            (format!("{place}!{}", String::from_utf8_lossy(file.name_raw())), file.compressed_size());
        let bytes = inflate(&name, packed, file, limits)?;
        total += bytes.len() as u64;
        if total > limits.document_bytes {
            return Err(Diagnostic::new(
                "limit-size",
                place,
                "limit: document size passed by the archive's files",
            ));
        }
        files.push((name, bytes));
    }
    Ok(files)
}

fn tar_entries(place: &str, bytes: &[u8], limits: &Limits, left: &mut u64) -> Result<Files, Diagnostic> {
    let bad = |e: std::io::Error| unpack_error(place, &e);
    let mut archive = tar::Archive::new(bytes);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(bad)? {
        count(place, left, limits)?;
        let mut entry = entry.map_err(bad)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = format!("{place}!{}", String::from_utf8_lossy(&entry.path_bytes()));
        let mut out = Vec::new();
        Bounded::new(&mut entry, limits.document_bytes, "document size")
            .read_to_end(&mut out)
            .map_err(bad)?;
        files.push((name, out));
    }
    Ok(files)
}

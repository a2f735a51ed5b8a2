//! Getting at the bytes: which wrapper they are in, their encoding, and the limits of every reader.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

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
    given: u64,
    /// Bytes that were put in so far, and how many times as many may come out.
    ratio: Option<(Rc<Cell<u64>>, u64)>,
}

/// Unpacked bytes up to which no ratio is looked at.
pub(crate) const FREE: u64 = 64 << 20;
/// How the ratio is named in errors.
pub(crate) const RATIO: &str = "expansion ratio of an archive";

/// Makes an I/O error that names a limit.
fn limit_error(what: String) -> std::io::Error {
    std::io::Error::other(what)
}

impl<R: Read> Bounded<R> {
    /// At most `bytes`; passing it is an error that names `limit`.
    pub fn new(inner: R, bytes: u64, limit: &'static str) -> Self {
        Bounded { inner, left: bytes, limit, given: 0, ratio: None }
    }

    /// Bytes handed out so far.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Also at most `times` what was `put` in, beyond the first 64 MiB.
    pub fn within_ratio(self, put: Rc<Cell<u64>>, times: u64) -> Self {
        Bounded { ratio: Some((put, times)), ..self }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| limit_error(format!("limit: {} passed", self.limit)))?;
        self.given += n as u64;
        if let Some((put, times)) = &self.ratio
            && self.given > put.get().saturating_mul(*times).max(FREE)
        {
            return Err(limit_error(format!("limit: {RATIO} passed ({times} to 1)")));
        }
        Ok(n)
    }
}

/// A reader that counts what was read through it, also once it has been given away.
pub struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Counted<R> {
    /// Counts from 0.
    pub fn new(inner: R) -> Self {
        Counted { inner, read: Rc::default() }
    }

    /// Bytes read so far.
    pub fn counter(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.read)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.read.set(self.read.get().saturating_add(n as u64));
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

/// The name of what is inside a compressed file: `a.json.gz` holds `a.json`.
pub(crate) fn inner(place: &str) -> String {
    for (end, new) in [(".tgz", ".tar"), (".tzst", ".tar"), (".gz", ""), (".zst", "")] {
        if let Some(stem) = place.strip_suffix(end) {
            return format!("{stem}{new}");
        }
    }
    place.to_owned()
}

/// UTF-8 text of a document; bytes that are none are replaced, and the first of them is named.
pub(crate) fn text_of(bytes: &[u8]) -> (Cow<'_, str>, Option<Diagnostic>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(e) => {
            let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            let what = "bytes that are not UTF-8 were replaced, here and wherever else they stand";
            let remark = Diagnostic::new("input-encoding", format!("line {line}"), what);
            (String::from_utf8_lossy(bytes), Some(remark))
        }
    }
}

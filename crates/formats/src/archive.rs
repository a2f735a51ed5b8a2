//! Archives as trees of files, read as streams: tar and zip, plain or compressed, inside one another. Only files
//! that are wanted are held; nothing is written anywhere, so no path in an archive can do harm.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use tocsin_model::diagnostic::Diagnostic;

use crate::input::{Bounded, Counted, FREE, Limits, RATIO, Wrapping, inner, unpack_error, wrapping};

/// How much of a file is looked at to tell what it is.
pub const HEAD: u64 = 64 << 10;
/// Most bytes of names and other remarks that an archive may put before one entry.
pub(crate) const MOST_META: u64 = 1 << 20;

/// What an archive holds. Paths have `/` and neither a leading `/` nor `.` or `..` in them.
#[derive(Debug, Default)]
pub struct Tree {
    /// Files that were wanted.
    pub files: Vec<(String, Vec<u8>)>,
    /// Archives in it.
    pub archives: Vec<(String, Tree)>,
    /// Everything in it but folders, also what was not wanted: links, devices, white-outs of container layers.
    pub paths: HashSet<String>,
    /// Links among its entries, symbolic ones too: path and what it leads to, cleaned like a path.
    pub links: Vec<(String, String)>,
    /// What went wrong with parts of it; paths begin with the place of the archive.
    pub diagnostics: Vec<Diagnostic>,
}

/// Which files are held.
pub trait Wanted {
    /// Whether a file may be wanted, by its path and its first [`HEAD`] bytes.
    fn maybe(&self, path: &str, head: &[u8]) -> bool;
    /// Whether a file is wanted, by all of its content.
    fn surely(&self, path: &str, bytes: &[u8]) -> bool;
    /// Whether a file is looked into if it is an archive.
    fn opens(&self, path: &str) -> bool;
}

/// What a stream turned out to be.
#[derive(Debug)]
pub enum Content {
    /// A file that is no archive, and its name without the ending of a compression that was taken off.
    File(String, Vec<u8>),
    /// An archive.
    Archive(Tree),
}

/// Reads archives within [`Limits`] that hold for all of them together.
pub struct Opener<'a> {
    limits: &'a Limits,
    wanted: &'a dyn Wanted,
    /// Entries that may still come.
    entries: u64,
    /// Bytes that may still be held: files and the names of entries.
    held: u64,
    /// Bytes that may still come out of a compression.
    unpacked: u64,
    /// Size that the file to be opened is said to have.
    expected: u64,
}

impl<'a> Opener<'a> {
    /// A reader that holds what is `wanted`.
    pub fn new(limits: &'a Limits, wanted: &'a dyn Wanted) -> Self {
        Opener {
            limits,
            wanted,
            entries: limits.entries,
            held: limits.document_bytes,
            unpacked: limits.archive_bytes,
            expected: 0,
        }
    }

    /// Says how large the file is that will be opened, so that room for it is made once. It need not be true.
    #[must_use]
    pub fn expecting(mut self, bytes: u64) -> Self {
        self.expected = bytes;
        self
    }

    /// Reads a file called `place`. A plain file is handed back whole, wanted or not.
    ///
    /// # Errors
    /// It cannot be read, or passes a limit.
    pub fn open(&mut self, place: &str, reader: &mut dyn Read) -> Result<Content, Diagnostic> {
        match self.look(place, place, reader, 0, true)? {
            Some(Found::File(name, bytes)) => Ok(Content::File(name, bytes)),
            Some(Found::Archive(tree)) => Ok(Content::Archive(tree)),
            None => Ok(Content::File(place.to_owned(), Vec::new())),
        }
    }

    /// Adds a file to `tree` as if it were an entry of the archive at `place`.
    pub fn add(&mut self, tree: &mut Tree, place: &str, path: &str, reader: &mut dyn Read) {
        self.entry(tree, place, path.to_owned(), reader, 0);
    }

    fn look(
        &mut self,
        place: &str,
        path: &str,
        reader: &mut dyn Read,
        depth: u32,
        whole: bool,
    ) -> Result<Option<Found>, Diagnostic> {
        let bad = |e: io::Error| unpack_error(place, &e);
        let mut head = Vec::new();
        reader.take(HEAD).read_to_end(&mut head).map_err(bad)?;
        let kind = wrapping(&head).filter(|_| whole || self.wanted.opens(path));
        // a compressed archive is two steps down
        if kind.is_some() && depth >= self.limits.wrappings.saturating_mul(2) {
            let what = format!("limit: {} wrappings inside one another", self.limits.wrappings);
            return Err(Diagnostic::new("limit-depth", place, what));
        }
        let passes = kind.is_some() || whole || self.wanted.maybe(path, &head);
        let mut all = Cursor::new(head).chain(reader);
        match kind {
            Some(Wrapping::Gzip) => {
                let packed = Counted::new(all);
                let put = packed.counter();
                self.unpack(place, path, flate2::read::MultiGzDecoder::new(packed), put, depth, whole)
            }
            Some(Wrapping::Zstd) => {
                let packed = Counted::new(all);
                let put = packed.counter();
                let plain = zstd::stream::read::Decoder::new(packed).map_err(bad)?;
                self.unpack(place, path, plain, put, depth, whole)
            }
            Some(Wrapping::Tar) => Ok(Some(Found::Archive(self.tar(place, &mut all, depth)))),
            Some(Wrapping::Zip) => {
                let bytes = self.bytes(&mut all, 0).map_err(bad)?;
                self.zip(place, &bytes, depth).map(|t| Some(Found::Archive(t)))
            }
            None if passes => {
                let expected = if depth == 0 { std::mem::take(&mut self.expected) } else { 0 };
                let bytes = self.bytes(&mut all, expected).map_err(bad)?;
                Ok((whole || self.wanted.surely(path, &bytes)).then(|| Found::File(path.to_owned(), bytes)))
            }
            None => Ok(None),
        }
    }

    /// Goes on with what comes out of a compression; `put` counts what goes in.
    fn unpack(
        &mut self,
        place: &str,
        path: &str,
        plain: impl Read,
        put: Rc<Cell<u64>>,
        depth: u32,
        whole: bool,
    ) -> Result<Option<Found>, Diagnostic> {
        let plain = Bounded::new(plain, self.unpacked, "archive size");
        let mut plain = plain.within_ratio(put, self.limits.expansion_ratio);
        let found = self.look(&inner(place), &inner(path), &mut plain, depth + 1, whole);
        self.unpacked = self.unpacked.saturating_sub(plain.given());
        found
    }

    /// All of a file, within the limit of one document.
    fn bytes(&self, reader: &mut dyn Read, expected: u64) -> io::Result<Vec<u8>> {
        let room = expected.min(self.limits.document_bytes);
        let mut out = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        Bounded::new(reader, self.limits.document_bytes, "document size").read_to_end(&mut out)?;
        Ok(out)
    }

    fn tar(&mut self, place: &str, reader: &mut dyn Read, depth: u32) -> Tree {
        let mut tree = Tree::default();
        let meta = Cell::new(MOST_META);
        let mut archive = tar::Archive::new(Guard { inner: reader, left: &meta });
        let mut entries = match archive.entries() {
            Ok(entries) => entries,
            Err(e) => {
                tree.diagnostics.push(unpack_error(place, &e));
                return tree;
            }
        };
        let mut at: HashMap<String, usize> = HashMap::new();
        loop {
            // Between two entries stand only a head and long names, which the library holds in memory.
            meta.set(MOST_META);
            let mut entry = match entries.next() {
                None => return tree,
                Some(Ok(entry)) => entry,
                Some(Err(e)) => {
                    tree.diagnostics.push(unpack_error(place, &e));
                    return tree;
                }
            };
            meta.set(u64::MAX);
            let kind = entry.header().entry_type();
            let path = clean(&String::from_utf8_lossy(&entry.path_bytes()));
            if !self.count(&mut tree, place, &path) {
                return tree;
            }
            if kind.is_file() {
                let before = tree.files.len();
                self.entry(&mut tree, place, path, &mut entry, depth);
                at.extend(tree.files.get(before).map(|(path, _)| (path.clone(), before)));
            } else if !kind.is_dir() {
                if let Some(to) = entry.link_name_bytes() {
                    let to = String::from_utf8_lossy(&to).into_owned();
                    self.link(&mut tree, &path, &to, kind.is_hard_link().then_some(&at));
                }
                tree.paths.insert(path);
            }
            if let Err(e) = io::copy(&mut entry, &mut io::sink()) {
                tree.diagnostics.push(unpack_error(place, &e));
                return tree;
            }
        }
    }

    /// Takes a link; a hard one is the file it leads to, where that is held (`at`).
    fn link(&mut self, tree: &mut Tree, path: &str, to: &str, at: Option<&HashMap<String, usize>>) {
        if let Some(at) = at {
            let to = clean(to);
            let held = at.get(&to).and_then(|n| tree.files.get(*n));
            let copy = held.filter(|(_, b)| self.hold(b.len())).map(|(_, b)| b.clone());
            tree.files.extend(copy.map(|bytes| (path.to_owned(), bytes)));
            tree.links.push((path.to_owned(), to));
        } else {
            let folder = path.rsplit_once('/').map_or("", |(f, _)| f);
            let to = if to.starts_with('/') { clean(to) } else { clean(&format!("{folder}/{to}")) };
            tree.links.push((path.to_owned(), to));
        }
    }

    fn zip(&mut self, place: &str, bytes: &[u8], depth: u32) -> Result<Tree, Diagnostic> {
        let bad =
            |place: &str, e: zip::result::ZipError| Diagnostic::new("input-syntax", place, e.to_string());
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| bad(place, e))?;
        let mut tree = Tree::default();
        for n in 0..archive.len() {
            let name = (archive.by_index_raw(n)).map(|f| String::from_utf8_lossy(f.name_raw()).into_owned());
            let path = clean(name.as_deref().unwrap_or_default());
            if !self.count(&mut tree, place, &path) {
                break;
            }
            let file = match name.and_then(|_| archive.by_index(n)) {
                Ok(file) if file.is_file() => file,
                Ok(_) => continue,
                Err(e) => {
                    tree.diagnostics.push(bad(&format!("{place}!{path}"), e));
                    continue;
                }
            };
            // what an archive says of itself is not trusted beyond its own size
            let packed = file.compressed_size().min(bytes.len() as u64);
            let most = packed.saturating_mul(self.limits.expansion_ratio).max(FREE);
            // entries may overlap, so the ratio of each says nothing of their sum
            let mut file = Bounded::new(Bounded::new(file, most, RATIO), self.unpacked, "archive size");
            self.entry(&mut tree, place, path, &mut file, depth);
            self.unpacked = self.unpacked.saturating_sub(file.given());
        }
        Ok(tree)
    }

    /// Takes one file of an archive into its tree.
    fn entry(&mut self, tree: &mut Tree, place: &str, path: String, reader: &mut dyn Read, depth: u32) {
        let inside = format!("{place}!{path}");
        match self.look(&inside, &path, reader, depth + 1, false) {
            Ok(Some(Found::Archive(sub))) => tree.archives.push((path.clone(), sub)),
            Ok(Some(Found::File(name, bytes))) => {
                if self.hold(bytes.len()) {
                    tree.files.push((name, bytes));
                } else {
                    let what = "limit: document size passed by the files of an archive together";
                    tree.diagnostics.push(Diagnostic::new("limit-size", inside, what));
                }
            }
            Ok(None) => {}
            Err(d) => tree.diagnostics.push(d),
        }
        tree.paths.insert(path);
    }

    fn hold(&mut self, bytes: usize) -> bool {
        let left = self.held.checked_sub(bytes as u64);
        self.held = left.unwrap_or(self.held);
        left.is_some()
    }

    /// Counts an entry, whose name is held; `false` where the archive has too many.
    fn count(&mut self, tree: &mut Tree, place: &str, path: &str) -> bool {
        let left = self.entries.checked_sub(1);
        self.entries = left.unwrap_or(0);
        if left.is_none() {
            let what = format!("limit: {} entries in one archive", self.limits.entries);
            tree.diagnostics.push(Diagnostic::new("limit-entries", place, what));
            return false;
        }
        let held = self.hold(path.len());
        if !held {
            let what = "limit: document size passed by the names of an archive's entries together";
            tree.diagnostics.push(Diagnostic::new("limit-size", place, what));
        }
        held
    }
}

enum Found {
    File(String, Vec<u8>),
    Archive(Tree),
}

/// A reader that hands out no more than is left.
pub(crate) struct Guard<'a> {
    pub inner: &'a mut dyn Read,
    /// Bytes that may still be read.
    pub left: &'a Cell<u64>,
}

impl Read for Guard<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        let left = self.left.get().checked_sub(n as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("limit: size of a name in an archive passed"))?);
        Ok(n)
    }
}

/// A path without what leads elsewhere: `/a/./b/../c` is `a/c`, and `..` never leaves the top.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

//! One entrance for vulnerability intelligence: recognise by content, split into records, parse each.
//!
//! Splitting and parsing are apart so that a stored record's bytes can be parsed again at any time.

mod bytes;
mod cut;
mod frame;
mod shape;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::ControlFlow;

use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::{Fact, Record};
use tocsin_model::vex::VexStatement;

use crate::archive::{Guard, MOST_META};
use crate::input::{Bounded, Counted, FREE, Limits, RATIO, ReadOptions, Wrapping, unpack_error, wrapping};
use crate::{
    advisory, catalogue, csaf, cve, cyclonedx, distro, euvd, exploitation, jvn, nvd, openvex, osv, rustsec,
    vulndb,
};
use bytes::Bytes;
use shape::Shape;

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
    /// One RustSec advisory (Markdown with a TOML head).
    RustSec = 4,
    /// One RubySec advisory (YAML).
    RubySec = 5,
    /// One FriendsOfPHP advisory (YAML).
    Composer = 6,
    /// One advisory of the Node.js Security Working Group (JSON).
    Node = 7,
    /// One advisory of the Victims database (YAML).
    Victims = 8,
    /// One package of an Alpine `secdb` (JSON): the whole document with that package alone.
    Secdb = 9,
    /// One source package of the Debian security tracker (JSON): the whole object with that key alone.
    DebianTracker = 10,
    /// One group of the Arch Linux security tracker (JSON).
    Arch = 11,
    /// One entry of Photon OS's list (JSON).
    Photon = 12,
    /// One item of ENISA's EUVD (JSON).
    Euvd = 13,
    /// One entry of JVN iPedia (VULDEF XML): a document with that entry alone.
    Jvn = 14,
    /// One item of VulnDB (JSON).
    VulnDb = 15,
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
    let mut splitter = Splitter { limits, sink, entries: limits.entries, stopped: false };
    splitter.stream(name, input, 0)
}

/// Parses one record's bytes; a CSAF document gives one record per vulnerability.
///
/// # Errors
/// The record breaks its format so far that it is unusable.
pub fn parse(kind: RawKind, bytes: &[u8]) -> Result<(Vec<Record>, Vec<Diagnostic>), Diagnostic> {
    match kind {
        RawKind::Osv => osv::parse(bytes),
        RawKind::Cve => cve::parse(bytes),
        RawKind::Nvd => nvd::parse(bytes),
        RawKind::Csaf => csaf::parse(bytes),
        RawKind::RustSec => rustsec::parse(bytes),
        RawKind::RubySec => advisory::parse_rubysec(bytes),
        RawKind::Composer => advisory::parse_composer(bytes),
        RawKind::Node => advisory::parse_node(bytes),
        RawKind::Victims => advisory::parse_victims(bytes),
        RawKind::Secdb => distro::secdb::parse(bytes),
        RawKind::DebianTracker => distro::debian::parse(bytes),
        RawKind::Arch => distro::arch::parse(bytes),
        RawKind::Photon => distro::photon::parse(bytes),
        RawKind::Euvd => euvd::parse(bytes),
        RawKind::Jvn => jvn::parse(bytes),
        RawKind::VulnDb => vulndb::parse(bytes),
    }
}

impl RawKind {
    /// Every format, by number.
    pub const ALL: &'static [RawKind] = &[
        RawKind::Osv,
        RawKind::Cve,
        RawKind::Nvd,
        RawKind::Csaf,
        RawKind::RustSec,
        RawKind::RubySec,
        RawKind::Composer,
        RawKind::Node,
        RawKind::Victims,
        RawKind::Secdb,
        RawKind::DebianTracker,
        RawKind::Arch,
        RawKind::Photon,
        RawKind::Euvd,
        RawKind::Jvn,
        RawKind::VulnDb,
    ];

    /// The word a record's source is counted and asked for by.
    pub fn source(self) -> &'static str {
        match self {
            RawKind::Osv => "osv",
            RawKind::Cve => "cve",
            RawKind::Nvd => "nvd",
            RawKind::Csaf => "csaf",
            RawKind::RustSec => "rustsec",
            RawKind::RubySec => "rubysec",
            RawKind::Composer => "friendsofphp",
            RawKind::Node => "nodejs",
            RawKind::Victims => "victims",
            RawKind::Secdb => "secdb",
            RawKind::DebianTracker => "debian",
            RawKind::Arch => "arch",
            RawKind::Photon => "photon",
            RawKind::Euvd => "euvd",
            RawKind::Jvn => "jvn",
            RawKind::VulnDb => "vulndb",
        }
    }

    /// The id of a document that holds records of several flaws and whose records bear the flaws' ids, not
    /// its own. `None`: the record's id is the document's.
    pub fn document_id(self, bytes: &[u8]) -> Option<String> {
        match self {
            RawKind::Csaf => csaf::document_id(bytes),
            RawKind::Secdb => distro::secdb::document_id(bytes),
            RawKind::DebianTracker => distro::debian::document_id(bytes),
            RawKind::Arch => distro::arch::document_id(bytes),
            RawKind::Photon => distro::photon::document_id(bytes),
            RawKind::Jvn => jvn::document_id(bytes),
            RawKind::VulnDb => vulndb::document_id(bytes),
            _ => None,
        }
    }
}

/// Bytes of a damaged part that are kept for inspection.
const KEPT: usize = 64 << 10;
/// Longest entry of a VULDEF document, in bytes.
const ENTRY: usize = 8 << 20;
/// Bytes that recognition looks at.
const HEAD: usize = 64 << 10;

struct Splitter<'a> {
    limits: &'a Limits,
    sink: &'a mut dyn FnMut(Item) -> ControlFlow<()>,
    entries: u64,
    stopped: bool,
}

impl Splitter<'_> {
    fn put(&mut self, item: Item) {
        if !self.stopped {
            self.stopped = (self.sink)(item).is_break();
        }
    }

    fn problem(&mut self, code: &'static str, place: String, message: impl Into<String>, bytes: &[u8]) {
        let kept = bytes.get(..KEPT).unwrap_or(bytes).to_vec();
        self.put(Item::Problem(Diagnostic::new(code, place, message), kept));
    }

    /// One stream: unwraps it, or cuts it into records.
    fn stream(&mut self, place: &str, input: &mut dyn Read, depth: u32) -> Result<(), Diagnostic> {
        let mut bytes = Bytes::new(input);
        let failed = |e: io::Error| unpack_error(place, &e);
        let Some(kind) = wrapping(bytes.peek(512).map_err(failed)?) else {
            return self.content(place, &mut bytes);
        };
        if depth >= self.limits.wrappings {
            let what = format!("limit: {} wrappings inside one another", self.limits.wrappings);
            return Err(Diagnostic::new("limit-depth", place, what));
        }
        let (most, times) = (self.limits.archive_bytes, self.limits.expansion_ratio);
        let bytes = Counted::new(bytes);
        let put = bytes.counter();
        match kind {
            Wrapping::Gzip => {
                let inside = Bounded::new(flate2::read::MultiGzDecoder::new(bytes), most, "archive size");
                self.stream(place, &mut inside.within_ratio(put, times), depth + 1)
            }
            Wrapping::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(bytes).map_err(failed)?;
                let inside = Bounded::new(decoder, most, "archive size");
                self.stream(place, &mut inside.within_ratio(put, times), depth + 1)
            }
            Wrapping::Tar => self.tar(place, bytes, depth),
            Wrapping::Zip => self.zip(place, bytes, depth),
        }
    }

    fn entry(&mut self, place: &str) -> Result<(), Diagnostic> {
        self.entries = self.entries.checked_sub(1).ok_or_else(|| {
            Diagnostic::new(
                "limit-entries",
                place,
                format!("limit: {} entries in one archive", self.limits.entries),
            )
        })?;
        Ok(())
    }

    /// What goes wrong inside one file of an archive is a problem of that file alone.
    fn file(&mut self, place: String, input: &mut dyn Read, depth: u32) {
        if let Err(d) = self.stream(&place, input, depth + 1) {
            self.put(Item::Problem(d, Vec::new()));
        }
    }

    fn tar(&mut self, place: &str, mut bytes: impl Read, depth: u32) -> Result<(), Diagnostic> {
        let failed = |e: io::Error| unpack_error(place, &e);
        let meta = Cell::new(MOST_META);
        let mut archive = tar::Archive::new(Guard { inner: &mut bytes, left: &meta });
        let mut entries = archive.entries().map_err(failed)?;
        loop {
            // between two entries stand only a head and long names, which the library holds in memory
            meta.set(MOST_META);
            let Some(entry) = entries.next() else { return Ok(()) };
            let mut entry = entry.map_err(failed)?;
            meta.set(u64::MAX);
            self.entry(place)?;
            if self.stopped {
                return Ok(());
            }
            if entry.header().entry_type().is_file() {
                let inner = format!("{place}!{}", String::from_utf8_lossy(&entry.path_bytes()));
                self.file(inner, &mut entry, depth);
            }
            // what was not read counts as passed over here, not as a name
            io::copy(&mut entry, &mut io::sink()).map_err(failed)?;
        }
    }

    /// A zip's directory stands at its end, so the archive is spooled to a temporary file first.
    fn zip(&mut self, place: &str, mut bytes: impl Read, depth: u32) -> Result<(), Diagnostic> {
        let failed = |e: io::Error| unpack_error(place, &e);
        let mut spool = tempfile::tempfile().map_err(failed)?;
        let mut bounded = Bounded::new(&mut bytes, self.limits.archive_bytes, "archive size");
        let size = io::copy(&mut bounded, &mut spool).map_err(failed)?;
        let bad =
            |place: &str, e: zip::result::ZipError| Diagnostic::new("input-syntax", place, e.to_string());
        let mut archive = zip::ZipArchive::new(spool).map_err(|e| bad(place, e))?;
        let mut left = self.limits.archive_bytes;
        for n in 0..archive.len() {
            self.entry(place)?;
            if self.stopped {
                return Ok(());
            }
            let name = (archive.by_index_raw(n)).map(|f| String::from_utf8_lossy(f.name_raw()).into_owned());
            let inside = format!("{place}!{}", name.as_deref().unwrap_or_default());
            let file = match name.and_then(|_| archive.by_index(n)) {
                Ok(file) if file.is_file() => file,
                Ok(_) => continue,
                Err(e) => {
                    self.put(Item::Problem(bad(&inside, e), Vec::new()));
                    continue;
                }
            };
            let packed = file.compressed_size().min(size);
            let most = packed.saturating_mul(self.limits.expansion_ratio).max(FREE);
            // entries may overlap, so the ratio of each says nothing of their sum
            let mut file = Bounded::new(Bounded::new(file, most, RATIO), left, "archive size");
            self.file(inside, &mut file, depth);
            left = left.saturating_sub(file.given());
        }
        Ok(())
    }

    /// Content that is no archive.
    fn content(&mut self, place: &str, bytes: &mut Bytes<'_>) -> Result<(), Diagnostic> {
        let failed = |e: io::Error| unpack_error(place, &e);
        if bytes.peek(3).map_err(failed)? == b"\xef\xbb\xbf" {
            bytes.consume(3);
        }
        let head = bytes.peek(HEAD).map_err(failed)?.to_vec();
        let most = self.limits.document_bytes;
        if let Some(format) = exploitation::recognise(&head) {
            let (stopped, sink) = (&mut self.stopped, &mut self.sink);
            let mut whole = Bounded::new(bytes, most, "document size");
            return exploitation::read(format, &mut whole, place, &mut |item| {
                let flow = sink(item);
                *stopped = flow.is_break();
                flow
            });
        }
        if let Some(format) = catalogue::recognise(&head) {
            let (stopped, sink) = (&mut self.stopped, &mut self.sink);
            let mut whole = Bounded::new(bytes, most, "document size");
            return catalogue::read(format, &mut whole, place, &mut |item| {
                let flow = sink(item);
                *stopped = flow.is_break();
                flow
            });
        }
        match head.trim_ascii_start().first() {
            Some(b'{') if shape::is_debian_tracker(&head) => self.members(place, bytes),
            Some(b'{' | b'[') => self.json(place, bytes, &head),
            Some(_) => self.text(place, bytes, &head),
            None => {
                self.put(Item::Skipped(place.to_owned()));
                Ok(())
            }
        }
    }

    /// JSON: a list of records inside an object, a list, lines, or one document.
    fn json(&mut self, place: &str, bytes: &mut Bytes<'_>, head: &[u8]) -> Result<(), Diagnostic> {
        let failed = |e: io::Error| unpack_error(place, &e);
        let listed = shape::list_of_records(head);
        let mut name = "";
        if let Some((offset, key)) = listed {
            bytes.consume(offset);
            name = key;
        }
        let mut list = listed.is_some();
        if !list && bytes.next_solid().map_err(failed)? == Some(b'[') {
            bytes.consume(1);
            list = true;
        }
        let mut mark = frame::Mark::new(bytes.peek(4096).map_err(failed)?, b'{');
        let first_line = head.split(|b| *b == b'\n').next().unwrap_or(head);
        if !list && first_line.len() < head.len() && frame::is_whole(first_line) {
            return self.lines(place, bytes);
        }
        let mut out = Vec::new();
        for n in 0u64.. {
            if self.stopped {
                return Ok(());
            }
            let here = || if list { format!("{place} {name}[{n}]") } else { place.to_owned() };
            while bytes.next_solid().map_err(failed)? == Some(b',') {
                bytes.consume(1);
            }
            match bytes.next_solid().map_err(failed)? {
                Some(b'{') => {}
                None if list => {
                    self.problem(
                        "input-syntax",
                        here(),
                        "the file breaks off inside its list of records",
                        &[],
                    );
                    return Ok(());
                }
                Some(b']') | None => return Ok(()),
                // a text that begins with a bracket, and no list of records
                Some(_) if n == 0 && listed.is_none() => {
                    self.put(Item::Skipped(place.to_owned()));
                    return Ok(());
                }
                Some(_) => {
                    let rest = bytes.peek(256).map_err(failed)?.to_vec();
                    self.problem("input-syntax", here(), "no record begins where one should", &rest);
                    return Ok(());
                }
            }
            out.clear();
            match frame::value(bytes, self.limits.document_bytes, &mut out).map_err(failed)? {
                frame::End::Whole => self.document(here(), &out),
                // its packages stand for themselves
                frame::End::Damaged if !list && shape::of_json(&out) == Shape::Record(RawKind::Secdb) => {
                    bytes.rest_of_input(self.limits.document_bytes, &mut out).map_err(failed)?;
                    self.packages(place, &out);
                }
                frame::End::Damaged => {
                    self.problem("input-syntax", here(), "the record's brackets do not close", &out);
                    if list && !mark.resume(bytes, &out).map_err(failed)? {
                        return Ok(());
                    }
                }
                frame::End::TooLong => {
                    let what = format!("limit: a document of {} bytes", self.limits.document_bytes);
                    self.problem("limit-size", here(), what, &out);
                }
                frame::End::TooDeep => {
                    self.problem("limit-depth", here(), "limit: 512 levels of nesting", &out);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One value a line: a damaged line costs itself alone.
    fn lines(&mut self, place: &str, bytes: &mut Bytes<'_>) -> Result<(), Diagnostic> {
        let mut out = Vec::new();
        for n in 1u64.. {
            out.clear();
            let end = frame::line(bytes, self.limits.document_bytes, &mut out)
                .map_err(|e| unpack_error(place, &e))?;
            if self.stopped || end == frame::End::Damaged {
                return Ok(());
            }
            let line = out.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let here = format!("{place} line {n}");
            if end == frame::End::TooLong {
                self.problem("limit-size", here, "limit: the line is longer than a document may be", line);
            } else if frame::is_whole(line) {
                self.document(here, line);
            } else {
                self.problem("input-syntax", here, "the line is no whole JSON value", line);
            }
        }
        Ok(())
    }

    /// One whole JSON object.
    fn document(&mut self, place: String, bytes: &[u8]) {
        match shape::of_json(bytes) {
            // an informational document tells of no vulnerability; there is nothing in it to match
            Shape::Record(RawKind::Csaf) if !bytes.windows(17).any(|w| w == b"\"vulnerabilities\"") => {
                self.put(Item::Skipped(place));
            }
            Shape::Record(RawKind::Secdb) => self.packages(&place, bytes),
            Shape::Record(kind) => self.put(Item::Record(RawRecord { kind, bytes: bytes.to_vec(), place })),
            Shape::OpenVex => match openvex::read(bytes) {
                Ok((statements, _)) => self.put(Item::Vex(statements)),
                Err(d) => {
                    self.put(Item::Problem(d.within(&place), bytes.get(..KEPT).unwrap_or(bytes).to_vec()))
                }
            },
            Shape::CycloneDx => match cyclonedx::read(bytes, &ReadOptions::default()) {
                Ok(bom) if !bom.vex.is_empty() => self.put(Item::Vex(bom.vex)),
                _ => self.put(Item::Skipped(place)),
            },
            Shape::AttackPattern => match catalogue::stix(bytes) {
                Ok(entry) => self.put(Item::Fact(Fact::Catalogue(Box::new(entry)))),
                Err(d) => {
                    self.put(Item::Problem(d.within(&place), bytes.get(..KEPT).unwrap_or(bytes).to_vec()))
                }
            },
            Shape::Other => self.put(Item::Skipped(place)),
        }
    }

    /// Entries of a VULDEF document, cut out of it one by one: a year of them is hundreds of megabytes.
    fn vuldef(&mut self, place: &str, bytes: &mut Bytes<'_>) -> Result<(), Diagnostic> {
        let failed = |e: io::Error| unpack_error(place, &e);
        for n in 0u64.. {
            let mut out = jvn::OPEN.as_bytes().to_vec();
            let here = format!("{place} Vulinfo[{n}]");
            let cut = frame::element(bytes, ("<Vulinfo>", "</Vulinfo>", jvn::CLOSE), ENTRY, &mut out);
            match cut.map_err(failed)? {
                frame::Cut::Whole => {
                    out.extend_from_slice(jvn::CLOSE.as_bytes());
                    self.put(Item::Record(RawRecord { kind: RawKind::Jvn, bytes: out, place: here }));
                }
                frame::Cut::Last => return Ok(()),
                frame::Cut::TooLong => {
                    self.problem("limit-size", here, format!("limit: an entry of {ENTRY} bytes"), &out);
                }
                frame::Cut::Damaged => {
                    self.problem("input-syntax", here, "the document breaks off inside its entries", &[]);
                    return Ok(());
                }
            }
            if self.stopped {
                return Ok(());
            }
        }
        Ok(())
    }

    /// YAML advisories are one a file.
    fn text(&mut self, place: &str, bytes: &mut Bytes<'_>, head: &[u8]) -> Result<(), Diagnostic> {
        if jvn::recognise(head) {
            return self.vuldef(place, bytes);
        }
        let Some(kind) = shape::of_text(head) else {
            self.put(Item::Skipped(place.to_owned()));
            return Ok(());
        };
        let mut out = Vec::new();
        let whole = bytes
            .rest_of_input(self.limits.document_bytes.min(16 << 20), &mut out)
            .map_err(|e| unpack_error(place, &e))?;
        if whole {
            self.put(Item::Record(RawRecord { kind, bytes: out, place: place.to_owned() }));
        } else {
            self.problem("limit-size", place.to_owned(), "limit: a text advisory of 16 MiB", &out);
        }
        Ok(())
    }
}

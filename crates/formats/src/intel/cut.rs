//! Cutting the documents of distributions into packages, so that one changed or damaged package is a matter of
//! its own.

use tocsin_model::diagnostic::Diagnostic;

use super::bytes::Bytes;
use super::{Item, RawKind, RawRecord, Splitter, frame, shape};
use crate::input::unpack_error;

impl Splitter<'_> {
    /// The Debian security tracker: an object with a member for each package, each cut out as an object alone.
    pub(super) fn members(&mut self, place: &str, bytes: &mut Bytes<'_>) -> Result<(), Diagnostic> {
        let failed = |e: std::io::Error| unpack_error(place, &e);
        bytes.next_solid().map_err(failed)?;
        bytes.consume(1);
        let mut mark = frame::Mark::new(bytes.peek(4096).map_err(failed)?, b'"');
        let mut out = Vec::new();
        let mut key = String::new();
        loop {
            if self.stopped {
                return Ok(());
            }
            while bytes.next_solid().map_err(failed)? == Some(b',') {
                bytes.consume(1);
            }
            out.clear();
            out.push(b'{');
            let named = bytes.next_solid().map_err(failed)?;
            if named == Some(b'"') {
                frame::string(bytes, &mut out).map_err(failed)?;
                key = String::from_utf8_lossy(out.get(1..).unwrap_or_default()).into_owned();
                if bytes.next_solid().map_err(failed)? == Some(b':') {
                    bytes.consume(1);
                    out.push(b':');
                }
            }
            let here = format!("{place} {key}");
            match (named, bytes.next_solid().map_err(failed)?) {
                (Some(b'}'), _) => return Ok(()),
                (Some(b'"'), Some(b'{')) => {}
                (None, _) | (_, None) => {
                    self.problem("input-syntax", here, "the file breaks off inside its packages", &[]);
                    return Ok(());
                }
                _ => {
                    let rest = bytes.peek(256).map_err(failed)?.to_vec();
                    self.problem("input-syntax", here, "no package begins where one should", &rest);
                    return Ok(());
                }
            }
            let mut end = frame::value(bytes, self.limits.document_bytes, &mut out).map_err(failed)?;
            // a package that does not close swallows the next, and the end of the file closes it
            let swallowed = mark.find(&out).and_then(|at| out.get(at..));
            if swallowed.is_some_and(|next| shape::is_debian_tracker(&[b"{", next].concat())) {
                end = frame::End::Damaged;
            }
            match end {
                frame::End::Whole => {
                    out.push(b'}');
                    let record = RawRecord { kind: RawKind::DebianTracker, bytes: out.clone(), place: here };
                    self.put(Item::Record(record));
                }
                frame::End::Damaged => {
                    self.problem("input-syntax", here, "the package's brackets do not close", &out);
                    if !mark.resume(bytes, &out).map_err(failed)? {
                        return Ok(());
                    }
                }
                frame::End::TooLong => {
                    let what = format!("limit: a document of {} bytes", self.limits.document_bytes);
                    self.problem("limit-size", here, what, &out);
                }
                frame::End::TooDeep => {
                    self.problem("limit-depth", here, "limit: 512 levels of nesting", &out);
                    return Ok(());
                }
            }
        }
    }

    /// A `secdb`: every package becomes a document with that package alone, so that one changed or damaged
    /// package is a matter of its own.
    pub(super) fn packages(&mut self, place: &str, bytes: &[u8]) {
        let (mut list, mut none): (Option<&[u8]>, bool) = (None, false);
        let mut head = Vec::new();
        frame::keys(bytes, |key, value| {
            match key {
                b"packages" => {
                    list = value.strip_prefix(b"[");
                    none = list.is_none();
                }
                b"distroversion" | b"reponame" | b"urlprefix" if value.first() == Some(&b'"') => {
                    let mut text = value;
                    let mut reader = Bytes::new(&mut text);
                    let mut word = Vec::new();
                    if frame::string(&mut reader, &mut word).is_ok() {
                        head.push((String::from_utf8_lossy(key).into_owned(), word));
                    }
                }
                _ => {}
            }
            true
        });
        if none {
            self.put(Item::Skipped(place.to_owned()));
            return;
        }
        let Some(mut text) = list else {
            let record = RawRecord { kind: RawKind::Secdb, bytes: bytes.to_vec(), place: place.to_owned() };
            self.put(Item::Record(record));
            return;
        };
        let mut mark = frame::Mark::new(text, b'{');
        let mut reader = Bytes::new(&mut text);
        for n in 0u64.. {
            while matches!(reader.next_solid(), Ok(Some(b','))) {
                reader.consume(1);
            }
            if !matches!(reader.next_solid(), Ok(Some(b'{'))) {
                return;
            }
            let here = format!("{place} packages[{n}]");
            let mut out = Vec::from(*b"{");
            for (key, word) in &head {
                out.extend_from_slice(format!("\"{key}\":").as_bytes());
                out.extend_from_slice(word);
                out.push(b',');
            }
            out.extend_from_slice(b"\"packages\":[");
            let begins = out.len();
            match frame::value(&mut reader, self.limits.document_bytes, &mut out) {
                Ok(frame::End::Whole) => {
                    out.extend_from_slice(b"]}");
                    self.put(Item::Record(RawRecord { kind: RawKind::Secdb, bytes: out, place: here }));
                }
                _ => {
                    let swallowed = out.get(begins..).unwrap_or_default();
                    self.problem("input-syntax", here, "the package's brackets do not close", swallowed);
                    if !matches!(mark.resume(&mut reader, swallowed), Ok(true)) {
                        return;
                    }
                }
            }
        }
    }
}

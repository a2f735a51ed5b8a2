//! A reader one can look ahead in: recognising by content needs it.

use std::io::{self, Read};

/// Bytes taken from the input at once.
const CHUNK: usize = 64 << 10;

/// The reader; holds what was looked at and not yet passed over.
pub(super) struct Bytes<'a> {
    inner: &'a mut dyn Read,
    buf: Vec<u8>,
    pos: usize,
    done: bool,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(inner: &'a mut dyn Read) -> Self {
        Bytes { inner, buf: Vec::new(), pos: 0, done: false }
    }

    fn rest(&self) -> &[u8] {
        self.buf.get(self.pos..).unwrap_or_default()
    }

    fn more(&mut self, bytes: usize) -> io::Result<()> {
        self.buf.drain(..self.pos);
        self.pos = 0;
        let old = self.buf.len();
        self.buf.resize(old + bytes, 0);
        let read = loop {
            match self.inner.read(self.buf.get_mut(old..).unwrap_or_default()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buf.truncate(old + *read.as_ref().unwrap_or(&0));
        self.done = matches!(read, Ok(0));
        read.map(|_| ())
    }

    /// What can be read without waiting; empty only at the end.
    pub(super) fn fill(&mut self) -> io::Result<&[u8]> {
        if self.rest().is_empty() && !self.done {
            self.more(CHUNK)?;
        }
        Ok(self.rest())
    }

    /// The next `n` bytes, fewer only at the end.
    pub(super) fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.rest().len() < n && !self.done {
            let missing = n - self.rest().len();
            self.more(missing.max(4096))?;
        }
        let rest = self.rest();
        Ok(rest.get(..n).unwrap_or(rest))
    }

    /// Passes over `n` bytes of what [`Bytes::fill`] or [`Bytes::peek`] showed.
    pub(super) fn consume(&mut self, n: usize) {
        self.pos = (self.pos + n).min(self.buf.len());
    }

    /// Puts bytes back before what is left.
    pub(super) fn unread(&mut self, text: &[u8]) {
        let rest = self.rest();
        let mut buf = Vec::with_capacity(text.len() + rest.len());
        buf.extend_from_slice(text);
        buf.extend_from_slice(rest);
        self.buf = buf;
        self.pos = 0;
    }

    /// The next byte that is no white space, not passed over.
    pub(super) fn next_solid(&mut self) -> io::Result<Option<u8>> {
        loop {
            let rest = self.fill()?;
            if rest.is_empty() {
                return Ok(None);
            }
            let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let found = rest.get(blanks).copied();
            self.consume(blanks);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Reads all that is left, at most `limit` bytes; `false`: there was more.
    pub(super) fn rest_of_input(&mut self, limit: u64, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let rest = self.fill()?;
            if rest.is_empty() {
                return Ok(true);
            }
            let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(out.len());
            let n = rest.len();
            out.extend_from_slice(rest.get(..n.min(room)).unwrap_or_default());
            if n > room {
                return Ok(false);
            }
            self.consume(n);
        }
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.fill()?;
        let n = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}

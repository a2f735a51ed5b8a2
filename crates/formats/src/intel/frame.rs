//! Cuts single JSON values out of a stream without building them: only strings and brackets are followed.

use std::io;

use super::bytes::Bytes;

/// Deepest nesting that is followed; deeper is damage or an attack, and no record format comes near it.
const DEPTH: usize = 512;

/// How a value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its brackets close.
    Whole,
    /// The input ended inside, or brackets do not pair.
    Damaged,
    /// More than the limit; what was passed over after it is lost.
    TooLong,
    /// Nested too deeply.
    TooDeep,
}

/// Follows strings and brackets over pieces of text.
#[derive(Default)]
pub(super) struct Follower {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

/// What [`Follower::feed`] met.
enum Step {
    Inside,
    Ended(usize),
    Mismatch(usize),
    TooDeep(usize),
}

impl Follower {
    fn feed(&mut self, bytes: &[u8]) -> Step {
        let mut i = 0;
        while let Some(&b) = bytes.get(i) {
            i += 1;
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if b == b'\\' {
                    self.escaped = true;
                } else if b == b'"' {
                    self.in_string = false;
                }
                continue;
            }
            match b {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.open.len() >= DEPTH {
                        return Step::TooDeep(i);
                    }
                    self.open.push(b);
                }
                b'}' | b']' => {
                    let opener = if b == b'}' { b'{' } else { b'[' };
                    if self.open.pop() != Some(opener) {
                        return Step::Mismatch(i);
                    }
                    if self.open.is_empty() {
                        return Step::Ended(i);
                    }
                }
                _ => {}
            }
        }
        Step::Inside
    }
}

/// Whether `bytes` are one object or list whose strings and brackets close, with white space around.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    matches!(bytes.first(), Some(b'{' | b'['))
        && matches!(Follower::default().feed(bytes), Step::Ended(n) if n == bytes.len())
}

/// Appends the object or list that begins at the next byte to `out`.
pub(super) fn value(input: &mut Bytes<'_>, limit: u64, out: &mut Vec<u8>) -> io::Result<End> {
    let mut follower = Follower::default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut too_long = false;
    loop {
        let piece = input.fill()?;
        if piece.is_empty() {
            return Ok(if too_long { End::TooLong } else { End::Damaged });
        }
        let step = follower.feed(piece);
        let used = match step {
            Step::Inside => piece.len(),
            Step::Ended(n) | Step::Mismatch(n) | Step::TooDeep(n) => n,
        };
        if out.len() + used > limit {
            too_long = true;
        } else {
            out.extend_from_slice(piece.get(..used).unwrap_or_default());
        }
        input.consume(used);
        match step {
            Step::Inside => {}
            Step::Ended(_) if too_long => return Ok(End::TooLong),
            Step::Ended(_) => return Ok(End::Whole),
            Step::Mismatch(_) => return Ok(End::Damaged),
            Step::TooDeep(_) => return Ok(End::TooDeep),
        }
    }
}

/// How looking for an element ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It is there, with its end.
    Whole,
    /// The end of the document came before another.
    Last,
    /// It is longer than the limit; it was passed over.
    TooLong,
    /// The input ended without the document's end.
    Damaged,
}

/// Appends the next element of XML text to `out`, from its start tag to its end tag, which are given as they are written;
/// what stands before it is passed over. The third text is the end of the document.
pub(super) fn element(
    input: &mut Bytes<'_>,
    (open, close, last): (&str, &str, &str),
    limit: usize,
    out: &mut Vec<u8>,
) -> io::Result<Cut> {
    loop {
        skip_to(input, b'<')?;
        let at = input.peek(open.len().max(last.len()))?;
        if at.is_empty() {
            return Ok(Cut::Damaged);
        } else if at.starts_with(last.as_bytes()) {
            return Ok(Cut::Last);
        } else if at.starts_with(open.as_bytes()) {
            break;
        }
        input.consume(1);
    }
    let (start, mut too_long) = (out.len(), false);
    loop {
        // up to the next tag, and it where it is the one that ends
        let ends = input.peek(close.len())?.starts_with(close.as_bytes());
        let piece = input.fill()?;
        if piece.is_empty() {
            return Ok(Cut::Damaged);
        }
        let used = match ends {
            true => close.len(),
            false => piece.iter().skip(1).position(|b| *b == b'<').map_or(piece.len(), |n| n + 1),
        };
        let used = used.min(piece.len());
        if out.len() - start + used > limit {
            too_long = true;
        } else {
            out.extend_from_slice(piece.get(..used).unwrap_or_default());
        }
        input.consume(used);
        match (ends, too_long) {
            (true, true) => return Ok(Cut::TooLong),
            (true, false) => return Ok(Cut::Whole),
            _ => {}
        }
    }
}

/// Passes over everything before the next such byte.
fn skip_to(input: &mut Bytes<'_>, byte: u8) -> io::Result<()> {
    loop {
        let piece = input.fill()?;
        let (len, found) = (piece.len(), piece.iter().position(|b| *b == byte));
        input.consume(found.unwrap_or(len));
        if found.is_some() || len == 0 {
            return Ok(());
        }
    }
}

/// How the records of a list or object are recognised again after a damaged one: by the indentation of the
/// first, where each begins on a line of its own. In text on one line nothing tells where the next begins.
pub(super) struct Mark {
    indent: Option<usize>,
    first: u8,
    /// Damaged records after which reading goes on; each may have swallowed the rest of the input.
    left: u32,
}

impl Mark {
    /// `inside`: the text from just inside the opening bracket on; records begin with `first`.
    pub(super) fn new(inside: &[u8], first: u8) -> Mark {
        let blanks = inside.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let line = inside.get(..blanks).and_then(|b| b.rsplit(|b| *b == b'\n').next().map(<[u8]>::len));
        let indent = line.filter(|n| *n < blanks && inside.get(blanks) == Some(&first));
        Mark { indent, first, left: 64 }
    }

    /// Where in `text`, after its first line, a record begins.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let indent = self.indent?;
        let mut at = 0;
        while let Some(n) = text.get(at..)?.iter().position(|b| *b == b'\n') {
            at += n + 1;
            let line = text.get(at..)?;
            let blanks = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            if blanks == indent && line.get(blanks) == Some(&self.first) {
                return Some(at);
            }
        }
        None
    }

    /// Passes over the damaged record `swallowed` to where the next begins; `false`: none is found.
    pub(super) fn resume(&mut self, input: &mut Bytes<'_>, swallowed: &[u8]) -> io::Result<bool> {
        if self.left == 0 || self.indent.is_none() {
            return Ok(false);
        }
        self.left -= 1;
        if let Some(at) = self.find(swallowed) {
            input.unread(swallowed.get(at..).unwrap_or_default());
            return Ok(true);
        }
        let mut text = vec![b'\n'];
        loop {
            text.truncate(1);
            match line(input, 1 << 20, &mut text)? {
                End::Damaged => return Ok(false),
                _ if self.find(&text).is_some() => {
                    text.push(b'\n');
                    input.unread(text.get(1..).unwrap_or_default());
                    return Ok(true);
                }
                _ => {}
            }
        }
    }
}

/// Appends the string that begins at the next byte to `out`, with its quotes; at most 64 KiB of it.
pub(super) fn string(input: &mut Bytes<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let text = input.peek(64 << 10)?;
    let mut i = 1;
    while let Some(b) = text.get(i) {
        match b {
            b'\\' => i += 2,
            b'"' => break,
            _ => i += 1,
        }
    }
    let used = (i + 1).min(text.len());
    out.extend_from_slice(text.get(..used).unwrap_or_default());
    input.consume(used);
    Ok(())
}

/// Appends the next line without its end to `out`; [`End::Damaged`]: there is none left.
pub(super) fn line(input: &mut Bytes<'_>, limit: u64, out: &mut Vec<u8>) -> io::Result<End> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut any, mut too_long) = (false, false);
    loop {
        let piece = input.fill()?;
        if piece.is_empty() && !any {
            return Ok(End::Damaged);
        }
        let stop = piece.iter().position(|b| *b == b'\n');
        let text = piece.get(..stop.unwrap_or(piece.len())).unwrap_or_default();
        let last = piece.is_empty() || stop.is_some();
        if out.len() + text.len() > limit {
            too_long = true;
        } else {
            out.extend_from_slice(text);
        }
        let used = text.len() + usize::from(stop.is_some());
        input.consume(used);
        any = true;
        if last {
            return Ok(if too_long { End::TooLong } else { End::Whole });
        }
    }
}

/// Calls `see` with each key of the outermost object of `bytes` and the text from its value on, until it
/// answers `false`. Text that is no object has no keys.
pub(super) fn keys<'a>(bytes: &'a [u8], mut see: impl FnMut(&'a [u8], &'a [u8]) -> bool) {
    let (mut depth, mut i) = (0_usize, 0_usize);
    let mut before_key = false;
    while let Some(&b) = bytes.get(i) {
        i += 1;
        match b {
            b'{' | b'[' => {
                if depth == 0 && b == b'[' {
                    return;
                }
                depth += 1;
                before_key = depth == 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
            b',' => before_key = depth == 1,
            b'"' => {
                let start = i;
                loop {
                    match bytes.get(i) {
                        None => return,
                        Some(b'\\') => i += 2,
                        Some(b'"') => break,
                        Some(_) => i += 1,
                    }
                }
                let key = bytes.get(start..i).unwrap_or_default();
                i += 1;
                if before_key {
                    before_key = false;
                    let rest = bytes.get(i..).unwrap_or_default().trim_ascii_start();
                    let Some(rest) = rest.strip_prefix(b":") else { continue };
                    if !see(key, rest.trim_ascii_start()) {
                        return;
                    }
                }
            }
            _ => {}
        }
    }
}

//! The encoders of sort keys, shared by all schemes.
//!
//! Every piece is self-delimiting, so pieces can follow one another. Numbers take the bytes `0x40..=0xCA`;
//! what must sort before them (ends, pre-releases) uses smaller class bytes, what must sort after them larger
//! ones. Versions with control characters are refused beforehand, so `0x00` can end a string.

/// Ends a string: below every byte a string can hold.
pub(super) const NUL: u8 = 0x00;
/// The end of a version: below every number.
pub(super) const END: u8 = 0x10;

/// Appends a decimal number of any length. `digits` holds ASCII digits only; empty is zero.
///
/// Below 100 one byte; else a length byte and two digits a byte.
pub(super) fn num(out: &mut Vec<u8>, digits: &[u8]) {
    let first = digits.iter().position(|d| *d != b'0').unwrap_or(digits.len());
    let digits = digits.get(first..).unwrap_or_default();
    match digits {
        [] => out.push(0x40),
        [a] => out.push(0x40 + (a - b'0')),
        [a, b] => out.push(0x40 + (a - b'0') * 10 + (b - b'0')),
        _ => {
            match u8::try_from(digits.len()) {
                Ok(n) if n <= 40 => out.push(0xA4 + n - 3),
                _ => {
                    out.push(0xCA);
                    out.extend_from_slice(&(digits.len() as u64).to_be_bytes());
                }
            }
            for pair in digits.chunks(2) {
                out.push(match pair {
                    [a, b] => (a - b'0') << 4 | (b - b'0'),
                    [a] => (a - b'0') << 4,
                    _ => 0,
                });
            }
        }
    }
}

/// Appends a string and its terminator: a prefix sorts before what continues it.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    out.push(NUL);
}

/// Appends a string in ASCII lower case and its terminator.
pub(super) fn lower(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().map(u8::to_ascii_lowercase));
    out.push(NUL);
}

/// Appends a count so that more sorts higher.
pub(super) fn count(out: &mut Vec<u8>, n: usize) {
    match u8::try_from(n) {
        Ok(n) if n < 255 => out.push(n),
        _ => {
            out.push(255);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
}

/// Appends a count so that more sorts lower.
pub(super) fn count_down(out: &mut Vec<u8>, n: usize) {
    let start = out.len();
    count(out, n);
    for b in out.iter_mut().skip(start) {
        *b = !*b;
    }
}

/// Is every byte an ASCII digit (and there is one)?
pub(super) fn all_digits(s: &[u8]) -> bool {
    !s.is_empty() && s.iter().all(u8::is_ascii_digit)
}

/// Splits off the longest prefix of bytes that satisfy `f`.
pub(super) fn take<'a>(s: &mut &'a [u8], f: impl Fn(u8) -> bool) -> &'a [u8] {
    let n = s.iter().position(|b| !f(*b)).unwrap_or(s.len());
    let (head, tail) = s.split_at(n);
    *s = tail;
    head
}

/// Splits off leading ASCII digits.
pub(super) fn digits<'a>(s: &mut &'a [u8]) -> &'a [u8] {
    take(s, |b| b.is_ascii_digit())
}

/// Drops a `v` or `V` that stands before a digit.
pub(super) fn strip_v(s: &[u8]) -> &[u8] {
    match s {
        [b'v' | b'V', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => rest,
        _ => s,
    }
}

/// Numbers with pending zeros: trailing zeros vanish, inner zeros are written when a number follows.
#[derive(Default)]
pub(super) struct Zeros(usize);

impl Zeros {
    /// Appends a number, or holds it back while it may turn out to be a trailing zero.
    pub(super) fn num(&mut self, out: &mut Vec<u8>, digits: &[u8]) {
        if digits.iter().all(|d| *d == b'0') {
            self.0 += 1;
            return;
        }
        for _ in 0..std::mem::take(&mut self.0) {
            num(out, b"");
        }
        num(out, digits);
    }

    /// Takes the number of zeros held back.
    pub(super) fn take(&mut self) -> usize {
        std::mem::take(&mut self.0)
    }
}

//! Debian and Ubuntu: deb-version(7), Debian Policy §5.6.12.

use super::key;

/// `~` sorts before everything, even the end of a part.
const TILDE: u8 = 0x01;
/// The end of a run of non-digits.
const STOP: u8 = 0x02;

/// Writes the key: epoch, upstream version, revision (absent is `0`).
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (epoch, rest) = match s.iter().position(|b| *b == b':') {
        Some(at) => (s.get(..at)?, s.get(at + 1..)?),
        None => (&b"0"[..], s),
    };
    if !key::all_digits(epoch) || !rest.iter().any(u8::is_ascii_digit) || rest.contains(&b' ') {
        return None;
    }
    key::num(out, epoch);
    match rest.iter().rposition(|b| *b == b'-') {
        Some(at) => {
            part(rest.get(..at)?, out);
            part(rest.get(at + 1..)?, out);
        }
        None => {
            part(rest, out);
            part(b"", out);
        }
    }
    Some(())
}

fn part(s: &[u8], out: &mut Vec<u8>) {
    // an empty part compares like `0`
    let mut s = if s.is_empty() { b"0" } else { s };
    while !s.is_empty() {
        for c in key::take(&mut s, |b| !b.is_ascii_digit()) {
            match c {
                b'~' => out.push(TILDE),
                c if c.is_ascii_alphabetic() => out.push(*c),
                c if c.is_ascii() => out.push(0x80 | c),
                c => out.extend_from_slice(&[0xFF, *c]),
            }
        }
        out.push(STOP);
        key::num(out, key::digits(&mut s));
    }
    out.push(STOP);
}

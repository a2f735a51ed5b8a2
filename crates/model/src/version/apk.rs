//! Alpine apk-tools and Gentoo (PMS chapter 3), which share their shape.

use super::key::{self, END};

/// A part with a leading zero: compared as text, below every other number.
const ZERO_LED: u8 = 0x3F;
const REVISION: u8 = 0x11;
const HASH: u8 = 0x12;
const SUFFIX_NUMBER: u8 = 0x13;
const LETTER: u8 = 0x1A;

fn suffix(word: &[u8]) -> Option<u8> {
    Some(match word {
        b"alpha" => 2,
        b"beta" => 3,
        b"pre" => 4,
        b"rc" => 5,
        b"cvs" => 0x14,
        b"svn" => 0x15,
        b"git" => 0x16,
        b"hg" => 0x17,
        b"p" => 0x18,
        _ => return None,
    })
}

/// Writes the dotted numbers at the start; `strip` drops trailing zeros of a part with a leading zero (PMS).
fn numbers(s: &mut &[u8], strip: bool, out: &mut Vec<u8>) -> Option<()> {
    let first = key::digits(s);
    if first.is_empty() {
        return None;
    }
    key::num(out, first);
    while let [b'.', rest @ ..] = *s {
        *s = rest;
        match key::digits(s) {
            [] => return None,
            [b'0', tail @ ..] => {
                let keep = tail.iter().rposition(|b| *b != b'0').map_or(0, |i| i + 1);
                out.push(ZERO_LED);
                key::text(out, if strip { tail.get(..keep)? } else { tail });
            }
            d => key::num(out, d),
        }
    }
    Some(())
}

/// Writes the key of an apk version.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut s = s;
    numbers(&mut s, false, out)?;
    if let [c @ b'a'..=b'z', rest @ ..] = s {
        out.extend_from_slice(&[LETTER, *c]);
        s = rest;
    }
    while let [b'_', rest @ ..] = s {
        s = rest;
        out.push(suffix(key::take(&mut s, |b| b.is_ascii_lowercase()))?);
        let n = key::digits(&mut s);
        if !n.is_empty() {
            out.push(SUFFIX_NUMBER);
            key::num(out, n);
        }
    }
    if let [b'~', rest @ ..] = s {
        s = rest;
        let hash = key::take(&mut s, |b| b.is_ascii_hexdigit());
        out.push(HASH);
        key::text(out, hash);
    }
    if let [b'-', b'r', rest @ ..] = s {
        s = rest;
        out.push(REVISION);
        let n = key::digits(&mut s);
        if n.is_empty() {
            return None;
        }
        key::num(out, n);
    }
    out.push(END);
    s.is_empty().then_some(())
}

/// Writes the key of a Gentoo version.
pub(super) fn gentoo(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut s = s;
    numbers(&mut s, true, out)?;
    out.push(END);
    match s {
        [c @ b'a'..=b'z', rest @ ..] => {
            out.push(*c);
            s = rest;
        }
        _ => out.push(END),
    }
    while let [b'_', rest @ ..] = s {
        s = rest;
        match suffix(key::take(&mut s, |b| b.is_ascii_lowercase()))? {
            class @ (2..=5 | 0x18) => out.push(class),
            _ => return None,
        }
        key::num(out, key::digits(&mut s));
    }
    out.push(END);
    let revision = match s {
        [] => b"",
        [b'-', b'r', n @ ..] if key::all_digits(n) => n,
        _ => return None,
    };
    key::num(out, revision);
    Some(())
}

//! SemVer 2.0.0 §11 and its relatives: npm, NuGet, Pub and Go.

use super::key::{self, END, Zeros};

/// Which relative of SemVer is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// SemVer itself and npm: builds do not count.
    Plain,
    /// Pre-releases compare without case.
    Nuget,
    /// Builds count (pub_semver): none sorts before any.
    Pub,
    /// `go1.21rc2`: a pre-release may follow without `-`, its number is a number.
    Go,
}

/// A pre-release follows: below [`END`].
const PRE: u8 = 0x08;
/// The list of identifiers ends: a longer list sorts after it.
const LAST: u8 = 0x01;
/// An identifier with letters: above every number (SemVer §11.4.3).
const WORD: u8 = 0xD0;

/// Writes the key. Fewer than three parts are padded, more compare as numbers.
pub(super) fn key(s: &[u8], flavour: Flavour, out: &mut Vec<u8>) -> Option<()> {
    let s = match (flavour, s) {
        (Flavour::Go, [b'g', b'o', rest @ ..]) => rest,
        (Flavour::Plain, [b'=', rest @ ..]) => rest.trim_ascii_start(),
        _ => s,
    };
    let mut s = key::strip_v(s);
    let mut zeros = Zeros::default();
    loop {
        let part = key::digits(&mut s);
        if part.is_empty() {
            return None;
        }
        zeros.num(out, part);
        match s {
            [b'.', rest @ ..] => s = rest,
            _ => break,
        }
    }
    let (body, build) = match s.iter().position(|b| *b == b'+') {
        Some(at) => (s.get(..at)?, s.get(at + 1..)?),
        None => (s, &b""[..]),
    };
    match body {
        [] => out.push(END),
        [b'-', pre @ ..] => {
            out.push(PRE);
            identifiers(pre, flavour, out)?;
        }
        [c, ..] if c.is_ascii_alphabetic() => {
            out.push(PRE);
            if flavour == Flavour::Go {
                let mut rest = body;
                let word = key::take(&mut rest, |b| b.is_ascii_alphabetic());
                out.push(WORD);
                key::lower(out, word);
                if !key::all_digits(rest) && !rest.is_empty() {
                    return None;
                }
                key::num(out, rest);
                out.push(LAST);
            } else {
                identifiers(body, flavour, out)?;
            }
        }
        _ => return None,
    }
    if flavour == Flavour::Pub && !build.is_empty() {
        identifiers(build, flavour, out)?;
    }
    Some(())
}

fn identifiers(list: &[u8], flavour: Flavour, out: &mut Vec<u8>) -> Option<()> {
    for id in list.split(|b| *b == b'.') {
        if key::all_digits(id) {
            key::num(out, id);
        } else if id.is_empty()
            || !id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~'))
        {
            return None;
        } else {
            out.push(WORD);
            if flavour == Flavour::Nuget { key::lower(out, id) } else { key::text(out, id) }
        }
    }
    out.push(LAST);
    Some(())
}

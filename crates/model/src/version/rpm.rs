//! RPM (`rpmvercmp` with tilde and caret) and Arch Linux (`vercmp`, its older cousin).

use super::key;

const TILDE: u8 = 0x01;
const STOP: u8 = 0x02;
const CARET: u8 = 0x03;
const WORD: u8 = 0x04;

/// Splits `epoch:version-release`; an absent epoch is 0, an absent release is empty.
fn split(s: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (epoch, rest) = match s.iter().position(|b| *b == b':') {
        Some(at) if key::all_digits(s.get(..at)?) => (s.get(..at)?, s.get(at + 1..)?),
        Some(0) => (&b""[..], s.get(1..)?),
        Some(_) => return None,
        None => (&b""[..], s),
    };
    if rest.contains(&b' ') || !rest.iter().any(u8::is_ascii_digit) {
        return None;
    }
    Some(match rest.iter().rposition(|b| *b == b'-') {
        Some(at) => (epoch, rest.get(..at)?, rest.get(at + 1..)?),
        None => (epoch, rest, b""),
    })
}

/// Writes the key of an RPM `epoch:version-release`. A version without release sorts before its releases.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (epoch, version, release) = split(s)?;
    key::num(out, epoch);
    part(version, out);
    part(release, out);
    Some(())
}

fn part(mut s: &[u8], out: &mut Vec<u8>) {
    loop {
        key::take(&mut s, |b| !b.is_ascii_alphanumeric() && b != b'~' && b != b'^');
        match s.first() {
            None => break,
            Some(b'~') => {
                out.push(TILDE);
                s = s.get(1..).unwrap_or_default();
            }
            Some(b'^') => {
                out.push(CARET);
                s = s.get(1..).unwrap_or_default();
            }
            Some(c) if c.is_ascii_digit() => key::num(out, key::digits(&mut s)),
            Some(_) => {
                out.push(WORD);
                key::text(out, key::take(&mut s, |b| b.is_ascii_alphabetic()));
            }
        }
    }
    out.push(STOP);
}

/// A word that follows without separator sorts before the end: `1.0a` < `1.0`.
const GLUED_WORD: u8 = 0x02;
const ALPM_STOP: u8 = 0x04;
/// Separators and how many of them; above glued numbers, since fewer separators are older.
const SEPARATORS: u8 = 0xE0;

/// Writes the key of an Arch `epoch:pkgver-pkgrel`.
pub(super) fn alpm(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (epoch, version, release) = split(s)?;
    key::num(out, epoch);
    alpm_part(version, out);
    alpm_part(release, out);
    Some(())
}

fn alpm_part(mut s: &[u8], out: &mut Vec<u8>) {
    while !s.is_empty() {
        let separators = key::take(&mut s, |b| !b.is_ascii_alphanumeric());
        if !separators.is_empty() {
            out.push(SEPARATORS);
            key::count(out, separators.len());
        }
        match s.first() {
            None => {}
            Some(c) if c.is_ascii_digit() => key::num(out, key::digits(&mut s)),
            Some(_) => {
                out.push(GLUED_WORD);
                key::text(out, key::take(&mut s, |b| b.is_ascii_alphabetic()));
            }
        }
    }
    out.push(ALPM_STOP);
}

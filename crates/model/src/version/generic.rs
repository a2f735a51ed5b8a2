//! Versions of vendors without a scheme, the Linux kernel, and OpenSSL before 3.
//!
//! Digits and letters make tokens, all else separates. A number after `.` sorts after a number after any other
//! separator (a build), that after letters (a patch: `1.0a`, `9.3p1`), those after the end, and the end after
//! words for what comes before a release. Of words after a release, updates come first and service packs last. Zeros before letters, builds and the end do not count.

use super::key::{self, END, Zeros};

const UPDATE: u8 = 0x1E;
const WORD: u8 = 0x20;
const SERVICE_PACK: u8 = 0x22;
const BUILD: u8 = 0x30;

/// What a word says of the release.
fn class(word: &[u8]) -> u8 {
    const WORDS: &[(&str, u8)] = &[
        ("dev", 2),
        ("devel", 2),
        ("nightly", 2),
        ("snapshot", 2),
        ("alpha", 3),
        ("beta", 4),
        ("milestone", 5),
        ("pre", 6),
        ("preview", 6),
        ("prerelease", 6),
        ("rc", 7),
        ("cr", 7),
        ("final", END),
        ("ga", END),
        ("release", END),
        ("version", END),
        // A service pack gathers the updates before it and has updates of its own. Siemens counts V14, V14 Update 3,
        // V14 SP1, V14 SP1 Update 1, V15: its advisories end ranges at `V14.0 SP2 Update 1` (SINEMA Server) and
        // `V16 Update 3a` (SIMATIC HMI), the CPE dictionary has `simatic_batch:8.1:sp1_upd15`.
        ("update", UPDATE),
        ("upd", UPDATE),
        ("sp", SERVICE_PACK),
    ];
    WORDS.iter().find(|(w, _)| word.eq_ignore_ascii_case(w.as_bytes())).map_or(WORD, |(_, c)| *c)
}

/// Writes the key of any vendor's version. Needs a digit; a bare commit hash has no order.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if !s.iter().any(u8::is_ascii_digit)
        || s.iter().any(|b| matches!(b, b'*' | b'$' | b'<' | b'>' | b'{' | b'}' | b'|'))
        || is_commit(s)
    {
        return None;
    }
    let mut s = key::strip_v(s);
    let mut zeros = Zeros::default();
    let mut build = false;
    // a word that carries a number, `rc 1`: what separates them says nothing
    let mut counted = false;
    while let Some(c) = s.first() {
        if c.is_ascii_digit() {
            let d = key::digits(&mut s);
            if build && d.iter().any(|b| *b != b'0') {
                zeros.take();
                out.push(BUILD);
            }
            zeros.num(out, d);
            (build, counted) = (false, false);
        } else if c.is_ascii_alphabetic() || !c.is_ascii() {
            let w = key::take(&mut s, |b| b.is_ascii_alphabetic() || !b.is_ascii());
            (build, counted) = (false, false);
            match class(w) {
                END => {}
                class => {
                    counted = class != WORD;
                    zeros.take();
                    out.push(class);
                    if class == WORD {
                        key::lower(out, w);
                    }
                }
            }
        } else {
            build = *c != b'.' && !counted;
            s = s.get(1..)?;
        }
    }
    out.push(END);
    Some(())
}

fn is_commit(s: &[u8]) -> bool {
    (7..=64).contains(&s.len())
        && s.iter().all(u8::is_ascii_hexdigit)
        && (s.len() >= 32 || s.first().is_some_and(u8::is_ascii_alphabetic))
}

/// Writes the key of a kernel version: must start with a number.
pub(super) fn kernel(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    key::strip_v(s).first()?.is_ascii_digit().then_some(())?;
    key(s, out)
}

/// Writes the key of an OpenSSL version: numbers, letters (`z` < `za`), then `-beta1` and the like before it.
pub(super) fn openssl(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut s = s;
    let mut zeros = Zeros::default();
    loop {
        let d = key::digits(&mut s);
        if d.is_empty() {
            return None;
        }
        zeros.num(out, d);
        match s {
            [b'.', rest @ ..] => s = rest,
            _ => break,
        }
    }
    let letters = key::take(&mut s, |b| b.is_ascii_alphabetic());
    if !letters.is_empty() {
        out.push(WORD);
        key::lower(out, letters);
    }
    match s {
        [] => out.push(END),
        [b'-', rest @ ..] => {
            s = rest;
            let w = key::take(&mut s, |b| b.is_ascii_alphabetic());
            out.push(if class(w) < END { class(w) } else { WORD });
            key::lower(out, w);
            let n = key::digits(&mut s);
            key::num(out, n);
            key::lower(out, s);
        }
        _ => return None,
    }
    Some(())
}

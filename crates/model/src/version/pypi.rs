//! Python: PEP 440, with every spelling its normalisation accepts.

use super::key::{self, Zeros};

/// Dev release of the version itself: before its pre-releases.
const DEV_ONLY: u8 = 0x01;
const FINAL: u8 = 0x06;
const NO_POST: u8 = 0x01;
const POST: u8 = 0x02;
const NO_DEV: u8 = 0xFF;
const LOCAL: u8 = 0x01;
const WORD: u8 = 0x08;

/// Writes the key: epoch, release, pre, post, dev, local.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut s = match s {
        [b'v' | b'V', rest @ ..] => rest,
        _ => s,
    };
    let mut first = key::digits(&mut s);
    if let [b'!', rest @ ..] = s {
        if first.is_empty() {
            return None;
        }
        key::num(out, first);
        s = rest;
        first = key::digits(&mut s);
    } else {
        key::num(out, b"");
    }
    if first.is_empty() {
        return None;
    }
    let mut zeros = Zeros::default();
    zeros.num(out, first);
    while let [b'.', rest @ ..] = s {
        if !rest.first().is_some_and(u8::is_ascii_digit) {
            break;
        }
        s = rest;
        zeros.num(out, key::digits(&mut s));
    }
    let pre = segment(&mut s, PRE);
    let post = match s {
        [b'-', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => {
            s = rest;
            Some((0, key::digits(&mut s)))
        }
        _ => segment(&mut s, POSTS),
    };
    let dev = segment(&mut s, DEV);
    match pre {
        Some((class, n)) => {
            out.push(class);
            key::num(out, n);
        }
        None if post.is_none() && dev.is_some() => out.push(DEV_ONLY),
        None => out.push(FINAL),
    }
    match post {
        Some((_, n)) => {
            out.push(POST);
            key::num(out, n);
        }
        None => out.push(NO_POST),
    }
    match dev {
        Some((_, n)) => key::num(out, n),
        None => out.push(NO_DEV),
    }
    match s {
        [] => Some(()),
        [b'+', local @ ..] => {
            out.push(LOCAL);
            for part in local.split(|b| matches!(b, b'.' | b'-' | b'_')) {
                if key::all_digits(part) {
                    key::num(out, part);
                } else if part.is_empty() || !part.iter().all(u8::is_ascii_alphanumeric) {
                    return None;
                } else {
                    out.push(WORD);
                    key::lower(out, part);
                }
            }
            Some(())
        }
        _ => None,
    }
}

const PRE: &[(&str, u8)] =
    &[("alpha", 2), ("beta", 3), ("preview", 4), ("pre", 4), ("rc", 4), ("a", 2), ("b", 3), ("c", 4)];
const POSTS: &[(&str, u8)] = &[("post", 0), ("rev", 0), ("r", 0)];
const DEV: &[(&str, u8)] = &[("dev", 0)];

/// Reads `[.-_]word[.-_]number` when the word is one of `words`; an absent number is 0.
fn segment<'a>(s: &mut &'a [u8], words: &[(&str, u8)]) -> Option<(u8, &'a [u8])> {
    let body = match *s {
        [b'.' | b'-' | b'_', rest @ ..] => rest,
        rest => rest,
    };
    for (word, class) in words {
        let Some(head) = body.get(..word.len()) else { continue };
        if !head.eq_ignore_ascii_case(word.as_bytes()) {
            continue;
        }
        let mut rest = body.get(word.len()..)?;
        if let [b'.' | b'-' | b'_', after @ ..] = rest
            && after.first().is_some_and(u8::is_ascii_digit)
        {
            rest = after;
        }
        if rest.first().is_some_and(u8::is_ascii_alphabetic) && !words_follow(rest) {
            continue;
        }
        let n = key::digits(&mut rest);
        *s = rest;
        return Some((*class, n));
    }
    None
}

/// `1.0a.dev1` may be written `1.0adev1`.
fn words_follow(rest: &[u8]) -> bool {
    ["post", "rev", "r", "dev"]
        .iter()
        .any(|w| rest.get(..w.len()).is_some_and(|h| h.eq_ignore_ascii_case(w.as_bytes())))
}

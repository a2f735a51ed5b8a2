//! Composer: composer/semver's normalisation, then PHP's `version_compare`.

use super::key::{self, END, Zeros};

const BRANCH: u8 = 0x01;
const UNKNOWN: u8 = 0x02;
/// Patch level: after the release; below every number, since the numbers are padded to four parts.
const PATCH: u8 = 0x12;

/// Writes the key. `dev-NAME` sorts before all numbers; `1.x-dev` after all of 1; builds (`+…`) do not count.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if let [b'd' | b'D', b'e' | b'E', b'v' | b'V', b'-', name @ ..] = s {
        if name.is_empty() {
            return None;
        }
        out.push(BRANCH);
        key::text(out, name);
        return Some(());
    }
    let s = s.split(|b| *b == b'+').next()?;
    let mut s = key::strip_v(s);
    if !s.first()?.is_ascii_digit() {
        return None;
    }
    let mut zeros = Zeros::default();
    let mut parts = 0;
    let mut head = true;
    while let Some(c) = s.first() {
        match c {
            b'0'..=b'9' => {
                let d = key::digits(&mut s);
                if head {
                    zeros.num(out, d)
                } else {
                    key::num(out, d)
                }
                parts += 1;
            }
            b'x' | b'X' if head && s.get(1..).is_some_and(|r| r.eq_ignore_ascii_case(b"-dev")) => {
                for _ in parts..4 {
                    zeros.num(out, b"9999999");
                }
                s = s.get(1..)?;
            }
            c if c.is_ascii_alphabetic() => {
                head = false;
                word(out, key::take(&mut s, |b| b.is_ascii_alphabetic()));
            }
            b'.' | b'-' | b'_' | b'#' => s = s.get(1..)?,
            _ => return None,
        }
    }
    out.push(END);
    Some(())
}

fn word(out: &mut Vec<u8>, w: &[u8]) {
    let class = [
        ("dev", 3),
        ("alpha", 4),
        ("a", 4),
        ("beta", 5),
        ("b", 5),
        ("rc", 6),
        ("c", 6),
        ("stable", END),
        ("patch", PATCH),
        ("pl", PATCH),
        ("p", PATCH),
        ("post", PATCH),
    ]
    .iter()
    .find(|(name, _)| w.eq_ignore_ascii_case(name.as_bytes()))
    .map_or(UNKNOWN, |(_, c)| *c);
    if class == END {
        return;
    }
    out.push(class);
    if class == UNKNOWN {
        key::lower(out, w);
    }
}

//! Maven: POM reference "Version Order Specification" and ComparableVersion of Maven 3.9.

use super::key::{self, END};

const SP: u8 = 0x12;
const OTHER: u8 = 0x13;
/// A number after `-` or a change between letters and digits: below a number after `.`.
const DASH_NUMBER: u8 = 0x14;

/// Writes the key. Words are compared without case; null values before a hyphen, a word or the end vanish.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if !s.iter().any(u8::is_ascii_digit)
        || s.iter().any(|b| matches!(b, b' ' | b'$' | b'*' | b'[' | b'(' | b','))
    {
        return None;
    }
    let mut s = s;
    let mut dash = false;
    // zeros that count only when a number follows after `.`; whether the first of them stood after a dash
    let mut zeros = 0usize;
    let mut zeros_dash = false;
    loop {
        let number = s.first().is_some_and(u8::is_ascii_digit);
        let token = if number {
            key::digits(&mut s)
        } else {
            key::take(&mut s, |b| !b.is_ascii_digit() && b != b'.' && b != b'-')
        };
        let null = token.iter().all(|b| *b == b'0') || is_null(token);
        if dash || (!null && !number) {
            zeros = 0;
        }
        if null {
            if zeros == 0 {
                zeros_dash = dash;
            }
            zeros += 1;
        } else if number {
            for i in 0..std::mem::take(&mut zeros) {
                if i == 0 && zeros_dash {
                    out.push(DASH_NUMBER);
                }
                key::num(out, b"");
            }
            if dash {
                out.push(DASH_NUMBER);
            }
            key::num(out, token);
        } else {
            word(out, token, s.first().is_some_and(u8::is_ascii_digit));
        }
        match s {
            [] => break,
            [b'.', rest @ ..] => (s, dash) = (rest, false),
            [b'-', rest @ ..] => (s, dash) = (rest, true),
            _ => dash = true,
        }
    }
    out.push(END);
    Some(())
}

fn is_null(token: &[u8]) -> bool {
    ["final", "ga", "release"].iter().any(|w| token.eq_ignore_ascii_case(w.as_bytes()))
}

fn word(out: &mut Vec<u8>, token: &[u8], digit_follows: bool) {
    let class = match token {
        [b'a' | b'A'] if digit_follows => 2,
        [b'b' | b'B'] if digit_follows => 3,
        [b'm' | b'M'] if digit_follows => 4,
        t => [("alpha", 2), ("beta", 3), ("milestone", 4), ("rc", 5), ("cr", 5), ("snapshot", 6), ("sp", SP)]
            .iter()
            .find(|(w, _)| t.eq_ignore_ascii_case(w.as_bytes()))
            .map_or(OTHER, |(_, c)| *c),
    };
    out.push(class);
    if class == OTHER {
        key::lower(out, token);
    }
}

//! Conan: dotted items of any number, pre-release, and a build that counts.

use super::key::{self, END};

const PRE: u8 = 0x08;
const LAST: u8 = 0x01;
const WORD: u8 = 0xD0;

/// Writes the key. Trailing zeros of each list do not count.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (s, build) = cut(s, b'+');
    let (main, pre) = cut(s, b'-');
    if !main.first()?.is_ascii_digit() {
        return None;
    }
    items(main, out)?;
    match pre {
        Some(pre) => {
            out.push(PRE);
            items(pre, out)?;
            out.push(LAST);
        }
        None => out.push(END),
    }
    if let Some(build) = build {
        items(build, out)?;
    }
    Some(())
}

fn cut(s: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = s.splitn(2, |b| *b == at);
    (parts.next().unwrap_or_default(), parts.next())
}

fn items(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut zeros = key::Zeros::default();
    for item in s.split(|b| *b == b'.') {
        if key::all_digits(item) {
            zeros.num(out, item);
        } else if item.is_empty()
            || !item.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            return None;
        } else {
            for _ in 0..zeros.take() {
                key::num(out, b"");
            }
            out.push(WORD);
            key::lower(out, item);
        }
    }
    Some(())
}

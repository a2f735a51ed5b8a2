//! RubyGems: `Gem::Version`, canonical segments.

use super::key::{self, END};

const WORD: u8 = 0x08;
/// Zeros, then a word: before the end, since the end counts as zeros without limit and a word sorts before 0.
const ZEROS_WORD: u8 = 0x09;
/// Zeros, then a number: after the end; more zeros sort lower.
const ZEROS_NUMBER: u8 = 0x11;

/// Writes the key. A `-` stands for `.pre.`.
pub(super) fn key(s: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut s = s;
    if !s.first()?.is_ascii_digit() {
        return None;
    }
    let mut zeros = 0usize;
    let mut head = true;
    let mut word = |out: &mut Vec<u8>, w: &[u8], zeros: &mut usize| {
        // zeros at the end of the numeric head do not count: 1.0.a is 1.a
        match std::mem::take(zeros) {
            n if n > 0 && !head => {
                out.push(ZEROS_WORD);
                key::count(out, n);
            }
            _ => {}
        }
        head = false;
        out.push(WORD);
        key::text(out, w);
    };
    while let Some(c) = s.first() {
        match c {
            b'0'..=b'9' => {
                let d = key::digits(&mut s);
                if d.iter().all(|b| *b == b'0') {
                    zeros += 1;
                } else {
                    match std::mem::take(&mut zeros) {
                        0 => {}
                        n => {
                            out.push(ZEROS_NUMBER);
                            key::count_down(out, n);
                        }
                    }
                    key::num(out, d);
                }
            }
            c if c.is_ascii_alphabetic() => {
                let w = key::take(&mut s, |b| b.is_ascii_alphabetic());
                word(out, w, &mut zeros);
            }
            b'-' => {
                s = s.get(1..)?;
                word(out, b"pre", &mut zeros);
            }
            b'.' | b'_' | b'+' | b'~' => s = s.get(1..)?,
            _ => return None,
        }
    }
    out.push(END);
    Some(())
}

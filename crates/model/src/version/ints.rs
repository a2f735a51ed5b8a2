//! Versions that are nothing but integers: CRAN, Hackage, VERS `intdot`.

use super::key;

/// Writes the key: parts compare as numbers, a longer version sorts after its own beginning.
pub(super) fn key(s: &[u8], dash: bool, out: &mut Vec<u8>) -> Option<()> {
    for part in s.split(|b| *b == b'.' || (dash && *b == b'-')) {
        if !key::all_digits(part) {
            return None;
        }
        key::num(out, part);
    }
    Some(())
}

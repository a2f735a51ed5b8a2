//! RPM's own database `Packages.db` (ndb): pages of slots, each naming where a record lies in blocks of 16 bytes.
//! Numbers are little-endian.

use std::borrow::Cow;

use super::{Budget, Sink, le32, slice};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const RECORD: &[u8] = b"BlbS";
const PAGE: usize = 4096;
/// Size of a slot, of a block and of the head of a record.
const UNIT: usize = 16;

pub(super) fn records<'b>(bytes: &'b [u8], sink: Sink<'_, 'b>) -> Result<(), String> {
    let version = le32(bytes, 4).ok_or("the file ends in its head")?;
    if version != 0 {
        return Err(format!("the database has version {version}, which RPM does not know"));
    }
    let pages = le32(bytes, 12).ok_or("the file ends in its head")? as usize;
    let slots = slice(bytes, 0, pages.saturating_mul(PAGE)).ok_or("the file ends in its slots")?;
    let mut budget = Budget(bytes.len());
    // The head takes the room of two slots.
    for slot in slots.chunks_exact(UNIT).skip(2) {
        let word = |n: usize| le32(slot, n * 4).unwrap_or(0) as usize;
        let (package, block) = (word(1), word(2));
        if !slot.starts_with(SLOT) {
            return Err("a slot is damaged".to_owned());
        }
        if block == 0 {
            continue; // free
        }
        let record = record(bytes, block, package);
        budget.take(record.as_ref().map_or(0, |r| r.len()))?;
        sink(record.map(Cow::Borrowed));
    }
    Ok(())
}

fn record(bytes: &[u8], block: usize, package: usize) -> Result<&[u8], String> {
    let outside = || format!("the record of package {package} lies outside of the file");
    let at = block.checked_mul(UNIT).ok_or_else(outside)?;
    let head = slice(bytes, at, UNIT).ok_or_else(outside)?;
    if !head.starts_with(RECORD) || le32(head, 4).map(|n| n as usize) != Some(package) {
        return Err(format!("the slot of package {package} does not lead to its record"));
    }
    let length = le32(head, 12).unwrap_or(0) as usize;
    slice(bytes, at + UNIT, length).ok_or_else(outside)
}

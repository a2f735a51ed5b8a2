//! The file under every index: sections over checked pages, and a hash table to find blocks by key.
//!
//! A file is cut into pages of 4 KiB, each with a CRC-32 in a list at the end; the list has one itself, in the
//! header. A page is checked the first time something in it is read, so opening costs the same for any size
//! and memory holds only pages that were needed.
//!
//! Layout: header (64 bytes) · sections · page checksums. Numbers are little-endian.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Bytes, IndexError};

const MAGIC: &[u8; 8] = b"TOCSINIX";
/// Raised whenever the meaning of a byte changes: an older file is then built again.
const VERSION: u32 = 3;
const HEADER: usize = 64;
const PAGE: usize = 4096;

/// Number of sections a file can name.
pub(crate) const SECTIONS: usize = 4;

/// Writes a file: sections one after the other.
pub(crate) fn write(kind: u32, sections: [Vec<u8>; SECTIONS]) -> Vec<u8> {
    let body: usize = sections.iter().map(Vec::len).sum();
    let mut out = Vec::with_capacity(HEADER + body + body / PAGE * 4 + 64);
    out.resize(HEADER, 0);
    let mut ends = [0u64; SECTIONS];
    for (section, end) in sections.into_iter().zip(&mut ends) {
        out.extend_from_slice(&section);
        *end = out.len() as u64;
    }
    let sums: Vec<u8> = out[HEADER..].chunks(PAGE).flat_map(|p| crc32fast::hash(p).to_le_bytes()).collect();
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&kind.to_le_bytes());
    for end in ends {
        header.extend_from_slice(&end.to_le_bytes());
    }
    header.extend_from_slice(&crc32fast::hash(&sums).to_le_bytes());
    let own = crc32fast::hash(&header);
    header.extend_from_slice(&own.to_le_bytes());
    header.resize(HEADER, 0);
    out[..HEADER].copy_from_slice(&header);
    out.extend_from_slice(&sums);
    out
}

/// An opened file.
pub(crate) struct File {
    bytes: Bytes,
    ends: [u64; SECTIONS],
    /// A bit for each page that was found good.
    good: Vec<AtomicU64>,
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl File {
    /// Opens a file of this kind; checks header and list of checksums.
    pub(crate) fn open(kind: u32, bytes: Bytes) -> Result<File, IndexError> {
        let all: &[u8] = (*bytes).as_ref();
        if all.len() < HEADER
            || &all[..8] != MAGIC
            || le32(all, 8) != Some(VERSION)
            || le32(all, 12) != Some(kind)
        {
            return Err(IndexError::Foreign);
        }
        if le32(all, 52) != Some(crc32fast::hash(&all[..52])) {
            return Err(IndexError::Damaged(0));
        }
        let mut ends = [0u64; SECTIONS];
        let mut last = HEADER as u64;
        for (i, end) in ends.iter_mut().enumerate() {
            *end = le64(all, 16 + 8 * i).ok_or(IndexError::Damaged(0))?;
            if *end < last || *end > all.len() as u64 {
                return Err(IndexError::Damaged(0));
            }
            last = *end;
        }
        let pages = (last as usize - HEADER).div_ceil(PAGE);
        let sums = all.get(last as usize..last as usize + pages * 4).ok_or(IndexError::Damaged(last))?;
        if le32(all, 48) != Some(crc32fast::hash(sums)) {
            return Err(IndexError::Damaged(last));
        }
        let good = (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(File { bytes, ends, good })
    }

    /// Start and end of a section in the file.
    pub(crate) fn section(&self, n: usize) -> (u64, u64) {
        let start = if n == 0 { HEADER as u64 } else { self.ends[n - 1] };
        (start, self.ends[n])
    }

    /// Checked bytes of section `n` from `offset` (in the section); `len` bytes.
    pub(crate) fn read(&self, n: usize, offset: u64, len: u64) -> Result<&[u8], IndexError> {
        let (start, end) = self.section(n);
        let from = start.checked_add(offset).ok_or(IndexError::Damaged(start))?;
        let to = from.checked_add(len).filter(|to| *to <= end).ok_or(IndexError::Damaged(from))?;
        if len == 0 {
            return Ok(&[]);
        }
        let (first, last) = ((from as usize - HEADER) / PAGE, (to as usize - 1 - HEADER) / PAGE);
        for page in first..=last {
            self.check(page)?;
        }
        Ok(&(*self.bytes).as_ref()[from as usize..to as usize])
    }

    #[inline]
    fn check(&self, page: usize) -> Result<(), IndexError> {
        let bit = 1u64 << (page % 64);
        let word = &self.good[page / 64];
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let all: &[u8] = (*self.bytes).as_ref();
        let body_end = self.ends[SECTIONS - 1] as usize;
        let from = HEADER + page * PAGE;
        let to = (from + PAGE).min(body_end);
        if le32(all, body_end + page * 4) != Some(crc32fast::hash(&all[from..to])) {
            return Err(IndexError::Damaged(from as u64));
        }
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }

    /// Looks at every page.
    pub(crate) fn verify(&self) -> Result<(), IndexError> {
        let pages = (self.ends[SECTIONS - 1] as usize - HEADER).div_ceil(PAGE);
        (0..pages).try_for_each(|p| self.check(p))
    }
}

/// A hash table section: slots of (hash, value), open addressing, load at most one half.
/// A slot whose value is `u64::MAX` is empty.
pub(crate) fn write_table(entries: &[(u64, u64)]) -> Vec<u8> {
    let slots = (entries.len() * 2).next_power_of_two().max(8);
    let mut table = vec![(0u64, u64::MAX); slots];
    for &(hash, value) in entries {
        let mut i = hash as usize & (slots - 1);
        while table[i].1 != u64::MAX {
            i = (i + 1) & (slots - 1);
        }
        table[i] = (hash, value);
    }
    table.iter().flat_map(|(h, v)| [h.to_le_bytes(), v.to_le_bytes()].concat()).collect()
}

/// The values stored under `hash` in the table of section `n`; several keys may share a hash, so the caller
/// compares the key itself.
pub(crate) fn probe(file: &File, n: usize, hash: u64) -> Result<Probe<'_>, IndexError> {
    let (start, end) = file.section(n);
    let slots = (end - start) / 16;
    if !slots.is_power_of_two() {
        return Err(IndexError::Damaged(start));
    }
    Ok(Probe { file, n, hash, at: hash & (slots - 1), slots, left: slots })
}

/// Iterator over the values under one hash.
pub(crate) struct Probe<'a> {
    file: &'a File,
    n: usize,
    hash: u64,
    at: u64,
    slots: u64,
    left: u64,
}

impl Iterator for Probe<'_> {
    type Item = Result<u64, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            self.left -= 1;
            let slot = match self.file.read(self.n, self.at * 16, 16) {
                Ok(slot) => slot,
                Err(e) => {
                    self.left = 0;
                    return Some(Err(e));
                }
            };
            self.at = (self.at + 1) & (self.slots - 1);
            let (hash, value) = (le64(slot, 0)?, le64(slot, 8)?);
            if value == u64::MAX {
                self.left = 0;
                return None;
            }
            if hash == self.hash {
                return Some(Ok(value));
            }
        }
        None
    }
}

/// The hash of a key.
pub(crate) fn hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

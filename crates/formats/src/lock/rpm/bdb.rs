//! Berkeley DB hash files, as RPM wrote `Packages` until 4.16: pages of keys and values; a value too large for a
//! page lies in a chain of overflow pages. Numbers are in the byte order of the machine that wrote them.

use std::borrow::Cow;

use super::{Budget, Sink, be32, slice};

const MAGIC: u32 = 0x0006_1561;
/// Kinds of pages: hash pages of old and new versions, and overflow.
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH: u8 = 13;
/// Kinds of items on a hash page: bytes, and a link to overflow pages.
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;
/// Size of the head of a page.
const HEAD: usize = 26;

/// A file and how to read its numbers.
struct File<'b> {
    bytes: &'b [u8],
    big: bool,
    page_size: usize,
}

/// Whether a file is a hash database, in either byte order.
pub(super) fn is_hash(bytes: &[u8]) -> bool {
    be32(bytes, 12).is_some_and(|m| m == MAGIC || m == MAGIC.swap_bytes())
}

impl<'b> File<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, String> {
        let big = be32(bytes, 12) == Some(MAGIC);
        let mut file = File { bytes, big, page_size: 0 };
        file.page_size = file.word(bytes, 20) as usize;
        if !(512..=65536).contains(&file.page_size) || !file.page_size.is_power_of_two() {
            return Err(format!("the page size {} is none of Berkeley DB", file.page_size));
        }
        if bytes.get(24) != Some(&0) {
            return Err("the database is encrypted".to_owned());
        }
        Ok(file)
    }

    fn word(&self, at: &[u8], offset: usize) -> u32 {
        let n = be32(at, offset).unwrap_or(0);
        if self.big { n } else { n.swap_bytes() }
    }

    fn half(&self, at: &[u8], offset: usize) -> usize {
        let pair = slice(at, offset, 2).and_then(|p| <[u8; 2]>::try_from(p).ok()).unwrap_or_default();
        usize::from(if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    }

    fn page(&self, number: u32) -> Option<&'b [u8]> {
        slice(self.bytes, (number as usize).checked_mul(self.page_size)?, self.page_size)
    }

    /// A value that lies in overflow pages, `length` bytes in all.
    fn overflow(&self, first: u32, length: usize, budget: &mut Budget) -> Result<Vec<u8>, String> {
        budget.take(length)?;
        let mut out = Vec::with_capacity(length);
        let mut number = first;
        while out.len() < length {
            let page = self
                .page(number)
                .filter(|p| p.get(25) == Some(&OVERFLOW))
                .ok_or_else(|| format!("page {number} is not there or no overflow page"))?;
            let part = slice(page, HEAD, self.half(page, 22)).filter(|p| !p.is_empty());
            out.extend_from_slice(part.ok_or_else(|| format!("page {number} is damaged"))?);
            number = self.word(page, 16);
        }
        out.truncate(length);
        Ok(out)
    }
}

pub(super) fn records<'b>(bytes: &'b [u8], sink: Sink<'_, 'b>) -> Result<(), String> {
    let file = File::open(bytes)?;
    let last = file.word(bytes, 32);
    if file.page(last).is_none() {
        sink(Err(format!("the file ends before page {last}, its last")));
    }
    let mut budget = Budget(bytes.len());
    for page in bytes.chunks_exact(file.page_size).skip(1) {
        if !matches!(page.get(25), Some(&(HASH | HASH_UNSORTED))) {
            continue;
        }
        let entries = file.half(page, 20);
        // Items are filled in from the end of the page; keys and values take turns.
        let start = |n: usize| if n == 0 { file.page_size } else { file.half(page, HEAD + 2 * (n - 1)) };
        let item = |n: usize| page.get(start(n + 1)..start(n)).filter(|i| !i.is_empty());
        for n in 0..entries / 2 {
            let (Some([_, key @ ..]), Some(value)) = (item(2 * n), item(2 * n + 1)) else {
                sink(Err(format!("an item of the page at byte {} is damaged", page_place(bytes, page))));
                continue;
            };
            // Under the key 0 stands the number the next package gets.
            if key.iter().all(|b| *b == 0) {
                continue;
            }
            let record = match value {
                [KEY_DATA, data @ ..] => budget.take(data.len()).map(|()| Cow::Borrowed(data)),
                [OFF_PAGE, ..] => file
                    .overflow(file.word(value, 4), file.word(value, 8) as usize, &mut budget)
                    .map(Cow::Owned),
                _ => Err("a value is of a kind that RPM does not write".to_owned()),
            };
            sink(record);
        }
    }
    Ok(())
}

/// Where a page begins in its file.
fn page_place(bytes: &[u8], page: &[u8]) -> usize {
    (page.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize)
}

//! The one table of `rpmdb.sqlite` that matters, `Packages(hnum, blob)`, read from the pages of the file (SQLite
//! documentation, "Database File Format"). No SQL, no index, no journal: this is what a scan of files needs of it.
//! Numbers are big-endian.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Budget, Record, Sink, be32, slice};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
const TABLE: &[u8] = b"packages";
/// Size of the head of the file, which stands before the head of its first page.
const FILE_HEAD: usize = 100;
/// Kinds of pages: inner and leaf pages of a table.
const INNER: u8 = 5;
const LEAF: u8 = 13;

struct File<'b> {
    bytes: &'b [u8],
    page_size: usize,
    /// Bytes of a page that are used.
    usable: usize,
    budget: Budget,
    /// Pages that were read: none is read again, so links that lead back end.
    seen: HashSet<u32>,
}

pub(super) fn records<'b>(bytes: &'b [u8], sink: Sink<'_, 'b>) -> Result<(), String> {
    let mut file = File::open(bytes)?;
    let (mut root, mut fault) = (None, None);
    file.table(1, &mut |row| {
        // sqlite_schema: type, name, tbl_name, rootpage, sql
        let row = match row {
            Ok(row) => row,
            Err(why) => {
                fault.get_or_insert(why);
                return;
            }
        };
        let columns = columns(&row).unwrap_or_default();
        if let [kind, name, _, page, ..] = columns.as_slice()
            && *kind == b"table"
            && name.eq_ignore_ascii_case(TABLE)
        {
            root = page.iter().try_fold(0_u32, |n, b| Some(n.checked_mul(256)? + u32::from(*b)));
        }
    });
    let Some(root) = root else {
        return Err(
            fault.unwrap_or_else(|| "the database has no table Packages: it is none of RPM".to_owned())
        );
    };
    file.table(root, &mut |row| {
        sink(row.and_then(|row| {
            let fault = || "a row of the table Packages has no record".to_owned();
            // hnum is the row's own number and not stored in it
            let length = columns(&row).and_then(|c| c.get(1).map(|blob| blob.len())).ok_or_else(fault)?;
            match row {
                Cow::Borrowed(row) => tail(row, length).map(Cow::Borrowed).ok_or_else(fault),
                Cow::Owned(row) => tail(&row, length).map(|t| Cow::Owned(t.to_vec())).ok_or_else(fault),
            }
        }));
    });
    Ok(())
}

/// The last `length` bytes: the record is the last column.
fn tail(row: &[u8], length: usize) -> Option<&[u8]> {
    row.get(row.len().checked_sub(length)?..)
}

impl<'b> File<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, String> {
        let page_size = match slice(bytes, 16, 2) {
            Some([0, 1]) => 65536,
            Some([a, b]) => usize::from(*a) << 8 | usize::from(*b),
            _ => 0,
        };
        let usable = page_size.saturating_sub(usize::from(bytes.get(20).copied().unwrap_or(0)));
        if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
            return Err(format!("the page size {page_size} is none of SQLite"));
        }
        Ok(File { bytes, page_size, usable, budget: Budget(bytes.len()), seen: HashSet::new() })
    }

    fn page(&mut self, number: u32) -> Result<&'b [u8], String> {
        if !self.seen.insert(number) {
            return Err(format!("page {number} is used twice"));
        }
        let at = (number as usize).checked_sub(1).and_then(|n| n.checked_mul(self.page_size));
        at.and_then(|at| slice(self.bytes, at, self.usable))
            .ok_or_else(|| format!("page {number} is not in the file"))
    }

    /// Hands every row of the table whose tree begins at `root` to `take`, in order of the row numbers. A page
    /// that cannot be used is handed on as its fault.
    fn table(&mut self, root: u32, take: Sink<'_, 'b>) {
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            let page = match self.page(number) {
                Ok(page) => page,
                Err(why) => {
                    take(Err(why));
                    continue;
                }
            };
            let head = if number == 1 { FILE_HEAD } else { 0 };
            let half =
                |at: usize| slice(page, at, 2).map(|p| p.iter().fold(0, |n, b| n << 8 | usize::from(*b)));
            let kind = page.get(head).copied().unwrap_or(0);
            let cells = half(head + 3).unwrap_or(0);
            let list = head + if kind == INNER { 12 } else { 8 };
            let cell = |n: usize| half(list + 2 * n).and_then(|at| page.get(at..));
            match kind {
                INNER => {
                    // pushed from the right, so that the left is read first
                    open.extend(be32(page, head + 8));
                    open.extend((0..cells).rev().filter_map(cell).filter_map(|c| be32(c, 0)));
                }
                LEAF => {
                    for n in 0..cells {
                        let row = cell(n).ok_or_else(|| format!("page {number} is damaged"));
                        take(row.and_then(|c| self.row(c)));
                    }
                }
                _ => take(Err(format!("page {number} is no page of a table"))),
            }
        }
    }

    /// The bytes of a row, from its cell on a leaf page: size, row number, what fits on the page, and the number
    /// of the first overflow page where not all does.
    fn row(&mut self, cell: &'b [u8]) -> Record<'b> {
        let damaged = || "a row is damaged".to_owned();
        let (length, rest) = varint(cell).ok_or_else(damaged)?;
        let (_, rest) = varint(rest).ok_or_else(damaged)?;
        let length = usize::try_from(length).map_err(|_| damaged())?;
        self.budget.take(length)?;
        let most = self.usable - 35;
        if length <= most {
            return rest.get(..length).map(Cow::Borrowed).ok_or_else(damaged);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let wanted = least + (length - least) % (self.usable - 4);
        let here = if wanted <= most { wanted } else { least };
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(rest.get(..here).ok_or_else(damaged)?);
        let mut next = be32(rest, here).ok_or_else(damaged)?;
        while out.len() < length {
            let page = self.page(next)?;
            let part = (length - out.len()).min(page.len() - 4);
            out.extend_from_slice(slice(page, 4, part).ok_or_else(damaged)?);
            next = be32(page, 0).ok_or_else(damaged)?;
        }
        Ok(Cow::Owned(out))
    }
}

/// The columns of a row as bytes (section "Record Format"); `None` where it is damaged.
fn columns(row: &[u8]) -> Option<Vec<&[u8]>> {
    let (head, mut types) = varint(row)?;
    let head = usize::try_from(head).ok()?;
    let mut at = head;
    let mut left = head.checked_sub(row.len() - types.len())?;
    let mut out = Vec::new();
    while left > 0 {
        let (kind, rest) = varint(types)?;
        left = left.checked_sub(types.len() - rest.len())?;
        types = rest;
        let length = match kind {
            0 | 8 | 9 => 0,
            n @ 1..=4 => n,
            5 => 6,
            6 | 7 => 8,
            n => n.checked_sub(12)? / 2,
        };
        let length = usize::try_from(length).ok()?;
        out.push(slice(row, at, length)?);
        at += length;
    }
    Some(out)
}

/// A number of one to nine bytes, seven bits each but the last one's eight, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut n = 0_u64;
    for (i, b) in bytes.iter().take(9).enumerate() {
        if i == 8 {
            return Some((n << 8 | u64::from(*b), bytes.get(9..)?));
        }
        n = n << 7 | u64::from(b & 0x7f);
        if b & 0x80 == 0 {
            return Some((n, bytes.get(i + 1..)?));
        }
    }
    None
}

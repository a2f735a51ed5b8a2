//! The small binary language of index files: LEB128 numbers and length-prefixed bytes.

use super::IndexError;

/// Appends an unsigned LEB128 number.
pub(crate) fn put_number(out: &mut Vec<u8>, mut n: u64) {
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends length and bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a count and that many strings.
pub(crate) fn put_strings(out: &mut Vec<u8>, list: &[String]) {
    put_number(out, list.len() as u64);
    for s in list {
        put_bytes(out, s);
    }
}

/// Reads what the `put_*` functions wrote. Every read is checked: a damaged block ends in an error.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of the block in its file, for the error.
    at: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: u64) -> Self {
        Reader { rest: bytes, at }
    }

    fn damaged(&self) -> IndexError {
        IndexError::Damaged(self.at)
    }

    /// What is not read yet.
    pub(crate) fn left(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, IndexError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, IndexError> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            n |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(self.damaged())
    }

    /// A number of eight bytes.
    pub(crate) fn fixed(&mut self) -> Result<u64, IndexError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*head))
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], IndexError> {
        let n = self.number()? as usize;
        if n > self.rest.len() {
            return Err(self.damaged());
        }
        let (head, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    pub(crate) fn str(&mut self) -> Result<&'a str, IndexError> {
        let at = self.at;
        std::str::from_utf8(self.bytes()?).map_err(|_| IndexError::Damaged(at))
    }

    pub(crate) fn string(&mut self) -> Result<String, IndexError> {
        self.str().map(str::to_owned)
    }

    pub(crate) fn strings(&mut self) -> Result<Vec<String>, IndexError> {
        (0..self.number()?).map(|_| self.string()).collect()
    }
}

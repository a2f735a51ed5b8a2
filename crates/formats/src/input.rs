//! Getting at the bytes: wrappers (gzip, zstd, zip, tar), byte order marks, encodings, limits.

/// Bounds every reader keeps to. Passing one ends in a diagnostic that names it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest document after unpacking, bytes.
    pub document_bytes: u64,
    /// Largest total that one archive may unpack to, bytes.
    pub archive_bytes: u64,
    /// Largest ratio of unpacked to packed bytes, looked at beyond the first 64 MiB unpacked.
    pub expansion_ratio: u64,
    /// Most entries of one archive.
    pub entries: u64,
    /// Deepest wrapping (gzip inside zip …).
    pub wrappings: u32,
    /// Deepest nesting of elements inside a document.
    pub depth: u32,
    /// Longest single string, bytes.
    pub string_bytes: usize,
    /// Most items of one list inside a component (licences, properties, hashes).
    pub list_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            document_bytes: 1 << 30,
            archive_bytes: 64 << 30,
            expansion_ratio: 200,
            entries: 2_000_000,
            wrappings: 4,
            depth: 100,
            string_bytes: 1 << 20,
            list_items: 100_000,
        }
    }
}

/// How to read a document.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Refuse what breaks the specification instead of reading what is usable.
    pub strict: bool,
    /// Bounds.
    pub limits: Limits,
}

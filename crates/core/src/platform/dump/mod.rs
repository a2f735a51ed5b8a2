//! All data in one portable stream: to move from SQLite to PostgreSQL and back without loss.
//!
//! The stream is JSON lines, compressed with Zstandard (RFC 8878; read uncompressed too):
//!
//! 1. `{"tocsin-export":1,"made":…,"program":…,"schema":[…]}`: `schema` names the migrations of the database;
//! 2. for each table by name `{"table":…,"columns":[[name,type],…]}`, then a list for each row, ordered by primary
//!    key (texts by their bytes), then `{"rows":n}`;
//! 3. `{"end":{"tables":n,"rows":n,"sha256":…}}`, the hash being over every byte before this line.
//!
//! Types are `integer` (64 bits), `real` (binary64, as the shortest decimal that reads back the same; `"NaN"`,
//! `"Infinity"` and `"-Infinity"` as texts), `text` and `blob` (base64, RFC 4648 section 4). The same data gives the
//! same bytes whichever database it comes from. Memory holds a batch of rows at a time, and at least one row.

mod read;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use read::{Source, check, recognise};
pub(crate) use read::{load, newest, source};
pub use tables::Kind;
pub(crate) use tables::{quoted, tables};
pub(crate) use write::export;

/// Version of the stream's form.
pub const VERSION: u32 = 1;

/// Told of each table as it is read or written, with the rows so far.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64);

/// First line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "tocsin-export")]
    pub version: u32,
    pub made: String,
    pub program: String,
    pub schema: Vec<String>,
}

/// Last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    pub tables: u64,
    pub rows: u64,
    pub sha256: String,
}

/// Any other line that is not a row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Mark {
    Table { table: String, columns: Vec<(String, Kind)> },
    Rows { rows: u64 },
    End { end: End },
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// When it was made (RFC 3339, UTC).
    pub made: String,
    /// Version of the program that made it.
    pub program: String,
    /// Migrations of its schema, oldest first.
    #[serde(rename = "migrations")]
    pub schema: Vec<String>,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// All rows.
    pub rows: u64,
    /// SHA-256 of the lines before the last one, in hexadecimal.
    pub sha256: String,
    /// Texts that held U+0000, which PostgreSQL cannot: U+FFFD stands in their place there.
    pub replaced: u64,
}

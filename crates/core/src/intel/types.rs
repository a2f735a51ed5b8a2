//! Rows, reports and answers of the intelligence store.

use std::collections::BTreeMap;

use tocsin_formats::intel::RawKind;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::{Fact, Record};

/// The format with this stored number.
pub(crate) fn kind_of(n: i64) -> Option<RawKind> {
    RawKind::ALL.iter().copied().find(|k| i64::from(*k as u8) == n)
}

/// What an import did with the records of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records, facts or statements read.
    pub read: u64,
    /// Not known before.
    pub new: u64,
    /// Known, and now different; the old bytes went into the history.
    pub changed: u64,
    /// Known with the same content.
    pub unchanged: u64,
    /// Older (by `modified`) than what is stored; passed over.
    pub older: u64,
    /// Unusable; kept as problems.
    pub refused: u64,
}

/// The outcome of an import.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// Counts by source (`ghsa`, `osv`, `cve`, `nvd`, `csaf`, `epss`, `kev` …).
    pub sources: BTreeMap<String, Counts>,
    /// Files and archive entries of no known format.
    pub skipped: u64,
    /// The first of them, at most 100.
    pub skipped_places: Vec<String>,
    /// Problems met.
    pub problems: u64,
    /// The first of them, at most 100.
    pub diagnostics: Vec<Diagnostic>,
    /// Files read.
    pub files: u64,
    /// The caller broke off; what was written stays.
    pub interrupted: bool,
}

/// How far an import is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The file of the batch just written, or what is being done.
    pub what: String,
    /// Items read so far.
    pub read: u64,
}

/// Numbers of the store.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// By source: records and the newest `modified`.
    pub sources: Vec<(String, u64, Option<String>)>,
    /// Vulnerabilities (aliases merged).
    pub vulnerabilities: u64,
    /// EPSS rows, and the newest day.
    pub epss: (u64, Option<String>),
    /// Entries of the catalogue of known exploited vulnerabilities, and the newest day.
    pub kev: (u64, Option<String>),
    /// Public exploits.
    pub exploits: u64,
    /// Entries of the CWE and CAPEC catalogues.
    pub cwes: u64,
    /// VEX statements.
    pub vex: u64,
    /// Problems kept.
    pub problems: u64,
    /// Vulnerabilities changed since the index was built.
    pub dirty: u64,
    /// Size of the database, bytes.
    pub database_bytes: u64,
    /// Size of the index, bytes.
    pub index_bytes: u64,
}

/// One source's record in [`Shown`].
#[derive(Debug, Clone)]
pub struct ShownRecord {
    /// Source.
    pub source: String,
    /// Id at the source; of a CSAF document its tracking id.
    pub record_id: String,
    /// First and last time an import brought it.
    pub first_seen: String,
    /// See `first_seen`; moves when the content changes.
    pub last_seen: String,
    /// What it says.
    pub record: Record,
    /// Earlier contents: (replaced at, `modified` of the replaced content), oldest first.
    pub history: Vec<(String, Option<String>)>,
}

/// Everything known of one vulnerability.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Main id.
    pub id: String,
    /// Other ids.
    pub aliases: Vec<String>,
    /// What each source says.
    pub records: Vec<ShownRecord>,
    /// KEV, current EPSS and exploits.
    pub facts: Vec<Fact>,
    /// EPSS changes: (day, score, percentile), oldest first.
    pub epss_history: Vec<(String, f64, f64)>,
}

/// A hit of the text search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Main id.
    pub id: String,
    /// One line.
    pub title: String,
    /// All ids, packages.
    pub ids: String,
    /// Package names.
    pub packages: String,
}

/// A part of an input that was refused or is doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Number, for showing one.
    pub id: i64,
    /// When met.
    pub seen: String,
    /// Where it stood.
    pub place: String,
    /// Diagnostic code.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

//! Rows, reports and answers of the intelligence store.

use std::collections::BTreeMap;

use tocsin_formats::intel::RawKind;
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::{Fact, Record};
use tocsin_model::vex::VexStatement;

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
    /// What parsers remarked on the new and changed records, which are kept all the same.
    pub remarks: u64,
    /// Files read.
    pub files: u64,
    /// Why files were not read to their end; what came before was taken in. At most 100.
    pub broken: Vec<Diagnostic>,
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

/// One run of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRow {
    /// Number.
    pub id: i64,
    /// Files and folders given.
    pub paths: Vec<String>,
    /// When it began.
    pub started: String,
    /// When it ended; missing where it goes on or was killed.
    pub ended: Option<String>,
    /// `running`, `complete`, `interrupted` or `failed`.
    pub outcome: String,
    /// Files read.
    pub files: u64,
    /// Files and archive entries of no known format.
    pub skipped: u64,
    /// Problems met.
    pub problems: u64,
    /// Counts by source.
    pub sources: BTreeMap<String, Counts>,
}

/// What the store holds of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// Source (`ghsa`, `nvd` …).
    pub source: String,
    /// Records.
    pub records: u64,
    /// Newest `modified` of them.
    pub newest: Option<String>,
    /// When the last import that read this source began.
    pub imported: Option<String>,
    /// Problems kept of it.
    pub problems: u64,
}

/// The state of the matching index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexStatus {
    /// It can be opened.
    pub usable: bool,
    /// Size of its files, bytes.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Vulnerabilities in it.
    pub vulnerabilities: u64,
    /// Statements of VEX documents in it.
    pub vex: u64,
    /// When it was written, seconds since 1970.
    pub written: Option<u64>,
    /// Vulnerabilities changed since.
    pub behind: u64,
}

/// Which problems are wanted.
#[derive(Debug, Clone, Default)]
pub struct ProblemFilter {
    /// Of this source only.
    pub source: Option<String>,
    /// Of this code only.
    pub code: Option<String>,
    /// Before this number: the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Numbers of the store.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// By source.
    pub sources: Vec<SourceStatus>,
    /// The index.
    pub index: IndexStatus,
    /// The last imports, newest first, at most five.
    pub imports: Vec<RunRow>,
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
    /// Remarks on records that are kept.
    pub remarks: u64,
    /// Size of the database, bytes.
    pub database_bytes: u64,
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
    /// Links that are no identity: (how, id, main id of the flaw it belongs to where it is known).
    pub see_also: Vec<(&'static str, String, Option<String>)>,
    /// VEX statements about it.
    pub vex: Vec<VexStatement>,
    /// Problems told of its records.
    pub problems: Vec<Problem>,
    /// EPSS by steps, and now: (day, score, percentile), oldest first. A step is a hundredth, or a doubling or halving.
    pub epss_history: Vec<(String, f64, f64)>,
}

/// A page of the text search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// The hits.
    pub hits: Vec<Hit>,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<i64>,
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
    /// When first met.
    pub seen: String,
    /// Source where it is known, else empty.
    pub source: String,
    /// Where it stood.
    pub place: String,
    /// Diagnostic code.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

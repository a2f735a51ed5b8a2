//! The matching index: rules by package or CPE key, and the vulnerabilities they tell of.
//!
//! Bytes come from outside (mapped by `core`); every block carries a checksum that is looked at when the block
//! is read, so opening costs nothing and a damaged block is an error, never a wrong verdict.

use tocsin_model::record::{Fact, Record};

/// One vulnerability with all its records, aliases merged.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Main id: the CVE id where there is one.
    pub id: String,
    /// All other ids of the flaw.
    pub aliases: Vec<String>,
    /// What each source says.
    pub records: Vec<Record>,
}

/// The index is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Not an index, or of another version of Tocsin.
    #[error("not an index of this version; build it again with `tocsin db index`")]
    Foreign,
    /// A checksum does not hold or a length runs over the end.
    #[error("the index is damaged at byte {0}; build it again with `tocsin db index`")]
    Damaged(u64),
}

/// A group made ready for the index; can be made on many threads.
pub struct Encoded(());

/// Encodes one group.
pub fn encode(group: &Group) -> Encoded {
    let _ = group;
    Encoded(())
}

/// Collects encoded groups into one segment.
#[derive(Default)]
pub struct SegmentBuilder(());

impl SegmentBuilder {
    /// Adds a group.
    pub fn push(&mut self, group: Encoded) {
        let _ = group;
    }
    /// Group ids of older segments that this segment replaces or removes (a group that is pushed here is
    /// replaced without being named).
    pub fn replace(&mut self, id: &str) {
        let _ = id;
    }
    /// The segment's bytes.
    pub fn finish(self) -> Vec<u8> {
        Vec::new()
    }
}

/// Collects exploitation facts (KEV, EPSS, exploits) into the facts file.
#[derive(Default)]
pub struct FactsBuilder(());

impl FactsBuilder {
    /// Adds a fact; a later EPSS or KEV fact for the same CVE replaces the earlier.
    pub fn push(&mut self, fact: &Fact) {
        let _ = fact;
    }
    /// The file's bytes.
    pub fn finish(self) -> Vec<u8> {
        Vec::new()
    }
}

/// Bytes of an index file that can be shared between threads (a memory map, a vector).
pub type Bytes = std::sync::Arc<dyn AsRef<[u8]> + Send + Sync>;

/// An opened index: segments, oldest first, and facts.
pub struct Index(());

impl Index {
    /// Opens an index; reads headers only.
    ///
    /// # Errors
    /// A header is foreign or damaged.
    pub fn open(segments: Vec<Bytes>, facts: Option<Bytes>) -> Result<Index, IndexError> {
        let _ = (segments, facts);
        Ok(Index(()))
    }
    /// Looks at every checksum.
    ///
    /// # Errors
    /// The first damaged block.
    pub fn verify(&self) -> Result<(), IndexError> {
        Ok(())
    }
    /// Details of a vulnerability by its main id or an alias.
    ///
    /// # Errors
    /// The block is damaged.
    pub fn find(&self, id: &str) -> Result<Option<Vulnerability>, IndexError> {
        let _ = id;
        Ok(None)
    }
}

/// What the index tells of a vulnerability.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vulnerability {
    /// Main id.
    pub id: String,
    /// Other ids.
    pub aliases: Vec<String>,
    /// One line.
    pub title: String,
    /// `critical`, `high`, `medium`, `low`, `none` or `unknown`; the highest-trust score decides.
    pub severity: &'static str,
    /// Score behind `severity`, 0.0 to 10.0.
    pub score: Option<f32>,
    /// Scores: (version, vector, score, who).
    pub cvss: Vec<(String, String, f32, String)>,
    /// CWE ids.
    pub cwes: Vec<String>,
    /// Known exploited (CISA): date added, due date, ransomware.
    pub kev: Option<(String, Option<String>, bool)>,
    /// EPSS: score and percentile.
    pub epss: Option<(f32, f32)>,
    /// Public exploits: (origin, id).
    pub exploits: Vec<(String, String)>,
    /// `published`, `disputed`, `withdrawn`, `rejected`.
    pub state: &'static str,
    /// `vulnerability`, `malware`, `informational`.
    pub kind: &'static str,
}

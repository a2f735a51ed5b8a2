//! The matching index: rules by package or CPE key, and the vulnerabilities they tell of.
//!
//! Bytes come from outside (mapped by `core`); every block carries a checksum that is looked at when the block
//! is read, so opening costs nothing and a damaged block is an error, never a wrong verdict.

mod changed;
pub(crate) mod codec;
mod container;
mod facts;
pub(crate) mod key;
pub(crate) mod rule;
mod segment;

use std::sync::Arc;

use tocsin_model::record::Record;

pub(crate) use container::hash;

pub use changed::Changed;
pub use facts::{Exploitation, FactsBuilder, Kev};
pub use segment::{Encoded, SegmentBuilder, encode};

use facts::Facts;
use segment::Segment;

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

/// Bytes of an index file that can be shared between threads (a memory map, a vector).
pub type Bytes = std::sync::Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A vulnerability in an opened index: segment and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ref(pub u32, pub u32);

/// An opened index: segments, oldest first, and facts.
pub struct Index {
    segments: Vec<Segment>,
    /// For each segment a bit per vulnerability that a newer segment replaces.
    dead: Vec<Vec<u64>>,
    facts: Option<Arc<Facts>>,
}

impl Index {
    /// Opens an index; reads headers and, where there are several segments, which ids the newer ones replace.
    ///
    /// # Errors
    /// A header is foreign or damaged.
    pub fn open(segments: Vec<Bytes>, facts: Option<Bytes>) -> Result<Index, IndexError> {
        let segments = segments.into_iter().map(Segment::open).collect::<Result<Vec<_>, _>>()?;
        let mut dead: Vec<Vec<u64>> =
            segments.iter().map(|s| vec![0; s.groups.div_ceil(64) as usize]).collect();
        for newer in 1..segments.len() {
            for id in segments[newer].replaces()? {
                for (older, bits) in segments[..newer].iter().zip(&mut dead) {
                    for n in older.by_id(&id)? {
                        if older.links(n)?.0 == id {
                            bits[n as usize / 64] |= 1 << (n % 64);
                        }
                    }
                }
            }
        }
        let facts = facts.map(Facts::open).transpose()?.map(Arc::new);
        Ok(Index { segments, dead, facts })
    }

    /// Opens an index of other vulnerabilities that knows of exploitation what this one knows.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn beside(&self, segments: Vec<Bytes>) -> Result<Index, IndexError> {
        Ok(Index { facts: self.facts.clone(), ..Index::open(segments, None)? })
    }

    /// Looks at every checksum.
    ///
    /// # Errors
    /// The first damaged block.
    pub fn verify(&self) -> Result<(), IndexError> {
        self.segments.iter().try_for_each(Segment::verify)?;
        self.facts.as_ref().map_or(Ok(()), |f| f.verify())
    }

    /// Number of vulnerabilities.
    pub fn len(&self) -> usize {
        let dead: u32 = self.dead.iter().flatten().map(|w| w.count_ones()).sum();
        self.segments.iter().map(|s| s.groups as usize).sum::<usize>() - dead as usize
    }

    /// Whether it holds no vulnerability.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_dead(&self, r: Ref) -> bool {
        self.dead[r.0 as usize].get(r.1 as usize / 64).is_some_and(|w| w & (1 << (r.1 % 64)) != 0)
    }

    /// The rules under a key, of every segment.
    pub(crate) fn rules<'s>(
        &'s self,
        key: &[u8],
        f: &mut dyn FnMut(Ref, codec::Reader<'s>) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for (s, segment) in self.segments.iter().enumerate() {
            segment.rules(key, &mut |n, rule| {
                let r = Ref(s as u32, n);
                if self.is_dead(r) { Ok(()) } else { f(r, rule) }
            })?;
        }
        Ok(())
    }

    /// The vulnerability with this id or alias.
    pub(crate) fn by_id(&self, id: &str) -> Result<Option<Ref>, IndexError> {
        for (s, segment) in self.segments.iter().enumerate().rev() {
            for n in segment.by_id(id)? {
                if !self.is_dead(Ref(s as u32, n)) {
                    return Ok(Some(Ref(s as u32, n)));
                }
            }
        }
        Ok(None)
    }

    /// Vulnerabilities whose records name one of `ids` as the flaw they are about.
    pub(crate) fn linking(&self, ids: &[String]) -> Result<Vec<Ref>, IndexError> {
        let mut found = Vec::new();
        for id in ids {
            self.rules(&key::upstream(id), &mut |r, _| {
                found.push(r);
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Main id and upstream ids.
    pub(crate) fn links(&self, r: Ref) -> Result<(String, Vec<String>), IndexError> {
        self.segments[r.0 as usize].links(r.1)
    }

    /// The whole block.
    pub(crate) fn block(&self, r: Ref) -> Result<segment::Block, IndexError> {
        self.segments[r.0 as usize].vulnerability(r.1)
    }

    /// Details of a vulnerability by its main id or an alias.
    ///
    /// # Errors
    /// The block is damaged.
    pub fn find(&self, id: &str) -> Result<Option<Vulnerability>, IndexError> {
        match self.by_id(id)? {
            Some(r) => self.describe(self.block(r)?).map(Some),
            None => Ok(None),
        }
    }

    /// Calls `f` with every vulnerability's details until it says stop.
    ///
    /// # Errors
    /// A block is damaged.
    pub fn each(&self, f: &mut dyn FnMut(Vulnerability) -> bool) -> Result<(), IndexError> {
        for (s, segment) in self.segments.iter().enumerate() {
            for n in 0..segment.groups as u32 {
                let r = Ref(s as u32, n);
                if !self.is_dead(r) && !f(self.describe(self.block(r)?)?) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A block with its exploitation facts.
    pub(crate) fn describe(&self, b: segment::Block) -> Result<Vulnerability, IndexError> {
        let mut v = Vulnerability {
            title: b.title,
            severity: ["unknown", "none", "low", "medium", "high", "critical"]
                .get(b.severity as usize)
                .unwrap_or(&"unknown"),
            score: b.score,
            cvss: b.cvss,
            cwes: b.cwes,
            state: ["published", "disputed", "withdrawn", "rejected"]
                .get(b.state as usize)
                .unwrap_or(&"published"),
            kind: ["vulnerability", "malware", "informational"]
                .get(b.kind as usize)
                .unwrap_or(&"vulnerability"),
            ..Vulnerability::default()
        };
        if let Some(facts) = &self.facts {
            for id in std::iter::once(&b.id).chain(&b.aliases) {
                if let Some(e) = facts.get(id)? {
                    v.kev = v.kev.or(e.kev);
                    v.epss = v.epss.or(e.epss);
                    v.exploits.extend(e.exploits);
                }
            }
            v.exploits.sort();
            v.exploits.dedup();
        }
        v.id = b.id;
        v.aliases = b.aliases;
        Ok(v)
    }
}

/// A length-prefixed block at `offset` of section `n`.
pub(crate) fn block(file: &container::File, n: usize, offset: u64) -> Result<codec::Reader<'_>, IndexError> {
    let len = file.read(n, offset, 4)?;
    let len = u32::from_le_bytes(len.try_into().map_err(|_| IndexError::Foreign)?);
    Ok(codec::Reader::new(file.read(n, offset.saturating_add(4), len.into())?, offset))
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
    pub kev: Option<Kev>,
    /// EPSS: score and percentile.
    pub epss: Option<(f32, f32)>,
    /// Public exploits: (origin, id).
    pub exploits: Vec<(String, String)>,
    /// `published`, `disputed`, `withdrawn`, `rejected`.
    pub state: &'static str,
    /// `vulnerability`, `malware`, `informational`.
    pub kind: &'static str,
}

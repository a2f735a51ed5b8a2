//! The facts file: known exploited (KEV), EPSS and public exploits by vulnerability id. It changes daily and is
//! small, so it stands apart from the segments and is always built whole.

use std::collections::BTreeMap;

use tocsin_model::record::Fact;

use super::codec::{put_bytes, put_number};
use super::{Bytes, IndexError, container};

const KIND: u32 = 2;

/// A KEV entry: day added, day due, used by ransomware.
pub type Kev = (String, Option<String>, bool);

/// What is known of the exploitation of one vulnerability id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exploitation {
    /// Known exploited (CISA KEV).
    pub kev: Option<Kev>,
    /// EPSS score and percentile, 0 to 1.
    pub epss: Option<(f32, f32)>,
    /// Public exploits: (origin, id).
    pub exploits: Vec<(String, String)>,
}

/// Collects exploitation facts (KEV, EPSS, exploits) into the facts file.
#[derive(Default)]
pub struct FactsBuilder(BTreeMap<String, Exploitation>);

impl FactsBuilder {
    /// Adds a fact; a later EPSS or KEV fact for the same CVE replaces the earlier.
    pub fn push(&mut self, fact: &Fact) {
        match fact {
            Fact::Kev { cve, date_added, due_date, ransomware, .. } => {
                self.of(cve).kev = Some((date_added.clone(), due_date.clone(), *ransomware));
            }
            Fact::Epss { cve, score, percentile, .. } => self.of(cve).epss = Some((*score, *percentile)),
            Fact::Exploit { vulnerabilities, origin, id, .. } => {
                for v in vulnerabilities {
                    let list = &mut self.of(v).exploits;
                    let one = ((*origin).to_owned(), id.clone());
                    if !list.contains(&one) {
                        list.push(one);
                    }
                }
            }
            Fact::Catalogue(_) => {}
        }
    }

    fn of(&mut self, id: &str) -> &mut Exploitation {
        self.0.entry(id.to_ascii_uppercase()).or_default()
    }

    /// The file's bytes.
    pub fn finish(self) -> Vec<u8> {
        let mut slots = Vec::with_capacity(self.0.len());
        let mut blobs = Vec::new();
        for (id, e) in self.0 {
            slots.push((container::hash(id.as_bytes()), blobs.len() as u64));
            let mut b = Vec::new();
            put_bytes(&mut b, &id);
            b.push(u8::from(e.kev.is_some()) | u8::from(e.epss.is_some()) << 1);
            if let Some((added, due, ransomware)) = &e.kev {
                put_bytes(&mut b, added);
                put_bytes(&mut b, due.as_deref().unwrap_or(""));
                b.push(u8::from(*ransomware));
            }
            if let Some((score, percentile)) = e.epss {
                put_number(&mut b, score.to_bits().into());
                put_number(&mut b, percentile.to_bits().into());
            }
            put_number(&mut b, e.exploits.len() as u64);
            for (origin, id) in &e.exploits {
                put_bytes(&mut b, origin);
                put_bytes(&mut b, id);
            }
            blobs.extend_from_slice(&(b.len() as u32).to_le_bytes());
            blobs.extend_from_slice(&b);
        }
        container::write(KIND, [container::write_table(&slots), blobs, Vec::new(), Vec::new()])
    }
}

/// An opened facts file.
pub(crate) struct Facts(container::File);

impl Facts {
    pub(crate) fn open(bytes: Bytes) -> Result<Facts, IndexError> {
        container::File::open(KIND, bytes).map(Facts)
    }

    pub(crate) fn verify(&self) -> Result<(), IndexError> {
        self.0.verify()
    }

    /// Every id, in order, with its facts as bytes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<(&str, &[u8]), IndexError>> {
        let (start, end) = self.0.section(1);
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= end - start {
                return None;
            }
            let entry = super::block(&self.0, 1, at).and_then(|mut r| {
                at += 4 + r.left().len() as u64;
                Ok((r.str()?, r.left()))
            });
            if entry.is_err() {
                at = end;
            }
            Some(entry)
        })
    }

    /// Facts of one id.
    pub(crate) fn get(&self, id: &str) -> Result<Option<Exploitation>, IndexError> {
        let upper = id.to_ascii_uppercase();
        for offset in container::probe(&self.0, 0, container::hash(upper.as_bytes()))? {
            let mut r = super::block(&self.0, 1, offset?)?;
            if r.str()? != upper {
                continue;
            }
            let flags = r.byte()?;
            let mut e = Exploitation::default();
            if flags & 1 != 0 {
                let (added, due, ransomware) = (r.string()?, r.string()?, r.byte()? != 0);
                e.kev = Some((added, Some(due).filter(|d| !d.is_empty()), ransomware));
            }
            if flags & 2 != 0 {
                let mut float = || Ok::<_, IndexError>(f32::from_bits(r.number()? as u32));
                e.epss = Some((float()?, float()?));
            }
            e.exploits = (0..r.number()?)
                .map(|_| Ok((r.string()?, r.string()?)))
                .collect::<Result<_, IndexError>>()?;
            return Ok(Some(e));
        }
        Ok(None)
    }
}

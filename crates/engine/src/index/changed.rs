//! What became different between two indexes: the keys under which components must be looked at again, and the
//! vulnerabilities whose verdicts can differ.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::{Index, IndexError, Ref};

/// See [`Index::changed_since`]. Whatever stands under none of these keys, and any verdict on a vulnerability that is
/// not named here, is the same in both indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Hashes of keys ([`crate::matching::keys`]) under which rules came, went or changed, or whose rules speak on a
    /// vulnerability that changed.
    pub keys: BTreeSet<u64>,
    /// Main ids of the vulnerabilities that findings can be about, before or now.
    pub vulnerabilities: BTreeSet<String>,
    /// Main ids, as of now, of the vulnerabilities of whose exploitation (KEV, EPSS, exploits) something else is known.
    pub exploitation: BTreeSet<String>,
}

impl Index {
    /// What is different here from what it was in `old`. The first `shared` segments of both are the same bytes;
    /// 0 compares all vulnerabilities.
    ///
    /// # Errors
    /// One of them is damaged.
    pub fn changed_since(&self, old: &Index, shared: usize) -> Result<Changed, IndexError> {
        let mut before = old.apart(self, shared)?;
        let mut changed = Changed::default();
        let both = [old, self];
        for (id, (print, r)) in self.apart(old, shared)? {
            let was = before.remove(&id);
            if was.is_some_and(|(was, _)| was == print) {
                continue;
            }
            changed.tell_of(self, r, both)?;
            if let Some((_, r)) = was {
                changed.tell_of(old, r, both)?;
            }
        }
        for (_, (_, r)) in before {
            changed.tell_of(old, r, both)?;
        }
        for id in exploited(old.facts.as_deref(), self.facts.as_deref())? {
            if let Some(r) = self.by_id(&id)? {
                changed.exploitation.insert(self.links(r)?.0);
            }
        }
        Ok(changed)
    }

    /// Adds to `changed` what has to do with the vulnerability of this id, for a statement about it.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn tell_of(&self, id: &str, changed: &mut Changed) -> Result<(), IndexError> {
        match self.by_id(id)? {
            Some(r) => changed.tell_of(self, r, [self, self]),
            None => Ok(()),
        }
    }

    /// Vulnerabilities that may not be the same in the other index, by main id, with fingerprint.
    fn apart(&self, other: &Index, shared: usize) -> Result<BTreeMap<String, (u64, Ref)>, IndexError> {
        let mut found = BTreeMap::new();
        for (s, segment) in self.segments.iter().enumerate() {
            for n in 0..segment.groups as u32 {
                let r = Ref(s as u32, n);
                if self.is_dead(r) || (s < shared && !other.is_dead(r)) {
                    continue;
                }
                let (print, mut block) = segment.printed(n)?;
                found.insert(block.string()?, (print, r));
            }
        }
        Ok(found)
    }
}

impl Changed {
    /// The keys of a vulnerability that changed, of those that speak on it, and whatever their word can fall on.
    fn tell_of(&mut self, index: &Index, r: Ref, both: [&Index; 2]) -> Result<(), IndexError> {
        let block = index.block(r)?;
        self.keys.extend(block.keys);
        for id in index.links(r)?.1 {
            for other in both {
                if let Some(target) = other.by_id(&id)? {
                    self.vulnerabilities.insert(other.links(target)?.0);
                }
            }
        }
        let mut ids = block.aliases;
        ids.push(block.id);
        for other in both {
            for linking in other.linking(&ids)? {
                let block = other.block(linking)?;
                self.keys.extend(block.keys);
                self.vulnerabilities.insert(block.id);
            }
        }
        self.vulnerabilities.extend(ids.pop());
        Ok(())
    }
}

/// Ids of whose exploitation the two files say something else.
fn exploited(old: Option<&Facts>, new: Option<&Facts>) -> Result<Vec<String>, IndexError> {
    let mut old = old.into_iter().flat_map(Facts::entries).peekable();
    let mut new = new.into_iter().flat_map(Facts::entries).peekable();
    let mut found = Vec::new();
    loop {
        // both are in the order of ids
        let order = match (old.peek(), new.peek()) {
            (Some(Ok(a)), Some(Ok(b))) => a.0.cmp(b.0),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return Ok(found),
            (Some(Err(_)), _) => std::cmp::Ordering::Less,
            (_, Some(Err(_))) => std::cmp::Ordering::Greater,
        };
        let was = if order.is_le() { old.next().transpose()? } else { None };
        let is = if order.is_ge() { new.next().transpose()? } else { None };
        if was != is {
            found.extend(was.or(is).map(|(id, _)| id.to_owned()));
        }
    }
}

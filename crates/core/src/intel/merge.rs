//! Which ids mean the same flaw: union over record ids and `aliases`, never joining two CVE ids. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// One part of a record with its ids, own id first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    /// Number of the stored record.
    pub record: i64,
    /// n-th record of the parsed document.
    pub part: i64,
    /// Own id, then aliases.
    pub ids: Vec<String>,
    /// Source and id of the record.
    pub name: String,
}

/// A flaw: its ids and parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// CVE id where there is one, else the first in order.
    pub main: String,
    /// All ids, `main` among them.
    pub ids: BTreeSet<String>,
    /// The parts, as indices into the input.
    pub parts: Vec<usize>,
}

fn is_cve(id: &str) -> bool {
    id.starts_with("CVE-")
}

/// What became of a set of parts.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The flaws.
    pub groups: Vec<Merged>,
    /// Parts (as indices) that would have joined two CVE ids, and so stand with their own id alone.
    pub refused: Vec<usize>,
    /// Ids that a part names and that are not of its flaw: (index, id).
    pub apart: Vec<(usize, String)>,
}

/// Whether a part names several CVE ids: it is about several flaws and never joined with any of them by aliases.
pub(crate) fn is_collective(ids: &[String]) -> bool {
    let mut cves = ids.iter().filter(|id| is_cve(id));
    cves.next().is_some_and(|first| cves.any(|other| other != first))
}

/// Groups `parts`. The outcome depends on the set of parts alone, not on their order: they are taken sorted by
/// their ids.
pub(crate) fn merge(parts: &[Part]) -> Outcome {
    let mut order: Vec<(usize, &Part)> = parts.iter().enumerate().collect();
    order.sort_by(|a, b| a.1.ids.cmp(&b.1.ids));
    // Nobody may draw a collective record into one of its flaws by naming its id.
    let collective: HashSet<&str> = order
        .iter()
        .filter(|(_, p)| is_collective(&p.ids))
        .filter_map(|(_, p)| p.ids.first().map(String::as_str))
        .filter(|id| !is_cve(id))
        .collect();
    let mut out = Outcome::default();
    let mut forest = Forest::default();
    let mut own: Vec<(usize, usize)> = Vec::new();
    for (index, part) in order {
        let Some((first, rest)) = part.ids.split_first() else { continue };
        let alone = is_collective(&part.ids) || collective.contains(first.as_str());
        let (rest, mut apart): (Vec<&str>, Vec<&str>) =
            rest.iter().map(String::as_str).partition(|id| !alone && !collective.contains(id));
        let joined = !alone && forest.join(first, &rest);
        if !joined && part.ids.len() > 1 {
            out.refused.push(index);
            apart.extend(rest);
        }
        own.push((index, forest.node(first)));
        out.apart.extend(apart.into_iter().filter(|id| *id != first).map(|id| (index, id.to_owned())));
    }
    let mut groups: BTreeMap<usize, Merged> = BTreeMap::new();
    for (index, node) in own {
        groups.entry(forest.root(node)).or_default().parts.push(index);
    }
    for n in 0..forest.names.len() {
        if let (Some(group), Some(name)) = (groups.get_mut(&forest.root(n)), forest.names.get(n)) {
            group.ids.insert((*name).to_owned());
        }
    }
    out.groups = groups.into_values().collect();
    for group in &mut out.groups {
        let main = group.ids.iter().find(|id| is_cve(id)).or_else(|| group.ids.first());
        group.main = main.cloned().unwrap_or_default();
        group.parts.sort_unstable();
    }
    out
}

/// Ids joined into trees, each with the CVE id in it.
#[derive(Default)]
struct Forest<'a> {
    number: HashMap<&'a str, usize>,
    names: Vec<&'a str>,
    parent: Vec<usize>,
    cve: Vec<Option<&'a str>>,
}

impl<'a> Forest<'a> {
    fn node(&mut self, id: &'a str) -> usize {
        *self.number.entry(id).or_insert_with(|| {
            self.names.push(id);
            self.parent.push(self.parent.len());
            self.cve.push(is_cve(id).then_some(id));
            self.parent.len() - 1
        })
    }

    fn root(&mut self, mut n: usize) -> usize {
        while let Some(&p) = self.parent.get(n).filter(|p| **p != n) {
            let up = self.parent.get(p).copied().unwrap_or(p);
            if let Some(slot) = self.parent.get_mut(n) {
                *slot = up;
            }
            n = up;
        }
        n
    }

    /// Joins all of them, or nothing where two CVE ids would meet.
    fn join(&mut self, first: &'a str, rest: &[&'a str]) -> bool {
        let ids = || std::iter::once(first).chain(rest.iter().copied());
        let mut cves: BTreeSet<&str> = BTreeSet::new();
        for id in ids() {
            match self.number.get(id).copied() {
                Some(n) => {
                    let root = self.root(n);
                    cves.extend(self.cve.get(root).copied().flatten());
                }
                None => cves.extend(is_cve(id).then_some(id)),
            }
        }
        if cves.len() > 1 {
            return false;
        }
        let first = self.node(first);
        let first = self.root(first);
        for id in rest {
            let n = self.node(id);
            let root = self.root(n);
            if let Some(slot) = self.parent.get_mut(root) {
                *slot = first;
            }
        }
        if let Some(slot) = self.cve.get_mut(first) {
            *slot = cves.into_iter().next().or(*slot);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(record: i64, ids: &[&str]) -> Part {
        Part { record, part: 0, name: String::new(), ids: ids.iter().map(|s| (*s).to_owned()).collect() }
    }

    #[test]
    fn merges_transitively_and_never_two_cves() {
        type Case<'a> = (&'a [&'a [&'a str]], &'a [&'a [&'a str]], usize);
        let cases: &[Case<'_>] = &[
            (
                &[&["GHSA-a", "CVE-2020-1"], &["PYSEC-1", "GHSA-a"]],
                &[&["CVE-2020-1", "GHSA-a", "PYSEC-1"]],
                0,
            ),
            (&[&["CVE-2020-1"], &["CVE-2020-2"]], &[&["CVE-2020-1"], &["CVE-2020-2"]], 0),
            (
                &[&["CVE-2020-1"], &["CVE-2020-2"], &["GO-1", "CVE-2020-1", "CVE-2020-2"]],
                &[&["CVE-2020-1"], &["CVE-2020-2"], &["GO-1"]],
                1,
            ),
            // Another record's alias does not draw a collective record into one of its flaws.
            (
                &[&["GHSA-a", "CVE-2020-1", "RUSTSEC-1"], &["RUSTSEC-1", "CVE-2020-1", "CVE-2020-2"]],
                &[&["CVE-2020-1", "GHSA-a"], &["RUSTSEC-1"]],
                1,
            ),
            // The second link of a chain is the one that would join them.
            (
                &[&["GHSA-a", "CVE-2020-1"], &["OSV-1", "GHSA-a", "CVE-2020-2"]],
                &[&["CVE-2020-1", "GHSA-a"], &["OSV-1"]],
                1,
            ),
        ];
        for (input, want, refused) in cases {
            let parts: Vec<Part> = input.iter().enumerate().map(|(n, ids)| part(n as i64, ids)).collect();
            let out = merge(&parts);
            let mut got: Vec<Vec<&str>> =
                out.groups.iter().map(|g| g.ids.iter().map(String::as_str).collect()).collect();
            got.sort();
            assert_eq!(&got, want, "{input:?}");
            assert_eq!(out.refused.len(), *refused, "{input:?}");
        }
    }
}

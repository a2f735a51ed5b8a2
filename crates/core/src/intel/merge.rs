//! Which ids mean the same flaw: union over record ids and `aliases`, never joining two CVE ids. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One part of a record with its ids, own id first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    /// Number of the stored record.
    pub record: i64,
    /// n-th record of the parsed document.
    pub part: i64,
    /// Own id, then aliases.
    pub ids: Vec<String>,
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

fn root(parent: &mut [usize], mut n: usize) -> usize {
    while let Some(&p) = parent.get(n) {
        if p == n {
            break;
        }
        let up = parent.get(p).copied().unwrap_or(p);
        if let Some(slot) = parent.get_mut(n) {
            *slot = up;
        }
        n = up;
    }
    n
}

/// Groups `parts`, which are taken in the order given; the second result names the parts (as indices) whose aliases would
/// have joined two CVE ids and that therefore stand with their own id alone.
pub(crate) fn merge(parts: &[Part]) -> (Vec<Merged>, Vec<usize>) {
    let mut number: HashMap<&str, usize> = HashMap::new();
    let mut names: Vec<&str> = Vec::new();
    let mut parent: Vec<usize> = Vec::new();
    let mut cve: Vec<Option<&str>> = Vec::new();
    let mut refused = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let nodes: Vec<usize> = part
            .ids
            .iter()
            .map(|id| {
                *number.entry(id).or_insert_with(|| {
                    names.push(id);
                    parent.push(parent.len());
                    cve.push(is_cve(id).then_some(id.as_str()));
                    parent.len() - 1
                })
            })
            .collect();
        let roots: BTreeSet<usize> = nodes.iter().map(|n| root(&mut parent, *n)).collect();
        let cves: BTreeSet<&str> = roots.iter().filter_map(|r| cve.get(*r).copied().flatten()).collect();
        if cves.len() > 1 {
            refused.push(index);
            continue;
        }
        let Some(&first) = roots.iter().next() else { continue };
        for r in &roots {
            if let Some(slot) = parent.get_mut(*r) {
                *slot = first;
            }
        }
        if let Some(slot) = cve.get_mut(first) {
            *slot = cves.into_iter().next();
        }
    }
    let mut groups: BTreeMap<usize, Merged> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let Some(own) = part.ids.first().and_then(|id| number.get(id.as_str())).copied() else { continue };
        let group = groups.entry(root(&mut parent, own)).or_default();
        group.parts.push(index);
    }
    // Ids that only a refused part named belong to nobody.
    for (n, name) in names.iter().enumerate() {
        if let Some(group) = groups.get_mut(&root(&mut parent, n)) {
            group.ids.insert((*name).to_owned());
        }
    }
    let mut out: Vec<Merged> = groups.into_values().collect();
    for group in &mut out {
        let main = group.ids.iter().find(|id| is_cve(id)).or_else(|| group.ids.first());
        group.main = main.cloned().unwrap_or_default();
    }
    (out, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(record: i64, ids: &[&str]) -> Part {
        Part { record, part: 0, ids: ids.iter().map(|s| (*s).to_owned()).collect() }
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
            // The second link of a chain is the one that would join them.
            (
                &[&["GHSA-a", "CVE-2020-1"], &["OSV-1", "GHSA-a", "CVE-2020-2"]],
                &[&["CVE-2020-1", "GHSA-a"], &["OSV-1"]],
                1,
            ),
        ];
        for (input, want, refused) in cases {
            let parts: Vec<Part> = input.iter().enumerate().map(|(n, ids)| part(n as i64, ids)).collect();
            let (groups, no) = merge(&parts);
            let got: Vec<Vec<&str>> =
                groups.iter().map(|g| g.ids.iter().map(String::as_str).collect()).collect();
            assert_eq!(&got, want, "{input:?}");
            assert_eq!(no.len(), *refused, "{input:?}");
        }
    }
}

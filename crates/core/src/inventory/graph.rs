//! What depends on what in a release, as a graph in memory: what is below a component, and why it is in there.

use std::collections::{HashMap, HashSet, VecDeque};

use sea_orm::DatabaseConnection;
use serde::Serialize;

use super::release_of;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::sql;

/// A component in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Component.
    pub id: i64,
    /// Name with its group.
    pub name: String,
    /// Version.
    pub version: String,
    /// Open findings.
    pub findings: i64,
    /// Highest severity among them, 0 (none) to 5 (critical).
    pub worst: i64,
}

/// A release's components and the edges between them: from what depends or contains to what it needs or holds.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The components, by name and version.
    pub nodes: Vec<Node>,
    /// What the document describes, where it says so.
    pub root: Option<usize>,
    /// What each needs, as indices into `nodes`, by name.
    pub below: Vec<Vec<usize>>,
    /// By what each is needed.
    pub above: Vec<Vec<usize>>,
}

/// Reads the graph of a release.
///
/// # Errors
/// As [`release_of`].
pub async fn graph(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Graph> {
    release_of(db, actor, release).await?;
    let what = "reading the dependency graph";
    // Who may not see findings sees none here either.
    let seen = i64::from(actor.may(Permission::FindingRead));
    let select = "SELECT c.id, c.grp, c.name, c.version, o.parent, COALESCE(f.n, 0), COALESCE(f.worst, 0) \
                  FROM occurrence o JOIN component c ON c.id = o.component LEFT JOIN (SELECT component, COUNT(*) AS n, \
                  MAX(severity) AS worst FROM finding WHERE release = $1 AND $2 = 1 AND closed IS NULL \
                  AND confidence > 0 AND status NOT IN ('not_affected', 'fixed', 'false_positive') GROUP BY component) f \
                  ON f.component = c.id WHERE o.release = $1 ORDER BY c.name, c.version, c.id";
    type Row = (i64, String, String, String, i64, i64, i64);
    let rows: Vec<Row> = sql::rows(db, what, select, vec![release.into(), seen.into()]).await?;
    let select = "SELECT parent, child FROM edge WHERE release = $1";
    let mut edges: Vec<(i64, i64)> = sql::rows(db, what, select, vec![release.into()]).await?;
    let select = "SELECT root FROM release WHERE id = $1";
    let root = sql::row::<(i64,)>(db, what, select, vec![release.into()]).await?.map_or(0, |r| r.0);
    edges.extend(rows.iter().filter(|r| r.4 != 0).map(|r| (r.4, r.0)));
    let nodes = rows.into_iter().map(|(id, group, name, version, _, findings, worst)| Node {
        id,
        name: if group.is_empty() { name } else { format!("{group}/{name}") },
        version,
        findings,
        worst,
    });
    Ok(Graph::new(nodes.collect(), &edges, root))
}

impl Graph {
    /// A graph of nodes and edges between their ids; edges to what is not there, and from a node to itself, are left
    /// out.
    pub fn new(nodes: Vec<Node>, edges: &[(i64, i64)], root: i64) -> Graph {
        let at: HashMap<i64, usize> = nodes.iter().enumerate().map(|(n, node)| (node.id, n)).collect();
        let mut g = Graph {
            below: vec![Vec::new(); nodes.len()],
            above: vec![Vec::new(); nodes.len()],
            root: at.get(&root).copied(),
            nodes,
        };
        for (from, to) in edges {
            let (Some(from), Some(to)) = (at.get(from).copied(), at.get(to).copied()) else { continue };
            if from != to {
                if let Some(list) = g.below.get_mut(from) {
                    list.push(to);
                }
                if let Some(list) = g.above.get_mut(to) {
                    list.push(from);
                }
            }
        }
        for list in g.below.iter_mut().chain(&mut g.above) {
            list.sort_unstable();
            list.dedup();
        }
        g
    }

    /// Index of a component.
    pub fn find(&self, id: i64) -> Option<usize> {
        self.nodes.iter().position(|n| n.id == id)
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.below.iter().map(Vec::len).sum()
    }

    /// What a node needs.
    pub fn needs(&self, node: usize) -> &[usize] {
        self.below.get(node).map_or(&[], Vec::as_slice)
    }

    /// By what a node is needed.
    pub fn needed_by(&self, node: usize) -> &[usize] {
        self.above.get(node).map_or(&[], Vec::as_slice)
    }

    /// Where reading begins: the root, else what nothing needs; where everything goes round, everything.
    pub fn tops(&self) -> Vec<usize> {
        if let Some(root) = self.root.filter(|r| !self.needs(*r).is_empty()) {
            return vec![root];
        }
        let free: Vec<usize> = (0..self.nodes.len()).filter(|n| self.needed_by(*n).is_empty()).collect();
        if free.is_empty() { (0..self.nodes.len()).collect() } else { free }
    }

    /// Distance of every node from the tops; nothing for what is not reached from there.
    fn distances(&self) -> Vec<Option<usize>> {
        let mut far: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut queue: VecDeque<usize> = VecDeque::new();
        let mut tops = self.tops();
        // What hangs together apart from the root is read from its own tops.
        tops.extend((0..self.nodes.len()).filter(|n| self.needed_by(*n).is_empty()));
        for top in tops {
            if let Some(d) = far.get_mut(top).filter(|d| d.is_none()) {
                *d = Some(0);
                queue.push_back(top);
            }
        }
        while let Some(n) = queue.pop_front() {
            let next = far.get(n).copied().flatten().map(|d| d + 1);
            for child in self.needs(n) {
                if let Some(d) = far.get_mut(*child).filter(|d| d.is_none()) {
                    *d = next;
                    queue.push_back(*child);
                }
            }
        }
        far
    }

    /// Why a component is in the release: shortest ways from a top to it, one through each of those that need it
    /// themselves, shortest first, at most `most`. A top's own way is itself.
    pub fn ways(&self, component: usize, most: usize) -> Vec<Vec<usize>> {
        let far = self.distances();
        let distance = |n: usize| far.get(n).copied().flatten();
        let up = |from: usize| -> Option<Vec<usize>> {
            let mut way = vec![from];
            let mut at = from;
            while distance(at)? > 0 {
                at = *self.needed_by(at).iter().find(|p| distance(**p).map(|d| d + 1) == distance(at))?;
                way.push(at);
            }
            way.reverse();
            Some(way)
        };
        let mut ways: Vec<Vec<usize>> = Vec::new();
        if self.needed_by(component).is_empty() {
            return vec![vec![component]];
        }
        for parent in self.needed_by(component) {
            if let Some(mut way) = up(*parent).filter(|w| !w.contains(&component)) {
                way.push(component);
                ways.push(way);
            }
        }
        ways.sort_by_key(Vec::len);
        ways.truncate(most);
        ways
    }

    /// For every node the highest severity at it or anywhere below it.
    pub fn worst_below(&self) -> Vec<i64> {
        let mut worst = vec![0; self.nodes.len()];
        for severity in (1..=5).rev() {
            let mut queue: Vec<usize> = (0..self.nodes.len())
                .filter(|n| self.nodes.get(*n).is_some_and(|x| x.worst == severity))
                .collect();
            while let Some(n) = queue.pop() {
                if let Some(w) = worst.get_mut(n).filter(|w| **w < severity) {
                    *w = severity;
                    queue.extend(self.needed_by(n));
                }
            }
        }
        worst
    }

    /// How many nodes lie below a node, itself not counted.
    pub fn count_below(&self, node: usize) -> usize {
        let mut seen = HashSet::from([node]);
        let mut queue = vec![node];
        while let Some(n) = queue.pop() {
            queue.extend(self.needs(n).iter().filter(|c| seen.insert(**c)));
        }
        seen.len() - 1
    }

    /// Nodes whose name, version or `name@version` holds the text, in any case.
    pub fn search(&self, text: &str) -> Vec<usize> {
        let text = text.trim().to_lowercase();
        let holds = |n: &Node| format!("{}@{}", n.name, n.version).to_lowercase().contains(&text);
        (0..self.nodes.len()).filter(|n| !text.is_empty() && self.nodes.get(*n).is_some_and(holds)).collect()
    }
}

/// Why a component is in a release: names and versions from the product down to it.
///
/// # Errors
/// As [`graph`]; [`Error::NotFound`] where the release does not hold it.
pub async fn why(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    component: i64,
    most: usize,
) -> Result<Vec<Vec<Node>>> {
    let g = graph(db, actor, release).await?;
    let at = g
        .find(component)
        .ok_or_else(|| Error::NotFound(format!("component {component} in release {release}")))?;
    let node = |n: &usize| g.nodes.get(*n).cloned();
    Ok(g.ways(at, most).iter().map(|way| way.iter().filter_map(node).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: i64, edges: &[(i64, i64)], root: i64) -> Graph {
        let node = |id| Node { id, name: format!("n{id}"), version: "1".into(), findings: 0, worst: 0 };
        Graph::new((1..=count).map(node).collect(), edges, root)
    }

    fn ids(g: &Graph, ways: Vec<Vec<usize>>) -> Vec<Vec<i64>> {
        ways.into_iter().map(|w| w.into_iter().map(|n| g.nodes[n].id).collect()).collect()
    }

    #[test]
    fn ways_are_the_shortest_through_each_that_needs_it() {
        // 1 > 2 > 4 > 5, 1 > 3 > 5, 6 > 5 stands apart, 5 > 2 goes round
        let g = of(6, &[(1, 2), (2, 4), (4, 5), (1, 3), (3, 5), (6, 5), (5, 2), (5, 5), (5, 99)], 1);
        let five = g.find(5).unwrap();
        assert_eq!(ids(&g, g.ways(five, 9)), [vec![6, 5], vec![1, 3, 5], vec![1, 2, 4, 5]]);
        assert_eq!(ids(&g, g.ways(five, 1)), [vec![6, 5]]);
        assert_eq!(ids(&g, g.ways(g.find(1).unwrap(), 9)), [vec![1]]);
        assert_eq!((g.edges(), g.count_below(0)), (7, 4));
        assert_eq!(g.search("N3@"), [2]);
    }

    #[test]
    fn what_only_goes_round_ends() {
        let g = of(2, &[(1, 2), (2, 1)], 0);
        assert_eq!(g.tops(), [0, 1]);
        assert_eq!(g.ways(0, 5), [[1, 0]]);
    }

    #[test]
    fn the_worst_below_reaches_the_top() {
        let mut g = of(4, &[(1, 2), (2, 3), (1, 4)], 1);
        g.nodes[2].worst = 5;
        g.nodes[3].worst = 2;
        assert_eq!(g.worst_below(), [5, 5, 5, 2]);
    }
}

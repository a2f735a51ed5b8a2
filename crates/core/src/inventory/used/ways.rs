//! How a component comes into a release: the shortest way to it from what nothing else needs.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use sea_orm::DatabaseConnection;

use super::Holder;
use crate::error::Result;
use crate::platform::sql;

/// What stands above a component, by release: what needs it, and what it is a part of.
type Above = HashMap<i64, HashMap<i64, Vec<i64>>>;

/// Finds the shortest way to each component that is listed, for all releases at once. Only what stands above them is
/// read: of a release of twenty thousand components that is little.
pub(super) async fn find(db: &DatabaseConnection, releases: &mut [Holder]) -> Result<()> {
    let what = "reading how components come in";
    let above = above(db, releases).await?;
    let mut found: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
    let none = HashMap::new();
    for r in releases.iter() {
        let above = above.get(&r.release).unwrap_or(&none);
        for part in &r.parts {
            if let Some(way) = up(above, part.component) {
                found.insert((r.release, part.component), way);
            }
        }
    }
    let wanted: HashSet<i64> = found.values().flatten().copied().collect();
    let wanted: Vec<i64> = wanted.into_iter().collect();
    let select = format!("SELECT id, grp, name, version FROM component WHERE id IN {}", sql::numbers(db, 1));
    let rows: Vec<(i64, String, String, String)> =
        sql::rows(db, what, &select, vec![sql::list(&wanted)]).await?;
    let name = |(id, group, name, version): (i64, String, String, String)| {
        let name = if group.is_empty() { name } else { format!("{group}/{name}") };
        (id, if version.is_empty() { name } else { format!("{name} {version}") })
    };
    let names: HashMap<i64, String> = rows.into_iter().map(name).collect();
    for r in releases {
        for part in &mut r.parts {
            if let Some(way) = found.get(&(r.release, part.component)) {
                part.path = way.iter().filter_map(|id| names.get(id).cloned()).collect();
            }
        }
    }
    Ok(())
}

/// Everything above the components that are listed. What needs them is walked by the database; where something there is
/// a part of another thing that was not met, it is walked from there on.
async fn above(db: &DatabaseConnection, releases: &[Holder]) -> Result<Above> {
    let what = "reading what needs components";
    let pairs = sql::pairs(db, 1);
    let needs = format!(
        "WITH RECURSIVE met (release, component) AS (SELECT s.a, s.b FROM {pairs} s UNION SELECT e.release, e.parent \
         FROM met m JOIN edge e ON e.release = m.release AND e.child = m.component) \
         SELECT e.release, e.child, e.parent FROM met m JOIN edge e ON e.release = m.release AND e.child = m.component"
    );
    let part_of = format!(
        "SELECT o.release, o.component, o.parent FROM {pairs} s JOIN occurrence o ON o.release = s.a \
         AND o.component = s.b WHERE o.parent <> 0"
    );
    let mut above = Above::new();
    let mut met: HashSet<(i64, i64)> = HashSet::new();
    let mut from: Vec<(i64, i64)> =
        releases.iter().flat_map(|r| r.parts.iter().map(|p| (r.release, p.component))).collect();
    while !from.is_empty() {
        met.extend(&from);
        let mut reached = from.clone();
        let edges: Vec<(i64, i64, i64)> = sql::rows(db, what, &needs, vec![sql::list(&from)]).await?;
        for (release, child, parent) in edges {
            add(&mut above, release, child, parent);
            if met.insert((release, parent)) {
                reached.push((release, parent));
            }
        }
        let nested: Vec<(i64, i64, i64)> = sql::rows(db, what, &part_of, vec![sql::list(&reached)]).await?;
        from = Vec::new();
        for (release, part, whole) in nested {
            add(&mut above, release, part, whole);
            if met.insert((release, whole)) {
                from.push((release, whole));
            }
        }
    }
    Ok(above)
}

/// Notes what stands above a component, once.
fn add(above: &mut Above, release: i64, component: i64, parent: i64) {
    let parents = above.entry(release).or_default().entry(component).or_default();
    if parent != component && !parents.contains(&parent) {
        parents.push(parent);
    }
}

/// The shortest way upwards to something that nothing needs, from top to bottom; nothing where all goes round or the
/// component stands alone.
fn up(above: &HashMap<i64, Vec<i64>>, component: i64) -> Option<Vec<i64>> {
    let mut by: HashMap<i64, i64> = HashMap::from([(component, component)]);
    let mut queue = VecDeque::from([component]);
    while let Some(at) = queue.pop_front() {
        let Some(parents) = above.get(&at).filter(|p| !p.is_empty()) else {
            let mut way = vec![at];
            let mut n = at;
            while n != component {
                n = *by.get(&n)?;
                way.push(n);
            }
            return (way.len() > 1).then_some(way);
        };
        for parent in parents {
            if !by.contains_key(parent) {
                by.insert(*parent, at);
                queue.push_back(*parent);
            }
        }
    }
    None
}

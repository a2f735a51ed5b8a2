//! What is told of the life of packages: latest versions and ends of maintenance, by series.
//!
//! A workspace notes what it knows itself (`lifecycle`); what a source tells is kept once for all (`lifecycle_told`),
//! and a workspace's own word stands in its place.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{DatabaseConnection, TransactionTrait, Value};
use serde::Serialize;
use tocsin_formats::lifecycle::{self as told, Product};
use tocsin_model::purl::Purl;

use super::component::order;
use super::{named, package};
use crate::error::{Doing, Error, Result};
use crate::intel::Store;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Lives that a page lists.
const LISTED: usize = 5_000;

/// What is told of the life of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Life {
    /// Package URL without version, or `cpe:2.3:PART:VENDOR:PRODUCT`.
    pub package: String,
    /// The series of versions it is about (`3.0`), or empty for all.
    pub cycle: String,
    /// Latest version known, or empty.
    pub latest: String,
    /// Last day of maintenance (`YYYY-MM-DD`), or empty.
    pub ends: String,
    /// Maintenance is over, whether or not the day is known. What a workspace notes has the day alone.
    pub over: bool,
    /// Who tells it.
    pub source: String,
    /// When it was told.
    pub seen: String,
}

impl Life {
    /// Whether maintenance is over on a day (`YYYY-MM-DD`).
    pub fn is_over(&self, today: &str) -> bool {
        if self.ends.is_empty() { self.over } else { self.ends.as_str() < today }
    }
}

/// What names a component beyond its version, the surest first: its package, and its CPE names where no distribution
/// maintains it.
pub fn life_keys(purl: &str, cpes: &[String]) -> Vec<String> {
    let mut keys = Vec::new();
    if let Ok(p) = Purl::parse(purl) {
        let whole = package(purl);
        let upstream = told::key("purl", &whole).is_some();
        keys.push(whole);
        if !upstream || p.name.is_empty() {
            return keys;
        }
    }
    for key in cpes.iter().filter_map(|c| told::cpe(c)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// What is told of components, each by its keys ([`life_keys`]), newest series first; nothing stands for those of
/// which nobody tells anything.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn lives(
    db: &DatabaseConnection,
    actor: &Actor,
    of: &[(i64, String, Vec<String>)],
) -> Result<HashMap<i64, Vec<Life>>> {
    actor.need(Permission::InventoryRead)?;
    let keys: HashMap<i64, Vec<String>> =
        of.iter().map(|(id, purl, cpes)| (*id, life_keys(purl, cpes))).collect();
    let mut all: Vec<&str> = keys.values().flatten().map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return Ok(HashMap::new());
    }
    let listed = sql::texts(db, 2);
    let select = format!(
        "SELECT package, cycle, latest, ends, 0 AS over, source, seen FROM lifecycle WHERE workspace = $1 \
         AND package IN {listed} UNION ALL SELECT t.package, t.cycle, t.latest, t.ends, t.over, t.source, t.seen \
         FROM lifecycle_told t WHERE t.package IN {listed} AND NOT EXISTS (SELECT 1 FROM lifecycle l \
         WHERE l.workspace = $1 AND l.package = t.package AND l.cycle = t.cycle)"
    );
    let mut by_key: HashMap<String, Vec<Life>> = HashMap::new();
    for life in read(db, &select, vec![actor.workspace.into(), sql::list(&all)]).await? {
        by_key.entry(life.package.clone()).or_default().push(life);
    }
    let mut out = HashMap::new();
    for (id, purl, _) in of {
        let mut series = HashSet::new();
        let mut list: Vec<Life> = Vec::new();
        for life in keys.get(id).into_iter().flatten().filter_map(|k| by_key.get(k)).flatten() {
            if series.insert(life.cycle.as_str()) {
                list.push(life.clone());
            }
        }
        let key = order(purl);
        list.sort_by_cached_key(|l| std::cmp::Reverse(key(&l.cycle)));
        if !list.is_empty() {
            out.insert(*id, list);
        }
    }
    Ok(out)
}

async fn read(db: &DatabaseConnection, select: &str, values: Vec<Value>) -> Result<Vec<Life>> {
    type Row = (String, String, String, String, i64, String, String);
    let rows: Vec<Row> = sql::rows(db, "reading the life of packages", select, values).await?;
    let life = |(package, cycle, latest, ends, over, source, seen): Row| Life {
        package,
        cycle,
        latest,
        ends,
        over: over != 0,
        source,
        seen,
    };
    Ok(rows.into_iter().map(life).collect())
}

/// Of what is told, what is about this version: the longest series it belongs to, else all versions.
pub fn life_of<'a>(lives: &'a [Life], version: &str) -> Option<&'a Life> {
    let version = version.rsplit_once(':').map_or(version, |(_, rest)| rest).trim_start_matches(['v', 'V']);
    let within = |cycle: &str| {
        !cycle.is_empty()
            && version.strip_prefix(cycle).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let series = lives.iter().filter(|l| within(&l.cycle)).max_by_key(|l| l.cycle.len());
    series.or_else(|| lives.iter().find(|l| l.cycle.is_empty()))
}

/// What is told of packages whose name or source holds `text`: what the workspace noted, then what sources tell, by
/// package, at most 5,000; whether there is more.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn all_lives(db: &DatabaseConnection, actor: &Actor, text: &str) -> Result<(Vec<Life>, bool)> {
    actor.need(Permission::InventoryRead)?;
    let select = format!(
        "SELECT package, cycle, latest, ends, over, source, seen FROM (SELECT package, cycle, latest, ends, 0 AS over, \
         source, seen, 0 AS place FROM lifecycle WHERE workspace = $1 UNION ALL SELECT package, cycle, latest, ends, \
         over, source, seen, 1 AS place FROM lifecycle_told) x WHERE LOWER(package || ' ' || source) LIKE $2 ESCAPE '!' \
         ORDER BY place, package, cycle DESC LIMIT {}",
        LISTED + 1
    );
    let mut list = read(db, &select, vec![actor.workspace.into(), super::like(text).into()]).await?;
    let more = list.len() > LISTED;
    list.truncate(LISTED);
    Ok((list, more))
}

/// Notes what the workspace knows of packages' lives, each in place of what was noted of its package and series; where
/// both latest version and end are empty, it is taken away. The number noted.
///
/// # Errors
/// Denied (it holds for the whole workspace); [`Error::Rejected`]: neither package URL nor CPE name, no day.
pub async fn note_lives(change: &mut Change<'_>, list: &[Life]) -> Result<usize> {
    let what = "noting the life of packages";
    change.actor.need_everywhere(Permission::InventoryWrite)?;
    let mut rows: BTreeMap<(String, String), [Value; 7]> = BTreeMap::new();
    let mut gone: Vec<(String, String)> = Vec::new();
    for (n, life) in list.iter().enumerate() {
        let wrong = |field: &str, message: &str| Error::Rejected {
            field: field.to_owned(),
            message: format!("line {}: {message}", n + 1),
        };
        let typed = life.package.trim();
        let package = told::cpe(typed).unwrap_or_else(|| package(typed));
        if package.is_empty() {
            let message = "a package URL (pkg:deb/debian/openssl) or part, vendor and product of a CPE name \
                           (cpe:2.3:a:openssl:openssl) says what it is about";
            return Err(wrong("package", message));
        }
        let ends = super::manage::day("ends", Some(&life.ends))
            .map_err(|_| wrong("ends", "the end is a day, YYYY-MM-DD"))?
            .unwrap_or_default();
        let source = named("source", &life.source).map_err(|_| wrong("source", "the source is missing"))?;
        let cycle = life.cycle.trim().to_owned();
        if life.latest.trim().is_empty() && ends.is_empty() {
            gone.push((package, cycle));
            continue;
        }
        let row = [
            change.actor.workspace.into(),
            sql::text(&package),
            sql::text(&cycle),
            sql::text(life.latest.trim()),
            ends.into(),
            sql::text(&source),
            change.actor.now.clone().into(),
        ];
        rows.insert((package, cycle), row);
    }
    for (package, cycle) in &gone {
        let delete = "DELETE FROM lifecycle WHERE workspace = $1 AND package = $2 AND cycle = $3";
        let values = vec![change.actor.workspace.into(), sql::text(package), sql::text(cycle)];
        sql::run(&change.tx, what, delete, values).await?;
    }
    let head = "INSERT INTO lifecycle (workspace, package, cycle, latest, ends, source, seen)";
    let tail = "ON CONFLICT (workspace, package, cycle) DO UPDATE SET latest = excluded.latest, ends = excluded.ends, \
                source = excluded.source, seen = excluded.seen";
    let told: HashMap<&str, usize> = HashMap::from([("told", rows.len()), ("withdrawn", gone.len())]);
    bulk::insert(&change.tx, what, head, tail, rows.into_values().collect()).await?;
    change.record("lifecycle.note", "lifecycle".to_owned(), "life of packages", &(), &told);
    Ok(list.len())
}

/// What came of hearing a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Series read …
    pub read: u64,
    /// … not known before …
    pub new: u64,
    /// … told differently before.
    pub changed: u64,
}

/// Takes in all that a source tells, in one transaction. What it no longer tells is taken away where `whole`: all of
/// what it sent was understood.
///
/// # Errors
/// The database does not answer.
pub fn hear_lives(store: &Store, source: &str, list: &[Product], whole: bool, now: &str) -> Result<Heard> {
    store.runtime.block_on(hear(&store.db, source, list, whole, now))
}

async fn hear(
    db: &DatabaseConnection,
    source: &str,
    list: &[Product],
    whole: bool,
    now: &str,
) -> Result<Heard> {
    let what = "noting what a source tells of packages' lives";
    type Told = (String, String, i64);
    let mut wanted: BTreeMap<(&str, &str), Told> = BTreeMap::new();
    for product in list {
        for key in &product.keys {
            for s in &product.series {
                // a package that two products claim is told of by the first
                wanted
                    .entry((key, &s.name))
                    .or_insert_with(|| (s.latest.clone(), s.ends.clone(), i64::from(s.over)));
            }
        }
    }
    let tx = db.begin().await.doing(what)?;
    let select = "SELECT package, cycle, latest, ends, over FROM lifecycle_told WHERE source = $1";
    type Row = (String, String, String, String, i64);
    let rows: Vec<Row> = sql::rows(&tx, what, select, vec![sql::text(source)]).await?;
    let mut known: HashMap<(String, String), Told> =
        rows.into_iter().map(|(p, c, latest, ends, over)| ((p, c), (latest, ends, over))).collect();
    let mut heard = Heard { read: wanted.len() as u64, ..Heard::default() };
    let mut changed: Vec<[Value; 7]> = Vec::new();
    for ((package, cycle), told) in wanted {
        match known.remove(&(package.to_owned(), cycle.to_owned())) {
            Some(before) if before == told => continue,
            Some(_) => heard.changed += 1,
            None => heard.new += 1,
        }
        let (latest, ends, over) = told;
        changed.push([
            sql::text(source),
            sql::text(package),
            sql::text(cycle),
            sql::text(&latest),
            ends.into(),
            over.into(),
            now.into(),
        ]);
    }
    let head = "INSERT INTO lifecycle_told (source, package, cycle, latest, ends, over, seen)";
    let tail = "ON CONFLICT (package, cycle, source) DO UPDATE SET latest = excluded.latest, ends = excluded.ends, \
                over = excluded.over, seen = excluded.seen";
    bulk::insert(&tx, what, head, tail, changed).await?;
    if whole {
        let delete = "DELETE FROM lifecycle_told WHERE source = $1 AND package = $2 AND cycle = $3";
        for (package, cycle) in known.into_keys() {
            sql::run(&tx, what, delete, vec![sql::text(source), sql::text(&package), sql::text(&cycle)])
                .await?;
        }
    }
    tx.commit().await.doing(what)?;
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::people;
    use crate::platform::testing::each;

    const NOW: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn the_series_that_a_version_belongs_to_tells_of_it() {
        let life = |cycle: &str| Life { cycle: cycle.to_owned(), ..Life::default() };
        let lives = [life("3"), life("3.0"), life("1.1"), life("")];
        for (version, cycle) in
            [("3.0.7", "3.0"), ("3.01", "3"), ("3.1.0", "3"), ("1.1.1w", "1.1"), ("1.10", "")]
        {
            assert_eq!(life_of(&lives, version).map(|l| l.cycle.as_str()), Some(cycle), "{version}");
        }
    }

    #[test]
    fn a_component_is_named_by_package_and_cpe_unless_a_distribution_maintains_it() {
        let cpes = ["cpe:2.3:a:openssl:openssl:3.0.7:*:*:*:*:*:*:*".to_owned()];
        let keys = |purl: &str| life_keys(purl, &cpes);
        assert_eq!(keys(""), ["cpe:2.3:a:openssl:openssl"]);
        assert_eq!(keys("pkg:deb/debian/openssl@3.0.7"), ["pkg:deb/debian/openssl"]);
        assert_eq!(keys("pkg:generic/openssl@3.0.7"), ["pkg:generic/openssl", "cpe:2.3:a:openssl:openssl"]);
    }

    #[test]
    fn the_day_says_when_it_is_over_and_the_word_where_there_is_no_day() {
        let life = |ends: &str, over| Life { ends: ends.to_owned(), over, ..Life::default() };
        for (life, over) in [
            (life("2025-12-31", false), true),
            (life("2026-01-01", true), false),
            (life("", true), true),
            (life("", false), false),
        ] {
            assert_eq!(life.is_over("2026-01-01"), over, "{life:?}");
        }
    }

    #[test]
    fn what_a_source_tells_is_kept_once_and_a_workspace_knows_better() {
        each(async |db| {
            let actor = Actor::system(people::first_workspace(db, "Pumps", NOW).await.unwrap(), NOW);
            let series = |name: &str, latest: &str, ends: &str, over| told::Series {
                name: name.to_owned(),
                latest: latest.to_owned(),
                ends: ends.to_owned(),
                over,
            };
            let product = |series: Vec<told::Series>| {
                let keys =
                    vec!["cpe:2.3:a:openssl:openssl".to_owned(), "pkg:github/openssl/openssl".to_owned()];
                [Product { label: "OpenSSL".to_owned(), keys, series }]
            };
            let (old, new) =
                (series("1.1.1", "1.1.1w", "2023-09-11", true), series("3.0", "3.0.15", "2026-09-07", false));
            let hear = async |list: &[Product], whole| hear(db, "eol", list, whole, NOW).await.unwrap();
            let both = product(vec![new.clone(), old.clone()]);
            assert_eq!(hear(&both, true).await, Heard { read: 4, new: 4, changed: 0 });
            assert_eq!(hear(&both, true).await, Heard { read: 4, new: 0, changed: 0 });
            let of = [
                (
                    1,
                    "pkg:generic/openssl@1.1.1k".to_owned(),
                    vec!["cpe:2.3:a:openssl:openssl:1.1.1k:*:*:*:*:*:*:*".to_owned()],
                ),
                (
                    2,
                    "pkg:deb/debian/openssl@3.0.11".to_owned(),
                    vec!["cpe:2.3:a:openssl:openssl:3.0.11:*:*:*:*:*:*:*".to_owned()],
                ),
            ];
            let told = lives(db, &actor, &of).await.unwrap();
            assert_eq!(told.len(), 1, "a distribution's package lives as long as the distribution says");
            let life = life_of(&told[&1], "1.1.1k").unwrap();
            assert_eq!(
                (life.latest.as_str(), life.ends.as_str(), life.is_over("2026-01-01")),
                ("1.1.1w", "2023-09-11", true)
            );
            // bought support until a later day
            let note = Life {
                package: "pkg:generic/openssl".to_owned(),
                cycle: "1.1.1".to_owned(),
                latest: "1.1.1zb".to_owned(),
                ends: "2027-12-31".to_owned(),
                source: "contract".to_owned(),
                ..Life::default()
            };
            let mut change = Change::begin(db, &actor).await.unwrap();
            note_lives(&mut change, &[note]).await.unwrap();
            change.commit().await.unwrap();
            let told = lives(db, &actor, &of).await.unwrap();
            assert_eq!(life_of(&told[&1], "1.1.1k").unwrap().source, "contract");
            // what is no longer told goes, unless part of it was not understood
            let less = product(vec![series("3.0", "3.0.16", "2026-09-07", false)]);
            assert_eq!(hear(&less, false).await, Heard { read: 2, new: 0, changed: 2 });
            assert_eq!(all_lives(db, &actor, "eol").await.unwrap().0.len(), 4);
            hear(&less, true).await;
            assert_eq!(all_lives(db, &actor, "eol").await.unwrap().0.len(), 2);
        });
    }
}

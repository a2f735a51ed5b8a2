//! Matching again only where it must: from what changed in intelligence to the names under which it stands, from
//! these to components and releases, and there only what can have come out differently.
//!
//! A component that depends on nothing else of its release is matched once for all releases. Where platforms or VEX
//! statements have a say, the release's own document is asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use tocsin_engine::matching::{self, About, Distribution};
use tocsin_model::bom::{Bom, Component};
use tocsin_model::cpe::Cpe;
use tocsin_model::purl::Purl;

use super::renew::{self, Found, Key};
use super::{Outcome, carry, of_present};
use crate::error::{Error, Result};
use crate::intel::{self, Changes, Opened};
use crate::inventory;
use crate::platform::change::Change;
use crate::platform::sql;
use crate::warnings;

/// Releases of a workspace whose findings are of an edition of the index before the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Workspace.
    pub workspace: i64,
    /// The edition that they are of.
    pub generation: i64,
    /// How many there are.
    pub releases: i64,
}

/// Active releases whose findings are of an edition before `generation`.
///
/// # Errors
/// The database does not answer.
pub async fn behind(db: &impl ConnectionTrait, generation: i64) -> Result<Vec<Behind>> {
    let select = "SELECT workspace, generation, COUNT(*) FROM release WHERE active = 1 AND components > 0 \
                  AND generation < $1 GROUP BY workspace, generation ORDER BY 1, 2";
    let rows: Vec<(i64, i64, i64)> =
        sql::rows(db, "looking for what is to be matched", select, vec![generation.into()]).await?;
    let one = |(workspace, generation, releases)| Behind { workspace, generation, releases };
    Ok(rows.into_iter().map(one).collect())
}

/// Ids of these releases.
pub(super) async fn ids(db: &impl ConnectionTrait, of: &Behind) -> Result<Vec<i64>> {
    let select = "SELECT id FROM release WHERE workspace = $1 AND generation = $2 AND active = 1 AND components > 0 \
                  ORDER BY id";
    let values = vec![of.workspace.into(), of.generation.into()];
    let rows: Vec<(i64,)> = sql::rows(db, "looking for what is to be matched", select, values).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// A release that is looked at.
struct Held {
    /// How often it was matched as a whole: it is what was looked at as long as that stays.
    matchings: i64,
    /// Its document says more than its components.
    told: bool,
    /// Its components that stand under keys that changed.
    components: Vec<i64>,
    /// Its operating system.
    system: Option<i64>,
}

/// A component read back.
struct Kept {
    component: Component,
    hash: String,
    /// It is what it was stored from.
    whole: bool,
}

/// In place of an edition: all active releases of a workspace, whatever edition they are of, which stays as it is.
pub(super) const EVERY: i64 = -1;

/// What has to be looked at in the releases that are behind alike.
pub(super) struct Work {
    pub of: Behind,
    pub changes: Changes,
    releases: BTreeMap<i64, Held>,
    components: HashMap<i64, Kept>,
}

/// Looks for what has to be looked at between the releases' edition and `to`; nothing: everything.
pub(super) async fn plan(db: &DatabaseConnection, of: Behind, to: i64) -> Result<Option<Work>> {
    let Some(mut changes) = intel::changes(db, of.generation, to).await? else { return Ok(None) };
    // these are more than the shared index tells, and matched apart
    let merged = warnings::merged_of(db, of.workspace, &changes.vulnerabilities).await?;
    changes.vulnerabilities.retain(|id| !merged.contains(id));
    look(db, of, changes).await.map(Some)
}

/// What has to be looked at for these changes, in the releases of an edition ([`EVERY`]: of all).
pub(super) async fn look(db: &DatabaseConnection, of: Behind, changes: Changes) -> Result<Work> {
    let what = "looking for what is to be matched";
    let group = || vec![of.workspace.into(), of.generation.into()];
    let theirs = "r.workspace = $1 AND (r.generation = $2 OR $2 < 0) AND r.active = 1 AND r.components > 0";
    let select = format!("SELECT r.id, r.matchings, r.told FROM release r WHERE {theirs}");
    let rows: Vec<(i64, i64, i64)> = sql::rows(db, what, &select, group()).await?;
    let held = |matchings, told| Held { matchings, told, components: Vec::new(), system: None };
    let mut releases: BTreeMap<i64, Held> =
        rows.into_iter().map(|(id, matchings, told)| (id, held(matchings, told != 0))).collect();
    let mut wanted = BTreeSet::new();
    if !changes.keys.is_empty() {
        let keys: Vec<i64> = changes.keys.iter().copied().collect();
        let select = format!(
            "SELECT DISTINCT o.release, o.component FROM family_key k JOIN component c ON c.family = k.family \
             JOIN occurrence o ON o.component = c.id JOIN release r ON r.id = o.release \
             WHERE k.key IN {} AND {theirs}",
            sql::numbers(db, 3)
        );
        let mut values = group();
        values.push(sql::list(&keys));
        let rows: Vec<(i64, i64)> = sql::rows(db, what, &select, values).await?;
        for (release, component) in rows {
            if let Some(held) = releases.get_mut(&release) {
                held.components.push(component);
                wanted.insert(component);
            }
        }
    }
    if of.generation == EVERY {
        // what has findings is looked at, whatever it is called now
        let ids: Vec<&String> = changes.vulnerabilities.iter().collect();
        let select = format!(
            "SELECT DISTINCT f.release, f.component FROM finding f JOIN release r ON r.id = f.release \
             WHERE f.vulnerability IN {} AND f.workspace = $1 AND {theirs}",
            sql::texts(db, 3)
        );
        let mut values = group();
        values.push(sql::list(&ids));
        let rows: Vec<(i64, i64)> = sql::rows(db, what, &select, values).await?;
        for (release, component) in rows {
            if let Some(held) = releases.get_mut(&release).filter(|h| !h.components.contains(&component)) {
                held.components.push(component);
                wanted.insert(component);
            }
        }
    }
    if !wanted.is_empty() {
        let select = format!(
            "SELECT o.release, o.component FROM component c JOIN occurrence o ON o.component = c.id \
             JOIN release r ON r.id = o.release WHERE c.kind = 'operating-system' AND {theirs}"
        );
        let rows: Vec<(i64, i64)> = sql::rows(db, what, &select, group()).await?;
        for (release, component) in rows {
            if let Some(held) = releases.get_mut(&release) {
                held.system = Some(component);
                wanted.insert(component);
            }
        }
    }
    let components = read(db, wanted.into_iter().collect()).await?;
    Ok(Work { of, changes, releases, components })
}

/// Reads components back as their documents told of them.
async fn read(db: &DatabaseConnection, wanted: Vec<i64>) -> Result<HashMap<i64, Kept>> {
    let mut kept = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(20_000) {
        let select = format!(
            "SELECT id, hash, kind, grp, name, version, purl, cpes, supplier FROM component WHERE id IN {}",
            sql::numbers(db, 1)
        );
        type Row = (i64, String, String, String, String, String, String, String, String);
        let rows: Vec<Row> = sql::rows(db, "reading components", &select, vec![sql::list(chunk)]).await?;
        let maybe = |text: String| Some(text).filter(|t| !t.is_empty());
        for (id, hash, kind, group, name, version, purl, cpes, supplier) in rows {
            let cpes: Vec<String> = serde_json::from_str(&cpes).unwrap_or_default();
            let component = Component {
                kind: inventory::kind_named(&kind).unwrap_or_default(),
                group: maybe(group),
                name,
                version: maybe(version),
                purl: Purl::parse(&purl).ok(),
                cpes: cpes.iter().filter_map(|c| Cpe::parse(c).ok()).collect(),
                supplier: maybe(supplier),
                ..Component::default()
            };
            let whole = inventory::identity(&component) == hash;
            kept.insert(id, Kept { component, hash, whole });
        }
    }
    Ok(kept)
}

/// What is found on a component.
pub(super) type Findings = Vec<(i64, Arc<Vec<Found>>)>;

/// What came of the work so far.
pub(super) struct Decided {
    about: About,
    /// Releases of which everything is known.
    pub ready: Vec<(i64, Findings)>,
    /// Releases whose documents have to be asked.
    pub documents: Vec<i64>,
}

fn damaged(e: tocsin_engine::index::IndexError) -> Error {
    Error::Internal { doing: "matching".to_owned(), cause: Box::new(e) }
}

/// A component by itself.
struct Single {
    found: Arc<Vec<Found>>,
    /// Some source calls it affected by something.
    any: bool,
    /// The release has a say.
    leans: bool,
}

/// Matches each component once for each distribution that it is in.
pub(super) fn decide_alone(opened: &Opened, work: &Work) -> Result<Decided> {
    let ids = work.changes.vulnerabilities.iter().map(String::as_str);
    let about = About::new(&opened.index, ids).map_err(damaged)?;
    let mut distributions: HashMap<Option<i64>, Option<Distribution>> = HashMap::from([(None, None)]);
    for system in work.releases.values().filter_map(|h| h.system) {
        distributions.entry(Some(system)).or_insert_with(|| {
            let components = work.components.get(&system).map(|k| k.component.clone());
            matching::distribution(&Bom { components: components.into_iter().collect(), ..Bom::default() })
        });
    }
    let pairs: BTreeSet<(i64, Option<i64>)> =
        work.releases.values().flat_map(|held| held.components.iter().map(|c| (*c, held.system))).collect();
    let options = inventory::options();
    let single = |(id, system): (i64, Option<i64>)| -> Result<((i64, Option<i64>), Single)> {
        let kept = work.components.get(&id).ok_or_else(|| Error::NotFound(format!("component {id}")))?;
        let document = distributions.get(&system).cloned().flatten();
        let alone = matching::alone(&opened.index, &kept.component, &document, &options, Some(&about));
        let alone = alone.map_err(damaged)?;
        let leans = alone.leans || !kept.whole || alone.candidates.iter().any(|v| opened.speaks_of(v));
        let any = !alone.candidates.is_empty() || !kept.whole;
        let found = Arc::new(alone.findings.iter().map(Found::new).collect());
        Ok(((id, system), Single { found, any, leans }))
    };
    let singles: HashMap<(i64, Option<i64>), Single> =
        Vec::from_iter(pairs).into_par_iter().with_min_len(16).map(single).collect::<Result<_>>()?;
    let mut decided = Decided { about, ready: Vec::new(), documents: Vec::new() };
    for (release, held) in &work.releases {
        let theirs = || held.components.iter().filter_map(|c| Some((*c, singles.get(&(*c, held.system))?)));
        if theirs().any(|(_, s)| s.leans || (held.told && s.any)) {
            decided.documents.push(*release);
        } else {
            let findings = theirs().map(|(c, s)| (c, s.found.clone())).collect();
            decided.ready.push((*release, findings));
        }
    }
    Ok(decided)
}

/// Matches the components that have to be looked at in a release's document.
pub(super) fn decide_document(
    opened: &Opened,
    work: &Work,
    decided: &Decided,
    release: i64,
    bom: &Bom,
) -> Result<Findings> {
    let Some(held) = work.releases.get(&release) else { return Ok(Vec::new()) };
    let by_hash: HashMap<&str, i64> =
        held.components.iter().filter_map(|id| Some((work.components.get(id)?.hash.as_str(), *id))).collect();
    let (placed, of) = inventory::place(bom);
    let id = |n: usize| by_hash.get(placed.get(*of.get(n)?)?.hash.as_str()).copied();
    let subjects: Vec<usize> = (0..bom.components.len()).filter(|n| id(*n).is_some()).collect();
    let options = inventory::options();
    let about = Some(&decided.about);
    let report = matching::scan_part(&opened.index, bom, &opened.vex, &options, &subjects, about);
    let mut found: BTreeMap<i64, Vec<Found>> = held.components.iter().map(|c| (*c, Vec::new())).collect();
    for m in &report.map_err(damaged)?.findings {
        if let Some(list) = id(m.component).and_then(|id| found.get_mut(&id)) {
            list.push(Found::new(m));
        }
    }
    Ok(found.into_iter().map(|(id, list)| (id, Arc::new(list))).collect())
}

/// Writes what was decided of some releases, which are of the edition of `opened` then. A release that was
/// matched by somebody else meanwhile is passed over. Gives what came of it and how many releases
/// were written.
pub(super) async fn write(
    change: &mut Change<'_>,
    opened: &Opened,
    work: &Work,
    results: &[(i64, Findings)],
) -> Result<(Outcome, usize)> {
    let what = "storing what was matched again";
    let asked: Vec<i64> = results.iter().map(|r| r.0).collect();
    let seen: Vec<(i64, i64)> =
        asked.iter().filter_map(|id| Some((*id, work.releases.get(id)?.matchings))).collect();
    let lock = format!(
        "SELECT id FROM release WHERE id IN {} ORDER BY id{}",
        sql::numbers(&change.tx, 1),
        sql::for_update(&change.tx)
    );
    sql::rows::<(i64,)>(&change.tx, what, &lock, vec![sql::list(&asked)]).await?;
    let select = format!(
        "SELECT r.id FROM {} p JOIN release r ON r.id = p.a AND r.matchings = p.b \
         WHERE (r.generation = $2 OR $2 < 0) AND r.workspace = $3",
        sql::pairs(&change.tx, 1)
    );
    let values = vec![sql::list(&seen), work.of.generation.into(), change.actor.workspace.into()];
    let current: Vec<(i64,)> = sql::rows(&change.tx, what, &select, values).await?;
    let current: BTreeSet<i64> = current.into_iter().map(|r| r.0).collect();
    let results: Vec<&(i64, Findings)> = results.iter().filter(|r| current.contains(&r.0)).collect();
    let pairs: Vec<(i64, i64)> =
        results.iter().flat_map(|(release, found)| found.iter().map(|(c, _)| (*release, *c))).collect();
    let stored = renew::of_pairs(change, &pairs, &work.changes.vulnerabilities).await?;
    let mut found: Vec<(i64, i64, &Found)> = Vec::new();
    for (release, of) in &results {
        for (component, list) in of {
            found.extend(list.iter().map(|f| (*release, *component, f)));
        }
    }
    let why = |key: &Key, settled: Option<&Found>, _: &HashSet<Key>| {
        of_present(Some(opened), Some(&work.changes), &key.2, settled, false)
    };
    let (outcome, touched) = renew::bring(change, &stored, &found, &why).await?;
    follow(change, &results).await?;
    renew::count(change, &touched.into_iter().collect::<Vec<_>>()).await?;
    let written: Vec<i64> = current.into_iter().collect();
    if work.of.generation == EVERY {
        return Ok((outcome, written.len()));
    }
    let update = format!(
        "UPDATE release SET generation = $2, matched = $3 WHERE id IN {}",
        sql::numbers(&change.tx, 1)
    );
    let now = Value::from(change.actor.now.clone());
    let values = vec![sql::list(&written), opened.generation.into(), now];
    sql::run(&change.tx, what, &update, values).await?;
    Ok((outcome, written.len()))
}

/// Puts standing decisions to new findings, where there are decisions on their vulnerabilities.
async fn follow(change: &Change<'_>, results: &[&(i64, Findings)]) -> Result<()> {
    let what = "carrying decisions over";
    let mut by_id: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for (release, found) in results {
        for f in found.iter().flat_map(|(_, list)| list.iter()).filter(|f| f.open) {
            by_id.entry(&f.vulnerability).or_default().insert(*release);
        }
    }
    let ids: Vec<&str> = by_id.keys().copied().collect();
    let mut releases: BTreeSet<i64> = BTreeSet::new();
    for chunk in ids.chunks(20_000) {
        let select = format!(
            "SELECT DISTINCT vulnerability FROM decision WHERE workspace = $1 AND ended IS NULL \
             AND vulnerability IN {}",
            sql::texts(&change.tx, 2)
        );
        let values = vec![change.actor.workspace.into(), sql::list(chunk)];
        let decided: Vec<(String,)> = sql::rows(&change.tx, what, &select, values).await?;
        releases.extend(decided.iter().filter_map(|(id,)| by_id.get(id.as_str())).flatten());
    }
    let releases: Vec<i64> = releases.into_iter().collect();
    carry::follow(change, &releases).await?;
    renew::count(change, &releases).await
}

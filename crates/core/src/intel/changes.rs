//! What became different from one edition of the matching index to the next, kept so that releases matched with an
//! earlier one are looked at again only where it matters.

use std::collections::{BTreeSet, HashMap, HashSet};

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait, Value};
use tocsin_engine::index::Changed;
use tocsin_model::vex::VexStatement;

use crate::error::{Doing, Result};
use crate::platform::bulk;
use crate::platform::sql;

/// Most keys, and most vulnerabilities, that are listed; where more changed, everything is matched again.
const MOST: usize = 20_000;
/// Most vulnerabilities of whose exploitation something else is known that are listed.
const MOST_EXPLOITED: usize = 50_000;

/// What is different between two editions of the index, see [`Changed`].
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Keys under which components have to be looked at again.
    pub(crate) keys: BTreeSet<i64>,
    /// Vulnerabilities whose verdicts can differ.
    pub(crate) vulnerabilities: BTreeSet<String>,
    /// Vulnerabilities of whose exploitation something else is known; nothing: perhaps all.
    pub(crate) exploitation: Option<BTreeSet<String>>,
}

impl Changes {
    /// Whether verdicts on this vulnerability can differ.
    pub fn concern(&self, vulnerability: &str) -> bool {
        self.vulnerabilities.contains(vulnerability)
    }
}

/// Number and token of the last edition noted.
pub(crate) async fn last(db: &DatabaseConnection) -> Result<Option<(i64, String)>> {
    let select = "SELECT n, token FROM generation ORDER BY n DESC LIMIT 1";
    sql::row(db, "reading editions of the index", select, vec![]).await
}

/// Notes an edition that follows `after`, and what is different in it; nothing: not known. Gives its number.
pub(crate) async fn note(
    db: &DatabaseConnection,
    after: i64,
    token: &str,
    changed: Option<&Changed>,
) -> Result<i64> {
    let what = "noting what changed";
    let tx = db.begin().await.doing(what)?;
    let select = "SELECT COALESCE(MAX(n), 0) FROM generation";
    let last = sql::row::<(i64,)>(&tx, what, select, vec![]).await?.map_or(0, |r| r.0);
    let n = last.max(after) + 1;
    let listed = changed.filter(|c| c.keys.len() <= MOST && c.vulnerabilities.len() <= MOST);
    let exploited = changed.filter(|c| c.exploitation.len() <= MOST_EXPLOITED);
    let insert = "INSERT INTO generation (n, token, whole, exploitation) VALUES ($1, $2, $3, $4)";
    let flags = [i64::from(listed.is_none()), i64::from(exploited.is_none())];
    let values = vec![n.into(), token.into(), flags[0].into(), flags[1].into()];
    sql::run(&tx, what, insert, values).await?;
    let keys = listed.into_iter().flat_map(|c| &c.keys);
    let rows = keys.map(|k| [Value::from(n), (*k as i64).into()]).collect();
    bulk::insert(&tx, what, "INSERT INTO changed_key (generation, key)", "", rows).await?;
    let of = |kind: i64, ids: &BTreeSet<String>| -> Vec<[Value; 3]> {
        ids.iter().map(|id| [n.into(), kind.into(), sql::text(id)]).collect()
    };
    let mut rows = listed.map(|c| of(0, &c.vulnerabilities)).unwrap_or_default();
    rows.extend(exploited.map(|c| of(1, &c.exploitation)).unwrap_or_default());
    let head = "INSERT INTO changed_vulnerability (generation, kind, id)";
    bulk::insert(&tx, what, head, "", rows).await?;
    tx.commit().await.doing(what)?;
    Ok(n)
}

/// What is different in edition `to` from what it was in `from`; nothing where that is not known, or too much to tell.
///
/// # Errors
/// The database does not answer.
pub async fn changes(db: &impl ConnectionTrait, from: i64, to: i64) -> Result<Option<Changes>> {
    let what = "reading what changed";
    if from == to {
        return Ok(Some(Changes { exploitation: Some(BTreeSet::new()), ..Changes::default() }));
    }
    let span = || vec![from.into(), to.into()];
    let select = "SELECT n, whole, exploitation FROM generation WHERE n > $1 AND n <= $2";
    let steps: Vec<(i64, i64, i64)> = sql::rows(db, what, select, span()).await?;
    // a step that is missing (an older copy of the database, steps pruned) is one that is not known
    let complete = from > 0 && from < to && steps.len() as i64 == to - from;
    if !complete || steps.iter().any(|s| s.1 != 0) {
        return Ok(None);
    }
    let select = "SELECT DISTINCT key FROM changed_key WHERE generation > $1 AND generation <= $2 LIMIT $3";
    let mut values = span();
    values.push((MOST as i64 + 1).into());
    let keys: Vec<(i64,)> = sql::rows(db, what, select, values).await?;
    let ids = async |kind: i64, most: usize| {
        let select = "SELECT DISTINCT id FROM changed_vulnerability WHERE generation > $1 AND generation <= $2 \
                      AND kind = $3 LIMIT $4";
        let mut values = span();
        values.extend([Value::from(kind), (most as i64 + 1).into()]);
        let rows: Vec<(String,)> = sql::rows(db, what, select, values).await?;
        Ok::<_, crate::Error>(rows.into_iter().map(|r| r.0).collect::<BTreeSet<String>>())
    };
    let vulnerabilities = ids(0, MOST).await?;
    if keys.len() > MOST || vulnerabilities.len() > MOST {
        return Ok(None);
    }
    let exploitation = if steps.iter().any(|s| s.2 != 0) {
        None
    } else {
        Some(ids(1, MOST_EXPLOITED).await?).filter(|ids| ids.len() <= MOST_EXPLOITED)
    };
    Ok(Some(Changes { keys: keys.into_iter().map(|k| k.0).collect(), vulnerabilities, exploitation }))
}

/// Forgets the steps up to edition `n`, which no release needs any more.
///
/// # Errors
/// The database does not answer.
pub async fn prune(db: &DatabaseConnection, n: i64) -> Result<()> {
    let what = "forgetting old changes";
    // a release that comes back later must not take what is forgotten for nothing
    let update = "UPDATE generation SET whole = 1, exploitation = 1 WHERE n <= $1 AND whole = 0";
    sql::run(db, what, update, vec![n.into()]).await?;
    for table in ["changed_key", "changed_vulnerability"] {
        sql::run(db, what, &format!("DELETE FROM {table} WHERE generation <= $1"), vec![n.into()]).await?;
    }
    // the last one stays, by which the index is known
    let delete = "DELETE FROM generation WHERE n <= $1 AND n < (SELECT MAX(n) FROM generation)";
    sql::run(db, what, delete, vec![n.into()]).await?;
    Ok(())
}

/// Marks a part of the index (`facts`, `vex`) as not up to date.
pub(crate) async fn spoil(tx: &impl ConnectionTrait, part: &str, spoilt: bool) -> Result<()> {
    if spoilt {
        let insert = "INSERT INTO meta (key, value) VALUES ($1, 'stale') ON CONFLICT (key) DO UPDATE SET value = 'stale'";
        sql::run(tx, "marking what the index lacks", insert, vec![format!("index.{part}").into()]).await?;
    }
    Ok(())
}

/// Parts that are not up to date.
pub(crate) async fn stale(db: &impl ConnectionTrait) -> Result<HashSet<String>> {
    let select = "SELECT key FROM meta WHERE key IN ('index.facts', 'index.vex') AND value = 'stale'";
    let rows: Vec<(String,)> = sql::rows(db, "reading what the index lacks", select, vec![]).await?;
    Ok(rows.into_iter().map(|(key,)| key.trim_start_matches("index.").to_owned()).collect())
}

/// Marks all parts as up to date.
pub(crate) async fn fresh(tx: &impl ConnectionTrait) -> Result<()> {
    let delete = "DELETE FROM meta WHERE key IN ('index.facts', 'index.vex')";
    sql::run(tx, "closing the index build", delete, vec![]).await?;
    Ok(())
}

/// Ids of the vulnerabilities on which other statements stand, or in another order, than before.
pub(crate) fn restated(before: &[VexStatement], now: &[VexStatement]) -> Vec<String> {
    let by_id = |list: &[VexStatement]| {
        let mut map: HashMap<String, Vec<String>> = HashMap::new();
        for s in list {
            let json = super::vex::to_json(s);
            for id in std::iter::once(&s.vulnerability).chain(&s.aliases) {
                map.entry(id.to_ascii_uppercase()).or_default().push(json.clone());
            }
        }
        map
    };
    let (mut before, now) = (by_id(before), by_id(now));
    let mut ids: Vec<String> = Vec::new();
    for (id, list) in now {
        if before.remove(&id).is_none_or(|was| was != list) {
            ids.push(id);
        }
    }
    ids.extend(before.into_keys());
    ids
}

//! Questions to the store: status, show, raw.

use std::collections::BTreeMap;

use sea_orm::{DatabaseConnection, Value};
use tocsin_model::record::Fact;

use crate::error::{Error, Result};
use crate::intel::Store;
use crate::intel::index::{self, parse_stored, unpack};
use crate::intel::types::{Problem, Shown, ShownRecord, SourceStatus, Status};
use crate::intel::{facts, runs, vex};
use crate::platform::access::{Actor, Permission};
use crate::platform::db::Place;
use crate::platform::sql::{list, row, rows, text, texts};

/// Runs that are looked through for the last import of a source.
const RUNS: i64 = 1000;

async fn count(db: &DatabaseConnection, sql: &str) -> Result<u64> {
    let found: Option<(i64,)> = row(db, "counting", sql, vec![]).await?;
    Ok(found.map_or(0, |n| u64::try_from(n.0).unwrap_or(0)))
}

async fn dated(db: &DatabaseConnection, sql: &str) -> Result<(u64, Option<String>)> {
    let found: Option<(i64, Option<String>)> = row(db, "counting", sql, vec![]).await?;
    Ok(found.map_or((0, None), |(n, date)| (u64::try_from(n).unwrap_or(0), date)))
}

impl Store {
    /// Numbers of the store.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn status(&self) -> Result<Status> {
        let mut status = self.runtime.block_on(self.numbers())?;
        let size = |path: std::path::PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
        if let Place::File(file) = &self.place {
            status.database_bytes = size(file.clone()) + size(file.with_extension("db-wal"));
        }
        let behind = status.index.behind;
        status.index = index::status(self);
        status.index.behind = behind;
        Ok(status)
    }

    async fn numbers(&self) -> Result<Status> {
        let db = &self.db;
        let what = "counting records";
        let sql = "SELECT source, count(*), max(modified) FROM record GROUP BY source";
        let records: Vec<(String, i64, Option<String>)> = rows(db, what, sql, vec![]).await?;
        let sql = "SELECT source, count(*) FROM problem GROUP BY source";
        let problems: Vec<(String, i64)> = rows(db, what, sql, vec![]).await?;
        let runs = runs::last(db, RUNS).await?;
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let mut sources: BTreeMap<String, SourceStatus> = BTreeMap::new();
        for (source, n, newest) in records {
            let s = sources.entry(source).or_default();
            (s.records, s.newest) = (number(n), newest);
        }
        for (source, n) in problems {
            sources.entry(source).or_default().problems = number(n);
        }
        for (source, s) in &mut sources {
            s.source.clone_from(source);
            s.imported = runs.iter().find(|r| r.sources.contains_key(source)).map(|r| r.started.clone());
        }
        let mut status = Status {
            sources: sources.into_values().filter(|s| !s.source.is_empty()).collect(),
            imports: runs.into_iter().take(5).collect(),
            vulnerabilities: count(db, "SELECT count(*) FROM vulnerability").await?,
            epss: dated(db, "SELECT count(*), max(date) FROM epss").await?,
            kev: dated(db, "SELECT count(*), max(coalesce(released, date_added)) FROM kev").await?,
            exploits: count(db, "SELECT count(*) FROM (SELECT DISTINCT origin, id FROM exploit) e").await?,
            cwes: count(db, "SELECT count(*) FROM catalogue").await?,
            vex: count(db, "SELECT count(*) FROM vex_statement").await?,
            problems: count(db, "SELECT count(*) FROM problem").await?,
            remarks: count(db, "SELECT count(*) FROM remark").await?,
            ..Status::default()
        };
        status.index.behind = count(db, "SELECT count(*) FROM vulnerability WHERE dirty = 1").await?
            + count(db, "SELECT count(*) FROM gone").await?;
        Ok(status)
    }

    /// Everything known of a vulnerability, by its main id, an alias or a record's id.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database does not answer.
    pub fn show(&self, id: &str) -> Result<Shown> {
        self.runtime.block_on(show(&self.db, id))
    }
    /// A stored record's bytes as they stood in the input.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database does not answer.
    pub fn raw(&self, source: &str, id: &str) -> Result<Vec<u8>> {
        let sql = "SELECT w.raw FROM record r JOIN record_raw w ON w.record = r.id
             WHERE r.source = $1 AND r.record_id = $2";
        let values = vec![text(source), text(id)];
        let row: Option<(Vec<u8>,)> =
            self.runtime.block_on(row(&self.db, "reading a record", sql, values))?;
        let packed = row.ok_or_else(|| Error::NotFound(format!("{source} {id}")))?.0;
        unpack(&packed).ok_or_else(|| Error::Internal {
            doing: format!("unpacking {source} {id}"),
            cause: "the stored bytes are damaged".into(),
        })
    }
}

/// See [`Store::show`], for whoever has a database open.
///
/// # Errors
/// Denied; as [`Store::show`].
pub async fn shown(db: &DatabaseConnection, actor: &Actor, id: &str) -> Result<Shown> {
    actor.need(Permission::IntelRead)?;
    show(db, id).await
}

async fn show(db: &DatabaseConnection, id: &str) -> Result<Shown> {
    let what = "reading the vulnerability";
    // A document of several flaws (CSAF) is not one of them: its id leads to the first.
    let sql = "SELECT id, main FROM vulnerability WHERE id = coalesce(
           (SELECT vulnerability FROM alias WHERE id = $1),
           (SELECT l.vulnerability FROM record r JOIN record_link l ON l.record = r.id WHERE r.record_id = $1
            ORDER BY l.record, l.part LIMIT 1))";
    let mut found: Option<(i64, String)> = row(db, what, sql, vec![text(id)]).await?;
    if found.is_none() {
        found = row(db, what, sql, vec![text(&id.to_ascii_uppercase())]).await?;
    }
    let (number, main) = found.ok_or_else(|| Error::NotFound(id.to_owned()))?;
    let sql = "SELECT id FROM alias WHERE vulnerability = $1";
    let ids: Vec<(String,)> = rows(db, what, sql, vec![Value::from(number)]).await?;
    let mut ids: Vec<String> = ids.into_iter().map(|i| i.0).collect();
    ids.sort();
    let records = records_of(db, number).await?;
    let sql = format!("SELECT date, score, percentile FROM epss_change WHERE cve IN {}", texts(db, 1));
    let mut epss_history: Vec<(String, f64, f64)> = rows(db, what, &sql, vec![list(&ids)]).await?;
    epss_history.sort_by(|a, b| a.0.cmp(&b.0));
    let facts = facts::read(db, Some(&ids)).await?;
    // steps alone are kept: the score of now may be a little beside the last
    for fact in &facts {
        if let Fact::Epss { date, score, percentile, .. } = fact
            && epss_history.last().is_some_and(|last| last.0 < *date)
        {
            epss_history.push((date.clone(), f64::from(*score), f64::from(*percentile)));
        }
    }
    let see_also = see_also(db, number, &ids, &records).await?;
    let names: Vec<String> = records.iter().map(|r| format!("{} {}", r.source, r.record_id)).collect();
    let sql = format!(
        "SELECT id, seen, source, place, code, message FROM problem WHERE code = 'record-alias-conflict'
         AND place IN {} ORDER BY id",
        texts(db, 1)
    );
    type Row = (i64, String, String, String, String, String);
    let problems: Vec<Row> = rows(db, what, &sql, vec![list(&names)]).await?;
    let problem =
        |(id, seen, source, place, code, message): Row| Problem { id, seen, source, place, code, message };
    let about = |s: &tocsin_model::vex::VexStatement| {
        std::iter::once(&s.vulnerability).chain(&s.aliases).any(|id| ids.contains(id))
    };
    let vex = vex::naming(db, &ids).await?;
    let vex = vex.iter().filter_map(|s| vex::from_json(s)).filter(about).collect();
    Ok(Shown {
        aliases: ids.iter().filter(|i| **i != main).cloned().collect(),
        id: main,
        records,
        facts,
        see_also,
        vex,
        problems: problems.into_iter().map(problem).collect(),
        epss_history,
    })
}

/// What tells the words of others again stands behind them, and what is in Japanese last: the first title is the one shown.
fn late(source: &str) -> u8 {
    match source {
        "vulndb" => 1,
        "euvd" => 2,
        "jvn" => 3,
        _ => 0,
    }
}

async fn records_of(db: &DatabaseConnection, number: i64) -> Result<Vec<ShownRecord>> {
    let what = "reading the records";
    type Row = (i64, i64, String, String, i64, String, String, Vec<u8>);
    let sql = "SELECT r.id, l.part, r.source, r.record_id, r.kind, r.first_seen, r.last_seen, w.raw
         FROM record_link l JOIN record r ON r.id = l.record JOIN record_raw w ON w.record = r.id
         WHERE l.vulnerability = $1";
    let mut found: Vec<Row> = rows(db, what, sql, vec![Value::from(number)]).await?;
    found.sort_by(|a, b| (late(&a.2), &a.2, &a.3, a.1).cmp(&(late(&b.2), &b.2, &b.3, b.1)));
    let sql = "SELECT h.record, h.until, h.modified FROM record_history h WHERE h.record IN
         (SELECT l.record FROM record_link l WHERE l.vulnerability = $1) ORDER BY h.record, h.n";
    let mut history: BTreeMap<i64, Vec<(String, Option<String>)>> = BTreeMap::new();
    for (record, until, modified) in rows(db, what, sql, vec![Value::from(number)]).await? {
        history.entry(record).or_default().push((until, modified));
    }
    let mut records = Vec::new();
    for (record, part, source, record_id, kind, first_seen, last_seen, raw) in found {
        let parts = parse_stored(kind, &raw);
        let Some(parsed) = usize::try_from(part).ok().and_then(|n| parts.into_iter().nth(n)) else {
            continue;
        };
        let history = history.get(&record).cloned().unwrap_or_default();
        records.push(ShownRecord { source, record_id, first_seen, last_seen, record: parsed, history });
    }
    Ok(records)
}

/// Links of a flaw: ids its records name without being merged with them, records elsewhere that name it so,
/// and what its records call related or upstream.
async fn see_also(
    db: &DatabaseConnection,
    number: i64,
    ids: &[String],
    records: &[ShownRecord],
) -> Result<Vec<(&'static str, String, Option<String>)>> {
    let what = "reading links";
    let sql = "SELECT DISTINCT o.id FROM record_also o
         JOIN record_link l ON l.record = o.record AND l.part = o.part WHERE l.vulnerability = $1";
    let names: Vec<(String,)> = rows(db, what, sql, vec![Value::from(number)]).await?;
    let sql = format!(
        "SELECT DISTINCT r.record_id FROM record_also o JOIN record r ON r.id = o.record
         JOIN record_link l ON l.record = o.record AND l.part = o.part
         WHERE o.id IN {} AND l.vulnerability <> $2",
        texts(db, 1)
    );
    let named: Vec<(String,)> = rows(db, what, &sql, vec![list(ids), Value::from(number)]).await?;
    let mut links: Vec<(&'static str, String)> = names.into_iter().map(|n| ("names", n.0)).collect();
    links.extend(named.into_iter().map(|n| ("named by", n.0)));
    for r in records {
        links.extend(r.record.related.iter().map(|id| ("related", id.clone())));
        links.extend(r.record.upstream.iter().map(|id| ("upstream", id.clone())));
    }
    links.retain(|(_, id)| !ids.contains(id));
    links.sort();
    links.dedup();
    let wanted: Vec<&str> = links.iter().map(|l| l.1.as_str()).collect();
    let sql = format!(
        "SELECT a.id, v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability WHERE a.id IN {}",
        texts(db, 1)
    );
    let mains: Vec<(String, String)> = rows(db, what, &sql, vec![list(&wanted)]).await?;
    let mains: BTreeMap<String, String> = mains.into_iter().collect();
    Ok(links.into_iter().map(|(how, id)| (how, id.clone(), mains.get(&id).cloned())).collect())
}

/// What all sources say of vulnerabilities by any of their ids: the id asked for, and the vulnerability that it is of.
/// Ids that are not known are missing.
pub(crate) async fn groups(
    db: &impl sea_orm::ConnectionTrait,
    ids: &[&str],
) -> Result<Vec<(String, tocsin_engine::index::Group)>> {
    let sql = format!(
        "SELECT a.id, v.id, v.main FROM alias a JOIN vulnerability v ON v.id = a.vulnerability WHERE a.id IN {}",
        texts(db, 1)
    );
    let found: Vec<(String, i64, String)> =
        rows(db, "reading vulnerabilities", &sql, vec![list(ids)]).await?;
    let numbers: BTreeMap<i64, String> = found.iter().map(|(_, n, main)| (*n, main.clone())).collect();
    let groups: BTreeMap<i64, _> =
        index::groups_of(db, numbers.into_iter().collect()).await?.into_iter().collect();
    Ok(found.into_iter().filter_map(|(id, n, _)| Some((id, groups.get(&n)?.clone()))).collect())
}

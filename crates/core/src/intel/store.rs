//! All SQL that writes: batches of records, facts, VEX statements and problems, each one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::Fact;

use crate::error::{Doing, Error, Result};
use crate::intel::catalogue;
use crate::intel::merge::{Part, merge};
use crate::intel::types::Counts;

/// A record parsed, hashed and compressed, ready to be written.
pub(crate) struct Prepared {
    pub source: &'static str,
    pub record_id: String,
    pub kind: i64,
    pub hash: String,
    pub modified: Option<String>,
    pub state: &'static str,
    pub title: String,
    pub raw: Vec<u8>,
    /// Ids of each parsed record, own id first.
    pub parts: Vec<Vec<String>>,
    pub place: String,
}

/// A refused part of an input.
pub(crate) struct Refused {
    pub diagnostic: Diagnostic,
    pub bytes: Vec<u8>,
}

/// What is written at once.
#[derive(Default)]
pub(crate) struct Batch {
    pub records: Vec<Prepared>,
    pub facts: Vec<Fact>,
    /// VEX statements: (hash, JSON).
    pub vex: Vec<(String, String)>,
    pub refused: Vec<Refused>,
    pub counts: BTreeMap<String, Counts>,
}

struct Known {
    id: i64,
    hash: String,
    modified: Option<String>,
}

fn json(items: &[impl serde::Serialize]) -> Result<String> {
    serde_json::to_string(items)
        .map_err(|e| Error::Internal { doing: "binding a list".to_owned(), cause: Box::new(e) })
}

/// Sources of those of `hashes` that are stored already.
pub(crate) async fn known_hashes(pool: &SqlitePool, hashes: &[&str]) -> Result<HashMap<String, String>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT r.hash, r.source FROM json_each(?) j CROSS JOIN record r INDEXED BY record_hash ON r.hash = j.value",
    )
    .bind(json(hashes)?)
    .fetch_all(pool)
    .await
    .doing("looking for known records")?;
    Ok(rows.into_iter().collect())
}

/// Writes a batch in one transaction; returns its counts and the diagnostics of refused merges.
pub(crate) async fn write(
    pool: &SqlitePool,
    mut batch: Batch,
    now: &str,
) -> Result<(BTreeMap<String, Counts>, Vec<Diagnostic>)> {
    let mut tx = pool.begin().await.doing("beginning an import batch")?;
    let mut counts = std::mem::take(&mut batch.counts);
    let conflicts = write_records(&mut tx, &batch.records, now, &mut counts).await?;
    write_facts(&mut tx, &batch.facts, now, &mut counts).await?;
    write_vex(&mut tx, &batch.vex, now, &mut counts).await?;
    for d in &conflicts {
        batch.refused.push(Refused { diagnostic: d.clone(), bytes: Vec::new() });
    }
    write_problems(&mut tx, &batch.refused, now).await?;
    tx.commit().await.doing("committing an import batch")?;
    Ok((counts, conflicts))
}

async fn next_id(tx: &mut SqliteConnection, sql: &'static str) -> Result<i64> {
    let (max,): (i64,) = sqlx::query_as(sql).fetch_one(tx).await.doing("numbering rows")?;
    Ok(max + 1)
}

async fn write_records(
    tx: &mut SqliteConnection,
    records: &[Prepared],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<Vec<Diagnostic>> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = records.iter().map(|r| r.record_id.as_str()).collect();
    let rows: Vec<(i64, String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT r.id, r.source, r.record_id, r.hash, r.modified FROM json_each(?) j
         CROSS JOIN record r INDEXED BY record_record_id ON r.record_id = j.value",
    )
    .bind(json(&ids)?)
    .fetch_all(&mut *tx)
    .await
    .doing("looking for stored records")?;
    let mut known: HashMap<(String, String), Known> =
        rows.into_iter().map(|(id, s, r, hash, modified)| ((s, r), Known { id, hash, modified })).collect();
    let mut next = next_id(tx, "SELECT coalesce(max(id), 0) FROM record").await?;
    // Last accepted content of each record of this batch, by number.
    let mut accepted: BTreeMap<i64, (&Prepared, bool)> = BTreeMap::new();
    for r in records {
        let c = counts.entry(r.source.to_owned()).or_default();
        let key = (r.source.to_owned(), r.record_id.clone());
        match known.get_mut(&key) {
            Some(k) if k.hash == r.hash => c.unchanged += 1,
            Some(k) if is_older(r.modified.as_deref(), k.modified.as_deref()) => c.older += 1,
            Some(k) => {
                c.changed += 1;
                k.hash.clone_from(&r.hash);
                k.modified.clone_from(&r.modified);
                let new = accepted.get(&k.id).is_some_and(|(_, new)| *new);
                accepted.insert(k.id, (r, new));
            }
            None => {
                c.new += 1;
                accepted.insert(next, (r, true));
                known.insert(key, Known { id: next, hash: r.hash.clone(), modified: r.modified.clone() });
                next += 1;
            }
        }
    }
    if accepted.is_empty() {
        return Ok(Vec::new());
    }
    let old: Vec<i64> = accepted.iter().filter(|(_, (_, new))| !new).map(|(id, _)| *id).collect();
    let old_json = json(&old)?;
    if !old.is_empty() {
        sqlx::query(
            "INSERT INTO record_history (record, until, hash, modified, raw)
             SELECT r.id, ?2, r.hash, r.modified, w.raw FROM json_each(?1) j JOIN record r ON r.id = j.value
             JOIN record_raw w ON w.record = r.id WHERE true ON CONFLICT DO UPDATE SET until = excluded.until",
        )
        .bind(&old_json)
        .bind(now)
        .execute(&mut *tx)
        .await
        .doing("keeping the history")?;
    }
    let rows: Vec<(&i64, &&Prepared)> = accepted.iter().map(|(id, (r, _))| (id, r)).collect();
    for chunk in rows.chunks(1000) {
        let mut q = QueryBuilder::<Sqlite>::new(
            "INSERT INTO record (id, source, record_id, kind, hash, modified, state, title, first_seen, last_seen) ",
        );
        q.push_values(chunk, |mut b, (id, r)| {
            b.push_bind(**id)
                .push_bind(r.source)
                .push_bind(&r.record_id)
                .push_bind(r.kind)
                .push_bind(&r.hash);
            b.push_bind(&r.modified).push_bind(r.state).push_bind(&r.title).push_bind(now).push_bind(now);
        });
        q.push(
            " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, hash = excluded.hash, modified = excluded.modified,
              state = excluded.state, title = excluded.title, last_seen = excluded.last_seen",
        );
        q.build().execute(&mut *tx).await.doing("writing records")?;
        let mut q = QueryBuilder::<Sqlite>::new("INSERT INTO record_raw (record, raw) ");
        q.push_values(chunk, |mut b, (id, r)| {
            b.push_bind(**id).push_bind(&r.raw);
        });
        q.push(" ON CONFLICT (record) DO UPDATE SET raw = excluded.raw");
        q.build().execute(&mut *tx).await.doing("writing records")?;
    }
    regroup(tx, &accepted, &old_json).await
}

/// Puts the parts of the written records, and of all groups they touch, into groups anew.
async fn regroup(
    tx: &mut SqliteConnection,
    accepted: &BTreeMap<i64, (&Prepared, bool)>,
    old_json: &str,
) -> Result<Vec<Diagnostic>> {
    let mut parts: Vec<Part> = Vec::new();
    for (id, (r, _)) in accepted {
        for (n, ids) in r.parts.iter().enumerate() {
            parts.push(Part { record: *id, part: n as i64, ids: ids.clone() });
        }
    }
    let all: BTreeSet<&str> = parts.iter().flat_map(|p| p.ids.iter().map(String::as_str)).collect();
    let all: Vec<&str> = all.into_iter().collect();
    let touched: Vec<(i64, String)> = sqlx::query_as(
        "SELECT v.id, v.main FROM vulnerability v WHERE v.id IN (
           SELECT a.vulnerability FROM json_each(?1) j CROSS JOIN alias a ON a.id = j.value
           UNION SELECT l.vulnerability FROM json_each(?2) j CROSS JOIN record_link l ON l.record = j.value)",
    )
    .bind(json(&all)?)
    .bind(old_json)
    .fetch_all(&mut *tx)
    .await
    .doing("looking for groups")?;
    let touched_ids: Vec<i64> = touched.iter().map(|t| t.0).collect();
    let touched_json = json(&touched_ids)?;
    if !touched.is_empty() {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT l.record, l.part, l.ids FROM json_each(?) j
             CROSS JOIN record_link l INDEXED BY record_link_vulnerability ON l.vulnerability = j.value",
        )
        .bind(&touched_json)
        .fetch_all(&mut *tx)
        .await
        .doing("reading groups")?;
        for (record, part, ids) in rows {
            if !accepted.contains_key(&record) {
                parts.push(Part { record, part, ids: serde_json::from_str(&ids).unwrap_or_default() });
            }
        }
        for sql in [
            "DELETE FROM record_link WHERE vulnerability IN (SELECT value FROM json_each(?))",
            "DELETE FROM alias WHERE vulnerability IN (SELECT value FROM json_each(?))",
            "INSERT OR IGNORE INTO gone SELECT main FROM vulnerability WHERE id IN (SELECT value FROM json_each(?))",
            "DELETE FROM vulnerability WHERE id IN (SELECT value FROM json_each(?))",
        ] {
            sqlx::query(sql).bind(&touched_json).execute(&mut *tx).await.doing("regrouping")?;
        }
    }
    parts.sort();
    let (groups, refused) = merge(&parts);
    let reuse: HashMap<&str, i64> = touched.iter().map(|(id, main)| (main.as_str(), *id)).collect();
    // Numbers of deleted rows must not be given twice in one batch.
    let mut next = next_id(tx, "SELECT coalesce(max(id), 0) FROM vulnerability").await?;
    next = next.max(touched_ids.iter().max().map_or(0, |m| m + 1));
    let mut vulnerabilities: Vec<(i64, &str)> = Vec::new();
    let mut aliases: Vec<(&str, i64)> = Vec::new();
    let mut links: Vec<(&Part, i64)> = Vec::new();
    for group in &groups {
        let id = reuse.get(group.main.as_str()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        vulnerabilities.push((id, &group.main));
        aliases.extend(group.ids.iter().map(|a| (a.as_str(), id)));
        links.extend(group.parts.iter().filter_map(|p| parts.get(*p)).map(|p| (p, id)));
    }
    for chunk in vulnerabilities.chunks(5000) {
        let mut q = QueryBuilder::<Sqlite>::new("INSERT INTO vulnerability (id, main) ");
        q.push_values(chunk, |mut b, (id, main)| {
            b.push_bind(*id).push_bind(*main);
        });
        q.build().execute(&mut *tx).await.doing("writing vulnerabilities")?;
    }
    for chunk in aliases.chunks(5000) {
        let mut q = QueryBuilder::<Sqlite>::new("INSERT INTO alias (id, vulnerability) ");
        q.push_values(chunk, |mut b, (alias, id)| {
            b.push_bind(*alias).push_bind(*id);
        });
        q.build().execute(&mut *tx).await.doing("writing aliases")?;
    }
    for chunk in links.chunks(5000) {
        let mut q =
            QueryBuilder::<Sqlite>::new("INSERT INTO record_link (record, part, vulnerability, ids) ");
        q.push_values(chunk, |mut b, (part, id)| {
            b.push_bind(part.record).push_bind(part.part).push_bind(*id);
            b.push_bind(json(&part.ids).unwrap_or_default());
        });
        q.build().execute(&mut *tx).await.doing("linking records")?;
    }
    let conflict = |index: &usize| {
        let part = parts.get(*index)?;
        let (r, _) = accepted.get(&part.record)?;
        Some(Diagnostic::new(
            "record-alias-conflict",
            r.place.clone(),
            format!("{} stays alone", part.ids.join(", ")),
        ))
    };
    Ok(refused.iter().filter_map(conflict).collect())
}

async fn write_facts(
    tx: &mut SqliteConnection,
    facts: &[Fact],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let day = now.get(..10).unwrap_or(now);
    let (mut epss, mut kev, mut exploits, mut entries) =
        (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
    for fact in facts {
        match fact {
            Fact::Epss { cve, score, percentile, date } => {
                let date = if date.is_empty() { day } else { date };
                epss.insert((cve, date), (f64::from(*score), f64::from(*percentile)));
            }
            Fact::Kev { cve, date_added, due_date, ransomware, name } => {
                kev.push((cve, date_added, due_date, *ransomware, name));
            }
            Fact::Exploit { vulnerabilities, origin, id, title, date, verified, rank } => {
                exploits
                    .extend(vulnerabilities.iter().map(|v| (origin, id, v, title, date, *verified, rank)));
            }
            Fact::Catalogue(entry) => entries.push(entry.as_ref()),
        }
    }
    // Of several days of one file each is a step of its own, so that changes are told day by day.
    let epss: Vec<_> = epss.into_iter().collect();
    let mut days: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in &epss {
        days.entry(row.0.1).or_default().push(row);
    }
    for rows in days.values() {
        for chunk in rows.chunks(8000) {
            sqlx::query(
                "CREATE TEMP TABLE IF NOT EXISTS epss_in (cve TEXT, date TEXT, score REAL, percentile REAL)",
            )
            .execute(&mut *tx)
            .await
            .doing("staging EPSS")?;
            let mut q = QueryBuilder::<Sqlite>::new("INSERT INTO epss_in ");
            q.push_values(chunk, |mut b, ((cve, date), (score, percentile))| {
                b.push_bind(cve.as_str()).push_bind(*date).push_bind(*score).push_bind(*percentile);
            });
            q.build().execute(&mut *tx).await.doing("staging EPSS")?;
            let changed = sqlx::query(
                "INSERT INTO epss_change SELECT i.cve, i.date, i.score, i.percentile FROM epss_in i
                 LEFT JOIN epss e ON e.cve = i.cve WHERE e.cve IS NULL OR e.score <> i.score
                 ON CONFLICT (cve, date) DO UPDATE SET score = excluded.score, percentile = excluded.percentile",
            )
            .execute(&mut *tx)
            .await
            .doing("keeping EPSS changes")?
            .rows_affected();
            sqlx::query(
                "INSERT INTO epss SELECT cve, date, score, percentile FROM epss_in WHERE true
                 ON CONFLICT (cve) DO UPDATE SET date = excluded.date, score = excluded.score,
                 percentile = excluded.percentile WHERE excluded.date >= epss.date
                 AND (excluded.date, excluded.score, excluded.percentile) <> (epss.date, epss.score, epss.percentile)",
            )
            .execute(&mut *tx)
            .await
            .doing("writing EPSS")?;
            sqlx::query("DELETE FROM epss_in").execute(&mut *tx).await.doing("staging EPSS")?;
            tally(counts, "epss", chunk.len() as u64, changed);
        }
    }
    for chunk in kev.chunks(5000) {
        let mut q = QueryBuilder::<Sqlite>::new(
            "INSERT OR IGNORE INTO kev_change (cve, seen, date_added, due_date, ransomware, name) ",
        );
        q.push_values(chunk, |mut b, (cve, added, due, ransomware, name)| {
            b.push_bind(cve.as_str()).push_bind(now).push_bind(added.as_str());
            b.push_bind(due.as_deref().unwrap_or("")).push_bind(*ransomware).push_bind(name.as_str());
        });
        let changed = q.build().execute(&mut *tx).await.doing("keeping KEV changes")?.rows_affected();
        let mut q = QueryBuilder::<Sqlite>::new(
            "INSERT OR REPLACE INTO kev (cve, date_added, due_date, ransomware, name) ",
        );
        q.push_values(chunk, |mut b, (cve, added, due, ransomware, name)| {
            b.push_bind(cve.as_str()).push_bind(added.as_str()).push_bind(due.as_deref());
            b.push_bind(*ransomware).push_bind(name.as_str());
        });
        q.build().execute(&mut *tx).await.doing("writing KEV")?;
        tally(counts, "kev", chunk.len() as u64, changed);
    }
    for chunk in exploits.chunks(4000) {
        let mut q = QueryBuilder::<Sqlite>::new(
            "INSERT INTO exploit (origin, id, cve, title, date, verified, rank) ",
        );
        q.push_values(chunk, |mut b, (origin, id, cve, title, date, verified, rank)| {
            b.push_bind(**origin).push_bind(id.as_str()).push_bind(cve.as_str()).push_bind(title.as_str());
            b.push_bind(date.as_deref()).push_bind(*verified).push_bind(rank.map(i64::from));
        });
        q.push(
            " ON CONFLICT (origin, id, cve) DO UPDATE SET title = excluded.title, date = excluded.date,
              verified = excluded.verified, rank = excluded.rank WHERE title <> excluded.title
              OR date IS NOT excluded.date OR verified <> excluded.verified OR rank IS NOT excluded.rank",
        );
        let changed = q.build().execute(&mut *tx).await.doing("writing exploits")?.rows_affected();
        tally(counts, "exploit", chunk.len() as u64, changed);
    }
    catalogue::write(tx, &entries, counts).await?;
    Ok(())
}

/// Facts have no bytes of their own, so new and changed ones are counted together as changed.
pub(crate) fn tally(counts: &mut BTreeMap<String, Counts>, source: &str, read: u64, changed: u64) {
    let c = counts.entry(source.to_owned()).or_default();
    c.read += read;
    c.changed += changed.min(read);
    c.unchanged += read.saturating_sub(changed);
}

async fn write_vex(
    tx: &mut SqliteConnection,
    vex: &[(String, String)],
    now: &str,
    counts: &mut BTreeMap<String, Counts>,
) -> Result<()> {
    for chunk in vex.chunks(5000) {
        let mut q = QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO vex_statement (hash, seen, body) ");
        q.push_values(chunk, |mut b, (hash, body)| {
            b.push_bind(hash).push_bind(now).push_bind(body);
        });
        let new = q.build().execute(&mut *tx).await.doing("writing VEX statements")?.rows_affected();
        let c = counts.entry("vex".to_owned()).or_default();
        c.read += chunk.len() as u64;
        c.new += new;
        c.unchanged += (chunk.len() as u64).saturating_sub(new);
    }
    Ok(())
}

async fn write_problems(tx: &mut SqliteConnection, refused: &[Refused], now: &str) -> Result<()> {
    for chunk in refused.chunks(1000) {
        let mut q =
            QueryBuilder::<Sqlite>::new("INSERT INTO problem (hash, seen, place, code, message, bytes) ");
        q.push_values(chunk, |mut b, r| {
            let d = &r.diagnostic;
            let key = format!("{}\0{}\0{}", d.code, d.path, d.message);
            let bytes = r.bytes.get(..64 << 10).unwrap_or(&r.bytes);
            b.push_bind(super::hash(0, key.as_bytes())).push_bind(now).push_bind(&d.path).push_bind(d.code);
            b.push_bind(&d.message).push_bind(bytes);
        });
        q.push(" ON CONFLICT (hash) DO UPDATE SET seen = excluded.seen, bytes = excluded.bytes");
        q.build().execute(&mut *tx).await.doing("keeping problems")?;
    }
    Ok(())
}

/// Whether `new` is an earlier instant than `old`; what cannot be read as an instant is never older.
pub(crate) fn is_older(new: Option<&str>, old: Option<&str>) -> bool {
    match (new.and_then(instant), old.and_then(instant)) {
        (Some(new), Some(old)) => new < old,
        _ => false,
    }
}

/// Microseconds since 1970 of an RFC 3339 date-time (a missing offset counts as UTC) or date.
fn instant(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (y, m, d) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (h, min, s) = (number(11, 13).unwrap_or(0), number(14, 16).unwrap_or(0), number(17, 19).unwrap_or(0));
    let rest = text.get(19..).unwrap_or("");
    let digits: String =
        rest.strip_prefix('.').unwrap_or("").chars().take_while(char::is_ascii_digit).take(6).collect();
    let micros = format!("{digits:0<6}").parse::<i64>().unwrap_or(0);
    let offset = rest.rfind(['+', '-']).and_then(|at| {
        let hours: i64 = rest.get(at + 1..at + 3)?.parse().ok()?;
        let minutes: i64 = rest.get(at + 4..at + 6)?.parse().ok()?;
        let sign = if rest.get(at..=at) == Some("-") { -1 } else { 1 };
        Some(sign * (hours * 60 + minutes) * 60)
    });
    // Days from the civil calendar, years beginning in March.
    let (y, m) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
    let days =
        y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (m * 153 + 2) / 5 + d - 719_469;
    Some((((days * 24 + h) * 60 + min) * 60 + s - offset.unwrap_or(0)) * 1_000_000 + micros)
}

//! Questions to the store: status, show, search, problems, raw.

use sqlx::SqlitePool;
use tocsin_model::record::Fact;

use crate::error::{Doing, Error, Result};
use crate::intel::Store;
use crate::intel::index::{parse_stored, unpack};
use crate::intel::types::{Hit, Problem, Shown, ShownRecord, Status};

/// The origins an exploit can have; the word of the model is static.
const ORIGINS: &[&str] = &["exploit-db", "metasploit", "poc"];

/// KEV, current EPSS and exploits: of the ids in the JSON list, or all.
pub(crate) async fn facts(store: &Store, ids: Option<&str>) -> Result<Vec<Fact>> {
    let what = "reading facts";
    let pool = &store.pool;
    let mut out = Vec::new();
    let kev: Vec<(String, String, Option<String>, bool, String)> = sqlx::query_as(
        "SELECT cve, date_added, due_date, ransomware, name FROM kev
         WHERE ?1 IS NULL OR cve IN (SELECT value FROM json_each(?1)) ORDER BY cve",
    )
    .bind(ids)
    .fetch_all(pool)
    .await
    .doing(what)?;
    out.extend(kev.into_iter().map(|(cve, date_added, due_date, ransomware, name)| Fact::Kev {
        cve,
        date_added,
        due_date,
        ransomware,
        name,
    }));
    let sql = match ids {
        Some(_) => {
            "SELECT cve, date, score, percentile FROM epss WHERE cve IN (SELECT value FROM json_each(?1))"
        }
        None => "SELECT cve, date, score, percentile FROM epss WHERE ?1 IS NULL ORDER BY cve",
    };
    let epss: Vec<(String, String, f64, f64)> =
        sqlx::query_as(sql).bind(ids).fetch_all(pool).await.doing(what)?;
    out.extend(epss.into_iter().map(|(cve, date, score, percentile)| Fact::Epss {
        cve,
        date,
        score: score as f32,
        percentile: percentile as f32,
    }));
    let sql = match ids {
        Some(_) => {
            "SELECT origin, id, cve, title, date, verified, rank FROM exploit
             WHERE cve IN (SELECT value FROM json_each(?1)) ORDER BY origin, id"
        }
        None => {
            "SELECT origin, id, cve, title, date, verified, rank FROM exploit WHERE ?1 IS NULL ORDER BY origin, id"
        }
    };
    type Row = (String, String, String, String, Option<String>, bool, Option<i64>);
    let exploits: Vec<Row> = sqlx::query_as(sql).bind(ids).fetch_all(pool).await.doing(what)?;
    for (origin, id, cve, title, date, verified, rank) in exploits {
        let Some(origin) = ORIGINS.iter().find(|o| **o == origin) else { continue };
        let rank = rank.and_then(|r| u16::try_from(r).ok());
        out.push(Fact::Exploit { vulnerabilities: vec![cve], origin, id, title, date, verified, rank });
    }
    Ok(out)
}

async fn count(pool: &SqlitePool, sql: &'static str) -> Result<u64> {
    let (n,): (i64,) = sqlx::query_as(sql).fetch_one(pool).await.doing("counting")?;
    Ok(u64::try_from(n).unwrap_or(0))
}

async fn dated(pool: &SqlitePool, sql: &'static str) -> Result<(u64, Option<String>)> {
    let (n, date): (i64, Option<String>) = sqlx::query_as(sql).fetch_one(pool).await.doing("counting")?;
    Ok((u64::try_from(n).unwrap_or(0), date))
}

impl Store {
    /// Numbers of the store.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn status(&self) -> Result<Status> {
        let pool = &self.pool;
        let mut status = self.runtime.block_on(async {
            let sources: Vec<(String, i64, Option<String>)> = sqlx::query_as(
                "SELECT source, count(*), max(modified) FROM record GROUP BY source ORDER BY source",
            )
            .fetch_all(pool)
            .await
            .doing("counting records")?;
            Ok::<_, Error>(Status {
                sources: sources.into_iter().map(|(s, n, d)| (s, u64::try_from(n).unwrap_or(0), d)).collect(),
                vulnerabilities: count(pool, "SELECT count(*) FROM vulnerability").await?,
                epss: dated(pool, "SELECT count(*), max(date) FROM epss").await?,
                kev: dated(pool, "SELECT count(*), max(date_added) FROM kev").await?,
                exploits: count(pool, "SELECT count(*) FROM (SELECT DISTINCT origin, id FROM exploit)")
                    .await?,
                cwes: count(pool, "SELECT count(*) FROM catalogue").await?,
                vex: count(pool, "SELECT count(*) FROM vex_statement").await?,
                problems: count(pool, "SELECT count(*) FROM problem").await?,
                dirty: count(pool, "SELECT count(*) FROM vulnerability WHERE dirty = 1").await?,
                ..Status::default()
            })
        })?;
        let size = |path: std::path::PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
        status.database_bytes = size(self.dir.join("tocsin.db")) + size(self.dir.join("tocsin.db-wal"));
        let index = std::fs::read_dir(self.dir.join("index")).into_iter().flatten().flatten();
        status.index_bytes = index.map(|e| size(e.path())).sum();
        Ok(status)
    }

    /// Everything known of a vulnerability, by its main id, an alias or a record's id.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database does not answer.
    pub fn show(&self, id: &str) -> Result<Shown> {
        self.runtime.block_on(self.show_async(id))
    }

    async fn show_async(&self, id: &str) -> Result<Shown> {
        let what = "reading the vulnerability";
        let found: Option<(i64, String)> = sqlx::query_as(
            "SELECT id, main FROM vulnerability WHERE id = coalesce(
               (SELECT vulnerability FROM alias WHERE id = ?1),
               (SELECT l.vulnerability FROM record r JOIN record_link l ON l.record = r.id WHERE r.record_id = ?1
                ORDER BY l.record, l.part LIMIT 1))",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .doing(what)?;
        let (number, main) = found.ok_or_else(|| Error::NotFound(id.to_owned()))?;
        let ids: Vec<(String,)> = sqlx::query_as("SELECT id FROM alias WHERE vulnerability = ? ORDER BY id")
            .bind(number)
            .fetch_all(&self.pool)
            .await
            .doing(what)?;
        let ids: Vec<String> = ids.into_iter().map(|i| i.0).collect();
        type Row = (i64, i64, String, String, i64, String, String, Vec<u8>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT r.id, l.part, r.source, r.record_id, r.kind, r.first_seen, r.last_seen, w.raw FROM record_link l
             JOIN record r ON r.id = l.record JOIN record_raw w ON w.record = r.id WHERE l.vulnerability = ?
             ORDER BY r.source, r.record_id, l.part",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .doing(what)?;
        let mut records = Vec::new();
        for (record, part, source, record_id, kind, first_seen, last_seen, raw) in rows {
            let parts = parse_stored(kind, &raw);
            let Some(parsed) = usize::try_from(part).ok().and_then(|n| parts.into_iter().nth(n)) else {
                continue;
            };
            let history: Vec<(String, Option<String>)> =
                sqlx::query_as("SELECT until, modified FROM record_history WHERE record = ? ORDER BY until")
                    .bind(record)
                    .fetch_all(&self.pool)
                    .await
                    .doing(what)?;
            records.push(ShownRecord { source, record_id, first_seen, last_seen, record: parsed, history });
        }
        let list = serde_json::to_string(&ids).unwrap_or_default();
        let epss_history = sqlx::query_as(
            "SELECT date, score, percentile FROM epss_change WHERE cve IN (SELECT value FROM json_each(?)) ORDER BY 1",
        )
        .bind(&list)
        .fetch_all(&self.pool)
        .await
        .doing(what)?;
        let facts = facts(self, Some(&list)).await?;
        let aliases = ids.into_iter().filter(|i| *i != main).collect();
        Ok(Shown { id: main, aliases, records, facts, epss_history })
    }

    /// Vulnerabilities whose ids, title or packages hold every word of `text` (as the beginning of a word).
    /// Knows what the index knows.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn search(&self, text: &str, limit: u32) -> Result<Vec<Hit>> {
        let words: Vec<String> = text
            .split_whitespace()
            .filter(|w| w.chars().any(char::is_alphanumeric))
            .map(|w| format!("\"{}\"*", w.replace('"', "\"\"")))
            .collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(String, String, String, String)> = self.runtime.block_on(async {
            sqlx::query_as(
                "SELECT v.main, s.title, s.ids, s.packages FROM search s JOIN vulnerability v ON v.id = s.rowid
                 WHERE search MATCH ? LIMIT ?",
            )
            .bind(words.join(" "))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .doing("searching")
        })?;
        Ok(rows.into_iter().map(|(id, title, ids, packages)| Hit { id, title, ids, packages }).collect())
    }

    /// Problems, newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn problems(&self, limit: u32) -> Result<Vec<Problem>> {
        let rows: Vec<(i64, String, String, String, String)> = self.runtime.block_on(async {
            sqlx::query_as("SELECT id, seen, place, code, message FROM problem ORDER BY id DESC LIMIT ?")
                .bind(limit)
                .fetch_all(&self.pool)
                .await
                .doing("listing problems")
        })?;
        let problem = |(id, seen, place, code, message)| Problem { id, seen, place, code, message };
        Ok(rows.into_iter().map(problem).collect())
    }

    /// The bytes kept of a problem, at most 64 KiB.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database does not answer.
    pub fn problem_bytes(&self, id: i64) -> Result<Vec<u8>> {
        let row: Option<(Vec<u8>,)> = self.runtime.block_on(async {
            sqlx::query_as("SELECT bytes FROM problem WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .doing("reading a problem")
        })?;
        row.map(|r| r.0).ok_or_else(|| Error::NotFound(format!("problem {id}")))
    }

    /// A stored record's bytes as they stood in the input.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database does not answer.
    pub fn raw(&self, source: &str, id: &str) -> Result<Vec<u8>> {
        let row: Option<(Vec<u8>,)> = self.runtime.block_on(async {
            sqlx::query_as(
                "SELECT w.raw FROM record r JOIN record_raw w ON w.record = r.id
                 WHERE r.source = ? AND r.record_id = ?",
            )
            .bind(source)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .doing("reading a record")
        })?;
        let packed = row.ok_or_else(|| Error::NotFound(format!("{source} {id}")))?.0;
        unpack(&packed).ok_or_else(|| Error::Internal {
            doing: format!("unpacking {source} {id}"),
            cause: "the stored bytes are damaged".into(),
        })
    }
}

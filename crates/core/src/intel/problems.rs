//! What was refused or is doubtful: kept with its bytes until an import of the same file does not meet it again.

use sea_orm::{DatabaseTransaction, Value};

use tocsin_formats::intel::RawKind;

use crate::error::{Error, Result};
use crate::intel::Store;
use crate::intel::store::{Refused, Run};
use crate::intel::types::{Problem, ProblemFilter};
use crate::platform::bulk::insert;
use crate::platform::sql::{list, row, rows, run as tell, text, texts};

/// Bytes kept of a problem.
const KEPT: usize = 64 << 10;

/// The static word of a source's name.
pub(crate) fn source_word(name: &str) -> &'static str {
    let sources = RawKind::ALL.iter().map(|k| k.source());
    std::iter::once("ghsa").chain(sources).find(|s| *s == name).unwrap_or("")
}

/// Keeps problems; one met again keeps the time it was first seen.
pub(crate) async fn write(tx: &DatabaseTransaction, refused: &[Refused], run: &Run<'_>) -> Result<()> {
    if refused.is_empty() {
        return Ok(());
    }
    let mut next = super::store::next_id(tx, "SELECT coalesce(max(id), 0) FROM problem").await?;
    let mut seen = std::collections::HashSet::new();
    let mut out = Vec::new();
    for r in refused {
        let d = &r.diagnostic;
        let hash = super::hash(0, format!("{}\0{}\0{}", d.code, d.path, d.message).as_bytes());
        if !seen.insert(hash.clone()) {
            continue;
        }
        out.push([
            Value::from(next),
            text(&hash),
            text(run.now),
            text(r.source),
            text(&r.file),
            text(&d.path),
            text(d.code),
            text(&d.message),
            Value::from(run.id),
            Value::from(r.bytes.get(..KEPT).unwrap_or(&r.bytes).to_vec()),
        ]);
        next += 1;
    }
    let head = "INSERT INTO problem (id, hash, seen, source, file, place, code, message, run, bytes)";
    let tail = "ON CONFLICT (hash) DO UPDATE SET run = excluded.run, bytes = excluded.bytes";
    insert(tx, "keeping problems", head, tail, out).await?;
    Ok(())
}

/// Forgets the problems of files read to their end that this run did not meet again.
pub(crate) async fn solve(tx: &DatabaseTransaction, files: &[String], run: &Run<'_>) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let sql = format!("DELETE FROM problem WHERE run <> $2 AND file IN {}", texts(tx, 1));
    tell(tx, "forgetting solved problems", &sql, vec![list(files), Value::from(run.id)]).await?;
    Ok(())
}

/// Forgets the refused merges told of these records (`source id`).
pub(crate) async fn forget_conflicts(tx: &DatabaseTransaction, names: &[&str]) -> Result<()> {
    let sql =
        format!("DELETE FROM problem WHERE code = 'record-alias-conflict' AND place IN {}", texts(tx, 1));
    tell(tx, "forgetting solved problems", &sql, vec![list(names)]).await?;
    Ok(())
}

impl Store {
    /// Problems, newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn problems(&self, filter: &ProblemFilter) -> Result<Vec<Problem>> {
        let mut sql = "SELECT id, seen, source, place, code, message FROM problem WHERE id < $1".to_owned();
        let mut values = vec![Value::from(filter.before.unwrap_or(i64::MAX))];
        for (column, wanted) in [("source", &filter.source), ("code", &filter.code)] {
            if let Some(wanted) = wanted {
                values.push(text(wanted));
                sql.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        }
        values.push(Value::from(i64::from(filter.limit)));
        sql.push_str(&format!(" ORDER BY id DESC LIMIT ${}", values.len()));
        type Row = (i64, String, String, String, String, String);
        let found: Vec<Row> = self.runtime.block_on(rows(&self.db, "listing problems", &sql, values))?;
        let problem =
            |(id, seen, source, place, code, message)| Problem { id, seen, source, place, code, message };
        Ok(found.into_iter().map(problem).collect())
    }

    /// The bytes kept of a problem, at most 64 KiB.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the database does not answer.
    pub fn problem_bytes(&self, id: i64) -> Result<Vec<u8>> {
        let sql = "SELECT bytes FROM problem WHERE id = $1";
        let found: Option<(Vec<u8>,)> =
            self.runtime.block_on(row(&self.db, "reading a problem", sql, vec![Value::from(id)]))?;
        found.map(|r| r.0).ok_or_else(|| Error::NotFound(format!("problem {id}")))
    }
}

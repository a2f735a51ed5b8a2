//! What parsers remark on records that are kept: parts set aside, ranges that cannot be decided. They stand until
//! the record's content changes.

use sea_orm::{DatabaseTransaction, Value};
use tocsin_model::diagnostic::Diagnostic;

use crate::error::Result;
use crate::intel::Store;
use crate::intel::types::{Problem, ProblemFilter};
use crate::platform::bulk::insert;
use crate::platform::sql::{list, numbers, rows, run as tell, text};

/// Most remarks kept of one record; the last then tells how many more there were.
const MOST: usize = 20;
/// Longest path and message kept, characters.
const LONGEST: usize = 500;
/// Numbers between the remarks of two records.
const STEP: i64 = 100;

/// The remarks worth keeping: each once, at most [`MOST`].
pub(crate) fn bounded(remarks: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = Vec::new();
    let mut more = 0_usize;
    let short = |text: String| match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    };
    for d in remarks {
        if out.len() + 1 < MOST {
            let d = Diagnostic { path: short(d.path), message: short(d.message), ..d };
            if !out.contains(&d) {
                out.push(d);
            }
        } else {
            more += 1;
        }
    }
    if more > 0 {
        out.push(Diagnostic::new("value-ignored", "", format!("{more} more remarks on this record")));
    }
    out
}

/// Keeps the remarks on records just written (number, remarks); those on the contents that `changed` ones had go.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    changed: &[i64],
    written: impl Iterator<Item = (i64, &[Diagnostic])>,
) -> Result<()> {
    let what = "keeping remarks";
    let sql = format!("DELETE FROM remark WHERE record IN {}", numbers(tx, 1));
    tell(tx, what, &sql, vec![list(changed)]).await?;
    let mut out = Vec::new();
    for (record, remarks) in written {
        for (n, d) in (0_i64..).zip(remarks) {
            out.push([Value::from(record), Value::from(n), text(&d.path), text(d.code), text(&d.message)]);
        }
    }
    insert(tx, what, "INSERT INTO remark (record, n, path, code, message)", "", out).await?;
    Ok(())
}

impl Store {
    /// Remarks on records that are kept, those on the newest records first. A number counts here alone; the bytes are
    /// those of the record.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn remarks(&self, filter: &ProblemFilter) -> Result<Vec<Problem>> {
        let mut sql = format!(
            "SELECT m.record * {STEP} + m.n, r.last_seen, r.source, r.record_id, m.path, m.code, m.message
             FROM remark m JOIN record r ON r.id = m.record WHERE m.record * {STEP} + m.n < $1"
        );
        let mut values = vec![Value::from(filter.before.unwrap_or(i64::MAX))];
        for (column, wanted) in [("r.source", &filter.source), ("m.code", &filter.code)] {
            if let Some(wanted) = wanted {
                values.push(text(wanted));
                sql.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        }
        values.push(Value::from(i64::from(filter.limit)));
        sql.push_str(&format!(" ORDER BY m.record DESC, m.n DESC LIMIT ${}", values.len()));
        type Row = (i64, String, String, String, String, String, String);
        let found: Vec<Row> = self.runtime.block_on(rows(&self.db, "listing remarks", &sql, values))?;
        let problem = |(id, seen, source, record, path, code, message): Row| {
            let place = if path.is_empty() { record } else { format!("{record}: {path}") };
            Problem { id, seen, source, place, code, message }
        };
        Ok(found.into_iter().map(problem).collect())
    }
}

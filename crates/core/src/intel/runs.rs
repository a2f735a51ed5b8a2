//! The runs of imports: what was given, when, and what became of it.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Value};
use serde_json::{Value as Json, json};

use crate::error::Result;
use crate::intel::types::{Counts, ImportReport, RunRow};
use crate::platform::sql::{maybe, rows, run as tell, text};

const WHAT: &str = "keeping the import's row";

/// Begins a run. A run before it that never ended was killed: the caller holds the lock of the one writer.
pub(crate) async fn begin(db: &impl ConnectionTrait, paths: &[String], now: &str) -> Result<i64> {
    let sql = "UPDATE import SET outcome = 'interrupted' WHERE outcome = 'running'";
    tell(db, WHAT, sql, vec![]).await?;
    let id = super::store::next_id(db, "SELECT coalesce(max(id), 0) FROM import").await?;
    let sql = "INSERT INTO import (id, paths, started, ended, outcome, files, skipped, problems, counts)
         VALUES ($1, $2, $3, NULL, 'running', 0, 0, 0, '{}')";
    tell(db, WHAT, sql, vec![Value::from(id), text(&Json::from(paths).to_string()), text(now)]).await?;
    Ok(id)
}

/// Notes how far a run is; `end` when it is over: the time and `complete`, `interrupted` or `failed`.
pub(crate) async fn note(
    db: &impl ConnectionTrait,
    id: i64,
    report: &ImportReport,
    end: Option<(&str, &str)>,
) -> Result<()> {
    let counts: BTreeMap<&String, Json> = report
        .sources
        .iter()
        .map(|(source, c)| (source, json!([c.read, c.new, c.changed, c.unchanged, c.older, c.refused])))
        .collect();
    let number = |n: u64| Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    let sql =
        "UPDATE import SET ended = $2, outcome = $3, files = $4, skipped = $5, problems = $6, counts = $7
         WHERE id = $1";
    let values = vec![
        Value::from(id),
        maybe(end.map(|e| e.0)),
        text(end.map_or("running", |e| e.1)),
        number(report.files),
        number(report.skipped),
        number(report.problems),
        text(&json!(counts).to_string()),
    ];
    tell(db, WHAT, sql, values).await?;
    Ok(())
}

/// The last runs, newest first.
pub(crate) async fn last(db: &impl ConnectionTrait, limit: i64) -> Result<Vec<RunRow>> {
    let sql = "SELECT id, paths, started, ended, outcome, files, skipped, problems, counts FROM import
         ORDER BY id DESC LIMIT $1";
    type Row = (i64, String, String, Option<String>, String, i64, i64, i64, String);
    let found: Vec<Row> = rows(db, "reading the imports", sql, vec![Value::from(limit)]).await?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let run = |(id, paths, started, ended, outcome, files, skipped, problems, counts): Row| RunRow {
        id,
        paths: serde_json::from_str(&paths).unwrap_or_default(),
        started,
        ended,
        outcome,
        files: number(files),
        skipped: number(skipped),
        problems: number(problems),
        sources: serde_json::from_str::<BTreeMap<String, [u64; 6]>>(&counts)
            .unwrap_or_default()
            .into_iter()
            .map(|(source, [read, new, changed, unchanged, older, refused])| {
                (source, Counts { read, new, changed, unchanged, older, refused })
            })
            .collect(),
    };
    Ok(found.into_iter().map(run).collect())
}

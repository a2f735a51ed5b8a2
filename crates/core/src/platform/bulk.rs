//! Writing many rows at once: `INSERT … VALUES (…), (…) …`, cut so that no statement has more values than either
//! backend takes.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::error::{Doing, Result};

/// Values of one statement. SQLite takes 32,766, PostgreSQL 65,535; shorter statements are parsed sooner.
const MOST: usize = 16_000;

/// Changes many rows by a list: `head` is `UPDATE table SET column = v.column2`, `tail` a `WHERE table.id = v.column1`;
/// the columns of `rows` are `v.column1`, `v.column2` …, which both backends call them. Returns how many rows were
/// changed.
pub(crate) async fn update<const N: usize>(
    db: &impl ConnectionTrait,
    what: &str,
    head: &str,
    tail: &str,
    rows: Vec<[Value; N]>,
) -> Result<u64> {
    insert(db, what, &format!("{head} FROM ("), &format!(") AS v {tail}"), rows).await
}

/// Inserts `rows`: `head` is `INSERT INTO table (columns)`, `tail` an `ON CONFLICT` clause or nothing. Returns how
/// many rows were inserted or changed.
pub(crate) async fn insert<const N: usize>(
    db: &impl ConnectionTrait,
    what: &str,
    head: &str,
    tail: &str,
    rows: Vec<[Value; N]>,
) -> Result<u64> {
    let backend = db.get_database_backend();
    let mut changed = 0;
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut sql = format!("{head} VALUES ");
        let mut values = Vec::with_capacity(MOST.min(1024));
        for row in rows.by_ref().take(MOST / N.max(1)) {
            sql.push_str(if values.is_empty() { "(" } else { ", (" });
            for (n, value) in row.into_iter().enumerate() {
                let comma = if n == 0 { "" } else { ", " };
                values.push(value);
                // SQLite looks a numbered place up in a list, which takes its time for thousands of them.
                let _ = match backend {
                    DbBackend::Postgres => write!(sql, "{comma}${}", values.len()),
                    _ => write!(sql, "{comma}?"),
                };
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(tail);
        let statement = Statement::from_sql_and_values(backend, sql, values);
        changed += db.execute_raw(statement).await.doing(what)?.rows_affected();
    }
    Ok(changed)
}

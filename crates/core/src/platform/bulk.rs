//! Writing many rows at once: `INSERT … VALUES (…), (…) …`, cut so that no statement has more values than either
//! backend takes.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::error::{Doing, Result};

/// Values of one statement. SQLite takes 32,766, PostgreSQL 65,535; shorter statements are parsed sooner.
pub(crate) const MOST: usize = 16_000;

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
    insert_flat(db, what, head, tail, N, rows.into_iter().flatten().collect()).await
}

/// As [`insert`], for rows whose width is known only when the program runs: their values follow one another.
pub(crate) async fn insert_flat(
    db: &impl ConnectionTrait,
    what: &str,
    head: &str,
    tail: &str,
    width: usize,
    values: Vec<Value>,
) -> Result<u64> {
    let backend = db.get_database_backend();
    let width = width.max(1);
    let mut changed = 0;
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        let mut sql = format!("{head} VALUES ");
        let some: Vec<Value> = values.by_ref().take((MOST / width).max(1) * width).collect();
        for n in 0..some.len() {
            sql.push_str(match (n % width, n) {
                (0, 0) => "(",
                (0, _) => "), (",
                _ => ", ",
            });
            // SQLite looks a numbered place up in a list, which takes its time for thousands of them.
            let _ = match backend {
                DbBackend::Postgres => write!(sql, "${}", n + 1),
                _ => sql.write_char('?'),
            };
        }
        sql.push_str(") ");
        sql.push_str(tail);
        let statement = Statement::from_sql_and_values(backend, sql, some);
        changed += db.execute_raw(statement).await.doing(what)?.rows_affected();
    }
    Ok(changed)
}

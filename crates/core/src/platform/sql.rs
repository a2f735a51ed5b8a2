//! Asking and telling the database in the SQL that SQLite and PostgreSQL share. What differs is here and in
//! [`super::bulk`]: how a list is bound. Values are `$1`, `$2` … on both.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TryGetableMany, Value};

use crate::error::{Doing, Result};

/// All rows of a question.
pub(crate) async fn rows<T: TryGetableMany>(
    db: &impl ConnectionTrait,
    what: &str,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<T>> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await.doing(what)?;
    rows.iter()
        .map(|r| T::try_get_many_by_index(r).map_err(Into::into))
        .collect::<std::result::Result<_, sea_orm::DbErr>>()
        .doing(what)
}

/// All rows of a question whose rows have more columns than a tuple can hold; see [`read`].
pub(crate) async fn raw(
    db: &impl ConnectionTrait,
    what: &str,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await.doing(what)
}

/// Reads the rows of [`raw`].
pub(crate) fn read<T>(
    rows: &[QueryResult],
    what: &str,
    one: impl Fn(&QueryResult) -> std::result::Result<T, DbErr>,
) -> Result<Vec<T>> {
    rows.iter().map(one).collect::<std::result::Result<_, _>>().doing(what)
}

/// The first row of a question.
pub(crate) async fn row<T: TryGetableMany>(
    db: &impl ConnectionTrait,
    what: &str,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<T>> {
    Ok(rows(db, what, sql, values).await?.into_iter().next())
}

/// Runs a statement; the number of rows it changed.
pub(crate) async fn run(db: &impl ConnectionTrait, what: &str, sql: &str, values: Vec<Value>) -> Result<u64> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await.doing(what)?.rows_affected())
}

/// A subquery giving the texts of the JSON list bound as `$n`: `id IN {list}`.
pub(crate) fn texts(db: &impl ConnectionTrait, n: usize) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("(SELECT value FROM jsonb_array_elements_text(${n}::jsonb))"),
        _ => format!("(SELECT value FROM json_each(${n}))"),
    }
}

/// A subquery giving the numbers of the JSON list bound as `$n`.
pub(crate) fn numbers(db: &impl ConnectionTrait, n: usize) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("(SELECT value::bigint FROM jsonb_array_elements_text(${n}::jsonb))"),
        _ => format!("(SELECT value FROM json_each(${n}))"),
    }
}

/// `column IN (SELECT …)` as a database finds the few rows of it by an index, also where it is one of several ways
/// (`OR`): PostgreSQL looks at every row otherwise, and takes an array, read once, for what an index can be asked.
pub(crate) fn picked(backend: DbBackend, condition: &str) -> String {
    let parts = condition.strip_suffix(')').and_then(|c| c.split_once(" IN (SELECT "));
    match parts {
        Some((column, rest)) if backend == DbBackend::Postgres && !column.contains('(') => {
            format!("{column} = ANY(ARRAY(SELECT {rest}))")
        }
        _ => condition.to_owned(),
    }
}

/// What ends a subquery that picks rows to be changed, so that several pickers each get rows of their own. SQLite has
/// one writer and needs nothing.
pub(crate) fn skip_locked(db: &impl ConnectionTrait, table: &str) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!(" FOR UPDATE OF {table} SKIP LOCKED"),
        _ => String::new(),
    }
}

/// A subquery giving the pairs of numbers, as columns `a` and `b`, of the JSON list bound as `$n`.
pub(crate) fn pairs(db: &impl ConnectionTrait, n: usize) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!(
            "(SELECT (value->>0)::bigint AS a, (value->>1)::bigint AS b FROM jsonb_array_elements(${n}::jsonb))"
        ),
        _ => format!(
            "(SELECT json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b FROM json_each(${n}))"
        ),
    }
}

/// Ends a question whose rows nobody else shall write until the transaction ends. On SQLite a change has the only
/// write lock from its beginning.
pub(crate) fn for_update(db: &impl ConnectionTrait) -> &'static str {
    match db.get_database_backend() {
        DbBackend::Postgres => " FOR UPDATE",
        _ => "",
    }
}

/// A list to bind for [`texts`] or [`numbers`].
pub(crate) fn list<T: serde::Serialize>(items: &[T]) -> Value {
    // Texts and numbers always have a JSON form. PostgreSQL has no NUL in texts.
    let json = serde_json::to_string(items).unwrap_or_else(|_| "[]".to_owned());
    Value::from(if json.contains("\\u0000") { json.replace("\\u0000", "\\ufffd") } else { json })
}

/// A text to bind; NUL, which PostgreSQL cannot hold, becomes U+FFFD on both.
pub(crate) fn text(text: &str) -> Value {
    Value::from(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() })
}

/// A text that may be missing.
pub(crate) fn maybe(value: Option<&str>) -> Value {
    value.map_or(Value::String(None), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_picked_by_a_subquery_is_an_array_to_postgresql() {
        let plain = "f.component IN (SELECT c.id FROM component c WHERE LOWER(c.name) LIKE $3)";
        assert_eq!(picked(DbBackend::Sqlite, plain), plain);
        let array = "f.component = ANY(ARRAY(SELECT c.id FROM component c WHERE LOWER(c.name) LIKE $3))";
        assert_eq!(picked(DbBackend::Postgres, plain), array);
        for other in ["LOWER(x.name) LIKE $3", "EXISTS (SELECT 1 FROM x WHERE x.a IN (SELECT 1))"] {
            assert_eq!(picked(DbBackend::Postgres, other), other, "it is no list of a column");
        }
    }
}

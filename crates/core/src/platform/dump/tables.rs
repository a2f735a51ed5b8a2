//! Which tables and columns there are, told by the database itself, so that no table can be forgotten.

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::platform::{db, sql};

/// Types of columns that both databases have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 64 bits, signed.
    Integer,
    /// IEEE 754 binary64.
    Real,
    /// Unicode.
    Text,
    /// Bytes.
    Blob,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// Place in the primary key, from 1; 0 where it is not in it.
    pub key: i64,
    /// Its number is given by the database where none is told.
    pub serial: bool,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Name.
    pub name: String,
    /// Columns as declared; what is computed by the database is left out.
    pub columns: Vec<Column>,
}

/// A name as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    /// Columns in SQL.
    pub(crate) fn list(&self) -> String {
        self.columns.iter().map(|c| quoted(&c.name)).collect::<Vec<_>>().join(", ")
    }

    /// The order of rows that is the same on both databases: by primary key (else by all columns), texts by their
    /// bytes, nothing before something.
    pub(crate) fn order(&self, backend: DbBackend) -> String {
        let mut by: Vec<&Column> = self.columns.iter().filter(|c| c.key > 0).collect();
        by.sort_by_key(|c| c.key);
        if by.is_empty() {
            by = self.columns.iter().collect();
        }
        let collate = match backend {
            DbBackend::Postgres => " COLLATE \"C\"",
            _ => " COLLATE BINARY",
        };
        let term = |c: &&Column| {
            let collate = if c.kind == Kind::Text { collate } else { "" };
            format!("{}{collate} NULLS FIRST", quoted(&c.name))
        };
        by.iter().map(term).collect::<Vec<_>>().join(", ")
    }
}

fn kind(table: &str, column: &str, declared: &str) -> Result<Kind> {
    match declared.to_ascii_lowercase().as_str() {
        "integer" | "bigint" | "smallint" => Ok(Kind::Integer),
        "real" | "double precision" => Ok(Kind::Real),
        "text" | "" => Ok(Kind::Text),
        "blob" | "bytea" => Ok(Kind::Blob),
        other => Err(Error::Internal {
            doing: format!("reading the columns of {table}"),
            cause: format!("{column} is of type {other}, which is not one that both databases have").into(),
        }),
    }
}

/// Tables by name, without the list of migrations. On PostgreSQL those alone that Tocsin makes: the database may be
/// shared with others.
///
/// # Errors
/// The database does not answer, or a column has a type that the other database does not have.
pub(crate) async fn tables(db: &impl ConnectionTrait) -> Result<Vec<Table>> {
    let mut tables = match db.get_database_backend() {
        DbBackend::Postgres => {
            let schema = db::schema(db).await?;
            let ours = ours(&schema).await?;
            postgres(db, &ours).await?
        }
        _ => sqlite(db).await?,
    };
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}

/// Names of the tables of a schema, from a database in memory that is migrated as far.
async fn ours(schema: &[String]) -> Result<Vec<String>> {
    let known = db::known();
    if !known.starts_with(schema) {
        let newer = schema.iter().find(|m| !known.contains(m)).map_or("migrations in another order", |m| m);
        return Err(Error::Conflict(format!(
            "the database was made by another version of Tocsin (it has {newer}); use that version"
        )));
    }
    if schema.is_empty() {
        return Ok(Vec::new());
    }
    let memory: DatabaseConnection = db::sqlite(SqliteConnectOptions::new().in_memory(true), 1).await?;
    db::migrate(&memory, u32::try_from(schema.len()).ok()).await?;
    Ok(sqlite(&memory).await?.into_iter().map(|t| t.name).collect())
}

fn grouped(rows: Vec<(String, String, String, i64, i64)>) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    for (table, name, declared, key, serial) in rows {
        let column = Column { kind: kind(&table, &name, &declared)?, name, key, serial: serial != 0 };
        match tables.last_mut().filter(|t| t.name == table) {
            Some(t) => t.columns.push(column),
            None => tables.push(Table { name: table, columns: vec![column] }),
        }
    }
    Ok(tables)
}

/// A table of the text search (FTS5) has its row's number as a key and columns without types; the tables it keeps
/// its words in are not data. One without content of its own is filled by a trigger of the table it searches, so that
/// it is no data either.
async fn sqlite(db: &impl ConnectionTrait) -> Result<Vec<Table>> {
    let select = "SELECT t.name, c.name, c.type, CASE WHEN t.type = 'virtual' THEN 0 ELSE c.pk END, 0
         FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c
         WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         AND t.name <> 'seaql_migrations' AND c.hidden = 0
         AND t.name NOT IN (SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%content=''''%')
         ORDER BY t.name, c.cid";
    let mut tables = grouped(sql::rows(db, "reading the tables", select, vec![]).await?)?;
    let select = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual'";
    let found: Vec<(String,)> = sql::rows(db, "reading the tables", select, vec![]).await?;
    for table in tables.iter_mut().filter(|t| found.iter().any(|(name,)| *name == t.name)) {
        let number = Column { name: "rowid".to_owned(), kind: Kind::Integer, key: 1, serial: false };
        table.columns.insert(0, number);
    }
    Ok(tables)
}

async fn postgres(db: &impl ConnectionTrait, ours: &[String]) -> Result<Vec<Table>> {
    let select = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
         COALESCE(array_position(i.indkey::smallint[], a.attnum), -1)::bigint + 1,
         (a.attidentity <> '')::int::bigint
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
         WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') ORDER BY 1, a.attnum";
    let mut rows: Vec<(String, String, String, i64, i64)> =
        sql::rows(db, "reading the tables", select, vec![]).await?;
    // Tables of others may have any type; they are not looked at.
    rows.retain(|r| ours.contains(&r.0));
    grouped(rows)
}

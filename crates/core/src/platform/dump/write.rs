//! Writing the stream.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::TryStreamExt;
use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, QueryResult,
    Statement, StreamTrait, TransactionOptions, TransactionTrait,
};
use sha2::{Digest, Sha256};

use super::tables::{Column, Kind, Table, quoted, tables};
use super::{End, Head, Mark, Progress, Summary, VERSION};
use crate::error::{Doing, Error, Result};
use crate::platform::db;

/// Bytes put together before they are written.
const CHUNK: usize = 1 << 20;

/// Lines on their way out, counted and hashed.
struct Lines<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
    buffer: Vec<u8>,
}

impl Lines<'_> {
    fn flush(&mut self) -> Result<()> {
        self.hash.update(&self.buffer);
        self.out.write_all(&self.buffer).doing("writing the export")?;
        self.buffer.clear();
        Ok(())
    }

    fn mark(&mut self, mark: &impl serde::Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.buffer, mark)
            .map_err(std::io::Error::from)
            .doing("writing the export")?;
        self.buffer.push(b'\n');
        self.flush()
    }
}

/// Writes every table as it is at one moment, while others go on writing. `made` is the time (RFC 3339, UTC) and
/// `program` the version told in the first line.
///
/// # Errors
/// The database does not answer or was made by a newer version; `out` cannot be written.
pub(crate) async fn export(
    db: &DatabaseConnection,
    out: &mut dyn Write,
    made: &str,
    program: &str,
    progress: Progress<'_>,
) -> Result<Summary> {
    let what = "beginning to read the database";
    let options = match db.get_database_backend() {
        DbBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
        // a transaction that only reads sees one moment (WAL)
        _ => TransactionOptions::default(),
    };
    let tx = db.begin_with_options(options).await.doing(what)?;
    let schema = db::schema(&tx).await?;
    if schema.is_empty() {
        return Err(Error::NotFound("data to copy (the database is empty)".to_owned()));
    }
    let head = Head { version: VERSION, made: made.to_owned(), program: program.to_owned(), schema };
    let mut lines = Lines { out, hash: Sha256::new(), buffer: Vec::with_capacity(CHUNK * 2) };
    lines.mark(&head)?;
    let mut counts = BTreeMap::new();
    for table in tables(&tx).await? {
        let columns = table.columns.iter().map(|c| (c.name.clone(), c.kind)).collect();
        lines.mark(&Mark::Table { table: table.name.clone(), columns })?;
        let rows = write_rows(&tx, &table, &mut lines, progress).await?;
        lines.mark(&Mark::Rows { rows })?;
        progress(&table.name, rows);
        counts.insert(table.name, rows);
    }
    let sha256: String = lines.hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect();
    let rows = counts.values().sum();
    let end = End { tables: counts.len() as u64, rows, sha256: sha256.clone() };
    lines.mark(&Mark::End { end })?;
    tx.rollback().await.doing("ending to read the database")?;
    let Head { made, program, schema, .. } = head;
    Ok(Summary { made, program, schema, tables: counts, rows, sha256, replaced: 0 })
}

async fn write_rows(
    tx: &DatabaseTransaction,
    table: &Table,
    lines: &mut Lines<'_>,
    progress: Progress<'_>,
) -> Result<u64> {
    let what = format!("reading the table {}", table.name);
    let backend = StreamTrait::get_database_backend(tx);
    let select =
        format!("SELECT {} FROM {} ORDER BY {}", table.list(), quoted(&table.name), table.order(backend));
    let mut stream = tx.stream_raw(Statement::from_string(backend, select)).await.doing(&what)?;
    let mut rows = 0_u64;
    while let Some(row) = stream.try_next().await.doing(&what)? {
        lines.buffer.push(b'[');
        for (n, column) in table.columns.iter().enumerate() {
            if n > 0 {
                lines.buffer.push(b',');
            }
            value(&row, n, column, &mut lines.buffer).doing(&format!(
                "{what}, column {}, row {}",
                column.name,
                rows + 1
            ))?;
        }
        lines.buffer.extend(b"]\n");
        rows += 1;
        if lines.buffer.len() >= CHUNK {
            lines.flush()?;
            progress(&table.name, rows);
        }
    }
    lines.flush()?;
    Ok(rows)
}

fn value(row: &QueryResult, n: usize, column: &Column, out: &mut Vec<u8>) -> std::result::Result<(), DbErr> {
    let text: Option<String> = match column.kind {
        Kind::Integer => row.try_get_by_index::<Option<i64>>(n)?.map(|v| v.to_string()),
        Kind::Real => row.try_get_by_index::<Option<f64>>(n)?.map(real),
        Kind::Text => {
            if let Some(text) = row.try_get_by_index::<Option<String>>(n)? {
                // writing to memory does not fail
                let _ = serde_json::to_writer(out, &text);
                return Ok(());
            }
            None
        }
        Kind::Blob => {
            row.try_get_by_index::<Option<Vec<u8>>>(n)?.map(|v| format!("\"{}\"", BASE64_STANDARD.encode(v)))
        }
    };
    out.extend(text.as_deref().unwrap_or("null").as_bytes());
    Ok(())
}

/// The shortest decimal that reads back the same.
fn real(v: f64) -> String {
    if v.is_nan() {
        "\"NaN\"".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "\"Infinity\"".to_owned() } else { "\"-Infinity\"".to_owned() }
    } else {
        format!("{v:?}")
    }
}

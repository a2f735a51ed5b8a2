//! Reading the stream: checking it, and loading it into an empty schema of the same version.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    TransactionOptions, TransactionTrait, Value,
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tocsin_model::diagnostic::{Diagnostic, excerpt};

use super::tables::{Kind, Table, quoted, tables};
use super::{End, Head, Mark, Progress, Summary, VERSION};
use crate::error::{Doing, Error, Result};
use crate::platform::{bulk, db, sql};

/// Longest line taken: SQLite and PostgreSQL hold values of at most 1 GB.
const LINE_MOST: u64 = 1_500_000_000;
/// Tables and columns taken.
const TABLES_MOST: usize = 10_000;
/// Bytes of values written at once.
const BATCH_BYTES: usize = 8 << 20;

/// Where a stream comes from, uncompressed.
pub type Source<'a> = Box<dyn BufRead + 'a>;

/// First bytes of an uncompressed stream.
const START: &[u8] = b"{\"tocsin-export\":";
/// First bytes of a Zstandard frame (RFC 8878 section 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether a file begins as an export does, compressed or not.
///
/// # Errors
/// The file cannot be read.
pub fn recognise(path: &Path) -> std::io::Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    // what begins as a Zstandard frame and is none is no export
    match source(path)?.take(START.len() as u64).read_to_end(&mut start) {
        Ok(_) => Ok(start == START),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => Err(e),
        Err(_) => Ok(false),
    }
}

/// Opens a file, taking the compression away.
pub(crate) fn source(path: &Path) -> std::io::Result<Source<'static>> {
    let mut file = File::open(path)?;
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
    let file = File::open(path)?;
    Ok(if magic == ZSTD {
        Box::new(BufReader::with_capacity(1 << 18, zstd::Decoder::new(file)?))
    } else {
        Box::new(BufReader::with_capacity(1 << 18, file))
    })
}

fn damaged(line: u64, why: &str) -> Error {
    Error::Invalid {
        doing: "reading the export".to_owned(),
        diagnostic: Diagnostic::new("export-damaged", format!("line {line}"), why),
    }
}

/// The stream, line by line.
struct Lines<'a> {
    input: Source<'a>,
    hash: Sha256,
    line: Vec<u8>,
    number: u64,
}

impl Lines<'_> {
    /// Reads the next line; the one before goes into the hash.
    fn next(&mut self) -> Result<()> {
        self.hash.update(&self.line);
        self.line.clear();
        self.number += 1;
        let read = Read::by_ref(&mut self.input).take(LINE_MOST).read_until(b'\n', &mut self.line);
        match read {
            Ok(_) if self.line.ends_with(b"\n") => Ok(()),
            Ok(n) if n as u64 == LINE_MOST => Err(damaged(self.number, "it is too long")),
            Ok(_) => Err(damaged(self.number, "the stream ends here, before its last line")),
            Err(e) => Err(damaged(self.number, &excerpt(&e.to_string()))),
        }
    }

    fn mark(&self) -> Result<Mark> {
        serde_json::from_slice(&self.line)
            .map_err(|_| damaged(self.number, "a table, a row or an end is wanted here"))
    }

    fn digest(&self) -> String {
        self.hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// What takes the rows of a stream.
trait Take {
    /// A table begins.
    async fn table(&mut self, name: &str, columns: &[(String, Kind)]) -> Result<()>;
    /// A row of it.
    async fn row(&mut self, values: Vec<Value>) -> Result<()>;
    /// It ends.
    async fn end(&mut self) -> Result<()>;
}

/// Takes nothing: the stream is only checked.
struct Nothing;

impl Take for Nothing {
    async fn table(&mut self, _: &str, _: &[(String, Kind)]) -> Result<()> {
        Ok(())
    }

    async fn row(&mut self, _: Vec<Value>) -> Result<()> {
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

fn head(lines: &mut Lines<'_>) -> Result<Head> {
    lines.next()?;
    let head: Head =
        serde_json::from_slice(&lines.line).map_err(|_| damaged(1, "it does not begin as an export does"))?;
    if head.version != VERSION {
        let message = format!("it has form {}, and this program reads form {VERSION}", head.version);
        return Err(Error::Invalid {
            doing: "reading the export".to_owned(),
            diagnostic: Diagnostic::new("export-version", "line 1", message),
        });
    }
    Ok(head)
}

/// Whether an export was made with the newest schema that this program knows.
///
/// # Errors
/// It is damaged, or was made by a newer version.
pub(crate) fn newest(input: Source<'_>) -> Result<(Head, bool)> {
    let mut lines = Lines { input, hash: Sha256::new(), line: Vec::new(), number: 0 };
    let head = head(&mut lines)?;
    let known = db::known();
    if !known.starts_with(&head.schema) {
        let newer = head.schema.iter().find(|m| !known.contains(m));
        let message = match newer {
            Some(newer) => {
                format!("it was made by a newer version of Tocsin, {} (it has {newer})", head.program)
            }
            None => "its migrations are not those of Tocsin, in their order".to_owned(),
        };
        return Err(Error::Invalid {
            doing: "reading the export".to_owned(),
            diagnostic: Diagnostic::new("export-version", "line 1", message),
        });
    }
    let newest = known == head.schema;
    Ok((head, newest))
}

/// Reads a stream to its end and compares it with what its last line says.
///
/// # Errors
/// It is damaged, cut short, or of another form.
pub async fn check(input: Source<'_>, progress: Progress<'_>) -> Result<Summary> {
    walk(input, &mut Nothing, progress).await
}

/// The table whose rows are being read: its name, its columns, and how many rows came so far.
type Open = (String, Vec<(String, Kind)>, u64);

async fn walk(input: Source<'_>, take: &mut impl Take, progress: Progress<'_>) -> Result<Summary> {
    let mut lines = Lines { input, hash: Sha256::new(), line: Vec::new(), number: 0 };
    let head = head(&mut lines)?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut open: Option<Open> = None;
    loop {
        lines.next()?;
        if lines.line.first() == Some(&b'[') {
            let Some((name, columns, rows)) = &mut open else {
                return Err(damaged(lines.number, "a row stands outside of a table"));
            };
            let values = row(&lines.line, columns).ok_or_else(|| {
                damaged(lines.number, &format!("this is no row of the table {}", excerpt(name)))
            })?;
            take.row(values).await?;
            *rows += 1;
            if rows.is_multiple_of(10_000) {
                progress(name, *rows);
            }
            continue;
        }
        match (lines.mark()?, open.take()) {
            (Mark::Table { table, columns }, None) => {
                let sound = columns.len() <= TABLES_MOST && counts.len() < TABLES_MOST;
                if counts.contains_key(&table) || columns.is_empty() || !sound {
                    return Err(damaged(lines.number, "the table stands here twice, or has no columns"));
                }
                take.table(&table, &columns).await?;
                open = Some((table, columns, 0));
            }
            (Mark::Rows { rows }, Some((table, _, read))) => {
                if rows != read {
                    let why = format!("the table {} has {read} rows, not {rows}", excerpt(&table));
                    return Err(damaged(lines.number, &why));
                }
                take.end().await?;
                progress(&table, rows);
                counts.insert(table, rows);
            }
            (Mark::End { end }, None) => {
                let rows = counts.values().sum();
                let sha256 = lines.digest();
                if end != (End { tables: counts.len() as u64, rows, sha256: sha256.clone() }) {
                    return Err(damaged(
                        lines.number,
                        "what was read is not what was written (its hash differs)",
                    ));
                }
                if lines.input.fill_buf().is_ok_and(|rest| !rest.is_empty()) {
                    return Err(damaged(lines.number + 1, "something stands behind the end"));
                }
                let Head { made, program, schema, .. } = head;
                return Ok(Summary { made, program, schema, tables: counts, rows, sha256, replaced: 0 });
            }
            _ => return Err(damaged(lines.number, "a table must end before another one begins")),
        }
    }
}

/// The values of a row; `None` where it is none of these columns.
fn row(line: &[u8], columns: &[(String, Kind)]) -> Option<Vec<Value>> {
    let raw: Vec<&RawValue> = serde_json::from_slice(line).ok()?;
    if raw.len() != columns.len() {
        return None;
    }
    raw.iter().zip(columns).map(|(raw, (_, kind))| value(*kind, raw.get())).collect()
}

fn value(kind: Kind, json: &str) -> Option<Value> {
    let missing = json == "null";
    let text = || serde_json::from_str::<String>(json).ok();
    Some(match kind {
        Kind::Integer if missing => Value::from(None::<i64>),
        Kind::Real if missing => Value::from(None::<f64>),
        Kind::Text if missing => Value::from(None::<String>),
        Kind::Blob if missing => Value::from(None::<Vec<u8>>),
        Kind::Integer => Value::from(json.parse::<i64>().ok()?),
        Kind::Real if json.starts_with('"') => Value::from(match text()?.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return None,
        }),
        Kind::Real => Value::from(json.parse::<f64>().ok()?),
        Kind::Text => Value::from(text()?),
        Kind::Blob => Value::from(BASE64_STANDARD.decode(text()?).ok()?),
    })
}

/// Writes the rows of a stream into a database.
struct Load<'a> {
    tx: &'a DatabaseTransaction,
    backend: DbBackend,
    /// Tables that are still to come.
    tables: BTreeMap<String, Table>,
    head: String,
    what: String,
    width: usize,
    values: Vec<Value>,
    bytes: usize,
    replaced: u64,
}

impl Load<'_> {
    async fn flush(&mut self) -> Result<()> {
        let values = std::mem::take(&mut self.values);
        self.bytes = 0;
        bulk::insert_flat(self.tx, &self.what, &self.head, "", self.width, values).await?;
        Ok(())
    }
}

impl Take for Load<'_> {
    async fn table(&mut self, name: &str, columns: &[(String, Kind)]) -> Result<()> {
        let foreign = |why: String| Error::Invalid {
            doing: "reading the export".to_owned(),
            diagnostic: Diagnostic::new("export-damaged", format!("table {}", excerpt(name)), why),
        };
        let table =
            self.tables.remove(name).ok_or_else(|| foreign("its schema has no such table".to_owned()))?;
        let has =
            |(name, kind): &(String, Kind)| table.columns.iter().any(|c| c.name == *name && c.kind == *kind);
        if columns.len() != table.columns.len() || !columns.iter().all(has) {
            return Err(foreign("its columns are not those of its schema".to_owned()));
        }
        let list: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        self.head = format!("INSERT INTO {} ({})", quoted(name), list.join(", "));
        self.what = format!("writing the table {name}");
        self.width = columns.len();
        Ok(())
    }

    async fn row(&mut self, values: Vec<Value>) -> Result<()> {
        for mut value in values {
            match &mut value {
                Value::String(Some(text)) => {
                    self.bytes += text.len();
                    if self.backend == DbBackend::Postgres && text.contains('\0') {
                        *text = text.replace('\0', "\u{fffd}");
                        self.replaced += 1;
                    }
                }
                Value::Bytes(Some(bytes)) => self.bytes += bytes.len(),
                Value::Double(Some(v)) if v.is_nan() && self.backend != DbBackend::Postgres => {
                    return Err(Error::Conflict(format!("{}: SQLite cannot hold the number NaN", self.what)));
                }
                _ => {}
            }
            self.values.push(value);
        }
        if self.values.len() + self.width > bulk::MOST || self.bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        self.flush().await
    }
}

/// Puts the rows of a stream in the place of whatever the database holds; its schema must be that of the stream.
/// All of it is one transaction.
///
/// # Errors
/// The stream is damaged or of another schema; the database does not answer. Nothing is changed then.
pub(crate) async fn load(
    db: &DatabaseConnection,
    input: Source<'_>,
    progress: Progress<'_>,
) -> Result<Summary> {
    let what = "loading the export";
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.begin_with_options(options).await.doing(what)?;
    let backend = tx.get_database_backend();
    let all = tables(&tx).await?;
    let keys = open_keys(&tx, &all).await?;
    let mut load = Load {
        tx: &tx,
        backend,
        tables: all.iter().map(|t| (t.name.clone(), t.clone())).collect(),
        head: String::new(),
        what: String::new(),
        width: 0,
        values: Vec::new(),
        bytes: 0,
        replaced: 0,
    };
    let mut summary = walk(input, &mut load, progress).await?;
    summary.replaced = load.replaced;
    if let Some(missing) = load.tables.keys().next() {
        return Err(Error::Invalid {
            doing: what.to_owned(),
            diagnostic: Diagnostic::new(
                "export-damaged",
                "",
                format!("the table {missing} is missing in it"),
            ),
        });
    }
    if db::schema(&tx).await? != summary.schema {
        return Err(Error::Internal { doing: what.to_owned(), cause: "it is of another schema".into() });
    }
    close_keys(&tx, &all, keys).await?;
    tx.commit().await.doing(what)?;
    Ok(summary)
}

/// Empties the tables and lets rows come in any order; the statements that bring the foreign keys back.
async fn open_keys(tx: &DatabaseTransaction, all: &[Table]) -> Result<Vec<String>> {
    let what = "emptying the tables";
    if tx.get_database_backend() != DbBackend::Postgres {
        sql::run(tx, what, "PRAGMA defer_foreign_keys = ON", vec![]).await?;
        for table in all {
            sql::run(tx, what, &format!("DELETE FROM {}", quoted(&table.name)), vec![]).await?;
        }
        return Ok(Vec::new());
    }
    let select = "SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid) FROM pg_constraint k
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE k.contype = 'f' AND n.nspname = current_schema() ORDER BY 1, 2";
    let found: Vec<(String, String, String)> = sql::rows(tx, what, select, vec![]).await?;
    let mut back = Vec::new();
    for (table, name, definition) in found.iter().filter(|f| all.iter().any(|t| t.name == f.0)) {
        let (table, name) = (quoted(table), quoted(name));
        sql::run(tx, what, &format!("ALTER TABLE {table} DROP CONSTRAINT {name}"), vec![]).await?;
        back.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"));
    }
    let names: Vec<String> = all.iter().map(|t| quoted(&t.name)).collect();
    if !names.is_empty() {
        sql::run(tx, what, &format!("TRUNCATE {}", names.join(", ")), vec![]).await?;
    }
    Ok(back)
}

/// Brings the foreign keys back, which checks them, and lets the database number rows from where the data ends.
async fn close_keys(tx: &DatabaseTransaction, all: &[Table], keys: Vec<String>) -> Result<()> {
    let what = "checking what was loaded";
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(()); // checked with the commit; the next number is the largest and one
    }
    for key in keys {
        sql::run(tx, what, &key, vec![]).await?;
    }
    for table in all {
        for column in table.columns.iter().filter(|c| c.serial) {
            let (name, id) = (quoted(&table.name), quoted(&column.name));
            let set = format!(
                "SELECT setval(pg_get_serial_sequence($1, $2), COALESCE(MAX({id}), 0) + 1, false) FROM {name}"
            );
            let values = vec![name.into(), column.name.clone().into()];
            let _: Vec<(i64,)> = sql::rows(tx, what, &set, values).await?;
        }
        sql::run(tx, what, &format!("ANALYZE {}", quoted(&table.name)), vec![]).await?;
    }
    Ok(())
}

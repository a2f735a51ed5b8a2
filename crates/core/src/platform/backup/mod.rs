//! Copies of all data: backups that are made while others work and verified before they count, restoring them, and
//! moving the data to another database.
//!
//! These act on the whole installation, for who holds its files or the database's password; there is no actor in a
//! workspace to ask. What is done is noted in the audit trail of the first workspace.

mod archive;
mod file;
mod restore;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;

pub use archive::{Database, Manifest, Part, Trail, recognise, verify};
pub use restore::{Restored, import, restore};

use self::archive::Writer;
use self::file::{Pending, Scratch};
use crate::error::{Doing, Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::{self, Change};
use crate::platform::db::{self, Place};
use crate::platform::vault::KEY_FILE;
use crate::platform::{dump, people, sql};

/// What every exchange needs to know of who makes it, and when.
#[derive(Debug, Clone)]
pub struct Maker {
    /// Version of the program.
    pub program: String,
    /// Now (RFC 3339 in UTC with milliseconds).
    pub now: String,
    /// Now, in seconds since 1970.
    pub seconds: i64,
}

impl Maker {
    /// The time as file names take it: `20261128T000306Z`.
    pub fn stamp(&self) -> String {
        let whole = self.now.split('.').next().unwrap_or_default();
        let mut stamp: String = whole.chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
        stamp.push('Z');
        stamp
    }
}

/// Opens the database as it is, or tells that there is none.
async fn existing(place: &Place) -> Result<DatabaseConnection> {
    if let Place::File(file) = place
        && !file.exists()
    {
        return Err(Error::NotFound(format!("the database {}", file.display())));
    }
    let db = db::connect(place, 2, false).await?;
    if db::schema(&db).await?.is_empty() {
        return Err(Error::NotFound("data to copy (the database is empty)".to_owned()));
    }
    Ok(db)
}

/// Makes a backup of the database at `place` and, with `key`, of the key file in `data_dir`. `target` is a file that
/// is not there yet, or a folder in which one is made. Others may go on writing meanwhile; what is copied is one
/// moment. The copy is read back and compared before it gets its name.
///
/// # Errors
/// There is no data, the target is taken or cannot be written, or the database is damaged: then nothing is left.
pub async fn make(
    data_dir: &Path,
    place: &Place,
    target: &Path,
    key: bool,
    maker: &Maker,
    progress: dump::Progress<'_>,
) -> Result<(PathBuf, Manifest)> {
    let target = match target.is_dir() {
        true => target.join(format!("tocsin-{}.tar", maker.stamp())),
        false => target.to_owned(),
    };
    let db = existing(place).await?;
    let mut pending = Pending::create(&target)?;
    let scratch = Scratch::new(pending.beside(".db"));
    let temp = pending.temp().to_owned();
    let mut writer = Writer::new(&mut pending.file, maker.seconds);
    let manifest = match place {
        Place::File(_) => {
            copy_sqlite(&db, &scratch.0).await?;
            let manifest = look(&scratch.0, maker, progress).await?;
            let copied = writer.compressed(Database::Sqlite.entry(), async |out| {
                let mut copy = std::fs::File::open(&scratch.0).doing("reading the copy")?;
                std::io::copy(&mut copy, out).doing("writing the backup")
            });
            copied.await?;
            manifest
        }
        Place::Postgres(_) => {
            let export = writer.compressed(Database::Postgres.entry(), async |out| {
                dump::export(&db, out, &maker.now, &maker.program, progress).await
            });
            let summary = export.await?;
            Manifest {
                version: archive::VERSION,
                made: maker.now.clone(),
                program: maker.program.clone(),
                database: Database::Postgres,
                audit: trail(&db, &summary.schema).await?,
                schema: summary.schema,
                tables: summary.tables,
                key: false,
                files: Vec::new(),
            }
        }
    };
    let mut manifest = manifest;
    let file = data_dir.join(KEY_FILE);
    if key && file.exists() {
        let text = zeroize::Zeroizing::new(std::fs::read(&file).doing("reading the key file")?);
        writer.plain(KEY_FILE, &text)?;
        manifest.key = true;
    }
    let manifest = writer.finish(manifest)?;
    drop(scratch);
    pending.file.sync_all().doing("writing the backup")?;
    if verify(&temp, progress).await? != manifest {
        return Err(Error::Internal {
            doing: "verifying the backup".to_owned(),
            cause: "what was read back is not what was written; look at the disk".into(),
        });
    }
    pending.finish()?;
    let told = serde_json::json!({"file": shown(&target), "rows": manifest.rows(), "key": manifest.key});
    note(&db, maker, "data.backup", &target, &told).await?;
    close(db).await?;
    Ok((target, manifest))
}

/// Writes a copy of a SQLite database as of one moment.
async fn copy_sqlite(db: &DatabaseConnection, copy: &Path) -> Result<()> {
    let what = "copying the database";
    let name = copy.to_str().ok_or_else(|| Error::Rejected {
        field: "file".to_owned(),
        message: format!("{} is not named in Unicode, which SQLite wants", copy.display()),
    })?;
    super::vault::create_private(copy).doing(what)?;
    sql::run(db, what, "VACUUM INTO $1", vec![name.into()]).await?;
    Ok(())
}

/// Opens a SQLite file that nobody else has.
async fn open_own(file: &Path, read_only: bool) -> Result<DatabaseConnection> {
    let options = SqliteConnectOptions::new().filename(file).read_only(read_only);
    // a file that nobody uses yet, and that is thrown away when anything fails, needs no journal
    let options = if read_only { options } else { options.pragma("journal_mode", "off") };
    db::sqlite(options.pragma("synchronous", "off").pragma("cache_size", "-65536"), 1).await
}

async fn close(db: DatabaseConnection) -> Result<()> {
    db.close().await.doing("closing the database")
}

/// Says whether SQLite finds its own file whole.
async fn whole(db: &impl ConnectionTrait, file: &Path) -> Result<()> {
    let what = "checking the database";
    let said: Vec<(String,)> = sql::rows(db, what, "PRAGMA integrity_check(10)", vec![]).await?;
    match said.as_slice() {
        [(ok,)] if ok == "ok" => Ok(()),
        _ => {
            let list: Vec<&str> = said.iter().map(|s| s.0.as_str()).collect();
            let why = format!("{} is damaged: {}", file.display(), list.join("; "));
            Err(Error::Unavailable { doing: what.to_owned(), cause: why.into() })
        }
    }
}

/// What a copied SQLite file holds; it is checked first.
async fn look(file: &Path, maker: &Maker, progress: dump::Progress<'_>) -> Result<Manifest> {
    let db = open_own(file, true).await?;
    progress("integrity check", 0);
    whole(&db, file).await?;
    let schema = db::schema(&db).await?;
    let mut tables = BTreeMap::new();
    for table in dump::tables(&db).await? {
        let count = format!("SELECT COUNT(*) FROM {}", dump::quoted(&table.name));
        let rows: Option<(i64,)> = sql::row(&db, "counting rows", &count, vec![]).await?;
        let rows = u64::try_from(rows.map_or(0, |r| r.0)).unwrap_or(0);
        progress(&table.name, rows);
        tables.insert(table.name, rows);
    }
    let audit = trail(&db, &schema).await?;
    close(db).await?;
    Ok(Manifest {
        version: archive::VERSION,
        made: maker.now.clone(),
        program: maker.program.clone(),
        database: Database::Sqlite,
        schema,
        tables,
        audit,
        key: false,
        files: Vec::new(),
    })
}

/// The audit trail, where the schema has one.
async fn trail(db: &impl ConnectionTrait, schema: &[String]) -> Result<Option<Trail>> {
    if !schema.iter().any(|m| m.as_str() == "m0010_platform") {
        return Ok(None);
    }
    let change::Verified { events, broken_at } = change::verify(db).await?;
    Ok(Some(Trail { events, broken_at }))
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// Writes an event of the whole installation, where the schema is the newest and there is a workspace.
async fn note(
    db: &DatabaseConnection,
    maker: &Maker,
    action: &'static str,
    file: &Path,
    told: &impl Serialize,
) -> Result<()> {
    if db::schema(db).await? != db::known() {
        return Ok(());
    }
    let Some(workspace) = people::workspaces(db).await?.into_iter().next() else { return Ok(()) };
    let actor = Actor { name: "local".to_owned(), ..Actor::system(workspace, &maker.now) };
    let mut change = Change::begin(db, &actor).await?;
    change.record(action, "installation".to_owned(), &shown(file), &(), told);
    change.commit().await
}

/// Writes every table into a portable file, which [`import`] reads into either database.
///
/// # Errors
/// As [`make`].
pub async fn export(
    place: &Place,
    target: &Path,
    maker: &Maker,
    progress: dump::Progress<'_>,
) -> Result<dump::Summary> {
    let db = existing(place).await?;
    let mut pending = Pending::create(target)?;
    let what = format!("writing {}", target.display());
    let mut encoder = zstd::Encoder::new(&mut pending.file, 3).doing(&what)?;
    encoder.include_checksum(true).doing(&what)?;
    let summary = dump::export(&db, &mut encoder, &maker.now, &maker.program, progress).await?;
    encoder.finish().doing(&what)?;
    pending.file.sync_all().doing(&what)?;
    let back = dump::check(dump::source(pending.temp()).doing(&what)?, progress).await?;
    if back != summary {
        return Err(Error::Internal {
            doing: "verifying the export".to_owned(),
            cause: "what was read back is not what was written; look at the disk".into(),
        });
    }
    pending.finish()?;
    let told = serde_json::json!({"file": shown(target), "rows": summary.rows});
    note(&db, maker, "data.export", target, &told).await?;
    close(db).await?;
    Ok(summary)
}

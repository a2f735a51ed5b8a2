//! Putting a copy in the place of the data. The old data stays until the new is whole: a SQLite file is made beside
//! it and renamed over it, PostgreSQL takes everything in one transaction.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use serde::Serialize;

use super::archive::{self, Database, Manifest, Trail};
use super::file::{Scratch, sync_folder};
use super::{Maker, close, note, open_own, trail, whole};
use crate::error::{Doing, Error, Result};
use crate::platform::db::{self, Place};
use crate::platform::vault::{self, KEY_FILE};
use crate::platform::{dump, lock, sql};

/// What was put in place.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// When the copy was made (RFC 3339, UTC).
    pub made: String,
    /// Version of the program that made it.
    pub program: String,
    /// Newest migration of the copy.
    #[serde(rename = "migration")]
    pub schema: String,
    /// Newest migration now.
    pub migrated: String,
    /// Rows of the copy.
    pub rows: u64,
    /// The audit trail after it.
    pub audit: Option<Trail>,
    /// Where the old SQLite file is kept.
    pub kept: Option<PathBuf>,
    /// Whether a key file was put in place.
    pub key: bool,
    /// Texts in which U+0000 had to be replaced.
    pub replaced: u64,
}

/// A copy that was verified.
enum Copy {
    Backup(PathBuf, Box<Manifest>),
    Export(PathBuf, dump::Summary),
}

impl Copy {
    fn schema(&self) -> &[String] {
        match self {
            Copy::Backup(_, m) => &m.schema,
            Copy::Export(_, s) => &s.schema,
        }
    }

    fn rows(&self) -> u64 {
        match self {
            Copy::Backup(_, m) => m.rows(),
            Copy::Export(_, s) => s.rows,
        }
    }

    /// Passes it on as an export.
    async fn load(&self, db: &DatabaseConnection, progress: dump::Progress<'_>) -> Result<dump::Summary> {
        match self {
            Copy::Export(file, _) => {
                dump::load(db, dump::source(file).doing("opening the export")?, progress).await
            }
            Copy::Backup(file, _) => {
                archive::stream(file, async |source| dump::load(db, source, progress).await).await
            }
        }
    }
}

/// Puts a backup in the place of the data in `data_dir` and at `place`. Where there is data already, only with
/// `force`; an old SQLite file is then kept under another name, and the keys of an old key file go on opening.
///
/// # Errors
/// The backup is damaged or of a newer version; there is data and no `force`; another process uses the data.
/// The old data stays as it was then.
pub async fn restore(
    data_dir: &Path,
    place: &Place,
    file: &Path,
    force: bool,
    maker: &Maker,
    progress: dump::Progress<'_>,
) -> Result<Restored> {
    let manifest = archive::verify(file, progress).await?;
    let copy = Copy::Backup(file.to_owned(), Box::new(manifest));
    put(data_dir, place, &copy, force, "data.restore", maker, progress).await
}

/// Puts an export into an empty database; see [`restore`].
///
/// # Errors
/// As [`restore`].
pub async fn import(
    data_dir: &Path,
    place: &Place,
    file: &Path,
    maker: &Maker,
    progress: dump::Progress<'_>,
) -> Result<Restored> {
    let what = format!("opening {}", file.display());
    dump::newest(dump::source(file).doing(&what)?)?;
    let summary = dump::check(dump::source(file).doing(&what)?, progress).await?;
    let copy = Copy::Export(file.to_owned(), summary);
    put(data_dir, place, &copy, false, "data.import", maker, progress).await
}

async fn put(
    data_dir: &Path,
    place: &Place,
    copy: &Copy,
    force: bool,
    action: &'static str,
    maker: &Maker,
    progress: dump::Progress<'_>,
) -> Result<Restored> {
    let known = db::known();
    if !known.starts_with(copy.schema()) {
        let newer = copy.schema().iter().find(|m| !known.contains(m)).cloned().unwrap_or_default();
        return Err(Error::Conflict(format!(
            "the copy was made by a newer version of Tocsin (it has {newer}); restore it with that version"
        )));
    }
    std::fs::create_dir_all(data_dir).doing("making the data directory")?;
    let _lock = lock::import(data_dir)?;
    let (made, program, source) = match copy {
        Copy::Backup(file, m) => (m.made.clone(), m.program.clone(), file),
        Copy::Export(file, s) => (s.made.clone(), s.program.clone(), file),
    };
    let told = serde_json::json!({"made": made, "program": program, "rows": copy.rows()});
    let mut done = Restored {
        made,
        program,
        schema: copy.schema().last().cloned().unwrap_or_default(),
        migrated: known.last().cloned().unwrap_or_default(),
        rows: copy.rows(),
        audit: None,
        kept: None,
        key: false,
        replaced: 0,
    };
    match place {
        Place::File(target) => {
            let old = Old::look(target, force).await?;
            let new = Scratch::new(with_ending(target, ".new"));
            let db = build(copy, &new.0, progress).await?;
            note(&db, maker, action, source, &told).await?;
            done.audit = trail(&db, &known).await?;
            close(db).await?;
            done.key = put_key(data_dir, copy).await?;
            done.kept = swap(data_dir, target, &new.0, old, maker)?;
        }
        Place::Postgres(_) => {
            let db = db::connect(place, 1, false).await?;
            alone(&db).await?;
            db::migrate(&db, None).await?;
            if !force && !is_empty(&db).await? {
                return Err(taken("the PostgreSQL database"));
            }
            done.key = put_key(data_dir, copy).await?;
            stale(data_dir)?;
            done.replaced = into_postgres(data_dir, &db, copy, progress).await?;
            note(&db, maker, action, source, &told).await?;
            done.audit = trail(&db, &known).await?;
            close(db).await?;
        }
    }
    Ok(done)
}

fn taken(what: &str) -> Error {
    Error::Conflict(format!(
        "{what} holds data; give an empty one, or restore a backup with --force in the place of that data"
    ))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes the copy's SQLite database, migrated to the newest schema, in a new file.
async fn build(copy: &Copy, new: &Path, progress: dump::Progress<'_>) -> Result<DatabaseConnection> {
    let what = "making the new database";
    let out = vault::create_private(new).doing(what)?;
    if let Copy::Backup(file, manifest) = copy
        && manifest.database == Database::Sqlite
    {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        progress("unpacking", 0);
        archive::unpack(file, manifest, &mut out).await?;
        out.flush().doing(what)?;
        let db = open_own(new, false).await?;
        progress("integrity check", 0);
        whole(&db, new).await?;
        db::migrate(&db, None).await?;
        return Ok(db);
    }
    let db = open_own(new, false).await?;
    db::migrate(&db, u32::try_from(copy.schema().len()).ok()).await?;
    copy.load(&db, progress).await?;
    db::migrate(&db, None).await?;
    Ok(db)
}

/// Fills PostgreSQL. What is of another kind or schema goes through a SQLite file that is taken away again.
async fn into_postgres(
    data_dir: &Path,
    db: &DatabaseConnection,
    copy: &Copy,
    progress: dump::Progress<'_>,
) -> Result<u64> {
    let direct = match copy {
        Copy::Backup(_, m) => m.database == Database::Postgres,
        Copy::Export(..) => true,
    };
    if direct && copy.schema() == db::known() {
        return Ok(copy.load(db, progress).await?.replaced);
    }
    let what = "making the copy's newest form";
    let scratch = Scratch::new(data_dir.join("restore.db"));
    let own = build(copy, &scratch.0, progress).await?;
    let export = Scratch::new(data_dir.join("restore.jsonl.zst"));
    let mut encoder = zstd::Encoder::new(vault::create_private(&export.0).doing(what)?, 1).doing(what)?;
    dump::export(&own, &mut encoder, "", "", progress).await?;
    encoder.finish().doing(what)?;
    close(own).await?;
    Ok(dump::load(db, dump::source(&export.0).doing(what)?, progress).await?.replaced)
}

/// Refuses a PostgreSQL database that others have open: they would go on with what they remember.
async fn alone(db: &DatabaseConnection) -> Result<()> {
    let select = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let what = "looking who uses the database";
    let mut others = 0;
    // a program that has just ended may still be seen for a moment
    for _ in 0..10 {
        others = sql::row::<(i64,)>(db, what, select, vec![]).await?.map_or(0, |n| n.0);
        if others == 0 {
            return Ok(());
        }
        sql::run(db, what, "SELECT pg_sleep(0.2)", vec![]).await?;
    }
    Err(Error::Conflict(format!(
        "{others} other connections use this PostgreSQL database; stop every `tocsin serve` and other program first"
    )))
}

/// Whether a migrated database has no row but those that migrations put in.
async fn is_empty(db: &DatabaseConnection) -> Result<bool> {
    let schema = db::schema(db).await?;
    if schema.is_empty() {
        return Ok(true);
    }
    let fresh = db::sqlite(SqliteConnectOptions::new().in_memory(true), 1).await?;
    db::migrate(&fresh, u32::try_from(schema.len()).ok()).await?;
    for table in dump::tables(db).await? {
        let count =
            format!("SELECT COUNT(*) FROM (SELECT 1 FROM {} LIMIT 1000) x", dump::quoted(&table.name));
        let rows = async |db: &DatabaseConnection| -> Result<i64> {
            let row: Option<(i64,)> = sql::row(db, "looking for data", &count, vec![]).await?;
            Ok(row.map_or(0, |r| r.0))
        };
        if rows(db).await? != rows(&fresh).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The old SQLite file, seen to be used by nobody.
struct Old {
    there: bool,
}

impl Old {
    /// Looks whether it may be replaced. A file in use cannot leave WAL mode; one that has left it is a single file.
    async fn look(target: &Path, force: bool) -> Result<Old> {
        if !target.exists() {
            return Ok(Old { there: false });
        }
        let what = "looking at the old database";
        let options = SqliteConnectOptions::new().filename(target).busy_timeout(Duration::from_secs(2));
        let opened = async {
            let db = db::sqlite(options, 1).await?;
            let mode = sql::row::<(String,)>(&db, what, "PRAGMA journal_mode = DELETE", vec![]).await?;
            let empty = mode.is_some_and(|m| m.0 == "delete").then_some(is_empty(&db).await?);
            close(db).await?;
            Ok::<_, Error>(empty)
        };
        match opened.await {
            Ok(Some(true)) => Ok(Old { there: true }),
            Ok(Some(false)) if force => Ok(Old { there: true }),
            Ok(Some(false)) => Err(taken(&target.display().to_string())),
            Ok(None) => Err(in_use(target)),
            Err(e) if e.to_string().contains("locked") => Err(in_use(target)),
            // a damaged file is a reason to restore, and is kept
            Err(_) if force => Ok(Old { there: true }),
            Err(e) => Err(Error::Conflict(format!(
                "{} is there and cannot be read ({e}); with --force it is kept under another name",
                target.display()
            ))),
        }
    }
}

fn in_use(target: &Path) -> Error {
    Error::Conflict(format!(
        "{} is in use; stop `tocsin serve` and every other command on this data first",
        target.display()
    ))
}

/// Takes the index's list of files away: it is made again from the new data.
fn stale(data_dir: &Path) -> Result<()> {
    match std::fs::remove_file(data_dir.join("index/manifest")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).doing("taking the old index away"),
        _ => Ok(()),
    }
}

/// Renames the new file into place. The old one is kept under another name first; whoever is killed on the way
/// leaves either the old or the new data, and the index that may be of neither is gone before.
fn swap(data_dir: &Path, target: &Path, new: &Path, old: Old, maker: &Maker) -> Result<Option<PathBuf>> {
    let what = "putting the new database in place";
    std::fs::File::open(new).and_then(|f| f.sync_all()).doing(what)?;
    stale(data_dir)?;
    let mut kept = None;
    if old.there {
        let mut name = with_ending(target, &format!(".before-{}", maker.stamp()));
        for n in 2..1000 {
            if !name.exists() {
                break;
            }
            name = with_ending(target, &format!(".before-{}-{n}", maker.stamp()));
        }
        // a damaged file may have left these, which must not be taken for the new one's
        for of in ["-wal", "-shm", "-journal"] {
            let beside = with_ending(target, of);
            if beside.exists() {
                std::fs::rename(&beside, with_ending(&name, of)).doing(what)?;
            }
        }
        if std::fs::hard_link(target, &name).is_err() {
            std::fs::copy(target, &name).doing(what)?;
        }
        kept = Some(name);
    }
    std::fs::rename(new, target).doing(what)?;
    sync_folder(target).doing(what)?;
    Ok(kept)
}

/// Puts the backup's keys in place; keys that are there already go on opening what they sealed.
async fn put_key(data_dir: &Path, copy: &Copy) -> Result<bool> {
    let Copy::Backup(file, manifest) = copy else { return Ok(false) };
    if !manifest.key {
        return Ok(false);
    }
    let what = "putting the key file in place";
    let Some(text) = archive::key(file).await? else { return Ok(false) };
    let target = data_dir.join(KEY_FILE);
    let mut all = String::from_utf8_lossy(&text).trim_end().to_owned();
    if target.exists() {
        let old = zeroize::Zeroizing::new(std::fs::read_to_string(&target).doing(what)?);
        for line in old.lines().map(str::trim).filter(|l| !l.is_empty()) {
            if !all.lines().any(|l| l.trim() == line) {
                all.push('\n');
                all.push_str(line);
            }
        }
    }
    all.push('\n');
    let all = zeroize::Zeroizing::new(all);
    let temp = Scratch::new(with_ending(&target, ".new"));
    let mut out = vault::create_private(&temp.0).doing(what)?;
    out.write_all(all.as_bytes()).and_then(|()| out.sync_all()).doing(what)?;
    std::fs::rename(&temp.0, &target).doing(what)?;
    sync_folder(&target).doing(what)?;
    Ok(true)
}

//! Opening the database, SQLite in WAL mode or PostgreSQL, migrated to the newest schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, SqliteTransactionMode,
    SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use super::sql;
use crate::error::{Doing, Error, Result};
use crate::platform::migrations::Migrator;

/// Connections of a process to its database.
const CONNECTIONS: u32 = 4;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file, made where it is missing.
    File(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    Postgres(String),
}

/// Opens the database, making it where it is missing, and brings its schema up to date.
///
/// # Errors
/// It cannot be opened, is no database, was made by a newer version, or a migration fails (then nothing of any
/// migration remains).
pub async fn open(place: &Place) -> Result<DatabaseConnection> {
    let db = connect(place, CONNECTIONS, true).await?;
    migrate(&db, None).await?;
    Ok(db)
}

/// Tells SQLite how the tables are filled, by which it chooses indexes: a tenth of a second for millions of rows.
/// PostgreSQL looks by itself.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn analyse(db: &DatabaseConnection) -> Result<()> {
    if db.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared("ANALYZE").await.doing("looking how tables are filled")?;
    }
    Ok(())
}

/// Connects to the database and leaves its schema as it is.
pub(crate) async fn connect(place: &Place, most: u32, create: bool) -> Result<DatabaseConnection> {
    match place {
        Place::File(file) => {
            if create {
                make_private(file).doing("making the database file")?;
            }
            let options = SqliteConnectOptions::new()
                .filename(file)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(Duration::from_secs(30))
                .pragma("cache_size", "-65536")
                .pragma("temp_store", "memory")
                .pragma("analysis_limit", "1000")
                .pragma("mmap_size", "268435456");
            sqlite(options, most).await
        }
        Place::Postgres(url) => {
            let mut options = ConnectOptions::new(url);
            options.max_connections(most).connect_timeout(Duration::from_secs(30)).sqlx_logging(false);
            Database::connect(options).await.doing("connecting to PostgreSQL")
        }
    }
}

/// A pool of connections to a SQLite database.
pub(crate) async fn sqlite(options: SqliteConnectOptions, most: u32) -> Result<DatabaseConnection> {
    let pool = SqlitePoolOptions::new().max_connections(most).connect_with(options).await;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.doing("opening the database")?))
}

/// Makes an empty file that its owner alone can read, where there is none; what SQLite writes beside it is given
/// the same rights.
fn make_private(file: &Path) -> std::io::Result<()> {
    match super::vault::create_private(file) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

/// Names of the migrations that a database has had, in their order; nothing for an empty one.
pub(crate) async fn schema(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    let what = "reading the schema's version";
    let there = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT 1::bigint FROM pg_tables WHERE schemaname = current_schema() \
                                AND tablename = 'seaql_migrations'"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    if sql::row::<(i64,)>(db, what, there, vec![]).await?.is_none() {
        return Ok(Vec::new());
    }
    let select = "SELECT version FROM seaql_migrations";
    let mut names: Vec<String> =
        sql::rows::<(String,)>(db, what, select, vec![]).await?.into_iter().map(|r| r.0).collect();
    names.sort();
    Ok(names)
}

/// Names of the migrations that this version knows, in their order.
pub(crate) fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|m| m.name().to_owned()).collect()
}

/// Brings the schema up to date, or only through the first `steps` of the migrations that are missing. All of it
/// is one transaction: whoever is killed on the way leaves the old schema.
///
/// # Errors
/// The database was made by a newer version; a migration fails.
pub(crate) async fn migrate(db: &DatabaseConnection, steps: Option<u32>) -> Result<()> {
    let what = "migrating the database";
    let known = known();
    let missing = |had: &[String]| known.iter().any(|m| !had.contains(m));
    let had = schema(db).await?;
    if let Some(newer) = had.iter().find(|m| !known.contains(m)) {
        return Err(Error::Conflict(format!(
            "the database was made by a newer version of Tocsin (it has {newer}); use that version, or restore a \
             backup made before"
        )));
    }
    if !missing(&had) {
        return Ok(()); // the usual start takes no lock
    }
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.begin_with_options(options).await.doing(what)?;
    if tx.get_database_backend() == DbBackend::Postgres {
        // processes that start together wait for the first; on SQLite the transaction's own lock does it
        sql::run(&tx, what, "SELECT pg_advisory_xact_lock(8313446920118)", vec![]).await?;
    }
    if missing(&schema(&tx).await?) {
        Migrator::up(&tx, steps).await.doing(what)?;
    }
    tx.commit().await.doing(what)
}

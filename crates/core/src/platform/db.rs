//! Opening the database, SQLite in WAL mode or PostgreSQL, migrated to the newest schema.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, SqlxSqliteConnector,
};
use sea_orm_migration::MigratorTrait;

use crate::error::{Doing, Result};
use crate::platform::migrations::Migrator;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file, made where it is missing.
    File(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    Postgres(String),
}

/// Opens the database and brings its schema up to date.
///
/// # Errors
/// It cannot be opened, is no database, or a migration fails.
pub async fn open(place: &Place) -> Result<DatabaseConnection> {
    let db = match place {
        Place::File(file) => sqlite(file).await?,
        Place::Postgres(url) => {
            let mut options = ConnectOptions::new(url);
            options.max_connections(4).connect_timeout(Duration::from_secs(30)).sqlx_logging(false);
            Database::connect(options).await.doing("connecting to PostgreSQL")?
        }
    };
    Migrator::up(&db, None).await.doing("migrating the database")?;
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

async fn sqlite(file: &Path) -> Result<DatabaseConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(30))
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory")
        .pragma("analysis_limit", "1000")
        .pragma("mmap_size", "268435456");
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .doing("opening the database")?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

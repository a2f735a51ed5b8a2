//! Opening the database: SQLite in WAL mode, migrated to the newest schema.

use std::path::Path;
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxSqliteConnector};
use sea_orm_migration::MigratorTrait;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::{Doing, Result};
use crate::platform::migrations::Migrator;

/// Opens `file`, makes it where it is missing, and brings its schema up to date.
///
/// # Errors
/// The file cannot be opened, is no database, or a migration fails.
pub async fn open(file: &Path) -> Result<DatabaseConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(30))
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory")
        .pragma("mmap_size", "268435456");
    let pool: SqlitePool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .doing("opening the database")?;
    let db = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    Migrator::up(&db, None).await.doing("migrating the database")?;
    Ok(db)
}

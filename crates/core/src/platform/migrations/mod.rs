//! Migrations, oldest first; append only.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

mod m0001_intel;
mod m0002_catalogue;
mod m0003_runs;

/// All migrations.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_intel::Migration),
            Box::new(m0002_catalogue::Migration),
            Box::new(m0003_runs::Migration),
        ]
    }
}

/// Runs statements written in SQLite's words (`INTEGER`, `REAL`, `BLOB`), then those of one backend alone.
async fn run(manager: &SchemaManager<'_>, shared: &str, sqlite: &str, postgres: &str) -> Result<(), DbErr> {
    let postgresql = manager.get_database_backend() == DbBackend::Postgres;
    let shared = if postgresql {
        shared.replace("INTEGER", "BIGINT").replace("REAL", "DOUBLE PRECISION").replace("BLOB", "BYTEA")
    } else {
        shared.to_owned()
    };
    let own = if postgresql { postgres } else { sqlite };
    for statement in shared.split(";\n").chain(own.split(";\n")).filter(|s| !s.trim().is_empty()) {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

//! Migrations, oldest first; append only.

use sea_orm_migration::prelude::*;

mod m0001_intel;
mod m0002_catalogue;

/// All migrations.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_intel::Migration), Box::new(m0002_catalogue::Migration)]
    }
}

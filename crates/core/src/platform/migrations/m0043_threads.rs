//! Conversations: items of mailing lists answer one another.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0043_threads"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `item.thread` is what the source calls the first item of the conversation; empty where there is none.
const SCHEMA: &str = "
ALTER TABLE item ADD COLUMN thread TEXT NOT NULL DEFAULT ''
";

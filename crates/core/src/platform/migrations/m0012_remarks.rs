//! What parsers remark on records that were kept all the same.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_remarks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `n` counts the remarks on one content of a record, from 0, at most 20. Records stored before have none until their
/// content changes.
const SCHEMA: &str = "
CREATE TABLE remark (record INTEGER NOT NULL, n INTEGER NOT NULL, path TEXT NOT NULL, code TEXT NOT NULL,
  message TEXT NOT NULL, PRIMARY KEY (record, n));
";

//! The state of each source that is followed.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0029_feeds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `address` is empty where the publisher's own holds. `mark` is what the publisher calls the edition that was last
/// taken in whole (JSON). `good` is when the source was last heard and understood, `error` why it was not since.
const SCHEMA: &str = "
CREATE TABLE feed (name TEXT PRIMARY KEY, address TEXT NOT NULL DEFAULT '', enabled INTEGER NOT NULL DEFAULT 0,
  mark TEXT NOT NULL DEFAULT '', tried TEXT, good TEXT, error TEXT NOT NULL DEFAULT '',
  failures INTEGER NOT NULL DEFAULT 0, not_before TEXT, read INTEGER NOT NULL DEFAULT 0,
  fresh INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0);
";

//! Sources that give many documents: how far each is read, its credentials and settings, and its runs.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0035_sources"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `feed.cursor` is the source's own word for how far it is read, empty before the first time; `options` is
/// JSON; `secret` is sealed and in hexadecimal. A `feed_run` that found nothing
/// new is one row for all such runs in a row (`times`).
const SCHEMA: &str = "
ALTER TABLE feed ADD COLUMN cursor TEXT NOT NULL DEFAULT '';
ALTER TABLE feed ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE feed ADD COLUMN secret TEXT NOT NULL DEFAULT '';
CREATE TABLE feed_run (id SERIAL_KEY, feed TEXT NOT NULL REFERENCES feed (name) ON DELETE CASCADE,
  started TEXT NOT NULL, ended TEXT NOT NULL, outcome TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 1,
  documents INTEGER NOT NULL DEFAULT 0, read INTEGER NOT NULL DEFAULT 0, fresh INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '');
CREATE INDEX feed_run_feed ON feed_run (feed, id)
";

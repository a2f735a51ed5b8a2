//! Keys that providers of signed documents show, and which of them are trusted.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0044_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `feed_provider`: one publisher that a source follows, by the name under which it is followed; `signed`, `unsigned`
/// and `refused` count the documents of its last run that had any. `feed_key`: a key that it showed, by its fingerprint in
/// small letters; `state` is `pinned` (documents may be signed with it) or `waiting` (shown later, not accepted).
const SCHEMA: &str = "
CREATE TABLE feed_provider (id SERIAL_KEY, feed TEXT NOT NULL, owner TEXT NOT NULL, seen TEXT NOT NULL,
  signed INTEGER NOT NULL DEFAULT 0, unsigned INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX feed_provider_owner ON feed_provider (feed, owner);
CREATE TABLE feed_key (id SERIAL_KEY, provider INTEGER NOT NULL REFERENCES feed_provider (id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL, state TEXT NOT NULL, seen TEXT NOT NULL);
CREATE UNIQUE INDEX feed_key_fingerprint ON feed_key (provider, fingerprint)
";

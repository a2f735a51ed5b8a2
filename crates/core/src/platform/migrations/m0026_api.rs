//! What the interfaces remember: requests that must not be done twice, what programs say of a release beyond what
//! Tocsin asks, and counts by day.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0026_api"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `idempotency.request` is a hash over the request; `status` is 0 while it is being done. `card.kind` is a CycloneDX
/// component type, `card.fields` a JSON object. `release_count` has at most one row a day, of the day's last state.
const SCHEMA: &str = "
CREATE TABLE idempotency (workspace INTEGER NOT NULL REFERENCES workspace (id), caller TEXT NOT NULL,
  name TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT '',
  location TEXT NOT NULL DEFAULT '', body BLOB, begun TEXT NOT NULL, PRIMARY KEY (workspace, caller, name));
CREATE INDEX idempotency_begun ON idempotency (begun);
CREATE TABLE card (release INTEGER PRIMARY KEY REFERENCES release (id) ON DELETE CASCADE, parent INTEGER
  REFERENCES release (id) ON DELETE SET NULL, kind TEXT NOT NULL, fields TEXT NOT NULL);
CREATE INDEX card_parent ON card (parent);
CREATE TABLE property (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE, grp TEXT NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL, kind TEXT NOT NULL, description TEXT NOT NULL,
  PRIMARY KEY (release, grp, name));
CREATE TABLE release_import (release INTEGER PRIMARY KEY REFERENCES release (id) ON DELETE CASCADE, at TEXT NOT NULL);
CREATE TABLE release_count (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE, day TEXT NOT NULL,
  at TEXT NOT NULL, components INTEGER NOT NULL, vulnerable INTEGER NOT NULL, critical INTEGER NOT NULL,
  high INTEGER NOT NULL, medium INTEGER NOT NULL, low INTEGER NOT NULL, unrated INTEGER NOT NULL,
  suppressed INTEGER NOT NULL, audited INTEGER NOT NULL, PRIMARY KEY (release, day));
";

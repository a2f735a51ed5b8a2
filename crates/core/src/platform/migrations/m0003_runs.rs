//! Import runs; problems by file and run; history that keeps every step; ids that a record names without being
//! merged with them; VEX documents.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_runs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `import.ended` is missing while a run goes on or after it was killed. `problem.file` is the file a problem stood
/// in, `problem.run` the last run that met it. `record_history.n` counts the contents a record had before.
/// `record_also` holds the ids a part names that are not of its flaw; `bound` ones
/// have a part in the grouping. What was stored before keeps its meaning; VEX
/// statements had no document and are read again.
const SCHEMA: &str = "
DROP TABLE import;
CREATE TABLE import (id INTEGER PRIMARY KEY, paths TEXT NOT NULL, started TEXT NOT NULL, ended TEXT,
  outcome TEXT NOT NULL, files INTEGER NOT NULL, skipped INTEGER NOT NULL, problems INTEGER NOT NULL,
  counts TEXT NOT NULL);
DROP TABLE problem;
CREATE TABLE problem (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, seen TEXT NOT NULL, source TEXT NOT NULL,
  file TEXT NOT NULL, place TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, run INTEGER NOT NULL,
  bytes BLOB NOT NULL);
CREATE INDEX problem_file ON problem (file);
CREATE INDEX problem_source ON problem (source, id);
CREATE INDEX problem_code ON problem (code, place);
ALTER TABLE record_history RENAME TO record_history_old;
CREATE TABLE record_history (record INTEGER NOT NULL, n INTEGER NOT NULL, until TEXT NOT NULL, hash TEXT NOT NULL,
  modified TEXT, raw BLOB NOT NULL, PRIMARY KEY (record, n));
INSERT INTO record_history SELECT record, row_number() OVER (PARTITION BY record ORDER BY until), until, hash,
  modified, raw FROM record_history_old;
DROP TABLE record_history_old;
CREATE TABLE record_also (record INTEGER NOT NULL, part INTEGER NOT NULL, id TEXT NOT NULL,
  bound INTEGER NOT NULL, PRIMARY KEY (record, part, id));
CREATE INDEX record_also_id ON record_also (id);
ALTER TABLE kev ADD COLUMN released TEXT;
ALTER TABLE exploit ADD COLUMN updated TEXT;
DROP TABLE vex_statement;
CREATE TABLE vex_document (id TEXT PRIMARY KEY, modified TEXT, hash TEXT NOT NULL, seen TEXT NOT NULL);
CREATE TABLE vex_statement (document TEXT NOT NULL, n INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (document, n));
";

//! The intelligence store.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_intel"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, SEARCH_SQLITE, SEARCH_POSTGRES).await
    }
}

/// Ids of `record` and `vulnerability` are given by the one writer. `record_link` says which part (n-th record
/// of a parsed document) belongs to which vulnerability; `ids` is a JSON list of the part's ids, own id first.
const SCHEMA: &str = "
CREATE TABLE record (id INTEGER PRIMARY KEY, source TEXT NOT NULL, record_id TEXT NOT NULL, kind INTEGER NOT NULL,
  hash TEXT NOT NULL, modified TEXT, state TEXT NOT NULL, title TEXT NOT NULL, first_seen TEXT NOT NULL,
  last_seen TEXT NOT NULL, UNIQUE (source, record_id));
CREATE INDEX record_hash ON record (hash);
CREATE INDEX record_record_id ON record (record_id);
CREATE TABLE record_raw (record INTEGER PRIMARY KEY, raw BLOB NOT NULL);
CREATE TABLE record_history (record INTEGER NOT NULL, until TEXT NOT NULL, hash TEXT NOT NULL, modified TEXT,
  raw BLOB NOT NULL, PRIMARY KEY (record, hash));
CREATE TABLE vulnerability (id INTEGER PRIMARY KEY, main TEXT NOT NULL UNIQUE, dirty INTEGER NOT NULL DEFAULT 1);
CREATE INDEX vulnerability_dirty ON vulnerability (id) WHERE dirty = 1;
CREATE TABLE alias (id TEXT PRIMARY KEY, vulnerability INTEGER NOT NULL);
CREATE INDEX alias_vulnerability ON alias (vulnerability);
CREATE TABLE record_link (record INTEGER NOT NULL, part INTEGER NOT NULL, vulnerability INTEGER NOT NULL,
  ids TEXT NOT NULL, PRIMARY KEY (record, part));
CREATE INDEX record_link_vulnerability ON record_link (vulnerability);
CREATE TABLE gone (main TEXT PRIMARY KEY);
CREATE TABLE epss (cve TEXT PRIMARY KEY, date TEXT NOT NULL, score REAL NOT NULL, percentile REAL NOT NULL);
CREATE TABLE epss_change (cve TEXT NOT NULL, date TEXT NOT NULL, score REAL NOT NULL, percentile REAL NOT NULL,
  PRIMARY KEY (cve, date));
CREATE TABLE kev (cve TEXT PRIMARY KEY, date_added TEXT NOT NULL, due_date TEXT, ransomware INTEGER NOT NULL,
  name TEXT NOT NULL);
CREATE TABLE kev_change (cve TEXT NOT NULL, seen TEXT NOT NULL, date_added TEXT NOT NULL, due_date TEXT,
  ransomware INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (cve, date_added, due_date, ransomware, name));
CREATE TABLE exploit (origin TEXT NOT NULL, id TEXT NOT NULL, cve TEXT NOT NULL, title TEXT NOT NULL, date TEXT,
  verified INTEGER NOT NULL, rank INTEGER, PRIMARY KEY (origin, id, cve));
CREATE INDEX exploit_cve ON exploit (cve);
CREATE TABLE cwe (id TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL);
CREATE TABLE vex_statement (hash TEXT PRIMARY KEY, seen TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE problem (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, seen TEXT NOT NULL, place TEXT NOT NULL,
  code TEXT NOT NULL, message TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE import (id INTEGER PRIMARY KEY, path TEXT NOT NULL, started TEXT NOT NULL, finished TEXT,
  counts TEXT);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
";

const SEARCH_SQLITE: &str = "CREATE VIRTUAL TABLE search USING fts5(ids, title, packages)";

/// Words are what stands between characters that are no letter and no digit, as FTS5 cuts them.
const SEARCH_POSTGRES: &str = "
CREATE TABLE search (rowid BIGINT PRIMARY KEY, ids TEXT NOT NULL, title TEXT NOT NULL, packages TEXT NOT NULL,
  words TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple'::regconfig,
    regexp_replace(ids || ' ' || title || ' ' || packages, '[^[:alnum:]]+', ' ', 'g'))) STORED);
CREATE INDEX search_words ON search USING gin (words);
";

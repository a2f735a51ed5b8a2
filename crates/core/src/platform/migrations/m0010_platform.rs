//! People, access, the audit trail and jobs.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_platform"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// Times are RFC 3339 in UTC with milliseconds, so that text order is time order. `audit.hash` is SHA-256 over the
/// previous hash and the event. `job.unique_key` holds a job back while one of the same key waits or runs.
const SCHEMA: &str = "
CREATE TABLE workspace (id SERIAL_KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, settings TEXT NOT NULL,
  created TEXT NOT NULL);
CREATE TABLE person (id SERIAL_KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL,
  password TEXT, totp BLOB, disabled INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL, seen TEXT);
CREATE TABLE membership (workspace INTEGER NOT NULL REFERENCES workspace (id), person INTEGER NOT NULL
  REFERENCES person (id), role TEXT NOT NULL, line INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (workspace, person,
  role, line));
CREATE TABLE invitation (hash TEXT PRIMARY KEY, workspace INTEGER NOT NULL REFERENCES workspace (id),
  role TEXT NOT NULL, line INTEGER NOT NULL DEFAULT 0, email TEXT NOT NULL, expires TEXT NOT NULL, used TEXT);
CREATE TABLE session (hash TEXT PRIMARY KEY, person INTEGER NOT NULL REFERENCES person (id), csrf TEXT NOT NULL,
  workspace INTEGER NOT NULL, created TEXT NOT NULL, seen TEXT NOT NULL, expires TEXT NOT NULL,
  address TEXT NOT NULL, agent TEXT NOT NULL);
CREATE INDEX session_person ON session (person);
CREATE TABLE api_key (id SERIAL_KEY, public TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, name TEXT NOT NULL,
  workspace INTEGER NOT NULL REFERENCES workspace (id), role TEXT NOT NULL, line INTEGER NOT NULL DEFAULT 0,
  scopes TEXT NOT NULL, created TEXT NOT NULL, creator INTEGER NOT NULL, expires TEXT, used TEXT, revoked TEXT);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, workspace INTEGER NOT NULL, actor TEXT NOT NULL,
  address TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, before TEXT NOT NULL,
  after TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX audit_workspace ON audit (workspace, seq);
CREATE INDEX audit_subject ON audit (subject, seq);
CREATE TABLE audit_head (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');
CREATE TABLE job (id SERIAL_KEY, kind TEXT NOT NULL, workspace INTEGER NOT NULL, payload TEXT NOT NULL,
  unique_key TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due TEXT NOT NULL, lease TEXT,
  worker TEXT, done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
  result TEXT, error TEXT, actor TEXT NOT NULL, created TEXT NOT NULL, started TEXT, ended TEXT);
CREATE INDEX job_due ON job (due) WHERE state = 'waiting';
CREATE INDEX job_state ON job (state, id);
CREATE UNIQUE INDEX job_unique ON job (unique_key) WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running');
CREATE TABLE schedule (name TEXT PRIMARY KEY, cron TEXT NOT NULL, kind TEXT NOT NULL, workspace INTEGER NOT NULL,
  payload TEXT NOT NULL, enabled INTEGER NOT NULL, next TEXT NOT NULL, last TEXT);
";

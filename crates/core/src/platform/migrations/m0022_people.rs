//! Second steps, passkeys, identities of providers, what is open for a while.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0022_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `session.ended` is when it was ended before its time; its row stays a week, so that a form sent too late is known to
/// be that person's. `session.confined` holds it in its workspace: the provider that vouched for the person is that
/// workspace's alone. `person.totp` is sealed; `totp_step` is the newest time step whose code was used. `ticket` is
/// what is open between two requests (kind `code`, `oidc`, `passkey` …), known by the hash of its token, its data
/// sealed. `identity.subject` is the person's name at a provider, which a workspace trusts for itself.
const SCHEMA: &str = "
ALTER TABLE session ADD COLUMN ended TEXT;
ALTER TABLE session ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
ALTER TABLE session ADD COLUMN confined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN password_set TEXT;
ALTER TABLE invitation ADD COLUMN created TEXT NOT NULL DEFAULT '';
ALTER TABLE invitation ADD COLUMN creator TEXT NOT NULL DEFAULT '';
ALTER TABLE invitation ADD COLUMN revoked TEXT;
CREATE INDEX invitation_workspace ON invitation (workspace, expires);
CREATE INDEX membership_person ON membership (person, workspace);
CREATE INDEX api_key_workspace ON api_key (workspace, id);
CREATE TABLE recovery_code (person INTEGER NOT NULL REFERENCES person (id), hash TEXT NOT NULL, used TEXT,
  PRIMARY KEY (person, hash));
CREATE TABLE passkey (id SERIAL_KEY, person INTEGER NOT NULL REFERENCES person (id), credential TEXT NOT NULL UNIQUE,
  algorithm INTEGER NOT NULL, key BLOB NOT NULL, counter INTEGER NOT NULL, name TEXT NOT NULL, created TEXT NOT NULL,
  used TEXT);
CREATE INDEX passkey_person ON passkey (person);
CREATE TABLE identity (workspace INTEGER NOT NULL REFERENCES workspace (id), issuer TEXT NOT NULL,
  subject TEXT NOT NULL, person INTEGER NOT NULL REFERENCES person (id), created TEXT NOT NULL, used TEXT,
  PRIMARY KEY (workspace, issuer, subject));
CREATE INDEX identity_person ON identity (person);
CREATE TABLE ticket (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, person INTEGER NOT NULL DEFAULT 0,
  workspace INTEGER NOT NULL DEFAULT 0, data BLOB NOT NULL, tries INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL,
  expires TEXT NOT NULL);
CREATE INDEX ticket_expires ON ticket (expires);
";

//! What people are to be told of (the outbox), by which rules and ways, and what came of it.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0033_notify"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `outbox.taken` is when its message was written; `unique_key` keeps what is derived from a state (a due date, a dead
/// letter) from being told twice. `settings`, `body` and `ladder` are JSON; `notify_channel.secret` is sealed and in
/// hexadecimal. `notify_rule.person` 0 is a rule of the workspace. In `notify_delivery` channel 0 is the inbox, person 0
/// nobody by name, `step` 0 the message itself and what is above a reminder or an escalation of it. `notify_message.urge`
/// is when the next step is due, until somebody acknowledges.
const SCHEMA: &str = "
CREATE TABLE outbox (id SERIAL_KEY, workspace INTEGER NOT NULL, topic TEXT NOT NULL, subject TEXT NOT NULL,
  line INTEGER NOT NULL DEFAULT 0, title TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '', actor TEXT NOT NULL,
  embargo INTEGER NOT NULL DEFAULT 0, at TEXT NOT NULL, taken TEXT, unique_key TEXT UNIQUE);
CREATE INDEX outbox_open ON outbox (workspace, id) WHERE taken IS NULL;
CREATE INDEX outbox_taken ON outbox (taken) WHERE taken IS NOT NULL;
CREATE TABLE outbox_finding (event INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  finding INTEGER NOT NULL REFERENCES finding (id) ON DELETE CASCADE, PRIMARY KEY (event, finding));
CREATE INDEX outbox_finding_finding ON outbox_finding (finding);
CREATE TABLE notify_channel (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), kind TEXT NOT NULL,
  name TEXT NOT NULL, settings TEXT NOT NULL, secret TEXT NOT NULL DEFAULT '', enabled INTEGER NOT NULL DEFAULT 1,
  created TEXT NOT NULL, UNIQUE (workspace, name));
CREATE TABLE notify_rule (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id),
  person INTEGER NOT NULL DEFAULT 0, key TEXT, name TEXT NOT NULL, settings TEXT NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1, created TEXT NOT NULL, UNIQUE (workspace, key));
CREATE INDEX notify_rule_workspace ON notify_rule (workspace, person, id);
CREATE TABLE notify_ladder (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id),
  line INTEGER NOT NULL DEFAULT 0, settings TEXT NOT NULL, UNIQUE (workspace, line));
CREATE TABLE notify_person (workspace INTEGER NOT NULL REFERENCES workspace (id), person INTEGER NOT NULL
  REFERENCES person (id), settings TEXT NOT NULL, PRIMARY KEY (workspace, person));
CREATE TABLE notify_message (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id),
  rule INTEGER NOT NULL DEFAULT 0, topic TEXT NOT NULL, thread TEXT NOT NULL, severity INTEGER NOT NULL DEFAULT 0,
  embargo INTEGER NOT NULL DEFAULT 0, title TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL, urge TEXT,
  step INTEGER NOT NULL DEFAULT 0, ladder TEXT NOT NULL DEFAULT '[]', acknowledged TEXT,
  acknowledger TEXT NOT NULL DEFAULT '');
CREATE INDEX notify_message_workspace ON notify_message (workspace, id);
CREATE INDEX notify_message_urge ON notify_message (urge) WHERE urge IS NOT NULL;
CREATE INDEX notify_message_at ON notify_message (at);
CREATE TABLE notify_message_event (event INTEGER NOT NULL, message INTEGER NOT NULL REFERENCES notify_message (id)
  ON DELETE CASCADE, PRIMARY KEY (event, message));
CREATE INDEX notify_message_event_message ON notify_message_event (message);
CREATE TABLE notify_step (message INTEGER NOT NULL REFERENCES notify_message (id) ON DELETE CASCADE,
  n INTEGER NOT NULL, at TEXT NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (message, n));
CREATE TABLE notify_delivery (id SERIAL_KEY, workspace INTEGER NOT NULL, message INTEGER NOT NULL
  REFERENCES notify_message (id) ON DELETE CASCADE, channel INTEGER NOT NULL, person INTEGER NOT NULL DEFAULT 0,
  address TEXT NOT NULL DEFAULT '', step INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, due TEXT NOT NULL,
  job INTEGER, sent TEXT, error TEXT NOT NULL DEFAULT '', seen TEXT, UNIQUE (message, channel, person, step));
CREATE INDEX notify_delivery_workspace ON notify_delivery (workspace, id);
CREATE INDEX notify_delivery_inbox ON notify_delivery (workspace, person, id) WHERE channel = 0;
CREATE INDEX notify_delivery_unseen ON notify_delivery (workspace, person, id) WHERE channel = 0 AND seen IS NULL;
CREATE INDEX notify_delivery_held ON notify_delivery (due) WHERE state = 'held'
";

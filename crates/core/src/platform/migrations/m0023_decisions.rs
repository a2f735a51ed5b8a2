//! Decisions that wait for approval, expire and lapse; VEX documents that were taken in; uploads that wait for a word;
//! licences of a release counted.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0023_decisions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `decision.waits` is 1 until a second person approves; `subject` is the component that was decided on, `line` its
/// product line or 0 where the decision holds everywhere; `exploited` is 0 not known, 1 public exploits, 2 known to be
/// exploited; `author` and `approver_name` are actors as in the audit trail. `finding.lapsed` says why a decision holds
/// no longer, `finding.proposal` is a decision that waits. `document.root` is the component that a document describes.
/// `held_upload.question` and `vex_import.outcomes` are JSON. `release_licence.licence` is empty for components that
/// name none.
const SCHEMA: &str = "
ALTER TABLE decision ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN subject INTEGER;
ALTER TABLE decision ADD COLUMN line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN approver_name TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN remark TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN vex INTEGER;
ALTER TABLE finding ADD COLUMN lapsed TEXT NOT NULL DEFAULT '';
ALTER TABLE finding ADD COLUMN proposal INTEGER;
CREATE INDEX finding_decision ON finding (decision) WHERE decision IS NOT NULL;
CREATE INDEX finding_proposal ON finding (proposal) WHERE proposal IS NOT NULL;
CREATE INDEX finding_owner ON finding (workspace, owner) WHERE closed IS NULL AND owner IS NOT NULL;
CREATE INDEX finding_lapsed ON finding (workspace, id) WHERE closed IS NULL AND lapsed <> '';
UPDATE decision SET subject = COALESCE(component, (SELECT f.component FROM finding f WHERE f.id = decision.finding),
  (SELECT MIN(f.component) FROM finding f WHERE f.decision = decision.id));
UPDATE decision SET line = COALESCE((SELECT p.line FROM product p WHERE p.id = decision.product),
  (SELECT p.line FROM release r JOIN product p ON p.id = r.product WHERE r.id = decision.release),
  (SELECT p.line FROM finding f JOIN release r ON r.id = f.release JOIN product p ON p.id = r.product
    WHERE f.id = decision.finding), 0) WHERE reach <> 'component';
UPDATE decision SET author = COALESCE((SELECT 'person:' || login FROM person WHERE person.id = decision.proposer), '');
UPDATE decision SET exploited = CASE WHEN exploited = 1 THEN 2 WHEN EXISTS (SELECT 1 FROM finding f
  WHERE f.decision = decision.id AND f.exploits > 0) THEN 1 ELSE 0 END;
CREATE INDEX decision_subject ON decision (subject);
CREATE INDEX decision_open ON decision (workspace, id) WHERE ended IS NULL;
CREATE INDEX decision_waits ON decision (workspace, id) WHERE waits = 1 AND ended IS NULL;
CREATE INDEX decision_expires ON decision (workspace, expires) WHERE ended IS NULL AND expires IS NOT NULL;
ALTER TABLE document ADD COLUMN root INTEGER;
ALTER TABLE document ADD COLUMN revision INTEGER;
CREATE TABLE vex_import (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id),
  line INTEGER NOT NULL DEFAULT 0, product INTEGER REFERENCES product (id) ON DELETE CASCADE,
  release INTEGER REFERENCES release (id) ON DELETE CASCADE, name TEXT NOT NULL, format TEXT NOT NULL,
  document TEXT NOT NULL, blob TEXT NOT NULL REFERENCES blob (hash), at TEXT NOT NULL, actor TEXT NOT NULL,
  statements INTEGER NOT NULL, applied INTEGER NOT NULL, findings INTEGER NOT NULL, outcomes TEXT NOT NULL);
CREATE INDEX vex_import_blob ON vex_import (blob);
CREATE INDEX vex_import_workspace ON vex_import (workspace, id);
CREATE TABLE held_upload (token TEXT PRIMARY KEY, workspace INTEGER NOT NULL, release INTEGER NOT NULL
  REFERENCES release (id) ON DELETE CASCADE, blob TEXT NOT NULL REFERENCES blob (hash), name TEXT NOT NULL,
  question TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL);
CREATE INDEX held_upload_blob ON held_upload (blob);
CREATE INDEX held_upload_release ON held_upload (release);
CREATE INDEX held_upload_workspace ON held_upload (workspace, at);
CREATE TABLE release_licence (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  licence TEXT NOT NULL, components INTEGER NOT NULL, PRIMARY KEY (release, licence));
INSERT INTO release_licence (release, licence, components) SELECT release, licence, COUNT(*) FROM occurrence_licence
  WHERE licence <> '' GROUP BY release, licence;
INSERT INTO release_licence (release, licence, components) SELECT release, '', COUNT(*) FROM occurrence
  WHERE licences = '' GROUP BY release;
CREATE INDEX occurrence_unlicensed ON occurrence (release, component) WHERE licences = '';
CREATE INDEX occurrence_licence_release ON occurrence_licence (release, licence);
";

//! What jobs need beyond their first shape: a title and subject to show, a lane, a limit of attempts, cancellation.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0020_jobs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `job.workspace` 0 is the installation; `line` 0 is no product line. Jobs of one `lane` run one after another in the
/// order of their ids. `blob` is the hash of bytes that the job reads, which stay while the job does.
const SCHEMA: &str = "
ALTER TABLE job ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN lane TEXT;
ALTER TABLE job ADD COLUMN blob TEXT;
ALTER TABLE job ADD COLUMN most INTEGER NOT NULL DEFAULT 5;
ALTER TABLE job ADD COLUMN cancelling INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE schedule ADD COLUMN title TEXT NOT NULL DEFAULT '';
CREATE INDEX job_workspace ON job (workspace, id);
CREATE INDEX job_subject ON job (subject, id) WHERE subject <> '';
CREATE INDEX job_lane ON job (lane, id) WHERE lane IS NOT NULL AND state IN ('waiting', 'running');
CREATE INDEX job_lease ON job (lease) WHERE state = 'running';
CREATE INDEX job_ended ON job (ended) WHERE ended IS NOT NULL;
CREATE INDEX job_blob ON job (blob) WHERE blob IS NOT NULL;
CREATE INDEX job_key ON job (unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS document_blob ON document (blob);
CREATE INDEX IF NOT EXISTS session_expires ON session (expires);
";

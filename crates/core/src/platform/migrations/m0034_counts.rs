//! Indexes of what is counted and of what waits for a decision.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0034_counts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// A new vulnerability touches hundreds of releases, whose counts are taken anew: a thousand findings each, of which no
/// row is read any more (`closed` is in it, or SQLite would read it from the row). What waits for a decision is found in its order also where almost everything is decided.
const SCHEMA: &str = "
DROP INDEX finding_open;
CREATE INDEX finding_open ON finding (release, status, severity, kev, confidence, component, decision, closed)
  WHERE closed IS NULL;
CREATE INDEX finding_undecided ON finding (workspace, rank, id, confidence, release)
  WHERE closed IS NULL AND status = 'under_investigation';
";

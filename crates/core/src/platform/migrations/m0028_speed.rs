//! Indexes for lists of a large portfolio.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0028_speed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// A licence that everything has is counted from what is counted of each release, not from every component of it. The
/// other indexes hold only the findings of a rare kind, or begin with a job's kind.
const SCHEMA: &str = "
CREATE INDEX release_licence_lower ON release_licence (LOWER(licence), release, components);
CREATE INDEX finding_decided ON finding (workspace, id, closed, confidence) WHERE decision IS NOT NULL;
CREATE INDEX finding_exploit ON finding (workspace, id, closed, confidence) WHERE exploits > 0;
CREATE INDEX finding_guess ON finding (workspace, id, closed) WHERE confidence = 0;
CREATE INDEX job_kind ON job (kind, id);
";

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

/// Measured on 2,000 releases and 2,000,000 findings: without them the findings of one vulnerability and the
/// exploited ones are sought through all findings in the order of urgency, and counting a release reads its rows.
const SCHEMA: &str = "
DROP INDEX finding_vulnerability;
CREATE INDEX finding_vulnerability ON finding (vulnerability, workspace, rank DESC, id);
DROP INDEX finding_open;
CREATE INDEX finding_open ON finding (release, closed, status, severity, kev, confidence);
CREATE INDEX finding_kev ON finding (workspace, rank DESC, id) WHERE closed IS NULL AND kev = 1;
";

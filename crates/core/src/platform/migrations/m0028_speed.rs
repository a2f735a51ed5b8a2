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
/// rest gives lists by a rare value an index that begins with it.
const SCHEMA: &str = "
CREATE INDEX release_licence_lower ON release_licence (LOWER(licence), release, components);
CREATE INDEX job_kind ON job (workspace, kind, id);
";

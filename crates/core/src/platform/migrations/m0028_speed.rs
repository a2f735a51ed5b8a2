//! Indexes and counts for lists of a large portfolio.

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

/// `licence_held` is how many components of a release have a licence (in lower case, as its documents name it), so that
/// a licence that everything has is found without reading every component. `finding_counted` replaces `finding_open`
/// with what the counts of a release test, closed findings among them. Names of indexes that are dropped are not given
/// again: a connection that has not heard of it refuses them.
const SCHEMA: &str = "
CREATE TABLE licence_held (licence TEXT NOT NULL, release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  n INTEGER NOT NULL, PRIMARY KEY (licence, release));
INSERT INTO licence_held (licence, release, n) SELECT LOWER(licence), release, COUNT(*) FROM occurrence_licence
  GROUP BY LOWER(licence), release;
CREATE INDEX licence_held_release ON licence_held (release);
CREATE INDEX finding_ranked ON finding (vulnerability, workspace, rank, id);
CREATE INDEX job_kind ON job (workspace, kind, id);
";

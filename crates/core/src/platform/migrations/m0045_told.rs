//! What sources tell of packages' lives; suppliers of releases, counted; an index for the first page.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0045_told"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `lifecycle_told` is of no workspace: what is public about packages. `package` is a package URL without version, or
/// part, vendor and product of a CPE name. `release_supplier` holds who supplies something in a release. Few documents
/// have components that are parts of others (`occurrence_part`). What waits for a decision is walked from one flaw to the
/// next, however many findings each has: the flaw is the second key. How far a flaw reaches, since when, and among
/// findings of a severity, is in an index alone.
const SCHEMA: &str = "
CREATE TABLE lifecycle_told (package TEXT NOT NULL, cycle TEXT NOT NULL, source TEXT NOT NULL, latest TEXT NOT NULL,
  ends TEXT NOT NULL, over INTEGER NOT NULL, seen TEXT NOT NULL, PRIMARY KEY (package, cycle, source));
CREATE TABLE release_supplier (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  supplier TEXT NOT NULL, PRIMARY KEY (supplier, release));
CREATE INDEX release_supplier_release ON release_supplier (release);
INSERT INTO release_supplier (release, supplier) SELECT DISTINCT o.release, c.supplier FROM component c
  JOIN occurrence o ON o.component = c.id WHERE c.supplier <> '';
CREATE INDEX occurrence_part ON occurrence (release, component) WHERE parent <> 0;
DROP INDEX finding_flaw;
CREATE INDEX finding_flaw ON finding (vulnerability, workspace, id, closed, confidence, release, status, first_seen,
  severity);
DROP INDEX finding_undecided;
CREATE INDEX finding_undecided ON finding (workspace, rank, vulnerability, confidence, release)
  WHERE closed IS NULL AND status = 'under_investigation';
";

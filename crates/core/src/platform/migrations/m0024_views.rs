//! Lists at size: one row a vulnerability that was ever found in a workspace, an index for each order of findings,
//! names of saved views.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0024_views"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", POSTGRES).await
    }
}

/// `flaw` holds what findings of a vulnerability say of it, as of the release matched last; it has a row also where
/// all of them are closed. Indexes of `finding` end with what the lists test most, so that rows are left out without
/// being read. Names of
/// indexes that are dropped are not given again: a connection that has not heard of it refuses them.
const SCHEMA: &str = "
CREATE TABLE flaw (id SERIAL_KEY, workspace INTEGER NOT NULL, vulnerability TEXT NOT NULL, title TEXT NOT NULL,
  severity INTEGER NOT NULL, score REAL, epss REAL, kev INTEGER NOT NULL, exploits INTEGER NOT NULL,
  rank INTEGER NOT NULL, first_seen TEXT NOT NULL, UNIQUE (workspace, vulnerability));
INSERT INTO flaw (workspace, vulnerability, title, severity, score, epss, kev, exploits, rank, first_seen)
  SELECT workspace, vulnerability, MAX(title), MAX(severity), MAX(score), MAX(epss), MAX(kev), MAX(exploits),
  MAX(rank), MIN(first_seen) FROM finding GROUP BY workspace, vulnerability;
CREATE INDEX flaw_rank ON flaw (workspace, rank, id);
CREATE INDEX flaw_severity ON flaw (workspace, severity, rank, id);
CREATE INDEX flaw_score ON flaw (workspace, COALESCE(score, -1.0), id);
CREATE INDEX flaw_epss ON flaw (workspace, COALESCE(epss, -1.0), id);
CREATE INDEX flaw_first_seen ON flaw (workspace, first_seen, id);
DROP INDEX finding_rank;
DROP INDEX finding_due;
DROP INDEX finding_vulnerability;
CREATE INDEX finding_urgency ON finding (workspace, rank, id, closed, confidence);
CREATE INDEX finding_severity ON finding (workspace, severity, rank, id, closed, confidence);
CREATE INDEX finding_score ON finding (workspace, COALESCE(score, -1.0), id, closed, confidence);
CREATE INDEX finding_epss ON finding (workspace, COALESCE(epss, -1.0), id, closed, confidence);
CREATE INDEX finding_status ON finding (workspace, status, id, closed, confidence);
CREATE INDEX finding_found ON finding (workspace, first_seen, id, closed, confidence);
CREATE INDEX finding_flaw ON finding (vulnerability, workspace, id, closed, confidence, release, status);
CREATE INDEX finding_due_day ON finding (workspace, COALESCE(due, '9999'), id, closed, confidence);
CREATE INDEX finding_kev ON finding (workspace, id, confidence) WHERE kev = 1 AND closed IS NULL;
CREATE INDEX finding_closed ON finding (workspace, closed, id) WHERE closed IS NOT NULL;
CREATE INDEX component_order ON component (plain, version, id);
DROP INDEX component_plain;
CREATE UNIQUE INDEX view_name ON view (workspace, person, page, name);
CREATE INDEX view_page ON view (workspace, page) WHERE shared = 1;
";

/// Names are looked up by their beginning whatever order the database sorts texts in.
const POSTGRES: &str = "
CREATE INDEX component_begins ON component (plain text_pattern_ops);
";

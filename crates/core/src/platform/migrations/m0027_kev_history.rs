//! The history of known exploitation takes entries without a due date on PostgreSQL too: a primary key, as the table
//! had, forbids them there.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0027_kev_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

const SCHEMA: &str = "
ALTER TABLE kev_change RENAME TO kev_change_old;
CREATE TABLE kev_change (cve TEXT NOT NULL, seen TEXT NOT NULL, date_added TEXT NOT NULL, due_date TEXT,
  ransomware INTEGER NOT NULL, name TEXT NOT NULL);
INSERT INTO kev_change (cve, seen, date_added, due_date, ransomware, name)
  SELECT cve, MIN(seen), date_added, due_date, ransomware, name FROM kev_change_old
  GROUP BY cve, date_added, due_date, ransomware, name;
DROP TABLE kev_change_old;
CREATE UNIQUE INDEX kev_change_once ON kev_change (cve, date_added, COALESCE(due_date, ''), ransomware, name);
";

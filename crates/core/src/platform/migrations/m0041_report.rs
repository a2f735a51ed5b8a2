//! Reports: what a workspace tells of a period, its sections, its editions, and whom it was sent to.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0041_report"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `report.number` counts the reports of a workspace in a year; a correction has the number of what it corrects and the
/// next `revision`. `first` and `last` are the days of the period (`2026-11-23`), both in it. `writer` is who wrote last.
/// `submitted`, `approved` and `sent` are times, empty before. `search` is what is looked for in lower case. Of a section,
/// `story` is 0 where it is of none, `facts` is JSON, kept as it was when the section was drafted. `report_edition` holds
/// each change with the texts as they stand after it; `section` is 0 for the report's head, `version` that of what was
/// changed. `report_address` lists the outside addresses that reports may go to.
const SCHEMA: &str = "
CREATE TABLE report (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), year INTEGER NOT NULL,
  number INTEGER NOT NULL, revision INTEGER NOT NULL, corrects INTEGER NOT NULL DEFAULT 0, title TEXT NOT NULL,
  first TEXT NOT NULL, last TEXT NOT NULL, language TEXT NOT NULL, intro TEXT NOT NULL, tlp TEXT NOT NULL,
  state TEXT NOT NULL, author INTEGER NOT NULL, author_name TEXT NOT NULL, writer INTEGER NOT NULL,
  writer_name TEXT NOT NULL, approver INTEGER NOT NULL DEFAULT 0, approver_name TEXT NOT NULL DEFAULT '',
  submitted TEXT NOT NULL DEFAULT '', approved TEXT NOT NULL DEFAULT '', sent TEXT NOT NULL DEFAULT '',
  created TEXT NOT NULL, changed TEXT NOT NULL, search TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,
  UNIQUE (workspace, year, number, revision));
CREATE INDEX report_last ON report (workspace, last, id);
CREATE INDEX report_changed ON report (workspace, changed, id);
CREATE TABLE report_section (id SERIAL_KEY, report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
  place INTEGER NOT NULL, story INTEGER NOT NULL, heading TEXT NOT NULL, explanation TEXT NOT NULL,
  impact TEXT NOT NULL, done TEXT NOT NULL, recommendation TEXT NOT NULL, refs TEXT NOT NULL, tlp TEXT NOT NULL,
  facts TEXT NOT NULL, search TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1);
CREATE INDEX report_section_report ON report_section (report, place, id);
CREATE INDEX report_section_story ON report_section (story, report);
CREATE TABLE report_edition (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE, n INTEGER NOT NULL,
  at TEXT NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL, section INTEGER NOT NULL, version INTEGER NOT NULL,
  detail TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (report, n));
CREATE TABLE report_address (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), address TEXT NOT NULL,
  name TEXT NOT NULL, actor TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (workspace, address));
CREATE TABLE report_delivery (id SERIAL_KEY, workspace INTEGER NOT NULL, report INTEGER NOT NULL REFERENCES report (id)
  ON DELETE CASCADE, person INTEGER NOT NULL, address TEXT NOT NULL, name TEXT NOT NULL, outside INTEGER NOT NULL,
  state TEXT NOT NULL, error TEXT NOT NULL DEFAULT '', at TEXT NOT NULL, sent TEXT, job INTEGER,
  UNIQUE (report, address))
";

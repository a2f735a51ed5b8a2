//! Early warnings: provisional vulnerabilities of a workspace, until they get their CVE.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0042_warnings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `warning.name` is `TOCSIN-YYYY-NNNN`, made of `year` and `number`, which are counted for the whole installation.
/// `state` is `open`, `withdrawn` or `merged`; `main` is the id that it was merged into. `links` is a JSON list of
/// addresses. `stale` is greater than 0 while findings are to be brought up to it. In `warning_proposal` stand ids that
/// it may be merged into; `state` is `open`, `refused` or `merged`. `desk_state.sorted` counts batches of items that were
/// sorted, so that what a node keeps of open stories is known to be all.
const SCHEMA: &str = "
CREATE TABLE warning (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), year INTEGER NOT NULL,
  number INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL, summary TEXT NOT NULL, product TEXT NOT NULL,
  vendor TEXT NOT NULL, purl TEXT NOT NULL, cpe TEXT NOT NULL, told TEXT NOT NULL, affected TEXT NOT NULL,
  severity INTEGER NOT NULL, tlp TEXT NOT NULL, links TEXT NOT NULL, story INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'open', main TEXT NOT NULL DEFAULT '', stale INTEGER NOT NULL DEFAULT 1,
  version INTEGER NOT NULL DEFAULT 1, created TEXT NOT NULL, changed TEXT NOT NULL, author TEXT NOT NULL,
  UNIQUE (year, number));
CREATE INDEX warning_workspace ON warning (workspace, state, id);
CREATE INDEX warning_main ON warning (workspace, main) WHERE main <> '';
CREATE INDEX warning_story ON warning (story) WHERE story <> 0;
CREATE INDEX warning_stale ON warning (workspace) WHERE stale > 0;
CREATE TABLE warning_event (warning INTEGER NOT NULL REFERENCES warning (id) ON DELETE CASCADE, n INTEGER NOT NULL,
  at TEXT NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (warning, n));
CREATE TABLE warning_proposal (warning INTEGER NOT NULL REFERENCES warning (id) ON DELETE CASCADE, main TEXT NOT NULL,
  reason TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open', PRIMARY KEY (warning, main));
ALTER TABLE desk_state ADD COLUMN sorted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX story_ours ON story (workspace, latest, id) WHERE merged = 0 AND ours <> '[]';
CREATE INDEX item_url ON item (url) WHERE url <> ''
";

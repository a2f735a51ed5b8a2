//! What changed in intelligence, step by step; names under which components are looked up; which releases were
//! matched with which step.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0021_fanout"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `generation` is one edition of the matching index (`token` tells its content), `changed_key` and
/// `changed_vulnerability` what is different in it from the one before; `whole`: not known, or too much to list.
/// `changed_vulnerability.kind` is 0 where verdicts can differ, 1 where only KEV, EPSS or exploits do.
/// `component.family` stands for the set of keys under which rules for it are looked up (0: not known yet),
/// `family_key` lists them. `release.generation` is the edition its findings are of (0: none), `release.told` whether
/// its document says more of a component's findings than `component` holds: VEX statements, fixes in pedigrees,
/// several operating systems; `release.matchings` counts how often it was matched as a whole.
const SCHEMA: &str = "
CREATE TABLE generation (n INTEGER PRIMARY KEY, token TEXT NOT NULL, whole INTEGER NOT NULL,
  exploitation INTEGER NOT NULL);
CREATE TABLE changed_key (generation INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (generation, key));
CREATE TABLE changed_vulnerability (generation INTEGER NOT NULL, kind INTEGER NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (generation, kind, id));
ALTER TABLE component ADD COLUMN family INTEGER NOT NULL DEFAULT 0;
CREATE INDEX component_family ON component (family, id);
CREATE INDEX component_system ON component (id) WHERE kind = 'operating-system';
CREATE TABLE family_key (key INTEGER NOT NULL, family INTEGER NOT NULL, PRIMARY KEY (key, family));
CREATE INDEX family_key_family ON family_key (family);
ALTER TABLE release ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE release ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
ALTER TABLE release ADD COLUMN matchings INTEGER NOT NULL DEFAULT 0;
CREATE INDEX release_generation ON release (workspace, generation);
CREATE INDEX document_current ON document (release) WHERE state = 'current';
CREATE INDEX finding_open ON finding (release, status, severity, kev, confidence) WHERE closed IS NULL;
";

//! What the pages of the inventory keep: archived lines and products, notes, devices, suppliers, what releases
//! contain of what, and the words by which components are found.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0025_inventory"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, WORDS_SQLITE, WORDS_POSTGRES).await
    }
}

/// `archived` is when it was; what is archived with its product or line has the same instant, so that it comes back
/// with it. `release.root` is the component that the document describes, `occurrence.parent` the one that contains it
/// (0: none). `device.plain` is the identifier in lower case. `lifecycle.package` is a package URL without version.
const SCHEMA: &str = "
ALTER TABLE line ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE line ADD COLUMN archived TEXT;
ALTER TABLE product ADD COLUMN archived TEXT;
ALTER TABLE release ADD COLUMN archived TEXT;
ALTER TABLE release ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE release ADD COLUMN root INTEGER NOT NULL DEFAULT 0;
ALTER TABLE occurrence ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
UPDATE release SET archived = created WHERE active = 0;
ALTER TABLE stakeholder ADD COLUMN product INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stakeholder ADD COLUMN created TEXT NOT NULL DEFAULT '';
CREATE INDEX stakeholder_workspace ON stakeholder (workspace, line, product);
CREATE TABLE device (workspace INTEGER NOT NULL, deployment INTEGER NOT NULL REFERENCES deployment (id)
  ON DELETE CASCADE, serial TEXT NOT NULL, plain TEXT NOT NULL, PRIMARY KEY (deployment, serial));
CREATE INDEX device_plain ON device (workspace, plain);
CREATE TABLE supplier (workspace INTEGER NOT NULL REFERENCES workspace (id), name TEXT NOT NULL,
  contact TEXT NOT NULL DEFAULT '', address TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
  changed TEXT NOT NULL, PRIMARY KEY (workspace, name));
CREATE TABLE lifecycle (workspace INTEGER NOT NULL REFERENCES workspace (id), package TEXT NOT NULL,
  cycle TEXT NOT NULL DEFAULT '', latest TEXT NOT NULL DEFAULT '', ends TEXT NOT NULL DEFAULT '',
  source TEXT NOT NULL, seen TEXT NOT NULL, PRIMARY KEY (workspace, package, cycle));
CREATE INDEX component_supplier ON component (supplier) WHERE supplier <> '';
CREATE INDEX component_group ON component (grp, name);
CREATE INDEX occurrence_licence_lower ON occurrence_licence (LOWER(licence), release, component);
CREATE INDEX deployment_customer ON deployment (workspace, customer);
";

/// The words of a component are what stands between characters that are no letter and no digit, as FTS5 cuts them.
/// Components are never removed, so nothing is ever taken out.
const WORDS_SQLITE: &str = "
CREATE VIRTUAL TABLE component_search USING fts5(words, content='');
INSERT INTO component_search (rowid, words) SELECT id, grp || ' ' || name || ' ' || purl || ' ' || cpes FROM component;
CREATE TRIGGER component_words AFTER INSERT ON component BEGIN INSERT INTO component_search (rowid, words) VALUES (new.id, new.grp || ' ' || new.name || ' ' || new.purl || ' ' || new.cpes); END
";

/// The same words as an index over an expression; [`crate::inventory`] asks with the same expression.
const WORDS_POSTGRES: &str = "
CREATE INDEX component_words ON component USING gin (to_tsvector('simple'::regconfig, regexp_replace(grp || ' ' || name || ' ' || purl || ' ' || cpes, '[^[:alnum:]]+', ' ', 'g')))
";

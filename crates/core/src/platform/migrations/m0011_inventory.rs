//! Products and what is in them, findings and decisions.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_inventory"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// A component is one row however many releases hold it (`hash` is over what identifies it); `occurrence` says what a
/// release's own document tells of it, with its places as a JSON list. `finding.vulnerability` is the main id,
/// `finding.facts` and `finding.evidence` are JSON. Counts on `release` follow `finding` in the same transaction.
const SCHEMA: &str = "
CREATE TABLE line (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), name TEXT NOT NULL,
  contact INTEGER, created TEXT NOT NULL, UNIQUE (workspace, name));
CREATE TABLE product (id SERIAL_KEY, workspace INTEGER NOT NULL REFERENCES workspace (id), line INTEGER NOT NULL
  REFERENCES line (id), name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', created TEXT NOT NULL,
  UNIQUE (workspace, name));
CREATE INDEX product_line ON product (line);
CREATE TABLE release (id SERIAL_KEY, workspace INTEGER NOT NULL, product INTEGER NOT NULL REFERENCES product (id),
  version TEXT NOT NULL, released TEXT, support_until TEXT, system TEXT NOT NULL DEFAULT '',
  active INTEGER NOT NULL DEFAULT 1, latest INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL, matched TEXT,
  components INTEGER NOT NULL DEFAULT 0, critical INTEGER NOT NULL DEFAULT 0, high INTEGER NOT NULL DEFAULT 0,
  medium INTEGER NOT NULL DEFAULT 0, low INTEGER NOT NULL DEFAULT 0, unrated INTEGER NOT NULL DEFAULT 0,
  exploited INTEGER NOT NULL DEFAULT 0, units INTEGER NOT NULL DEFAULT 0, UNIQUE (product, version));
CREATE INDEX release_workspace ON release (workspace, id);
CREATE TABLE tag (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE, name TEXT NOT NULL,
  PRIMARY KEY (release, name));
CREATE TABLE blob (hash TEXT PRIMARY KEY, size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE document (id SERIAL_KEY, release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  blob TEXT NOT NULL REFERENCES blob (hash), name TEXT NOT NULL, format TEXT NOT NULL, spec TEXT NOT NULL,
  serial TEXT NOT NULL, uploaded TEXT NOT NULL, actor TEXT NOT NULL, components INTEGER NOT NULL,
  state TEXT NOT NULL, diagnostics TEXT NOT NULL, difference TEXT NOT NULL);
CREATE INDEX document_release ON document (release, id);
CREATE TABLE component (id SERIAL_KEY, hash TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, grp TEXT NOT NULL,
  name TEXT NOT NULL, version TEXT NOT NULL, purl TEXT NOT NULL, cpes TEXT NOT NULL, supplier TEXT NOT NULL,
  plain TEXT NOT NULL);
CREATE INDEX component_plain ON component (plain, version);
CREATE INDEX component_purl ON component (purl);
CREATE TABLE occurrence (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  component INTEGER NOT NULL REFERENCES component (id), ref TEXT NOT NULL, places TEXT NOT NULL,
  licences TEXT NOT NULL, scope TEXT NOT NULL, direct INTEGER NOT NULL, hashes TEXT NOT NULL,
  PRIMARY KEY (release, component));
CREATE INDEX occurrence_component ON occurrence (component, release);
CREATE TABLE edge (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE, parent INTEGER NOT NULL,
  child INTEGER NOT NULL, PRIMARY KEY (release, parent, child));
CREATE INDEX edge_child ON edge (release, child);
CREATE TABLE occurrence_hash (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  value TEXT NOT NULL, component INTEGER NOT NULL, PRIMARY KEY (value, release, component));
CREATE TABLE occurrence_licence (release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  licence TEXT NOT NULL, component INTEGER NOT NULL, PRIMARY KEY (licence, release, component));
CREATE TABLE licence_rule (workspace INTEGER NOT NULL, line INTEGER NOT NULL DEFAULT 0, licence TEXT NOT NULL,
  verdict TEXT NOT NULL, PRIMARY KEY (workspace, line, licence));
CREATE TABLE deployment (id SERIAL_KEY, workspace INTEGER NOT NULL, release INTEGER NOT NULL REFERENCES release (id)
  ON DELETE CASCADE, customer TEXT NOT NULL, region TEXT NOT NULL, units INTEGER NOT NULL, devices TEXT NOT NULL,
  UNIQUE (release, customer, region));
CREATE TABLE stakeholder (id SERIAL_KEY, workspace INTEGER NOT NULL, line INTEGER NOT NULL DEFAULT 0,
  name TEXT NOT NULL, email TEXT NOT NULL, interest TEXT NOT NULL);
CREATE TABLE finding (id SERIAL_KEY, workspace INTEGER NOT NULL, release INTEGER NOT NULL REFERENCES release (id)
  ON DELETE CASCADE, component INTEGER NOT NULL REFERENCES component (id), vulnerability TEXT NOT NULL,
  verdict TEXT NOT NULL, confidence INTEGER NOT NULL, severity INTEGER NOT NULL, score REAL, epss REAL,
  kev INTEGER NOT NULL, exploits INTEGER NOT NULL, title TEXT NOT NULL, fixed TEXT NOT NULL,
  evidence TEXT NOT NULL, rank INTEGER NOT NULL, print TEXT NOT NULL, status TEXT NOT NULL, justification TEXT NOT NULL DEFAULT '',
  decision INTEGER, owner INTEGER, due TEXT, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, closed TEXT,
  reason TEXT NOT NULL DEFAULT '', UNIQUE (release, component, vulnerability));
CREATE INDEX finding_rank ON finding (workspace, rank DESC, id) WHERE closed IS NULL;
CREATE INDEX finding_release ON finding (release, rank DESC, id);
CREATE INDEX finding_vulnerability ON finding (vulnerability, workspace);
CREATE INDEX finding_component ON finding (component, vulnerability);
CREATE INDEX finding_due ON finding (workspace, due) WHERE closed IS NULL AND due IS NOT NULL;
CREATE TABLE finding_event (finding INTEGER NOT NULL REFERENCES finding (id) ON DELETE CASCADE, n INTEGER NOT NULL,
  at TEXT NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (finding, n));
CREATE TABLE decision (id SERIAL_KEY, workspace INTEGER NOT NULL, vulnerability TEXT NOT NULL, reach TEXT NOT NULL,
  finding INTEGER, release INTEGER, product INTEGER, component INTEGER, status TEXT NOT NULL,
  justification TEXT NOT NULL, response TEXT NOT NULL, detail TEXT NOT NULL, source TEXT NOT NULL,
  version TEXT NOT NULL, severity INTEGER NOT NULL, exploited INTEGER NOT NULL, expires TEXT, proposed TEXT NOT NULL,
  proposer INTEGER NOT NULL, approved TEXT, approver INTEGER, ended TEXT, ending TEXT NOT NULL DEFAULT '');
CREATE INDEX decision_vulnerability ON decision (workspace, vulnerability);
CREATE TABLE view (id SERIAL_KEY, workspace INTEGER NOT NULL, person INTEGER NOT NULL, name TEXT NOT NULL,
  page TEXT NOT NULL, query TEXT NOT NULL, shared INTEGER NOT NULL);
";

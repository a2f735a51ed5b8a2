//! The catalogues of weaknesses and attack patterns, with release and parents; takes the place of `cwe`.

use sea_orm_migration::prelude::*;

/// The migration.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_catalogue"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, SCHEMA, "", "").await
    }
}

/// `rank` orders releases as text; `parents` and `weaknesses` are JSON lists of ids. No import ever wrote
/// `cwe`, so nothing is carried over.
const SCHEMA: &str = "
DROP TABLE cwe;
CREATE TABLE catalogue (id TEXT PRIMARY KEY, name TEXT NOT NULL, abstraction TEXT NOT NULL, status TEXT NOT NULL,
  usage TEXT NOT NULL, parents TEXT NOT NULL, weaknesses TEXT NOT NULL, reference TEXT NOT NULL,
  release TEXT NOT NULL, rank TEXT NOT NULL, date TEXT NOT NULL);
CREATE INDEX catalogue_reference ON catalogue (reference) WHERE reference <> '';
";

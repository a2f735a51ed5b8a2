//! What every domain stands on: the database, its migrations and one way of asking it on SQLite and PostgreSQL.

pub(crate) mod bulk;
pub mod db;
mod migrations;
pub(crate) mod sql;

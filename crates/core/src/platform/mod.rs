//! What every domain stands on: the database, its migrations and one way of asking it on SQLite and PostgreSQL.

pub mod access;
pub(crate) mod bulk;
pub mod change;
pub mod db;
mod migrations;
pub mod people;
pub mod secret;
pub(crate) mod sql;
#[cfg(test)]
pub(crate) mod testing;

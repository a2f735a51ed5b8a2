//! What every domain stands on: the database, its migrations and one way of asking it on SQLite and PostgreSQL.

pub mod access;
pub mod backup;
pub(crate) mod bulk;
pub mod change;
pub mod clock;
pub mod db;
pub mod dump;
pub mod idempotency;
pub(crate) mod instant;
pub mod jobs;
pub(crate) mod lock;
mod migrations;
pub mod outbox;
pub mod people;
pub mod publisher;
pub mod query;
pub mod secret;
pub mod settings;
pub(crate) mod sql;
pub mod sweep;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod ticket;
pub mod trail;
pub mod vault;
pub mod views;
pub mod workspaces;

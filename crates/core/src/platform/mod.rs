//! What every domain stands on: the database and its migrations.

pub mod db;
mod migrations;

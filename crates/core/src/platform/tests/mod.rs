//! The schema and the way to it, on both databases.

mod schema;
mod upgrade;

//! The program: command line, web application and API. Reads what to look at, asks the engine and the store, writes
//! the answer.
//!
//! Only the result goes to stdout; progress, notices and diagnostics go to stderr.

pub mod api;
pub mod cli;
pub mod error;
pub mod expire;
pub mod export;
pub mod feeds;
pub mod identity;
pub mod intake;
pub mod mail;
pub mod outbound;
pub mod output;
pub mod rematch;
pub mod report;
pub mod server;
pub mod store;
pub mod target;
pub mod telling;
pub mod ui;
pub mod vex;
pub mod worker;

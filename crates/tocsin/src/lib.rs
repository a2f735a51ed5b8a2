//! The command line of Tocsin: reads what to look at, asks the engine, writes the answer.
//!
//! Only the result goes to stdout; progress, notices and diagnostics go to stderr.

pub mod api;
pub mod cli;
pub mod error;
pub mod intake;
pub mod output;
pub mod server;
pub mod store;
pub mod target;
pub mod ui;
pub mod vex;

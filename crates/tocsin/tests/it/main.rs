//! Tests of the built program: one module per noun.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod access;
mod api;
mod clients;
mod compat;
mod databases;
mod db;
mod decisions;
mod desk;
mod exports;
mod faults;
mod feeds;
mod findings;
mod folder;
mod fuzz;
mod hostile;
mod imap;
mod inventory;
mod jobs;
mod lists;
mod matching;
#[path = "move.rs"]
mod moving;
mod news;
mod output;
mod parity;
mod people;
mod publisher;
mod receivers;
mod rematch;
mod reports;
mod scan;
mod serve;
mod sharing;
mod show;
mod signatures;
mod sources;
mod telling;
mod tidy;
mod warnings;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program with a data folder of its own.
pub fn tocsin(data: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tocsin"))
        .env_remove("TOCSIN_DATA_DIR")
        .arg("--data-dir")
        .arg(data)
        .args(args)
        .output()
        .expect("the built program runs")
}

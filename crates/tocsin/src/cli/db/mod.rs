//! `tocsin db`: import intelligence and look at what is known.

mod json;
mod show;
mod tables;

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tocsin_core::intel::{ImportReport, ProblemFilter, Progress, Store};

use super::{Global, Outcome, copy, lively, say, say_all};
use crate::error::Error;
use crate::output::text::plain;

/// Arguments of `tocsin db`.
#[derive(Debug, Args)]
pub struct DbArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// Forms of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DataFormat {
    /// Tables, for people.
    #[default]
    Table,
    /// One JSON object on one line.
    Json,
}

/// What `tocsin db` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Import files, archives and folders; may be broken off and given again. An export of all data (`db export`)
    /// is loaded into an empty database
    Import {
        /// Files and folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Sources, imports, problems and the state of the index
    Status,
    /// What is known of a vulnerability, by any of its ids, or of a weakness or attack pattern
    Show {
        /// CVE, GHSA or any other id; CWE-… or CAPEC-…
        id: String,
    },
    /// Look for words in ids, titles and packages; a word may be the beginning of one
    Search {
        /// The words; all of them must be there
        #[arg(required = true)]
        text: Vec<String>,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// The next page: the number the page before ended with
        #[arg(long, value_name = "NUMBER")]
        after: Option<i64>,
    },
    /// Input that was refused or is doubtful; with a number, its bytes as they were met
    Problems {
        /// Instead, what is doubtful in records that were kept: parts set aside, ranges that cannot be decided
        #[arg(long, conflicts_with = "id")]
        remarks: bool,
        /// Number of one problem
        id: Option<i64>,
        /// Of this source only (`osv`, `ghsa`, `nvd` …)
        #[arg(long)]
        source: Option<String>,
        /// Of this code only (`record-invalid` …)
        #[arg(long)]
        code: Option<String>,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// The next page: the number the page before ended with
        #[arg(long, value_name = "NUMBER")]
        after: Option<i64>,
    },
    /// Build the matching index again
    Index,
    /// Write every table into one portable file, to move between SQLite and PostgreSQL
    Export {
        /// File to make
        file: PathBuf,
    },
    /// The bytes of a record as its source gave them
    Raw {
        /// Source (`osv`, `ghsa`, `nvd` …)
        source: String,
        /// Id at the source
        id: String,
    },
}

/// Runs the command.
///
/// # Errors
/// The store or an input cannot be used, what was asked for is not there, or the result cannot be written.
pub fn run(global: &Global, args: &DbArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    match &args.verb {
        Verb::Import { paths } => {
            if let Some(outcome) = copy::import(global, paths, args.format, out)? {
                return Ok(outcome);
            }
        }
        Verb::Export { file } => return copy::export(global, file, args.format, out),
        _ => {}
    }
    let store = global.store()?;
    let json = args.format == DataFormat::Json;
    let page = tables::Page { lively: lively(&io::stdout()), now: now() };
    let written = match &args.verb {
        Verb::Import { paths } => {
            let report = import(&store, paths)?;
            if json { put(out, &json::report(&report)) } else { page.report(out, &report) }
        }
        Verb::Status => {
            let status = store.status()?;
            if json { put(out, &json::status(&status)) } else { page.status(out, &status) }
        }
        Verb::Show { id } if is_weakness(id) => {
            let entries = store.catalogue(std::slice::from_ref(id))?;
            let entry = entries.first().ok_or_else(|| tocsin_core::Error::NotFound(id.clone()))?;
            let parents = store.catalogue(&entry.parents)?;
            let needs = store.catalogue(&entry.weaknesses)?;
            if json {
                put(out, &json::weakness(entry, &parents, &needs))
            } else {
                show::weakness(out, &page, entry, &parents, &needs)
            }
        }
        Verb::Show { id } => {
            let shown = store.show(id)?;
            let ids: Vec<String> = json::cwes(&shown).into_iter().map(str::to_owned).collect();
            let known = store.catalogue(&ids)?;
            if json {
                put(out, &json::shown(&shown, &known))
            } else {
                show::write(out, &page, &shown, &known)
            }
        }
        Verb::Search { text, limit, after } => {
            let hits = store.search(&text.join(" "), *limit, *after)?;
            if json { put(out, &json::hits(&hits)) } else { page.hits(out, &hits) }
        }
        Verb::Problems { id: Some(id), .. } => return bytes(out, &store.problem_bytes(*id)?),
        Verb::Problems { id: None, remarks, source, code, limit, after } => {
            // One more than the page tells whether there is a next one.
            let filter = ProblemFilter {
                source: source.clone(),
                code: code.clone(),
                before: *after,
                limit: limit.saturating_add(1),
            };
            let mut problems = if *remarks { store.remarks(&filter)? } else { store.problems(&filter)? };
            let more = problems.len() > *limit as usize;
            problems.truncate(*limit as usize);
            let next = problems.last().filter(|_| more).map(|p| p.id);
            if json {
                put(out, &json::problems(&problems, next))
            } else {
                page.problems(out, &problems, next)
            }
        }
        Verb::Index => {
            store.rebuild_index()?;
            let status = store.status()?.index;
            if json { put(out, &json::index(&status)) } else { page.index(out, &status) }
        }
        Verb::Export { .. } => Ok(()), // done above, without bringing the schema up to date
        Verb::Raw { source, id } => return bytes(out, &store.raw(source, id)?),
    };
    written.map_err(|e| Error::io("stdout", e))?;
    Ok(Outcome::Fine)
}

fn is_weakness(id: &str) -> bool {
    let id = id.to_ascii_uppercase();
    id.starts_with("CWE-") || id.starts_with("CAPEC-")
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn put(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    writeln!(out, "{value}")
}

fn bytes(out: &mut dyn Write, bytes: &[u8]) -> Result<Outcome, Error> {
    out.write_all(bytes).map_err(|e| Error::io("stdout", e))?;
    Ok(Outcome::Fine)
}

fn import(store: &Store, paths: &[PathBuf]) -> Result<ImportReport, Error> {
    let bar = io::stderr().is_terminal().then(indicatif::ProgressBar::new_spinner);
    let report = store.import(paths, &now, &mut |p: &Progress| {
        if let Some(bar) = &bar {
            bar.set_message(format!("{} read, {}", p.read, plain(&p.what)));
            bar.tick();
        }
        ControlFlow::Continue(())
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    say_all(&report.diagnostics);
    if report.problems > 0 {
        say(&format!("{} problems were kept; see `tocsin db problems`", report.problems));
    }
    if report.remarks > 0 {
        say(&format!("{} remarks on records were kept; see `tocsin db problems --remarks`", report.remarks));
    }
    Ok(report)
}

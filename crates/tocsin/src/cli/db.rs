//! `tocsin db`: import intelligence and look at what is known.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tocsin_core::intel::{ImportReport, Progress, Store};
use tocsin_model::record::CatalogueEntry;

use super::{Global, Outcome, say, say_all};
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
    /// Lines of fields, for people.
    #[default]
    Table,
    /// One JSON value.
    Json,
}

/// What `tocsin db` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Import files, archives and folders; may be broken off and given again
    Import {
        /// Files and folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Numbers of the store
    Status,
    /// What is known of a vulnerability, by any of its ids, or of a weakness or attack pattern
    Show {
        /// CVE, GHSA or any other id; CWE-… or CAPEC-…
        id: String,
    },
    /// Look for words in titles, ids and packages
    Search {
        /// The words
        text: String,
    },
    /// Input that was refused; with a number, its bytes as they were met
    Problems {
        /// Number of one problem
        id: Option<i64>,
    },
    /// Build the matching index again
    Index,
    /// The bytes of a record as its source gave them
    Raw {
        /// Source (`osv`, `ghsa`, `nvd` …)
        source: String,
        /// Id at the source
        id: String,
    },
}

/// Most rows of a search or a list of problems.
const MOST: u32 = 1000;

/// Runs the command.
///
/// # Errors
/// The store or an input cannot be used, what was asked for is not there, or the result cannot be written.
pub fn run(global: &Global, args: &DbArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let store = Store::open(&global.data_dir()?)?;
    let value = match &args.verb {
        Verb::Import { paths } => import(&store, paths)?,
        Verb::Status => status(&store)?,
        Verb::Show { id } => show(&store, id)?,
        Verb::Search { text } => store
            .search(text, MOST)?
            .into_iter()
            .map(|h| json!({"id": h.id, "title": h.title, "ids": h.ids, "packages": h.packages}))
            .collect(),
        Verb::Problems { id: Some(id) } => return bytes(out, &store.problem_bytes(*id)?),
        Verb::Problems { id: None } => store
            .problems(MOST)?
            .into_iter()
            .map(|p| json!({"id": p.id, "seen": p.seen, "place": p.place, "code": p.code, "message": p.message}))
            .collect(),
        Verb::Index => {
            store.rebuild_index()?;
            json!({"index": "built"})
        }
        Verb::Raw { source, id } => return bytes(out, &store.raw(source, id)?),
    };
    let written = match args.format {
        DataFormat::Json => writeln!(out, "{value}"),
        DataFormat::Table => lines(out, &value),
    };
    written.map_err(|e| Error::io("stdout", e))?;
    Ok(Outcome::Fine)
}

fn bytes(out: &mut dyn Write, bytes: &[u8]) -> Result<Outcome, Error> {
    out.write_all(bytes).map_err(|e| Error::io("stdout", e))?;
    Ok(Outcome::Fine)
}

fn import(store: &Store, paths: &[PathBuf]) -> Result<Value, Error> {
    let bar = io::stderr().is_terminal().then(indicatif::ProgressBar::new_spinner);
    let now = jiff::Timestamp::now().to_string();
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
    let report: ImportReport = report?;
    say_all(&report.diagnostics);
    if report.problems > 0 {
        say(&format!("{} problems were kept; see `tocsin db problems`", report.problems));
    }
    let sources: Vec<Value> = report
        .sources
        .iter()
        .map(|(source, c)| {
            json!({"source": source, "read": c.read, "new": c.new, "changed": c.changed,
                   "unchanged": c.unchanged, "older": c.older, "refused": c.refused})
        })
        .collect();
    Ok(
        json!({"files": report.files, "skipped": report.skipped, "problems": report.problems, "sources": sources}),
    )
}

fn status(store: &Store) -> Result<Value, Error> {
    let s = store.status()?;
    let sources: Vec<Value> = s
        .sources
        .iter()
        .map(|(source, records, newest)| json!({"source": source, "records": records, "newest": newest}))
        .collect();
    Ok(json!({
        "vulnerabilities": s.vulnerabilities, "epss": s.epss.0, "epss_date": s.epss.1, "kev": s.kev.0,
        "kev_date": s.kev.1, "exploits": s.exploits, "cwes": s.cwes, "vex": s.vex, "problems": s.problems,
        "not_in_index": s.dirty, "database_bytes": s.database_bytes, "index_bytes": s.index_bytes,
        "sources": sources,
    }))
}

/// An entry of a catalogue, its parents by name.
fn weakness(store: &Store, e: &CatalogueEntry) -> Result<Value, Error> {
    let named = |ids: &[String]| -> Result<Vec<String>, Error> {
        let known = store.catalogue(ids)?;
        let name = |id: &String| match known.iter().find(|k| k.id == *id) {
            Some(k) => format!("{id} {}", k.name),
            None => id.clone(),
        };
        Ok(ids.iter().map(name).collect())
    };
    Ok(json!({"id": e.id, "name": e.name, "abstraction": e.abstraction, "status": e.status, "usage": e.usage,
              "release": e.release, "date": e.date, "parents": named(&e.parents)?,
              "weaknesses": named(&e.weaknesses)?}))
}

fn show(store: &Store, id: &str) -> Result<Value, Error> {
    let upper = id.to_ascii_uppercase();
    if upper.starts_with("CWE-") || upper.starts_with("CAPEC-") {
        let entries = store.catalogue(&[upper])?;
        let entry = entries.first().ok_or_else(|| tocsin_core::error::Error::NotFound(id.to_owned()))?;
        return weakness(store, entry);
    }
    let s = store.show(id)?;
    let mut cwes: Vec<String> = Vec::new();
    for cwe in s.records.iter().flat_map(|r| &r.record.cwes) {
        if !cwes.contains(cwe) {
            cwes.push(cwe.clone());
        }
    }
    cwes.sort();
    let known = store.catalogue(&cwes)?;
    let weaknesses: Vec<Value> = cwes
        .iter()
        .map(|id| match known.iter().find(|k| k.id.eq_ignore_ascii_case(id)) {
            Some(k) => json!({"id": id, "name": k.name, "status": k.status}),
            None => json!({"id": id}),
        })
        .collect();
    let remediations: Vec<Value> = s
        .records
        .iter()
        .flat_map(|r| r.record.remediations.iter().map(move |m| (r, m)))
        .map(|(r, m)| {
            json!({"source": r.source, "record": r.record_id, "category": m.category, "details": m.details,
                   "url": m.url, "date": m.date, "products": m.products})
        })
        .collect();
    let records: Vec<Value> = s
        .records
        .iter()
        .map(|r| {
            json!({"source": r.source, "record": r.record_id, "title": r.record.title,
                   "modified": r.record.modified, "first_seen": r.first_seen, "last_seen": r.last_seen})
        })
        .collect();
    let facts: Vec<String> = s.facts.iter().map(|f| format!("{f:?}")).collect();
    Ok(json!({"id": s.id, "aliases": s.aliases, "records": records, "weaknesses": weaknesses,
              "remediations": remediations, "facts": facts}))
}

/// Rows of a list one to a line; of an object its single values first, then its lists.
fn lines(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    let cell = |v: &Value| v.as_str().map_or_else(|| v.to_string(), plain);
    match value {
        Value::Array(rows) => rows.iter().try_for_each(|row| match row {
            Value::Object(map) => {
                let cells: Vec<String> = map.iter().map(|(k, v)| format!("{k} {}", cell(v))).collect();
                writeln!(out, "  {}", cells.join("  "))
            }
            other => writeln!(out, "  {}", cell(other)),
        }),
        Value::Object(map) => map.iter().try_for_each(|(key, v)| match v {
            Value::Array(_) => writeln!(out, "{key}:").and_then(|()| lines(out, v)),
            other => writeln!(out, "{key}: {}", cell(other)),
        }),
        other => writeln!(out, "{}", cell(other)),
    }
}

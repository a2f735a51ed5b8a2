//! `tocsin audit`: the trail of changes.

use std::io::Write;

use clap::{Args, Subcommand};
use tocsin_core::platform::change;

use super::db::DataFormat;
use super::local::{self, wait};
use super::{Global, Outcome, sheet};
use crate::error::Error;
use crate::output::text::{clip, grouped};

/// Arguments of `tocsin audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `tocsin audit` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check that no event was changed, removed or put in later; exit code 1 where one was
    Verify,
    /// Events, newest first
    List {
        /// Events whose actor, action, subject or name holds this
        #[arg(long, value_name = "TEXT", default_value = "")]
        text: String,
        /// Number of the workspace [default: the first]
        #[arg(long, value_name = "NUMBER")]
        workspace: Option<i64>,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// The next page: the number the page before ended with
        #[arg(long, value_name = "NUMBER")]
        after: Option<i64>,
    },
}

/// Runs the command.
///
/// # Errors
/// The database cannot be read, or the result not be written.
pub fn run(global: &Global, args: &AuditArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    match &args.verb {
        Verb::Verify => verify(global, args.format, out),
        Verb::List { text, workspace, limit, after } => {
            let mut events = wait(async {
                let (db, actor) = local::open(global, *workspace).await?;
                // one more than the page tells whether there is a next one
                Ok(change::events(&db, &actor, text, *after, limit + 1).await?)
            })?;
            let more = events.len() as u64 > *limit;
            events.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
            let next = events.last().filter(|_| more).map(|e| e.seq);
            if args.format == DataFormat::Json {
                let value = serde_json::json!({"events": events, "next": next});
                sheet::json(out, "tocsin.audit.list/1", value)?;
                return Ok(Outcome::Fine);
            }
            let row = |e: change::Event| {
                let when = clip(&e.at, 17).replace('T', " ").replace('…', "");
                vec![
                    e.seq.to_string(),
                    when,
                    clip(&e.actor, 24),
                    e.action,
                    clip(&e.subject, 24),
                    clip(&e.name, 60),
                ]
            };
            if events.is_empty() {
                return line(out, "No events.");
            }
            let header = ["EVENT", "WHEN (UTC)", "WHO", "WHAT", "SUBJECT", "NAME"];
            sheet::table(out, &header, &[0], events.into_iter().map(row))?;
            match next {
                Some(next) => line(out, &format!("\nMore: --after {next}")),
                None => Ok(Outcome::Fine),
            }
        }
    }
}

fn line(out: &mut dyn Write, text: &str) -> Result<Outcome, Error> {
    writeln!(out, "{text}").map_err(|e| Error::io("stdout", e))?;
    Ok(Outcome::Fine)
}

fn verify(global: &Global, format: DataFormat, out: &mut dyn Write) -> Result<Outcome, Error> {
    let dir = global.data_dir()?;
    std::fs::create_dir_all(&dir).map_err(|e| Error::io(dir.display().to_string(), e))?;
    let done = wait(async {
        let db = tocsin_core::platform::db::open(&global.place()?).await?;
        Ok(change::verify(&db).await?)
    })?;
    match (format, done.broken_at) {
        (DataFormat::Json, _) => sheet::json(out, "tocsin.audit.verify/1", &done)?,
        (DataFormat::Table, None) => {
            let events = grouped(done.events.unsigned_abs());
            line(
                out,
                &format!("The audit trail is whole: {events} events, each following from the one before."),
            )?;
        }
        (DataFormat::Table, Some(at)) => {
            let text = format!(
                "The audit trail is broken at event {at}: it was changed or removed, or put in later. Events before it \
                 ({}) are whole. Compare with a backup: `tocsin restore --check FILE` tells its events.",
                grouped(done.events.unsigned_abs())
            );
            line(out, &text)?;
        }
    }
    Ok(if done.broken_at.is_some() { Outcome::GateFailed } else { Outcome::Fine })
}

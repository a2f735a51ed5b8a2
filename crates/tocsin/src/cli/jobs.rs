//! `tocsin jobs`: look at the jobs of a database, run them again, cancel them. Whoever may open the database may.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::json;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::jobs::{self, Filter, Job, State};
use tocsin_core::platform::{db, people};

use super::db::DataFormat;
use super::{Global, Outcome, say};
use crate::error::Error;
use crate::output::text::{clip, plain};
use crate::server::now;

/// Arguments of `tocsin jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `tocsin jobs` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Jobs, newest first
    List {
        /// In this state only: running, waiting, failed, done, cancelled; active is the first two
        #[arg(long)]
        state: Option<String>,
        /// Of this kind only (`sbom`, `rematch`, `housekeeping` …)
        #[arg(long)]
        kind: Option<String>,
        /// Rows of a page
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// The next page: the number the page before ended with
        #[arg(long, value_name = "NUMBER")]
        from: Option<i64>,
    },
    /// Everything of one job
    Show {
        /// Its number
        id: i64,
    },
    /// Run a job that failed or was cancelled again; the server takes it up
    Retry {
        /// Its number
        id: i64,
    },
    /// Cancel a job: one that waits at once, one that runs within seconds
    Cancel {
        /// Its number
        id: i64,
    },
}

/// Runs the command.
///
/// # Errors
/// The database cannot be opened, the job is not there or not in the right state, or the result cannot be written.
pub fn run(global: &Global, args: &JobsArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let dir = global.data_dir()?;
    std::fs::create_dir_all(&dir).map_err(|e| Error::io(dir.display().to_string(), e))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("starting", e))?;
    runtime.block_on(work(global, args, out))?;
    Ok(Outcome::Fine)
}

async fn work(global: &Global, args: &JobsArgs, out: &mut dyn Write) -> Result<(), Error> {
    let db = db::open(&global.place()?).await?;
    let workspace = people::workspaces(&db).await?.first().copied().unwrap_or(jobs::INSTALLATION);
    let mut actor = Actor::system(workspace, &now());
    actor.name = "command line".to_owned();
    let json = args.format == DataFormat::Json;
    let written = match &args.verb {
        Verb::List { state, kind, limit, from } => {
            let filter = filter(state.as_deref(), kind.clone())?;
            let page = jobs::jobs(&db, &actor, &filter, *from, u64::from(*limit)).await?;
            if json { writeln!(out, "{}", json!(page)) } else { table(out, &page) }
        }
        Verb::Show { id } => {
            let job = jobs::job(&db, &actor, *id).await?;
            if json { writeln!(out, "{}", json!(job)) } else { show(out, &job) }
        }
        Verb::Retry { id } => {
            jobs::retry(&db, &actor, *id).await?;
            say(&format!("job {id} waits; a server that runs takes it up"));
            let job = jobs::job(&db, &actor, *id).await?;
            if json { writeln!(out, "{}", json!(job)) } else { Ok(()) }
        }
        Verb::Cancel { id } => {
            let words = match jobs::cancel(&db, &actor, *id).await? {
                State::Cancelled => "is cancelled",
                _ => "is told to stop; it does so within seconds",
            };
            say(&format!("job {id} {words}"));
            let job = jobs::job(&db, &actor, *id).await?;
            if json { writeln!(out, "{}", json!(job)) } else { Ok(()) }
        }
    };
    written.map_err(|e| Error::io("stdout", e))
}

fn filter(state: Option<&str>, kind: Option<String>) -> Result<Filter, Error> {
    let active = state == Some("active");
    let parse = |s| {
        let words = "tell --state running, waiting, failed, done, cancelled or active";
        State::parse(s).ok_or_else(|| Error::Usage(format!("there is no state `{s}`; {words}")))
    };
    let state = state.filter(|_| !active).map(parse).transpose()?;
    Ok(Filter { state, active, kind, ..Filter::default() })
}

fn table(out: &mut dyn Write, page: &jobs::Page) -> std::io::Result<()> {
    if page.jobs.is_empty() {
        return writeln!(out, "no jobs");
    }
    writeln!(out, "{:>8}  {:<9}  {:<12}  {:<20}  JOB", "NUMBER", "STATE", "KIND", "CREATED")?;
    for j in &page.jobs {
        let percent = j.percent().filter(|_| j.state == State::Running);
        let percent = percent.map(|p| format!(" ({p} %)")).unwrap_or_default();
        let created = j.created.get(..19).unwrap_or(&j.created);
        let (state, kind) = (j.state.name(), plain(&j.kind));
        writeln!(out, "{:>8}  {state:<9}  {kind:<12}  {created}Z  {}{percent}", j.id, clip(&j.title, 60))?;
    }
    match page.next {
        Some(next) => writeln!(out, "more: --from {next}"),
        None => Ok(()),
    }
}

fn show(out: &mut dyn Write, j: &Job) -> std::io::Result<()> {
    let mut line = |name: &str, value: &str| match value {
        "" => Ok(()),
        value => {
            let mut lines = value.lines().map(plain);
            writeln!(out, "{name:<10} {}", lines.next().unwrap_or_default())?;
            lines.try_for_each(|rest| writeln!(out, "{:<10} {rest}", ""))
        }
    };
    line("job", &j.id.to_string())?;
    line("title", &j.title)?;
    line("kind", &j.kind)?;
    line("state", if j.cancelling { "running, told to stop" } else { j.state.name() })?;
    line("attempts", &format!("{} of {}", j.attempts, j.most))?;
    let percent = j.percent().map(|p| format!("{p} % {}", j.note)).unwrap_or_default();
    line("progress", percent.trim())?;
    line("by", &j.actor)?;
    line("created", &j.created)?;
    line("started", j.started.as_deref().unwrap_or(""))?;
    line("ended", j.ended.as_deref().unwrap_or(""))?;
    if j.state == State::Waiting {
        line("due", &j.due)?;
    }
    line("payload", &j.payload.to_string())?;
    line("result", &j.result.as_ref().map(ToString::to_string).unwrap_or_default())?;
    line("error", j.error.as_deref().unwrap_or(""))
}

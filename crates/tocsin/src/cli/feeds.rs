//! `tocsin feeds`: follow the sources of intelligence. Whoever may open the database may.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tocsin_core::intel::feeds::{self as state, Feed};
use tocsin_core::platform::db;

use super::db::DataFormat;
use super::{Global, Outcome, say};
use crate::error::Error;
use crate::feeds::{self, Means, Source};
use crate::outbound::Outbound;
use crate::output::text::{clip, plain};
use crate::server::now;

/// Arguments of `tocsin feeds`.
#[derive(Debug, Args)]
pub struct FeedsArgs {
    /// Form of the result
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: DataFormat,
    /// Host (NAME or NAME:PORT) that may be called although it is private or speaks plain HTTP; more than once
    #[arg(long, value_name = "HOST", env = "TOCSIN_ALLOW_HOST", value_delimiter = ',', global = true)]
    pub allow_host: Vec<String>,
    /// Longest time for one document
    #[arg(long, value_name = "SECONDS", default_value_t = 900, global = true,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `tocsin feeds` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Take in what changed, of these sources or of all that are followed
    Sync {
        /// Names of sources
        names: Vec<String>,
        /// Take it from a folder that `feeds mirror` wrote, and call nobody
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Also what is left alone for a while after failures
        #[arg(long)]
        force: bool,
    },
    /// What each source last gave, and what stands in its way
    Status {
        /// Names of sources
        names: Vec<String>,
    },
    /// Fetch each source once and tell whether that can be done; nothing is taken in
    Test {
        /// Names of sources
        names: Vec<String>,
    },
    /// Write the publishers' files into a folder, for a Tocsin that reaches nobody
    Mirror {
        /// The folder
        dir: PathBuf,
        /// Names of sources
        names: Vec<String>,
    },
    /// Follow a source or stop following it; set its address
    Set {
        /// Its name
        name: String,
        /// Follow it: a server asks it at its times
        #[arg(long, conflicts_with = "off")]
        on: bool,
        /// Follow it no more; what it gave stays
        #[arg(long)]
        off: bool,
        /// Address of a mirror in place of the publisher's; an empty one for the publisher's own
        #[arg(long, value_name = "URL")]
        address: Option<String>,
    },
}

/// Runs the command; a source that failed is a gate that did not hold.
///
/// # Errors
/// The database or the disk cannot be used, a source is not known, or the result cannot be written.
pub fn run(global: &Global, args: &FeedsArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (dir, place) = (global.data_dir()?, global.place()?);
    std::fs::create_dir_all(&dir).map_err(|e| Error::io(dir.display().to_string(), e))?;
    let outbound = Outbound::new(args.allow_host.clone());
    let patience = Duration::from_secs(args.timeout);
    let means = Means { dir: &dir, place: &place, outbound: &outbound, patience };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("starting", e))?;
    runtime.block_on(work(&means, args, out))
}

/// Sources by name; all where none is told.
fn chosen(names: &[String]) -> Result<Vec<&'static dyn Source>, Error> {
    if names.is_empty() { Ok(feeds::ALL.to_vec()) } else { names.iter().map(|n| feeds::source(n)).collect() }
}

async fn work(means: &Means<'_>, args: &FeedsArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let db = db::open(means.place).await?;
    let mut all = state::feeds(&db, &feeds::actor()).await?;
    let (mut shown, mut failed) = (Vec::new(), false);
    match &args.verb {
        Verb::Status { names } => shown = chosen(names)?,
        Verb::Set { name, on, off, address } => {
            let source = feeds::source(name)?;
            let enabled = (*on || *off).then_some(*on);
            feeds::set(&db, &feeds::actor(), source, enabled, address.as_deref()).await?;
            shown.push(source);
        }
        Verb::Sync { names, from, force } => {
            for source in chosen(names)? {
                let feed = all.get(source.name()).cloned().unwrap_or_default();
                let Some(feed) =
                    one(&db, means, source, &feed, (!names.is_empty(), from.as_deref(), *force)).await?
                else {
                    continue;
                };
                failed |= !feed.error.is_empty();
                shown.push(source);
            }
            if shown.is_empty() && from.is_none() {
                say("no source was asked; name one, or follow it with `tocsin feeds set NAME --on`");
            }
        }
        Verb::Test { names } => {
            let folder = means.dir.join("feeds").join("test");
            failed = fetched(means, &all, &chosen(names)?, &folder, args.format, out)?;
            let _ = std::fs::remove_dir_all(&folder);
            return Ok(if failed { Outcome::GateFailed } else { Outcome::Fine });
        }
        Verb::Mirror { dir, names } => {
            failed = fetched(means, &all, &chosen(names)?, dir, args.format, out)?;
            return Ok(if failed { Outcome::GateFailed } else { Outcome::Fine });
        }
    }
    all = state::feeds(&db, &feeds::actor()).await?;
    let rows: Vec<(&dyn Source, Feed)> =
        shown.into_iter().map(|s| (s, all.get(s.name()).cloned().unwrap_or_default())).collect();
    let written = match args.format {
        DataFormat::Json => {
            writeln!(out, "{}", json!({"sources": rows.iter().map(told).collect::<Vec<_>>()}))
        }
        DataFormat::Table => table(out, &rows),
    };
    written.map_err(|e| Error::io("stdout", e))?;
    Ok(if failed { Outcome::GateFailed } else { Outcome::Fine })
}

/// Takes one source in, where it is to be: named, or followed, and not left alone.
async fn one(
    db: &DatabaseConnection,
    means: &Means<'_>,
    source: &'static dyn Source,
    feed: &Feed,
    (named, from, force): (bool, Option<&Path>, bool),
) -> Result<Option<Feed>, Error> {
    if let Some(folder) = from {
        let Some(file) = feeds::of_mirror(folder, source) else {
            if named {
                let missing = format!("{} in {}", source.file(), folder.display());
                return Err(tocsin_core::Error::NotFound(missing).into());
            }
            return Ok(None);
        };
        return feeds::take_file(db, means, source, file).await.map(Some);
    }
    if !named && !feed.enabled {
        return Ok(None);
    }
    if let Some(until) = feed.paused(&now()).filter(|_| !force) {
        say(&format!("{}: left alone until {until}; --force asks it all the same", source.name()));
        return Ok(Some(feed.clone()));
    }
    let feed = feeds::sync(db, means, source).await?;
    if !feed.error.is_empty() {
        say(&format!("{}: {}", source.name(), feed.error));
    }
    Ok(Some(feed))
}

/// Fetches sources into a folder and tells each; whether one failed.
fn fetched(
    means: &Means<'_>,
    all: &BTreeMap<String, Feed>,
    sources: &[&'static dyn Source],
    folder: &Path,
    format: DataFormat,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let (mut failed, never) = (false, Feed::default());
    for source in sources {
        let address = feeds::address(*source, all.get(source.name()).unwrap_or(&never));
        let came = feeds::mirror(means, *source, address, folder)?;
        failed |= came.is_err();
        let written = match (format, &came) {
            (DataFormat::Json, Ok(bytes)) => {
                writeln!(out, "{}", json!({"name": source.name(), "address": address, "bytes": bytes}))
            }
            (DataFormat::Json, Err(e)) => {
                writeln!(out, "{}", json!({"name": source.name(), "address": address, "error": e}))
            }
            (DataFormat::Table, Ok(bytes)) => writeln!(out, "{:<12} {bytes} bytes", source.name()),
            (DataFormat::Table, Err(e)) => writeln!(out, "{:<12} {}", source.name(), plain(e)),
        };
        written.map_err(|e| Error::io("stdout", e))?;
    }
    Ok(failed)
}

fn told((source, feed): &(&dyn Source, Feed)) -> Value {
    json!({"name": source.name(), "title": source.title(), "address": feeds::address(*source, feed),
        "followed": feed.enabled, "tried": feed.tried, "good": feed.good, "error": feed.error,
        "failures": feed.failures, "not_before": feed.not_before, "read": feed.read, "new": feed.new,
        "changed": feed.changed, "refused": feed.refused, "bytes": feed.bytes})
}

fn table(out: &mut dyn Write, rows: &[(&dyn Source, Feed)]) -> std::io::Result<()> {
    let time = |t: &Option<String>| {
        t.as_deref().map_or("never".to_owned(), |t| format!("{}Z", t.get(..19).unwrap_or(t)))
    };
    writeln!(
        out,
        "{:<12} {:<8} {:<20} {:>9} {:>9} {:>9}",
        "SOURCE", "FOLLOWED", "GOOD", "READ", "NEW", "CHANGED"
    )?;
    for (source, feed) in rows {
        let followed = if feed.enabled { "yes" } else { "no" };
        let (name, good) = (source.name(), time(&feed.good));
        writeln!(
            out,
            "{name:<12} {followed:<8} {good:<20} {:>9} {:>9} {:>9}",
            feed.read, feed.new, feed.changed
        )?;
        if feed.refused > 0 {
            writeln!(out, "  {} were not understood; see `tocsin db problems`", feed.refused)?;
        }
        if !feed.error.is_empty() {
            writeln!(out, "  {}", clip(&plain(&feed.error), 400))?;
        }
        if let Some(until) = feed.paused(&now()) {
            writeln!(out, "  left alone until {until}")?;
        }
    }
    Ok(())
}

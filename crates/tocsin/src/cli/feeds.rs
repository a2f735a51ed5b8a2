//! `tocsin feeds`: follow the sources of intelligence. Whoever may open the database may.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tocsin_core::intel::feeds::{self as state, Feed, Provider, Set};
use tocsin_core::platform::db;
use tocsin_core::platform::vault::Vault;

use super::db::DataFormat;
use super::{Global, Outcome, say};
use crate::error::Error;
use crate::feeds::{self, Means, Source, Told};
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
        /// Forget how far they are read and take everything in anew; what is known stays
        #[arg(long, requires = "names", conflicts_with = "from")]
        again: bool,
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
    /// Follow a source or stop following it; set its address, key and further settings
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
        /// File with the key that it is asked with; it is kept sealed and shown nowhere
        #[arg(long, value_name = "FILE", conflicts_with = "no_key")]
        key_file: Option<PathBuf>,
        /// Forget its key
        #[arg(long)]
        no_key: bool,
        /// A further setting (proxy=http://HOST:PORT, ecosystems=npm,PyPI); an empty value takes it away
        #[arg(long, value_name = "NAME=VALUE")]
        option: Vec<String>,
        /// Trust a key that a publisher of the source shows; it was compared with what the publisher says elsewhere
        #[arg(long, value_name = "FINGERPRINT")]
        accept_key: Option<String>,
        /// Forget a key of a publisher of the source: what is signed with it is not taken in
        #[arg(long, value_name = "FINGERPRINT", conflicts_with = "accept_key")]
        forget_key: Option<String>,
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
    let insists = matches!(args.verb, Verb::Sync { force: true, .. });
    let means = Means { dir: &dir, place: &place, outbound: &outbound, patience, insists, told: told_now() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("starting", e))?;
    runtime.block_on(work(&means, args, out))
}

/// Says how far it is, at most every five seconds.
fn told_now() -> Told {
    let last = Mutex::new(Instant::now());
    Arc::new(move |done, total, note| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= Duration::from_secs(5) {
            *last = Instant::now();
            say(&if total > 0 { format!("{done} of {total} {note}") } else { note.to_owned() });
        }
    })
}

/// Settings as `NAME=VALUE`.
fn options(given: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let pair = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Error::Usage(format!("--option {text}: a setting is NAME=VALUE")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(pair).collect()
}

/// Reads a key; an error names the file and nothing of it.
fn key_of(file: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(file).map_err(|e| Error::io(file.display().to_string(), e))?;
    if text.trim().is_empty() {
        return Err(Error::Usage(format!("{} is empty", file.display())));
    }
    Ok(text)
}

/// Sources by name; all where none is told.
fn chosen(names: &[String]) -> Result<Vec<&'static dyn Source>, Error> {
    if names.is_empty() { Ok(feeds::ALL.to_vec()) } else { names.iter().map(|n| feeds::source(n)).collect() }
}

/// Sources that can be asked, by name; of all those that need no setting which they do not have.
fn ready(names: &[String], all: &BTreeMap<String, Feed>) -> Result<Vec<&'static dyn Source>, Error> {
    let never = Feed::default();
    let mut chosen = chosen(names)?;
    if names.is_empty() {
        chosen.retain(|s| s.missing(all.get(s.name()).unwrap_or(&never)).is_none());
    }
    Ok(chosen)
}

async fn work(means: &Means<'_>, args: &FeedsArgs, out: &mut dyn Write) -> Result<Outcome, Error> {
    let db = db::open(means.place).await?;
    let mut all = state::feeds(&db, &feeds::actor()).await?;
    let (mut shown, mut failed) = (Vec::new(), false);
    match &args.verb {
        Verb::Status { names } => shown = chosen(names)?,
        Verb::Set { name, on, off, address, key_file, no_key, option, accept_key, forget_key } => {
            let source = feeds::source(name)?;
            let actor = feeds::actor();
            if key_file.is_some() || *no_key {
                let key = key_file.as_deref().map(key_of).transpose()?;
                feeds::set_key(&db, &actor, &Vault::new(means.dir), source, key.as_deref()).await?;
            }
            if let Some(fingerprint) = accept_key.as_ref().or(forget_key.as_ref()) {
                let id = state::key_of(&db, &actor, name, fingerprint).await?;
                state::decide(&db, &actor, name, id, accept_key.is_some()).await?;
            }
            let enabled = (*on || *off).then_some(*on);
            let new = Set { enabled, address: address.clone(), options: options(option)? };
            feeds::set(&db, &actor, source, &new).await?;
            shown.push(source);
        }
        Verb::Sync { names, from, force, again } => {
            for source in chosen(names)? {
                if *again {
                    state::again(&db, &feeds::actor(), source.name()).await?;
                }
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
            failed = fetched(means, &all, &ready(names, &all)?, None, args.format, out)?;
            return Ok(if failed { Outcome::GateFailed } else { Outcome::Fine });
        }
        Verb::Mirror { dir, names } => {
            failed = fetched(means, &all, &ready(names, &all)?, Some(dir), args.format, out)?;
            return Ok(if failed { Outcome::GateFailed } else { Outcome::Fine });
        }
    }
    all = state::feeds(&db, &feeds::actor()).await?;
    let mut rows: Vec<Row> = Vec::new();
    for source in shown {
        let providers = state::providers(&db, &feeds::actor(), source.name()).await?;
        rows.push((source, all.get(source.name()).cloned().unwrap_or_default(), providers));
    }
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

/// Fetches sources into a folder, or each once for nothing, and tells each; whether one failed.
fn fetched(
    means: &Means<'_>,
    all: &BTreeMap<String, Feed>,
    sources: &[&'static dyn Source],
    folder: Option<&PathBuf>,
    format: DataFormat,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let (mut failed, never) = (false, Feed::default());
    for source in sources {
        let feed = all.get(source.name()).unwrap_or(&never);
        let address = feeds::address(*source, feed);
        let came = match folder {
            Some(folder) => feeds::mirror(means, *source, feed, folder)?,
            None => feeds::test(means, *source, feed)?,
        };
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

/// A source with its state and the publishers that it follows.
type Row = (&'static dyn Source, Feed, Vec<Provider>);

fn told((source, feed, providers): &Row) -> Value {
    json!({"name": source.name(), "title": source.title(), "address": feeds::address(*source, feed),
        "followed": feed.enabled, "tried": feed.tried, "good": feed.good, "error": feed.error,
        "failures": feed.failures, "not_before": feed.not_before, "read": feed.read, "new": feed.new,
        "changed": feed.changed, "refused": feed.refused, "bytes": feed.bytes, "options": feed.options,
        "keyed": feed.keyed, "providers": providers, "parts": source.parts(feed)})
}

fn table(out: &mut dyn Write, rows: &[Row]) -> std::io::Result<()> {
    let time = |t: &Option<String>| {
        t.as_deref().map_or("never".to_owned(), |t| format!("{}Z", t.get(..19).unwrap_or(t)))
    };
    writeln!(
        out,
        "{:<12} {:<8} {:<20} {:>9} {:>9} {:>9}",
        "SOURCE", "FOLLOWED", "GOOD", "READ", "NEW", "CHANGED"
    )?;
    for (source, feed, providers) in rows {
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
        for p in providers.iter().filter(|p| p.unsigned > 0) {
            writeln!(out, "  {} of {} bore no signature", p.unsigned, clip(&plain(&p.owner), 200))?;
        }
        for (p, k) in providers.iter().flat_map(|p| p.keys.iter().map(move |k| (p, k))) {
            let known = if k.trusted { "trusted" } else { "not accepted" };
            writeln!(out, "  key {} of {}: {known}", k.fingerprint, clip(&plain(&p.owner), 200))?;
        }
        for part in source.parts(feed) {
            let (name, good) = (clip(&plain(&part.name), 36), time(&part.good));
            writeln!(out, "  {name:<36} {good:<20} {:>5}", part.items)?;
            if !part.error.is_empty() {
                writeln!(out, "    {}", clip(&plain(&part.error), 400))?;
            }
        }
    }
    Ok(())
}

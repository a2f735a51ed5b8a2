//! The sources of intelligence that are followed: one file each, a line in [`ALL`].
//!
//! A source is fetched only where it changed, kept beside the data, recognised and imported like a file; then it is
//! the last good edition, from which everything can be made again. Whatever goes wrong before that is told with its
//! remedy, and leaves what was there.

mod epss;
mod exploitdb;
mod fetch;
mod kev;
mod metasploit;
mod mirror;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tocsin_core::Error as Fault;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{self, Feed, Mark, Outcome};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::db::Place;
use tocsin_core::platform::jobs::{INSTALLATION, Payload, schedule};
use tocsin_core::platform::vault::create_private;

use crate::error::Error;
use crate::outbound::{Fetched, Outbound, Refused};
use crate::server::now;

pub use mirror::{mirror, of_mirror};

/// A source: what differs from one to the next.
pub trait Source: Sync {
    /// Name, as stored and typed: `kev`.
    fn name(&self) -> &'static str;
    /// What a reader calls it.
    fn title(&self) -> &'static str;
    /// Where its publisher has it.
    fn address(&self) -> &'static str;
    /// File under which its bytes are kept and mirrored.
    fn file(&self) -> &'static str;
    /// Name under which an import counts what it gives.
    fn gives(&self) -> &'static str;
    /// When it is asked (five fields of cron, UTC): no two at the same minute, none oftener than it changes.
    fn cron(&self) -> &'static str;
    /// Longest document taken, in bytes.
    fn most(&self) -> u64;
}

/// All sources, by name.
pub const ALL: &[&dyn Source] = &[&epss::Epss, &exploitdb::ExploitDb, &kev::Kev, &metasploit::Metasploit];

/// The source of a name.
///
/// # Errors
/// There is none; the error names those that there are.
pub fn source(name: &str) -> Result<&'static dyn Source, Error> {
    let known = || ALL.iter().map(|s| s.name()).collect::<Vec<_>>().join(", ");
    let found = ALL.iter().find(|s| s.name() == name).copied();
    found.ok_or_else(|| Error::Usage(format!("there is no source `{name}`; there are {}", known())))
}

/// What following a source needs.
pub struct Means<'a> {
    /// Folder of the data.
    pub dir: &'a Path,
    /// Database of the store.
    pub place: &'a Place,
    /// The one door out.
    pub outbound: &'a Outbound,
    /// Longest time for one document.
    pub patience: Duration,
}

/// What the job that follows a source is told.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Due {
    /// Name of the source.
    pub source: String,
}

impl Payload for Due {
    const KIND: &'static str = "feed";
    // the fetcher tries again by itself, and what fails is told on the source
    const ATTEMPTS: i64 = 1;
}

/// Sees to it that a source that is followed is asked at its times.
///
/// # Errors
/// The database does not answer.
pub async fn ensure(db: &DatabaseConnection, source: &dyn Source) -> Result<(), Error> {
    let due = Due { source: source.name().to_owned() };
    let (name, title) = (format!("feed-{}", source.name()), format!("Follow {}", source.title()));
    Ok(schedule::ensure(db, &name, &title, source.cron(), &due, &now()).await?)
}

/// Sets whether a source is followed and from where; see [`feeds::set`].
///
/// # Errors
/// As [`feeds::set`].
pub async fn set(
    db: &DatabaseConnection,
    actor: &Actor,
    source: &dyn Source,
    enabled: Option<bool>,
    address: Option<&str>,
) -> Result<Feed, Error> {
    let feed = feeds::set(db, actor, source.name(), enabled, address).await?;
    if feed.enabled {
        ensure(db, source).await?;
    }
    Ok(feed)
}

/// The program, of the installation, now: sources belong to no one workspace.
pub fn actor() -> Actor {
    Actor::system(INSTALLATION, &now())
}

/// The address that holds for a source.
pub fn address<'a>(source: &'a dyn Source, feed: &'a Feed) -> &'a str {
    if feed.address.is_empty() { source.address() } else { &feed.address }
}

/// Asks a source and takes in what is new; what came of it is written down. It waits for the source's host and for its
/// turn: blocks, in a thread of its own.
///
/// # Errors
/// The database or the disk does not answer, or another takes in the same source. A source that fails is none: see
/// [`Feed::error`].
pub async fn sync(
    db: &DatabaseConnection,
    means: &Means<'_>,
    source: &'static dyn Source,
) -> Result<Feed, Error> {
    let feed = feeds::one(db, &actor(), source.name()).await?;
    let (dir, place) = (means.dir.to_owned(), means.place.clone());
    let address = address(source, &feed).to_owned();
    let mark = feed.mark.filter(|m| m.address == address);
    let (outbound, patience) = (means.outbound.clone(), means.patience);
    let work = move || take(&dir, place, &outbound, patience, source, &address, mark);
    let outcome = tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::io("following a source", std::io::Error::other(e)))??;
    Ok(feeds::note(db, &actor(), source.name(), &outcome).await?)
}

/// Takes a source in from a file of a mirror.
///
/// # Errors
/// As [`sync`].
pub async fn take_file(
    db: &DatabaseConnection,
    means: &Means<'_>,
    source: &'static dyn Source,
    file: PathBuf,
) -> Result<Feed, Error> {
    let (dir, place) = (means.dir.to_owned(), means.place.clone());
    let work = move || -> Result<Outcome, Error> {
        let own = Own::of(&dir, source)?;
        let size = |e| Error::io(file.display().to_string(), e);
        let bytes = std::fs::metadata(&file).map_err(size)?.len();
        if bytes > source.most() {
            let error = told(&Refused::Long(file.display().to_string(), source.most()), source);
            return Ok(Outcome::Failed { error, wait: None });
        }
        std::fs::copy(&file, &own.incoming).map_err(size)?;
        own.import(&dir, place, source, Mark::default(), bytes)
    };
    let outcome = tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::io("taking a mirror in", std::io::Error::other(e)))??;
    Ok(feeds::note(db, &actor(), source.name(), &outcome).await?)
}

fn take(
    dir: &Path,
    place: Place,
    outbound: &Outbound,
    patience: Duration,
    source: &dyn Source,
    address: &str,
    mark: Option<Mark>,
) -> Result<Outcome, Error> {
    let own = Own::of(dir, source)?;
    // without the edition that the mark is of, all of it is wanted
    let mark = mark.filter(|_| own.good.exists());
    match fetch::fetch(outbound, source, address, mark.as_ref(), patience, &own.incoming) {
        Ok(Fetched::Unchanged) => Ok(Outcome::Unchanged),
        Ok(Fetched::Whole { etag, modified, bytes }) => {
            let mark = Mark { address: address.to_owned(), etag, modified };
            own.import(dir, place, source, mark, bytes)
        }
        Err(Refused::Write(e)) => Err(Error::io(own.incoming.display().to_string(), e)),
        Err(e) => {
            let wait = if let Refused::Later(_, _, wait) = &e { *wait } else { None };
            Ok(Outcome::Failed { error: told(&e, source), wait })
        }
    }
}

/// The files of a source, while nobody else has them.
struct Own {
    /// What is being taken in.
    incoming: PathBuf,
    /// The last good edition.
    good: PathBuf,
    _lock: std::fs::File,
}

impl Own {
    fn of(dir: &Path, source: &dyn Source) -> Result<Own, Error> {
        let folder = dir.join("feeds");
        let incoming = folder.join("incoming");
        let io = |e| Error::io(folder.display().to_string(), e);
        std::fs::create_dir_all(&incoming).map_err(io)?;
        let lock = std::fs::File::create(folder.join(format!("{}.lock", source.name()))).map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(Fault::Conflict(format!("{} is being taken in by another", source.name())).into());
        }
        Ok(Own { incoming: incoming.join(source.file()), good: folder.join(source.file()), _lock: lock })
    }

    /// Imports what came in; it is the last good edition then.
    fn import(
        &self,
        dir: &Path,
        place: Place,
        source: &dyn Source,
        mark: Mark,
        bytes: u64,
    ) -> Result<Outcome, Error> {
        let store = Store::open_at(dir, place)?;
        let paths = std::slice::from_ref(&self.incoming);
        let report = store.import(paths, &now, &mut |_| ControlFlow::Continue(()))?;
        let counts = report.sources.get(source.gives()).copied().unwrap_or_default();
        if counts.read == 0 {
            let first = report.diagnostics.first().map(|d| format!(" ({d})")).unwrap_or_default();
            let file = self.incoming.display();
            let error = format!(
                "{} sent nothing that is understood{first}: it may have changed its format. What was known before \
                 stays. Look at {file}; if it is what the publisher means to send, a newer Tocsin may read it.",
                source.title()
            );
            return Ok(Outcome::Failed { error, wait: None });
        }
        std::fs::rename(&self.incoming, &self.good)
            .map_err(|e| Error::io(self.good.display().to_string(), e))?;
        let refused = report.problems;
        Ok(Outcome::Taken {
            mark,
            read: counts.read,
            new: counts.new,
            changed: counts.changed,
            refused,
            bytes,
        })
    }
}

/// The words of a refusal, with what can be done.
fn told(e: &Refused, source: &dyn Source) -> String {
    let name = source.name();
    let remedy = match e {
        Refused::Address(..) => format!("Set another address: tocsin feeds set {name} --address URL."),
        Refused::Silent(..) | Refused::Cut(..) => {
            "It is tried again at its next time; if this stays, see whether this machine reaches the host, or bring \
             the data in with tocsin feeds mirror and sync --from."
                .to_owned()
        }
        Refused::Status(_, 401 | 403) => "The publisher wants to know who asks, or asks from here too often.".to_owned(),
        Refused::Status(_, 404 | 410) => {
            format!("It may have moved; set its new address: tocsin feeds set {name} --address URL.")
        }
        Refused::Status(..) => "The fault is the publisher's; it is tried again at its next time.".to_owned(),
        Refused::Later(..) => "It is left alone for as long as it asked.".to_owned(),
        Refused::Long(..) => {
            format!("See whether tocsin feeds status {name} shows the right address.")
        }
        Refused::Write(_) => "Make room on the disk.".to_owned(),
    };
    format!("{e}. {remedy}")
}

/// A new file of ours at `path`, in place of one that was left behind.
fn fresh(path: &Path) -> std::io::Result<std::fs::File> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    create_private(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sources_differ_in_name_file_and_time() {
        let set =
            |f: fn(&dyn Source) -> &'static str| ALL.iter().map(|s| f(*s)).collect::<BTreeSet<_>>().len();
        assert_eq!(set(|s| s.name()), ALL.len());
        assert_eq!(set(|s| s.file()), ALL.len());
        assert_eq!(set(|s| s.address()), ALL.len());
        let minute = |s: &dyn Source| s.cron().split(' ').next().unwrap();
        assert_eq!(ALL.iter().map(|s| minute(*s)).collect::<BTreeSet<_>>().len(), ALL.len());
        for s in ALL {
            schedule::next(s.cron(), "2026-01-01T00:00:00.000Z").unwrap();
            assert!(s.address().starts_with("https://"));
        }
        assert!(ALL.is_sorted_by_key(|s| s.name()));
    }
}

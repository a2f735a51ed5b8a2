//! Asking a source, in a thread of its own, and noting what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{self, Feed, Outcome, Sum};
use tocsin_core::platform::db::Place;
use tocsin_core::platform::vault::Vault;
use zeroize::Zeroizing;

use super::fetch::{GAP, Wish};
use super::single::{self, Own};
use super::walk::{Sink, Walk};
use super::{Mark, Means, Source, Told, Wanted, actor, address, told};
use crate::error::Error;
use crate::outbound::{Outbound, Refused};
use crate::server::now;

/// How a source is asked: what its state and settings come to. Owned, for a thread.
pub(super) struct Way {
    pub address: String,
    pub outbound: Outbound,
    pub patience: Duration,
    pub key: Option<Zeroizing<String>>,
    pub feed: Feed,
    pub insists: bool,
    pub told: Told,
    dir: PathBuf,
    place: Place,
}

impl Way {
    /// # Errors
    /// The key cannot be opened, or the proxy is none.
    pub(super) fn of(means: &Means<'_>, source: &dyn Source, feed: &Feed) -> Result<Way, Error> {
        let key = match source.key() {
            Some(_) => feeds::key(&actor(), &Vault::new(means.dir), feed)?,
            None => None,
        };
        let mut outbound = means.outbound.accepting(source.accept());
        if let Some(proxy) = feed.options.get("proxy") {
            outbound = outbound.through(proxy).map_err(|e| {
                let message =
                    format!("{e}; set another: tocsin feeds set {} --option proxy=URL", source.name());
                tocsin_core::Error::Rejected { field: "proxy".to_owned(), message }
            })?;
        }
        Ok(Way {
            address: address(source, feed).to_owned(),
            outbound,
            patience: means.patience,
            key,
            feed: feed.clone(),
            insists: means.insists,
            told: means.told.clone(),
            dir: means.dir.to_owned(),
            place: means.place.clone(),
        })
    }

    /// The header that the key goes into.
    pub(super) fn header(&self, source: &dyn Source) -> Option<(&'static str, Zeroizing<String>)> {
        let (key, value) = (source.key()?, self.key.as_ref()?);
        Some((key.header, source.credentials(value)?))
    }

    /// Least time between two requests.
    pub(super) fn gap(&self, source: &dyn Source) -> Duration {
        source.steps().map_or(GAP, |s| s.gap(self.key.is_some()))
    }
}

/// Asks a source and takes in what is new; what came of it is written down. It waits for the source's host and for its
/// turn, in a thread of its own, which ends where nobody waits for it any more.
///
/// # Errors
/// The database or the disk does not answer, or another takes in the same source. A source that fails is none: see
/// [`Feed::error`].
pub async fn sync(
    db: &DatabaseConnection,
    means: &Means<'_>,
    source: &'static dyn Source,
) -> Result<Feed, Error> {
    let (started, feed) = (now(), feeds::one(db, &actor(), source.name()).await?);
    let mut ecosystems = Vec::new();
    if source.steps().is_some() {
        ecosystems = tocsin_core::inventory::ecosystems(db, &actor()).await?;
    }
    let way = Way::of(means, source, &feed)?;
    let wanted = Wanted::default();
    let stop = wanted.0.clone();
    let work = move || -> Result<Outcome, Error> {
        let own = Own::of(&way.dir, source)?;
        let store = Store::open_at(&way.dir, way.place.clone())?;
        match source.steps() {
            Some(steps) => {
                let mut walk = Walk::new(source, &way, &own.incoming, Sink::Store(&store), &stop)?;
                walk.ecosystems = ecosystems.iter().map(|e| e.osv_name().to_owned()).collect();
                let came = steps.walk(&mut walk);
                walk.end(came)
            }
            None => {
                let header = way.header(source);
                let mark = way.feed.mark.as_ref().filter(|m| m.address == way.address);
                let wish = Wish {
                    outbound: &way.outbound,
                    address: &way.address,
                    mark,
                    most: source.most(),
                    patience: way.patience,
                    gap: way.gap(source),
                    header: header.as_ref().map(|(n, v)| (*n, v.as_str())),
                };
                single::take(&own, &store, source, &wish, &stop)
            }
        }
    };
    let outcome = in_thread("following a source", work).await?;
    drop(wanted);
    Ok(feeds::note(db, &actor(), source.name(), &started, &outcome).await?)
}

pub(super) async fn in_thread<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::io(what, std::io::Error::other(e)))?
}

/// Takes a source in from a file of a mirror, or from its folder there.
///
/// # Errors
/// As [`sync`].
pub async fn take_file(
    db: &DatabaseConnection,
    means: &Means<'_>,
    source: &'static dyn Source,
    file: PathBuf,
) -> Result<Feed, Error> {
    let started = now();
    let (dir, place) = (means.dir.to_owned(), means.place.clone());
    let feed = feeds::one(db, &actor(), source.name()).await?;
    let wanted = Wanted::default();
    let stop = wanted.0.clone();
    let work = move || {
        let own = Own::of(&dir, source)?;
        let store = Store::open_at(&dir, place)?;
        if source.desk() {
            super::items::folder(&store, source, &file, &stop)
        } else if source.steps().is_some() {
            folder(&store, source, &feed, &file, &stop)
        } else {
            one(&own, &store, source, &file, &stop)
        }
    };
    let outcome = in_thread("taking a mirror in", work).await?;
    drop(wanted);
    Ok(feeds::note(db, &actor(), source.name(), &started, &outcome).await?)
}

fn one(
    own: &Own,
    store: &Store,
    source: &dyn Source,
    file: &Path,
    stop: &AtomicBool,
) -> Result<Outcome, Error> {
    let size = |e| Error::io(file.display().to_string(), e);
    let bytes = std::fs::metadata(file).map_err(size)?.len();
    if bytes > source.most() {
        let error = told(&Refused::Long(file.display().to_string(), source.most()), source);
        return Ok(Outcome::Failed { error, wait: None, sum: Sum::default() });
    }
    std::fs::copy(file, &own.incoming).map_err(size)?;
    own.import(store, source, Mark::default(), bytes, stop)
}

/// The documents of a mirror's folder, in the order of their names.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |e| Error::io(folder.display().to_string(), e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let ours = !entry.file_name().to_string_lossy().starts_with('.');
        if ours && entry.file_type().map_err(io)?.is_file() && entry.file_name() != super::mirror::CURSOR {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Documents of a source that has many; what is known already is passed over by its hash.
fn folder(
    store: &Store,
    source: &dyn Source,
    feed: &Feed,
    folder: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome, Error> {
    let io = |e| Error::io(folder.display().to_string(), e);
    let files = files(folder)?;
    let (mut sum, mut broken) = (Sum::default(), None);
    for file in &files {
        let bytes = std::fs::metadata(file).map_err(io)?.len();
        let one = std::slice::from_ref(file);
        let took = match source.reads() {
            Some(reads) => super::share::take(store, source, reads, feed, one)?,
            None => super::walk::import(store, one, bytes, stop)?,
        };
        sum.add(&took.sum);
        if broken.is_none() {
            broken = took.broken.map(|why| single::broken(source, &why, file));
        }
    }
    super::walk::in_turn(stop, || store.fold())?;
    if let Some(error) = broken {
        return Ok(Outcome::Failed { error, wait: None, sum });
    }
    if sum.read == 0 && !files.is_empty() {
        let error = single::changed(source, "", folder);
        return Ok(Outcome::Failed { error, wait: None, sum });
    }
    Ok(if files.is_empty() { Outcome::Unchanged } else { Outcome::Taken { mark: None, sum } })
}

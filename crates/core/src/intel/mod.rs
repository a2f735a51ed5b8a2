//! Intelligence: records, facts, problems and the index made of them. What others may call is here.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sea_orm::DatabaseConnection;

use crate::error::{Doing, Result};
use crate::platform::db::{self, Place};
use crate::platform::lock;

mod catalogue;
mod changes;
mod facts;
pub mod feeds;
mod import;
mod index;
mod merge;
mod problems;
mod query;
mod records;
mod remarks;
mod runs;
mod search;
mod store;
#[cfg(test)]
mod tests;
pub mod types;
mod vex;

pub use catalogue::names as catalogue_names;
pub use changes::{Changes, changes, prune};
#[cfg(test)]
pub(crate) use changes::{note, restated};
pub use index::Opened;
pub(crate) use query::groups;
pub use query::shown;
pub use search::known;
pub use types::*;

/// The store of one data directory. Its methods block; the runtime behind it is its own.
pub struct Store {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) db: DatabaseConnection,
    pub(crate) place: Place,
    pub(crate) dir: PathBuf,
}

/// xxh3-128 of the bytes of a format, in hexadecimal.
pub(crate) fn hash(kind: u8, bytes: &[u8]) -> String {
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128_with_seed(bytes, u64::from(kind)))
}

impl Store {
    /// Opens the store under `data_dir` with a SQLite file, making it where it is missing.
    ///
    /// # Errors
    /// The folder or the database cannot be opened or brought up to date.
    pub fn open(data_dir: &Path) -> Result<Store> {
        Store::open_at(data_dir, Place::File(data_dir.join("tocsin.db")))
    }

    /// Opens the store whose database is at `place`; the index and the lock are in `data_dir`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_at(data_dir: &Path, place: Place) -> Result<Store> {
        std::fs::create_dir_all(data_dir).doing("making the data directory")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .doing("starting the runtime")?;
        let db = runtime.block_on(db::open(&place))?;
        Ok(Store { runtime, db, place, dir: data_dir.to_owned() })
    }

    /// Imports files and folders. `clock` tells the time (RFC 3339) at the beginning and the end; `progress` is
    /// called after each transaction and may break off, after which a later import goes on (what is stored is
    /// passed over by its hash).
    ///
    /// A record that is older by `modified` than the stored one never replaces it and counts as
    /// [`Counts::older`].
    ///
    /// # Errors
    /// Another import runs; a path or the database cannot be read or written. Bad records are no errors: see
    /// [`ImportReport`].
    pub fn import(
        &self,
        paths: &[PathBuf],
        clock: &dyn Fn() -> String,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ImportReport> {
        self.take_in(paths, clock, progress, true)
    }

    /// As [`Store::import`], and the index stays as it is: one of many imports in a row, the last of which is followed
    /// by [`Store::fold`].
    ///
    /// # Errors
    /// As [`Store::import`].
    pub fn import_only(
        &self,
        paths: &[PathBuf],
        clock: &dyn Fn() -> String,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ImportReport> {
        self.take_in(paths, clock, progress, false)
    }

    /// Folds what was imported since into the index; nothing to do is done at once.
    ///
    /// # Errors
    /// An import runs, or the index cannot be written.
    pub fn fold(&self) -> Result<()> {
        let _lock = self.lock()?;
        index::build(self, false)
    }

    fn take_in(
        &self,
        paths: &[PathBuf],
        clock: &dyn Fn() -> String,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
        fold: bool,
    ) -> Result<ImportReport> {
        let _lock = self.lock()?;
        let shown: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        let now = clock();
        let id = self.runtime.block_on(runs::begin(&self.db, &shown, &now))?;
        let mut report = ImportReport::default();
        let run = store::Run { id, now: &now };
        let done = import::run(self, paths, &run, &mut report, progress)
            .and_then(|()| if report.interrupted || !fold { Ok(()) } else { index::build(self, false) });
        let outcome = match (&done, report.interrupted) {
            (Err(_), _) => "failed",
            (Ok(()), true) => "interrupted",
            (Ok(()), false) => "complete",
        };
        let noted = self.runtime.block_on(runs::note(&self.db, id, &report, Some((&clock(), outcome))));
        done.and(noted)?;
        Ok(report)
    }

    /// Builds the index anew from the database.
    ///
    /// # Errors
    /// An import runs, or the index cannot be written.
    pub fn rebuild_index(&self) -> Result<()> {
        let _lock = self.lock()?;
        index::build(self, true)
    }

    /// Opens the matching index; a missing, foreign or damaged one is built from the database first. Its pages
    /// are checked when they are read: damage found then is mended by [`Store::rebuild_index`].
    ///
    /// # Errors
    /// It must be built while an import runs, or it cannot be written.
    pub fn open_index(&self) -> Result<Opened> {
        index::open(self)
    }

    /// The lock of the one writer, held until dropped.
    fn lock(&self) -> Result<std::fs::File> {
        lock::import(&self.dir)
    }
}

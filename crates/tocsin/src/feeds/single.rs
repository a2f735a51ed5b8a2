//! A source of one document: fetched where it changed, kept as the last good edition when it was understood.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tocsin_core::Error as Fault;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{Outcome, Sum};

use super::fetch::{Wish, fetch};
use super::{Mark, Source, told};
use crate::error::Error;
use crate::outbound::{Fetched, Refused};
use crate::server::now;

/// Asks a source and takes in what is new. Blocks.
pub(super) fn take(
    own: &Own,
    store: &Store,
    source: &dyn Source,
    wish: &Wish<'_>,
    stop: &AtomicBool,
) -> Result<Outcome, Error> {
    // without the edition that the mark is of, all of it is wanted
    let wish = Wish { mark: wish.mark.filter(|_| own.good.exists()), ..wish.clone() };
    match fetch(&wish, &own.incoming) {
        Ok(Fetched::Unchanged) => Ok(Outcome::Unchanged),
        Ok(Fetched::Whole { etag, modified, bytes }) => {
            let mark = Mark { address: wish.address.to_owned(), etag, modified };
            own.import(store, source, mark, bytes, stop)
        }
        Err(Refused::Write(e)) => Err(Error::io(own.incoming.display().to_string(), e)),
        Err(e) => Ok(refused(&e, source, Sum::default())),
    }
}

/// What a refusal comes to.
pub(super) fn refused(e: &Refused, source: &dyn Source, sum: Sum) -> Outcome {
    let wait = if let Refused::Later(_, _, wait) = e { wait.filter(|w| *w > 0) } else { None };
    Outcome::Failed { error: told(e, source), wait, sum }
}

/// What is said of a document that is not understood.
pub(super) fn changed(source: &dyn Source, first: &str, file: &Path) -> String {
    format!(
        "{} sent nothing that is understood{first}: it may have changed its format. What was known before stays. \
         Look at {}; if it is what the publisher means to send, a newer Tocsin may read it.",
        source.title(),
        file.display()
    )
}

/// The files of a source, while nobody else has them.
pub(super) struct Own {
    /// What is being taken in; of a source with many documents, the folder for them.
    pub incoming: PathBuf,
    /// The last good edition.
    pub good: PathBuf,
    _lock: std::fs::File,
}

impl Own {
    pub(super) fn of(dir: &Path, source: &dyn Source) -> Result<Own, Error> {
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

    /// Imports what came in; it is the last good edition then, where it was read to its end.
    pub(super) fn import(
        &self,
        store: &Store,
        source: &dyn Source,
        mark: Mark,
        bytes: u64,
        stop: &AtomicBool,
    ) -> Result<Outcome, Error> {
        if let Some(keep) = source.keep() {
            return match keep.keep(store, &self.incoming)? {
                Ok(sum) => self.good(mark, Sum { documents: 1, bytes, ..sum }),
                Err(why) => {
                    let error = changed(source, &format!(" ({why})"), &self.incoming);
                    Ok(Outcome::Failed { error, wait: None, sum: Sum::default() })
                }
            };
        }
        let paths = std::slice::from_ref(&self.incoming);
        let wanted = &mut |_: &_| {
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let report = super::walk::in_turn(stop, || store.import(paths, &now, wanted))?;
        let counts = report.sources.get(source.gives()).copied().unwrap_or_default();
        let (new, changed_) = (counts.new, counts.changed);
        let sum =
            Sum { documents: 1, read: counts.read, new, changed: changed_, refused: report.problems, bytes };
        if counts.read == 0 {
            let first = report.diagnostics.first().map(|d| format!(" ({d})")).unwrap_or_default();
            let error = changed(source, &first, &self.incoming);
            return Ok(Outcome::Failed { error, wait: None, sum: Sum::default() });
        }
        if let Some(d) = report.broken.first() {
            return Ok(Outcome::Failed {
                error: broken(source, &d.to_string(), &self.incoming),
                wait: None,
                sum,
            });
        }
        if report.interrupted {
            let error = "It was broken off and goes on at its next time.".to_owned();
            return Ok(Outcome::Failed { error, wait: None, sum });
        }
        self.good(mark, sum)
    }

    /// What came in was understood, and is the last good edition.
    fn good(&self, mark: Mark, sum: Sum) -> Result<Outcome, Error> {
        std::fs::rename(&self.incoming, &self.good)
            .map_err(|e| Error::io(self.good.display().to_string(), e))?;
        Ok(Outcome::Taken { mark: Some(mark), sum })
    }
}

/// What is said of a document whose beginning alone is understood.
pub(super) fn broken(source: &dyn Source, why: &str, file: &Path) -> String {
    format!(
        "{} sent a document that could not be read to its end ({why}). What stands before that was taken in; the rest \
         is asked for again at its next time. The document is kept at {}.",
        source.title(),
        file.display()
    )
}

//! A walk through a source of many documents: each is fetched, taken in, and then what the source calls its place is
//! noted. What a source does is in its own file; here is what is the same for all.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tocsin_core::Error as Fault;
use tocsin_core::desk::NewItem;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{Mark, Outcome, Signed, Signer, Sum};

use super::fetch::{Wish, fetch};
use super::items::Bundle;
use super::sync::Way;
use super::{Source, actor, single};
use crate::error::Error;
use crate::outbound::{Fetched, Outbound, Refused, Reply};
use crate::server::now;

/// How long another import is waited for.
const TURN: Duration = Duration::from_secs(20 * 60);
/// Faults of parts that are told by name; the rest are a number.
const NAMED: usize = 5;

/// Where what comes in goes.
#[derive(Clone, Copy)]
pub(super) enum Sink<'a> {
    /// Into the store.
    Store(&'a Store),
    /// Into a folder of a mirror.
    Folder(&'a Path),
    /// Nowhere: the first document ends it.
    Nowhere,
}

/// Why a walk ended before its end.
#[derive(Debug)]
pub enum Stop {
    /// The publisher was not heard.
    Refused(Refused),
    /// What it sent is not understood; why, with the document's place.
    Changed(String),
    /// The disk or the database does not answer.
    Fault(Error),
    /// Nobody waits for it any more.
    Unwanted,
    /// The document that was wanted came.
    Enough,
}

impl From<Error> for Stop {
    fn from(e: Error) -> Stop {
        Stop::Fault(e)
    }
}

/// A document that came.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where it is.
    pub path: PathBuf,
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub modified: Option<String>,
    /// Its bytes.
    pub bytes: u64,
}

/// A walk.
pub struct Walk<'a> {
    source: &'a dyn Source,
    way: &'a Way,
    folder: PathBuf,
    into: Sink<'a>,
    cursor: String,
    stop: &'a Arc<AtomicBool>,
    header: Option<(&'static str, zeroize::Zeroizing<String>)>,
    sum: Sum,
    /// When it began.
    pub now: String,
    /// OSV names of the ecosystems that inventories hold.
    pub ecosystems: BTreeSet<String>,
    faults: Vec<String>,
    more_faults: usize,
    heard: usize,
    alarm: bool,
}

impl<'a> Walk<'a> {
    /// A walk from the source's cursor on. `folder` is for what comes in; it is emptied.
    pub(super) fn new(
        source: &'a dyn Source,
        way: &'a Way,
        folder: &Path,
        into: Sink<'a>,
        stop: &'a Arc<AtomicBool>,
    ) -> Result<Walk<'a>, Error> {
        let io = |e| Error::io(folder.display().to_string(), e);
        match std::fs::remove_dir_all(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
            _ => std::fs::create_dir_all(folder).map_err(io)?,
        }
        let cursor = match into {
            Sink::Store(_) => way.feed.cursor.clone(),
            Sink::Folder(mirror) => super::mirror::cursor(mirror),
            Sink::Nowhere => String::new(),
        };
        let header = way.header(source);
        Ok(Walk {
            source,
            way,
            folder: folder.to_owned(),
            into,
            cursor,
            stop,
            header,
            sum: Sum::default(),
            now: now(),
            ecosystems: BTreeSet::new(),
            faults: Vec::new(),
            more_faults: 0,
            heard: 0,
            alarm: false,
        })
    }

    /// The address that holds, without a slash at its end.
    pub fn address(&self) -> &str {
        self.way.address.trim_end_matches('/')
    }

    /// A setting of the source; nothing where it is not set.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.way.feed.options.get(name).map(String::as_str)
    }

    /// The key that the source is asked with, as it was set.
    pub fn key(&self) -> Option<&str> {
        self.way.key.as_ref().map(|k| k.as_str())
    }

    /// Has everything asked from now on with a bearer token (RFC 6750), which goes where the key would.
    pub fn bear(&mut self, token: &str) {
        self.header = Some(("authorization", zeroize::Zeroizing::new(format!("Bearer {token}"))));
    }

    /// Sends a form, of which nothing is kept; see [`Outbound::post`](crate::outbound::Outbound::post).
    ///
    /// # Errors
    /// The publisher is not heard, or nobody waits any more.
    pub fn post(&self, address: &str, form: &[(&str, &str)]) -> Result<Reply, Stop> {
        self.wanted()?;
        self.way.outbound.post(address, None, form).map_err(Stop::Refused)
    }

    /// How far the source is read; what is not understood of it is its beginning.
    pub fn cursor<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_str(&self.cursor).unwrap_or_default()
    }

    /// Tells how far it is.
    pub fn progress(&self, done: u64, total: u64, note: &str) {
        (self.way.told)(done, total, note);
    }

    fn wanted(&self) -> Result<(), Stop> {
        if self.stop.load(Ordering::Relaxed) { Err(Stop::Unwanted) } else { Ok(()) }
    }

    /// Fetches a document; `None`: it is still the edition of `mark`.
    ///
    /// # Errors
    /// The publisher is not heard, or nobody waits any more.
    pub fn fetch(
        &mut self,
        address: &str,
        name: &str,
        mark: Option<&Mark>,
    ) -> Result<Option<Document>, Stop> {
        self.wanted()?;
        let path = self.folder.join(name);
        let wish = Wish {
            outbound: &self.way.outbound,
            address,
            mark,
            most: self.source.most(),
            patience: self.way.patience,
            gap: self.way.gap(self.source),
            header: self.header.as_ref().map(|(n, v)| (*n, v.as_str())),
        };
        let came = fetch(&wish, &path);
        self.wanted()?;
        match came {
            Ok(Fetched::Unchanged) => Ok(None),
            Ok(Fetched::Whole { etag, modified, bytes }) => {
                // of parts that have nothing to do with each other each is to be tried
                if matches!(self.into, Sink::Nowhere) && !self.source.desk() {
                    self.sum.bytes += bytes;
                    return Err(Stop::Enough);
                }
                Ok(Some(Document { path, etag, modified, bytes }))
            }
            Err(Refused::Write(e)) => Err(Stop::Fault(Error::io(path.display().to_string(), e))),
            Err(e) => Err(Stop::Refused(e)),
        }
    }

    /// Fetches a document whatever we have.
    ///
    /// # Errors
    /// As [`Walk::fetch`].
    pub fn whole(&mut self, address: &str, name: &str) -> Result<Document, Stop> {
        // nothing was asked under a condition
        self.fetch(address, name, None)?.ok_or_else(|| {
            Stop::Changed(format!("{address} answered that it did not change, which nobody asked"))
        })
    }

    /// Takes documents in, all of them at once, and forgets them.
    ///
    /// # Errors
    /// Nothing in them is understood, they could not be read to their end (what was read before that stays), or the
    /// database does not answer.
    pub fn take(&mut self, documents: &[Document]) -> Result<Sum, Stop> {
        self.wanted()?;
        let paths: Vec<PathBuf> = documents.iter().map(|d| d.path.clone()).collect();
        let bytes = documents.iter().map(|d| d.bytes).sum();
        let first = || paths.first().map(PathBuf::as_path).unwrap_or_else(|| Path::new(""));
        match self.into {
            Sink::Nowhere => Err(Stop::Enough),
            Sink::Folder(mirror) => {
                super::mirror::keep(mirror, &self.now, self.sum.documents, &paths)?;
                let sum = Sum { documents: paths.len() as u64, bytes, ..Sum::default() };
                self.sum.add(&sum);
                Ok(sum)
            }
            Sink::Store(store) => {
                let took = match self.source.reads() {
                    Some(reads) => super::share::take(store, self.source, reads, &self.way.feed, &paths)?,
                    None => import(store, &paths, bytes, self.stop)?,
                };
                self.sum.add(&took.sum);
                self.wanted()?;
                if took.sum.read == 0 && !took.empty {
                    let why = took.first.map(|d| format!(" ({d})")).unwrap_or_default();
                    return Err(Stop::Changed(single::changed(self.source, &why, first())));
                }
                if let Some(why) = took.broken {
                    return Err(Stop::Changed(single::broken(self.source, &why, first())));
                }
                for path in &paths {
                    let _ = std::fs::remove_file(path);
                }
                Ok(took.sum)
            }
        }
    }

    /// Notes how far it is; what this stands for was taken in.
    ///
    /// # Errors
    /// The database or the disk does not answer.
    pub fn reach(&mut self, cursor: &impl Serialize) -> Result<(), Stop> {
        let text = serde_json::to_string(cursor).unwrap_or_default();
        if text == self.cursor {
            return Ok(());
        }
        match self.into {
            Sink::Store(store) => store.reach(&actor(), self.source.name(), &text).map_err(Error::from)?,
            Sink::Folder(mirror) => super::mirror::reach(mirror, &text)?,
            Sink::Nowhere => {}
        }
        self.cursor = text;
        Ok(())
    }

    /// Notes the keys that a publisher of documents shows, by their fingerprints; those that are known of it, and whether
    /// each is trusted. A mirror trusts what it is shown, and what it keeps is not checked again.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn keys_shown(&mut self, owner: &str, fingerprints: &[String]) -> Result<Vec<Signer>, Stop> {
        if let Sink::Store(store) = self.into {
            let whose = (self.source.name(), owner);
            return Ok(store.keys_shown(&actor(), whose, fingerprints).map_err(Error::from)?);
        }
        let one =
            |f: &String| Signer { id: 0, fingerprint: f.clone(), trusted: true, seen: self.now.clone() };
        Ok(fingerprints.iter().map(one).collect())
    }

    /// Notes what the signatures of a publisher's documents came to.
    ///
    /// # Errors
    /// The database does not answer.
    pub fn signed(&mut self, owner: &str, signed: &Signed) -> Result<(), Stop> {
        if let Sink::Store(store) = self.into {
            store.signed(&actor(), (self.source.name(), owner), signed).map_err(Error::from)?;
        }
        Ok(())
    }

    /// Notes that a part could not be taken in, and that the walk goes on with the others.
    ///
    /// # Errors
    /// What is no matter of that part alone.
    pub fn pass_over(&mut self, part: &str, why: Stop) -> Result<(), Stop> {
        let words = match why {
            Stop::Refused(e @ (Refused::Status(..) | Refused::Long(..) | Refused::Cut(..))) => e.to_string(),
            Stop::Changed(words) => words,
            other => return Err(other),
        };
        self.fault(part, &words, false);
        Ok(())
    }

    /// Notes that a part failed, by name; `alarm`: so often that people are told.
    pub fn fault(&mut self, part: &str, words: &str, alarm: bool) {
        self.alarm |= alarm;
        if self.faults.len() < NAMED {
            self.faults.push(format!("{part}: {words}"));
        } else {
            self.more_faults += 1;
        }
    }

    /// Notes that one of many things in a part could not be taken in, and is not asked for again.
    pub fn pass_by(&mut self, what: &str, words: &str) {
        self.sum.refused += 1;
        self.fault(what, words, false);
    }

    /// The one door out, for protocols that are not HTTP.
    pub fn outbound(&self) -> &'a Outbound {
        &self.way.outbound
    }

    /// Longest time for one document.
    pub fn patience(&self) -> Duration {
        self.way.patience
    }

    /// It only tries whether the source can be asked.
    pub fn tries(&self) -> bool {
        matches!(self.into, Sink::Nowhere)
    }

    /// Notes that a part was heard and understood.
    pub fn heard(&mut self) {
        self.heard += 1;
    }

    /// Somebody wants it now.
    pub fn insists(&self) -> bool {
        self.way.insists || matches!(self.into, Sink::Nowhere)
    }

    /// Gives items of an origin to the analyst desk: to all workspaces, or where `workspace` is not empty to that one
    /// alone. They came with so many bytes.
    ///
    /// # Errors
    /// Nobody waits any more; the database or the disk does not answer; there is no such workspace.
    pub fn give(
        &mut self,
        origin: &str,
        workspace: &str,
        items: Vec<NewItem>,
        bytes: u64,
    ) -> Result<(), Stop> {
        self.wanted()?;
        let mut sum = Sum { documents: 1, bytes, ..Sum::default() };
        let bundle = Bundle::new(origin, workspace, items);
        match self.into {
            Sink::Nowhere => {}
            Sink::Store(store) => sum.add(&super::items::take(store, bundle)?),
            Sink::Folder(_) if bundle.items.is_empty() => {}
            Sink::Folder(mirror) => {
                let path = self.folder.join("items.json");
                let text = serde_json::to_vec(&bundle).unwrap_or_default();
                std::fs::write(&path, text).map_err(|e| Error::io(path.display().to_string(), e))?;
                super::mirror::keep(mirror, &self.now, self.sum.documents, &[path])?;
            }
        }
        self.sum.add(&sum);
        Ok(())
    }

    /// A document that is not what it should be.
    pub fn changed(&self, why: &str, document: &Document) -> Stop {
        Stop::Changed(single::changed(self.source, &format!(" ({why})"), &document.path))
    }

    /// What was taken in so far.
    pub fn sum(&self) -> &Sum {
        &self.sum
    }

    /// What the walk comes to; what was taken in is folded into the index.
    pub(super) fn end(self, came: Result<(), Stop>) -> Result<Outcome, Error> {
        if let Sink::Store(store) = self.into
            && !self.source.desk()
        {
            in_turn(self.stop, || store.fold())?;
        }
        let sum = self.sum;
        let failed = |error: String| Outcome::Failed { error, wait: None, sum };
        let faults = match (self.faults.is_empty(), self.more_faults) {
            (true, _) => None,
            (false, 0) => Some(self.faults.join(" · ")),
            (false, more) => Some(format!("{} · and {more} more", self.faults.join(" · "))),
        };
        Ok(match came {
            Err(Stop::Fault(e)) => return Err(e),
            Err(Stop::Refused(e)) => single::refused(&e, self.source, sum),
            Err(Stop::Changed(words)) => failed(words),
            Err(Stop::Unwanted) => failed("It was broken off and goes on at its next time.".to_owned()),
            Ok(()) | Err(Stop::Enough) => match faults {
                // one part is no reason to leave the others alone
                Some(faults) if self.heard > 0 => Outcome::Partly {
                    error: format!("Of its parts some failed ({faults}); the others were taken in."),
                    alarm: self.alarm,
                    sum,
                },
                Some(faults) => Outcome::Failed {
                    error: format!(
                        "Parts could not be taken in ({faults}); the others were. They are asked for again at its next \
                         time."
                    ),
                    // it was heard: the others are not kept waiting
                    wait: Some(0),
                    sum,
                },
                None if sum.documents == 0 => Outcome::Unchanged,
                None => Outcome::Taken { mark: None, sum },
            },
        })
    }
}

/// What an import took in.
pub(super) struct Took {
    pub sum: Sum,
    /// There was nothing in it: an archive without files.
    pub empty: bool,
    /// Why a document could not be read to its end.
    pub broken: Option<String>,
    /// The first of what was not understood.
    pub first: Option<String>,
}

/// Imports documents and leaves the index as it is.
pub(super) fn import(
    store: &Store,
    paths: &[PathBuf],
    bytes: u64,
    stop: &Arc<AtomicBool>,
) -> Result<Took, Error> {
    let wanted = &mut |_: &_| {
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let report = in_turn(stop, || store.import_only(paths, &now, wanted))?;
    let mut sum = Sum { documents: paths.len() as u64, refused: report.problems, bytes, ..Sum::default() };
    for counts in report.sources.values() {
        sum.read += counts.read;
        sum.new += counts.new;
        sum.changed += counts.changed;
    }
    let first = report.diagnostics.first().map(ToString::to_string);
    let empty = report.problems + report.skipped == 0;
    Ok(Took { sum, empty, broken: report.broken.first().map(ToString::to_string), first })
}

/// Does what is one import at a time; another one is waited for.
pub(super) fn in_turn<T>(
    stop: &AtomicBool,
    mut work: impl FnMut() -> tocsin_core::Result<T>,
) -> Result<T, Error> {
    let since = Instant::now();
    loop {
        match work() {
            Err(Fault::Conflict(_)) if since.elapsed() < TURN && !stop.load(Ordering::Relaxed) => {
                std::thread::sleep(Duration::from_millis(300));
            }
            other => return Ok(other?),
        }
    }
}

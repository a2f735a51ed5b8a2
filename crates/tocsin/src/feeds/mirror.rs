//! A folder of the publishers' own files, for a Tocsin that reaches no publisher.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tocsin_core::intel::feeds::{Feed, Outcome};

use super::fetch::{Wish, fetch};
use super::sync::Way;
use super::walk::{Sink, Walk};
use super::{Means, Source, told};
use crate::error::Error;
use crate::outbound::{Fetched, Refused};

/// File in a source's folder that says how far it is mirrored.
pub(super) const CURSOR: &str = "cursor.json";

/// Fetches a source into a folder; its bytes, or why not. A file of that name is replaced only by a whole one; of a
/// source with many documents those that are new since the last time are added to its own folder in it. Blocks.
///
/// # Errors
/// The folder cannot be written.
pub fn mirror(
    means: &Means<'_>,
    source: &dyn Source,
    feed: &Feed,
    folder: &Path,
) -> Result<Result<u64, String>, Error> {
    run(means, source, feed, folder, false)
}

/// Fetches a source once, the first document where it has many; its bytes, or why that cannot be done. Blocks.
///
/// # Errors
/// The folder for what comes in cannot be written.
pub fn test(means: &Means<'_>, source: &dyn Source, feed: &Feed) -> Result<Result<u64, String>, Error> {
    let folder = means.dir.join("feeds").join("test");
    let came = run(means, source, feed, &folder, true);
    let _ = std::fs::remove_dir_all(&folder);
    came
}

fn run(
    means: &Means<'_>,
    source: &dyn Source,
    feed: &Feed,
    folder: &Path,
    test: bool,
) -> Result<Result<u64, String>, Error> {
    let io = |e| Error::io(folder.display().to_string(), e);
    std::fs::create_dir_all(folder).map_err(io)?;
    let way = Way::of(means, source, feed)?;
    let part = folder.join(format!(".{}.part", source.file()));
    if let Some(steps) = source.steps() {
        let (stop, own) = (Arc::new(AtomicBool::new(false)), folder.join(source.file()));
        std::fs::create_dir_all(&own).map_err(io)?;
        let into = if test { Sink::Nowhere } else { Sink::Folder(&own) };
        let mut walk = Walk::new(source, &way, &part, into, &stop)?;
        // what is mirrored is for others: all of it, unless the operator chose
        walk.ecosystems = tocsin_model::ecosystem::ALL.iter().map(|e| e.osv_name().to_owned()).collect();
        let came = steps.walk(&mut walk);
        let bytes = walk.sum().bytes;
        let outcome = walk.end(came);
        let _ = std::fs::remove_dir_all(&part);
        return Ok(match outcome? {
            Outcome::Failed { error, .. } | Outcome::Partly { error, .. } => Err(error),
            Outcome::Unchanged | Outcome::Taken { .. } => Ok(bytes),
        });
    }
    let header = way.header(source);
    let wish = Wish {
        outbound: &way.outbound,
        address: &way.address,
        mark: None,
        most: source.most(),
        patience: means.patience,
        gap: way.gap(source),
        header: header.as_ref().map(|(n, v)| (*n, v.as_str())),
    };
    match fetch(&wish, &part) {
        Ok(Fetched::Whole { bytes, .. }) => {
            std::fs::rename(&part, folder.join(source.file())).map_err(io)?;
            Ok(Ok(bytes))
        }
        // nothing was asked under a condition
        Ok(Fetched::Unchanged) => Ok(Ok(0)),
        Err(Refused::Write(e)) => Err(io(e)),
        Err(e) => Ok(Err(told(&e, source))),
    }
}

/// A source's file in a mirror, or its folder, where it is there.
pub fn of_mirror(folder: &Path, source: &dyn Source) -> Option<PathBuf> {
    let many = source.steps().is_some();
    Some(folder.join(source.file())).filter(|f| if many { f.is_dir() } else { f.is_file() })
}

/// How far a source is mirrored; empty before the first time.
pub(super) fn cursor(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(CURSOR)).unwrap_or_default()
}

/// Notes how far it is mirrored.
pub(super) fn reach(folder: &Path, cursor: &str) -> Result<(), Error> {
    let io = |e| Error::io(folder.display().to_string(), e);
    let part = folder.join(format!(".{CURSOR}.part"));
    std::fs::write(&part, cursor).map_err(io)?;
    std::fs::rename(&part, folder.join(CURSOR)).map_err(io)
}

/// Keeps documents in a mirror, under names whose order is the order in which they came.
pub(super) fn keep(folder: &Path, now: &str, before: u64, documents: &[PathBuf]) -> Result<(), Error> {
    let stamp: String = now.chars().filter(char::is_ascii_digit).take(17).collect();
    for (n, document) in (before..).zip(documents) {
        let name = document.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = folder.join(format!("{stamp}-{n:06}-{name}"));
        std::fs::rename(document, &kept).map_err(|e| Error::io(kept.display().to_string(), e))?;
    }
    Ok(())
}

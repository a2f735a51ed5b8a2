//! A folder of the publishers' own files, for a Tocsin that reaches no publisher.

use std::path::{Path, PathBuf};

use super::{Means, Source, fetch, told};
use crate::error::Error;
use crate::outbound::{Fetched, Refused};

/// Fetches a source into a folder; its bytes, or why not. A file of that name is replaced only by a whole one. Blocks.
///
/// # Errors
/// The folder cannot be written.
pub fn mirror(
    means: &Means<'_>,
    source: &dyn Source,
    address: &str,
    folder: &Path,
) -> Result<Result<u64, String>, Error> {
    let io = |e| Error::io(folder.display().to_string(), e);
    std::fs::create_dir_all(folder).map_err(io)?;
    let part = folder.join(format!(".{}.part", source.file()));
    match fetch::fetch(means.outbound, source, address, None, means.patience, &part) {
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

/// A source's file in a mirror, where it is there.
pub fn of_mirror(folder: &Path, source: &dyn Source) -> Option<PathBuf> {
    Some(folder.join(source.file())).filter(|f| f.is_file())
}

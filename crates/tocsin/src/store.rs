//! The door to the intelligence store in the data folder.

use std::path::Path;
use std::sync::Arc;

use tocsin_engine::index::{Bytes, Index};

use crate::error::Error;

/// Opens the index segments (`index/*.seg`, in the order of their names) and the facts (`index/facts`) of a
/// data folder; `None` when nothing was imported yet.
///
/// # Errors
/// A file cannot be read, or is no index of this version.
pub fn open_index(data_dir: &Path) -> Result<Option<Index>, Error> {
    let dir = data_dir.join("index");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(dir.display().to_string(), e)),
    };
    let mut names: Vec<_> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "seg")).collect();
    if names.is_empty() {
        return Ok(None);
    }
    names.sort();
    let load = |path: &Path| -> Result<Bytes, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path.display().to_string(), e))?;
        Ok(Arc::new(bytes))
    };
    let segments = names.iter().map(|p| load(p)).collect::<Result<Vec<_>, _>>()?;
    let facts = dir.join("facts");
    let facts = if facts.exists() { Some(load(&facts)?) } else { None };
    Ok(Some(Index::open(segments, facts)?))
}

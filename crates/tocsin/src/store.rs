//! The door to the intelligence store in the data folder.

use std::path::Path;

use tocsin_core::intel::Store;
use tocsin_engine::index::Index;

use crate::error::Error;

/// Opens the matching index of a data folder; `None` when nothing was imported yet. A scan makes no store.
///
/// # Errors
/// The store cannot be opened, or the index can neither be used nor built again.
pub fn open_index(data_dir: &Path) -> Result<Option<Index>, Error> {
    if !data_dir.join("tocsin.db").exists() {
        return Ok(None);
    }
    let index = Store::open(data_dir)?.open_index()?;
    Ok(if index.is_empty() { None } else { Some(index) })
}

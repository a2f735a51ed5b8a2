//! The door to the intelligence store in the data folder.

use tocsin_core::intel::Opened;
use tocsin_core::platform::db::Place;

use crate::cli::Global;
use crate::error::Error;

/// Opens the matching index with its VEX statements; `None` when nothing was imported yet. A scan makes no store.
/// With `again`, the index is built from the database first: its pages are checked when they are read, so damage
/// may show only in the middle of a scan.
///
/// # Errors
/// The store cannot be opened, or the index can neither be used nor built again.
pub fn open_index(global: &Global, again: bool) -> Result<Option<Opened>, Error> {
    if matches!(global.place()?, Place::File(file) if !file.exists()) {
        return Ok(None);
    }
    let store = global.store()?;
    if again {
        store.rebuild_index()?;
    }
    let opened = store.open_index()?;
    Ok(if opened.index.is_empty() { None } else { Some(opened) })
}

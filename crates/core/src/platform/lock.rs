//! Locks of a data folder, held by a file until they are dropped or the process ends.

use std::fs::File;
use std::path::Path;

use crate::error::{Doing, Error, Result};

/// The lock of the one process that imports intelligence or exchanges the data.
pub(crate) fn import(data_dir: &Path) -> Result<File> {
    let file = File::create(data_dir.join("import.lock")).doing("opening the import lock")?;
    taken(&file, "another import is running in this data directory")?;
    Ok(file)
}

/// Takes the lock of a file, or tells why it cannot be had.
pub(crate) fn taken(file: &File, otherwise: &str) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Conflict(otherwise.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(e).doing("locking the data directory"),
    }
}

//! What sources give to the analyst desk, and how a mirror carries it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tocsin_core::desk::NewItem;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{Outcome, Sum};
use tocsin_core::platform::access::Actor;

use super::{Source, actor};
use crate::error::Error;
use crate::server::now;

/// Version of what a mirror holds.
const VERSION: u32 = 1;
/// Longest file of a mirror that is read, in bytes.
const MOST: u64 = 256 << 20;

/// Items of one origin: a file of a mirror.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Version of the form.
    pub tocsin_items: u32,
    /// Name of the feed, list or mailbox: the source of the items.
    pub origin: String,
    /// Workspace that they belong to; empty: all.
    pub workspace: String,
    /// The items.
    pub items: Vec<NewItem>,
}

impl Bundle {
    pub(super) fn new(origin: &str, workspace: &str, items: Vec<NewItem>) -> Bundle {
        Bundle { tocsin_items: VERSION, origin: origin.to_owned(), workspace: workspace.to_owned(), items }
    }
}

/// Takes items in; what came of it, without bytes and documents.
pub(super) fn take(store: &Store, bundle: Bundle) -> Result<Sum, Error> {
    let mut sum = Sum::default();
    let who = match bundle.workspace.as_str() {
        "" => actor(),
        name => Actor::system(store.workspace(name)?, &now()),
    };
    let mut items = bundle.items.into_iter().peekable();
    // a change at a time, so that nobody waits long for the database
    while items.peek().is_some() {
        let some: Vec<NewItem> = items.by_ref().take(1_000).collect();
        sum.read += some.len() as u64;
        let taken = store.take_items(&who, &bundle.origin, some)?;
        sum.new += taken.new;
        sum.changed += taken.changed;
    }
    Ok(sum)
}

/// Takes in what a mirror's folder holds for a source, in the order of its names; a file that is not understood stops no
/// other.
pub(super) fn folder(
    store: &Store,
    source: &dyn Source,
    folder: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome, Error> {
    let files = super::sync::files(folder)?;
    let (mut sum, mut faults) = (Sum::default(), Vec::new());
    for file in &files {
        if stop.load(Ordering::Relaxed) {
            let error = "It was broken off; give it again.".to_owned();
            return Ok(Outcome::Failed { error, wait: None, sum });
        }
        let bytes = std::fs::metadata(file).map_err(|e| Error::io(file.display().to_string(), e))?.len();
        match bundles(source, file, bytes) {
            Ok(all) => {
                for bundle in all {
                    sum.add(&take(store, bundle)?);
                }
                sum.add(&Sum { documents: 1, bytes, ..Sum::default() });
            }
            Err(why) => {
                sum.refused += 1;
                faults.push(format!("{}: {why}", file.display()));
            }
        }
    }
    faults.truncate(5);
    Ok(match (faults.is_empty(), sum.documents) {
        (false, _) => {
            let error =
                format!("Files could not be read ({}); the others were taken in.", faults.join(" · "));
            Outcome::Failed { error, wait: None, sum }
        }
        (true, 0) => Outcome::Unchanged,
        (true, _) => Outcome::Taken { mark: None, sum },
    })
}

fn bundles(source: &dyn Source, file: &Path, bytes: u64) -> Result<Vec<Bundle>, String> {
    if bytes > MOST {
        return Err(format!("it is longer than {MOST} bytes"));
    }
    let read = std::fs::read(file).map_err(|e| e.to_string())?;
    if file.extension().is_none_or(|e| e != "json") {
        return source
            .brought(file, &read)
            .unwrap_or_else(|| Err("it is of no form that is known".to_owned()));
    }
    let bundle: Bundle = serde_json::from_slice(&read).map_err(|e| e.to_string())?;
    if bundle.tocsin_items != VERSION {
        return Err(format!("it is of version {}; a newer Tocsin reads it", bundle.tocsin_items));
    }
    Ok(vec![bundle])
}

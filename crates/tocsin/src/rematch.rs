//! Matching again: when intelligence has changed, findings follow, only where it must.

use std::sync::Arc;

use tocsin_core::detection::{self, Means};

pub use tocsin_core::detection::Done;

use crate::cli::say;
use crate::error::Error;
use crate::intake;
use crate::server::{App, now};

/// Told how many releases are done, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Takes the index of this moment and brings every active release of every workspace up to it. It may be broken off at
/// any `await` and done again: only what differs is written.
///
/// # Errors
/// The index cannot be opened, or the database does not answer. A release whose document cannot be read any more
/// is told of and passed over.
pub async fn rematch(app: &App, progress: Progress<'_>) -> Result<Done, Error> {
    app.load_index().await?;
    let Some(opened) = app.index() else { return Ok(Done::default()) };
    let refused = |name: &str, e: &tocsin_core::Error| say(&format!("{name}: {e}"));
    let means = Means { now: &now, read: Arc::new(intake::document), refused: &refused, progress };
    Ok(detection::rematch(app.db(), &opened, &means).await?)
}

/// Brings the findings of all workspaces up to their early warnings that changed.
///
/// # Errors
/// The database does not answer. A release whose document cannot be read any more is told of and passed over.
pub async fn warnings(app: &App) -> Result<Done, Error> {
    let opened = app.index();
    let refused = |name: &str, e: &tocsin_core::Error| say(&format!("{name}: {e}"));
    let progress = |_: usize, _: usize| {};
    let means = Means { now: &now, read: Arc::new(intake::document), refused: &refused, progress: &progress };
    Ok(detection::bring_warnings(app.db(), opened.as_ref(), &means).await?)
}

/// Whether a release is not up to date with the index at hand: a document was matched while the index was replaced, a
/// release is watched again, or the program decides otherwise than the one before it.
///
/// # Errors
/// The database does not answer.
pub async fn is_due(app: &App) -> Result<bool, Error> {
    match app.index() {
        Some(opened) => Ok(detection::is_due(app.db(), opened.generation).await?),
        None => Ok(false),
    }
}

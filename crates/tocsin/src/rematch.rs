//! Matching again: when intelligence has changed, releases are decided anew.

use tocsin_core::Error as Fault;
use tocsin_core::inventory::{self, Uploaded};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::people;

use crate::cli::say;
use crate::error::Error;
use crate::intake;
use crate::server::{App, now};

/// What matching again did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Releases matched.
    pub releases: usize,
    /// Findings that are new or open again.
    pub new: usize,
    /// Findings that are closed.
    pub closed: usize,
}

/// Told how many releases are done, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Takes the index of this moment and matches every active release of every workspace against it. It may be broken
/// off at any `await` and done again: only what differs is written.
///
/// # Errors
/// The index cannot be opened, or the database does not answer. A release whose document cannot be read any more
/// is told of and passed over.
pub async fn rematch(app: &App, progress: Progress<'_>) -> Result<Done, Error> {
    app.load_index().await?;
    let mut done = Done::default();
    let mut all = Vec::new();
    for workspace in people::workspaces(app.db()).await? {
        let actor = Actor::system(workspace, &now());
        let releases = inventory::releases(app.db(), &actor, None).await?;
        all.extend(releases.into_iter().filter(|r| r.active && r.components > 0).map(|r| (workspace, r)));
    }
    for (n, (workspace, release)) in all.iter().enumerate() {
        progress(n, all.len());
        let actor = Actor::system(*workspace, &now());
        match again(app, &actor, release.id).await {
            Ok(matched) => {
                done.releases += 1;
                done.new += matched.findings.new + matched.findings.reopened;
                done.closed += matched.findings.closed.values().sum::<usize>();
            }
            // a document came meanwhile, or the release went: there is nothing to do for this one
            Err(Fault::Conflict(_) | Fault::NotFound(_)) => {}
            Err(Fault::Refused(why)) => {
                let first = why.first().map(ToString::to_string).unwrap_or_default();
                say(&format!("{} {}: {first}", release.product_name, release.version));
            }
            Err(e) => return Err(e.into()),
        }
    }
    progress(all.len(), all.len());
    Ok(done)
}

async fn again(app: &App, actor: &Actor, release: i64) -> tocsin_core::Result<Uploaded> {
    let (name, bytes) = inventory::original(app.db(), actor, release, 0).await?;
    let prepared = intake::prepare(app, name, bytes).await?;
    let mut change = Change::begin(app.db(), actor).await?;
    let done = inventory::apply_again(&mut change, release, &prepared).await?;
    change.commit().await?;
    Ok(done)
}

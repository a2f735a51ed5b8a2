//! What the server does by itself: when intelligence has changed, it takes the new index and matches every release
//! again. Only findings that came out differently are written.

use std::path::Path;
use std::time::Duration;

use tocsin_core::inventory;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::people;

use crate::cli::say;
use crate::error::Error;
use crate::intake;
use crate::server::{App, now};

/// How often the index is looked at. An import ends by swapping its manifest, so a look costs one small read.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until the process ends.
pub async fn watch(app: App, data_dir: std::path::PathBuf) {
    let mut known = manifest(&data_dir);
    loop {
        tokio::time::sleep(EVERY).await;
        let current = manifest(&data_dir);
        if current == known {
            continue;
        }
        match rematch(&app).await {
            Ok(done) => {
                say(&format!(
                    "intelligence changed: {} releases matched again, {} findings new, {} closed",
                    done.releases, done.new, done.closed
                ));
                known = current;
            }
            // the next look tries again
            Err(e) => say(&format!("error: matching again after intelligence changed: {e}")),
        }
    }
}

fn manifest(data_dir: &Path) -> Option<Vec<u8>> {
    std::fs::read(data_dir.join("index/manifest")).ok()
}

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

/// Takes the index of this moment and matches every active release of every workspace against it.
///
/// # Errors
/// The index cannot be opened, or the database does not answer. A release whose document cannot be read any more
/// is told of and passed over.
pub async fn rematch(app: &App) -> Result<Done, Error> {
    app.load_index().await?;
    let mut done = Done::default();
    for workspace in people::workspaces(app.db()).await? {
        let actor = Actor::system(workspace, &now());
        for release in inventory::releases(app.db(), &actor, None).await? {
            if !release.active || release.components == 0 {
                continue;
            }
            let actor = Actor::system(workspace, &now());
            let (name, bytes) = inventory::original(app.db(), &actor, release.id, 0).await?;
            match intake::take(app, &actor, intake::Place::Release(release.id), name, bytes).await {
                Ok(matched) => {
                    done.releases += 1;
                    done.new += matched.findings.new + matched.findings.reopened;
                    done.closed += matched.findings.closed.values().sum::<usize>();
                }
                Err(tocsin_core::Error::Refused(why)) => {
                    let first = why.first().map(ToString::to_string).unwrap_or_default();
                    say(&format!("{} {}: {first}", release.product_name, release.version));
                }
                Err(e) => return Err(e.into()),
            }
        }
    }
    Ok(done)
}

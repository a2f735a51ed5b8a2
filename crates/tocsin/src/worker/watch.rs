//! Notices that intelligence has changed: an import ends by swapping the manifest of the index.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::rematch;
use crate::cli::say;
use crate::error::Error;
use crate::server::App;

/// How often the manifest is looked at; a look costs one small read.
const EVERY: Duration = Duration::from_secs(3);

/// Runs until the process ends. What changed while no server ran is noticed too.
pub(super) async fn intelligence(app: App, data_dir: PathBuf) {
    let mut known = None;
    loop {
        let current = manifest(&data_dir);
        if current.is_some() && current != known {
            match take(&app, known.is_some(), current.as_deref().unwrap_or_default()).await {
                Ok(()) => known = current,
                // the next look tries again
                Err(e) => say(&format!("error: taking changed intelligence: {e}")),
            }
        } else if let Some(index) = &current
            && let Err(e) = mend(&app, index).await
        {
            say(&format!("error: looking for releases that are not up to date: {e}"));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Every server takes the new index; one of them matches again.
async fn take(app: &App, changed: bool, index: &str) -> Result<(), Error> {
    if changed {
        app.load_index().await?;
    }
    rematch::ask(app, changed, index).await
}

/// Asks for what a document that came between two indexes, or another program, left behind.
async fn mend(app: &App, index: &str) -> Result<(), Error> {
    if crate::rematch::is_due(app).await? {
        rematch::ask(app, true, index).await?;
    }
    Ok(())
}

fn manifest(data_dir: &Path) -> Option<String> {
    let text = std::fs::read(data_dir.join("index/manifest")).ok()?;
    Some(Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect())
}

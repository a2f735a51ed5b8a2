//! What the server does by itself: when intelligence has changed, it takes the new index and matches every release
//! again. Only findings that came out differently are written.

use std::path::Path;
use std::time::Duration;

use crate::cli::say;
use crate::rematch::rematch;
use crate::server::App;

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

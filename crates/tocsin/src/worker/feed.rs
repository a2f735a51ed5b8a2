//! Following the sources at their times.

use std::sync::Arc;
use std::time::Duration;

use tocsin_core::intel::feeds;

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::cli::say;
use crate::error::Error;
use crate::feeds::{self as sources, Due, Means};
use crate::server::{App, now};

/// Longest time for one document.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// See the module.
pub struct Follow;

/// Sees to it that the schedules of the sources that are followed are there.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    let known = feeds::feeds(app.db(), &sources::actor()).await?;
    for source in sources::ALL.iter().filter(|s| known.get(s.name()).is_some_and(|f| f.enabled)) {
        sources::ensure(app.db(), *source).await?;
    }
    Ok(())
}

impl Kind for Follow {
    type Payload = Due;
    const NAME: &'static str = "Source";

    async fn run(run: Run, due: Due) -> Result<Ending, Error> {
        let source = sources::source(&due.source)?;
        let feed = feeds::one(run.app.db(), &sources::actor(), source.name()).await?;
        if !feed.enabled && !due.now {
            return Ok(Ending::Result(serde_json::json!({"passed over": "it is not followed"})));
        }
        if let Some(until) = feed.paused(&now()).filter(|_| !due.now) {
            return Ok(Ending::Result(serde_json::json!({"left alone until": until, "error": feed.error})));
        }
        let (dir, place) = run.app.home();
        let told = {
            let run = run.clone();
            Arc::new(move |done: u64, total: u64, note: &str| {
                run.progress(done as usize, total as usize, note)
            })
        };
        let outbound = &run.app.0.outbound;
        let means = Means { dir, place, outbound, patience: PATIENCE, insists: due.now, told };
        let feed = sources::sync(run.app.db(), &means, source).await?;
        if !feed.error.is_empty() {
            say(&format!("{}: {}", source.name(), feed.error));
        }
        let result = serde_json::json!({"read": feed.read, "new": feed.new, "changed": feed.changed,
            "refused": feed.refused, "error": feed.error});
        Ok(Ending::Result(result))
    }
}

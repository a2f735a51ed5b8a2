//! Matching again after intelligence changed.

use serde::{Deserialize, Serialize};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::jobs::{self, INSTALLATION, New, Payload};

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::rematch::rematch;
use crate::server::{App, now};

/// What it is told.
#[derive(Serialize, Deserialize)]
pub struct Again {
    /// Which intelligence: hash of the index's manifest.
    pub index: String,
}

impl Payload for Again {
    const KIND: &'static str = "rematch";
}

/// See the module.
pub struct Rematch;

impl Kind for Rematch {
    type Payload = Again;
    const NAME: &'static str = "Re-matching";

    async fn run(run: Run, _: Again) -> Result<Ending, Error> {
        let tell = run.clone();
        let progress = move |done, total| tell.progress(done, total, "releases matched again");
        let done = rematch(&run.app, &progress).await?;
        let result = serde_json::json!({"releases": done.releases, "new": done.new, "closed": done.closed});
        Ok(Ending::Result(result))
    }
}

/// Asks for all releases to be matched against the intelligence of a manifest. Where it was just seen for the first
/// time and not change, it may have been done by a server before.
pub(super) async fn ask(app: &App, changed: bool, index: &str) -> Result<(), Error> {
    let key = format!("rematch/{index}");
    if !changed && jobs::known(app.db(), &key).await? {
        return Ok(());
    }
    let actor = Actor::system(INSTALLATION, &now());
    let mut change = Change::begin(app.db(), &actor).await?;
    let new = New {
        title: "Match releases again: intelligence changed".to_owned(),
        key: Some(key),
        lane: Some("rematch".to_owned()),
        installation: true,
        ..New::default()
    };
    jobs::enqueue(&mut change, &Again { index: index.to_owned() }, new).await?;
    Ok(change.commit().await?)
}

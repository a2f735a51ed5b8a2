//! What is over is removed every night: sessions and invitations that expired, old jobs, bytes that nothing needs.

use serde::{Deserialize, Serialize};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::jobs::{Payload, schedule};
use tocsin_core::platform::sweep;
use tocsin_core::{inventory, notify};

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::server::{App, now};

/// It is told nothing.
#[derive(Serialize, Deserialize)]
pub struct Nightly {}

impl Payload for Nightly {
    const KIND: &'static str = "housekeeping";
}

/// See the module.
pub struct Housekeeping;

/// Sees to it that the schedule is there.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    let title = "Remove what has expired";
    Ok(schedule::ensure(app.db(), "housekeeping", title, "17 3 * * *", &Nightly {}, &now()).await?)
}

impl Kind for Housekeeping {
    type Payload = Nightly;
    const NAME: &'static str = "Housekeeping";

    async fn run(run: Run, _: Nightly) -> Result<Ending, Error> {
        let actor = run.actor();
        let mut change = Change::begin(run.app.db(), &actor).await?;
        let swept = sweep::sweep(&mut change).await?;
        let documents = inventory::sweep(&mut change).await?;
        let messages = notify::prune(&change).await?;
        let result = serde_json::json!({"sessions": swept.sessions, "invitations": swept.invitations,
            "jobs": swept.jobs, "documents": documents, "notifications": messages});
        run.end(&mut change, &result).await?;
        change.commit().await?;
        Ok(Ending::Written)
    }
}

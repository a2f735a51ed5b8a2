//! What ends by its day: decisions, and uploads that nobody said a word about.

use serde::{Deserialize, Serialize};
use tocsin_core::platform::jobs::{Payload, schedule};

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::error::Error;
use crate::expire::expire;
use crate::server::{App, now};

/// It is told nothing.
#[derive(Serialize, Deserialize)]
pub struct Hourly {}

impl Payload for Hourly {
    const KIND: &'static str = "expiry";
}

/// See the module.
pub struct Expiry;

/// Sees to it that the schedule is there: a minute after midnight (UTC) a day has come, and the hours behind it catch
/// up where the server was down.
pub(super) async fn ensure(app: &App) -> Result<(), Error> {
    let title = "End decisions whose day has come";
    Ok(schedule::ensure(app.db(), "expiry", title, "1 * * * *", &Hourly {}, &now()).await?)
}

impl Kind for Expiry {
    type Payload = Hourly;
    const NAME: &'static str = "Expiry";

    async fn run(run: Run, _: Hourly) -> Result<Ending, Error> {
        let ended = expire(&run.app).await?;
        Ok(Ending::Result(serde_json::json!({"decisions": ended})))
    }
}

//! Telling people: the outbox is emptied a few seconds after something came into it, what time brings is looked at every
//! minute, and messages are sent by jobs.

use std::time::{Duration, Instant};

use tocsin_core::notify::{self, Sending};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::people;

use super::registry::Kind;
use super::run::{Ending, Run};
use crate::cli::say;
use crate::error::Error;
use crate::server::{App, now};
use crate::telling;

/// How often the outbox is looked into; a look costs one small read.
const EVERY: Duration = Duration::from_secs(2);
/// How often it is looked at what the time has brought.
const TICK: Duration = Duration::from_secs(30);

/// Sends a message through a channel.
pub struct Notify;

impl Kind for Notify {
    type Payload = Sending;
    const NAME: &'static str = "Notification";

    async fn run(run: Run, told: Sending) -> Result<Ending, Error> {
        let reached = telling::send(&run.app, &run.actor(), &told).await?;
        Ok(Ending::Result(serde_json::json!({"reached": reached})))
    }
}

/// Runs until the server stops.
pub(super) async fn watch(app: App) {
    let mut stop = app.stopping();
    let mut ticked: Option<Instant> = None;
    loop {
        let tick = ticked.is_none_or(|at| at.elapsed() > TICK);
        if tick {
            ticked = Some(Instant::now());
        }
        if let Err(e) = look(&app, tick).await {
            say(&format!("error: telling people: {e}"));
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => return,
        }
    }
}

async fn look(app: &App, tick: bool) -> Result<(), Error> {
    if tick {
        for workspace in people::workspaces(app.db()).await? {
            let actor = Actor::system(workspace, &now());
            notify::derive(app.db(), &actor).await?;
            notify::urge(app.db(), &actor).await?;
            notify::release(app.db(), &actor).await?;
        }
    }
    for workspace in notify::due(app.db(), &now()).await? {
        notify::dispatch(app.db(), &Actor::system(workspace, &now())).await?;
    }
    Ok(())
}

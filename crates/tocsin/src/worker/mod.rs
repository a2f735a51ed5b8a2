//! What the server does by itself: jobs are taken and run, schedules write theirs down, and changed intelligence is
//! noticed. Several servers on one database share the work.

mod desk;
mod expiry;
mod feed;
mod housekeeping;
mod node;
mod notify;
mod registry;
mod rematch;
mod report;
mod run;
mod sbom;
mod warning;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tocsin_core::platform::jobs::{self, Claimed, schedule};
use tokio::sync::{Semaphore, watch as signal};
use tokio::task::JoinHandle;

use crate::cli::say;
use crate::error::Error;
use crate::server::{App, now};

pub use node::Node;
pub use registry::{Entry, Kind, names};
pub use run::{Ending, Run};

/// Jobs that one server runs at once, unless told otherwise.
pub const WORKERS: usize = 2;
/// How often the database is asked for jobs that others wrote down, and for schedules.
const EVERY: Duration = Duration::from_secs(2);
/// Pause after the database did not answer.
const TROUBLE: Duration = Duration::from_secs(5);
/// How long a job that runs may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The workers of a server.
pub struct Workers(JoinHandle<()>);

impl Workers {
    /// Waits until the workers have stopped: after [`App::stop`] jobs that run get a moment to end, and wait for the
    /// next server where they do not.
    pub async fn ended(self) {
        if let Err(e) = self.0.await {
            say(&format!("error: the workers ended: {e}"));
        }
    }
}

/// Starts so many workers; none where others are to do the work. `node` is this server; jobs that a server of the same name left behind are taken up at once.
///
/// # Errors
/// The database does not answer.
pub async fn start(app: &App, data_dir: PathBuf, node: Node, workers: usize) -> Result<Workers, Error> {
    let left = jobs::orphan(app.db(), node.name(), &now()).await?;
    if left > 0 {
        say(&format!("{left} jobs were left behind by the server before; they are run again"));
    }
    housekeeping::ensure(app).await?;
    expiry::ensure(app).await?;
    feed::ensure(app).await?;
    desk::ensure(app).await?;
    tokio::spawn(watch::intelligence(app.clone(), data_dir));
    if workers > 0 {
        tokio::spawn(notify::watch(app.clone()));
    }
    Ok(Workers(tokio::spawn(dispatch(app.clone(), node, workers))))
}

/// Takes jobs while there are free workers, until the server stops.
async fn dispatch(app: App, node: Node, workers: usize) {
    let registry = registry::all();
    let kinds: Vec<&str> = registry.keys().copied().collect();
    let free = Arc::new(Semaphore::new(workers));
    let mut bell = jobs::listen();
    let mut stop = app.stopping();
    let mut number = 0_u64;
    while !*stop.borrow() {
        let place = tokio::select! {
            place = Arc::clone(&free).acquire_owned() => place,
            _ = stop.changed() => break,
        };
        let Ok(place) = place else { break };
        number += 1;
        bell.mark_unchanged();
        let pause = match next(&app, &format!("{}/{number}", node.name()), &kinds).await {
            Ok(Some(claimed)) => {
                if let Some(entry) = registry.get(claimed.job.kind.as_str()).copied() {
                    let (app, stop) = (app.clone(), stop.clone());
                    tokio::spawn(async move {
                        run::work(app, entry, claimed, stop, GRACE).await;
                        drop(place);
                    });
                }
                continue;
            }
            Ok(None) => EVERY,
            Err(e) => {
                say(&format!("error: looking for jobs: {e}"));
                TROUBLE
            }
        };
        drop(place);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = bell.changed() => {}
            _ = stop.changed() => {}
        }
    }
    // whoever still runs ends or gives its job back
    let _ = free.acquire_many(workers as u32).await;
}

async fn next(app: &App, worker: &str, kinds: &[&str]) -> tocsin_core::Result<Option<Claimed>> {
    schedule::tick(app.db(), &now()).await?;
    jobs::claim(app.db(), worker, kinds, &now()).await
}

/// A signal that the server stops; see [`App::stopping`].
pub type Stop = signal::Receiver<bool>;

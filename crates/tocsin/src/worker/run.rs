//! Running one job: its lease is renewed meanwhile, its progress told; it is broken off when somebody cancels it or the
//! server stops, and what comes of it is written down.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tocsin_core::Error as Fault;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::jobs::{self, Claimed, LEASE, Word};

use super::{Entry, Stop};
use crate::cli::say;
use crate::error::Error;
use crate::server::{App, now, random};

/// How often progress is told and cancellation heard of.
const BEAT: Duration = Duration::from_millis(700);

/// What a job's work came to.
pub enum Ending {
    /// It has ended with its last write ([`Run::end`]).
    Written,
    /// It is to be ended with this result.
    Result(Value),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Progress {
    done: i64,
    total: i64,
    note: String,
}

/// A job that runs, as its kind sees it.
#[derive(Clone)]
pub struct Run {
    /// The server.
    pub app: App,
    claimed: Arc<Claimed>,
    progress: Arc<Mutex<Progress>>,
}

impl Run {
    /// The program, in the name of who asked for the job, now.
    pub fn actor(&self) -> Actor {
        self.claimed.job.actor(&now())
    }

    /// Tells how much is done of how much, and what it is at. Cheap: it is written down with the next beat.
    pub fn progress(&self, done: usize, total: usize, note: impl Into<String>) {
        let told = Progress { done: done as i64, total: total as i64, note: note.into() };
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Ends the job in the change of its last write.
    ///
    /// # Errors
    /// [`Fault::Conflict`]: it was cancelled or is another's by now; the change must not be committed then.
    pub async fn end(&self, change: &mut Change<'_>, result: &impl Serialize) -> tocsin_core::Result<()> {
        jobs::end(change, &self.claimed, result).await
    }

    fn told(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs a job that was taken.
pub(super) async fn work(app: App, entry: Entry, claimed: Claimed, mut stop: Stop, grace: Duration) {
    let run = Run { app, claimed: Arc::new(claimed), progress: Arc::default() };
    let mut task = tokio::spawn((entry.run)(run.clone(), run.claimed.job.payload.clone()));
    let lease = keep(&run);
    tokio::pin!(lease);
    let stopped = async {
        // the sender lives as long as the server
        let _ = stop.wait_for(|stop| *stop).await;
        tokio::time::sleep(grace).await;
    };
    tokio::pin!(stopped);
    let broken_off = tokio::select! {
        done = &mut task => {
            settle(&run, entry, done.unwrap_or_else(|e| Err(panicked(e)))).await;
            return;
        }
        word = &mut lease => word,
        () = &mut stopped => Word::Go,
    };
    task.abort();
    // An open change is given up with the work; then it is over, or it had just ended.
    let _ = task.await;
    match broken_off {
        Word::Cancel => {
            insist(|| async { jobs::cancelled(run.app.db(), &run.claimed, &now()).await }).await;
        }
        Word::Go => insist(|| async { jobs::release(run.app.db(), &run.claimed, &now()).await }).await,
        Word::Lost => {}
    }
}

fn panicked(e: tokio::task::JoinError) -> Error {
    Fault::Internal { doing: "running a job".to_owned(), cause: Box::new(e) }.into()
}

/// Renews the lease until the work is no longer wanted or no longer this worker's.
async fn keep(run: &Run) -> Word {
    let lease = Duration::from_millis(LEASE as u64);
    let (mut told, mut renewed) = (Progress::default(), Instant::now());
    loop {
        tokio::time::sleep(BEAT).await;
        let current = run.told();
        let due = current != told || renewed.elapsed() > lease / 4;
        let heard = if due {
            jobs::beat(run.app.db(), &run.claimed, (current.done, current.total, &current.note), &now()).await
        } else {
            jobs::heard(run.app.db(), &run.claimed).await
        };
        match heard {
            Ok(Word::Go) if due => (told, renewed) = (current, Instant::now()),
            Ok(Word::Go) => {}
            Ok(word) => return word,
            // Without the database the lease may run out; then another takes the job, and this one must not write.
            Err(_) if renewed.elapsed() > lease => return Word::Lost,
            Err(_) => {}
        }
    }
}

/// Whether trying again may help.
fn is_passing(e: &Error) -> bool {
    match e {
        Error::Store(e) => {
            matches!(e, Fault::Unavailable { .. } | Fault::Internal { .. } | Fault::Conflict(_))
        }
        Error::Io { .. } | Error::Index(_) => true,
        Error::Input(_) | Error::Usage(_) => false,
    }
}

/// The words of an error; for a document that is refused, each reason.
fn words(e: &Error) -> String {
    match e {
        Error::Store(Fault::Refused(why)) if !why.is_empty() => {
            why.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Error::Store(e) if e.is_full() => {
            format!("{e}\nThe disk of the database is full or cannot be written: make room there.")
        }
        e => e.to_string(),
    }
}

async fn settle(run: &Run, entry: Entry, came: Result<Ending, Error>) {
    let job = &run.claimed.job;
    let came = match came {
        Ok(Ending::Written) => return,
        Ok(Ending::Result(result)) => end(run, &result).await.map_err(Error::from),
        Err(e) => Err(e),
    };
    let Err(e) = came else { return };
    let text = words(&e);
    say(&format!("error: job {} ({}), attempt {} of {}: {text}", job.id, entry.name, job.attempts, job.most));
    let (passing, chance) = (is_passing(&e), chance());
    let fail = || async { jobs::fail(run.app.db(), &run.claimed, &text, !passing, chance, &now()).await };
    insist(fail).await;
}

async fn end(run: &Run, result: &Value) -> tocsin_core::Result<()> {
    let actor = run.actor();
    let mut change = Change::begin(run.app.db(), &actor).await?;
    jobs::end(&mut change, &run.claimed, result).await?;
    change.commit().await
}

fn chance() -> f64 {
    let mut byte = [0_u8; 1];
    random(&mut byte);
    f64::from(byte[0]) / 255.0
}

/// Writes what came of a job, however often it takes, up to when its lease has run out and others see to it.
async fn insist<F: Future<Output = tocsin_core::Result<()>>>(write: impl Fn() -> F) {
    let since = Instant::now();
    while let Err(e) = write().await {
        if since.elapsed() > Duration::from_millis(LEASE as u64) {
            say(&format!("error: {e}"));
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

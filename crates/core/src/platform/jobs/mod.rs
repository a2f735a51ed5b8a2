//! Durable jobs: work that is written down with the change that asks for it, and done later, once in effect, whatever
//! is killed meanwhile.
//!
//! A job **waits**, **runs**, and is then **done**, **failed** (a dead letter: it was given up and can be looked at and
//! run again) or **cancelled**. A worker takes it ([`claim`]) for the length of a lease that it renews ([`beat`]); the
//! lease of a worker that was killed runs out and the job is taken again. Its last write and its end ([`end`]) are one
//! transaction, which holds only for whoever still has the lease: nothing is done twice. What it writes before that
//! must do no harm when done again; that is each kind's own duty.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::access::Actor;

mod bell;
mod manage;
mod query;
mod queue;
pub mod schedule;
#[cfg(test)]
mod tests;

pub use bell::listen;
pub(crate) use bell::ring;
pub use manage::{cancel, retry, sweep};
#[cfg(test)]
pub(crate) use query::JOBS;
pub use query::{Active, Filter, Page, active, is_pending, job, jobs, known, list, of, schema};
pub use queue::{
    Claimed, Word, beat, cancelled, claim, end, enqueue, fail, heard, next_due, orphan, release,
};

/// How long a worker may be silent before its job is taken from it, in milliseconds.
pub const LEASE: i64 = 30_000;

/// Workspace of jobs that belong to the installation.
pub const INSTALLATION: i64 = 0;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobState)]
pub enum State {
    /// For its time, a free worker, or its next attempt.
    Waiting,
    /// A worker has it.
    Running,
    /// It ended as it should.
    Done,
    /// It was given up; it can be run again.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// All states, in the order in which pages list them.
pub const STATES: [State; 5] = [State::Running, State::Waiting, State::Failed, State::Done, State::Cancelled];

impl State {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Running => "running",
            State::Done => "done",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// The state of a stored name.
    pub fn parse(name: &str) -> Option<State> {
        STATES.into_iter().find(|s| s.name() == name)
    }

    /// Whether it waits or runs.
    pub fn is_active(self) -> bool {
        matches!(self, State::Waiting | State::Running)
    }
}

/// What a kind of job is told: its type names the kind.
pub trait Payload: Serialize + DeserializeOwned + Send + Sync {
    /// Name of the kind, as stored: `sbom`.
    const KIND: &'static str;
    /// How often it is tried before it is given up.
    const ATTEMPTS: i64 = 5;
}

/// A job to be written down; see [`enqueue`].
#[derive(Debug, Clone, Default)]
pub struct New {
    /// What it does, as people read it: `Read pump.cdx.json`.
    pub title: String,
    /// What it is about: `release/17`. Empty where it is about no one thing.
    pub subject: String,
    /// Product line whose people may see it; 0 for those of the whole workspace.
    pub line: i64,
    /// While a job of this key waits or runs, another is not written down.
    pub key: Option<String>,
    /// Jobs of one lane run one after another, in the order in which they were written down.
    pub lane: Option<String>,
    /// Hash of the bytes that it reads.
    pub blob: Option<String>,
    /// Not before; at once where missing.
    pub due: Option<String>,
    /// It belongs to the installation, not to the actor's workspace.
    pub installation: bool,
}

/// A job.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Job {
    /// Id.
    pub id: i64,
    /// Kind: `sbom`, `rematch` …
    pub kind: String,
    /// Workspace, or [`INSTALLATION`].
    pub workspace: i64,
    /// What it does.
    pub title: String,
    /// What it is about: `release/17`, or empty.
    pub subject: String,
    /// Where it stands.
    pub state: State,
    /// Attempts begun.
    pub attempts: i64,
    /// Attempts after which it is given up.
    pub most: i64,
    /// Not before.
    pub due: String,
    /// Part that is done, of [`Job::total`].
    pub done: i64,
    /// What there is to do; 0 where that is not known.
    pub total: i64,
    /// What it is at.
    pub note: String,
    /// What it was told.
    pub payload: serde_json::Value,
    /// What came of it.
    pub result: Option<serde_json::Value>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Somebody asked for its end and its worker has not heard it yet.
    pub cancelling: bool,
    /// Who asked for it.
    pub actor: String,
    /// When it was asked for.
    pub created: String,
    /// When its last attempt began.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// Product line, or 0.
    #[serde(skip)]
    pub line: i64,
    /// Who has it.
    #[serde(skip)]
    pub worker: Option<String>,
    /// Address from which it was asked for.
    #[serde(skip)]
    pub address: String,
}

impl Job {
    /// What is done, in per cent, where that is known.
    pub fn percent(&self) -> Option<i64> {
        let share = |total| (self.done.clamp(0, total) as i128 * 100 / total as i128) as i64;
        (self.total > 0).then(|| share(self.total))
    }

    /// The program, in the name of who asked for the job: what was allowed then is done now.
    pub fn actor(&self, now: &str) -> Actor {
        let mut actor = Actor::system(self.workspace, now);
        actor.name.clone_from(&self.actor);
        actor.address.clone_from(&self.address);
        actor
    }
}

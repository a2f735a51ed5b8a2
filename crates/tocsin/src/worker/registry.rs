//! Which kinds of job there are. A new one is a file with a type that is a [`Kind`], and a line in [`all`].

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use tocsin_core::Error as Fault;
use tocsin_core::platform::jobs::Payload;

use super::run::{Ending, Run};
use super::{desk, expiry, feed, housekeeping, notify, rematch, report, sbom, warning};
use crate::error::Error;

/// What is done for jobs of a kind.
pub trait Kind {
    /// What it is told.
    type Payload: Payload;
    /// What a reader calls it: `SBOM`.
    const NAME: &'static str;

    /// Does the work. It may be broken off at any `await` and is then done again from the start: what it writes must
    /// do no harm twice, and its last write goes with [`Run::end`] into one change.
    fn run(run: Run, payload: Self::Payload) -> impl Future<Output = Result<Ending, Error>> + Send;
}

type Work = Pin<Box<dyn Future<Output = Result<Ending, Error>> + Send>>;

/// A kind, its payload forgotten.
#[derive(Clone, Copy)]
pub struct Entry {
    /// See [`Kind::NAME`].
    pub name: &'static str,
    pub(super) run: fn(Run, serde_json::Value) -> Work,
}

fn entry<K: Kind>() -> (&'static str, Entry) {
    let run = |run: Run, payload: serde_json::Value| -> Work {
        Box::pin(async move {
            let payload: K::Payload = serde_json::from_value(payload).map_err(|e| {
                let message = format!("the job was written by another version of Tocsin: {e}");
                Fault::Rejected { field: "payload".to_owned(), message }
            })?;
            K::run(run, payload).await
        })
    };
    (K::Payload::KIND, Entry { name: K::NAME, run })
}

/// Stored name of each kind and what a reader calls it, in order.
pub fn names() -> Vec<(&'static str, &'static str)> {
    let mut names: Vec<_> = all().into_iter().map(|(kind, entry)| (kind, entry.name)).collect();
    names.sort_unstable_by_key(|n| n.1);
    names
}

/// All kinds by their stored names.
pub fn all() -> HashMap<&'static str, Entry> {
    HashMap::from([
        entry::<sbom::Sbom>(),
        entry::<rematch::Rematch>(),
        entry::<housekeeping::Housekeeping>(),
        entry::<expiry::Expiry>(),
        entry::<feed::Follow>(),
        entry::<notify::Notify>(),
        entry::<desk::Desk>(),
        entry::<warning::Warning>(),
        entry::<report::Report>(),
    ])
}

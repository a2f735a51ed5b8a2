//! Bringing the findings of all releases up to an edition of the index: only where something changed, everything
//! where that is not known.

use std::sync::Arc;

use sea_orm::DatabaseConnection;
use tocsin_model::bom::Bom;

use super::fanout::{self, Behind, Work};
use super::{Outcome, early, exploitation};
use crate::error::{Error, Result};
use crate::intel::{self, Opened};
use crate::inventory;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::sql;

#[cfg(test)]
mod tests;

/// Releases written in one transaction, so that others need not wait long.
const CHUNK: usize = 200;
/// Documents read and matched at once.
const DOCUMENTS: usize = 16;
/// Releases that get documents while the rest is matched are looked at anew, at most so many times.
const ROUNDS: usize = 5;
/// Raised whenever verdicts can come out differently for the same intelligence.
const REVISION: u32 = 1;

/// What matching again did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Releases that are up to date now.
    pub releases: usize,
    /// Of them, those that were matched as a whole.
    pub whole: usize,
    /// Findings that are new or open again.
    pub new: usize,
    /// Findings that are closed.
    pub closed: usize,
}

impl Done {
    fn add(&mut self, releases: usize, outcome: &Outcome) {
        self.releases += releases;
        self.new += outcome.new + outcome.reopened;
        self.closed += outcome.closed.values().sum::<usize>();
    }
}

/// Reads a document: its name and bytes.
pub type Read = Arc<dyn Fn(&str, &[u8]) -> Result<Bom> + Send + Sync>;

/// What matching again needs from outside.
pub struct Means<'a> {
    /// The time, RFC 3339.
    pub now: &'a (dyn Fn() -> String + Send + Sync),
    /// Reads documents.
    pub read: Read,
    /// Hears of releases, as people know them, whose documents cannot be read any more; they keep their findings.
    pub refused: &'a (dyn Fn(&str, &Error) + Send + Sync),
    /// Told how many releases are done, of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Send + Sync),
}

/// Brings every active release of every workspace up to `opened`. It may be broken off at any `await` and done again:
/// only what differs is written.
///
/// # Errors
/// The index is damaged, or the database does not answer. What was written stays; the next call goes on.
pub async fn rematch(db: &DatabaseConnection, opened: &Arc<Opened>, means: &Means<'_>) -> Result<Done> {
    revise(db).await?;
    let mut done = Done::default();
    let mut broken: Vec<i64> = Vec::new();
    let all: i64 = fanout::behind(db, opened.generation).await?.iter().map(|b| b.releases).sum();
    let all = usize::try_from(all).unwrap_or(0);
    for _ in 0..ROUNDS {
        let mut more = false;
        for of in fanout::behind(db, opened.generation).await? {
            (means.progress)(done.releases.min(all), all);
            let actor = Actor::system(of.workspace, &(means.now)());
            let before = done.releases;
            match fanout::plan(db, of, opened.generation).await? {
                Some(work) => part(db, &actor, opened, Arc::new(work), means, &mut done).await?,
                None => whole(db, of, opened, means, &mut broken, &mut done, all).await?,
            }
            more |= done.releases > before;
        }
        if !more {
            break;
        }
    }
    let early = early::bring(db, Some(opened), means).await?;
    done.new += early.new;
    done.closed += early.closed;
    forget(db).await?;
    if done.releases > 0 {
        crate::platform::db::analyse(db).await?;
    }
    (means.progress)(all, all);
    Ok(done)
}

/// Matches what changed.
async fn part(
    db: &DatabaseConnection,
    actor: &Actor,
    opened: &Arc<Opened>,
    work: Arc<Work>,
    means: &Means<'_>,
    done: &mut Done,
) -> Result<()> {
    exploitation::refresh(db, actor, opened, &work).await?;
    early::recognise(db, actor, &work.changes.vulnerabilities).await?;
    let unread = asked(db, actor, opened, work, means, done).await?;
    aside(db, &unread).await
}

/// Matches the work with an index and writes what came of it. Gives the releases whose documents cannot be read.
pub(super) async fn asked(
    db: &DatabaseConnection,
    actor: &Actor,
    opened: &Arc<Opened>,
    work: Arc<Work>,
    means: &Means<'_>,
    done: &mut Done,
) -> Result<Vec<i64>> {
    let (index, plan) = (opened.clone(), work.clone());
    let decided = blocking(move || fanout::decide_alone(&index, &plan)).await?;
    for chunk in decided.ready.chunks(CHUNK) {
        save(db, actor, opened, &work, chunk, done).await?;
    }
    let decided = Arc::new(decided);
    let mut unread = Vec::new();
    for chunk in decided.documents.chunks(DOCUMENTS) {
        let mut documents = Vec::new();
        for release in chunk {
            let (name, bytes) = inventory::original(db, actor, *release, 0).await?;
            documents.push((*release, name, bytes));
        }
        let (index, plan, decided, read) =
            (opened.clone(), work.clone(), decided.clone(), means.read.clone());
        let results = blocking(move || {
            use rayon::prelude::*;
            let one = |(release, name, bytes): (i64, String, Vec<u8>)| match read(&name, &bytes) {
                Ok(bom) => {
                    let found = fanout::decide_document(&index, &plan, &decided, release, &bom)?;
                    Ok((release, Some(found)))
                }
                // looked at as a whole, where that is told of
                Err(Error::Refused(_)) => Ok((release, None)),
                Err(e) => Err(e),
            };
            documents.into_par_iter().map(one).collect::<Result<Vec<_>>>()
        });
        let mut found = Vec::new();
        for (release, of) in results.await? {
            match of {
                Some(of) => found.push((release, of)),
                None => unread.push(release),
            }
        }
        save(db, actor, opened, &work, &found, done).await?;
    }
    Ok(unread)
}

async fn save(
    db: &DatabaseConnection,
    actor: &Actor,
    opened: &Opened,
    work: &Work,
    results: &[(i64, fanout::Findings)],
    done: &mut Done,
) -> Result<()> {
    let mut change = Change::begin(db, actor).await?;
    let (outcome, written) = fanout::write(&mut change, opened, work, results).await?;
    let differs = outcome.new + outcome.reopened > 0 || !outcome.closed.is_empty();
    if differs {
        let subject = format!("workspace/{}", actor.workspace);
        let after = (written, outcome.new, outcome.reopened, &outcome.closed);
        change.record("finding.rematch", subject, "", &work.of.generation, &(opened.generation, after));
    }
    change.commit().await?;
    done.add(written, &outcome);
    Ok(())
}

/// Matches releases with all they hold.
async fn whole(
    db: &DatabaseConnection,
    of: Behind,
    opened: &Arc<Opened>,
    means: &Means<'_>,
    broken: &mut Vec<i64>,
    done: &mut Done,
    all: usize,
) -> Result<()> {
    for release in fanout::ids(db, &of).await? {
        if broken.contains(&release) {
            continue;
        }
        (means.progress)(done.releases.min(all), all);
        let actor = Actor::system(of.workspace, &(means.now)());
        let (name, bytes) = match inventory::original(db, &actor, release, 0).await {
            // it went meanwhile
            Err(Error::NotFound(_)) => continue,
            other => other?,
        };
        let (index, reader) = (opened.clone(), means.read.clone());
        let prepared = blocking(move || {
            let bom = reader(&name, &bytes)?;
            inventory::prepare_with(&name, bytes, bom, Some(index))
        });
        match prepared.await {
            Ok(prepared) => {
                let mut change = Change::begin(db, &actor).await?;
                match inventory::apply_again(&mut change, release, &prepared).await {
                    Ok(matched) => {
                        change.commit().await?;
                        done.add(1, &matched.findings);
                        done.whole += 1;
                    }
                    // a document came meanwhile, or the release went: there is nothing to do for this one
                    Err(Error::Conflict(_) | Error::NotFound(_)) => {}
                    Err(e) => return Err(e),
                }
            }
            Err(e @ Error::Refused(_)) => {
                let release_of = inventory::release_of(db, &actor, release).await?;
                (means.refused)(&format!("{} {}", release_of.product_name, release_of.version), &e);
                broken.push(release);
                aside(db, &[release]).await?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Puts releases aside: they are of no edition, and matched as a whole when intelligence changes again.
async fn aside(db: &DatabaseConnection, releases: &[i64]) -> Result<()> {
    let update = format!("UPDATE release SET generation = 0 WHERE id IN {}", sql::numbers(db, 1));
    sql::run(db, "putting releases aside", &update, vec![sql::list(releases)]).await?;
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Internal { doing: "matching".to_owned(), cause: Box::new(e) })?
}

/// Whether releases are not up to date though intelligence did not change: they were matched with an index that was
/// just being replaced, are watched again, or were matched by another program. Those that were put aside do not count.
///
/// # Errors
/// The database does not answer.
pub async fn is_due(db: &DatabaseConnection, generation: i64) -> Result<bool> {
    let behind = fanout::behind(db, generation).await?;
    Ok(behind.iter().any(|b| b.generation > 0) || !is_revised(db).await?)
}

/// What verdicts depend on beside intelligence.
fn program() -> String {
    format!("{} {REVISION}", env!("CARGO_PKG_VERSION"))
}

async fn is_revised(db: &DatabaseConnection) -> Result<bool> {
    let select = "SELECT value FROM meta WHERE key = 'matching'";
    let known: Option<(String,)> = sql::row(db, "looking for what is to be matched", select, vec![]).await?;
    Ok(known.is_some_and(|(known,)| known == program()))
}

/// Where verdicts can come out differently in this program, all releases are matched as a whole.
async fn revise(db: &DatabaseConnection) -> Result<()> {
    let what = "looking for what is to be matched";
    if is_revised(db).await? {
        return Ok(());
    }
    sql::run(db, what, "UPDATE release SET generation = 0 WHERE generation <> 0", vec![]).await?;
    let insert = "INSERT INTO meta (key, value) VALUES ('matching', $1) \
                  ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    sql::run(db, what, insert, vec![program().into()]).await?;
    Ok(())
}

/// Forgets changes that every release has behind it.
async fn forget(db: &DatabaseConnection) -> Result<()> {
    let select = "SELECT MIN(generation) FROM release WHERE active = 1 AND components > 0 AND generation > 0";
    let oldest: Option<(Option<i64>,)> =
        sql::row(db, "looking for what is to be matched", select, vec![]).await?;
    match oldest.and_then(|r| r.0) {
        Some(n) => intel::prune(db, n).await,
        None => Ok(()),
    }
}

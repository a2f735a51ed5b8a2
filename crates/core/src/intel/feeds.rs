//! The sources that are followed: whether and where each is asked, what it last gave, and what stands in its way.
//!
//! What a source gives goes through the import like a file; here is only what is remembered between two times. A
//! source that fails is asked less and less often (a circuit breaker) until it is heard again; what it gave before
//! stays.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{clock, outbox, sql};

/// Failures in a row after which a source is left alone for a while.
pub const PATIENCE: i64 = 3;
/// The first such while, in minutes; it doubles with every further failure.
const PAUSE: i64 = 15;
/// The longest, in minutes.
const LONGEST: i64 = 24 * 60;

/// What a publisher calls the edition it gave (RFC 9110, sections 8.8.2 and 8.8.3), word for word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Address that it belongs to.
    pub address: String,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
}

/// The state of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Feed {
    /// Name: `kev`.
    pub name: String,
    /// Address that the operator set; empty where the publisher's own holds.
    pub address: String,
    /// Whether it is followed.
    pub enabled: bool,
    /// The edition that was last taken in whole.
    pub mark: Option<Mark>,
    /// When it was last asked.
    pub tried: Option<String>,
    /// When it was last heard and understood.
    pub good: Option<String>,
    /// Why it was not since, with the remedy; empty where it was.
    pub error: String,
    /// Failures in a row.
    pub failures: i64,
    /// It is left alone until then.
    pub not_before: Option<String>,
    /// Of the last edition that was taken in: records or facts read …
    pub read: i64,
    /// … not known before …
    pub new: i64,
    /// … known and now different …
    pub changed: i64,
    /// … and not understood.
    pub refused: i64,
    /// Its bytes.
    pub bytes: i64,
}

impl Feed {
    /// Until when it is left alone, where that is not over.
    pub fn paused(&self, now: &str) -> Option<&str> {
        self.not_before.as_deref().filter(|until| *until > now)
    }
}

/// What came of asking a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The edition is the one that we have.
    Unchanged,
    /// An edition was taken in.
    Taken {
        /// What the publisher calls it.
        mark: Mark,
        /// Records or facts read.
        read: u64,
        /// Not known before.
        new: u64,
        /// Known and now different.
        changed: u64,
        /// Not understood.
        refused: u64,
        /// Bytes of the edition.
        bytes: u64,
    },
    /// It was not heard or not understood; everything is as before.
    Failed {
        /// Why, with the remedy.
        error: String,
        /// The publisher asked not to be called for so many seconds (`Retry-After`).
        wait: Option<u64>,
    },
}

const COLUMNS: &str = "name, address, enabled, mark, tried, good, error, failures, not_before";
const NUMBERS: &str = "read, fresh, changed, refused, bytes";
type Told = (String, String, i64, String, Option<String>, Option<String>, String, i64, Option<String>);
type Numbers = (String, i64, i64, i64, i64, i64);

/// The state of every source that was ever set or asked, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn feeds(db: &DatabaseConnection, actor: &Actor) -> Result<BTreeMap<String, Feed>> {
    actor.need_everywhere(Permission::IntelRead)?;
    let what = "reading the sources";
    let told: Vec<Told> = sql::rows(db, what, &format!("SELECT {COLUMNS} FROM feed"), vec![]).await?;
    let numbers = format!("SELECT name, {NUMBERS} FROM feed");
    let numbers: Vec<Numbers> = sql::rows(db, what, &numbers, vec![]).await?;
    let mut all: BTreeMap<String, Feed> = told.into_iter().map(feed).map(|f| (f.name.clone(), f)).collect();
    for (name, read, new, changed, refused, bytes) in numbers {
        if let Some(f) = all.get_mut(&name) {
            (f.read, f.new, f.changed, f.refused, f.bytes) = (read, new, changed, refused, bytes);
        }
    }
    Ok(all)
}

fn feed((name, address, enabled, mark, tried, good, error, failures, not_before): Told) -> Feed {
    let mark = serde_json::from_str(&mark).ok();
    let enabled = enabled != 0;
    Feed { name, address, enabled, mark, tried, good, error, failures, not_before, ..Feed::default() }
}

/// The state of one source; that of one which was never asked is empty.
///
/// # Errors
/// As [`feeds`].
pub async fn one(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<Feed> {
    let never = Feed { name: name.to_owned(), ..Feed::default() };
    Ok(feeds(db, actor).await?.remove(name).unwrap_or(never))
}

/// Sets whether a source is followed and, where told, its address; an empty one is the publisher's own.
///
/// # Errors
/// Denied; [`Error::Rejected`]: the address is none.
pub async fn set(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
    enabled: Option<bool>,
    address: Option<&str>,
) -> Result<Feed> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let before = one(db, actor, name).await?;
    let address = address.map_or(before.address.as_str(), str::trim);
    let scheme = address.starts_with("https://") || address.starts_with("http://");
    // a login in an address would be shown in lists and in the trail
    if !address.is_empty() && (!scheme || address.len() > 2000 || address.contains(['@', ' ', '#'])) {
        let message = "an address beginning with https://, without login, space and #".to_owned();
        return Err(Error::Rejected { field: "address".to_owned(), message });
    }
    let enabled = enabled.unwrap_or(before.enabled);
    let mut change = Change::begin(db, actor).await?;
    // Whoever sets a source has looked at it: it is asked again.
    let upsert = "INSERT INTO feed (name, address, enabled) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
                  SET address = excluded.address, enabled = excluded.enabled, failures = 0, not_before = NULL";
    let values = vec![name.into(), address.into(), i64::from(enabled).into()];
    sql::run(&change.tx, "setting a source", upsert, values).await?;
    let (was, is) = ((before.enabled, &before.address), (enabled, address));
    change.record("source.set", format!("source/{name}"), name, &was, &is);
    change.commit().await?;
    one(db, actor, name).await
}

/// Notes what came of asking a source at the actor's time; its state then.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn note(db: &DatabaseConnection, actor: &Actor, name: &str, outcome: &Outcome) -> Result<Feed> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "noting what a source gave";
    let number = |n: u64| sea_orm::Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    let mut change = Change::begin(db, actor).await?;
    let made = "INSERT INTO feed (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
    sql::run(&change.tx, what, made, vec![name.into()]).await?;
    let heard = "tried = $2, good = $2, error = '', failures = 0, not_before = NULL";
    let subject = format!("source/{name}");
    let select = "SELECT failures FROM feed WHERE name = $1";
    let row: Option<(i64,)> = sql::row(&change.tx, what, select, vec![name.into()]).await?;
    let before = row.map_or(0, |r| r.0);
    // one failure is no news, and neither is the tenth
    if before >= PATIENCE && !matches!(outcome, Outcome::Failed { .. }) {
        outbox::feed(&change, name, None).await?;
    }
    match outcome {
        Outcome::Unchanged => {
            let update = format!("UPDATE feed SET {heard} WHERE name = $1");
            sql::run(&change.tx, what, &update, vec![name.into(), actor.now.clone().into()]).await?;
        }
        Outcome::Taken { mark, read, new, changed, refused, bytes } => {
            let update = format!(
                "UPDATE feed SET {heard}, mark = $3, read = $4, fresh = $5, changed = $6, refused = $7, \
                 bytes = $8 WHERE name = $1"
            );
            let values = vec![
                name.into(),
                actor.now.clone().into(),
                serde_json::to_string(mark).unwrap_or_default().into(),
                number(*read),
                number(*new),
                number(*changed),
                number(*refused),
                number(*bytes),
            ];
            sql::run(&change.tx, what, &update, values).await?;
            change.record("source.sync", subject, name, &(), &(read, new, changed, refused));
        }
        Outcome::Failed { error, wait } => {
            let failures = before.saturating_add(1);
            if failures == PATIENCE {
                outbox::feed(&change, name, Some(error)).await?;
            }
            let update =
                "UPDATE feed SET tried = $2, error = $3, failures = $4, not_before = $5 WHERE name = $1";
            let until = until(&actor.now, failures, *wait);
            let values = vec![
                name.into(),
                actor.now.clone().into(),
                error.clone().into(),
                failures.into(),
                sql::maybe(until.as_deref()),
            ];
            sql::run(&change.tx, what, update, values).await?;
            change.record("source.fail", subject, name, &(), &error);
        }
    }
    change.commit().await?;
    one(db, actor, name).await
}

/// Until when a source is left alone after so many failures in a row, at least for as long as it asked (at most a day:
/// nobody switches us off by a header).
fn until(now: &str, failures: i64, wait: Option<u64>) -> Option<String> {
    let over = failures - PATIENCE;
    let pause = if over < 0 { 0 } else { (PAUSE << over.min(10)).min(LONGEST) };
    let asked = wait.map_or(0, |s| i64::try_from(s.div_ceil(60)).unwrap_or(LONGEST).min(LONGEST));
    let minutes = pause.max(asked);
    (minutes > 0).then(|| clock::minutes_after(now, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::each;

    const NOW: &str = "2026-01-01T00:00:00.000Z";

    fn failed(wait: Option<u64>) -> Outcome {
        Outcome::Failed { error: "no answer".to_owned(), wait }
    }

    #[test]
    fn a_source_that_fails_is_left_alone_longer_and_longer() {
        let minutes = |failures, wait| {
            until(NOW, failures, wait).map_or(0, |u| (clock::seconds(&u) - clock::seconds(NOW)) / 60)
        };
        let cases = [(1, 0), (2, 0), (3, 15), (4, 30), (5, 60), (8, 480), (10, 1440), (i64::MAX, 1440)];
        for (failures, want) in cases {
            assert_eq!(minutes(failures, None), want, "after {failures}");
        }
        assert_eq!(minutes(1, Some(61)), 2);
        assert_eq!(minutes(4, Some(60)), 30, "the longer of both");
        assert_eq!(minutes(1, Some(u64::MAX)), 1440);
    }

    #[test]
    fn what_a_source_gave_is_remembered_and_a_failure_takes_nothing_of_it() {
        each(async |db| {
            let actor = Actor::system(0, NOW);
            assert_eq!(one(db, &actor, "kev").await.unwrap().good, None);
            let mark =
                Mark { address: "https://a".to_owned(), etag: Some("\"1\"".to_owned()), modified: None };
            let taken =
                Outcome::Taken { mark: mark.clone(), read: 3, new: 2, changed: 1, refused: 0, bytes: 9 };
            let feed = note(db, &actor, "kev", &taken).await.unwrap();
            assert_eq!((feed.read, feed.new, feed.changed, feed.bytes), (3, 2, 1, 9));
            assert_eq!((feed.good.as_deref(), feed.enabled), (Some(NOW), false));
            let later = Actor::system(0, "2026-01-02T00:00:00.000Z");
            for n in 1..=PATIENCE {
                let feed = note(db, &later, "kev", &failed(None)).await.unwrap();
                assert_eq!((feed.failures, feed.error.as_str()), (n, "no answer"));
                assert_eq!(feed.paused(&later.now).is_some(), n == PATIENCE);
                assert_eq!((feed.good.as_deref(), feed.mark.as_ref()), (Some(NOW), Some(&mark)));
                assert_eq!(feed.read, 3);
            }
            let feed = note(db, &later, "kev", &Outcome::Unchanged).await.unwrap();
            assert_eq!((feed.failures, feed.error.as_str(), feed.not_before), (0, "", None));
            assert_eq!(feed.good.as_deref(), Some(later.now.as_str()));
        });
    }

    #[test]
    fn a_source_is_set_and_asked_again() {
        each(async |db| {
            let actor = Actor::system(0, NOW);
            note(db, &actor, "epss", &failed(Some(7200))).await.unwrap();
            let feed = set(db, &actor, "epss", Some(true), Some(" https://mirror.example/e ")).await.unwrap();
            assert_eq!((feed.enabled, feed.address.as_str()), (true, "https://mirror.example/e"));
            assert_eq!(feed.paused(NOW), None);
            for bad in ["ftp://x", "https://me:pw@x/", "https://x/ y", "/etc/passwd"] {
                let refused = set(db, &actor, "epss", None, Some(bad)).await;
                assert!(matches!(refused, Err(Error::Rejected { .. })), "{bad}");
            }
            let feed = set(db, &actor, "epss", Some(false), None).await.unwrap();
            assert_eq!((feed.enabled, feed.address.as_str()), (false, "https://mirror.example/e"));
        });
    }
}

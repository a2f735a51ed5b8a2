//! What is told of a source: what it is, how it is set, how it does, when it is asked next.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use serde::Serialize;
use tocsin_core::Result;
use tocsin_core::intel::feeds::{self, Feed};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::jobs::{self, New, schedule};
use utoipa::ToSchema;

use super::{ALL, Due, OPTIONS, Part, Setting, Source, address, schedule_of};

/// A source and how it does.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct State {
    /// Name.
    #[schema(example = "nvd")]
    pub name: String,
    /// What a reader calls it.
    #[schema(example = "NIST National Vulnerability Database")]
    pub title: String,
    /// Where it is asked.
    pub address: String,
    /// It is asked elsewhere than at its publisher.
    pub elsewhere: bool,
    /// It is asked at its times.
    pub followed: bool,
    /// `good`, `failing`, `paused` (left alone for a while after failures), `never` (not asked yet).
    #[schema(example = "good")]
    pub health: &'static str,
    /// When it was last asked.
    pub tried: Option<String>,
    /// When it was last heard and understood.
    pub good: Option<String>,
    /// When it is asked next; missing where it is not followed.
    pub next: Option<String>,
    /// Why it was not heard or understood since, with the remedy; empty where it was.
    pub error: String,
    /// Failures in a row.
    pub failures: i64,
    /// It is left alone until then.
    pub not_before: Option<String>,
    /// Of what it last gave: records or facts read …
    pub read: i64,
    /// … not known before …
    pub new: i64,
    /// … known and now different …
    pub changed: i64,
    /// … and not understood.
    pub refused: i64,
    /// Bytes of it.
    pub bytes: i64,
    /// It is asked with a key, which is shown nowhere.
    pub keyed: bool,
    /// It can be asked with a key.
    pub takes_key: bool,
    /// Further settings by name.
    pub options: BTreeMap<String, String>,
    /// How its parts do, where it has such as are asked each by itself (feeds, lists).
    pub parts: Vec<Part>,
}

impl State {
    fn of(source: &dyn Source, feed: &Feed, next: Option<String>, now: &str) -> State {
        let paused = feed.paused(now).map(str::to_owned);
        let health = match (&feed.tried, feed.error.is_empty(), &paused) {
            (None, ..) => "never",
            (_, true, _) => "good",
            (_, false, Some(_)) => "paused",
            (_, false, None) => "failing",
        };
        let next = next.filter(|_| feed.enabled);
        // while it is left alone, its times pass without it
        let next = match (next, &paused) {
            (Some(next), Some(until)) if until > &next => {
                Some(schedule::next(source.cron(), until).unwrap_or(next))
            }
            (next, _) => next,
        };
        State {
            name: source.name().to_owned(),
            title: source.title().to_owned(),
            address: address(source, feed).to_owned(),
            elsewhere: !feed.address.is_empty(),
            followed: feed.enabled,
            health,
            tried: feed.tried.clone(),
            good: feed.good.clone(),
            next,
            error: feed.error.clone(),
            failures: feed.failures,
            not_before: paused,
            read: feed.read,
            new: feed.new,
            changed: feed.changed,
            refused: feed.refused,
            bytes: feed.bytes,
            keyed: feed.keyed,
            takes_key: source.key().is_some(),
            options: feed.options.clone(),
            parts: source.parts(feed),
        }
    }
}

/// Every source and how it does, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn states(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<State>> {
    let known = feeds::feeds(db, actor).await?;
    let mut times = feeds::times(db, actor).await?;
    let never = Feed::default();
    let one = |source: &&dyn Source| {
        let feed = known.get(source.name()).unwrap_or(&never);
        State::of(*source, feed, times.remove(&schedule_of(*source)), &actor.now)
    };
    Ok(ALL.iter().map(one).collect())
}

/// One source and how it does.
///
/// # Errors
/// As [`states`]; there is no such source.
pub async fn state(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<State> {
    let found = states(db, actor).await?.into_iter().find(|s| s.name == name);
    found.ok_or_else(|| tocsin_core::Error::NotFound(format!("source `{name}`")))
}

/// Settings that a source has beyond its address.
pub fn settings(source: &dyn Source) -> impl Iterator<Item = &'static Setting> {
    source.options().iter().chain(OPTIONS.iter().filter(|_| source.by_http()))
}

/// Has a source asked now by a worker, followed or not; the job, or none where one waits or runs already.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn ask(db: &DatabaseConnection, actor: &Actor, source: &dyn Source) -> Result<Option<i64>> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let mut change = Change::begin(db, actor).await?;
    let due = Due { source: source.name().to_owned(), now: true };
    let new = New {
        title: format!("Follow {}", source.title()),
        // of the schedule's jobs too: a source is asked once at a time
        key: Some(format!("schedule/{}", schedule_of(source))),
        installation: true,
        ..New::default()
    };
    let id = jobs::enqueue(&mut change, &due, new).await?;
    if id.is_some() {
        change.record("source.ask", format!("source/{}", source.name()), source.name(), &(), &id);
    }
    change.commit().await?;
    Ok(id)
}

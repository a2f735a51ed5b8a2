//! Progress as it happens: server-sent events about jobs (HTML standard, section 9.2), for pages and programs.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::jobs::{self, Active, Filter, Job};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::App;

/// Streams open at once on one server.
pub(super) const MOST: usize = 500;
/// Jobs that one stream tells of.
pub const JOBS: usize = 200;
/// How often the database is asked, where this server did not change jobs itself; and how soon again where it did.
const EVERY: Duration = Duration::from_secs(2);
const SOONEST: Duration = Duration::from_millis(300);
/// A stream ends after so long. Whoever listens comes again, and is asked again who they are.
const LONGEST: Duration = Duration::from_secs(600);

/// What is told of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Everything, to a program; the stream ends with the jobs.
    Whole,
    /// What a page shows; also how many jobs wait or run, and the stream ends when none does.
    Page,
}

struct Feed {
    app: App,
    actor: Actor,
    ids: Vec<i64>,
    told: Told,
    sent: HashMap<i64, Value>,
    count: Option<Active>,
    ready: VecDeque<Event>,
    bell: Receiver<u64>,
    stop: Receiver<bool>,
    until: Instant,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// A stream of events about these jobs, as far as the actor may see them: `job` whenever one changed, `count` (pages),
/// `end` when there is nothing more to tell.
pub fn stream(app: &App, actor: &Actor, ids: Vec<i64>, told: Told) -> Response {
    let Ok(place) = std::sync::Arc::clone(&app.0.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")]).into_response();
    };
    let feed = Feed {
        app: app.clone(),
        actor: actor.clone(),
        ids,
        told,
        sent: HashMap::new(),
        count: None,
        ready: VecDeque::new(),
        bell: jobs::listen(),
        stop: app.stopping(),
        until: Instant::now() + LONGEST,
        over: false,
        _place: place,
    };
    let events = futures_util::stream::unfold(feed, Feed::next);
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

impl Feed {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Feed)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            if self.over || *self.stop.borrow() || Instant::now() >= self.until {
                return None;
            }
            self.bell.mark_unchanged();
            // without an answer of the database the next look may have one
            if self.look().await.is_err() || self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(SOONEST).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = self.bell.changed() => {}
            _ = self.stop.changed() => {}
        }
    }

    async fn look(&mut self) -> tocsin_core::Result<()> {
        let filter = Filter { ids: Some(self.ids.clone()), ..Filter::default() };
        let jobs = if self.ids.is_empty() {
            Vec::new()
        } else {
            jobs::jobs(self.app.db(), &self.actor, &filter, None, JOBS as u64).await?.jobs
        };
        let mut active = jobs.iter().any(|j| j.state.is_active());
        for job in &jobs {
            let told = match self.told {
                Told::Whole => serde_json::to_value(job).unwrap_or_default(),
                Told::Page => brief(job),
            };
            if self.sent.get(&job.id) != Some(&told) {
                self.ready.push_back(Event::default().event("job").data(told.to_string()));
                self.sent.insert(job.id, told);
            }
        }
        if self.told == Told::Page {
            let count = jobs::active(self.app.db(), &self.actor).await?;
            active |= count.running + count.waiting > 0;
            if self.count != Some(count) {
                self.count = Some(count);
                let count = json!({"active": count.running + count.waiting});
                self.ready.push_back(Event::default().event("count").data(count.to_string()));
            }
        }
        if !active {
            self.over = true;
            self.ready.push_back(Event::default().event("end").data("{}"));
        }
        Ok(())
    }
}

fn brief(job: &Job) -> Value {
    let state = job.state.name();
    json!({"id": job.id, "state": state, "percent": job.percent(), "note": job.note, "active": job.state.is_active(),
        "cancelling": job.cancelling})
}

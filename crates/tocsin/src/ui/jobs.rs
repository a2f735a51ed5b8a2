//! Jobs: what runs with its progress, what waits, what was given up; schedules.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::platform::access::{Lines, Permission};
use tocsin_core::platform::jobs::schedule::{self, Schedule};
use tocsin_core::platform::jobs::{self, Filter, Job, STATES};

use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{self, App, Browser, PageError, Told, now};
use crate::worker;

/// Jobs of one page, and of one export.
const ROWS: u64 = 50;
const EXPORT: u64 = 100_000;

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/jobs", Access::Needs(Permission::JobRead)),
    ("GET", "/jobs.csv", Access::Needs(Permission::JobRead)),
    ("GET", "/jobs/events", Access::Needs(Permission::JobRead)),
    ("GET", "/jobs/{id}", Access::Needs(Permission::JobRead)),
    ("POST", "/jobs/{id}/cancel", Access::Needs(Permission::JobManage)),
    ("POST", "/jobs/{id}/retry", Access::Needs(Permission::JobManage)),
    ("POST", "/schedules/{name}", Access::Needs(Permission::JobManage)),
    ("POST", "/schedules/{name}/run", Access::Needs(Permission::JobManage)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/jobs", get(list))
        .route("/jobs.csv", get(export))
        .route("/jobs/events", get(events))
        .route("/jobs/{id}", get(one))
        .route("/jobs/{id}/cancel", post(cancel))
        .route("/jobs/{id}/retry", post(retry))
        .route("/schedules/{name}", post(set))
        .route("/schedules/{name}/run", post(run))
}

/// What a reader calls a kind.
fn kind(stored: &str) -> String {
    let known = worker::names().into_iter().find(|(kind, _)| *kind == stored);
    known.map_or_else(|| stored.to_owned(), |(_, name)| name.to_owned())
}

struct Row {
    kind: String,
    came: String,
    job: Job,
}

impl Row {
    fn new(job: Job) -> Row {
        Row { kind: kind(&job.kind), came: came(&job), job }
    }
}

/// What came of a job, in a line.
fn came(job: &Job) -> String {
    let result = job.result.as_ref();
    let number = |name: &str| result.and_then(|r| r.get(name)).and_then(serde_json::Value::as_i64);
    match (job.kind.as_str(), number("components"), number("releases")) {
        ("sbom", Some(components), _) => {
            let (new, closed) = (number("findings_new"), number("findings_closed"));
            let (new, closed) = (new.unwrap_or_default(), closed.unwrap_or_default());
            format!("{components} components; {new} findings new, {closed} closed")
        }
        ("rematch", _, Some(releases)) => {
            let (new, closed) = (number("new").unwrap_or_default(), number("closed").unwrap_or_default());
            format!("{releases} releases; {new} findings new, {closed} closed")
        }
        _ => String::new(),
    }
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    sort: String,
    from: Option<i64>,
    #[serde(default)]
    done: String,
}

impl Asked {
    fn filter(&self) -> Filter {
        Filter {
            state: jobs::State::parse(&self.state),
            active: self.state == "active",
            kind: Some(self.kind.clone()).filter(|k| !k.is_empty()),
            oldest: self.sort == "oldest",
            ..Filter::default()
        }
    }

    /// The address of the same list.
    fn address(&self, page: &str) -> String {
        self.sorted(page, &self.sort)
    }

    /// The same list in another order.
    fn sorted(&self, page: &str, sort: &str) -> String {
        let sort = if sort.is_empty() { String::new() } else { format!("&sort={}", encode(sort)) };
        format!("{page}?state={}&kind={}{sort}", encode(&self.state), encode(&self.kind))
    }
}

#[derive(Template)]
#[template(path = "jobs/list.html")]
struct List {
    page: Page,
    rows: Vec<Row>,
    next: Option<i64>,
    kinds: Vec<(&'static str, &'static str)>,
    states: Vec<(&'static str, &'static str)>,
    asked: Asked,
    here: String,
    turned: String,
    csv: String,
    schedules: Vec<(Schedule, String)>,
    may_manage: bool,
    wrong: String,
    wrong_at: String,
}

async fn page(app: &App, browser: &Browser, asked: Asked, wrong: String, wrong_at: String) -> Answer {
    let actor = browser.actor();
    let found = jobs::jobs(app.db(), actor, &asked.filter(), asked.from, ROWS).await?;
    let everywhere = actor.lines(Permission::JobRead) == Lines::All;
    let listed = if everywhere { schedule::schedules(app.db(), actor).await? } else { Vec::new() };
    let mut states = vec![("", "all states"), ("active", "waiting or running")];
    states.extend(STATES.map(|s| (s.name(), s.name())));
    show(&List {
        page: Page::new(browser, "/jobs", "Jobs"),
        rows: found.jobs.into_iter().map(Row::new).collect(),
        next: found.next,
        kinds: worker::names(),
        states,
        here: asked.address("/jobs"),
        turned: asked.sorted("/jobs", if asked.sort == "oldest" { "" } else { "oldest" }),
        csv: asked.address("/jobs.csv"),
        schedules: listed.into_iter().map(|s| (s.clone(), kind(&s.kind))).collect(),
        may_manage: actor.may(Permission::JobManage),
        asked,
        wrong,
        wrong_at,
    })
}

async fn list(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> Answer {
    page(&app, &browser, asked, String::new(), String::new()).await
}

async fn export(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let found = jobs::jobs(app.db(), browser.actor(), &asked.filter(), None, EXPORT).await?;
    let head = [
        "id", "kind", "title", "state", "attempts", "by", "created", "started", "ended", "done", "total",
        "note", "error",
    ];
    let mut sheet = Sheet::new(&head)?;
    for j in found.jobs {
        sheet.row(&[
            j.id.to_string(),
            j.kind,
            cell(&j.title),
            j.state.name().to_owned(),
            j.attempts.to_string(),
            cell(&j.actor),
            j.created,
            j.started.unwrap_or_default(),
            j.ended.unwrap_or_default(),
            j.done.to_string(),
            j.total.to_string(),
            cell(&j.note),
            cell(&j.error.unwrap_or_default()),
        ])?;
    }
    Ok(sheet.file("jobs"))
}

async fn events(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    browser.actor().need(Permission::JobRead)?;
    let ids = asked.get("ids").map_or("", String::as_str).split(',');
    let ids = ids.filter_map(|id| id.parse().ok()).take(server::JOBS).collect();
    Ok(server::stream(&app, browser.actor(), ids, Told::Page))
}

#[derive(Template)]
#[template(path = "jobs/one.html")]
struct One {
    page: Page,
    job: Job,
    kind: String,
    about: Option<String>,
    result: Vec<(String, String)>,
    payload: String,
    may_manage: bool,
    done: String,
    wrong: String,
}

/// The page of what a job is about.
fn about(subject: &str) -> Option<String> {
    subject.strip_prefix("release/").map(|id| format!("/releases/{id}"))
}

/// What came of a job, line by line.
fn lines(result: Option<&serde_json::Value>) -> Vec<(String, String)> {
    use serde_json::Value;
    let word = |v: &Value| match v {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let entries = result.and_then(Value::as_object).into_iter().flatten();
    entries.map(|(name, value)| (name.replace('_', " "), word(value))).collect()
}

async fn job_page(app: &App, browser: &Browser, id: i64, done: String, wrong: String) -> Answer {
    let job = jobs::job(app.db(), browser.actor(), id).await?;
    show(&One {
        page: Page::new(browser, "/jobs", &job.title).crumb("/jobs", "Jobs"),
        kind: kind(&job.kind),
        about: about(&job.subject),
        result: lines(job.result.as_ref()),
        payload: serde_json::to_string_pretty(&job.payload).unwrap_or_default(),
        may_manage: browser.actor().may(Permission::JobManage),
        job,
        done,
        wrong,
    })
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Answer {
    job_page(&app, &browser, id, asked.done, String::new()).await
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
    #[serde(default)]
    back: String,
}

/// Back to the list or job that a form was sent from, with what was done.
fn back(id: i64, to: &str, words: &str) -> Response {
    let to = if to.starts_with("/jobs?") {
        format!("{to}&done={}", encode(words))
    } else {
        format!("/jobs/{id}?done={}", encode(words))
    };
    Redirect::to(&to).into_response()
}

async fn cancel(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    match jobs::cancel(app.db(), &actor, id).await {
        Ok(jobs::State::Cancelled) => Ok(back(id, &form.back, &format!("Job {id} is cancelled."))),
        Ok(_) => Ok(back(id, &form.back, &format!("Job {id} is told to stop; it does so within seconds."))),
        Err(Error::Conflict(why)) => {
            Ok(job_page(&app, &browser, id, String::new(), why).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn retry(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    match jobs::retry(app.db(), &actor, id).await {
        Ok(()) => Ok(back(id, &form.back, &format!("Job {id} runs again."))),
        Err(Error::Conflict(why)) => {
            Ok(job_page(&app, &browser, id, String::new(), why).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Setting {
    csrf: String,
    cron: String,
    #[serde(default)]
    enabled: String,
}

async fn set(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(form): Form<Setting>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    match schedule::set(app.db(), &actor, &name, &form.cron, !form.enabled.is_empty()).await {
        Ok(()) => Ok(Redirect::to("/jobs?done=The+schedule+is+set.#schedules").into_response()),
        Err(Error::Rejected { message, .. }) => {
            Ok(page(&app, &browser, Asked::default(), message, name).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn run(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    match schedule::run_now(app.db(), &actor, &name).await? {
        Some(id) => Ok(Redirect::to(&format!("/jobs/{id}")).into_response()),
        None => {
            let words = encode("It already waits or runs.");
            Ok(Redirect::to(&format!("/jobs?done={words}#schedules")).into_response())
        }
    }
}

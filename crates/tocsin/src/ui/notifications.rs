//! The inbox: what one was told, and what of it is to be acknowledged; the log of all that went out.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::notify::{self, Channel, Delivery, Filter, Message, Step, Told};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::outbox::{Topic, offered};

use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};
use crate::telling::{group_words, subject_path};

/// Messages of one page, and of one export.
const ROWS: u64 = 50;
const EXPORT: u64 = 10_000;

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/notifications", Access::Needs(Permission::FindingRead)),
    ("GET", "/notifications.csv", Access::Needs(Permission::FindingRead)),
    ("POST", "/notifications/seen", Access::Needs(Permission::FindingRead)),
    ("GET", "/notifications/log", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/notifications/log.csv", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/notifications/{id}", Access::Needs(Permission::FindingRead)),
    ("POST", "/notifications/{id}/acknowledge", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/notifications", get(list))
        .route("/notifications.csv", get(csv))
        .route("/notifications/seen", post(seen))
        .route("/notifications/log", get(log))
        .route("/notifications/log.csv", get(log_csv))
        .route("/notifications/{id}", get(one))
        .route("/notifications/{id}/acknowledge", post(acknowledge))
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    show: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    text: String,
    from: Option<i64>,
}

impl Asked {
    fn filter(&self) -> Filter {
        Filter {
            unseen: self.show == "unseen",
            open: self.show == "open",
            topic: self.topic.clone(),
            text: self.text.trim().to_owned(),
        }
    }

    fn address(&self, page: &str) -> String {
        format!(
            "{page}?show={}&topic={}&text={}",
            encode(&self.show),
            encode(&self.topic),
            encode(&self.text)
        )
    }
}

#[derive(Template)]
#[template(path = "notifications/list.html")]
struct List {
    page: Page,
    rows: Vec<Told>,
    next: Option<i64>,
    newest: i64,
    topics: Vec<(&'static str, &'static str)>,
    asked: Asked,
    here: String,
    csv: String,
    may_log: bool,
}

async fn list(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> Answer {
    let actor = browser.actor();
    let rows = notify::inbox(app.db(), actor, &asked.filter(), asked.from, ROWS).await?;
    let full = rows.len() as u64 == ROWS;
    show(&List {
        page: Page::new(&browser, "/notifications", "Notifications"),
        next: rows.last().map(|r| r.id).filter(|_| full),
        newest: rows.first().map_or(0, |r| r.id),
        rows,
        topics: offered().map(|(t, words)| (t.name(), words)).collect(),
        here: asked.address("/notifications"),
        csv: asked.address("/notifications.csv"),
        may_log: actor.may(Permission::SettingsWrite),
        asked,
    })
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let head = [
        "id",
        "at",
        "topic",
        "severity",
        "title",
        "seen",
        "acknowledge_by",
        "acknowledged",
        "acknowledged_by",
    ];
    let mut sheet = Sheet::new(&head)?;
    for Told { seen, message: m, .. } in
        notify::inbox(app.db(), browser.actor(), &asked.filter(), None, EXPORT).await?
    {
        let severity = tocsin_core::detection::SEVERITIES.get(m.severity as usize).copied().unwrap_or("");
        sheet.row(&[
            m.id.to_string(),
            m.at,
            m.topic,
            severity.to_owned(),
            cell(&m.title),
            seen.unwrap_or_default(),
            m.urge.unwrap_or_default(),
            m.acknowledged.unwrap_or_default(),
            cell(&m.acknowledger),
        ])?;
    }
    Ok(sheet.file("notifications"))
}

#[derive(Deserialize)]
struct UpTo {
    csrf: String,
    #[serde(default)]
    up_to: i64,
}

async fn seen(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<UpTo>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    notify::see_all(app.db(), browser.actor(), form.up_to).await?;
    Ok(Redirect::to("/notifications").into_response())
}

struct Line {
    name: String,
    path: String,
    topic: &'static str,
    what: String,
}

#[derive(Template)]
#[template(path = "notifications/one.html")]
struct One {
    page: Page,
    m: Message,
    lines: Vec<Line>,
    steps: Vec<Step>,
    deliveries: Vec<Delivery>,
    may_jobs: bool,
}

async fn one(State(app): State<App>, browser: Browser, Path(id): Path<i64>) -> Answer {
    let actor = browser.actor();
    let m = notify::message(app.db(), actor, id).await?;
    notify::see(app.db(), actor, id).await?;
    let words = |topic: &str| Topic::parse(topic).map_or("", Topic::words);
    let groups = m.body.groups.iter().map(|g| Line {
        name: g.name.clone(),
        path: format!("/findings?q=product:%22{}%22", encode(&g.name)),
        topic: words(&g.topic),
        what: group_words(g),
    });
    let items = m.body.items.iter().map(|i| Line {
        name: i.title.clone(),
        path: subject_path(&i.subject),
        topic: words(&i.topic),
        what: i.detail.clone(),
    });
    let mut browser = browser.clone();
    browser.unseen = notify::unseen(app.db(), browser.actor()).await?;
    show(&One {
        page: Page::new(&browser, "/notifications", &m.title).crumb("/notifications", "Notifications"),
        lines: groups.chain(items).collect(),
        steps: notify::steps(app.db(), browser.actor(), id).await?,
        deliveries: notify::deliveries_of(app.db(), browser.actor(), id).await?,
        may_jobs: browser.actor().may(Permission::JobRead),
        m,
    })
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn acknowledge(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    notify::acknowledge(app.db(), &actor, id).await?;
    Ok(Redirect::to(&format!("/notifications/{id}")).into_response())
}

#[derive(Default, Deserialize)]
struct Sifted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    channel: i64,
    from: Option<i64>,
}

impl Sifted {
    fn address(&self, page: &str) -> String {
        format!("{page}?state={}&channel={}", encode(&self.state), self.channel)
    }
}

#[derive(Template)]
#[template(path = "notifications/log.html")]
struct Log {
    page: Page,
    rows: Vec<Delivery>,
    next: Option<i64>,
    states: &'static [(&'static str, &'static str)],
    channels: Vec<Channel>,
    asked: Sifted,
    here: String,
    csv: String,
}

const STATES: [(&str, &str); 7] = [
    ("", "all states"),
    ("sent", "sent"),
    ("waiting", "waiting"),
    ("held", "held back for a digest or quiet hours"),
    ("merged", "merged into a digest"),
    ("dead", "given up"),
    ("dropped", "dropped"),
];

async fn log(State(app): State<App>, browser: Browser, Query(asked): Query<Sifted>) -> Answer {
    let narrowed = (asked.state.as_str(), asked.channel);
    let rows = notify::deliveries(app.db(), browser.actor(), narrowed, asked.from, ROWS).await?;
    let full = rows.len() as u64 == ROWS;
    show(&Log {
        page: Page::new(&browser, "/notifications", "Delivery log").crumb("/notifications", "Notifications"),
        next: rows.last().map(|r| r.id).filter(|_| full),
        rows,
        states: &STATES,
        channels: notify::channels(app.db(), browser.actor()).await?,
        here: asked.address("/notifications/log"),
        csv: asked.address("/notifications/log.csv"),
        asked,
    })
}

async fn log_csv(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Sifted>,
) -> Result<Response, PageError> {
    let head =
        ["id", "message", "title", "channel", "to", "step", "state", "due", "sent", "attempts", "error"];
    let mut sheet = Sheet::new(&head)?;
    let narrowed = (asked.state.as_str(), asked.channel);
    for d in notify::deliveries(app.db(), browser.actor(), narrowed, None, EXPORT).await? {
        sheet.row(&[
            d.id.to_string(),
            d.message.to_string(),
            cell(&d.title),
            cell(&d.channel),
            cell(&d.to),
            d.step.to_string(),
            d.state,
            d.due,
            d.sent.unwrap_or_default(),
            d.attempts.to_string(),
            cell(&d.error),
        ])?;
    }
    Ok(sheet.file("deliveries"))
}

//! The inbox: what one was told, and what of it is to be acknowledged; the log of all that went out.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::notify::{self, Delivery, Message, Step, Told};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::outbox::Topic;
use tocsin_core::platform::query::Rows;

use super::asked::{Asked, Head, Pairs};
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
    ("GET", "/notifications/count", Access::Needs(Permission::FindingRead)),
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
        .route("/notifications/count", get(count))
        .route("/notifications.csv", get(csv))
        .route("/notifications/seen", post(seen))
        .route("/notifications/log", get(log))
        .route("/notifications/log.csv", get(log_csv))
        .route("/notifications/{id}", get(one))
        .route("/notifications/{id}/acknowledge", post(acknowledge))
}

/// Filters of the inbox, and of the log, that a reader sets by one click.
const QUICK: [(&str, &str); 3] =
    [("Not seen", "unseen:true"), ("To be acknowledged", "open:true"), ("Critical", "severity:critical")];
const LOG_QUICK: [(&str, &str); 3] =
    [("Given up", "state:dead"), ("Held back", "state:held"), ("Mail", "channel:mail")];

#[derive(Template)]
#[template(path = "notifications/list.html")]
struct List {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    rows: Vec<Told>,
    counted: String,
    next: String,
    newest: i64,
    may_log: bool,
}

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "message" => ("Message", "", false),
        "severity" => ("Severity", "", false),
        "acknowledgement" => ("Acknowledgement", "", false),
        "to" => ("To", "", false),
        "channel" => ("Through", "", false),
        "state" => ("State", "", false),
        "attempts" => ("Attempts", "", true),
        "sent" => ("Sent", "sent", true),
        _ => ("Told", "at", true),
    }
}

fn asked(pairs: &Pairs) -> Asked {
    Asked::read("notifications", "/notifications", notify::inbox_schema(), &QUICK, pairs)
}

async fn list(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    let (actor, a) = (browser.actor(), asked(&pairs));
    let mut found = Rows::default();
    if a.wrong.is_empty() {
        found = notify::inbox(app.db(), actor, &a.query, a.place(), a.most(ROWS)).await?;
    }
    show(&List {
        page: Page::new(&browser, "/notifications", "Notifications"),
        heads: a.heads(
            &["message", "severity", "acknowledgement", "at"],
            a.query.sort,
            about,
            &a.schema.sorts,
        ),
        counted: a.counted(&found.total, "message", "messages"),
        next: found.next.map_or(String::new(), |n| a.next(&n)),
        newest: found.rows.first().map_or(0, |r| r.id),
        rows: found.rows,
        may_log: actor.may(Permission::SettingsWrite),
        asked: a,
    })
}

/// What the bell shows.
async fn count(browser: Browser) -> Json<serde_json::Value> {
    Json(serde_json::json!({"unseen": browser.unseen}))
}

/// The query of an export, which has no page to say on what is wrong with it.
fn exported(a: Asked) -> Result<tocsin_model::query::Query, PageError> {
    if a.wrong.is_empty() {
        return Ok(a.query);
    }
    Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into())
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
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
    let query = exported(asked(&pairs))?;
    for Told { seen, message: m, .. } in
        notify::inbox(app.db(), browser.actor(), &query, None, EXPORT).await?.rows
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

#[derive(Template)]
#[template(path = "notifications/log.html")]
struct Log {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    rows: Vec<Delivery>,
    counted: String,
    next: String,
}

fn log_asked(pairs: &Pairs) -> Asked {
    Asked::read("deliveries", "/notifications/log", notify::delivery_schema(), &LOG_QUICK, pairs)
}

async fn log(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    let (actor, a) = (browser.actor(), log_asked(&pairs));
    actor.need_everywhere(Permission::SettingsWrite)?;
    let mut found = Rows::default();
    if a.wrong.is_empty() {
        found = notify::deliveries(app.db(), actor, &a.query, a.place(), a.most(ROWS)).await?;
    }
    show(&Log {
        page: Page::new(&browser, "/notifications", "Delivery log").crumb("/notifications", "Notifications"),
        heads: a.heads(
            &["message", "to", "channel", "state", "attempts", "sent"],
            a.query.sort,
            about,
            &a.schema.sorts,
        ),
        counted: a.counted(&found.total, "delivery", "deliveries"),
        next: found.next.map_or(String::new(), |n| a.next(&n)),
        rows: found.rows,
        asked: a,
    })
}

async fn log_csv(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let head =
        ["id", "message", "title", "channel", "to", "step", "state", "due", "sent", "attempts", "error"];
    let mut sheet = Sheet::new(&head)?;
    let query = exported(log_asked(&pairs))?;
    for d in notify::deliveries(app.db(), browser.actor(), &query, None, EXPORT).await?.rows {
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

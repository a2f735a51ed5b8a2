//! The audit trail: filtered, in pages, as a file, and its chain walked when asked.

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tocsin_core::Error;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::{self, Event, Verified};
use tocsin_core::platform::trail;

use super::asked::{Asked, Head, Pairs, param};
use super::sheet::cell;
use super::{Answer, Page, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/audit", Access::Needs(Permission::AuditRead)),
    ("GET", "/audit.csv", Access::Needs(Permission::AuditRead)),
];

pub fn routes() -> Router<App> {
    Router::new().route("/audit", get(list)).route("/audit.csv", get(export))
}

/// Filters a reader sets by one click.
const QUICK: [(&str, &str); 3] =
    [("Decisions", "action:finding"), ("This week", "age<7d"), ("By people", "actor:person*")];

#[derive(Template)]
#[template(path = "audit/list.html")]
struct List {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    events: Vec<Event>,
    counted: String,
    next: String,
    verified: Option<Verified>,
}

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "at" => ("When", "at", false),
        "actor" => ("Who", "", false),
        "action" => ("Action", "", false),
        "subject" => ("Subject", "", false),
        "after" => ("After", "", false),
        _ => ("From", "", false),
    }
}

fn asked(pairs: &Pairs) -> Asked {
    Asked::read("audit", "/audit", trail::schema(), &QUICK, pairs)
}

async fn list(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    let actor = browser.actor();
    actor.need(Permission::AuditRead)?;
    let a = asked(&pairs);
    let (mut events, mut next, mut counted) = (Vec::new(), String::new(), String::new());
    if a.wrong.is_empty() {
        let after = Some(a.after.as_str()).filter(|t| !t.is_empty());
        let page =
            trail::trail(app.db(), actor, &a.query, after, a.query.limit.map_or(100, u64::from)).await?;
        next = page.next.map_or(String::new(), |n| a.next(&n));
        counted = a.counted(&page.total, "event", "events");
        events = page.rows;
    }
    // walking the whole chain takes as long as it is, so that it is done when it is asked for
    let verified = match param(&pairs, "verify") {
        "" => None,
        _ => Some(change::verify(app.db()).await?),
    };
    show(&List {
        page: Page::new(&browser, "/audit", "Audit trail"),
        heads: a.heads(
            &["at", "actor", "action", "subject", "after", "from"],
            a.query.sort,
            about,
            &a.schema.sorts,
        ),
        asked: a,
        events,
        counted,
        next,
        verified,
    })
}

async fn export(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let (a, actor) = (asked(&pairs), browser.actor().clone());
    actor.need(Permission::AuditRead)?;
    if !a.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into());
    }
    // nothing, or where the next page begins
    let begin = Some(None::<String>);
    let pages = futures_util::stream::try_unfold(begin, move |at| {
        let (app, actor, query) = (app.clone(), actor.clone(), a.query.clone());
        async move {
            let Some(after) = at else { return Ok::<_, std::io::Error>(None) };
            let page = trail::trail(app.db(), &actor, &query, after.as_deref(), 1_000)
                .await
                .map_err(std::io::Error::other)?;
            let bytes = sheet(&page.rows, after.is_none())?;
            Ok(Some((bytes, page.next.map(Some))))
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn sheet(events: &[Event], first: bool) -> std::io::Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    if first {
        out.write_record([
            "seq", "at", "actor", "address", "action", "subject", "name", "before", "after", "hash",
        ])?;
    }
    for e in events {
        let texts =
            [&e.at, &e.actor, &e.address, &e.action, &e.subject, &e.name, &e.before, &e.after, &e.hash];
        let cells = texts.into_iter().map(|t| cell(t));
        out.write_record(std::iter::once(e.seq.to_string()).chain(cells))?;
    }
    out.into_inner().map_err(|e| std::io::Error::other(e.to_string()))
}

//! VEX documents: taken in for a release, a product or the workspace, with what became of each statement; and written
//! of a release or of the findings on screen.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tocsin_core::Error;
use tocsin_core::detection::{self, Imported};
use tocsin_core::inventory::{self, Product, Release};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_formats::vex::Format;

use super::asked::Pairs;
use super::{Answer, Page, filters, form, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};
use crate::vex::{self, Made};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/vex", Access::Needs(Permission::FindingRead)),
    ("POST", "/vex", Access::Needs(Permission::FindingDecide)),
    ("GET", "/vex/{id}", Access::Needs(Permission::FindingRead)),
    ("GET", "/releases/{id}/vex", Access::Needs(Permission::FindingRead)),
    ("GET", "/findings/vex", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/vex", get(list).post(take))
        .route("/vex/{id}", get(one))
        .route("/releases/{id}/vex", get(of_release))
        .route("/findings/vex", get(of_findings))
}

/// Rows of one page.
const ROWS: u64 = 100;

#[derive(Template)]
#[template(path = "vex/list.html")]
struct List {
    page: Page,
    list: Vec<Imported>,
    next: Option<i64>,
    may: bool,
    place: String,
    products: Vec<Product>,
    releases: Vec<Release>,
    wrong: String,
}

async fn page(app: &App, browser: &Browser, place: String, below: Option<i64>, wrong: String) -> Answer {
    let actor = browser.actor();
    let list = detection::vex_imports(app.db(), actor, None, below, ROWS).await?;
    let may = actor.may(Permission::FindingDecide);
    show(&List {
        page: Page::new(browser, "/decisions", "VEX documents").crumb("/decisions", "Decisions"),
        next: list.last().filter(|_| list.len() as u64 == ROWS).map(|i| i.id),
        list,
        may,
        place,
        products: if may { inventory::products(app.db(), actor).await? } else { Vec::new() },
        releases: if may { inventory::releases(app.db(), actor, None).await? } else { Vec::new() },
        wrong,
    })
}

async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let place = query.get("for").cloned().unwrap_or_default();
    let below = query.get("below").and_then(|b| b.parse().ok());
    page(&app, &browser, place, below, String::new()).await
}

async fn take(State(app): State<App>, browser: Browser, parts: Multipart) -> Result<Response, PageError> {
    let (fields, file) = form(parts).await?;
    browser.check(fields.get("csrf").map_or("", String::as_str))?;
    let place = fields.get("for").cloned().unwrap_or_default();
    let Some((name, bytes)) = file else {
        let wrong = "Choose a VEX document.".to_owned();
        return Ok(page(&app, &browser, place, None, wrong).await?.into_response());
    };
    let Some(meant) = vex::place(&place) else {
        let wrong = "Choose whose findings the document is about.".to_owned();
        return Ok(page(&app, &browser, place, None, wrong).await?.into_response());
    };
    let mut actor = browser.actor().clone();
    actor.now = now();
    match vex::take(&app, &actor, meant, name, bytes).await {
        Ok(done) => Ok(Redirect::to(&format!("/vex/{}", done.id)).into_response()),
        Err(e @ (Error::Refused(_) | Error::Rejected { .. })) => {
            Ok(page(&app, &browser, place, None, e.to_string()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Template)]
#[template(path = "vex/one.html")]
struct One {
    page: Page,
    i: Imported,
    only: String,
    text: String,
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let mut i = detection::vex_import(app.db(), browser.actor(), id).await?;
    let only = query.get("only").cloned().unwrap_or_default();
    let text = query.get("text").map(|t| t.trim().to_owned()).unwrap_or_default();
    let wanted = text.to_lowercase();
    i.outcomes.retain(|o| {
        let kind = match only.as_str() {
            "applied" => o.applied + o.unchanged > 0,
            "skipped" => !o.skipped.is_empty(),
            _ => true,
        };
        kind && (wanted.is_empty()
            || format!("{} {} {}", o.vulnerability, o.status, o.names.join(" "))
                .to_lowercase()
                .contains(&wanted))
    });
    show(&One {
        page: Page::new(&browser, "/decisions", &i.name)
            .crumb("/decisions", "Decisions")
            .crumb("/vex", "VEX documents"),
        i,
        only,
        text,
    })
}

/// The document as a download.
fn file(made: Made) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", made.name)),
    ];
    (headers, made.bytes).into_response()
}

fn format(query: &HashMap<String, String>) -> Result<Format, Error> {
    let name = query.get("format").map_or("openvex", String::as_str);
    Format::parse(name).ok_or_else(|| Error::Rejected {
        field: "format".to_owned(),
        message: "the format is openvex, csaf or cyclonedx".to_owned(),
    })
}

fn acting(browser: &Browser) -> Actor {
    let mut actor = browser.actor().clone();
    actor.now = now();
    actor
}

async fn of_release(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    Ok(file(vex::of_release(&app, &acting(&browser), id, format(&query)?).await?))
}

async fn of_findings(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let asked = super::findings::asked("/findings", &pairs);
    if !asked.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: asked.wrong }.into());
    }
    let format = format(&pairs.into_iter().collect())?;
    Ok(file(vex::of_findings(&app, &acting(&browser), asked.query, format).await?))
}

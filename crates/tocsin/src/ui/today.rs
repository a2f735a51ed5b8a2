//! The first page: what needs me now.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tocsin_core::detection::{self, Counts, Filter, Finding};
use tocsin_core::inventory::{self, Release};

use super::findings::Pick;
use super::{Answer, Page, filters, show};
use crate::server::{App, Browser};

pub fn routes() -> Router<App> {
    Router::new().route("/", get(today))
}

#[derive(Template)]
#[template(path = "today/today.html")]
struct Today {
    page: Page,
    counts: Counts,
    urgent: Vec<Finding>,
    pick: Pick,
    releases: Vec<Release>,
}

async fn today(State(app): State<App>, browser: Browser) -> Answer {
    let actor = browser.actor();
    let counts = detection::counts(app.db(), actor).await?;
    let undecided = Filter { status: Some("under_investigation".to_owned()), ..Filter::default() };
    let urgent = detection::findings(app.db(), actor, &undecided, None, 12).await?.findings;
    let mut releases = inventory::releases(app.db(), actor, None).await?;
    releases.sort_by_key(|r| std::cmp::Reverse((r.exploited, r.open)));
    releases.truncate(10);
    show(&Today { page: Page::new(&browser, "/", "Today"), counts, urgent, pick: Pick::none(), releases })
}

//! The first page: what needs me now, what changed, how the work stands.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tocsin_core::desk::{self, Story};
use tocsin_core::detection::{self, Arrival, Counts, Urgent};
use tocsin_core::inventory::{self, Release};
use tocsin_core::platform::access::{Lines, Permission};

use super::chart::{self, Bar};
use super::decisions::Waits;
use super::{Answer, Page, encode, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser};

/// Who may use what here.
pub const ACCESS: &[Route] = &[("GET", "/", Access::Needs(Permission::FindingRead))];

/// Vulnerabilities under "Needs you".
const URGENT: usize = 12;

/// Documents under "What changed".
const ARRIVALS: i64 = 6;

/// Stories under "Told by the sources".
const STORIES: u64 = 5;

/// Releases under "Most to do".
const RELEASES: usize = 6;

pub fn routes() -> Router<App> {
    Router::new().route("/", get(today))
}

#[derive(Template)]
#[template(path = "today/today.html")]
struct Today {
    page: Page,
    counts: Counts,
    urgent: Vec<Urgent>,
    arrivals: Vec<Arrival>,
    lines: Vec<Bar>,
    most: i64,
    releases: Vec<Release>,
    empty: bool,
    waits: Waits,
    stories: Vec<Story>,
}

async fn today(State(app): State<App>, browser: Browser) -> Answer {
    let actor = browser.actor();
    let counts = detection::counts(app.db(), actor).await?;
    let urgent = detection::urgent(app.db(), actor, URGENT).await?;
    let arrivals = detection::arrivals(app.db(), actor, ARRIVALS).await?;
    let mut releases = inventory::releases(app.db(), actor, None).await?;
    releases.retain(|r| r.active);
    let lines = by_line(&releases);
    let empty = releases.is_empty();
    releases.sort_by_key(|r| std::cmp::Reverse((r.exploited, r.open)));
    releases.truncate(RELEASES);
    let most = chart::most(&lines);
    let waits = Waits::of(&app, actor).await?;
    let stories = match actor.lines(Permission::DeskRead) {
        Lines::All => desk::top(app.db(), actor, STORIES).await?,
        Lines::Some(_) => Vec::new(),
    };
    let page = Page::new(&browser, "/", "Today");
    show(&Today { page, counts, urgent, arrivals, lines, most, releases, empty, waits, stories })
}

/// Open findings of each product line by severity.
fn by_line(releases: &[Release]) -> Vec<Bar> {
    const CLASSES: [&str; 5] = ["critical", "high", "medium", "low", "unknown"];
    let mut bars: Vec<Bar> = Vec::new();
    for r in releases {
        let at = bars.iter().position(|b| b.label == r.line_name).unwrap_or_else(|| {
            bars.push(Bar {
                label: r.line_name.clone(),
                href: format!("/products?q={}", encode(&r.line_name)),
                parts: CLASSES.iter().map(|c| (*c, 0)).collect(),
            });
            bars.len() - 1
        });
        if let Some(bar) = bars.get_mut(at) {
            for (part, open) in bar.parts.iter_mut().zip(r.open) {
                part.1 += open;
            }
        }
    }
    bars.sort_by_key(|b| std::cmp::Reverse(b.total()));
    bars
}

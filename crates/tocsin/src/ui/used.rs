//! Where a component is used.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tocsin_core::inventory::{self, Use};

use super::{Page, encode, show};
use crate::server::{App, Browser, PageError};

pub fn routes() -> Router<App> {
    Router::new().route("/where-used", get(used))
}

#[derive(Template)]
#[template(path = "used/used.html")]
struct Used {
    page: Page,
    q: String,
    uses: Vec<Use>,
    releases: usize,
    products: usize,
    versions: usize,
    units: i64,
}

/// Whether a text is the id of a vulnerability rather than a component's name.
fn is_vulnerability(text: &str) -> bool {
    let upper = text.to_uppercase();
    let known = ["CVE-", "GHSA-", "RUSTSEC-", "PYSEC-", "GO-", "DSA-", "RHSA-", "USN-"];
    known
        .iter()
        .any(|p| upper.strip_prefix(p).is_some_and(|rest| rest.contains(|c: char| c.is_ascii_digit())))
}

async fn used(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map(|q| q.trim().to_owned()).unwrap_or_default();
    if is_vulnerability(&q) {
        return Ok(Redirect::to(&format!("/vulnerabilities/{}", encode(&q))).into_response());
    }
    let uses = if q.is_empty() {
        Vec::new()
    } else {
        inventory::where_used(app.db(), browser.actor(), &q, 5000).await?
    };
    let units: HashMap<i64, i64> = uses.iter().map(|u| (u.release, u.units)).collect();
    let page = Used {
        page: Page::new(&browser, "/where-used", "Where used"),
        releases: units.len(),
        products: uses.iter().map(|u| &u.product).collect::<HashSet<_>>().len(),
        versions: uses.iter().map(|u| &u.version).collect::<HashSet<_>>().len(),
        units: units.values().sum(),
        q,
        uses,
    };
    Ok(show(&page)?.into_response())
}

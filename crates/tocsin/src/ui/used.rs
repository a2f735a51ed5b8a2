//! Where a component is used.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Use};

use super::sheet::{Sheet, cell};
use super::{Page, encode, filters, show};
use crate::server::{App, Browser, PageError};

pub fn routes() -> Router<App> {
    Router::new().route("/where-used", get(used)).route("/where-used.csv", get(csv))
}

/// What can be asked, by example.
const WAYS: [(&str, &str); 9] = [
    ("openssl", "a component of this name"),
    ("log4j*", "whose name begins so"),
    ("pkg:maven/org.apache.logging.log4j/", "whose package URL begins so"),
    ("pkg:npm/left-pad@<1.3.0", "a package in a range of versions"),
    ("pkg:deb/debian/openssl@>=3.0,<3.0.9", "the same, with both ends, as the ecosystem orders versions"),
    ("cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*", "a CPE name that this one covers"),
    (
        "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "a file or package by its hash",
    ),
    ("licence:GPL-3.0-only", "a licence"),
    ("CVE-2021-44228", "a vulnerability, by any of its ids"),
];

#[derive(Template)]
#[template(path = "used/used.html")]
struct Used {
    page: Page,
    q: String,
    wrong: String,
    more: bool,
    uses: Vec<Use>,
    releases: usize,
    products: usize,
    versions: usize,
    units: i64,
}

/// Most rows on the page; the export has up to [`EXPORTED`].
const MOST: u64 = 2_000;
/// Most rows of the export.
const EXPORTED: u64 = 1_000_000;

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
    let mut wrong = String::new();
    let mut uses = if q.is_empty() {
        Vec::new()
    } else {
        match inventory::where_used(app.db(), browser.actor(), &q, MOST + 1).await {
            Ok(uses) => uses,
            Err(Error::Rejected { message, .. }) => {
                wrong = message;
                Vec::new()
            }
            Err(e) => return Err(e.into()),
        }
    };
    let more = uses.len() as u64 > MOST;
    uses.truncate(MOST as usize);
    let units: HashMap<i64, i64> = uses.iter().map(|u| (u.release, u.units)).collect();
    let page = Used {
        page: Page::new(&browser, "/where-used", "Where used"),
        releases: units.len(),
        products: uses.iter().map(|u| &u.product).collect::<HashSet<_>>().len(),
        versions: uses.iter().map(|u| &u.version).collect::<HashSet<_>>().len(),
        units: units.values().sum(),
        q,
        wrong,
        more,
        uses,
    };
    Ok(show(&page)?.into_response())
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map_or("", String::as_str);
    let head = ["product_line", "product", "release", "component", "version", "purl", "direct", "units"];
    let mut out = Sheet::new(&head)?;
    for u in inventory::where_used(app.db(), browser.actor(), q, EXPORTED).await? {
        out.row(&[
            cell(&u.line),
            cell(&u.product),
            cell(&u.release_version),
            cell(&u.name),
            cell(&u.version),
            u.purl,
            u.direct.to_string(),
            u.units.to_string(),
        ])?;
    }
    Ok(out.file("where-used"))
}

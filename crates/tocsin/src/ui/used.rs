//! Where something is used: releases grouped by product, who has them, how it comes in.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Answer, Deployment, Holder, Owner};
use tocsin_core::platform::access::Permission;

use super::products::json_file;
use super::sheet::{Sheet, cell};
use super::{Page, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/where-used", Access::Needs(Permission::InventoryRead)),
    ("GET", "/where-used.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/where-used.json", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/where-used", get(used))
        .route("/where-used.csv", get(csv))
        .route("/where-used.json", get(json))
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
    ("CVE-2021-44228", "a vulnerability, by any of its ids: where it is open"),
];

/// Releases on one page.
const MOST: u64 = 50;
/// Most releases of the JSON export, and most rows of the CSV.
const EXPORTED: u64 = 1_000_000;
/// Releases up to which the export tells how components come in.
const WITH_WAYS: i64 = 500;
/// Customers shown on the page.
const OWNERS: usize = 30;

struct Product<'a> {
    id: i64,
    name: &'a str,
    line: &'a str,
    releases: Vec<&'a Holder>,
}

#[derive(Template)]
#[template(path = "used/used.html")]
struct Used<'a> {
    page: Page,
    q: String,
    wrong: String,
    answer: &'a Answer,
    products: Vec<Product<'a>>,
    before: Option<u64>,
    next: Option<u64>,
    owners: &'a [Owner],
}

async fn used(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map(|q| q.trim().to_owned()).unwrap_or_default();
    let skip = query.get("skip").and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut wrong = String::new();
    let answer = if q.is_empty() {
        Answer::default()
    } else {
        match inventory::answer(app.db(), browser.actor(), &q, skip, MOST, true).await {
            Ok(answer) => answer,
            Err(Error::Rejected { message, .. }) => {
                wrong = message;
                Answer::default()
            }
            Err(e) => return Err(e.into()),
        }
    };
    let mut products: Vec<Product<'_>> = Vec::new();
    for r in &answer.releases {
        match products.last_mut().filter(|p| p.id == r.product) {
            Some(product) => product.releases.push(r),
            None => {
                products.push(Product {
                    id: r.product,
                    name: &r.product_name,
                    line: &r.line,
                    releases: vec![r],
                });
            }
        }
    }
    let page = Page::new(&browser, "/where-used", "Where used");
    let used = Used {
        page,
        q,
        wrong,
        answer: &answer,
        products,
        before: (skip > 0).then(|| skip.saturating_sub(MOST)),
        next: Some(skip + MOST).filter(|at| (*at as i64) < answer.totals.releases),
        owners: answer.owners.get(..OWNERS).unwrap_or(&answer.owners),
    };
    Ok(show(&used)?.into_response())
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map_or("", String::as_str);
    let head = [
        "product_line",
        "product",
        "release",
        "component",
        "version",
        "purl",
        "direct",
        "units",
        "customers",
    ];
    let mut out = Sheet::new(&head)?;
    let uses = inventory::where_used(app.db(), browser.actor(), q, EXPORTED).await?;
    let mut ids: Vec<i64> = uses.iter().map(|u| u.release).collect();
    ids.dedup();
    let owners = inventory::deployments_of(app.db(), browser.actor(), &ids).await?;
    let owner = |d: &Deployment| {
        let region = if d.region.is_empty() { String::new() } else { format!(" ({})", d.region) };
        format!("{}{region}: {}", d.customer, d.units)
    };
    let told: HashMap<i64, String> = owners
        .iter()
        .map(|(id, list)| (*id, list.iter().map(owner).collect::<Vec<_>>().join("; ")))
        .collect();
    for u in uses {
        out.row(&[
            cell(&u.line),
            cell(&u.product),
            cell(&u.release_version),
            cell(&u.name),
            cell(&u.version),
            u.purl,
            u.direct.to_string(),
            u.units.to_string(),
            cell(told.get(&u.release).map_or("", String::as_str)),
        ])?;
    }
    Ok(out.file("where-used"))
}

async fn json(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map_or("", String::as_str);
    let count = inventory::answer(app.db(), browser.actor(), q, 0, 1, false).await?.totals.releases;
    let ways = count <= WITH_WAYS;
    let answer = inventory::answer(app.db(), browser.actor(), q, 0, EXPORTED, ways).await?;
    Ok(json_file("where-used", &json!({ "question": q, "answer": answer })))
}

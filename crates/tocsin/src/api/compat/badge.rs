//! `/api/v1/badge`: counts of a release as a small picture for a page elsewhere, which sends no header: the key may
//! be in the address.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tocsin_core::inventory::{self, Broken, Release};
use tocsin_core::platform::access::Permission;

use super::fault::Fault;
use super::{Caller, metrics, release};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/badge/vulns/project/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/badge/vulns/project/{name}/{version}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/badge/violations/project/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/badge/violations/project/{name}/{version}", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/badge/vulns/project/{uuid}", get(vulnerabilities))
        .route("/api/v1/badge/vulns/project/{name}/{version}", get(vulnerabilities_named))
        .route("/api/v1/badge/violations/project/{uuid}", get(violations))
        .route("/api/v1/badge/violations/project/{name}/{version}", get(violations_named))
}

/// A row of boxes: text, colour, width.
fn picture(boxes: &[(String, &str, u32)]) -> Response {
    use std::fmt::Write as _;
    let (mut x, mut inside) = (0, String::new());
    for (text, colour, width) in boxes {
        let _ = write!(
            inside,
            "<rect x=\"{x}\" width=\"{width}\" height=\"20\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"14\">{text}</text>",
            x + width / 2
        );
        x += width;
    }
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{x}\" height=\"20\"><g fill=\"#fff\" text-anchor=\"middle\" \
         font-family=\"DejaVu Sans,Verdana,Geneva,sans-serif\" font-size=\"11\">{inside}</g></svg>"
    );
    ([(CONTENT_TYPE, "image/svg+xml")], svg).into_response()
}

fn counts(r: &Release) -> Response {
    const COLOURS: [&str; 5] = ["#dc0000", "#fd8c00", "#fdc500", "#4cae4c", "#c0c0c0"];
    let mut boxes = vec![("dependencies".to_owned(), "#555", 84)];
    if r.matched.is_none() {
        boxes.push(("no metrics".to_owned(), "#9f9f9f", 70));
    } else if r.open.iter().sum::<i64>() == 0 {
        boxes.push(("no vulns".to_owned(), "#4c1", 60));
    } else {
        let unrated = r.open.last() != Some(&0);
        let shown = r.open.iter().zip(COLOURS).take(if unrated { 5 } else { 4 });
        boxes.extend(shown.map(|(count, colour)| (count.to_string(), colour, 30)));
    }
    picture(&boxes)
}

fn breaches(broken: Broken) -> Response {
    let mut boxes = vec![("policies".to_owned(), "#555", 58)];
    if broken == Broken::default() {
        boxes.push(("no violations".to_owned(), "#4c1", 80));
    } else {
        boxes.push((broken.denied.to_string(), "#dc0000", 40));
        boxes.push((broken.review.to_string(), "#fd8c00", 40));
    }
    picture(&boxes)
}

async fn vulnerabilities(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Response, Fault> {
    Ok(counts(&release(&app, &actor, &text).await?))
}

async fn vulnerabilities_named(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response, Fault> {
    Ok(counts(&inventory::release_named(app.db(), &actor, &name, &version).await?))
}

async fn violations(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    Ok(breaches(metrics::broken(&app, &actor, r.id).await?))
}

async fn violations_named(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let r = inventory::release_named(app.db(), &actor, &name, &version).await?;
    Ok(breaches(metrics::broken(&app, &actor, r.id).await?))
}

//! What of a release goes out as a file: bills of materials, its components, and itself against another release.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tocsin_core::inventory;
use tocsin_core::platform::access::Permission;

use super::products::json_file;
use super::sheet::{Sheet, cell};
use crate::export::{self, Format, file_name};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/releases/{id}/export/{format}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/releases/{id}/components.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/releases/{id}/compare.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/releases/{id}/compare.json", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/releases/{id}/export/{format}", get(bill))
        .route("/releases/{id}/components.csv", get(components))
        .route("/releases/{id}/compare.csv", get(compare_csv))
        .route("/releases/{id}/compare.json", get(compare_json))
}

type Asked = Query<HashMap<String, String>>;

async fn bill(
    State(app): State<App>,
    browser: Browser,
    Path((id, format)): Path<(i64, String)>,
    Query(query): Asked,
) -> Result<Response, PageError> {
    let format = Format::parse(&format).ok_or_else(|| PageError::not_found("such format"))?;
    let with = query.get("vulnerabilities").is_some_and(|v| v == "1");
    let out = export::write(&app, browser.actor(), id, format, with).await?;
    let disposition = format!("attachment; filename=\"{}\"", out.name);
    Ok(([(CONTENT_TYPE, out.kind.to_owned()), (CONTENT_DISPOSITION, disposition)], out.bytes).into_response())
}

async fn components(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Asked,
) -> Result<Response, PageError> {
    let r = inventory::release_of(app.db(), browser.actor(), id).await?;
    let text = query.get("text").map_or("", String::as_str);
    let head = [
        "component",
        "version",
        "purl",
        "licences",
        "direct",
        "places",
        "open_findings",
        "worst",
        "latest",
        "ends",
        "over",
    ];
    let mut out = Sheet::new(&head)?;
    for c in inventory::components(app.db(), browser.actor(), id, text, 0, 1_000_000).await? {
        let worst = tocsin_core::detection::SEVERITIES.get(c.worst as usize).copied().unwrap_or("unknown");
        out.row(&[
            cell(&c.name),
            cell(&c.version),
            c.purl,
            cell(&c.licences),
            c.direct.to_string(),
            c.places.to_string(),
            c.findings.to_string(),
            if c.findings > 0 { worst.to_owned() } else { String::new() },
            cell(&c.latest),
            c.ends,
            c.over.to_string(),
        ])?;
    }
    Ok(out.file(&format!("{}-components", file_name(&format!("{} {}", r.product_name, r.version)))))
}

fn other(query: &HashMap<String, String>) -> i64 {
    query.get("with").and_then(|w| w.parse().ok()).unwrap_or(0)
}

async fn compare_csv(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Asked,
) -> Result<Response, PageError> {
    let c = inventory::compare(app.db(), browser.actor(), other(&query), id).await?;
    let mut out = Sheet::new(&["change", "component", "before", "after", "vulnerability", "severity"])?;
    let none = String::new;
    for p in &c.added {
        out.row(&["added".to_owned(), cell(&p.name), none(), cell(&p.versions), none(), none()])?;
    }
    for p in &c.removed {
        out.row(&["removed".to_owned(), cell(&p.name), cell(&p.versions), none(), none(), none()])?;
    }
    for p in &c.changed {
        out.row(&["changed".to_owned(), cell(&p.name), cell(&p.before), cell(&p.after), none(), none()])?;
    }
    for (word, list) in [("finding-new", &c.new), ("finding-gone", &c.gone)] {
        for f in list {
            let (before, after) = match word {
                "finding-new" => (none(), cell(&f.component_version)),
                _ => (cell(&f.component_version), none()),
            };
            let row = [
                word.to_owned(),
                cell(&f.component_name),
                before,
                after,
                cell(&f.vulnerability),
                f.severity.to_owned(),
            ];
            out.row(&row)?;
        }
    }
    Ok(out.file("comparison"))
}

async fn compare_json(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Asked,
) -> Result<Response, PageError> {
    let before = inventory::release_of(app.db(), browser.actor(), other(&query)).await?;
    let after = inventory::release_of(app.db(), browser.actor(), id).await?;
    let c = inventory::compare(app.db(), browser.actor(), before.id, id).await?;
    let named = |r: &inventory::Release| json!({"id": r.id, "product": r.product_name, "version": r.version});
    let value = json!({"before": named(&before), "after": named(&after), "comparison": c});
    Ok(json_file("comparison", &value))
}

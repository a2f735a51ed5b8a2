//! `/api/v2/vex`: VEX documents in, with what became of each statement, and out.

use std::collections::HashMap;

use axum::extract::{Multipart, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tocsin_core::detection::{self, Imported, Place};
use tocsin_core::inventory;
use tocsin_core::platform::access::Permission;
use tocsin_formats::vex::Format;

use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};
use crate::vex;

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/vex", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/vex", Access::Needs(Permission::FindingDecide)),
    ("GET", "/api/v2/vex/{id}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/releases/{id}/vex", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v2/vex", get(list).post(take))
        .route("/api/v2/vex/{id}", get(one))
        .route("/api/v2/releases/{id}/vex", get(export))
}

#[derive(Deserialize)]
struct Paging {
    below: Option<i64>,
    limit: Option<u64>,
    release: Option<i64>,
}

async fn list(
    State(app): State<App>,
    Client(who): Client,
    Query(paging): Query<Paging>,
) -> Result<Json<Vec<Imported>>, ApiError> {
    let most = paging.limit.unwrap_or(100).clamp(1, 1000);
    Ok(Json(detection::vex_imports(app.db(), &who.actor, paging.release, paging.below, most).await?))
}

async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Imported>, ApiError> {
    Ok(Json(detection::vex_import(app.db(), &who.actor, id).await?))
}

/// `multipart/form-data`: `vex` (the file) and whose findings it is about: `release` (an id), or `product` (a name)
/// with or without `version`, or nothing for the workspace.
async fn take(
    State(app): State<App>,
    Client(who): Client,
    parts: Multipart,
) -> Result<Json<Imported>, ApiError> {
    let (fields, file) =
        crate::ui::form(parts).await.map_err(|_| ApiError::bad("the form cannot be read"))?;
    let Some((name, bytes)) = file else {
        return Err(ApiError::bad("the part `vex` with the file is missing"));
    };
    let field = |name: &str| fields.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    let place = match (field("release"), field("product"), field("version")) {
        (Some(id), _, _) => {
            Place::Release(id.parse().map_err(|_| ApiError::bad("`release` is the id of a release"))?)
        }
        (None, Some(product), Some(version)) => {
            Place::Release(inventory::release_named(app.db(), &who.actor, product, version).await?.id)
        }
        (None, Some(product), None) => {
            let products = inventory::products(app.db(), &who.actor).await?;
            let found = products.into_iter().find(|p| p.name == product);
            let missing = || tocsin_core::Error::NotFound(format!("product {product}"));
            Place::Product(found.ok_or_else(missing)?.id)
        }
        (None, None, Some(_)) => return Err(ApiError::bad("`version` needs `product`")),
        (None, None, None) => Place::Workspace,
    };
    Ok(Json(vex::take(&app, &who.actor, place, name, bytes).await?))
}

async fn export(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, ApiError> {
    let name = query.get("format").map_or("openvex", String::as_str);
    let format =
        Format::parse(name).ok_or_else(|| ApiError::bad("`format` is openvex, csaf or cyclonedx"))?;
    let made = vex::of_release(&app, &who.actor, id, format).await?;
    let kind = match format {
        Format::CycloneDx => "application/vnd.cyclonedx+json",
        _ => "application/json",
    };
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", made.name)),
    ];
    Ok((headers, made.bytes).into_response())
}

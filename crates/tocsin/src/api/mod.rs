//! The API under `/api/v2`: JSON in and out, problem details for errors; under `/api/v1` that of Dependency-Track.

use axum::extract::{Multipart, Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tocsin_core::detection::{self, Decision, Filter};
use tocsin_core::inventory::{self, Release, Uploaded};
use tocsin_core::platform::change::Change;

use crate::intake;
use crate::server::{ApiError, App, Client};

mod compat;

/// All routes of the API.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(compat::routes())
        .route("/api/v2/releases", get(releases))
        .route("/api/v2/releases/{id}", get(release))
        .route("/api/v2/releases/{id}/findings", get(findings))
        .route("/api/v2/sboms", post(upload))
        .route("/api/v2/findings/{id}/decision", post(decide))
        .route("/api/v2/where-used", get(used))
}

async fn releases(State(app): State<App>, Client(who): Client) -> Result<Json<Vec<Release>>, ApiError> {
    Ok(Json(inventory::releases(app.db(), &who.actor, None).await?))
}

async fn release(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Release>, ApiError> {
    Ok(Json(inventory::release_of(app.db(), &who.actor, id).await?))
}

#[derive(Deserialize)]
struct Paging {
    after: Option<String>,
    limit: Option<u64>,
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    inferred: bool,
}

async fn findings(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Json<detection::Page>, ApiError> {
    inventory::release_of(app.db(), &who.actor, id).await?;
    let filter =
        Filter { release: Some(id), closed: paging.closed, inferred: paging.inferred, ..Filter::default() };
    let most = paging.limit.unwrap_or(100).clamp(1, 1000);
    Ok(Json(detection::findings(app.db(), &who.actor, &filter, paging.after.as_deref(), most).await?))
}

/// `multipart/form-data`: `bom` (the file) and either `release` or `line`, `product` and `version`.
async fn upload(
    State(app): State<App>,
    Client(who): Client,
    parts: Multipart,
) -> Result<Json<Uploaded>, ApiError> {
    let (fields, file) =
        crate::ui::form(parts).await.map_err(|_| ApiError::bad("the form cannot be read"))?;
    let Some((name, bytes)) = file else {
        return Err(ApiError::bad("the part `bom` with the file is missing"));
    };
    let field = |name: &str| fields.get(name).filter(|v| !v.is_empty()).cloned();
    let place = match (field("release").and_then(|r| r.parse().ok()), field("product"), field("version")) {
        (Some(id), _, _) => intake::Place::Release(id),
        (None, Some(product), Some(version)) => intake::Place::Named {
            line: field("line").unwrap_or_else(|| "Products".to_owned()),
            product,
            version,
        },
        _ => return Err(ApiError::bad("tell `release`, or `product` and `version`")),
    };
    Ok(Json(intake::take(&app, &who.actor, place, name, bytes).await?))
}

async fn decide(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(decision): Json<Decision>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::decide(&mut change, id, &decision).await?;
    change.commit().await?;
    Ok(Json(serde_json::json!({"changed": changed})))
}

#[derive(Deserialize)]
struct Wanted {
    q: String,
}

async fn used(
    State(app): State<App>,
    Client(who): Client,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<inventory::Use>>, ApiError> {
    Ok(Json(inventory::where_used(app.db(), &who.actor, &wanted.q, 10_000).await?))
}

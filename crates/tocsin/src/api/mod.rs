//! The API under `/api/v2`: JSON in and out, problem details for errors; under `/api/v1` that of Dependency-Track.

use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tocsin_core::detection::{self, Decision, Filter};
use tocsin_core::inventory::{self, Release};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;

use crate::intake::{self, Taken};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

mod around;
mod compat;
mod decisions;
mod jobs;
mod vex;

/// Who may use what of the second version.
const OWN: &[Route] = &[
    ("GET", "/api/v2/releases", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/findings", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/sboms", Access::Needs(Permission::SbomUpload)),
    ("POST", "/api/v2/findings/{id}/decision", Access::Needs(Permission::FindingDecide)),
    ("GET", "/api/v2/where-used", Access::Needs(Permission::InventoryRead)),
];

/// Who may use which route of the API.
pub const ACCESS: &[&[&[Route]]] =
    &[&[OWN, jobs::ACCESS, decisions::ACCESS, vex::ACCESS, around::ACCESS], compat::ACCESS];

/// The reply to a caller who is not known.
pub(crate) fn unknown(path: &str) -> Response {
    if path.starts_with("/api/v1/") { compat::unknown() } else { ApiError::unauthorised().into_response() }
}

/// The reply to a caller who may not, or a fault while that was found out.
pub(crate) fn refusal(path: &str, e: tocsin_core::Error) -> Response {
    if path.starts_with("/api/v1/") { compat::refusal(e) } else { ApiError::from(e).into_response() }
}

/// All routes of the API.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(compat::routes())
        .merge(jobs::routes())
        .merge(decisions::routes())
        .merge(vex::routes())
        .merge(around::routes())
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

#[derive(Deserialize)]
struct Confirm {
    confirm: Option<String>,
}

/// `multipart/form-data`: `bom` (the file) and either `release` or `line`, `product` and `version`. An upload that
/// moves far more of the release than usual is answered with 409 and a token; sent again with `?confirm=TOKEN`, the same
/// bytes are applied. A large document is kept and answered with 202 and the job that reads it.
async fn upload(
    State(app): State<App>,
    Client(who): Client,
    Query(asked): Query<Confirm>,
    parts: Multipart,
) -> Result<Response, ApiError> {
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
    Ok(match intake::receive_confirmed(&app, &who.actor, place, name, bytes, asked.confirm).await? {
        Taken::Now(done) => Json(done).into_response(),
        Taken::Later { job, release } => {
            let body = Json(serde_json::json!({"job": job, "release": release}));
            (StatusCode::ACCEPTED, [(LOCATION, format!("/api/v2/jobs/{job}"))], body).into_response()
        }
    })
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

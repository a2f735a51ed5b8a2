//! `/api/v2/decisions`: what was decided, by whom and how far it reaches; approval, refusal, withdrawal. Owner and due
//! date of findings.

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::detection::{self, Asked, Kept, Ownership, State as Stand};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;

use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/decisions", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/decisions/{id}", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/decisions/{id}/approval", Access::Needs(Permission::DecisionApprove)),
    ("POST", "/api/v2/decisions/{id}/refusal", Access::Needs(Permission::DecisionApprove)),
    ("POST", "/api/v2/decisions/{id}/withdrawal", Access::Needs(Permission::FindingDecide)),
    ("POST", "/api/v2/findings/{id}/owner", Access::Needs(Permission::FindingDecide)),
    ("POST", "/api/v2/findings/owners", Access::Needs(Permission::FindingDecide)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v2/decisions", get(list))
        .route("/api/v2/decisions/{id}", get(one))
        .route("/api/v2/decisions/{id}/approval", post(approve))
        .route("/api/v2/decisions/{id}/refusal", post(reject))
        .route("/api/v2/decisions/{id}/withdrawal", post(withdraw))
        .route("/api/v2/findings/{id}/owner", post(own))
        .route("/api/v2/findings/owners", post(own_all))
}

#[derive(Deserialize)]
struct Wanted {
    state: Option<String>,
    status: Option<String>,
    #[serde(default)]
    text: String,
    expires: Option<String>,
    below: Option<i64>,
    limit: Option<u64>,
}

async fn list(
    State(app): State<App>,
    Client(who): Client,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Kept>>, ApiError> {
    let state = match wanted.state.as_deref() {
        None | Some("any") => None,
        Some("standing") => Some(Stand::Standing),
        Some("waiting") => Some(Stand::Waiting),
        Some("ended") => Some(Stand::Ended),
        Some(_) => return Err(ApiError::bad("`state` is standing, waiting, ended or any")),
    };
    let asked = Asked { state, status: wanted.status, text: wanted.text, expires: wanted.expires };
    let most = wanted.limit.unwrap_or(100).clamp(1, 1000);
    Ok(Json(detection::decisions(app.db(), &who.actor, &asked, wanted.below, most).await?))
}

async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Kept>, ApiError> {
    Ok(Json(detection::decision(app.db(), &who.actor, id).await?))
}

#[derive(Deserialize, Default)]
struct Remark {
    #[serde(default)]
    remark: String,
}

async fn approve(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    body: Option<Json<Remark>>,
) -> Result<Json<Value>, ApiError> {
    let remark = body.map(|b| b.0.remark).unwrap_or_default();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::approve(&mut change, id, &remark).await?;
    change.commit().await?;
    Ok(Json(json!({"changed": changed})))
}

async fn reject(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    body: Option<Json<Remark>>,
) -> Result<Json<Kept>, ApiError> {
    let remark = body.map(|b| b.0.remark).unwrap_or_default();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    detection::reject(&mut change, id, &remark).await?;
    change.commit().await?;
    Ok(Json(detection::decision(app.db(), &who.actor, id).await?))
}

async fn withdraw(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Kept>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    detection::withdraw_decision(&mut change, id).await?;
    change.commit().await?;
    Ok(Json(detection::decision(app.db(), &who.actor, id).await?))
}

async fn own(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<Ownership>,
) -> Result<Json<Value>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::own(&mut change, &[id], &wanted).await?;
    change.commit().await?;
    Ok(Json(json!({"changed": changed})))
}

/// The findings, and what to change of each.
#[derive(Deserialize)]
struct Many {
    findings: Vec<i64>,
    #[serde(flatten)]
    wanted: Ownership,
}

async fn own_all(
    State(app): State<App>,
    Client(who): Client,
    Json(many): Json<Many>,
) -> Result<Json<Value>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::own(&mut change, &many.findings, &many.wanted).await?;
    change.commit().await?;
    Ok(Json(json!({"changed": changed})))
}

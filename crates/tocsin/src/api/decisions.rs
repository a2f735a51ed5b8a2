//! `/api/v2/decisions`: what was decided, by whom and how far it reaches; approval, refusal, withdrawal. Owner and due
//! date of findings.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use tocsin_core::detection::{self, Asked, Kept, Ownership, State as Stand};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::findings::Decided;
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

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(withdraw))
        .routes(routes!(own))
        .routes(routes!(own_all))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Where they stand: `standing`, `waiting`, `ended` or `any`.
    state: Option<String>,
    /// Only decisions with this VEX status.
    #[param(example = "not_affected")]
    status: Option<String>,
    /// Only decisions whose vulnerability, component, product, author or words hold this.
    #[serde(default)]
    #[param(required = false)]
    text: String,
    /// Only decisions that end on a day up to this one.
    #[param(example = "2026-12-31")]
    expires: Option<String>,
    /// Where the page begins: only decisions whose id is lower, the last one of the page before.
    below: Option<i64>,
    /// Decisions on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
}

/// Decisions
///
/// Newest first.
#[utoipa::path(get, path = "/api/v2/decisions", tag = "Decisions",
    params(Wanted),
    responses((status = 200, description = "A page of decisions.", body = Vec<Kept>)))]
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

/// A decision
#[utoipa::path(get, path = "/api/v2/decisions/{id}", tag = "Decisions",
    params(("id" = i64, Path, description = "Id of the decision.")),
    responses((status = 200, description = "The decision.", body = Kept)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Kept>, ApiError> {
    Ok(Json(detection::decision(app.db(), &who.actor, id).await?))
}

/// Words to go with it.
#[derive(Deserialize, Default, ToSchema)]
struct DecisionRemark {
    /// In words.
    #[serde(default)]
    remark: String,
}

/// Approves what another person proposed
#[utoipa::path(post, path = "/api/v2/decisions/{id}/approval", tag = "Decisions",
    request_body = Option<DecisionRemark>, params(("id" = i64, Path, description = "Id of the decision.")),
    responses((status = 200, description = "How many findings it changed.", body = Decided)))]
async fn approve(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    body: Option<Json<DecisionRemark>>,
) -> Result<Json<Decided>, ApiError> {
    let remark = body.map(|b| b.0.remark).unwrap_or_default();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::approve(&mut change, id, &remark).await?;
    change.commit().await?;
    Ok(Json(Decided { changed }))
}

/// Turns down what another person proposed
#[utoipa::path(post, path = "/api/v2/decisions/{id}/refusal", tag = "Decisions",
    request_body = Option<DecisionRemark>, params(("id" = i64, Path, description = "Id of the decision.")),
    responses((status = 200, description = "The decision as it is now.", body = Kept)))]
async fn reject(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    body: Option<Json<DecisionRemark>>,
) -> Result<Json<Kept>, ApiError> {
    let remark = body.map(|b| b.0.remark).unwrap_or_default();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    detection::reject(&mut change, id, &remark).await?;
    change.commit().await?;
    Ok(Json(detection::decision(app.db(), &who.actor, id).await?))
}

/// Withdraws a decision
#[utoipa::path(post, path = "/api/v2/decisions/{id}/withdrawal", tag = "Decisions",
    params(("id" = i64, Path, description = "Id of the decision.")),
    responses((status = 200, description = "The decision as it is now.", body = Kept)))]
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

/// Gives a finding an owner and a due date
#[utoipa::path(post, path = "/api/v2/findings/{id}/owner", tag = "Decisions",
    request_body = Ownership, params(("id" = i64, Path, description = "Id of the finding.")),
    responses((status = 200, description = "How many findings it changed.", body = Decided)))]
async fn own(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<Ownership>,
) -> Result<Json<Decided>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::own(&mut change, &[id], &wanted).await?;
    change.commit().await?;
    Ok(Json(Decided { changed }))
}

/// The findings, and what to change of each.
#[derive(Deserialize, ToSchema)]
struct OwnersForMany {
    /// The findings.
    findings: Vec<i64>,
    /// What to change.
    #[serde(flatten)]
    wanted: Ownership,
}

/// Gives many findings an owner and a due date
#[utoipa::path(post, path = "/api/v2/findings/owners", tag = "Decisions", request_body = OwnersForMany,
    responses((status = 200, description = "How many findings it changed.", body = Decided)))]

async fn own_all(
    State(app): State<App>,
    Client(who): Client,
    Json(many): Json<OwnersForMany>,
) -> Result<Json<Decided>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::own(&mut change, &many.findings, &many.wanted).await?;
    change.commit().await?;
    Ok(Json(Decided { changed }))
}

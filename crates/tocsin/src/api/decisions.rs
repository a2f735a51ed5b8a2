//! `/api/v2/decisions`: what was decided, by whom and how far it reaches; approval, refusal, withdrawal. Owner and due
//! date of findings.

use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::detection::{self, Kept, Ownership};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_model::query::Query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::findings::Decided;
use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};
use crate::ui::asked::quoted;

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
    /// Only decisions that end on a day up to this one.
    #[param(example = "2026-12-31")]
    expires: Option<String>,
}

/// Decisions
///
/// Newest first.
#[utoipa::path(get, path = "/api/v2/decisions", tag = "Decisions", params(Asking, Paging, Wanted),
    responses((status = 200, content((Page<Kept> = "application/json"), (Kept = "application/x-ndjson")),
        description = "A page of decisions, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    mut ask: Ask,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    if let Some(state) = wanted.state.filter(|s| s != "any") {
        ask.and(format!("state:{}", quoted(&state)));
    }
    if let Some(status) = &wanted.status {
        ask.and(format!("status:{}", quoted(status)));
    }
    if let Some(day) = &wanted.expires {
        ask.and(format!("expires<={}", quoted(day)));
    }
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        detection::decision_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "decisions", detection::decision_schema(), page).await
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

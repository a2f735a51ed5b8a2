//! `/api/v2/warnings`: early warnings, provisional vulnerabilities of a workspace until they get their CVE.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::warnings::{self, NewWarning, Shown, Warning};
use tocsin_core::{desk, detection};
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::made;
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/warnings", Access::Needs(Permission::DeskRead)),
    ("POST", "/api/v2/warnings", Access::Needs(Permission::DeskWrite)),
    ("GET", "/api/v2/warnings/{name}", Access::Needs(Permission::DeskRead)),
    ("POST", "/api/v2/warnings/{name}", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/warnings/{name}/withdraw", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/warnings/{name}/merge", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/warnings/{name}/refuse", Access::Needs(Permission::DeskWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(one, edit))
        .routes(routes!(withdraw))
        .routes(routes!(merge))
        .routes(routes!(refuse))
}

/// Early warnings
///
/// The youngest first; withdrawn ones are left out unless `state:` is asked for. Those of other workspaces are nowhere.
#[utoipa::path(get, path = "/api/v2/warnings", tag = "Desk", params(Asking, Paging),
    responses((status = 200, content((Page<Warning> = "application/json"), (Warning = "application/x-ndjson")),
        description = "A page of early warnings, or all as a stream of lines.")))]
async fn list(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        warnings::warning_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "warnings", warnings::warning_schema(), page).await
}

/// An early warning to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeWarning {
    /// The story that it is made of; missing: none.
    #[serde(default)]
    story: Option<i64>,
    /// What is known.
    warning: NewWarning,
}

type Made = (StatusCode, [(HeaderName, String); 1], Json<Shown>);

/// Makes an early warning
///
/// A provisional vulnerability named `TOCSIN-YYYY-NNNN`. It is matched against the inventory of this workspace within
/// seconds, and seen by no other.
#[utoipa::path(post, path = "/api/v2/warnings", tag = "Desk", request_body = MakeWarning,
    responses((status = 201, description = "It is made.", body = Shown)))]
async fn make(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<MakeWarning>,
) -> Result<Made, ApiError> {
    let name = match new.story {
        Some(story) => desk::promote(app.db(), &who.actor, story, &new.warning).await?,
        None => warnings::create(app.db(), &who.actor, &new.warning).await?,
    };
    let shown = warnings::shown(app.db(), &who.actor, &name).await?;
    Ok((StatusCode::CREATED, made(&format!("/api/v2/warnings/{name}")), Json(shown)))
}

/// An early warning
#[utoipa::path(get, path = "/api/v2/warnings/{name}", tag = "Desk",
    params(("name" = String, Path, description = "`TOCSIN-YYYY-NNNN`.", example = "TOCSIN-2026-0001")),
    responses((status = 200, description = "The warning, what it may be merged into, and what happened to it.", body = Shown)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
) -> Result<Json<Shown>, ApiError> {
    Ok(Json(warnings::shown(app.db(), &who.actor, &name).await?))
}

/// An early warning as it is to stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditWarning {
    /// The version that was read; what changed meanwhile is not overwritten.
    version: i64,
    /// All of it, as it is to stand.
    warning: NewWarning,
}

/// Changes an early warning
///
/// Findings follow within seconds.
#[utoipa::path(post, path = "/api/v2/warnings/{name}", tag = "Desk", request_body = EditWarning,
    params(("name" = String, Path, description = "`TOCSIN-YYYY-NNNN`.")),
    responses((status = 200, description = "The warning.", body = Shown)))]
async fn edit(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
    Json(new): Json<EditWarning>,
) -> Result<Json<Shown>, ApiError> {
    warnings::edit(app.db(), &who.actor, &name, new.version, &new.warning).await?;
    Ok(Json(warnings::shown(app.db(), &who.actor, &name).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WithdrawWarning {
    /// Why.
    why: String,
}

/// Withdraws an early warning
///
/// Its findings are closed.
#[utoipa::path(post, path = "/api/v2/warnings/{name}/withdraw", tag = "Desk", request_body = WithdrawWarning,
    params(("name" = String, Path, description = "`TOCSIN-YYYY-NNNN`.")),
    responses((status = 200, description = "The warning.", body = Shown)))]
async fn withdraw(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
    Json(wanted): Json<WithdrawWarning>,
) -> Result<Json<Shown>, ApiError> {
    warnings::withdraw(app.db(), &who.actor, &name, 0, &wanted.why).await?;
    Ok(Json(warnings::shown(app.db(), &who.actor, &name).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeWarning {
    /// Any id of the vulnerability, or a CVE id that no source has told of yet.
    #[schema(example = "CVE-2026-12345")]
    into: String,
}

/// What came of a merge.
#[derive(Serialize, ToSchema)]
struct WarningMerge {
    /// The warning.
    warning: Shown,
    /// What was moved.
    moved: detection::Merged,
}

/// Merges an early warning into its vulnerability
///
/// Findings, decisions, owners, due dates and history go on there; the name leads there.
#[utoipa::path(post, path = "/api/v2/warnings/{name}/merge", tag = "Desk", request_body = MergeWarning,
    params(("name" = String, Path, description = "`TOCSIN-YYYY-NNNN`.")),
    responses((status = 200, description = "The warning, and what was moved.", body = WarningMerge)))]
async fn merge(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
    Json(wanted): Json<MergeWarning>,
) -> Result<Json<WarningMerge>, ApiError> {
    let moved = detection::merge_warning(app.db(), &who.actor, &name, 0, &wanted.into).await?;
    Ok(Json(WarningMerge { warning: warnings::shown(app.db(), &who.actor, &name).await?, moved }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefuseMerge {
    /// The id that was proposed.
    main: String,
}

/// Refuses a proposed merge
///
/// The two are not the same flaw; it is not proposed again.
#[utoipa::path(post, path = "/api/v2/warnings/{name}/refuse", tag = "Desk", request_body = RefuseMerge,
    params(("name" = String, Path, description = "`TOCSIN-YYYY-NNNN`.")),
    responses((status = 200, description = "The warning.", body = Shown)))]
async fn refuse(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
    Json(wanted): Json<RefuseMerge>,
) -> Result<Json<Shown>, ApiError> {
    warnings::refuse(app.db(), &who.actor, &name, &wanted.main).await?;
    Ok(Json(warnings::shown(app.db(), &who.actor, &name).await?))
}

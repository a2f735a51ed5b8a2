//! `/api/v2/jobs`: what is waited for, runs, was done or given up.

use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::jobs::{self, Job};
use tocsin_model::query::Query;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{self, ApiError, App, Client, Told};
use crate::ui::asked::quoted;

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/jobs", Access::Needs(Permission::JobRead)),
    ("GET", "/api/v2/jobs/{id}", Access::Needs(Permission::JobRead)),
    ("POST", "/api/v2/jobs/{id}/cancel", Access::Needs(Permission::JobManage)),
    ("POST", "/api/v2/jobs/{id}/retry", Access::Needs(Permission::JobManage)),
    ("GET", "/api/v2/jobs/{id}/events", Access::Needs(Permission::JobRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(cancel))
        .routes(routes!(retry))
        .routes(routes!(events))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only jobs in this state: `running`, `waiting`, `failed`, `done`, `cancelled`, or `active` for the first two.
    state: Option<String>,
    /// Only jobs of this kind.
    #[param(example = "sbom")]
    kind: Option<String>,
    /// Only jobs about this.
    #[param(example = "release/17")]
    subject: Option<String>,
}

/// Jobs
///
/// Newest first, or with `sort=oldest` oldest first.
#[utoipa::path(get, path = "/api/v2/jobs", tag = "Jobs", params(Asking, Paging, Asked),
    responses((status = 200, content((Page<Job> = "application/json"), (Job = "application/x-ndjson")),
        description = "A page of jobs, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    mut ask: Ask,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, ApiError> {
    ask.order_means("oldest", "created");
    match asked.state.as_deref() {
        None | Some("") => {}
        Some("active") => ask.and("active:true"),
        Some(state) => ask.and(format!("state:{}", quoted(state))),
    }
    for (field, value) in [("kind", asked.kind), ("subject", asked.subject)] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            ask.and(format!("{field}={}", quoted(&value)));
        }
    }
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        jobs::list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "jobs", jobs::schema(), page).await
}

/// A job
#[utoipa::path(get, path = "/api/v2/jobs/{id}", tag = "Jobs", params(("id" = i64, Path, description = "Id of the job.")),
    responses((status = 200, description = "The job.", body = Job)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(jobs::job(app.db(), &who.actor, id).await?))
}

/// Cancels a job
#[utoipa::path(post, path = "/api/v2/jobs/{id}/cancel", tag = "Jobs", params(("id" = i64, Path, description = "Id of the job.")),
    responses((status = 200, description = "It is cancelled.", body = Job),
        (status = 202, description = "Its worker has yet to hear of it.", body = Job)))]
async fn cancel(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let state = jobs::cancel(app.db(), &who.actor, id).await?;
    let status = if state == jobs::State::Cancelled { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(jobs::job(app.db(), &who.actor, id).await?)))
}

/// Runs a job again that was given up or cancelled
#[utoipa::path(post, path = "/api/v2/jobs/{id}/retry", tag = "Jobs", params(("id" = i64, Path, description = "Id of the job.")),
    responses((status = 202, description = "It waits for its turn.", body = Job)))]
async fn retry(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    jobs::retry(app.db(), &who.actor, id).await?;
    Ok((StatusCode::ACCEPTED, Json(jobs::job(app.db(), &who.actor, id).await?)))
}

/// Progress of a job
///
/// Server-sent events: `job` with the whole job whenever it changed, `end` when it has ended.
#[utoipa::path(get, path = "/api/v2/jobs/{id}/events", tag = "Jobs", params(("id" = i64, Path, description = "Id of the job.")),
    responses((status = 200, description = "The events.", body = String, content_type = "text/event-stream")))]
async fn events(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    jobs::job(app.db(), &who.actor, id).await?;
    Ok(server::stream(&app, &who.actor, vec![id], Told::Whole))
}

//! `/api/v2/jobs`: what is waited for, runs, was done or given up.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::jobs::{self, Filter, Job, Page};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::guard::{Access, Route};
use crate::server::{self, ApiError, App, Client, Told};

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
    /// `oldest`: oldest first.
    #[serde(default)]
    #[param(required = false)]
    sort: String,
    /// Where the page begins: `next` of the page before.
    from: Option<i64>,
    /// Jobs on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
}

/// Jobs
///
/// Newest first, or with `sort=oldest` oldest first.
#[utoipa::path(get, path = "/api/v2/jobs", tag = "Jobs", params(Asked),
    responses((status = 200, description = "A page of jobs.", body = Page)))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    Query(asked): Query<Asked>,
) -> Result<Json<Page>, ApiError> {
    let state = asked.state.as_deref().filter(|s| !s.is_empty());
    let active = state == Some("active");
    let known = state.filter(|_| !active).map(|s| {
        let wrong = || {
            ApiError::bad(format!(
                "there is no state `{s}`: running, waiting, failed, done, cancelled, active"
            ))
        };
        jobs::State::parse(s).ok_or_else(wrong)
    });
    let some = |text: Option<String>| text.filter(|t| !t.is_empty());
    let filter = Filter {
        state: known.transpose()?,
        active,
        kind: some(asked.kind),
        subject: some(asked.subject),
        oldest: asked.sort == "oldest",
        ids: None,
    };
    let most = asked.limit.unwrap_or(100).clamp(1, 1000);
    Ok(Json(jobs::jobs(app.db(), &who.actor, &filter, asked.from, most).await?))
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

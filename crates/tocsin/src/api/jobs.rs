//! `/api/v2/jobs`: what is waited for, runs, was done or given up.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::jobs::{self, Filter, Job, Page};

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

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v2/jobs", get(list))
        .route("/api/v2/jobs/{id}", get(one))
        .route("/api/v2/jobs/{id}/cancel", post(cancel))
        .route("/api/v2/jobs/{id}/retry", post(retry))
        .route("/api/v2/jobs/{id}/events", get(events))
}

#[derive(Deserialize)]
struct Asked {
    state: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    sort: String,
    from: Option<i64>,
    limit: Option<u64>,
}

/// Newest first, or with `sort=oldest` oldest first; `state` is one of the five or `active` (waiting or running); `from`
/// is the `next` of the page before.
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

async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(jobs::job(app.db(), &who.actor, id).await?))
}

/// 200 where it is cancelled, 202 where its worker has yet to hear of it.
async fn cancel(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let state = jobs::cancel(app.db(), &who.actor, id).await?;
    let status = if state == jobs::State::Cancelled { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(jobs::job(app.db(), &who.actor, id).await?)))
}

async fn retry(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    jobs::retry(app.db(), &who.actor, id).await?;
    Ok((StatusCode::ACCEPTED, Json(jobs::job(app.db(), &who.actor, id).await?)))
}

/// Server-sent events: `job` with the whole job whenever it changed, `end` when it has ended.
async fn events(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Response, ApiError> {
    jobs::job(app.db(), &who.actor, id).await?;
    Ok(server::stream(&app, &who.actor, vec![id], Told::Whole))
}

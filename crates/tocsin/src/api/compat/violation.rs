//! `/api/v1/violation`: breaches of policies. There are no policies yet, so every list is empty.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;

use super::fault::Fault;
use super::{Asked, Caller, paged, release};
use crate::server::App;

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/violation/project/{uuid}", get(all))
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Response, Fault> {
    release(&app, &actor, &text).await?;
    Ok(paged(Vec::new(), &Asked::new()))
}

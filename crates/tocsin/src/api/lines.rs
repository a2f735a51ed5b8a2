//! `/api/v2/lines`: product lines.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tocsin_core::inventory::{self, Line};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
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
    ("GET", "/api/v2/lines", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/lines/{id}", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/lines", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one))
}

/// Product lines
///
/// By name.
#[utoipa::path(get, path = "/api/v2/lines", tag = "Product lines", params(Asking, Paging),
    responses((status = 200, content((Page<Line> = "application/json"), (Line = "application/x-ndjson")),
        description = "A page of product lines, or all as a stream of lines.")))]
async fn list(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        inventory::line_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "lines", inventory::line_schema(), page).await
}

async fn find(app: &App, actor: &Actor, id: i64) -> Result<Line, ApiError> {
    Ok(inventory::line_by_id(app.db(), actor, id).await?)
}

/// A product line
#[utoipa::path(get, path = "/api/v2/lines/{id}", tag = "Product lines",
    params(("id" = i64, Path, description = "Id of the product line.")),
    responses((status = 200, description = "The product line.", body = Line)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Line>, ApiError> {
    Ok(Json(find(&app, &who.actor, id).await?))
}

/// A product line to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Infusion pumps"}))]
struct NewLine {
    /// Name, unique in the workspace.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// Makes a product line
///
/// One of this name that is there already is given back.
#[utoipa::path(post, path = "/api/v2/lines", tag = "Product lines", request_body = NewLine,
    responses((status = 201, description = "It was made, or was there.", body = Line,
        headers(("Location" = String, description = "Its address.")))))]
async fn create(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<NewLine>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let id = inventory::make_line(&mut change, &new.name).await?;
    change.commit().await?;
    let line = find(&app, &who.actor, id).await?;
    Ok((StatusCode::CREATED, made(&format!("/api/v2/lines/{id}")), Json(line)).into_response())
}

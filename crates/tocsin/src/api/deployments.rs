//! `/api/v2/releases/{id}/deployments`: units in the field.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::inventory::{self, Deployment, DeploymentRow, Licence};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/deployments", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/deployments", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/releases/{id}/deployments", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v2/releases/{id}/licences", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(everywhere)).routes(routes!(list, deploy)).routes(routes!(licences))
}

/// Units in the field
///
/// Of every release that the key may see; by customer and region.
#[utoipa::path(get, path = "/api/v2/deployments", tag = "Deployments", params(Asking, Paging),
    responses((status = 200, content((Page<DeploymentRow> = "application/json"), (DeploymentRow = "application/x-ndjson")),
        description = "A page of deployments, or all as a stream of lines.")))]
async fn everywhere(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    listed(app, who.actor, None, ask).await
}

/// Units of a release in the field
///
/// By customer and region.
#[utoipa::path(get, path = "/api/v2/releases/{id}/deployments", tag = "Deployments",
    params(("id" = i64, Path, description = "Id of the release."), Asking, Paging),
    responses((status = 200, content((Page<DeploymentRow> = "application/json"), (DeploymentRow = "application/x-ndjson")),
        description = "A page of its deployments, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    ask: Ask,
) -> Result<Response, ApiError> {
    inventory::release_of(app.db(), &who.actor, id).await?;
    listed(app, who.actor, Some(id), ask).await
}

async fn listed(app: App, actor: Actor, release: Option<i64>, ask: Ask) -> Result<Response, ApiError> {
    let page = move |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        inventory::deployment_list(app.db(), &actor, release, &query, after.as_deref(), most).await
    };
    ask.reply(app, actor, "deployments", inventory::deployment_schema(), page).await
}

/// Units of a customer in a region.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"customer": "Clinic North", "region": "EU", "units": 40}))]
struct NewDeployment {
    /// Customer.
    #[schema(min_length = 1, max_length = 200)]
    customer: String,
    /// Region, or empty.
    #[serde(default)]
    region: String,
    /// Units in the field; 0 takes the entry away.
    #[schema(minimum = 0)]
    units: i64,
}

/// Notes units in the field
///
/// Each in place of what was noted for its customer and region; others remain.
#[utoipa::path(post, path = "/api/v2/releases/{id}/deployments", tag = "Deployments", request_body = Vec<NewDeployment>,
    params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "All its deployments.", body = Page<Deployment>)))]
async fn deploy(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(units): Json<Vec<NewDeployment>>,
) -> Result<Json<Page<Deployment>>, ApiError> {
    let one = |u: NewDeployment| Deployment { customer: u.customer, region: u.region, units: u.units };
    let units: Vec<Deployment> = units.into_iter().map(one).collect();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    inventory::deploy(&mut change, id, &units).await?;
    change.commit().await?;
    Ok(Json(Page { items: inventory::deployments(app.db(), &who.actor, id).await?, next: None }))
}

/// Licences of what a release holds
///
/// The most common first; components that name none are counted last, under the empty name.
#[utoipa::path(get, path = "/api/v2/releases/{id}/licences", tag = "Licences",
    params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "Its licences.", body = Page<Licence>)))]
async fn licences(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Page<Licence>>, ApiError> {
    Ok(Json(Page { items: inventory::licences(app.db(), &who.actor, id).await?, next: None }))
}

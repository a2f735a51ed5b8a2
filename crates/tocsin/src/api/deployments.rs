//! `/api/v2/releases/{id}/deployments`: units in the field.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use tocsin_core::inventory::{self, Deployment, Licence};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/releases/{id}/deployments", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/releases/{id}/deployments", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v2/releases/{id}/licences", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, deploy)).routes(routes!(licences))
}

/// Units of a release in the field
///
/// By customer and region.
#[utoipa::path(get, path = "/api/v2/releases/{id}/deployments", tag = "Deployments",
    params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "Its deployments.", body = Vec<Deployment>)))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Deployment>>, ApiError> {
    Ok(Json(inventory::deployments(app.db(), &who.actor, id).await?))
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
    responses((status = 200, description = "All its deployments.", body = Vec<Deployment>)))]
async fn deploy(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(units): Json<Vec<NewDeployment>>,
) -> Result<Json<Vec<Deployment>>, ApiError> {
    let one = |u: NewDeployment| Deployment { customer: u.customer, region: u.region, units: u.units };
    let units: Vec<Deployment> = units.into_iter().map(one).collect();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    inventory::deploy(&mut change, id, &units).await?;
    change.commit().await?;
    Ok(Json(inventory::deployments(app.db(), &who.actor, id).await?))
}

/// Licences of what a release holds
///
/// The most common first; components that name none are counted last, under the empty name.
#[utoipa::path(get, path = "/api/v2/releases/{id}/licences", tag = "Licences",
    params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "Its licences.", body = Vec<Licence>)))]
async fn licences(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Licence>>, ApiError> {
    Ok(Json(inventory::licences(app.db(), &who.actor, id).await?))
}

//! What lies around releases: bills of materials to take away, the dependency graph, devices, the operating system;
//! who is told of what; one search over everything.

use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::inventory::{self, Device, Located, Stakeholder, System};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_core::search;
use tocsin_model::query::Query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::export::{self, Format};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client, Kind};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/api/v2/search", Access::Known),
    ("GET", "/api/v2/releases/{id}/export/{format}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/graph", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/components/{component}/why", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/system", Access::Needs(Permission::InventoryRead)),
    ("PUT", "/api/v2/releases/{id}/system", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v2/releases/{id}/devices", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/releases/{id}/devices", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v2/devices", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/stakeholders", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/stakeholders", Access::Needs(Permission::InventoryWrite)),
    ("PUT", "/api/v2/stakeholders/{id}", Access::Needs(Permission::InventoryWrite)),
    ("DELETE", "/api/v2/stakeholders/{id}", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(find))
        .routes(routes!(bill))
        .routes(routes!(graph))
        .routes(routes!(why))
        .routes(routes!(system, set_system))
        .routes(routes!(devices, note_devices))
        .routes(routes!(locate))
        .routes(routes!(stakeholders, add_stakeholder))
        .routes(routes!(change_stakeholder, drop_stakeholder))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// What is looked for.
    #[serde(default)]
    #[param(required = false)]
    q: String,
    /// How many of each kind at most.
    limit: Option<usize>,
}

/// Everything by name
#[utoipa::path(get, path = "/api/v2/search", tag = "Components", params(Asked),
    responses((status = 200, description = "What was found.", body = serde_json::Value)))]
async fn find(
    State(app): State<App>,
    Client(who): Client,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, ApiError> {
    let most = asked.limit.unwrap_or(10).clamp(1, 50);
    let found = search::search(app.db(), &who.actor, &asked.q, most).await?;
    Ok(Json(json!({ "q": asked.q, "found": found })))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct With {
    /// With what is found and decided.
    #[serde(default)]
    #[param(required = false)]
    vulnerabilities: bool,
}

/// A bill of materials of a release, made of what is held
#[utoipa::path(get, path = "/api/v2/releases/{id}/export/{format}", tag = "SBOMs", params(("id" = i64, Path, description = "Id of the release."), ("format" = String, Path, description = "Form of the document.", example = "cyclonedx-json"), With),
    responses((status = 200, description = "The document.", body = serde_json::Value)))]
async fn bill(
    State(app): State<App>,
    Client(who): Client,
    Path((id, format)): Path<(i64, String)>,
    Parameters(with): Parameters<With>,
) -> Result<Response, ApiError> {
    let known = || export::FORMATS.map(|f| f.1).join(", ");
    let format =
        Format::parse(&format).ok_or_else(|| ApiError::bad(format!("the format is one of: {}", known())))?;
    let out = export::write(&app, &who.actor, id, format, with.vulnerabilities).await?;
    let disposition = format!("attachment; filename=\"{}\"", out.name);
    Ok(([(CONTENT_TYPE, out.kind.to_owned()), (CONTENT_DISPOSITION, disposition)], out.bytes).into_response())
}

/// The dependency graph of a release
///
/// The whole graph: nodes, and edges as pairs of component ids.
#[utoipa::path(get, path = "/api/v2/releases/{id}/graph", tag = "Components", params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "Nodes, and edges as pairs of component ids.", body = serde_json::Value)))]
async fn graph(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Value>, ApiError> {
    let g = inventory::graph(app.db(), &who.actor, id).await?;
    let name = |n: &usize| g.nodes.get(*n).map(|node| node.id);
    let edges: Vec<(Option<i64>, Option<i64>)> = (0..g.nodes.len())
        .flat_map(|n| g.needs(n).iter().map(move |to| (n, *to)))
        .map(|(a, b)| (name(&a), name(&b)))
        .collect();
    Ok(Json(json!({ "root": g.root.as_ref().and_then(name), "nodes": g.nodes, "edges": edges })))
}

/// Why a component is in a release
#[utoipa::path(get, path = "/api/v2/releases/{id}/components/{component}/why", tag = "Components", params(("id" = i64, Path, description = "Id of the release."), ("component" = i64, Path, description = "Id of the component.")),
    responses((status = 200, description = "Ways from the product to the component.", body = serde_json::Value)))]
async fn why(
    State(app): State<App>,
    Client(who): Client,
    Path((id, component)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let ways = inventory::why(app.db(), &who.actor, id, component, 20).await?;
    Ok(Json(json!({ "ways": ways })))
}

/// The operating system of a release
#[utoipa::path(get, path = "/api/v2/releases/{id}/system", tag = "Releases", params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "What is told of it.", body = serde_json::Value)))]
async fn system(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<System>, ApiError> {
    Ok(Json(inventory::system(app.db(), &who.actor, id).await?))
}

/// Tells the operating system of a release
#[utoipa::path(put, path = "/api/v2/releases/{id}/system", tag = "Releases", request_body = serde_json::Value, params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 204, description = "It is kept.")))]
async fn set_system(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(told): Json<System>,
) -> Result<StatusCode, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    inventory::set_system(&mut change, id, &told).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Devices {
    /// Identifier of a device, or its beginning.
    #[serde(default)]
    #[param(required = false)]
    serial: String,
}

/// Devices that run a release
#[utoipa::path(get, path = "/api/v2/releases/{id}/devices", tag = "Deployments", params(("id" = i64, Path, description = "Id of the release."), Devices, Paging),
    responses((status = 200, description = "A page of devices, by customer, region and identifier.", body = Page<Device>)))]
async fn devices(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    uri: Uri,
    Parameters(asked): Parameters<Devices>,
    Parameters(paging): Parameters<Paging>,
) -> Result<Response, ApiError> {
    let place = paging.place("devices of a release")?;
    let at = place.map(|p| serde_json::from_str::<[String; 3]>(&p)).transpose();
    let at = at.map_err(|_| ApiError::new(Kind::CURSOR, "it names no device"))?;
    let most = paging.most();
    let mut items =
        inventory::devices_after(app.db(), &who.actor, id, &asked.serial, at.as_ref(), most + 1).await?;
    let more = items.len() as u64 > most;
    items.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let last = items.last().filter(|_| more);
    let place = last.map(|d| json!([d.customer, d.region, d.serial]).to_string());
    Ok(Page::new("devices of a release", items, place).reply(&uri))
}

/// A device in the field.
#[derive(Deserialize, ToSchema)]
struct NewDevice {
    /// Customer.
    customer: String,
    /// Region, or empty.
    #[serde(default)]
    region: String,
    /// What tells the device from others.
    serial: String,
}

/// Notes devices that run a release
#[utoipa::path(post, path = "/api/v2/releases/{id}/devices", tag = "Deployments", request_body = Vec<NewDevice>, params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "How many are new.", body = serde_json::Value)))]
async fn note_devices(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(list): Json<Vec<NewDevice>>,
) -> Result<Json<Value>, ApiError> {
    let device = |n: NewDevice| Device { customer: n.customer, region: n.region, serial: n.serial };
    let list: Vec<Device> = list.into_iter().map(device).collect();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let new = inventory::note_devices(&mut change, id, &list).await?;
    change.commit().await?;
    Ok(Json(json!({ "new": new })))
}

/// What a device runs
///
/// Which releases devices with this identifier run, with what is open in them.
#[utoipa::path(get, path = "/api/v2/devices", tag = "Deployments", params(Devices, Paging),
    responses((status = 200, description = "A page of devices with the release that each runs.", body = Page<Located>)))]
async fn locate(
    State(app): State<App>,
    Client(who): Client,
    uri: Uri,
    Parameters(asked): Parameters<Devices>,
    Parameters(paging): Parameters<Paging>,
) -> Result<Response, ApiError> {
    let place = paging.place("devices")?;
    let at = place.map(|p| serde_json::from_str::<(String, i64)>(&p)).transpose();
    let at = at.map_err(|_| ApiError::new(Kind::CURSOR, "it names no device"))?;
    let (items, next) =
        inventory::locate_after(app.db(), &who.actor, &asked.serial, at, paging.most()).await?;
    let place = next.map(|(serial, deployment)| json!([serial, deployment]).to_string());
    Ok(Page::new("devices", items, place).reply(&uri))
}

/// Who is told of what
#[utoipa::path(get, path = "/api/v2/stakeholders", tag = "People and keys", params(Asking, Paging),
    responses((status = 200, content((Page<Stakeholder> = "application/json"), (Stakeholder = "application/x-ndjson")),
        description = "A page of stakeholders, or all as a stream of lines.")))]
async fn stakeholders(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        inventory::stakeholder_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "stakeholders", inventory::stakeholder_schema(), page).await
}

async fn store(app: &App, client: &Client, s: Stakeholder) -> Result<Json<Value>, ApiError> {
    let mut change = Change::begin(app.db(), &client.0.actor).await?;
    let id = inventory::save_stakeholder(&mut change, &s).await?;
    change.commit().await?;
    Ok(Json(json!({ "id": id })))
}

/// Adds a stakeholder
#[utoipa::path(post, path = "/api/v2/stakeholders", tag = "People and keys", request_body = serde_json::Value,
    responses((status = 201, description = "Its id.", body = serde_json::Value)))]
async fn add_stakeholder(
    State(app): State<App>,
    client: Client,
    Json(s): Json<Stakeholder>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    Ok((StatusCode::CREATED, store(&app, &client, Stakeholder { id: 0, ..s }).await?))
}

/// Changes a stakeholder
#[utoipa::path(put, path = "/api/v2/stakeholders/{id}", tag = "People and keys", request_body = serde_json::Value, params(("id" = i64, Path, description = "Id of the stakeholder.")),
    responses((status = 200, description = "Its id.", body = serde_json::Value)))]
async fn change_stakeholder(
    State(app): State<App>,
    client: Client,
    Path(id): Path<i64>,
    Json(s): Json<Stakeholder>,
) -> Result<Json<Value>, ApiError> {
    if id < 1 {
        return Err(tocsin_core::Error::NotFound(format!("stakeholder {id}")).into());
    }
    store(&app, &client, Stakeholder { id, ..s }).await
}

/// Removes a stakeholder
#[utoipa::path(delete, path = "/api/v2/stakeholders/{id}", tag = "People and keys", params(("id" = i64, Path, description = "Id of the stakeholder.")),
    responses((status = 204, description = "It is gone.")))]
async fn drop_stakeholder(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    inventory::drop_stakeholder(&mut change, id).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

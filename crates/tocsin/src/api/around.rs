//! What lies around releases: bills of materials to take away, the dependency graph, devices, the operating system;
//! who is told of what; one search over everything.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::inventory::{self, Device, Stakeholder, System};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use tocsin_core::search;

use crate::export::{self, Format};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

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

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v2/search", get(find))
        .route("/api/v2/releases/{id}/export/{format}", get(bill))
        .route("/api/v2/releases/{id}/graph", get(graph))
        .route("/api/v2/releases/{id}/components/{component}/why", get(why))
        .route("/api/v2/releases/{id}/system", get(system).put(set_system))
        .route("/api/v2/releases/{id}/devices", get(devices).post(note_devices))
        .route("/api/v2/devices", get(locate))
        .route("/api/v2/stakeholders", get(stakeholders).post(add_stakeholder))
        .route("/api/v2/stakeholders/{id}", put(change_stakeholder).delete(drop_stakeholder))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    limit: Option<usize>,
}

async fn find(
    State(app): State<App>,
    Client(who): Client,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, ApiError> {
    let most = asked.limit.unwrap_or(10).clamp(1, 50);
    let found = search::search(app.db(), &who.actor, &asked.q, most).await?;
    Ok(Json(json!({ "q": asked.q, "found": found })))
}

#[derive(Deserialize)]
struct With {
    #[serde(default)]
    vulnerabilities: bool,
}

async fn bill(
    State(app): State<App>,
    Client(who): Client,
    Path((id, format)): Path<(i64, String)>,
    Query(with): Query<With>,
) -> Result<Response, ApiError> {
    let known = || export::FORMATS.map(|f| f.1).join(", ");
    let format =
        Format::parse(&format).ok_or_else(|| ApiError::bad(format!("the format is one of: {}", known())))?;
    let out = export::write(&app, &who.actor, id, format, with.vulnerabilities).await?;
    let disposition = format!("attachment; filename=\"{}\"", out.name);
    Ok(([(CONTENT_TYPE, out.kind.to_owned()), (CONTENT_DISPOSITION, disposition)], out.bytes).into_response())
}

/// The whole graph: nodes, and edges as pairs of component ids.
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

async fn why(
    State(app): State<App>,
    Client(who): Client,
    Path((id, component)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let ways = inventory::why(app.db(), &who.actor, id, component, 20).await?;
    Ok(Json(json!({ "ways": ways })))
}

async fn system(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<System>, ApiError> {
    Ok(Json(inventory::system(app.db(), &who.actor, id).await?))
}

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

#[derive(Deserialize)]
struct Devices {
    #[serde(default)]
    serial: String,
    #[serde(default)]
    skip: u64,
    limit: Option<u64>,
}

async fn devices(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Query(asked): Query<Devices>,
) -> Result<Json<Vec<Device>>, ApiError> {
    let most = asked.limit.unwrap_or(1_000).clamp(1, 10_000);
    Ok(Json(inventory::devices(app.db(), &who.actor, id, &asked.serial, asked.skip, most).await?))
}

#[derive(Deserialize)]
struct Noted {
    customer: String,
    #[serde(default)]
    region: String,
    serial: String,
}

async fn note_devices(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(list): Json<Vec<Noted>>,
) -> Result<Json<Value>, ApiError> {
    let device = |n: Noted| Device { customer: n.customer, region: n.region, serial: n.serial };
    let list: Vec<Device> = list.into_iter().map(device).collect();
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let new = inventory::note_devices(&mut change, id, &list).await?;
    change.commit().await?;
    Ok(Json(json!({ "new": new })))
}

/// Which releases devices with this identifier run, with what is open in them.
async fn locate(
    State(app): State<App>,
    Client(who): Client,
    Query(asked): Query<Devices>,
) -> Result<Json<Value>, ApiError> {
    let most = asked.limit.unwrap_or(100).clamp(1, 1_000);
    Ok(Json(json!({ "devices": inventory::locate(app.db(), &who.actor, &asked.serial, most).await? })))
}

async fn stakeholders(
    State(app): State<App>,
    Client(who): Client,
    Query(asked): Query<Asked>,
) -> Result<Json<Vec<Stakeholder>>, ApiError> {
    Ok(Json(inventory::stakeholders(app.db(), &who.actor, &asked.q).await?))
}

async fn store(app: &App, client: &Client, s: Stakeholder) -> Result<Json<Value>, ApiError> {
    let mut change = Change::begin(app.db(), &client.0.actor).await?;
    let id = inventory::save_stakeholder(&mut change, &s).await?;
    change.commit().await?;
    Ok(Json(json!({ "id": id })))
}

async fn add_stakeholder(
    State(app): State<App>,
    client: Client,
    Json(s): Json<Stakeholder>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    Ok((StatusCode::CREATED, store(&app, &client, Stakeholder { id: 0, ..s }).await?))
}

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

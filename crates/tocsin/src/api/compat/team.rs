//! `/api/v1/team/self`: what a key may do, in this API's words. Each of our permissions is one or more of theirs.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tocsin_core::platform::access::Permission;

use super::Caller;
use super::uuid::{self, Kind};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[("GET", "/api/v1/team/self", Access::Known)];

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/team/self", get(own))
}

const PERMISSIONS: [(Permission, &str); 8] = [
    (Permission::SbomUpload, "BOM_UPLOAD"),
    (Permission::InventoryRead, "VIEW_PORTFOLIO"),
    (Permission::InventoryRead, "VIEW_POLICY_VIOLATION"),
    (Permission::InventoryRead, "VIEW_BADGES"),
    (Permission::InventoryWrite, "PORTFOLIO_MANAGEMENT"),
    (Permission::InventoryWrite, "PROJECT_CREATION_UPLOAD"),
    (Permission::FindingRead, "VIEW_VULNERABILITY"),
    (Permission::FindingDecide, "VULNERABILITY_ANALYSIS"),
];

async fn own(Caller(actor): Caller) -> Json<Value> {
    let held = PERMISSIONS.iter().filter(|(ours, _)| actor.may(*ours));
    let permissions: Vec<Value> = held
        .map(|(ours, theirs)| json!({"name": theirs, "description": format!("{} in Tocsin", ours.name())}))
        .collect();
    let name = actor.name.strip_prefix("key:").unwrap_or(&actor.name);
    Json(json!({"uuid": uuid::of(Kind::Team, actor.workspace), "name": name, "permissions": permissions}))
}

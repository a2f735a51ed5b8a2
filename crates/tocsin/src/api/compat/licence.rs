//! `/api/v1/license` and `/api/v1/licenseGroup`: the SPDX licence list, and the workspace's licence rules as groups.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tocsin_core::inventory;
use tocsin_core::platform::access::Permission;
use tocsin_engine::licence::{Listed, listed};

use super::fault::Fault;
use super::{Asked, Caller, paged, uuid};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/license", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/license/concise", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/license/{id}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/licenseGroup", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/license", get(all))
        .route("/api/v1/license/concise", get(concise))
        .route("/api/v1/license/{id}", get(one))
        .route("/api/v1/licenseGroup", get(groups))
}

fn brief(l: &Listed) -> Value {
    json!({"uuid": uuid::of_vulnerability(&format!("licence:{}", l.id)), "name": l.name, "licenseId": l.id})
}

fn whole(l: &Listed) -> Value {
    let mut licence = brief(l);
    if let Some(licence) = licence.as_object_mut() {
        licence.insert("isOsiApproved".to_owned(), l.osi.into());
        licence.insert("isFsfLibre".to_owned(), l.fsf.into());
        licence.insert("isDeprecatedLicenseId".to_owned(), l.deprecated.into());
        licence.insert("isCustomLicense".to_owned(), false.into());
        licence.insert("seeAlso".to_owned(), json!([format!("https://spdx.org/licenses/{}.html", l.id)]));
    }
    licence
}

/// The list, in pages; only what holds `searchText`.
async fn all(Caller(actor): Caller, Query(asked): Query<Asked>) -> Result<Response, Fault> {
    actor.need(Permission::InventoryRead)?;
    let text = asked.get("searchText").map(|t| t.to_lowercase()).unwrap_or_default();
    let holds = |l: &Listed| l.id.to_lowercase().contains(&text) || l.name.to_lowercase().contains(&text);
    Ok(paged(listed().filter(holds).map(|l| whole(&l)).collect(), &asked))
}

/// The whole list in short.
async fn concise(Caller(actor): Caller) -> Result<Json<Vec<Value>>, Fault> {
    actor.need(Permission::InventoryRead)?;
    Ok(Json(listed().map(|l| brief(&l)).collect()))
}

async fn one(Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    actor.need(Permission::InventoryRead)?;
    let found = listed().find(|l| l.id == id);
    let missing = || Fault::Text(StatusCode::NOT_FOUND, "The license could not be found.".to_owned());
    Ok(Json(whole(&found.ok_or_else(missing)?)))
}

/// The rules of the workspace: a group of licences for each verdict.
async fn groups(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let rules = inventory::licence_rules(app.db(), &actor).await?.remove(&0).unwrap_or_default();
    let known: std::collections::HashMap<&str, Listed> = listed().map(|l| (l.id, l)).collect();
    let mut list = Vec::new();
    for (name, weight, ids) in [
        ("Allowed licences", 1, &rules.allowed),
        ("Licences to review", 5, &rules.review),
        ("Denied licences", 10, &rules.denied),
    ] {
        if !ids.is_empty() {
            let licences: Vec<Value> = ids
                .iter()
                .map(|id| known.get(id.as_str()).map_or_else(|| json!({"name": id}), brief))
                .collect();
            let uuid = uuid::of_vulnerability(&format!("licence group:{}:{name}", actor.workspace));
            list.push(json!({"uuid": uuid, "name": name, "riskWeight": weight, "licenses": licences}));
        }
    }
    Ok(paged(list, &asked).into_response())
}

//! `/api/v1/project/{uuid}/property` and `/api/v1/tag`: words that clients hang on projects.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Amend, Property};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, given, json, paged, release};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/project/{uuid}/property", Access::Needs(Permission::InventoryRead)),
    ("PUT", "/api/v1/project/{uuid}/property", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/api/v1/project/{uuid}/property", Access::Needs(Permission::InventoryWrite)),
    ("DELETE", "/api/v1/project/{uuid}/property", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v1/tag", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/tag/{name}/project", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v1/tag/{name}/project", Access::Needs(Permission::InventoryWrite)),
    ("DELETE", "/api/v1/tag/{name}/project", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/project/{uuid}/property", get(all).put(make).post(change).delete(remove))
        .route("/api/v1/tag", get(tags))
        .route("/api/v1/tag/{name}/project", get(tagged).post(tag).delete(untag))
}

const KINDS: [&str; 8] =
    ["BOOLEAN", "INTEGER", "NUMBER", "STRING", "ENCRYPTEDSTRING", "TIMESTAMP", "URL", "UUID"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    group_name: Option<String>,
    property_name: Option<String>,
    property_value: Option<String>,
    property_type: Option<String>,
    description: Option<String>,
}

fn shown(p: &Property) -> Value {
    // what is called encrypted is not read back
    let value = if p.kind == "ENCRYPTEDSTRING" { "HiddenDecryptedPropertyPlaceholder" } else { &p.value };
    let mut shown =
        json!({"groupName": p.group, "propertyName": p.name, "propertyValue": value, "propertyType": p.kind});
    if let Some(shown) = shown.as_object_mut().filter(|_| !p.description.is_empty()) {
        shown.insert("description".to_owned(), p.description.clone().into());
    }
    shown
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let r = release(&app, &actor, &text).await?;
    let all = inventory::properties(app.db(), &actor, r.id).await?;
    Ok(Json(all.iter().map(shown).collect()))
}

/// The property that a request speaks of, and the one that is there under its name.
async fn read(
    app: &App,
    actor: &Actor,
    text: &str,
    body: &[u8],
) -> Result<(i64, Sent, Option<Property>), Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(body)?;
    let r = release(app, actor, text).await?;
    let name = given(sent.property_name.as_ref()).ok_or_else(|| Fault::needed("propertyName"))?;
    let group = given(sent.group_name.as_ref()).unwrap_or_default();
    if sent.property_type.as_deref() == Some("ENCRYPTEDSTRING") {
        let message = "Tocsin keeps no secrets of others; use STRING for what may be read";
        return Err(Fault::field("propertyType", message, "ENCRYPTEDSTRING"));
    }
    let all = inventory::properties(app.db(), actor, r.id).await?;
    let there = all.into_iter().find(|p| p.name == name && p.group == group);
    Ok((r.id, sent, there))
}

fn missing() -> Fault {
    Fault::Text(StatusCode::NOT_FOUND, "The project property could not be found.".to_owned())
}

async fn set(app: &App, actor: &Actor, id: i64, sent: Sent, there: Option<Property>) -> Result<Value, Fault> {
    let text = |field: Option<String>| field.unwrap_or_default().trim().to_owned();
    let kind = match given(sent.property_type.as_ref()) {
        Some(kind) if KINDS.contains(&kind) => kind.to_owned(),
        Some(kind) => {
            return Err(Fault::field("propertyType", "it is none of the words of this field", kind));
        }
        None => there.as_ref().map_or_else(|| "STRING".to_owned(), |p| p.kind.clone()),
    };
    let new = Property {
        group: text(sent.group_name),
        name: text(sent.property_name),
        value: text(sent.property_value),
        kind,
        description: sent.description.unwrap_or_else(|| there.map(|p| p.description).unwrap_or_default()),
    };
    let mut change = Change::begin(app.db(), actor).await?;
    inventory::set_property(&mut change, id, &new).await?;
    change.commit().await?;
    Ok(shown(&new))
}

async fn make(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    let (id, sent, there) = read(&app, &actor, &text, &body).await?;
    if there.is_some() {
        let text = "A property with the specified project/group/name combination already exists.".to_owned();
        return Err(Fault::Text(StatusCode::CONFLICT, text));
    }
    Ok((StatusCode::CREATED, Json(set(&app, &actor, id, sent, None).await?)).into_response())
}

async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Fault> {
    let (id, sent, there) = read(&app, &actor, &text, &body).await?;
    let there = there.ok_or_else(missing)?;
    Ok(Json(set(&app, &actor, id, sent, Some(there)).await?))
}

async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Fault> {
    let (id, _, there) = read(&app, &actor, &text, &body).await?;
    let there = there.ok_or_else(missing)?;
    let mut change = Change::begin(app.db(), &actor).await?;
    match inventory::remove_property(&mut change, id, &there.group, &there.name).await {
        Err(Error::NotFound(_)) => return Err(missing()),
        done => done?,
    };
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All tags with how many projects have them.
async fn tags(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for name in inventory::tags(app.db(), &actor).await?.into_values().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    let filter = asked.get("filter").map(|f| f.to_lowercase()).unwrap_or_default();
    let one = |(name, n): (String, usize)| {
        json!({"name": name, "projectCount": n, "collectionProjectCount": 0, "policyCount": 0,
            "notificationRuleCount": 0, "vulnerabilityCount": 0})
    };
    let list =
        counts.into_iter().filter(|(name, _)| name.to_lowercase().contains(&filter)).map(one).collect();
    Ok(paged(list, &asked))
}

async fn tagged(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let tags = inventory::tags(app.db(), &actor).await?;
    let releases = inventory::releases(app.db(), &actor, None).await?;
    let of = |r: &&inventory::Release| tags.get(&r.id).is_some_and(|t| t.contains(&name));
    let one = |r: &inventory::Release| json!({"uuid": uuid::of(Kind::Project, r.id), "name": r.product_name, "version": r.version});
    Ok(paged(releases.iter().filter(of).map(one).collect(), &asked))
}

/// Hangs a tag on projects, or takes it off.
async fn mark(app: &App, actor: &Actor, name: &str, body: &[u8], on: bool) -> Result<StatusCode, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let uuids: Vec<String> = json(body)?;
    let all = inventory::tags(app.db(), actor).await?;
    let mut found = Vec::new();
    for text in uuids.iter().take(1_000) {
        found.push(release(app, actor, text).await?.id);
    }
    let mut change = Change::begin(app.db(), actor).await?;
    for id in found {
        let mut tags = all.get(&id).cloned().unwrap_or_default();
        tags.retain(|t| t != name);
        if on {
            tags.push(name.to_owned());
        }
        inventory::amend(&mut change, id, &Amend { tags: Some(tags), ..Amend::default() }).await?;
    }
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tag(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Fault> {
    mark(&app, &actor, &name, &body, true).await
}

async fn untag(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Fault> {
    mark(&app, &actor, &name, &body, false).await
}

//! `/api/v1/project`: releases as projects.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::inventory::{self, Amend, Release};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::bom::Tag;
use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, LINE, given, is_true, json, metrics, millis, paged, release};
use crate::server::App;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/project", get(all).put(make).post(change))
        .route("/api/v1/project/lookup", get(lookup))
        .route("/api/v1/project/latest/{name}", get(latest))
        .route("/api/v1/project/tag/{tag}", get(tagged))
        .route("/api/v1/project/classifier/{classifier}", get(classified))
        .route("/api/v1/project/{uuid}", get(one).patch(patch))
}

/// A release as a project, as lists give it.
fn project(r: &Release, tags: &[String]) -> Value {
    let tags: Vec<Value> = tags.iter().map(|name| json!({"name": name})).collect();
    let mut p = json!({
        "uuid": uuid::of(Kind::Project, r.id),
        "name": r.product_name,
        "version": r.version,
        "classifier": "APPLICATION",
        "active": r.active,
        "isLatest": r.latest,
        "tags": tags,
        "lastInheritedRiskScore": metrics::risk(&r.open),
        "hasChildren": false,
    });
    if let (Some(p), Some(counts)) = (p.as_object_mut(), metrics::brief(r)) {
        p.insert("lastVulnerabilityAnalysis".to_owned(), r.matched.as_deref().and_then(millis).into());
        p.insert("metrics".to_owned(), counts);
    }
    p
}

/// A release as a project with its last upload and the other releases of its product.
async fn whole(app: &App, actor: &Actor, r: &Release) -> Result<Value, Fault> {
    let tags = inventory::tags(app.db(), actor).await?;
    let mut p = project(r, tags.get(&r.id).map_or(&[], Vec::as_slice));
    let documents = inventory::documents(app.db(), actor, r.id).await?;
    let siblings = inventory::releases(app.db(), actor, Some(r.product)).await?;
    let sibling = |s: &Release| json!({"uuid": uuid::of(Kind::Project, s.id), "version": s.version, "active": s.active});
    if let Some(p) = p.as_object_mut() {
        p.insert("versions".to_owned(), siblings.iter().map(sibling).collect());
        if let Some(d) = documents.first() {
            p.insert("lastBomImportFormat".to_owned(), format!("{} {}", d.format, d.spec).into());
            p.insert("lastBomImport".to_owned(), millis(&d.uploaded).into());
        }
    }
    Ok(p)
}

/// Releases that pass, as a page of projects.
async fn list(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    pass: impl Fn(&Release, &[String]) -> bool,
) -> Result<Response, Fault> {
    let mut tags = inventory::tags(app.db(), actor).await?;
    let inactive = !is_true(asked, "excludeInactive");
    let mut found: Vec<(Release, Vec<String>)> = inventory::releases(app.db(), actor, None)
        .await?
        .into_iter()
        .map(|r| (tags.remove(&r.id).unwrap_or_default(), r))
        .filter(|(tags, r)| (inactive || r.active) && pass(r, tags))
        .map(|(tags, r)| (r, tags))
        .collect();
    match asked.get("sortName").map(String::as_str) {
        Some("version") => found.sort_by(|a, b| a.0.version.cmp(&b.0.version)),
        Some("lastInheritedRiskScore") => found.sort_by_key(|f| metrics::risk(&f.0.open)),
        _ => found.sort_by(|a, b| a.0.product_name.cmp(&b.0.product_name).then(b.0.id.cmp(&a.0.id))),
    }
    if asked.get("sortOrder").is_some_and(|o| o.eq_ignore_ascii_case("desc")) {
        found.reverse();
    }
    Ok(paged(found.iter().map(|(r, tags)| project(r, tags)).collect(), asked))
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let name = asked.get("name").cloned();
    list(&app, &actor, &asked, |r, _| name.as_ref().is_none_or(|n| *n == r.product_name)).await
}

async fn tagged(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(tag): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    list(&app, &actor, &asked, |_, tags| tags.contains(&tag)).await
}

async fn classified(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(classifier): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    list(&app, &actor, &asked, |_, _| classifier == "APPLICATION").await
}

async fn one(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Value>, Fault> {
    let r = release(&app, &actor, &text).await?;
    Ok(Json(whole(&app, &actor, &r).await?))
}

async fn lookup(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Fault> {
    let get = |name: &str| asked.get(name).map_or("", |v| v.trim());
    let r = inventory::release_named(app.db(), &actor, get("name"), get("version")).await?;
    Ok(Json(whole(&app, &actor, &r).await?))
}

async fn latest(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let all = inventory::releases(app.db(), &actor, None).await?;
    let found = all.iter().find(|r| r.latest && r.product_name == name);
    Ok(Json(whole(&app, &actor, found.ok_or_else(|| Fault::missing("project"))?).await?))
}

/// What a client says of a project. What releases have no place for (publisher, purl …) is not kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    uuid: Option<String>,
    name: Option<String>,
    version: Option<String>,
    tags: Option<Vec<Tag>>,
    active: Option<bool>,
    is_latest: Option<bool>,
    parent: Option<Parent>,
}

#[derive(Deserialize)]
struct Parent {
    uuid: Option<String>,
}

impl Sent {
    fn amend(&self) -> Amend {
        let names = |tags: &Vec<Tag>| tags.iter().map(|t| t.name.clone()).collect();
        Amend { active: self.active, latest: self.is_latest, tags: self.tags.as_ref().map(names) }
    }

    /// Refuses another name or version: documents and decisions hang on them.
    fn same(&self, r: &Release) -> Result<(), Fault> {
        let other = |sent: &Option<String>, own: &str| sent.as_ref().is_some_and(|s| s.trim() != own);
        for (path, changed) in
            [("name", other(&self.name, &r.product_name)), ("version", other(&self.version, &r.version))]
        {
            if changed {
                let message = "Tocsin does not rename projects; make another version instead";
                return Err(Fault::field(path, message, ""));
            }
        }
        Ok(())
    }
}

async fn make(State(app): State<App>, Caller(actor): Caller, body: Bytes) -> Result<Response, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(&body)?;
    if let Some(parent) = &sent.parent {
        let Some(uuid) = given(parent.uuid.as_ref()) else {
            let text = "parent.uuid must be provided when parent is set".to_owned();
            return Err(Fault::Text(StatusCode::BAD_REQUEST, text));
        };
        release(&app, &actor, uuid).await?;
    }
    let name = given(sent.name.as_ref()).ok_or_else(|| Fault::needed("name"))?;
    let version = given(sent.version.as_ref()).ok_or_else(|| Fault::needed("version"))?;
    if inventory::release_named(app.db(), &actor, name, version).await.is_ok() {
        let text = "A project with the specified name already exists.".to_owned();
        return Err(Fault::Text(StatusCode::CONFLICT, text));
    }
    let mut change = Change::begin(app.db(), &actor).await?;
    let line = inventory::make_line(&mut change, LINE).await?;
    let product = inventory::make_product(&mut change, line, name).await?;
    let id = inventory::make_release(&mut change, product, version).await?;
    if sent.amend() != Amend::default() {
        inventory::amend(&mut change, id, &sent.amend()).await?;
    }
    change.commit().await?;
    let r = inventory::release_of(app.db(), &actor, id).await?;
    Ok((StatusCode::CREATED, Json(whole(&app, &actor, &r).await?)).into_response())
}

async fn change(State(app): State<App>, Caller(actor): Caller, body: Bytes) -> Result<Response, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(&body)?;
    let uuid = given(sent.uuid.as_ref()).ok_or_else(|| Fault::needed("uuid"))?;
    let r = release(&app, &actor, uuid).await?;
    amend(&app, &actor, &r, &sent).await
}

async fn patch(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(&body)?;
    let r = release(&app, &actor, &text).await?;
    let tags = inventory::tags(app.db(), &actor).await?.remove(&r.id).unwrap_or_default();
    let wanted = sent.amend();
    let unchanged = wanted.active.is_none_or(|a| a == r.active)
        && wanted.latest.is_none_or(|l| l == r.latest)
        && wanted.tags.as_ref().is_none_or(|t| *t == tags);
    sent.same(&r)?;
    if unchanged {
        Ok(StatusCode::NOT_MODIFIED.into_response())
    } else {
        amend(&app, &actor, &r, &sent).await
    }
}

async fn amend(app: &App, actor: &Actor, r: &Release, sent: &Sent) -> Result<Response, Fault> {
    sent.same(r)?;
    let mut change = Change::begin(app.db(), actor).await?;
    inventory::amend(&mut change, r.id, &sent.amend()).await?;
    change.commit().await?;
    let r = inventory::release_of(app.db(), actor, r.id).await?;
    Ok(Json(whole(app, actor, &r).await?).into_response())
}

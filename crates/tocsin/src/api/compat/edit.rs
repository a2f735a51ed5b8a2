//! Making, changing, copying and removing projects. What Tocsin itself has no place for is kept as it was sent and
//! given back: group, publisher, purl, a parent …

use std::collections::HashMap;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tocsin_core::Error;
use tocsin_core::detection::{self, Filter, Reach};
use tocsin_core::inventory::{self, Amend, Card, Release};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::bom::Tag;
use super::fault::Fault;
use super::project::{classifier, whole};
use super::uuid::{self, Kind};
use super::{Caller, FINDINGS, LINE, given, json, release};
use crate::intake::{self, Place};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("PUT", "/api/v1/project/clone", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/api/v1/project/batchDelete", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/project/clone", put(clone))
        .route("/api/v1/project/batchDelete", post(remove_many))
}

/// Kinds of projects, in this API's words.
const CLASSIFIERS: [&str; 14] = [
    "NONE",
    "APPLICATION",
    "FRAMEWORK",
    "LIBRARY",
    "CONTAINER",
    "OPERATING_SYSTEM",
    "DEVICE",
    "FIRMWARE",
    "FILE",
    "PLATFORM",
    "DEVICE_DRIVER",
    "MACHINE_LEARNING_MODEL",
    "DATA",
    "CRYPTOGRAPHIC_ASSET",
];

/// Fields that are kept as they are sent.
const FIELDS: [&str; 12] = [
    "group",
    "publisher",
    "description",
    "author",
    "authors",
    "manufacturer",
    "supplier",
    "cpe",
    "purl",
    "swidTagId",
    "copyright",
    "externalReferences",
];

/// What a client says of a project.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    uuid: Option<String>,
    name: Option<String>,
    version: Option<String>,
    tags: Option<Vec<Tag>>,
    active: Option<bool>,
    is_latest: Option<bool>,
    classifier: Option<String>,
    #[serde(default, deserialize_with = "told")]
    parent: Option<Option<Parent>>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Deserialize)]
struct Parent {
    uuid: Option<String>,
}

/// Tells a field that is `null` from one that is missing.
fn told<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Option<Parent>>, D::Error> {
    Option::deserialize(d).map(Some)
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

    /// What is said of the project when this is added to what was said before.
    async fn card(&self, app: &App, actor: &Actor, before: Card) -> Result<Card, Fault> {
        let mut card = before;
        if let Some(word) = &self.classifier {
            if !CLASSIFIERS.contains(&word.as_str()) {
                return Err(Fault::field("classifier", "it is none of the words of this field", word));
            }
            card.kind = word.to_ascii_lowercase().replace('_', "-");
        }
        match &self.parent {
            None => {}
            Some(None) => card.parent = None,
            Some(Some(parent)) => {
                let Some(uuid) = given(parent.uuid.as_ref()) else {
                    let text = "parent.uuid must be provided when parent is set".to_owned();
                    return Err(Fault::Text(StatusCode::BAD_REQUEST, text));
                };
                card.parent = Some(release(app, actor, uuid).await?.id);
            }
        }
        for (name, value) in &self.more {
            if !FIELDS.contains(&name.as_str()) {
                continue;
            }
            if value.as_str().is_some_and(|v| v.len() > 1024) {
                return Err(Fault::field(name, "it is longer than 1024 bytes", ""));
            }
            if value.is_null() {
                card.fields.remove(name);
            } else {
                card.fields.insert(name.clone(), value.clone());
            }
        }
        Ok(card)
    }
}

fn exists() -> Fault {
    Fault::Text(StatusCode::CONFLICT, "A project with the specified name already exists.".to_owned())
}

pub(super) async fn make(
    State(app): State<App>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<Response, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(&body)?;
    let card = sent.card(&app, &actor, Card::default()).await?;
    let name = given(sent.name.as_ref()).ok_or_else(|| Fault::needed("name"))?;
    let version = given(sent.version.as_ref()).ok_or_else(|| Fault::needed("version"))?;
    if inventory::release_named(app.db(), &actor, name, version).await.is_ok() {
        return Err(exists());
    }
    let mut change = Change::begin(app.db(), &actor).await?;
    let line = inventory::make_line(&mut change, LINE).await?;
    let product = inventory::make_product(&mut change, line, name).await?;
    let id = inventory::make_release(&mut change, product, version).await?;
    if sent.amend() != Amend::default() {
        inventory::amend(&mut change, id, &sent.amend()).await?;
    }
    if card != Card::default() {
        inventory::set_card(&mut change, id, &card).await?;
    }
    change.commit().await?;
    let r = inventory::release_of(app.db(), &actor, id).await?;
    Ok((StatusCode::CREATED, Json(whole(&app, &actor, &r).await?)).into_response())
}

pub(super) async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<Response, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(&body)?;
    let uuid = given(sent.uuid.as_ref()).ok_or_else(|| Fault::needed("uuid"))?;
    let r = release(&app, &actor, uuid).await?;
    let card = card_of(&app, &actor, &r).await?;
    let wanted = sent.card(&app, &actor, card).await?;
    amend(&app, &actor, &r, &sent, &wanted).await
}

async fn card_of(app: &App, actor: &Actor, r: &Release) -> Result<Card, Fault> {
    Ok(inventory::cards(app.db(), actor).await?.remove(&r.id).unwrap_or_default())
}

pub(super) async fn patch(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<Response, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Sent = json(&body)?;
    let r = release(&app, &actor, &text).await?;
    let tags = inventory::tags_of(app.db(), &actor, r.id).await?;
    let wanted = sent.amend();
    let before = card_of(&app, &actor, &r).await?;
    let card = sent.card(&app, &actor, before.clone()).await?;
    let sorted = |t: &Vec<String>| {
        let mut t = t.clone();
        t.sort();
        t
    };
    let unchanged = wanted.active.is_none_or(|a| a == r.active)
        && wanted.latest.is_none_or(|l| l == r.latest)
        && wanted.tags.as_ref().is_none_or(|t| sorted(t) == sorted(&tags))
        && card.parent == before.parent
        && card.fields == before.fields
        && classifier(&card) == classifier(&before);
    sent.same(&r)?;
    if unchanged {
        Ok(StatusCode::NOT_MODIFIED.into_response())
    } else {
        amend(&app, &actor, &r, &sent, &card).await
    }
}

async fn amend(app: &App, actor: &Actor, r: &Release, sent: &Sent, card: &Card) -> Result<Response, Fault> {
    sent.same(r)?;
    let mut change = Change::begin(app.db(), actor).await?;
    inventory::amend(&mut change, r.id, &sent.amend()).await?;
    if *card != Card::default() || card_of(app, actor, r).await? != Card::default() {
        inventory::set_card(&mut change, r.id, card).await?;
    }
    change.commit().await?;
    let r = inventory::release_of(app.db(), actor, r.id).await?;
    Ok(Json(whole(app, actor, &r).await?).into_response())
}

pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<StatusCode, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let r = release(&app, &actor, &text).await?;
    let mut change = Change::begin(app.db(), &actor).await?;
    inventory::remove_release(&mut change, r.id).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes all of the listed projects, or none.
async fn remove_many(
    State(app): State<App>,
    Caller(actor): Caller,
    body: Bytes,
) -> Result<StatusCode, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let uuids: Vec<String> = json(&body)?;
    let mut found = Vec::new();
    for text in uuids.iter().take(1_000) {
        found.push(release(&app, &actor, text).await?.id);
    }
    let mut change = Change::begin(app.db(), &actor).await?;
    for id in found {
        inventory::remove_release(&mut change, id).await?;
    }
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Twin {
    project: Option<String>,
    version: Option<String>,
    include_tags: bool,
    include_properties: bool,
    include_components: bool,
    include_dependencies: bool,
    include_audit_history: bool,
    make_clone_latest: bool,
}

/// Makes another version of a project from one that is there: its tags, properties and parent, what it holds, what was
/// decided of its findings.
async fn clone(State(app): State<App>, Caller(actor): Caller, body: Bytes) -> Result<Json<Value>, Fault> {
    actor.need(Permission::InventoryWrite)?;
    let sent: Twin = json(&body)?;
    let uuid = given(sent.project.as_ref()).ok_or_else(|| Fault::needed("project"))?;
    let version = given(sent.version.as_ref()).ok_or_else(|| Fault::needed("version"))?;
    let r = release(&app, &actor, uuid).await?;
    if inventory::release_named(app.db(), &actor, &r.product_name, version).await.is_ok() {
        let text = "A project with the specified name and version already exists.".to_owned();
        return Err(Fault::Text(StatusCode::CONFLICT, text));
    }
    let tags = inventory::tags_of(app.db(), &actor, r.id).await?;
    let properties = inventory::properties(app.db(), &actor, r.id).await?;
    let card = card_of(&app, &actor, &r).await?;
    let mut change = Change::begin(app.db(), &actor).await?;
    let id = inventory::make_release(&mut change, r.product, version).await?;
    let tags = sent.include_tags.then_some(tags);
    inventory::amend(&mut change, id, &Amend { active: None, latest: Some(sent.make_clone_latest), tags })
        .await?;
    if !sent.make_clone_latest && r.latest {
        // the newest made is its product's latest, which the client says it is not
        inventory::amend(&mut change, r.id, &Amend { latest: Some(true), ..Amend::default() }).await?;
    }
    if card != Card::default() {
        inventory::set_card(&mut change, id, &card).await?;
    }
    for p in properties.iter().filter(|_| sent.include_properties) {
        inventory::set_property(&mut change, id, p).await?;
    }
    change.commit().await?;
    let mut token = 0;
    if sent.include_components || sent.include_dependencies {
        match inventory::original(app.db(), &actor, r.id, 0).await {
            Ok((name, bytes)) => {
                token = intake::take(&app, &actor, Place::Release(id), name, bytes).await?.document;
                if sent.include_audit_history && actor.may(Permission::FindingDecide) {
                    decide(&app, &actor, r.id, id).await?;
                }
            }
            Err(Error::NotFound(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(Json(json!({"token": uuid::of(Kind::Token, token)})))
}

/// Decides the findings of a release as the same ones of another were decided, each on its own.
async fn decide(app: &App, actor: &Actor, from: i64, to: i64) -> Result<(), Fault> {
    let findings = |release: i64| {
        let filter = Filter { release: Some(release), inferred: true, ..Filter::default() };
        async move { detection::findings(app.db(), actor, &filter, None, FINDINGS).await }
    };
    let grounds = detection::grounds(app.db(), actor, from).await?;
    let decided: HashMap<(i64, String), String> = findings(from)
        .await?
        .findings
        .into_iter()
        .filter_map(|f| {
            let decision = grounds.get(&f.id)?.decision.as_ref().filter(|d| d.reach == Reach::Finding)?;
            Some(((f.component, f.vulnerability), serde_json::to_string(decision).ok()?))
        })
        .collect();
    // those that are decided alike are decided together
    let mut alike: HashMap<String, Vec<i64>> = HashMap::new();
    for f in findings(to).await?.findings {
        if let Some(decision) = decided.get(&(f.component, f.vulnerability)) {
            alike.entry(decision.clone()).or_default().push(f.id);
        }
    }
    let mut change = Change::begin(app.db(), actor).await?;
    for (decision, ids) in alike {
        let Ok(decision) = serde_json::from_str(&decision) else { continue };
        for some in ids.chunks(detection::MOST) {
            detection::decide_all(&mut change, some, &decision).await?;
        }
    }
    change.commit().await?;
    Ok(())
}

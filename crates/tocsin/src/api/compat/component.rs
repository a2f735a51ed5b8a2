//! `/api/v1/component` and `/api/v1/dependencyGraph`: what a release is made of, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tocsin_core::inventory::{self, Part, Release, Use};
use tocsin_core::platform::access::{Actor, Permission};

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, is_true, paged, release};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/component/project/{uuid}", Access::Needs(Permission::InventoryRead)),
    (
        "GET",
        "/api/v1/component/project/{uuid}/dependencyGraph/{components}",
        Access::Needs(Permission::InventoryRead),
    ),
    ("GET", "/api/v1/component/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/component/hash/{hash}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/component/identity", Access::Needs(Permission::InventoryRead)),
    (
        "GET",
        "/api/v1/dependencyGraph/project/{uuid}/directDependencies",
        Access::Needs(Permission::InventoryRead),
    ),
    (
        "GET",
        "/api/v1/dependencyGraph/component/{uuid}/directDependencies",
        Access::Needs(Permission::InventoryRead),
    ),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/component/project/{uuid}", get(all))
        .route("/api/v1/component/project/{uuid}/dependencyGraph/{components}", get(graph))
        .route("/api/v1/component/{uuid}", get(one))
        .route("/api/v1/component/hash/{hash}", get(by_hash))
        .route("/api/v1/component/identity", get(by_identity))
        .route("/api/v1/dependencyGraph/project/{uuid}/directDependencies", get(direct_of_project))
        .route("/api/v1/dependencyGraph/component/{uuid}/directDependencies", get(direct_of_component))
}

/// Most places of a component that one question gives.
const USES: u64 = 10_000;

/// A component of a release; what is empty is left out.
pub(super) fn component(release: i64, p: &Part) -> Map<String, Value> {
    let mut c = Map::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            c.insert(name.to_owned(), value.into());
        }
    };
    put("uuid", &uuid::of_component(release, p.id));
    put("group", &p.group);
    put("name", &p.name);
    put("version", &p.version);
    put("purl", &p.purl);
    put("cpe", p.cpes.first().map_or("", String::as_str));
    put("scope", &p.scope.to_ascii_uppercase());
    c
}

/// A component with all that this API tells of it.
fn full(r: &Release, p: &Part) -> Map<String, Value> {
    let mut c = component(r.id, p);
    c.insert("classifier".to_owned(), p.kind.to_ascii_uppercase().replace('-', "_").into());
    if !p.licences.is_empty() {
        c.insert("license".to_owned(), p.licences.clone().into());
    }
    let project = json!({"uuid": uuid::of(Kind::Project, r.id), "name": r.product_name, "version": r.version,
        "active": r.active, "isLatest": r.latest});
    c.insert("project".to_owned(), project);
    c
}

/// Release and component of a component's UUID.
pub(super) fn place(text: &str) -> Result<(i64, i64), Fault> {
    if !uuid::is_valid(text) {
        return Err(Fault::field("uuid", "Invalid UUID", text));
    }
    uuid::component(text).ok_or_else(|| Fault::missing("component"))
}

/// A component by its UUID, with its release.
async fn find(app: &App, actor: &Actor, text: &str) -> Result<(Release, Part), Fault> {
    let (release, component) = place(text)?;
    let missing = || Fault::missing("component");
    let r = inventory::release_of(app.db(), actor, release).await.map_err(|e| match e {
        tocsin_core::Error::NotFound(_) => missing(),
        e => e.into(),
    })?;
    let parts = inventory::parts(app.db(), actor, release).await?;
    let part = parts.into_iter().find(|p| p.id == component);
    Ok((r, part.ok_or_else(missing)?))
}

/// Components that the product itself names, in short.
pub(super) async fn direct(app: &App, actor: &Actor, r: &Release) -> Result<Vec<Value>, Fault> {
    let parts = inventory::parts(app.db(), actor, r.id).await?;
    Ok(parts.iter().filter(|p| p.direct).map(|p| brief(r.id, p)).collect())
}

fn brief(release: i64, p: &Part) -> Value {
    let mut c = component(release, p);
    c.retain(|name, _| ["uuid", "name", "version", "purl"].contains(&name.as_str()));
    c.into()
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let direct = is_true(&asked, "onlyDirect");
    let text = asked.get("searchText").map(|t| t.to_lowercase()).unwrap_or_default();
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let takes = |p: &&Part| {
        (!direct || p.direct)
            && (text.is_empty() || format!("{}/{}", p.group, p.name).to_lowercase().contains(&text))
    };
    Ok(paged(parts.iter().filter(takes).map(|p| full(&r, p).into()).collect(), &asked))
}

async fn one(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Value>, Fault> {
    let (r, part) = find(&app, &actor, &text).await?;
    Ok(Json(full(&r, &part).into()))
}

/// A component that was found where it is used.
fn found(u: &Use) -> Value {
    let (group, name) = u.name.rsplit_once('/').unwrap_or(("", &u.name));
    let project =
        json!({"uuid": uuid::of(Kind::Project, u.release), "name": u.product, "version": u.release_version});
    let mut c = json!({"uuid": uuid::of_component(u.release, u.component), "name": name, "project": project});
    if let Some(c) = c.as_object_mut() {
        for (field, value) in [("group", group), ("version", &u.version), ("purl", &u.purl)] {
            if !value.is_empty() {
                c.insert(field.to_owned(), value.into());
            }
        }
    }
    c
}

async fn by_hash(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(hash): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let is_hash =
        [32, 40, 56, 64, 96, 128].contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let uses = match is_hash {
        true => inventory::where_used(app.db(), &actor, &hash, USES).await?,
        false => Vec::new(),
    };
    Ok(paged(uses.iter().map(found).collect(), &asked))
}

async fn by_identity(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let get = |name: &str| asked.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    let text = match (get("purl"), get("cpe"), get("name")) {
        (Some(purl), _, _) => purl.to_owned(),
        (_, Some(cpe), _) => cpe.to_owned(),
        (_, _, Some(name)) => name.to_owned(),
        _ => return Ok(paged(Vec::new(), &asked)),
    };
    let project = get("project").map(|p| uuid::id(Kind::Project, p));
    let mut uses = inventory::where_used(app.db(), &actor, &text, USES).await?;
    uses.retain(|u| {
        let (group, name) = u.name.rsplit_once('/').unwrap_or(("", &u.name));
        get("version").is_none_or(|v| v == u.version)
            && get("group").is_none_or(|g| g == group)
            && get("name").is_none_or(|n| n.eq_ignore_ascii_case(name))
            && project.is_none_or(|p| p == Some(u.release))
    });
    Ok(paged(uses.iter().map(found).collect(), &asked))
}

async fn direct_of_project(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let edges = inventory::edges(app.db(), &actor, r.id).await?;
    let list = nodes(&r, &parts, &edges, |p| p.direct);
    Ok(paged(list, &asked))
}

async fn direct_of_component(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (r, part) = find(&app, &actor, &text).await?;
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let edges = inventory::edges(app.db(), &actor, r.id).await?;
    let below: HashSet<i64> = edges.iter().filter(|e| e.0 == part.id).map(|e| e.1).collect();
    Ok(paged(nodes(&r, &parts, &edges, |p| below.contains(&p.id)), &asked))
}

/// Components that pass, each with those it needs itself (in a text with JSON in it).
fn nodes(r: &Release, parts: &[Part], edges: &[(i64, i64)], pass: impl Fn(&Part) -> bool) -> Vec<Value> {
    let known: HashMap<i64, &Part> = parts.iter().map(|p| (p.id, p)).collect();
    let mut below: HashMap<i64, Vec<Value>> = HashMap::new();
    for (parent, child) in edges {
        if let Some(p) = known.get(child) {
            below.entry(*parent).or_default().push(brief(r.id, p));
        }
    }
    let node = |p: &Part| {
        let mut c = component(r.id, p);
        if let Some(list) = below.remove(&p.id) {
            c.insert("directDependencies".to_owned(), Value::from(list).to_string().into());
        }
        Value::Object(c)
    };
    parts.iter().filter(|p| pass(p)).map(node).collect()
}

/// Why components are in a project: them and all that need them, by UUID.
async fn graph(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((text, wanted)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let r = release(&app, &actor, &text).await?;
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let edges = inventory::edges(app.db(), &actor, r.id).await?;
    let known: HashMap<i64, &Part> = parts.iter().map(|p| (p.id, p)).collect();
    let mut above: HashMap<i64, Vec<i64>> = HashMap::new();
    for (parent, child) in &edges {
        above.entry(*child).or_default().push(*parent);
    }
    let mut waiting = Vec::new();
    for one in wanted.split('|') {
        let (own, component) = place(one)?;
        if own != r.id || !known.contains_key(&component) {
            return Err(Fault::missing("component"));
        }
        waiting.push(component);
    }
    let mut seen: HashSet<i64> = HashSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            waiting.extend(above.get(&id).into_iter().flatten().copied());
        }
    }
    let mut out = BTreeMap::new();
    for id in &seen {
        let Some(p) = known.get(id) else { continue };
        let below = edges.iter().filter(|(parent, child)| parent == id && seen.contains(child));
        let below: BTreeSet<String> = below.map(|(_, child)| uuid::of_component(r.id, *child)).collect();
        let mut c = component(r.id, p);
        c.insert("expandDependencyGraph".to_owned(), (!below.is_empty()).into());
        c.insert("dependencyGraph".to_owned(), below.into_iter().collect());
        out.insert(uuid::of_component(r.id, *id), Value::Object(c));
    }
    Ok(Json(json!(out)))
}

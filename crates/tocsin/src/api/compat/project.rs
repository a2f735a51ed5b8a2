//! `/api/v1/project`: releases as projects, read. Changing them is in [`super::edit`].

use std::collections::{HashMap, HashSet};

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tocsin_core::inventory::{self, Broken, Card, Imported, Release};
use tocsin_core::platform::access::{Actor, Permission};

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, Pages, counted, is_true, metrics, millis, release};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/project", Access::Needs(Permission::InventoryRead)),
    ("PUT", "/api/v1/project", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/api/v1/project", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v1/project/concise", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/concise/{uuid}/children", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/lookup", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/latest/{name}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/tag/{tag}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/classifier/{classifier}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/withoutDescendantsOf/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/{uuid}/children", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/project/{uuid}/children/tag/{tag}", Access::Needs(Permission::InventoryRead)),
    (
        "GET",
        "/api/v1/project/{uuid}/children/classifier/{classifier}",
        Access::Needs(Permission::InventoryRead),
    ),
    ("GET", "/api/v1/project/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("PATCH", "/api/v1/project/{uuid}", Access::Needs(Permission::InventoryWrite)),
    ("DELETE", "/api/v1/project/{uuid}", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/project", get(all).put(super::edit::make).post(super::edit::change))
        .route("/api/v1/project/concise", get(concise))
        .route("/api/v1/project/concise/{uuid}/children", get(concise_children))
        .route("/api/v1/project/lookup", get(lookup))
        .route("/api/v1/project/latest/{name}", get(latest))
        .route("/api/v1/project/tag/{tag}", get(tagged))
        .route("/api/v1/project/classifier/{classifier}", get(classified))
        .route("/api/v1/project/withoutDescendantsOf/{uuid}", get(elsewhere))
        .route("/api/v1/project/{uuid}/children", get(children))
        .route("/api/v1/project/{uuid}/children/tag/{tag}", get(children_tagged))
        .route("/api/v1/project/{uuid}/children/classifier/{classifier}", get(children_classified))
        .route("/api/v1/project/{uuid}", get(one).patch(super::edit::patch).delete(super::edit::remove))
}

/// A classifier as CycloneDX spells component types; ours is `application` where nobody says.
pub(super) fn classifier(card: &Card) -> String {
    let kind = if card.kind.is_empty() { "application" } else { &card.kind };
    kind.to_ascii_uppercase().replace('-', "_")
}

/// All that is said of the releases that a caller may see.
struct Around {
    tags: HashMap<i64, Vec<String>>,
    cards: HashMap<i64, Card>,
    imported: HashMap<i64, Imported>,
    parents: HashSet<i64>,
    releases: Vec<Release>,
    broken: HashMap<i64, Broken>,
}

impl Around {
    async fn of(app: &App, actor: &Actor) -> Result<Around, Fault> {
        let cards = inventory::cards(app.db(), actor).await?;
        Ok(Around {
            tags: inventory::tags(app.db(), actor).await?,
            parents: cards.values().filter_map(|c| c.parent).collect(),
            cards,
            imported: inventory::imported(app.db(), actor).await?,
            releases: inventory::releases(app.db(), actor, None).await?,
            broken: inventory::broken(app.db(), actor, None).await?,
        })
    }

    fn tags(&self, release: i64) -> &[String] {
        self.tags.get(&release).map_or(&[], Vec::as_slice)
    }

    /// Name, version and UUID of a release, as a parent is shown.
    fn brief(&self, id: i64) -> Option<Value> {
        let r = self.releases.iter().find(|r| r.id == id)?;
        Some(json!({"uuid": uuid::of(Kind::Project, id), "name": r.product_name, "version": r.version}))
    }

    /// A release as a project.
    fn project(&self, r: &Release) -> Value {
        let none = Card::default();
        let card = self.cards.get(&r.id).unwrap_or(&none);
        let mut p: Map<String, Value> = card.fields.clone();
        let mut put = |name: &str, value: Value| p.insert(name.to_owned(), value);
        put("uuid", uuid::of(Kind::Project, r.id).into());
        put("name", r.product_name.as_str().into());
        put("version", r.version.as_str().into());
        put("classifier", classifier(card).into());
        put("active", r.active.into());
        put("isLatest", r.latest.into());
        put("tags", self.tags(r.id).iter().map(|name| json!({"name": name})).collect());
        put("hasChildren", self.parents.contains(&r.id).into());
        put("lastInheritedRiskScore", metrics::risk(&r.open).into());
        if let Some(parent) = card.parent.and_then(|id| self.brief(id)) {
            put("parent", parent);
        }
        if let Some(i) = self.imported.get(&r.id) {
            put("lastBomImport", millis(&i.at).into());
            put(
                "lastBomImportFormat",
                format!("{} {}", i.format.split(' ').next().unwrap_or_default(), i.spec).into(),
            );
        }
        if let Some(counts) = metrics::brief(r, self.broken.get(&r.id).copied().unwrap_or_default()) {
            put("lastVulnerabilityAnalysis", r.matched.as_deref().and_then(millis).into());
            put("metrics", counts);
        }
        p.into()
    }
}

/// A release as a project with its parts and the other releases of its product.
pub(super) async fn whole(app: &App, actor: &Actor, r: &Release) -> Result<Value, Fault> {
    let around = Around::of(app, actor).await?;
    let mut p = around.project(r);
    let sibling = |s: &&Release| json!({"uuid": uuid::of(Kind::Project, s.id), "version": s.version, "active": s.active, "isLatest": s.latest});
    let siblings: Vec<&Release> = around.releases.iter().filter(|s| s.product == r.product).collect();
    let below =
        around.cards.iter().filter(|(_, c)| c.parent == Some(r.id)).filter_map(|(id, _)| around.brief(*id));
    let mut children: Vec<Value> = below.collect();
    children.sort_by_key(|c| c["uuid"].to_string());
    if let Some(p) = p.as_object_mut() {
        p.insert("versions".to_owned(), siblings.iter().map(sibling).collect());
        if !children.is_empty() {
            p.insert("children".to_owned(), children.into());
        }
        let direct = super::component::direct(app, actor, r).await?;
        if !direct.is_empty() {
            // a text with JSON in it, for whatever reason
            p.insert("directDependencies".to_owned(), Value::from(direct).to_string().into());
        }
    }
    Ok(p)
}

/// Releases that pass, as a page of projects.
pub(super) async fn list(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    pass: impl Fn(&Release, &[String], &Card) -> bool,
) -> Result<Response, Fault> {
    let around = Around::of(app, actor).await?;
    let none = Card::default();
    let (inactive, root) = (!is_true(asked, "excludeInactive"), is_true(asked, "onlyRoot"));
    let text = asked.get("searchText").map(|t| t.to_lowercase()).unwrap_or_default();
    let card = |r: &Release| around.cards.get(&r.id).unwrap_or(&none);
    let takes = |r: &&Release| {
        (inactive || r.active)
            && (!root || card(r).parent.is_none())
            && (text.is_empty() || format!("{} {}", r.product_name, r.version).to_lowercase().contains(&text))
            && pass(r, around.tags(r.id), card(r))
    };
    let mut found: Vec<&Release> = around.releases.iter().filter(takes).collect();
    let imported = |r: &Release| around.imported.get(&r.id).map(|i| i.at.clone());
    match asked.get("sortName").map(String::as_str) {
        Some("version") => found.sort_by(|a, b| a.version.cmp(&b.version)),
        Some("lastInheritedRiskScore") => found.sort_by_key(|r| metrics::risk(&r.open)),
        Some("lastBomImport") => found.sort_by_cached_key(|r| imported(r)),
        Some("active") => found.sort_by_key(|r| r.active),
        _ => found.sort_by(|a, b| a.product_name.cmp(&b.product_name).then(b.id.cmp(&a.id))),
    }
    if asked.get("sortOrder").is_some_and(|o| o.eq_ignore_ascii_case("desc")) {
        found.reverse();
    }
    let (total, pages) = (found.len(), Pages::of(asked));
    let page: Vec<Value> =
        found.iter().skip(pages.skip).take(pages.size).map(|r| around.project(r)).collect();
    Ok(counted(total, axum::response::IntoResponse::into_response(Json(page))))
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let name = asked.get("name").cloned();
    list(&app, &actor, &asked, |r, _, _| name.as_ref().is_none_or(|n| *n == r.product_name)).await
}

/// Projects with their counts only. `name` is the beginning of one here.
async fn concise(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let get = |name: &str| asked.get(name).map(|v| v.to_lowercase()).filter(|v| !v.is_empty());
    let (name, version, tag, kind) = (get("name"), get("version"), asked.get("tag"), asked.get("classifier"));
    let active = asked.get("active").map(|a| a.eq_ignore_ascii_case("true"));
    list(&app, &actor, &asked, |r, tags, card| {
        name.as_ref().is_none_or(|n| r.product_name.to_lowercase().starts_with(n))
            && version.as_ref().is_none_or(|v| r.version.to_lowercase() == *v)
            && tag.is_none_or(|t| tags.contains(t))
            && kind.is_none_or(|k| *k == classifier(card))
            && active.is_none_or(|a| a == r.active)
    })
    .await
}

async fn tagged(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(tag): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    list(&app, &actor, &asked, |_, tags, _| tags.contains(&tag)).await
}

async fn classified(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(wanted): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    list(&app, &actor, &asked, |_, _, card| wanted.eq_ignore_ascii_case(&classifier(card))).await
}

async fn below(
    app: &App,
    actor: &Actor,
    text: &str,
    asked: &Asked,
    pass: impl Fn(&[String], &Card) -> bool,
) -> Result<Response, Fault> {
    let r = release(app, actor, text).await?;
    list(app, actor, asked, |_, tags, card| card.parent == Some(r.id) && pass(tags, card)).await
}

async fn children(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    below(&app, &actor, &text, &asked, |_, _| true).await
}

async fn concise_children(
    app: State<App>,
    caller: Caller,
    path: Path<String>,
    query: Query<Asked>,
) -> Result<Response, Fault> {
    children(app, caller, path, query).await
}

async fn children_tagged(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((text, tag)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    below(&app, &actor, &text, &asked, |tags, _| tags.contains(&tag)).await
}

async fn children_classified(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((text, wanted)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    below(&app, &actor, &text, &asked, |_, card| wanted.eq_ignore_ascii_case(&classifier(card))).await
}

/// Projects that are not below one: what it may be put under.
async fn elsewhere(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let cards = inventory::cards(app.db(), &actor).await?;
    let mut under = HashSet::from([r.id]);
    // each round finds what is one step further below
    loop {
        let is_below = |c: &Card| c.parent.is_some_and(|p| under.contains(&p));
        let more: Vec<i64> =
            cards.iter().filter(|(id, c)| !under.contains(*id) && is_below(c)).map(|(id, _)| *id).collect();
        if more.is_empty() {
            break;
        }
        under.extend(more);
    }
    list(&app, &actor, &asked, |r, _, _| !under.contains(&r.id)).await
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
    Query(asked): Query<Asked>,
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
    let r = latest_of(&app, &actor, &name).await?;
    Ok(Json(whole(&app, &actor, &r.ok_or_else(|| Fault::missing("project"))?).await?))
}

/// The latest release of a product.
pub(super) async fn latest_of(app: &App, actor: &Actor, name: &str) -> Result<Option<Release>, Fault> {
    let all = inventory::releases(app.db(), actor, None).await?;
    Ok(all.into_iter().find(|r| r.latest && r.product_name == name))
}

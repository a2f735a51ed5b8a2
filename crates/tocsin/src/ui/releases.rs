//! A release: overview, findings, components, dependency graph, licences, deployments, documents, operating system, and
//! itself against another release.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::{self, Finding};
use tocsin_core::inventory::{
    self, Comparison, Deployment, Device, Difference, Document, Held, Licence, LicenceAsked, Listed, Release,
    Violation,
};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::jobs::{self, Job};
use tocsin_core::platform::query::Total;

use super::asked::{Asked, Head, Pairs, param};
use super::findings::{self, Bulk, COLUMNS_OF_RELEASE, Pick};
use super::release_parts::{self as parts, GraphView, Overview, SystemView};
use super::{Answer, Page, encode, filters, form, show};
use crate::intake::{self, Taken};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/releases/{id}", Access::Needs(Permission::InventoryRead)),
    ("POST", "/releases/{id}/documents", Access::Needs(Permission::SbomUpload)),
    ("POST", "/releases/{id}/held/{token}", Access::Needs(Permission::SbomUpload)),
    ("POST", "/releases/{id}/held/{token}/drop", Access::Needs(Permission::SbomUpload)),
    ("GET", "/releases/{id}/documents/{document}", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/releases/{id}", get(one))
        .route("/releases/{id}/documents", post(replace))
        .route("/releases/{id}/held/{token}", post(confirm))
        .route("/releases/{id}/held/{token}/drop", post(drop_held))
        .route("/releases/{id}/documents/{document}", get(original))
}

/// Devices on one page.
const DEVICES: u64 = 200;

struct Shown {
    document: Document,
    difference: Difference,
    remarks: Vec<Remark>,
}

/// What the reader had to say of a document.
#[derive(serde::Deserialize)]
struct Remark {
    code: String,
    path: String,
    message: String,
}

/// What the tab of findings shows.
struct List {
    asked: Asked,
    findings: Vec<Finding>,
    heads: Vec<Head>,
    pick: Pick,
    bulk: Bulk,
    counted: String,
    next: String,
}

/// Findings of the release that `pairs` ask for; none are read where another tab is shown.
async fn list(
    app: &App,
    browser: &Browser,
    id: i64,
    pairs: &Pairs,
    bulk: Bulk,
    shown: bool,
) -> Result<List, Error> {
    let actor = browser.actor();
    let asked = findings::asked(format!("/releases/{id}"), pairs);
    let (mut rows, mut next, mut total) = (Vec::new(), None, Total::default());
    if shown && asked.wrong.is_empty() {
        let after = Some(asked.after.as_str()).filter(|t| !t.is_empty());
        let most = asked.query.limit.map_or(100, u64::from);
        let page = detection::in_release(app.db(), actor, id, &asked.query, after, most).await?;
        (rows, next, total) = (page.rows, page.next, page.total);
    }
    let columns = match asked.query.columns.as_slice() {
        [] => COLUMNS_OF_RELEASE.to_vec(),
        chosen => chosen.to_vec(),
    };
    Ok(List {
        findings: rows,
        heads: asked.heads(&columns, asked.query.sort, findings::about, &asked.schema.sorts),
        pick: Pick::of(actor, &bulk),
        bulk: if shown { bulk.with_people(app, actor).await? } else { bulk },
        next: next.map_or(String::new(), |n| asked.next(&n)),
        counted: asked.counted(&total, "finding", "findings"),
        asked,
    })
}

/// The tab of findings again, with what is wrong with a decision for many of them.
pub(super) async fn findings_again(
    app: &App,
    browser: &Browser,
    id: i64,
    pairs: &Pairs,
    bulk: Bulk,
) -> Answer {
    let mut pairs: Pairs = pairs.iter().filter(|(name, _)| name != "tab").cloned().collect();
    pairs.push(("tab".to_owned(), "findings".to_owned()));
    whole(app, browser, id, &pairs, bulk, String::new()).await
}

#[derive(Template)]
#[template(path = "releases/one.html")]
struct One {
    page: Page,
    r: Release,
    tab: String,
    list: List,
    plain: Vec<Head>,
    none: Pick,
    components: Vec<Listed>,
    text: String,
    skip: u64,
    documents: Vec<Shown>,
    held: Vec<Held>,
    violations: Vec<Violation>,
    licences: Vec<Licence>,
    deployments: Vec<Deployment>,
    devices: Vec<Device>,
    overview: Overview,
    graph: GraphView,
    tree: Option<(String, usize)>,
    system: SystemView,
    others: Vec<Release>,
    with: i64,
    comparison: Comparison,
    now: String,
    may_upload: bool,
    may_write: bool,
    done: String,
    wrong: String,
    work: Vec<Job>,
}

/// The page of a release at the tab that `query` names.
pub(super) async fn page(
    app: &App,
    browser: &Browser,
    id: i64,
    query: &HashMap<String, String>,
    wrong: String,
) -> Answer {
    let pairs: Pairs = query.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    whole(app, browser, id, &pairs, Bulk::default(), wrong).await
}

async fn whole(app: &App, browser: &Browser, id: i64, pairs: &Pairs, bulk: Bulk, wrong: String) -> Answer {
    let actor = browser.actor();
    let get = |name: &str| param(pairs, name);
    let r = inventory::release_of(app.db(), actor, id).await?;
    let tab = match get("tab") {
        tab @ ("findings" | "components" | "graph" | "licences" | "deployments" | "compare" | "documents"
        | "system") => tab.to_owned(),
        _ => "overview".to_owned(),
    };
    let (text, skip) = (get("text").to_owned(), get("skip").parse().unwrap_or(0));
    let mut bulk = bulk;
    if bulk.done.is_empty() {
        bulk.done = findings::done(pairs);
    }
    let list = list(app, browser, id, pairs, bulk, tab == "findings").await?;
    let as_tree = tab == "components" && get("view") == "tree";
    let tree = if as_tree { Some(parts::tree(app, actor, id).await?) } else { None };
    let overview =
        if tab == "overview" { parts::overview(app, actor, &r).await? } else { Overview::default() };
    let graph = if tab == "graph" {
        let query: HashMap<String, String> = pairs.iter().cloned().collect();
        parts::graph(app, actor, id, &query).await?
    } else {
        GraphView::default()
    };
    let system = if tab == "system" { parts::system(app, actor, id).await? } else { SystemView::default() };
    let devices = if tab == "deployments" {
        inventory::devices(app.db(), actor, id, get("serial"), skip, DEVICES).await?
    } else {
        Vec::new()
    };
    let components = if tab == "components" && !as_tree {
        inventory::components(app.db(), actor, id, &text, skip, 200).await?
    } else {
        Vec::new()
    };
    let licences =
        if tab == "licences" { inventory::licences(app.db(), actor, id).await? } else { Vec::new() };
    let deployments =
        if tab == "deployments" { inventory::deployments(app.db(), actor, id).await? } else { Vec::new() };
    let (mut others, mut with, mut comparison) = (Vec::new(), 0, Comparison::default());
    if tab == "compare" {
        others = inventory::releases(app.db(), actor, Some(r.product)).await?;
        others.retain(|o| o.id != id);
        // the newest before this one, where the reader does not name one
        let before = others.iter().find(|o| o.id < id).or(others.first()).map_or(0, |o| o.id);
        with = get("with").parse().unwrap_or(before);
        if with != 0 {
            comparison = inventory::compare(app.db(), actor, with, id).await?;
        }
    }
    let shown = |document: Document| Shown {
        difference: serde_json::from_str(&document.difference).unwrap_or_default(),
        remarks: serde_json::from_str(&document.diagnostics).unwrap_or_default(),
        document,
    };
    let documents: Vec<Shown> =
        inventory::documents(app.db(), actor, id).await?.into_iter().map(shown).collect();
    let mut work = jobs::of(app.db(), actor, &format!("release/{id}")).await?;
    // a failure is no news once another document took its place
    let newest = documents.first().map(|d| d.document.uploaded.clone()).unwrap_or_default();
    work.retain(|j| j.ended.as_ref().is_none_or(|ended| *ended > newest));
    let title = format!("{} {}", r.product_name, r.version);
    show(&One {
        page: Page::new(browser, "/products", &title)
            .crumb("/products", "Products")
            .crumb(format!("/products/{}", r.product), r.product_name.clone()),
        list,
        plain: findings::plain_heads(&findings::COLUMNS_COMPARED),
        none: Pick::none(),
        components,
        text,
        skip,
        documents,
        held: if tab == "documents" {
            inventory::held(app.db(), actor, Some(id), 20).await?
        } else {
            Vec::new()
        },
        violations: if tab == "licences" {
            let asked = LicenceAsked { release: Some(id), ..LicenceAsked::default() };
            inventory::violations(app.db(), actor, &asked, None, 500).await?
        } else {
            Vec::new()
        },
        licences,
        deployments,
        devices,
        overview,
        graph,
        tree,
        system,
        now: now(),
        others,
        with,
        comparison,
        may_write: actor.need_in(Permission::InventoryWrite, r.line).is_ok(),
        may_upload: actor.need_in(Permission::SbomUpload, r.line).is_ok(),
        done: get("done").to_owned(),
        tab,
        wrong,
        work,
        r,
    })
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(pairs): Query<Pairs>,
) -> Answer {
    whole(&app, &browser, id, &pairs, Bulk::default(), String::new()).await
}

async fn replace(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    parts: Multipart,
) -> Result<Response, PageError> {
    let (fields, file) = form(parts).await?;
    browser.check(fields.get("csrf").map_or("", String::as_str))?;
    let documents = HashMap::from([("tab".to_owned(), "documents".to_owned())]);
    let Some((name, bytes)) = file else {
        let wrong = "Choose a file to upload.".to_owned();
        return Ok(page(&app, &browser, id, &documents, wrong).await?.into_response());
    };
    let mut actor = browser.actor().clone();
    actor.now = now();
    put(&app, &browser, &actor, id, name, bytes, None).await
}

/// Applies an upload and says what it did, or shows what is wrong with it.
async fn put(
    app: &App,
    browser: &Browser,
    actor: &Actor,
    id: i64,
    name: String,
    bytes: Vec<u8>,
    confirm: Option<String>,
) -> Result<Response, PageError> {
    match intake::receive_confirmed(app, actor, intake::Place::Release(id), name, bytes, confirm).await {
        Ok(Taken::Later { .. }) => Ok(Redirect::to(&format!("/releases/{id}")).into_response()),
        Ok(Taken::Now(done)) => {
            let closed: usize = done.findings.closed.values().sum();
            let words = format!(
                "{} components read; {} findings new, {closed} closed.",
                done.components, done.findings.new
            );
            Ok(Redirect::to(&format!("/releases/{id}?done={}", encode(&words))).into_response())
        }
        Err(e @ Error::Refused(_)) => {
            let documents = HashMap::from([("tab".to_owned(), "documents".to_owned())]);
            Ok(page(app, browser, id, &documents, e.to_string()).await?.into_response())
        }
        // it is kept, and the page asks
        Err(Error::Unusual(_)) => {
            Ok(Redirect::to(&format!("/releases/{id}?tab=documents#waits")).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

/// Applies an upload that waited for a word.
async fn confirm(
    State(app): State<App>,
    browser: Browser,
    Path((id, token)): Path<(i64, String)>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let (name, bytes) = inventory::held_bytes(app.db(), &actor, id, &token).await?;
    put(&app, &browser, &actor, id, name, bytes, Some(token)).await
}

/// Drops an upload that waited for a word.
async fn drop_held(
    State(app): State<App>,
    browser: Browser,
    Path((id, token)): Path<(i64, String)>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let mut change = Change::begin(app.db(), &actor).await?;
    inventory::drop_held(&mut change, id, &token).await?;
    change.commit().await?;
    let done = encode("The upload was dropped; the release is as it was.");
    Ok(Redirect::to(&format!("/releases/{id}?tab=documents&done={done}")).into_response())
}

async fn original(
    State(app): State<App>,
    browser: Browser,
    Path((id, document)): Path<(i64, i64)>,
) -> Result<Response, PageError> {
    let (name, bytes) = inventory::original(app.db(), browser.actor(), id, document).await?;
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let disposition = format!("attachment; filename=\"{plain}\"");
    Ok(([(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_DISPOSITION, disposition)], bytes)
        .into_response())
}

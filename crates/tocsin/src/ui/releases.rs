//! A release: its findings, components, licences, deployments, documents, and itself against another release.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tocsin_core::Error;
use tocsin_core::detection::{self, Filter};
use tocsin_core::inventory::{self, Comparison, Deployment, Difference, Document, Licence, Listed, Release};
use tocsin_core::platform::access::Permission;

use super::findings::Pick;
use super::{Answer, Page, encode, filters, form, show};
use crate::intake;
use crate::server::{App, Browser, PageError, now};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/releases/{id}", get(one))
        .route("/releases/{id}/documents", post(replace))
        .route("/releases/{id}/documents/{document}", get(original))
}

struct Shown {
    document: Document,
    difference: Difference,
    remarks: usize,
}

#[derive(Template)]
#[template(path = "releases/one.html")]
struct One {
    page: Page,
    r: Release,
    tab: String,
    list: detection::Page,
    pick: Pick,
    components: Vec<Listed>,
    text: String,
    skip: u64,
    documents: Vec<Shown>,
    licences: Vec<Licence>,
    deployments: Vec<Deployment>,
    others: Vec<Release>,
    with: i64,
    comparison: Comparison,
    may_upload: bool,
    may_write: bool,
    done: String,
    wrong: String,
}

/// The page of a release at the tab that `query` names.
pub(super) async fn page(
    app: &App,
    browser: &Browser,
    id: i64,
    query: &HashMap<String, String>,
    wrong: String,
) -> Answer {
    let actor = browser.actor();
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    let r = inventory::release_of(app.db(), actor, id).await?;
    let tab = match get("tab") {
        tab @ ("components" | "licences" | "deployments" | "compare" | "documents") => tab.to_owned(),
        _ => "findings".to_owned(),
    };
    let (text, skip) = (get("text").to_owned(), get("skip").parse().unwrap_or(0));
    let list = if tab == "findings" {
        let filter = Filter { release: Some(id), ..Filter::default() };
        detection::findings(app.db(), actor, &filter, query.get("after").map(String::as_str), 100).await?
    } else {
        detection::Page { findings: Vec::new(), next: None }
    };
    let components = if tab == "components" {
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
        remarks: serde_json::from_str::<Vec<serde_json::Value>>(&document.diagnostics).map_or(0, |d| d.len()),
        document,
    };
    let documents = inventory::documents(app.db(), actor, id).await?.into_iter().map(shown).collect();
    let title = format!("{} {}", r.product_name, r.version);
    show(&One {
        page: Page::new(browser, "/products", &title).crumb("/products", "Products"),
        tab,
        list,
        pick: Pick::none(),
        components,
        text,
        skip,
        documents,
        licences,
        deployments,
        others,
        with,
        comparison,
        may_write: actor.need_in(Permission::InventoryWrite, r.line).is_ok(),
        may_upload: actor.need_in(Permission::SbomUpload, r.line).is_ok(),
        done: get("done").to_owned(),
        wrong,
        r,
    })
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    page(&app, &browser, id, &query, String::new()).await
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
    match intake::take(&app, &actor, intake::Place::Release(id), name, bytes).await {
        Ok(done) => {
            let closed: usize = done.findings.closed.values().sum();
            let words = format!(
                "{} components read; {} findings new, {closed} closed.",
                done.components, done.findings.new
            );
            Ok(Redirect::to(&format!("/releases/{id}?done={}", encode(&words))).into_response())
        }
        Err(e @ Error::Refused(_)) => {
            Ok(page(&app, &browser, id, &documents, e.to_string()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
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

//! Products by line; a new release with its first SBOM.

use askama::Template;
use axum::Router;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Line, Product, Release};
use tocsin_core::platform::access::Permission;

use super::{Answer, Page, filters, form, show};
use crate::intake;
use crate::server::{App, Browser, PageError, now};

pub fn routes() -> Router<App> {
    Router::new().route("/products", get(list)).route("/releases", post(add))
}

struct LineGroup {
    name: String,
    releases: Vec<Release>,
}

#[derive(Template)]
#[template(path = "products/list.html")]
struct List {
    page: Page,
    groups: Vec<LineGroup>,
    lines: Vec<Line>,
    products: Vec<Product>,
    may_write: bool,
    wrong: String,
}

async fn page(app: &App, browser: &Browser, wrong: String) -> Answer {
    let actor = browser.actor();
    let mut groups: Vec<LineGroup> = Vec::new();
    for release in inventory::releases(app.db(), actor, None).await? {
        match groups.last_mut().filter(|g| g.name == release.line_name) {
            Some(group) => group.releases.push(release),
            None => groups.push(LineGroup { name: release.line_name.clone(), releases: vec![release] }),
        }
    }
    show(&List {
        page: Page::new(browser, "/products", "Products"),
        groups,
        lines: inventory::lines(app.db(), actor).await?,
        products: inventory::products(app.db(), actor).await?,
        may_write: actor.may(Permission::InventoryWrite),
        wrong,
    })
}

async fn list(State(app): State<App>, browser: Browser) -> Answer {
    page(&app, &browser, String::new()).await
}

async fn add(State(app): State<App>, browser: Browser, parts: Multipart) -> Result<Response, PageError> {
    let (fields, file) = form(parts).await?;
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    browser.check(field("csrf"))?;
    let Some((name, bytes)) = file else {
        return Ok(page(&app, &browser, "Choose a file to upload.".to_owned()).await?.into_response());
    };
    let mut actor = browser.actor().clone();
    actor.now = now();
    let place = intake::Place::Named {
        line: field("line").to_owned(),
        product: field("product").to_owned(),
        version: field("version").to_owned(),
    };
    match intake::take(&app, &actor, place, name, bytes).await {
        Ok(done) => Ok(Redirect::to(&format!("/releases/{}", done.release)).into_response()),
        Err(e @ (Error::Refused(_) | Error::Rejected { .. })) => {
            Ok(page(&app, &browser, e.to_string()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

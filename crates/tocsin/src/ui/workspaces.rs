//! Workspaces of a person: going from one to another, making one.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::workspaces::{self, Workspace};

use super::{Answer, Page, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/workspaces", Access::Known),
    ("POST", "/workspaces", Access::Needs(Permission::PeopleManage)),
    ("POST", "/workspaces/{id}/enter", Access::Known),
];

pub fn routes() -> Router<App> {
    Router::new().route("/workspaces", get(list).post(create)).route("/workspaces/{id}/enter", post(enter))
}

#[derive(Template)]
#[template(path = "workspaces/list.html")]
struct List {
    page: Page,
    list: Vec<Workspace>,
    here: i64,
    may_create: bool,
    typed: String,
    wrong: String,
}

async fn page(app: &App, browser: &Browser, typed: String, wrong: String) -> Answer {
    let actor = browser.actor();
    show(&List {
        page: Page::new(browser, "/workspaces", "Workspaces"),
        list: workspaces::mine(app.db(), actor).await?,
        here: actor.workspace,
        may_create: actor.need_everywhere(Permission::PeopleManage).is_ok(),
        typed,
        wrong,
    })
}

async fn list(State(app): State<App>, browser: Browser) -> Answer {
    page(&app, &browser, String::new(), String::new()).await
}

#[derive(Deserialize)]
struct New {
    csrf: String,
    name: String,
}

async fn create(
    State(app): State<App>,
    browser: Browser,
    Form(new): Form<New>,
) -> Result<Response, PageError> {
    browser.check(&new.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    match workspaces::create(app.db(), &actor, &new.name).await {
        Ok(id) => {
            workspaces::enter(app.db(), &actor, &browser.token, id).await?;
            Ok(Redirect::to("/products").into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            Ok(page(&app, &browser, new.name, message).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Enter {
    csrf: String,
    #[serde(default)]
    to: String,
}

async fn enter(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Enter>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    workspaces::enter(app.db(), &actor, &browser.token, id).await?;
    // one place there is offered beside the first page
    Ok(Redirect::to(if form.to == "/desk" { "/desk" } else { "/" }).into_response())
}

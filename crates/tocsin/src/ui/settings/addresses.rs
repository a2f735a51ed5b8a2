//! Outside addresses that reports may go to.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use tocsin_core::Error;
use tocsin_core::platform::access::Permission;
use tocsin_core::report::{self, Address};

use super::super::asked::{Pairs, param};
use super::super::{Page, encode, filters, show};
use super::Tabs;
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/addresses", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/addresses", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/addresses/{id}/remove", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/addresses", get(page).post(add))
        .route("/settings/addresses/{id}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "settings/addresses.html")]
struct Addresses {
    page: Page,
    tabs: Tabs,
    list: Vec<Address>,
    address: String,
    name: String,
    done: String,
    field: String,
    wrong: String,
}

async fn shown(
    app: &App,
    browser: &Browser,
    (address, name): (String, String),
    (done, field, wrong): (String, String, String),
) -> Result<Response, PageError> {
    browser.actor().need_everywhere(Permission::SettingsWrite)?;
    let page = Addresses {
        page: Page::new(browser, "/settings/people", "Outside addresses"),
        tabs: Tabs::new(browser, "/settings/addresses"),
        list: report::addresses(app.db(), browser.actor()).await?,
        address,
        name,
        done,
        field,
        wrong,
    };
    Ok(show(&page)?.into_response())
}

async fn page(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let done = param(&pairs, "done").to_owned();
    shown(&app, &browser, Default::default(), (done, String::new(), String::new())).await
}

fn back(told: &str) -> Response {
    Redirect::to(&format!("/settings/addresses?done={}", encode(told))).into_response()
}

async fn add(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    browser.check(param(&pairs, "csrf"))?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let (address, name) = (param(&pairs, "address").to_owned(), param(&pairs, "name").to_owned());
    match report::add_address(app.db(), &actor, &address, &name).await {
        Ok(_) => Ok(back("The address is listed.")),
        Err(Error::Rejected { field, message }) => {
            shown(&app, &browser, (address, name), (String::new(), field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    browser.check(param(&pairs, "csrf"))?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    report::drop_address(app.db(), &actor, id).await?;
    Ok(back("The address is taken off the list; what waited for it is not sent."))
}

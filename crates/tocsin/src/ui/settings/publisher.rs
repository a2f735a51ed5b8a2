//! Who publishes: the name under which VEX documents and advisories of the workspace go out.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::publisher::{CATEGORIES, Publisher, publisher_told, set_publisher};

use super::super::Page;
use super::super::session::Wrong;
use super::{Tabs, back};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/publisher", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/publisher", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> Router<App> {
    Router::new().route("/settings/publisher", get(one).post(change))
}

#[derive(Template)]
#[template(path = "settings/publisher.html")]
struct One {
    page: Page,
    tabs: Tabs,
    p: Publisher,
    used: detection::Publisher,
    done: bool,
    wrong: Wrong,
}

impl One {
    fn categories(&self) -> &'static [&'static str] {
        &CATEGORIES
    }
}

async fn shown(
    app: &App,
    browser: &Browser,
    typed: Option<Publisher>,
    wrong: Wrong,
    done: bool,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let p = match typed {
        Some(p) => p,
        None => publisher_told(app.db(), actor).await?,
    };
    let page = One {
        page: Page::new(browser, "/settings/people", "Publisher"),
        tabs: Tabs::new(browser, "/settings/publisher"),
        used: detection::publisher(app.db(), actor.workspace).await?,
        p,
        done,
        wrong,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    browser.actor().need(Permission::SettingsWrite)?;
    shown(&app, &browser, None, Wrong::none(), query.contains_key("done")).await
}

#[derive(Deserialize)]
struct Typed {
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    authority: String,
}

async fn change(
    State(app): State<App>,
    browser: Browser,
    Form(typed): Form<Typed>,
) -> Result<Response, PageError> {
    browser.check(&typed.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let text = |value: &str| value.trim().replace("\r\n", "\n");
    let new = Publisher {
        name: text(&typed.name),
        namespace: text(&typed.namespace).trim_end_matches('/').to_owned(),
        category: text(&typed.category),
        contact: text(&typed.contact),
        authority: text(&typed.authority),
    };
    match set_publisher(app.db(), &actor, &new).await {
        Ok(()) => Ok(back("/settings/publisher?done=1")),
        Err(Error::Rejected { field, message }) => {
            shown(&app, &browser, Some(new), Wrong(field, message), false).await
        }
        Err(e) => Err(e.into()),
    }
}

//! Sessions of everybody in the workspace.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::people::{self, Shown};

use super::super::sheet::{Sheet, cell};
use super::super::{Answer, Page, filters, show};
use super::{Asked, Column, Only, Tabs, back, columns, sort};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/sessions", Access::Needs(Permission::PeopleManage)),
    ("GET", "/settings/sessions.csv", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/sessions/{id}/end", Access::Needs(Permission::PeopleManage)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/sessions", get(all))
        .route("/settings/sessions.csv", get(csv))
        .route("/settings/sessions/{id}/end", post(end))
}

#[derive(Template)]
#[template(path = "settings/sessions.html")]
struct Sessions {
    page: Page,
    tabs: Tabs,
    rows: Vec<Shown>,
    all: usize,
    columns: Vec<Column>,
    asked: Asked,
}

async fn rows(app: &App, browser: &Browser, asked: &Asked) -> Result<(Vec<Shown>, usize), PageError> {
    let mut rows = people::sessions(app.db(), browser.actor(), None, &browser.token).await?;
    let all = rows.len();
    rows.retain(|s| asked.finds(&[&s.name, &s.login, &s.address, &s.agent]));
    rows.retain(|s| asked.get("method").is_empty() || s.method == asked.get("method"));
    sort(asked, &mut rows, "-seen", |s, column| match column {
        "name" => s.name.to_lowercase(),
        "created" => s.created.clone(),
        "address" => s.address.clone(),
        _ => s.seen.clone(),
    });
    Ok((rows, all))
}

async fn all(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Answer {
    let asked = Asked(asked);
    let (rows, all) = rows(&app, &browser, &asked).await?;
    let heads = [
        ("name", "Person", ""),
        ("", "Browser", "grow"),
        ("address", "Address", ""),
        ("", "Signed in by", ""),
        ("created", "Since", "num"),
        ("seen", "Last used", "num"),
        ("", "", ""),
    ];
    show(&Sessions {
        page: Page::new(&browser, "/settings/people", "Sessions"),
        tabs: Tabs::new(&browser, "/settings/sessions"),
        rows,
        all,
        columns: columns(&asked, "-seen", &heads),
        asked,
    })
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let mut sheet =
        Sheet::new(&["person", "login", "browser", "address", "method", "since", "last_used", "ends"])?;
    for s in rows(&app, &browser, &Asked(asked)).await?.0 {
        sheet.row(&[
            cell(&s.name),
            cell(&s.login),
            cell(&s.agent),
            s.address,
            s.method,
            s.created,
            s.seen,
            s.expires,
        ])?;
    }
    Ok(sheet.file("sessions"))
}

async fn end(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<String>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::end_session(app.db(), browser.actor(), &id).await?;
    Ok(back("/settings/sessions"))
}

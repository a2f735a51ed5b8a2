//! API keys.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Line};
use tocsin_core::platform::access::{PERMISSIONS, Permission, Role};
use tocsin_core::platform::clock;
use tocsin_core::platform::people::{self, Key, NewKey};

use super::super::sheet::{Sheet, cell};
use super::super::{Page, filters};
use super::roles::allows;
use super::{Asked, Column, Only, Tabs, back, columns, line_name, role_names, sort};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, random};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/keys", Access::Needs(Permission::KeyManage)),
    ("GET", "/settings/keys.csv", Access::Needs(Permission::KeyManage)),
    ("POST", "/settings/keys", Access::Needs(Permission::KeyManage)),
    ("POST", "/settings/keys/{id}/revoke", Access::Needs(Permission::KeyManage)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/keys", get(all).post(make))
        .route("/settings/keys.csv", get(csv))
        .route("/settings/keys/{id}/revoke", post(revoke))
}

/// Choices of how long a key holds, in days; 0 is without end.
const DAYS: [(i64, &str); 5] =
    [(90, "90 days"), (30, "30 days"), (7, "a week"), (365, "a year"), (0, "until it is revoked")];

struct Row {
    k: Key,
    line: String,
    state: &'static str,
}

/// What was typed for a new key.
#[derive(Default)]
struct Typed {
    name: String,
    role: String,
    line: i64,
    days: i64,
    scopes: Vec<String>,
}

#[derive(Template)]
#[template(path = "settings/keys.html")]
struct Keys {
    page: Page,
    tabs: Tabs,
    rows: Vec<Row>,
    all: usize,
    columns: Vec<Column>,
    asked: Asked,
    roles: Vec<String>,
    lines: Vec<Line>,
    scopes: Vec<(String, &'static str)>,
    days: &'static [(i64, &'static str)],
    typed: Typed,
    told: String,
    wrong: String,
}

async fn rows(
    app: &App,
    browser: &Browser,
    asked: &Asked,
    lines: &[Line],
) -> Result<(Vec<Row>, usize), PageError> {
    let keys = people::keys(app.db(), browser.actor()).await?;
    let all = keys.len();
    let row = |k: Key| Row { state: k.state(&browser.actor().now), line: line_name(lines, k.line), k };
    // what is over is not in the way until it is asked for
    let wanted = if asked.get("state").is_empty() { "active" } else { asked.get("state") };
    let mut rows: Vec<Row> = keys
        .into_iter()
        .map(row)
        .filter(|r| asked.finds(&[&r.k.name, &r.k.public, &r.k.creator]))
        .filter(|r| asked.get("role").is_empty() || r.k.role == asked.get("role"))
        .filter(|r| wanted == "all" || r.state == wanted)
        .collect();
    sort(asked, &mut rows, "-created", |r, column| match column {
        "name" => r.k.name.to_lowercase(),
        "role" => r.k.role.clone(),
        "expires" => r.k.expires.clone().unwrap_or_else(|| "9".to_owned()),
        "used" => r.k.used.clone().unwrap_or_default(),
        _ => r.k.created.clone(),
    });
    Ok((rows, all))
}

async fn page(
    app: &App,
    browser: &Browser,
    asked: HashMap<String, String>,
    typed: Typed,
    told: String,
    wrong: String,
) -> Result<Response, PageError> {
    let (asked, lines) = (Asked(asked), inventory::lines(app.db(), browser.actor()).await?);
    let (rows, all) = rows(app, browser, &asked, &lines).await?;
    let heads = [
        ("name", "What it is for", "grow"),
        ("", "Key", ""),
        ("role", "Acts as", ""),
        ("created", "Made", "num"),
        ("used", "Last used", "num"),
        ("expires", "Ends", "num"),
        ("", "", ""),
    ];
    let page = Keys {
        page: Page::new(browser, "/settings/people", "API keys"),
        tabs: Tabs::new(browser, "/settings/keys"),
        rows,
        all,
        columns: columns(&asked, "-created", &heads),
        asked,
        roles: role_names(),
        lines,
        scopes: PERMISSIONS.iter().map(|p| (p.name(), allows(*p))).collect(),
        days: &DAYS,
        typed,
        told,
        wrong,
    };
    let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

fn fresh() -> Typed {
    Typed { role: Role::Contact.name(), days: 90, ..Typed::default() }
}

async fn all(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    page(&app, &browser, asked, fresh(), String::new(), String::new()).await
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let lines = inventory::lines(app.db(), browser.actor()).await?;
    let head = ["name", "key", "role", "line", "scopes", "state", "made", "by", "last_used", "ends"];
    let mut sheet = Sheet::new(&head)?;
    for Row { k, line, state } in rows(&app, &browser, &Asked(asked), &lines).await?.0 {
        sheet.row(&[
            cell(&k.name),
            format!("tocsin_{}", k.public),
            k.role,
            cell(&line),
            k.scopes.join(" "),
            state.to_owned(),
            k.created,
            cell(&k.creator),
            k.used.unwrap_or_default(),
            k.expires.unwrap_or_default(),
        ])?;
    }
    Ok(sheet.file("keys"))
}

async fn make(
    State(app): State<App>,
    browser: Browser,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    browser.check(field("csrf"))?;
    let scopes = fields.iter().filter(|(n, _)| n == "scope").map(|(_, v)| v.clone()).collect();
    let typed = Typed {
        name: field("name").to_owned(),
        role: field("role").to_owned(),
        line: field("line").parse().unwrap_or(0),
        days: field("days").parse().unwrap_or(0),
        scopes,
    };
    let wrong =
        |typed: Typed, wrong: String| page(&app, &browser, HashMap::new(), typed, String::new(), wrong);
    let Some(role) = Role::parse(&typed.role) else {
        return wrong(typed, "Choose what the key acts as.".to_owned()).await;
    };
    let actor = browser.actor();
    let new = NewKey {
        name: typed.name.clone(),
        role,
        line: (typed.line != 0).then_some(typed.line),
        scopes: typed.scopes.iter().filter_map(|s| Permission::parse(s)).collect(),
        expires: (typed.days > 0).then(|| clock::minutes_after(&actor.now, typed.days.min(3660) * 24 * 60)),
    };
    match people::make_key(app.db(), actor, random, &new).await {
        Ok(text) => page(&app, &browser, HashMap::new(), fresh(), text, String::new()).await,
        Err(Error::Rejected { message, .. }) => wrong(typed, message).await,
        Err(Error::Denied(what)) => {
            let why = format!(
                "A key cannot have more than you have: you lack {what} there. Choose fewer permissions."
            );
            wrong(typed, why).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn revoke(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::revoke_key(app.db(), browser.actor(), id).await?;
    Ok(back("/settings/keys"))
}

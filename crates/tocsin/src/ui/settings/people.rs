//! People of the workspace: the list, one of them with their roles, invitations.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Line};
use tocsin_core::platform::access::{Permission, Role};
use tocsin_core::platform::people::{self, Invitation, Person, Shown};
use tocsin_core::platform::{clock, settings};

use super::super::sheet::{Sheet, cell};
use super::super::{Page, filters};
use super::{Asked, Column, Only, Tabs, back, columns, line_name, role_names, sort};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, random};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/people", Access::Needs(Permission::FindingRead)),
    ("GET", "/settings/people.csv", Access::Needs(Permission::FindingRead)),
    ("GET", "/settings/people/{id}", Access::Needs(Permission::FindingRead)),
    ("POST", "/settings/people/{id}/roles", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/people/{id}/disable", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/people/{id}/enable", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/people/{id}/reset", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/people/{id}/second-step", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/people/{id}/sessions", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/invitations", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/invitations/{id}/revoke", Access::Needs(Permission::PeopleManage)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/people", get(all))
        .route("/settings/people.csv", get(csv))
        .route("/settings/people/{id}", get(one))
        .route("/settings/people/{id}/roles", post(roles))
        .route("/settings/people/{id}/disable", post(disable))
        .route("/settings/people/{id}/enable", post(enable))
        .route("/settings/people/{id}/reset", post(reset))
        .route("/settings/people/{id}/second-step", post(second_step))
        .route("/settings/people/{id}/sessions", post(end_sessions))
        .route("/settings/invitations", post(invite))
        .route("/settings/invitations/{id}/revoke", post(revoke))
}

/// A person with their roles in words.
struct Row {
    p: Person,
    roles: String,
}

#[derive(Template)]
#[template(path = "settings/people.html")]
struct People {
    page: Page,
    tabs: Tabs,
    rows: Vec<Row>,
    all: usize,
    columns: Vec<Column>,
    asked: Asked,
    invitations: Vec<Invitation>,
    roles: Vec<String>,
    lines: Vec<Line>,
    may_manage: bool,
    told: String,
    email: String,
    wrong: String,
}

fn in_words(roles: &[(String, i64)], lines: &[Line]) -> String {
    let told = |(role, line): &(String, i64)| match line_name(lines, *line) {
        line if line.is_empty() => role.replace('-', " "),
        line => format!("{} ({line})", role.replace('-', " ")),
    };
    roles.iter().map(told).collect::<Vec<_>>().join(", ")
}

fn state(p: &Person) -> &'static str {
    if p.disabled { "disabled" } else { "active" }
}

/// People as they are filtered and sorted.
async fn rows(
    app: &App,
    browser: &Browser,
    asked: &Asked,
    lines: &[Line],
) -> Result<(Vec<Row>, usize), PageError> {
    let people = people::people(app.db(), browser.actor()).await?;
    let all = people.len();
    let mut rows: Vec<Row> = people
        .into_iter()
        .filter(|p| asked.finds(&[&p.name, &p.login, &p.email]))
        .filter(|p| asked.get("role").is_empty() || p.roles.iter().any(|(r, _)| r == asked.get("role")))
        .filter(|p| asked.get("state").is_empty() || state(p) == asked.get("state"))
        .filter(|p| match asked.get("second") {
            "yes" => p.second_step,
            "no" => !p.second_step,
            _ => true,
        })
        .map(|p| Row { roles: in_words(&p.roles, lines), p })
        .collect();
    sort(asked, &mut rows, "name", |row, column| match column {
        "login" => row.p.login.clone(),
        "roles" => row.roles.clone(),
        "seen" => row.p.seen.clone().unwrap_or_default(),
        _ => row.p.name.to_lowercase(),
    });
    Ok((rows, all))
}

/// What the page tells or keeps of a form that came to it.
#[derive(Default)]
struct Told {
    link: String,
    email: String,
    wrong: String,
}

async fn page(
    app: &App,
    browser: &Browser,
    asked: HashMap<String, String>,
    told: Told,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let may_manage = actor.may(Permission::PeopleManage);
    let (asked, lines) = (Asked(asked), inventory::lines(app.db(), actor).await?);
    let (rows, all) = rows(app, browser, &asked, &lines).await?;
    let heads = [
        ("name", "Name", ""),
        ("login", "Login", ""),
        ("roles", "Roles", "grow"),
        ("", "Second step", ""),
        ("seen", "Last seen", "num"),
    ];
    let page = People {
        page: Page::new(browser, "/settings/people", "People"),
        tabs: Tabs::new(browser, "/settings/people"),
        rows,
        all,
        columns: columns(&asked, "name", &heads),
        asked,
        invitations: if may_manage { people::invitations(app.db(), actor).await? } else { Vec::new() },
        roles: role_names(),
        lines,
        may_manage,
        told: told.link,
        email: told.email,
        wrong: told.wrong,
    };
    let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

async fn all(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    page(&app, &browser, asked, Told::default()).await
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let lines = inventory::lines(app.db(), browser.actor()).await?;
    let mut sheet = Sheet::new(&["name", "login", "email", "roles", "second_step", "state", "seen"])?;
    for Row { p, roles } in rows(&app, &browser, &Asked(asked), &lines).await?.0 {
        let second = if p.second_step { "yes" } else { "no" };
        let seen = p.seen.clone().unwrap_or_default();
        sheet.row(&[
            cell(&p.name),
            cell(&p.login),
            cell(&p.email),
            cell(&roles),
            second.to_owned(),
            state(&p).to_owned(),
            seen,
        ])?;
    }
    Ok(sheet.file("people"))
}

#[derive(Deserialize)]
struct NewInvitation {
    csrf: String,
    email: String,
    role: String,
    #[serde(default)]
    line: i64,
}

async fn invite(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<NewInvitation>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let actor = browser.actor();
    let told = match Role::parse(&form.role) {
        None => Told { email: form.email, wrong: "Choose a role.".to_owned(), ..Told::default() },
        Some(Role::Administrator) if form.line != 0 => Told {
            email: form.email,
            wrong: "An administrator is one of the whole workspace.".to_owned(),
            ..Told::default()
        },
        Some(role) => {
            let hours = settings::settings(app.db(), actor).await?.invitation_hours;
            let until = clock::minutes_after(&actor.now, hours * 60);
            let line = (form.line != 0).then_some(form.line);
            match people::invite(app.db(), actor, random, &form.email, &[role], line, &until).await {
                Ok(token) => {
                    Told { link: format!("{}/welcome/{token}", app.site().address), ..Told::default() }
                }
                Err(Error::Rejected { message, .. }) => {
                    Told { email: form.email, wrong: message, ..Told::default() }
                }
                Err(e) => return Err(e.into()),
            }
        }
    };
    page(&app, &browser, HashMap::new(), told).await
}

async fn revoke(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<String>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::revoke_invitation(app.db(), browser.actor(), &id).await?;
    Ok(back("/settings/people"))
}

#[derive(Template)]
#[template(path = "settings/person.html")]
struct One {
    page: Page,
    tabs: Tabs,
    p: Person,
    in_words: String,
    roles: Vec<String>,
    lines: Vec<Line>,
    sessions: Vec<Shown>,
    may_manage: bool,
    own: bool,
    done: String,
    told: String,
    wrong: String,
}

impl One {
    fn has_whole(&self, role: &str) -> bool {
        self.has(role, &0)
    }

    fn has(&self, role: &str, line: &i64) -> bool {
        self.p.roles.iter().any(|(r, l)| r == role && l == line)
    }
}

async fn person(
    app: &App,
    browser: &Browser,
    id: i64,
    told: Told,
    done: &str,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let (p, lines) = (people::person(app.db(), actor, id).await?, inventory::lines(app.db(), actor).await?);
    let may_manage = actor.may(Permission::PeopleManage);
    let sessions = match may_manage {
        true => {
            let all = people::sessions(app.db(), actor, None, &browser.token).await?;
            all.into_iter().filter(|s| s.person == id).collect()
        }
        false => Vec::new(),
    };
    let page = One {
        page: Page::new(browser, "/settings/people", &p.name).crumb("/settings/people", "People"),
        tabs: Tabs::new(browser, "/settings/people"),
        in_words: in_words(&p.roles, &lines),
        own: actor.person == Some(id),
        roles: role_names(),
        lines,
        sessions,
        may_manage,
        done: done.to_owned(),
        told: told.link,
        wrong: told.wrong,
        p,
    };
    let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Html(page.render()?)).into_response())
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let done = match query.get("done").map(String::as_str) {
        Some("roles") => "The roles are changed.",
        Some("disable") => "Disabled; their sessions have ended.",
        Some("enable") => "They may sign in again.",
        Some("second-step") => "The second step is taken off; their sessions have ended.",
        Some("sessions") => "Their sessions have ended.",
        _ => "",
    };
    person(&app, &browser, id, Told::default(), done).await
}

/// What came of a change of a person: their page, with why it did not go where it did not.
async fn then(
    app: &App,
    browser: &Browser,
    id: i64,
    done: &str,
    e: Result<(), Error>,
) -> Result<Response, PageError> {
    match e {
        Ok(()) => Ok(back(&format!("/settings/people/{id}?done={done}"))),
        Err(Error::Conflict(why) | Error::Rejected { message: why, .. }) => {
            person(app, browser, id, Told { wrong: why, ..Told::default() }, "").await
        }
        Err(e) => Err(e.into()),
    }
}

/// Boxes named `role`, each with `manager:0` or `contact:7` for a product line.
async fn roles(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let csrf = fields.iter().find(|(n, _)| n == "csrf").map_or("", |(_, v)| v);
    browser.check(csrf)?;
    let ticked = fields.iter().filter(|(n, _)| n == "role").filter_map(|(_, v)| v.split_once(':'));
    let roles: Vec<(Role, i64)> =
        ticked.filter_map(|(role, line)| Some((Role::parse(role)?, line.parse().ok()?))).collect();
    let leaves = roles.is_empty();
    let set = people::set_roles(app.db(), browser.actor(), id, &roles).await;
    if leaves && set.is_ok() {
        return Ok(back("/settings/people"));
    }
    then(&app, &browser, id, "roles", set).await
}

async fn disable(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    then(&app, &browser, id, "disable", people::disable(app.db(), browser.actor(), id).await).await
}

async fn enable(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    then(&app, &browser, id, "enable", people::enable(app.db(), browser.actor(), id).await).await
}

async fn second_step(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let reset = people::reset_second_step(app.db(), browser.actor(), id).await;
    then(&app, &browser, id, "second-step", reset).await
}

async fn end_sessions(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let ended = people::end_sessions(app.db(), browser.actor(), id, &browser.token).await.map(|_| ());
    then(&app, &browser, id, "sessions", ended).await
}

async fn reset(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    match people::reset_link(&browser.door(&app), browser.actor(), id).await {
        Ok(token) => {
            let link = format!("{}/reset/{token}", app.site().address);
            person(&app, &browser, id, Told { link, ..Told::default() }, "").await
        }
        Err(e) => then(&app, &browser, id, "", Err(e)).await,
    }
}

//! People, keys and the audit trail.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::inventory::{self, Line};
use tocsin_core::platform::access::{Permission, ROLES, Role};
use tocsin_core::platform::change::{self, Event};
use tocsin_core::platform::people::{self, Key, Person};

use super::{Answer, Page, filters, show};
use crate::server::{App, Browser, PageError, later, now, random};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/people", get(all))
        .route("/settings/invitations", post(invite))
        .route("/settings/keys", post(make_key))
        .route("/settings/keys/{id}/revoke", post(revoke))
        .route("/audit", get(audit))
}

#[derive(Template)]
#[template(path = "settings/people.html")]
struct People {
    page: Page,
    people: Vec<Person>,
    keys: Vec<Key>,
    roles: Vec<String>,
    lines: Vec<Line>,
    may_invite: bool,
    may_keys: bool,
    told_what: &'static str,
    told: String,
    wrong: String,
}

async fn page(app: &App, browser: &Browser, told_what: &'static str, told: String) -> Answer {
    let actor = browser.actor();
    let may_keys = actor.may(Permission::KeyManage);
    show(&People {
        page: Page::new(browser, "/settings/people", "People and keys"),
        people: people::people(app.db(), actor).await?,
        keys: if may_keys { people::keys(app.db(), actor).await? } else { Vec::new() },
        roles: ROLES.iter().map(|r| r.name()).collect(),
        lines: inventory::lines(app.db(), actor).await?,
        may_invite: actor.may(Permission::PeopleManage),
        may_keys,
        told_what,
        told,
        wrong: String::new(),
    })
}

async fn all(State(app): State<App>, browser: Browser) -> Answer {
    page(&app, &browser, "", String::new()).await
}

#[derive(Deserialize)]
struct Invitation {
    csrf: String,
    email: String,
    role: String,
    line: i64,
}

async fn invite(State(app): State<App>, browser: Browser, Form(form): Form<Invitation>) -> Answer {
    browser.check(&form.csrf)?;
    let role = Role::parse(&form.role).unwrap_or(Role::Auditor);
    let line = (form.line != 0).then_some(form.line);
    let mut actor = browser.actor().clone();
    actor.now = now();
    let token = people::invite(app.db(), &actor, random, &form.email, &[role], line, &later(72)).await?;
    let told = format!("/welcome/{token}");
    page(&app, &browser, "Send this link; it works once, for three days:", told).await
}

#[derive(Deserialize)]
struct NewKey {
    csrf: String,
    name: String,
    role: String,
}

async fn make_key(State(app): State<App>, browser: Browser, Form(form): Form<NewKey>) -> Answer {
    browser.check(&form.csrf)?;
    let role = Role::parse(&form.role).unwrap_or(Role::Auditor);
    let mut actor = browser.actor().clone();
    actor.now = now();
    let name = form.name.trim().to_owned();
    let new = people::NewKey { name, role, line: None, scopes: Vec::new(), expires: None };
    let text = people::make_key(app.db(), &actor, random, &new).await?;
    page(&app, &browser, "The key is shown once. Put it where the build keeps its secrets:", text).await
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn revoke(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    people::revoke_key(app.db(), &actor, id).await?;
    Ok(Redirect::to("/settings/people").into_response())
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct Audit {
    page: Page,
    events: Vec<Event>,
    events_in_all: i64,
    broken: Option<i64>,
    text: String,
    next: Option<i64>,
}

async fn audit(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let text = query.get("text").map(|t| t.trim().to_owned()).unwrap_or_default();
    let below = query.get("below").and_then(|b| b.parse().ok());
    let events = change::events(app.db(), browser.actor(), &text, below, 100).await?;
    let verified = change::verify(app.db()).await?;
    let next = events.last().filter(|e| events.len() == 100 && e.seq > 1).map(|e| e.seq);
    show(&Audit {
        page: Page::new(&browser, "/audit", "Audit trail"),
        events,
        events_in_all: verified.events,
        broken: verified.broken_at,
        text,
        next,
    })
}

//! Channels: the ways out of the system that a workspace has.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::notify::{self, Channel, KINDS, NewChannel};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::people;

use super::super::session::Wrong;
use super::super::{Page, encode, filters};
use super::{Tabs, back};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, random};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/channels", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/channels", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/settings/channels/{id}", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/channels/{id}", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/channels/{id}/remove", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/channels/{id}/test", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/channels", get(all).post(make))
        .route("/settings/channels/{id}", get(one).post(change))
        .route("/settings/channels/{id}/remove", post(remove))
        .route("/settings/channels/{id}/test", post(test))
}

/// A setting as a form shows it.
struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    secret: bool,
    kept: bool,
    needed: bool,
    choices: &'static [(&'static str, &'static str)],
}

fn label(name: &str) -> (&'static str, &'static [(&'static str, &'static str)]) {
    match name {
        "host" => ("Host", &[]),
        "port" => ("Port", &[]),
        "security" => (
            "Security",
            &[
                ("tls", "TLS (usually port 465)"),
                ("starttls", "STARTTLS (usually port 587)"),
                ("none", "none"),
            ],
        ),
        "transport" => ("Transport", &[("tls", "TLS"), ("tcp", "TCP"), ("udp", "UDP")]),
        "from" => ("Sender", &[]),
        "user" => ("Login", &[]),
        "password" => ("Password", &[]),
        "ca" => ("Certificate of the issuer (PEM), where it is your own", &[]),
        "url" => ("Address", &[]),
        _ => ("Key that signs (HMAC-SHA256), at least 16 characters", &[]),
    }
}

fn fields(kind: &str, typed: &BTreeMap<String, String>, kept: &[String]) -> Vec<Field> {
    let Some((_, _, settings, secrets)) = KINDS.iter().find(|k| k.0 == kind) else { return Vec::new() };
    let field = |name: &&'static str, secret: bool| {
        let plain = name.trim_end_matches('?');
        let (label, choices) = label(plain);
        Field {
            name: plain,
            label,
            value: typed.get(plain).filter(|_| !secret).cloned().unwrap_or_default(),
            secret,
            kept: secret && kept.iter().any(|k| k == plain),
            needed: !name.ends_with('?'),
            choices,
        }
    };
    settings.iter().map(|n| field(n, false)).chain(secrets.iter().map(|n| field(n, true))).collect()
}

#[derive(Template)]
#[template(path = "settings/channels.html")]
struct Channels {
    page: Page,
    tabs: Tabs,
    list: Vec<Channel>,
    kinds: Vec<(&'static str, &'static str)>,
    kind: String,
    /// The channel that is changed; 0 for a new one.
    id: i64,
    name: String,
    enabled: bool,
    fields: Vec<Field>,
    mail: String,
    done: String,
    wrong: Wrong,
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    done: String,
}

async fn page(
    app: &App,
    browser: &Browser,
    (id, typed): (i64, Option<NewChannel>),
    asked: Asked,
    wrong: Wrong,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let list = notify::channels(app.db(), actor).await?;
    let known = match id {
        0 => None,
        id => Some(notify::channel(app.db(), actor, id).await?),
    };
    let kept = known.as_ref().map(|k| k.secrets.clone()).unwrap_or_default();
    let shown = typed.unwrap_or_else(|| match &known {
        Some(k) => NewChannel {
            kind: k.kind.clone(),
            name: k.name.clone(),
            settings: k.settings.clone(),
            enabled: k.enabled,
            ..NewChannel::default()
        },
        None => {
            let kind = if asked.kind.is_empty() { "mail".to_owned() } else { asked.kind };
            NewChannel { kind, enabled: true, ..NewChannel::default() }
        }
    });
    let mail = match actor.person {
        Some(id) => people::person(app.db(), actor, id).await.map(|p| p.email).unwrap_or_default(),
        None => String::new(),
    };
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Channels {
        page: Page::new(browser, "/settings/people", "Channels"),
        tabs: Tabs::new(browser, "/settings/channels"),
        list,
        kinds: KINDS.iter().map(|k| (k.0, k.1)).collect(),
        id,
        fields: fields(&shown.kind, &shown.settings, &kept),
        kind: shown.kind,
        name: shown.name,
        enabled: shown.enabled,
        mail,
        done: asked.done,
        wrong,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn all(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    page(&app, &browser, (0, None), asked, Wrong::none()).await
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    page(&app, &browser, (id, None), asked, Wrong::none()).await
}

type Fields = Vec<(String, String)>;

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
}

async fn write(app: &App, browser: &Browser, id: i64, sent: &Fields) -> Result<Response, PageError> {
    browser.check(field(sent, "csrf"))?;
    let kind = field(sent, "kind").to_owned();
    let (mut settings, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for f in fields(&kind, &BTreeMap::new(), &[]) {
        let value = field(sent, &format!("set-{}", f.name)).trim().to_owned();
        if f.secret {
            secrets.insert(f.name.to_owned(), value)
        } else {
            settings.insert(f.name.to_owned(), value)
        };
    }
    let new = NewChannel {
        kind,
        name: field(sent, "name").trim().to_owned(),
        settings,
        secrets,
        enabled: !field(sent, "enabled").is_empty(),
    };
    match notify::set_channel(app.db(), browser.actor(), (app.vault(), random), id, &new).await {
        Ok(id) => Ok(back(&format!("/settings/channels/{id}?done=The+channel+is+set."))),
        Err(Error::Rejected { field, message }) => {
            page(app, browser, (id, Some(new)), Asked::default(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn make(
    State(app): State<App>,
    browser: Browser,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    write(&app, &browser, 0, &sent).await
}

async fn change(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    write(&app, &browser, id, &sent).await
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    notify::drop_channel(app.db(), browser.actor(), id).await?;
    Ok(back("/settings/channels?done=The+channel+is+removed."))
}

async fn test(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    match notify::test(app.db(), browser.actor(), id, field(&sent, "address")).await {
        Ok((message, _)) => {
            let words =
                format!("Test message {message} is on its way; the delivery log tells what came of it.");
            Ok(back(&format!("/settings/channels/{id}?done={}", encode(&words))))
        }
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, (id, None), Asked::default(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

//! What one is told oneself: quiet hours, mail, pause, topics, and rules of one's own.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::SEVERITIES;
use tocsin_core::notify::{self, Habits, Quiet, Rule};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::clock;
use tocsin_core::platform::outbox::{Topic, offered};

use super::session::Wrong;
use super::settings::{DIGESTS, read_rule};
use super::{Page, filters};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/account/notifications", Access::Needs(Permission::FindingRead)),
    ("POST", "/account/notifications", Access::Needs(Permission::FindingRead)),
    ("POST", "/account/notifications/rules", Access::Needs(Permission::FindingRead)),
    ("POST", "/account/notifications/rules/{id}/remove", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/account/notifications", get(one).post(set))
        .route("/account/notifications/rules", post(make))
        .route("/account/notifications/rules/{id}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "notifications/own.html")]
struct Own {
    page: Page,
    h: Habits,
    rules: Vec<Rule>,
    topics: Vec<(&'static str, &'static str, bool)>,
    severities: Vec<(i64, &'static str)>,
    digests: Vec<(&'static str, &'static str)>,
    paused: bool,
    done: String,
    wrong: Wrong,
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

async fn page(
    app: &App,
    browser: &Browser,
    typed: Option<Habits>,
    done: String,
    wrong: Wrong,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let h = match typed {
        Some(h) => h,
        None => notify::habits(app.db(), actor).await?,
    };
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Own {
        page: Page::new(browser, "/account", "What I am told").crumb("/account", "Account"),
        rules: notify::rules(app.db(), actor, true).await?,
        topics: offered().map(|(t, words)| (t.name(), words, h.muted.contains(&t))).collect(),
        severities: SEVERITIES.iter().enumerate().skip(2).map(|(n, s)| (n as i64, *s)).collect(),
        digests: DIGESTS.iter().map(|d| (d.0, d.1)).collect(),
        paused: h.muted_until > actor.now,
        h,
        done,
        wrong,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    page(&app, &browser, None, asked.done, Wrong::none()).await
}

type Fields = Vec<(String, String)>;

fn field<'a>(sent: &'a Fields, name: &str) -> &'a str {
    sent.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
}

fn back(words: &str) -> Response {
    Redirect::to(&format!("/account/notifications?done={}", super::encode(words))).into_response()
}

async fn set(
    State(app): State<App>,
    browser: Browser,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    let actor = browser.actor();
    let before = notify::habits(app.db(), actor).await?;
    let muted_until = match field(&sent, "pause") {
        "keep" => before.muted_until,
        hours => match hours.parse::<i64>() {
            Ok(hours) if hours > 0 => clock::minutes_after(&actor.now, hours.min(24 * 30) * 60),
            _ => String::new(),
        },
    };
    let new = Habits {
        quiet: Quiet {
            zone: field(&sent, "zone").trim().to_owned(),
            from: field(&sent, "from").trim().to_owned(),
            to: field(&sent, "to").trim().to_owned(),
            breaks: field(&sent, "breaks").parse().unwrap_or(5),
        },
        mail: !field(&sent, "mail").is_empty(),
        muted_until,
        muted: sent.iter().filter(|(n, _)| n == "muted").filter_map(|(_, v)| Topic::parse(v)).collect(),
    };
    match notify::set_habits(app.db(), actor, &new).await {
        Ok(()) => Ok(back("It is set.")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, Some(new), String::new(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn make(
    State(app): State<App>,
    browser: Browser,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    let actor = browser.actor();
    let Some(person) = actor.person else {
        return Err(Error::Denied("a rule of one's own".to_owned()).into());
    };
    let rule = Rule { enabled: true, ..read_rule(&sent, 0, person) };
    match notify::set_rule(app.db(), actor, &rule).await {
        Ok(_) => Ok(back("The rule is made.")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, None, String::new(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    notify::drop_rule(app.db(), browser.actor(), id).await?;
    Ok(back("The rule is removed."))
}

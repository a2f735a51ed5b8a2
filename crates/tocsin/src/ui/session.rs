//! Signing in and out; accepting an invitation.

use std::collections::HashMap;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::platform::people::{self, Acceptance, SESSION_HOURS};

use super::{Answer, show};
use crate::server::{App, Browser, Origin, PageError, later, now, random};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(sign_in).post(do_sign_in))
        .route("/sign-out", post(sign_out))
        .route("/welcome/{token}", get(welcome).post(do_welcome))
}

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct SignIn {
    title: &'static str,
    next: String,
    login: String,
    problem: String,
}

/// Only paths of our own are gone back to.
fn inside(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r']);
    if own { next } else { "/" }
}

async fn sign_in(Query(query): Query<HashMap<String, String>>) -> Answer {
    let next = query.get("next").map_or("/", |n| inside(n)).to_owned();
    show(&SignIn { title: "Sign in", next, login: String::new(), problem: String::new() })
}

#[derive(Deserialize)]
struct Credentials {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

fn with_cookie(app: &App, token: &str, age: i64, to: &str) -> Response {
    let secure = if app.0.secure { "; Secure" } else { "" };
    let name = crate::server::COOKIE_NAME;
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    let mut response = Redirect::to(to).into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

async fn do_sign_in(
    State(app): State<App>,
    Origin(from): Origin,
    Form(c): Form<Credentials>,
) -> Result<Response, PageError> {
    let next = inside(&c.next).to_owned();
    if !app.0.sign_ins.allow(&from.address, &c.login) {
        let problem = "Too many tries. Wait a quarter of an hour.".to_owned();
        let page = SignIn { title: "Sign in", next, login: c.login, problem };
        return Ok((StatusCode::TOO_MANY_REQUESTS, Html(page.render()?)).into_response());
    }
    let begun =
        people::sign_in(app.db(), random, &c.login, &c.password, &from, &now(), &later(SESSION_HOURS)).await;
    match begun {
        Ok(session) => Ok(with_cookie(&app, &session.token, SESSION_HOURS * 3600, &next)),
        Err(Error::Denied(_)) => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let problem = "Login or password are not right.".to_owned();
            let page = SignIn { title: "Sign in", next, login: c.login, problem };
            Ok((StatusCode::UNAUTHORIZED, Html(page.render()?)).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn sign_out(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::sign_out(app.db(), &browser.token).await?;
    Ok(with_cookie(&app, "", 0, "/sign-in"))
}

#[derive(Deserialize, Default)]
struct Newcomer {
    name: String,
    email: String,
    login: String,
    password: String,
}

/// What is wrong with a field.
struct Wrong(String, String);

impl Wrong {
    fn of(&self, field: &str) -> &str {
        if self.0 == field { &self.1 } else { "" }
    }
}

#[derive(Template)]
#[template(path = "session/welcome.html")]
struct Welcome {
    title: &'static str,
    role: String,
    form: Newcomer,
    wrong: Wrong,
}

fn used() -> PageError {
    PageError::not_found("open invitation behind this link: it was used, has expired, or never was")
}

async fn welcome(State(app): State<App>, Path(token): Path<String>) -> Answer {
    let (role, email) = people::invitation(app.db(), &token, &now()).await.map_err(|_| used())?;
    let form = Newcomer { email, ..Newcomer::default() };
    show(&Welcome { title: "Welcome", role, form, wrong: Wrong(String::new(), String::new()) })
}

async fn do_welcome(
    State(app): State<App>,
    Path(token): Path<String>,
    Origin(from): Origin,
    Form(form): Form<Newcomer>,
) -> Result<Response, PageError> {
    let (role, _) = people::invitation(app.db(), &token, &now()).await.map_err(|_| used())?;
    let who = Acceptance {
        login: form.login.clone(),
        name: form.name.clone(),
        email: form.email.clone(),
        password: form.password.clone(),
    };
    match people::accept(app.db(), random, &token, &who, &from, &now()).await {
        Ok(()) => {
            let session = people::sign_in(
                app.db(),
                random,
                &who.login,
                &who.password,
                &from,
                &now(),
                &later(SESSION_HOURS),
            )
            .await?;
            Ok(with_cookie(&app, &session.token, SESSION_HOURS * 3600, "/"))
        }
        Err(Error::Rejected { field, message }) => {
            let page = Welcome { title: "Welcome", role, form, wrong: Wrong(field, message) };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

//! Signing in and out, in one step or two; accepting an invitation; setting a lost password anew.

use std::collections::HashMap;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::platform::people::{self, Acceptance, Begun, Provider};

use super::{Answer, filters, kept, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, Cookies, Guest, Origin, PageError, cookie, now, random};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/sign-in", Access::Public),
    ("POST", "/sign-in", Access::Public),
    ("POST", "/sign-in/code", Access::Public),
    ("POST", "/sign-out", Access::Known),
    ("GET", "/welcome/{token}", Access::Public),
    ("POST", "/welcome/{token}", Access::Public),
    ("POST", "/welcome/{token}/join", Access::Known),
    ("GET", "/reset/{token}", Access::Public),
    ("POST", "/reset/{token}", Access::Public),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(sign_in).post(do_sign_in))
        .route("/sign-in/code", post(do_code))
        .route("/sign-out", post(sign_out))
        .route("/welcome/{token}", get(welcome).post(do_welcome))
        .route("/welcome/{token}/join", post(do_join))
        .route("/reset/{token}", get(reset).post(do_reset))
}

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct SignIn {
    title: &'static str,
    next: String,
    login: String,
    problem: String,
    notice: &'static str,
    providers: Vec<Provider>,
    passkeys: bool,
}

#[derive(Template)]
#[template(path = "session/code.html")]
struct Code {
    title: &'static str,
    next: String,
    ticket: String,
    problem: String,
}

/// Only paths of our own are gone back to.
pub(super) fn inside(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if own { next } else { "/" }
}

/// The page that asks to sign in; `status` with `problem` where that did not do.
pub(super) async fn ask(
    app: &App,
    status: StatusCode,
    next: &str,
    login: String,
    problem: &str,
    notice: &'static str,
) -> Result<Response, PageError> {
    let page = SignIn {
        title: "Sign in",
        next: inside(next).to_owned(),
        login,
        problem: problem.to_owned(),
        notice,
        providers: people::providers(app.db(), app.0.oidc.as_ref()).await?,
        passkeys: app.site().party().is_some(),
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn sign_in(
    State(app): State<App>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let notice = match query.get("why").map(String::as_str) {
        Some("over") => "Your session has ended. Sign in to go on where you were.",
        Some("kept") => "Your session had ended. What you typed is kept: sign in to get it back.",
        Some("out") => "You are signed out.",
        Some("password") => "Your password is set. Sign in with it.",
        _ => "",
    };
    ask(&app, StatusCode::OK, query.get("next").map_or("/", String::as_str), String::new(), "", notice).await
}

#[derive(Deserialize)]
struct Credentials {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

const TOO_MANY: &str = "Too many tries. Wait a quarter of an hour.";

async fn do_sign_in(
    State(app): State<App>,
    Origin(from): Origin,
    cookies: Cookies,
    Form(c): Form<Credentials>,
) -> Result<Response, PageError> {
    if !app.0.sign_ins.allow(&from.address, &c.login) {
        return ask(&app, StatusCode::TOO_MANY_REQUESTS, &c.next, c.login, TOO_MANY, "").await;
    }
    let now = now();
    let door = app.door(&from, &now);
    match people::sign_in(&door, &c.login, &c.password, cookies.session()).await {
        Ok(Begun::In(session)) => {
            app.0.sign_ins.forget(&from.address, &c.login);
            kept::arrive(&app, &door, &session, &cookies, inside(&c.next)).await
        }
        Ok(Begun::Code(ticket)) => {
            let (next, problem) = (inside(&c.next).to_owned(), String::new());
            let page = Code { title: "Second step", next, ticket, problem };
            Ok(Html(page.render()?).into_response())
        }
        Err(Error::Denied(why)) => {
            let noted = (app.clone(), from.clone(), c.login.clone(), now.clone());
            tokio::spawn(async move {
                let (app, from, login, now) = noted;
                // a database that does not answer is told by what asks it for an answer
                let _ = people::note_wrong_password(&app.door(&from, &now), &login).await;
            });
            tokio::time::sleep(Duration::from_millis(300)).await;
            let problem =
                if why.contains("codes") { why } else { "Login or password are not right.".to_owned() };
            ask(&app, StatusCode::UNAUTHORIZED, &c.next, c.login, &problem, "").await
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Second {
    ticket: String,
    code: String,
    #[serde(default)]
    next: String,
}

async fn do_code(
    State(app): State<App>,
    Origin(from): Origin,
    cookies: Cookies,
    Form(form): Form<Second>,
) -> Result<Response, PageError> {
    if !app.0.sign_ins.allow(&from.address, &form.ticket) {
        return ask(&app, StatusCode::TOO_MANY_REQUESTS, &form.next, String::new(), TOO_MANY, "").await;
    }
    let now = now();
    let door = app.door(&from, &now);
    match people::confirm_code(&door, &form.ticket, &form.code).await {
        Ok(session) => kept::arrive(&app, &door, &session, &cookies, inside(&form.next)).await,
        Err(Error::Denied(_)) => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let problem = "This code is not right, or was used already. Wait for the next one.".to_owned();
            let next = inside(&form.next).to_owned();
            let page = Code { title: "Second step", next, ticket: form.ticket, problem };
            Ok((StatusCode::UNAUTHORIZED, Html(page.render()?)).into_response())
        }
        Err(Error::NotFound(_)) => {
            let problem = "Too much time passed, or too many codes were wrong. Sign in again.";
            ask(&app, StatusCode::UNAUTHORIZED, &form.next, String::new(), problem, "").await
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
    Ok(cookie::leave(&app, "/sign-in?why=out"))
}

#[derive(Deserialize, Default)]
struct Newcomer {
    name: String,
    email: String,
    login: String,
    password: String,
}

/// What is wrong with a field.
pub(super) struct Wrong(pub String, pub String);

impl Wrong {
    /// Nothing is.
    pub fn none() -> Wrong {
        Wrong(String::new(), String::new())
    }

    /// What is wrong with this field; empty where nothing is.
    pub fn of(&self, field: &str) -> &str {
        if self.0 == field { &self.1 } else { "" }
    }
}

#[derive(Template)]
#[template(path = "session/welcome.html")]
struct Welcome {
    title: &'static str,
    role: String,
    token: String,
    form: Newcomer,
    wrong: Wrong,
    signed_in: Option<(String, String)>,
}

fn used() -> PageError {
    PageError::not_found(
        "open invitation behind this link: it was used, was taken back, has expired, or never was",
    )
}

async fn welcome(State(app): State<App>, Path(token): Path<String>, guest: Guest) -> Answer {
    let (role, email) = people::invitation(app.db(), &token, &now()).await.map_err(|_| used())?;
    let form = Newcomer { email, ..Newcomer::default() };
    let signed_in = guest.0.map(|b| (b.known.name.clone(), b.known.csrf.clone()));
    show(&Welcome { title: "Welcome", role, token, form, wrong: Wrong::none(), signed_in })
}

async fn do_welcome(
    State(app): State<App>,
    Path(token): Path<String>,
    Origin(from): Origin,
    cookies: Cookies,
    Form(form): Form<Newcomer>,
) -> Result<Response, PageError> {
    let now = now();
    let (role, _) = people::invitation(app.db(), &token, &now).await.map_err(|_| used())?;
    if !app.0.sign_ins.allow(&from.address, &token) {
        let page = Welcome {
            title: "Welcome",
            role,
            token,
            form,
            wrong: Wrong("password".to_owned(), TOO_MANY.to_owned()),
            signed_in: None,
        };
        return Ok((StatusCode::TOO_MANY_REQUESTS, Html(page.render()?)).into_response());
    }
    let who = Acceptance {
        login: form.login.clone(),
        name: form.name.clone(),
        email: form.email.clone(),
        password: form.password.clone(),
    };
    let door = app.door(&from, &now);
    match people::accept(app.db(), random, &token, &who, &from, &now).await {
        Ok(()) => match people::sign_in(&door, &who.login, &who.password, None).await? {
            Begun::In(session) => kept::arrive(&app, &door, &session, &cookies, "/").await,
            Begun::Code(_) => Err(used()),
        },
        Err(Error::Rejected { field, message }) => {
            let page = Welcome {
                title: "Welcome",
                role,
                token,
                form,
                wrong: Wrong(field, message),
                signed_in: None,
            };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn do_join(
    State(app): State<App>,
    Path(token): Path<String>,
    browser: Browser,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::accept_as(app.db(), browser.actor(), &token).await.map_err(|_| used())?;
    Ok(axum::response::Redirect::to("/").into_response())
}

#[derive(Template)]
#[template(path = "session/reset.html")]
struct Reset {
    title: &'static str,
    login: String,
    wrong: String,
}

async fn reset(State(app): State<App>, Path(token): Path<String>, Origin(from): Origin) -> Answer {
    let now = now();
    let login = people::resettable(&app.door(&from, &now), &token).await.map_err(|_| over())?;
    show(&Reset { title: "New password", login, wrong: String::new() })
}

fn over() -> PageError {
    PageError::not_found("open link for a new password here: it was used, has expired, or never was")
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
}

async fn do_reset(
    State(app): State<App>,
    Path(token): Path<String>,
    Origin(from): Origin,
    Form(form): Form<NewPassword>,
) -> Result<Response, PageError> {
    let now = now();
    let door = app.door(&from, &now);
    let login = people::resettable(&door, &token).await.map_err(|_| over())?;
    if !app.0.sign_ins.allow(&from.address, &token) {
        let page = Reset { title: "New password", login, wrong: TOO_MANY.to_owned() };
        return Ok((StatusCode::TOO_MANY_REQUESTS, Html(page.render()?)).into_response());
    }
    match people::reset(&door, &token, &form.password).await {
        Ok(()) => Ok(cookie::leave(&app, "/sign-in?why=password")),
        Err(Error::Rejected { message, .. }) => {
            let page = Reset { title: "New password", login, wrong: message };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.render()?)).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

//! One's own account: profile, password, second step, sessions.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use std::collections::HashMap;
use tocsin_core::Error;
use tocsin_core::platform::people::{self, Enrolment, Passkey, Profile, Shown};

use super::session::Wrong;
use super::{Page, filters, qr};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here: everybody their own.
pub const ACCESS: &[Route] = &[
    ("GET", "/account", Access::Known),
    ("POST", "/account/profile", Access::Known),
    ("POST", "/account/password", Access::Known),
    ("GET", "/account/second-step", Access::Known),
    ("POST", "/account/second-step", Access::Known),
    ("POST", "/account/second-step/remove", Access::Known),
    ("POST", "/account/recovery-codes", Access::Known),
    ("POST", "/account/sessions/end", Access::Known),
    ("POST", "/account/sessions/{id}/end", Access::Known),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/account", get(one))
        .route("/account/profile", post(profile))
        .route("/account/password", post(password))
        .route("/account/second-step", get(begin).post(confirm))
        .route("/account/second-step/remove", post(remove))
        .route("/account/recovery-codes", post(new_codes))
        .route("/account/sessions/end", post(end_others))
        .route("/account/sessions/{id}/end", post(end_one))
}

#[derive(Template)]
#[template(path = "account/one.html")]
struct One {
    page: Page,
    profile: Profile,
    sessions: Vec<Shown>,
    typed_name: String,
    typed_email: String,
    done: &'static str,
    wrong: Wrong,
    lacks: bool,
    provider: Option<String>,
    linked: bool,
    /// Passkeys can be made here: the address of the server is one that browsers trust.
    passkeys_here: bool,
    passkeys: Vec<Passkey>,
}

/// The page; with what was typed and what is wrong with it, where something is.
pub(super) async fn page(
    app: &App,
    browser: &Browser,
    typed: Option<(String, String)>,
    wrong: Wrong,
    done: &'static str,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let profile = people::profile(app.db(), actor).await?;
    let (typed_name, typed_email) = typed.unwrap_or_else(|| (profile.name.clone(), profile.email.clone()));
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let providers = people::providers(app.db(), app.0.oidc.as_ref()).await?;
    let page = One {
        page: Page::new(browser, "/account", "Your account"),
        provider: providers.into_iter().find(|p| p.workspace == actor.workspace).map(|p| p.name),
        passkeys_here: app.site().party().is_some(),
        passkeys: people::passkeys(app.db(), actor).await?,
        linked: people::is_linked(app.db(), actor).await?,
        sessions: people::sessions(app.db(), actor, actor.person, &browser.token).await?,
        profile,
        typed_name,
        typed_email,
        done,
        wrong,
        lacks: browser.known.lacks_second_step,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let done = match query.get("done").map(String::as_str) {
        Some("profile") => "Your profile is changed.",
        Some("password") => "Your password is changed; your other sessions have ended.",
        Some("removed") => "The authenticator is removed.",
        Some("ended") => "Ended.",
        Some("passkey") => "The passkey is made; your other sessions have ended.",
        Some("unpasskey") => "The passkey is removed. Remove it at your authenticator too.",
        Some("linked") => "Your account is connected; you can sign in at the provider.",
        Some("unlinked") => "Your account is no longer connected.",
        _ => "",
    };
    page(&app, &browser, None, Wrong::none(), done).await
}

fn done(what: &str) -> Response {
    Redirect::to(&format!("/account?done={what}")).into_response()
}

#[derive(Deserialize)]
struct NewProfile {
    csrf: String,
    name: String,
    email: String,
}

async fn profile(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<NewProfile>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    match people::set_profile(app.db(), browser.actor(), &form.name, &form.email).await {
        Ok(()) => Ok(done("profile")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, Some((form.name, form.email)), Wrong(field, message), "").await
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct NewPassword {
    csrf: String,
    #[serde(default)]
    current: String,
    password: String,
}

/// Tries at one's own password are counted too: a session left open must not give it away.
pub(super) fn count(app: &App, browser: &Browser) -> Result<(), PageError> {
    let name = format!("own {}", browser.actor().name);
    if app.0.sign_ins.allow(&browser.from.address, &name) { Ok(()) } else { Err(PageError::too_many()) }
}

async fn password(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<NewPassword>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    count(&app, &browser)?;
    let door = browser.door(&app);
    let changed =
        people::change_password(&door, browser.actor(), &form.current, &form.password, &browser.token).await;
    match changed {
        Ok(()) => Ok(done("password")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, None, Wrong(field, message), "").await
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Template)]
#[template(path = "account/second_step.html")]
struct SecondStep {
    page: Page,
    enrolment: Enrolment,
    picture: String,
    wrong: Wrong,
    lacks: bool,
}

async fn enrol(
    app: &App,
    browser: &Browser,
    token: Option<&str>,
    wrong: Wrong,
) -> Result<Response, PageError> {
    let enrolment = match people::enrolment(&browser.door(app), browser.actor(), token).await {
        Err(Error::Conflict(_)) => return Ok(Redirect::to("/account").into_response()),
        other => other?,
    };
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = SecondStep {
        page: Page::new(browser, "/account", "Authenticator").crumb("/account", "Your account"),
        picture: qr::svg(&enrolment.address),
        enrolment,
        wrong,
        lacks: browser.known.lacks_second_step,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn begin(State(app): State<App>, browser: Browser) -> Result<Response, PageError> {
    enrol(&app, &browser, None, Wrong::none()).await
}

#[derive(Deserialize)]
struct FirstCode {
    csrf: String,
    ticket: String,
    code: String,
}

#[derive(Template)]
#[template(path = "account/codes.html")]
struct Codes {
    page: Page,
    codes: Vec<String>,
}

fn tell_codes(browser: &Browser, codes: Vec<String>) -> Result<Response, PageError> {
    let page = Page::new(browser, "/account", "Recovery codes").crumb("/account", "Your account");
    Ok(Html(Codes { page, codes }.render()?).into_response())
}

async fn confirm(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<FirstCode>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let door = browser.door(&app);
    match people::confirm_second_step(&door, browser.actor(), &form.ticket, &form.code, &browser.token).await
    {
        Ok(codes) => tell_codes(&browser, codes),
        Err(Error::Rejected { field, message }) => {
            enrol(&app, &browser, Some(&form.ticket), Wrong(field, message)).await
        }
        Err(Error::NotFound(_)) => {
            let wrong = Wrong(
                "code".to_owned(),
                "This took too long or too many codes were wrong. Scan the new picture.".to_owned(),
            );
            enrol(&app, &browser, None, wrong).await
        }
        Err(Error::Conflict(_)) => Ok(Redirect::to("/account").into_response()),
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Confirmed {
    csrf: String,
    #[serde(default)]
    current: String,
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Confirmed>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    count(&app, &browser)?;
    match people::remove_second_step(&browser.door(&app), browser.actor(), &form.current).await {
        Ok(()) => Ok(done("removed")),
        Err(Error::Rejected { message, .. }) => {
            page(&app, &browser, None, Wrong("second".to_owned(), message), "").await
        }
        Err(e) => Err(e.into()),
    }
}

async fn new_codes(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Confirmed>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    count(&app, &browser)?;
    match people::new_recovery_codes(&browser.door(&app), browser.actor(), &form.current).await {
        Ok(codes) => tell_codes(&browser, codes),
        Err(Error::Rejected { message, .. }) => {
            page(&app, &browser, None, Wrong("second".to_owned(), message), "").await
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn end_others(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let person = browser.actor().person.unwrap_or_default();
    people::end_sessions(app.db(), browser.actor(), person, &browser.token).await?;
    Ok(done("ended"))
}

async fn end_one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<String>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::end_session(app.db(), browser.actor(), &id).await?;
    Ok(done("ended"))
}

//! Signing in at a provider of identities (OpenID Connect), and tying an account to one.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::platform::clock;
use tocsin_core::platform::people::{self, Claims, Door, Journey, Outside};

use super::kept;
use super::session::{ask, inside};
use crate::cli::say;
use crate::identity::oidc::{self, Expected, Metadata};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, Cookies, Guest, Origin, PageError, cookie, letters, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/sign-in/provider", Access::Public),
    ("GET", "/sign-in/provider/callback", Access::Public),
    ("POST", "/account/provider", Access::Known),
    ("POST", "/account/provider/remove", Access::Known),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in/provider", get(depart))
        .route("/sign-in/provider/callback", get(arrive))
        .route("/account/provider", post(link))
        .route("/account/provider/remove", post(unlink))
}

fn callback(app: &App) -> String {
    format!("{}/sign-in/provider/callback", app.site().address)
}

/// Why it did not go, for the person; the log has more.
struct Failed(String);

impl Failed {
    fn of(outside: &Outside, why: impl std::fmt::Display) -> Failed {
        say(&format!("error: sign-in at {}: {why}", outside.oidc.issuer));
        Failed(format!("{} could not be used: {why}.", outside.oidc.name))
    }
}

/// A provider's configuration.
async fn metadata(app: &App, outside: &Outside) -> Result<Metadata, Failed> {
    let (app, address) = (app.clone(), oidc::configuration(&outside.oidc.issuer));
    let reply = tokio::task::spawn_blocking(move || app.0.outbound.get(&address, None)).await;
    let reply = reply.map_err(|e| Failed::of(outside, e))?.map_err(|e| Failed::of(outside, e))?;
    Metadata::read(&outside.oidc.issuer, &reply.body).map_err(|e| Failed::of(outside, e))
}

/// Exchanges the code for a token and checks it.
async fn claims(app: &App, outside: &Outside, journey: &Journey, code: &str) -> Result<Claims, Failed> {
    let metadata = metadata(app, outside).await?;
    let (there, callback) = (metadata.clone(), callback(app));
    let (client, secret) = (outside.oidc.client.clone(), outside.secret.clone());
    let (verifier, code, app) = (journey.verifier.clone(), code.to_owned(), app.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", verifier.as_str()),
        ];
        let in_form = there.secret_in_form() || secret.is_empty();
        if in_form {
            form.push(("client_id", client.as_str()));
        }
        if in_form && !secret.is_empty() {
            form.push(("client_secret", secret.as_str()));
        }
        let basic = (!in_form).then(|| oidc::basic(&client, &secret));
        let answer = app.0.outbound.post(&there.token_endpoint, basic, &form)?;
        let keys = app.0.outbound.get(&there.jwks_uri, None)?;
        Ok::<_, crate::outbound::Refused>((answer.body, keys.body))
    });
    let asked = asked.await.map_err(|e| Failed::of(outside, e))?;
    let (answer, keys) = asked.map_err(|e| Failed::of(outside, e))?;
    let token = oidc::identity_token(&answer).map_err(|e| Failed::of(outside, e))?;
    let expected = Expected {
        issuer: &outside.oidc.issuer,
        client: &outside.oidc.client,
        nonce: &journey.nonce,
        now: clock::seconds(&now()),
        groups: &outside.oidc.groups,
    };
    oidc::check(&keys, &token, &expected).map_err(|e| Failed::of(outside, e))
}

/// On the way to a provider.
#[derive(Template)]
#[template(path = "session/away.html")]
struct Away {
    title: &'static str,
    name: String,
    href: String,
}

/// Begins a journey to a provider.
async fn go(
    app: &App,
    door: &Door<'_>,
    workspace: i64,
    next: &str,
    link: Option<i64>,
) -> Result<Response, PageError> {
    let outside = people::provider(door, app.0.oidc.as_ref(), workspace).await?;
    let metadata = match metadata(app, &outside).await {
        Ok(metadata) => metadata,
        Err(Failed(why)) => return ask(app, StatusCode::BAD_GATEWAY, next, String::new(), &why, "").await,
    };
    let journey = Journey { nonce: letters(40), verifier: letters(64), next: inside(next).to_owned(), link };
    let state = people::depart(door, workspace, &journey).await?;
    let href =
        metadata.address(&outside.oidc.client, &callback(app), &state, &journey.nonce, &journey.verifier);
    let mut reply = match link {
        None => Redirect::to(&href).into_response(),
        // a form's answer must not lead to another host (CSP form-action); a page of ours may
        Some(_) => {
            let refresh = format!("0; url={href}");
            let page = Away { title: "To your provider", name: outside.oidc.name, href };
            ([("refresh", refresh)], Html(page.render()?)).into_response()
        }
    };
    cookie::set(app, &mut reply, cookie::JOURNEY, &state, 900);
    Ok(reply)
}

#[derive(Deserialize)]
struct Wanted {
    workspace: i64,
    #[serde(default)]
    next: String,
}

async fn depart(
    State(app): State<App>,
    Origin(from): Origin,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    if !app.0.sign_ins.allow_from(&from.address) {
        return Err(PageError::too_many());
    }
    let now = now();
    go(&app, &app.door(&from, &now), wanted.workspace, &wanted.next, None).await
}

async fn arrive(
    State(app): State<App>,
    Origin(from): Origin,
    guest: Guest,
    cookies: Cookies,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    let refuse = async |why: &str| ask(&app, StatusCode::UNAUTHORIZED, "/", String::new(), why, "").await;
    // who comes back is who left: the state is this browser's
    if get("state").is_empty() || cookies.get(cookie::JOURNEY) != Some(get("state")) {
        return refuse("This sign-in was begun in another browser, or too long ago. Begin again.").await;
    }
    let now = now();
    let door = app.door(&from, &now);
    let (workspace, journey) = match people::arrive(&door, get("state")).await {
        Ok(known) => known,
        Err(Error::NotFound(_)) => return refuse("This sign-in took too long. Begin again.").await,
        Err(e) => return Err(e.into()),
    };
    if !get("error").is_empty() {
        let told: String =
            get("error").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
        return refuse(&format!("The provider refused: {told}.")).await;
    }
    let outside = people::provider(&door, app.0.oidc.as_ref(), workspace).await?;
    let who = match claims(&app, &outside, &journey, get("code")).await {
        Ok(who) => who,
        Err(Failed(why)) => return refuse(&why).await,
    };
    if let Some(person) = journey.link {
        let Some(browser) = guest.0.filter(|b| b.actor().person == Some(person)) else {
            return refuse("You are no longer signed in with the account that was to be connected.").await;
        };
        people::link_provider(app.db(), browser.actor(), &outside, &who).await?;
        return Ok(Redirect::to("/account?done=linked").into_response());
    }
    match people::enter_by_provider(&door, &outside, &who, cookies.session()).await {
        Ok(session) => kept::arrive(&app, &door, &session, &cookies, &journey.next).await,
        Err(Error::Denied(what)) => refuse(&format!("You lack {what}.")).await,
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn link(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let actor = browser.actor();
    go(&app, &browser.door(&app), actor.workspace, "/account", actor.person).await
}

async fn unlink(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let person = browser.actor().person.unwrap_or_default();
    people::unlink_provider(app.db(), browser.actor(), person).await?;
    Ok(Redirect::to("/account?done=unlinked").into_response())
}

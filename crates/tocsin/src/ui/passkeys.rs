//! Passkeys: making them and signing in with them. The browser's part is `web/passkey.js`; without it nothing of this is
//! shown.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use tocsin_core::Error;
use tocsin_core::platform::people::{self, NewPasskey, Purpose};

use super::account;
use super::kept;
use super::session::{Wrong, ask, inside};
use crate::identity::webauthn::{self, ALGORITHMS, Answer, Expected};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Browser, Cookies, Origin, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("POST", "/sign-in/passkey/begin", Access::Public),
    ("POST", "/sign-in/passkey", Access::Public),
    ("POST", "/account/passkeys/begin", Access::Known),
    ("POST", "/account/passkeys", Access::Known),
    ("POST", "/account/passkeys/{id}/remove", Access::Known),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in/passkey/begin", post(begin_enter))
        .route("/sign-in/passkey", post(enter))
        .route("/account/passkeys/begin", post(begin_make))
        .route("/account/passkeys", post(make))
        .route("/account/passkeys/{id}/remove", post(remove))
}

fn bytes(text: &str) -> Vec<u8> {
    // what is no base64url is empty, which answers nothing
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_default()
}

fn expected<'a>(app: &'a App, challenge: &'a [u8]) -> Expected<'a> {
    Expected { challenge, origin: &app.site().address, party: app.site().party().unwrap_or_default() }
}

async fn begin_enter(State(app): State<App>, Origin(from): Origin) -> Result<Response, PageError> {
    if !app.0.sign_ins.allow_from(&from.address) {
        return Err(PageError::too_many());
    }
    let now = now();
    let (ticket, challenge) = people::ask_passkey(&app.door(&from, &now), Purpose::Enter, 0).await?;
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    Ok(Json(json!({"ticket": ticket, "challenge": challenge, "party": app.site().party()})).into_response())
}

#[derive(Deserialize)]
struct Entering {
    ticket: String,
    credential: String,
    client: String,
    data: String,
    signature: String,
    #[serde(default)]
    next: String,
}

async fn enter(
    State(app): State<App>,
    Origin(from): Origin,
    cookies: Cookies,
    Form(form): Form<Entering>,
) -> Result<Response, PageError> {
    let refuse =
        async |why: &str| ask(&app, StatusCode::UNAUTHORIZED, &form.next, String::new(), why, "").await;
    let now = now();
    let door = app.door(&from, &now);
    let challenge = match people::asked_passkey(&door, Purpose::Enter, 0, &form.ticket).await {
        Ok(challenge) => challenge,
        Err(Error::NotFound(_)) => return refuse("This took too long. Begin again.").await,
        Err(e) => return Err(e.into()),
    };
    let Some(passkey) = people::passkey_of(app.db(), &form.credential).await? else {
        return refuse("This passkey is not known here. It may have been removed from its account.").await;
    };
    let (client, data, signature) = (bytes(&form.client), bytes(&form.data), bytes(&form.signature));
    let answer = Answer { client: &client, data: &data, signature: &signature };
    match webauthn::answered(&answer, &passkey.key, passkey.counter, &expected(&app, &challenge)) {
        Ok(counter) => {
            let session = people::enter_with_passkey(&door, &passkey, counter, cookies.session()).await?;
            kept::arrive(&app, &door, &session, &cookies, inside(&form.next)).await
        }
        Err(fault) => {
            people::note_failure(&door, passkey.person, "passkey").await?;
            refuse(&format!("The passkey could not be used: {fault}.")).await
        }
    }
}

#[derive(Deserialize)]
struct Beginning {
    csrf: String,
    #[serde(default)]
    current: String,
}

async fn begin_make(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Beginning>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    account::count(&app, &browser)?;
    let actor = browser.actor();
    match people::may_make_passkey(app.db(), actor, &form.current).await {
        Err(e @ Error::Rejected { .. }) => return Ok(ApiError::from(e).into_response()),
        other => other?,
    }
    let person = actor.person.unwrap_or_default();
    let (ticket, challenge) = people::ask_passkey(&browser.door(&app), Purpose::Make, person).await?;
    let known = people::passkeys(app.db(), actor).await?;
    let profile = people::profile(app.db(), actor).await?;
    Ok(Json(json!({
        "ticket": ticket,
        "challenge": URL_SAFE_NO_PAD.encode(challenge),
        "party": app.site().party(),
        // names the account to authenticators and says nothing of the person (section 14.6.1)
        "handle": URL_SAFE_NO_PAD.encode(person.to_be_bytes()),
        "login": profile.login,
        "name": profile.name,
        "algorithms": ALGORITHMS,
        "known": known.iter().map(|p| p.credential.as_str()).collect::<Vec<_>>(),
    }))
    .into_response())
}

#[derive(Deserialize)]
struct Making {
    csrf: String,
    ticket: String,
    name: String,
    client: String,
    attestation: String,
}

async fn make(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Making>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let actor = browser.actor();
    let wrong =
        async |why: String| account::page(&app, &browser, None, Wrong("passkey".to_owned(), why), "").await;
    let person = actor.person.unwrap_or_default();
    let challenge =
        match people::asked_passkey(&browser.door(&app), Purpose::Make, person, &form.ticket).await {
            Ok(challenge) => challenge,
            Err(Error::NotFound(_)) => return wrong("This took too long. Begin again.".to_owned()).await,
            Err(e) => return Err(e.into()),
        };
    let made =
        webauthn::created(&bytes(&form.client), &bytes(&form.attestation), &expected(&app, &challenge));
    let made = match made {
        Ok(made) => made,
        Err(fault) => return wrong(format!("The passkey could not be used: {fault}.")).await,
    };
    let new = NewPasskey {
        name: form.name.clone(),
        credential: URL_SAFE_NO_PAD.encode(&made.credential),
        algorithm: made.algorithm,
        key: made.key,
        counter: made.counter,
    };
    match people::note_passkey(app.db(), actor, &new, &browser.token).await {
        Ok(()) => Ok(Redirect::to("/account?done=passkey").into_response()),
        Err(Error::Rejected { message, .. } | Error::Conflict(message)) => wrong(message).await,
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    people::remove_passkey(app.db(), browser.actor(), id).await?;
    Ok(Redirect::to("/account?done=unpasskey").into_response())
}

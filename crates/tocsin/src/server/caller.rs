//! Who calls: a browser by its session cookie, a program by its API key.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::people::{self, From, Known};

use super::problem::{ApiError, PageError};
use super::{App, now};

/// Name of the session cookie. `__Host-` would forbid plain HTTP on the machine itself, which the first start needs.
pub const COOKIE_NAME: &str = "tocsin_session";

/// Where a request comes from.
pub struct Origin(pub From);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Origin, Self::Rejection> {
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|c| c.0.ip().to_string())
            .unwrap_or_default();
        let agent = header(parts, USER_AGENT).unwrap_or_default().to_owned();
        Ok(Origin(From { address, agent }))
    }
}

fn header(parts: &Parts, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    parts.headers.get(name)?.to_str().ok()
}

/// The token in the session cookie.
pub fn cookie(parts: &Parts) -> Option<&str> {
    let all = header(parts, COOKIE)?;
    all.split(';')
        .filter_map(|c| c.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, v)| v)
}

/// A person at a browser. Where there is no session, the request goes to the sign-in page and comes back.
pub struct Browser {
    /// The person.
    pub known: Known,
    /// Their session's token.
    pub token: String,
}

impl Browser {
    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.known.actor
    }

    /// Refuses a form that does not bring back the session's token: it was not made by our page.
    ///
    /// # Errors
    /// [`PageError`] with what to do.
    pub fn check(&self, csrf: &str) -> Result<(), PageError> {
        if !csrf.is_empty() && csrf == self.known.csrf { Ok(()) } else { Err(PageError::stale_form()) }
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Browser, Response> {
        let Ok(Origin(from)) = Origin::from_request_parts(parts, app).await;
        let wanted = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let to_sign_in =
            || Redirect::to(&format!("/sign-in?next={}", crate::ui::encode(&wanted))).into_response();
        let Some(token) = cookie(parts).map(str::to_owned) else { return Err(to_sign_in()) };
        match people::session(app.db(), &token, &from, &now()).await {
            Ok(Some(known)) => Ok(Browser { known, token }),
            Ok(None) => Err(to_sign_in()),
            Err(e) => Err(PageError::from(e).into_response()),
        }
    }
}

/// A program with an API key: `X-Api-Key` or `Authorization: Bearer`.
pub struct Client(pub Known);

/// Whom the API key of a request is, where it brings one that works.
///
/// # Errors
/// The database does not answer.
pub async fn key(parts: &mut Parts, app: &App) -> tocsin_core::Result<Option<Known>> {
    let Ok(Origin(from)) = Origin::from_request_parts(parts, app).await;
    let bearer = || header(parts, AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
    let text = header(parts, "x-api-key").or_else(bearer).unwrap_or_default();
    people::key(app.db(), text, &from, &now()).await
}

impl FromRequestParts<App> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Client, ApiError> {
        key(parts, app).await?.map(Client).ok_or_else(ApiError::unauthorised)
    }
}

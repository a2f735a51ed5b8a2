//! Who calls: a browser by its session cookie, a program by its API key.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::notify;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::jobs::{self, Active};
use tocsin_core::platform::people::{self, Door, From, Known, Seen};

use super::problem::{ApiError, PageError};
use super::{App, cookie, now};

/// Where a request comes from.
pub struct Origin(pub From);

impl FromRequestParts<App> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Origin, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
        let forwarded = header(parts, "x-forwarded-for");
        let address = peer.map_or(String::new(), |p| app.site().caller(p, forwarded).to_string());
        let agent = header(parts, USER_AGENT).unwrap_or_default().to_owned();
        Ok(Origin(From { address, agent }))
    }
}

fn header(parts: &Parts, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    parts.headers.get(name)?.to_str().ok()
}

/// A person at a browser. The guard finds out who it is, handlers get it from there. Where there is no session, the
/// request goes to the sign-in page and comes back.
#[derive(Clone)]
pub struct Browser {
    /// The person.
    pub known: Known,
    /// Their session's token.
    pub token: String,
    /// Jobs that they may see.
    pub jobs: Active,
    /// Messages that they have not seen, at most 100.
    pub unseen: i64,
    /// Where the request comes from.
    pub from: From,
}

impl Browser {
    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.known.actor
    }

    /// What actions on one's own account need.
    pub fn door<'a>(&'a self, app: &'a App) -> Door<'a> {
        app.door(&self.from, &self.known.actor.now)
    }

    /// Refuses a form that does not bring back the session's token: it was not made by our page.
    ///
    /// # Errors
    /// [`PageError`] with what to do.
    pub fn check(&self, csrf: &str) -> Result<(), PageError> {
        if !csrf.is_empty() && csrf == self.known.csrf { Ok(()) } else { Err(PageError::stale_form()) }
    }
}

/// What a request's cookie says of who is at the browser.
pub enum Met {
    /// Somebody who has signed in.
    Person(Box<Browser>),
    /// Somebody whose session is over; who it was, and the token of their forms.
    Over(i64, String),
    /// Nobody known.
    Nobody,
}

/// Whom a request's session cookie names.
///
/// # Errors
/// The database does not answer.
pub async fn met(parts: &mut Parts, app: &App) -> tocsin_core::Result<Met> {
    if let Some(known) = parts.extensions.get::<Browser>() {
        return Ok(Met::Person(Box::new(known.clone())));
    }
    let Ok(Origin(from)) = Origin::from_request_parts(parts, app).await;
    let Some(token) = cookie::get(&parts.headers, cookie::SESSION).map(str::to_owned) else {
        return Ok(Met::Nobody);
    };
    Ok(match people::session(app.db(), &token, &from, &now()).await? {
        Seen::Alive(known) => {
            let jobs = jobs::active(app.db(), &known.actor).await?;
            let unseen = notify::unseen(app.db(), &known.actor).await?;
            Met::Person(Box::new(Browser { known: *known, token, from, jobs, unseen }))
        }
        Seen::Over { person, csrf } => Met::Over(person, csrf),
        Seen::Nobody => Met::Nobody,
    })
}

/// The reply to a request that needs somebody signed in: the sign-in page, from which it goes on. What was to be
/// changed is not gone on to; its page is.
pub fn to_sign_in(parts: &Parts, over: bool) -> Response {
    let wanted = match parts.method {
        Method::GET | Method::HEAD => parts.uri.path_and_query().map_or("/", |p| p.as_str()),
        _ => "/",
    };
    let why = if over { "why=over&" } else { "" };
    Redirect::to(&format!("/sign-in?{why}next={}", crate::ui::encode(wanted))).into_response()
}

impl FromRequestParts<App> for Browser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Browser, Response> {
        match met(parts, app).await {
            Ok(Met::Person(browser)) => Ok(*browser),
            Ok(Met::Over(..)) => Err(to_sign_in(parts, true)),
            Ok(Met::Nobody) => Err(to_sign_in(parts, false)),
            Err(e) => Err(PageError::from(e).into_response()),
        }
    }
}

/// Whoever is at a page that is open to all, with their session where they have one.
pub struct Guest(pub Option<Browser>);

impl FromRequestParts<App> for Guest {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Guest, Response> {
        match met(parts, app).await {
            Ok(Met::Person(browser)) => Ok(Guest(Some(*browser))),
            Ok(_) => Ok(Guest(None)),
            Err(e) => Err(PageError::from(e).into_response()),
        }
    }
}

/// A program with an API key: `X-Api-Key` or `Authorization: Bearer`.
#[derive(Clone)]
pub struct Client(pub Known);

/// Takes `?apiKey=` for the header: a page elsewhere that shows a badge sends none.
pub fn key_from_address(parts: &mut Parts) {
    let query = parts.uri.query().unwrap_or_default();
    let key = query.split('&').filter_map(|p| p.split_once('=')).find(|(name, _)| *name == "apiKey");
    if let Some(value) = key.and_then(|(_, key)| HeaderValue::from_str(key).ok()) {
        parts.headers.entry("x-api-key").or_insert(value);
    }
}

/// The API key that a request brings, as it stands there.
pub fn key_text(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let bearer = || text("authorization").and_then(|v| v.strip_prefix("Bearer "));
    text("x-api-key").or_else(bearer).filter(|t| !t.is_empty())
}

/// Whom the API key of a request is, where it brings one that works; one that does not is counted against its address.
///
/// # Errors
/// The database does not answer.
pub async fn key(parts: &mut Parts, app: &App) -> tocsin_core::Result<Option<Known>> {
    if let Some(Client(known)) = parts.extensions.get::<Client>() {
        return Ok(Some(known.clone()));
    }
    let Ok(Origin(from)) = Origin::from_request_parts(parts, app).await;
    let Some(text) = key_text(&parts.headers) else { return Ok(None) };
    let known = people::key(app.db(), text, &from, &now()).await?;
    if known.is_none() {
        app.0.rate.failed(&from.address);
    }
    Ok(known)
}

impl FromRequestParts<App> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Client, ApiError> {
        key(parts, app).await?.map(Client).ok_or_else(ApiError::unauthorised)
    }
}

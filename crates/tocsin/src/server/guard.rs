//! Who may use which route. Every route says so in the `ACCESS` table of its file; [`guard`] asks before the handler
//! is reached, and the action behind it asks again with the scope.
//!
//! A route that no table names is open to nobody who has not signed in, and fails the test that walks all of them.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::platform::access::{Actor, Permission};

use super::caller::{self, Browser, Client, Met, Origin};
use super::problem::PageError;
use super::{App, assets};
use crate::ui::kept;
use crate::{api, ui};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has signed in or brings a key.
    Known,
    /// Who holds this permission somewhere in the workspace; the action asks where.
    Needs(Permission),
}

/// Method, path as the router writes it, and who may use it.
pub type Route = (&'static str, &'static str, Access);

/// Every route's entry.
pub fn declared() -> impl Iterator<Item = &'static Route> {
    let pages = ui::ACCESS.iter().chain(api::ACCESS.iter().flat_map(|part| part.iter()));
    pages.chain([&assets::ACCESS]).flat_map(|table| table.iter())
}

static TABLE: LazyLock<HashMap<(&'static str, &'static str), Access>> =
    LazyLock::new(|| declared().map(|(method, path, access)| ((*method, *path), *access)).collect());

/// What is declared for a route, if anything is.
pub fn access(method: &Method, path: &str) -> Option<Access> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.get(&(method, path)).or_else(|| TABLE.get(&("ANY", path))).copied()
}

impl Access {
    fn admits(self, actor: &Actor) -> tocsin_core::Result<()> {
        match self {
            Access::Public | Access::Known => Ok(()),
            Access::Needs(permission) => actor.need(permission),
        }
    }
}

/// Stands before every route: finds out who calls, once for the request, and whether they may.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or(String::new(), |p| p.as_str().to_owned());
    let wanted = access(request.method(), &path).unwrap_or(Access::Known);
    if wanted == Access::Public {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let reply = match path.starts_with("/api/") {
        true => program(&app, wanted, &path, &mut parts).await.err(),
        false => match caller::met(&mut parts, &app).await {
            Ok(Met::Person(browser)) => person(wanted, *browser, &mut parts),
            Ok(Met::Over(id, csrf)) if parts.method == Method::POST => {
                // what was typed is kept for whoever it was, until they have signed in again
                let Ok(Origin(from)) = Origin::from_request_parts(&mut parts, &app).await;
                let now = super::now();
                return kept::keep(&app, &app.door(&from, &now), id, &csrf, &parts, body).await;
            }
            Ok(Met::Over(..)) => Some(caller::to_sign_in(&parts, true)),
            Ok(Met::Nobody) => Some(caller::to_sign_in(&parts, false)),
            Err(e) => Some(PageError::from(e).into_response()),
        },
    };
    match reply {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(reply) => reply,
    }
}

async fn program(app: &App, wanted: Access, path: &str, parts: &mut Parts) -> Result<(), Response> {
    if path.starts_with("/api/v1/badge/") {
        caller::key_from_address(parts);
    }
    let client = caller::key(parts, app).await.map_err(|e| api::refusal(path, e))?;
    let client = Client(client.ok_or_else(|| api::unknown(path))?);
    wanted.admits(&client.0.actor).map_err(|e| api::refusal(path, e))?;
    parts.extensions.insert(client);
    Ok(())
}

/// What a person is told in place of the page; nothing where they may see it.
fn person(wanted: Access, browser: Browser, parts: &mut Parts) -> Option<Response> {
    if let Err(e) = wanted.admits(browser.actor()) {
        return Some(PageError::from(e).into_response());
    }
    // whoever needs a second step and has none gets to their account, and nowhere else
    if browser.known.lacks_second_step && wanted != Access::Known {
        return Some(Redirect::to("/account/second-step").into_response());
    }
    parts.extensions.insert(browser);
    None
}

//! Cookies: reading those of a request, and setting ours.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::platform::people::Session;

use super::App;

/// Name of the session cookie. `__Host-` would forbid plain HTTP on the machine itself, which the first start needs.
pub const SESSION: &str = "tocsin_session";
/// Names a form that is kept.
pub const KEPT: &str = "tocsin_kept";
/// Ties a sign-in at a provider to the browser that began it.
pub const JOURNEY: &str = "tocsin_journey";

/// How long after its session a cookie stays, in seconds, so that a form sent too late is known to be that person's.
const AFTERWARDS: i64 = 7 * 24 * 3600;

/// A cookie of a request.
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|h| h.to_str().ok());
    let mut pairs = all.flat_map(|h| h.split(';')).filter_map(|c| c.trim().split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, v)| v).filter(|v| !v.is_empty())
}

/// The cookies of a request.
pub struct Cookies(HeaderMap);

impl Cookies {
    /// A cookie's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.0, name)
    }

    /// The token of the session, alive or not.
    pub fn session(&self) -> Option<&str> {
        self.get(SESSION)
    }
}

impl<S: Sync> FromRequestParts<S> for Cookies {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Cookies, Self::Rejection> {
        let mut headers = HeaderMap::new();
        for value in parts.headers.get_all(COOKIE) {
            headers.append(COOKIE, value.clone());
        }
        Ok(Cookies(headers))
    }
}

/// Sets a cookie for `seconds`; with 0 it goes.
pub fn set(app: &App, reply: &mut Response, name: &str, value: &str, seconds: i64) {
    let secure = if app.0.secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        reply.headers_mut().append(SET_COOKIE, value);
    }
}

/// Goes on with a new session.
pub fn enter(app: &App, session: &Session, to: &str) -> Response {
    let mut reply = Redirect::to(to).into_response();
    set(app, &mut reply, SESSION, &session.token, session.seconds + AFTERWARDS);
    reply
}

/// Goes on without a session.
pub fn leave(app: &App, to: &str) -> Response {
    let mut reply = Redirect::to(to).into_response();
    set(app, &mut reply, SESSION, "", 0);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("xtocsin_session=a; tocsin_session=b"));
        headers.append(COOKIE, HeaderValue::from_static("tocsin_kept=c; empty="));
        assert_eq!(get(&headers, SESSION), Some("b"));
        assert_eq!(get(&headers, KEPT), Some("c"));
        assert_eq!(get(&headers, "empty"), None);
    }
}

//! Nothing that was typed is lost to a session that is over: the form is kept for its person, who gets it back once
//! they have signed in again.

use askama::Template;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, REFERER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::json;
use tocsin_core::platform::people::{self, Door, Kept, Session};

use super::{Page, encode, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, Cookies, PageError, cookie};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/kept", Access::Known),
    ("GET", "/kept.json", Access::Known),
    ("POST", "/kept/discard", Access::Known),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/kept", get(one))
        .route("/kept.json", get(fields))
        .route("/kept/discard", post(discard))
}

/// Bytes of text kept of one form.
const MOST: usize = 1 << 20;

/// Fields that are not kept: what is secret, and the token of the session that is over.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["csrf", "password", "current", "secret", "code", "ticket", "token"].iter().any(|s| name.contains(s))
}

/// Reads a form that came too late; nothing where it cannot be read, is too large, or was not made by a page of the
/// session that is over, whose token of forms is `csrf`.
async fn read(parts: &Parts, body: Body, csrf: &str) -> Option<Kept> {
    let kind = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?.to_owned();
    let multipart = kind.starts_with("multipart/form-data");
    let request = Request::from_parts(parts.clone(), body);
    let mut form = Kept { multipart, ..Kept::default() };
    let mut pairs: Vec<(String, String)> = Vec::new();
    if multipart {
        let mut parts = Multipart::from_request(request, &()).await.ok()?;
        let mut size = 0;
        while let Some(mut part) = parts.next_field().await.ok()? {
            let name = part.name().unwrap_or_default().to_owned();
            if let Some(file) = part.file_name().map(str::to_owned) {
                form.files.push((name, file));
                continue;
            }
            let mut value = Vec::new();
            while let Some(chunk) = part.chunk().await.ok()? {
                size += chunk.len();
                if size > MOST {
                    return None;
                }
                value.extend_from_slice(&chunk);
            }
            pairs.push((name, String::from_utf8(value).ok()?));
        }
    } else {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, MOST).await.ok()?;
        let request = Request::from_parts(parts, Body::from(bytes));
        pairs = Form::<Vec<(String, String)>>::from_request(request, &()).await.ok()?.0;
    }
    let own = !csrf.is_empty() && pairs.iter().any(|(name, value)| name == "csrf" && value == csrf);
    form.fields = pairs.into_iter().filter(|(name, _)| !is_secret(name)).collect();
    own.then_some(form)
}

/// The page of ours that a form was on, by the `Referer`.
fn page_of(parts: &Parts) -> Option<String> {
    let (referer, host) =
        (parts.headers.get(REFERER)?.to_str().ok()?, parts.headers.get(HOST)?.to_str().ok()?);
    let (_, rest) = referer.split_once("://")?;
    let path = rest.strip_prefix(host)?;
    let path = path.split('#').next().unwrap_or_default();
    (path.starts_with('/') && !path.starts_with("//") && path.len() < 2000).then(|| path.to_owned())
}

/// Keeps a form that a person sent after their session was over, and goes to the sign-in page.
pub(crate) async fn keep(
    app: &App,
    door: &Door<'_>,
    person: i64,
    csrf: &str,
    parts: &Parts,
    body: Body,
) -> Response {
    let page = page_of(parts).unwrap_or_else(|| "/".to_owned());
    let over = Redirect::to(&format!("/sign-in?why=over&next={}", encode(&page))).into_response();
    let Some(mut form) = read(parts, body, csrf).await else { return over };
    form.action = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    form.page.clone_from(&page);
    match people::keep(door, person, &form).await {
        Ok(token) => {
            let mut reply =
                Redirect::to(&format!("/sign-in?why=kept&next={}", encode(&page))).into_response();
            cookie::set(app, &mut reply, cookie::KEPT, &token, 24 * 3600);
            reply
        }
        Err(e) => PageError::from(e).into_response(),
    }
}

/// Where somebody goes who has just signed in: to a form that was kept for them, else to `next`.
pub(super) async fn arrive(
    app: &App,
    door: &Door<'_>,
    session: &Session,
    cookies: &Cookies,
    next: &str,
) -> Result<Response, PageError> {
    let waiting = match cookies.get(cookie::KEPT) {
        Some(token) => people::kept_is_new(door, session.person, token).await?,
        None => false,
    };
    Ok(cookie::enter(app, session, if waiting { "/kept" } else { next }))
}

#[derive(Template)]
#[template(path = "session/kept.html")]
struct One {
    page: Page,
    form: Kept,
}

impl One {
    /// A name of a field as people read it.
    fn words(name: &str) -> String {
        let plain = name.replace(['_', '-', '.'], " ");
        let mut letters = plain.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    }
}

async fn mine(app: &App, browser: &Browser, cookies: &Cookies) -> Result<Option<Kept>, PageError> {
    let (Some(token), Some(person)) = (cookies.get(cookie::KEPT), browser.actor().person) else {
        return Ok(None);
    };
    Ok(people::kept(&browser.door(app), person, token).await?)
}

async fn one(State(app): State<App>, browser: Browser, cookies: Cookies) -> Result<Response, PageError> {
    match mine(&app, &browser, &cookies).await? {
        Some(form) => {
            Ok(show(&One { page: Page::new(&browser, "", "What you typed"), form })?.into_response())
        }
        None => Ok(Redirect::to("/").into_response()),
    }
}

/// For the script that fills the form on its own page.
async fn fields(State(app): State<App>, browser: Browser, cookies: Cookies) -> Result<Response, PageError> {
    let form = mine(&app, &browser, &cookies).await?.unwrap_or_default();
    Ok(Json(json!({"action": form.action, "fields": form.fields, "files": form.files})).into_response())
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn discard(
    State(app): State<App>,
    browser: Browser,
    cookies: Cookies,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    if let Some(token) = cookies.get(cookie::KEPT) {
        people::let_go(&browser.door(&app), token).await?;
    }
    let mut reply = Redirect::to("/").into_response();
    cookie::set(&app, &mut reply, cookie::KEPT, "", 0);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(host: &str, referer: &str) -> Parts {
        let request = Request::builder().header(HOST, host).header(REFERER, referer);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_pages_of_our_own_are_gone_back_to() {
        let cases = [
            ("tocsin.example", "https://tocsin.example/findings?kev=1#x", Some("/findings?kev=1")),
            ("tocsin.example", "https://tocsin.example.evil/findings", None),
            ("tocsin.example", "https://evil.example/findings", None),
            ("tocsin.example", "https://tocsin.example//evil.example", None),
            ("tocsin.example", "nonsense", None),
        ];
        for (host, referer, wanted) in cases {
            assert_eq!(page_of(&parts(host, referer)).as_deref(), wanted, "{referer}");
        }
    }

    #[test]
    fn secrets_are_not_kept() {
        for name in ["csrf", "password", "new_password", "current", "client_secret", "code"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["detail", "justification", "name", "email"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}

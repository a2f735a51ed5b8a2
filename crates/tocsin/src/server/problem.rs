//! What goes wrong, as a page or as problem details (RFC 9457). Each kind of problem has a code that does not change
//! and a page under `docs/codes`, which the server gives out at the problem's `type`.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use tocsin_core::Error;
use tocsin_core::inventory::Unusual;
use utoipa::ToSchema;

use super::request;

#[derive(Template)]
#[template(path = "session/message.html")]
struct Message<'a> {
    title: &'a str,
    message: &'a str,
}

/// An error shown to a person.
#[derive(Debug)]
pub struct PageError {
    status: StatusCode,
    title: &'static str,
    message: String,
}

impl PageError {
    /// A form without the session's token.
    pub fn stale_form() -> PageError {
        PageError {
            status: StatusCode::FORBIDDEN,
            title: "This form is out of date",
            message: "You signed in again since it was opened, or it was not made by Tocsin. Nothing was changed. Go \
                      back, reload the page and send it again."
                .to_owned(),
        }
    }

    /// Somebody tries too often.
    pub fn too_many() -> PageError {
        PageError {
            status: StatusCode::TOO_MANY_REQUESTS,
            title: "Too many tries",
            message: "Wait a quarter of an hour, then go back and send it again. Nothing was changed."
                .to_owned(),
        }
    }

    /// A page or thing that is not there.
    pub fn not_found(what: &str) -> PageError {
        PageError {
            status: StatusCode::NOT_FOUND,
            title: "Not found",
            message: format!("There is no {what}, or you may not see it."),
        }
    }
}

/// Status, title and message of an error of the store; one map for pages and API.
fn explain(e: &Error) -> (StatusCode, &'static str, String) {
    match e {
        Error::NotFound(what) => {
            (StatusCode::NOT_FOUND, "Not found", format!("There is no {what}, or you may not see it."))
        }
        Error::Denied(what) => (StatusCode::FORBIDDEN, "Not allowed", format!("Your role lacks: {what}.")),
        Error::Rejected { .. } | Error::Refused(_) | Error::Invalid { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "It cannot be used", e.to_string())
        }
        Error::Unusual(q) => (
            StatusCode::CONFLICT,
            "An unusual upload",
            format!(
                "Nothing was changed: {}. The upload is kept; look at the difference on the release's page under SBOM \
                 history and apply or drop it there. A program that means it sends the same bytes again with \
                 ?confirm={}.",
                q.reasons.join("; "),
                q.confirm
            ),
        ),
        Error::Conflict(what) => (StatusCode::CONFLICT, "In conflict", what.clone()),
        Error::Unavailable { doing, .. } if e.is_full() => (
            StatusCode::INSUFFICIENT_STORAGE,
            "No room on the disk",
            format!(
                "The disk of the database is full or cannot be written; it failed while {doing}. Nothing was changed. \
                 Make room there, then try again."
            ),
        ),
        Error::Unavailable { doing, .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Not available now",
            format!("The database did not answer while {doing}. Nothing was changed; try again."),
        ),
        Error::Internal { doing, .. } => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "A fault of Tocsin",
            format!("It failed while {doing}. Nothing was changed; the log says more."),
        ),
    }
}

impl From<Error> for PageError {
    fn from(e: Error) -> PageError {
        let (status, title, message) = explain(&e);
        if status.is_server_error() {
            request::say(&format!("error: {e}"));
        }
        PageError { status, title, message }
    }
}

impl From<askama::Error> for PageError {
    fn from(e: askama::Error) -> PageError {
        request::say(&format!("error: making a page: {e}"));
        PageError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            title: "A fault of Tocsin",
            message: "The page could not be made; the log says more.".to_owned(),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let page = Message { title: self.title, message: &self.message };
        (self.status, Html(page.render().unwrap_or_else(|_| self.message.clone()))).into_response()
    }
}

/// A kind of problem.
#[derive(Debug)]
pub struct Kind {
    /// Stable code.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// In short.
    pub title: &'static str,
    /// Its page, Markdown.
    pub page: &'static str,
}

macro_rules! kinds {
    ($($name:ident $code:literal $status:literal $title:literal;)*) => {
        impl Kind {
            $(
                #[doc = $title]
                pub const $name: &'static Kind = &Kind {
                    code: $code,
                    status: $status,
                    title: $title,
                    page: include_str!(concat!("../../../../docs/codes/", $code, ".md")),
                };
            )*
        }

        /// All kinds of problems.
        pub const KINDS: &[&Kind] = &[$(Kind::$name),*];
    };
}

kinds! {
    MALFORMED "api-malformed" 400 "The request cannot be understood";
    CURSOR "api-cursor" 400 "The cursor cannot be used";
    UNAUTHORISED "api-unauthorised" 401 "No valid API key";
    DENIED "api-denied" 403 "Not allowed";
    NOT_FOUND "api-not-found" 404 "Not found";
    METHOD "api-method" 405 "This method is not offered here";
    CONFLICT "api-conflict" 409 "In conflict";
    RUNNING "api-idempotency-running" 409 "The same request is being done";
    PRECONDITION "api-precondition" 412 "It was changed in between";
    TOO_LARGE "api-too-large" 413 "The request is too large";
    MEDIA_TYPE "api-media-type" 415 "This media type is not read here";
    INVALID "api-invalid" 422 "It cannot be used";
    REUSED "api-idempotency-reused" 422 "The idempotency key names another request";
    RATE "api-rate-limited" 429 "Too many requests";
    INTERNAL "api-internal" 500 "A fault of Tocsin";
    FULL "api-storage-full" 507 "No room is left";
    UNAVAILABLE "api-unavailable" 503 "Not available now";
}

impl Kind {
    /// The kind of a status, for problems that arise outside our handlers.
    pub fn of(status: StatusCode) -> &'static Kind {
        let same = |k: &&&Kind| k.status == status.as_u16();
        let other = if status.is_server_error() { Kind::INTERNAL } else { Kind::MALFORMED };
        KINDS.iter().find(same).copied().unwrap_or(other)
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"type": "/api/problems/api-invalid", "code": "api-invalid", "status": 422,
    "title": "It cannot be used", "detail": "version: the version has 1 to 200 characters and no line breaks",
    "instance": "urn:tocsin:request:0f3c", "diagnostics": [{"path": "version",
    "message": "the version has 1 to 200 characters and no line breaks"}]}))]
pub struct Problem {
    /// Address of the page that explains this kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable code of the kind of problem; programs compare this one.
    pub code: String,
    /// HTTP status.
    pub status: u16,
    /// The kind of problem in short.
    pub title: String,
    /// What went wrong this time.
    pub detail: String,
    /// This very request, as in the header `X-Request-Id` and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What is wrong with which part of what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Remark>,
    /// Sent back as `?confirm=`, it has an unusual upload applied all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// What is unusual about an upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusual: Option<Box<Unusual>>,
}

/// What is wrong with a part of what was sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Remark {
    /// Stable code, where it is about a document; see `docs/codes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The field, or the place in the document.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// An error told to a program.
#[derive(Debug)]
pub struct ApiError {
    kind: &'static Kind,
    detail: String,
    diagnostics: Vec<Remark>,
    wait: Option<u64>,
    /// What is unusual about an upload, with the token that confirms it.
    unusual: Option<Box<Unusual>>,
}

impl ApiError {
    /// A problem of a kind; `detail` says what went wrong this time.
    pub fn new(kind: &'static Kind, detail: impl Into<String>) -> ApiError {
        ApiError { kind, detail: detail.into(), diagnostics: Vec::new(), wait: None, unusual: None }
    }

    /// Tells in how many seconds it may be tried again.
    #[must_use]
    pub fn wait(mut self, seconds: u64) -> ApiError {
        self.wait = Some(seconds);
        self
    }

    /// No key, or one that does not work.
    pub fn unauthorised() -> ApiError {
        ApiError::new(Kind::UNAUTHORISED, "send a key in X-Api-Key or as Authorization: Bearer")
    }

    /// A request that cannot be understood.
    pub fn bad(detail: impl Into<String>) -> ApiError {
        ApiError::new(Kind::MALFORMED, detail)
    }
}

impl From<Error> for ApiError {
    fn from(e: Error) -> ApiError {
        let (status, _, detail) = explain(&e);
        if status.is_server_error() {
            request::say(&format!("error: {e}"));
        }
        let diagnostics = match &e {
            Error::Refused(list) => list
                .iter()
                .take(100)
                .map(|d| Remark { code: Some(d.code), path: d.path.clone(), message: d.message.clone() })
                .collect(),
            Error::Rejected { field, message } => {
                vec![Remark { code: None, path: field.clone(), message: message.clone() }]
            }
            _ => Vec::new(),
        };
        let unusual = match e {
            Error::Unusual(q) => Some(q),
            _ => None,
        };
        ApiError { kind: Kind::of(status), detail, diagnostics, wait: None, unusual }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("/api/problems/{}", self.kind.code),
            code: self.kind.code.to_owned(),
            status: self.kind.status,
            title: self.kind.title.to_owned(),
            detail: self.detail,
            instance: request::name().map(|name| format!("urn:tocsin:request:{name}")),
            diagnostics: self.diagnostics,
            confirm: self.unusual.as_ref().map(|q| q.confirm.clone()),
            unusual: self.unusual,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response =
            (self.kind.status(), [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.wait {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Whatever no route answers.
pub async fn not_found(uri: axum::http::Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return ApiError::new(Kind::NOT_FOUND, format!("no such route: {}", uri.path())).into_response();
    }
    PageError::not_found("such page").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_page_of_its_own() {
        for kind in KINDS {
            assert!(kind.page.starts_with(&format!("# {}\n", kind.code)), "{}", kind.code);
            assert!(kind.page.contains(&format!("Status: {}.", kind.status)), "{}", kind.code);
            assert!(kind.page.contains("**What to do.**"), "{}", kind.code);
            assert_eq!(KINDS.iter().filter(|k| k.code == kind.code).count(), 1, "{}", kind.code);
        }
        assert_eq!(
            Kind::of(StatusCode::CONFLICT).code,
            "api-conflict",
            "the first of a status is its plain kind"
        );
        assert_eq!(Kind::of(StatusCode::IM_A_TEAPOT).code, "api-malformed");
        assert_eq!(Kind::of(StatusCode::BAD_GATEWAY).code, "api-internal");
    }
}

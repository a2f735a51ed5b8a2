//! What goes wrong, as a page or as problem details (RFC 9457).

use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use tocsin_core::Error;

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
        Error::Conflict(what) => (StatusCode::CONFLICT, "In conflict", what.clone()),
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
            crate::cli::say(&format!("error: {e}"));
        }
        PageError { status, title, message }
    }
}

impl From<askama::Error> for PageError {
    fn from(e: askama::Error) -> PageError {
        crate::cli::say(&format!("error: making a page: {e}"));
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

/// An error told to a program.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    title: &'static str,
    detail: String,
    diagnostics: Vec<serde_json::Value>,
}

impl ApiError {
    /// No key, or one that does not work.
    pub fn unauthorised() -> ApiError {
        ApiError {
            status: StatusCode::UNAUTHORIZED,
            title: "No valid API key",
            detail: "send a key in X-Api-Key or as Authorization: Bearer".to_owned(),
            diagnostics: Vec::new(),
        }
    }

    /// A request that cannot be understood.
    pub fn bad(detail: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            title: "The request cannot be understood",
            detail: detail.into(),
            diagnostics: Vec::new(),
        }
    }
}

impl From<Error> for ApiError {
    fn from(e: Error) -> ApiError {
        let (status, title, detail) = explain(&e);
        if status.is_server_error() {
            crate::cli::say(&format!("error: {e}"));
        }
        let diagnostics = match &e {
            Error::Refused(list) => list
                .iter()
                .take(100)
                .map(|d| json!({"code": d.code, "path": d.path, "message": d.message}))
                .collect(),
            Error::Rejected { field, message } => vec![json!({"path": field, "message": message})],
            _ => Vec::new(),
        };
        ApiError { status, title, detail, diagnostics }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({"status": self.status.as_u16(), "title": self.title, "detail": self.detail});
        if !self.diagnostics.is_empty()
            && let Some(body) = body.as_object_mut()
        {
            body.insert("diagnostics".to_owned(), self.diagnostics.into());
        }
        (self.status, [(CONTENT_TYPE, "application/problem+json")], Json(body).into_response().into_body())
            .into_response()
    }
}

/// Whatever no route answers.
pub async fn not_found(uri: axum::http::Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return ApiError {
            status: StatusCode::NOT_FOUND,
            title: "Not found",
            detail: format!("no such route: {}", uri.path()),
            diagnostics: Vec::new(),
        }
        .into_response();
    }
    PageError::not_found("such page").into_response()
}

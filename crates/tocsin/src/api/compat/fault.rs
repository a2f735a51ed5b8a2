//! What goes wrong, told in this API's ways: empty bodies, plain texts, problem details or lists of fields.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tocsin_core::Error;

/// An error told to a client.
#[derive(Debug)]
pub enum Fault {
    /// Status alone: who calls is not known (401) or may not (403).
    Empty(StatusCode),
    /// A text that clients compare or show.
    Text(StatusCode, String),
    /// A body that cannot be used (400).
    Problem {
        /// In short.
        title: &'static str,
        /// Why.
        detail: String,
        /// Each thing that is wrong.
        errors: Vec<String>,
    },
    /// A field that does not do (400).
    Field {
        /// Its name.
        path: String,
        /// What is wanted.
        message: String,
        /// What was sent.
        value: String,
    },
}

impl Fault {
    /// Something is not there: `project`, `component`, `vulnerability`.
    pub fn missing(what: &str) -> Fault {
        Fault::Text(StatusCode::NOT_FOUND, format!("The {what} could not be found."))
    }

    /// A field that is needed and was not sent.
    pub fn needed(path: &str) -> Fault {
        Fault::field(path, "must not be null", "")
    }

    /// A field that does not do.
    pub fn field(path: &str, message: &str, value: &str) -> Fault {
        Fault::Field { path: path.to_owned(), message: message.to_owned(), value: value.to_owned() }
    }

    /// JSON that cannot be read.
    pub fn json(e: &serde_json::Error) -> Fault {
        let title = "The provided JSON payload could not be mapped";
        Fault::Problem { title, detail: e.to_string(), errors: Vec::new() }
    }
}

impl From<Error> for Fault {
    fn from(e: Error) -> Fault {
        match e {
            Error::Denied(_) => Fault::Empty(StatusCode::FORBIDDEN),
            Error::NotFound(_) => Fault::missing("project"),
            Error::Rejected { field, message } => Fault::field(&field, &message, ""),
            Error::Conflict(what) => Fault::Text(StatusCode::CONFLICT, what),
            Error::Unusual(q) => {
                let why = q.reasons.join("; ");
                let text = format!(
                    "The upload is unusual and was not applied: {why}. Confirm it on the page of the release, or send \
                     it again with ?confirm={}",
                    q.confirm
                );
                Fault::Text(StatusCode::CONFLICT, text)
            }
            e => {
                crate::cli::say(&format!("error: {e}"));
                Fault::Text(StatusCode::INTERNAL_SERVER_ERROR, "Uncaught internal server error".to_owned())
            }
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Fault::Empty(status) => status.into_response(),
            Fault::Text(status, text) => (status, text).into_response(),
            Fault::Problem { title, detail, errors } => {
                let mut body = json!({"status": 400, "title": title, "detail": detail});
                if let Some(body) = body.as_object_mut().filter(|_| !errors.is_empty()) {
                    body.insert("errors".to_owned(), errors.into());
                }
                let kind = [(CONTENT_TYPE, "application/problem+json")];
                (StatusCode::BAD_REQUEST, kind, body.to_string()).into_response()
            }
            Fault::Field { path, message, value } => {
                let one = json!({"message": message, "messageTemplate": message, "path": path, "invalidValue": value});
                (StatusCode::BAD_REQUEST, Json(json!([one]))).into_response()
            }
        }
    }
}

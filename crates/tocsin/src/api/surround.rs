//! What stands around every request of the API: how many are served, and that whatever goes wrong is a problem.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::server::{ApiError, App, Kind, Origin, key_text};

/// Longest text of a foreign error that is told on.
const TEXT: usize = 64 << 10;

/// Whether a request is for the second version of the API.
pub fn is_ours(request: &Request) -> bool {
    request.uri().path().starts_with("/api/v2/")
}

/// Serves as many requests as the limit of the caller allows, and tells how it stands
/// (draft-ietf-httpapi-ratelimit-headers).
pub async fn rate(State(app): State<App>, request: Request, next: Next) -> Response {
    if !["/api/v1/", "/api/v2/"].iter().any(|start| request.uri().path().starts_with(start)) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(Origin(from)) = Origin::from_request_parts(&mut parts, &app).await;
    let rate = &app.0.rate;
    // what is before the last `_` may be seen and is enough to tell keys apart
    let caller = key_text(&parts.headers).and_then(|t| t.rsplit_once('_')).map_or(&*from.address, |t| t.0);
    let left = rate.take(caller);
    let mut response = match rate.barred(&from.address).or(left.wait) {
        Some(seconds) => {
            let detail = format!("at most {} requests in a minute are served", left.limit);
            ApiError::new(Kind::RATE, detail).wait(seconds).into_response()
        }
        None => next.run(Request::from_parts(parts, body)).await,
    };
    let policy = format!("\"minute\";q={};w=60", left.limit);
    let state = format!("\"minute\";r={};t={}", left.left, left.wait.unwrap_or(0));
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Turns errors that arise outside our handlers (a wrong method, a body that is no JSON) into problems.
pub async fn problems(request: Request, next: Next) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let ours = is_ours(&request);
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !ours || status.as_u16() < 400 || kind.starts_with("application/problem+json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let kind = Kind::of(status);
    let detail = if text.trim().is_empty() { format!("{}: {what}", kind.title) } else { text.into_owned() };
    let mut problem = ApiError::new(kind, detail).into_response();
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove("content-length");
    for (name, value) in &parts.headers {
        problem.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    problem
}

//! Conditional requests (RFC 9110 section 13): what did not change is not sent again, and what did change is not
//! changed by somebody who has not seen it.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::server::{ApiError, Kind};

/// Largest body that gets a tag.
const MOST: u64 = 8 << 20;

fn tag(bytes: &[u8]) -> String {
    let hash: String = Sha256::digest(bytes).iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("\"{hash}\"")
}

/// Tags in a header that lists them.
fn listed(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
    let tags = all.iter().flat_map(|v| v.split(',')).map(|t| t.trim().to_owned());
    (!all.is_empty()).then(|| tags.filter(|t| !t.is_empty()).collect())
}

/// Gives JSON that is read a tag (over its bytes before they are packed) and sends nothing where the reader has it.
pub async fn reads(request: Request, next: Next) -> Response {
    let reads = super::surround::is_ours(&request) && matches!(*request.method(), Method::GET | Method::HEAD);
    let known = listed(request.headers(), IF_NONE_MATCH);
    let response = next.run(request).await;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let small = response.body().size_hint().exact().is_some_and(|n| n <= MOST);
    if !reads || response.status() != StatusCode::OK || !small || !kind.starts_with("application/json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MOST as usize).await else {
        return ApiError::new(Kind::INTERNAL, "the reply could not be made").into_response();
    };
    let own = tag(&bytes);
    if let Ok(value) = HeaderValue::from_str(&own) {
        parts.headers.insert(ETAG, value);
    }
    parts.headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    let weak = |t: &String| t == "*" || t.strip_prefix("W/").unwrap_or(t) == own;
    if known.is_some_and(|known| known.iter().any(weak)) {
        parts.status = StatusCode::NOT_MODIFIED;
        for gone in [CONTENT_LENGTH, CONTENT_TYPE] {
            parts.headers.remove(gone);
        }
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The states that a change is for, where it names some.
pub struct IfMatch(Option<Vec<String>>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IfMatch, Self::Rejection> {
        Ok(IfMatch(listed(&parts.headers, IF_MATCH)))
    }
}

impl IfMatch {
    /// Refuses the change where what is there, as reading gives it, is in none of the named states.
    ///
    /// # Errors
    /// [`Kind::PRECONDITION`].
    pub fn check(&self, current: &impl Serialize) -> Result<(), ApiError> {
        let Some(tags) = &self.0 else { return Ok(()) };
        let own = tag(&serde_json::to_vec(current).unwrap_or_default());
        if tags.iter().any(|t| t == "*" || *t == own) {
            return Ok(());
        }
        let detail = format!("it is in the state {own} now; read it again before it is changed");
        Err(ApiError::new(Kind::PRECONDITION, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_for_the_state_that_was_seen() {
        let of = |text: &str| IfMatch(Some(text.split(',').map(|t| t.trim().to_owned()).collect()));
        let current = ("x", 1);
        let own = tag(&serde_json::to_vec(&current).unwrap());
        assert!(IfMatch(None).check(&current).is_ok());
        assert!(of("*").check(&current).is_ok());
        assert!(of(&format!("\"other\", {own}")).check(&current).is_ok());
        assert!(of("\"other\"").check(&current).is_err());
        assert!(of(&format!("W/{own}")).check(&current).is_err(), "a weak tag names no exact state");
    }
}

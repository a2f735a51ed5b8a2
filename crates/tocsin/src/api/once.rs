//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request sent twice is done once. Keys hold for 24
//! hours and belong to the API key that sends them.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::idempotency::{self, Begun, Reply};

use crate::server::{self, ApiError, App, Kind, UPLOAD_BYTES, later, request};

/// The header.
pub const HEADER: &str = "idempotency-key";
/// Hours for which a reply is kept.
const HOURS: i64 = 24;
/// Largest reply that is kept.
const REPLY: usize = 1 << 20;
/// Seconds after which a request that is being done is asked for again.
const WAIT: u64 = 2;

/// Put into a reply's extensions: it holds a secret, so it is told once and kept nowhere.
#[derive(Clone)]
pub struct Secret;

/// Hash of what is asked. The boundary of a form is another one each time the same form is sent, so it is left out.
fn hash(parts: &Parts, body: &[u8]) -> String {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let boundary =
        kind.split_once("boundary=").map(|(_, b)| b.split(';').next().unwrap_or(b).trim_matches('"'));
    let mut h = Sha256::new();
    h.update(format!("{} {}\n", parts.method, parts.uri));
    match boundary.filter(|b| !b.is_empty() && kind.starts_with("multipart/")) {
        Some(boundary) => {
            let mut rest = body;
            let finder = boundary.as_bytes();
            while let Some(at) = rest.windows(finder.len()).position(|w| w == finder) {
                h.update(rest.get(..at).unwrap_or_default());
                h.update(b"\0");
                rest = rest.get(at + finder.len()..).unwrap_or_default();
            }
            h.update(rest);
        }
        None => {
            h.update(format!("{kind}\n"));
            h.update(body);
        }
    }
    h.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Does a request that names itself once, and gives its first reply to whoever sends it again.
pub async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    let wanted = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    if !wanted || !super::surround::is_ours(&request) || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let name = parts.headers.get(HEADER).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    if name.is_empty() || name.len() > 255 {
        return ApiError::bad("Idempotency-Key has 1 to 255 visible characters").into_response();
    }
    let known = match server::key(&mut parts, &app).await {
        Ok(Some(known)) => known,
        Ok(None) => return ApiError::unauthorised().into_response(),
        Err(e) => return ApiError::from(e).into_response(),
    };
    let Ok(bytes) = axum::body::to_bytes(body, UPLOAD_BYTES).await else {
        return ApiError::new(Kind::TOO_LARGE, "the body is longer than 256 MiB or broke off")
            .into_response();
    };
    let caller = server::key_text(&parts.headers).and_then(|t| t.rsplit_once('_')).map_or("", |t| t.0);
    let asked = idempotency::Request { caller: caller.to_owned(), name, hash: hash(&parts, &bytes) };
    // a request of a process that is gone is done anew after ten minutes; no request takes so long
    let stale = server::minutes_ago(10);
    match idempotency::begin(app.db(), &known.actor, &asked, &later(-HOURS), &stale).await {
        Ok(Begun::Fresh) => {}
        Ok(Begun::Done(reply)) => return again(reply),
        Ok(Begun::Running) => {
            return ApiError::new(Kind::RUNNING, "it is being done").wait(WAIT).into_response();
        }
        Ok(Begun::Other) => {
            let detail = "another method, address or body was sent under it";
            return ApiError::new(Kind::REUSED, detail).into_response();
        }
        Err(e) => return ApiError::from(e).into_response(),
    }
    let (app, actor) = (app.clone(), known.actor);
    // a task of its own: a client that hangs up does not leave the request half known
    let done = tokio::spawn(carry_out(app, actor, asked, parts, bytes, next, request::name()));
    done.await.unwrap_or_else(|_| ApiError::new(Kind::INTERNAL, "it failed in its midst").into_response())
}

async fn carry_out(
    app: App,
    actor: Actor,
    asked: idempotency::Request,
    parts: Parts,
    bytes: Bytes,
    next: Next,
    name: Option<String>,
) -> Response {
    let response = request::within(name, next.run(Request::from_parts(parts, Body::from(bytes)))).await;
    let status = response.status();
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::PRECONDITION_FAILED
        );
    let (parts, body) = response.into_parts();
    let text = |name: HeaderName| {
        parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    };
    let bytes = axum::body::to_bytes(body, usize::MAX).await;
    let kept = match (&bytes, passing) {
        (Ok(bytes), false) if bytes.len() <= REPLY => {
            let secret = parts.extensions.get::<Secret>().is_some();
            let reply = Reply {
                status: if secret { StatusCode::CONFLICT.as_u16() } else { status.as_u16() },
                kind: text(CONTENT_TYPE),
                location: text(LOCATION),
                body: if secret { Vec::new() } else { bytes.to_vec() },
            };
            idempotency::end(app.db(), &actor, &asked, &reply).await
        }
        _ => idempotency::forget(app.db(), &actor, &asked).await,
    };
    if let Err(e) = kept {
        request::say(&format!("error: a reply is not kept: {e}"));
    }
    match bytes {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(_) => ApiError::new(Kind::INTERNAL, "the reply broke off").into_response(),
    }
}

/// A reply that is given again.
fn again(reply: Reply) -> Response {
    if reply.body.is_empty() && reply.status == StatusCode::CONFLICT.as_u16() {
        let detail = "it was done; its reply held a secret that is told once and not kept";
        return ApiError::new(Kind::RUNNING, detail).into_response();
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = (status, reply.body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    let headers = [(CONTENT_TYPE, reply.kind), (LOCATION, reply.location)];
    let headers = headers.into_iter().filter(|(_, text)| !text.is_empty());
    for (name, value) in headers.chain([(HeaderName::from_static("idempotency-replayed"), "true".to_owned())])
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_of_a_form_is_no_part_of_the_request() {
        let of = |kind: &str, uri: &str, body: &str| {
            let request = Request::builder().method("POST").uri(uri).header(CONTENT_TYPE, kind);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            hash(&parts, body.as_bytes())
        };
        let form = |b: &str, text: &str| {
            of(&format!("multipart/form-data; boundary={b}"), "/a", &format!("--{b}\r\n{text}\r\n--{b}--"))
        };
        assert_eq!(form("abc", "x"), form("xyzxyz", "x"));
        assert_ne!(form("abc", "x"), form("abc", "y"));
        assert_ne!(of("application/json", "/a", "1"), of("application/json", "/b", "1"));
        assert_ne!(of("application/json", "/a", "1"), of("application/json", "/a", "2"));
    }
}

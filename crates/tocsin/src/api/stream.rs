//! Lists as streams of JSON lines (`application/x-ndjson`): any number of items in the memory of a few.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;

use crate::server::request;

/// The media type.
pub const KIND: &str = "application/x-ndjson";
/// Items read at once.
pub const BATCH: u64 = 1_000;

/// Whether the reader wants lines.
pub fn wanted(headers: &HeaderMap) -> bool {
    let accepts = |v: &axum::http::HeaderValue| {
        v.to_str().is_ok_and(|v| v.split(',').any(|k| k.split(';').next().is_some_and(|k| k.trim() == KIND)))
    };
    headers.get_all(ACCEPT).iter().any(accepts)
}

/// Streams a list page by page: `page` gives the items at a place and the place of the next ones. Where it fails in
/// its midst the connection is broken off, so that nobody takes a part for the whole.
pub fn lines<T, F, Next>(page: F) -> Response
where
    T: Serialize + Send + 'static,
    F: Fn(Option<String>) -> Next + Send + 'static,
    Next: Future<Output = tocsin_core::Result<(Vec<T>, Option<String>)>> + Send + 'static,
{
    let steps = stream::try_unfold((page, Some(None)), |(page, place)| async move {
        let Some(place) = place else { return Ok(None) };
        let (items, next) =
            page(place).await.inspect_err(|e| request::say(&format!("error: a stream broke off: {e}")))?;
        let mut text = Vec::with_capacity(items.len() * 256);
        for item in &items {
            // what is listed always has a JSON form
            if serde_json::to_writer(&mut text, item).is_ok() {
                text.push(b'\n');
            }
        }
        Ok::<_, tocsin_core::Error>(Some((Bytes::from(text), (page, next.map(Some)))))
    });
    ([(CONTENT_TYPE, KIND), (CACHE_CONTROL, "no-store")], Body::from_stream(steps)).into_response()
}

//! The name of a request: told in every reply, in problems and in the log, so that the three can be put together.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request};
use axum::middleware::Next;
use axum::response::Response;

/// Header of the name; one that a proxy or client brings is kept where it is a plain word.
pub const HEADER: &str = "x-request-id";

tokio::task_local! {
    static NAME: String;
}

/// The name of the request being answered, where one is.
pub fn name() -> Option<String> {
    NAME.try_with(Clone::clone).ok()
}

/// A line for the log that tells the request.
pub fn say(line: &str) {
    match name() {
        Some(name) => crate::cli::say(&format!("{line} (request {name})")),
        None => crate::cli::say(line),
    }
}

/// Runs under the name of a request, in another task than the one that answers it.
pub async fn within<F: Future>(name: Option<String>, work: F) -> F::Output {
    match name {
        Some(name) => NAME.scope(name, work).await,
        None => work.await,
    }
}

fn brought(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

fn made() -> String {
    let mut bytes = [0; 16];
    super::random(&mut bytes);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Names a request and tells the name in the reply.
pub async fn named(request: Request<Body>, next: Next) -> Response {
    let name = brought(request.headers()).unwrap_or_else(made);
    let value = HeaderValue::from_str(&name);
    let mut response = NAME.scope(name, next.run(request)).await;
    if let Ok(value) = value {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_kept() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_str(text).unwrap());
            brought(&headers)
        };
        assert_eq!(of("a-1_b.C"), Some("a-1_b.C".to_owned()));
        for bad in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(made().len(), 32);
    }
}

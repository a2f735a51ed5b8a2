//! Style sheet, script and mark, from inside the binary.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;
use super::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/assets/drafts.js", Access::Public),
    ("GET", "/assets/forms.js", Access::Public),
    ("GET", "/assets/passkey.js", Access::Public),
    ("GET", "/assets/times.js", Access::Public),
    ("GET", "/assets/tocsin.css", Access::Public),
    ("GET", "/assets/tocsin.js", Access::Public),
    ("GET", "/assets/live.js", Access::Public),
    ("GET", "/assets/tocsin.svg", Access::Public),
];

pub(super) fn routes() -> Router<App> {
    let asset = |kind: &'static str, body: &'static str| {
        get(move || async move {
            ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=300")], body).into_response()
        })
    };
    Router::new()
        .route("/assets/tocsin.css", asset("text/css; charset=utf-8", include_str!("../../web/tocsin.css")))
        .route(
            "/assets/tocsin.js",
            asset("text/javascript; charset=utf-8", include_str!("../../web/tocsin.js")),
        )
        .route("/assets/live.js", asset("text/javascript; charset=utf-8", include_str!("../../web/live.js")))
        .route(
            "/assets/forms.js",
            asset("text/javascript; charset=utf-8", include_str!("../../web/forms.js")),
        )
        .route(
            "/assets/drafts.js",
            asset("text/javascript; charset=utf-8", include_str!("../../web/drafts.js")),
        )
        .route(
            "/assets/times.js",
            asset("text/javascript; charset=utf-8", include_str!("../../web/times.js")),
        )
        .route(
            "/assets/passkey.js",
            asset("text/javascript; charset=utf-8", include_str!("../../web/passkey.js")),
        )
        .route("/assets/tocsin.svg", asset("image/svg+xml", include_str!("../../web/tocsin.svg")))
}

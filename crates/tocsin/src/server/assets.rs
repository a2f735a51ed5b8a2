//! Style sheet, script and mark, from inside the binary.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;

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
        .route("/assets/tocsin.svg", asset("image/svg+xml", include_str!("../../web/tocsin.svg")))
}

//! `/api/version`: what clients ask first, without a key.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::uuid::{self, Kind};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[("GET", "/api/version", Access::Public)];

pub fn routes() -> Router<App> {
    Router::new().route("/api/version", get(version))
}

async fn version() -> Json<Value> {
    let uuid = uuid::of(Kind::Server, 0);
    let own = env!("CARGO_PKG_VERSION");
    Json(json!({
        "version": super::VERSION,
        "timestamp": "2025-01-01T00:00:00Z",
        "uuid": uuid,
        "systemUuid": uuid,
        "application": "Dependency-Track",
        "framework": {"name": "Tocsin", "version": own, "timestamp": "2025-01-01T00:00:00Z", "uuid": uuid},
    }))
}

//! The API under `/api/v2`: one file a noun, JSON in and out, problem details for errors, described by the OpenAPI
//! document that is made of the handlers; under `/api/v1` that of Dependency-Track.

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::LOCATION;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

use crate::server::guard::Route;
use crate::server::{ApiError, App};

mod around;
mod audit;
mod compat;
mod components;
mod decisions;
mod deployments;
mod desk;
mod docs;
mod document;
mod etag;
mod findings;
mod jobs;
mod lines;
mod listing;
mod notifications;
mod once;
mod page;
mod people;
mod products;
mod releases;
mod reports;
mod sboms;
mod sources;
mod stream;
mod surround;
mod system;
mod vex;
mod vulnerabilities;
mod warnings;

/// The nouns, with what the document says of each.
fn nouns() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::base())
        .merge(lines::routes())
        .merge(products::routes())
        .merge(releases::routes())
        .merge(sboms::routes())
        .merge(components::routes())
        .merge(findings::routes())
        .merge(decisions::routes())
        .merge(vex::routes())
        .merge(vulnerabilities::routes())
        .merge(desk::routes())
        .merge(warnings::routes())
        .merge(reports::routes())
        .merge(deployments::routes())
        .merge(audit::routes())
        .merge(around::routes())
        .merge(people::routes())
        .merge(jobs::routes())
        .merge(sources::routes())
        .merge(notifications::routes())
        .merge(system::routes())
}

/// Who may use what of the second version.
const OWN: &[&[Route]] = &[
    lines::ACCESS,
    products::ACCESS,
    releases::ACCESS,
    sboms::ACCESS,
    components::ACCESS,
    findings::ACCESS,
    decisions::ACCESS,
    vex::ACCESS,
    vulnerabilities::ACCESS,
    desk::ACCESS,
    warnings::ACCESS,
    reports::ACCESS,
    deployments::ACCESS,
    audit::ACCESS,
    around::ACCESS,
    people::ACCESS,
    jobs::ACCESS,
    sources::ACCESS,
    notifications::ACCESS,
    system::ACCESS,
    document::ACCESS,
    docs::ACCESS,
];

/// Who may use which route of the API.
pub const ACCESS: &[&[&[Route]]] = &[OWN, compat::ACCESS];

/// The reply to a caller who is not known.
pub(crate) fn unknown(path: &str) -> Response {
    if path.starts_with("/api/v1/") { compat::unknown() } else { ApiError::unauthorised().into_response() }
}

/// The reply to a caller who may not, or a fault while that was found out.
pub(crate) fn refusal(path: &str, e: tocsin_core::Error) -> Response {
    if path.starts_with("/api/v1/") { compat::refusal(e) } else { ApiError::from(e).into_response() }
}

/// All routes of the API.
pub fn routes() -> Router<App> {
    let (nouns, _) = nouns().split_for_parts();
    Router::new().merge(nouns).merge(compat::routes()).merge(document::routes()).merge(docs::routes())
}

/// Puts around all routes what every request of the API passes, from the last to the first.
pub fn surround(routes: Router<App>, app: &App) -> Router<App> {
    routes
        .layer(from_fn(etag::reads))
        .layer(from_fn_with_state(app.clone(), once::once))
        .layer(from_fn(surround::problems))
        .layer(from_fn_with_state(app.clone(), surround::rate))
}

/// The header that tells where what was made is.
fn made(address: &str) -> [(HeaderName, String); 1] {
    [(LOCATION, address.to_owned())]
}

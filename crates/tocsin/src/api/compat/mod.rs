//! The API of Dependency-Track under `/api/v1` and `/api/version`, as far as its clients use it (behaviour of 4.13), so
//! that a build that uploads there uploads here. Its *project* is our release: `name` is the product, `version` the
//! release's version. A small upload is matched before it is answered; the token of a large one is of the job
//! that reads it.

mod analysis;
mod badge;
mod bom;
mod component;
mod edit;
mod export;
mod fault;
mod finding;
mod grouped;
mod licence;
mod metrics;
mod project;
mod property;
mod sarif;
mod team;
mod uuid;
mod version;
mod vex;
mod violation;
mod vulnerability;

use std::collections::HashMap;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::any;
use serde::de::DeserializeOwned;
use tocsin_core::inventory::{self, Release};
use tocsin_core::platform::access::Actor;

use crate::server::guard::{Access, Route};
use crate::server::{self, App};
use fault::Fault;

/// The version whose behaviour this is; clients choose by it what they call.
const VERSION: &str = "4.13.0";
/// Header by which clients know the server they talk to.
const POWERED: &str = "Dependency-Track v4.13.0";
/// Line of products that an upload makes.
const LINE: &str = "Products";
/// Most findings of one release that are read at once.
const FINDINGS: u64 = 1_000_000;

/// Who may use what here: each table of this API.
pub(super) const ACCESS: &[&[Route]] = &[
    OWN,
    version::ACCESS,
    team::ACCESS,
    bom::ACCESS,
    project::ACCESS,
    edit::ACCESS,
    property::ACCESS,
    vulnerability::ACCESS,
    export::ACCESS,
    component::ACCESS,
    finding::ACCESS,
    grouped::ACCESS,
    licence::ACCESS,
    metrics::ACCESS,
    analysis::ACCESS,
    vex::ACCESS,
    violation::ACCESS,
    badge::ACCESS,
];

/// What this server does not have of it is not there for anybody.
const OWN: &[Route] = &[("ANY", "/api/v1/{*rest}", Access::Public)];

/// A caller whose key is not known.
pub(super) fn unknown() -> Response {
    told(Fault::Empty(StatusCode::UNAUTHORIZED).into_response())
}

/// A caller who may not, or a fault while that was found out.
pub(super) fn refusal(e: tocsin_core::Error) -> Response {
    told(Fault::from(e).into_response())
}

/// All routes.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(version::routes())
        .merge(team::routes())
        .merge(bom::routes())
        .merge(project::routes())
        .merge(edit::routes())
        .merge(property::routes())
        .merge(vulnerability::routes())
        .merge(export::routes())
        .merge(component::routes())
        .merge(finding::routes())
        .merge(grouped::routes())
        .merge(licence::routes())
        .merge(metrics::routes())
        .merge(analysis::routes())
        .merge(vex::routes())
        .merge(violation::routes())
        .merge(badge::routes())
        .route("/api/v1/{*rest}", any(elsewhere))
        .layer(middleware::map_response(powered))
}

/// What is not there; an address with a slash too many leads to the one without, as it does there.
async fn elsewhere(uri: Uri) -> Response {
    let query = uri.query().map_or(String::new(), |q| format!("?{q}"));
    match uri.path().strip_suffix('/').filter(|p| !p.ends_with('/')) {
        Some(path) => Redirect::permanent(&format!("{path}{query}")).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn powered(response: Response) -> Response {
    told(response)
}

fn told(mut response: Response) -> Response {
    response.headers_mut().insert("x-powered-by", HeaderValue::from_static(POWERED));
    response
}

/// Who calls, by their API key.
struct Caller(Actor);

impl FromRequestParts<App> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Fault> {
        let known = server::key(parts, app).await?.ok_or(Fault::Empty(StatusCode::UNAUTHORIZED))?;
        Ok(Caller(known.actor))
    }
}

type Asked = HashMap<String, String>;

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|e| Fault::json(&e))
}

/// A field that is there and not empty.
fn given(field: Option<&String>) -> Option<&str> {
    field.map(|f| f.trim()).filter(|f| !f.is_empty())
}

fn is_true(asked: &Asked, name: &str) -> bool {
    asked.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// The release of a project's UUID.
async fn release(app: &App, actor: &Actor, text: &str) -> Result<Release, Fault> {
    if !uuid::is_valid(text) {
        return Err(Fault::field("uuid", "Invalid UUID", text));
    }
    let id = uuid::id(uuid::Kind::Project, text).ok_or_else(|| Fault::missing("project"))?;
    Ok(inventory::release_of(app.db(), actor, id).await?)
}

/// The release that an upload is for: by UUID or, where none is given, by names; nothing where no release has them.
async fn meant(
    app: &App,
    actor: &Actor,
    uuid: Option<&str>,
    name: Option<&str>,
    version: Option<&str>,
) -> Result<Option<Release>, Fault> {
    if let Some(uuid) = uuid {
        return release(app, actor, uuid).await.map(Some);
    }
    let name = name.ok_or_else(|| Fault::needed("projectName"))?;
    let version = version.ok_or_else(|| Fault::needed("projectVersion"))?;
    match inventory::release_named(app.db(), actor, name, version).await {
        Ok(release) => Ok(Some(release)),
        Err(tocsin_core::Error::NotFound(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Milliseconds since 1970 of a stored time, which is how this API tells times.
fn millis(at: &str) -> Option<i64> {
    at.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

/// Which part of a list is wanted.
struct Pages {
    skip: usize,
    size: usize,
}

impl Pages {
    fn of(asked: &Asked) -> Pages {
        let number = |name: &str| asked.get(name).and_then(|v| v.parse::<usize>().ok());
        let size = number("limit").or(number("pageSize")).unwrap_or(100).max(1);
        let page = number("pageNumber").or(number("page")).unwrap_or(1).max(1);
        Pages { skip: number("offset").unwrap_or((page - 1).saturating_mul(size)), size }
    }
}

/// One page of a list with its whole length in `X-Total-Count`.
fn paged(all: Vec<serde_json::Value>, asked: &Asked) -> Response {
    let pages = Pages::of(asked);
    let total = all.len();
    let page: Vec<serde_json::Value> = all.into_iter().skip(pages.skip).take(pages.size).collect();
    counted(total, axum::Json(page).into_response())
}

fn counted(total: usize, mut response: Response) -> Response {
    response.headers_mut().insert("x-total-count", HeaderValue::from(total));
    response
}

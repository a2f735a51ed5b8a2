//! Components of a release, and where something is used.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::inventory::{self, Listed, Part, Use};
use tocsin_core::platform::access::Permission;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Paging, cut};
use super::stream;
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client, Kind};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/releases/{id}/components", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/parts", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/where-used", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(parts)).routes(routes!(used))
}

/// Most places where something is used that one question gives.
const USES: u64 = 100_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only components whose name, version, purl or licence holds this text; `licence:MIT` asks for just this licence,
    /// `licence:` for components that name none, `over:` for those whose maintenance is over, as is told.
    q: Option<String>,
}

/// Components of a release
///
/// Those with the worst open findings first.
#[utoipa::path(get, path = "/api/v2/releases/{id}/components", tag = "Components",
    params(("id" = i64, Path, description = "Id of the release."), Paging, Wanted),
    responses((status = 200, content((Page<Listed> = "application/json"), (Listed = "application/x-ndjson")),
        description = "A page of components, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    uri: Uri,
    headers: HeaderMap,
    Query(paging): Query<Paging>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let text = wanted.q.unwrap_or_default();
    let skip = |place: Option<String>| place.and_then(|p| p.parse::<u64>().ok()).unwrap_or(0);
    if stream::wanted(&headers) {
        inventory::release_of(app.db(), &who.actor, id).await?;
        return Ok(stream::lines(move |place| {
            let (app, actor, text) = (app.clone(), who.actor.clone(), text.clone());
            async move {
                let at = skip(place);
                let items = inventory::components(app.db(), &actor, id, &text, at, stream::BATCH).await?;
                let more = items.len() as u64 == stream::BATCH;
                Ok((items, more.then(|| (at + stream::BATCH).to_string())))
            }
        }));
    }
    let (at, most) = (skip(paging.place("components")?), paging.most());
    let mut items = inventory::components(app.db(), &who.actor, id, &text, at, most + 1).await?;
    let more = items.len() as u64 > most;
    items.truncate(most as usize);
    Ok(Page::new("components", items, more.then(|| (at + most).to_string())).reply(&uri))
}

/// Components of a release with all that identifies them
///
/// By name and version: package URL, CPE names, places in the document.
#[utoipa::path(get, path = "/api/v2/releases/{id}/parts", tag = "Components",
    params(("id" = i64, Path, description = "Id of the release."), Paging),
    responses((status = 200, description = "A page of components.", body = Page<Part>)))]
async fn parts(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    uri: Uri,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let mut all = inventory::parts(app.db(), &who.actor, id).await?;
    let key = |p: &Part| (format!("{}\u{1}{}", p.name, p.version), p.id);
    all.sort_by_cached_key(key);
    Ok(cut("parts", all, &paging, key)?.reply(&uri))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// What is looked for: a name (`log4j-core`, `log4j*`), a package URL or its beginning, a package URL with a range
    /// (`pkg:npm/left-pad@>=1.0,<1.3.0`), a CPE name, a hash (`sha256:…`) or a licence (`licence:GPL-3.0-only`).
    #[param(example = "pkg:maven/org.apache.logging.log4j/log4j-core")]
    q: String,
}

/// Where something is used
///
/// Releases that hold it, with version found and units in the field.
#[utoipa::path(get, path = "/api/v2/where-used", tag = "Components", params(Asked, Paging),
    responses((status = 200, content((Page<Use> = "application/json"), (Use = "application/x-ndjson")),
        description = "A page of uses, or all as a stream of lines.")))]
async fn used(
    State(app): State<App>,
    Client(who): Client,
    uri: Uri,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let all = inventory::where_used(app.db(), &who.actor, &asked.q, USES).await?;
    if stream::wanted(&headers) {
        let all = std::sync::Mutex::new(Some(all));
        return Ok(stream::lines(move |_| {
            let items = all.lock().ok().and_then(|mut a| a.take()).unwrap_or_default();
            async move { Ok((items, None)) }
        }));
    }
    let at = match paging.place("where-used")? {
        Some(p) => p.parse::<usize>().map_err(|_| ApiError::new(Kind::CURSOR, "it names no place"))?,
        None => 0,
    };
    let most = paging.most() as usize;
    let next = (all.len() > at.saturating_add(most)).then(|| (at + most).to_string());
    let items: Vec<Use> = all.into_iter().skip(at).take(most).collect();
    Ok(Page::new("where-used", items, next).reply(&uri))
}

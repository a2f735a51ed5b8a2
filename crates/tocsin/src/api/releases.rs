//! `/api/v2/releases`: what was shipped, two releases against each other.

use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tocsin_core::inventory::{self, Amend, Comparison, Within};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::query::Rows;
use tocsin_model::query::Query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::etag::IfMatch;
use super::listing::{Ask, Asking};
use super::made;
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};
use crate::ui::asked::quoted;

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/releases", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/releases", Access::Needs(Permission::InventoryWrite)),
    ("PATCH", "/api/v2/releases/{id}", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/api/v2/compare", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, amend)).routes(routes!(compare))
}

/// Open findings of a release, surely identified and not decided away.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenFindings {
    /// Critical.
    critical: i64,
    /// High.
    high: i64,
    /// Medium.
    medium: i64,
    /// Low.
    low: i64,
    /// Without rating.
    unrated: i64,
    /// Of flaws that are known to be exploited; counted among the others too.
    exploited: i64,
}

/// A release: what was shipped.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": 7, "product": 3, "product_name": "Pump 3", "line": 1, "line_name": "Infusion pumps",
    "version": "2.4.1", "released": "2026-03-01", "support_until": null, "active": true, "latest": true,
    "tags": ["field"], "matched": "2026-03-02T08:15:00.000Z", "components": 412,
    "open": {"critical": 1, "high": 7, "medium": 12, "low": 3, "unrated": 0, "exploited": 1}, "units": 1200}))]
pub struct Release {
    /// Id.
    id: i64,
    /// Product.
    product: i64,
    /// Name of the product.
    product_name: String,
    /// Product line.
    line: i64,
    /// Name of the product line.
    line_name: String,
    /// Version.
    version: String,
    /// Day it was released.
    released: Option<String>,
    /// Day until which it is supported.
    support_until: Option<String>,
    /// Still watched.
    active: bool,
    /// The newest of its product.
    latest: bool,
    /// Tags.
    tags: Vec<String>,
    /// When it was last matched.
    matched: Option<String>,
    /// Distinct components.
    components: i64,
    /// Open findings.
    open: OpenFindings,
    /// Units in the field.
    units: i64,
}

/// A release as it is read.
pub fn shown(r: inventory::Release, tags: Vec<String>) -> Release {
    let [critical, high, medium, low, unrated] = r.open;
    Release {
        id: r.id,
        product: r.product,
        product_name: r.product_name,
        line: r.line,
        line_name: r.line_name,
        version: r.version,
        released: r.released,
        support_until: r.support_until,
        active: r.active,
        latest: r.latest,
        tags,
        matched: r.matched,
        components: r.components,
        open: OpenFindings { critical, high, medium, low, unrated, exploited: r.exploited },
        units: r.units,
    }
}

async fn find(app: &App, actor: &Actor, id: i64) -> Result<Release, ApiError> {
    let r = inventory::release_of(app.db(), actor, id).await?;
    let tags = inventory::tags_of(app.db(), actor, id).await?;
    Ok(shown(r, tags))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only releases of this product.
    product: Option<i64>,
    /// Only releases of products in this product line.
    line: Option<i64>,
    /// Only releases with this tag.
    tag: Option<String>,
    /// Only releases that are watched (`true`) or are not (`false`).
    active: Option<bool>,
    /// Only releases that are their product's latest (`true`) or are not (`false`).
    latest: Option<bool>,
}

/// Releases
///
/// By product line and product. Those that are no longer watched are left out unless they are asked for:
/// `q=active:any`, or `active=false` for them alone.
#[utoipa::path(get, path = "/api/v2/releases", tag = "Releases", params(Asking, Paging, Wanted),
    responses((status = 200, content((Page<Release> = "application/json"), (Release = "application/x-ndjson")),
        description = "A page of releases, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    mut ask: Ask,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    if let Some(tag) = &wanted.tag {
        ask.and(format!("tag={}", quoted(tag)));
    }
    for (field, value) in [("active", wanted.active), ("latest", wanted.latest)] {
        if let Some(value) = value {
            ask.and(format!("{field}:{value}"));
        }
    }
    let within = Within { product: wanted.product, line: wanted.line };
    let page = move |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        let found = inventory::release_list(app.db(), &actor, within, &query, after.as_deref(), most).await?;
        let ids: Vec<i64> = found.rows.iter().map(|r| r.id).collect();
        let mut tags = inventory::tags_by(app.db(), &actor, &ids).await?;
        let rows = found.rows.into_iter().map(|r| {
            let tags = tags.remove(&r.id).unwrap_or_default();
            shown(r, tags)
        });
        Ok(Rows { rows: rows.collect(), next: found.next, total: found.total })
    };
    ask.reply(app, who.actor, "releases", inventory::release_schema(), page).await
}

/// A release
#[utoipa::path(get, path = "/api/v2/releases/{id}", tag = "Releases",
    params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "The release.", body = Release)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Release>, ApiError> {
    Ok(Json(find(&app, &who.actor, id).await?))
}

/// A release to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"product": 3, "version": "2.4.1"}))]
struct NewRelease {
    /// Its product.
    product: i64,
    /// Version, unique in the product.
    #[schema(min_length = 1, max_length = 200)]
    version: String,
}

/// Makes a release
///
/// It is its product's latest. One of this version that is there already is given back.
#[utoipa::path(post, path = "/api/v2/releases", tag = "Releases", request_body = NewRelease,
    responses((status = 201, description = "It was made, or was there.", body = Release,
        headers(("Location" = String, description = "Its address.")))))]
async fn create(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<NewRelease>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let id = inventory::make_release(&mut change, new.product, &new.version).await?;
    change.commit().await?;
    let release = find(&app, &who.actor, id).await?;
    Ok((StatusCode::CREATED, made(&format!("/api/v2/releases/{id}")), Json(release)).into_response())
}

/// What to change; what is missing stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"active": false, "tags": ["field", "eu"]}))]
struct ReleaseChange {
    /// Still watched.
    active: Option<bool>,
    /// The newest of its product; the others then are not.
    latest: Option<bool>,
    /// All tags.
    tags: Option<Vec<String>>,
}

/// Changes a release
#[utoipa::path(patch, path = "/api/v2/releases/{id}", tag = "Releases", request_body = ReleaseChange,
    params(("id" = i64, Path, description = "Id of the release.")),
    responses((status = 200, description = "The release as it is now.", body = Release)))]
async fn amend(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    if_match: IfMatch,
    Json(new): Json<ReleaseChange>,
) -> Result<Json<Release>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let (r, tags) = inventory::held_release(&change, id).await?;
    if_match.check(&shown(r, tags))?;
    let wanted = Amend { active: new.active, latest: new.latest, tags: new.tags };
    inventory::amend(&mut change, id, &wanted).await?;
    change.commit().await?;
    Ok(Json(find(&app, &who.actor, id).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Two {
    /// The earlier release.
    before: i64,
    /// The later release.
    after: i64,
}

/// Two releases of a product against each other
///
/// Components that came, went or changed, and the findings with them.
#[utoipa::path(get, path = "/api/v2/compare", tag = "Releases", params(Two),
    responses((status = 200, description = "What is different.", body = Comparison)))]
async fn compare(
    State(app): State<App>,
    Client(who): Client,
    Parameters(two): Parameters<Two>,
) -> Result<Json<Comparison>, ApiError> {
    Ok(Json(inventory::compare(app.db(), &who.actor, two.before, two.after).await?))
}

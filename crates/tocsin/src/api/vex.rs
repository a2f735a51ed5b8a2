//! `/api/v2/vex`: VEX documents in, with what became of each statement, and out.

use axum::Json;
use axum::extract::{Multipart, Path, Query as Parameters, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tocsin_core::detection::{self, Imported, Place};
use tocsin_core::inventory;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_formats::vex::Format;
use tocsin_model::query::Query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};
use crate::vex;

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/vex", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/vex", Access::Needs(Permission::FindingDecide)),
    ("GET", "/api/v2/vex/{id}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/releases/{id}/vex", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, take)).routes(routes!(one)).routes(routes!(export))
}

#[derive(Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only documents that were for this release.
    release: Option<i64>,
}

/// A form with a VEX document.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes the form; the parts are read one by one")]
struct VexForm {
    /// The document: CSAF, OpenVEX or CycloneDX.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    vex: Vec<u8>,
    /// Id of the release whose findings it is about.
    release: Option<i64>,
    /// Name of the product whose findings it is about, in all releases or in one.
    product: Option<String>,
    /// Version of the release.
    version: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Written {
    /// `openvex`, `csaf` or `cyclonedx`.
    #[param(example = "openvex")]
    format: Option<String>,
}

/// VEX documents taken in
///
/// Newest first. What became of the statements of one is told by `GET /api/v2/vex/{id}`.
#[utoipa::path(get, path = "/api/v2/vex", tag = "Decisions", params(Asking, Paging, Wanted),
    responses((status = 200, content((Page<Imported> = "application/json"), (Imported = "application/x-ndjson")),
        description = "A page of documents, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    ask: Ask,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    let page = move |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        detection::vex_list(app.db(), &actor, wanted.release, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "vex", detection::vex_schema(), page).await
}

/// A VEX document taken in
#[utoipa::path(get, path = "/api/v2/vex/{id}", tag = "Decisions",
    params(("id" = i64, Path, description = "Id of the document.")),
    responses((status = 200, description = "The document.", body = Imported)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Imported>, ApiError> {
    Ok(Json(detection::vex_import(app.db(), &who.actor, id).await?))
}

/// Takes a VEX document in
///
/// Its statements decide findings of a release, of a product, or of the workspace where neither is named. The reply
/// tells what became of each statement.
#[utoipa::path(post, path = "/api/v2/vex", tag = "Decisions",
    request_body(content = VexForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "What became of its statements.", body = Imported)))]
async fn take(
    State(app): State<App>,
    Client(who): Client,
    parts: Multipart,
) -> Result<Json<Imported>, ApiError> {
    let (fields, file) =
        crate::ui::form(parts).await.map_err(|_| ApiError::bad("the form cannot be read"))?;
    let Some((name, bytes)) = file else {
        return Err(ApiError::bad("the part `vex` with the file is missing"));
    };
    let field = |name: &str| fields.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    let place = match (field("release"), field("product"), field("version")) {
        (Some(id), _, _) => {
            Place::Release(id.parse().map_err(|_| ApiError::bad("`release` is the id of a release"))?)
        }
        (None, Some(product), Some(version)) => {
            Place::Release(inventory::release_named(app.db(), &who.actor, product, version).await?.id)
        }
        (None, Some(product), None) => {
            Place::Product(inventory::product_named(app.db(), &who.actor, product).await?.id)
        }
        (None, None, Some(_)) => return Err(ApiError::bad("`version` needs `product`")),
        (None, None, None) => Place::Workspace,
    };
    Ok(Json(vex::take(&app, &who.actor, place, name, bytes).await?))
}

/// What was decided of a release, as VEX
#[utoipa::path(get, path = "/api/v2/releases/{id}/vex", tag = "Decisions",
    params(("id" = i64, Path, description = "Id of the release."), Written),
    responses((status = 200, description = "The document.", body = serde_json::Value)))]
async fn export(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Parameters(form): Parameters<Written>,
) -> Result<Response, ApiError> {
    let name = form.format.as_deref().unwrap_or("openvex");
    let format =
        Format::parse(name).ok_or_else(|| ApiError::bad("`format` is openvex, csaf or cyclonedx"))?;
    let made = vex::of_release(&app, &who.actor, id, format).await?;
    let kind = match format {
        Format::CycloneDx => "application/vnd.cyclonedx+json",
        _ => "application/json",
    };
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", made.name)),
    ];
    Ok((headers, made.bytes).into_response())
}

//! `/api/v2/sboms` and the documents of a release: uploading, original bytes, what each changed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Difference, Uploaded};
use tocsin_core::platform::access::{Actor, Permission};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::made;
use super::page::{Page, Paging, cut};
use crate::intake::{self, Place, Taken};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("POST", "/api/v2/sboms", Access::Needs(Permission::SbomUpload)),
    ("POST", "/api/v2/releases/{id}/sboms", Access::Needs(Permission::SbomUpload)),
    ("GET", "/api/v2/releases/{id}/sboms", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/sboms/{document}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/releases/{id}/sboms/{document}/original", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .routes(routes!(list, replace))
        .routes(routes!(one))
        .routes(routes!(original))
}

/// A form with an SBOM.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes the form; the parts are read one by one")]
struct SbomForm {
    /// The document: CycloneDX, SPDX, a lock file or a package database.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    bom: Vec<u8>,
    /// Id of the release it is for; without it, `product` and `version`.
    release: Option<i64>,
    /// Product line in which the product is made where it is missing; `Products` unless told.
    line: Option<String>,
    /// Name of the product; made where it is missing and the key may.
    product: Option<String>,
    /// Version of the release; made where it is missing and the key may.
    version: Option<String>,
}

/// A large document that was kept and waits to be read.
#[derive(Serialize, ToSchema)]
struct Queued {
    /// The job that reads it.
    job: i64,
    /// The release.
    release: i64,
}

/// Uploads an SBOM for a release
///
/// It replaces what the release holds and is matched before the reply: the reply tells what changed, in components
/// and findings. A document of the same bytes changes nothing but findings. A large one is kept and read by a job: the
/// reply (202) names it. One that moves far more of the release than usual is asked about first (409).
#[utoipa::path(post, path = "/api/v2/sboms", tag = "SBOMs", params(Confirm),
    request_body(content = SbomForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "What it did.", body = Uploaded,
        headers(("Location" = String, description = "Address of the document."))),
        (status = 202, description = "It is kept, and a job reads it.", body = Queued,
        headers(("Location" = String, description = "Address of the job.")))))]
async fn upload(
    State(app): State<App>,
    Client(who): Client,
    Query(asked): Query<Confirm>,
    parts: Multipart,
) -> Result<Response, ApiError> {
    let (fields, file) =
        crate::ui::form(parts).await.map_err(|_| ApiError::bad("the form cannot be read"))?;
    let Some((name, bytes)) = file else {
        return Err(ApiError::bad("the part `bom` with the file is missing"));
    };
    let field = |name: &str| fields.get(name).filter(|v| !v.is_empty()).cloned();
    let release = field("release").map(|r| r.parse::<i64>());
    let place = match (release, field("product"), field("version")) {
        (Some(Ok(id)), _, _) => Place::Release(id),
        (Some(Err(_)), _, _) => return Err(ApiError::bad("`release` is a number")),
        (None, Some(product), Some(version)) => {
            Place::Named { line: field("line").unwrap_or_else(|| "Products".to_owned()), product, version }
        }
        _ => return Err(ApiError::bad("tell `release`, or `product` and `version`")),
    };
    take(&app, &who.actor, place, name, bytes, asked.confirm).await
}

async fn take(
    app: &App,
    actor: &Actor,
    place: Place,
    name: String,
    bytes: Vec<u8>,
    confirm: Option<String>,
) -> Result<Response, ApiError> {
    Ok(match intake::receive_confirmed(app, actor, place, name, bytes, confirm).await? {
        Taken::Now(done) => {
            let address = format!("/api/v2/releases/{}/sboms/{}", done.release, done.document);
            (made(&address), Json(done)).into_response()
        }
        Taken::Later { job, release } => {
            let address = format!("/api/v2/jobs/{job}");
            (StatusCode::ACCEPTED, made(&address), Json(Queued { job, release })).into_response()
        }
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Confirm {
    /// `confirm` of the problem (409) that asked whether an unusual upload is meant.
    confirm: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Named {
    /// File name, by which lock files are told apart.
    #[param(example = "Cargo.lock")]
    name: Option<String>,
}

/// Uploads an SBOM for a release that is there, as the body itself
///
/// As `POST /api/v2/sboms`; nothing but the document is sent, in any of its media types.
#[utoipa::path(post, path = "/api/v2/releases/{id}/sboms", tag = "SBOMs",
    params(("id" = i64, Path, description = "Id of the release."), Named, Confirm),
    request_body(content = serde_json::Value, content_type = "application/vnd.cyclonedx+json",
        description = "The document; XML, tag-value and others are read as well."),
    responses((status = 200, description = "What it did.", body = Uploaded,
        headers(("Location" = String, description = "Address of the document."))),
        (status = 202, description = "It is kept, and a job reads it.", body = Queued,
        headers(("Location" = String, description = "Address of the job.")))))]
async fn replace(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Query(named): Query<Named>,
    Query(asked): Query<Confirm>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/") {
        return Err(ApiError::bad("send the document itself as the body, or the form to /api/v2/sboms"));
    }
    let name =
        named.name.unwrap_or_else(|| if kind.contains("xml") { "bom.xml" } else { "bom.json" }.to_owned());
    take(&app, &who.actor, Place::Release(id), name, body.to_vec(), asked.confirm).await
}

/// A document that a release has or had.
#[derive(Serialize, ToSchema)]
struct Sbom {
    /// Id.
    id: i64,
    /// The release.
    release: i64,
    /// File name.
    name: String,
    /// Format and how it was written.
    #[schema(example = "CycloneDX json")]
    format: String,
    /// Version of the format's specification.
    #[schema(example = "1.6")]
    spec: String,
    /// Serial number or namespace, or empty.
    serial: String,
    /// When it was uploaded.
    uploaded: String,
    /// By whom.
    actor: String,
    /// Components in it.
    components: i64,
    /// SHA-256 of its bytes.
    sha256: String,
    /// The release holds what this one says.
    current: bool,
    /// What it changed against the one before.
    difference: Difference,
    /// What its reader had to say.
    diagnostics: Vec<DocumentRemark>,
}

/// What the reader of a document had to say.
#[derive(Serialize, Deserialize, ToSchema)]
struct DocumentRemark {
    /// Stable code; see `docs/codes`.
    code: String,
    /// Place in the document.
    path: String,
    /// What is doubtful.
    message: String,
}

async fn documents(app: &App, actor: &Actor, release: i64) -> Result<Vec<Sbom>, ApiError> {
    let all = inventory::documents(app.db(), actor, release).await?;
    let newest = all.iter().map(|d| d.id).max();
    let shown = |d: inventory::Document| Sbom {
        current: Some(d.id) == newest,
        id: d.id,
        release,
        name: d.name,
        format: d.format,
        spec: d.spec,
        serial: d.serial,
        uploaded: d.uploaded,
        actor: d.actor,
        components: d.components,
        sha256: d.blob,
        difference: serde_json::from_str(&d.difference).unwrap_or_default(),
        diagnostics: serde_json::from_str(&d.diagnostics).unwrap_or_default(),
    };
    Ok(all.into_iter().map(shown).collect())
}

/// Documents of a release
///
/// Newest first; the first is what the release holds.
#[utoipa::path(get, path = "/api/v2/releases/{id}/sboms", tag = "SBOMs",
    params(("id" = i64, Path, description = "Id of the release."), Paging),
    responses((status = 200, description = "A page of documents.", body = Page<Sbom>)))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    uri: Uri,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let all = documents(&app, &who.actor, id).await?;
    Ok(cut("sboms", all, &paging, |d| (String::new(), -d.id))?.reply(&uri))
}

/// A document of a release, with what it changed
#[utoipa::path(get, path = "/api/v2/releases/{id}/sboms/{document}", tag = "SBOMs",
    params(("id" = i64, Path, description = "Id of the release."),
        ("document" = i64, Path, description = "Id of the document.")),
    responses((status = 200, description = "The document.", body = Sbom)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path((id, document)): Path<(i64, i64)>,
) -> Result<Json<Sbom>, ApiError> {
    let all = documents(&app, &who.actor, id).await?;
    let found = all.into_iter().find(|d| d.id == document);
    Ok(Json(found.ok_or_else(|| Error::NotFound(format!("document {document}")))?))
}

/// The original bytes of a document
#[utoipa::path(get, path = "/api/v2/releases/{id}/sboms/{document}/original", tag = "SBOMs",
    params(("id" = i64, Path, description = "Id of the release."),
        ("document" = i64, Path, description = "Id of the document; 0 is the current one.")),
    responses((status = 200, description = "The bytes as they were uploaded.", body = Vec<u8>,
        content_type = "application/octet-stream")))]
async fn original(
    State(app): State<App>,
    Client(who): Client,
    Path((id, document)): Path<(i64, i64)>,
) -> Result<Response, ApiError> {
    let known = documents(&app, &who.actor, id).await?;
    let (name, bytes) = inventory::original(app.db(), &who.actor, id, document).await?;
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let disposition = format!("attachment; filename=\"{plain}\"");
    let tag = known.iter().find(|d| d.id == document || document == 0).map_or("", |d| &d.sha256);
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, disposition),
        (ETAG, format!("\"{tag}\"")),
    ];
    Ok((headers, bytes).into_response())
}

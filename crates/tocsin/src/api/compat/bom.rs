//! `/api/v1/bom`: uploading an SBOM, whether its matching has ended, and getting the document back.

use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Amend};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, LINE, given, is_true, json, meant, release};
use crate::intake::{self, Place};
use crate::server::App;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/bom", put(coded).post(raw))
        .route("/api/v1/bom/token/{uuid}", get(token_of_upload))
        .route("/api/v1/event/token/{uuid}", get(token))
        .route("/api/v1/bom/cyclonedx/project/{uuid}", get(export))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Sent {
    project: Option<String>,
    project_name: Option<String>,
    project_version: Option<String>,
    project_tags: Option<Vec<Tag>>,
    auto_create: Option<bool>,
    #[serde(rename = "parentUUID")]
    parent_uuid: Option<String>,
    parent_name: Option<String>,
    parent_version: Option<String>,
    #[serde(alias = "isLatestProjectVersion")]
    is_latest: Option<bool>,
    bom: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Tag {
    pub(super) name: String,
}

/// A document in standard Base64, as `PUT` requests hold it.
pub(super) fn decode(path: &str, text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text.trim()).map_err(|e| Fault::field(path, &format!("it is not Base64: {e}"), ""))
}

/// The fields of a form and its first part `document`.
pub(super) async fn parts(mut form: Multipart, document: &str) -> Result<(Asked, Option<Vec<u8>>), Fault> {
    let bad = |e: axum::extract::multipart::MultipartError| Fault::Text(e.status(), e.body_text());
    let (mut fields, mut found) = (Asked::new(), None);
    while let Some(part) = form.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name != document {
            fields.insert(name, part.text().await.map_err(bad)?);
        } else if found.is_none() {
            found = Some(part.bytes().await.map_err(bad)?.to_vec());
        }
    }
    Ok((fields, found))
}

async fn coded(State(app): State<App>, Caller(actor): Caller, body: Bytes) -> Result<Json<Value>, Fault> {
    actor.need(Permission::SbomUpload)?;
    let mut sent: Sent = json(&body)?;
    let bom = sent.bom.take().ok_or_else(|| Fault::needed("bom"))?;
    let bytes = decode("bom", &bom)?;
    drop((bom, body));
    take(&app, &actor, &sent, bytes).await
}

async fn raw(State(app): State<App>, Caller(actor): Caller, form: Multipart) -> Result<Json<Value>, Fault> {
    actor.need(Permission::SbomUpload)?;
    let (fields, bytes) = parts(form, "bom").await?;
    let none = || Fault::Text(StatusCode::BAD_REQUEST, "No BOM file provided.".to_owned());
    let field = |name: &str| fields.get(name).cloned();
    let flag = |name: &str| fields.get(name).map(|v| v.eq_ignore_ascii_case("true"));
    let tags = |text: String| text.split(',').map(|t| Tag { name: t.to_owned() }).collect();
    let sent = Sent {
        project: field("project"),
        project_name: field("projectName"),
        project_version: field("projectVersion"),
        project_tags: field("projectTags").map(tags),
        auto_create: flag("autoCreate"),
        parent_uuid: field("parentUUID"),
        parent_name: field("parentName"),
        parent_version: field("parentVersion"),
        is_latest: flag("isLatest").or(flag("isLatestProjectVersion")),
        bom: None,
    };
    take(&app, &actor, &sent, bytes.ok_or_else(none)?).await
}

/// What is wrong with a document, as this API tells it.
pub(super) fn invalid(
    title: &'static str,
    bytes: &[u8],
    why: &[tocsin_model::diagnostic::Diagnostic],
) -> Fault {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    let detail = if matches!(first, Some(b'{' | b'<')) {
        "Schema validation failed"
    } else {
        "BOM is neither valid JSON nor XML"
    };
    let errors = why.iter().take(100).map(ToString::to_string).collect();
    Fault::Problem { title, detail: detail.to_owned(), errors }
}

/// Bytes without the byte order mark that some tools put before UTF-8.
pub(super) fn unmarked(bytes: Vec<u8>) -> Vec<u8> {
    bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes)
}

async fn take(app: &App, actor: &Actor, sent: &Sent, bytes: Vec<u8>) -> Result<Json<Value>, Fault> {
    let (name, version) = (given(sent.project_name.as_ref()), given(sent.project_version.as_ref()));
    let there = meant(app, actor, given(sent.project.as_ref()), name, version).await?;
    let writes = actor.may(Permission::InventoryWrite);
    let place = match (&there, name, version) {
        (Some(r), _, _) => {
            if actor.need_in(Permission::SbomUpload, r.line).is_err() {
                let text = "Access to the specified project is forbidden".to_owned();
                return Err(Fault::Text(StatusCode::FORBIDDEN, text));
            }
            Place::Release(r.id)
        }
        (None, Some(product), Some(version)) if sent.auto_create == Some(true) => {
            if !writes {
                let text = "The principal does not have permission to create project.".to_owned();
                return Err(Fault::Text(StatusCode::UNAUTHORIZED, text));
            }
            parent(app, actor, sent).await?;
            Place::Named { line: LINE.to_owned(), product: product.to_owned(), version: version.to_owned() }
        }
        _ => return Err(Fault::missing("project")),
    };
    let bytes = unmarked(bytes);
    let start = bytes.get(..64).unwrap_or(&bytes).to_vec();
    let file =
        if start.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') { "bom.xml" } else { "bom.json" };
    let done = match intake::take(app, actor, place, file.to_owned(), bytes).await {
        Err(Error::Refused(why)) => return Err(invalid("The uploaded BOM is invalid", &start, &why)),
        done => done?,
    };
    let tags =
        sent.project_tags.as_ref().map(|t| t.iter().map(|t| t.name.trim().to_owned()).collect::<Vec<_>>());
    let tags = tags.map(|t| t.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>());
    // The newest made is its product's latest; a client's default `false` does not take that away.
    let latest = sent.is_latest.filter(|latest| *latest);
    let wanted = Amend { tags: tags.filter(|t| !t.is_empty()), latest, active: None };
    if wanted != Amend::default() && writes {
        // Builds send these with every upload; a key that may not change them still uploads.
        let mut change = Change::begin(app.db(), actor).await?;
        inventory::amend(&mut change, done.release, &wanted).await?;
        change.commit().await?;
    }
    let (token, project) = (uuid::of(Kind::Token, done.document), uuid::of(Kind::Project, done.release));
    Ok(Json(json!({"token": token, "projectUuid": project})))
}

/// A parent that is named must be there; releases have none, so it is not kept.
async fn parent(app: &App, actor: &Actor, sent: &Sent) -> Result<(), Fault> {
    let uuid = given(sent.parent_uuid.as_ref());
    let (name, version) = (given(sent.parent_name.as_ref()), given(sent.parent_version.as_ref()));
    if uuid.is_none() && (name.is_none() || version.is_none()) {
        return Ok(());
    }
    let missing = || Fault::missing("parent component");
    match meant(app, actor, uuid, name, version).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) | Err(Fault::Text(StatusCode::NOT_FOUND, _)) => Err(missing()),
        Err(e) => Err(e),
    }
}

/// Uploads are matched before they are answered; a token that never was is not being processed either.
async fn token(_: Caller, Path(text): Path<String>) -> Result<Json<Value>, Fault> {
    if !uuid::is_valid(&text) {
        return Err(Fault::field("uuid", "Invalid UUID", &text));
    }
    Ok(Json(json!({"processing": false})))
}

async fn token_of_upload(Caller(actor): Caller, path: Path<String>) -> Result<Json<Value>, Fault> {
    actor.need(Permission::SbomUpload)?;
    token(Caller(actor), path).await
}

async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let bad = |text: &str| Err(Fault::Text(StatusCode::BAD_REQUEST, text.to_owned()));
    let format = asked.get("format").map_or_else(|| "json".to_owned(), |f| f.to_ascii_lowercase());
    if !matches!(format.as_str(), "json" | "xml") {
        return bad("Invalid BOM format specified.");
    }
    if asked.get("variant").is_some_and(|v| !v.eq_ignore_ascii_case("inventory")) {
        return bad("Invalid BOM variant specified. Tocsin gives back the inventory as it was uploaded.");
    }
    let r = release(&app, &actor, &text).await?;
    let documents = inventory::documents(app.db(), &actor, r.id).await?;
    let Some(newest) = documents.first() else {
        return Err(Fault::Text(StatusCode::NOT_FOUND, "The project has no BOM.".to_owned()));
    };
    let own = newest.format.to_ascii_lowercase();
    if !own.starts_with("cyclonedx") || !own.ends_with(&format) {
        return bad(&format!("The BOM was uploaded as {}; it is given back as it was.", newest.format));
    }
    let (_, bytes) = inventory::original(app.db(), &actor, r.id, newest.id).await?;
    let kind = [(CONTENT_TYPE, format!("application/vnd.cyclonedx+{format}"))];
    let mut response = (kind, bytes).into_response();
    if is_true(&asked, "download")
        && let Ok(value) = format!("attachment; filename=\"bom.{format}\"").parse()
    {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

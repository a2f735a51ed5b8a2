//! `/api/v1/bom`: uploading an SBOM, whether its matching has ended, and getting the document back.

use std::io::Read as _;

use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Amend, Card};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::jobs;

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, LINE, given, json, meant, project};
use crate::intake::{self, Place, Taken};
use crate::server::guard::{Access, Route};
use crate::server::{App, UPLOAD_BYTES};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("PUT", "/api/v1/bom", Access::Needs(Permission::SbomUpload)),
    ("POST", "/api/v1/bom", Access::Needs(Permission::SbomUpload)),
    ("GET", "/api/v1/bom/token/{uuid}", Access::Needs(Permission::SbomUpload)),
    ("GET", "/api/v1/event/token/{uuid}", Access::Known),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/bom", put(coded).post(raw))
        .route("/api/v1/bom/token/{uuid}", get(token_of_upload))
        .route("/api/v1/event/token/{uuid}", get(token))
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
    /// Not of this API: the answer to an upload that was told to be unusual.
    #[serde(skip)]
    confirm: Option<String>,
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
            let kind = part.content_type().unwrap_or_default().to_ascii_lowercase();
            let bytes = part.bytes().await.map_err(bad)?.to_vec();
            found = Some(unpacked(document, &kind, bytes)?);
        }
    }
    Ok((fields, found))
}

/// The content of a part that is sent packed.
fn unpacked(name: &str, kind: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let most = UPLOAD_BYTES as u64 + 1;
    let read = match kind {
        "application/gzip" | "application/x-gzip" => {
            flate2::read::MultiGzDecoder::new(&bytes[..]).take(most).read_to_end(&mut out)
        }
        "application/zstd" | "application/x-zstd" => {
            zstd::Decoder::new(&bytes[..]).and_then(|d| d.take(most).read_to_end(&mut out))
        }
        _ => return Ok(bytes),
    };
    read.map_err(|e| Fault::field(name, &format!("it cannot be unpacked as {kind}: {e}"), ""))?;
    if out.len() > UPLOAD_BYTES {
        let text = format!("the part {name} is larger than {UPLOAD_BYTES} bytes when it is unpacked");
        return Err(Fault::Text(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    Ok(out)
}

async fn coded(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
    body: Bytes,
) -> Result<Json<Value>, Fault> {
    actor.need(Permission::SbomUpload)?;
    let mut sent: Sent = json(&body)?;
    sent.confirm = asked.get("confirm").cloned();
    let bom = sent.bom.take().ok_or_else(|| Fault::needed("bom"))?;
    let bytes = decode("bom", &bom)?;
    drop((bom, body));
    take(&app, &actor, &sent, bytes).await
}

async fn raw(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
    form: Multipart,
) -> Result<Json<Value>, Fault> {
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
        confirm: asked.get("confirm").cloned(),
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
    let mut above = None;
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
            above = parent(app, actor, sent).await?;
            Place::Named { line: LINE.to_owned(), product: product.to_owned(), version: version.to_owned() }
        }
        _ => return Err(Fault::missing("project")),
    };
    let bytes = unmarked(bytes);
    let start = bytes.get(..64).unwrap_or(&bytes).to_vec();
    let file =
        if start.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') { "bom.xml" } else { "bom.json" };
    let done = match intake::receive_confirmed(
        app,
        actor,
        place,
        file.to_owned(),
        bytes,
        sent.confirm.clone(),
    )
    .await
    {
        Err(Error::Refused(why)) => return Err(invalid("The uploaded BOM is invalid", &start, &why)),
        done => done?,
    };
    let tags =
        sent.project_tags.as_ref().map(|t| t.iter().map(|t| t.name.trim().to_owned()).collect::<Vec<_>>());
    let tags = tags.map(|t| t.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>());
    // The newest made is its product's latest; a client's default `false` does not take that away.
    let latest = sent.is_latest.filter(|latest| *latest);
    let wanted = Amend { tags: tags.filter(|t| !t.is_empty()), latest, active: None };
    let mut change = Change::begin(app.db(), actor).await?;
    inventory::note_import(&mut change, done.release()).await?;
    if wanted != Amend::default() && writes {
        // Builds send these with every upload; a key that may not change them still uploads.
        inventory::amend(&mut change, done.release(), &wanted).await?;
    }
    if above.is_some() {
        let card = Card { parent: above, ..Card::default() };
        inventory::set_card(&mut change, done.release(), &card).await?;
    }
    change.commit().await?;
    let project = uuid::of(Kind::Project, done.release());
    let token = match done {
        Taken::Now(done) => uuid::of(Kind::Token, done.document),
        Taken::Later { job, .. } => uuid::of(Kind::Job, job),
    };
    Ok(Json(json!({"token": token, "projectUuid": project})))
}

/// The release that one to be made is part of, where the client names one.
async fn parent(app: &App, actor: &Actor, sent: &Sent) -> Result<Option<i64>, Fault> {
    let uuid = given(sent.parent_uuid.as_ref());
    let (name, version) = (given(sent.parent_name.as_ref()), given(sent.parent_version.as_ref()));
    let found = match (uuid, name, version) {
        (None, None, _) => return Ok(None),
        (None, Some(name), None) => project::latest_of(app, actor, name).await,
        _ => meant(app, actor, uuid, name, version).await,
    };
    let missing = || Fault::missing("parent component");
    match found {
        Ok(Some(r)) => Ok(Some(r.id)),
        Ok(None) | Err(Fault::Text(StatusCode::NOT_FOUND, _)) => Err(missing()),
        Err(e) => Err(e),
    }
}

/// Small uploads are matched before they are answered; large ones are being processed while their job waits or runs. A
/// token that never was is not being processed either.
async fn token(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Value>, Fault> {
    if !uuid::is_valid(&text) {
        return Err(Fault::field("uuid", "Invalid UUID", &text));
    }
    let processing = match uuid::id(Kind::Job, &text) {
        Some(job) => jobs::is_pending(app.db(), &actor, job).await?,
        None => false,
    };
    Ok(Json(json!({"processing": processing})))
}

async fn token_of_upload(
    app: State<App>,
    Caller(actor): Caller,
    path: Path<String>,
) -> Result<Json<Value>, Fault> {
    actor.need(Permission::SbomUpload)?;
    token(app, Caller(actor), path).await
}

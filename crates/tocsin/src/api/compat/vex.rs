//! `/api/v1/vex`: decisions on findings of a release given as a CycloneDX document. Only findings that are there are
//! decided, and none but those of the release.

use axum::body::Bytes;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::detection::{self, Place};
use tocsin_core::inventory::Release;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_formats::cyclonedx;
use tocsin_formats::input::ReadOptions;
use tocsin_formats::vex::{self, Document};

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, bom, given, json, meant};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("PUT", "/api/v1/vex", Access::Needs(Permission::FindingDecide)),
    ("POST", "/api/v1/vex", Access::Needs(Permission::FindingDecide)),
];

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/vex", put(coded).post(raw))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    project: Option<String>,
    project_name: Option<String>,
    project_version: Option<String>,
    vex: Option<String>,
}

async fn coded(State(app): State<App>, Caller(actor): Caller, body: Bytes) -> Result<Json<Value>, Fault> {
    actor.need(Permission::FindingDecide)?;
    let sent: Sent = json(&body)?;
    let bytes = bom::decode("vex", sent.vex.as_deref().ok_or_else(|| Fault::needed("vex"))?)?;
    let fields = [
        ("project", sent.project),
        ("projectName", sent.project_name),
        ("projectVersion", sent.project_version),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    take(&app, &actor, &fields, bytes).await
}

async fn raw(State(app): State<App>, Caller(actor): Caller, form: Multipart) -> Result<Json<Value>, Fault> {
    actor.need(Permission::FindingDecide)?;
    let (fields, bytes) = bom::parts(form, "vex").await?;
    let none = || Fault::Text(StatusCode::BAD_REQUEST, "No VEX file provided.".to_owned());
    take(&app, &actor, &fields, bytes.ok_or_else(none)?).await
}

const INVALID: &str = "The uploaded VEX is invalid";

/// Reads a document. What it describes is the project it was sent for, whatever it calls it.
fn read(bytes: &[u8], r: &Release) -> Result<Document, Fault> {
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        let detail = "VEX is read as CycloneDX JSON; convert the XML first".to_owned();
        return Err(Fault::Problem { title: INVALID, detail, errors: Vec::new() });
    }
    if !cyclonedx::recognise(bytes) {
        return Err(bom::invalid(INVALID, bytes, &[]));
    }
    let mut document =
        vex::read(bytes, &ReadOptions::default()).map_err(|why| bom::invalid(INVALID, bytes, &why))?;
    for product in document.statements.iter_mut().flat_map(|s| &mut s.products) {
        if product.identifiers.iter().any(|id| id == vex::DESCRIBED) {
            product.identifiers.push(detection::product_purl(&r.product_name, &r.version));
        }
    }
    Ok(document)
}

async fn take(app: &App, actor: &Actor, fields: &Asked, bytes: Vec<u8>) -> Result<Json<Value>, Fault> {
    let field = |name: &str| given(fields.get(name));
    let there = meant(app, actor, field("project"), field("projectName"), field("projectVersion")).await?;
    let r = there.ok_or_else(|| Fault::missing("project"))?;
    let bytes = bom::unmarked(bytes);
    let document = read(&bytes, &r)?;
    let index = app.index();
    let mut change = Change::begin(app.db(), actor).await?;
    let index = index.as_deref().map(|o| &o.index);
    let place = Place::Release(r.id);
    let done = detection::import(&mut change, place, "vex.json", &bytes, &document, index).await?;
    change.commit().await?;
    for o in done.outcomes.iter().filter(|o| !o.skipped.is_empty()) {
        let name = format!("{} {}", r.product_name, r.version);
        crate::cli::say(&format!("VEX for {name}: {} at {}: {}", o.vulnerability, o.path, o.skipped));
    }
    let project = uuid::of(Kind::Project, r.id);
    Ok(Json(json!({"token": uuid::of(Kind::Token, 0), "projectUuid": project})))
}

//! `/api/v1/vex`: decisions on findings of a release given as a CycloneDX document. Only findings that are there are
//! decided, and none but those of the release.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_core::detection;
use tocsin_core::inventory::{self, Part, Release};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_formats::cyclonedx;
use tocsin_formats::input::ReadOptions;
use tocsin_model::bom::Bom;

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, analysis, bom, finding, given, json, meant};
use crate::server::App;

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

/// What is read of the document beyond what every CycloneDX document is read for: the exact words of an analysis.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: Option<String>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Vec<Affected>,
}

#[derive(Deserialize)]
struct Analysis {
    state: Option<String>,
    justification: Option<String>,
    #[serde(default)]
    response: Vec<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

const INVALID: &str = "The uploaded VEX is invalid";

/// Reads a document; what of it is about components, and its analyses.
fn read(bytes: &[u8]) -> Result<(Bom, Document), Fault> {
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        let detail = "VEX is read as CycloneDX JSON; convert the XML first".to_owned();
        return Err(Fault::Problem { title: INVALID, detail, errors: Vec::new() });
    }
    if !cyclonedx::recognise(bytes) {
        return Err(bom::invalid(INVALID, bytes, &[]));
    }
    let bom =
        cyclonedx::read(bytes, &ReadOptions::default()).map_err(|why| bom::invalid(INVALID, bytes, &why))?;
    let document = serde_json::from_slice(bytes).map_err(|e| Fault::Problem {
        title: INVALID,
        detail: "Schema validation failed".to_owned(),
        errors: vec![e.to_string()],
    })?;
    Ok((bom, document))
}

/// Whether a reference is to the product itself: its own component in the document, or a BOM-Link to a whole document.
fn is_whole(bom: &Bom, reference: &str) -> bool {
    let root = bom.root.and_then(|at| bom.components.get(at));
    let link = reference.starts_with("urn:cdx:") && !reference.contains('#');
    link || root.is_some_and(|c| c.reference == reference)
}

/// Whether a reference is to a component of the release: by its place there, or by the purl it has here or there.
fn is_part(bom: &Bom, reference: &str, part: &Part) -> bool {
    let local =
        reference.rsplit_once('#').filter(|_| reference.starts_with("urn:cdx:")).map_or(reference, |r| r.1);
    let here = bom.components.iter().find(|c| c.reference == local).and_then(|c| c.purl.as_ref());
    match here {
        Some(purl) => purl.to_string() == part.purl,
        None => part.places.iter().any(|p| p == local) || (!part.purl.is_empty() && part.purl == local),
    }
}

async fn take(app: &App, actor: &Actor, fields: &Asked, bytes: Vec<u8>) -> Result<Json<Value>, Fault> {
    let field = |name: &str| given(fields.get(name));
    let there = meant(app, actor, field("project"), field("projectName"), field("projectVersion")).await?;
    let r = there.ok_or_else(|| Fault::missing("project"))?;
    let (bom, document) = read(&bom::unmarked(bytes))?;
    let decided = apply(app, actor, &r, &bom, &document).await?;
    let skipped = document.vulnerabilities.len().saturating_sub(decided);
    if skipped > 0 {
        let name = format!("{} {}", r.product_name, r.version);
        crate::cli::say(&format!("VEX for {name}: {skipped} vulnerabilities say nothing of its findings"));
    }
    let project = uuid::of(Kind::Project, r.id);
    Ok(Json(json!({"token": uuid::of(Kind::Token, 0), "projectUuid": project})))
}

/// Decides findings by the document; the number of its vulnerabilities that decided one.
async fn apply(
    app: &App,
    actor: &Actor,
    r: &Release,
    bom: &Bom,
    document: &Document,
) -> Result<usize, Fault> {
    let findings = finding::of(app, actor, r.id).await?;
    let parts = inventory::parts(app.db(), actor, r.id).await?;
    let mut change = Change::begin(app.db(), actor).await?;
    let mut decided = 0;
    for v in &document.vulnerabilities {
        let (Some(id), Some(a)) = (&v.id, &v.analysis) else { continue };
        let word = |text: Option<&String>| text.map(|t| t.to_ascii_uppercase()).unwrap_or_default();
        let state = match word(a.state.as_ref()).as_str() {
            "RESOLVED_WITH_PEDIGREE" => "RESOLVED".to_owned(),
            other => other.to_owned(),
        };
        let (justification, response) = (word(a.justification.as_ref()), word(a.response.first()));
        let detail = a.detail.as_deref().unwrap_or_default();
        let Some(decision) = analysis::decision(&state, &justification, &response, detail)? else { continue };
        let mut named: HashSet<i64> = HashSet::new();
        for reference in v.affects.iter().filter_map(|a| a.reference.as_deref()) {
            if is_whole(bom, reference) {
                named.extend(parts.iter().map(|p| p.id));
            } else {
                named.extend(parts.iter().filter(|p| is_part(bom, reference, p)).map(|p| p.id));
            }
        }
        let mut any = false;
        for f in findings.iter().filter(|f| f.vulnerability == *id && named.contains(&f.component)) {
            detection::decide(&mut change, f.id, &decision).await?;
            any = true;
        }
        decided += usize::from(any);
    }
    change.commit().await?;
    Ok(decided)
}

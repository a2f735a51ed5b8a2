//! `/api/v1/finding`: what hurts a release. A finding that was decided away is *suppressed* there: it counts no more.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tocsin_core::detection::{self, Filter, Finding, Ground};
use tocsin_core::inventory::{self, Part, Release};
use tocsin_core::platform::access::{Actor, Permission};

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::vulnerability::{Facts, page, source};
use super::{
    Asked, Caller, FINDINGS, Pages, VERSION, analysis, component, counted, is_true, millis, release, sarif,
};
use crate::intake::{self, Place};
use crate::server::guard::{Access, Route};
use crate::server::{App, now};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/finding", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/finding/project/{uuid}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/finding/project/{uuid}/export", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v1/finding/project/{uuid}/analyze", Access::Needs(Permission::SbomUpload)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/finding", get(everywhere))
        .route("/api/v1/finding/project/{uuid}", get(all))
        .route("/api/v1/finding/project/{uuid}/export", get(export))
        .route("/api/v1/finding/project/{uuid}/analyze", post(analyze))
}

/// Open findings of a release, surely identified; what was decided away too.
pub(super) async fn of(app: &App, actor: &Actor, release: i64) -> Result<Vec<Finding>, Fault> {
    let filter = Filter { release: Some(release), ..Filter::default() };
    Ok(detection::findings(app.db(), actor, &filter, None, FINDINGS).await?.findings)
}

/// What a list of findings is narrowed to.
struct Narrow<'a> {
    suppressed: bool,
    source: Option<&'a String>,
    severities: Vec<String>,
    text: String,
    analysed: Option<bool>,
    kev: Option<bool>,
    epss: (Option<f64>, Option<f64>),
}

impl Narrow<'_> {
    fn of<'a>(asked: &'a Asked, suppressed: &str) -> Narrow<'a> {
        let flag = |name: &str| asked.get(name).map(|v| v.eq_ignore_ascii_case("true"));
        let number = |name: &str| asked.get(name).and_then(|v| v.parse().ok());
        let words = |name: &str| asked.get(name).map(|s| s.to_uppercase()).unwrap_or_default();
        let severities =
            words("severity").split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect();
        let text = asked.get("searchText").or(asked.get("textSearchInput"));
        Narrow {
            suppressed: is_true(asked, suppressed),
            source: asked.get("source").filter(|s| !s.is_empty()),
            severities,
            text: text.map(|t| t.to_lowercase()).unwrap_or_default(),
            analysed: flag("hasAnalysis"),
            kev: flag("isKev"),
            epss: (number("epssFrom"), number("epssTo")),
        }
    }

    fn takes(&self, f: &Finding) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(&self.text);
        (self.suppressed || !analysis::is_suppressed(&f.status))
            && self.source.is_none_or(|s| s.eq_ignore_ascii_case(source(&f.vulnerability)))
            && (self.severities.is_empty()
                || self.severities.iter().any(|s| s == super::vulnerability::severity(f.severity).0))
            && (self.text.is_empty()
                || holds(&f.vulnerability)
                || holds(&f.component_name)
                || holds(&f.title))
            && self.analysed.is_none_or(|a| a == (f.status != "under_investigation"))
            && self.kev.is_none_or(|kev| kev == f.kev)
            && self.epss.0.is_none_or(|least| f.epss.is_some_and(|e| e >= least))
            && self.epss.1.is_none_or(|most| f.epss.is_some_and(|e| e <= most))
    }
}

/// A finding as this API gives it.
fn finding(facts: &Facts, f: &Finding, part: Option<&Part>, ground: &Ground) -> Value {
    let project = uuid::of(Kind::Project, f.release);
    let mut c: Map<String, Value> = part.map(|p| component::component(f.release, p)).unwrap_or_default();
    let component_uuid = uuid::of_component(f.release, f.component);
    c.insert("uuid".to_owned(), component_uuid.clone().into());
    c.entry("name").or_insert_with(|| f.component_name.clone().into());
    for (name, value) in [("version", &f.component_version), ("purl", &f.purl)] {
        if !value.is_empty() {
            c.entry(name).or_insert_with(|| value.clone().into());
        }
    }
    c.insert("project".to_owned(), project.clone().into());
    c.insert("projectName".to_owned(), f.product.clone().into());
    c.insert("projectVersion".to_owned(), f.release_version.clone().into());
    let mut said = json!({"isSuppressed": analysis::is_suppressed(&f.status)});
    if let (Some(said), Some(d)) = (said.as_object_mut(), &ground.decision) {
        said.insert("state".to_owned(), analysis::state(&d.status).into());
        let detail = analysis::split(d).1;
        if !detail.is_empty() {
            said.insert("detail".to_owned(), detail.into());
        }
    }
    let mut attribution =
        json!({"analyzerIdentity": "INTERNAL_ANALYZER", "attributedOn": millis(&f.first_seen)});
    if let (Some(a), Some(page)) = (attribution.as_object_mut(), page(&f.vulnerability)) {
        a.insert("referenceUrl".to_owned(), page.into());
    }
    let records: Vec<&str> = ground.evidence.iter().map(|e| e.record.as_str()).collect();
    let matrix = format!("{project}:{component_uuid}:{}", uuid::of_vulnerability(&f.vulnerability));
    json!({
        "component": c,
        "vulnerability": facts.vulnerability(&f.vulnerability, Some(f), &records),
        "analysis": said,
        "attribution": attribution,
        "matrix": matrix,
    })
}

/// Findings of a release that pass, as this API gives them.
async fn list(app: &App, actor: &Actor, r: &Release, narrow: &Narrow<'_>) -> Result<Vec<Value>, Fault> {
    let mut findings = of(app, actor, r.id).await?;
    findings.retain(|f| narrow.takes(f));
    let parts = inventory::parts(app.db(), actor, r.id).await?;
    let parts: HashMap<i64, Part> = parts.into_iter().map(|p| (p.id, p)).collect();
    let grounds = detection::grounds(app.db(), actor, r.id).await?;
    let facts = Facts::of(app, findings.iter().map(|f| f.vulnerability.as_str())).await?;
    let none = Ground::default();
    let one = |f: &Finding| finding(&facts, f, parts.get(&f.component), grounds.get(&f.id).unwrap_or(&none));
    Ok(findings.iter().map(one).collect())
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let list = list(&app, &actor, &r, &Narrow::of(&asked, "suppressed")).await?;
    if headers.get(ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("application/sarif+json"))
    {
        let name = format!("attachment; filename=\"findings-{}.sarif\"", uuid::of(Kind::Project, r.id));
        let kind = "application/sarif+json".to_owned();
        return Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], sarif::log(&list).to_string())
            .into_response());
    }
    Ok(counted(list.len(), Json(list).into_response()))
}

/// The findings of a release in a file (File Packaging Format 1.2).
async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let findings = list(
        &app,
        &actor,
        &r,
        &Narrow::of(&Asked::from([("suppressed".to_owned(), "true".to_owned())]), "suppressed"),
    )
    .await?;
    let uuid = uuid::of(Kind::Project, r.id);
    let document = json!({
        "version": "1.2",
        "meta": {"application": "Dependency-Track", "version": VERSION, "timestamp": now()},
        "project": {"uuid": uuid, "name": r.product_name, "version": r.version},
        "findings": findings,
    });
    let disposition = format!("attachment; filename=\"findings-{uuid}.fpf\"");
    Ok(([(CONTENT_DISPOSITION, disposition)], Json(document)).into_response())
}

/// Matches a release again. It is done when it is answered, so the token is never being processed.
async fn analyze(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Value>, Fault> {
    actor.need(Permission::SbomUpload)?;
    let r = release(&app, &actor, &text).await?;
    actor.need_in(Permission::SbomUpload, r.line)?;
    match inventory::original(app.db(), &actor, r.id, 0).await {
        Ok((name, bytes)) => {
            let done = intake::take(&app, &actor, Place::Release(r.id), name, bytes).await?;
            Ok(Json(json!({"token": uuid::of(Kind::Token, done.document)})))
        }
        // nothing was uploaded yet, so there is nothing to match
        Err(tocsin_core::Error::NotFound(_)) => Ok(Json(json!({"token": uuid::of(Kind::Token, 0)}))),
        Err(e) => Err(e.into()),
    }
}

/// Most findings that are looked through for one page of findings everywhere.
const SEEN: usize = 50_000;
/// Findings read at once.
const BATCH: u64 = 1_000;

/// Findings of all releases, most urgent first. The count is exact up to [`SEEN`] findings looked at.
async fn everywhere(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (narrow, pages) = (Narrow::of(&asked, "showSuppressed"), Pages::of(&asked));
    let inactive = is_true(&asked, "showInactive");
    let releases = inventory::releases(app.db(), &actor, None).await?;
    let active: HashMap<i64, bool> = releases.iter().map(|r| (r.id, r.active)).collect();
    let (mut found, mut total, mut seen, mut place) = (Vec::new(), 0, 0, None);
    loop {
        let batch =
            detection::findings(app.db(), &actor, &Filter::default(), place.as_deref(), BATCH).await?;
        seen += batch.findings.len();
        for f in batch.findings {
            if narrow.takes(&f) && (inactive || active.get(&f.release) == Some(&true)) {
                if total >= pages.skip && found.len() < pages.size {
                    found.push(f);
                }
                total += 1;
            }
        }
        place = batch.next;
        if place.is_none() || (seen >= SEEN && found.len() >= pages.size) {
            break;
        }
    }
    let facts = Facts::of(&app, found.iter().map(|f| f.vulnerability.as_str())).await?;
    let none = Ground::default();
    let list: Vec<Value> = found.iter().map(|f| finding(&facts, f, None, &none)).collect();
    let kind = if place.is_none() { "EXACT" } else { "BOUNDED" };
    Ok(([("x-total-count-type", kind)], counted(total, Json(list).into_response())).into_response())
}

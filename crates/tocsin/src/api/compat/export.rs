//! `/api/v1/bom/cyclonedx` and `/api/v1/vex/cyclonedx`: a release as CycloneDX, with what is known of its findings and
//! what was decided.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tocsin_core::Error;
use tocsin_core::detection::{self, Finding, Ground};
use tocsin_core::inventory::{self, Part, Release};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_formats::cyclonedx::vdr::{
    VdrAffect, VdrAnalysis, VdrRating, VdrSource, VdrVulnerability, enrich,
};
use tocsin_formats::cyclonedx::{self, convert};
use tocsin_model::bom::{Bom, Component, ComponentKind};
use tocsin_model::purl::Purl;

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::vulnerability::{Facts, page, source};
use super::{Asked, Caller, analysis, component, finding, is_true, release};
use crate::intake;
use crate::server::guard::{Access, Route};
use crate::server::{App, now};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/bom/cyclonedx/project/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/bom/cyclonedx/component/{uuid}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/vex/cyclonedx/project/{uuid}", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/bom/cyclonedx/project/{uuid}", get(project))
        .route("/api/v1/bom/cyclonedx/component/{uuid}", get(one))
        .route("/api/v1/vex/cyclonedx/project/{uuid}", get(vex))
}

/// What of a release is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Inventory,
    Vulnerabilities,
    /// Vulnerable components alone.
    Report,
}

/// How it is wanted.
struct Form {
    variant: Variant,
    xml: bool,
    /// Version of CycloneDX; the document's own where nobody says.
    version: Option<String>,
    download: bool,
}

fn bad(text: &str) -> Fault {
    Fault::Text(StatusCode::BAD_REQUEST, text.to_owned())
}

fn form(asked: &Asked) -> Result<Form, Fault> {
    let word = |name: &str| asked.get(name).map(|v| v.trim().to_ascii_lowercase()).filter(|v| !v.is_empty());
    let xml = match word("format").as_deref() {
        None | Some("json") => false,
        Some("xml") => true,
        Some(_) => return Err(bad("Invalid BOM format specified.")),
    };
    let variant = match word("variant").as_deref() {
        None | Some("inventory") => Variant::Inventory,
        Some("withvulnerabilities") => Variant::Vulnerabilities,
        Some("vdr") => Variant::Report,
        Some(_) => return Err(bad("Invalid BOM variant specified.")),
    };
    let version = word("version");
    if version.as_deref().is_some_and(|v| !convert::VERSIONS.contains(&v)) {
        return Err(bad("Invalid CycloneDX version specified."));
    }
    let told = version.as_deref().unwrap_or(convert::NEWEST);
    if variant != Variant::Inventory && convert::is_before(told, "1.4") {
        return Err(bad("Vulnerabilities are told by CycloneDX 1.4 and later."));
    }
    Ok(Form { variant, xml, version, download: is_true(asked, "download") })
}

fn reply(document: &Value, form: &Form, name: &str) -> Response {
    let body = if form.xml { convert::to_xml(document) } else { document.to_string() };
    sent(body.into_bytes(), form, name)
}

fn sent(body: Vec<u8>, form: &Form, name: &str) -> Response {
    let format = if form.xml { "xml" } else { "json" };
    let mut response =
        ([(CONTENT_TYPE, format!("application/vnd.cyclonedx+{format}"))], body).into_response();
    if form.download
        && let Ok(value) = format!("attachment; filename=\"{name}.{format}\"").parse()
    {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

fn written(document: Result<Vec<u8>, tocsin_model::diagnostic::Diagnostic>) -> Result<Value, Fault> {
    let broken = |e: &dyn std::fmt::Display| {
        Fault::from(Error::Internal { doing: "writing CycloneDX".to_owned(), cause: e.to_string().into() })
    };
    serde_json::from_slice(&document.map_err(|e| broken(&e))?).map_err(|e| broken(&e))
}

async fn project(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let form = form(&asked)?;
    let r = release(&app, &actor, &text).await?;
    if form.variant != Variant::Inventory {
        actor.need(Permission::FindingRead)?;
    }
    let (name, bytes) = match inventory::original(app.db(), &actor, r.id, 0).await {
        Err(Error::NotFound(_)) => return held(&app, &actor, &r, &form).await,
        found => found?,
    };
    let kept = bytes.clone();
    let bom = tokio::task::spawn_blocking(move || intake::document(&name, &kept)).await;
    let bom =
        bom.map_err(|e| Error::Internal { doing: "reading a document".to_owned(), cause: Box::new(e) })??;
    let (own, encoding) = (bom.format.name == "CycloneDX", if form.xml { "xml" } else { "json" });
    if !own {
        return held(&app, &actor, &r, &form).await;
    }
    let same_version = form.version.as_ref().is_none_or(|v| *v == bom.format.version);
    let same = bom.format.encoding == encoding && same_version;
    if form.variant == Variant::Inventory && same && !bytes.is_empty() {
        return Ok(sent(bytes, &form, "bom"));
    }
    let vulns = match form.variant {
        Variant::Inventory => Vec::new(),
        _ => of_release(&app, &actor, &r, &bom).await?,
    };
    // a document of another version or encoding is made anew of what was read from it
    let input: &[u8] = if same && !form.xml { &bytes } else { b"{}" };
    let mut document = written(enrich(input, &bom, &vulns))?;
    match form.variant {
        Variant::Inventory => drop(document.as_object_mut().and_then(|d| d.shift_remove("vulnerabilities"))),
        Variant::Vulnerabilities => {}
        Variant::Report => only_vulnerable(&mut document, &vulns),
    }
    let wanted = form.version.as_deref().or(Some(bom.format.version.as_str()));
    let wanted = wanted.filter(|v| convert::VERSIONS.contains(v)).unwrap_or(convert::NEWEST);
    convert::to_version(&mut document, wanted);
    Ok(reply(&document, &form, "bom"))
}

/// A release as it is held, written anew: where no document is kept, or one of another format.
async fn held(app: &App, actor: &Actor, r: &Release, form: &Form) -> Result<Response, Fault> {
    let tool = concat!("tocsin ", env!("CARGO_PKG_VERSION"));
    let told = form.variant != Variant::Inventory;
    let out = inventory::export(app.db(), actor, r.id, tool, told).await?;
    let report = form.variant == Variant::Report;
    let work = tokio::task::spawn_blocking(move || {
        let written = cyclonedx::to_json(&out.bom, &out.vulnerabilities);
        (written, if report { out.vulnerabilities } else { Vec::new() })
    });
    let fault = |e| Error::Internal { doing: "writing CycloneDX".to_owned(), cause: Box::new(e) };
    let (document, vulns) = work.await.map_err(fault)?;
    let mut document = written(document)?;
    if report {
        only_vulnerable(&mut document, &vulns);
    }
    convert::to_version(&mut document, form.version.as_deref().unwrap_or(convert::NEWEST));
    Ok(reply(&document, form, "bom"))
}

/// Leaves the components that a vulnerability affects.
fn only_vulnerable(document: &mut Value, vulns: &[VdrVulnerability]) {
    let hurt: HashSet<&str> = vulns.iter().flat_map(|v| &v.affects).map(|a| a.reference.as_str()).collect();
    let is_hurt = |c: &Value| c["bom-ref"].as_str().is_some_and(|r| hurt.contains(r));
    if let Some(components) = document["components"].as_array_mut() {
        components.retain(is_hurt);
    }
    let kept: HashSet<String> = document["components"]
        .as_array()
        .into_iter()
        .flatten()
        .chain([&document["metadata"]["component"]])
        .filter_map(|c| c["bom-ref"].as_str().map(str::to_owned))
        .collect();
    if let Some(all) = document["dependencies"].as_array_mut() {
        all.retain(|d| d["ref"].as_str().is_some_and(|r| kept.contains(r)));
        for d in all {
            if let Some(on) = d["dependsOn"].as_array_mut() {
                on.retain(|r| r.as_str().is_some_and(|r| kept.contains(r)));
            }
        }
    }
}

/// Vulnerabilities of a release with what was decided, each referring to components of the document.
async fn of_release(
    app: &App,
    actor: &Actor,
    r: &Release,
    bom: &Bom,
) -> Result<Vec<VdrVulnerability>, Fault> {
    let references: HashSet<&str> = bom.components.iter().map(|c| c.reference.as_str()).collect();
    let parts = inventory::parts(app.db(), actor, r.id).await?;
    let place = |p: &Part| {
        let known = p.places.iter().find(|place| references.contains(place.as_str()));
        known.map(|reference| (p.id, reference.clone()))
    };
    let places: HashMap<i64, String> = parts.iter().filter_map(place).collect();
    vulnerabilities(app, actor, r, |f| places.get(&f.component).cloned()).await
}

/// Findings of a release by vulnerability and decision.
async fn vulnerabilities(
    app: &App,
    actor: &Actor,
    r: &Release,
    reference: impl Fn(&Finding) -> Option<String>,
) -> Result<Vec<VdrVulnerability>, Fault> {
    let mut findings = finding::of(app, actor, r.id).await?;
    // as of every document that leaves the house: nobody outside knows their names
    findings.retain(|f| !tocsin_core::warnings::is_warning(&f.vulnerability));
    let grounds = detection::grounds(app.db(), actor, r.id).await?;
    let facts = Facts::of(app, findings.iter().map(|f| f.vulnerability.as_str())).await?;
    let mut alike: BTreeMap<(String, String), Vec<&Finding>> = BTreeMap::new();
    for f in &findings {
        let decision = grounds.get(&f.id).and_then(|g| g.decision.as_ref());
        let said = decision.map(|d| serde_json::to_string(d).unwrap_or_default()).unwrap_or_default();
        alike.entry((f.vulnerability.clone(), said)).or_default().push(f);
    }
    let one = |(_, list): ((String, String), Vec<&Finding>)| {
        let first = list.first()?;
        let mut affects: Vec<String> = list.iter().filter_map(|f| reference(f)).collect();
        affects.sort();
        affects.dedup();
        (!affects.is_empty()).then(|| vulnerability(&facts, first, grounds.get(&first.id), affects))
    };
    Ok(alike.into_iter().filter_map(one).collect())
}

fn vulnerability(
    facts: &Facts,
    f: &Finding,
    ground: Option<&Ground>,
    affects: Vec<String>,
) -> VdrVulnerability {
    let known = facts.vulnerability(&f.vulnerability, Some(f), &[]);
    let score = |score: &str, vector: &str, method: &str| {
        Some(VdrRating {
            source: Some(source(&f.vulnerability).to_owned()),
            score: known.get(score)?.as_f64(),
            severity: None,
            method: Some(method.to_owned()),
            vector: known.get(vector)?.as_str().map(str::to_owned),
        })
    };
    let third =
        if known.get("cvssV3Vector").and_then(Value::as_str).is_some_and(|v| v.starts_with("CVSS:3.0")) {
            "CVSSv3"
        } else {
            "CVSSv31"
        };
    let mut ratings: Vec<VdrRating> = [
        score("cvssV2BaseScore", "cvssV2Vector", "CVSSv2"),
        score("cvssV3BaseScore", "cvssV3Vector", third),
        score("cvssV4Score", "cvssV4Vector", "CVSSv4"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if ratings.is_empty() {
        let severity = Some(f.severity.to_owned());
        ratings.push(VdrRating { method: Some("other".to_owned()), severity, ..VdrRating::default() });
    }
    let cwes = known.get("cwes").and_then(Value::as_array).into_iter().flatten();
    let decided = ground.and_then(|g| g.decision.as_ref()).map(|d| {
        let (justification, detail) = analysis::split(d);
        let lower = |text: &str| Some(text.to_ascii_lowercase()).filter(|t| t != "not_set" && !t.is_empty());
        VdrAnalysis {
            state: lower(analysis::state(&d.status)),
            justification: lower(justification),
            responses: lower(&d.response).into_iter().collect(),
            detail: Some(detail.to_owned()).filter(|d| !d.is_empty()),
        }
    });
    VdrVulnerability {
        id: f.vulnerability.clone(),
        source: Some(VdrSource { name: source(&f.vulnerability).to_owned(), url: page(&f.vulnerability) }),
        ratings,
        cwes: cwes.filter_map(|c| c["cweId"].as_u64().and_then(|n| u32::try_from(n).ok())).collect(),
        description: Some(f.title.clone()).filter(|t| !t.is_empty()),
        recommendation: Some(f.fixed.clone()).filter(|v| !v.is_empty()).map(|v| format!("Update to {v}.")),
        analysis: decided,
        affects: affects.into_iter().map(|reference| VdrAffect { reference, versions: Vec::new() }).collect(),
        ..VdrVulnerability::default()
    }
}

/// A component as a document holds it.
fn made(reference: String, p: &Part) -> Component {
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Component {
        reference,
        group: some(&p.group),
        name: p.name.clone(),
        version: some(&p.version),
        purl: Purl::parse(&p.purl).ok(),
        ..Component::default()
    }
}

/// One component as a document of its own.
async fn one(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let form = form(&asked)?;
    let (release, id) = component::place(&text)?;
    let parts = inventory::parts(app.db(), &actor, release).await?;
    let part = parts.iter().find(|p| p.id == id).ok_or_else(|| Fault::missing("component"))?;
    let bom = Bom { components: vec![made(uuid::of_component(release, id), part)], ..Bom::default() };
    let mut document = written(enrich(b"{}", &bom, &[]))?;
    if let Some(d) = document.as_object_mut() {
        d.shift_remove("vulnerabilities");
    }
    convert::to_version(&mut document, form.version.as_deref().unwrap_or(convert::NEWEST));
    Ok(reply(&document, &form, "bom"))
}

/// What was decided of a release's findings. A vulnerability of which all findings are decided alike is told of the
/// product itself, any other of the components it is in, so that reading it back decides the same.
async fn vex(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let form = form(&asked)?;
    let r = release(&app, &actor, &text).await?;
    let reference = |f: &Finding| Some(uuid::of_component(r.id, f.component));
    let mut vulns = vulnerabilities(&app, &actor, &r, reference).await?;
    let root = uuid::of(Kind::Project, r.id);
    let mut times: HashMap<String, usize> = HashMap::new();
    vulns.iter().for_each(|v| *times.entry(v.id.clone()).or_default() += 1);
    for v in &mut vulns {
        if times.get(&v.id) == Some(&1) {
            v.affects = vec![VdrAffect { reference: root.clone(), versions: Vec::new() }];
        }
    }
    let named: HashSet<&str> = vulns.iter().flat_map(|v| &v.affects).map(|a| a.reference.as_str()).collect();
    let product = Component {
        reference: root.clone(),
        kind: ComponentKind::Application,
        name: r.product_name.clone(),
        version: Some(r.version.clone()),
        ..Component::default()
    };
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let parts = parts.iter().map(|p| (uuid::of_component(r.id, p.id), p));
    let parts = parts.filter(|(reference, _)| named.contains(reference.as_str()));
    let components = std::iter::once(product).chain(parts.map(|(reference, p)| made(reference, p)));
    let bom = Bom { components: components.collect(), root: Some(0), ..Bom::default() };
    let mut document = written(enrich(b"{}", &bom, &vulns))?;
    document["metadata"]["timestamp"] = json!(now());
    convert::to_version(&mut document, form.version.as_deref().unwrap_or(convert::NEWEST));
    Ok(reply(&document, &form, "vex"))
}

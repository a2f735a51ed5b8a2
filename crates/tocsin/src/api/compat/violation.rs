//! `/api/v1/violation`: licences that break a rule of their product line, as this API tells breaches of policies.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tocsin_core::inventory::{self, LicenceAsked, Part, Release, Violation, ViolationPlace};
use tocsin_core::platform::access::Permission;

use super::fault::Fault;
use super::{Asked, Caller, component, millis, paged, release, uuid};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] =
    &[("GET", "/api/v1/violation/project/{uuid}", Access::Needs(Permission::InventoryRead))];

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/violation/project/{uuid}", get(all))
}

/// Rows that are read at once.
const ROWS: u64 = 5_000;

fn violation(r: &Release, v: &Violation, part: Option<&Part>) -> Value {
    let id = |what: &str| uuid::of_vulnerability(&format!("{what}:{}:{}:{}", v.line, v.verdict, v.licence));
    let (state, name) = match v.verdict {
        "denied" => ("FAIL", "Denied licences"),
        _ => ("WARN", "Licences to review"),
    };
    let mut c = part.map(|p| component::component(r.id, p)).unwrap_or_default();
    c.insert("uuid".to_owned(), uuid::of_component(r.id, v.component).into());
    c.entry("name").or_insert_with(|| v.name.clone().into());
    c.entry("version").or_insert_with(|| v.version.clone().into());
    let licence = if v.licence.is_empty() { "no licence is named" } else { v.licence.as_str() };
    json!({
        "uuid": uuid::of_vulnerability(&format!("violation:{}:{}:{}", v.release, v.component, v.licence)),
        "type": "LICENSE",
        "component": c,
        "project": {"uuid": uuid::of(uuid::Kind::Project, r.id), "name": r.product_name, "version": r.version},
        "policyCondition": {
            "uuid": id("condition"),
            "subject": "LICENSE",
            "operator": "IS",
            "value": licence,
            "policy": {"uuid": id("policy"), "name": name, "operator": "ANY", "violationState": state},
        },
        "text": licence,
        "timestamp": r.matched.as_deref().and_then(millis),
    })
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let wanted = LicenceAsked { release: Some(r.id), ..LicenceAsked::default() };
    let mut after: Option<ViolationPlace> = None;
    let mut found: Vec<Violation> = Vec::new();
    loop {
        let page = inventory::violations(app.db(), &actor, &wanted, after.as_ref(), ROWS).await?;
        let n = page.len() as u64;
        found.extend(page);
        match found.last() {
            Some(last) if n == ROWS => after = Some((last.release, last.component, last.licence.clone())),
            _ => break,
        }
    }
    let parts = if found.is_empty() { Vec::new() } else { inventory::parts(app.db(), &actor, r.id).await? };
    let parts: std::collections::HashMap<i64, Part> = parts.into_iter().map(|p| (p.id, p)).collect();
    let list = found.iter().map(|v| violation(&r, v, parts.get(&v.component))).collect();
    Ok(paged(list, &asked))
}

//! `/api/v1/component`: what a release is made of.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value};
use tocsin_core::inventory::{self, Part};

use super::fault::Fault;
use super::{Asked, Caller, is_true, paged, release, uuid};
use crate::server::App;

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/component/project/{uuid}", get(all))
}

/// A component of a release; what is empty is left out.
pub(super) fn component(release: i64, p: &Part) -> Map<String, Value> {
    let mut c = Map::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            c.insert(name.to_owned(), value.into());
        }
    };
    put("uuid", &uuid::of_component(release, p.id));
    put("group", &p.group);
    put("name", &p.name);
    put("version", &p.version);
    put("purl", &p.purl);
    put("cpe", p.cpes.first().map_or("", String::as_str));
    put("scope", &p.scope.to_ascii_uppercase());
    c
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let direct = is_true(&asked, "onlyDirect");
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let one = |p: &Part| {
        let mut c = component(r.id, p);
        c.insert("classifier".to_owned(), p.kind.to_ascii_uppercase().replace('-', "_").into());
        if !p.licences.is_empty() {
            c.insert("license".to_owned(), p.licences.clone().into());
        }
        Value::Object(c)
    };
    Ok(paged(parts.iter().filter(|p| !direct || p.direct).map(one).collect(), &asked))
}

//! `/api/v2/sources`: the sources of intelligence that are followed, how they do and how they are set.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tocsin_core::intel::feeds::{Provider, Run, Set, Signer, decide, providers, runs};
use tocsin_core::platform::access::Permission;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::Page;
use crate::feeds::{self, Source};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/sources", Access::Needs(Permission::IntelRead)),
    ("GET", "/api/v2/sources/{name}", Access::Needs(Permission::IntelRead)),
    ("PATCH", "/api/v2/sources/{name}", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/api/v2/sources/{name}/runs", Access::Needs(Permission::IntelRead)),
    ("PUT", "/api/v2/sources/{name}/key", Access::Needs(Permission::SettingsWrite)),
    ("DELETE", "/api/v2/sources/{name}/key", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/api/v2/sources/{name}/run", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/api/v2/sources/{name}/providers", Access::Needs(Permission::IntelRead)),
    ("PUT", "/api/v2/sources/{name}/signers/{id}", Access::Needs(Permission::SettingsWrite)),
    ("DELETE", "/api/v2/sources/{name}/signers/{id}", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, change))
        .routes(routes!(past))
        .routes(routes!(set_key, forget_key))
        .routes(routes!(run))
        .routes(routes!(owners))
        .routes(routes!(accept, forget))
}

fn source(name: &str) -> Result<&'static dyn Source, ApiError> {
    Ok(feeds::source(name).map_err(|_| tocsin_core::Error::NotFound(format!("source `{name}`")))?)
}

/// Sources
///
/// All of them, by name.
#[utoipa::path(get, path = "/api/v2/sources", tag = "Sources",
    responses((status = 200, description = "The sources.", body = Page<feeds::State>)))]
async fn list(State(app): State<App>, Client(who): Client) -> Result<Json<Page<feeds::State>>, ApiError> {
    Ok(Json(Page { items: feeds::states(app.db(), &who.actor).await?, next: None }))
}

/// A source
#[utoipa::path(get, path = "/api/v2/sources/{name}", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 200, description = "The source.", body = feeds::State)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
) -> Result<Json<feeds::State>, ApiError> {
    Ok(Json(feeds::state(app.db(), &who.actor, source(&name)?.name()).await?))
}

/// What is to be set of a source; what is missing stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceSettings, example = json!({"followed": true, "options": {"ecosystems": "npm,Debian"}}))]
struct Settings {
    /// Ask it at its times.
    followed: Option<bool>,
    /// Its address; an empty one is the publisher's own. With another address it is read from its beginning.
    address: Option<String>,
    /// Further settings by name (`proxy`, of `osv` also `ecosystems`); an empty one is taken away.
    #[serde(default)]
    options: BTreeMap<String, String>,
}

/// Sets a source
#[utoipa::path(patch, path = "/api/v2/sources/{name}", tag = "Sources", request_body = Settings,
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 200, description = "The source as it is now.", body = feeds::State)))]
async fn change(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
    Json(new): Json<Settings>,
) -> Result<Json<feeds::State>, ApiError> {
    let source = source(&name)?;
    let new = Set { enabled: new.followed, address: new.address, options: new.options };
    feeds::set(app.db(), &who.actor, source, &new).await?;
    Ok(Json(feeds::state(app.db(), &who.actor, source.name()).await?))
}

/// Runs of a source
///
/// The last 200, newest first; several in a row that found nothing new are one.
#[utoipa::path(get, path = "/api/v2/sources/{name}/runs", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 200, description = "Its runs.", body = Page<Run>)))]
async fn past(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
) -> Result<Json<Page<Run>>, ApiError> {
    Ok(Json(Page { items: runs(app.db(), &who.actor, source(&name)?.name()).await?, next: None }))
}

/// A key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceKey)]
struct NewKey {
    /// The key, one word of printable ASCII characters.
    #[schema(write_only, min_length = 1, max_length = 4000)]
    key: String,
}

/// Sets the key that a source is asked with
///
/// It is sealed and never shown.
#[utoipa::path(put, path = "/api/v2/sources/{name}/key", tag = "Sources", request_body = NewKey,
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 204, description = "It is kept.")))]
async fn set_key(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
    Json(new): Json<NewKey>,
) -> Result<StatusCode, ApiError> {
    feeds::set_key(app.db(), &who.actor, app.vault(), source(&name)?, Some(&new.key)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets the key that a source is asked with
#[utoipa::path(delete, path = "/api/v2/sources/{name}/key", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 204, description = "It is asked without.")))]
async fn forget_key(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    feeds::set_key(app.db(), &who.actor, app.vault(), source(&name)?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What came of asking for a run.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceAsked)]
struct Asked {
    /// The job that asks it; missing where one waits or runs already.
    job: Option<i64>,
}

/// Asks a source now
///
/// Followed or not, and also while it is left alone after failures.
#[utoipa::path(post, path = "/api/v2/sources/{name}/run", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 202, description = "A job asks it.", body = Asked)))]
async fn run(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let job = feeds::ask(app.db(), &who.actor, source(&name)?).await?;
    Ok((StatusCode::ACCEPTED, Json(Asked { job })).into_response())
}

/// Publishers that a source follows
///
/// By name, with the keys that each showed and what the signatures of its last documents came to. Sources of one publisher
/// have none.
#[utoipa::path(get, path = "/api/v2/sources/{name}/providers", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source.")),
    responses((status = 200, description = "Its publishers.", body = Page<Provider>)))]
async fn owners(
    State(app): State<App>,
    Client(who): Client,
    Path(name): Path<String>,
) -> Result<Json<Page<Provider>>, ApiError> {
    Ok(Json(Page { items: providers(app.db(), &who.actor, source(&name)?.name()).await?, next: None }))
}

/// Accepts a publisher's key
///
/// What is signed with it is taken in from then on.
#[utoipa::path(put, path = "/api/v2/sources/{name}/signers/{id}", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source."),
        ("id" = i64, Path, description = "Id of the key.")),
    responses((status = 200, description = "The key, trusted.", body = Signer)))]
async fn accept(
    State(app): State<App>,
    Client(who): Client,
    Path((name, id)): Path<(String, i64)>,
) -> Result<Json<Signer>, ApiError> {
    Ok(Json(decide(app.db(), &who.actor, source(&name)?.name(), id, true).await?))
}

/// Forgets a publisher's key
///
/// What is signed with it is not taken in any more. A publisher of which no key is known begins anew: the key that it shows
/// next is trusted.
#[utoipa::path(delete, path = "/api/v2/sources/{name}/signers/{id}", tag = "Sources",
    params(("name" = String, Path, description = "Name of the source."),
        ("id" = i64, Path, description = "Id of the key.")),
    responses((status = 204, description = "It is forgotten.")))]
async fn forget(
    State(app): State<App>,
    Client(who): Client,
    Path((name, id)): Path<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    decide(app.db(), &who.actor, source(&name)?.name(), id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

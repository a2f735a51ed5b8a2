//! `/api/v2/people`, `/invitations`, `/keys`: who works here, and with what.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tocsin_core::platform::access::{Permission, Role};
use tocsin_core::platform::people::{self, Key, NewKey, Person};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::once::Secret;
use super::page::{Page, Paging, cut};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client, later, random};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/people", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/invitations", Access::Needs(Permission::PeopleManage)),
    ("GET", "/api/v2/keys", Access::Needs(Permission::KeyManage)),
    ("POST", "/api/v2/keys", Access::Needs(Permission::KeyManage)),
    ("DELETE", "/api/v2/keys/{id}", Access::Needs(Permission::KeyManage)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(invite))
        .routes(routes!(keys, make_key))
        .routes(routes!(revoke))
}

/// Hours for which an invitation holds.
const INVITATION_HOURS: i64 = 72;

/// People of the workspace
///
/// By name.
#[utoipa::path(get, path = "/api/v2/people", tag = "People and keys", params(Paging),
    responses((status = 200, description = "A page of people.", body = Page<Person>)))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    uri: Uri,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let mut all = people::people(app.db(), &who.actor).await?;
    let key = |p: &Person| (p.name.clone(), p.id);
    all.sort_by_cached_key(key);
    Ok(cut("people", all, &paging, key)?.reply(&uri))
}

/// An invitation to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "roles": ["analyst"]}))]
struct NewInvitation {
    /// Mail address of the person.
    #[serde(default)]
    email: String,
    /// Roles they will have.
    #[schema(min_items = 1)]
    roles: Vec<Role>,
    /// Product line they will be limited to.
    line: Option<i64>,
}

/// An invitation.
#[derive(Serialize, ToSchema)]
struct Invitation {
    /// Path of the one-time link on this server; told once.
    #[schema(example = "/welcome/…")]
    path: String,
    /// When it ends.
    expires: String,
}

/// Invites a person
///
/// The link is told in this reply alone. Whoever opens it first becomes a member in these roles.
#[utoipa::path(post, path = "/api/v2/invitations", tag = "People and keys", request_body = NewInvitation,
    responses((status = 201, description = "The link.", body = Invitation)))]
async fn invite(
    State(app): State<App>,
    Client(who): Client,
    Json(guest): Json<NewInvitation>,
) -> Result<Response, ApiError> {
    if guest.roles.is_empty() {
        return Err(ApiError::bad("`roles` has at least one role"));
    }
    let expires = later(INVITATION_HOURS);
    let (email, line) = (guest.email.trim(), guest.line);
    let token = people::invite(app.db(), &who.actor, random, email, &guest.roles, line, &expires).await?;
    let told = Invitation { path: format!("/welcome/{token}"), expires };
    Ok((StatusCode::CREATED, Extension(Secret), Json(told)).into_response())
}

/// API keys of the workspace
///
/// Newest first. What is secret of them is not kept and not told.
#[utoipa::path(get, path = "/api/v2/keys", tag = "People and keys", params(Paging),
    responses((status = 200, description = "A page of keys.", body = Page<Key>)))]
async fn keys(
    State(app): State<App>,
    Client(who): Client,
    uri: Uri,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let all = people::keys(app.db(), &who.actor).await?;
    Ok(cut("keys", all, &paging, |k| (String::new(), -k.id))?.reply(&uri))
}

/// An API key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "ci-gateway", "role": "developer", "scopes": ["sbom-upload", "finding-read"]}))]
struct KeyWanted {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Role it acts in.
    role: Role,
    /// Product line it is limited to.
    line: Option<i64>,
    /// What it is limited to; everything its role may where missing.
    #[serde(default)]
    scopes: Vec<Permission>,
    /// When it ends.
    #[schema(example = "2027-01-01T00:00:00.000Z")]
    expires: Option<String>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
struct MadeKey {
    /// The key itself; told once.
    key: String,
}

/// Makes an API key
///
/// The key is told in this reply alone. Nobody gives a key more than they have themselves.
#[utoipa::path(post, path = "/api/v2/keys", tag = "People and keys", request_body = KeyWanted,
    responses((status = 201, description = "The key.", body = MadeKey)))]
async fn make_key(
    State(app): State<App>,
    Client(who): Client,
    Json(wanted): Json<KeyWanted>,
) -> Result<Response, ApiError> {
    let name = wanted.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(ApiError::bad("`name` has 1 to 200 characters"));
    }
    if let Some(at) = &wanted.expires
        && at.parse::<jiff::Timestamp>().is_err()
    {
        return Err(ApiError::bad("`expires` is a time like 2027-01-01T00:00:00.000Z"));
    }
    let KeyWanted { role, line, scopes, expires, .. } = wanted;
    let new = NewKey { name, role, line, scopes, expires };
    let key = people::make_key(app.db(), &who.actor, random, &new).await?;
    Ok((StatusCode::CREATED, Extension(Secret), Json(MadeKey { key })).into_response())
}

/// Ends an API key
#[utoipa::path(delete, path = "/api/v2/keys/{id}", tag = "People and keys",
    params(("id" = i64, Path, description = "Id of the key.")),
    responses((status = 204, description = "It works no more.")))]
async fn revoke(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    people::revoke_key(app.db(), &who.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v2/people`, `/invitations`, `/keys`, `/roles`, `/sessions`: who works here, and with what.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tocsin_core::platform::access::{Actor, PERMISSIONS, Permission, ROLES, Role};
use tocsin_core::platform::people::{self, Key, NewKey, Person, Shown};
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::once::Secret;
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client, later, random};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/people", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/invitations", Access::Needs(Permission::PeopleManage)),
    ("GET", "/api/v2/keys", Access::Needs(Permission::KeyManage)),
    ("POST", "/api/v2/keys", Access::Needs(Permission::KeyManage)),
    ("DELETE", "/api/v2/keys/{id}", Access::Needs(Permission::KeyManage)),
    ("GET", "/api/v2/roles", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/sessions", Access::Needs(Permission::PeopleManage)),
    ("DELETE", "/api/v2/sessions/{id}", Access::Needs(Permission::PeopleManage)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(invite))
        .routes(routes!(keys, make_key))
        .routes(routes!(revoke))
        .routes(routes!(roles))
        .routes(routes!(sessions))
        .routes(routes!(end_session))
}

/// Hours for which an invitation holds.
const INVITATION_HOURS: i64 = 72;

/// People of the workspace
///
/// By name.
#[utoipa::path(get, path = "/api/v2/people", tag = "People and keys", params(Asking, Paging),
    responses((status = 200, content((Page<Person> = "application/json"), (Person = "application/x-ndjson")),
        description = "A page of people, or all as a stream of lines.")))]
async fn list(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        people::people_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "people", people::people_schema(), page).await
}

/// A role with what it allows.
#[derive(Serialize, ToSchema)]
struct RoleRights {
    /// Name, as in grants and keys.
    #[schema(example = "analyst")]
    role: String,
    /// Permissions that it has.
    #[schema(example = json!(["finding-read", "finding-decide"]))]
    permissions: Vec<String>,
}

/// Roles
///
/// What each role allows, everywhere or in the product line that it is limited to.
#[utoipa::path(get, path = "/api/v2/roles", tag = "People and keys",
    responses((status = 200, description = "All roles.", body = Page<RoleRights>)))]
async fn roles(Client(who): Client) -> Result<Json<Page<RoleRights>>, ApiError> {
    who.actor.need(Permission::FindingRead)?;
    let rights = |role: &Role| RoleRights {
        role: role.name(),
        permissions: PERMISSIONS.into_iter().filter(|p| role.may(*p)).map(Permission::name).collect(),
    };
    Ok(Json(Page { items: ROLES.iter().map(rights).collect(), next: None }))
}

/// Sessions
///
/// Of everybody who is signed in to the workspace, the last used first.
#[utoipa::path(get, path = "/api/v2/sessions", tag = "People and keys", params(Asking, Paging),
    responses((status = 200, content((Page<Shown> = "application/json"), (Shown = "application/x-ndjson")),
        description = "A page of sessions, or all as a stream of lines.")))]
async fn sessions(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        people::session_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "sessions", people::session_schema(), page).await
}

/// Ends a session
#[utoipa::path(delete, path = "/api/v2/sessions/{id}", tag = "People and keys",
    params(("id" = String, Path, description = "Id of the session, as the list tells it.")),
    responses((status = 204, description = "Whoever had it signs in again.")))]
async fn end_session(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    people::end_session(app.db(), &who.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
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
#[utoipa::path(get, path = "/api/v2/keys", tag = "People and keys", params(Asking, Paging),
    responses((status = 200, content((Page<Key> = "application/json"), (Key = "application/x-ndjson")),
        description = "A page of keys, or all as a stream of lines.")))]
async fn keys(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        people::key_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "keys", people::key_schema(), page).await
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

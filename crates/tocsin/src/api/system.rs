//! `/api/v2`: the server itself, and who calls.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tocsin_core::platform::access::PERMISSIONS;
use tocsin_core::platform::people;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/version", Access::Public),
    ("GET", "/api/v2/health", Access::Public),
    ("GET", "/api/v2/me", Access::Known),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(version)).routes(routes!(health)).routes(routes!(me))
}

/// The program.
#[derive(Serialize, ToSchema)]
struct Version {
    /// Name of the program.
    #[schema(example = "Tocsin")]
    name: &'static str,
    /// Version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Version of this API.
    #[schema(example = "v2")]
    api: &'static str,
}

/// The program and its version
#[utoipa::path(get, path = "/api/v2/version", tag = "Server",
    responses((status = 200, description = "The program.", body = Version)))]
async fn version() -> Json<Version> {
    Json(Version { name: "Tocsin", version: env!("CARGO_PKG_VERSION"), api: "v2" })
}

/// How the server is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`; anything else comes as a problem.
    #[schema(example = "ok")]
    status: &'static str,
    /// Vulnerabilities in the matching index; 0 before intelligence is imported.
    vulnerabilities: usize,
}

/// Whether the server can work
///
/// Asks the database. For load balancers and monitoring.
#[utoipa::path(get, path = "/api/v2/health", tag = "Server",
    responses((status = 200, description = "It can.", body = Health)))]
async fn health(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    people::is_first_start(app.db()).await?;
    Ok(Json(Health { status: "ok", vulnerabilities: app.index().map_or(0, |o| o.index.len()) }))
}

/// Who calls.
#[derive(Serialize, ToSchema)]
struct Me {
    /// Who, as the audit trail names them.
    #[schema(example = "key:ci-gateway")]
    name: String,
    /// Workspace in which they act.
    workspace: Workspace,
    /// What they may, in one product line at least.
    #[schema(example = json!(["inventory-read", "sbom-upload"]))]
    permissions: Vec<String>,
    /// Roles held.
    roles: Vec<HeldRole>,
}

/// A workspace.
#[derive(Serialize, ToSchema)]
pub struct Workspace {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
}

/// A role, everywhere or in one product line.
#[derive(Serialize, ToSchema)]
struct HeldRole {
    /// Name of the role.
    role: String,
    /// The product line it is limited to.
    line: Option<i64>,
}

/// Who calls, and what they may
#[utoipa::path(get, path = "/api/v2/me", tag = "Server",
    responses((status = 200, description = "Who calls.", body = Me)))]
async fn me(Client(who): Client) -> Json<Me> {
    let actor = &who.actor;
    Json(Me {
        name: actor.name.clone(),
        workspace: Workspace { id: actor.workspace, name: who.workspace },
        permissions: PERMISSIONS.into_iter().filter(|p| actor.may(*p)).map(|p| p.name()).collect(),
        roles: actor.grants.iter().map(|g| HeldRole { role: g.role.name(), line: g.line }).collect(),
    })
}

//! `/api/v2/audit`: who changed what and when.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::{self, Event, Verified};
use tocsin_core::platform::trail;
use tocsin_model::query::Query;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/audit", Access::Needs(Permission::AuditRead)),
    ("GET", "/api/v2/audit/verify", Access::Needs(Permission::AuditRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

/// The audit trail
///
/// Newest first.
#[utoipa::path(get, path = "/api/v2/audit", tag = "Audit trail", params(Asking, Paging),
    responses((status = 200, content((Page<Event> = "application/json"), (Event = "application/x-ndjson")),
        description = "A page of events, or all as a stream of lines.")))]
async fn list(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        trail::trail(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "audit", trail::schema(), page).await
}

/// Verifies the audit trail
///
/// Walks the chain of hashes from the first event to the last.
#[utoipa::path(get, path = "/api/v2/audit/verify", tag = "Audit trail",
    responses((status = 200, description = "What was found.", body = Verified)))]
async fn verify(State(app): State<App>, Client(who): Client) -> Result<Json<Verified>, ApiError> {
    who.actor.need_everywhere(Permission::AuditRead)?;
    Ok(Json(change::verify(app.db()).await?))
}

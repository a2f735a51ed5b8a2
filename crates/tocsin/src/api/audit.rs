//! `/api/v2/audit`: who changed what and when.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::{self, Event, Verified};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Paging};
use super::stream;
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client, Kind};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/audit", Access::Needs(Permission::AuditRead)),
    ("GET", "/api/v2/audit/verify", Access::Needs(Permission::AuditRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only events whose actor, action, subject or name holds this text.
    q: Option<String>,
}

/// The audit trail
///
/// Newest first.
#[utoipa::path(get, path = "/api/v2/audit", tag = "Audit trail", params(Wanted, Paging),
    responses((status = 200, content((Page<Event> = "application/json"), (Event = "application/x-ndjson")),
        description = "A page of events, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    uri: Uri,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let text = wanted.q.unwrap_or_default();
    if stream::wanted(&headers) {
        who.actor.need(Permission::AuditRead)?;
        return Ok(stream::lines(move |place| {
            let (app, actor, text) = (app.clone(), who.actor.clone(), text.clone());
            async move {
                let below = place.and_then(|p| p.parse().ok());
                let items = change::events(app.db(), &actor, &text, below, stream::BATCH).await?;
                let full = items.len() as u64 == stream::BATCH;
                let next = items.last().filter(|_| full).map(|e| e.seq.to_string());
                Ok((items, next))
            }
        }));
    }
    let below = match paging.place("audit")? {
        Some(p) => Some(p.parse().map_err(|_| ApiError::new(Kind::CURSOR, "it names no place"))?),
        None => None,
    };
    let most = paging.most();
    let mut items = change::events(app.db(), &who.actor, &text, below, most + 1).await?;
    let more = items.len() as u64 > most;
    items.truncate(most as usize);
    let place = items.last().filter(|_| more).map(|e| e.seq.to_string());
    Ok(Page::new("audit", items, place).reply(&uri))
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

//! `/api/v2/notifications`: ways out of the system, rules, ladders, the log of what went out; and the acknowledgement
//! by which a program on call stops the urging. An inbox is a person's, so that a key has none.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tocsin_core::notify::{self, Channel, Delivery, Ladder, NewChannel, Rule, Rung};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::made;
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client, random};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/notifications/deliveries", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/api/v2/notifications/{id}/acknowledge", Access::Needs(Permission::FindingDecide)),
    ("GET", "/api/v2/notifications/channels", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/api/v2/notifications/channels", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/api/v2/notifications/channels/{id}", Access::Needs(Permission::SettingsWrite)),
    ("PUT", "/api/v2/notifications/channels/{id}", Access::Needs(Permission::SettingsWrite)),
    ("DELETE", "/api/v2/notifications/channels/{id}", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/api/v2/notifications/channels/{id}/test", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/api/v2/notifications/rules", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/notifications/rules", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/api/v2/notifications/rules/{id}", Access::Needs(Permission::FindingRead)),
    ("PUT", "/api/v2/notifications/rules/{id}", Access::Needs(Permission::SettingsWrite)),
    ("DELETE", "/api/v2/notifications/rules/{id}", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/api/v2/notifications/ladders", Access::Needs(Permission::FindingRead)),
    ("PUT", "/api/v2/notifications/ladders/{line}", Access::Needs(Permission::SettingsWrite)),
    ("DELETE", "/api/v2/notifications/ladders/{line}", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(deliveries))
        .routes(routes!(acknowledge))
        .routes(routes!(channels, make_channel))
        .routes(routes!(channel, set_channel, drop_channel))
        .routes(routes!(test))
        .routes(routes!(rules, make_rule))
        .routes(routes!(rule, set_rule, drop_rule))
        .routes(routes!(ladders))
        .routes(routes!(set_ladder, drop_ladder))
}

/// Deliveries
///
/// What went out, to whom, which way and when, with a receipt or the reason why there is none; newest first.
#[utoipa::path(get, path = "/api/v2/notifications/deliveries", tag = "Notifications", params(Asking, Paging),
    responses((status = 200, content((Page<Delivery> = "application/json"), (Delivery = "application/x-ndjson")),
        description = "A page of deliveries, or all as a stream of lines.")))]
async fn deliveries(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    who.actor.need_everywhere(Permission::SettingsWrite)?;
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        notify::deliveries(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "deliveries", notify::delivery_schema(), page).await
}

/// What an acknowledgement came to.
#[derive(Serialize, ToSchema)]
struct Acknowledged {
    /// Nobody had acknowledged it before.
    first: bool,
}

/// Acknowledges a notification
///
/// Nobody is urged any more. The number is the one that a webhook or a mail tells. The name of the key stands in the
/// record, so that each person or program on call has a key of its own.
#[utoipa::path(post, path = "/api/v2/notifications/{id}/acknowledge", tag = "Notifications",
    params(("id" = i64, Path, description = "Number of the notification.")),
    responses((status = 200, description = "It is acknowledged.", body = Acknowledged)))]
async fn acknowledge(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Acknowledged>, ApiError> {
    Ok(Json(Acknowledged { first: notify::acknowledge(app.db(), &who.actor, id).await? }))
}

/// Channels
///
/// By name. What is secret of a channel is kept sealed and not told.
#[utoipa::path(get, path = "/api/v2/notifications/channels", tag = "Notifications",
    responses((status = 200, description = "All channels.", body = Page<Channel>)))]
async fn channels(State(app): State<App>, Client(who): Client) -> Result<Json<Page<Channel>>, ApiError> {
    who.actor.need_everywhere(Permission::SettingsWrite)?;
    Ok(Json(Page { items: notify::channels(app.db(), &who.actor).await?, next: None }))
}

async fn written(app: &App, actor: &Actor, id: i64, new: &NewChannel) -> Result<Channel, ApiError> {
    let id = notify::set_channel(app.db(), actor, (app.vault(), random), id, new).await?;
    Ok(notify::channel(app.db(), actor, id).await?)
}

/// Makes a channel
#[utoipa::path(post, path = "/api/v2/notifications/channels", tag = "Notifications", request_body = NewChannel,
    responses((status = 201, description = "It was made.", body = Channel,
        headers(("Location" = String, description = "Its address.")))))]
async fn make_channel(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<NewChannel>,
) -> Result<Response, ApiError> {
    let channel = written(&app, &who.actor, 0, &new).await?;
    let address = format!("/api/v2/notifications/channels/{}", channel.id);
    Ok((StatusCode::CREATED, made(&address), Json(channel)).into_response())
}

/// A channel
#[utoipa::path(get, path = "/api/v2/notifications/channels/{id}", tag = "Notifications",
    params(("id" = i64, Path, description = "Id of the channel.")),
    responses((status = 200, description = "The channel.", body = Channel)))]
async fn channel(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Channel>, ApiError> {
    who.actor.need_everywhere(Permission::SettingsWrite)?;
    Ok(Json(notify::channel(app.db(), &who.actor, id).await?))
}

/// Changes a channel
///
/// As a whole; a secret that is left out stays as it is.
#[utoipa::path(put, path = "/api/v2/notifications/channels/{id}", tag = "Notifications", request_body = NewChannel,
    params(("id" = i64, Path, description = "Id of the channel.")),
    responses((status = 200, description = "The channel as it is now.", body = Channel)))]
async fn set_channel(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(new): Json<NewChannel>,
) -> Result<Json<Channel>, ApiError> {
    // 0 would make a new one
    notify::channel(app.db(), &who.actor, id).await?;
    Ok(Json(written(&app, &who.actor, id, &new).await?))
}

/// Removes a channel
///
/// What went through it stays in the log.
#[utoipa::path(delete, path = "/api/v2/notifications/channels/{id}", tag = "Notifications",
    params(("id" = i64, Path, description = "Id of the channel.")),
    responses((status = 204, description = "It is removed.")))]
async fn drop_channel(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    notify::drop_channel(app.db(), &who.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a test goes.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Tested {
    /// Mail address; needed where the channel is mail, ignored elsewhere.
    address: String,
}

/// A test message on its way.
#[derive(Serialize, ToSchema)]
struct OnItsWay {
    /// Number of the message; the deliveries with `message=` of it tell what came of it.
    message: i64,
    /// Job that sends it.
    job: i64,
}

/// Sends a test message
#[utoipa::path(post, path = "/api/v2/notifications/channels/{id}/test", tag = "Notifications", request_body = Tested,
    params(("id" = i64, Path, description = "Id of the channel.")),
    responses((status = 202, description = "It is on its way.", body = OnItsWay)))]
async fn test(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(to): Json<Tested>,
) -> Result<(StatusCode, Json<OnItsWay>), ApiError> {
    let (message, job) = notify::test(app.db(), &who.actor, id, &to.address).await?;
    Ok((StatusCode::ACCEPTED, Json(OnItsWay { message, job })))
}

/// Notification rules
///
/// Those of the workspace. People have rules of their own beside them.
#[utoipa::path(get, path = "/api/v2/notifications/rules", tag = "Notifications",
    responses((status = 200, description = "All rules of the workspace.", body = Page<Rule>)))]
async fn rules(State(app): State<App>, Client(who): Client) -> Result<Json<Page<Rule>>, ApiError> {
    Ok(Json(Page { items: notify::rules(app.db(), &who.actor, false).await?, next: None }))
}

/// Makes a notification rule
#[utoipa::path(post, path = "/api/v2/notifications/rules", tag = "Notifications", request_body = Rule,
    responses((status = 201, description = "It was made.", body = Rule,
        headers(("Location" = String, description = "Its address.")))))]
async fn make_rule(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<Rule>,
) -> Result<Response, ApiError> {
    let new = Rule { id: 0, person: 0, standing: false, ..new };
    let id = notify::set_rule(app.db(), &who.actor, &new).await?;
    let rule = notify::rule(app.db(), &who.actor, id).await?;
    Ok((StatusCode::CREATED, made(&format!("/api/v2/notifications/rules/{id}")), Json(rule)).into_response())
}

/// A notification rule
#[utoipa::path(get, path = "/api/v2/notifications/rules/{id}", tag = "Notifications",
    params(("id" = i64, Path, description = "Id of the rule.")),
    responses((status = 200, description = "The rule.", body = Rule)))]
async fn rule(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Rule>, ApiError> {
    Ok(Json(notify::rule(app.db(), &who.actor, id).await?))
}

/// Changes a notification rule
///
/// As a whole.
#[utoipa::path(put, path = "/api/v2/notifications/rules/{id}", tag = "Notifications", request_body = Rule,
    params(("id" = i64, Path, description = "Id of the rule.")),
    responses((status = 200, description = "The rule as it is now.", body = Rule)))]
async fn set_rule(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(new): Json<Rule>,
) -> Result<Json<Rule>, ApiError> {
    let before = notify::rule(app.db(), &who.actor, id).await?;
    let new = Rule { id, person: 0, standing: before.standing, ..new };
    notify::set_rule(app.db(), &who.actor, &new).await?;
    Ok(Json(notify::rule(app.db(), &who.actor, id).await?))
}

/// Removes a notification rule
///
/// One that every workspace has can be switched off, not removed.
#[utoipa::path(delete, path = "/api/v2/notifications/rules/{id}", tag = "Notifications",
    params(("id" = i64, Path, description = "Id of the rule.")),
    responses((status = 204, description = "It is removed.")))]
async fn drop_rule(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    notify::drop_rule(app.db(), &who.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Escalation ladders
///
/// Who is told next where nobody acknowledges: of a product line, or of the workspace (line 0) for lines that have none.
#[utoipa::path(get, path = "/api/v2/notifications/ladders", tag = "Notifications",
    responses((status = 200, description = "All ladders.", body = Page<Ladder>)))]
async fn ladders(State(app): State<App>, Client(who): Client) -> Result<Json<Page<Ladder>>, ApiError> {
    Ok(Json(Page { items: notify::ladders(app.db(), &who.actor).await?, next: None }))
}

/// Sets an escalation ladder
#[utoipa::path(put, path = "/api/v2/notifications/ladders/{line}", tag = "Notifications", request_body = Vec<Rung>,
    params(("line" = i64, Path, description = "Id of the product line; 0 for the workspace.")),
    responses((status = 200, description = "The ladder as it is now.", body = Ladder)))]
async fn set_ladder(
    State(app): State<App>,
    Client(who): Client,
    Path(line): Path<i64>,
    Json(rungs): Json<Vec<Rung>>,
) -> Result<Json<Ladder>, ApiError> {
    let ladder = Ladder { line, rungs };
    notify::set_ladder(app.db(), &who.actor, &ladder).await?;
    Ok(Json(ladder))
}

/// Removes an escalation ladder
///
/// That of the workspace holds then or, where there is none, the managers are told after an hour.
#[utoipa::path(delete, path = "/api/v2/notifications/ladders/{line}", tag = "Notifications",
    params(("line" = i64, Path, description = "Id of the product line; 0 for the workspace.")),
    responses((status = 204, description = "It is removed.")))]
async fn drop_ladder(
    State(app): State<App>,
    Client(who): Client,
    Path(line): Path<i64>,
) -> Result<StatusCode, ApiError> {
    notify::drop_ladder(app.db(), &who.actor, line).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v2/items` and `/api/v2/stories`: what came in, what was made of it, and what analysts say of it.

use axum::Json;
use axum::extract::{Multipart, Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use tocsin_core::desk::{self, Entered, Item, NewItem, Note, Profile, Shown, Story};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_engine::relevance::Vote;
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::made;
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/items", Access::Needs(Permission::DeskRead)),
    ("POST", "/api/v2/items", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/items/file", Access::Needs(Permission::DeskWrite)),
    ("GET", "/api/v2/items/{id}", Access::Needs(Permission::DeskRead)),
    ("GET", "/api/v2/stories", Access::Needs(Permission::DeskRead)),
    ("GET", "/api/v2/stories/{id}", Access::Needs(Permission::DeskRead)),
    ("POST", "/api/v2/stories/{id}/note", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/stories/{id}/state", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/stories/{id}/vote", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/stories/{id}/split", Access::Needs(Permission::DeskWrite)),
    ("POST", "/api/v2/stories/merge", Access::Needs(Permission::DeskWrite)),
    ("GET", "/api/v2/desk/profile", Access::Needs(Permission::DeskRead)),
    ("POST", "/api/v2/desk/profile", Access::Needs(Permission::DeskWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(items, enter))
        .routes(routes!(enter_file))
        .routes(routes!(item))
        .routes(routes!(stories))
        .routes(routes!(story))
        .routes(routes!(note))
        .routes(routes!(state))
        .routes(routes!(vote))
        .routes(routes!(split))
        .routes(routes!(merge))
        .routes(routes!(profile, set_profile))
}

/// An item to be entered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnterItem {
    /// Who or what it is from.
    #[schema(example = "Dark web watch")]
    source: String,
    /// What it tells.
    item: NewItem,
}

/// A form with a message (`.eml`) or a text as a file; fields that are told go before what the file says.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes the form; the parts are read one by one")]
struct ItemForm {
    /// The file.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
    /// Who or what it is from.
    source: String,
    /// Title, or empty.
    title: Option<String>,
    /// Marking of the Traffic Light Protocol 2.0.
    tlp: Option<String>,
    /// Reliability of the source, `A` to `F` (Admiralty code).
    reliability: Option<String>,
    /// Credibility of the information, 1 to 6 (Admiralty code).
    credibility: Option<String>,
}

/// An item with its text and the editions before it.
#[derive(serde::Serialize, ToSchema)]
struct WholeItem {
    /// The item.
    item: Item,
    /// Editions before the newest: number, title, text, when it came in.
    #[schema(value_type = Vec<Object>)]
    editions: Vec<desk::Edition>,
}

/// Items
///
/// Newest first, without their texts: those that all workspaces share, and those that were entered in this one.
#[utoipa::path(get, path = "/api/v2/items", tag = "Desk", params(Asking, Paging),
    responses((status = 200, content((Page<Item> = "application/json"), (Item = "application/x-ndjson")),
        description = "A page of items, or all as a stream of lines.")))]
async fn items(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        desk::item_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "items", desk::item_schema(), page).await
}

type Made = (StatusCode, [(HeaderName, String); 1], Json<Entered>);

fn entered(entered: Entered) -> Made {
    let status = if entered.new { StatusCode::CREATED } else { StatusCode::OK };
    (status, made(&format!("/api/v2/items/{}", entered.id)), Json(entered))
}

/// Enters an item
///
/// What an analyst or a paid service brings. It belongs to this workspace, and is part of a story within seconds. The
/// same item again is known.
#[utoipa::path(post, path = "/api/v2/items", tag = "Desk", request_body = EnterItem,
    responses((status = 201, description = "It is entered.", body = Entered),
        (status = 200, description = "It was known.", body = Entered)))]
async fn enter(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<EnterItem>,
) -> Result<Made, ApiError> {
    Ok(entered(desk::enter(app.db(), &who.actor, &new.source, new.item).await?))
}

/// Enters an item from a file
#[utoipa::path(post, path = "/api/v2/items/file", tag = "Desk",
    request_body(content = ItemForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "It is entered.", body = Entered),
        (status = 200, description = "It was known.", body = Entered)))]
async fn enter_file(State(app): State<App>, Client(who): Client, parts: Multipart) -> Result<Made, ApiError> {
    let (fields, file) =
        crate::ui::form(parts).await.map_err(|_| ApiError::bad("the form cannot be read"))?;
    let (new, source) = crate::ui::read_item(&fields, file);
    Ok(entered(desk::enter(app.db(), &who.actor, &source, new).await?))
}

/// An item
#[utoipa::path(get, path = "/api/v2/items/{id}", tag = "Desk", params(("id" = i64, Path, description = "Id of the item.")),
    responses((status = 200, description = "The item, with its text and the editions before it.", body = WholeItem)))]
async fn item(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<WholeItem>, ApiError> {
    let (item, editions) = desk::item(app.db(), &who.actor, id).await?;
    Ok(Json(WholeItem { item, editions }))
}

/// Stories
///
/// The most relevant first; dismissed ones are left out unless `state:` is asked for.
#[utoipa::path(get, path = "/api/v2/stories", tag = "Desk", params(Asking, Paging),
    responses((status = 200, content((Page<Story> = "application/json"), (Story = "application/x-ndjson")),
        description = "A page of stories, or all as a stream of lines.")))]
async fn stories(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        desk::story_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "stories", desk::story_schema(), page).await
}

/// A story
///
/// With its items, what they name, the reasons for its relevance and our products that it concerns. Of a story that was
/// merged, the one that it is part of.
#[utoipa::path(get, path = "/api/v2/stories/{id}", tag = "Desk", params(("id" = i64, Path, description = "Id of the story.")),
    responses((status = 200, description = "The story.", body = Shown)))]
async fn story(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Shown>, ApiError> {
    Ok(Json(desk::story(app.db(), &who.actor, id).await?))
}

/// Says what an analyst says of a story
///
/// Summary, assessment, impact, recommendation, what was done, and marking: all of them as they are to stand. `version` is
/// that of the note that was read.
#[utoipa::path(post, path = "/api/v2/stories/{id}/note", tag = "Desk", request_body = Note,
    params(("id" = i64, Path, description = "Id of the story.")),
    responses((status = 200, description = "The story.", body = Shown)))]
async fn note(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(new): Json<Note>,
) -> Result<Json<Shown>, ApiError> {
    desk::note(app.db(), &who.actor, id, &new).await?;
    Ok(Json(desk::story(app.db(), &who.actor, id).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StateWanted {
    /// `new`, `reading`, `done` or `dismissed`.
    state: String,
}

/// Sets the state of a story
#[utoipa::path(post, path = "/api/v2/stories/{id}/state", tag = "Desk", request_body = StateWanted,
    params(("id" = i64, Path, description = "Id of the story.")),
    responses((status = 200, description = "The story.", body = Shown)))]
async fn state(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<StateWanted>,
) -> Result<Json<Shown>, ApiError> {
    desk::set_state(app.db(), &who.actor, id, &wanted.state).await?;
    Ok(Json(desk::story(app.db(), &who.actor, id).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VoteWanted {
    /// `like`, `dislike`, or `none` to take it back.
    vote: String,
}

/// Votes on a story
///
/// Votes are learned from: each counts on what the story has in common with others.
#[utoipa::path(post, path = "/api/v2/stories/{id}/vote", tag = "Desk", request_body = VoteWanted,
    params(("id" = i64, Path, description = "Id of the story.")),
    responses((status = 200, description = "The story.", body = Shown)))]
async fn vote(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<VoteWanted>,
) -> Result<Json<Shown>, ApiError> {
    match wanted.vote.as_str() {
        "like" => desk::vote(app.db(), &who.actor, id, Vote::Like).await?,
        "dislike" => desk::vote(app.db(), &who.actor, id, Vote::Dislike).await?,
        "none" => desk::unvote(app.db(), &who.actor, id).await?,
        _ => return Err(ApiError::bad("`vote` is like, dislike or none")),
    }
    Ok(Json(desk::story(app.db(), &who.actor, id).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SplitWanted {
    /// Ids of the items that are another story.
    items: Vec<i64>,
}

/// Splits items off a story
///
/// The reply is the new story, which never joins the old one by itself.
#[utoipa::path(post, path = "/api/v2/stories/{id}/split", tag = "Desk", request_body = SplitWanted,
    params(("id" = i64, Path, description = "Id of the story.")),
    responses((status = 200, description = "The new story.", body = Shown)))]
async fn split(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<SplitWanted>,
) -> Result<Json<Shown>, ApiError> {
    let new = desk::split(app.db(), &who.actor, id, &wanted.items).await?;
    Ok(Json(desk::story(app.db(), &who.actor, new).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeWanted {
    /// Ids of the stories that are one.
    stories: Vec<i64>,
}

/// Merges stories
///
/// The oldest stays; the others lead to it.
#[utoipa::path(post, path = "/api/v2/stories/merge", tag = "Desk", request_body = MergeWanted,
    responses((status = 200, description = "The story that stays.", body = Shown)))]
async fn merge(
    State(app): State<App>,
    Client(who): Client,
    Json(wanted): Json<MergeWanted>,
) -> Result<Json<Shown>, ApiError> {
    let kept = desk::merge(app.db(), &who.actor, &wanted.stories).await?;
    Ok(Json(desk::story(app.db(), &who.actor, kept).await?))
}

/// What is followed
///
/// Weights of the reasons for relevance, industries, interests, and the version of all this.
#[utoipa::path(get, path = "/api/v2/desk/profile", tag = "Desk",
    responses((status = 200, description = "What is followed.", body = serde_json::Value)))]
async fn profile(State(app): State<App>, Client(who): Client) -> Result<Json<Profile>, ApiError> {
    Ok(Json(desk::profile(app.db(), &who.actor).await?))
}

/// Sets what is followed
///
/// All of it, as `GET` tells it, with the version that was read. Stories are weighed again.
#[utoipa::path(post, path = "/api/v2/desk/profile", tag = "Desk", request_body = serde_json::Value,
    responses((status = 200, description = "What is followed.", body = serde_json::Value)))]
async fn set_profile(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<Profile>,
) -> Result<Json<Profile>, ApiError> {
    desk::set_profile(app.db(), &who.actor, &new).await?;
    Ok(Json(desk::profile(app.db(), &who.actor).await?))
}

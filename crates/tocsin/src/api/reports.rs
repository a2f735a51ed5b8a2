//! `/api/v2/reports`: what was told of each period, how it is written, approved and sent.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::report::{self, Address, Delivery, Edition, Head, Recipients, Report, Text, Wanted, Whole};
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::made;
use super::page::{Page, Paging};
use crate::report::export::{self, Form};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/reports", Access::Needs(Permission::ReportRead)),
    ("POST", "/api/v2/reports", Access::Needs(Permission::ReportWrite)),
    ("GET", "/api/v2/reports/{id}", Access::Needs(Permission::ReportRead)),
    ("DELETE", "/api/v2/reports/{id}", Access::Needs(Permission::ReportWrite)),
    ("GET", "/api/v2/reports/{id}/history", Access::Needs(Permission::ReportRead)),
    ("POST", "/api/v2/reports/{id}/head", Access::Needs(Permission::ReportWrite)),
    ("POST", "/api/v2/reports/{id}/sections", Access::Needs(Permission::ReportWrite)),
    ("POST", "/api/v2/reports/{id}/sections/{section}", Access::Needs(Permission::ReportWrite)),
    ("POST", "/api/v2/reports/{id}/sections/{section}/move", Access::Needs(Permission::ReportWrite)),
    ("DELETE", "/api/v2/reports/{id}/sections/{section}", Access::Needs(Permission::ReportWrite)),
    ("POST", "/api/v2/reports/{id}/submit", Access::Needs(Permission::ReportWrite)),
    ("POST", "/api/v2/reports/{id}/approve", Access::Needs(Permission::ReportApprove)),
    ("POST", "/api/v2/reports/{id}/reject", Access::Needs(Permission::ReportApprove)),
    ("POST", "/api/v2/reports/{id}/correct", Access::Needs(Permission::ReportWrite)),
    ("GET", "/api/v2/reports/{id}/export/{form}", Access::Needs(Permission::ReportRead)),
    ("POST", "/api/v2/reports/{id}/send", Access::Needs(Permission::ReportApprove)),
    ("GET", "/api/v2/reports/{id}/deliveries", Access::Needs(Permission::ReportRead)),
    ("GET", "/api/v2/report-addresses", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/api/v2/report-addresses", Access::Needs(Permission::SettingsWrite)),
    ("DELETE", "/api/v2/report-addresses/{id}", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(reports, draft))
        .routes(routes!(one, remove))
        .routes(routes!(history))
        .routes(routes!(head))
        .routes(routes!(add))
        .routes(routes!(section, remove_section))
        .routes(routes!(shift))
        .routes(routes!(submit))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(correct))
        .routes(routes!(export_as))
        .routes(routes!(send))
        .routes(routes!(deliveries))
        .routes(routes!(addresses, add_address))
        .routes(routes!(drop_address))
}

type Made = (StatusCode, [(HeaderName, String); 1], Json<Whole>);

async fn whole(app: &App, actor: &Actor, id: i64) -> Result<Json<Whole>, ApiError> {
    Ok(Json(report::report(app.db(), actor, id).await?))
}

async fn new(app: &App, actor: &Actor, id: i64) -> Result<Made, ApiError> {
    Ok((StatusCode::CREATED, made(&format!("/api/v2/reports/{id}")), whole(app, actor, id).await?))
}

/// Reports
///
/// The youngest period first. `text:` looks into the sections, the ids and the products that they name.
#[utoipa::path(get, path = "/api/v2/reports", tag = "Reports", params(Asking, Paging),
    responses((status = 200, content((Page<Report> = "application/json"), (Report = "application/x-ndjson")),
        description = "A page of reports, or all as a stream of lines.")))]
async fn reports(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        report::report_list(app.db(), &actor, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "reports", report::report_schema(), page).await
}

/// Drafts a report
///
/// It is filled with the stories of the period that were assessed or tagged `report`, or are relevant.
#[utoipa::path(post, path = "/api/v2/reports", tag = "Reports", request_body = Wanted,
    responses((status = 201, description = "The draft.", body = Whole)))]
async fn draft(
    State(app): State<App>,
    Client(who): Client,
    Json(wanted): Json<Wanted>,
) -> Result<Made, ApiError> {
    let id = report::draft(app.db(), &who.actor, &wanted).await?;
    new(&app, &who.actor, id).await
}

/// A report
#[utoipa::path(get, path = "/api/v2/reports/{id}", tag = "Reports", params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report, with its sections and what was known when they were drafted.",
        body = Whole)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Whole>, ApiError> {
    whole(&app, &who.actor, id).await
}

/// Removes a report
///
/// One that is a draft or in review. What is approved or sent stays.
#[utoipa::path(delete, path = "/api/v2/reports/{id}", tag = "Reports", params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 204, description = "It is gone.")))]
async fn remove(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    report::remove(app.db(), &who.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The history of a report
///
/// Its changes, newest first.
#[utoipa::path(get, path = "/api/v2/reports/{id}/history", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The changes.", body = Vec<Edition>)))]
async fn history(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Edition>>, ApiError> {
    Ok(Json(report::history(app.db(), &who.actor, id).await?))
}

/// Writes the head of a report
///
/// All of it as it is to stand. `version` is that of the head that was read.
#[utoipa::path(post, path = "/api/v2/reports/{id}/head", tag = "Reports", request_body = Head,
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn head(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(new): Json<Head>,
) -> Result<Json<Whole>, ApiError> {
    report::set_head(app.db(), &who.actor, id, &new).await?;
    whole(&app, &who.actor, id).await
}

/// A section to be added: of a story, or with a heading of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SectionWanted {
    /// The story that it is made of.
    story: Option<i64>,
    /// The heading, where it is of no story.
    heading: Option<String>,
}

/// Adds a section
///
/// As the last one. Of a story it is drafted with what is known of our products now.
#[utoipa::path(post, path = "/api/v2/reports/{id}/sections", tag = "Reports", request_body = SectionWanted,
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn add(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<SectionWanted>,
) -> Result<Json<Whole>, ApiError> {
    match (wanted.story, wanted.heading) {
        (Some(story), None) => report::pick(app.db(), &who.actor, id, story).await?,
        (None, Some(heading)) => report::add(app.db(), &who.actor, id, &heading).await?,
        _ => return Err(ApiError::bad("one of `story` and `heading`")),
    };
    whole(&app, &who.actor, id).await
}

/// Writes a section
///
/// All of its texts as they are to stand. `version` is that of the section that was read.
#[utoipa::path(post, path = "/api/v2/reports/{id}/sections/{section}", tag = "Reports", request_body = Text,
    params(("id" = i64, Path, description = "Id of the report."), ("section" = i64, Path, description = "Id of the section.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn section(
    State(app): State<App>,
    Client(who): Client,
    Path((id, section)): Path<(i64, i64)>,
    Json(new): Json<Text>,
) -> Result<Json<Whole>, ApiError> {
    report::set_section(app.db(), &who.actor, (id, section), &new).await?;
    whole(&app, &who.actor, id).await
}

/// Removes a section
#[utoipa::path(delete, path = "/api/v2/reports/{id}/sections/{section}", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report."), ("section" = i64, Path, description = "Id of the section.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn remove_section(
    State(app): State<App>,
    Client(who): Client,
    Path((id, section)): Path<(i64, i64)>,
) -> Result<Json<Whole>, ApiError> {
    report::remove_section(app.db(), &who.actor, (id, section)).await?;
    whole(&app, &who.actor, id).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceWanted {
    /// The place, from 1.
    place: i64,
}

/// Moves a section
#[utoipa::path(post, path = "/api/v2/reports/{id}/sections/{section}/move", tag = "Reports", request_body = PlaceWanted,
    params(("id" = i64, Path, description = "Id of the report."), ("section" = i64, Path, description = "Id of the section.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn shift(
    State(app): State<App>,
    Client(who): Client,
    Path((id, section)): Path<(i64, i64)>,
    Json(wanted): Json<PlaceWanted>,
) -> Result<Json<Whole>, ApiError> {
    report::move_to(app.db(), &who.actor, (id, section), wanted.place).await?;
    whole(&app, &who.actor, id).await
}

/// Submits a report for approval
#[utoipa::path(post, path = "/api/v2/reports/{id}/submit", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn submit(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Whole>, ApiError> {
    report::submit(app.db(), &who.actor, id).await?;
    whole(&app, &who.actor, id).await
}

/// Approves a report
///
/// A person does, and not a key; another one than its author where the workspace asks for two people.
#[utoipa::path(post, path = "/api/v2/reports/{id}/approve", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn approve(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Whole>, ApiError> {
    report::approve(app.db(), &who.actor, id).await?;
    whole(&app, &who.actor, id).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RemarkWanted {
    /// What is to be changed.
    remark: String,
}

/// Gives a report back to its writers
#[utoipa::path(post, path = "/api/v2/reports/{id}/reject", tag = "Reports", request_body = RemarkWanted,
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "The report.", body = Whole)))]
async fn reject(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(wanted): Json<RemarkWanted>,
) -> Result<Json<Whole>, ApiError> {
    report::reject(app.db(), &who.actor, id, &wanted.remark).await?;
    whole(&app, &who.actor, id).await
}

/// Begins a correction
///
/// Of a report that was sent: a draft of the same number.
#[utoipa::path(post, path = "/api/v2/reports/{id}/correct", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 201, description = "The correction.", body = Whole)))]
async fn correct(State(app): State<App>, Client(who): Client, Path(id): Path<i64>) -> Result<Made, ApiError> {
    let id = report::correct(app.db(), &who.actor, id).await?;
    new(&app, &who.actor, id).await
}

/// A report as a file
///
/// `pdf`, `stix` (a STIX 2.1 bundle), `markdown` or `json`. Of the same report the bytes are the same.
#[utoipa::path(get, path = "/api/v2/reports/{id}/export/{form}", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report."), ("form" = String, Path, description = "`pdf`, `stix`, `markdown` or `json`.")),
    responses((status = 200, description = "The file.", content((String = "application/pdf"),
        (serde_json::Value = "application/stix+json;version=2.1"), (String = "text/markdown"),
        (serde_json::Value = "application/json")))))]
async fn export_as(
    State(app): State<App>,
    Client(who): Client,
    Path((id, form)): Path<(i64, String)>,
) -> Result<Response, ApiError> {
    let form = Form::parse(&form).ok_or_else(|| ApiError::bad("the form is pdf, stix, markdown or json"))?;
    let whole = report::report(app.db(), &who.actor, id).await?;
    let file = export::file(whole, app.site().address.clone(), form).await?;
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    Ok(([(CONTENT_TYPE, file.kind.to_owned()), (CONTENT_DISPOSITION, disposition)], file.bytes)
        .into_response())
}

/// What came of sending.
#[derive(Serialize, ToSchema)]
struct SentTo {
    /// Recipients that are new.
    recipients: usize,
}

/// Sends a report
///
/// One mail to each recipient. Who is one already gets none; outside addresses must be listed, and what is marked
/// `AMBER+STRICT` or `RED` goes to none of them.
#[utoipa::path(post, path = "/api/v2/reports/{id}/send", tag = "Reports", request_body = Recipients,
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 202, description = "It is being sent.", body = SentTo)))]
async fn send(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(to): Json<Recipients>,
) -> Result<(StatusCode, Json<SentTo>), ApiError> {
    let recipients = report::send(app.db(), &who.actor, id, &to).await?;
    Ok((StatusCode::ACCEPTED, Json(SentTo { recipients })))
}

/// Whom a report was sent to
#[utoipa::path(get, path = "/api/v2/reports/{id}/deliveries", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the report.")),
    responses((status = 200, description = "Recipients, with what became of each mail.", body = Vec<Delivery>)))]
async fn deliveries(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Delivery>>, ApiError> {
    Ok(Json(report::deliveries(app.db(), &who.actor, id).await?))
}

/// Outside addresses
///
/// Those that reports of the workspace may go to.
#[utoipa::path(get, path = "/api/v2/report-addresses", tag = "Reports",
    responses((status = 200, description = "The addresses.", body = Vec<Address>)))]
async fn addresses(State(app): State<App>, Client(who): Client) -> Result<Json<Vec<Address>>, ApiError> {
    Ok(Json(report::addresses(app.db(), &who.actor).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddressWanted {
    /// Mail address.
    address: String,
    /// Who it is.
    name: String,
}

/// The id of what was listed.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportAddressListed)]
struct Listed {
    /// Id.
    id: i64,
}

/// Lists an outside address
#[utoipa::path(post, path = "/api/v2/report-addresses", tag = "Reports", request_body = AddressWanted,
    responses((status = 201, description = "It is listed.", body = Listed)))]
async fn add_address(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<AddressWanted>,
) -> Result<(StatusCode, Json<Listed>), ApiError> {
    let id = report::add_address(app.db(), &who.actor, &new.address, &new.name).await?;
    Ok((StatusCode::CREATED, Json(Listed { id })))
}

/// Takes an outside address off the list
///
/// What waits for it is not sent.
#[utoipa::path(delete, path = "/api/v2/report-addresses/{id}", tag = "Reports",
    params(("id" = i64, Path, description = "Id of the address.")), responses((status = 204, description = "It is off the list.")))]
async fn drop_address(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    report::drop_address(app.db(), &who.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

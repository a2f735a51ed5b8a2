//! `/api/v2/findings`: what hurts, why, and what was decided.

use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tocsin_core::detection::{self, Counts, Decision, Evidence, Finding, MOST, Story, Within};
use tocsin_core::inventory;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_model::query::Query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::etag::IfMatch;
use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};
use crate::ui::asked::quoted;

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/findings", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/releases/{id}/findings", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/counts", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/findings/{id}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/findings/{id}/history", Access::Needs(Permission::FindingRead)),
    ("POST", "/api/v2/findings/{id}/decision", Access::Needs(Permission::FindingDecide)),
    ("DELETE", "/api/v2/findings/{id}/decision", Access::Needs(Permission::FindingDecide)),
    ("POST", "/api/v2/findings/decisions", Access::Needs(Permission::FindingDecide)),
    ("POST", "/api/v2/findings/{id}/remarks", Access::Needs(Permission::FindingDecide)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(of_release))
        .routes(routes!(counts))
        .routes(routes!(one))
        .routes(routes!(history))
        .routes(routes!(decide, withdraw))
        .routes(routes!(decide_all))
        .routes(routes!(remark))
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only findings in releases of this product.
    product: Option<i64>,
    /// Only findings of this vulnerability, by its main id.
    #[param(example = "CVE-2021-44228")]
    vulnerability: Option<String>,
    /// Only findings of this severity or worse.
    #[param(example = "high")]
    severity: Option<String>,
    /// Only findings with this VEX status.
    #[param(example = "affected")]
    status: Option<String>,
    /// Only findings of flaws that are known to be exploited.
    #[serde(default)]
    kev: bool,
    /// Closed findings too.
    #[serde(default)]
    closed: bool,
    /// Findings of components that were only guessed too.
    #[serde(default)]
    inferred: bool,
}

async fn listed(
    app: App,
    actor: Actor,
    release: Option<i64>,
    wanted: Wanted,
    mut ask: Ask,
) -> Result<Response, ApiError> {
    if let Some(id) = &wanted.vulnerability {
        ask.and(format!("vulnerability:{}", quoted(id)));
    }
    if let Some(word) = wanted.severity.as_deref().filter(|w| !w.is_empty()) {
        ask.and(format!("severity>={}", quoted(word)));
    }
    if let Some(status) = wanted.status.as_deref().filter(|s| !s.is_empty()) {
        ask.and(format!("status:{}", quoted(status)));
    }
    for (asked, condition) in
        [(wanted.kev, "kev:true"), (wanted.closed, "closed:any"), (wanted.inferred, "guess:any")]
    {
        if asked {
            ask.and(condition);
        }
    }
    let within = Within { release, product: wanted.product };
    let page = move |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        detection::within(app.db(), &actor, within, &query, after.as_deref(), most).await
    };
    ask.reply(app, actor, "findings", detection::schema(), page).await
}

/// Findings
///
/// Most urgent first: malware, known exploited, score, EPSS. Closed findings and guesses are left out unless they are
/// asked for.
#[utoipa::path(get, path = "/api/v2/findings", tag = "Findings", params(Asking, Paging, Wanted),
    responses((status = 200, content((Page<Finding> = "application/json"), (Finding = "application/x-ndjson")),
        description = "A page of findings, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    ask: Ask,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    listed(app, who.actor, None, wanted, ask).await
}

/// Findings of a release
///
/// As `GET /api/v2/findings`, in one release.
#[utoipa::path(get, path = "/api/v2/releases/{id}/findings", tag = "Findings",
    params(("id" = i64, Path, description = "Id of the release."), Asking, Paging, Wanted),
    responses((status = 200, content((Page<Finding> = "application/json"), (Finding = "application/x-ndjson")),
        description = "A page of findings, or all as a stream of lines.")))]
async fn of_release(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    ask: Ask,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    inventory::release_of(app.db(), &who.actor, id).await?;
    listed(app, who.actor, Some(id), wanted, ask).await
}

/// Open findings by severity
///
/// Of the watched releases that the key may see: critical, high, medium, low, without rating.
#[utoipa::path(get, path = "/api/v2/counts", tag = "Findings",
    responses((status = 200, description = "The counts.", body = Counts)))]
async fn counts(State(app): State<App>, Client(who): Client) -> Result<Json<Counts>, ApiError> {
    Ok(Json(detection::counts(app.db(), &who.actor).await?))
}

/// A finding with what stands behind it.
#[derive(Serialize, ToSchema)]
struct FindingWithEvidence {
    /// The finding.
    #[serde(flatten)]
    finding: Finding,
    /// The sources' words.
    evidence: Vec<Evidence>,
}

/// A finding with its evidence
#[utoipa::path(get, path = "/api/v2/findings/{id}", tag = "Findings",
    params(("id" = i64, Path, description = "Id of the finding.")),
    responses((status = 200, description = "The finding.", body = FindingWithEvidence)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<FindingWithEvidence>, ApiError> {
    let (finding, evidence) = detection::finding(app.db(), &who.actor, id).await?;
    Ok(Json(FindingWithEvidence { finding, evidence }))
}

/// What happened to a finding
///
/// Newest first.
#[utoipa::path(get, path = "/api/v2/findings/{id}/history", tag = "Findings",
    params(("id" = i64, Path, description = "Id of the finding.")),
    responses((status = 200, description = "Its history.", body = Page<Story>)))]
async fn history(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Page<Story>>, ApiError> {
    Ok(Json(Page { items: detection::history(app.db(), &who.actor, id).await?, next: None }))
}

/// What a decision did.
#[derive(Serialize, ToSchema)]
pub struct Decided {
    /// Findings changed.
    pub changed: u64,
}

/// Decides a finding
///
/// And with it whatever the decision reaches: every component of the release, the component in every release of the
/// product, or the component everywhere. It takes the place of a decision of the same reach.
#[utoipa::path(post, path = "/api/v2/findings/{id}/decision", tag = "Findings", request_body = Decision,
    params(("id" = i64, Path, description = "Id of the finding."),
        ("If-Match" = Option<String>, Header, description = "Refuses it (412) where the finding is in another state.")),
    responses((status = 200, description = "How many findings it changed.", body = Decided)))]
async fn decide(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    if_match: IfMatch,
    Json(decision): Json<Decision>,
) -> Result<Json<Decided>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let (finding, evidence) = detection::hold(&change, id).await?;
    if_match.check(&FindingWithEvidence { finding, evidence })?;
    let changed = detection::decide(&mut change, id, &decision).await?;
    change.commit().await?;
    Ok(Json(Decided { changed }))
}

/// Takes the decision on a finding back
///
/// It is under investigation again. A decision that reaches further is not taken back by one of the findings it reaches
/// (409).
#[utoipa::path(delete, path = "/api/v2/findings/{id}/decision", tag = "Findings",
    params(("id" = i64, Path, description = "Id of the finding.")),
    responses((status = 204, description = "No decision stands on this finding alone.")))]
async fn withdraw(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    if_match: IfMatch,
) -> Result<StatusCode, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let (finding, evidence) = detection::hold(&change, id).await?;
    if_match.check(&FindingWithEvidence { finding, evidence })?;
    detection::withdraw(&mut change, id).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

const _: () = assert!(MOST == 50_000, "the schema of `DecisionForMany` tells the limit");

/// A decision for many findings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"findings": [17, 18], "decision": {"status": "not_affected",
    "justification": "vulnerable_code_not_in_execute_path", "detail": "the parser is never called",
    "reach": "finding"}}))]
struct DecisionForMany {
    /// The findings, at most 50,000.
    #[schema(min_items = 1, max_items = 50000)]
    findings: Vec<i64>,
    /// The decision.
    decision: Decision,
}

/// Decides many findings alike
///
/// All of them or, where one may not be decided, none.
#[utoipa::path(post, path = "/api/v2/findings/decisions", tag = "Findings", request_body = DecisionForMany,
    responses((status = 200, description = "How many findings it changed.", body = Decided)))]
async fn decide_all(
    State(app): State<App>,
    Client(who): Client,
    Json(bulk): Json<DecisionForMany>,
) -> Result<Json<Decided>, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let changed = detection::decide_all(&mut change, &bulk.findings, &bulk.decision).await?;
    change.commit().await?;
    Ok(Json(Decided { changed }))
}

/// A remark.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRemark {
    /// In words.
    #[schema(max_length = 20000, example = "asked the supplier")]
    text: String,
}

/// Adds a remark to a finding's history
#[utoipa::path(post, path = "/api/v2/findings/{id}/remarks", tag = "Findings", request_body = NewRemark,
    params(("id" = i64, Path, description = "Id of the finding.")),
    responses((status = 204, description = "It was added.")))]
async fn remark(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    Json(new): Json<NewRemark>,
) -> Result<StatusCode, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    detection::remark(&mut change, id, &new.text).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/api/v2/findings`: what hurts, why, and what was decided.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tocsin_core::detection::{self, Counts, Decision, Evidence, Filter, Finding, MOST, Story};
use tocsin_core::inventory;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::etag::IfMatch;
use super::page::{Page, Paging};
use super::stream;
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

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
    /// Only findings whose vulnerability, title, component, product or version holds this text.
    q: Option<String>,
}

impl Wanted {
    fn filter(self, release: Option<i64>) -> Result<Filter, ApiError> {
        let severity = match self.severity.as_deref() {
            None | Some("") => None,
            Some(word) => {
                let rank = detection::SEVERITIES.iter().position(|s| *s == word);
                let list = detection::SEVERITIES.join(", ");
                Some(rank.ok_or_else(|| ApiError::bad(format!("`severity` is one of: {list}")))? as i64)
            }
        };
        Ok(Filter {
            release,
            product: self.product,
            vulnerability: self.vulnerability,
            severity,
            kev: self.kev,
            status: self.status,
            closed: self.closed,
            inferred: self.inferred,
            text: self.q.unwrap_or_default(),
        })
    }
}

async fn listed(
    app: App,
    actor: Actor,
    filter: Filter,
    paging: &Paging,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    if stream::wanted(headers) {
        actor.need(Permission::FindingRead)?;
        return Ok(stream::lines(move |place| {
            let (app, actor, filter) = (app.clone(), actor.clone(), filter.clone());
            async move {
                let page =
                    detection::findings(app.db(), &actor, &filter, place.as_deref(), stream::BATCH).await?;
                Ok((page.findings, page.next))
            }
        }));
    }
    let place = paging.place("findings")?;
    let page = detection::findings(app.db(), &actor, &filter, place.as_deref(), paging.most()).await?;
    Ok(Page::new("findings", page.findings, page.next).reply(uri))
}

/// Findings
///
/// Most urgent first: malware, known exploited, score, EPSS.
#[utoipa::path(get, path = "/api/v2/findings", tag = "Findings", params(Wanted, Paging),
    responses((status = 200, content((Page<Finding> = "application/json"), (Finding = "application/x-ndjson")),
        description = "A page of findings, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    uri: Uri,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    listed(app, who.actor, wanted.filter(None)?, &paging, &uri, &headers).await
}

/// Findings of a release
///
/// As `GET /api/v2/findings`, in one release.
#[utoipa::path(get, path = "/api/v2/releases/{id}/findings", tag = "Findings",
    params(("id" = i64, Path, description = "Id of the release."), Wanted, Paging),
    responses((status = 200, content((Page<Finding> = "application/json"), (Finding = "application/x-ndjson")),
        description = "A page of findings, or all as a stream of lines.")))]
async fn of_release(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
    uri: Uri,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    inventory::release_of(app.db(), &who.actor, id).await?;
    listed(app, who.actor, wanted.filter(Some(id))?, &paging, &uri, &headers).await
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
    responses((status = 200, description = "Its history.", body = Vec<Story>)))]
async fn history(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Story>>, ApiError> {
    Ok(Json(detection::history(app.db(), &who.actor, id).await?))
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

//! `/api/v2/vulnerabilities`: what is known of a flaw, and how far it reaches among the releases.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use tocsin_core::Error;
use tocsin_core::detection::{self, Hurting, Spread};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::query::Rows;
use tocsin_core::warnings;
use tocsin_engine::index::Vulnerability as Known;
use tocsin_model::query::Query;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/vulnerabilities", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v2/vulnerabilities/{id}", Access::Needs(Permission::IntelRead)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// A vulnerability that hurts releases, with how far it reaches.
#[derive(Serialize, ToSchema)]
struct HurtingVulnerability {
    /// Main id.
    #[schema(example = "CVE-2021-44228")]
    id: String,
    /// One line.
    title: String,
    /// `critical`, `high`, `medium`, `low`, `none` or `unknown`.
    severity: &'static str,
    /// CVSS score, 0 to 10.
    score: Option<f64>,
    /// Chance of exploitation in the next 30 days, 0 to 1.
    epss: Option<f64>,
    /// Known to be exploited.
    kev: bool,
    /// Public exploits.
    exploits: i64,
    /// When it was first found in a release.
    first_seen: String,
    /// Open findings that are not decided away.
    findings: i64,
    /// Releases they are in.
    releases: i64,
    /// Units of these releases in the field.
    units: i64,
}

/// Vulnerabilities that hurt releases
///
/// Those with an open finding that is not decided away, in a release that the key may see; most urgent first.
#[utoipa::path(get, path = "/api/v2/vulnerabilities", tag = "Vulnerabilities", params(Asking, Paging),
    responses((status = 200, content((Page<HurtingVulnerability> = "application/json"),
        (HurtingVulnerability = "application/x-ndjson")),
        description = "A page of vulnerabilities, or all as a stream of lines.")))]
async fn list(State(app): State<App>, Client(who): Client, ask: Ask) -> Result<Response, ApiError> {
    let page = |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        let found = detection::hurting(app.db(), &actor, &query, after.as_deref(), most).await?;
        let row = |h: Hurting| HurtingVulnerability {
            id: h.flaw.vulnerability,
            title: h.flaw.title,
            severity: h.flaw.severity,
            score: h.flaw.score,
            epss: h.flaw.epss,
            kev: h.flaw.kev,
            exploits: h.flaw.exploits,
            first_seen: h.flaw.first_seen,
            findings: h.findings,
            releases: h.releases,
            units: h.units,
        };
        Ok(Rows { rows: found.rows.into_iter().map(row).collect(), next: found.next, total: found.total })
    };
    ask.reply(app, who.actor, "vulnerabilities", detection::flaw_schema(), page).await
}

/// A CVSS score.
#[derive(Serialize, ToSchema)]
struct CvssScore {
    /// Version of CVSS.
    #[schema(example = "3.1")]
    version: String,
    /// The vector.
    #[schema(example = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H")]
    vector: String,
    /// Score of the vector, 0 to 10.
    score: f64,
    /// Who scored.
    source: String,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities.
#[derive(Serialize, ToSchema)]
struct KnownExploited {
    /// Day it was added.
    added: String,
    /// Day until which US federal agencies act.
    due: Option<String>,
    /// Used by ransomware.
    ransomware: bool,
}

/// A chance of exploitation in the next 30 days (FIRST EPSS).
#[derive(Serialize, ToSchema)]
struct Epss {
    /// The chance, 0 to 1.
    score: f64,
    /// Share of all vulnerabilities with a lower or equal chance, 0 to 1.
    percentile: f64,
}

/// A public exploit.
#[derive(Serialize, ToSchema)]
struct PublicExploit {
    /// Where it is published.
    origin: String,
    /// Its id there.
    id: String,
}

/// A vulnerability: one flaw, all sources merged.
#[derive(Serialize, ToSchema)]
struct Vulnerability {
    /// Main id.
    #[schema(example = "CVE-2021-44228")]
    id: String,
    /// Other ids of the flaw.
    aliases: Vec<String>,
    /// One line.
    title: String,
    /// `critical`, `high`, `medium`, `low`, `none` or `unknown`.
    severity: String,
    /// Score behind the severity.
    score: Option<f64>,
    /// Scores of all sources.
    cvss: Vec<CvssScore>,
    /// Weaknesses.
    cwes: Vec<String>,
    /// Known to be exploited.
    kev: Option<KnownExploited>,
    /// Chance of exploitation.
    epss: Option<Epss>,
    /// Public exploits.
    exploits: Vec<PublicExploit>,
    /// `published`, `disputed`, `withdrawn` or `rejected`.
    state: String,
    /// `vulnerability`, `malware` or `informational`.
    kind: String,
    /// How far it reaches among the releases that the key may see.
    spread: Spread,
}

/// A number as it was written, not with the digits of its binary form.
fn plain(n: f32) -> f64 {
    n.to_string().parse().unwrap_or_default()
}

fn shown(v: Known, spread: Spread) -> Vulnerability {
    let score = |(version, vector, score, source): (String, String, f32, String)| CvssScore {
        version,
        vector,
        score: plain(score),
        source,
    };
    Vulnerability {
        id: v.id,
        aliases: v.aliases,
        title: v.title,
        severity: v.severity.to_owned(),
        score: v.score.map(plain),
        cvss: v.cvss.into_iter().map(score).collect(),
        cwes: v.cwes,
        kev: v.kev.map(|(added, due, ransomware)| KnownExploited { added, due, ransomware }),
        epss: v.epss.map(|(score, percentile)| Epss { score: plain(score), percentile: plain(percentile) }),
        exploits: v.exploits.into_iter().map(|(origin, id)| PublicExploit { origin, id }).collect(),
        state: v.state.to_owned(),
        kind: v.kind.to_owned(),
        spread,
    }
}

/// A vulnerability
///
/// By its main id or any other of its ids.
#[utoipa::path(get, path = "/api/v2/vulnerabilities/{id}", tag = "Vulnerabilities",
    params(("id" = String, Path, description = "Main id or an alias.", example = "CVE-2021-44228")),
    responses((status = 200, description = "The vulnerability.", body = Vulnerability)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<String>,
) -> Result<Json<Vulnerability>, ApiError> {
    who.actor.need(Permission::IntelRead)?;
    let missing = || Error::NotFound(format!("vulnerability {id}"));
    let index = app.index();
    let found = index.as_deref().map(|o| o.index.find(&id)).transpose().map_err(|e| Error::Internal {
        doing: "reading the matching index".to_owned(),
        cause: Box::new(e),
    })?;
    let found = found.flatten();
    // early warnings of the workspace are known to nobody else
    let main = found.as_ref().map_or(id.as_str(), |f| f.id.as_str());
    let own = warnings::find(app.db(), &who.actor, index.as_deref(), main).await?;
    let found = own.or(found).ok_or_else(missing)?;
    let spread = detection::spread(app.db(), &who.actor, &found.id).await?;
    Ok(Json(shown(found, spread)))
}

//! `/api/v1/metrics`: counts of a release or of all, of now and by day. Tocsin counts with every change, so there is
//! nothing to refresh.

use std::collections::HashSet;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tocsin_core::detection::{self, Counted, Finding};
use tocsin_core::inventory::{self, Broken, LicenceAsked, Release};
use tocsin_core::platform::access::{Actor, Permission};

use super::fault::Fault;
use super::{Caller, analysis, component, finding, millis, release};
use crate::server::guard::{Access, Route};
use crate::server::{App, later, now};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v1/metrics/project/{uuid}/current", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/metrics/project/{uuid}/refresh", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/metrics/project/{uuid}/since/{date}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/metrics/project/{uuid}/days/{days}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/metrics/portfolio/current", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/metrics/portfolio/refresh", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v1/metrics/portfolio/since/{date}", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/metrics/portfolio/{days}/days", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/metrics/component/{uuid}/current", Access::Needs(Permission::FindingRead)),
    ("GET", "/api/v1/metrics/component/{uuid}/refresh", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/metrics/project/{uuid}/current", get(current))
        .route("/api/v1/metrics/project/{uuid}/refresh", get(refresh))
        .route("/api/v1/metrics/project/{uuid}/since/{date}", get(since))
        .route("/api/v1/metrics/project/{uuid}/days/{days}", get(days))
        .route("/api/v1/metrics/portfolio/current", get(portfolio))
        .route("/api/v1/metrics/portfolio/refresh", get(refresh_all))
        .route("/api/v1/metrics/portfolio/since/{date}", get(portfolio_since))
        .route("/api/v1/metrics/portfolio/{days}/days", get(portfolio_days))
        .route("/api/v1/metrics/component/{uuid}/current", get(of_component))
        .route("/api/v1/metrics/component/{uuid}/refresh", get(refresh_component))
}

/// Most licences of one component that are looked at.
const LICENCES: u64 = 100;

/// Dependency-Track's inherited risk score: 10, 5, 3, 1 and, without rating, 5 for each.
pub(super) fn risk(open: &[i64; 5]) -> i64 {
    open.iter().zip([10, 5, 3, 1, 5]).map(|(count, weight)| count * weight).sum()
}

fn severities(open: &[i64; 5]) -> Value {
    let [critical, high, medium, low, unassigned] = open;
    json!({
        "critical": critical, "high": high, "medium": medium, "low": low, "unassigned": unassigned,
        "vulnerabilities": open.iter().sum::<i64>(), "inheritedRiskScore": risk(open),
    })
}

fn put(m: &mut Value, more: Value) {
    if let (Some(m), Value::Object(more)) = (m.as_object_mut(), more) {
        m.extend(more);
    }
}

/// What a release's own counts say; nothing of one that was never matched. Clients need both times.
pub(super) fn brief(r: &Release, broken: Broken) -> Option<Value> {
    let at = r.matched.as_deref().and_then(millis)?;
    let mut m = severities(&r.open);
    put(
        &mut m,
        json!({"components": r.components, "kev": r.exploited, "firstOccurrence": at, "lastOccurrence": at}),
    );
    put(&mut m, policies(broken));
    Some(m)
}

/// Breaches of licence rules, as violations of policies: what is denied fails, what is to be reviewed warns. Rules are of
/// licences alone, and nothing is decided of a violation.
fn policies(broken: Broken) -> Value {
    let all = broken.denied + broken.review;
    let mut counts = serde_json::Map::new();
    for (kind, n) in [("", all), ("License", all), ("Security", 0), ("Operational", 0)] {
        for (count, n) in [("Total", n), ("Audited", 0), ("Unaudited", n)] {
            counts.insert(format!("policyViolations{kind}{count}"), n.into());
        }
    }
    for (state, n) in [("Fail", broken.denied), ("Warn", broken.review), ("Info", 0)] {
        counts.insert(format!("policyViolations{state}"), n.into());
    }
    counts.into()
}

/// What is broken in a release.
pub(super) async fn broken(app: &App, actor: &Actor, release: i64) -> Result<Broken, Fault> {
    Ok(inventory::broken(app.db(), actor, Some(&[release])).await?.remove(&release).unwrap_or_default())
}

/// Counts that only the findings tell.
fn told(findings: &[Finding]) -> Value {
    let (away, open): (Vec<_>, Vec<_>) = findings.iter().partition(|f| analysis::is_suppressed(&f.status));
    let audited = open.iter().filter(|f| f.status != "under_investigation").count();
    let vulnerable: HashSet<i64> = open.iter().map(|f| f.component).collect();
    json!({"vulnerableComponents": vulnerable.len(), "suppressed": away.len(), "findingsTotal": open.len(),
        "findingsAudited": audited, "findingsUnaudited": open.len() - audited})
}

/// All counts of a release.
async fn of(app: &App, actor: &Actor, r: &Release) -> Result<Value, Fault> {
    let none =
        || Fault::Text(StatusCode::NOT_FOUND, "No metrics were found for the specified project.".to_owned());
    let mut m = brief(r, broken(app, actor, r.id).await?).ok_or_else(none)?;
    put(&mut m, told(&finding::of(app, actor, r.id).await?));
    Ok(m)
}

async fn current(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Value>, Fault> {
    let r = release(&app, &actor, &text).await?;
    Ok(Json(of(&app, &actor, &r).await?))
}

async fn refresh(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<StatusCode, Fault> {
    release(&app, &actor, &text).await?;
    Ok(StatusCode::OK)
}

async fn refresh_all(Caller(actor): Caller) -> Result<StatusCode, Fault> {
    actor.need(Permission::InventoryRead)?;
    Ok(StatusCode::OK)
}

async fn refresh_component(Caller(actor): Caller, Path(text): Path<String>) -> Result<StatusCode, Fault> {
    actor.need(Permission::InventoryRead)?;
    component::place(&text)?;
    Ok(StatusCode::OK)
}

/// The counts of a day. Each lasts until the next, and the last until now. What broke a rule on a day is not kept.
fn day(c: &Counted, until: i64) -> Value {
    let first = millis(&c.at).or_else(|| millis(&format!("{}T00:00:00Z", c.day))).unwrap_or(until);
    let total: i64 = c.open.iter().sum();
    let mut m = severities(&c.open);
    put(
        &mut m,
        json!({"components": c.components, "vulnerableComponents": c.vulnerable, "suppressed": c.suppressed,
            "findingsTotal": total, "findingsAudited": c.audited, "findingsUnaudited": total - c.audited,
            "projects": c.releases, "firstOccurrence": first, "lastOccurrence": until.max(first)}),
    );
    m
}

fn list(counted: &[Counted]) -> Vec<Value> {
    let ends = counted.iter().skip(1).map(|c| millis(&c.at).unwrap_or(0)).chain(millis(&now()));
    counted.iter().zip(ends).map(|(c, until)| day(c, until)).collect()
}

/// A date as this API writes it in paths: `20260131`.
fn date(text: &str) -> Result<String, Fault> {
    let wrong = || Fault::Text(StatusCode::BAD_REQUEST, "The specified date format is incorrect.".to_owned());
    let day = match (text.get(..4), text.get(4..6), text.get(6..)) {
        (Some(y), Some(m), Some(d)) if text.len() == 8 => format!("{y}-{m}-{d}"),
        _ => return Err(wrong()),
    };
    day.parse::<jiff::civil::Date>().map_err(|_| wrong())?;
    Ok(day)
}

/// The day so many days ago.
fn ago(days: &str) -> Result<String, Fault> {
    let days: i64 = days.parse().map_err(|_| Fault::field("days", "it is a number of days", days))?;
    let at = later(-24 * days.clamp(0, 36_500));
    Ok(at.get(..10).unwrap_or(&at).to_owned())
}

async fn history(app: &App, actor: &Actor, text: &str, since: &str) -> Result<Json<Vec<Value>>, Fault> {
    let r = release(app, actor, text).await?;
    Ok(Json(list(&detection::counted(app.db(), actor, Some(r.id), since).await?)))
}

async fn since(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((text, from)): Path<(String, String)>,
) -> Result<Json<Vec<Value>>, Fault> {
    history(&app, &actor, &text, &date(&from)?).await
}

async fn days(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((text, days)): Path<(String, String)>,
) -> Result<Json<Vec<Value>>, Fault> {
    history(&app, &actor, &text, &ago(&days)?).await
}

async fn portfolio(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let today = now();
    let counted = detection::counted(app.db(), &actor, None, today.get(..10).unwrap_or(&today)).await?;
    let last = counted.last().cloned().unwrap_or_default();
    let releases = inventory::releases(app.db(), &actor, None).await?;
    let active: Vec<&Release> = releases.iter().filter(|r| r.active).collect();
    let vulnerable = active.iter().filter(|r| r.open.iter().sum::<i64>() > 0).count();
    let mut m = day(&last, millis(&today).unwrap_or_default());
    put(&mut m, json!({"projects": active.len(), "vulnerableProjects": vulnerable}));
    let all = inventory::broken(app.db(), &actor, None).await?;
    let sum = all.values().fold(Broken::default(), |sum, b| Broken {
        denied: sum.denied + b.denied,
        review: sum.review + b.review,
    });
    put(&mut m, policies(sum));
    Ok(Json(m))
}

async fn portfolio_since(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(from): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    Ok(Json(list(&detection::counted(app.db(), &actor, None, &date(&from)?).await?)))
}

async fn portfolio_days(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(days): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    Ok(Json(list(&detection::counted(app.db(), &actor, None, &ago(&days)?).await?)))
}

async fn of_component(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
) -> Result<Json<Value>, Fault> {
    let (release, component) = component::place(&text)?;
    let mut found = finding::of(&app, &actor, release).await?;
    found.retain(|f| f.component == component);
    let mut open = [0; 5];
    for f in found.iter().filter(|f| !analysis::is_suppressed(&f.status)) {
        let at = ["critical", "high", "medium", "low"].iter().position(|s| *s == f.severity).unwrap_or(4);
        if let Some(n) = open.get_mut(at) {
            *n += 1;
        }
    }
    let at = millis(&now());
    let mut m = severities(&open);
    put(&mut m, told(&found));
    put(&mut m, json!({"firstOccurrence": at, "lastOccurrence": at}));
    let asked = LicenceAsked { release: Some(release), ..LicenceAsked::default() };
    let after = Some((release, component - 1, "\u{10ffff}".to_owned()));
    let found = inventory::violations(app.db(), &actor, &asked, after.as_ref(), LICENCES).await?;
    let mut broken = Broken::default();
    for v in found.iter().filter(|v| v.component == component) {
        match v.verdict {
            "denied" => broken.denied += 1,
            _ => broken.review += 1,
        }
    }
    put(&mut m, policies(broken));
    Ok(Json(m))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risk_is_weighted_by_severity() {
        assert_eq!(risk(&[1, 1, 1, 1, 1]), 24);
        assert_eq!(risk(&[2, 0, 3, 0, 1]), 34);
    }

    #[test]
    fn dates_are_read_as_they_are_written_there() {
        assert_eq!(date("20260131").unwrap(), "2026-01-31");
        for wrong in ["", "2026-01-31", "20260231", "202601311", "yyyymmdd", "20é60131"] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}

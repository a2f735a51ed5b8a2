//! `/api/v1/metrics`: counts of a release, of now. Tocsin counts with every change, so there is nothing to refresh.

use std::collections::HashSet;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tocsin_core::inventory::Release;
use tocsin_core::platform::access::Actor;

use super::fault::Fault;
use super::{Caller, analysis, finding, millis, release};
use crate::server::App;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/metrics/project/{uuid}/current", get(current))
        .route("/api/v1/metrics/project/{uuid}/refresh", get(refresh))
}

/// Dependency-Track's inherited risk score: 10, 5, 3, 1 and, without rating, 5 for each.
pub(super) fn risk(open: &[i64; 5]) -> i64 {
    open.iter().zip([10, 5, 3, 1, 5]).map(|(count, weight)| count * weight).sum()
}

/// What a release's own counts say; nothing of one that was never matched. Clients need both times.
pub(super) fn brief(r: &Release) -> Option<Value> {
    let at = r.matched.as_deref().and_then(millis)?;
    let [critical, high, medium, low, unassigned] = r.open;
    Some(json!({
        "critical": critical, "high": high, "medium": medium, "low": low, "unassigned": unassigned,
        "vulnerabilities": r.open.iter().sum::<i64>(), "components": r.components,
        "inheritedRiskScore": risk(&r.open), "firstOccurrence": at, "lastOccurrence": at,
    }))
}

/// All counts of a release.
pub(super) async fn of(app: &App, actor: &Actor, r: &Release) -> Result<Value, Fault> {
    let findings = finding::of(app, actor, r.id).await?;
    let (away, open): (Vec<_>, Vec<_>) = findings.iter().partition(|f| analysis::is_suppressed(&f.status));
    let audited = open.iter().filter(|f| f.status != "under_investigation").count();
    let vulnerable: HashSet<i64> = open.iter().map(|f| f.component).collect();
    let none =
        || Fault::Text(StatusCode::NOT_FOUND, "No metrics were found for the specified project.".to_owned());
    let mut m = brief(r).ok_or_else(none)?;
    if let Some(m) = m.as_object_mut() {
        let mut put = |name: &str, value: Value| m.insert(name.to_owned(), value);
        put("vulnerableComponents", vulnerable.len().into());
        put("suppressed", away.len().into());
        put("findingsTotal", open.len().into());
        put("findingsAudited", audited.into());
        put("findingsUnaudited", (open.len() - audited).into());
        for kind in ["Fail", "Warn", "Info", "Total", "Audited", "Unaudited"] {
            put(&format!("policyViolations{kind}"), 0.into());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::risk;

    #[test]
    fn risk_is_weighted_by_severity() {
        assert_eq!(risk(&[1, 1, 1, 1, 1]), 24);
        assert_eq!(risk(&[2, 0, 3, 0, 1]), 34);
    }
}

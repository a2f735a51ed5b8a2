//! `/api/v1/finding`: what hurts a release. A finding that was decided away is *suppressed* there: it counts no more.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tocsin_core::detection::{self, Evidence, Filter, Finding, Ground};
use tocsin_core::inventory::{self, Part, Release};
use tocsin_core::platform::access::Actor;

use super::fault::Fault;
use super::uuid::{self, Kind};
use super::{Asked, Caller, FINDINGS, analysis, component, counted, is_true, millis, release};
use crate::server::App;

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/finding/project/{uuid}", get(all))
}

/// Open findings of a release, surely identified; what was decided away too.
pub(super) async fn of(app: &App, actor: &Actor, release: i64) -> Result<Vec<Finding>, Fault> {
    let filter = Filter { release: Some(release), ..Filter::default() };
    Ok(detection::findings(app.db(), actor, &filter, None, FINDINGS).await?.findings)
}

/// Where a vulnerability is from, in this API's words.
pub(super) fn source(id: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 5] =
        [("CVE-", "NVD"), ("GHSA-", "GITHUB"), ("SNYK-", "SNYK"), ("INT-", "INTERNAL"), ("NPM-", "NPM")];
    PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix)).map_or("OSV", |(_, source)| source)
}

/// Word and rank of a severity.
fn severity(word: &str) -> (&'static str, i64) {
    match word {
        "critical" => ("CRITICAL", 0),
        "high" => ("HIGH", 1),
        "medium" => ("MEDIUM", 2),
        "low" => ("LOW", 3),
        "none" => ("INFO", 4),
        _ => ("UNASSIGNED", 5),
    }
}

/// A vulnerability's page at who published it.
fn page(id: &str) -> Option<String> {
    match source(id) {
        "NVD" => Some(format!("https://nvd.nist.gov/vuln/detail/{id}")),
        "GITHUB" => Some(format!("https://github.com/advisories/{id}")),
        "OSV" => Some(format!("https://osv.dev/vulnerability/{id}")),
        _ => None,
    }
}

/// The other names of a vulnerability that its evidence speaks of, each beside its CVE id or GHSA id.
fn aliases(id: &str, evidence: &[Evidence]) -> Vec<Value> {
    let key = |id: &str| match source(id) {
        "NVD" => "cveId",
        "GITHUB" => "ghsaId",
        "SNYK" => "snykId",
        _ => "osvId",
    };
    let mut others: Vec<&str> = evidence.iter().map(|e| e.record.as_str()).filter(|r| *r != id).collect();
    others.sort_unstable();
    others.dedup();
    others.into_iter().filter(|o| key(o) != key(id)).map(|o| json!({key(id): id, key(o): o})).collect()
}

fn vulnerability(f: &Finding, evidence: &[Evidence]) -> Value {
    let (word, rank) = severity(f.severity);
    let mut v = json!({
        "uuid": uuid::of_vulnerability(&f.vulnerability),
        "source": source(&f.vulnerability),
        "vulnId": f.vulnerability,
        "severity": word,
        "severityRank": rank,
        "isKev": f.kev,
        "aliases": aliases(&f.vulnerability, evidence),
    });
    if let Some(v) = v.as_object_mut() {
        let mut put = |name: &str, value: Value| v.insert(name.to_owned(), value);
        if !f.title.is_empty() {
            put("title", f.title.clone().into());
        }
        if !f.fixed.is_empty() {
            put("recommendation", format!("Fixed in {}", f.fixed).into());
        }
        // The score that counts for us; of which CVSS version it is, a finding does not keep.
        if let Some(score) = f.score {
            put("cvssV3BaseScore", score.into());
        }
        if let Some(epss) = f.epss {
            put("epssScore", epss.into());
        }
    }
    v
}

/// A finding as this API gives it.
fn finding(r: &Release, f: &Finding, part: Option<&Part>, ground: &Ground) -> Value {
    let project = uuid::of(Kind::Project, r.id);
    let mut c: Map<String, Value> = part.map(|p| component::component(r.id, p)).unwrap_or_default();
    let component_uuid = uuid::of_component(r.id, f.component);
    c.insert("uuid".to_owned(), component_uuid.clone().into());
    c.entry("name").or_insert_with(|| f.component_name.clone().into());
    c.insert("project".to_owned(), project.clone().into());
    c.insert("projectName".to_owned(), r.product_name.clone().into());
    c.insert("projectVersion".to_owned(), r.version.clone().into());
    let mut said = json!({"isSuppressed": analysis::is_suppressed(&f.status)});
    if let (Some(said), Some(d)) = (said.as_object_mut(), &ground.decision) {
        said.insert("state".to_owned(), analysis::state(&d.status).into());
        let detail = analysis::split(d).1;
        if !detail.is_empty() {
            said.insert("detail".to_owned(), detail.into());
        }
    }
    let mut attribution =
        json!({"analyzerIdentity": "INTERNAL_ANALYZER", "attributedOn": millis(&f.first_seen)});
    if let (Some(a), Some(page)) = (attribution.as_object_mut(), page(&f.vulnerability)) {
        a.insert("referenceUrl".to_owned(), page.into());
    }
    let matrix = format!("{project}:{component_uuid}:{}", uuid::of_vulnerability(&f.vulnerability));
    json!({
        "component": c,
        "vulnerability": vulnerability(f, &ground.evidence),
        "analysis": said,
        "attribution": attribution,
        "matrix": matrix,
    })
}

async fn all(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let r = release(&app, &actor, &text).await?;
    let findings = of(&app, &actor, r.id).await?;
    let parts = inventory::parts(app.db(), &actor, r.id).await?;
    let parts: HashMap<i64, Part> = parts.into_iter().map(|p| (p.id, p)).collect();
    let grounds = detection::grounds(app.db(), &actor, r.id).await?;
    let (suppressed, from) = (is_true(&asked, "suppressed"), asked.get("source"));
    let none = Ground::default();
    let list: Vec<Value> = findings
        .iter()
        .filter(|f| suppressed || !analysis::is_suppressed(&f.status))
        .filter(|f| from.is_none_or(|s| s.eq_ignore_ascii_case(source(&f.vulnerability))))
        .map(|f| finding(&r, f, parts.get(&f.component), grounds.get(&f.id).unwrap_or(&none)))
        .collect();
    Ok(counted(list.len(), Json(list).into_response()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_severities_have_this_apis_words() {
        for (id, want) in
            [("CVE-2021-1", "NVD"), ("GHSA-x", "GITHUB"), ("PYSEC-2021-1", "OSV"), ("SNYK-JS-1", "SNYK")]
        {
            assert_eq!(source(id), want, "{id}");
        }
        for (n, word) in ["critical", "high", "medium", "low", "none", "unknown"].into_iter().enumerate() {
            assert_eq!(severity(word).1, n as i64, "{word}");
        }
    }

    #[test]
    fn aliases_pair_the_main_id_with_each_other() {
        let evidence = |record: &str| Evidence {
            source: "osv".to_owned(),
            record: record.to_owned(),
            identifier: String::new(),
            range: String::new(),
            verdict: String::new(),
            confidence: String::new(),
            reason: String::new(),
        };
        let list = [evidence("GHSA-a"), evidence("CVE-2024-1"), evidence("GHSA-a"), evidence("PYSEC-1")];
        let want = vec![
            json!({"cveId": "CVE-2024-1", "ghsaId": "GHSA-a"}),
            json!({"cveId": "CVE-2024-1", "osvId": "PYSEC-1"}),
        ];
        assert_eq!(aliases("CVE-2024-1", &list), want);
    }
}

//! `/api/v1/finding/grouped`: what hurts releases, one row a vulnerability with the number of releases it hurts.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tocsin_core::detection::{self, Hurting};
use tocsin_core::platform::access::Permission;
use tocsin_model::query::{self, Filter, Op, Test};

use super::fault::Fault;
use super::vulnerability::{Facts, severity};
use super::{Asked, Caller, Pages, counted};
use crate::server::App;
use crate::server::guard::{Access, Route};

/// Who may use what here.
pub(super) const ACCESS: &[Route] =
    &[("GET", "/api/v1/finding/grouped", Access::Needs(Permission::FindingRead))];

pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/finding/grouped", get(grouped))
}

/// Rows that are read at once.
const BATCH: u64 = 500;
/// Pages lie within so many rows.
const SEEN: usize = 50_000;

/// What is asked for, as a query over vulnerabilities.
fn wanted(asked: &Asked) -> Result<query::Query, Fault> {
    let schema = detection::flaw_schema();
    let mut wanted = query::Query::default();
    let mut and = |text: &str, field: &str, value: &str| {
        let read = query::parse(text, &schema).map_err(|e| Fault::field(field, &e.to_string(), value))?;
        if let Some(filter) = read.filter {
            wanted = wanted.and(filter);
        }
        Ok::<(), Fault>(())
    };
    if let Some(list) = asked.get("severity").filter(|s| !s.trim().is_empty()) {
        let words: Vec<String> = list
            .split(',')
            .map(|w| w.trim().to_lowercase())
            .map(|w| match w.as_str() {
                "info" => "none".to_owned(),
                "unassigned" => "unknown".to_owned(),
                _ => w,
            })
            .collect();
        and(&format!("severity:{}", words.join(",")), "severity", list)?;
    }
    for (name, sign) in [("epssFrom", ">="), ("epssTo", "<=")] {
        if let Some(value) = asked.get(name).filter(|v| !v.is_empty()) {
            and(&format!("epss{sign}{value}"), name, value)?;
        }
    }
    for (name, sign) in [("cvssv3From", ">="), ("cvssv3To", "<=")] {
        if let Some(value) = asked.get(name).filter(|v| !v.is_empty()) {
            and(&format!("score{sign}{value}"), name, value)?;
        }
    }
    if let Some(text) =
        asked.get("textSearchInput").or(asked.get("searchText")).filter(|t| !t.trim().is_empty())
    {
        wanted = wanted.and(Filter::Word(text.trim().to_owned()));
    }
    if asked.get("isKev").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        let values = vec![query::Value::Truth(true)];
        wanted = wanted.and(Filter::Test(Test { field: "kev", op: Op::Has, values }));
    }
    Ok(wanted)
}

fn row(facts: &Facts, h: &Hurting) -> Value {
    let mut v = facts.vulnerability(&h.flaw.vulnerability, None, &[]);
    let (word, rank) = severity(h.flaw.severity);
    v.insert("severity".to_owned(), word.into());
    v.insert("severityRank".to_owned(), rank.into());
    v.insert("title".to_owned(), h.flaw.title.clone().into());
    v.insert("affectedProjectCount".to_owned(), h.releases.into());
    if let Some(score) = h.flaw.epss {
        v.insert("epssScore".to_owned(), score.into());
    }
    json!({"vulnerability": v, "attribution": {"analyzerIdentity": "INTERNAL_ANALYZER"}})
}

/// Most urgent first. The count is exact up to a thousand, and says whether it is.
async fn grouped(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (query, pages) = (wanted(&asked)?, Pages::of(&asked));
    let (mut skip, mut found, mut place, mut total) =
        (pages.skip.min(SEEN), Vec::new(), None::<String>, None);
    loop {
        let page = detection::hurting(app.db(), &actor, &query, place.as_deref(), BATCH).await?;
        total.get_or_insert(page.total);
        let passed = skip.min(page.rows.len());
        skip -= passed;
        found.extend(page.rows.into_iter().skip(passed).take(pages.size.saturating_sub(found.len())));
        place = page.next;
        if place.is_none() || found.len() >= pages.size {
            break;
        }
    }
    let facts = Facts::of(&app, found.iter().map(|h| h.flaw.vulnerability.as_str())).await?;
    let list: Vec<Value> = found.iter().map(|h| row(&facts, h)).collect();
    let total = total.unwrap_or_default();
    let kind = if total.more { "BOUNDED" } else { "EXACT" };
    let n = usize::try_from(total.n).unwrap_or(usize::MAX);
    Ok(([("x-total-count-type", kind)], counted(n, Json(list).into_response())).into_response())
}

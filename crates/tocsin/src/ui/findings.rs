//! Findings across the workspace, one of them with its evidence, decisions; a vulnerability in all our products.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::{
    self, Decision, Evidence, Filter, Finding, JUSTIFICATIONS, Reach, STATUSES, Spread, Story,
};
use tocsin_core::inventory;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_engine::index::Vulnerability;

use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, show};
use crate::server::{App, Browser, PageError, now};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/findings", get(list))
        .route("/findings.csv", get(csv))
        .route("/findings/decisions", post(decide_all))
        .route("/findings/{id}", get(one))
        .route("/findings/{id}/decision", post(decide))
        .route("/vulnerabilities/{id}", get(vulnerability))
}

const SEVERITY: [(&str, &str); 5] = [
    ("", "Any severity"),
    ("5", "Critical"),
    ("4", "High or worse"),
    ("3", "Medium or worse"),
    ("2", "Low or worse"),
];
const STATUS: [(&str, &str); 6] = [
    ("", "Any status"),
    ("under_investigation", "Under investigation"),
    ("affected", "Affected"),
    ("not_affected", "Not affected"),
    ("fixed", "Fixed"),
    ("false_positive", "False positive"),
];
const REACHES: [(&str, &str); 4] = [
    ("finding", "this component in this release"),
    ("release", "every component of this release"),
    ("product", "this component in every release of the product"),
    ("component", "this component everywhere"),
];

/// Which rows of a list of findings have a box to tick, and which are ticked.
#[derive(Default)]
pub struct Pick {
    actor: Option<Actor>,
    ticked: HashSet<i64>,
}

impl Pick {
    /// No boxes: the list is only read.
    pub fn none() -> Pick {
        Pick::default()
    }

    /// A box where the actor may decide.
    fn of(actor: &Actor, ticked: HashSet<i64>) -> Pick {
        Pick { actor: actor.may(Permission::FindingDecide).then(|| actor.clone()), ticked }
    }

    /// Some row can have a box.
    pub fn any(&self) -> bool {
        self.actor.is_some()
    }

    /// This row has one.
    pub fn may(&self, f: &Finding) -> bool {
        self.actor.as_ref().is_some_and(|a| a.need_in(Permission::FindingDecide, f.line).is_ok())
    }

    /// This row's is ticked.
    pub fn ticked(&self, f: &Finding) -> bool {
        self.ticked.contains(&f.id)
    }
}

#[derive(Template)]
#[template(path = "findings/list.html")]
struct List {
    page: Page,
    list: detection::Page,
    pick: Pick,
    form: Asked,
    decide: &'static [&'static str],
    justifications: &'static [&'static str],
    reaches: &'static [(&'static str, &'static str)],
    after: String,
    done: String,
    wrong: String,
    text: String,
    severity: String,
    severities: &'static [(&'static str, &'static str)],
    status: String,
    statuses: &'static [(&'static str, &'static str)],
    kev: bool,
    inferred: bool,
    closed: bool,
    query: String,
}

fn filter(query: &HashMap<String, String>) -> Filter {
    let given = |name: &str| query.get(name).filter(|v| !v.trim().is_empty());
    Filter {
        severity: given("severity").and_then(|s| s.parse().ok()),
        status: given("status").cloned(),
        kev: given("kev").is_some(),
        inferred: given("inferred").is_some(),
        closed: given("closed").is_some(),
        text: given("text").cloned().unwrap_or_default(),
        ..Filter::default()
    }
}

/// The filter as an address, without the place in the list.
fn address(query: &HashMap<String, String>) -> String {
    let mut parts: Vec<String> = query
        .iter()
        .filter(|(k, v)| !["after", "decided"].contains(&k.as_str()) && !v.trim().is_empty())
        .map(|(k, v)| format!("{}={}", encode(k), encode(v)))
        .collect();
    parts.sort();
    parts.join("&")
}

async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let done = query.get("decided").map_or(String::new(), |n| decided(n));
    table(&app, &browser, &query, Bulk { done, ..Bulk::default() }).await
}

/// What the list says and keeps of a decision for many.
#[derive(Default)]
struct Bulk {
    form: Asked,
    ticked: HashSet<i64>,
    done: String,
    wrong: String,
}

async fn table(app: &App, browser: &Browser, query: &HashMap<String, String>, bulk: Bulk) -> Answer {
    let wanted = filter(query);
    let after = query.get("after").cloned();
    let list = detection::findings(app.db(), browser.actor(), &wanted, after.as_deref(), 100).await?;
    show(&List {
        page: Page::new(browser, "/findings", "Findings"),
        list,
        pick: Pick::of(browser.actor(), bulk.ticked),
        form: bulk.form,
        decide: &STATUSES,
        justifications: &JUSTIFICATIONS,
        reaches: &REACHES,
        after: after.unwrap_or_default(),
        done: bulk.done,
        wrong: bulk.wrong,
        text: wanted.text,
        severity: wanted.severity.map_or(String::new(), |s| s.to_string()),
        severities: &SEVERITY,
        status: wanted.status.unwrap_or_default(),
        statuses: &STATUS,
        kev: wanted.kev,
        inferred: wanted.inferred,
        closed: wanted.closed,
        query: address(query),
    })
}

fn decided(n: &str) -> String {
    match n {
        "1" => "Decided.".to_owned(),
        n => format!("Decided for {n} findings."),
    }
}

/// Decides the ticked findings of the list, all or none; then shows the list as it was filtered.
async fn decide_all(
    State(app): State<App>,
    browser: Browser,
    Query(mut query): Query<HashMap<String, String>>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let mut bulk = Bulk::default();
    for (name, value) in fields {
        match name.as_str() {
            "csrf" => bulk.form.csrf = value,
            "to" => bulk.form.status = value,
            "justification" => bulk.form.justification = value,
            "reach" => bulk.form.reach = value,
            "detail" => bulk.form.detail = value,
            "finding" => bulk.ticked.extend(value.parse::<i64>()),
            _ => {}
        }
    }
    browser.check(&bulk.form.csrf)?;
    let ids: Vec<i64> = bulk.ticked.iter().copied().collect();
    let mut actor = browser.actor().clone();
    actor.now = now();
    // said before anything else is asked of the form: who may not decide at all needs no help with its fields
    actor.need(Permission::FindingDecide)?;
    let decided = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        let changed = detection::decide_all(&mut change, &ids, &bulk.form.decision()).await?;
        change.commit().await?;
        Ok::<u64, Error>(changed)
    };
    match decided.await {
        Ok(changed) => {
            let after = query.remove("after").map_or(String::new(), |a| format!("&after={}", encode(&a)));
            let there = format!("/findings?{}{after}&decided={changed}", address(&query));
            Ok(Redirect::to(&there.replace("?&", "?")).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            bulk.wrong = message;
            Ok(table(&app, &browser, &query, bulk).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let wanted = filter(&query);
    let head = [
        "id",
        "product",
        "release",
        "component",
        "version",
        "purl",
        "vulnerability",
        "title",
        "severity",
        "score",
        "epss",
        "kev",
        "exploits",
        "fixed",
        "verdict",
        "confidence",
        "status",
        "justification",
        "first_seen",
        "closed",
        "reason",
    ];
    let mut out = Sheet::new(&head)?;
    let mut after: Option<String> = None;
    loop {
        let page = detection::findings(app.db(), browser.actor(), &wanted, after.as_deref(), 5000).await?;
        for f in &page.findings {
            let number = |n: Option<f64>| n.map_or(String::new(), |n| n.to_string());
            let row = [
                f.id.to_string(),
                cell(&f.product),
                cell(&f.release_version),
                cell(&f.component_name),
                cell(&f.component_version),
                f.purl.clone(),
                cell(&f.vulnerability),
                cell(&f.title),
                f.severity.to_owned(),
                number(f.score),
                number(f.epss),
                f.kev.to_string(),
                f.exploits.to_string(),
                cell(&f.fixed),
                f.verdict.clone(),
                f.confidence.to_owned(),
                f.status.clone(),
                f.justification.clone(),
                f.first_seen.clone(),
                f.closed.clone().unwrap_or_default(),
                f.reason.clone(),
            ];
            out.row(&row)?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(out.file("findings"))
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    csrf: String,
    status: String,
    justification: String,
    reach: String,
    detail: String,
}

impl Asked {
    fn decision(&self) -> Decision {
        Decision {
            status: self.status.clone(),
            justification: self.justification.clone(),
            response: String::new(),
            detail: self.detail.clone(),
            reach: Reach::parse(&self.reach).unwrap_or(Reach::Finding),
            expires: None,
        }
    }
}

#[derive(Template)]
#[template(path = "findings/one.html")]
struct One {
    page: Page,
    f: Finding,
    evidence: Vec<Evidence>,
    history: Vec<Story>,
    may_decide: bool,
    statuses: &'static [&'static str],
    justifications: &'static [&'static str],
    reaches: &'static [(&'static str, &'static str)],
    form: Asked,
    wrong: String,
    done: Option<String>,
}

async fn page(
    app: &App,
    browser: &Browser,
    id: i64,
    form: Option<Asked>,
    wrong: String,
    done: Option<String>,
) -> Answer {
    let actor = browser.actor();
    let (f, evidence) = detection::finding(app.db(), actor, id).await?;
    let line = inventory::release_of(app.db(), actor, f.release).await?.line;
    let form = form.unwrap_or_else(|| Asked {
        status: f.status.clone(),
        justification: f.justification.clone(),
        reach: "finding".to_owned(),
        ..Asked::default()
    });
    show(&One {
        page: Page::new(browser, "/findings", &format!("{} in {}", f.vulnerability, f.component_name))
            .crumb("/findings", "Findings"),
        history: detection::history(app.db(), actor, id).await?,
        may_decide: actor.need_in(Permission::FindingDecide, line).is_ok(),
        statuses: &STATUSES,
        justifications: &JUSTIFICATIONS,
        reaches: &REACHES,
        f,
        evidence,
        form,
        wrong,
        done,
    })
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let done = query.get("decided").map(|n| decided(n));
    page(&app, &browser, id, None, String::new(), done).await
}

async fn decide(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(asked): Form<Asked>,
) -> Result<Response, PageError> {
    browser.check(&asked.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let decided = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        let changed = detection::decide(&mut change, id, &asked.decision()).await?;
        change.commit().await?;
        Ok::<u64, Error>(changed)
    };
    match decided.await {
        Ok(changed) => Ok(Redirect::to(&format!("/findings/{id}?decided={changed}")).into_response()),
        Err(Error::Rejected { message, .. }) => {
            Ok(page(&app, &browser, id, Some(asked), message, None).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Template)]
#[template(path = "vulnerabilities/one.html")]
struct OneVulnerability {
    page: Page,
    id: String,
    title: String,
    v: Option<Vulnerability>,
    spread: Spread,
    pick: Pick,
    list: detection::Page,
}

async fn vulnerability(State(app): State<App>, browser: Browser, Path(id): Path<String>) -> Answer {
    browser.actor().need(Permission::IntelRead)?;
    let v = match app.index() {
        Some(opened) => opened
            .index
            .find(&id)
            .map_err(|e| Error::Internal { doing: "reading the index".to_owned(), cause: Box::new(e) })?,
        None => None,
    };
    let main = v.as_ref().map_or_else(|| id.clone(), |v| v.id.clone());
    let filter = Filter { vulnerability: Some(main.clone()), inferred: true, ..Filter::default() };
    let list = detection::findings(app.db(), browser.actor(), &filter, None, 500).await?;
    let told = v.as_ref().map(|v| v.title.clone()).or_else(|| list.findings.first().map(|f| f.title.clone()));
    let Some(title) = told else { return Err(PageError::not_found("vulnerability of this id")) };
    show(&OneVulnerability {
        page: Page::new(&browser, "/findings", &main).crumb("/findings", "Findings"),
        spread: detection::spread(app.db(), browser.actor(), &main).await?,
        pick: Pick::none(),
        id: main,
        title,
        v,
        list,
    })
}

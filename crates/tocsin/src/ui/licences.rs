//! Licences across the workspace against the rules, and the rules.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::inventory::{self, LicenceAsked, LicenceUse, Line, Ruling, ViolationPlace};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/licences", Access::Needs(Permission::InventoryRead)),
    ("GET", "/licences.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/settings/licences", Access::Needs(Permission::InventoryRead)),
    ("POST", "/settings/licences", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/licences", get(list))
        .route("/licences.csv", get(csv))
        .route("/settings/licences", get(rules).post(rule))
}

const VERDICTS: [(&str, &str); 6] = [
    ("", "Any"),
    ("violation", "Against the rules"),
    ("denied", "Denied"),
    ("review", "Review"),
    ("unruled", "No rule"),
    ("allowed", "Allowed"),
];
/// Orders of the list, with their columns' headings.
const SORTS: [(&str, &str); 3] = [("rule", "Rule"), ("licence", "Licence"), ("components", "Components")];
/// Rows of one page.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "licences/list.html")]
struct List {
    page: Page,
    list: Vec<LicenceUse>,
    total: usize,
    from: usize,
    next: Option<usize>,
    verdict: String,
    verdicts: &'static [(&'static str, &'static str)],
    lines: Vec<Line>,
    line: i64,
    text: String,
    sort: String,
    sorts: &'static [(&'static str, &'static str)],
    query: String,
    ruled: bool,
}

fn asked(query: &HashMap<String, String>) -> LicenceAsked {
    let get = |name: &str| query.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    LicenceAsked {
        line: get("line").and_then(|l| l.parse().ok()).filter(|l| *l != 0),
        release: get("release").and_then(|r| r.parse().ok()),
        verdict: get("verdict").map(str::to_owned),
        text: get("text").unwrap_or_default().to_owned(),
    }
}

async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let actor = browser.actor();
    let wanted = LicenceAsked { release: None, ..asked(&query) };
    let mut list = inventory::licence_uses(app.db(), actor, &wanted).await?;
    let sort = query.get("sort").cloned().unwrap_or_else(|| "rule".to_owned());
    match sort.as_str() {
        "licence" => list.sort_by_cached_key(|l| (l.licence.to_lowercase(), l.line_name.clone())),
        "components" => list.sort_by_key(|l| std::cmp::Reverse(l.components)),
        _ => {}
    }
    let from = query.get("from").and_then(|f| f.parse::<usize>().ok()).unwrap_or(0);
    let total = list.len();
    let mut parts: Vec<String> = query
        .iter()
        .filter(|(k, v)| !["from", "sort"].contains(&k.as_str()) && !v.trim().is_empty())
        .map(|(k, v)| format!("{}={}", encode(k), encode(v)))
        .collect();
    parts.sort();
    show(&List {
        page: Page::new(&browser, "/licences", "Licences"),
        list: list.into_iter().skip(from).take(ROWS).collect(),
        total,
        from,
        next: Some(from + ROWS).filter(|n| *n < total),
        verdict: wanted.verdict.unwrap_or_default(),
        verdicts: &VERDICTS,
        lines: inventory::lines(app.db(), actor).await?,
        line: wanted.line.unwrap_or(0),
        text: wanted.text,
        sort,
        sorts: &SORTS,
        query: parts.join("&"),
        ruled: !inventory::licence_rules(app.db(), actor).await?.is_empty(),
    })
}

/// What breaks a rule, by component; without that filter, licences by product line as on the page.
async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let (actor, wanted) = (browser.actor(), asked(&query));
    let breaking = ["violation", "denied", "review"].contains(&wanted.verdict.as_deref().unwrap_or_default());
    if !breaking {
        let head = ["licence", "expression", "product_line", "rule", "because", "components", "releases"];
        let mut out = Sheet::new(&head)?;
        for l in inventory::licence_uses(app.db(), actor, &wanted).await? {
            out.row(&[
                cell(&l.licence),
                cell(&l.expression),
                cell(&l.line_name),
                l.verdict.to_owned(),
                cell(&l.because),
                l.components.to_string(),
                l.releases.to_string(),
            ])?;
        }
        return Ok(out.file("licences"));
    }
    let head = ["product", "release", "component", "version", "purl", "licence", "rule", "because"];
    let mut out = Sheet::new(&head)?;
    let mut after: Option<ViolationPlace> = None;
    loop {
        let page = inventory::violations(app.db(), actor, &wanted, after.as_ref(), 5_000).await?;
        for v in &page {
            out.row(&[
                cell(&v.product),
                cell(&v.release_version),
                cell(&v.name),
                cell(&v.version),
                cell(&v.purl),
                cell(&v.licence),
                v.verdict.to_owned(),
                cell(&v.because),
            ])?;
        }
        match page.last() {
            Some(last) if page.len() == 5_000 => {
                after = Some((last.release, last.component, last.licence.clone()));
            }
            _ => break,
        }
    }
    Ok(out.file("licence-violations"))
}

/// The rules of one product line as their form shows them.
struct Shown {
    line: i64,
    name: String,
    may: bool,
    ruling: Ruling,
    allowed: String,
    review: String,
    denied: String,
}

impl Shown {
    /// Whether this is what holds for every other licence.
    pub fn is_other(&self, verdict: &str) -> bool {
        self.ruling.other == verdict
    }

    /// Whether this is what holds for components that name none.
    pub fn is_none(&self, verdict: &str) -> bool {
        self.ruling.none == verdict
    }
}

#[derive(Template)]
#[template(path = "licences/rules.html")]
struct Settings {
    page: Page,
    all: Vec<Shown>,
    done: String,
    wrong: String,
    /// The line whose form is wrong.
    at: i64,
}

fn shown(actor: &Actor, line: i64, name: &str, ruling: Ruling) -> Shown {
    let may = match line {
        0 => actor.need_everywhere(Permission::InventoryWrite).is_ok(),
        line => actor.need_in(Permission::InventoryWrite, line).is_ok(),
    };
    Shown {
        line,
        name: name.to_owned(),
        may,
        allowed: ruling.allowed.join("\n"),
        review: ruling.review.join("\n"),
        denied: ruling.denied.join("\n"),
        ruling,
    }
}

async fn page(
    app: &App,
    browser: &Browser,
    typed: Option<(i64, Ruling)>,
    wrong: String,
    done: String,
) -> Answer {
    let actor = browser.actor();
    let mut known: BTreeMap<i64, Ruling> = inventory::licence_rules(app.db(), actor).await?;
    let at = typed.as_ref().map_or(-1, |t| t.0);
    known.extend(typed);
    let mut take = |line: i64| known.remove(&line).unwrap_or_default();
    let mut all = vec![shown(actor, 0, "Every product line", take(0))];
    for l in inventory::lines(app.db(), actor).await? {
        all.push(shown(actor, l.id, &l.name, take(l.id)));
    }
    show(&Settings {
        page: Page::new(browser, "/licences", "Licence rules").crumb("/licences", "Licences"),
        all,
        done,
        wrong,
        at,
    })
}

async fn rules(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let done =
        query.get("done").map_or(String::new(), |_| "The rules are set; they hold at once.".to_owned());
    page(&app, &browser, None, String::new(), done).await
}

#[derive(Deserialize)]
struct Set {
    csrf: String,
    line: i64,
    allowed: String,
    review: String,
    denied: String,
    other: String,
    none: String,
}

async fn rule(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Set>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let list = |text: &str| -> Vec<String> {
        text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect()
    };
    let ruling = Ruling {
        allowed: list(&form.allowed),
        review: list(&form.review),
        denied: list(&form.denied),
        other: form.other,
        none: form.none,
    };
    let mut actor = browser.actor().clone();
    actor.now = now();
    let set = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        inventory::rule_licences(&mut change, form.line, &ruling).await?;
        change.commit().await
    };
    match set.await {
        Ok(()) => Ok(Redirect::to("/settings/licences?done=1").into_response()),
        Err(Error::Rejected { message, .. }) => {
            let typed = Some((form.line, ruling));
            Ok(page(&app, &browser, typed, message, String::new()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

//! Products by line, one product over its releases, and a new release with its first SBOM.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::json;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Branch, Line, Product, ProductDetail, Release, Support, Wanted};
use tocsin_core::platform::access::Permission;

use super::sheet::{Sheet, cell};
use super::{Answer, Page, draw, encode, filters, form, show};
use crate::intake;
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/products", Access::Needs(Permission::InventoryRead)),
    ("GET", "/products.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/products.json", Access::Needs(Permission::InventoryRead)),
    ("GET", "/products/{id}", Access::Needs(Permission::InventoryRead)),
    ("POST", "/releases", Access::Needs(Permission::SbomUpload)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/products", get(list))
        .route("/products.csv", get(csv))
        .route("/products.json", get(json))
        .route("/products/{id}", get(one))
        .route("/releases", post(add))
}

/// Products on one page, and releases shown of each.
const PRODUCTS: usize = 40;
const RELEASES: usize = 4;
/// Releases in the drawing of a product.
const BARS: usize = 24;

const SORTS: [(&str, &str); 6] = [
    ("name", "by product line"),
    ("product", "by product"),
    ("open", "most urgent first"),
    ("units", "most units first"),
    ("newest", "newest release first"),
    ("support", "support ends first"),
];
const SUPPORTS: [(&str, &str); 5] = [
    ("", "any support"),
    ("supported", "supported"),
    ("ending", "support ending"),
    ("ended", "support ended"),
    ("untold", "support not told"),
];
const STATES: [(&str, &str); 3] =
    [("", "watched"), ("archived", "archived"), ("all", "watched and archived")];
const SEVERITIES: [(&str, &str); 5] = [
    ("", "any findings"),
    ("critical", "critical open"),
    ("high", "high or worse"),
    ("medium", "medium or worse"),
    ("low", "any rated"),
];

struct LineGroup<'a> {
    id: i64,
    name: &'a str,
    products: Vec<&'a Branch>,
}

#[derive(Template)]
#[template(path = "products/list.html")]
struct List<'a> {
    page: Page,
    groups: Vec<LineGroup<'a>>,
    grouped: bool,
    total: usize,
    releases: usize,
    before: Option<usize>,
    next: Option<usize>,
    query: HashMap<String, String>,
    address: String,
    lines: Vec<Line>,
    products: Vec<Product>,
    now: String,
    may_write: bool,
    wrong: String,
}

impl List<'_> {
    fn get(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn newest<'b>(&self, b: &'b Branch) -> &'b [Release] {
        b.releases.get(..RELEASES).unwrap_or(&b.releases)
    }

    fn more(&self, b: &Branch) -> usize {
        b.releases.len().saturating_sub(RELEASES)
    }
}

/// How a release stands with its support, as a word.
pub fn support_word(r: &Release, now: &str) -> &'static str {
    match inventory::support(r.support_until.as_deref(), now) {
        Support::Ended => "ended",
        Support::Ending => "ending",
        Support::Supported => "supported",
        Support::Untold => "not told",
    }
}

fn wanted(query: &HashMap<String, String>) -> Wanted {
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    Wanted {
        text: get("text").to_owned(),
        line: get("line").parse().ok(),
        archived: get("state").to_owned(),
        support: match get("support") {
            "supported" => Some(Support::Supported),
            "ending" => Some(Support::Ending),
            "ended" => Some(Support::Ended),
            "untold" => Some(Support::Untold),
            _ => None,
        },
        severity: match get("severity") {
            "critical" => Some(5),
            "high" => Some(4),
            "medium" => Some(3),
            "low" => Some(2),
            _ => None,
        },
        sort: get("sort").to_owned(),
    }
}

/// The parts of an address that filter, without the place in the list.
fn address(query: &HashMap<String, String>) -> String {
    let names = ["text", "line", "state", "support", "severity", "sort"];
    let part =
        |name: &&str| query.get(*name).filter(|v| !v.is_empty()).map(|v| format!("{name}={}", encode(v)));
    names.iter().filter_map(part).collect::<Vec<_>>().join("&")
}

async fn page(app: &App, browser: &Browser, query: HashMap<String, String>, wrong: String) -> Answer {
    let actor = browser.actor();
    let wanted = wanted(&query);
    let found = inventory::overview(app.db(), actor, &wanted).await?;
    let skip: usize = query.get("skip").and_then(|s| s.parse().ok()).unwrap_or(0);
    let grouped = matches!(wanted.sort.as_str(), "" | "name");
    let mut groups: Vec<LineGroup<'_>> = Vec::new();
    for product in found.iter().skip(skip).take(PRODUCTS) {
        match groups.last_mut().filter(|g| !grouped || g.id == product.line) {
            Some(group) => group.products.push(product),
            None => {
                groups.push(LineGroup { id: product.line, name: &product.line_name, products: vec![product] })
            }
        }
    }
    show(&List {
        page: Page::new(browser, "/products", "Products"),
        groups,
        grouped,
        total: found.len(),
        releases: found.iter().map(|b| b.releases.len()).sum(),
        before: (skip > 0).then(|| skip.saturating_sub(PRODUCTS)),
        next: Some(skip + PRODUCTS).filter(|at| *at < found.len()),
        address: address(&query),
        query,
        lines: inventory::lines(app.db(), actor).await?,
        products: inventory::products(app.db(), actor).await?,
        now: now(),
        may_write: actor.may(Permission::InventoryWrite),
        wrong,
    })
}

async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    page(&app, &browser, query, String::new()).await
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let head = [
        "product_line",
        "product",
        "release",
        "state",
        "released",
        "support_until",
        "support",
        "components",
        "critical",
        "high",
        "medium",
        "low",
        "unrated",
        "exploited",
        "units",
        "matched",
    ];
    let (mut out, now) = (Sheet::new(&head)?, now());
    for b in inventory::overview(app.db(), browser.actor(), &wanted(&query)).await? {
        for r in &b.releases {
            let mut row = vec![cell(&b.line_name), cell(&b.name), cell(&r.version)];
            row.push(if r.active { "watched" } else { "archived" }.to_owned());
            row.extend([r.released.clone().unwrap_or_default(), r.support_until.clone().unwrap_or_default()]);
            row.push(support_word(r, &now).to_owned());
            row.push(r.components.to_string());
            row.extend(r.open.iter().map(ToString::to_string));
            row.extend([r.exploited.to_string(), r.units.to_string(), r.matched.clone().unwrap_or_default()]);
            out.row(&row)?;
        }
    }
    Ok(out.file("products"))
}

async fn json(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let found = inventory::overview(app.db(), browser.actor(), &wanted(&query)).await?;
    Ok(json_file("products", &json!({ "products": found })))
}

/// JSON as a download, `NAME.json`.
pub(super) fn json_file(name: &str, value: &serde_json::Value) -> Response {
    let body = serde_json::to_vec_pretty(value).unwrap_or_default();
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.json\"")),
    ];
    (headers, body).into_response()
}

#[derive(Template)]
#[template(path = "products/one.html")]
struct One {
    page: Page,
    p: ProductDetail,
    releases: Vec<Release>,
    open: [i64; 5],
    exploited: i64,
    units: i64,
    supported: Option<String>,
    chart: String,
    charted: usize,
    sort: String,
    now: String,
    done: String,
    may_write: bool,
    /// Where the stories that concern it are; empty for who does not read the desk.
    stories: String,
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let actor = browser.actor();
    let p = inventory::product_of(app.db(), actor, id).await?;
    let mut releases = inventory::releases(app.db(), actor, Some(id)).await?;
    let mut charted: Vec<Release> = releases.iter().take(BARS).cloned().collect();
    charted.reverse();
    let mut open = [0; 5];
    for r in releases.iter().filter(|r| r.active) {
        for (sum, n) in open.iter_mut().zip(r.open) {
            *sum += n;
        }
    }
    let sort = query.get("sort").cloned().unwrap_or_default();
    match sort.as_str() {
        "open" => releases.sort_by_key(|r| std::cmp::Reverse((r.exploited, r.open))),
        "units" => releases.sort_by_key(|r| std::cmp::Reverse(r.units)),
        "components" => releases.sort_by_key(|r| std::cmp::Reverse(r.components)),
        "support" => releases.sort_by_key(|r| r.support_until.clone().unwrap_or_else(|| "9999".to_owned())),
        "released" => releases.sort_by_key(|r| std::cmp::Reverse(r.released.clone())),
        _ => {}
    }
    let watched = || releases.iter().filter(|r| r.active);
    let reads = actor.need_everywhere(Permission::DeskRead).is_ok();
    let stories = format!("concerns=\"{}\"", p.edit.name.replace(['"', '\\'], " "));
    show(&One {
        stories: if reads { format!("/desk?q={}", super::encode(&stories)) } else { String::new() },
        page: Page::new(&browser, "/products", &p.edit.name)
            .crumb("/products", "Products")
            .crumb(format!("/products?line={}", p.edit.line), p.line_name.clone()),
        open,
        exploited: watched().map(|r| r.exploited).sum(),
        units: watched().map(|r| r.units).sum(),
        supported: watched().filter_map(|r| r.support_until.clone()).max(),
        chart: if charted.is_empty() { String::new() } else { draw::bars(&charted) },
        charted: charted.len(),
        sort,
        now: now(),
        done: query.get("done").cloned().unwrap_or_default(),
        may_write: actor.need_in(Permission::InventoryWrite, p.edit.line).is_ok(),
        releases,
        p,
    })
}

async fn add(State(app): State<App>, browser: Browser, parts: Multipart) -> Result<Response, PageError> {
    let (fields, file) = form(parts).await?;
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    browser.check(field("csrf"))?;
    // What was typed comes back with what was wrong.
    let typed = || {
        let of = |name: &str| (format!("new_{name}"), field(name).to_owned());
        HashMap::from([of("line"), of("product"), of("version")])
    };
    let Some((name, bytes)) = file else {
        let wrong = "Choose a file to upload.".to_owned();
        return Ok(page(&app, &browser, typed(), wrong).await?.into_response());
    };
    let mut actor = browser.actor().clone();
    actor.now = now();
    let place = intake::Place::Named {
        line: field("line").to_owned(),
        product: field("product").to_owned(),
        version: field("version").to_owned(),
    };
    match intake::receive(&app, &actor, place, name, bytes).await {
        Ok(done) => Ok(Redirect::to(&format!("/releases/{}", done.release())).into_response()),
        Err(e @ (Error::Refused(_) | Error::Rejected { .. })) => {
            Ok(page(&app, &browser, typed(), e.to_string()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

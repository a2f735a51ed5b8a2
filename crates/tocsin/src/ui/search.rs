//! One field for everything, with what can be done next.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::search::{self, Hit, Kind, Section};

use super::{Page, encode, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[("GET", "/search", Access::Known), ("GET", "/search/list", Access::Known)];

pub fn routes() -> Router<App> {
    Router::new().route("/search", get(page)).route("/search/list", get(list))
}

/// A thing that was found, with where it leads and what else can be done.
struct Found {
    hit: Hit,
    href: String,
    /// Highest severity at it, or empty.
    severity: &'static str,
    actions: Vec<(&'static str, String)>,
}

struct Part {
    label: &'static str,
    found: Vec<Found>,
    /// Where all of them are, when there are more.
    all: Option<String>,
}

/// Something to do, found by its words.
struct Command {
    label: &'static str,
    href: &'static str,
}

/// What can be done from anywhere: words, what it is, where, and the permission it needs.
const COMMANDS: [(&str, &str, &str, Permission); 11] = [
    (
        "upload sbom add release new product",
        "Add a release with its SBOM",
        "/products#add",
        Permission::SbomUpload,
    ),
    ("findings triage decide open", "Open findings", "/findings", Permission::FindingRead),
    ("products releases lines tree", "All products", "/products", Permission::InventoryRead),
    ("where used component licence hash", "Where is it used?", "/where-used", Permission::InventoryRead),
    ("device serial number look up", "Look a device up", "/devices", Permission::InventoryRead),
    ("stakeholders told notify people", "Who is told of what", "/stakeholders", Permission::InventoryRead),
    ("suppliers contact", "Suppliers", "/suppliers", Permission::InventoryRead),
    ("lifecycle latest version end of life eol", "Life of packages", "/lifecycle", Permission::InventoryRead),
    ("audit trail history changes", "Audit trail", "/audit", Permission::AuditRead),
    ("people keys invite settings roles", "People and keys", "/settings/people", Permission::KeyManage),
    ("workspace switch", "Workspaces", "/workspaces", Permission::InventoryRead),
];

fn commands(actor: &Actor, text: &str) -> Vec<Command> {
    let text = text.trim().to_lowercase();
    let long = text.chars().count() >= 3;
    let meant = |words: &str| text.split_whitespace().all(|t| words.split(' ').any(|w| w.starts_with(t)));
    let fits = |c: &&(&str, &str, &str, Permission)| long && meant(c.0) && actor.may(c.3);
    COMMANDS.iter().filter(fits).map(|(_, label, href, _)| Command { label, href }).collect()
}

fn found(hit: Hit, actor: &Actor) -> Found {
    let id = encode(&hit.id);
    let (href, actions) = match hit.kind {
        Kind::Vulnerability => {
            (format!("/vulnerabilities/{id}"), vec![("where used", format!("/where-used?q={id}"))])
        }
        Kind::Line => (format!("/products?line={id}"), Vec::new()),
        Kind::Product => (format!("/products/{id}"), Vec::new()),
        Kind::Release => {
            let mut actions = vec![("findings", format!("/releases/{id}?tab=findings"))];
            actions.push(("what changed", format!("/releases/{id}?tab=compare")));
            if actor.may(Permission::SbomUpload) {
                actions.push(("upload a newer SBOM", format!("/releases/{id}?tab=documents")));
            }
            (format!("/releases/{id}"), actions)
        }
        Kind::Component => {
            let q = if hit.detail.is_empty() {
                hit.title.split(' ').next().unwrap_or_default()
            } else {
                &hit.detail
            };
            (format!("/components/{id}"), vec![("where used", format!("/where-used?q={}", encode(q)))])
        }
        Kind::Finding => (format!("/findings/{id}"), Vec::new()),
        Kind::Customer => (format!("/customers?name={id}"), Vec::new()),
        Kind::Device => (format!("/devices?serial={id}"), Vec::new()),
        Kind::Person => {
            let settings = actor.may(Permission::KeyManage) || actor.may(Permission::PeopleManage);
            (if settings { "/settings/people" } else { "" }.to_owned(), Vec::new())
        }
    };
    let severity = hit.severity.unwrap_or_default();
    Found { hit, href, severity, actions }
}

fn part(section: Section, actor: &Actor, q: &str) -> Part {
    let (label, all) = match section.kind {
        Kind::Vulnerability => ("Vulnerabilities", ""),
        Kind::Line => ("Product lines", ""),
        Kind::Product => ("Products", "/products?text="),
        Kind::Release => ("Releases", "/products?state=all&text="),
        Kind::Component => ("Components", "/where-used?q="),
        Kind::Finding => ("Open findings", "/findings?q="),
        Kind::Customer => ("Customers", ""),
        Kind::Device => ("Devices", "/devices?serial="),
        Kind::Person => ("People", ""),
    };
    let all = (section.more && !all.is_empty()).then(|| {
        let star = if section.kind == Kind::Component && !q.contains([':', '*']) { "*" } else { "" };
        let text = match section.kind {
            // a list that is asked by query takes the text as one word
            Kind::Finding => super::asked::word(q),
            _ => format!("{q}{star}"),
        };
        format!("{all}{}", encode(&text))
    });
    Part { label, found: section.hits.into_iter().map(|h| found(h, actor)).collect(), all }
}

#[derive(Template)]
#[template(path = "search/page.html")]
struct Results {
    page: Page,
    q: String,
    commands: Vec<Command>,
    parts: Vec<Part>,
}

#[derive(Template)]
#[template(path = "search/list.html")]
struct Short {
    q: String,
    commands: Vec<Command>,
    parts: Vec<Part>,
}

async fn ask(
    app: &App,
    browser: &Browser,
    q: &str,
    most: usize,
) -> Result<(Vec<Command>, Vec<Part>), PageError> {
    let actor = browser.actor();
    let sections = search::search(app.db(), actor, q, most).await?;
    let parts = sections.into_iter().map(|s| part(s, actor, q)).collect();
    Ok((commands(actor, q), parts))
}

async fn page(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map(|q| q.trim().to_owned()).unwrap_or_default();
    let (commands, parts) = ask(&app, &browser, &q, 12).await?;
    let title = if q.is_empty() { "Search".to_owned() } else { format!("Search: {q}") };
    Ok(show(&Results { page: Page::new(&browser, "/search", &title), q, commands, parts })?.into_response())
}

/// The short list under the field at the top, for the script.
async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let q = query.get("q").map(|q| q.trim().to_owned()).unwrap_or_default();
    let (commands, parts) = ask(&app, &browser, &q, 4).await?;
    Ok(Html(askama::Template::render(&Short { q, commands, parts })?).into_response())
}

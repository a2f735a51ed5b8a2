//! Pages. Each file is a noun; what all of them share is here.

mod account;
pub mod asked;
mod audit;
mod chart;
mod components;
mod decisions;
mod deployments;
mod desk;
mod draw;
mod exports;
mod filters;
mod findings;
mod jobs;
pub(crate) mod kept;
mod licences;
mod manage;
mod notifications;
mod notify_own;
mod outside;
mod passkeys;
mod products;
mod qr;
mod release_parts;
mod releases;
mod reports;
mod search;
mod session;
mod settings;
pub mod sheet;
mod sources;
mod stakeholders;
mod today;
mod used;
mod vex;
mod views;
mod vulnerabilities;
mod workspaces;

use askama::Template;
use axum::Router;
use axum::extract::Multipart;
use axum::response::Html;
use std::collections::HashMap;
use tocsin_core::platform::access::{Lines, Permission};
use tocsin_core::platform::jobs::Active;

pub(crate) use desk::read_item;

use crate::server::guard::Route;
use crate::server::{App, Browser, PageError};

/// Who may use which page: the table of each file.
pub const ACCESS: &[&[Route]] = &[
    session::ACCESS,
    outside::ACCESS,
    passkeys::ACCESS,
    kept::ACCESS,
    account::ACCESS,
    today::ACCESS,
    products::ACCESS,
    manage::ACCESS,
    exports::ACCESS,
    components::ACCESS,
    stakeholders::ACCESS,
    search::ACCESS,
    workspaces::ACCESS,
    releases::ACCESS,
    deployments::ACCESS,
    findings::ACCESS,
    decisions::ACCESS,
    vex::ACCESS,
    licences::ACCESS,
    vulnerabilities::ACCESS,
    views::ACCESS,
    audit::ACCESS,
    used::ACCESS,
    sources::ACCESS,
    jobs::ACCESS,
    desk::ACCESS,
    reports::ACCESS,
    notifications::ACCESS,
    notify_own::ACCESS,
    settings::ACCESS[0],
    settings::ACCESS[1],
    settings::ACCESS[2],
    settings::ACCESS[3],
    settings::ACCESS[4],
    settings::ACCESS[5],
    settings::ACCESS[6],
    settings::ACCESS[7],
    settings::ACCESS[8],
];

/// All pages.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(session::routes())
        .merge(outside::routes())
        .merge(passkeys::routes())
        .merge(kept::routes())
        .merge(account::routes())
        .merge(today::routes())
        .merge(products::routes())
        .merge(manage::routes())
        .merge(exports::routes())
        .merge(components::routes())
        .merge(stakeholders::routes())
        .merge(search::routes())
        .merge(workspaces::routes())
        .merge(releases::routes())
        .merge(deployments::routes())
        .merge(findings::routes())
        .merge(decisions::routes())
        .merge(vex::routes())
        .merge(licences::routes())
        .merge(vulnerabilities::routes())
        .merge(views::routes())
        .merge(audit::routes())
        .merge(used::routes())
        .merge(sources::routes())
        .merge(jobs::routes())
        .merge(desk::routes())
        .merge(reports::routes())
        .merge(notifications::routes())
        .merge(notify_own::routes())
        .merge(settings::routes())
}

/// An entry of the navigation; one without address is a heading.
pub struct Entry {
    label: &'static str,
    href: &'static str,
    icon: &'static str,
}

/// What the frame around every page needs.
pub struct Page {
    title: String,
    here: &'static str,
    nav: Vec<Entry>,
    crumbs: Vec<(String, String)>,
    person: String,
    /// Id of the person; drafts are kept by it.
    who: i64,
    workspace: String,
    csrf: String,
    jobs: Active,
    unseen: i64,
}

/// Entries with the permission each needs.
const NAV: &[(&str, &str, Permission, &str)] = &[
    ("Today", "/", Permission::FindingRead, "M3 8l5-5 5 5M4.5 7v6h7V7"),
    (
        "Desk",
        "/desk",
        Permission::DeskRead,
        "M2 3h9v10H3.5A1.5 1.5 0 0 1 2 11.5zM11 6h3v5.5a1.5 1.5 0 0 1-3 0zM4.5 5.5h4M4.5 8h4M4.5 10.5h2.5",
    ),
    ("Reports", "/reports", Permission::ReportRead, "M4 2h6l3 3v9H4zM10 2v3h3M6 8h5M6 10.5h5M6 5.5h2"),
    ("Findings", "/findings", Permission::FindingRead, "M8 2l6 11H2zM8 7v3M8 11.8v.2"),
    (
        "Vulnerabilities",
        "/vulnerabilities",
        Permission::FindingRead,
        "M8 4.5c2 0 3 1.4 3 4s-1.2 5-3 5-3-2.4-3-5 1-4 3-4zM6.5 4L5 2M9.5 4L11 2M2 6l3 1M2 12l3-1.4M14 6l-3 1M14 12l-3-1.4M2 9h3M11 9h3",
    ),
    (
        "Sources",
        "/sources",
        Permission::IntelRead,
        "M3 13a1 1 0 1 0 0-.1M3 8.5A4.5 4.5 0 0 1 7.5 13M3 4a9 9 0 0 1 9 9",
    ),
    ("Decisions", "/decisions", Permission::FindingRead, "M3 8.5l3 3 7-7M3 3h6M3 13h10"),
    ("Products", "/products", Permission::InventoryRead, "M2 5l6-3 6 3v6l-6 3-6-3zM2 5l6 3 6-3M8 8v6"),
    ("Where used", "/where-used", Permission::InventoryRead, "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3 3"),
    ("Licences", "/licences", Permission::InventoryRead, "M4 2h6l3 3v9H4zM10 2v3h3M6.5 8.5h4M6.5 11h4"),
    (
        "Jobs",
        "/jobs",
        Permission::JobRead,
        "M8 2v2.5M8 11.5V14M2 8h2.5M11.5 8H14M3.8 3.8l1.7 1.7M10.5 10.5l1.7 1.7M3.8 12.2l1.7-1.7M10.5 5.5l1.7-1.7",
    ),
    ("Audit trail", "/audit", Permission::AuditRead, "M4 2h8v12H4zM6 5h4M6 8h4M6 11h2"),
    (
        "Settings",
        "/settings/people",
        Permission::FindingRead,
        "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.7-3 3-4 5.5-4s4.8 1 5.5 4",
    ),
];

impl Page {
    /// The frame of a page under the navigation entry `here`.
    pub fn new(browser: &Browser, here: &'static str, title: &str) -> Page {
        let known = &browser.known;
        // stories and reports are for those who may see all product lines
        let whole = [Permission::DeskRead, Permission::ReportRead];
        let may = |p| known.actor.may(p) && (!whole.contains(&p) || known.actor.lines(p) == Lines::All);
        let nav = NAV.iter().filter(|n| may(n.2));
        Page {
            title: title.to_owned(),
            here,
            nav: nav.map(|(label, href, _, icon)| Entry { label, href, icon }).collect(),
            crumbs: Vec::new(),
            person: known.name.clone(),
            who: known.actor.person.unwrap_or(0),
            workspace: known.workspace.clone(),
            csrf: known.csrf.clone(),
            jobs: browser.jobs,
            unseen: browser.unseen,
        }
    }

    /// Adds a step of the path to the page.
    #[must_use]
    pub fn crumb(mut self, href: impl Into<String>, label: impl Into<String>) -> Page {
        self.crumbs.push((href.into(), label.into()));
        self
    }
}

/// Open findings of one severity.
pub struct Part {
    word: &'static str,
    glyph: &'static str,
    count: i64,
}

/// The severities of which findings are open, worst first.
pub fn open_parts(open: &[i64; 5]) -> Vec<Part> {
    const WORDS: [(&str, &str); 5] =
        [("critical", "▲C"), ("high", "◆H"), ("medium", "●M"), ("low", "▪L"), ("unknown", "–")];
    let part =
        |((word, glyph), count): ((&'static str, &'static str), &i64)| Part { word, glyph, count: *count };
    WORDS.into_iter().zip(open).filter(|(_, count)| **count > 0).map(part).collect()
}

/// What a page's handler gives.
pub type Answer = Result<Html<String>, PageError>;

fn show(page: &impl Template) -> Answer {
    Ok(Html(page.render()?))
}

/// A text as part of an address.
pub fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().fold(String::new(), |mut out, b| {
        if plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

/// A form with one file: its fields, and name and bytes of the file.
pub(crate) async fn form(
    mut parts: Multipart,
) -> Result<(HashMap<String, String>, Option<(String, Vec<u8>)>), PageError> {
    let bad = |e: axum::extract::multipart::MultipartError| {
        PageError::from(tocsin_core::Error::Rejected { field: "form".to_owned(), message: e.body_text() })
    };
    let (mut fields, mut file) = (HashMap::new(), None);
    while let Some(part) = parts.next_field().await.map_err(bad)? {
        let name = part.name().unwrap_or_default().to_owned();
        match part.file_name().map(str::to_owned) {
            Some(file_name) if !file_name.is_empty() => {
                file = Some((file_name, part.bytes().await.map_err(bad)?.to_vec()));
            }
            Some(_) => {}
            None => {
                fields.insert(name, part.text().await.map_err(bad)?);
            }
        }
    }
    Ok((fields, file))
}

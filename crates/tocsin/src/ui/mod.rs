//! Pages. Each file is a noun; what all of them share is here.

mod deployments;
mod filters;
mod findings;
mod products;
mod releases;
mod session;
mod settings;
mod sheet;
mod today;
mod used;

use askama::Template;
use axum::Router;
use axum::extract::Multipart;
use axum::response::Html;
use std::collections::HashMap;
use tocsin_core::platform::access::Permission;

use crate::server::{App, Browser, PageError};

/// All pages.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(session::routes())
        .merge(today::routes())
        .merge(products::routes())
        .merge(releases::routes())
        .merge(deployments::routes())
        .merge(findings::routes())
        .merge(used::routes())
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
    workspace: String,
    csrf: String,
}

/// Entries with the permission each needs.
const NAV: [(&str, &str, Permission, &str); 6] = [
    ("Today", "/", Permission::FindingRead, "M3 8l5-5 5 5M4.5 7v6h7V7"),
    ("Findings", "/findings", Permission::FindingRead, "M8 2l6 11H2zM8 7v3M8 11.8v.2"),
    ("Products", "/products", Permission::InventoryRead, "M2 5l6-3 6 3v6l-6 3-6-3zM2 5l6 3 6-3M8 8v6"),
    ("Where used", "/where-used", Permission::InventoryRead, "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3 3"),
    ("Audit trail", "/audit", Permission::AuditRead, "M4 2h8v12H4zM6 5h4M6 8h4M6 11h2"),
    (
        "People and keys",
        "/settings/people",
        Permission::KeyManage,
        "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.7-3 3-4 5.5-4s4.8 1 5.5 4",
    ),
];

impl Page {
    /// The frame of a page under the navigation entry `here`.
    pub fn new(browser: &Browser, here: &'static str, title: &str) -> Page {
        let known = &browser.known;
        let nav = NAV.iter().filter(|n| known.actor.may(n.2));
        Page {
            title: title.to_owned(),
            here,
            nav: nav.map(|(label, href, _, icon)| Entry { label, href, icon }).collect(),
            crumbs: Vec::new(),
            person: known.name.clone(),
            workspace: known.workspace.clone(),
            csrf: known.csrf.clone(),
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

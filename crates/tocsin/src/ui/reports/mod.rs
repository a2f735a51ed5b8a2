//! Reports: the archive, one of them as its readers see it, and the pages on which it is written.

use axum::Router;
use axum::routing::{get, post};
use tocsin_core::platform::access::{Actor, Permission};

use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

mod edit;
mod list;
mod one;
mod section;
mod send;
mod team;

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/reports", Access::Needs(Permission::ReportRead)),
    ("GET", "/reports.csv", Access::Needs(Permission::ReportRead)),
    ("GET", "/reports/draft", Access::Needs(Permission::ReportWrite)),
    ("POST", "/reports/draft", Access::Needs(Permission::ReportWrite)),
    ("GET", "/reports/{id}", Access::Needs(Permission::ReportRead)),
    ("POST", "/reports/{id}/state", Access::Needs(Permission::ReportRead)),
    ("GET", "/reports/{id}/edit", Access::Needs(Permission::ReportWrite)),
    ("POST", "/reports/{id}/head", Access::Needs(Permission::ReportWrite)),
    ("POST", "/reports/{id}/sections", Access::Needs(Permission::ReportWrite)),
    ("GET", "/reports/{id}/sections/{section}", Access::Needs(Permission::ReportWrite)),
    ("POST", "/reports/{id}/sections/{section}", Access::Needs(Permission::ReportWrite)),
    ("POST", "/reports/{id}/sections/{section}/move", Access::Needs(Permission::ReportWrite)),
    ("GET", "/reports/{id}/editions/{n}", Access::Needs(Permission::ReportRead)),
    ("GET", "/reports/{id}/export/{form}", Access::Needs(Permission::ReportRead)),
    ("GET", "/reports/{id}/send", Access::Needs(Permission::ReportRead)),
    ("POST", "/reports/{id}/send", Access::Needs(Permission::ReportApprove)),
    ("GET", "/desks", Access::Known),
    ("POST", "/stories/{id}/report", Access::Needs(Permission::ReportWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/reports", get(list::list))
        .route("/reports.csv", get(list::export))
        .route("/reports/draft", get(list::form).post(list::draft))
        .route("/reports/{id}", get(one::one))
        .route("/reports/{id}/state", post(one::state))
        .route("/reports/{id}/edit", get(edit::page))
        .route("/reports/{id}/head", post(edit::head))
        .route("/reports/{id}/sections", post(edit::add))
        .route("/reports/{id}/sections/{section}", get(section::page).post(section::write))
        .route("/reports/{id}/sections/{section}/move", post(edit::shift))
        .route("/reports/{id}/editions/{n}", get(edit::edition))
        .route("/reports/{id}/export/{form}", get(send::file))
        .route("/reports/{id}/send", get(send::page).post(send::send))
        .route("/desks", get(team::page))
        .route("/stories/{id}/report", post(list::pick))
}

/// Who sends a form, now, where it brings the session's token back.
fn sender(browser: &Browser, csrf: &str) -> Result<Actor, PageError> {
    browser.check(csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    Ok(actor)
}

/// A text of a form, its line breaks as we keep them.
fn typed(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

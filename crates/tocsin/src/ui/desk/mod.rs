//! The analyst desk: stories by relevance, one of them with everything, what people enter, what is followed.

use axum::Router;
use axum::routing::{get, post};
use tocsin_core::platform::access::{Actor, Permission};

use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

mod enter;
pub(crate) use enter::read as read_item;
mod follow;
mod list;
mod one;
mod warn;

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/desk", Access::Needs(Permission::DeskRead)),
    ("GET", "/desk.csv", Access::Needs(Permission::DeskRead)),
    ("GET", "/desk.json", Access::Needs(Permission::DeskRead)),
    ("POST", "/desk/states", Access::Needs(Permission::DeskWrite)),
    ("GET", "/desk/enter", Access::Needs(Permission::DeskWrite)),
    ("POST", "/desk/enter", Access::Needs(Permission::DeskWrite)),
    ("GET", "/desk/follow", Access::Needs(Permission::DeskRead)),
    ("POST", "/desk/follow/interests", Access::Needs(Permission::DeskWrite)),
    ("POST", "/desk/follow/industries", Access::Needs(Permission::DeskWrite)),
    ("POST", "/desk/follow/weights", Access::Needs(Permission::DeskWrite)),
    ("POST", "/desk/votes/{id}/revoke", Access::Needs(Permission::DeskWrite)),
    ("GET", "/stories/{id}", Access::Needs(Permission::DeskRead)),
    ("POST", "/stories/{id}/vote", Access::Needs(Permission::DeskWrite)),
    ("POST", "/stories/{id}/state", Access::Needs(Permission::DeskWrite)),
    ("POST", "/stories/{id}/note", Access::Needs(Permission::DeskWrite)),
    ("POST", "/stories/{id}/tags", Access::Needs(Permission::DeskWrite)),
    ("POST", "/stories/{id}/merge", Access::Needs(Permission::DeskWrite)),
    ("POST", "/stories/{id}/split", Access::Needs(Permission::DeskWrite)),
    ("GET", "/stories/{id}/warning", Access::Needs(Permission::DeskWrite)),
    ("POST", "/stories/{id}/warning", Access::Needs(Permission::DeskWrite)),
    ("GET", "/warnings", Access::Needs(Permission::DeskRead)),
    ("GET", "/warnings.csv", Access::Needs(Permission::DeskRead)),
    ("GET", "/warnings.json", Access::Needs(Permission::DeskRead)),
    ("GET", "/warnings/new", Access::Needs(Permission::DeskWrite)),
    ("POST", "/warnings/new", Access::Needs(Permission::DeskWrite)),
    ("GET", "/warnings/{name}", Access::Needs(Permission::DeskRead)),
    ("POST", "/warnings/{name}", Access::Needs(Permission::DeskWrite)),
    ("POST", "/warnings/{name}/withdraw", Access::Needs(Permission::DeskWrite)),
    ("POST", "/warnings/{name}/merge", Access::Needs(Permission::DeskWrite)),
    ("POST", "/warnings/{name}/refuse", Access::Needs(Permission::DeskWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/desk", get(list::list))
        .route("/desk.csv", get(list::export))
        .route("/desk.json", get(list::json))
        .route("/desk/states", post(list::states))
        .route("/desk/enter", get(enter::form).post(enter::take))
        .route("/desk/follow", get(follow::page))
        .route("/desk/follow/interests", post(follow::interests))
        .route("/desk/follow/industries", post(follow::industries))
        .route("/desk/follow/weights", post(follow::weights_form))
        .route("/desk/votes/{id}/revoke", post(follow::revoke))
        .route("/stories/{id}", get(one::one))
        .route("/stories/{id}/vote", post(one::vote))
        .route("/stories/{id}/state", post(one::state))
        .route("/stories/{id}/note", post(one::note))
        .route("/stories/{id}/tags", post(one::tags))
        .route("/stories/{id}/merge", post(one::merge))
        .route("/stories/{id}/split", post(one::split))
        .route("/stories/{id}/warning", get(warn::of_story).post(warn::make_of_story))
        .route("/warnings", get(warn::list))
        .route("/warnings.csv", get(warn::csv))
        .route("/warnings.json", get(warn::json))
        .route("/warnings/new", get(warn::begin).post(warn::make_new))
        .route("/warnings/{name}", get(warn::one).post(warn::edit))
        .route("/warnings/{name}/withdraw", post(warn::withdraw))
        .route("/warnings/{name}/merge", post(warn::merge))
        .route("/warnings/{name}/refuse", post(warn::refuse))
}

/// Who sends a form, now, where it brings the session's token back.
fn sender(browser: &Browser, csrf: &str) -> Result<Actor, PageError> {
    browser.check(csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    Ok(actor)
}

/// A page of ours to go back to, or another where it is none of these.
pub(super) fn back<'a>(to: &'a str, other: &'a str) -> &'a str {
    let ours =
        to.starts_with("/desk?") || to.starts_with("/desk#") || to == "/desk" || to.starts_with("/stories/");
    if ours && !to.contains(['\r', '\n', '\\']) { to } else { other }
}

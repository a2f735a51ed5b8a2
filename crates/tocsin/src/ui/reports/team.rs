//! The desks of a person: every workspace in which they write reports, with what waits and the reports that are due.

use askama::Template;
use axum::extract::State;
use tocsin_core::platform::workspaces;
use tocsin_core::report::{self, Desk};

use super::super::{Answer, Page, filters, show};
use crate::server::{App, Browser, now};

#[derive(Template)]
#[template(path = "reports/desks.html")]
struct Desks {
    page: Page,
    desks: Vec<Desk>,
    here: i64,
    first: String,
}

pub async fn page(State(app): State<App>, browser: Browser) -> Answer {
    let mut actor = browser.actor().clone();
    actor.now = now();
    let confined = workspaces::confined(app.db(), &browser.token).await?;
    let (first, _) = report::week(&actor.now);
    show(&Desks {
        page: Page::new(&browser, "/desks", "Desks"),
        desks: report::desks(app.db(), &actor, confined).await?,
        here: actor.workspace,
        first,
    })
}

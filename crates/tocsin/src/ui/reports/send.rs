//! Sending a report, whom it was sent to, and the files that it goes out as.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::notify::{self, Channel};
use tocsin_core::platform::access::{Lines, Permission, ROLES, Role};
use tocsin_core::platform::people::{self, Person};
use tocsin_core::report::{self, Address, Delivery, Recipients, Whole};

use super::super::asked::{Pairs, param};
use super::super::{Page, encode, filters, show};
use super::sender;
use crate::report::export::{self, Form as As};
use crate::server::{App, Browser, PageError};

#[derive(Template)]
#[template(path = "reports/send.html")]
struct Send {
    page: Page,
    w: Whole,
    people: Vec<Person>,
    roles: Vec<(String, usize, bool)>,
    addresses: Vec<Address>,
    channels: Vec<Channel>,
    deliveries: Vec<Delivery>,
    to: Recipients,
    approves: bool,
    sets: bool,
    leaves: bool,
    done: String,
    wrong: String,
}

impl Send {
    fn had(&self, address: &str) -> bool {
        self.deliveries.iter().any(|d| d.address.eq_ignore_ascii_case(address))
    }
}

async fn shown(
    app: &App,
    browser: &Browser,
    id: i64,
    to: Recipients,
    (done, wrong): (String, String),
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let w = report::report(app.db(), actor, id).await?;
    let mut people = people::people(app.db(), actor).await?;
    people.retain(|p| !p.disabled && p.email.contains('@'));
    let held = |role: &Role| {
        let name = role.name();
        people.iter().filter(|p| p.roles.iter().any(|(r, line)| *r == name && *line == 0)).count()
    };
    let roles = ROLES.iter().map(|r| (r.name(), held(r), to.roles.contains(r))).filter(|r| r.1 > 0).collect();
    let mut channels = notify::channels(app.db(), actor).await?;
    channels.retain(|c| c.kind == "mail" && c.enabled);
    let page = Send {
        page: Page::new(browser, "/reports", &format!("Send {}", w.report.title))
            .crumb("/reports", "Reports")
            .crumb(format!("/reports/{id}"), w.report.label()),
        roles,
        people,
        addresses: report::addresses(app.db(), actor).await?,
        channels,
        deliveries: report::deliveries(app.db(), actor, id).await?,
        approves: actor.lines(Permission::ReportApprove) == Lines::All,
        sets: actor.lines(Permission::SettingsWrite) == Lines::All,
        leaves: report::may_leave(&w.report.tlp),
        w,
        to,
        done,
        wrong,
    };
    Ok(show(&page)?.into_response())
}

pub async fn page(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let done = param(&pairs, "done").to_owned();
    shown(&app, &browser, id, Recipients::default(), (done, String::new())).await
}

pub async fn send(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let all = |name: &str| {
        let found: Vec<&str> = pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        found
    };
    let to = Recipients {
        people: all("person").into_iter().filter_map(|v| v.parse().ok()).collect(),
        roles: all("role").into_iter().filter_map(Role::parse).collect(),
        addresses: all("address").into_iter().map(str::to_owned).collect(),
        channel: param(&pairs, "channel").parse().unwrap_or(0),
    };
    match report::send(app.db(), &actor, id, &to).await {
        Ok(1) => Ok(sent(id, "The report goes to 1 recipient.")),
        Ok(n) => Ok(sent(id, &format!("The report goes to {n} recipients."))),
        Err(Error::Rejected { message, .. } | Error::Conflict(message)) => {
            shown(&app, &browser, id, to, (String::new(), format!("Not sent: {message}."))).await
        }
        Err(e) => Err(e.into()),
    }
}

fn sent(id: i64, told: &str) -> Response {
    Redirect::to(&format!("/reports/{id}/send?done={}", encode(told))).into_response()
}

/// A report as a file.
pub async fn file(
    State(app): State<App>,
    browser: Browser,
    Path((id, form)): Path<(i64, String)>,
) -> Result<Response, PageError> {
    let form = As::parse(&form).ok_or_else(|| PageError::not_found("such form"))?;
    let whole = report::report(app.db(), browser.actor(), id).await?;
    let file = export::file(whole, app.site().address.clone(), form).await?;
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    Ok(([(CONTENT_TYPE, file.kind.to_owned()), (CONTENT_DISPOSITION, disposition)], file.bytes)
        .into_response())
}

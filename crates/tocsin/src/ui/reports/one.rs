//! A report as its readers see it, and what moves it on.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::platform::access::{Lines, Permission};
use tocsin_core::report::{self, Section, Whole};

use super::super::asked::{Pairs, param};
use super::super::{Page, encode, filters, show};
use super::sender;
use crate::report::export::{FORMS, Form};
use crate::report::text::{self, Dress};
use crate::report::{parts, period, tlp_words};
use crate::server::{App, Browser, PageError};

/// A section as it is read.
pub struct Read {
    s: Section,
    /// Label and HTML of each text.
    parts: Vec<(&'static str, String)>,
}

/// Sections as they are read.
pub fn read(whole: &Whole) -> Vec<Read> {
    let one = |s: &Section| Read { parts: html(s), s: s.clone() };
    whole.sections.iter().map(one).collect()
}

/// Labels and HTML of a section's texts.
pub fn html(section: &Section) -> Vec<(&'static str, String)> {
    parts(section)
        .into_iter()
        .map(|(_, label, markdown)| (label, text::html(&text::read(markdown), Dress::Page)))
        .collect()
}

#[derive(Template)]
#[template(path = "reports/one.html")]
struct One {
    page: Page,
    w: Whole,
    intro: String,
    sections: Vec<Read>,
    writes: bool,
    approves: bool,
    done: String,
    wrong: String,
}

impl One {
    fn period(&self) -> String {
        period(&self.w)
    }

    fn forms(&self) -> &'static [(Form, &'static str, &'static str, &'static str, &'static str)] {
        &FORMS
    }

    fn tlp_words(&self) -> &'static str {
        tlp_words(&self.w.report.tlp)
    }
}

async fn page(
    app: &App,
    browser: &Browser,
    id: i64,
    (done, wrong): (String, String),
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let w = report::report(app.db(), actor, id).await?;
    let all = |p| actor.lines(p) == Lines::All;
    let page = One {
        page: Page::new(browser, "/reports", &w.report.title).crumb("/reports", "Reports"),
        intro: text::html(&text::read(&w.head.intro), Dress::Page),
        sections: read(&w),
        writes: all(Permission::ReportWrite),
        approves: all(Permission::ReportApprove),
        w,
        done,
        wrong,
    };
    Ok(show(&page)?.into_response())
}

pub async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    page(&app, &browser, id, (param(&pairs, "done").to_owned(), String::new())).await
}

/// Submits, approves, gives back, corrects or removes a report.
pub async fn state(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    axum::Form(pairs): axum::Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let db = app.db();
    let result = match param(&pairs, "do") {
        "submit" => report::submit(db, &actor, id).await.map(|()| "The report waits for approval."),
        "approve" => report::approve(db, &actor, id).await.map(|()| "The report is approved."),
        "reject" => report::reject(db, &actor, id, param(&pairs, "remark"))
            .await
            .map(|()| "The report is with its writers again."),
        "correct" => match report::correct(db, &actor, id).await {
            Ok(new) => return Ok(Redirect::to(&format!("/reports/{new}/edit")).into_response()),
            Err(e) => Err(e),
        },
        "remove" => match report::remove(db, &actor, id).await {
            Ok(()) => {
                let told = encode("The report is removed.");
                return Ok(Redirect::to(&format!("/reports?done={told}")).into_response());
            }
            Err(e) => Err(e),
        },
        _ => Err(Error::Rejected {
            field: "do".to_owned(),
            message: "submit, approve, reject, correct or remove".to_owned(),
        }),
    };
    match result {
        Ok(told) => Ok(Redirect::to(&format!("/reports/{id}?done={}", encode(told))).into_response()),
        Err(Error::Conflict(message) | Error::Rejected { message, .. }) => {
            page(&app, &browser, id, (String::new(), format!("Not done: {message}."))).await
        }
        Err(e) => Err(e.into()),
    }
}

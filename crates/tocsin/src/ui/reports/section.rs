//! Writing one section: plain fields, with what they look like beside them.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::desk::TLPS;
use tocsin_core::report::{self, FIELDS, Section, Text, Whole};

use super::super::asked::{Pairs, param};
use super::super::{Page, encode, filters, show};
use super::one::html;
use super::{sender, typed};
use crate::server::{App, Browser, PageError};

/// A field of the form.
struct Field {
    name: &'static str,
    label: &'static str,
    rows: u8,
    text: String,
    /// What stands in the report where somebody changed it meanwhile.
    theirs: String,
    differs: bool,
}

#[derive(Template)]
#[template(path = "reports/section.html")]
struct Write {
    page: Page,
    w: Whole,
    s: Section,
    fields: Vec<Field>,
    /// Heading and marking that stand in the report where somebody changed them meanwhile.
    theirs: Vec<(&'static str, String)>,
    parts: Vec<(&'static str, String)>,
    /// Address of the section before and behind; empty where there is none.
    before: String,
    behind: String,
    done: String,
    wrong: String,
}

impl Write {
    fn tlps(&self) -> &'static [&'static str] {
        &TLPS
    }
}

async fn shown(
    app: &App,
    browser: &Browser,
    (id, section): (i64, i64),
    typed: Option<Text>,
    (conflict, done, wrong): (bool, String, String),
) -> Result<Response, PageError> {
    let w = report::report(app.db(), browser.actor(), id).await?;
    if w.report.state == "sent" {
        return Ok(Redirect::to(&format!("/reports/{id}#section-{section}")).into_response());
    }
    let at = w.sections.iter().position(|s| s.id == section);
    let at = at.ok_or_else(|| Error::NotFound(format!("section {section} of report {id}")))?;
    let address = |n: Option<usize>| {
        let there = n.and_then(|n| w.sections.get(n));
        there.map_or(String::new(), |s| format!("/reports/{id}/sections/{}", s.id))
    };
    let (before, behind) = (address(at.checked_sub(1)), address(Some(at + 1)));
    let Some(mut s) = w.sections.get(at).cloned() else {
        return Err(Error::NotFound(format!("section {section} of report {id}")).into());
    };
    let there = s.text.clone();
    if let Some(typed) = typed {
        s.text = typed;
    }
    let other = if conflict { s.text.differs(&there) } else { Vec::new() };
    if conflict {
        // whoever has seen both may save theirs
        s.text.version = there.version;
    }
    let field = |(name, label): (&'static str, &'static str)| Field {
        name,
        label,
        rows: if name == "explanation" { 10 } else { 5 },
        text: s.text.field(name).to_owned(),
        theirs: there.field(name).to_owned(),
        differs: other.contains(&name),
    };
    let small = [("heading", "Heading"), ("tlp", "Marking (TLP 2.0)")];
    let page = Write {
        page: Page::new(browser, "/reports", &s.text.heading)
            .crumb("/reports", "Reports")
            .crumb(format!("/reports/{id}"), w.report.label())
            .crumb(format!("/reports/{id}/edit"), "Edit"),
        fields: FIELDS.into_iter().map(field).collect(),
        theirs: small
            .into_iter()
            .filter(|(name, _)| other.contains(name))
            .map(|(name, label)| (label, there.field(name).to_owned()))
            .collect(),
        parts: html(&s),
        s,
        w,
        before,
        behind,
        done,
        wrong,
    };
    Ok(show(&page)?.into_response())
}

pub async fn page(
    State(app): State<App>,
    browser: Browser,
    Path(place): Path<(i64, i64)>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let done = param(&pairs, "done").to_owned();
    shown(&app, &browser, place, None, (false, done, String::new())).await
}

/// Saves the section, or shows what it looks like.
pub async fn write(
    State(app): State<App>,
    browser: Browser,
    Path((id, section)): Path<(i64, i64)>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let text = |name: &str| typed(param(&pairs, name));
    let new = Text {
        heading: text("heading"),
        explanation: text("explanation"),
        impact: text("impact"),
        done: text("done"),
        recommendation: text("recommendation"),
        references: text("references"),
        tlp: text("tlp"),
        version: text("version").parse().unwrap_or(-1),
    };
    let place = (id, section);
    if param(&pairs, "do") == "preview" {
        let note = "This is what it looks like; it is not saved yet.".to_owned();
        return shown(&app, &browser, place, Some(new), (false, note, String::new())).await;
    }
    match report::set_section(app.db(), &actor, place, &new).await {
        Ok(()) => {
            let told = encode("The section is saved.");
            Ok(Redirect::to(&format!("/reports/{id}/sections/{section}?done={told}")).into_response())
        }
        Err(Error::Rejected { field, message }) => {
            let wrong = format!("{field}: {message}");
            shown(&app, &browser, place, Some(new), (false, String::new(), wrong)).await
        }
        Err(Error::Conflict(wrong)) => {
            shown(&app, &browser, place, Some(new), (true, String::new(), wrong)).await
        }
        Err(e) => Err(e.into()),
    }
}

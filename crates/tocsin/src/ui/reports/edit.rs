//! Writing a report as a whole: its head, its sections and their order, its history.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::desk::TLPS;
use tocsin_core::report::{self, Edition, FIELDS, Head, LANGUAGES, Text, Whole};

use super::super::asked::{Pairs, param};
use super::super::{Answer, Page, encode, filters, show};
use super::{sender, typed};
use crate::report::text::{self, Dress};
use crate::server::{App, Browser, PageError};

#[derive(Template)]
#[template(path = "reports/edit.html")]
struct Edit {
    page: Page,
    w: Whole,
    /// The head as it stands in the form.
    head: Head,
    /// What stands in the report where that is another than in the form: label and text.
    theirs: Vec<(&'static str, String)>,
    intro: String,
    history: Vec<Edition>,
    heading: String,
    done: String,
    wrong: String,
}

impl Edit {
    fn tlps(&self) -> &'static [&'static str] {
        &TLPS
    }

    fn languages(&self) -> &'static [(&'static str, &'static str)] {
        &LANGUAGES
    }
}

const HEAD: [(&str, &str); 6] = [
    ("title", "Title"),
    ("first", "First day"),
    ("last", "Last day"),
    ("language", "Language of dates"),
    ("intro", "Introduction"),
    ("tlp", "Marking (TLP 2.0)"),
];

/// What a form holds and what it says: head or heading that were typed, what was done, what is wrong.
#[derive(Default)]
struct Said {
    head: Option<Head>,
    conflict: bool,
    heading: String,
    done: String,
    wrong: String,
}

async fn shown(app: &App, browser: &Browser, id: i64, said: Said) -> Result<Response, PageError> {
    let actor = browser.actor();
    let w = report::report(app.db(), actor, id).await?;
    if w.report.state == "sent" {
        return Ok(Redirect::to(&format!("/reports/{id}")).into_response());
    }
    let mut head = said.head.unwrap_or_else(|| w.head.clone());
    let mut theirs = Vec::new();
    if said.conflict {
        let other = head.differs(&w.head);
        theirs = HEAD
            .into_iter()
            .filter(|(name, _)| other.contains(name))
            .map(|(name, label)| (label, w.head.field(name).to_owned()))
            .collect();
        // whoever has seen both may save theirs
        head.version = w.head.version;
    }
    let page = Edit {
        page: Page::new(browser, "/reports", &w.report.title)
            .crumb("/reports", "Reports")
            .crumb(format!("/reports/{id}"), w.report.label()),
        intro: text::html(&text::read(&head.intro), Dress::Page),
        history: report::history(app.db(), actor, id).await?,
        head,
        theirs,
        w,
        heading: said.heading,
        done: said.done,
        wrong: said.wrong,
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
    shown(&app, &browser, id, Said { done, ..Said::default() }).await
}

fn to(id: i64, told: &str) -> Response {
    Redirect::to(&format!("/reports/{id}/edit?done={}", encode(told))).into_response()
}

/// Saves the head, or shows what its introduction looks like.
pub async fn head(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let text = |name: &str| typed(param(&pairs, name));
    let new = Head {
        title: text("title"),
        first: text("first"),
        last: text("last"),
        language: text("language"),
        intro: text("intro"),
        tlp: text("tlp"),
        version: text("version").parse().unwrap_or(-1),
    };
    if param(&pairs, "do") == "preview" {
        return shown(&app, &browser, id, Said { head: Some(new), ..Said::default() }).await;
    }
    match report::set_head(app.db(), &actor, id, &new).await {
        Ok(()) => Ok(to(id, "The head of the report is saved.")),
        Err(Error::Rejected { field, message }) => {
            let wrong = format!("{field}: {message}");
            shown(&app, &browser, id, Said { head: Some(new), wrong, ..Said::default() }).await
        }
        Err(Error::Conflict(wrong)) => {
            let said = Said { head: Some(new), conflict: true, wrong, ..Said::default() };
            shown(&app, &browser, id, said).await
        }
        Err(e) => Err(e.into()),
    }
}

/// Adds a section without a story, or one of a story by its number or address.
pub async fn add(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let heading = typed(param(&pairs, "heading"));
    let number = heading.rsplit('/').next().and_then(|n| n.parse::<i64>().ok());
    let result = match number {
        Some(story) => report::pick(app.db(), &actor, id, story).await,
        None => report::add(app.db(), &actor, id, &heading).await,
    };
    match result {
        Ok(section) => Ok(Redirect::to(&format!("/reports/{id}/sections/{section}")).into_response()),
        Err(Error::Rejected { message, .. } | Error::Conflict(message)) => {
            let wrong = format!("Not added: {message}.");
            shown(&app, &browser, id, Said { heading, wrong, ..Said::default() }).await
        }
        Err(Error::NotFound(what)) if number.is_some() && what.starts_with("story") => {
            let wrong = format!("Not added: {what} was not found.");
            shown(&app, &browser, id, Said { heading, wrong, ..Said::default() }).await
        }
        Err(e) => Err(e.into()),
    }
}

/// Moves a section, or removes it.
pub async fn shift(
    State(app): State<App>,
    browser: Browser,
    Path((id, section)): Path<(i64, i64)>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let result = match param(&pairs, "to").parse::<i64>() {
        Ok(place) => {
            report::move_to(app.db(), &actor, (id, section), place).await.map(|()| "The section is moved.")
        }
        Err(_) if param(&pairs, "to") == "remove" => {
            let gone = report::remove_section(app.db(), &actor, (id, section)).await;
            gone.map(|()| "The section is removed; its text stays in the history.")
        }
        Err(_) => Err(Error::Rejected { field: "to".to_owned(), message: "a place, or remove".to_owned() }),
    };
    match result {
        Ok(told) => Ok(to(id, told)),
        Err(Error::Rejected { message, .. } | Error::Conflict(message)) => {
            let wrong = format!("Not done: {message}.");
            shown(&app, &browser, id, Said { wrong, ..Said::default() }).await
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Template)]
#[template(path = "reports/edition.html")]
struct Past {
    page: Page,
    id: i64,
    e: Edition,
    texts: Vec<(String, String)>,
}

/// What was written in an edition.
pub async fn edition(State(app): State<App>, browser: Browser, Path((id, n)): Path<(i64, i64)>) -> Answer {
    let actor = browser.actor();
    let e = report::edition(app.db(), actor, id, n).await?;
    let w = report::report(app.db(), actor, id).await?;
    let mut texts: Vec<(String, String)> = Vec::new();
    if let Ok(text) = serde_json::from_str::<Text>(&e.body) {
        texts.push(("Heading".to_owned(), text.heading.clone()));
        texts.extend(FIELDS.into_iter().map(|(name, label)| (label.to_owned(), text.field(name).to_owned())));
    } else if let Ok(head) = serde_json::from_str::<Head>(&e.body) {
        texts.extend(HEAD.into_iter().map(|(name, label)| (label.to_owned(), head.field(name).to_owned())));
    }
    texts.retain(|t| !t.1.is_empty());
    let page = Page::new(&browser, "/reports", &format!("Edition {n}"))
        .crumb("/reports", "Reports")
        .crumb(format!("/reports/{id}"), w.report.label());
    show(&Past { page, id, e, texts })
}

//! One story with everything, and what analysts do with it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::desk::{self, Affected, Note, Piece, STATES, Shown, TLPS};
use tocsin_core::platform::access::Permission;
use tocsin_engine::relevance::Vote;

use super::super::asked::{Pairs, param};
use super::super::{Page, encode, filters, show};
use super::{back, sender};
use crate::server::{App, Browser, PageError};

#[derive(Template)]
#[template(path = "desk/one.html")]
struct One {
    page: Page,
    s: Shown,
    note: Note,
    tags: String,
    writes: bool,
    reports: bool,
    done: String,
    wrong: String,
}

/// A part of an item's text: plain, or something that it names.
struct Part {
    text: String,
    kind: String,
    why: String,
}

impl One {
    fn states(&self) -> &'static [&'static str] {
        &STATES
    }

    fn tlps(&self) -> &'static [&'static str] {
        &TLPS
    }

    /// What was said of it, for those who only read.
    fn said(&self) -> Vec<(&'static str, &str)> {
        let n = &self.note;
        let all = [
            ("Summary", n.summary.as_str()),
            ("Assessment", n.assessment.as_str()),
            ("Impact on our products", n.impact.as_str()),
            ("Recommendation", n.recommendation.as_str()),
            ("What was done", n.done.as_str()),
        ];
        all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }

    /// The text of an item with what it names marked.
    fn parts(&self, piece: &Piece) -> Vec<Part> {
        let begin = piece.title.len() + 1;
        let plain = |text: &str| Part { text: text.to_owned(), kind: String::new(), why: String::new() };
        let (mut parts, mut at) = (Vec::new(), 0);
        for (kind, value, why, (start, end)) in &piece.named {
            let Some((start, end)) = start.checked_sub(begin).zip(end.checked_sub(begin)) else { continue };
            let (Some(before), Some(text)) = (piece.text.get(at..start), piece.text.get(start..end)) else {
                continue;
            };
            parts.push(plain(before));
            let why = format!("{kind} {value}: {why}");
            parts.push(Part { text: text.to_owned(), kind: kind.clone(), why });
            at = end;
        }
        parts.push(plain(piece.text.get(at..).unwrap_or_default()));
        parts
    }

    fn reliability(&self, piece: &Piece) -> String {
        format!(
            "{}{}: source {}, information {}",
            piece.reliability,
            piece.credibility,
            desk::reliability(&piece.reliability),
            desk::credibility(piece.credibility)
        )
    }

    /// The findings of a product that the story is about.
    fn findings(&self, a: &Affected) -> String {
        let ids: Vec<String> =
            self.s.story.ids.iter().take(20).map(|id| format!("vulnerability:{id}")).collect();
        let q = format!("product:\"{}\" ({})", a.name.replace('"', " "), ids.join(" OR "));
        format!("/findings?group=none&q={}", encode(&q))
    }
}

async fn page(
    app: &App,
    browser: &Browser,
    id: i64,
    typed: Option<Note>,
    (done, wrong): (String, String),
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let s = desk::story(app.db(), actor, id).await?;
    if s.story.id != id {
        return Ok(Redirect::to(&format!("/stories/{}", s.story.id)).into_response());
    }
    let page = One {
        page: Page::new(browser, "/desk", &s.story.title).crumb("/desk", "Desk"),
        note: typed.unwrap_or_else(|| s.note.clone()),
        tags: s.tags.join(", "),
        writes: actor.may(Permission::DeskWrite),
        reports: actor.may(Permission::ReportWrite),
        s,
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
    page(&app, &browser, id, None, (param(&pairs, "done").to_owned(), String::new())).await
}

/// Back to the story with what was done; a rejection is told there, with nothing that was typed lost.
async fn after(
    app: &App,
    browser: &Browser,
    id: i64,
    result: Result<String, Error>,
    typed: Option<Note>,
) -> Result<Response, PageError> {
    match result {
        Ok(done) => Ok(Redirect::to(&format!("/stories/{id}?done={}", encode(&done))).into_response()),
        Err(Error::Rejected { field, message }) => {
            page(app, browser, id, typed, (String::new(), format!("{field}: {message}"))).await
        }
        Err(Error::Conflict(message)) => page(app, browser, id, typed, (String::new(), message)).await,
        Err(e) => Err(e.into()),
    }
}

pub async fn vote(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let (result, told) = match param(&pairs, "do") {
        "like" => (desk::vote(app.db(), &actor, id, Vote::Like).await, "Liked"),
        "dislike" => (desk::vote(app.db(), &actor, id, Vote::Dislike).await, "Disliked"),
        _ => (desk::unvote(app.db(), &actor, id).await, "Your vote is taken back"),
    };
    result?;
    let told = format!("{told}; stories are weighed again.");
    let to = back(param(&pairs, "back"), "");
    if to.is_empty() {
        return after(&app, &browser, id, Ok(told), None).await;
    }
    let sign = if to.contains('?') { '&' } else { '?' };
    Ok(Redirect::to(&format!("{to}{sign}done={}#story-{id}", encode(&told))).into_response())
}

pub async fn state(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let to = param(&pairs, "state");
    let result = desk::set_state(app.db(), &actor, id, to).await.map(|()| format!("The story is {to}."));
    after(&app, &browser, id, result, None).await
}

#[derive(Deserialize)]
pub struct Typed {
    csrf: String,
    #[serde(flatten)]
    note: Text,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    assessment: String,
    #[serde(default)]
    impact: String,
    #[serde(default)]
    recommendation: String,
    #[serde(default)]
    done: String,
    #[serde(default)]
    tlp: String,
    #[serde(default)]
    version: String,
}

pub async fn note(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(typed): Form<Typed>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, &typed.csrf)?;
    let text = |t: &str| t.trim().replace("\r\n", "\n");
    let t = typed.note;
    let new = Note {
        summary: text(&t.summary),
        assessment: text(&t.assessment),
        impact: text(&t.impact),
        recommendation: text(&t.recommendation),
        done: text(&t.done),
        tlp: t.tlp,
        version: t.version.parse().unwrap_or_default(),
    };
    let result = desk::note(app.db(), &actor, id, &new).await.map(|()| "The assessment is saved.".to_owned());
    after(&app, &browser, id, result, Some(new)).await
}

pub async fn tags(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let tags: Vec<String> = param(&pairs, "tags").split(',').map(|t| t.trim().to_owned()).collect();
    let result = desk::tag(app.db(), &actor, id, &tags).await.map(|()| "The tags are saved.".to_owned());
    after(&app, &browser, id, result, None).await
}

pub async fn merge(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let typed = param(&pairs, "with").trim();
    let number = typed.rsplit('/').next().unwrap_or(typed);
    let other = number.parse::<i64>().map_err(|_| Error::Rejected {
        field: "with".to_owned(),
        message: "the number of the other story, or its address".to_owned(),
    });
    let result = match other {
        Ok(other) => desk::merge(app.db(), &actor, &[id, other]).await,
        Err(e) => Err(e),
    };
    match result {
        Ok(kept) => after(&app, &browser, kept, Ok("The stories are one.".to_owned()), None).await,
        Err(Error::NotFound(what)) => {
            let message = format!("{what} was not found");
            after(&app, &browser, id, Err(Error::Rejected { field: "with".to_owned(), message }), None).await
        }
        Err(e) => after(&app, &browser, id, Err(e), None).await,
    }
}

pub async fn split(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let items: Vec<i64> =
        pairs.iter().filter(|(n, _)| n == "item").filter_map(|(_, v)| v.parse().ok()).collect();
    match desk::split(app.db(), &actor, id, &items).await {
        Ok(new) => {
            after(&app, &browser, new, Ok("The items are a story of their own.".to_owned()), None).await
        }
        Err(e) => after(&app, &browser, id, Err(e), None).await,
    }
}

//! A finding: why it is one, what happened to it, where it is deployed, and the decision on it.

use askama::Template;
use axum::Form as Posted;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::detection::{self, Evidence, Finding, Story};
use tocsin_core::inventory::{self, Deployment, Release};
use tocsin_core::notify::{self, Message};
use tocsin_core::platform::change::Change;

use super::super::asked::{Pairs, param};
use super::super::decisions::Panel;
use super::super::{Answer, Page, filters, show};
use super::{Wanted, done};
use crate::server::{App, Browser, PageError, now};

#[derive(Template)]
#[template(path = "findings/one.html")]
struct One {
    page: Page,
    release: Release,
    f: Finding,
    evidence: Vec<Evidence>,
    history: Vec<Story>,
    deployments: Vec<Deployment>,
    told: Vec<Message>,
    panel: Panel,
    done: String,
}

#[derive(Template)]
#[template(path = "findings/peek.html")]
struct Peek {
    csrf: String,
    f: Finding,
    evidence: Vec<Evidence>,
    panel: Panel,
}

async fn page(
    app: &App,
    browser: &Browser,
    id: i64,
    (form, like): (Option<Wanted>, Option<i64>),
    wrong: String,
    done: String,
) -> Answer {
    let actor = browser.actor();
    let (f, evidence) = detection::finding(app.db(), actor, id).await?;
    show(&One {
        page: Page::new(browser, "/findings", &format!("{} in {}", f.vulnerability, f.component_name))
            .crumb("/findings", "Findings"),
        release: inventory::release_of(app.db(), actor, f.release).await?,
        history: detection::history(app.db(), actor, id).await?,
        deployments: inventory::deployments(app.db(), actor, f.release).await?,
        told: notify::messages_of_finding(app.db(), actor, id).await?,
        panel: Panel::of(app, actor, &f, form, like, wrong).await?,
        f,
        evidence,
        done,
    })
}

pub async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(pairs): Query<Pairs>,
) -> Answer {
    let done = done(&pairs);
    let like = param(&pairs, "like").parse().ok();
    page(&app, &browser, id, (None, like), String::new(), done).await
}

/// A finding beside the list it stands in: a piece of a page.
pub async fn peek(State(app): State<App>, browser: Browser, Path(id): Path<i64>) -> Answer {
    let actor = browser.actor();
    let (f, evidence) = detection::finding(app.db(), actor, id).await?;
    let panel = Panel::of(&app, actor, &f, None, None, String::new()).await?;
    show(&Peek { csrf: browser.known.csrf.clone(), panel, f, evidence })
}

/// A page of ours to come back to; nothing that leads elsewhere.
fn back(asked: &str) -> Option<&str> {
    let own = asked == "/findings"
        || asked.starts_with("/findings?")
        || asked
            .strip_prefix("/releases/")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (own && !asked.contains(['\\', '\r', '\n'])).then_some(asked)
}

pub async fn decide(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Posted(form): Posted<Wanted>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let changed = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        let changed = detection::decide(&mut change, id, &form.decision()).await?;
        change.commit().await?;
        Ok::<u64, Error>(changed)
    };
    match changed.await {
        Ok(changed) => {
            let there = match back(&form.back) {
                Some(back) => {
                    format!("{back}{}decided={changed}", if back.contains('?') { "&" } else { "?" })
                }
                None => format!("/findings/{id}?decided={changed}"),
            };
            Ok(Redirect::to(&there).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            Ok(page(&app, &browser, id, (Some(form), None), message, String::new()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_own_pages_alone() {
        for (asked, own) in [
            ("/findings", true),
            ("/findings?q=kev%3Atrue", true),
            ("/releases/3?tab=findings", true),
            ("", false),
            ("//evil.example", false),
            ("https://evil.example", false),
            ("/findings/../x\r\nX: y", false),
            ("/releases/x", false),
            ("/sign-out", false),
        ] {
            assert_eq!(back(asked).is_some(), own, "{asked}");
        }
    }
}

//! What the workspace follows: industries, interests, weights, and what was learned from votes.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::desk::{self, Cast, Counted, Profile, WEIGHTS};
use tocsin_core::platform::access::Permission;
use tocsin_engine::relevance::{Interest, Subject, Weights, industries as all_industries};

use super::super::asked::{Pairs, param};
use super::super::{Page, encode, filters, show};
use super::sender;
use crate::server::{App, Browser, PageError};

/// Votes that are listed.
const VOTES: u64 = 50;
/// Features that are listed.
const COUNTS: usize = 60;

#[derive(Template)]
#[template(path = "desk/follow.html")]
struct Follow {
    page: Page,
    p: Profile,
    typed: Interest,
    any: String,
    without: String,
    votes: Vec<Cast>,
    counts: Vec<Counted>,
    next: Option<i64>,
    writes: bool,
    done: String,
    wrong: String,
}

impl Follow {
    fn industries(&self) -> &'static [Subject] {
        all_industries()
    }

    /// Name, meaning and value of each weight; the parts of a code one by one.
    fn weights(&self) -> Vec<(String, String, String)> {
        weights(&self.p.weights)
    }
}

fn weights(of: &Weights) -> Vec<(String, String, String)> {
    let value = serde_json::to_value(of).unwrap_or_default();
    let mut rows = Vec::new();
    for (name, what) in WEIGHTS.iter().filter(|w| w.0 != "reliability") {
        rows.push((
            (*name).to_owned(),
            (*what).to_owned(),
            value.get(*name).map_or(String::new(), ToString::to_string),
        ));
    }
    for (name, what) in [
        ("reliability", "the source is of reliability"),
        ("credibility", "the information is of credibility"),
    ] {
        let list = value.get(name).and_then(|v| v.as_array()).cloned().unwrap_or_default();
        for (n, part) in list.iter().enumerate() {
            let code = if name == "reliability" {
                char::from(b'A' + n as u8).to_string()
            } else {
                (n + 1).to_string()
            };
            rows.push((format!("{name}-{n}"), format!("{what} {code}"), part.to_string()));
        }
    }
    rows
}

async fn shown(
    app: &App,
    browser: &Browser,
    typed: Option<Interest>,
    below: Option<i64>,
    (done, wrong): (String, String),
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let votes = desk::cast(app.db(), actor, below, VOTES).await?;
    let mut counts = desk::counts(app.db(), actor).await?;
    counts.truncate(COUNTS);
    let typed =
        typed.unwrap_or(Interest { name: String::new(), any: Vec::new(), without: Vec::new(), weight: 1.0 });
    let page = Follow {
        page: Page::new(browser, "/desk", "What we follow").crumb("/desk", "Desk"),
        p: desk::profile(app.db(), actor).await?,
        any: typed.any.join("\n"),
        without: typed.without.join("\n"),
        typed,
        next: votes.last().filter(|_| votes.len() as u64 == VOTES).map(|v| v.id),
        votes,
        counts,
        writes: actor.may(Permission::DeskWrite),
        done,
        wrong,
    };
    Ok(show(&page)?.into_response())
}

pub async fn page(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let mut typed = None;
    let edit = param(&pairs, "edit");
    if !edit.is_empty() {
        let profile = desk::profile(app.db(), browser.actor()).await?;
        typed = profile.interests.into_iter().find(|i| i.name == edit);
    }
    let below = param(&pairs, "below").parse().ok();
    shown(&app, &browser, typed, below, (param(&pairs, "done").to_owned(), String::new())).await
}

/// Writes what is followed, or shows the page with what was wrong.
async fn write(
    app: &App,
    browser: &Browser,
    actor: &tocsin_core::platform::access::Actor,
    (new, typed): (Profile, Option<Interest>),
    told: &str,
) -> Result<Response, PageError> {
    match desk::set_profile(app.db(), actor, &new).await {
        Ok(()) => Ok(Redirect::to(&format!("/desk/follow?done={}", encode(told))).into_response()),
        Err(Error::Rejected { field, message }) => {
            shown(app, browser, typed, None, (String::new(), format!("{field}: {message}"))).await
        }
        Err(Error::Conflict(message)) => shown(app, browser, typed, None, (String::new(), message)).await,
        Err(e) => Err(e.into()),
    }
}

async fn current(app: &App, browser: &Browser, pairs: &Pairs) -> Result<Profile, PageError> {
    let mut profile = desk::profile(app.db(), browser.actor()).await?;
    profile.version = param(pairs, "version").parse().unwrap_or(-1);
    Ok(profile)
}

fn phrases(text: &str) -> Vec<String> {
    text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect()
}

/// Adds an interest, changes the one of this name, or removes it.
pub async fn interests(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let mut profile = current(&app, &browser, &pairs).await?;
    let name = param(&pairs, "name").trim().to_owned();
    if param(&pairs, "do") == "remove" {
        profile.interests.retain(|i| i.name != name);
        return write(&app, &browser, &actor, (profile, None), "The interest is removed.").await;
    }
    let new = Interest {
        name: name.clone(),
        any: phrases(param(&pairs, "any")),
        without: phrases(param(&pairs, "without")),
        weight: param(&pairs, "weight").trim().parse().unwrap_or(f64::NAN),
    };
    match profile.interests.iter_mut().find(|i| i.name == name) {
        Some(known) => *known = new.clone(),
        None => profile.interests.push(new.clone()),
    }
    let told = "The interest is saved; stories are weighed again.";
    write(&app, &browser, &actor, (profile, Some(new)), told).await
}

pub async fn industries(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let mut profile = current(&app, &browser, &pairs).await?;
    profile.industries = pairs.iter().filter(|(n, _)| n == "industry").map(|(_, v)| v.clone()).collect();
    let told = "The industries are saved; stories are weighed again.";
    write(&app, &browser, &actor, (profile, None), told).await
}

/// Sets the weights; an empty field has its default.
fn weights_of(profile: &mut Profile, pairs: &Pairs) -> Result<(), Error> {
    let usual = serde_json::to_value(Weights::default()).unwrap_or_default();
    let mut value = serde_json::to_value(&profile.weights).unwrap_or_default();
    for (name, _, _) in weights(&profile.weights) {
        let typed = param(pairs, &name).trim();
        let (key, place) = match name.split_once('-') {
            Some((key, n)) => (key, n.parse::<usize>().ok()),
            None => (name.as_str(), None),
        };
        let read = || typed.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
        let number = match (typed, place) {
            ("", Some(n)) => usual[key][n].clone(),
            ("", None) => usual[key].clone(),
            _ => read().map(serde_json::Value::Number).ok_or_else(|| Error::Rejected {
                field: name.clone(),
                message: format!("`{typed}` is no number"),
            })?,
        };
        match place {
            Some(n) => value[key][n] = number,
            None => value[key] = number,
        }
    }
    profile.weights = serde_json::from_value(value)
        .map_err(|e| Error::Rejected { field: "weights".to_owned(), message: e.to_string() })?;
    Ok(())
}

pub async fn weights_form(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let mut profile = current(&app, &browser, &pairs).await?;
    if param(&pairs, "do") == "default" {
        profile.weights = Weights::default();
    } else if let Err(e) = weights_of(&mut profile, &pairs) {
        return shown(&app, &browser, None, None, (String::new(), e.to_string())).await;
    }
    write(&app, &browser, &actor, (profile, None), "The weights are saved; stories are weighed again.").await
}

pub async fn revoke(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    desk::revoke(app.db(), &actor, id).await?;
    let told = encode("The vote is taken back; stories are weighed again.");
    Ok(Redirect::to(&format!("/desk/follow?done={told}#votes")).into_response())
}

//! One decision for many findings: those ticked, those of ticked vulnerabilities, or all that a filter finds.

use std::collections::HashSet;

use askama::Template;
use axum::Form as Posted;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::{self, Decision, JUSTIFICATIONS, MOST, Reach, STATUSES};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::query::{Total, grouped};
use tocsin_model::query::{Filter, Op, Test, Value};

use super::super::asked::{Asked, Pairs, param};
use super::super::{Page, filters, releases, show};
use super::{REACHES, asked, list};
use crate::server::{App, Browser, PageError, now};

/// A decision as a form asks for it.
#[derive(Deserialize, Default, Clone)]
pub struct Wanted {
    /// The session's token.
    #[serde(default)]
    pub csrf: String,
    /// See [`Decision`].
    pub status: String,
    /// See [`Decision`].
    pub justification: String,
    /// See [`Decision`].
    #[serde(default)]
    pub response: String,
    /// See [`Decision`].
    pub reach: String,
    /// See [`Decision`].
    pub detail: String,
    /// Day, or empty.
    #[serde(default)]
    pub expires: String,
    /// Page to come back to, on this server.
    #[serde(default)]
    pub back: String,
}

impl Wanted {
    /// The decision that it asks for.
    pub fn decision(&self) -> Decision {
        let expires = self.expires.trim();
        Decision {
            status: self.status.clone(),
            justification: self.justification.clone(),
            response: self.response.clone(),
            detail: self.detail.trim().to_owned(),
            reach: Reach::parse(&self.reach).unwrap_or(Reach::Finding),
            expires: (!expires.is_empty()).then(|| expires.to_owned()),
        }
    }
}

/// What the list says and keeps of a decision for many.
#[derive(Default)]
pub struct Bulk {
    pub form: Wanted,
    pub ticked: HashSet<i64>,
    pub flaws: HashSet<String>,
    /// Everything that the filter finds.
    pub all: bool,
    /// The number the reader has seen and confirmed.
    pub confirmed: Option<u64>,
    /// The release whose tab the list is on.
    pub release: Option<i64>,
    pub done: String,
    pub wrong: String,
}

impl Bulk {
    fn read(fields: Vec<(String, String)>) -> Bulk {
        let mut bulk = Bulk::default();
        for (name, value) in fields {
            match name.as_str() {
                "csrf" => bulk.form.csrf = value,
                "to" => bulk.form.status = value,
                "justification" => bulk.form.justification = value,
                "reach" => bulk.form.reach = value,
                "detail" => bulk.form.detail = value,
                "finding" => bulk.ticked.extend(value.parse::<i64>()),
                "flaw" => {
                    bulk.flaws.insert(value);
                }
                "all" => bulk.all = true,
                "confirmed" => bulk.confirmed = value.parse().ok(),
                "release" => bulk.release = value.parse().ok(),
                _ => {}
            }
        }
        bulk
    }

    /// What the statuses, justifications and reaches are, for the form.
    pub fn statuses(&self) -> &'static [&'static str] {
        &STATUSES
    }

    pub fn justifications(&self) -> &'static [&'static str] {
        &JUSTIFICATIONS
    }

    pub fn reaches(&self) -> &'static [(&'static str, &'static str)] {
        &REACHES
    }
}

#[derive(Template)]
#[template(path = "findings/confirm.html")]
struct Confirm {
    page: Page,
    asked: Asked,
    back: String,
    form: Wanted,
    release: Option<i64>,
    found: u64,
    number: String,
    reach: &'static str,
    changed: bool,
}

/// Decides, all or none; then shows the list as it was filtered.
pub async fn decide_all(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
    Posted(fields): Posted<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let mut bulk = Bulk::read(fields);
    browser.check(&bulk.form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    // said before anything else is asked of the form: who may not decide at all needs no help with its fields
    actor.need(Permission::FindingDecide)?;
    let path = bulk.release.map_or_else(|| "/findings".to_owned(), |id| format!("/releases/{id}"));
    let a = asked(path, &pairs);
    let found = match wanted(&app, &actor, &a, &bulk).await {
        Ok(found) => found,
        Err(Error::Rejected { message, .. }) => {
            bulk.wrong = message;
            return again(&app, &browser, &pairs, bulk).await;
        }
        Err(e) => return Err(e.into()),
    };
    if bulk.all && bulk.confirmed != Some(found.len() as u64) {
        let n = found.len() as u64;
        let what = |(name, what): &(&str, &'static str)| (*name == bulk.form.reach).then_some(*what);
        let page = Confirm {
            page: Page::new(&browser, "/findings", "Decide all that the filter finds")
                .crumb("/findings", "Findings"),
            back: a.here(),
            asked: a,
            reach: REACHES.iter().find_map(what).unwrap_or_default(),
            release: bulk.release,
            found: n,
            number: grouped(n),
            changed: bulk.confirmed.is_some(),
            form: bulk.form,
        };
        return Ok(show(&page)?.into_response());
    }
    let decided = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        let changed = detection::decide_all(&mut change, &found, &bulk.form.decision()).await?;
        change.commit().await?;
        Ok::<u64, Error>(changed)
    };
    match decided.await {
        Ok(changed) => {
            let mut there = a.pairs(&a.query);
            if !param(&pairs, "after").is_empty() && !bulk.all {
                there.push(("after".to_owned(), param(&pairs, "after").to_owned()));
            }
            there.push(("decided".to_owned(), changed.to_string()));
            let there = format!("{}?{}", a.path, super::super::asked::written(&there));
            Ok(Redirect::to(&there).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            bulk.wrong = message;
            again(&app, &browser, &pairs, bulk).await
        }
        Err(e) => Err(e.into()),
    }
}

/// The page again, with what was typed and what is wrong with it.
async fn again(app: &App, browser: &Browser, pairs: &Pairs, bulk: Bulk) -> Result<Response, PageError> {
    Ok(match bulk.release {
        Some(id) => releases::findings_again(app, browser, id, pairs, bulk).await?.into_response(),
        None => list::table(app, browser, pairs, bulk).await?.into_response(),
    })
}

/// Ids of the findings that a decision is for.
async fn wanted(
    app: &App,
    actor: &tocsin_core::platform::access::Actor,
    a: &Asked,
    bulk: &Bulk,
) -> Result<Vec<i64>, Error> {
    let rejected = |message: String| Error::Rejected { field: "finding".to_owned(), message };
    if !bulk.all && bulk.flaws.is_empty() {
        return Ok(bulk.ticked.iter().copied().collect());
    }
    if !a.wrong.is_empty() {
        return Err(rejected(format!("the filter cannot be read: {}", a.wrong)));
    }
    let mut query = a.query.clone();
    if !bulk.all {
        let mut flaws: Vec<&String> = bulk.flaws.iter().collect();
        flaws.sort();
        let values = flaws.into_iter().map(|id| Value::Text(id.replace('*', ""))).collect();
        query = query.and(Filter::Test(Test { field: "vulnerability", op: Op::Has, values }));
    }
    let found = detection::ids(app.db(), actor, bulk.release, &query, MOST as u64).await?;
    if found.is_empty() {
        return Err(rejected("the filter finds nothing that you may decide".to_owned()));
    }
    if found.len() > MOST {
        return Err(rejected(format!(
            "the filter finds more than {} findings, which is the most that are decided at once; narrow it down",
            Total { n: MOST as u64, more: false }
        )));
    }
    Ok(found)
}

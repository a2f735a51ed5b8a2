//! One decision, or one owner and due date, for many findings: those ticked, those of ticked vulnerabilities, or all
//! that a filter finds.

use std::collections::HashSet;

use askama::Template;
use axum::Form as Posted;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::{self, Decision, JUSTIFICATIONS, MOST, Ownership, Reach, STATUSES};
use tocsin_core::platform::access::{Actor, Permission};
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
    /// The owner to be given: a person's id, `nobody`, or empty where it stays.
    pub owner: String,
    /// The due day to be given, or empty where it stays.
    pub due: String,
    /// The due day is taken away.
    pub undue: bool,
    /// Who can be an owner.
    pub people: Vec<(i64, String)>,
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
                "owner" => bulk.owner = value,
                "due" => bulk.due = value.trim().to_owned(),
                "undue" => bulk.undue = true,
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

    /// The list that the form is of.
    fn asked(&self, pairs: &Pairs) -> Asked {
        asked(self.release.map_or_else(|| "/findings".to_owned(), |id| format!("/releases/{id}")), pairs)
    }

    /// With the people who can be owners, where the actor may choose one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn with_people(mut self, app: &App, actor: &Actor) -> Result<Bulk, Error> {
        if actor.may(Permission::FindingDecide) {
            self.people = detection::owners(app.db(), actor).await?;
        }
        Ok(self)
    }

    /// An owner or a due date was chosen.
    pub fn owning(&self) -> bool {
        !self.owner.is_empty() || !self.due.is_empty() || self.undue
    }

    /// This person is the owner that was chosen.
    pub fn chosen(&self, person: &i64) -> bool {
        self.owner == person.to_string()
    }

    /// What the form asks to change of owner and due date.
    fn ownership(&self) -> Result<Ownership, Error> {
        let rejected = |field: &str, message: &str| Error::Rejected {
            field: field.to_owned(),
            message: message.to_owned(),
        };
        let owner = match self.owner.as_str() {
            "" => None,
            "nobody" => Some(None),
            id => {
                let bad = |_| rejected("owner", "the owner is a person of this workspace");
                Some(Some(id.parse::<i64>().map_err(bad)?))
            }
        };
        let due = match (self.due.as_str(), self.undue) {
            ("", false) => None,
            ("", true) => Some(None),
            (_, true) => return Err(rejected("due", "give a due date or take it away, not both")),
            (day, false) => Some(Some(day.to_owned())),
        };
        if owner.is_none() && due.is_none() {
            return Err(rejected("owner", "choose an owner or a due date"));
        }
        Ok(Ownership { owner, due })
    }

    /// Owner and due date as they will be, in words.
    fn ownership_words(&self, o: &Ownership) -> Vec<(&'static str, String)> {
        let mut words = Vec::new();
        if let Some(owner) = o.owner {
            let name = owner.and_then(|id| self.people.iter().find(|p| p.0 == id).map(|p| p.1.clone()));
            words.push(("Owner", name.unwrap_or_else(|| "nobody".to_owned())));
        }
        if let Some(due) = &o.due {
            words.push(("Due", due.clone().unwrap_or_else(|| "no due date".to_owned())));
        }
        words
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
    let a = bulk.asked(&pairs);
    // Enter in one of these fields sends the form by its first button
    if bulk.owning() {
        bulk.wrong =
            "Nothing was decided: an owner or a due date was chosen. Set these with their own button, or \
                      clear them and decide."
                .to_owned();
        return again(&app, &browser, &pairs, bulk).await;
    }
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
        Ok(changed) => Ok(back_to(&a, &pairs, bulk.all, ("decided", changed))),
        Err(Error::Rejected { message, .. }) => {
            bulk.wrong = message;
            again(&app, &browser, &pairs, bulk).await
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Template)]
#[template(path = "findings/own.html")]
struct ConfirmOwner {
    page: Page,
    asked: Asked,
    back: String,
    bulk: Bulk,
    words: Vec<(&'static str, String)>,
    found: u64,
    number: String,
    changed: bool,
}

/// Gives owner and due date, all or none; then shows the list as it was filtered.
pub async fn own_all(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
    Posted(fields): Posted<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let mut bulk = Bulk::read(fields);
    browser.check(&bulk.form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    actor.need(Permission::FindingDecide)?;
    let a = bulk.asked(&pairs);
    let ready = async {
        let ownership = bulk.ownership()?;
        Ok((ownership, wanted(&app, &actor, &a, &bulk).await?))
    };
    let (ownership, found) = match ready.await {
        Ok(ready) => ready,
        Err(Error::Rejected { message, .. }) => {
            bulk.wrong = message;
            return again(&app, &browser, &pairs, bulk).await;
        }
        Err(e) => return Err(e.into()),
    };
    if bulk.all && bulk.confirmed != Some(found.len() as u64) {
        let n = found.len() as u64;
        let bulk = bulk.with_people(&app, &actor).await?;
        let page = ConfirmOwner {
            page: Page::new(&browser, "/findings", "Owner of all that the filter finds")
                .crumb("/findings", "Findings"),
            back: a.here(),
            asked: a,
            words: bulk.ownership_words(&ownership),
            found: n,
            number: grouped(n),
            changed: bulk.confirmed.is_some(),
            bulk,
        };
        return Ok(show(&page)?.into_response());
    }
    let owned = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        let changed = detection::own(&mut change, &found, &ownership).await?;
        change.commit().await?;
        Ok::<u64, Error>(changed)
    };
    match owned.await {
        Ok(changed) => Ok(back_to(&a, &pairs, bulk.all, ("owned", changed))),
        Err(Error::Rejected { message, .. }) => {
            bulk.wrong = message;
            again(&app, &browser, &pairs, bulk).await
        }
        Err(e) => Err(e.into()),
    }
}

/// The list as it was, with what was done; from its beginning where that was done to all of it.
fn back_to(a: &Asked, pairs: &Pairs, all: bool, (what, changed): (&str, u64)) -> Response {
    let mut there = a.pairs(&a.query);
    if !param(pairs, "after").is_empty() && !all {
        there.push(("after".to_owned(), param(pairs, "after").to_owned()));
    }
    there.push((what.to_owned(), changed.to_string()));
    Redirect::to(&format!("{}?{}", a.path, super::super::asked::written(&there))).into_response()
}

/// The page again, with what was typed and what is wrong with it.
async fn again(app: &App, browser: &Browser, pairs: &Pairs, bulk: Bulk) -> Result<Response, PageError> {
    Ok(match bulk.release {
        Some(id) => releases::findings_again(app, browser, id, pairs, bulk).await?.into_response(),
        None => list::table(app, browser, pairs, bulk).await?.into_response(),
    })
}

/// Ids of the findings that a decision is for.
async fn wanted(app: &App, actor: &Actor, a: &Asked, bulk: &Bulk) -> Result<Vec<i64>, Error> {
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
            "the filter finds more than {} findings, which is the most that are changed at once; narrow it down",
            Total { n: MOST as u64, more: false }
        )));
    }
    Ok(found)
}

//! Decisions as a list, those that wait for a second person, one with what it reaches; and what a finding's page says
//! of its decision.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::{
    self, Asked, Finding, JUSTIFICATIONS, Kept, Like, Ownership, RESPONSES, STATUSES, State as Stand,
};
use tocsin_core::inventory::{self, Held};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;

use super::findings::{REACHES, Wanted};
use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/decisions", Access::Needs(Permission::FindingRead)),
    ("GET", "/decisions.csv", Access::Needs(Permission::FindingRead)),
    ("GET", "/decisions/{id}", Access::Needs(Permission::FindingRead)),
    ("POST", "/decisions/{id}/approval", Access::Needs(Permission::DecisionApprove)),
    ("POST", "/decisions/{id}/refusal", Access::Needs(Permission::DecisionApprove)),
    ("POST", "/decisions/{id}/withdrawal", Access::Needs(Permission::FindingDecide)),
    ("POST", "/findings/{id}/owner", Access::Needs(Permission::FindingDecide)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/decisions", get(list))
        .route("/decisions.csv", get(csv))
        .route("/decisions/{id}", get(one))
        .route("/decisions/{id}/approval", post(approve))
        .route("/decisions/{id}/refusal", post(reject))
        .route("/decisions/{id}/withdrawal", post(withdraw))
        .route("/findings/{id}/owner", post(own))
}

const STATES: [(&str, &str); 4] =
    [("standing", "In force"), ("waiting", "Waiting for approval"), ("ended", "Ended"), ("any", "Any")];
/// Rows of one page.
const ROWS: u64 = 100;

/// What a finding's page says of its decision: the one in force, the one that waits, the form, similar ones, the owner.
pub struct Panel {
    pub(super) f: Finding,
    pub(super) kept: Option<Kept>,
    pub(super) proposal: Option<Kept>,
    pub(super) similar: Vec<Like>,
    pub(super) owners: Vec<(i64, String)>,
    pub(super) may_decide: bool,
    /// The decision in force or proposed may be taken back here.
    pub(super) may_withdraw: bool,
    pub(super) form: Wanted,
    pub(super) wrong: String,
    pub(super) statuses: &'static [&'static str],
    pub(super) justifications: &'static [&'static str],
    pub(super) responses: &'static [&'static str],
    pub(super) reaches: &'static [(&'static str, &'static str)],
}

impl Panel {
    /// The panel of a finding; `form` is what was typed, `like` a decision whose words are taken.
    pub async fn of(
        app: &App,
        actor: &Actor,
        f: &Finding,
        form: Option<Wanted>,
        like: Option<i64>,
        wrong: String,
    ) -> Result<Panel, PageError> {
        let kept = told(app, actor, f.decision).await?;
        let proposal = told(app, actor, f.proposal).await?;
        let like = told(app, actor, like).await?;
        let form = match (form, like.as_ref().or(proposal.as_ref()).or(kept.as_ref())) {
            (Some(form), _) => form,
            (None, Some(k)) => Wanted {
                status: k.status.clone(),
                justification: k.justification.clone(),
                response: k.response.clone(),
                detail: k.detail.clone(),
                expires: if like.is_some() { String::new() } else { k.expires.clone().unwrap_or_default() },
                reach: if like.is_some() { "finding".to_owned() } else { k.reach.name().to_owned() },
                ..Wanted::default()
            },
            (None, None) => {
                Wanted { status: f.status.clone(), reach: "finding".to_owned(), ..Wanted::default() }
            }
        };
        Ok(Panel {
            similar: detection::similar(app.db(), actor, f.id, 6).await?,
            owners: detection::owners(app.db(), actor).await?,
            may_decide: actor.need_in(Permission::FindingDecide, f.line).is_ok(),
            may_withdraw: kept.as_ref().or(proposal.as_ref()).is_some_and(|k| may_withdraw(actor, k)),
            f: f.clone(),
            kept,
            proposal,
            form,
            wrong,
            statuses: &STATUSES,
            justifications: &JUSTIFICATIONS,
            responses: &RESPONSES,
            reaches: &REACHES,
        })
    }
}

impl Panel {
    /// Whether a person looks after the finding.
    pub fn owns(&self, person: &i64) -> bool {
        self.f.owner == Some(*person)
    }
}

async fn told(app: &App, actor: &Actor, id: Option<i64>) -> Result<Option<Kept>, PageError> {
    match id {
        None => Ok(None),
        Some(id) => match detection::decision(app.db(), actor, id).await {
            Ok(kept) => Ok(Some(kept)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(e) => Err(e.into()),
        },
    }
}

fn holds(actor: &Actor, permission: Permission, line: i64) -> bool {
    if line == 0 {
        actor.need_everywhere(permission).is_ok()
    } else {
        actor.need_in(permission, line).is_ok()
    }
}

fn may_withdraw(actor: &Actor, k: &Kept) -> bool {
    k.ended.is_none() && holds(actor, Permission::FindingDecide, k.line)
}

/// Waits, and for this person: not their own.
fn may_approve(actor: &Actor, k: &Kept) -> bool {
    k.waits
        && k.ended.is_none()
        && actor.person.is_some()
        && k.author != actor.name
        && holds(actor, Permission::DecisionApprove, k.line)
}

/// What waits for this person's word: decisions of others, unusual uploads.
pub struct Waits {
    /// Decisions that they may approve; the first few of `waiting`.
    pub(super) approvals: Vec<Kept>,
    pub(super) waiting: i64,
    pub(super) held: Vec<Held>,
}

impl Waits {
    /// See [`Waits`].
    pub async fn of(app: &App, actor: &Actor) -> Result<Waits, PageError> {
        let waiting = detection::waiting(app.db(), actor).await?;
        let mut approvals = Vec::new();
        if waiting > 0 {
            let asked = Asked { state: Some(Stand::Waiting), ..Asked::default() };
            approvals = detection::decisions(app.db(), actor, &asked, None, 100).await?;
            approvals.retain(|k| may_approve(actor, k));
            approvals.truncate(8);
        }
        Ok(Waits { approvals, waiting, held: inventory::held(app.db(), actor, None, 8).await? })
    }
}

#[derive(Template)]
#[template(path = "decisions/list.html")]
struct List {
    page: Page,
    list: Vec<Kept>,
    state: String,
    states: &'static [(&'static str, &'static str)],
    status: String,
    statuses: &'static [&'static str],
    text: String,
    waiting: i64,
    query: String,
    next: Option<i64>,
    done: String,
}

fn asked(query: &HashMap<String, String>) -> (String, Asked) {
    let get = |name: &str| query.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    let state = get("state").unwrap_or_else(|| "standing".to_owned());
    let stand = match state.as_str() {
        "waiting" => Some(Stand::Waiting),
        "ended" => Some(Stand::Ended),
        "any" => None,
        _ => Some(Stand::Standing),
    };
    let asked = Asked {
        state: stand,
        status: get("status"),
        text: get("text").unwrap_or_default(),
        expires: get("expires"),
    };
    (state, asked)
}

async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let (state, asked) = asked(&query);
    let below = query.get("below").and_then(|b| b.parse().ok());
    let list = detection::decisions(app.db(), browser.actor(), &asked, below, ROWS).await?;
    let mut parts: Vec<String> = query
        .iter()
        .filter(|(k, v)| !["below", "done"].contains(&k.as_str()) && !v.trim().is_empty())
        .map(|(k, v)| format!("{}={}", encode(k), encode(v)))
        .collect();
    parts.sort();
    show(&List {
        page: Page::new(&browser, "/decisions", "Decisions"),
        next: list.last().filter(|_| list.len() as u64 == ROWS).map(|k| k.id),
        list,
        state,
        states: &STATES,
        status: asked.status.unwrap_or_default(),
        statuses: &STATUSES,
        text: asked.text,
        waiting: detection::waiting(app.db(), browser.actor()).await?,
        query: parts.join("&"),
        done: query.get("done").cloned().unwrap_or_default(),
    })
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let (_, asked) = asked(&query);
    let mut out = Sheet::new(&[
        "id",
        "vulnerability",
        "component",
        "version",
        "product",
        "release",
        "reach",
        "status",
        "justification",
        "response",
        "detail",
        "source",
        "proposed",
        "by",
        "waits",
        "approved",
        "approved_by",
        "remark",
        "expires",
        "ended",
        "ending",
        "findings",
    ])?;
    let mut below = None;
    loop {
        let page = detection::decisions(app.db(), browser.actor(), &asked, below, 5_000).await?;
        for k in &page {
            out.row(&[
                k.id.to_string(),
                cell(&k.vulnerability),
                cell(&k.component),
                cell(&k.version),
                cell(&k.product),
                cell(&k.release),
                k.reach.name().to_owned(),
                k.status.clone(),
                k.justification.clone(),
                k.response.clone(),
                cell(&k.detail),
                k.source.clone(),
                k.proposed.clone(),
                cell(&k.author),
                k.waits.to_string(),
                k.approved.clone().unwrap_or_default(),
                cell(&k.approver),
                cell(&k.remark),
                k.expires.clone().unwrap_or_default(),
                k.ended.clone().unwrap_or_default(),
                k.ending.clone(),
                k.findings.to_string(),
            ])?;
        }
        match page.last() {
            Some(last) if page.len() == 5_000 => below = Some(last.id),
            _ => break,
        }
    }
    Ok(out.file("decisions"))
}

#[derive(Template)]
#[template(path = "decisions/one.html")]
struct One {
    page: Page,
    k: Kept,
    findings: Vec<(i64, String, String, String, bool)>,
    may_approve: bool,
    may_withdraw: bool,
    remark: String,
    wrong: String,
    done: String,
}

/// Most findings that a decision's page lists.
const LISTED: u64 = 500;

async fn page(app: &App, browser: &Browser, id: i64, remark: String, wrong: String, done: String) -> Answer {
    let actor = browser.actor();
    let k = detection::decision(app.db(), actor, id).await?;
    show(&One {
        page: Page::new(
            browser,
            "/decisions",
            &format!("{}: {}", k.vulnerability, k.status.replace('_', " ")),
        )
        .crumb("/decisions", "Decisions"),
        findings: detection::reached(app.db(), actor, id, LISTED).await?,
        may_approve: may_approve(actor, &k),
        may_withdraw: may_withdraw(actor, &k),
        k,
        remark,
        wrong,
        done,
    })
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let done = query.get("done").cloned().unwrap_or_default();
    page(&app, &browser, id, String::new(), String::new(), done).await
}

#[derive(Deserialize)]
struct Remark {
    csrf: String,
    #[serde(default)]
    remark: String,
}

enum Act {
    Approve,
    Reject,
    Withdraw,
}

async fn act(app: &App, browser: &Browser, id: i64, form: Remark, act: Act) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let acted = async {
        let mut change = Change::begin(app.db(), &actor).await?;
        let words = match act {
            Act::Approve => match detection::approve(&mut change, id, &form.remark).await? {
                1 => "Approved; it holds for 1 finding.".to_owned(),
                n => format!("Approved; it holds for {n} findings."),
            },
            Act::Reject => {
                detection::reject(&mut change, id, &form.remark).await?;
                "Turned down; nothing was changed by it.".to_owned()
            }
            Act::Withdraw => {
                detection::withdraw_decision(&mut change, id).await?;
                "Withdrawn.".to_owned()
            }
        };
        change.commit().await?;
        Ok::<String, Error>(words)
    };
    match acted.await {
        Ok(words) => Ok(Redirect::to(&format!("/decisions/{id}?done={}", encode(&words))).into_response()),
        Err(Error::Conflict(message) | Error::Rejected { message, .. }) => {
            Ok(page(app, browser, id, form.remark, message, String::new()).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn approve(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Remark>,
) -> Result<Response, PageError> {
    act(&app, &browser, id, form, Act::Approve).await
}

async fn reject(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Remark>,
) -> Result<Response, PageError> {
    act(&app, &browser, id, form, Act::Reject).await
}

async fn withdraw(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Remark>,
) -> Result<Response, PageError> {
    act(&app, &browser, id, form, Act::Withdraw).await
}

#[derive(Deserialize)]
struct Owner {
    csrf: String,
    owner: String,
    due: String,
}

async fn own(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(form): Form<Owner>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let due = form.due.trim();
    let wanted = Ownership {
        owner: Some(form.owner.parse().ok().filter(|id| *id != 0)),
        due: Some((!due.is_empty()).then(|| due.to_owned())),
    };
    let mut change = Change::begin(app.db(), &actor).await?;
    detection::own(&mut change, &[id], &wanted).await?;
    change.commit().await?;
    Ok(Redirect::to(&format!("/findings/{id}")).into_response())
}

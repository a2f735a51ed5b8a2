//! Sources: where intelligence comes from, how each does, what its runs gave, and how it is set.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::intel::feeds::{self as stored, Provider, Run, Set};
use tocsin_core::platform::access::{Actor, Permission};

use super::session::Wrong;
use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, show};
use crate::feeds::{self, Source};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/sources", Access::Needs(Permission::IntelRead)),
    ("GET", "/sources.csv", Access::Needs(Permission::IntelRead)),
    ("GET", "/sources/{name}", Access::Needs(Permission::IntelRead)),
    ("POST", "/sources/{name}", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/sources/{name}/run", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/sources/{name}/again", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/sources/{name}/signers/{id}", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/sources/{name}/known", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/sources", get(list))
        .route("/sources.csv", get(export))
        .route("/sources/{name}", get(one).post(set))
        .route("/sources/{name}/run", post(run))
        .route("/sources/{name}/again", post(again))
        .route("/sources/{name}/signers/{id}", post(decide))
        .route("/sources/{name}/known", post(add))
}

/// Columns that a list can be in order of: name in the address, head, right aligned.
const ORDERS: [(&str, &str, bool); 6] = [
    ("name", "Source", false),
    ("good", "Last good", true),
    ("next", "Next", true),
    ("read", "Read", true),
    ("new", "New", true),
    ("changed", "Changed", true),
];
/// What can be shown: name in the address and label.
const SHOWN: [(&str, &str); 4] =
    [("", "all"), ("followed", "followed"), ("off", "not followed"), ("failing", "failing")];

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    show: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    done: String,
}

impl Asked {
    fn address(&self, page: &str, sort: &str) -> String {
        let parts = [("show", self.show.as_str()), ("sort", sort)];
        let parts = parts.iter().filter(|p| !p.1.is_empty());
        let parts: Vec<String> = parts.map(|(n, v)| format!("{n}={}", encode(v))).collect();
        if parts.is_empty() { page.to_owned() } else { format!("{page}?{}", parts.join("&")) }
    }

    fn states(&self, mut all: Vec<feeds::State>) -> Vec<feeds::State> {
        all.retain(|s| match self.show.as_str() {
            "followed" => s.followed,
            "off" => !s.followed,
            "failing" => !s.error.is_empty(),
            _ => true,
        });
        let sort = self.sort.trim_start_matches('-');
        match sort {
            "good" => all.sort_by(|a, b| a.good.cmp(&b.good)),
            "next" => all.sort_by(|a, b| (a.next.is_none(), &a.next).cmp(&(b.next.is_none(), &b.next))),
            "read" => all.sort_by_key(|s| Reverse(s.read)),
            "new" => all.sort_by_key(|s| Reverse(s.new)),
            "changed" => all.sort_by_key(|s| Reverse(s.changed)),
            _ => {}
        }
        if self.sort.starts_with('-') {
            all.reverse();
        }
        all
    }
}

struct Head {
    label: &'static str,
    right: bool,
    href: String,
    mark: &'static str,
}

#[derive(Template)]
#[template(path = "sources/list.html")]
struct List {
    page: Page,
    rows: Vec<feeds::State>,
    heads: Vec<Head>,
    shown: [(&'static str, &'static str); 4],
    asked: Asked,
    followed: usize,
    failing: usize,
    csv: String,
    may_set: bool,
}

async fn list(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> Answer {
    let actor = at_now(&browser);
    let all = feeds::states(app.db(), &actor).await?;
    let followed = all.iter().filter(|s| s.followed).count();
    let failing = all.iter().filter(|s| !s.error.is_empty()).count();
    let sort = if asked.sort.is_empty() { "name" } else { &asked.sort };
    let head = |(name, label, right): (&'static str, &'static str, bool)| {
        let (to, mark) = match sort.strip_prefix('-') {
            Some(turned) if turned == name => (name.to_owned(), "↑"),
            None if sort == name => (format!("-{name}"), "↓"),
            _ => (name.to_owned(), ""),
        };
        Head { label, right, href: asked.address("/sources", &to), mark }
    };
    show(&List {
        page: Page::new(&browser, "/sources", "Sources"),
        heads: ORDERS.into_iter().map(head).collect(),
        rows: asked.states(all),
        shown: SHOWN,
        csv: asked.address("/sources.csv", &asked.sort),
        followed,
        failing,
        asked,
        may_set: may_set(&actor),
    })
}

async fn export(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let all = feeds::states(app.db(), &at_now(&browser)).await?;
    let mut sheet = Sheet::new(&[
        "name", "title", "address", "followed", "health", "good", "tried", "next", "read", "new", "changed",
        "refused", "bytes", "error",
    ])?;
    for s in asked.states(all) {
        sheet.row(&[
            s.name,
            cell(&s.title),
            cell(&s.address),
            s.followed.to_string(),
            s.health.to_owned(),
            s.good.unwrap_or_default(),
            s.tried.unwrap_or_default(),
            s.next.unwrap_or_default(),
            s.read.to_string(),
            s.new.to_string(),
            s.changed.to_string(),
            s.refused.to_string(),
            s.bytes.to_string(),
            cell(&s.error),
        ])?;
    }
    Ok(sheet.file("sources"))
}

fn at_now(browser: &Browser) -> Actor {
    Actor { now: now(), ..browser.actor().clone() }
}

fn may_set(actor: &Actor) -> bool {
    actor.need_everywhere(Permission::SettingsWrite).is_ok()
}

/// A further setting as a form shows it.
struct Field {
    name: &'static str,
    title: &'static str,
    words: &'static str,
    value: String,
    lines: bool,
}

/// A well-known line of a setting that is not set.
struct Suggested {
    n: usize,
    kind: &'static str,
    name: &'static str,
    address: &'static str,
}

#[derive(Template)]
#[template(path = "sources/one.html")]
struct One {
    page: Page,
    state: feeds::State,
    publisher: &'static str,
    cron: &'static str,
    key_words: &'static str,
    fields: Vec<Field>,
    known: Vec<Suggested>,
    runs: Vec<Run>,
    providers: Vec<Provider>,
    may_set: bool,
    form: Typed,
    done: String,
    wrong: Wrong,
}

/// What was typed, or what is set.
#[derive(Default, Clone)]
struct Typed {
    followed: bool,
    address: String,
}

fn source(name: &str) -> Result<&'static dyn Source, PageError> {
    Ok(feeds::source(name).map_err(|_| Error::NotFound(format!("source `{name}`")))?)
}

async fn source_page(
    app: &App,
    browser: &Browser,
    name: &str,
    typed: Option<&BTreeMap<String, String>>,
    done: String,
    wrong: Wrong,
) -> Answer {
    let (actor, source) = (at_now(browser), source(name)?);
    let state = feeds::state(app.db(), &actor, source.name()).await?;
    let own = if state.elsewhere { state.address.clone() } else { String::new() };
    let form = Typed {
        followed: typed.map_or(state.followed, |t| t.contains_key("followed")),
        address: typed.and_then(|t| t.get("address")).cloned().unwrap_or(own),
    };
    let field = |s: &'static feeds::Setting| Field {
        name: s.name,
        title: s.title,
        words: s.words,
        value: typed
            .and_then(|t| t.get(&format!("set-{}", s.name)))
            .or_else(|| state.options.get(s.name))
            .cloned()
            .unwrap_or_default(),
        lines: source.lines(s.name),
    };
    show(&One {
        page: Page::new(browser, "/sources", source.title()).crumb("/sources", "Sources"),
        publisher: source.address(),
        cron: source.cron(),
        key_words: source.key().map_or("", |k| k.words),
        fields: feeds::settings(source).map(field).collect(),
        known: suggested(source, &state),
        runs: stored::runs(app.db(), &actor, source.name()).await?,
        providers: stored::providers(app.db(), &actor, source.name()).await?,
        may_set: may_set(&actor),
        state,
        form,
        done,
        wrong,
    })
}

/// Well-known lines that a source does not have yet.
fn suggested(source: &dyn Source, state: &feeds::State) -> Vec<Suggested> {
    let Some((option, all)) = source.known() else { return Vec::new() };
    let set = state.options.get(option).map_or("", String::as_str);
    let has = |address: &str| set.split_whitespace().any(|word| word == address);
    all.iter()
        .enumerate()
        .filter(|(_, k)| !has(k.address()))
        .map(|(n, k)| Suggested { n, kind: k.kind, name: k.name(), address: k.address() })
        .collect()
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    source_page(&app, &browser, &name, None, asked.done, Wrong::none()).await
}

fn back(name: &str, words: &str) -> Response {
    Redirect::to(&format!("/sources/{}?done={}", encode(name), encode(words))).into_response()
}

async fn set(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Result<Response, PageError> {
    browser.check(typed.get("csrf").map_or("", String::as_str))?;
    let (actor, source) = (at_now(&browser), source(&name)?);
    let options = feeds::settings(source)
        .filter_map(|s| Some((s.name.to_owned(), typed.get(&format!("set-{}", s.name))?.clone())));
    let new = Set {
        enabled: Some(typed.contains_key("followed")),
        address: typed.get("address").cloned(),
        options: options.collect(),
    };
    let key = typed.get("key").map(String::as_str).filter(|k| !k.trim().is_empty());
    let forget = typed.contains_key("forget");
    let done = async {
        if key.is_some() || forget {
            feeds::set_key(app.db(), &actor, app.vault(), source, key.filter(|_| !forget)).await?;
        }
        feeds::set(app.db(), &actor, source, &new).await
    };
    match done.await {
        Ok(_) => Ok(back(source.name(), "The source is set.")),
        Err(Error::Rejected { field, message }) => {
            let wrong = Wrong(field, message);
            let page = source_page(&app, &browser, &name, Some(&typed), String::new(), wrong).await?;
            Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

async fn run(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let source = source(&name)?;
    Ok(match feeds::ask(app.db(), &at_now(&browser), source).await? {
        Some(id) => Redirect::to(&format!("/jobs/{id}")).into_response(),
        None => back(source.name(), "It already waits or runs."),
    })
}

async fn again(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(form): Form<Only>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let source = source(&name)?;
    stored::again(app.db(), &at_now(&browser), source.name()).await?;
    Ok(back(source.name(), "It is read from its beginning at its next time."))
}

#[derive(Deserialize)]
struct Decided {
    csrf: String,
    accept: Option<String>,
}

async fn decide(
    State(app): State<App>,
    browser: Browser,
    Path((name, id)): Path<(String, i64)>,
    Form(form): Form<Decided>,
) -> Result<Response, PageError> {
    browser.check(&form.csrf)?;
    let (source, accept) = (source(&name)?, form.accept.is_some());
    stored::decide(app.db(), &at_now(&browser), source.name(), id, accept).await?;
    Ok(back(source.name(), if accept { "The key is accepted." } else { "The key is forgotten." }))
}

/// Adds well-known lines to a setting.
async fn add(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Result<Response, PageError> {
    browser.check(typed.get("csrf").map_or("", String::as_str))?;
    let (actor, source) = (at_now(&browser), source(&name)?);
    let Some((option, all)) = source.known() else {
        return Err(Error::NotFound(format!("suggestions for `{name}`")).into());
    };
    let feed = stored::one(app.db(), &actor, source.name()).await?;
    let mut text = feed.options.get(option).cloned().unwrap_or_default();
    let mut added = 0_usize;
    for (n, known) in all.iter().enumerate() {
        let has = text.split_whitespace().any(|word| word == known.address());
        if typed.contains_key(&format!("add-{n}")) && !has {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(known.line);
            added += 1;
        }
    }
    let new = Set { options: BTreeMap::from([(option.to_owned(), text)]), ..Set::default() };
    match feeds::set(app.db(), &actor, source, &new).await {
        Ok(_) => Ok(back(source.name(), &format!("{added} added to the list."))),
        Err(Error::Rejected { field, message }) => {
            let page = source_page(&app, &browser, &name, None, String::new(), Wrong(field, message)).await?;
            Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(e) => Err(e.into()),
    }
}

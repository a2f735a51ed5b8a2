//! Notification rules of the workspace, and the ladders by which it is urged.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::detection::{self, SEVERITIES};
use tocsin_core::inventory::{self, Line};
use tocsin_core::notify::{self, Audience, Channel, Digest, Ladder, Rule, Rung};
use tocsin_core::platform::access::{Permission, Role};
use tocsin_core::platform::outbox::{Topic, offered};

use super::super::session::Wrong;
use super::super::{Page, filters};
use super::{Tabs, back, line_name, role_names};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/rules", Access::Needs(Permission::FindingRead)),
    ("POST", "/settings/rules", Access::Needs(Permission::SettingsWrite)),
    ("GET", "/settings/rules/{id}", Access::Needs(Permission::FindingRead)),
    ("POST", "/settings/rules/{id}", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/rules/{id}/remove", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/ladders", Access::Needs(Permission::SettingsWrite)),
    ("POST", "/settings/ladders/remove", Access::Needs(Permission::SettingsWrite)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/rules", get(all).post(make))
        .route("/settings/rules/{id}", get(one).post(change))
        .route("/settings/rules/{id}/remove", post(remove))
        .route("/settings/ladders", post(ladder))
        .route("/settings/ladders/remove", post(no_ladder))
}

/// Choices of how often, as the form has them.
pub const DIGESTS: [(&str, &str, Digest); 4] = [
    ("now", "at once", Digest::Now),
    ("hourly", "every hour", Digest::Hourly),
    ("daily", "every day", Digest::Daily),
    ("weekly", "every week", Digest::Weekly),
];

struct Shown {
    rule: Rule,
    topics: String,
    to: String,
    ways: String,
}

struct Step {
    line: i64,
    name: String,
    rungs: Vec<String>,
}

#[derive(Template)]
#[template(path = "settings/rules.html")]
struct Rules {
    page: Page,
    tabs: Tabs,
    list: Vec<Shown>,
    r: Rule,
    topics: Vec<(&'static str, &'static str, bool)>,
    roles: Vec<(String, bool)>,
    people: Vec<(i64, String, bool)>,
    channels: Vec<(i64, String, bool)>,
    severities: Vec<(i64, &'static str)>,
    lines: Vec<Line>,
    ladders: Vec<Step>,
    rungs: Vec<i64>,
    all_people: Vec<(i64, String)>,
    all_roles: Vec<String>,
    may: bool,
    done: String,
    wrong: Wrong,
}

impl Rules {
    /// Value and label of each way of sending, and whether it is the rule's.
    fn digests(&self) -> Vec<(&'static str, &'static str, bool)> {
        DIGESTS.iter().map(|(value, label, d)| (*value, *label, *d == self.r.digest)).collect()
    }
}

/// The ways of telling as a reader calls them.
pub fn ways(channels: &[Channel], chosen: &[i64]) -> Vec<(i64, String, bool)> {
    let own = [(notify::INBOX, "inbox".to_owned()), (notify::MAIL, "mail".to_owned())];
    let named = channels.iter().filter(|c| c.kind != "mail").map(|c| (c.id, c.name.clone()));
    own.into_iter().chain(named).map(|(id, name)| (id, name, chosen.contains(&id))).collect()
}

fn shown(rule: Rule, people: &[(i64, String)], channels: &[Channel]) -> Shown {
    let topics: Vec<&str> = rule.topics.iter().map(|t| t.words()).collect();
    let mut to: Vec<String> = rule.to.roles.iter().map(|r| r.name()).collect();
    to.extend(people.iter().filter(|p| rule.to.people.contains(&p.0)).map(|p| p.1.clone()));
    if rule.to.owners {
        to.push("whoever looks after the findings".to_owned());
    }
    let ways = ways(channels, &rule.channels).into_iter().filter(|w| w.2).map(|w| w.1);
    let ways: Vec<String> = ways.collect();
    Shown { topics: topics.join(", "), to: to.join(", "), ways: ways.join(", "), rule }
}

fn rung(rung: &Rung, people: &[(i64, String)]) -> String {
    let mut who: Vec<String> = rung.roles.iter().map(|r| r.name()).collect();
    who.extend(people.iter().filter(|p| rung.people.contains(&p.0)).map(|p| p.1.clone()));
    format!("after {} minutes: {}", rung.after, who.join(", "))
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    done: String,
}

async fn page(
    app: &App,
    browser: &Browser,
    typed: Option<Rule>,
    done: String,
    wrong: Wrong,
) -> Result<Response, PageError> {
    let actor = browser.actor();
    let rules = notify::rules(app.db(), actor, false).await?;
    let channels = notify::channels(app.db(), actor).await?;
    let people = detection::owners(app.db(), actor).await?;
    let lines = inventory::lines(app.db(), actor).await?;
    let r = typed.unwrap_or_else(|| Rule {
        enabled: true,
        topics: vec![Topic::FindingNew],
        channels: vec![notify::INBOX],
        hour: 8,
        weekday: 1,
        ..Rule::default()
    });
    let ladders = notify::ladders(app.db(), actor).await?.into_iter().map(|l| Step {
        line: l.line,
        name: if l.line == 0 { "the workspace".to_owned() } else { line_name(&lines, l.line) },
        rungs: l.rungs.iter().map(|r| rung(r, &people)).collect(),
    });
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Rules {
        page: Page::new(browser, "/settings/people", "Notification rules"),
        tabs: Tabs::new(browser, "/settings/rules"),
        list: rules.into_iter().map(|r| shown(r, &people, &channels)).collect(),
        topics: offered().map(|(t, words)| (t.name(), words, r.topics.contains(&t))).collect(),
        roles: role_names()
            .into_iter()
            .map(|name| {
                let on = r.to.roles.iter().any(|r| r.name() == name);
                (name, on)
            })
            .collect(),
        channels: ways(&channels, &r.channels),
        severities: SEVERITIES.iter().enumerate().skip(2).map(|(n, s)| (n as i64, *s)).collect(),
        ladders: ladders.collect(),
        rungs: vec![1, 2, 3],
        people: people.iter().map(|(id, name)| (*id, name.clone(), r.to.people.contains(id))).collect(),
        all_people: people,
        all_roles: role_names(),
        lines,
        r,
        may: actor.may(Permission::SettingsWrite),
        done,
        wrong,
    };
    Ok((status, Html(page.render()?)).into_response())
}

async fn all(
    State(app): State<App>,
    browser: Browser,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    page(&app, &browser, None, asked.done, Wrong::none()).await
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let rule = notify::rule(app.db(), browser.actor(), id).await?;
    page(&app, &browser, Some(rule), asked.done, Wrong::none()).await
}

type Fields = Vec<(String, String)>;

fn field<'a>(sent: &'a Fields, name: &str) -> &'a str {
    sent.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
}

fn each<'a>(sent: &'a Fields, name: &'a str) -> impl Iterator<Item = &'a str> {
    sent.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// A rule as a form sends it.
pub fn read(sent: &Fields, id: i64, person: i64) -> Rule {
    let number = |name: &str, or: i64| field(sent, name).trim().parse().unwrap_or(or);
    let digest = DIGESTS.iter().find(|d| d.0 == field(sent, "digest")).map_or(Digest::Now, |d| d.2);
    Rule {
        id,
        person,
        name: field(sent, "name").trim().to_owned(),
        standing: false,
        enabled: !field(sent, "enabled").is_empty(),
        topics: each(sent, "topic").filter_map(Topic::parse).collect(),
        severity: number("severity", 0),
        line: number("line", 0),
        query: field(sent, "query").trim().to_owned(),
        to: Audience {
            roles: each(sent, "role").filter_map(Role::parse).collect(),
            people: each(sent, "person").filter_map(|p| p.parse().ok()).collect(),
            owners: !field(sent, "owners").is_empty(),
        },
        channels: each(sent, "channel").filter_map(|c| c.parse().ok()).collect(),
        digest,
        hour: number("hour", 8),
        weekday: number("weekday", 1),
        within: number("within", 0),
    }
}

async fn write(app: &App, browser: &Browser, id: i64, sent: &Fields) -> Result<Response, PageError> {
    browser.check(field(sent, "csrf"))?;
    let mut rule = read(sent, id, 0);
    if id != 0 {
        rule.standing = notify::rule(app.db(), browser.actor(), id).await?.standing;
    }
    match notify::set_rule(app.db(), browser.actor(), &rule).await {
        Ok(id) => Ok(back(&format!("/settings/rules/{id}?done=The+rule+is+set."))),
        Err(Error::Rejected { field, message }) => {
            page(app, browser, Some(rule), String::new(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn make(
    State(app): State<App>,
    browser: Browser,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    write(&app, &browser, 0, &sent).await
}

async fn change(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    write(&app, &browser, id, &sent).await
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    match notify::drop_rule(app.db(), browser.actor(), id).await {
        Ok(()) => Ok(back("/settings/rules?done=The+rule+is+removed.")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, None, String::new(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn ladder(
    State(app): State<App>,
    browser: Browser,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    let mut rungs = Vec::new();
    for n in 1..=3 {
        let who = field(&sent, &format!("who-{n}"));
        let after = field(&sent, &format!("after-{n}")).trim();
        if who.is_empty() {
            continue;
        }
        let mut rung = Rung { after: after.parse().unwrap_or(0), ..Rung::default() };
        match who.parse::<i64>() {
            Ok(person) => rung.people.push(person),
            Err(_) => rung.roles.extend(Role::parse(who)),
        }
        rungs.push(rung);
    }
    let new = Ladder { line: field(&sent, "line").parse().unwrap_or(0), rungs };
    match notify::set_ladder(app.db(), browser.actor(), &new).await {
        Ok(()) => Ok(back("/settings/rules?done=The+ladder+is+set.#ladders")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, None, String::new(), Wrong(field, message)).await
        }
        Err(e) => Err(e.into()),
    }
}

async fn no_ladder(
    State(app): State<App>,
    browser: Browser,
    Form(sent): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(field(&sent, "csrf"))?;
    let line = field(&sent, "line").parse().unwrap_or(0);
    notify::drop_ladder(app.db(), browser.actor(), line).await?;
    Ok(back("/settings/rules?done=The+ladder+is+removed.#ladders"))
}

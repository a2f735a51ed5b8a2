//! How people sign in: how long sessions last, who needs a second step, the provider of identities.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use std::collections::HashMap;
use tocsin_core::Error;
use tocsin_core::platform::access::{Permission, ROLES, Role};
use tocsin_core::platform::settings::{self, Oidc};

use super::super::session::Wrong;
use super::super::{Page, filters};
use super::{Tabs, back};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/settings/security", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/security", Access::Needs(Permission::PeopleManage)),
    ("POST", "/settings/provider", Access::Needs(Permission::PeopleManage)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings/security", get(one).post(change))
        .route("/settings/provider", post(provider))
}

/// The provider as its form shows it.
#[derive(Default)]
struct Typed {
    name: String,
    issuer: String,
    client: String,
    groups: String,
    roles: String,
    provision: bool,
    has_secret: bool,
}

#[derive(Template)]
#[template(path = "settings/security.html")]
struct Security {
    page: Page,
    tabs: Tabs,
    numbers: [String; 3],
    approval: bool,
    roles: Vec<(String, bool)>,
    oidc: Typed,
    has_oidc: bool,
    callback: String,
    environment: String,
    done: &'static str,
    wrong: Wrong,
}

fn typed(oidc: &Oidc) -> Typed {
    Typed {
        name: oidc.name.clone(),
        issuer: oidc.issuer.clone(),
        client: oidc.client.clone(),
        groups: oidc.groups.clone(),
        roles: oidc.roles.iter().map(|(g, r)| format!("{g} = {}\n", r.name())).collect(),
        provision: oidc.provision,
        has_secret: !oidc.secret.is_empty(),
    }
}

async fn page(
    app: &App,
    browser: &Browser,
    shown: Option<Typed>,
    typed_numbers: Option<([String; 3], Vec<Role>, bool)>,
    wrong: Wrong,
    done: &'static str,
) -> Result<Response, PageError> {
    let s = settings::settings(app.db(), browser.actor()).await?;
    let (numbers, second, approval) = typed_numbers.unwrap_or_else(|| {
        let n = [s.idle_minutes, s.session_hours, s.invitation_hours].map(|n| n.to_string());
        (n, s.second_step.clone(), s.approval)
    });
    let status = if wrong.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Security {
        page: Page::new(browser, "/settings/people", "Security"),
        tabs: Tabs::new(browser, "/settings/security"),
        numbers,
        approval,
        roles: ROLES.iter().map(|r| (r.name(), second.contains(r))).collect(),
        oidc: shown.unwrap_or_else(|| s.oidc.as_ref().map_or_else(fresh, typed)),
        has_oidc: s.oidc.is_some(),
        callback: format!("{}/sign-in/provider/callback", app.site().address),
        environment: app.0.oidc.as_ref().map_or(String::new(), |o| o.issuer.clone()),
        done,
        wrong,
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn fresh() -> Typed {
    Typed { groups: "groups".to_owned(), ..Typed::default() }
}

async fn one(
    State(app): State<App>,
    browser: Browser,
    axum::extract::Query(query): axum::extract::Query<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let done = if query.contains_key("done") { "The settings are changed." } else { "" };
    page(&app, &browser, None, None, Wrong::none(), done).await
}

async fn change(
    State(app): State<App>,
    browser: Browser,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.trim());
    browser.check(field("csrf"))?;
    let number = |name: &str| field(name).parse::<i64>().unwrap_or(-1);
    let second: Vec<Role> =
        fields.iter().filter(|(n, _)| n == "second_step").filter_map(|(_, v)| Role::parse(v)).collect();
    let mut new = settings::settings(app.db(), browser.actor()).await?;
    new.idle_minutes = number("idle_minutes");
    new.session_hours = number("session_hours");
    new.invitation_hours = number("invitation_hours");
    new.second_step.clone_from(&second);
    new.approval = !field("approval").is_empty();
    match settings::set(app.db(), browser.actor(), &new).await {
        Ok(()) => Ok(back("/settings/security?done=1")),
        Err(Error::Rejected { field: at, message }) => {
            let numbers = ["idle_minutes", "session_hours", "invitation_hours"].map(|n| field(n).to_owned());
            page(&app, &browser, None, Some((numbers, second, new.approval)), Wrong(at, message), "").await
        }
        Err(e) => Err(e.into()),
    }
}

/// Lines of `group = role`.
fn mapping(text: &str) -> Result<Vec<(String, Role)>, String> {
    let mut roles = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let wanted =
            || format!("line {}: write a group, an equals sign and a role, as in psirt = analyst", n + 1);
        let (group, role) = line.rsplit_once('=').ok_or_else(wanted)?;
        let role = role.trim().to_lowercase().replace(' ', "-");
        let role = Role::parse(&role).ok_or_else(|| format!("line {}: there is no role `{role}`", n + 1))?;
        if group.trim().is_empty() {
            return Err(wanted());
        }
        roles.push((group.trim().to_owned(), role));
    }
    Ok(roles)
}

async fn provider(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Response, PageError> {
    let field = |name: &str| form.get(name).map_or("", |v| v.trim());
    browser.check(field("csrf"))?;
    let mut new = settings::settings(app.db(), browser.actor()).await?;
    let before = new.oidc.take();
    if field("what") == "remove" {
        settings::set(app.db(), browser.actor(), &new).await?;
        return Ok(back("/settings/security?done=1"));
    }
    let kept = before.map_or(String::new(), |o| o.secret);
    let shown = Typed {
        name: field("name").to_owned(),
        issuer: field("issuer").to_owned(),
        client: field("client").to_owned(),
        groups: field("groups").to_owned(),
        roles: field("roles").to_owned(),
        provision: form.contains_key("provision"),
        has_secret: !kept.is_empty(),
    };
    let roles = match mapping(&shown.roles) {
        Ok(roles) => roles,
        Err(why) => return page(&app, &browser, Some(shown), None, Wrong("roles".to_owned(), why), "").await,
    };
    let secret = match field("secret") {
        "" => kept,
        typed => settings::seal_secret(&browser.door(&app), browser.actor().workspace, typed)?,
    };
    new.oidc = Some(Oidc {
        name: shown.name.clone(),
        issuer: shown.issuer.clone(),
        client: shown.client.clone(),
        secret,
        groups: shown.groups.clone(),
        roles,
        provision: shown.provision,
    });
    match settings::set(app.db(), browser.actor(), &new).await {
        Ok(()) => Ok(back("/settings/security?done=1")),
        Err(Error::Rejected { field, message }) => {
            page(&app, &browser, Some(shown), None, Wrong(field, message), "").await
        }
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_roles_are_read_line_by_line() {
        let read = mapping("psirt = analyst\n\ncn=lead,ou=x = manager\n").unwrap();
        assert_eq!(read, [("psirt".to_owned(), Role::Analyst), ("cn=lead,ou=x".to_owned(), Role::Manager)]);
        assert!(mapping("psirt = boss").unwrap_err().contains("line 1: there is no role `boss`"));
        assert!(mapping("a = analyst\npsirt analyst").unwrap_err().starts_with("line 2"));
        assert!(mapping(" = analyst").is_err());
    }
}

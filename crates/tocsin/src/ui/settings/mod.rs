//! Settings: people, roles, keys, sessions, security. What their lists share is here.

mod addresses;
mod channels;
mod keys;
mod people;
mod publisher;
mod roles;
mod rules;
mod security;
mod sessions;

use std::collections::HashMap;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tocsin_core::inventory::Line;
use tocsin_core::platform::access::{Permission, ROLES};

pub(super) use rules::{DIGESTS, read as read_rule};

use super::encode;
use crate::server::guard::Route;
use crate::server::{App, Browser};

/// Who may use what here: the table of each file.
pub const ACCESS: [&[Route]; 9] = [
    people::ACCESS,
    roles::ACCESS,
    keys::ACCESS,
    sessions::ACCESS,
    security::ACCESS,
    publisher::ACCESS,
    channels::ACCESS,
    rules::ACCESS,
    addresses::ACCESS,
];

pub fn routes() -> Router<App> {
    Router::new()
        .merge(people::routes())
        .merge(roles::routes())
        .merge(keys::routes())
        .merge(sessions::routes())
        .merge(security::routes())
        .merge(publisher::routes())
        .merge(channels::routes())
        .merge(rules::routes())
        .merge(addresses::routes())
}

/// Tabs of the settings: address, label, and the permission without which it is not shown.
const TABS: [(&str, &str, Permission); 9] = [
    ("/settings/people", "People", Permission::FindingRead),
    ("/settings/roles", "Roles", Permission::FindingRead),
    ("/settings/keys", "API keys", Permission::KeyManage),
    ("/settings/sessions", "Sessions", Permission::PeopleManage),
    ("/settings/security", "Security", Permission::PeopleManage),
    ("/settings/publisher", "Publisher", Permission::SettingsWrite),
    ("/settings/channels", "Channels", Permission::SettingsWrite),
    ("/settings/rules", "Notification rules", Permission::FindingRead),
    ("/settings/addresses", "Outside addresses", Permission::SettingsWrite),
];

/// The tabs that somebody sees, and the one they are at.
pub struct Tabs {
    list: Vec<(&'static str, &'static str)>,
    here: &'static str,
}

impl Tabs {
    fn new(browser: &Browser, here: &'static str) -> Tabs {
        let list = TABS.iter().filter(|t| browser.actor().may(t.2)).map(|t| (t.0, t.1)).collect();
        Tabs { list, here }
    }
}

/// The address of a list as it is filtered, for sorting and export.
struct Asked(HashMap<String, String>);

impl Asked {
    /// What a filter is set to; empty where it is not.
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |v| v.trim())
    }

    /// The list with one more choice, or another.
    fn with(&self, name: &str, value: &str) -> String {
        let mut parts: Vec<(&str, &str)> = self
            .0
            .iter()
            .map(|(k, v)| (k.as_str(), v.trim()))
            .filter(|(k, v)| *k != name && !v.is_empty())
            .collect();
        if !value.is_empty() {
            parts.push((name, value));
        }
        parts.sort_unstable();
        let parts: Vec<String> =
            parts.into_iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        parts.join("&")
    }

    /// Every text of a row is looked through for what is typed.
    fn finds(&self, texts: &[&str]) -> bool {
        let wanted = self.get("text").to_lowercase();
        wanted.is_empty() || texts.iter().any(|t| t.to_lowercase().contains(&wanted))
    }
}

/// Sorts by the column that is asked for, `-` before its name for the other way round.
fn sort<T>(asked: &Asked, rows: &mut [T], first: &str, key: impl Fn(&T, &str) -> String) {
    let wanted = match asked.get("sort") {
        "" => first,
        sort => sort,
    };
    let column = wanted.trim_start_matches('-');
    rows.sort_by_cached_key(|row| key(row, column));
    if wanted.starts_with('-') {
        rows.reverse();
    }
}

/// The head of a column that sorts: its address, and what it says of the order (`ascending`, `descending`, `none`).
struct Column {
    label: &'static str,
    href: String,
    order: &'static str,
    class: &'static str,
}

fn columns(asked: &Asked, first: &str, all: &[(&'static str, &'static str, &'static str)]) -> Vec<Column> {
    let now = match asked.get("sort") {
        "" => first,
        sort => sort,
    };
    let column = |(name, label, class): &(&'static str, &'static str, &'static str)| {
        let order = match now.strip_prefix('-') {
            Some(n) if n == *name => "descending",
            None if now == *name => "ascending",
            _ => "none",
        };
        let next = if order == "ascending" { format!("-{name}") } else { (*name).to_owned() };
        let href = if name.is_empty() { String::new() } else { asked.with("sort", &next) };
        Column { label, href, order, class }
    };
    all.iter().map(column).collect()
}

/// Name of a product line; empty where it is none.
fn line_name(lines: &[Line], id: i64) -> String {
    match lines.iter().find(|l| l.id == id) {
        Some(line) => line.name.clone(),
        None if id == 0 => String::new(),
        None => format!("line {id}"),
    }
}

fn role_names() -> Vec<String> {
    ROLES.iter().map(|r| r.name()).collect()
}

#[derive(Deserialize)]
struct Only {
    csrf: String,
}

fn back(to: &str) -> Response {
    Redirect::to(to).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_by_its_address() {
        let asked = |text: &str| {
            let pairs = text.split('&').filter_map(|p| p.split_once('='));
            Asked(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
        };
        let mut rows = vec![("b", "2"), ("a", "3"), ("c", "1")];
        let key = |r: &(&str, &str), c: &str| if c == "n" { r.1.to_owned() } else { r.0.to_owned() };
        for (text, wanted) in [("", "abc"), ("sort=-name", "cba"), ("sort=n", "cba"), ("sort=-n", "abc")] {
            sort(&asked(text), &mut rows, "name", key);
            assert_eq!(rows.iter().map(|r| r.0).collect::<String>(), wanted, "{text}");
        }
        let heads = columns(&asked("text=x&sort=name"), "name", &[("name", "Name", ""), ("", "", "")]);
        assert_eq!((heads[0].order, heads[0].href.as_str()), ("ascending", "sort=-name&text=x"));
        assert!(heads[1].href.is_empty());
        assert!(asked("text=AN").finds(&["otto", "Anna"]) && !asked("text=AN").finds(&["otto"]));
    }
}

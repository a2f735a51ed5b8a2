//! The list of findings: by vulnerability or one by one, filtered, sorted, in pages.

use askama::Template;
use axum::extract::{Query, State};
use tocsin_core::detection::{self, Finding, Group};
use tocsin_core::platform::query::Total;
use tocsin_core::platform::views::{self, View};

use super::super::asked::{Asked, Choice, Head, Pairs, param};
use super::super::{Answer, Page, filters, show};
use super::{Bulk, COLUMNS, Pick, about, asked, done};
use crate::server::{App, Browser};

/// Rows of a page where the reader tells no number.
pub const ROWS: u64 = 100;
/// Groups of a page.
const GROUPS: u64 = 50;

#[derive(Template)]
#[template(path = "findings/list.html")]
struct List {
    page: Page,
    asked: Asked,
    by_flaw: bool,
    groups: Vec<Group>,
    group_heads: Vec<Head>,
    findings: Vec<Finding>,
    heads: Vec<Head>,
    choices: Vec<Choice>,
    pick: Pick,
    bulk: Bulk,
    next: String,
    counted: String,
    views: Vec<View>,
    view: String,
    saves: bool,
}

pub async fn list(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    let bulk = Bulk { done: done(&pairs), ..Bulk::default() };
    let Ok(id) = param(&pairs, "view").parse::<i64>() else {
        return table(&app, &browser, &pairs, bulk).await;
    };
    // a saved view is opened by its number, which is the address that people share
    let view = views::view(app.db(), browser.actor(), id).await?;
    let mut opened = pairs.clone();
    opened.retain(|(n, _)| n != "q");
    opened.push(("q".to_owned(), view.query));
    opened.push(("named".to_owned(), view.name));
    table(&app, &browser, &opened, bulk).await
}

pub async fn table(app: &App, browser: &Browser, pairs: &Pairs, bulk: Bulk) -> Answer {
    let actor = browser.actor();
    let a = asked("/findings", pairs);
    let by_flaw = a.query.group != Some("none") && detection::groups_sorted(&a.query);
    let after = Some(a.after.as_str()).filter(|t| !t.is_empty());
    let most = a.query.limit.map_or(if by_flaw { GROUPS } else { ROWS }, u64::from);
    let (mut groups, mut findings, mut next, mut total) = (Vec::new(), Vec::new(), None, Total::default());
    if !a.wrong.is_empty() {
        actor.need(tocsin_core::platform::access::Permission::FindingRead)?;
    } else if by_flaw {
        let most = most.min(GROUPS * 4);
        let page = detection::groups(app.db(), actor, &a.query, after, most).await?;
        (groups, next, total) = (page.rows, page.next, page.total);
    } else {
        let page = detection::list(app.db(), actor, &a.query, after, most).await?;
        (findings, next, total) = (page.rows, page.next, page.total);
    }
    let columns = if a.query.columns.is_empty() { COLUMNS.to_vec() } else { a.query.columns.clone() };
    let sort = detection::sorted(&a.query).ok();
    let by = sort.filter(|s| a.query.sort.is_some() || s.field != "urgency");
    let next = next.map_or(String::new(), |n| a.next(&n));
    show(&List {
        page: Page::new(browser, "/findings", "Findings"),
        by_flaw,
        groups,
        group_heads: a.heads(
            &["severity", "vulnerability", "findings", "undecided", "epss", "found"],
            by,
            group_about,
            &GROUP_SORTS,
        ),
        findings,
        heads: a.heads(&columns, by, about, &a.schema.sorts),
        choices: a.choices(&columns, about),
        pick: Pick::of(actor, &bulk),
        bulk: bulk.with_people(app, actor).await?,
        next,
        counted: a.counted(&total, "finding", "findings"),
        views: views::views(app.db(), actor, "findings").await?,
        view: param(pairs, "named").to_owned(),
        saves: actor.person.is_some(),
        asked: a,
    })
}

const GROUP_SORTS: [&str; 5] = ["severity", "vulnerability", "epss", "found", "score"];

fn group_about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "findings" => ("Findings", "", true),
        "undecided" => ("Undecided", "", true),
        "epss" => ("EPSS %", "epss", true),
        "found" => ("First found", "found", false),
        other => about(other),
    }
}

//! The list of stories.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::desk::{self, Story};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::query::Total;
use tocsin_core::platform::views::{self, View};

use super::super::asked::{Asked, Head, Pairs, param};
use super::super::products::json_file;
use super::super::sheet::{Sheet, cell};
use super::super::{Answer, Page, encode, filters, show};
use super::{back, sender};
use crate::server::{App, Browser, PageError};

/// Rows of a page, and of one export.
const ROWS: u64 = 50;
const EXPORT: u64 = 10_000;

/// Filters a reader sets by one click.
const QUICK: [(&str, &str); 6] = [
    ("Relevant", "relevance>=40"),
    ("New", "state:new"),
    ("Ours", "ours:true"),
    ("Exploited", "exploited:true"),
    ("This week", "latest>now-7d"),
    ("Dismissed", "state:dismissed"),
];

const COLUMNS: [&str; 6] = ["relevance", "title", "ours", "sources", "latest", "state"];

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "relevance" => ("Points", "relevance", true),
        "title" => ("Story", "title", false),
        "ours" => ("Ours", "", false),
        "sources" => ("Sources", "sources", true),
        "latest" => ("Latest", "latest", false),
        _ => ("State", "", false),
    }
}

#[derive(Template)]
#[template(path = "desk/list.html")]
struct List {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    stories: Vec<Story>,
    counted: String,
    next: String,
    views: Vec<View>,
    view: String,
    saves: bool,
    writes: bool,
    reports: bool,
    done: String,
    relevant: f64,
    here: String,
}

fn asked(pairs: &Pairs) -> Asked {
    Asked::read("desk", "/desk", desk::story_schema(), &QUICK, pairs)
}

pub async fn list(State(app): State<App>, browser: Browser, Query(mut pairs): Query<Pairs>) -> Answer {
    let actor = browser.actor();
    if let Ok(id) = param(&pairs, "view").parse::<i64>() {
        let view = views::view(app.db(), actor, id).await?;
        pairs.retain(|(n, _)| n != "q");
        pairs.push(("q".to_owned(), view.query));
        pairs.push(("named".to_owned(), view.name));
    }
    let a = asked(&pairs);
    let (mut stories, mut next, mut total) = (Vec::new(), String::new(), Total::default());
    if a.wrong.is_empty() {
        let after = Some(a.after.as_str()).filter(|t| !t.is_empty());
        let most = a.query.limit.map_or(ROWS, u64::from);
        let rows = desk::story_list(app.db(), actor, &a.query, after, most).await?;
        next = rows.next.map_or(String::new(), |n| a.next(&n));
        (stories, total) = (rows.rows, rows.total);
    } else {
        actor.need(Permission::DeskRead)?;
    }
    show(&List {
        page: Page::new(&browser, "/desk", "Desk"),
        heads: a.heads(&COLUMNS, a.query.sort, about, &a.schema.sorts),
        counted: a.counted(&total, "story", "stories"),
        views: views::views(app.db(), actor, "desk").await?,
        view: param(&pairs, "named").to_owned(),
        saves: actor.person.is_some(),
        writes: actor.may(Permission::DeskWrite),
        reports: actor.may(Permission::ReportWrite),
        done: param(&pairs, "done").to_owned(),
        relevant: desk::profile(app.db(), actor).await?.weights.relevant,
        here: a.here(),
        asked: a,
        stories,
        next,
    })
}

/// The stories of a query, for a file.
async fn exported(app: &App, browser: &Browser, pairs: &Pairs) -> Result<Vec<Story>, PageError> {
    let a = asked(pairs);
    if !a.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into());
    }
    let (mut after, mut found) = (None, Vec::new());
    while (found.len() as u64) < EXPORT {
        let page = desk::story_list(app.db(), browser.actor(), &a.query, after.as_deref(), 1_000).await?;
        found.extend(page.rows);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

pub async fn json(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let found = exported(&app, &browser, &pairs).await?;
    Ok(json_file("stories", &serde_json::json!({ "stories": found })))
}

pub async fn export(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let head = [
        "id",
        "relevance",
        "title",
        "why",
        "ids",
        "ours",
        "items",
        "sources",
        "state",
        "tlp",
        "opened",
        "latest",
    ];
    let mut sheet = Sheet::new(&head)?;
    for s in exported(&app, &browser, &pairs).await? {
        sheet.row(&[
            s.id.to_string(),
            s.relevance.to_string(),
            cell(&s.title),
            cell(&s.why),
            cell(&s.ids.join(" ")),
            cell(&s.ours.join(", ")),
            s.items.to_string(),
            s.sources.to_string(),
            s.state,
            s.tlp,
            s.opened,
            s.latest,
        ])?;
    }
    Ok(sheet.file("stories"))
}

/// Sets the state of the stories that are ticked, or makes one of them.
pub async fn states(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let ids: Vec<i64> =
        pairs.iter().filter(|(n, _)| n == "story").filter_map(|(_, v)| v.parse().ok()).collect();
    let to = back(param(&pairs, "back"), "/desk").to_owned();
    let told = match param(&pairs, "do") {
        "merge" => match desk::merge(app.db(), &actor, &ids).await {
            Ok(kept) => return Ok(Redirect::to(&format!("/stories/{kept}")).into_response()),
            Err(Error::Rejected { message, .. }) => format!("Not merged: {message}."),
            Err(e) => return Err(e.into()),
        },
        state => {
            let n = desk::set_states(app.db(), &actor, &ids, state).await?;
            if n == 1 { format!("1 story is {state}.") } else { format!("{n} stories are {state}.") }
        }
    };
    let sign = if to.contains('?') { '&' } else { '?' };
    Ok(Redirect::to(&format!("{to}{sign}done={}", encode(&told))).into_response())
}

//! The archive, drafting, and the key that puts a story into the report that is being written.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::platform::access::{Lines, Permission};
use tocsin_core::platform::query::Total;
use tocsin_core::platform::views::{self, View};
use tocsin_core::report::{self, Report, Wanted};

use super::super::asked::{Asked, Head, Pairs, param};
use super::super::sheet::{Sheet, cell};
use super::super::{Answer, Page, encode, filters, show};
use super::sender;
use crate::server::{App, Browser, PageError, now};

/// Rows of a page, and of one export.
const ROWS: u64 = 50;
const EXPORT: u64 = 10_000;

/// Filters a reader sets by one click.
const QUICK: [(&str, &str); 5] = [
    ("Drafts", "state:draft"),
    ("In review", "state:review"),
    ("Approved", "state:approved"),
    ("Sent", "state:sent"),
    ("Last 90 days", "last>now-90d"),
];

const COLUMNS: [&str; 8] = ["number", "title", "last", "tlp", "state", "sections", "author", "changed"];

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "number" => ("Number", "number", true),
        "title" => ("Report", "title", false),
        "last" => ("Period", "last", false),
        "tlp" => ("TLP", "", false),
        "state" => ("State", "", false),
        "sections" => ("Sections", "", true),
        "author" => ("Drafted by", "", false),
        _ => ("Changed", "changed", false),
    }
}

#[derive(Template)]
#[template(path = "reports/list.html")]
struct List {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    reports: Vec<Report>,
    counted: String,
    next: String,
    views: Vec<View>,
    view: String,
    saves: bool,
    writes: bool,
    done: String,
}

fn asked(pairs: &Pairs) -> Asked {
    Asked::read("reports", "/reports", report::report_schema(), &QUICK, pairs)
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
    let (mut reports, mut next, mut total) = (Vec::new(), String::new(), Total::default());
    if a.wrong.is_empty() {
        let rows = report::report_list(app.db(), actor, &a.query, a.place(), a.most(ROWS)).await?;
        next = rows.next.map_or(String::new(), |n| a.next(&n));
        (reports, total) = (rows.rows, rows.total);
    } else {
        actor.need_everywhere(Permission::ReportRead)?;
    }
    show(&List {
        page: Page::new(&browser, "/reports", "Reports"),
        heads: a.heads(&COLUMNS, a.query.sort, about, &a.schema.sorts),
        counted: a.counted(&total, "report", "reports"),
        views: views::views(app.db(), actor, "reports").await?,
        view: param(&pairs, "named").to_owned(),
        saves: actor.person.is_some(),
        writes: actor.lines(Permission::ReportWrite) == Lines::All,
        done: param(&pairs, "done").to_owned(),
        asked: a,
        reports,
        next,
    })
}

pub async fn export(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let a = asked(&pairs);
    if !a.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into());
    }
    let head = [
        "id", "number", "title", "first", "last", "tlp", "state", "sections", "author", "approver",
        "created", "changed", "approved", "sent", "corrects",
    ];
    let mut sheet = Sheet::new(&head)?;
    let (mut after, mut rows) = (None, 0);
    // page by page: a page is what memory holds beside the file
    while rows < EXPORT {
        let page = report::report_list(app.db(), browser.actor(), &a.query, after.as_deref(), 1_000).await?;
        for r in page.rows {
            rows += 1;
            sheet.row(&[
                r.id.to_string(),
                r.label(),
                cell(&r.title),
                r.first,
                r.last,
                r.tlp,
                r.state,
                r.sections.to_string(),
                cell(&r.author),
                cell(&r.approver),
                r.created,
                r.changed,
                r.approved,
                r.sent,
                if r.corrects == 0 { String::new() } else { r.corrects.to_string() },
            ])?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(sheet.file("reports"))
}

#[derive(Template)]
#[template(path = "reports/draft.html")]
struct DraftForm {
    page: Page,
    wanted: Wanted,
    field: String,
    wrong: String,
}

impl DraftForm {
    /// What is wrong with a field; empty where nothing is.
    fn of(&self, field: &str) -> &str {
        if self.field == field { &self.wrong } else { "" }
    }
}

fn filled(browser: &Browser, wanted: Wanted, (field, wrong): (String, String)) -> DraftForm {
    let page = Page::new(browser, "/reports", "Draft a report").crumb("/reports", "Reports");
    DraftForm { page, wanted, field, wrong }
}

pub async fn form(State(_): State<App>, browser: Browser) -> Answer {
    browser.actor().need_everywhere(Permission::ReportWrite)?;
    let (first, last) = report::week(&now());
    let wanted = Wanted { first, last, most: 20, ..Wanted::default() };
    show(&filled(&browser, wanted, (String::new(), String::new())))
}

pub async fn draft(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let text = |name: &str| param(&pairs, name).trim().to_owned();
    let wanted = Wanted {
        first: text("first"),
        last: text("last"),
        title: text("title"),
        most: match text("most").as_str() {
            "" => 0,
            n => n.parse().unwrap_or(u64::MAX),
        },
        empty: text("empty") == "1",
    };
    match report::draft(app.db(), &actor, &wanted).await {
        Ok(id) => Ok(Redirect::to(&format!("/reports/{id}/edit")).into_response()),
        Err(Error::Rejected { field, message }) => {
            Ok(show(&filled(&browser, wanted, (field, message)))?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

/// Puts a story into the report that is being written, and goes back to where one was.
pub async fn pick(
    State(app): State<App>,
    browser: Browser,
    Path(story): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let told = match report::pick_current(app.db(), &actor, story).await {
        Ok((id, _)) => {
            let whole = report::report(app.db(), &actor, id).await?;
            format!("The story is section {} of report {}.", whole.sections.len(), whole.report.label())
        }
        Err(Error::Conflict(message)) => format!("Not added: {message}."),
        Err(Error::Rejected { message, .. }) => format!("Not added: {message}."),
        Err(e) => return Err(e.into()),
    };
    let to = super::super::desk::back(param(&pairs, "back"), "").to_owned();
    let to = if to.is_empty() { format!("/stories/{story}") } else { to };
    let sign = if to.contains('?') { '&' } else { '?' };
    Ok(Redirect::to(&format!("{to}{sign}done={}", encode(&told))).into_response())
}

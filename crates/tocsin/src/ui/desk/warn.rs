//! Early warnings: the form that makes one of a story, their list, and one with what it may be merged into.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use tocsin_core::Error;
use tocsin_core::desk;
use tocsin_core::detection;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::query::Rows;
use tocsin_core::warnings::{self, NewWarning, SEVERITY_WORDS, Shown, TLPS, Warning};

use super::super::asked::{Asked, Head, Pairs, param};
use super::super::products::json_file;
use super::super::sheet::{Sheet, cell};
use super::super::{Answer, Page, encode, filters, show};
use super::sender;
use crate::server::{App, Browser, PageError};

/// Rows of a page, and of one export.
const ROWS: u64 = 50;
const EXPORT: u64 = 10_000;

/// Filters a reader sets by one click.
const QUICK: [(&str, &str); 5] = [
    ("Open", "state:open"),
    ("CVE proposed", "proposed:true"),
    ("High or worse", "severity>=high"),
    ("Merged", "state:merged"),
    ("Withdrawn", "state:withdrawn"),
];

const COLUMNS: [&str; 5] = ["severity", "vulnerability", "product", "state", "created"];

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "severity" => ("Severity", "severity", false),
        "vulnerability" => ("Early warning", "vulnerability", false),
        "product" => ("Affected", "", false),
        "state" => ("State", "", false),
        _ => ("Since", "created", false),
    }
}

#[derive(Template)]
#[template(path = "desk/warnings.html")]
struct List {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    list: Vec<Warning>,
    counted: String,
    next: String,
    writes: bool,
}

impl List {
    fn affected(&self, w: &Warning) -> String {
        affected(w)
    }
}

fn asked(pairs: &Pairs) -> Asked {
    Asked::read("warnings", "/warnings", warnings::warning_schema(), &QUICK, pairs)
}

/// What a warning names, in a few words.
fn affected(w: &Warning) -> String {
    let what = &w.what;
    let name = [&what.purl, &what.cpe, &what.product].into_iter().find(|t| !t.is_empty());
    let name = name.cloned().unwrap_or_default();
    if what.affected.is_empty() { name } else { format!("{name} {}", what.affected.replace('\n', " | ")) }
}

pub async fn list(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    let actor = browser.actor();
    let a = asked(&pairs);
    let mut rows = Rows::default();
    if a.wrong.is_empty() {
        rows = warnings::warning_list(app.db(), actor, &a.query, a.place(), a.most(ROWS)).await?;
    } else {
        actor.need(Permission::DeskRead)?;
    }
    show(&List {
        page: Page::new(&browser, "/desk", "Early warnings").crumb("/desk", "Desk"),
        heads: a.heads(&COLUMNS, a.query.sort, about, &a.schema.sorts),
        counted: a.counted(&rows.total, "early warning", "early warnings"),
        next: rows.next.map_or(String::new(), |n| a.next(&n)),
        list: rows.rows,
        writes: actor.may(Permission::DeskWrite),
        asked: a,
    })
}

async fn exported(app: &App, browser: &Browser, pairs: &Pairs) -> Result<Vec<Warning>, PageError> {
    let a = asked(pairs);
    if !a.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into());
    }
    let (mut after, mut found) = (None, Vec::new());
    while (found.len() as u64) < EXPORT {
        let page =
            warnings::warning_list(app.db(), browser.actor(), &a.query, after.as_deref(), 1_000).await?;
        found.extend(page.rows);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

pub async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let head = [
        "name",
        "title",
        "severity",
        "product",
        "purl",
        "cpe",
        "affected",
        "tlp",
        "state",
        "merged into",
        "created",
        "author",
    ];
    let mut sheet = Sheet::new(&head)?;
    for w in exported(&app, &browser, &pairs).await? {
        sheet.row(&[
            w.name,
            cell(&w.what.title),
            w.what.severity,
            cell(&w.what.product),
            cell(&w.what.purl),
            cell(&w.what.cpe),
            cell(&w.what.affected),
            w.what.tlp,
            w.state,
            cell(&w.main),
            w.created,
            cell(&w.author),
        ])?;
    }
    Ok(sheet.file("early-warnings"))
}

pub async fn json(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let found = exported(&app, &browser, &pairs).await?;
    Ok(json_file("early-warnings", &serde_json::json!({ "warnings": found })))
}

/// The fields of a form, and what is wrong with one.
struct Fields {
    new: NewWarning,
    links: String,
    field: String,
    wrong: String,
}

impl Fields {
    fn of(new: NewWarning, (field, wrong): (String, String)) -> Fields {
        Fields { links: new.links.join("\n"), new, field, wrong }
    }

    fn severities(&self) -> &'static [&'static str] {
        &SEVERITY_WORDS
    }

    fn tlps(&self) -> &'static [&'static str] {
        &TLPS
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.field == field
    }
}

fn typed(pairs: &Pairs) -> NewWarning {
    let text = |name: &str| param(pairs, name).trim().replace("\r\n", "\n");
    NewWarning {
        title: text("title"),
        summary: text("summary"),
        product: text("product"),
        vendor: text("vendor"),
        purl: text("purl"),
        cpe: text("cpe"),
        told: text("told"),
        affected: text("affected"),
        severity: text("severity"),
        tlp: text("tlp"),
        links: text("links").split_whitespace().map(str::to_owned).collect(),
    }
}

#[derive(Template)]
#[template(path = "desk/warn.html")]
struct Make {
    page: Page,
    story: i64,
    to: String,
    f: Fields,
}

fn make_page(browser: &Browser, story: i64, f: Fields) -> Answer {
    let page = Page::new(browser, "/desk", "Early warning").crumb("/desk", "Desk");
    let (page, to) = match story {
        0 => (page.crumb("/warnings", "Early warnings"), "/warnings/new".to_owned()),
        story => (page.crumb(format!("/stories/{story}"), "Story"), format!("/stories/{story}/warning")),
    };
    show(&Make { page, story, to, f })
}

fn right() -> (String, String) {
    (String::new(), String::new())
}

/// The form, with what the story tells.
pub async fn of_story(State(app): State<App>, browser: Browser, Path(story): Path<i64>) -> Answer {
    browser.actor().need_everywhere(Permission::DeskWrite)?;
    let new = desk::draft(app.db(), browser.actor(), story).await?;
    make_page(&browser, story, Fields::of(new, right()))
}

/// The form without a story.
pub async fn begin(browser: Browser) -> Answer {
    browser.actor().need_everywhere(Permission::DeskWrite)?;
    // what is not known to be public is kept close until somebody says otherwise
    let new = NewWarning { severity: "unknown".to_owned(), tlp: "AMBER".to_owned(), ..NewWarning::default() };
    make_page(&browser, 0, Fields::of(new, right()))
}

async fn make(app: App, browser: Browser, story: i64, pairs: Pairs) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let new = typed(&pairs);
    let made = match story {
        0 => warnings::create(app.db(), &actor, &new).await,
        story => desk::promote(app.db(), &actor, story, &new).await,
    };
    match made {
        Ok(name) => {
            let told = format!("{name} is made; it is matched against the inventory within seconds.");
            Ok(Redirect::to(&format!("/warnings/{name}?done={}", encode(&told))).into_response())
        }
        Err(Error::Rejected { field, message }) => {
            Ok(make_page(&browser, story, Fields::of(new, (field, message)))?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

pub async fn make_of_story(
    State(app): State<App>,
    browser: Browser,
    Path(story): Path<i64>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    make(app, browser, story, pairs).await
}

pub async fn make_new(
    State(app): State<App>,
    browser: Browser,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    make(app, browser, 0, pairs).await
}

#[derive(Template)]
#[template(path = "desk/warning.html")]
struct One {
    page: Page,
    s: Shown,
    f: Fields,
    affected: String,
    releases: i64,
    findings: i64,
    writes: bool,
    done: String,
    wrong: String,
}

impl One {
    /// Where its findings are.
    fn id(&self) -> &str {
        if self.s.warning.main.is_empty() { &self.s.warning.name } else { &self.s.warning.main }
    }
}

async fn page(
    app: &App,
    browser: &Browser,
    name: &str,
    form: Option<Fields>,
    (done, wrong): (String, String),
) -> Result<Response, PageError> {
    let actor = browser.actor();
    actor.need_everywhere(Permission::DeskRead)?;
    let s = warnings::shown(app.db(), actor, name).await?;
    let id = if s.warning.main.is_empty() { s.warning.name.clone() } else { s.warning.main.clone() };
    let reaching = detection::reaching(app.db(), actor, &[&id]).await?;
    let reach = reaching.get(&id).copied().unwrap_or_default();
    let page = One {
        page: Page::new(browser, "/desk", &s.warning.name)
            .crumb("/desk", "Desk")
            .crumb("/warnings", "Early warnings"),
        f: form.unwrap_or_else(|| Fields::of(s.warning.what.clone(), right())),
        affected: affected(&s.warning),
        releases: reach.releases,
        findings: reach.findings,
        writes: actor.may(Permission::DeskWrite),
        s,
        done,
        wrong,
    };
    Ok(show(&page)?.into_response())
}

pub async fn one(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    page(&app, &browser, &name, None, (param(&pairs, "done").to_owned(), String::new())).await
}

/// Back to the warning with what was done; what is wrong is told there.
async fn after(
    app: &App,
    browser: &Browser,
    name: &str,
    result: Result<String, Error>,
    form: Option<NewWarning>,
) -> Result<Response, PageError> {
    let form = |field: String, message: String| form.map(|new| Fields::of(new, (field, message)));
    match result {
        Ok(done) => {
            Ok(Redirect::to(&format!("/warnings/{}?done={}", encode(name), encode(&done))).into_response())
        }
        Err(Error::Rejected { field, message }) => {
            let wrong = format!("{field}: {message}");
            page(app, browser, name, form(field, message), (String::new(), wrong)).await
        }
        Err(Error::Conflict(message)) => {
            page(app, browser, name, form(String::new(), String::new()), (String::new(), message)).await
        }
        Err(e) => Err(e.into()),
    }
}

pub async fn edit(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let new = typed(&pairs);
    let version = param(&pairs, "version").parse().unwrap_or(-1);
    let result = warnings::edit(app.db(), &actor, &name, version, &new).await;
    let result = result.map(|()| "It is saved; findings follow within seconds.".to_owned());
    after(&app, &browser, &name, result, Some(new)).await
}

pub async fn withdraw(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let result = warnings::withdraw(app.db(), &actor, &name, 0, param(&pairs, "why")).await;
    after(
        &app,
        &browser,
        &name,
        result.map(|()| "It is withdrawn; its findings are closed.".to_owned()),
        None,
    )
    .await
}

pub async fn merge(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let result = detection::merge_warning(app.db(), &actor, &name, 0, param(&pairs, "into")).await;
    let told = |m: detection::Merged| {
        let word = if m.findings == 1 { "1 finding goes" } else { &format!("{} findings go", m.findings) };
        format!("{name} is merged; {word} on there, with history and decisions.")
    };
    let result = result.map(told);
    after(&app, &browser, &name, result, None).await
}

pub async fn refuse(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, PageError> {
    let actor = sender(&browser, param(&pairs, "csrf"))?;
    let main = param(&pairs, "main");
    let result = warnings::refuse(app.db(), &actor, &name, main).await;
    after(&app, &browser, &name, result.map(|()| format!("{main} is not proposed again.")), None).await
}

//! Who is told of what.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, RawForm, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tocsin_core::Error;
use tocsin_core::inventory::{self, INTERESTS, Line, Product, Stakeholder};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::query::Rows;

use super::asked::{Asked, Head, Pairs, param};
use super::products::json_file;
use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/stakeholders", Access::Needs(Permission::InventoryRead)),
    ("POST", "/stakeholders", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/stakeholders/{id}/remove", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/stakeholders.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/stakeholders.json", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/stakeholders", get(list).post(save))
        .route("/stakeholders/{id}/remove", post(remove))
        .route("/stakeholders.csv", get(csv))
        .route("/stakeholders.json", get(json))
}

/// Stakeholders on one page.
const ROWS: u64 = 100;
/// Stakeholders in one file at most.
const EXPORT: u64 = 100_000;

/// Filters a reader sets by one click.
const QUICK: [(&str, &str); 3] = [
    ("About everything", "everything:true"),
    ("Told of exploited flaws", "interest:exploited"),
    ("Told of advisories", "interest:advisory"),
];

fn asked(pairs: &Pairs) -> Asked {
    Asked::read("stakeholders", "/stakeholders", inventory::stakeholder_schema(), &QUICK, pairs)
}

fn about(column: &str) -> (&'static str, &'static str, bool) {
    match column {
        "name" => ("Name", "name", false),
        "email" => ("Mail address", "email", false),
        "about" => ("About", "about", false),
        _ => ("Told of", "", false),
    }
}

#[derive(Template)]
#[template(path = "stakeholders/list.html")]
struct List {
    page: Page,
    asked: Asked,
    heads: Vec<Head>,
    list: Vec<Stakeholder>,
    counted: String,
    next: String,
    form: Stakeholder,
    lines: Vec<Line>,
    products: Vec<Product>,
    may_write: bool,
    done: String,
    wrong: String,
}

impl List {
    fn told(&self, word: &str) -> bool {
        self.form.interests.iter().any(|i| i == word)
    }
}

async fn page(app: &App, browser: &Browser, pairs: &Pairs, typed: Option<(Stakeholder, String)>) -> Answer {
    let (db, actor, a) = (app.db(), browser.actor(), asked(pairs));
    actor.need(Permission::InventoryRead)?;
    let mut found = Rows::default();
    if a.wrong.is_empty() {
        found = inventory::stakeholder_list(db, actor, &a.query, a.place(), a.most(ROWS)).await?;
    }
    let edit: i64 = param(pairs, "edit").parse().unwrap_or(0);
    let (form, wrong) = match typed {
        Some(typed) => typed,
        None if edit > 0 => (inventory::stakeholder_of(db, actor, edit).await?, String::new()),
        None => (Stakeholder::default(), String::new()),
    };
    show(&List {
        page: Page::new(browser, "/products", "Who is told of what").crumb("/products", "Products"),
        heads: a.heads(&["name", "email", "about", "interests"], a.query.sort, about, &a.schema.sorts),
        counted: a.counted(&found.total, "stakeholder", "stakeholders"),
        next: found.next.map_or(String::new(), |n| a.next(&n)),
        list: found.rows,
        asked: a,
        form,
        lines: inventory::lines(db, actor).await?,
        products: inventory::products(db, actor).await?,
        may_write: actor.may(Permission::InventoryWrite),
        done: param(pairs, "done").to_owned(),
        wrong,
    })
}

async fn list(State(app): State<App>, browser: Browser, Query(pairs): Query<Pairs>) -> Answer {
    page(&app, &browser, &pairs, None).await
}

/// Fields of a form in which one may stand several times.
pub(super) fn fields(body: &[u8]) -> Vec<(String, String)> {
    let plain = |text: &str| {
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(b) = bytes.next() {
            out.push(match b {
                b'+' => b' ',
                b'%' => {
                    let mut digit = || bytes.next().and_then(|d| char::from(d).to_digit(16)).unwrap_or(0);
                    (digit() * 16 + digit()) as u8
                }
                b => b,
            });
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let text = String::from_utf8_lossy(body);
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (plain(name), plain(value))
    };
    text.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

async fn save(
    State(app): State<App>,
    browser: Browser,
    RawForm(body): RawForm,
) -> Result<Response, PageError> {
    let fields = fields(&body);
    let get = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    browser.check(get("csrf"))?;
    let (kind, about) = get("about").split_once('-').unwrap_or(("", "0"));
    let about: i64 = about.parse().unwrap_or(0);
    let typed = Stakeholder {
        id: get("id").parse().unwrap_or(0),
        name: get("name").to_owned(),
        email: get("email").to_owned(),
        interests: fields.iter().filter(|(n, _)| n == "interest").map(|(_, v)| v.clone()).collect(),
        line: if kind == "line" { about } else { 0 },
        product: if kind == "product" { about } else { 0 },
        about: String::new(),
    };
    let mut actor = browser.actor().clone();
    actor.now = now();
    let mut change = Change::begin(app.db(), &actor).await?;
    match inventory::save_stakeholder(&mut change, &typed).await {
        Ok(_) => {
            change.commit().await?;
            Ok(Redirect::to(&format!("/stakeholders?done={}", encode("Noted."))).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            drop(change);
            Ok(page(&app, &browser, &Pairs::new(), Some((typed, message))).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    RawForm(body): RawForm,
) -> Result<Response, PageError> {
    let fields = fields(&body);
    browser.check(fields.iter().find(|(n, _)| n == "csrf").map_or("", |(_, v)| v.as_str()))?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let mut change = Change::begin(app.db(), &actor).await?;
    inventory::drop_stakeholder(&mut change, id).await?;
    change.commit().await?;
    Ok(Redirect::to(&format!("/stakeholders?done={}", encode("Taken away."))).into_response())
}

/// What an export holds: all that the query of the page finds.
async fn exported(app: &App, browser: &Browser, pairs: &Pairs) -> Result<Vec<Stakeholder>, PageError> {
    let a = asked(pairs);
    browser.actor().need(Permission::InventoryRead)?;
    if !a.wrong.is_empty() {
        return Err(Error::Rejected { field: "q".to_owned(), message: a.wrong }.into());
    }
    Ok(inventory::stakeholder_list(app.db(), browser.actor(), &a.query, None, EXPORT).await?.rows)
}

async fn csv(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let mut out = Sheet::new(&["name", "email", "about", "told_of"])?;
    for s in exported(&app, &browser, &pairs).await? {
        out.row(&[cell(&s.name), cell(&s.email), cell(&s.about), s.interests.join(" ")])?;
    }
    Ok(out.file("stakeholders"))
}

async fn json(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Response, PageError> {
    let found = exported(&app, &browser, &pairs).await?;
    Ok(json_file("stakeholders", &serde_json::json!({ "stakeholders": found })))
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_field_may_stand_several_times() {
        let is = fields(b"interest=critical&interest=high&name=A+B%20C%C3%A9&x&bad=%zz");
        let of = |n: &str| is.iter().filter(|(k, _)| k == n).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
        assert_eq!(
            (of("interest"), of("name"), of("x")),
            (vec!["critical", "high"], vec!["A B C\u{e9}"], vec![""])
        );
    }
}

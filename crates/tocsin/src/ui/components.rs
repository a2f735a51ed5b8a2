//! One component: where it is, which versions of it are in use, what hurts it, what sources tell of its life; and who
//! supplies components, how to reach them, and the life of packages.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::extract::{Multipart, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use tocsin_core::Error;
use tocsin_core::inventory::{self, Detail, Hurt, Life, Place, Supplier, Version};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;

use super::sheet::{Sheet, cell};
use super::{Answer, Page, encode, filters, form, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/components/{id}", Access::Needs(Permission::InventoryRead)),
    ("GET", "/suppliers", Access::Needs(Permission::InventoryRead)),
    ("POST", "/suppliers", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/suppliers.csv", Access::Needs(Permission::InventoryRead)),
    ("GET", "/lifecycle", Access::Needs(Permission::InventoryRead)),
    ("POST", "/lifecycle", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/lifecycle/import", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/lifecycle.csv", Access::Needs(Permission::InventoryRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/components/{id}", get(one))
        .route("/suppliers", get(suppliers).post(note_supplier))
        .route("/suppliers.csv", get(suppliers_csv))
        .route("/lifecycle", get(lifecycle).post(note_life))
        .route("/lifecycle/import", post(import_lives))
        .route("/lifecycle.csv", get(lives_csv))
}

type Asked = Query<HashMap<String, String>>;

#[derive(Template)]
#[template(path = "components/one.html")]
struct One {
    page: Page,
    c: Detail,
    versions: Vec<Version>,
    places: Vec<Place>,
    skip: u64,
    findings: Vec<Hurt>,
    licences: Vec<String>,
    hashes: Vec<(String, String)>,
    life: Option<Life>,
    lives: Vec<Life>,
    latest_here: String,
    supplier: Supplier,
    releases: i64,
    units: i64,
    today: String,
}

/// Releases on one page.
const PLACES: u64 = 100;

async fn one(State(app): State<App>, browser: Browser, Path(id): Path<i64>, Query(query): Asked) -> Answer {
    let (db, actor) = (app.db(), browser.actor());
    let c = inventory::component_of(db, actor, id).await?;
    let skip = query.get("skip").and_then(|s| s.parse().ok()).unwrap_or(0);
    let places = inventory::places(db, actor, id, skip, PLACES).await?;
    let versions = inventory::versions(db, actor, &c).await?;
    let of = [(id, c.purl.clone(), c.cpes.clone())];
    let lives = inventory::lives(db, actor, &of).await?.remove(&id).unwrap_or_default();
    let findings = if actor.may(Permission::FindingRead) {
        inventory::hurts(db, actor, id, 100).await?
    } else {
        Vec::new()
    };
    let mut hashes: BTreeMap<(String, String), ()> = BTreeMap::new();
    let mut licences: BTreeMap<String, ()> = BTreeMap::new();
    for p in &places {
        hashes.extend(p.hashes.iter().map(|h| (h.clone(), ())));
        if !p.licences.is_empty() {
            licences.insert(p.licences.clone(), ());
        }
    }
    let this = versions.iter().find(|v| v.component == id);
    let title = if c.version.is_empty() { c.full_name() } else { format!("{} {}", c.full_name(), c.version) };
    show(&One {
        page: Page::new(&browser, "/where-used", &title).crumb("/where-used", "Where used"),
        releases: this.map_or(0, |v| v.releases),
        units: this.map_or(0, |v| v.units),
        supplier: inventory::supplier(db, actor, &c.supplier).await?,
        latest_here: versions.first().map(|v| v.version.clone()).unwrap_or_default(),
        life: inventory::life_of(&lives, &c.version).cloned(),
        lives,
        versions,
        places,
        skip,
        findings,
        licences: licences.into_keys().collect(),
        hashes: hashes.into_keys().collect(),
        today: now().chars().take(10).collect(),
        c,
    })
}

#[derive(Template)]
#[template(path = "suppliers/list.html")]
struct Suppliers {
    page: Page,
    list: Vec<Supplier>,
    text: String,
    next: Option<String>,
    edit: Option<Supplier>,
    may_write: bool,
    done: String,
    wrong: String,
}

async fn suppliers_page(
    app: &App,
    browser: &Browser,
    query: &HashMap<String, String>,
    wrong: Option<(Supplier, String)>,
) -> Answer {
    const MOST: u64 = 100;
    let (db, actor) = (app.db(), browser.actor());
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    let mut list = inventory::suppliers(db, actor, get("text"), get("after"), MOST + 1).await?;
    let more = list.len() as u64 > MOST;
    list.truncate(MOST as usize);
    let (edit, wrong) = match wrong {
        Some((typed, wrong)) => (Some(typed), wrong),
        None if get("edit").is_empty() => (None, String::new()),
        None => (Some(inventory::supplier(db, actor, get("edit")).await?), String::new()),
    };
    show(&Suppliers {
        page: Page::new(browser, "/products", "Suppliers").crumb("/products", "Products"),
        next: list.last().filter(|_| more).map(|s| s.name.clone()),
        list,
        text: get("text").to_owned(),
        edit,
        may_write: actor.need_everywhere(Permission::InventoryWrite).is_ok(),
        done: get("done").to_owned(),
        wrong,
    })
}

async fn suppliers(State(app): State<App>, browser: Browser, Query(query): Asked) -> Answer {
    suppliers_page(&app, &browser, &query, None).await
}

#[derive(Deserialize)]
struct SupplierForm {
    csrf: String,
    name: String,
    contact: String,
    address: String,
    note: String,
}

async fn note_supplier(
    State(app): State<App>,
    browser: Browser,
    Form(f): Form<SupplierForm>,
) -> Result<Response, PageError> {
    browser.check(&f.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let typed = Supplier {
        name: f.name,
        contact: f.contact,
        address: f.address,
        note: f.note,
        ..Supplier::default()
    };
    let mut change = Change::begin(app.db(), &actor).await?;
    match inventory::note_supplier(&mut change, &typed).await {
        Ok(()) => {
            change.commit().await?;
            Ok(Redirect::to(&format!("/suppliers?text={}&done=Noted.", encode(&typed.name))).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            drop(change);
            Ok(suppliers_page(&app, &browser, &HashMap::new(), Some((typed, message))).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn suppliers_csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Asked,
) -> Result<Response, PageError> {
    let text = query.get("text").map_or("", String::as_str);
    let mut out = Sheet::new(&["supplier", "components", "releases", "contact", "advisories", "note"])?;
    for s in inventory::suppliers(app.db(), browser.actor(), text, "", 100_000).await? {
        let row = [
            cell(&s.name),
            s.components.to_string(),
            s.releases.to_string(),
            cell(&s.contact),
            cell(&s.address),
            cell(&s.note),
        ];
        out.row(&row)?;
    }
    Ok(out.file("suppliers"))
}

#[derive(Template)]
#[template(path = "lifecycle/list.html")]
struct Lifecycle {
    page: Page,
    list: Vec<Life>,
    more: bool,
    text: String,
    typed: Life,
    today: String,
    may_write: bool,
    done: String,
    wrong: String,
}

async fn lifecycle_page(
    app: &App,
    browser: &Browser,
    query: &HashMap<String, String>,
    typed: Life,
    wrong: String,
) -> Answer {
    let actor = browser.actor();
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();
    let typed = if typed.package.is_empty() { Life { package: get("package"), ..typed } } else { typed };
    let (list, more) = inventory::all_lives(app.db(), actor, &get("text")).await?;
    show(&Lifecycle {
        page: Page::new(browser, "/products", "Life of packages").crumb("/products", "Products"),
        list,
        more,
        text: get("text"),
        typed,
        today: now().chars().take(10).collect(),
        may_write: actor.need_everywhere(Permission::InventoryWrite).is_ok(),
        done: get("done"),
        wrong,
    })
}

async fn lifecycle(State(app): State<App>, browser: Browser, Query(query): Asked) -> Answer {
    lifecycle_page(&app, &browser, &query, Life::default(), String::new()).await
}

#[derive(Deserialize)]
struct LifeForm {
    csrf: String,
    package: String,
    #[serde(default)]
    cycle: String,
    #[serde(default)]
    latest: String,
    #[serde(default)]
    ends: String,
    source: String,
}

async fn note_life(
    State(app): State<App>,
    browser: Browser,
    Form(f): Form<LifeForm>,
) -> Result<Response, PageError> {
    browser.check(&f.csrf)?;
    let told = Life { cycle: f.cycle, latest: f.latest, ends: f.ends, ..Life::default() };
    let life = Life { package: f.package, source: f.source, ..told };
    store_lives(&app, &browser, Ok(vec![life])).await
}

async fn import_lives(
    State(app): State<App>,
    browser: Browser,
    parts: Multipart,
) -> Result<Response, PageError> {
    let (fields, file) = form(parts).await?;
    browser.check(fields.get("csrf").map_or("", String::as_str))?;
    let list = match file {
        Some((_, bytes)) => read_lives(&bytes),
        None => Err("Choose a CSV file with the columns package, cycle, latest, ends and source.".to_owned()),
    };
    store_lives(&app, &browser, list).await
}

/// Rows of a CSV file whose header names package, source and what is told, in any order.
fn read_lives(bytes: &[u8]) -> Result<Vec<Life>, String> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let delimiter = if text.lines().next().is_some_and(|l| l.contains(';')) { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| format!("The file is not CSV: {e}."))?.clone();
    let place = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
    let (Some(package), Some(source)) = (place("package"), place("source")) else {
        return Err(
            "The first line names package and source, and of cycle, latest and ends what is told.".to_owned()
        );
    };
    let rest = ["cycle", "latest", "ends"].map(place);
    let mut list = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| format!("The file is not CSV: {e}. Nothing was taken from it."))?;
        let text = |n: usize| row.get(n).unwrap_or_default().to_owned();
        let [cycle, latest, ends] = rest.map(|n| n.map(text).unwrap_or_default());
        list.push(Life {
            package: text(package),
            cycle,
            latest,
            ends,
            source: text(source),
            ..Life::default()
        });
    }
    if list.is_empty() { Err("The file has no line below its header.".to_owned()) } else { Ok(list) }
}

async fn store_lives(
    app: &App,
    browser: &Browser,
    list: Result<Vec<Life>, String>,
) -> Result<Response, PageError> {
    let mut actor = browser.actor().clone();
    actor.now = now();
    let typed =
        list.as_ref().ok().filter(|l| l.len() == 1).and_then(|l| l.first().cloned()).unwrap_or_default();
    let stored = async {
        let list = list.map_err(|message| Error::Rejected { field: "package".to_owned(), message })?;
        let mut change = Change::begin(app.db(), &actor).await?;
        let n = inventory::note_lives(&mut change, &list).await?;
        change.commit().await?;
        Ok::<usize, Error>(n)
    };
    match stored.await {
        Ok(n) => {
            Ok(Redirect::to(&format!("/lifecycle?done={}", encode(&format!("{n} noted.")))).into_response())
        }
        Err(Error::Rejected { message, .. }) => {
            Ok(lifecycle_page(app, browser, &HashMap::new(), typed, message).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn lives_csv(
    State(app): State<App>,
    browser: Browser,
    Query(query): Asked,
) -> Result<Response, PageError> {
    let text = query.get("text").map_or("", String::as_str);
    let mut out = Sheet::new(&["package", "cycle", "latest", "ends", "source"])?;
    for l in inventory::all_lives(app.db(), browser.actor(), text).await?.0 {
        out.row(&[cell(&l.package), cell(&l.cycle), cell(&l.latest), l.ends, cell(&l.source)])?;
    }
    Ok(out.file("lifecycle"))
}

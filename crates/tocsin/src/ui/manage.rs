//! Forms that change, archive and delete product lines, products and releases, and tell how a release's operating
//! system is built.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use tocsin_core::Error;
use tocsin_core::inventory::{self, Consequences, Line, LineEdit, ProductEdit, ReleaseEdit, System, Thing};
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::people::{self, Person};

use super::{Answer, Page, encode, show};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/lines/{id}/edit", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/lines/{id}/edit", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/lines/{id}/archive", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/lines/{id}/delete", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/products/{id}/edit", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/products/{id}/edit", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/products/{id}/archive", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/products/{id}/delete", Access::Needs(Permission::InventoryWrite)),
    ("GET", "/releases/{id}/edit", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/releases/{id}/edit", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/releases/{id}/archive", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/releases/{id}/delete", Access::Needs(Permission::InventoryWrite)),
    ("POST", "/releases/{id}/system", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> Router<App> {
    let of = |kind: Kind| {
        let name = kind.plural();
        let page = move |app: State<App>, browser: Browser, id: Path<i64>| page(kind, app, browser, id);
        let save = move |app: State<App>, browser: Browser, id: Path<i64>, form: Form<Fields>| {
            save(kind, app, browser, id, form)
        };
        let archive = move |app: State<App>, browser: Browser, id: Path<i64>, form: Form<Fields>| {
            archive(kind, app, browser, id, form)
        };
        let delete = move |app: State<App>, browser: Browser, id: Path<i64>, form: Form<Fields>| {
            delete(kind, app, browser, id, form)
        };
        Router::new()
            .route(&format!("/{name}/{{id}}/edit"), get(page).post(save))
            .route(&format!("/{name}/{{id}}/archive"), post(archive))
            .route(&format!("/{name}/{{id}}/delete"), post(delete))
    };
    Router::new()
        .merge(of(Kind::Line))
        .merge(of(Kind::Product))
        .merge(of(Kind::Release))
        .route("/releases/{id}/system", post(system))
}

type Fields = HashMap<String, String>;

/// What a form is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    Product,
    Release,
}

impl Kind {
    fn plural(self) -> &'static str {
        match self {
            Kind::Line => "lines",
            Kind::Product => "products",
            Kind::Release => "releases",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Line => "product line",
            Kind::Product => "product",
            Kind::Release => "release",
        }
    }

    fn thing(self, id: i64) -> Thing {
        match self {
            Kind::Line => Thing::Line(id),
            Kind::Product => Thing::Product(id),
            Kind::Release => Thing::Release(id),
        }
    }

    /// The page of the thing itself.
    fn address(self, id: i64) -> String {
        match self {
            Kind::Line => format!("/products?line={id}"),
            Kind::Product => format!("/products/{id}"),
            Kind::Release => format!("/releases/{id}"),
        }
    }
}

#[derive(Template)]
#[template(path = "manage/edit.html")]
struct Edit {
    page: Page,
    kind: Kind,
    plural: &'static str,
    word: &'static str,
    back: String,
    id: i64,
    /// As it is typed to delete it.
    name: String,
    fields: Fields,
    archived: bool,
    lines: Vec<Line>,
    people: Vec<Person>,
    consequences: Consequences,
    wrong: String,
    at: String,
}

impl Edit {
    fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// The form as it stands, with what was typed where something was wrong.
async fn form_page(
    app: &App,
    browser: &Browser,
    kind: Kind,
    id: i64,
    typed: Option<(Fields, Error)>,
) -> Answer {
    let (db, actor) = (app.db(), browser.actor());
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let (name, line, archived, stored): (String, i64, bool, Vec<(&str, String)>) = match kind {
        Kind::Line => {
            let l = inventory::line_of(db, actor, id).await?;
            let contact = l.edit.contact.map(|c| c.to_string()).unwrap_or_default();
            let fields = vec![
                ("name", l.edit.name.clone()),
                ("description", l.edit.description),
                ("contact", contact),
            ];
            (l.edit.name, id, l.archived.is_some(), fields)
        }
        Kind::Product => {
            let p = inventory::product_of(db, actor, id).await?;
            let fields = vec![
                ("name", p.edit.name.clone()),
                ("description", p.edit.description),
                ("line", p.edit.line.to_string()),
            ];
            (p.edit.name, p.edit.line, p.archived.is_some(), fields)
        }
        Kind::Release => {
            let r = inventory::release_of(db, actor, id).await?;
            let e = inventory::release_edit(db, actor, id).await?;
            let fields = vec![
                ("version", e.version),
                ("released", text(&e.released)),
                ("support_until", text(&e.support_until)),
                ("note", e.note),
            ];
            (format!("{} {}", r.product_name, r.version), r.line, !r.active, fields)
        }
    };
    actor.need_in(Permission::InventoryWrite, line)?;
    let mut fields: Fields = stored.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let (mut wrong, mut at) = (String::new(), String::new());
    if let Some((typed, e)) = typed {
        fields.extend(typed);
        (at, wrong) = match e {
            Error::Rejected { field, message } => (field, message),
            other => (String::new(), other.to_string()),
        };
    }
    let people = if kind == Kind::Line && actor.may(Permission::FindingRead) {
        people::people(db, actor).await?
    } else {
        Vec::new()
    };
    let title = format!("Change {name}");
    show(&Edit {
        page: Page::new(browser, "/products", &title)
            .crumb("/products", "Products")
            .crumb(kind.address(id), name.clone()),
        kind,
        plural: kind.plural(),
        word: kind.word(),
        back: kind.address(id),
        id,
        name,
        fields,
        archived,
        lines: inventory::lines(db, actor).await?,
        people,
        consequences: inventory::consequences(db, actor, kind.thing(id)).await?,
        wrong,
        at,
    })
}

async fn page(kind: Kind, State(app): State<App>, browser: Browser, Path(id): Path<i64>) -> Answer {
    form_page(&app, &browser, kind, id, None).await
}

/// Does what a form asks for, and goes to `next`; where it is refused for its content, the form comes back.
async fn acted(
    app: &App,
    browser: &Browser,
    (kind, id): (Kind, i64),
    fields: Fields,
    next: String,
    act: impl AsyncFnOnce(&mut Change<'_>, &Fields) -> Result<(), Error>,
) -> Result<Response, PageError> {
    browser.check(fields.get("csrf").map_or("", String::as_str))?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let mut change = Change::begin(app.db(), &actor).await?;
    match act(&mut change, &fields).await {
        Ok(()) => {
            change.commit().await?;
            Ok(Redirect::to(&next).into_response())
        }
        Err(e @ Error::Rejected { .. }) => {
            drop(change);
            Ok(form_page(app, browser, kind, id, Some((fields, e))).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

async fn save(
    kind: Kind,
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, PageError> {
    let join = if kind == Kind::Line { "&" } else { "?" };
    let next = format!("{}{join}done={}", kind.address(id), encode("Changed."));
    acted(&app, &browser, (kind, id), fields, next, async |change, fields| {
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        match kind {
            Kind::Line => {
                let contact = get("contact").parse().ok();
                let edit = LineEdit { name: get("name"), description: get("description"), contact };
                inventory::edit_line(change, id, &edit).await
            }
            Kind::Product => {
                let line = get("line").parse().unwrap_or(0);
                let edit = ProductEdit { name: get("name"), description: get("description"), line };
                inventory::edit_product(change, id, &edit).await
            }
            Kind::Release => {
                let edit = ReleaseEdit {
                    version: get("version"),
                    released: Some(get("released")),
                    support_until: Some(get("support_until")),
                    note: get("note"),
                };
                inventory::edit_release(change, id, &edit).await
            }
        }
    })
    .await
}

async fn archive(
    kind: Kind,
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, PageError> {
    let archived = fields.get("archived").is_some_and(|v| v == "1");
    let join = if kind == Kind::Line { "&" } else { "?" };
    let words = if archived {
        "Archived. It is no longer watched."
    } else {
        "Back from the archive, and watched again."
    };
    let next = format!("{}{join}done={}", kind.address(id), encode(words));
    let next =
        if kind == Kind::Line && archived { next.replace("?line=", "?state=archived&line=") } else { next };
    acted(&app, &browser, (kind, id), fields, next, async |change, _| {
        inventory::archive(change, kind.thing(id), archived).await
    })
    .await
}

async fn delete(
    kind: Kind,
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, PageError> {
    let next = format!("/products?done={}", encode("Deleted. The audit trail keeps that it was there."));
    acted(&app, &browser, (kind, id), fields, next, async |change, fields| {
        let typed = fields.get("typed").cloned().unwrap_or_default();
        inventory::delete(change, kind.thing(id), &typed).await
    })
    .await
}

async fn system(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, PageError> {
    browser.check(fields.get("csrf").map_or("", String::as_str))?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    // Browsers send line ends of their own.
    let get =
        |name: &str| fields.get(name).map(|t| t.replace("\r\n", "\n").trim().to_owned()).unwrap_or_default();
    let told = System {
        os_release: get("os_release"),
        kernel_config: get("kernel_config"),
        packages: get("packages"),
        hardening: get("hardening"),
    };
    let mut change = Change::begin(app.db(), &actor).await?;
    match inventory::set_system(&mut change, id, &told).await {
        Ok(()) => {
            change.commit().await?;
            Ok(Redirect::to(&format!("/releases/{id}?tab=system&done={}", encode("Kept."))).into_response())
        }
        Err(Error::Rejected { field, message }) => {
            drop(change);
            let tab = HashMap::from([("tab".to_owned(), "system".to_owned())]);
            let wrong = format!("{}: {message}", field.replace('_', " "));
            Ok(super::releases::page(&app, &browser, id, &tab, wrong).await?.into_response())
        }
        Err(e) => Err(e.into()),
    }
}

//! What lists share beside their rows: saved views, saved and removed here, and completions of queries.

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use tocsin_core::Error;
use tocsin_core::desk;
use tocsin_core::detection;
use tocsin_core::inventory;
use tocsin_core::notify;
use tocsin_core::platform::access::Permission;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::{trail, views};
use tocsin_core::report;
use tocsin_model::query::{Schema, TEXT_MOST, parse};

use super::asked::{self, Completion, Pairs, param};
use crate::server::guard::{Access, Route};
use crate::server::{App, Browser, PageError, now};

/// Who may use what here.
pub const ACCESS: &[Route] = &[
    ("GET", "/complete", Access::Known),
    ("POST", "/views", Access::Needs(Permission::FindingRead)),
    ("POST", "/views/{id}/remove", Access::Needs(Permission::FindingRead)),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/complete", get(complete))
        .route("/views", post(save))
        .route("/views/{id}/remove", post(remove))
}

#[derive(Deserialize)]
struct Saved {
    csrf: String,
    page: String,
    query: String,
    name: String,
    #[serde(default)]
    shared: Option<String>,
}

/// The lists that are asked by query: what may be named, and what one must be allowed. The name of a list that has views
/// is its address.
fn list(name: &str) -> Option<(Schema, Permission)> {
    Some(match name {
        "findings" => (detection::schema(), Permission::FindingRead),
        "vulnerabilities" => (detection::flaw_schema(), Permission::FindingRead),
        "releases" => (inventory::release_schema(), Permission::InventoryRead),
        "products" => (inventory::product_schema(), Permission::InventoryRead),
        "components" => (inventory::component_schema(), Permission::InventoryRead),
        "deployments" => (inventory::deployment_schema(), Permission::InventoryRead),
        "desk" => (desk::story_schema(), Permission::DeskRead),
        "reports" => (report::report_schema(), Permission::ReportRead),
        "stakeholders" => (inventory::stakeholder_schema(), Permission::InventoryRead),
        "audit" => (trail::schema(), Permission::AuditRead),
        "deliveries" => (notify::delivery_schema(), Permission::SettingsWrite),
        "notifications" => (notify::inbox_schema(), Permission::FindingRead),
        _ => return None,
    })
}

/// Lists whose pages show views.
const WITH_VIEWS: [&str; 3] = ["findings", "desk", "reports"];

/// What completes a query that was begun.
#[derive(Serialize)]
struct Completions {
    /// Where what is completed begins, in characters.
    from: usize,
    items: Vec<Completion>,
}

/// Completions of the text in `q`, which ends where the reader types, for the list `of`.
async fn complete(
    State(app): State<App>,
    browser: Browser,
    Query(pairs): Query<Pairs>,
) -> Result<Json<Completions>, PageError> {
    let Some((schema, permission)) = list(param(&pairs, "of")) else {
        return Err(PageError::not_found("list of this name"));
    };
    let actor = browser.actor();
    actor.need(permission)?;
    let text = param(&pairs, "q");
    let text = text.get(..TEXT_MOST).unwrap_or(text);
    let begun = asked::begun(text);
    let mut items = asked::complete(&schema, &begun);
    if let (Some((field, value)), true) = (&begun.1, items.is_empty())
        && actor.may(Permission::FindingRead)
        && schema.fields.iter().any(|f| f.name == field)
    {
        // a component's own list calls its name so
        let field = if field == "name" && param(&pairs, "of") == "components" { "component" } else { field };
        for found in detection::values(app.db(), actor, field, value, 10).await? {
            items.push(Completion { text: asked::quoted(&found), what: String::new() });
        }
    }
    items.truncate(12);
    let from = text.get(..begun.0).map_or(0, |t| t.chars().count());
    Ok(Json(Completions { from, items }))
}

async fn save(
    State(app): State<App>,
    browser: Browser,
    Form(saved): Form<Saved>,
) -> Result<Redirect, PageError> {
    browser.check(&saved.csrf)?;
    let rejected = |message: String| Error::Rejected { field: "query".to_owned(), message };
    let (schema, permission) = list(&saved.page)
        .filter(|_| WITH_VIEWS.contains(&saved.page.as_str()))
        .ok_or_else(|| rejected("this list has no views".to_owned()))?;
    browser.actor().need(permission)?;
    let query = parse(&saved.query, &schema).map_err(|e| rejected(e.to_string()))?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let mut change = Change::begin(app.db(), &actor).await?;
    let id =
        views::save_view(&mut change, &saved.page, &saved.name, &query.to_string(), saved.shared.is_some())
            .await?;
    change.commit().await?;
    Ok(Redirect::to(&format!("/{}?view={id}", saved.page)))
}

#[derive(Deserialize)]
struct Removed {
    csrf: String,
}

async fn remove(
    State(app): State<App>,
    browser: Browser,
    Path(id): Path<i64>,
    Form(removed): Form<Removed>,
) -> Result<Redirect, PageError> {
    browser.check(&removed.csrf)?;
    let mut actor = browser.actor().clone();
    actor.now = now();
    let view = views::view(app.db(), &actor, id).await?;
    let mut change = Change::begin(app.db(), &actor).await?;
    views::remove_view(&mut change, id).await?;
    change.commit().await?;
    Ok(Redirect::to(&format!("/{}", view.page)))
}

//! `/api/v2/products`: what is made.

use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tocsin_core::inventory::{self, Product};
use tocsin_core::platform::access::{Actor, Permission};
use tocsin_core::platform::change::Change;
use tocsin_model::query::Query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{Ask, Asking};
use super::made;
use super::page::{Page, Paging};
use crate::server::guard::{Access, Route};
use crate::server::{ApiError, App, Client};

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/v2/products", Access::Needs(Permission::InventoryRead)),
    ("GET", "/api/v2/products/{id}", Access::Needs(Permission::InventoryRead)),
    ("POST", "/api/v2/products", Access::Needs(Permission::InventoryWrite)),
];

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one))
}

#[derive(Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only products of this product line.
    line: Option<i64>,
}

/// Products
///
/// By product line and name.
#[utoipa::path(get, path = "/api/v2/products", tag = "Products", params(Asking, Paging, Wanted),
    responses((status = 200, content((Page<Product> = "application/json"), (Product = "application/x-ndjson")),
        description = "A page of products, or all as a stream of lines.")))]
async fn list(
    State(app): State<App>,
    Client(who): Client,
    ask: Ask,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    let page = move |app: App, actor: Actor, query: Query, after: Option<String>, most| async move {
        inventory::product_list(app.db(), &actor, wanted.line, &query, after.as_deref(), most).await
    };
    ask.reply(app, who.actor, "products", inventory::product_schema(), page).await
}

async fn find(app: &App, actor: &Actor, id: i64) -> Result<Product, ApiError> {
    Ok(inventory::product_by_id(app.db(), actor, id).await?)
}

/// A product
#[utoipa::path(get, path = "/api/v2/products/{id}", tag = "Products",
    params(("id" = i64, Path, description = "Id of the product.")),
    responses((status = 200, description = "The product.", body = Product)))]
async fn one(
    State(app): State<App>,
    Client(who): Client,
    Path(id): Path<i64>,
) -> Result<Json<Product>, ApiError> {
    Ok(Json(find(&app, &who.actor, id).await?))
}

/// A product to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"line": 1, "name": "Pump 3"}))]
struct NewProduct {
    /// Its product line.
    line: i64,
    /// Name, unique in the workspace.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// Makes a product
///
/// One of this name that is there already is given back, in its own product line.
#[utoipa::path(post, path = "/api/v2/products", tag = "Products", request_body = NewProduct,
    responses((status = 201, description = "It was made, or was there.", body = Product,
        headers(("Location" = String, description = "Its address.")))))]
async fn create(
    State(app): State<App>,
    Client(who): Client,
    Json(new): Json<NewProduct>,
) -> Result<Response, ApiError> {
    let mut change = Change::begin(app.db(), &who.actor).await?;
    let id = inventory::make_product(&mut change, new.line, &new.name).await?;
    change.commit().await?;
    let product = find(&app, &who.actor, id).await?;
    Ok((StatusCode::CREATED, made(&format!("/api/v2/products/{id}")), Json(product)).into_response())
}

//! `/api/docs`: the OpenAPI document for readers. Swagger UI where its files were there when the program was built
//! (`cargo xtask assets`), and a plain page of the same document in any case.

use askama::Template;
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;

use super::document::{METHODS, whole};
use crate::server::guard::{Access, Route};
use crate::server::{App, PageError};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

/// Starts Swagger UI. A file of its own, since the pages allow no script inside them.
const START: &str = "\
window.addEventListener('load', () => {
  window.ui = SwaggerUIBundle({
    url: '/api/v2/openapi.json', dom_id: '#swagger-ui', deepLinking: true, persistAuthorization: false,
    displayRequestDuration: true, filter: true, validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis], layout: 'BaseLayout',
  });
});
";

/// Who may use what here.
pub(super) const ACCESS: &[Route] = &[
    ("GET", "/api/docs", Access::Public),
    ("GET", "/api/docs/reference", Access::Public),
    ("GET", "/api/docs/start.js", Access::Public),
    ("GET", "/api/docs/swagger-ui.css", Access::Public),
    ("GET", "/api/docs/swagger-ui-bundle.js", Access::Public),
];

/// The pages and the files of Swagger UI.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/docs", get(docs))
        .route("/api/docs/reference", get(reference))
        .route(
            "/api/docs/start.js",
            get(|| async { file("text/javascript; charset=utf-8", START.as_bytes()) }),
        )
        .route("/api/docs/swagger-ui.css", get(|| async { swagger("swagger-ui.css") }))
        .route("/api/docs/swagger-ui-bundle.js", get(|| async { swagger("swagger-ui-bundle.js") }))
}

fn file(kind: &'static str, body: &'static [u8]) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=3600")], body).into_response()
}

/// A file of Swagger UI, where it was there when the program was built.
fn swagger(name: &str) -> Response {
    match embedded::SWAGGER.iter().find(|f| f.0 == name) {
        Some((_, kind, body)) => file(kind, body),
        None => PageError::not_found("such file in this build").into_response(),
    }
}

#[derive(Template)]
#[template(path = "docs/swagger.html")]
struct Swagger;

async fn docs() -> Result<Response, PageError> {
    if embedded::SWAGGER.is_empty() {
        return reference().await;
    }
    Ok(Html(Swagger.render()?).into_response())
}

/// Something that an operation takes or gives.
struct Field {
    name: String,
    place: String,
    kind: String,
    about: String,
    required: bool,
}

struct Reply {
    status: String,
    about: String,
    kind: String,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: String,
    permission: String,
    fields: Vec<Field>,
    body: String,
    example: String,
    replies: Vec<Reply>,
}

struct Group {
    name: String,
    about: String,
    operations: Vec<Operation>,
}

struct Shape {
    name: String,
    about: String,
    fields: Vec<Field>,
    example: String,
}

#[derive(Template)]
#[template(path = "docs/reference.html")]
struct Reference {
    version: String,
    about: Vec<String>,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
}

/// The document as one plain page.
async fn reference() -> Result<Response, PageError> {
    Ok(Html(page(whole()).render()?).into_response())
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Where a reference leads; the thing itself where it is none.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|r| r.strip_prefix('#')).and_then(|p| document.pointer(p));
    target.unwrap_or(value)
}

/// A schema in a few words: `integer`, `list of Release`, `Decision`.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(list) = schema[choice].as_array() {
            let kinds: Vec<String> = list.iter().map(kind).filter(|k| k != "null").collect();
            return kinds.join(" or ");
        }
    }
    let name = match &schema["type"] {
        Value::Array(list) => {
            let names: Vec<&str> = list.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect();
            names.join(" or ")
        }
        other => other.as_str().unwrap_or("any").to_owned(),
    };
    if name == "array" { format!("list of {}", kind(&schema["items"])) } else { name }
}

fn pretty(value: &Value) -> String {
    if value.is_null() { String::new() } else { serde_json::to_string_pretty(value).unwrap_or_default() }
}

fn operation(document: &Value, method: &str, path: &str, o: &Value) -> Operation {
    let field = |p: &Value| {
        let p = resolved(document, p);
        Field {
            name: text(p, "name"),
            place: text(p, "in"),
            kind: kind(&p["schema"]),
            about: text(p, "description"),
            required: p["required"].as_bool().unwrap_or(false),
        }
    };
    let content = |v: &Value| -> (String, String) {
        let Some((media, content)) = v["content"].as_object().and_then(|c| c.iter().next()) else {
            return (String::new(), String::new());
        };
        let shape = resolved(document, &content["schema"]);
        let example = if content["example"].is_null() { &shape["example"] } else { &content["example"] };
        (format!("{} ({media})", kind(&content["schema"])), pretty(example))
    };
    let reply = |(status, r): (&String, &Value)| {
        let r = resolved(document, r);
        Reply { status: status.clone(), about: text(r, "description"), kind: content(r).0 }
    };
    let (body, example) = content(&o["requestBody"]);
    Operation {
        id: text(o, "operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(o, "summary"),
        about: text(o, "description"),
        permission: text(o, "x-permission"),
        fields: o["parameters"].as_array().map(|l| l.iter().map(field).collect()).unwrap_or_default(),
        body,
        example,
        replies: o["responses"].as_object().map(|r| r.iter().map(reply).collect()).unwrap_or_default(),
    }
}

fn shape((name, schema): (&String, &Value)) -> Shape {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|r| r.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let parts = std::iter::once(schema).chain(schema["allOf"].as_array().into_iter().flatten());
    let properties = parts.filter_map(|p| p["properties"].as_object()).flatten();
    let field = |(field, s): (&String, &Value)| Field {
        name: field.clone(),
        place: String::new(),
        kind: kind(s),
        about: text(s, "description"),
        required: required.contains(&field.as_str()),
    };
    Shape {
        name: name.clone(),
        about: text(schema, "description"),
        fields: properties.map(field).collect(),
        example: pretty(&schema["example"]),
    }
}

fn page(document: &Value) -> Reference {
    let mut groups: Vec<Group> = document["tags"]
        .as_array()
        .map(|tags| {
            tags.iter().map(|t| Group {
                name: text(t, "name"),
                about: text(t, "description"),
                operations: Vec::new(),
            })
        })
        .into_iter()
        .flatten()
        .collect();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let o = &item[method];
            let of = o["tags"][0].as_str().unwrap_or_default();
            if let Some(group) = groups.iter_mut().find(|g| !o.is_null() && g.name == of) {
                group.operations.push(operation(document, method, path, o));
            }
        }
    }
    groups.retain(|g| !g.operations.is_empty());
    let about = document["info"]["description"].as_str().unwrap_or_default();
    let schemas = document["components"]["schemas"].as_object();
    Reference {
        version: text(&document["info"], "version"),
        // the bold of Markdown is left out; the page has headings of its own
        about: about.split("\n\n").map(|p| p.replace(['*', '`'], "")).collect(),
        groups,
        shapes: schemas.map(|s| s.iter().map(shape).collect()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_page_shows_every_operation_and_shape() {
        let shown = page(whole());
        let html = shown.render().unwrap();
        for (path, item) in whole()["paths"].as_object().unwrap() {
            for method in METHODS.iter().filter(|m| !item[**m].is_null()) {
                let id = item[*method]["operationId"].as_str().unwrap();
                assert!(html.contains(&format!("id=\"{id}\"")), "{method} {path}");
            }
        }
        let release = shown.shapes.iter().find(|s| s.name == "Release").unwrap();
        assert!(release.fields.iter().any(|f| f.name == "open" && f.kind == "OpenFindings" && f.required));
        assert!(!html.contains("<script") && !html.contains("style="), "the page needs no script");
    }

    #[test]
    fn schemas_are_told_in_a_few_words() {
        use serde_json::json;
        for (schema, want) in [
            (json!({"type": "integer"}), "integer"),
            (json!({"type": ["string", "null"]}), "string"),
            (json!({"type": "array", "items": {"$ref": "#/components/schemas/Release"}}), "list of Release"),
            (json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Kev"}]}), "Kev"),
            (json!({}), "any"),
        ] {
            assert_eq!(kind(&schema), want);
        }
    }
}

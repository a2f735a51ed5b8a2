//! The OpenAPI document: made from the handlers themselves, then completed with what is true of all of them, so that
//! none can forget it.

use std::sync::LazyLock;

use axum::Router;
use axum::http::Method;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::server::guard::{self, Access, Route};
use crate::server::{App, KINDS, Kind, Problem, Remark};

const ABOUT: &str = "\
Everything that the pages show and do, for programs.

**Keys.** Send an API key in the header `X-Api-Key` or as `Authorization: Bearer`. Keys are made on the page *People \
and keys*; each acts in one workspace and role, and may be limited to scopes and a product line. What a key may not \
see is not found, in lists and counts too. The permission that an operation needs is its `x-permission`.

**Lists** are read page by page: `limit` says how many, `next` in the reply (and the header `Link` with `rel=\"next\"`) \
where the next page begins; a cursor is sent back as it came. `q` asks in the query grammar of the pages \
(`severity>=high -status:fixed age>30d`), `sort` names an order, `-` before it turns it round. With `Accept: application/x-ndjson` the long lists are \
one stream of JSON lines instead, from the first item to the last.

**Errors** are problem details (RFC 9457). `code` is stable; `type` leads to the page that explains it.

**Doing a thing once.** A request that changes something may carry `Idempotency-Key`, a word of your own: sent again \
under the same key within 24 hours, it is not done again but answered as the first time, with `Idempotency-Replayed`.

**Not overwriting others.** Reading gives an `ETag`; `If-None-Match` spares what did not change, and `If-Match` on a \
change refuses it (412) where somebody else was faster.

**Bodies** may be packed (`Content-Encoding: gzip` or `zstd`). Every reply names its request in `X-Request-Id`. Times \
are RFC 3339 in UTC, days are `YYYY-MM-DD`.";

#[derive(OpenApi)]
#[openapi(
    info(title = "Tocsin", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    components(schemas(Problem, Remark)),
    tags(
        (name = "Product lines", description = "Groups of products, and what access is limited to."),
        (name = "Products", description = "What is made."),
        (name = "Releases", description = "What was shipped: versions of products, with what is in them."),
        (name = "SBOMs", description = "Documents that say what a release holds, with their original bytes."),
        (name = "Components", description = "Packages, and where they are used."),
        (name = "Findings", description = "A component of a release that a vulnerability hurts."),
        (name = "Decisions", description = "What was decided of findings, and VEX documents that say so."),
        (name = "Desk", description = "Items, the stories made of them, and what analysts say of these."),
        (name = "Reports", description = "What was told of each period: drafted from the desk, written, approved, sent."),
        (name = "Vulnerabilities", description = "What is known of a flaw, and how far it reaches."),
        (name = "Deployments", description = "Units of a release in the field."),
        (name = "Licences", description = "Licences of what a release holds."),
        (name = "Sources", description = "Where intelligence comes from, how each source does, and how it is set."),
        (name = "Jobs", description = "What is waited for, runs, was done or given up."),
        (name = "Notifications", description = "Who is told what and how; what went out; acknowledgement."),
        (name = "Audit trail", description = "Who changed what and when; chained by hashes."),
        (name = "People and keys", description = "Who works here, and with what."),
        (name = "Server", description = "The server itself."),
    )
)]
struct Base;

/// What the document is made from: the handlers bring the rest.
pub fn base() -> utoipa::openapi::OpenApi {
    let mut base = Base::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut base.info.version);
    base
}

/// The whole document, as it is served.
pub fn whole() -> &'static Value {
    static WHOLE: LazyLock<Value> = LazyLock::new(|| {
        let (_, made) = super::nouns().split_for_parts();
        complete(serde_json::to_value(made).unwrap_or_default())
    });
    &WHOLE
}

/// Who may use what here.
pub(super) const ACCESS: &[Route] =
    &[("GET", "/api/v2/openapi.json", Access::Public), ("GET", "/api/problems/{code}", Access::Public)];

/// The document and pages about problems.
pub fn routes() -> Router<App> {
    let json = || async {
        let body = whole().to_string();
        ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")], body)
    };
    let problem = |axum::extract::Path(code): axum::extract::Path<String>| async move {
        let Some(kind) = KINDS.iter().find(|k| k.code == code) else {
            return crate::server::ApiError::new(Kind::NOT_FOUND, format!("no such code: {code}"))
                .into_response();
        };
        ([(CONTENT_TYPE, "text/markdown; charset=utf-8"), (CACHE_CONTROL, "public, max-age=300")], kind.page)
            .into_response()
    };
    Router::new().route("/api/v2/openapi.json", get(json)).route("/api/problems/{code}", get(problem))
}

/// The methods of OpenAPI's path items.
pub const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Adds what holds for every operation: its name, keys, problems, headers.
fn complete(mut document: Value) -> Value {
    let security = json!([{"key": []}, {"bearer": []}]);
    if let Some(whole) = document.as_object_mut() {
        whole.insert("security".to_owned(), security);
        whole.insert("servers".to_owned(), json!([{"url": "/", "description": "This server"}]));
    }
    if let Some(components) = document.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.insert(
            "securitySchemes".to_owned(),
            json!({
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "An API key."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
            }),
        );
        components.insert("responses".to_owned(), problems());
        components.insert("headers".to_owned(), headers());
        components.insert("parameters".to_owned(), parameters());
    }
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return document };
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                finish(path, method, operation);
            }
        }
    }
    document
}

fn problems() -> Value {
    let one = |kind: &&Kind| {
        let example = json!({"type": format!("/api/problems/{}", kind.code), "code": kind.code, "status": kind.status,
            "title": kind.title, "detail": "…", "instance": "urn:tocsin:request:4bf92f3577b34da6a3ce929d0e0e4736"});
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"},
            "example": example}});
        let about: String = kind.page.split("\n\n").nth(2).unwrap_or(kind.title).replace('\n', " ");
        (kind.code.to_owned(), json!({"description": format!("{}. {about}", kind.title), "content": content}))
    };
    KINDS.iter().map(one).collect::<Map<String, Value>>().into()
}

fn headers() -> Value {
    let text = |about: &str| json!({"description": about, "schema": {"type": "string"}});
    json!({
        "X-Request-Id": text("Names this request; also in problems and in the server's log."),
        "ETag": text("The state of what was read; for `If-None-Match` and `If-Match`."),
        "RateLimit": text("Requests left in this minute and seconds until there are more."),
        "RateLimit-Policy": text("Requests served in a minute."),
    })
}

fn parameters() -> Value {
    let header = |name: &str, about: &str| json!({"name": name, "in": "header", "required": false, "description": about, "schema": {"type": "string"}});
    json!({
        "IdempotencyKey": header("Idempotency-Key", "Does the request once, however often it is sent: 24 hours."),
        "IfMatch": header("If-Match", "Refuses the change (412) where what is there is in none of these states."),
        "IfNoneMatch": header("If-None-Match", "Sends nothing (304) where what is there is in one of these states."),
    })
}

fn finish(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let rest = path.strip_prefix("/api/v2/").unwrap_or(path);
    let words = rest.split(['/', '-', '_']).map(|w| w.trim_matches(['{', '}'])).filter(|w| !w.is_empty());
    let name = std::iter::once(method.to_owned()).chain(words.map(capital)).collect::<String>();
    operation.insert("operationId".to_owned(), name.into());
    let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
    let needs = match guard::access(&verb, path) {
        Some(Access::Public) => None,
        Some(Access::Needs(permission)) => Some(permission.name()),
        Some(Access::Known) | None => Some("any".to_owned()),
    };
    match &needs {
        Some(name) => operation.insert("x-permission".to_owned(), name.as_str().into()),
        None => operation.insert("security".to_owned(), json!([{}])),
    };
    let open = needs.is_none();
    let changes = method != "get";
    let has_body = operation.contains_key("requestBody");
    let asks = operation.get("parameters").and_then(Value::as_array).is_some_and(|p| !p.is_empty());
    let mut codes = vec![Kind::INTERNAL, Kind::UNAVAILABLE, Kind::RATE];
    if !open {
        codes.extend([Kind::UNAUTHORISED, Kind::DENIED]);
    }
    if path.contains('{') {
        codes.push(Kind::NOT_FOUND);
    }
    if asks || has_body {
        codes.extend([Kind::MALFORMED, Kind::INVALID]);
    }
    if has_body {
        codes.extend([Kind::TOO_LARGE, Kind::MEDIA_TYPE]);
    }
    if changes {
        codes.push(Kind::CONFLICT);
    }
    let own = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(own) = own.as_array_mut() {
        let named = |name: &str| json!({"$ref": format!("#/components/parameters/{name}")});
        if changes {
            own.push(named("IdempotencyKey"));
        } else if !open {
            own.push(named("IfNoneMatch"));
        }
        if matches!(method, "patch" | "delete") && own.iter().any(|p| p.get("in") == Some(&"path".into())) {
            own.push(named("IfMatch"));
            codes.push(Kind::PRECONDITION);
        }
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, response) in responses.iter_mut() {
        let Some(response) = response.as_object_mut().filter(|r| !r.contains_key("$ref")) else { continue };
        let mut names = vec!["X-Request-Id", "RateLimit", "RateLimit-Policy"];
        if !changes && status == "200" {
            names.push("ETag");
        }
        let headers = response.entry("headers").or_insert_with(|| json!({}));
        for name in names {
            let reference = json!({"$ref": format!("#/components/headers/{name}")});
            headers.as_object_mut().map(|h| h.entry(name).or_insert(reference));
        }
    }
    if !changes && !open {
        responses
            .entry("304")
            .or_insert(json!({"description": "Nothing changed since the state in `If-None-Match`."}));
    }
    for kind in codes {
        let reference = json!({"$ref": format!("#/components/responses/{}", kind.code)});
        responses.entry(kind.status.to_string()).or_insert(reference);
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tocsin_core::platform::access::Permission;

    use super::*;

    /// Calls `f` with path, method and operation of each operation.
    fn each(mut f: impl FnMut(&str, &str, &Value)) {
        for (path, item) in whole()["paths"].as_object().unwrap() {
            for method in METHODS {
                if let Some(operation) = item.get(method) {
                    f(path, method, operation);
                }
            }
        }
    }

    #[test]
    fn the_document_is_valid() {
        let schema = include_str!("../../../../testdata/openapi/schema-3.1.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(whole()).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        // what a schema cannot say: references lead somewhere, names of operations are unique
        let text = whole().to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).map(|r| r.split('"').next().unwrap()) {
            assert!(whole().pointer(reference).is_some(), "{reference} leads nowhere");
        }
        let mut names = BTreeSet::new();
        each(|path, method, o| {
            let name = o["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} is told twice");
        });
    }

    #[test]
    fn every_operation_says_what_it_is_and_what_it_needs() {
        let tags: Vec<&str> =
            whole()["tags"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
        each(|path, method, o| {
            let place = format!("{method} {path}");
            assert!(o["summary"].as_str().is_some_and(|s| !s.is_empty()), "{place} has no summary");
            assert!(tags.contains(&o["tags"][0].as_str().unwrap()), "{place} has a tag of its own");
            if o["security"].is_null() {
                let needs = o["x-permission"].as_str();
                let known = needs.is_some_and(|p| p == "any" || Permission::parse(p).is_some());
                assert!(known, "{place} does not say which permission it needs");
                for status in ["401", "403", "429", "500", "503"] {
                    assert!(o["responses"].get(status).is_some(), "{place} does not tell {status}");
                }
            }
            for parameter in path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')) {
                let told = o["parameters"].as_array().unwrap().iter().any(|p| p["name"] == parameter);
                assert!(told, "{place} does not tell {parameter}");
                assert!(o["responses"].get("404").is_some(), "{place} does not tell 404");
            }
            let done = o["responses"].as_object().unwrap().keys().any(|s| s.starts_with('2') || s == "303");
            assert!(done, "{place} tells no success");
        });
    }

    /// Two shapes of one name would be one in the document, and wrong for one of them.
    #[test]
    fn every_shape_has_a_name_of_its_own() {
        fn walk(dir: &std::path::Path, found: &mut Vec<(String, String)>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    for part in text
                        .split("#[derive(")
                        .skip(1)
                        .filter(|p| p.split(')').next().unwrap().contains("ToSchema"))
                    {
                        // the example before it may have braces and words of its own
                        let (at, own) = part
                            .lines()
                            .enumerate()
                            .find_map(|(at, l)| {
                                let l = l.strip_prefix("pub").map_or(l, |l| l.split_once(' ').unwrap().1);
                                Some((at, l.strip_prefix("struct ").or(l.strip_prefix("enum "))?))
                            })
                            .unwrap_or_else(|| panic!("a shape in {} is not read", path.display()));
                        let head: Vec<&str> = part.lines().take(at).collect();
                        let named = head.iter().find_map(|l| l.split("schema(as = ").nth(1));
                        let named = named.map(|n| n.split([',', ')']).next().unwrap());
                        let name = named.unwrap_or(own);
                        let name = name.split(['<', '(', ' ', ';']).next().unwrap().to_owned();
                        found.push((name, path.display().to_string()));
                    }
                }
            }
        }
        let mut found = Vec::new();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        walk(&root.join("src"), &mut found);
        walk(&root.join("../core/src"), &mut found);
        assert!(found.len() > 50, "{found:?}");
        let mut seen = std::collections::BTreeMap::new();
        for (name, file) in found {
            if let Some(other) = seen.insert(name.clone(), file.clone()) {
                panic!(
                    "{name} is in {other} and in {file}; give one of them #[schema(as = ...)] or another name"
                );
            }
        }
    }

    #[test]
    fn every_route_is_in_the_document() {
        let missing: Vec<&guard::Route> = guard::declared()
            .filter(|(_, path, _)| path.starts_with("/api/v2/") && *path != "/api/v2/openapi.json")
            .filter(|(method, path, _)| whole()["paths"][*path].get(method.to_lowercase()).is_none())
            .collect();
        assert!(missing.is_empty(), "not in the document; add them with routes!: {missing:?}");
    }
}

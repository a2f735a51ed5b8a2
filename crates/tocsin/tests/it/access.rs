//! Every route as every role and as nobody, compared with a reviewed table; what may be is decided there, not here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION};
use axum::http::{Method, Request};
use tocsin::server::guard::{self, Access};
use tocsin::server::{self, App, later, now, random};
use tocsin_core::platform::access::{Actor, Permission, ROLES, Role};
use tocsin_core::platform::db::Place;
use tocsin_core::platform::people::{self, Acceptance, Begun, From, NewKey};
use tower::ServiceExt;

const REVIEWED: &str = "../../testdata/access/routes.txt";

const HEAD: &str = "\
# Who may use which route: method, path, what is declared, and for each role in the order of the letters whether a
# call is let through (its letter) or refused (.). A administrator, M manager, N analyst, C contact, D developer,
# L legal, U communications, R auditor; - is nobody signed in. Written by `TOCSIN_REVIEW=1 cargo test -p tocsin
# --test it access`; a change of it is reviewed as a change of rights.
";

fn letter(role: Role) -> char {
    match role {
        Role::Administrator => 'A',
        Role::Manager => 'M',
        Role::Analyst => 'N',
        Role::Contact => 'C',
        Role::Developer => 'D',
        Role::Legal => 'L',
        Role::Communications => 'U',
        Role::Auditor => 'R',
    }
}

/// Method and path of every route that the router has. It tells them in its debug form alone.
fn routed() -> Vec<(String, String)> {
    let text = format!("{:?}", server::routes());
    let text = text.split("fallback_router: ").next().unwrap();
    let (mut methods, mut paths) = (BTreeMap::new(), BTreeMap::new());
    for part in text.split("RouteId(").skip(1) {
        let Some((id, rest)) = part.split_once("): ") else { continue };
        if let Some(path) = rest.strip_prefix('"').and_then(|r| r.split_once('"')) {
            paths.insert(id.to_owned(), path.0.to_owned());
        } else if let Some((_, allow)) = rest.split_once("allow_header: ") {
            let allow = match allow.strip_prefix("Bytes(b\"").and_then(|a| a.split_once('"')) {
                Some((list, _)) => list.to_owned(),
                None => "ANY".to_owned(),
            };
            methods.insert(id.to_owned(), allow);
        }
    }
    let mut all = Vec::new();
    for (id, path) in paths {
        let allow = methods.get(&id).unwrap_or_else(|| panic!("the methods of {path} are not told"));
        all.extend(allow.split(',').filter(|m| *m != "HEAD").map(|m| (m.to_owned(), path.clone())));
    }
    all.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    all
}

#[test]
fn every_route_declares_who_may_use_it_and_nothing_else_is_declared() {
    let routed = routed();
    assert!(routed.len() > 40, "the router's debug form is read: {routed:?}");
    let mut missing = Vec::new();
    for (method, path) in &routed {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        if guard::access(&method, path).is_none() {
            missing.push(format!("{method} {path}"));
        }
    }
    assert!(missing.is_empty(), "add to the ACCESS table of their file:\n{}", missing.join("\n"));
    let left: Vec<String> = guard::declared()
        .filter(|(m, p, _)| !routed.contains(&((*m).to_owned(), (*p).to_owned())))
        .map(|(m, p, _)| format!("{m} {p}"))
        .collect();
    assert!(left.is_empty(), "declared, but no such route:\n{}", left.join("\n"));
    let mut seen = std::collections::BTreeSet::new();
    for (m, p, _) in guard::declared() {
        assert!(seen.insert((m, p)), "declared twice: {m} {p}");
    }
}

/// A caller: their cookie or key.
struct Caller {
    cookie: String,
    key: String,
}

/// One person and one key of a role.
async fn caller(app: &App, system: &Actor, role: Role) -> Caller {
    let (from, now) = (From::default(), now());
    let token = people::invite(app.db(), system, random, "", &[role], None, &later(1)).await.unwrap();
    let who = Acceptance {
        login: role.name(),
        name: role.name(),
        email: String::new(),
        password: "a sentence does well here".to_owned(),
    };
    people::accept(app.db(), random, &token, &who, &from, &now).await.unwrap();
    let Begun::In(session) =
        people::sign_in(&app.door(&from, &now), &who.login, &who.password, None).await.unwrap()
    else {
        panic!("no second step is set up")
    };
    let new = NewKey { name: role.name(), role, line: None, scopes: Vec::new(), expires: None };
    let key = people::make_key(app.db(), system, random, &new).await.unwrap();
    Caller { cookie: format!("{}={}", server::cookie::SESSION, session.token), key }
}

/// An address of the route: things that are there where it is only read.
fn filled(method: &str, path: &str) -> String {
    let id = if method == "GET" { "1" } else { "999999" };
    let segments = path.split('/').map(|s| if s.starts_with('{') { id } else { s });
    segments.collect::<Vec<_>>().join("/")
}

/// Whether a call gets past the guard and the action's own question.
async fn passes(app: &App, method: &str, path: &str, caller: Option<&Caller>) -> bool {
    let method = if method == "ANY" { "GET" } else { method };
    let mut request = Request::builder().method(method).uri(filled(method, path));
    if let Some(caller) = caller {
        request = match path.starts_with("/api/") {
            true => request.header("x-api-key", &caller.key),
            false => request.header(COOKIE, &caller.cookie),
        };
    }
    // a form whose token is wrong comes through the guard and does nothing behind it
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(Body::from("csrf=wrong")).unwrap();
    let reply = server::router(app.clone()).oneshot(request).await.unwrap();
    let status = reply.status().as_u16();
    assert!(status < 500, "{method} {path}: {status}");
    let to_sign_in = reply.headers().get(LOCATION).is_some_and(|l| l.as_bytes().starts_with(b"/sign-in?"));
    let asks = guard::access(&Method::from_bytes(method.as_bytes()).unwrap(), path) != Some(Access::Public);
    // a sign-in that fails is not a refusal of its page
    if (status == 401 && asks) || to_sign_in {
        return false;
    }
    if status == 403 {
        let body = axum::body::to_bytes(reply.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.is_empty() || text.contains("out of date") || text.contains("role lacks"),
            "{path}: {text}"
        );
        return text.contains("out of date");
    }
    true
}

#[test]
fn rights_are_those_of_the_reviewed_table() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let table = runtime.block_on(async {
        let place = Place::File(dir.path().join("tocsin.db"));
        let app = App::open(dir.path().to_owned(), place, false).await.unwrap();
        let workspace = people::first_workspace(app.db(), "Main", &now()).await.unwrap();
        let system = Actor::system(workspace, &now());
        let mut callers = Vec::new();
        for role in ROLES {
            callers.push((role, caller(&app, &system, role).await));
        }
        let mut table = HEAD.to_owned();
        let mut routes: Vec<_> = guard::declared().collect();
        routes.sort_by_key(|(method, path, _)| (*path, *method));
        for (method, path, access) in routes {
            let declared = match access {
                Access::Public => "public".to_owned(),
                Access::Known => "known".to_owned(),
                Access::Needs(permission) => permission.name(),
            };
            let mut who = String::new();
            for (role, caller) in &callers {
                let passed = passes(&app, method, path, Some(caller)).await;
                let right = match access {
                    Access::Needs(permission) => role.may(*permission),
                    _ => true,
                };
                assert!(right || !passed, "{method} {path} lets {} through", role.name());
                who.push(if passed { letter(*role) } else { '.' });
            }
            let open = passes(&app, method, path, None).await;
            assert_eq!(open, *access == Access::Public, "{method} {path} for nobody");
            who.push(if open { '-' } else { '.' });
            writeln!(table, "{method:<6} {path:<55} {declared:<16} {who}").unwrap();
        }
        table
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(REVIEWED);
    if std::env::var_os("TOCSIN_REVIEW").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &table).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let (is, was): (Vec<&str>, Vec<&str>) = (table.lines().collect(), reviewed.lines().collect());
    let new: Vec<&&str> = is.iter().filter(|l| !was.contains(l)).collect();
    let gone: Vec<&&str> = was.iter().filter(|l| !is.contains(l)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "rights differ from testdata/access/routes.txt (see its head for how to review)\nnew: {new:#?}\ngone: {gone:#?}"
    );
    assert_eq!(table, reviewed);
}

#[test]
fn a_role_is_a_subset_of_what_is_declared_somewhere() {
    // a permission that no route asks for is either missing at its route or not needed
    for permission in tocsin_core::platform::access::PERMISSIONS {
        let asked = guard::declared().any(|(_, _, a)| *a == Access::Needs(permission));
        let later = [Permission::DecisionApprove, Permission::SettingsWrite];
        assert!(asked || later.contains(&permission), "no route needs {}", permission.name());
    }
}

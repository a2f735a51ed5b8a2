//! People through the pages of the built program: kept forms, limits, second step, keys, single sign-on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::serve::{Reply, Server, between};

const PASSWORD: &str = "a sentence does well here";

fn sign_in(server: &Server, login: &str, cookie: &str) -> Reply {
    server.form("/sign-in", cookie, &[("login", login), ("password", PASSWORD), ("next", "/findings")])
}

/// Invites somebody and joins as them; their cookie and the token of their forms.
fn joined(server: &Server, login: &str, role: &str) -> (String, String) {
    let (cookie, csrf) = server.first();
    let email = format!("{login}@example.org");
    let page = server
        .form(
            "/settings/invitations",
            cookie,
            &[("csrf", csrf), ("email", &email), ("role", role), ("line", "0")],
        )
        .text();
    let link = between(&page, "<pre>", "</pre>").to_owned();
    let path = &link[link.find("/welcome/").unwrap()..];
    let joined = server.form(
        path,
        "",
        &[("name", login), ("email", &email), ("login", login), ("password", PASSWORD)],
    );
    assert_eq!(joined.status, 303, "{}", joined.text());
    let cookie = joined.cookie("tocsin_session");
    let page = server.look("/account", &cookie).text();
    (cookie, between(&page, "name=\"csrf\" value=\"", "\"").to_owned())
}

#[test]
fn what_was_typed_is_kept_over_the_end_of_a_session() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (old, csrf) = joined(&server, "anna", "analyst");
    let new = sign_in(&server, "anna", "").cookie("tocsin_session");
    let page = server.look("/account", &new).text();
    let new_csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
    let ended = server.form("/account/sessions/end", &new, &[("csrf", &new_csrf)]);
    assert_eq!(ended.status, 303);
    assert!(server.look("/findings", &old).header("location").starts_with("/sign-in?why=over&next="));

    // a form that our page did not make is not kept
    let forged = server.form("/findings/1/decision", &old, &[("csrf", "x"), ("detail", "forged")]);
    assert!(forged.cookie("tocsin_kept").is_empty());

    let address = server.address();
    let thought = "an hour of thought & more <b>";
    let body = format!(
        "csrf={csrf}&status=affected&password=never&detail={}",
        thought.replace('&', "%26").replace(' ', "+").replace('<', "%3C").replace('>', "%3E")
    );
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", old.as_str()),
        ("Referer", &format!("http://{address}/findings/1")),
    ];
    let late = server.send("POST", "/findings/1/decision", &headers, body.as_bytes());
    assert_eq!((late.status, late.header("location")), (303, "/sign-in?why=kept&next=%2Ffindings%2F1"));
    assert!(!late.header("location").contains("thought"));
    let kept = late.cookie("tocsin_kept");
    assert!(server.look("/sign-in?why=kept", "").text().contains("What you typed is kept"));

    // somebody else at this browser does not get it
    joined(&server, "otto", "analyst");
    let other = sign_in(&server, "otto", &kept);
    assert_eq!(other.header("location"), "/findings");
    let other = format!("{}; {kept}", other.cookie("tocsin_session"));
    assert_eq!(server.look("/kept", &other).status, 303);

    let back = sign_in(&server, "anna", &format!("{old}; {kept}"));
    assert_eq!(back.header("location"), "/kept");
    let cookies = format!("{}; {kept}", back.cookie("tocsin_session"));
    let page = server.look("/kept", &cookies).text();
    assert!(
        page.contains("an hour of thought &#38; more &#60;b&#62;")
            || page.contains("an hour of thought &amp; more"),
        "{page}"
    );
    assert!(page.contains("action=\"/findings/1/decision\"") && page.contains("/findings/1#kept"));
    assert!(!page.contains("never"), "passwords are not kept");
    let fields = server.look("/kept.json", &cookies).json();
    assert_eq!(fields["fields"], json!([["status", "affected"], ["detail", thought]]));
    // the forms of other tabs stay good: the session took the token over
    assert!(page.contains(&csrf));
    assert_eq!(
        sign_in(&server, "anna", &cookies).header("location"),
        "/findings",
        "it is shown once by itself"
    );
    server.form("/kept/discard", &cookies, &[("csrf", &csrf)]);
    assert_eq!(server.look("/kept", &cookies).status, 303);
}

#[test]
fn a_form_with_a_file_is_kept_but_for_the_file() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (old, csrf) = joined(&server, "anna", "analyst");
    let new = sign_in(&server, "anna", "").cookie("tocsin_session");
    server.form(
        "/account/sessions/end",
        &new,
        &[("csrf", &{
            let page = server.look("/account", &new).text();
            between(&page, "name=\"csrf\" value=\"", "\"").to_owned()
        })],
    );
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n\
         --x\r\nContent-Disposition: form-data; name=\"product\"\r\n\r\nPump 3\r\n\
         --x\r\nContent-Disposition: form-data; name=\"bom\"; filename=\"pump.json\"\r\n\r\n{{}}\r\n--x--\r\n"
    );
    let headers = [("Content-Type", "multipart/form-data; boundary=x"), ("Cookie", old.as_str())];
    let late = server.send("POST", "/releases", &headers, body.as_bytes());
    let kept = late.cookie("tocsin_kept");
    let back = sign_in(&server, "anna", &format!("{old}; {kept}"));
    let page = server.look("/kept", &format!("{}; {kept}", back.cookie("tocsin_session"))).text();
    assert!(page.contains("value=\"Pump 3\"") && page.contains("Choose pump.json again"), "{page}");
    assert!(page.contains("multipart/form-data"));
}

#[test]
fn guessing_comes_to_an_end() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    joined(&server, "anna", "analyst");
    let wrong =
        |login: &str| server.form("/sign-in", "", &[("login", login), ("password", "not it, by no means")]);
    for n in 0..10 {
        assert_eq!(wrong("anna").status, 401, "try {n}");
    }
    assert_eq!(wrong("anna").status, 429);
    assert_eq!(sign_in(&server, "anna", "").status, 429, "the right one too: else one could tell");
    assert_eq!(wrong("otto").status, 401, "others go on");
    let key = server.key("auditor");
    let path = "/api/v2/audit?q=action:person.sign-in-failed&limit=100";
    let trail = || server.send("GET", path, &[("X-Api-Key", key.as_str())], b"").json();
    let since = Instant::now();
    while trail()["items"].as_array().is_none_or(|l| l.len() < 10)
        && since.elapsed() < Duration::from_secs(20)
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = trail();
    let told: Vec<_> = told["items"].as_array().unwrap().iter().map(|e| (&e["actor"], &e["name"])).collect();
    assert_eq!(told.len(), 10, "those that were refused unread are none, nor is a login that nobody has");
    assert!(told.iter().all(|t| *t == (&"visitor".into(), &"anna".into())), "{told:?}");
}

#[test]
fn who_needs_a_second_step_gets_to_their_account_and_nowhere_else() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (anna, _) = joined(&server, "anna", "analyst");
    let (cookie, csrf) = server.first();
    let set = [
        ("csrf", csrf),
        ("idle_minutes", "60"),
        ("session_hours", "10"),
        ("invitation_hours", "24"),
        ("second_step", "analyst"),
    ];
    assert_eq!(server.form("/settings/security", cookie, &set).status, 303);
    let mut bad = set;
    bad[1].1 = "0";
    assert_eq!(server.form("/settings/security", cookie, &bad).status, 422);
    assert_eq!(server.look("/findings", &anna).header("location"), "/account/second-step");
    let page = server.look("/account/second-step", &anna);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<svg class=\"qr\"") && page.text().contains("Your workspace asks"));
    assert_eq!(server.look("/account", &anna).status, 200);
    assert_eq!(server.look("/findings", cookie).status, 200, "other roles need none");
}

#[test]
fn a_key_is_as_narrow_as_it_was_made() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (cookie, csrf) = server.first();
    let make = |fields: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> =
            [("csrf", csrf), ("name", "build")].iter().chain(fields).copied().collect();
        server.form("/settings/keys", cookie, &all)
    };
    let narrow = make(&[("role", "contact"), ("line", "0"), ("days", "7"), ("scope", "sbom-upload")]).text();
    let key = between(&narrow, "<pre>", "</pre>").to_owned();
    let get = |path: &str| server.send("GET", path, &[("X-Api-Key", &key)], b"").status;
    assert_eq!((get("/api/v2/releases"), get("/api/v1/team/self")), (403, 200));
    let beyond = make(&[("role", "auditor"), ("line", "0"), ("days", "7"), ("scope", "finding-decide")]);
    assert!(beyond.status == 422 && beyond.text().contains("value=\"build\""), "what was typed stays");
    let list = server.look("/settings/keys", cookie).text();
    assert!(list.contains("sbom-upload") && !list.contains(&key));
    let id = between(&list, "/settings/keys/", "/revoke");
    server.form(&format!("/settings/keys/{id}/revoke"), cookie, &[("csrf", csrf)]);
    assert_eq!(get("/api/v1/team/self"), 401);
    assert!(server.look("/settings/keys.csv?state=revoked", cookie).text().contains("revoked"));
    assert!(!server.look("/settings/keys.csv", cookie).text().contains("revoked"));
}

/// A provider of identities for one client: configuration, keys, and a token for whichever code comes.
struct Idp {
    port: u16,
    claims: Arc<Mutex<Value>>,
    asked: Arc<Mutex<Vec<String>>>,
}

fn idp() -> Idp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (claims, asked) = (Arc::new(Mutex::new(json!({}))), Arc::new(Mutex::new(Vec::new())));
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let (told, heard) = (claims.clone(), asked.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            loop {
                let n = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..n]);
                let text = String::from_utf8_lossy(&request).to_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.split("content-length: ").nth(1).and_then(|l| l.lines().next());
                if n == 0 || body.len() >= length.map_or(0, |l| l.parse::<usize>().unwrap()) {
                    break;
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let base = format!("http://127.0.0.1:{port}");
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let body = match path.as_str() {
                "/.well-known/openid-configuration" => json!({"issuer": base,
                    "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
                    "jwks_uri": format!("{base}/keys")}),
                "/keys" => json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k",
                    "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())}]}),
                _ => {
                    let text = |v: Value| URL_SAFE_NO_PAD.encode(v.to_string());
                    let claims = told.lock().unwrap().clone();
                    let message = format!("{}.{}", text(json!({"alg": "EdDSA", "kid": "k"})), text(claims));
                    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
                    json!({"access_token": "a", "token_type": "Bearer", "id_token": format!("{message}.{signature}")})
                }
            };
            heard.lock().unwrap().push(request);
            let body = body.to_string();
            let head =
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length";
            let _ = write!(stream, "{head}: {}\r\n\r\n{body}", body.len());
        }
    });
    Idp { port, claims, asked }
}

impl Idp {
    /// Goes to the provider and comes back with what it says; `change` makes it say something else.
    fn visit(&self, server: &Server, who: &str, groups: &[&str], change: impl Fn(&mut Value)) -> Reply {
        let away = server.look("/sign-in/provider?workspace=1&next=%2Ffindings", "");
        assert_eq!(away.status, 303, "{}", away.text());
        let to = away.header("location").to_owned();
        let part = |name: &str| between(&format!("{to}&"), &format!("{name}="), "&").to_owned();
        assert!(to.starts_with(&format!("http://127.0.0.1:{}/authorize?", self.port)), "{to}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({"iss": format!("http://127.0.0.1:{}", self.port), "aud": "tocsin", "sub": who,
            "nonce": part("nonce"), "iat": now, "exp": now + 60, "preferred_username": who, "name": "Anna B.",
            "groups": groups});
        change(&mut claims);
        *self.claims.lock().unwrap() = claims;
        let back = format!("/sign-in/provider/callback?state={}&code=c-1", part("state"));
        server.look(&back, &away.cookie("tocsin_journey"))
    }
}

#[test]
fn single_sign_on_makes_people_of_known_groups_and_follows_them() {
    let (data, idp) = (tempfile::tempdir().unwrap(), idp());
    let host = format!("127.0.0.1:{}", idp.port);
    let server = Server::start_with(data.path(), &["--allow-host", &host], None);
    let issuer = format!("http://{host}");
    let (cookie, csrf) = server.first();
    let set = |roles: &str, provision: bool| -> Reply {
        let mut form = vec![
            ("csrf", csrf),
            ("name", "Example sign-on"),
            ("issuer", &issuer),
            ("client", "tocsin"),
            ("secret", "s3cret/"),
            ("groups", "groups"),
            ("roles", roles),
        ];
        if provision {
            form.push(("provision", "1"));
        }
        server.form("/settings/provider", cookie, &form)
    };
    assert_eq!(set("psirt = boss", true).status, 422);
    assert_eq!(set("psirt = analyst", false).status, 303);
    assert!(server.look("/sign-in", "").text().contains("Example sign-on"));
    let nobody = idp.visit(&server, "anna", &["psirt"], |_| {});
    assert!(nobody.status == 401 && nobody.text().contains("Ask an administrator"), "{}", nobody.text());
    assert_eq!(set("psirt = analyst\naudit = auditor", true).status, 303);
    let audit = server.look("/audit", cookie).text();
    assert!(!audit.contains("s3cret"), "no secret in the trail");

    let none = idp.visit(&server, "anna", &["other"], |_| {});
    assert_eq!(none.status, 401, "no group of theirs has a role");
    let entered = idp.visit(&server, "anna", &["psirt"], |_| {});
    assert_eq!((entered.status, entered.header("location")), (303, "/findings"), "{}", entered.text());
    let anna = entered.cookie("tocsin_session");
    let page = server.look("/findings", &anna);
    assert!(page.status == 200 && page.text().contains("Anna B."));
    assert_eq!(server.look("/audit", &anna).status, 403, "an analyst");
    let token =
        idp.asked.lock().unwrap().iter().rev().find(|r| r.starts_with("POST /token")).unwrap().clone();
    assert!(token.contains("code_verifier=") && token.contains("grant_type=authorization_code"));
    assert!(token.to_lowercase().contains("authorization: basic dg9jc2lu"), "our name and secret: {token}");

    let again = idp.visit(&server, "anna", &["audit"], |_| {});
    let anna = again.cookie("tocsin_session");
    assert_eq!(server.look("/audit", &anna).status, 200, "her groups changed, and so did her roles");
    let people = server.look("/settings/people.csv", cookie).text();
    assert_eq!(people.matches("anna").count(), 1, "the same person: {people}");
    assert!(people.contains("auditor") && !people.contains("analyst"), "{people}");

    for (name, value) in
        [("nonce", json!("other")), ("aud", json!("other")), ("iss", json!("http://evil")), ("exp", json!(1))]
    {
        let refused = idp.visit(&server, "anna", &["psirt"], |c| c[name] = value.clone());
        assert!(
            refused.status == 401 && refused.text().contains("identity token"),
            "{name}: {}",
            refused.text()
        );
    }
    // another browser's state
    let away = server.look("/sign-in/provider?workspace=1", "");
    let state = between(&format!("{}&", away.header("location")), "state=", "&").to_owned();
    let stolen =
        server.look(&format!("/sign-in/provider/callback?state={state}&code=c"), "tocsin_journey=other");
    assert!(stolen.status == 401 && stolen.text().contains("another browser"));
}

#[test]
fn a_provider_in_our_own_network_is_not_called_unless_allowed() {
    let (data, idp) = (tempfile::tempdir().unwrap(), idp());
    let issuer = format!("https://127.0.0.1:{}", idp.port);
    let server =
        Server::start_with(data.path(), &["--oidc-issuer", &issuer, "--oidc-client", "tocsin"], None);
    let refused = server.look("/sign-in/provider?workspace=1", "");
    assert!(refused.status == 502 && refused.text().contains("--allow-host"), "{}", refused.text());
    assert!(idp.asked.lock().unwrap().is_empty(), "nobody knocked");
}

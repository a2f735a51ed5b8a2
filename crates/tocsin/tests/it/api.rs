//! The API under `/api/v2` as programs drive it.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::compat::flawed;
use crate::serve::{Reply, Server};

/// A server and a key to it.
struct Client<'a>(&'a Server, String);

impl Client<'_> {
    fn with(&self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut headers = vec![("X-Api-Key", self.1.as_str())];
        headers.extend(more);
        self.0.send(method, path, &headers, body)
    }

    fn get(&self, path: &str) -> Reply {
        self.with("GET", path, &[], b"")
    }

    fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.with(method, path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Makes a line, a product and a release; the release's address.
    fn release(&self, version: &str) -> String {
        let line = self.json("POST", "/api/v2/lines", &json!({"name": "Gateways"})).json()["id"].clone();
        let product = self.json("POST", "/api/v2/products", &json!({"line": line, "name": "gateway"})).json();
        let new = json!({"product": product["id"], "version": version});
        let made = self.json("POST", "/api/v2/releases", &new);
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.header("location"), format!("/api/v2/releases/{}", made.json()["id"]));
        made.header("location").to_owned()
    }

    fn upload(&self, release: &str, bom: &str) -> Value {
        let kind = [("Content-Type", "application/vnd.cyclonedx+json")];
        let reply = self.with("POST", &format!("{release}/sboms"), &kind, bom.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }
}

fn bom(names: &[&str]) -> String {
    let component = |n: &&str| json!({"type": "library", "bom-ref": n, "name": n, "version": "1.0.0", "purl": format!("pkg:npm/{n}@1.0.0")});
    let components: Vec<Value> = names.iter().map(component).collect();
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components})
        .to_string()
}

fn with_server(check: impl FnOnce(&Server, Client<'_>, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    flawed(&data);
    let server = Server::start(&data);
    let key = server.key("manager");
    check(&server, Client(&server, key), dir.path());
}

/// Checks a problem's form; gives its code.
fn problem(reply: &Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json", "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["status"], status);
    let code = body["code"].as_str().unwrap().to_owned();
    assert_eq!(body["type"], format!("/api/problems/{code}"));
    assert_eq!(body["instance"], format!("urn:tocsin:request:{}", reply.header("x-request-id")));
    assert!(!body["detail"].as_str().unwrap().is_empty());
    code
}

#[test]
fn an_sbom_goes_in_and_findings_come_out() {
    with_server(|server, client, _| {
        let release = client.release("1.0");
        let done = client.upload(&release, &bom(&["b", "c"]));
        assert_eq!((&done["components"], &done["findings"]["new"]), (&json!(2), &json!(1)));
        let shown = client.get(&release).json();
        assert_eq!((&shown["components"], &shown["open"]["critical"]), (&json!(2), &json!(1)));
        let page = client.get(&format!("{release}/findings")).json();
        let finding = &page["items"][0];
        assert_eq!(
            (&finding["vulnerability"], &finding["component_name"]),
            (&json!("CVE-2024-0001"), &json!("b"))
        );
        let address = format!("/api/v2/findings/{}", finding["id"]);
        let one = client.get(&address);
        assert_eq!(one.json()["evidence"][0]["record"], "GHSA-aaaa-bbbb-cccc");
        assert_eq!(client.get("/api/v2/counts").json()["open"], json!([1, 0, 0, 0, 0]));
        assert_eq!(client.get("/api/v2/vulnerabilities/GHSA-aaaa-bbbb-cccc").json()["spread"]["releases"], 1);

        // decided against the state that was read, not against another
        let decision = json!({"status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
            "reach": "finding"});
        let decide = |tag: &str| {
            let headers = [("Content-Type", "application/json"), ("If-Match", tag)];
            client.with("POST", &format!("{address}/decision"), &headers, decision.to_string().as_bytes())
        };
        assert_eq!(problem(&decide("\"other\""), 412), "api-precondition");
        assert_eq!(decide(one.header("etag")).json(), json!({"changed": 1}));
        assert_eq!(problem(&decide(one.header("etag")), 412), "api-precondition");
        let remark = client.json("POST", &format!("{address}/remarks"), &json!({"text": "asked"}));
        assert_eq!(remark.status, 204);
        let told: Vec<Value> =
            client.get(&format!("{address}/history")).json()["items"].as_array().unwrap().clone();
        assert_eq!((&told[0]["what"], &told[1]["what"]), (&json!("remarked"), &json!("decided")));
        assert_eq!(client.with("DELETE", &format!("{address}/decision"), &[], b"").status, 204);
        let bulk = json!({"findings": [finding["id"]], "decision": decision});
        assert_eq!(client.json("POST", "/api/v2/findings/decisions", &bulk).json(), json!({"changed": 1}));

        // what another document changes is told, and two releases are compared
        let next = client.release("2.0");
        client.upload(&next, &bom(&["c", "d"]));
        let numbers = [&release, &next].map(|r| r.rsplit_once('/').unwrap().1.to_owned());
        let compared =
            client.get(&format!("/api/v2/compare?before={}&after={}", numbers[0], numbers[1])).json();
        assert_eq!(
            (&compared["added"][0]["name"], &compared["removed"][0]["name"]),
            (&json!("d"), &json!("b"))
        );
        let documents = client.get(&format!("{next}/sboms")).json();
        let document = format!("{next}/sboms/{}", documents["items"][0]["id"]);
        assert_eq!(client.get(&document).json()["current"], true);
        assert_eq!(client.get(&format!("{document}/original")).text(), bom(&["c", "d"]));
        let used = client.get("/api/v2/where-used?q=c").json();
        assert_eq!(used["items"].as_array().unwrap().len(), 2);
        let units = json!([{"customer": "North", "region": "EU", "units": 5}]);
        let noted = client.json("POST", &format!("{next}/deployments"), &units).json();
        assert_eq!(noted["items"][0]["units"], 5);
        assert_eq!(client.get("/api/v2/deployments?q=customer%3Anorth").json()["items"][0]["units"], 5);
        assert_eq!(client.get(&format!("{next}/licences")).json()["items"][0]["components"], 2);
        assert_eq!(client.get(&format!("{next}/parts")).json()["items"][0]["purl"], "pkg:npm/c@1.0.0");
        let me = client.get("/api/v2/me").json();
        assert_eq!(me["name"], "key:build manager");
        assert_eq!(client.get("/api/v2/audit/verify").json()["broken_at"], Value::Null);
        assert_eq!(server.send("GET", "/api/v2/health", &[], b"").json()["status"], "ok");
        assert_eq!(server.send("GET", "/api/v2/version", &[], b"").json()["name"], "Tocsin");
    });
}

#[test]
fn lists_are_read_page_by_page_or_as_lines() {
    with_server(|server, client, _| {
        let release = client.release("1.0");
        let names: Vec<String> = (0..7).map(|n| format!("part{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        client.upload(&release, &bom(&names));
        for version in ["1.1", "1.2"] {
            client.release(version);
        }
        for (path, size, want) in [
            (format!("{release}/components"), 3, 7),
            ("/api/v2/releases".to_owned(), 2, 3),
            (
                "/api/v2/audit".to_owned(),
                4,
                client.get("/api/v2/audit").json()["items"].as_array().unwrap().len(),
            ),
        ] {
            let (mut next, mut seen) = (format!("{path}?limit={size}"), Vec::new());
            loop {
                let page = client.get(&next);
                let items = page.json()["items"].as_array().unwrap().clone();
                assert!(items.len() <= size);
                seen.extend(items.iter().map(ToString::to_string));
                let link = page.header("link").to_owned();
                match link.split(", ").find(|l| l.ends_with("rel=\"next\"")) {
                    Some(l) => next = l[1..l.find('>').unwrap()].to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen.len(), want, "{path}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), want, "{path} gives nothing twice");
        }
        // the query grammar and the orders are those of the pages, in pages and in lines
        let versions = |path: &str| -> Vec<String> {
            let items = client.get(path).json()["items"].as_array().unwrap().clone();
            items.iter().map(|r| r["version"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(versions("/api/v2/releases?sort=-version"), ["1.2", "1.1", "1.0"]);
        assert_eq!(
            versions("/api/v2/releases?q=components%3E0%20OR%20latest%3Atrue&sort=version"),
            ["1.0", "1.2"]
        );
        assert_eq!(versions("/api/v2/releases?latest=true"), ["1.2"]);
        let lines = client.with(
            "GET",
            "/api/v2/releases?q=-latest%3Atrue",
            &[("Accept", "application/x-ndjson")],
            b"",
        );
        assert_eq!(lines.text().lines().count(), 2, "{}", lines.text());
        for (path, code) in [
            ("/api/v2/releases?q=versoin%3A1", "api-invalid"),
            ("/api/v2/findings?sort=nothing", "api-invalid"),
            ("/api/v2/findings?sort=epss%20kev%3Atrue", "api-invalid"),
        ] {
            assert_eq!(problem(&client.get(path), 422), code, "{path}");
        }
        assert_eq!(problem(&client.get("/api/v2/findings?severity=awful"), 400), "api-malformed");
        // a place in one order is none in another
        let cursor = client.get("/api/v2/releases?limit=1&sort=version").json()["next"].clone();
        let other = client.get(&format!("/api/v2/releases?sort=-units&cursor={}", cursor.as_str().unwrap()));
        assert_eq!(problem(&other, 400), "api-cursor");
        // every list has one form
        let admin = Client(server, server.key("administrator"));
        let document = client.get("/api/v2/openapi.json").json();
        let mut lists = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            if path.contains('{') || item["get"]["parameters"].to_string().find("\"cursor\"").is_none() {
                continue;
            }
            let asked = if path.ends_with("where-used") { "?q=part1" } else { "" };
            // whoever runs the installation reads no news and reports of the workspace
            let desk =
                ["items", "reports", "stories", "warnings"].iter().any(|n| *path == format!("/api/v2/{n}"));
            let reply = if desk { &client } else { &admin }.get(&format!("{path}{asked}"));
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            assert!(reply.json()["items"].is_array(), "{path}: {}", reply.text());
            lists += 1;
        }
        assert!(lists >= 14, "{lists} lists");
        let flaws = admin.get("/api/v2/vulnerabilities?q=severity%3E%3Dlow").json();
        assert_eq!(flaws["items"].as_array().unwrap().len(), 0, "nothing hurts these parts");
        assert_eq!(admin.get("/api/v2/roles").json()["items"].as_array().unwrap().len(), 8);
        server.person("analyst");
        let sessions = admin.get("/api/v2/sessions?q=method%3Apassword").json();
        let session = sessions["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{sessions}")).to_owned();
        assert_eq!(admin.with("DELETE", &format!("/api/v2/sessions/{session}"), &[], b"").status, 204);
        assert_eq!(admin.with("DELETE", &format!("/api/v2/sessions/{session}"), &[], b"").status, 404);
        assert_eq!(problem(&client.get("/api/v2/sessions"), 403), "api-denied");
        let cursor = client.get(&format!("{release}/components?limit=1")).json()["next"].clone();
        let elsewhere = client.get(&format!("/api/v2/releases?cursor={}", cursor.as_str().unwrap()));
        assert_eq!(problem(&elsewhere, 400), "api-cursor");
        let lines =
            client.with("GET", &format!("{release}/components"), &[("Accept", "application/x-ndjson")], b"");
        assert_eq!(lines.header("content-type"), "application/x-ndjson");
        let parsed: Vec<Value> = lines.text().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(parsed.len(), 7);
        assert_eq!(client.get("/api/v2/releases?q=1.2").json()["items"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_request_sent_twice_is_done_once() {
    with_server(|server, client, _| {
        let send = |key: &str, body: &Value, path: &str| {
            let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
            client.with("POST", path, &headers, body.to_string().as_bytes())
        };
        let line = |name: &str| json!({"name": name});
        let first = send("k1", &line("A"), "/api/v2/lines");
        let events = || client.get("/api/v2/audit?limit=1000").json()["items"].as_array().unwrap().len();
        let before = events();
        let again = send("k1", &line("A"), "/api/v2/lines");
        assert_eq!((again.status, again.text()), (201, first.text()));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(first.header("idempotency-replayed"), "");
        assert_eq!(events(), before);
        assert_eq!(problem(&send("k1", &line("B"), "/api/v2/lines"), 422), "api-idempotency-reused");
        // another caller's key of the same name is another
        let other = Client(server, server.key("administrator"));
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k1")];
        let theirs = other.with("POST", "/api/v2/lines", &headers, line("C").to_string().as_bytes());
        assert_eq!(theirs.status, 201);
        // what is refused is refused again without being tried
        let bad = send("k2", &line(""), "/api/v2/lines");
        assert_eq!(problem(&bad, 422), "api-invalid");
        assert_eq!(send("k2", &line(""), "/api/v2/lines").header("idempotency-replayed"), "true");
        // a secret is told once
        let wanted = json!({"name": "ci", "role": "developer"});
        let made = send("k3", &wanted, "/api/v2/keys");
        assert_eq!(made.status, 201, "{}", made.text());
        let key = made.json()["key"].as_str().unwrap().to_owned();
        assert_eq!(Client(server, key.clone()).get("/api/v2/me").status, 200);
        let again = send("k3", &wanted, "/api/v2/keys");
        assert_eq!(problem(&again, 409), "api-idempotency-running");
        assert!(!again.text().contains(&key));
        assert_eq!(client.get("/api/v2/keys").json()["items"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn what_did_not_change_is_not_sent_again() {
    with_server(|_, client, _| {
        let release = client.release("1.0");
        let first = client.get(&release);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");
        let again = client.with("GET", &release, &[("If-None-Match", &tag)], b"");
        assert_eq!((again.status, again.body.len()), (304, 0));
        let patch = |tag: &str| {
            let headers = [("Content-Type", "application/json"), ("If-Match", tag)];
            client.with("PATCH", &release, &headers, br#"{"tags": ["eu"]}"#)
        };
        assert_eq!(problem(&patch("\"stale\""), 412), "api-precondition");
        let changed = patch(&tag);
        assert_eq!((changed.status, &changed.json()["tags"]), (200, &json!(["eu"])));
        assert_eq!(problem(&patch(&tag), 412), "api-precondition");
        assert_eq!(client.with("GET", &release, &[("If-None-Match", &tag)], b"").status, 200);
    });
}

#[test]
fn whatever_goes_wrong_is_a_problem_with_a_page() {
    with_server(|server, client, _| {
        let auditor = Client(server, server.key("auditor"));
        let wrong = |method: &str, path: &str, body: &str, status: u16| {
            problem(
                &client.with(method, path, &[("Content-Type", "application/json")], body.as_bytes()),
                status,
            )
        };
        assert_eq!(problem(&server.send("GET", "/api/v2/releases", &[], b""), 401), "api-unauthorised");
        assert_eq!(
            problem(&server.send("GET", "/api/v2/releases", &[("X-Api-Key", "tocsin_a_b")], b""), 401),
            "api-unauthorised"
        );
        assert_eq!(problem(&auditor.json("POST", "/api/v2/lines", &json!({"name": "x"})), 403), "api-denied");
        assert_eq!(wrong("GET", "/api/v2/nothing", "", 404), "api-not-found");
        assert_eq!(wrong("GET", "/api/v2/releases/999", "", 404), "api-not-found");
        assert_eq!(wrong("DELETE", "/api/v2/lines", "", 405), "api-method");
        assert_eq!(wrong("GET", "/api/v2/releases/x", "", 400), "api-malformed");
        assert_eq!(wrong("GET", "/api/v2/releases?limit=x", "", 400), "api-malformed");
        assert_eq!(wrong("POST", "/api/v2/lines", "{", 400), "api-malformed");
        assert_eq!(wrong("POST", "/api/v2/lines", r#"{"nam": "x"}"#, 422), "api-invalid");
        assert_eq!(wrong("POST", "/api/v2/lines", r#"{"name": " "}"#, 422), "api-invalid");
        assert_eq!(
            problem(&client.with("POST", "/api/v2/lines", &[("Content-Type", "text/plain")], b"x"), 415),
            "api-media-type"
        );
        assert_eq!(
            problem(
                &client.with(
                    "POST",
                    "/api/v2/sboms",
                    &[("Content-Type", "multipart/form-data; boundary=x")],
                    b"--x--\r\n"
                ),
                400
            ),
            "api-malformed"
        );
        let release = client.release("1.0");
        let torn = client.with("POST", &format!("{release}/sboms"), &[], b"{");
        assert_eq!(problem(&torn, 422), "api-invalid");
        assert_eq!(torn.json()["diagnostics"][0]["code"], "input-unrecognised", "{}", torn.text());
        // each code has a page
        let page = server.send("GET", "/api/problems/api-invalid", &[], b"");
        assert!(page.text().starts_with("# api-invalid"), "{}", page.text());
        // a name of the client's is kept, another one is not
        assert_eq!(
            client.with("GET", "/api/v2/me", &[("X-Request-Id", "build-7")], b"").header("x-request-id"),
            "build-7"
        );
        assert_eq!(
            client.with("GET", "/api/v2/me", &[("X-Request-Id", "a b")], b"").header("x-request-id").len(),
            32
        );
        assert!(client.get("/api/v2/me").header("ratelimit").contains("r="));
    });
}

#[test]
fn bodies_may_be_packed() {
    with_server(|_, client, _| {
        let release = client.release("1.0");
        let text = bom(&["b"]);
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        let packed =
            [("gzip", gz.finish().unwrap()), ("zstd", zstd::encode_all(text.as_bytes(), 1).unwrap())];
        for (encoding, bytes) in packed {
            let headers = [("Content-Encoding", encoding)];
            let reply = client.with("POST", &format!("{release}/sboms"), &headers, &bytes);
            assert_eq!(
                (reply.status, &reply.json()["components"]),
                (200, &json!(1)),
                "{encoding}: {}",
                reply.text()
            );
        }
        let odd = client.with("POST", &format!("{release}/sboms"), &[("Content-Encoding", "br")], b"x");
        assert_eq!(odd.status, 415);
    });
}

#[test]
fn the_document_and_its_pages_are_served_to_everybody() {
    with_server(|server, _, dir| {
        let document = server.send("GET", "/api/v2/openapi.json", &[], b"");
        assert_eq!(document.header("content-type"), "application/json");
        fs::write(dir.join("openapi.json"), &document.body).unwrap();
        assert_eq!(document.json()["openapi"], "3.1.0");
        assert!(document.json()["paths"].as_object().unwrap().len() > 25);
        for path in ["/api/docs", "/api/docs/reference"] {
            let page = server.send("GET", path, &[], b"");
            assert_eq!(page.status, 200);
            let policy = page.header("content-security-policy");
            assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-inline"), "{policy}");
            assert!(!page.text().contains("<script>"), "no script stands inside the page");
        }
        assert!(
            server
                .send("GET", "/api/docs/reference", &[], b"")
                .text()
                .contains("/api/v2/releases/{id}/findings")
        );
    });
}

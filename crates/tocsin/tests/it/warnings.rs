//! Early warnings through the built program: made of a story, matched, merged; seen by nobody else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::serve::{Reply, Server, between};

struct Client<'a>(&'a Server, String);

impl Client<'_> {
    fn get(&self, path: &str) -> Reply {
        self.0.send("GET", path, &[("X-Api-Key", &self.1)], b"")
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        let headers = [("X-Api-Key", self.1.as_str()), ("Content-Type", "application/json")];
        self.0.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// What a path gives as items, once there are so many.
    fn items(&self, path: &str, n: usize) -> Vec<Value> {
        let end = Instant::now() + Duration::from_secs(40);
        loop {
            let reply = self.get(path);
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            let items = reply.json()["items"].as_array().unwrap().clone();
            if items.len() == n {
                return items;
            }
            assert!(Instant::now() < end, "{n} of {path}: {}", reply.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn pump() -> Vec<u8> {
    json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [
        {"type": "library", "name": "libpump", "version": "1.2.0", "purl": "pkg:npm/libpump@1.2.0"}]})
    .to_string()
    .into_bytes()
}

#[test]
fn a_story_becomes_an_early_warning_that_finds_and_is_merged() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&scratch.path().join("data"));
    let client = Client(&server, server.key("analyst"));
    let fields = [("line", "Pumps"), ("product", "Pump"), ("version", "1.0")];
    let sent = server.upload("/api/v2/sboms", Some(&server.key("manager")), &fields, &pump());
    assert!(sent.status < 300, "{}", sent.text());
    let item = json!({"title": "libpump stops at zero", "text": "A list tells that libpump before 1.4.2 stops.",
        "url": "https://lists.example/7", "tlp": "AMBER"});
    assert_eq!(client.post("/api/v2/items", &json!({"source": "A list", "item": item})).status, 201);
    let story = client.items("/api/v2/stories", 1).remove(0)["id"].as_i64().unwrap();

    // the form begins with what the story tells
    let form = server.page(&format!("/stories/{story}/warning")).text();
    assert!(
        form.contains("value=\"libpump stops at zero\"") && form.contains("https://lists.example/7"),
        "{form}"
    );
    assert!(form.contains("value=\"libpump\""), "the component that it names: {form}");
    let fields = "title=libpump+stops&product=libpump&purl=pkg%3Anpm%2Flibpump&affected=before&severity=high&tlp=AMBER";
    let wrong = server.browse("POST", &format!("/stories/{story}/warning"), fields).text();
    assert!(
        wrong.contains("role=\"alert\"") && wrong.contains("value=\"pkg:npm/libpump\""),
        "nothing typed is lost"
    );
    let fields = fields.replace(
        "affected=before",
        "affected=%3C+1.4.2&told=before+1.4.2&links=https%3A%2F%2Flists.example%2F7",
    );
    let made = server.browse("POST", &format!("/stories/{story}/warning"), &fields);
    assert_eq!(made.status, 303, "{}", made.text());
    let to = made.header("location").to_owned();
    let name = between(&to, "/warnings/", "?").to_owned();
    assert!(name.starts_with("TOCSIN-20") && name.ends_with("-0001"), "{name}");

    // it is matched as anything else
    let found = client.items(&format!("/api/v2/findings?q=vulnerability%3A{name}"), 1).remove(0);
    assert_eq!((&found["severity"], &found["title"]), (&json!("high"), &json!("libpump stops")), "{found}");
    let known = client.get(&format!("/api/v2/vulnerabilities/{name}")).json();
    assert_eq!((&known["id"], &known["severity"]), (&json!(name), &json!("high")), "{known}");
    let page = server.page(&format!("/vulnerabilities/{name}")).text();
    assert!(page.contains("early warning") && page.contains("before 1.4.2"), "{page}");
    assert!(server.page(&format!("/stories/{story}")).text().contains(&name));
    assert!(server.page("/warnings").text().contains(&name));
    assert!(server.page("/warnings.csv").text().contains(&name));
    assert!(server.page("/warnings.json").json()["warnings"][0]["name"] == json!(name));
    assert!(server.page("/desk.json").json()["stories"][0]["id"] == json!(story));
    assert!(server.page(&format!("/search?q={name}")).text().contains(&name));

    // the CVE comes in the news: it is proposed, and an analyst says that it is the same
    let item = json!({"title": "CVE-2026-4242 in libpump", "text": "CVE-2026-4242: libpump before 1.4.2 stops at zero.",
        "url": "https://lists.example/7", "tlp": "CLEAR"});
    assert_eq!(client.post("/api/v2/items", &json!({"source": "Another list", "item": item})).status, 201);
    client.items("/api/v2/warnings?q=proposed%3Atrue", 1);
    let shown = client.get(&format!("/api/v2/warnings/{name}")).json();
    assert_eq!(shown["proposed"][0]["main"], "CVE-2026-4242", "{shown}");
    let merged = client.post(&format!("/api/v2/warnings/{name}/merge"), &json!({"into": "CVE-2026-4242"}));
    assert_eq!((merged.status, &merged.json()["moved"]["findings"]), (200, &json!(1)), "{}", merged.text());
    let moved = client.items("/api/v2/findings?q=vulnerability%3ACVE-2026-4242", 1).remove(0);
    assert_eq!(
        (&moved["id"], &moved["first_seen"]),
        (&found["id"], &found["first_seen"]),
        "the same finding"
    );
    client.items(&format!("/api/v2/findings?q=vulnerability%3A{name}"), 1);
    let lead = server.page(&format!("/vulnerabilities/{name}"));
    assert_eq!((lead.status, lead.header("location")), (303, "/vulnerabilities/CVE-2026-4242"));
    assert!(server.page("/vulnerabilities/CVE-2026-4242").text().contains(&name));
    let again = client.post(&format!("/api/v2/warnings/{name}/merge"), &json!({"into": "CVE-2026-4243"}));
    assert_eq!(again.status, 409, "{}", again.text());

    // who may not
    let contact = Client(&server, server.key("contact"));
    assert_eq!(contact.get("/api/v2/warnings").status, 403);
    assert_eq!(contact.post("/api/v2/warnings", &json!({"warning": {"title": "x"}})).status, 403);
}

#[test]
fn another_workspace_meets_nothing_of_an_early_warning() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&scratch.path().join("data"));
    let fields = [("line", "Pumps"), ("product", "Pump"), ("version", "1.0")];
    let upload = || {
        let sent = server.upload("/api/v2/sboms", Some(&server.key("manager")), &fields, &pump());
        assert!(sent.status < 300, "{}", sent.text());
        Client(&server, server.key("analyst"))
    };
    let ours = upload();
    let warning = json!({"title": "Secret of the pump", "purl": "pkg:npm/libpump", "severity": "critical", "tlp": "RED"});
    let made = ours.post("/api/v2/warnings", &json!({ "warning": warning }));
    assert_eq!(made.status, 201, "{}", made.text());
    let name = made.json()["name"].as_str().unwrap().to_owned();
    ours.items("/api/v2/findings", 1);
    // the team's own lists have it, documents for others do not
    let project = ours.get("/api/v1/project").json()[0]["uuid"].as_str().unwrap().to_owned();
    assert!(ours.get(&format!("/api/v1/finding/project/{project}")).text().contains(&name));
    for document in ["vex", "bom"] {
        for variant in ["withVulnerabilities", "vdr"] {
            let path =
                format!("/api/v1/{document}/cyclonedx/project/{project}?format=json&variant={variant}");
            let sent = ours.get(&path);
            assert!(sent.status == 200 && !sent.text().contains(&name), "{path}: {}", sent.text());
        }
    }

    let entered = server.browse("POST", "/workspaces", "name=Another");
    assert_eq!(entered.status, 303, "{}", entered.text());
    let theirs = upload();
    theirs.items("/api/v2/releases", 1);
    for path in [
        "/api/v2/findings".to_owned(),
        "/api/v2/vulnerabilities".to_owned(),
        "/api/v2/warnings?q=state%3Aopen".to_owned(),
        format!("/api/v2/findings?q=vulnerability%3A{name}"),
        "/api/v2/notifications".to_owned(),
        "/api/v1/vulnerability".to_owned(),
        "/api/v1/finding".to_owned(),
        "/api/v2/decisions".to_owned(),
        "/api/v2/stories".to_owned(),
    ] {
        let text = theirs.get(&path).text();
        assert!(!text.contains(&name) && !text.contains("Secret of the pump"), "{path}: {text}");
    }
    for path in [
        format!("/api/v2/warnings/{name}"),
        format!("/api/v2/vulnerabilities/{name}"),
        format!("/api/v1/vulnerability/source/INTERNAL/vuln/{name}"),
    ] {
        assert_eq!(theirs.get(&path).status, 404, "{path}");
    }
    for verb in ["merge", "withdraw", "refuse"] {
        let body = json!({"into": "CVE-2026-1", "why": "x", "main": "x"});
        let body = match verb {
            "merge" => json!({"into": body["into"]}),
            "withdraw" => json!({"why": body["why"]}),
            _ => json!({"main": body["main"]}),
        };
        assert_eq!(theirs.post(&format!("/api/v2/warnings/{name}/{verb}"), &body).status, 404, "{verb}");
    }
    for path in [
        "/".to_owned(),
        "/warnings".to_owned(),
        "/vulnerabilities".to_owned(),
        "/findings".to_owned(),
        "/notifications".to_owned(),
    ] {
        let page = server.page(&path).text();
        assert!(!page.contains(&name) && !page.contains("Secret of the pump"), "{path}");
    }
    assert!(!server.page(&format!("/search?q={name}")).text().contains("Secret of the pump"));
    for path in [format!("/warnings/{name}"), format!("/vulnerabilities/{name}")] {
        assert_eq!(server.page(&path).status, 404, "{path}");
    }
    // nor by a merge that they make with the same CVE
    let merged = ours.post(&format!("/api/v2/warnings/{name}/merge"), &json!({"into": "CVE-2026-4242"}));
    assert_eq!(merged.status, 200, "{}", merged.text());
    ours.items("/api/v2/findings?q=vulnerability%3ACVE-2026-4242", 1);
    assert_eq!(theirs.get("/api/v2/vulnerabilities/CVE-2026-4242").status, 404);
    assert_eq!(server.page("/vulnerabilities/CVE-2026-4242").status, 404);
    theirs.items(&format!("/api/v2/findings?q=vulnerability%3A{name}"), 0);
}

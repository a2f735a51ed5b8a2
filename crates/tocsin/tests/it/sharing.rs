//! MISP feeds and TAXII collections, followed from a publisher that the test plays, until they lie on the desk.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::feeds::{numbers, run};
use crate::publisher::{Play, Publisher};
use crate::serve::Server;
use crate::sources::edition;

struct Follower {
    dir: tempfile::TempDir,
    publisher: Publisher,
    name: &'static str,
}

impl Follower {
    fn new(name: &'static str) -> Follower {
        let follower = Follower { dir: tempfile::tempdir().unwrap(), publisher: Publisher::start(), name };
        follower.run(&["set", name, "--address", &follower.publisher.address("/api")], 0);
        follower
    }

    fn run(&self, args: &[&str], code: i32) -> (Value, String) {
        run(self.dir.path(), &self.publisher, args, code)
    }

    fn sync(&self, code: i32) -> Value {
        self.run(&["sync", self.name, "--force"], code).0
    }

    fn paths(&self) -> Vec<String> {
        let path = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.publisher.asked().iter().map(path).collect()
    }

    /// The items of the desk, as its API lists them. Once: it is the first start of a server on the folder.
    fn items(&self) -> Vec<Value> {
        let server = Server::start(self.dir.path());
        let key = server.key("manager");
        let list = server.send("GET", "/api/v2/items", &[("X-Api-Key", &key)], b"").json();
        let mut all = list["items"].as_array().unwrap().clone();
        for item in &mut all {
            let path = format!("/api/v2/items/{}", item["id"]);
            *item = server.send("GET", &path, &[("X-Api-Key", &key)], b"").json()["item"].clone();
        }
        all
    }

    /// Runs a sync until a path is asked for, and kills it.
    fn killed_at(&self, path: &str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .arg("--data-dir")
            .arg(self.dir.path())
            .args(["feeds", "--allow-host", &self.publisher.host(), "sync", self.name, "--force"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !self.paths().iter().any(|p| p.contains(path)) {
            assert!(started.elapsed() < Duration::from_secs(60), "{path}");
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn uuid(n: u32) -> String {
    format!("57c4445b-c548-4654-af0b-{n:012}")
}

/// A manifest of events that changed so many seconds after a time of last month.
fn manifest(events: &[(u32, i64)]) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let base = now / 1_000_000 * 1_000_000 - 2_000_000;
    let entry = |(n, at): &(u32, i64)| {
        (uuid(*n), json!({"info": "Pumps", "timestamp": (base + at).to_string(), "date": "2026-03-01"}))
    };
    serde_json::Value::Object(events.iter().map(entry).collect()).to_string().into_bytes()
}

fn event(n: u32, info: &str) -> Play {
    let event = json!({"Event": {"uuid": uuid(n), "info": info, "date": "2026-03-01", "timestamp": "1772323200",
        "Orgc": {"name": "CERT"}, "Tag": [{"name": "tlp:green"}],
        "Attribute": [{"type": "vulnerability", "value": format!("CVE-2026-{n:04}")},
            {"type": "ip-dst", "value": "192.0.2.7", "comment": "c2"}]}});
    edition(event.to_string().into_bytes())
}

#[test]
fn misp_events_are_taken_where_they_changed_and_lie_on_the_desk() {
    let f = Follower::new("misp");
    let p = &f.publisher;
    let page = |n: u32, play: Play| p.page(&format!("/api/{}.json", uuid(n)), play);
    p.page("/api/manifest.json", Play::Edition("m1", manifest(&[(1, 1), (2, 2), (3, 3)])));
    page(1, event(1, "Pumps attacked"));
    page(2, edition(b"{\"Event\": {}}".to_vec()));
    page(3, Play::Status(404, None));
    let feed = f.sync(1);
    let error = feed["error"].as_str().unwrap();
    assert!(error.contains("changed its format") && error.contains("404"), "{error}");
    page(2, event(2, "Valves attacked"));
    page(3, event(3, "Motors attacked"));
    f.paths();
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [2, 2, 0, 0], "{feed}");
    assert_eq!(f.paths().len(), 3, "the manifest and what was not right");
    f.sync(0);
    assert!(p.asked().concat().contains("if-none-match: \"m1\""));
    p.page("/api/manifest.json", Play::Edition("m2", manifest(&[(1, 9), (2, 2), (3, 3)])));
    page(1, event(1, "Pumps attacked again"));
    f.paths();
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [1, 0, 1, 0], "an edition of the same: {feed}");
    assert_eq!(f.paths().len(), 2);
    for (bad, words) in [
        (edition(b"<html>".to_vec()), "changed its format"),
        (edition(b"[]".to_vec()), "changed its format"),
        (Play::Announced(1 << 40), "more than the"),
        (Play::Cut(b"{".to_vec()), "broke off"),
        (Play::Status(429, Some("3600")), "called later"),
    ] {
        p.page("/api/manifest.json", bad);
        let feed = f.sync(1);
        assert!(feed["error"].as_str().unwrap().contains(words), "{feed}");
    }
    let items = f.items();
    assert_eq!(items.len(), 3, "bad answers take nothing away");
    let pumps = items.iter().find(|i| i["title"] == "Pumps attacked again").unwrap();
    assert_eq!((&pumps["tlp"], &pumps["edition"]), (&json!("GREEN"), &json!(2)));
    let text = pumps["text"].as_str().unwrap();
    assert!(
        text.contains("Vulnerabilities: CVE-2026-0001") && text.contains("- ip-dst 192.0.2.7 (c2)"),
        "{text}"
    );
    f.run(&["set", "misp", "--option", "since=soon"], 0);
    assert!(f.sync(1)["error"].as_str().unwrap().contains("since=DAY"));
}

#[test]
fn misp_goes_on_where_it_was_killed_and_is_mirrored() {
    let f = Follower::new("misp");
    let p = &f.publisher;
    let events: Vec<(u32, i64)> = (1..=53).map(|n| (n, i64::from(n))).collect();
    p.page("/api/manifest.json", Play::Edition("m1", manifest(&events)));
    for n in 1..=53 {
        p.page(&format!("/api/{}.json", uuid(n)), event(n, &format!("Event {n}")));
    }
    p.page(&format!("/api/{}.json", uuid(52)), Play::Slow(Duration::from_secs(60)));
    f.killed_at(&uuid(52));
    p.page(&format!("/api/{}.json", uuid(52)), event(52, "Event 52"));
    f.paths();
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "{feed}");
    assert_eq!(f.paths().len(), 4);
    let folder = f.dir.path().join("mirror");
    f.run(&["mirror", folder.to_str().unwrap(), "misp"], 0);
    let away = Follower { dir: tempfile::tempdir().unwrap(), publisher: Publisher::start(), name: "misp" };
    away.run(&["set", "misp", "--option", "tlp=RED"], 0);
    let (feed, _) = away.run(&["sync", "--from", folder.to_str().unwrap()], 0);
    assert_eq!((&feed["name"], &feed["new"]), (&json!("misp"), &json!(53)), "{feed}");
    assert!(away.paths().is_empty());
}

fn envelope(more: Option<&str>, objects: &[Value]) -> Play {
    let mut out = json!({"more": more.is_some(), "objects": objects});
    if let Some(next) = more {
        out["next"] = json!(next);
    }
    edition(out.to_string().into_bytes())
}

fn flaw(n: u32) -> Value {
    json!({"type": "vulnerability", "spec_version": "2.1", "id": format!("vulnerability--{n}"), "name": format!("Flaw {n}"),
        "created": "2026-03-01T00:00:00.000Z", "modified": "2026-03-01T00:00:00.000Z", "description": "A flaw of a pump.",
        "external_references": [{"source_name": "cve", "external_id": format!("CVE-2026-{n:04}")}]})
}

#[test]
fn taxii_collections_are_found_and_read_by_what_was_added() {
    let f = Follower::new("taxii");
    let p = &f.publisher;
    let key = f.dir.path().join("key.txt");
    std::fs::write(&key, "us:Our-Password\n").unwrap();
    f.run(&["set", "taxii", "--key-file", key.to_str().unwrap()], 0);
    let json_page = |path: &str, value: Value| p.page(path, edition(value.to_string().into_bytes()));
    json_page("/api/", json!({"title": "A server", "api_roots": ["/root1/"]}));
    json_page(
        "/root1/collections/",
        json!({"collections": [{"id": "c1", "title": "Ours", "can_read": true}, {"id": "c2", "title": "Closed", "can_read": false},
            {"id": "c3", "title": "Other", "can_read": true}]}),
    );
    f.run(&["set", "taxii", "--option", "collections=Ours"], 0);
    let first = "/root1/collections/c1/objects/?limit=500";
    p.page(first, envelope(Some("a b"), &[flaw(1), json!({"type": "x"})]));
    p.page(&format!("{first}&next=a%20b"), envelope(None, &[flaw(2)]));
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [2, 2, 0, 1], "{feed}");
    let asked = p.asked();
    assert!(asked.iter().all(|a| a.contains("authorization: basic dxm6")), "{}", asked[0]);
    assert!(asked.iter().all(|a| a.contains("accept: application/taxii+json;version=2.1")), "{}", asked[0]);
    assert!(!asked.concat().contains("c2/") && !asked.concat().contains("c3/"));
    let items = f.items();
    assert_eq!((items.len(), &items[0]["tlp"]), (2, &json!("AMBER")), "what bears no marking is kept close");
    assert!(items.iter().any(|i| i["text"].as_str().unwrap().contains("Vulnerabilities: CVE-2026-0001")));
    p.plays([envelope(None, &[flaw(2), flaw(3)])]);
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [2, 1, 0, 0], "the same again changes nothing: {feed}");
    assert!(f.paths()[2].contains("&added_after="));
    for (bad, words) in [
        (edition(b"{\"title\": \"x\"}".to_vec()), "changed its format"),
        (edition(b"<html>".to_vec()), "changed its format"),
        (edition(b"{\"more\": true, \"objects\": []}".to_vec()), "does not say how to ask"),
        (edition(b"{\"objects\": [{\"a\": 1}]}".to_vec()), "changed its format"),
        (Play::Announced(1 << 40), "more than the"),
        (Play::Status(429, Some("3600")), "called later"),
    ] {
        p.plays([bad]);
        let feed = f.sync(1);
        assert!(feed["error"].as_str().unwrap().contains(words), "{words}: {feed}");
    }
    json_page("/api/", json!({"title": "x"}));
    assert!(f.sync(1)["error"].as_str().unwrap().contains("neither API roots"));
    p.page("/api/", Play::Status(401, None));
    assert!(f.sync(1)["error"].as_str().unwrap().contains("--key-file"));
}

#[test]
fn taxii_goes_on_where_it_was_killed() {
    let f = Follower::new("taxii");
    let p = &f.publisher;
    let json_page = |path: &str, value: Value| p.page(path, edition(value.to_string().into_bytes()));
    json_page("/api/", json!({"title": "A root", "versions": ["application/taxii+json;version=2.1"]}));
    json_page("/api/collections/", json!({"collections": [{"id": "c1", "title": "Ours", "can_read": true}]}));
    let first = "/api/collections/c1/objects/?limit=500";
    p.page(first, envelope(Some("2"), &[flaw(1)]));
    p.page(&format!("{first}&next=2"), Play::Slow(Duration::from_secs(60)));
    f.killed_at("next=2");
    p.page(&format!("{first}&next=2"), envelope(None, &[flaw(2)]));
    f.paths();
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [1, 1, 0, 0], "{feed}");
    assert!(f.paths().last().unwrap().ends_with("&next=2"));
    // what it gave to go on with is no longer known
    f.run(&["sync", "taxii", "--again", "--force"], 0);
    p.page(&format!("{first}&next=2"), Play::Slow(Duration::from_secs(60)));
    f.run(&["set", "taxii", "--address", &p.address("/api/")], 0);
    f.killed_at("next=2");
    p.page(&format!("{first}&next=2"), Play::Status(404, None));
    p.page(first, envelope(None, &[flaw(1), flaw(2), flaw(3)]));
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [3, 1, 0, 0], "{feed}");
}

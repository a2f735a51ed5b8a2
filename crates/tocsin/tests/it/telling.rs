//! From an upload to messages on the wire: real receivers on this machine, the built program, channels and rules through
//! the API.

use std::time::{Duration, Instant};

use ring::hmac;
use serde_json::{Value, json};

use crate::jobs::flaw;
use crate::receivers::{Collector, Hook, MailServer};
use crate::serve::{Reply, Server};

const KEY: &str = "0123456789abcdef0123";

struct House {
    dir: tempfile::TempDir,
    server: Server,
    admin: String,
    analyst: String,
}

impl House {
    /// A server that may call these hosts.
    fn new(allowed: &[String]) -> House {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        flaw(&data, &[], "CVE-2024-0001");
        let args: Vec<&str> = allowed.iter().flat_map(|h| ["--allow-host", h.as_str()]).collect();
        let server = Server::start_with(&data, &args, None);
        let (admin, analyst) = (server.key("administrator"), server.key("analyst"));
        House { dir, server, admin, analyst }
    }

    fn send(&self, method: &str, path: &str, key: &str, body: &Value) -> Reply {
        let headers = [("X-Api-Key", key), ("Content-Type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.server.send(method, &format!("/api/v2/{path}"), &headers, &body)
    }

    fn cli(&self, args: &[&str]) -> std::process::Output {
        crate::tocsin(&self.dir.path().join("data"), args)
    }

    fn make(&self, path: &str, body: &Value) -> Value {
        let reply = self.send("POST", path, &self.admin, body);
        assert_eq!(reply.status, 201, "{path}: {}", reply.text());
        reply.json()
    }

    fn channel(&self, kind: &str, settings: &Value, secrets: &Value) -> i64 {
        let new = json!({"kind": kind, "name": kind, "settings": settings, "secrets": secrets});
        self.make("notifications/channels", &new)["id"].as_i64().unwrap()
    }

    /// Deliveries that a query finds, once there are so many.
    fn deliveries(&self, query: &str, wanted: usize) -> Vec<Value> {
        let since = Instant::now();
        loop {
            let path = format!("notifications/deliveries?q={query}");
            let reply = self.send("GET", &path, &self.admin, &Value::Null);
            assert_eq!(reply.status, 200, "{}", reply.text());
            let items = reply.json()["items"].as_array().unwrap().clone();
            if items.len() >= wanted {
                return items;
            }
            let all = self.send("GET", "notifications/deliveries", &self.admin, &Value::Null).text();
            assert!(since.elapsed() < Duration::from_secs(60), "no {wanted} of {query}: {all}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A document of so many versions of what is flawed.
fn flawed(n: usize) -> Vec<u8> {
    let one = |n| {
        json!({"type": "library", "bom-ref": format!("c{n}"), "name": "flawed", "version": format!("1.0.{n}"),
        "purl": format!("pkg:npm/flawed@1.0.{n}")})
    };
    let list: Vec<Value> = (0..n).map(one).collect();
    json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": list})
        .to_string()
        .into_bytes()
}

#[test]
fn one_upload_of_five_hundred_findings_is_one_message_on_every_channel() {
    let (mail, hook, syslog) = (MailServer::start(), Hook::start(&[503]), Collector::start());
    let ports = [mail.port(), syslog.port()].map(|p| format!("127.0.0.1:{p}"));
    let house = House::new(&[ports[0].clone(), ports[1].clone(), hook.host()]);
    let host = |port: u16| json!({"host": "127.0.0.1", "port": port.to_string()});
    let with = |mut settings: Value, name: &str, value: &str| {
        settings[name] = value.into();
        settings
    };
    let post = with(with(host(mail.port()), "security", "none"), "from", "psirt@example.org");
    house.channel("mail", &post, &json!({}));
    let url = format!("http://{}/in?token=hush", hook.host());
    let webhook = house.channel("webhook", &json!({}), &json!({"url": url, "key": KEY}));
    let log = house.channel("syslog", &with(host(syslog.port()), "transport", "udp"), &json!({}));
    let told = house.send("GET", "notifications/channels", &house.admin, &Value::Null).text();
    assert!(!told.contains("hush") && !told.contains(KEY), "what is secret is not told: {told}");
    let rule = json!({"name": "All that is new", "enabled": true, "topics": ["finding-new"],
        "to": {"roles": ["administrator"]}, "channels": [0, -1, webhook, log], "hour": 8, "weekday": 1, "within": 60});
    house.make("notifications/rules", &rule);

    let fields = [("line", "Pumps"), ("product", "Pump"), ("version", "1.0")];
    let sent =
        house.server.upload("/api/v2/sboms", Some(&house.server.key("manager")), &fields, &flawed(500));
    assert!(sent.status < 300, "{}", sent.text());
    let all = house.deliveries("state:sent%20topic:finding-new", 4);
    let mut ways: Vec<&str> = all.iter().map(|d| d["channel"].as_str().unwrap()).collect();
    ways.sort_unstable();
    assert_eq!(ways, ["inbox", "mail", "syslog", "webhook"], "{all:?}");
    let of = |way: &str| all.iter().find(|d| d["channel"] == way).unwrap()["message"].as_i64().unwrap();
    assert_eq!(of("inbox"), of("mail"), "a person's, by what that person may see");
    assert_eq!(of("webhook"), of("syslog"), "and one for those who listen to channels");
    let message = of("webhook");

    let mails = mail.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, ["ada@example.com"]);
    let text = &mails[0].text;
    for part in ["Subject: [Tocsin]", "500", "Pump", "List-Unsubscribe:", "Auto-Submitted: auto-generated"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let calls = hook.calls();
    assert_eq!(calls.len(), 2, "refused once, and tried again");
    assert_eq!(calls[0].header("idempotency-key"), calls[1].header("idempotency-key"));
    for call in &calls {
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
        let signed = [call.header("x-tocsin-timestamp").as_bytes(), b".", &call.body].concat();
        let tag: String = hmac::sign(&key, &signed).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(call.header("x-tocsin-signature"), format!("sha256={tag}"));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!((&body["message"], &body["groups"][0]["findings"]), (&json!(message), &json!(500)));
    }
    let lines = syslog.lines();
    assert!(lines.len() == 1 && lines[0].contains("CEF:0|"), "{lines:?}");

    let page = house.server.page(&format!("/notifications/{message}"));
    assert_eq!(page.status, 200, "who may see what a channel was told may follow its link");
    let acknowledge = format!("notifications/{message}/acknowledge");
    for first in [true, false] {
        let reply = house.send("POST", &acknowledge, &house.analyst, &Value::Null);
        assert_eq!((reply.status, reply.json()), (200, json!({"first": first})));
    }
    let nobody = house.send("POST", "notifications/999999/acknowledge", &house.analyst, &Value::Null);
    assert_eq!(nobody.status, 404);
}

#[test]
fn what_cannot_be_delivered_is_given_up_visibly_and_goes_when_it_is_run_again() {
    let (refusing, inside) = (Hook::start(&[410]), Hook::start(&[]));
    let house = House::new(&[refusing.host()]);
    let channel = |name: &str, hook: &Hook| {
        let scheme = if name == "inside" { "https" } else { "http" };
        let secrets = json!({"url": format!("{scheme}://{}/", hook.host()), "key": KEY});
        let new = json!({"kind": "webhook", "name": name, "secrets": secrets});
        house.make("notifications/channels", &new)["id"].as_i64().unwrap()
    };
    let (refused, forbidden) = (channel("gone", &refusing), channel("inside", &inside));
    for id in [refused, forbidden] {
        let path = format!("notifications/channels/{id}/test");
        assert_eq!(house.send("POST", &path, &house.admin, &json!({})).status, 202);
    }
    let dead = house.deliveries("state:dead", 2);
    let of = |name: &str| dead.iter().find(|d| d["channel"] == name).unwrap();
    assert!(of("gone")["error"].as_str().unwrap().contains("answered 410"), "{dead:?}");
    assert!(of("inside")["error"].as_str().unwrap().contains("private"), "{dead:?}");
    assert!(inside.calls().is_empty(), "an address inside is not called");
    let listed = house.cli(&["notify", "list", "state:dead channel:inside"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("Test of inside"), "{listed:?}");
    let tested = house.cli(&["notify", "test", "inside"]);
    assert!(String::from_utf8_lossy(&tested.stderr).contains("did not go out"), "{tested:?}");
    assert!(
        String::from_utf8_lossy(&house.cli(&["notify", "test", "x"]).stderr)
            .contains("there are gone, inside")
    );
    let job = of("gone")["job"].as_i64().unwrap();
    assert_eq!(house.send("POST", &format!("jobs/{job}/retry"), &house.admin, &Value::Null).status, 202);
    assert_eq!(house.deliveries("state:sent%20channel:gone", 1).len(), 1);
    assert_eq!(refusing.calls().len(), 2);
    let tested = house.cli(&["notify", "test", "gone"]);
    assert!(
        tested.status.success() && String::from_utf8_lossy(&tested.stdout).contains("sent"),
        "{tested:?}"
    );
    let channels = house.cli(&["notify", "channels", "--format", "json"]);
    assert!(String::from_utf8_lossy(&channels.stdout).contains("tocsin.notify.channels/1"), "{channels:?}");
}

#[test]
fn channels_rules_and_ladders_are_made_changed_and_removed_by_api() {
    let house = House::new(&[]);
    let list = |path: &str| house.send("GET", path, &house.admin, &Value::Null).json()["items"].clone();
    let standing = list("notifications/rules").as_array().unwrap().len();
    let id = house.channel("slack", &json!({}), &json!({"url": "https://hooks.example.org/x"}));
    let path = format!("notifications/channels/{id}");
    let off = json!({"kind": "slack", "name": "Ops", "enabled": false});
    let changed = house.send("PUT", &path, &house.admin, &off).json();
    assert_eq!(
        (&changed["name"], &changed["enabled"], &changed["secrets"]),
        (&json!("Ops"), &json!(false), &json!(["url"]))
    );
    let other = json!({"kind": "teams", "name": "Ops"});
    assert_eq!(house.send("PUT", &path, &house.admin, &other).status, 422, "a channel stays of its kind");
    let rule = json!({"name": "Mine", "topics": ["job-dead"], "to": {"roles": ["manager"]}, "channels": [id],
        "hour": 8, "weekday": 1});
    let made = house.make("notifications/rules", &rule);
    let of_rule = format!("notifications/rules/{}", made["id"]);
    let mut daily = made.clone();
    daily["digest"] = "daily".into();
    assert_eq!(house.send("PUT", &of_rule, &house.admin, &daily).json()["digest"], "daily");
    assert_eq!(house.send("GET", &of_rule, &house.analyst, &Value::Null).json()["name"], "Mine");
    assert_eq!(house.send("PUT", &of_rule, &house.analyst, &daily).status, 403);
    assert_eq!(house.send("DELETE", &of_rule, &house.admin, &Value::Null).status, 204);
    assert_eq!(list("notifications/rules").as_array().unwrap().len(), standing);
    let first = &list("notifications/rules")[0];
    let kept =
        house.send("DELETE", &format!("notifications/rules/{}", first["id"]), &house.admin, &Value::Null);
    assert_eq!(kept.status, 422, "every workspace has it");
    let rungs = json!([{"after": 30, "roles": ["manager"]}]);
    assert_eq!(house.send("PUT", "notifications/ladders/0", &house.admin, &rungs).status, 200);
    assert_eq!(list("notifications/ladders")[0]["rungs"][0]["after"], 30);
    assert_eq!(house.send("PUT", "notifications/ladders/0", &house.admin, &json!([])).status, 422);
    assert_eq!(house.send("DELETE", "notifications/ladders/0", &house.admin, &Value::Null).status, 204);
    assert_eq!(house.send("DELETE", "notifications/ladders/0", &house.admin, &Value::Null).status, 404);
    assert_eq!(house.send("DELETE", &path, &house.admin, &Value::Null).status, 204);
    assert_eq!(house.send("GET", &path, &house.admin, &Value::Null).status, 404);
}

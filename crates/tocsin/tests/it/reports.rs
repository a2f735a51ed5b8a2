//! Reports through the built program: drafted from the desk, written, approved, read; API and pages.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use mail_parser::{MessageParser, MimeHeaders};

use crate::receivers::MailServer;
use crate::serve::{Reply, Server};

pub struct Desk {
    dir: tempfile::TempDir,
    pub server: Server,
    key: String,
}

impl Desk {
    /// A server whose desk has two stories, the first of which is assessed.
    pub fn start(args: &[&str]) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start_with(&dir.path().join("data"), args, None);
        let key = server.key("analyst");
        let desk = Desk { dir, server, key };
        for (title, text, tlp) in [
            ("CVE-2026-1001 in a gateway", "CVE-2026-1001 overflows the parser of a gateway.", "GREEN"),
            ("A pump asks nobody", "CVE-2026-1002: the page of a pump asks nobody for a password.", "AMBER"),
        ] {
            let item =
                json!({"title": title, "text": text, "tlp": tlp, "reliability": "B", "credibility": 2});
            let made = desk.send("POST", "items", &json!({"source": "Dark web watch", "item": item}));
            assert_eq!(made.status, 201, "{}", made.text());
        }
        let end = Instant::now() + Duration::from_secs(30);
        while desk.stories().len() < 2 {
            assert!(Instant::now() < end, "no stories");
            std::thread::sleep(Duration::from_millis(100));
        }
        let story = desk.story("gateway");
        let note =
            json!({"summary": "A *parser* that overflows.", "impact": "None <b>of</b> ours.", "version": 1});
        let noted = desk.send("POST", &format!("stories/{story}/note"), &note);
        assert_eq!(noted.status, 200, "{}", noted.text());
        desk
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let headers = [("X-Api-Key", self.key.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.server.send(method, &format!("/api/v2/{path}"), &headers, &body)
    }

    fn stories(&self) -> Vec<Value> {
        self.send("GET", "stories", &Value::Null).json()["items"].as_array().unwrap().clone()
    }

    fn story(&self, word: &str) -> i64 {
        let all = self.stories();
        let found = all.iter().find(|s| s["title"].as_str().unwrap().contains(word));
        found.unwrap()["id"].as_i64().unwrap()
    }

    /// A report of this week.
    pub fn draft(&self) -> Value {
        let made = self.send("POST", "reports", &json!({}));
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()
    }
}

#[test]
fn a_report_goes_from_the_desk_to_approval() {
    let desk = Desk::start(&[]);
    let server = &desk.server;
    let whole = desk.draft();
    let id = whole["report"]["id"].as_i64().unwrap();
    let sections = whole["sections"].as_array().unwrap();
    assert_eq!(sections.len(), 1, "what nobody assessed and is not relevant is out: {whole}");
    assert_eq!(sections[0]["text"]["explanation"], "A *parser* that overflows.");
    let section = sections[0]["id"].as_i64().unwrap();

    // the key of the desk, as a form without a script
    let story = desk.story("pump");
    let picked = server.post(&format!("/stories/{story}/report"), "back=%2Fdesk");
    assert!(
        picked.header("location").starts_with("/desk?done=The%20story%20is%20section%202"),
        "{}",
        picked.text()
    );
    let again = server.post(&format!("/stories/{story}/report"), "");
    assert!(again.header("location").contains("Not%20added"), "{}", again.header("location"));
    let now = desk.send("GET", &format!("reports/{id}"), &Value::Null).json();
    assert_eq!(now["report"]["tlp"], "AMBER", "it is marked as strictly as what is in it");

    // two writers: a form that is old comes back with both texts
    let address = format!("/reports/{id}/sections/{section}");
    let mut text = now["sections"][0]["text"].clone();
    text["impact"] = json!("Nothing of ours, says Anna.");
    assert_eq!(desk.send("POST", &format!("reports/{id}/sections/{section}"), &text).status, 200);
    assert_eq!(desk.send("POST", &format!("reports/{id}/sections/{section}"), &text).status, 409);
    let old =
        "version=1&heading=H&explanation=Mine&impact=Mine+too&done=&recommendation=&references=&tlp=GREEN";
    let page = server.post(&address, old).text();
    for part in [
        "somebody changed this section meanwhile",
        "impact",
        ">Mine too<",
        "Nothing of ours, says Anna.",
        "value=\"2\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let preview =
        server.post(&address, &format!("{old}&do=preview").replace("Mine&", "**M**+<i>x</i>&")).text();
    assert!(preview.contains("<strong>M</strong>") && preview.contains("not saved yet"), "{preview}");
    assert!(!preview.contains("<i>x</i>"), "raw HTML is text");
    let moved = server.post(&format!("{address}/move"), "to=2");
    assert_eq!(moved.status, 303, "{}", moved.text());

    // the pages
    for path in [
        "/reports",
        "/reports?q=text%3Aparser",
        "/reports/draft",
        &format!("/reports/{id}"),
        &format!("/reports/{id}/edit"),
        &address,
    ] {
        let page = server.page(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert!(!page.text().contains("<b>of</b>"), "{path}");
    }
    assert!(server.page("/reports?q=text%3Aparser").text().contains("Weekly report"));
    assert!(server.page("/reports?q=text%3Azebra").text().contains("Nothing found"));
    assert!(server.page("/reports.csv").text().contains("Weekly report"));
    let read = server.page(&format!("/reports/{id}")).text();
    assert!(read.contains("<em>parser</em>") && read.contains("TLP:AMBER"), "{read}");

    // a key submits, a person approves, an edit withdraws
    assert_eq!(
        desk.send("POST", &format!("reports/{id}/submit"), &Value::Null).json()["report"]["state"],
        "review"
    );
    assert_eq!(
        desk.send("POST", &format!("reports/{id}/approve"), &Value::Null).status,
        409,
        "a key is nobody"
    );
    let state = |what: &str| server.post(&format!("/reports/{id}/state"), &format!("do={what}"));
    assert_eq!(state("approve").status, 303);
    let now = desk.send("GET", &format!("reports/{id}"), &Value::Null).json();
    assert_eq!(now["report"]["state"], "approved");
    assert!(state("remove").text().contains("Not done"), "what is approved stays");
    let mut head = now["head"].clone();
    head["intro"] = json!("This week.");
    let edited = desk.send("POST", &format!("reports/{id}/head"), &head).json();
    assert_eq!(edited["report"]["state"], "draft", "an edit withdraws the approval");
    let history = desk.send("GET", &format!("reports/{id}/history"), &Value::Null).json();
    assert!(history.as_array().unwrap().len() >= 7, "{history}");
    assert_eq!(server.page(&format!("/reports/{id}/editions/3")).status, 200);
    assert_eq!(desk.send("DELETE", &format!("reports/{id}"), &Value::Null).status, 204);
    assert_eq!(desk.send("GET", &format!("reports/{id}"), &Value::Null).status, 404);

    let contact = server.key("contact");
    let denied = server.send("GET", "/api/v2/reports", &[("X-Api-Key", &contact)], b"");
    assert_eq!(denied.status, 403);
    let auditor = server.key("auditor");
    let headers = [("X-Api-Key", auditor.as_str()), ("Content-Type", "application/json")];
    assert_eq!(server.send("GET", "/api/v2/reports", &headers, b"").status, 200);
    assert_eq!(server.send("POST", "/api/v2/reports", &headers, b"{}").status, 403);
    assert!(desk.data().exists());
}

/// A mail channel to a server of the test, and an approved report.
fn approved(desk: &Desk, mail: &MailServer) -> i64 {
    let admin = desk.server.key("administrator");
    let settings = json!({"host": "127.0.0.1", "port": mail.port().to_string(), "security": "none", "from": "psirt@example.org"});
    let channel = json!({"kind": "mail", "name": "Mail", "settings": settings, "secrets": {}});
    let headers = [("X-Api-Key", admin.as_str()), ("Content-Type", "application/json")];
    let body = channel.to_string();
    let made = desk.server.send("POST", "/api/v2/notifications/channels", &headers, body.as_bytes());
    assert_eq!(made.status, 201, "{}", made.text());
    let listed = json!({"address": "customer@other.example", "name": "Customer"}).to_string();
    let made = desk.server.send("POST", "/api/v2/report-addresses", &headers, listed.as_bytes());
    assert_eq!(made.status, 201, "{}", made.text());
    let id = desk.draft()["report"]["id"].as_i64().unwrap();
    desk.send("POST", &format!("reports/{id}/submit"), &Value::Null);
    let approved = desk.server.post(&format!("/reports/{id}/state"), "do=approve");
    assert_eq!(approved.status, 303, "{}", approved.text());
    id
}

/// Deliveries of a report, once none of them waits.
fn settled(desk: &Desk, id: i64) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let all = desk.send("GET", &format!("reports/{id}/deliveries"), &Value::Null).json();
        let all = all.as_array().unwrap().clone();
        if !all.is_empty() && all.iter().all(|d| d["state"] != "waiting") {
            return all;
        }
        assert!(Instant::now() < end, "{all:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_report_goes_out_as_one_mail_each_with_its_pdf() {
    let mail = MailServer::start();
    let desk = Desk::start(&["--allow-host", &format!("127.0.0.1:{}", mail.port())]);
    desk.server.person("auditor");
    let id = approved(&desk, &mail);
    let to = json!({"roles": ["auditor", "administrator"], "addresses": ["customer@other.example"]});
    let unlisted = json!({"addresses": ["nobody@other.example"]});
    assert_eq!(desk.send("POST", &format!("reports/{id}/send"), &unlisted).status, 422);
    let sent = desk.send("POST", &format!("reports/{id}/send"), &to);
    assert_eq!((sent.status, sent.json()["recipients"].clone()), (202, json!(3)), "{}", sent.text());
    assert_eq!(desk.send("POST", &format!("reports/{id}/send"), &to).status, 422, "everybody has it");
    let all = settled(&desk, id);
    assert!(all.iter().all(|d| d["state"] == "sent"), "{all:?}");
    let mails = mail.mails();
    let mut who: Vec<&str> = mails.iter().map(|m| m.to[0].as_str()).collect();
    who.sort_unstable();
    assert_eq!(who, ["ada@example.com", "auditor@example.com", "customer@other.example"]);
    for m in &mails {
        let read = MessageParser::default().parse(m.text.as_bytes()).unwrap();
        assert!(read.subject().unwrap().starts_with("[TLP:GREEN] Weekly report"), "{:?}", read.subject());
        assert!(read.body_text(0).unwrap().contains("A parser that overflows."));
        let html = read.body_html(0).unwrap();
        assert!(html.contains("<em>parser</em>") && html.contains("background:#000"), "{html}");
        for bad in ["<style", "<script", "<img", "http-equiv", "class="] {
            assert!(!html.contains(bad), "{bad}");
        }
        let file = read.attachment(0).unwrap();
        assert_eq!(file.attachment_name(), Some(format!("report-{}.pdf", label(&desk, id)).as_str()));
        assert!(file.contents().starts_with(b"%PDF-1.7"));
    }
    let page = desk.server.page(&format!("/reports/{id}/send")).text();
    assert!(page.contains("customer@other.example") && page.contains("has it"), "{page}");

    // what is strict leaves no more: a correction that is RED
    let new = desk.send("POST", &format!("reports/{id}/correct"), &Value::Null).json();
    let (new_id, mut head) = (new["report"]["id"].as_i64().unwrap(), new["head"].clone());
    head["tlp"] = json!("RED");
    desk.send("POST", &format!("reports/{new_id}/head"), &head);
    desk.send("POST", &format!("reports/{new_id}/submit"), &Value::Null);
    desk.server.post(&format!("/reports/{new_id}/state"), "do=approve");
    let refused = desk.send("POST", &format!("reports/{new_id}/send"), &to);
    assert!(refused.status == 422 && refused.text().contains("TLP:RED"), "{}", refused.text());

    // as files
    for (form, begin) in
        [("pdf", "%PDF"), ("markdown", "# Weekly"), ("json", "{"), ("stix", "{\n  \"type\": \"bundle\"")]
    {
        let path = format!("reports/{id}/export/{form}");
        let (one, two) = (desk.send("GET", &path, &Value::Null), desk.send("GET", &path, &Value::Null));
        assert_eq!(one.status, 200, "{form}");
        assert!(one.body.starts_with(begin.as_bytes()), "{form}");
        assert_eq!(one.body, two.body, "{form}: the same bytes");
        assert_eq!(desk.server.page(&format!("/reports/{id}/export/{form}")).body, one.body);
    }
    assert_eq!(desk.send("GET", &format!("reports/{id}/export/exe"), &Value::Null).status, 400);
    let listed = crate::tocsin(&desk.data(), &["report", "list", "text:parser", "--format", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["reports"].as_array().unwrap().len(), 2, "{listed}");
    let out =
        crate::tocsin(&desk.data(), &["report", "export", &id.to_string(), "--as", "pdf", "--output", "-"]);
    assert!(
        out.status.success() && out.stdout.starts_with(b"%PDF"),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let made = crate::tocsin(&desk.data(), &["report", "draft", "--first", "2020-01-06"]);
    assert!(String::from_utf8_lossy(&made.stdout).contains("week 2 of 2020"), "{made:?}");
}

fn label(desk: &Desk, id: i64) -> String {
    let r = desk.send("GET", &format!("reports/{id}"), &Value::Null).json()["report"].clone();
    format!("{}-{:02}", r["year"], r["number"].as_i64().unwrap())
}

#[test]
fn a_server_that_is_killed_while_it_sends_reaches_everybody_once() {
    let mail = MailServer::start();
    let args = ["--allow-host".to_owned(), format!("127.0.0.1:{}", mail.port())];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut desk = Desk::start(&args);
    for role in ["manager", "analyst", "auditor", "legal", "communications"] {
        desk.server.person(role);
    }
    let id = approved(&desk, &mail);
    let to = json!({"roles": ["administrator", "manager", "analyst", "auditor", "legal", "communications"]});
    assert_eq!(desk.send("POST", &format!("reports/{id}/send"), &to).json()["recipients"], 6);
    let end = Instant::now() + Duration::from_secs(30);
    while mail.mails().is_empty() {
        assert!(Instant::now() < end, "no mail");
        std::thread::sleep(Duration::from_millis(5));
    }
    desk.server.kill();
    let data = desk.data();
    desk.server.again(&data, &args);
    let all = settled(&desk, id);
    assert!(all.len() == 6 && all.iter().all(|d| d["state"] == "sent"), "{all:?}");
    // a mail that was taken just before the crash may come again, with the same id
    let mut ids: Vec<(String, String)> = mail
        .mails()
        .iter()
        .map(|m| {
            let read = MessageParser::default().parse(m.text.as_bytes()).unwrap();
            (m.to[0].clone(), read.message_id().unwrap().to_owned())
        })
        .collect();
    ids.sort();
    let taken = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(taken <= 7, "at most the one on the wire comes twice: {taken}");
}

//! News feeds, followed from a publisher that the test plays: well, badly and edited.

use std::path::Path;

use serde_json::{Value, json};

use crate::feeds::{numbers, run};
use crate::publisher::{Play, Publisher};
use crate::serve::Server;
use crate::tocsin;

/// A feed of items: id, title and text.
fn rss(items: &[(&str, &str, &str)]) -> Vec<u8> {
    let item = |(id, title, text): &(&str, &str, &str)| {
        format!(
            "<item><guid isPermaLink=\"false\">{id}</guid><title>{title}</title><link>/{id}</link>\
             <description>&lt;p&gt;{text}&lt;/p&gt;</description><pubDate>Tue, 3 Feb 2026 10:00:00 GMT</pubDate></item>"
        )
    };
    let items: String = items.iter().map(item).collect();
    format!("<rss version=\"2.0\"><channel><title>News</title>{items}</channel></rss>").into_bytes()
}

fn part<'a>(feed: &'a Value, name: &str) -> &'a Value {
    feed["parts"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap()
}

/// What the desk has, as the API tells it.
fn items(server: &Server) -> Vec<Value> {
    let key = server.key("manager");
    let told = server.send("GET", "/api/v2/items?limit=100", &[("X-Api-Key", &key)], b"");
    told.json()["items"].as_array().unwrap().clone()
}

fn set(dir: &Path, publisher: &Publisher, lines: &[(&str, &str)]) {
    let lines: Vec<String> =
        lines.iter().map(|(path, rest)| format!("{} {rest}", publisher.address(path))).collect();
    run(dir, publisher, &["set", "news", "--on", "--option", &format!("feeds={}", lines.join("\n"))], 0);
}

#[test]
fn one_feed_that_is_broken_stops_no_other() {
    let (dir, publisher) = (tempfile::tempdir().unwrap(), Publisher::start());
    let dir = dir.path();
    let (said, code) = {
        let out = tocsin(dir, &["feeds", "set", "news", "--on"]);
        (String::from_utf8_lossy(&out.stderr).into_owned(), out.status.code())
    };
    assert!(code != Some(0) && said.contains("nothing to follow"), "{said}");
    set(
        dir,
        &publisher,
        &[
            ("/gone", "Gone"),
            ("/later", "Later"),
            ("/page", "Page"),
            ("/huge", "Huge"),
            ("/cut", "Cut"),
            ("/good", "A CERT B TLP:GREEN"),
        ],
    );
    let first =
        rss(&[("1", "A flaw of the pump", "Port 23 is open"), ("2", "Another", "CVE-2026-0001 is told")]);
    publisher.page("/good", Play::Edition("e1", first.clone()));
    publisher.page("/gone", Play::Status(410, None));
    publisher.page("/later", Play::Status(429, Some("3600")));
    publisher.page("/page", Play::Edition("p", b"<html><body>News</body></html>".to_vec()));
    publisher.page("/huge", Play::Announced(1 << 40));
    publisher.page("/cut", Play::Edition("c", first[..first.len() - 80].to_vec()));
    let (feed, said) = run(dir, &publisher, &["sync", "news"], 1);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "two of the good one, one of what was cut: {feed}");
    assert_eq!((&feed["failures"], &feed["not_before"]), (&json!(0), &Value::Null), "{feed}");
    assert!(said.contains("Gone") && said.contains("the others were taken in"), "{said}");
    for (name, words) in [
        ("Gone", "410"),
        ("Later", "asks to be called later"),
        ("Page", "web page and no feed"),
        ("Huge", "more than the"),
        ("Cut", "could not be read to its end"),
        ("A CERT", ""),
    ] {
        let error = part(&feed, name)["error"].as_str().unwrap();
        assert!(error.contains(words) && error.is_empty() == words.is_empty(), "{name}: {error}");
    }
    publisher.asked();
    // the same again, then an article that was edited, and one more
    let (feed, _) = run(dir, &publisher, &["sync", "news"], 1);
    assert_eq!(part(&feed, "A CERT")["items"], 2);
    let asked = publisher.asked();
    assert!(
        asked.iter().any(|a| a.starts_with("get /good") && a.contains("if-none-match: \"e1\"")),
        "{asked:?}"
    );
    assert!(!asked.iter().any(|a| a.starts_with("get /later")), "it is left alone: {asked:?}");
    let second = rss(&[("1", "A flaw of the pump, fixed", "Port 23 is shut"), ("3", "A third", "Words")]);
    publisher.page("/good", Play::Edition("e2", second));
    let (feed, _) = run(dir, &publisher, &["sync", "news", "--force"], 1);
    assert_eq!(feed["new"].as_u64().unwrap() + feed["changed"].as_u64().unwrap(), 2, "{feed}");
    assert!(publisher.asked().iter().any(|a| a.starts_with("get /later")), "somebody wants it now");
    let server = Server::start(dir);
    let all = items(&server);
    let fixed = all.iter().find(|i| i["title"] == "A flaw of the pump, fixed").unwrap();
    assert_eq!(
        (&fixed["source"], &fixed["edition"], &fixed["reliability"], &fixed["tlp"], &fixed["entered"]),
        (&json!("A CERT"), &json!(2), &json!("B"), &json!("GREEN"), &json!(false))
    );
    assert!(fixed["url"].as_str().unwrap().ends_with("/1"), "{fixed}");
    assert_eq!(all.iter().filter(|i| i["source"] == "A CERT").count(), 3);
    let page = server.page("/sources/news").text();
    assert!(page.contains("A CERT") && page.contains("web page and no feed"), "each with its error");
}

#[test]
fn a_mirror_carries_items_to_where_nobody_is_called() {
    let (dir, there, publisher) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Publisher::start());
    let folder = dir.path().join("mirror");
    let folder = folder.to_str().unwrap();
    set(dir.path(), &publisher, &[("/a", "A"), ("/b", "B feed")]);
    publisher.page("/a", Play::Edition("a", rss(&[("1", "One", "Words")])));
    publisher.page("/b", Play::Edition("b", rss(&[("1", "Two", "Words")])));
    run(dir.path(), &publisher, &["test", "news"], 0);
    assert_eq!(publisher.asked().len(), 2, "each is tried");
    run(dir.path(), &publisher, &["mirror", folder, "news"], 0);
    publisher.page("/b", Play::Edition("b2", rss(&[("1", "Two, edited", "Words")])));
    run(dir.path(), &publisher, &["mirror", folder, "news"], 0);
    publisher.asked();
    let (feed, _) = run(there.path(), &publisher, &["sync", "--from", folder, "news"], 0);
    assert_eq!(numbers(&feed), [3, 2, 1, 0], "{feed}");
    assert!(publisher.asked().is_empty());
    std::fs::write(Path::new(folder).join("news/broken.json"), "{}").unwrap();
    let (feed, _) = run(there.path(), &publisher, &["sync", "--from", folder, "news"], 1);
    assert_eq!((&feed["new"], &feed["refused"]), (&json!(0), &json!(1)), "{feed}");
}

#[test]
fn feeds_are_listed_and_suggested_on_their_page() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let page = server.page("/sources/news").text();
    assert!(page.contains("CERT-FR") && page.contains("add-0"), "suggestions");
    assert_eq!(server.post("/sources/news/known", "add-0=1&add-2=1").status, 303);
    let page = server.page("/sources/news").text();
    assert!(page.contains("CERT-FR B</textarea>") && !page.contains("\"add-0\""), "{page}");
    let wrong = server.post("/sources/news", "followed=1&set-feeds=ftp%3A%2F%2Fx");
    assert!(wrong.status == 422 && wrong.text().contains("line 1: an address"), "{}", wrong.status);
    let wrong = server.post("/sources/news", "followed=1&set-feeds=");
    assert!(wrong.status == 422 && wrong.text().contains("nothing to follow"), "{}", wrong.status);
    let lines = "https%3A%2F%2Fa.example%2Fx+A+B%0D%0Ahttps%3A%2F%2Fb.example%2Fx";
    assert_eq!(server.post("/sources/news", &format!("followed=1&set-feeds={lines}")).status, 303);
    assert!(server.page("/sources/news").text().contains("b.example/x"));
    assert_eq!(server.post("/sources/osv", "set-ecosystems=a%0Ab").status, 422, "one line is one line");
    assert_eq!(server.post("/sources/kev/known", "").status, 404);
}

//! Mailing lists, followed from archives that the test plays.

use std::io::Write;

use serde_json::{Value, json};

use crate::feeds::{numbers, run};
use crate::publisher::{Play, Publisher};
use crate::serve::Server;

/// A message as it was sent; `answers` are ids.
fn mail(id: &str, answers: &str, subject: &str, text: &str) -> String {
    let references = if answers.is_empty() { String::new() } else { format!("References: {answers}\n") };
    format!(
        "From: Ada <ada@example.org>\nMessage-ID: <{id}@x>\n{references}Subject: {subject}\n\
         Date: Tue, 3 Feb 2026 10:00:00 +0000\n\n{text}\n"
    )
}

fn mboxed(mails: &[String]) -> String {
    mails.iter().map(|m| format!("From mboxrd@z Thu Jan  1 00:00:00 1970\n{m}\n")).collect()
}

/// What the archive's `new.atom` says, the newest first.
fn atom(publisher: &Publisher, ids: &[&str]) -> Vec<u8> {
    let entry = |id: &&str| {
        format!(
            "<entry><id>urn:uuid:{id}</id><title>Message {id}</title><link href=\"{}\"/>\
             <updated>2026-02-03T10:00:00Z</updated><content type=\"xhtml\"><div>What the list says of {id}</div></content></entry>",
            publisher.address(&format!("/list/{id}@x/"))
        )
    };
    let entries: String = ids.iter().map(entry).collect();
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>list</title>{entries}</feed>").into_bytes()
}

fn get(server: &Server, path: &str) -> Value {
    let key = server.key("manager");
    server.send("GET", path, &[("X-Api-Key", &key)], b"").json()
}

#[test]
fn a_public_inbox_is_read_message_by_message_and_answers_are_part_of_their_story() {
    let (dir, publisher) = (tempfile::tempdir().unwrap(), Publisher::start());
    let dir = dir.path();
    let line = format!("lists={} oss-security B", publisher.address("/list/"));
    run(dir, &publisher, &["set", "lists", "--on", "--option", &line], 0);
    publisher.page("/list/new.atom", Play::Edition("a", atom(&publisher, &["2", "1"])));
    let raw = |id: &str, mail: String| {
        publisher.page(&format!("/list/{id}@x/raw"), Play::Edition("m", mail.into_bytes()))
    };
    raw("1", mboxed(&[mail("1", "", "CVE-2026-0001: libpump", "The parser of libpump overflows.")]));
    raw(
        "2",
        mboxed(&[mail(
            "2",
            "<1@x>",
            "Re: CVE-2026-0001: libpump",
            "> The parser\nSo does CVE-2026-7777, which is alike in nothing.",
        )]),
    );
    let (feed, _) = run(dir, &publisher, &["sync", "lists"], 0);
    assert_eq!(numbers(&feed), [2, 2, 0, 0], "{feed}");
    publisher.asked();
    run(dir, &publisher, &["sync", "lists"], 0);
    assert_eq!(publisher.asked().len(), 1, "the list alone, which did not change");
    // one new message that is not there as it was sent, and one that breaks off
    publisher.page("/list/new.atom", Play::Edition("b", atom(&publisher, &["4", "3", "2", "1"])));
    publisher.page("/list/3@x/raw", Play::Status(404, None));
    publisher.page("/list/4@x/raw", Play::Status(429, Some("3600")));
    let (feed, _) = run(dir, &publisher, &["sync", "lists"], 1);
    assert_eq!(feed["new"], 1, "{feed}");
    raw("4", mail("4", "<1@x> <2@x>", "Re: CVE-2026-0001: libpump", "A third voice on CVE-2026-8888."));
    publisher.asked();
    let (feed, _) = run(dir, &publisher, &["sync", "lists", "--force"], 0);
    assert_eq!(feed["new"], 1, "{feed}");
    assert_eq!(publisher.asked().len(), 2, "the list, and what is missing");

    let server = Server::start(dir);
    let items = get(&server, "/api/v2/items?limit=100");
    let all = items["items"].as_array().unwrap();
    assert_eq!(all.len(), 4);
    let answer = all.iter().find(|i| i["title"] == "Re: CVE-2026-0001: libpump").unwrap();
    assert_eq!(
        (&answer["source"], &answer["author"], &answer["reliability"]),
        (&json!("oss-security"), &json!("Ada <ada@example.org>"), &json!("B"))
    );
    let started = std::time::Instant::now();
    loop {
        let stories = get(&server, "/api/v2/stories");
        let mut counts: Vec<i64> =
            stories["items"].as_array().unwrap().iter().map(|s| s["items"].as_i64().unwrap()).collect();
        counts.sort_unstable();
        if counts == [1, 3] {
            break;
        }
        assert!(started.elapsed().as_secs() < 60, "{stories}");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}

#[test]
fn mboxes_are_read_from_archives_and_from_files() {
    let (dir, publisher) = (tempfile::tempdir().unwrap(), Publisher::start());
    let lines = format!(
        "lists={} Packed\n{} Page",
        publisher.address("/x/{yyyy}.mbox.gz"),
        publisher.address("/page.mbox")
    );
    run(dir.path(), &publisher, &["set", "lists", "--option", &lines], 0);
    let packed = |mails: &[String]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(mboxed(mails).as_bytes()).unwrap();
        out.finish().unwrap()
    };
    let year = &tocsin::server::now()[..4];
    let path = format!("/x/{year}.mbox.gz");
    let before = year.parse::<u32>().unwrap() - 1;
    publisher.page(&format!("/x/{before}.mbox.gz"), Play::Status(404, None));
    let one = mail("1", "", "One", "Words\nFrom here on");
    publisher.page(&path, Play::Edition("a", packed(std::slice::from_ref(&one))));
    publisher.page("/page.mbox", Play::Edition("p", b"<html></html>".to_vec()));
    let (feed, _) = run(dir.path(), &publisher, &["sync", "lists"], 1);
    assert_eq!(numbers(&feed)[..2], [1, 1], "{feed}");
    assert!(feed["parts"][1]["error"].as_str().unwrap().contains("no mbox"), "{feed}");
    publisher.page(&path, Play::Edition("b", packed(&[one, mail("2", "<1@x>", "Re: One", "More")])));
    let (feed, _) = run(dir.path(), &publisher, &["sync", "lists", "--force"], 1);
    assert_eq!(numbers(&feed)[..2], [2, 1], "{feed}");
    // gzip that never ends is no mbox
    publisher.page(
        &path,
        Play::Edition("c", {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let block = vec![b'x'; 1 << 20];
            (0..70).for_each(|_| out.write_all(&block).unwrap());
            out.finish().unwrap()
        }),
    );
    let (feed, _) = run(dir.path(), &publisher, &["sync", "lists", "--force"], 1);
    assert!(feed["parts"][0]["error"].as_str().unwrap().contains("when unpacked"), "{feed}");

    let folder = dir.path().join("brought/lists");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("Old list.mbox"),
        mboxed(&[mail("7", "", "Seven", "Words"), mail("8", "<7@x>", "Re: Seven", "More")]),
    )
    .unwrap();
    std::fs::write(folder.join("Note.eml"), mail("9", "", "[TLP:RED] Nine", "Words")).unwrap();
    let brought = dir.path().join("brought");
    let (feed, _) = run(dir.path(), &publisher, &["sync", "--from", brought.to_str().unwrap(), "lists"], 0);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "{feed}");
    let server = Server::start(dir.path());
    let items = get(&server, "/api/v2/items?limit=100");
    let of = |title: &str| {
        items["items"].as_array().unwrap().iter().find(|i| i["title"] == title).unwrap().clone()
    };
    assert_eq!((&of("Seven")["source"], &of("[TLP:RED] Nine")["tlp"]), (&json!("Old list"), &json!("RED")));
}

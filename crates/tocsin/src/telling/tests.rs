//! What leaves the system, byte by byte.

use std::collections::BTreeMap;

use tocsin_core::notify::{Body, Group, Item, Message, Recipient};

use super::words::Words;
use super::{Means, mail, syslog};
use crate::outbound::Outbound;

fn message(embargo: bool) -> Message {
    let group = Group {
        topic: "finding-new".to_owned(),
        line: 1,
        product: 7,
        name: "Pump | <b>3</b>".to_owned(),
        releases: 2,
        findings: 3,
        critical: 1,
        exploited: 1,
        flaws: vec!["CVE-2026-1".to_owned()],
        ..Group::default()
    };
    let item = Item { topic: "job-dead".to_owned(), title: "Read x".to_owned(), ..Item::default() };
    Message {
        id: 9,
        topic: "finding-new".to_owned(),
        thread: "product/7".to_owned(),
        severity: 5,
        embargo,
        title: "3 findings new in Pump | <b>3</b>\r\nBcc: x@example.org".to_owned(),
        body: if embargo { Body::default() } else { Body { groups: vec![group], items: vec![item] } },
        at: "2026-01-01T00:00:00.000Z".to_owned(),
        urge: Some("2026-01-01T01:00:00.000Z".to_owned()),
        step: 0,
        acknowledged: None,
        acknowledger: String::new(),
    }
}

#[test]
fn a_mail_has_text_and_html_a_thread_and_no_header_of_others() {
    let settings = BTreeMap::from([("from".to_owned(), "Tocsin <psirt@example.org>".to_owned())]);
    let door = Outbound::new(Vec::new());
    let means = Means {
        door: &door,
        settings: &settings,
        secrets: &BTreeMap::new(),
        site: "https://t.example.org",
        now: "2026-01-01T00:00:00.000Z",
    };
    let message = message(false);
    let words = Words::of(&message, 1, means.site);
    let to = Recipient { delivery: 5, address: "ada@example.org".to_owned(), step: 1 };
    let mail = String::from_utf8(mail::compose(&means, &words, &message, &to).unwrap().formatted()).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    for wanted in [
        "Message-ID: <tocsin.delivery.5@example.org>",
        "References: <tocsin.thread.product.7@example.org>",
        "List-Unsubscribe: <https://t.example.org/account/notifications>",
        "Reminder: 3 findings new",
    ] {
        assert!(head.contains(wanted), "{wanted} in {head}");
    }
    assert!(!head.lines().any(|l| l.starts_with("Bcc")), "{head}");
    assert!(body.contains("text/plain") && body.contains("text/html"), "{body}");
    let (_, html) = body.split_once("text/html").unwrap();
    assert!(!html.contains("<b>3</b>") && html.contains("&lt;b&gt;3"), "{html}");
    assert!(!body.contains("<img"), "{body}");
}

#[test]
fn a_line_of_syslog_is_one_line_in_cef() {
    let message = message(false);
    let words = Words::of(&message, 0, "https://t.example.org");
    let line = syslog::line(&words, &message, "2026-01-01T00:00:00.000Z", "t.example.org");
    assert!(
        line.starts_with(
            "<105>1 2026-01-01T00:00:00.000Z t.example.org tocsin - finding-new - CEF:0|Tocsin|"
        )
    );
    assert!(line.contains("Pump \\| <b>3</b>") && line.contains("externalId=9 msg="), "{line}");
    assert!(!line.contains(['\r', '\n']) && line.len() <= 2_000, "{line}");
}

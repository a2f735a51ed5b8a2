//! From the desk to a report that was sent, on each backend, with the clock handed in.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use tocsin_model::query::{Query, parse};

use super::*;
use crate::desk::{self, NewItem, Note};
use crate::inventory::tests::{anna, index, osv, pump, read as document, sbom};
use crate::inventory::upload;
use crate::notify::{NewChannel, set_channel};
use crate::platform::access::{Grant, Role};
use crate::platform::testing::{each, random};
use crate::platform::vault::Vault;
use crate::platform::{change, clock, sql};

const FLAW: &str = "CVE-2022-3602 in *OpenSSL* 3.0.0 to 3.0.6 lets a crafted certificate overflow a buffer.";

fn query(text: &str) -> Query {
    parse(text, &report_schema()).unwrap()
}

async fn listed(db: &DatabaseConnection, actor: &Actor, text: &str) -> Vec<Report> {
    report_list(db, actor, &query(text), None, 100).await.unwrap().rows
}

/// A person of the workspace with a role.
async fn person(db: &DatabaseConnection, actor: &Actor, login: &str, role: Role) -> Actor {
    let insert = "INSERT INTO person (login, name, email, created) VALUES ($1, $1, $2, '') RETURNING id";
    let values = vec![login.into(), format!("{login}@example.org").into()];
    let row: Option<(i64,)> = sql::row(db, "making a person", insert, values).await.unwrap();
    let id = row.unwrap().0;
    let insert = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, $3, 0)";
    let values = vec![actor.workspace.into(), id.into(), role.name().into()];
    sql::run(db, "making a member", insert, values).await.unwrap();
    Actor {
        name: format!("person:{login}"),
        person: Some(id),
        grants: vec![Grant { role, line: None }],
        ..actor.clone()
    }
}

/// Anna with a pump that holds OpenSSL, and two stories: one of it, one of a bakery.
async fn house(db: &DatabaseConnection) -> (Actor, Vec<i64>) {
    let anna = anna(db).await;
    let release = pump(db, &anna, "1.0").await;
    let ix = index(&[&osv("CVE-2022-3602", "openssl", "3.0.7")]);
    upload(db, &anna, release, &document(sbom(&[("openssl", "3.0.1")]), &ix)).await.unwrap();
    let items = [
        ("https://a.example/1", "OpenSSL overflows a buffer", FLAW, "GREEN"),
        ("https://c.example/9", "Bakery wins prize", "A bakery in Lyon won a prize for its bread.", "CLEAR"),
    ];
    for (url, title, text, tlp) in items {
        let item = NewItem {
            url: url.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
            published: anna.now.clone(),
            tlp: tlp.to_owned(),
            reliability: "B".to_owned(),
            credibility: 2,
            ..NewItem::default()
        };
        desk::enter(db, &anna, "Wire", item).await.unwrap();
    }
    let now = anna.now.clone();
    desk::sort(db, &move || now.clone(), &|_, _| {}).await.unwrap();
    let all = parse("sort:-relevance", &desk::story_schema()).unwrap();
    let ids = desk::ids(db, &anna, &all, 10).await.unwrap();
    assert_eq!(ids.len(), 2);
    (anna, ids)
}

async fn two_people(db: &DatabaseConnection, actor: &Actor) {
    let update = "UPDATE workspace SET settings = '{\"approval\": true}' WHERE id = $1";
    sql::run(db, "asking for two people", update, vec![actor.workspace.into()]).await.unwrap();
}

async fn mail(db: &DatabaseConnection, actor: &Actor) -> i64 {
    let settings =
        [("host", "mail.example.org"), ("port", "25"), ("security", "none"), ("from", "a@example.org")];
    let new = NewChannel {
        kind: "mail".to_owned(),
        name: "Mail".to_owned(),
        settings: settings.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        secrets: BTreeMap::new(),
        enabled: true,
    };
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::new(dir.path());
    let system = Actor::system(actor.workspace, &actor.now);
    set_channel(db, &system, (&vault, random), 0, &new).await.unwrap()
}

#[test]
fn a_draft_says_what_was_known_and_keeps_it() {
    each(async |db| {
        let (anna, stories) = house(db).await;
        let (first, last) = week(&anna.now);
        let id = draft(db, &anna, &Wanted::default()).await.unwrap();
        let whole = report(db, &anna, id).await.unwrap();
        assert_eq!((whole.head.first.as_str(), whole.head.last.as_str()), (first.as_str(), last.as_str()));
        assert_eq!(
            (whole.report.number, whole.report.revision, whole.report.state.as_str()),
            (1, 1, "draft")
        );
        assert_eq!(whole.report.tlp, "GREEN");
        // the bakery is neither relevant nor assessed
        assert_eq!(whole.sections.iter().map(|s| s.story).collect::<Vec<_>>(), [stories[0]]);
        let s = &whole.sections[0];
        assert_eq!(s.text.heading, "OpenSSL overflows a buffer");
        assert!(s.text.explanation.contains("\\*OpenSSL\\*"), "no markup of others: {}", s.text.explanation);
        assert_eq!(
            s.text.impact,
            "1 release of Pump 3 is concerned, with 1 open finding; none is decided to be affected."
        );
        assert_eq!(s.text.done, "Findings that are open: 1 under investigation.");
        assert_eq!(s.text.references, "- [Wire: OpenSSL overflows a buffer](https://a.example/1)");
        assert_eq!(s.facts.products[0].name, "Pump 3");
        assert_eq!(s.facts.ids, ["CVE-2022-3602"]);

        // what is assessed is in, in the analyst's words; what is marked comes first; what is dismissed is out
        let note = Note { summary: "A *bakery* won.".to_owned(), version: 1, ..Note::default() };
        desk::note(db, &anna, stories[1], &note).await.unwrap();
        desk::tag(db, &anna, stories[1], &[desk::MARK.to_owned()]).await.unwrap();
        let id = draft(db, &anna, &Wanted::default()).await.unwrap();
        let whole = report(db, &anna, id).await.unwrap();
        assert_eq!(whole.sections.iter().map(|s| s.story).collect::<Vec<_>>(), [stories[1], stories[0]]);
        assert_eq!(whole.sections[0].text.explanation, "A *bakery* won.");
        assert_eq!(whole.report.number, 2);
        desk::set_state(db, &anna, stories[1], "dismissed").await.unwrap();
        let wanted = Wanted { most: 1, title: "One".to_owned(), ..Wanted::default() };
        let id = draft(db, &anna, &wanted).await.unwrap();
        assert_eq!(report(db, &anna, id).await.unwrap().sections.len(), 1);
        // another week has none
        let wanted = Wanted { first: "2020-01-06".to_owned(), ..Wanted::default() };
        let id = draft(db, &anna, &wanted).await.unwrap();
        let old = report(db, &anna, id).await.unwrap();
        assert_eq!((old.sections.len(), old.report.year, old.report.number), (0, 2020, 1));
        assert_eq!(old.head.last, "2020-01-12");
        assert_eq!(old.head.title, "Weekly report, week 2 of 2020");
        for (first, last) in [("2020-1-6", ""), ("2020-02-30", ""), ("2020-01-06", "2020-01-05")] {
            let wanted = Wanted { first: first.to_owned(), last: last.to_owned(), ..Wanted::default() };
            assert!(matches!(draft(db, &anna, &wanted).await, Err(Error::Rejected { .. })), "{first} {last}");
        }

        // the key on the desk
        assert!(matches!(pick_current(db, &anna, stories[0]).await, Err(Error::Conflict(_))), "it is in");
        let (current, section) = pick_current(db, &anna, stories[1]).await.unwrap();
        let whole = report(db, &anna, current).await.unwrap();
        assert_eq!(whole.sections.last().unwrap().id, section);
        move_to(db, &anna, (current, section), 1).await.unwrap();
        assert_eq!(report(db, &anna, current).await.unwrap().sections[0].id, section);
        remove_section(db, &anna, (current, section)).await.unwrap();
        let free = add(db, &anna, current, "Outlook").await.unwrap();
        assert_eq!(report(db, &anna, current).await.unwrap().sections[1].id, free);
        for (text, n) in [
            ("", 4),
            ("text:certificate", 3),
            ("certificate", 3),
            ("\"pump 3\"", 3),
            ("cve-2022-3602", 3),
            ("title:week state:draft", 3),
            ("year:2020", 1),
            ("last<2021-01-01", 1),
            ("sent:none -correction:true sort:number", 4),
            ("state:sent", 0),
        ] {
            assert_eq!(listed(db, &anna, text).await.len(), n, "{text}");
        }
    });
}

#[test]
fn two_writers_lose_nothing_and_are_told() {
    each(async |db| {
        let (anna, _) = house(db).await;
        let ben = person(db, &anna, "ben", Role::Analyst).await;
        let id = draft(db, &anna, &Wanted::default()).await.unwrap();
        let before = report(db, &anna, id).await.unwrap();
        let section = &before.sections[0];
        let of_anna = Text { impact: "The pump.".to_owned(), ..section.text.clone() };
        set_section(db, &anna, (id, section.id), &of_anna).await.unwrap();
        let of_ben = Text { explanation: "An overflow.".to_owned(), ..section.text.clone() };
        let later = Actor { now: clock::minutes_after(&anna.now, 5), ..ben.clone() };
        let told = set_section(db, &later, (id, section.id), &of_ben).await.unwrap_err();
        assert!(told.to_string().contains("anna at 00:00") && told.to_string().contains("impact"), "{told}");
        // the head is another thing, with a version of its own
        let head = Head { intro: "This week".to_owned(), ..before.head.clone() };
        set_head(db, &later, id, &head).await.unwrap();
        assert!(matches!(set_head(db, &anna, id, &head).await, Err(Error::Conflict(_))));
        let now = report(db, &anna, id).await.unwrap();
        assert_eq!(
            (now.sections[0].text.impact.as_str(), now.head.intro.as_str()),
            ("The pump.", "This week")
        );
        let again = Text { version: now.sections[0].text.version, ..of_ben };
        set_section(db, &later, (id, section.id), &again).await.unwrap();
        let all = history(db, &anna, id).await.unwrap();
        assert_eq!(
            all.iter().map(|e| e.what.as_str()).collect::<Vec<_>>(),
            ["section", "head", "section", "draft"]
        );
        let kept = edition(db, &anna, id, all[2].n).await.unwrap();
        assert!(kept.body.contains("The pump."), "what was written first is there to be read: {kept:?}");

        // a marking never goes below that of a section, and follows it up
        let text = report(db, &anna, id).await.unwrap().sections[0].text.clone();
        set_section(db, &anna, (id, section.id), &Text { tlp: "AMBER".to_owned(), ..text }).await.unwrap();
        let now = report(db, &anna, id).await.unwrap();
        assert_eq!(now.report.tlp, "AMBER");
        let lower = Head { tlp: "GREEN".to_owned(), ..now.head.clone() };
        assert!(matches!(set_head(db, &anna, id, &lower).await, Err(Error::Rejected { .. })));
        let wrong = Text { tlp: "PURPLE".to_owned(), ..now.sections[0].text.clone() };
        assert!(matches!(
            set_section(db, &anna, (id, section.id), &wrong).await,
            Err(Error::Rejected { .. })
        ));
        let long = Text { done: "x".repeat(64 * 1024 + 1), ..now.sections[0].text.clone() };
        assert!(matches!(set_section(db, &anna, (id, section.id), &long).await, Err(Error::Rejected { .. })));
    });
}

#[test]
fn a_second_person_approves_and_an_edit_withdraws_it() {
    each(async |db| {
        let (anna, _) = house(db).await;
        let ben = person(db, &anna, "ben", Role::Analyst).await;
        two_people(db, &anna).await;
        let channel = mail(db, &anna).await;
        let id = draft(db, &anna, &Wanted::default()).await.unwrap();
        let to = Recipients { roles: vec![Role::Manager], ..Recipients::default() };
        assert!(matches!(approve(db, &ben, id).await, Err(Error::Conflict(_))), "it was not submitted");
        submit(db, &anna, id).await.unwrap();
        assert!(matches!(approve(db, &anna, id).await, Err(Error::Conflict(_))), "she drafted it");
        assert!(matches!(send(db, &ben, id, &to).await, Err(Error::Conflict(_))), "nobody approved it");
        reject(db, &ben, id, "Say more of the pump").await.unwrap();
        let s = report(db, &anna, id).await.unwrap().sections[0].clone();
        let text = |t: &str, of: &Text| Text { impact: t.to_owned(), ..of.clone() };
        set_section(db, &ben, (id, s.id), &text("Ben's words", &s.text)).await.unwrap();
        submit(db, &anna, id).await.unwrap();
        assert!(matches!(approve(db, &ben, id).await, Err(Error::Conflict(_))), "he wrote last");
        let s = report(db, &anna, id).await.unwrap().sections[0].clone();
        set_section(db, &anna, (id, s.id), &text("Anna's words", &s.text)).await.unwrap();
        approve(db, &ben, id).await.unwrap();
        let s = report(db, &anna, id).await.unwrap().sections[0].clone();
        set_section(db, &anna, (id, s.id), &text("After approval", &s.text)).await.unwrap();
        let now = report(db, &anna, id).await.unwrap().report;
        assert_eq!((now.state.as_str(), now.approver.as_str()), ("draft", ""), "an edit withdraws it");
        submit(db, &anna, id).await.unwrap();
        approve(db, &ben, id).await.unwrap();

        // sent once to each, however often it is asked
        let carla = person(db, &anna, "carla", Role::Manager).await;
        assert_eq!(send(db, &ben, id, &to).await.unwrap(), 2);
        assert!(matches!(send(db, &ben, id, &to).await, Err(Error::Rejected { .. })), "all have it");
        let more =
            Recipients { people: vec![ben.person.unwrap(), carla.person.unwrap()], ..Recipients::default() };
        assert_eq!(send(db, &ben, id, &more).await.unwrap(), 1);
        let sending = Sending { report: id, channel };
        let system = Actor::system(anna.workspace, &anna.now);
        let out = outgoing(db, &system, &sending).await.unwrap();
        assert_eq!(out.to.len(), 3);
        assert_eq!(out.whole.sections[0].text.impact, "After approval");
        sent(db, out.to[0].delivery, &anna.now).await.unwrap();
        failed(db, out.to[1].delivery, "the server is busy").await.unwrap();
        let out = outgoing(db, &system, &sending).await.unwrap();
        assert_eq!(out.to.len(), 2, "a receipt is not sent again");
        let all = deliveries(db, &anna, id).await.unwrap();
        assert_eq!(all.iter().filter(|d| d.state == "sent").count(), 1);
        assert_eq!(all.iter().filter(|d| d.error == "the server is busy").count(), 1);

        // what was sent stays; a correction is another report of the same number
        let s = report(db, &anna, id).await.unwrap().sections[0].clone();
        assert!(matches!(
            set_section(db, &anna, (id, s.id), &text("Too late", &s.text)).await,
            Err(Error::Conflict(_))
        ));
        assert!(matches!(remove(db, &anna, id).await, Err(Error::Conflict(_))));
        let new = correct(db, &anna, id).await.unwrap();
        assert!(matches!(correct(db, &anna, id).await, Err(Error::Conflict(_))), "one at a time");
        let c = report(db, &anna, new).await.unwrap();
        assert_eq!((c.report.number, c.report.revision, c.report.corrects), (1, 2, id));
        assert_eq!(c.sections[0].text.impact, "After approval");
        assert_eq!(c.sections[0].facts, s.facts);
        remove(db, &anna, new).await.unwrap();
        assert!(matches!(report(db, &anna, new).await, Err(Error::NotFound(_))));
        assert_eq!(change::verify(db).await.unwrap().broken_at, None);
        let told = change::events(db, &Actor::system(anna.workspace, &anna.now), "report.", None, 100)
            .await
            .unwrap();
        for action in [
            "report.draft",
            "report.section",
            "report.approve",
            "report.withdraw",
            "report.send",
            "report.correct",
        ] {
            assert!(told.iter().any(|e| e.action == action), "{action} is in the trail");
        }
    });
}

#[test]
fn nothing_strict_leaves_and_nothing_of_others_is_seen() {
    each(async |db| {
        let (anna, stories) = house(db).await;
        let ben = person(db, &anna, "ben", Role::Analyst).await;
        mail(db, &anna).await;
        let id = draft(db, &anna, &Wanted::default()).await.unwrap();
        submit(db, &anna, id).await.unwrap();
        approve(db, &anna, id).await.unwrap();
        let outside =
            |address: &str| Recipients { addresses: vec![address.to_owned()], ..Recipients::default() };
        assert!(matches!(send(db, &ben, id, &outside("x@other.example")).await, Err(Error::Rejected { .. })));
        assert!(matches!(add_address(db, &ben, "x@other.example", "Other").await, Err(Error::Denied(_))));
        let system = Actor::system(anna.workspace, &anna.now);
        for wrong in ["x", "x@y", "a b@other.example", "x@other.example\r\nBcc: y@other.example"] {
            assert!(add_address(db, &system, wrong, "Other").await.is_err(), "{wrong}");
        }
        let listed_id = add_address(db, &system, "X@other.example", "Other").await.unwrap();
        assert!(add_address(db, &system, "x@other.example", "Again").await.is_err());
        for tlp in ["AMBER+STRICT", "RED"] {
            let head = report(db, &anna, id).await.unwrap().head;
            set_head(db, &anna, id, &Head { tlp: tlp.to_owned(), ..head }).await.unwrap();
            submit(db, &anna, id).await.unwrap();
            approve(db, &ben, id).await.unwrap();
            let refused = send(db, &ben, id, &outside("x@other.example")).await.unwrap_err();
            assert!(refused.to_string().contains(tlp), "{refused}");
        }
        let head = report(db, &anna, id).await.unwrap().head;
        set_head(db, &anna, id, &Head { tlp: "AMBER".to_owned(), ..head }).await.unwrap();
        submit(db, &anna, id).await.unwrap();
        approve(db, &ben, id).await.unwrap();
        assert_eq!(send(db, &ben, id, &outside("x@other.example")).await.unwrap(), 1);
        drop_address(db, &system, listed_id).await.unwrap();
        assert_eq!(deliveries(db, &anna, id).await.unwrap()[0].state, "dropped");

        // who may not, and another workspace
        let contact = person(db, &anna, "dora", Role::Contact).await;
        assert!(matches!(report(db, &contact, id).await, Err(Error::Denied(_))));
        let legal = person(db, &anna, "lea", Role::Legal).await;
        assert!(report(db, &legal, id).await.is_ok());
        assert!(matches!(draft(db, &legal, &Wanted::default()).await, Err(Error::Denied(_))));
        let of_line = Actor { grants: vec![Grant { role: Role::Analyst, line: Some(1) }], ..ben.clone() };
        assert!(matches!(report(db, &of_line, id).await, Err(Error::Denied(_))), "a section names all lines");
        let insert = "INSERT INTO workspace (slug, name, settings, created) VALUES ('other', 'Other', '{}', '') RETURNING id";
        let row: Option<(i64,)> = sql::row(db, "another workspace", insert, vec![]).await.unwrap();
        let other = Actor { workspace: row.unwrap().0, ..anna.clone() };
        assert!(matches!(report(db, &other, id).await, Err(Error::NotFound(_))));
        assert!(matches!(history(db, &other, id).await, Err(Error::NotFound(_))));
        assert!(matches!(submit(db, &other, id).await, Err(Error::NotFound(_))));
        assert!(matches!(pick(db, &other, id, stories[0]).await, Err(Error::NotFound(_))));
        assert!(listed(db, &other, "").await.is_empty());
        assert!(deliveries(db, &other, id).await.unwrap().is_empty());
        assert!(addresses(db, &other).await.unwrap().is_empty());

        // one team, two desks
        let insert = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, 'analyst', 0)";
        let values = vec![other.workspace.into(), ben.person.unwrap().into()];
        sql::run(db, "joining", insert, values).await.unwrap();
        let all = desks(db, &ben, 0).await.unwrap();
        assert_eq!(all.len(), 2);
        let ours = all.iter().find(|d| d.workspace == anna.workspace).unwrap();
        assert_eq!((ours.new, ours.reading, ours.relevant, ours.reports.len()), (2, 0, 1, 1));
        assert!(ours.has_this_week);
        assert_eq!(
            desks(db, &ben, other.workspace).await.unwrap().len(),
            1,
            "a confined session sees its own"
        );
        let theirs = all.iter().find(|d| d.workspace == other.workspace).unwrap();
        assert_eq!((theirs.new, theirs.reports.len(), theirs.has_this_week), (0, 0, false));
        assert!(desks(db, &contact, 0).await.unwrap().is_empty());
    });
}

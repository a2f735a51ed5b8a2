//! From items to stories that a person works with, on each backend, with the clock handed in.

use sea_orm::DatabaseConnection;
use tocsin_engine::relevance::{Interest, Vote};
use tocsin_model::query::{Query, parse};

use super::*;
use crate::inventory::tests::{anna, index, osv, pump, read as document, sbom};
use crate::inventory::upload;
use crate::platform::access::{Grant, Role};
use crate::platform::testing::each;
use crate::platform::{clock, sql};

const OPENSSL: &str = "OpenSSL 3.0.0 overflows a buffer\nA flaw in OpenSSL 3.0.0 to 3.0.6, CVE-2022-3602, lets a crafted \
                       certificate overflow a buffer of four bytes. The project has published version 3.0.7.";

fn new(url: &str, text: &str, published: &str) -> NewItem {
    let (title, body) = text.split_once('\n').unwrap_or((text, ""));
    NewItem {
        url: url.to_owned(),
        title: title.to_owned(),
        text: body.to_owned(),
        published: published.to_owned(),
        reliability: "B".to_owned(),
        credibility: 2,
        ..NewItem::default()
    }
}

fn feeds(actor: &Actor) -> Actor {
    Actor::system(0, &actor.now)
}

async fn sorted(db: &DatabaseConnection, now: &str) -> Done {
    let now = now.to_owned();
    sort(db, &move || now.clone(), &|_, _| {}).await.unwrap()
}

fn query(text: &str) -> Query {
    parse(text, &story_schema()).unwrap()
}

async fn listed(db: &DatabaseConnection, actor: &Actor, text: &str) -> Vec<Story> {
    story_list(db, actor, &query(text), None, 100).await.unwrap().rows
}

/// A release of the pump with OpenSSL in it.
async fn shipped(db: &DatabaseConnection, actor: &Actor) -> i64 {
    let release = pump(db, actor, "1.0").await;
    let ix = index(&[&osv("CVE-2022-3602", "openssl", "3.0.7")]);
    upload(db, actor, release, &document(sbom(&[("openssl", "3.0.1")]), &ix)).await.unwrap();
    release
}

/// The addends of a story add up to its relevance.
fn adds_up(shown: &Shown) {
    let sum: f64 = shown.addends.iter().map(|a| a.weight).sum();
    assert!((sum - shown.story.relevance).abs() < 0.005, "{} is not {sum}", shown.story.relevance);
}

#[test]
fn the_same_news_is_one_story_and_is_taken_once() {
    each(async |db| {
        let anna = anna(db).await;
        let now = anna.now.clone();
        shipped(db, &anna).await;
        let feed = feeds(&anna);
        let items = || {
            vec![
                new("https://a.example/1", OPENSSL, &now),
                new("https://b.example/x?utm_source=rss", &OPENSSL.replace("crafted", "forged"), &now),
                new(
                    "https://c.example/9",
                    "Bakery wins prize\nA bakery in Lyon won a prize for its bread.",
                    &now,
                ),
            ]
        };
        let taken = take(db, &feed, "wire", items()).await.unwrap();
        assert_eq!(taken, Taken { new: 3, changed: 0 });
        assert_eq!(take(db, &feed, "wire", items()).await.unwrap(), Taken::default(), "once");
        let done = sorted(db, &now).await;
        assert_eq!((done.items, done.opened), (3, 2));
        assert_eq!(sorted(db, &now).await, Done::default(), "nothing is left to do");
        let all = listed(db, &anna, "").await;
        assert_eq!(all.len(), 2);
        let first = &all[0];
        assert_eq!((first.items, first.sources, first.ids[0].as_str()), (2, 1, "CVE-2022-3602"));
        assert_eq!(first.ours, ["openssl"]);
        assert!(first.relevance > 40.0 && all[1].relevance < 0.0, "{all:?}");
        assert!(first.why.starts_with("names openssl, which we ship"), "{}", first.why);
        for (text, found) in [
            ("id:cve-2022-3602", 1),
            ("id:CVE-2022-*", 1),
            ("component:openssl", 1),
            ("ours:true", 1),
            ("source:wire", 2),
            ("relevance>=40", 1),
            ("bakery", 1),
            ("state:done", 0),
            ("tlp:CLEAR -component:openssl sort:latest", 1),
            ("age<1d exploited:false sort:-title", 2),
        ] {
            assert_eq!(listed(db, &anna, text).await.len(), found, "{text}");
        }
        let shown = story(db, &anna, first.id).await.unwrap();
        adds_up(&shown);
        assert_eq!(shown.affected.len(), 1);
        assert_eq!((shown.affected[0].findings, shown.affected[0].releases), (1, 1));
        assert_eq!(shown.affected[0].holds, ["openssl"]);
        assert_eq!(top(db, &anna, 5).await.unwrap().len(), 1);

        // an edition stays where it is
        let later = clock::minutes_after(&now, 90);
        let edited = vec![new("https://a.example/1", &format!("{OPENSSL} It is not exploited."), &now)];
        let feed = Actor::system(0, &later);
        assert_eq!(take(db, &feed, "wire", edited).await.unwrap(), Taken { new: 0, changed: 1 });
        assert_eq!(sorted(db, &later).await.items, 1);
        assert_eq!(listed(db, &anna, "").await.len(), 2);
        let shown = story(db, &anna, first.id).await.unwrap();
        let piece = shown.pieces.iter().find(|p| p.edition == 2).unwrap();
        let (kept, before) = item(db, &anna, piece.id).await.unwrap();
        assert!(kept.text.contains("It is not exploited") && !before[0].text.contains("It is not"));
        assert_eq!(kept.story, Some(first.id));
    });
}

#[test]
fn what_people_enter_belongs_to_their_workspace() {
    each(async |db| {
        let anna = anna(db).await;
        let insert =
            "INSERT INTO workspace (slug, name, settings, created) VALUES ('other', 'Other', '{}', '')";
        sql::run(db, "making another workspace", insert, vec![]).await.unwrap();
        let row: Option<(i64,)> =
            sql::row(db, "finding it", "SELECT id FROM workspace WHERE slug = 'other'", vec![])
                .await
                .unwrap();
        let other = Actor::system(row.unwrap().0, &anna.now);
        let mut heard =
            new("", "Pump passwords are sold\nSomebody sells passwords of Pump 3 in a forum.", "");
        heard.tlp = "RED".to_owned();
        let entered = enter(db, &anna, "Dark web watch", heard.clone()).await.unwrap();
        assert!(entered.new);
        assert!(!enter(db, &anna, "Dark web watch", heard.clone()).await.unwrap().new, "the same again");
        take(db, &feeds(&anna), "wire", vec![new("https://a.example/1", OPENSSL, &anna.now)]).await.unwrap();
        sorted(db, &anna.now).await;
        assert_eq!(listed(db, &anna, "").await.len(), 2);
        let theirs = listed(db, &other, "").await;
        assert_eq!(theirs.len(), 1, "{theirs:?}");
        let red = listed(db, &anna, "tlp:RED").await;
        assert!(story(db, &other, red[0].id).await.is_err() && item(db, &other, entered.id).await.is_err());
        assert!(set_state(db, &other, red[0].id, "done").await.is_err());
        assert!(merge(db, &other, &[theirs[0].id, red[0].id]).await.is_err());

        // one product line is not enough, and neither is being somebody else
        let line = Actor { grants: vec![Grant { role: Role::Analyst, line: Some(1) }], ..anna.clone() };
        let contact = Actor { grants: vec![Grant { role: Role::Contact, line: None }], ..anna.clone() };
        for who in [line, contact] {
            assert!(story_list(db, &who, &Query::default(), None, 10).await.is_err());
            assert!(enter(db, &who, "x", heard.clone()).await.is_err());
        }
        let auditor = Actor { grants: vec![Grant { role: Role::Auditor, line: None }], ..anna.clone() };
        assert_eq!(listed(db, &auditor, "").await.len(), 2);
        assert!(vote(db, &auditor, red[0].id, Vote::Like).await.is_err());
        for (field, bad) in [
            ("tlp", NewItem { tlp: "PURPLE".to_owned(), ..heard.clone() }),
            ("reliability", NewItem { reliability: "Z".to_owned(), ..heard.clone() }),
            ("credibility", NewItem { credibility: 7, ..heard.clone() }),
            ("url", NewItem { url: "javascript:alert(1)".to_owned(), ..heard.clone() }),
            ("published", NewItem { published: "yesterday".to_owned(), ..heard.clone() }),
        ] {
            let refused = enter(db, &anna, "x", bad).await.unwrap_err();
            assert!(matches!(&refused, Error::Rejected { field: f, .. } if f == field), "{refused}");
        }
    });
}

#[test]
fn stories_are_weighed_again_when_what_they_lean_on_changes() {
    each(async |db| {
        let anna = anna(db).await;
        let now = anna.now.clone();
        take(db, &feeds(&anna), "wire", vec![new("https://a.example/1", OPENSSL, &now)]).await.unwrap();
        sorted(db, &now).await;
        let one = listed(db, &anna, "").await.remove(0);
        assert!(one.ours.is_empty());
        // the inventory
        shipped(db, &anna).await;
        assert_eq!(sorted(db, &now).await.named, 1);
        let with = listed(db, &anna, "").await.remove(0);
        assert!(with.relevance > one.relevance + 30.0 && with.ours == ["openssl"]);
        // interests and weights, of which the newer stand
        let mut profile = profile(db, &anna).await.unwrap();
        profile.weights.component = 10.0;
        profile.interests.push(Interest {
            name: "certificates".to_owned(),
            any: vec!["crafted certificate".to_owned()],
            without: vec![],
            weight: 1.0,
        });
        set_profile(db, &anna, &profile).await.unwrap();
        assert!(matches!(set_profile(db, &anna, &profile).await, Err(Error::Conflict(_))));
        assert_eq!(sorted(db, &now).await.weighed, 1);
        let shown = story(db, &anna, one.id).await.unwrap();
        adds_up(&shown);
        assert_eq!(shown.story.relevance, with.relevance - 30.0 + 30.0);
        assert!(shown.addends.iter().any(|a| a.words.contains("meets the interest certificates")));
        // votes, which can be read and taken back
        vote(db, &anna, one.id, Vote::Dislike).await.unwrap();
        vote(db, &anna, one.id, Vote::Like).await.unwrap();
        sorted(db, &now).await;
        let liked = story(db, &anna, one.id).await.unwrap();
        assert!(liked.story.relevance > shown.story.relevance);
        assert_eq!((liked.votes.own.as_str(), liked.votes.likes, liked.votes.dislikes), ("like", 1, 0));
        assert!(counts(db, &anna).await.unwrap().iter().any(|c| c.words == "on openssl" && c.liked == 1));
        let cast = cast(db, &anna, None, 10).await.unwrap();
        revoke(db, &anna, cast[0].id).await.unwrap();
        sorted(db, &now).await;
        assert_eq!(story(db, &anna, one.id).await.unwrap().story.relevance, shown.story.relevance);
        // what is exploited
        let insert = "INSERT INTO kev (cve, date_added, ransomware, name) VALUES ('CVE-2022-3602', '2026-01-01', 0, 'x')";
        sql::run(db, "naming it exploited", insert, vec![]).await.unwrap();
        sorted(db, &now).await;
        assert_eq!(listed(db, &anna, "exploited:true").await.len(), 1);
        // age, once a day
        let week = clock::minutes_after(&now, 14 * 24 * 60);
        let aged = sorted(db, &week).await;
        assert_eq!((aged.aged, aged.weighed), (1, 0));
        let old = story(db, &Actor { now: week.clone(), ..anna.clone() }, one.id).await.unwrap();
        adds_up(&old);
        assert!(old.addends.iter().any(|a| a.words == "14 days old"), "{:?}", old.addends);
        assert_eq!(sorted(db, &week).await, Done::default());
    });
}

#[test]
fn analysts_merge_and_split_and_sorting_keeps_to_it() {
    each(async |db| {
        let anna = anna(db).await;
        let now = anna.now.clone();
        let flaw = |n: u32, words: &str| format!("Flaw in gateway {n}\nCVE-2026-100{n} is told of: {words}.");
        let feed = feeds(&anna);
        let items = vec![
            new("https://a.example/1", &flaw(1, "a buffer of the parser is too short"), &now),
            new("https://a.example/2", &flaw(2, "the web page asks nobody for a password"), &now),
        ];
        take(db, &feed, "wire", items).await.unwrap();
        sorted(db, &now).await;
        let mut all = listed(db, &anna, "sort:title").await;
        assert_eq!(all.len(), 2);
        all.sort_by_key(|s| s.id);
        let text = Note { summary: "Two flaws, one gateway.".to_owned(), version: 1, ..Note::default() };
        note(db, &anna, all[1].id, &text).await.unwrap();
        assert!(matches!(note(db, &anna, all[1].id, &text).await, Err(Error::Conflict(_))));
        tag(db, &anna, all[1].id, &["Gateways".to_owned(), " ".to_owned()]).await.unwrap();
        vote(db, &anna, all[1].id, Vote::Like).await.unwrap();
        let kept = merge(db, &anna, &[all[1].id, all[0].id]).await.unwrap();
        assert_eq!(kept, all[0].id);
        let shown = story(db, &anna, all[1].id).await.unwrap();
        assert_eq!(
            (shown.story.id, shown.pieces.len(), shown.note.summary.as_str()),
            (kept, 2, text.summary.as_str())
        );
        assert_eq!((shown.tags.as_slice(), shown.votes.likes), (&["gateways".to_owned()][..], 1));
        assert_eq!(shown.events[0].what, "merge");

        // what comes about either belongs to the story that both are now
        let copy = flaw(2, "the web page asks nobody for a password");
        take(db, &feed, "other", vec![new("https://b.example/7", &copy, &now)]).await.unwrap();
        sorted(db, &now).await;
        assert_eq!(listed(db, &anna, "").await.len(), 1);
        let shown = story(db, &anna, kept).await.unwrap();
        assert_eq!(shown.pieces.len(), 3);
        let about: Vec<i64> = shown.pieces.iter().filter(|p| p.text.contains("1002")).map(|p| p.id).collect();
        assert!(split(db, &anna, kept, &[]).await.is_err());
        let off = split(db, &anna, kept, &about).await.unwrap();
        let ids = |shown: &Shown| shown.story.ids.clone();
        assert_eq!(ids(&story(db, &anna, kept).await.unwrap()), ["CVE-2026-1001"]);
        assert_eq!(ids(&story(db, &anna, off).await.unwrap()), ["CVE-2026-1002"]);
        // an item about both would join them; an analyst said that they are two
        let both = "Two flaws in gateways\nCVE-2026-1001 and CVE-2026-1002 are both told of by the maker of the gateway.";
        take(db, &feed, "third", vec![new("https://c.example/7", both, &now)]).await.unwrap();
        sorted(db, &now).await;
        assert_eq!(listed(db, &anna, "").await.len(), 2);
        // a story that was finished and goes on is to be looked at again
        set_states(db, &anna, &[kept, off], "done").await.unwrap();
        let more = flaw(1, "a second report says that the parser crashes");
        take(db, &feed, "fourth", vec![new("https://d.example/7", &more, &now)]).await.unwrap();
        sorted(db, &now).await;
        assert_eq!(listed(db, &anna, "state:reading").await.len(), 1);
        set_state(db, &anna, off, "dismissed").await.unwrap();
        assert_eq!(listed(db, &anna, "").await.len(), 1);
        let actions = "SELECT DISTINCT action FROM audit WHERE action LIKE 'story.%' ORDER BY action";
        let rows: Vec<(String,)> = sql::rows(db, "reading the trail", actions, vec![]).await.unwrap();
        let names: Vec<&str> = rows.iter().map(|r| r.0.as_str()).collect();
        assert_eq!(
            names,
            ["story.merge", "story.note", "story.split", "story.state", "story.tag", "story.vote"]
        );
    });
}

#[test]
fn people_are_told_once_and_no_detail_of_what_is_for_few() {
    each(async |db| {
        let anna = anna(db).await;
        shipped(db, &anna).await;
        let now = anna.now.clone();
        let old = clock::minutes_after(&now, -10 * 24 * 60);
        let feed = feeds(&anna);
        take(db, &feed, "wire", vec![new("https://a.example/1", OPENSSL, &now)]).await.unwrap();
        let stale = OPENSSL.replace("3602", "3786").replace("buffer", "heap of memory that nobody counts");
        take(db, &feed, "wire", vec![new("https://a.example/2", &stale, &old)]).await.unwrap();
        let secret = NewItem {
            tlp: "AMBER+STRICT".to_owned(),
            ..new(
                "",
                "OpenSSL 3.0.1 falls\nA friend of the house found a flaw in OpenSSL 3.0.1 that lets a server take over its clients.",
                "",
            )
        };
        enter(db, &anna, "A friend", secret).await.unwrap();
        sorted(db, &now).await;
        sorted(db, &clock::minutes_after(&now, 24 * 60)).await;
        let select = "SELECT topic, title, detail FROM outbox WHERE subject LIKE 'story/%' ORDER BY topic";
        let rows: Vec<(String, String, String)> = sql::rows(db, "reading", select, vec![]).await.unwrap();
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(
            (rows[0].0.as_str(), rows[0].1.as_str(), rows[0].2.as_str()),
            ("report-embargo", "Something under embargo", "")
        );
        assert_eq!(rows[1].1, "OpenSSL 3.0.0 overflows a buffer");
    });
}

#[test]
fn hundreds_of_items_are_placed_in_batches_that_can_be_broken_off() {
    each(async |db| {
        let anna = anna(db).await;
        let now = anna.now.clone();
        let items: Vec<NewItem> = (0..450)
            .map(|n| {
                let flaw = n / 3;
                let text = format!(
                    "Flaw {flaw} of product {flaw}\nCVE-2026-{} is in part {flaw}, says source {n}.",
                    20_000 + flaw
                );
                new(&format!("https://s{n}.example/a{n}"), &text, &now)
            })
            .collect();
        take(db, &feeds(&anna), "wire", items).await.unwrap();
        // broken off after the first batch, as a server that was killed is
        let at = now.clone();
        let stop = std::sync::atomic::AtomicUsize::new(0);
        let broken = std::panic::AssertUnwindSafe(async {
            let seen = |done: usize, _: usize| {
                stop.store(done, std::sync::atomic::Ordering::Relaxed);
            };
            let clock = move || at.clone();
            let work = sort(db, &clock, &seen);
            tokio::pin!(work);
            loop {
                let tick = tokio::time::sleep(std::time::Duration::from_millis(1));
                tokio::select! {
                    done = &mut work => return done.is_ok(),
                    () = tick => if stop.load(std::sync::atomic::Ordering::Relaxed) > 0 { return false },
                }
            }
        });
        let whole = broken.0.await;
        let rest = sorted(db, &now).await;
        assert!(whole || rest.items > 0);
        let all = story_list(db, &anna, &Query::default(), None, 1_000).await.unwrap();
        assert_eq!(all.rows.len(), 150);
        assert!(all.rows.iter().all(|s| s.items == 3), "{:?}", all.rows.iter().find(|s| s.items != 3));
        let first = story_list(db, &anna, &query("sort:-latest"), None, 40).await.unwrap();
        let second = story_list(db, &anna, &query("sort:-latest"), first.next.as_deref(), 200).await.unwrap();
        assert_eq!((first.rows.len(), second.rows.len()), (40, 110));
    });
}

#[test]
fn what_a_node_remembers_is_what_the_store_says() {
    each(async |db| {
        let anna = anna(db).await;
        let now = anna.now.clone();
        let feed = feeds(&anna);
        let (one, other) = (Memory::default(), Memory::default());
        let tell = async |n: usize, text: &str| {
            let item = new(&format!("https://{n}.example/a"), text, &now);
            assert_eq!(take(db, &feed, "wire", vec![item]).await.unwrap().new, 1);
        };
        let run = async |memory: &Memory| {
            let now = now.clone();
            sort_with(db, memory, &move || now.clone(), &|_, _| {}).await.unwrap()
        };
        let counts = async || {
            let mut n: Vec<i64> = listed(db, &anna, "").await.iter().map(|s| s.items).collect();
            n.sort_unstable();
            n
        };
        tell(1, OPENSSL).await;
        run(&one).await;
        tell(2, &OPENSSL.replace("crafted", "forged")).await;
        run(&one).await;
        assert_eq!(counts().await, [2], "what is remembered is used");
        // another node sorts, and the first one hears of it
        tell(3, "A pump stops\nCVE-2030-1001 stops a pump.").await;
        run(&other).await;
        tell(4, "Pumps that stand still\nThe cause is CVE-2030-1001.").await;
        run(&one).await;
        assert_eq!(counts().await, [2, 2]);
        // somebody moves items by hand
        let story = listed(db, &anna, "id:CVE-2022-3602").await[0].id;
        let shown = super::story(db, &anna, story).await.unwrap();
        let second = shown.pieces.iter().find(|p| p.url.starts_with("https://2.")).unwrap().id;
        split(db, &anna, story, &[second]).await.unwrap();
        tell(5, &OPENSSL.replace("crafted", "spoiled")).await;
        run(&one).await;
        assert_eq!(counts().await, [1, 2, 2]);
        // what items name is another since the inventory changed
        shipped(db, &anna).await;
        run(&one).await;
        tell(6, &OPENSSL.replace("crafted", "broken")).await;
        assert_eq!(run(&one).await.items, 1);
        assert_eq!(counts().await, [1, 2, 3]);
        assert_eq!(listed(db, &anna, "is:ours").await.len(), 2);
        assert_eq!(listed(db, &anna, "concerns:pump").await.len(), 2, "by what the product holds");
        assert_eq!(listed(db, &anna, "concerns:other").await.len(), 0);
    });
}

#[test]
fn answers_are_part_of_the_story_that_they_answer() {
    each(async |db| {
        let anna = anna(db).await;
        let now = anna.now.clone();
        let mail = |own: &str, thread: &str, text: &str| NewItem {
            own: own.to_owned(),
            thread: thread.to_owned(),
            ..new("", text, &now)
        };
        let first =
            mail("1@x", "1@x", "CVE-2026-0001: overflow in libpump\nThe parser of libpump overflows.");
        let answer = mail("2@x", "1@x", "Re: overflow\nIs CVE-2026-7777 the same? Nothing of it is alike.");
        take(db, &feeds(&anna), "list", vec![first, answer]).await.unwrap();
        sorted(db, &now).await;
        // an answer to the answer comes later and knows the second message alone
        let later =
            mail("3@x", "2@x", "Re: Re: overflow\nCVE-2026-8888 is yet another thing of somebody else.");
        let other = mail("9@x", "9@x", "CVE-2026-9999: something else\nA printer prints what it should not.");
        take(db, &feeds(&anna), "list", vec![later, other]).await.unwrap();
        sorted(db, &now).await;
        let mut items: Vec<i64> = listed(db, &anna, "").await.iter().map(|s| s.items).collect();
        items.sort_unstable();
        assert_eq!(items, [1, 3]);
    });
}

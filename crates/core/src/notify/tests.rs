//! From an upload to what people are told, on each backend, with the clock handed in.

use sea_orm::DatabaseConnection;
use tocsin_model::query::{Query, parse};

use super::*;
use crate::inventory::tests::{anna, index, osv, pump, read, sbom};
use crate::inventory::upload;
use crate::platform::access::{Actor, Grant, Role};
use crate::platform::change::{self, Change};
use crate::platform::outbox;
use crate::platform::people::{self, Acceptance, From};
use crate::platform::testing::{each, random};
use crate::platform::vault::Vault;
use crate::platform::{clock, sql};

fn after(actor: &Actor, minutes: i64) -> Actor {
    Actor { now: clock::minutes_after(&actor.now, minutes), ..actor.clone() }
}

fn system(actor: &Actor) -> Actor {
    Actor::system(actor.workspace, &actor.now)
}

/// Somebody in a role, in one product line or everywhere.
async fn join(db: &DatabaseConnection, by: &Actor, login: &str, role: Role, line: Option<i64>) -> Actor {
    let end = clock::minutes_after(&by.now, 60);
    let token = people::invite(db, &system(by), random, "", &[role], line, &end).await.unwrap();
    let who = Acceptance {
        login: login.to_owned(),
        name: login.to_owned(),
        email: format!("{login}@example.org"),
        password: "correct horse battery".to_owned(),
    };
    people::accept(db, random, &token, &who, &From::default(), &by.now).await.unwrap();
    let all = people::people(db, &system(by)).await.unwrap();
    let id = all.iter().find(|p| p.login == login).unwrap().id;
    Actor {
        name: format!("person:{login}"),
        person: Some(id),
        grants: vec![Grant { role, line }],
        ..by.clone()
    }
}

async fn mail(db: &DatabaseConnection, actor: &Actor, vault: &Vault) -> i64 {
    let set = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let new = NewChannel {
        kind: "mail".to_owned(),
        name: "Mail".to_owned(),
        settings: [
            set("host", "mail.example.org"),
            set("port", "465"),
            set("security", "tls"),
            set("from", "psirt@example.org"),
            set("user", "psirt"),
        ]
        .into(),
        secrets: [set("password", "hunter2hunter2")].into(),
        enabled: true,
    };
    set_channel(db, actor, (vault, random), 0, &new).await.unwrap()
}

async fn told(db: &DatabaseConnection, actor: &Actor) -> Vec<Told> {
    inbox(db, actor, &Query::default(), None, 100).await.unwrap().rows
}

/// A release with so many flawed components.
async fn flawed(db: &DatabaseConnection, actor: &Actor, n: usize) -> i64 {
    let release = pump(db, actor, "1.0").await;
    let names: Vec<String> = (0..n).map(|i| format!("left{i}")).collect();
    let flaws: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| osv(&format!("CVE-2025-{}", 1000 + i), name, "2.0.0"))
        .collect();
    let ix = index(&flaws.iter().map(String::as_str).collect::<Vec<_>>());
    let parts: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1.0.0")).collect();
    upload(db, actor, release, &read(sbom(&parts), &ix)).await.unwrap();
    release
}

#[test]
fn one_upload_of_many_findings_is_one_message_for_each_who_may_see_it() {
    each(async |db| {
        let anna = anna(db).await;
        let dir = tempfile::tempdir().unwrap();
        let channel = mail(db, &anna, &Vault::new(dir.path())).await;
        let cleo = join(db, &anna, "cleo", Role::Contact, None).await;
        flawed(db, &anna, 500).await;
        assert!(due(db, &anna.now).await.unwrap().is_empty(), "it waits for what comes with it");
        let later = after(&anna, 1);
        assert_eq!(due(db, &later.now).await.unwrap(), [anna.workspace]);
        assert_eq!(dispatch(db, &system(&later)).await.unwrap(), 1);
        assert_eq!(dispatch(db, &system(&later)).await.unwrap(), 0, "once");
        let list = told(db, &cleo).await;
        assert_eq!(list.len(), 1);
        let m = &list[0].message;
        assert_eq!(m.title, "500 findings new in Pump 3 (500 critical)");
        assert_eq!((m.body.groups.len(), m.body.groups[0].flaws.len(), m.severity), (1, 5, 5));
        assert_eq!(unseen(db, &cleo).await.unwrap(), 1);
        assert!(told(db, &anna).await.is_empty(), "the line has a contact, so the managers are not told");
        // one mail, in a job
        let sending = Sending { message: m.id, channel };
        let out = outgoing(db, &system(&later), &sending).await.unwrap();
        assert_eq!(out.to.iter().map(|t| t.address.as_str()).collect::<Vec<_>>(), ["cleo@example.org"]);
        let jobs: Option<(i64,)> =
            sql::row(db, "counting", "SELECT COUNT(*) FROM job WHERE kind = 'notify'", vec![]).await.unwrap();
        assert_eq!(jobs, Some((1,)));
        sent(db, out.to[0].delivery, &later.now).await.unwrap();
        assert!(outgoing(db, &system(&later), &sending).await.unwrap().to.is_empty(), "nobody gets it twice");
        // the finding shows it, and only to whom it was told
        let one: Option<(i64,)> =
            sql::row(db, "finding", "SELECT MIN(id) FROM finding", vec![]).await.unwrap();
        let finding = one.unwrap().0;
        assert_eq!(messages_of_finding(db, &cleo, finding).await.unwrap().len(), 1);
        assert!(messages_of_finding(db, &anna, finding).await.unwrap().is_empty());
        assert!(message(db, &anna, m.id).await.is_err());
        see_all(db, &cleo, list[0].id).await.unwrap();
        assert_eq!(unseen(db, &cleo).await.unwrap(), 0);
    });
}

#[test]
fn without_a_contact_the_managers_are_told_and_other_lines_are_not() {
    each(async |db| {
        let anna = anna(db).await;
        let mut change = Change::begin(db, &anna).await.unwrap();
        let other = crate::inventory::make_line(&mut change, "Other").await.unwrap();
        change.commit().await.unwrap();
        let otto = join(db, &anna, "otto", Role::Contact, Some(other)).await;
        flawed(db, &anna, 2).await;
        dispatch(db, &system(&after(&anna, 1))).await.unwrap();
        assert_eq!(told(db, &anna).await.len(), 1);
        assert!(told(db, &otto).await.is_empty());
    });
}

#[test]
fn an_event_and_its_change_stand_or_fall_together_and_so_do_message_and_mark() {
    each(async |db| {
        let anna = anna(db).await;
        let change = Change::begin(db, &anna).await.unwrap();
        outbox::feed(&change, "NVD", Some("it does not answer")).await.unwrap();
        drop(change);
        let later = after(&anna, 1);
        assert!(due(db, &later.now).await.unwrap().is_empty(), "what was not committed is not told");
        let change = Change::begin(db, &anna).await.unwrap();
        outbox::feed(&change, "NVD", Some("it does not answer")).await.unwrap();
        change.commit().await.unwrap();
        let ada = join(db, &anna, "ada", Role::Administrator, None).await;
        // messages cannot be written: the event stays
        sql::run(db, "breaking", "ALTER TABLE notify_delivery RENAME TO set_aside", vec![]).await.unwrap();
        assert!(dispatch(db, &system(&later)).await.is_err());
        sql::run(db, "mending", "ALTER TABLE set_aside RENAME TO notify_delivery", vec![]).await.unwrap();
        // PostgreSQL lets go of the events of a transaction that failed a moment after it failed
        let mut written = 0;
        for _ in 0..200 {
            written = dispatch(db, &system(&later)).await.unwrap();
            if written > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(written, 1);
        let list = told(db, &ada).await;
        assert_eq!(list[0].message.title, "A source does not work: NVD");
        assert_eq!(list[0].message.body.items[0].detail, "it does not answer");
    });
}

fn strict(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        enabled: true,
        topics: vec![Topic::FindingNew],
        to: Audience { roles: vec![Role::Contact], ..Audience::default() },
        channels: vec![INBOX, MAIL],
        hour: 8,
        weekday: 1,
        within: 30,
        ..Rule::default()
    }
}

#[test]
fn who_does_not_acknowledge_is_reminded_and_the_ladder_is_climbed_whatever_is_muted() {
    each(async |db| {
        let anna = anna(db).await;
        let dir = tempfile::tempdir().unwrap();
        let channel = mail(db, &anna, &Vault::new(dir.path())).await;
        let cleo = join(db, &anna, "cleo", Role::Contact, None).await;
        let lara = join(db, &anna, "lara", Role::Legal, None).await;
        set_rule(db, &anna, &strict("Strict")).await.unwrap();
        let rung = |after, role| Rung { after, roles: vec![role], people: Vec::new() };
        let ladder = Ladder { line: 0, rungs: vec![rung(60, Role::Manager), rung(120, Role::Legal)] };
        set_ladder(db, &anna, &ladder).await.unwrap();
        let silent = Habits {
            quiet: Quiet { from: "00:00".to_owned(), to: "23:59".to_owned(), breaks: 6, ..Quiet::default() },
            mail: false,
            muted_until: "2099-01-01T00:00:00.000Z".to_owned(),
            muted: vec![Topic::FindingNew],
        };
        for actor in [&cleo, &anna, &lara] {
            set_habits(db, actor, &silent).await.unwrap();
        }
        flawed(db, &anna, 3).await;
        dispatch(db, &system(&after(&anna, 1))).await.unwrap();
        let first = told(db, &cleo).await;
        assert_eq!(first.len(), 1, "the rule that asks for an acknowledgement tells");
        let id = first[0].message.id;
        assert_eq!(urge(db, &system(&after(&anna, 30))).await.unwrap(), 0, "not yet");
        assert_eq!(urge(db, &system(&after(&anna, 32))).await.unwrap(), 1);
        assert_eq!(told(db, &cleo).await.iter().map(|t| t.step).collect::<Vec<_>>(), [1, 0]);
        let sending = Sending { message: id, channel };
        let mails =
            |steps: Vec<Recipient>| steps.into_iter().map(|r| (r.step, r.address)).collect::<Vec<_>>();
        let out = outgoing(db, &system(&anna), &sending).await.unwrap();
        assert_eq!(mails(out.to), [(1, "cleo@example.org".to_owned())], "mail is sent although it is off");
        assert!(told(db, &anna).await.is_empty());
        assert_eq!(urge(db, &system(&after(&anna, 93))).await.unwrap(), 1);
        assert_eq!(told(db, &anna).await[0].step, 2);
        assert_eq!(urge(db, &system(&after(&anna, 214))).await.unwrap(), 1);
        assert_eq!(told(db, &lara).await[0].step, 3);
        assert_eq!(urge(db, &system(&after(&anna, 9_000))).await.unwrap(), 0, "nobody is left");
        // one click, recorded
        let done = after(&anna, 220);
        assert!(acknowledge(db, &done, id).await.unwrap());
        assert!(!acknowledge(db, &Actor { now: done.now.clone(), ..cleo.clone() }, id).await.unwrap());
        let steps: Vec<String> = steps(db, &cleo, id)
            .await
            .unwrap()
            .into_iter()
            .map(|s| format!("{} {}", s.what, s.who))
            .collect();
        let wanted = ["reminded cleo", "escalated anna", "escalated lara", "exhausted ", "acknowledged anna"];
        assert_eq!(steps, wanted);
        let trail = change::events(db, &anna, "notification/", None, 100).await.unwrap();
        let trail: Vec<&str> = trail.iter().rev().map(|e| e.action.as_str()).collect();
        assert_eq!(trail, ["notify.remind", "notify.escalate", "notify.escalate", "notify.acknowledge"]);
    });
}

#[test]
fn what_is_muted_or_held_back_is_so_and_digests_join_it() {
    each(async |db| {
        let anna = anna(db).await;
        let dir = tempfile::tempdir().unwrap();
        mail(db, &anna, &Vault::new(dir.path())).await;
        let ada = join(db, &anna, "ada", Role::Administrator, None).await;
        let mine = Rule {
            person: ada.person.unwrap(),
            name: "Mine".to_owned(),
            enabled: true,
            topics: vec![Topic::FeedBroken],
            channels: vec![INBOX, MAIL],
            digest: Digest::Hourly,
            hour: 8,
            weekday: 1,
            ..Rule::default()
        };
        set_rule(db, &ada, &mine).await.unwrap();
        for (n, source) in ["NVD", "OSV"].into_iter().enumerate() {
            let actor = after(&anna, n as i64 * 2);
            let change = Change::begin(db, &actor).await.unwrap();
            outbox::feed(&change, source, Some("broken")).await.unwrap();
            change.commit().await.unwrap();
            dispatch(db, &system(&after(&actor, 1))).await.unwrap();
        }
        assert_eq!(release(db, &system(&after(&anna, 4))).await.unwrap(), 0, "the hour is not over");
        assert_eq!(release(db, &system(&after(&anna, 65))).await.unwrap(), 1);
        let asked = parse("channel:mail", &delivery_schema()).unwrap();
        let log = deliveries(db, &anna, &asked, None, 100).await.unwrap().rows;
        let states: Vec<&str> = log.iter().map(|d| d.state.as_str()).collect();
        assert_eq!(states, ["waiting", "merged", "merged"]);
        assert_eq!(log[0].title, "2 notifications");
        let quiet = Habits { muted: vec![Topic::FeedBroken], ..Habits::default() };
        set_habits(db, &ada, &quiet).await.unwrap();
        let before = told(db, &ada).await.len();
        let change = Change::begin(db, &anna).await.unwrap();
        outbox::feed(&change, "KEV", Some("broken")).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(dispatch(db, &system(&after(&anna, 70))).await.unwrap(), 0);
        assert_eq!(told(db, &ada).await.len(), before);
    });
}

#[test]
fn of_what_is_under_embargo_nothing_leaves_but_that_there_is_something() {
    each(async |db| {
        let anna = anna(db).await;
        let dir = tempfile::tempdir().unwrap();
        let channel = mail(db, &anna, &Vault::new(dir.path())).await;
        let change = Change::begin(db, &anna).await.unwrap();
        let words = ("Pump 3 can be stopped by radio", "told by a finder");
        outbox::matter(&change, Topic::ReportEmbargo, "report/1".to_owned(), 0, words).await.unwrap();
        change.commit().await.unwrap();
        dispatch(db, &system(&after(&anna, 1))).await.unwrap();
        let list = told(db, &anna).await;
        let sending = Sending { message: list[0].message.id, channel };
        let out = outgoing(db, &system(&anna), &sending).await.unwrap();
        assert_eq!(out.to.len(), 1);
        let text = serde_json::to_string(&out.message).unwrap();
        assert!(!text.contains("radio") && !text.contains("Pump") && !text.contains("report/1"), "{text}");
        assert_eq!(out.message.title, "Something under embargo needs attention");
    });
}

#[test]
fn what_time_brings_is_told_once() {
    each(async |db| {
        let anna = anna(db).await;
        let ada = join(db, &anna, "ada", Role::Administrator, None).await;
        flawed(db, &anna, 1).await;
        dispatch(db, &system(&after(&anna, 1))).await.unwrap();
        let now = after(&anna, 2);
        let day = clock::minutes_after(&now.now, 3 * 24 * 60)[..10].to_owned();
        sql::run(db, "due", "UPDATE finding SET due = $1", vec![day.into()]).await.unwrap();
        let job = "INSERT INTO job (kind, workspace, payload, state, due, actor, created, ended, title, error) \
                   VALUES ('sbom', $1, '{}', 'failed', $2, 'x', $2, $2, 'Read pump', 'it is no SBOM')";
        let values = vec![anna.workspace.into(), now.now.clone().into()];
        sql::run(db, "a dead letter", job, values).await.unwrap();
        for _ in 0..2 {
            derive(db, &system(&now)).await.unwrap();
        }
        dispatch(db, &system(&after(&now, 1))).await.unwrap();
        derive(db, &system(&after(&now, 2))).await.unwrap();
        assert_eq!(dispatch(db, &system(&after(&now, 3))).await.unwrap(), 0);
        let titles: Vec<String> = told(db, &ada).await.into_iter().map(|t| t.message.title).collect();
        assert_eq!(titles, ["A job was given up: Read pump"]);
        let titles: Vec<String> = told(db, &anna).await.into_iter().map(|t| t.message.title).collect();
        assert_eq!(titles[0], "1 finding due or overdue in Pump 3 (1 critical)");
        assert_eq!(titles.len(), 2);
    });
}

#[test]
fn a_secret_is_sealed_and_told_to_nobody() {
    each(async |db| {
        let anna = anna(db).await;
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        let id = mail(db, &anna, &vault).await;
        let c = channel(db, &anna, id).await.unwrap();
        assert_eq!(secret_of(&vault, anna.workspace, &c).unwrap()["password"], "hunter2hunter2");
        assert_eq!(c.secrets, ["password"]);
        let trail = serde_json::to_string(&change::events(db, &anna, "", None, 100).await.unwrap()).unwrap();
        let text = format!("{}{trail}", serde_json::to_string(&c).unwrap());
        assert!(!text.contains("hunter2"), "{text}");
        // a change without the secret keeps it
        let settings = c.settings.clone();
        let new = NewChannel {
            kind: c.kind,
            name: "Post".to_owned(),
            settings,
            enabled: true,
            ..NewChannel::default()
        };
        set_channel(db, &anna, (&vault, random), id, &new).await.unwrap();
        let c = channel(db, &anna, id).await.unwrap();
        assert_eq!(secret_of(&vault, anna.workspace, &c).unwrap()["password"], "hunter2hunter2");
        for (name, value) in [("security", "magic"), ("port", "many"), ("from", "nobody"), ("spare", "x")] {
            let mut wrong = new.clone();
            wrong.settings.insert(name.to_owned(), value.to_owned());
            let e = set_channel(db, &anna, (&vault, random), id, &wrong).await.unwrap_err();
            assert!(matches!(&e, Error::Rejected { field, .. } if field == name), "{e}");
        }
        let legal = Actor { grants: vec![Grant { role: Role::Legal, line: None }], ..anna.clone() };
        assert!(drop_channel(db, &legal, id).await.is_err());
    });
}

#[test]
fn who_follows_a_link_of_a_channel_sees_what_their_rights_show_them() {
    let actor = |role, line| Actor {
        person: Some(1),
        grants: vec![Grant { role, line }],
        ..Actor::system(1, "2026-01-01T00:00:00.000Z")
    };
    let item = |topic: Topic| Body {
        items: vec![Item { topic: topic.name().to_owned(), ..Item::default() }],
        ..Body::default()
    };
    let group = Body {
        groups: vec![Group { topic: "finding-new".to_owned(), line: 7, ..Group::default() }],
        ..Body::default()
    };
    let sees = dispatch::may_see;
    assert!(sees(&actor(Role::Manager, None), &item(Topic::StoryRelevant)));
    assert!(!sees(&actor(Role::Legal, None), &item(Topic::StoryRelevant)), "the desk is not theirs");
    assert!(!sees(&actor(Role::Legal, None), &item(Topic::JobDead)), "nor are jobs");
    assert!(sees(&actor(Role::Legal, None), &group) && sees(&actor(Role::Contact, Some(7)), &group));
    assert!(!sees(&actor(Role::Contact, Some(8)), &group), "another line");
}

//! Decisions from proposal to end, on each backend.

use sea_orm::DatabaseConnection;

use super::*;
use crate::Error;
use crate::inventory::tests::{anna, index, osv, pump, read, sbom};
use crate::inventory::upload;
use crate::platform::access::{Actor, Grant, Role};
use crate::platform::sql;
use crate::platform::testing::each;

fn decision(status: &str, reach: Reach) -> Decision {
    Decision {
        status: status.to_owned(),
        justification: String::new(),
        response: String::new(),
        detail: "we looked".to_owned(),
        reach,
        expires: None,
    }
}

fn berta(actor: &Actor) -> Actor {
    Actor { person: Some(77), name: "person:berta".to_owned(), ..actor.clone() }
}

fn at(actor: &Actor, now: &str) -> Actor {
    Actor { now: now.to_owned(), ..actor.clone() }
}

async fn put(db: &DatabaseConnection, actor: &Actor, finding: i64, d: &Decision) -> u64 {
    let mut change = Change::begin(db, actor).await.unwrap();
    let n = decide(&mut change, finding, d).await.unwrap();
    change.commit().await.unwrap();
    n
}

/// The open finding of a component in a release.
async fn of(db: &DatabaseConnection, actor: &Actor, release: i64, component: &str) -> Finding {
    let filter = Filter { release: Some(release), ..Filter::default() };
    let list = findings(db, actor, &filter, None, 100).await.unwrap().findings;
    list.into_iter().find(|f| f.component_name == component).unwrap()
}

async fn story(db: &DatabaseConnection, actor: &Actor, finding: i64) -> Vec<String> {
    let list = history(db, actor, finding).await.unwrap();
    list.into_iter().rev().map(|s| format!("{}: {}", s.what, s.detail)).collect()
}

async fn ask_for_approval(db: &DatabaseConnection) {
    let update = "UPDATE workspace SET settings = '{\"approval\":true}'";
    sql::run(db, "asking for approval", update, vec![]).await.unwrap();
}

#[test]
fn a_second_person_approves_and_an_edit_withdraws_it() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0")]), &ix)).await.unwrap();
        let f = of(db, &actor, release, "left").await;
        ask_for_approval(db).await;
        assert_eq!(put(db, &actor, f.id, &decision("not_affected", Reach::Product)).await, 1);
        let f = of(db, &actor, release, "left").await;
        assert_eq!((f.status.as_str(), f.decision), ("under_investigation", None));
        let id = f.proposal.unwrap();
        let berta = berta(&actor);
        assert_eq!(waiting(db, &actor).await.unwrap(), 0, "one's own waits for another");
        assert_eq!(waiting(db, &berta).await.unwrap(), 1);

        let mut change = Change::begin(db, &actor).await.unwrap();
        let own = approve(&mut change, id, "").await.unwrap_err();
        assert!(matches!(own, Error::Conflict(_)), "{own}");
        drop(change);
        let key = Actor { person: None, name: "key:ci".to_owned(), ..actor.clone() };
        let mut change = Change::begin(db, &key).await.unwrap();
        assert!(approve(&mut change, id, "").await.is_err(), "a key is no person");
        drop(change);

        let mut change = Change::begin(db, &berta).await.unwrap();
        assert_eq!(approve(&mut change, id, "seen").await.unwrap(), 1);
        change.commit().await.unwrap();
        let f = of(db, &actor, release, "left").await;
        assert_eq!((f.status.as_str(), f.decision, f.proposal), ("not_affected", Some(id), None));
        let kept = super::decision(db, &actor, id).await.unwrap();
        assert_eq!(
            (kept.approver.as_str(), kept.remark.as_str(), kept.waits),
            ("person:berta", "seen", false)
        );
        let mut change = Change::begin(db, &berta).await.unwrap();
        assert!(approve(&mut change, id, "").await.is_err(), "it does not wait any more");
        drop(change);

        // an edit of the very decision withdraws the approval
        let edited =
            Decision { detail: "other words".to_owned(), ..decision("not_affected", Reach::Product) };
        put(db, &berta, f.id, &edited).await;
        let f = of(db, &actor, release, "left").await;
        assert_eq!((f.status.as_str(), f.decision), ("under_investigation", None));
        let second = f.proposal.unwrap();
        let mut change = Change::begin(db, &berta).await.unwrap();
        assert!(approve(&mut change, second, "").await.is_err(), "who edited proposed it");
        drop(change);
        let mut change = Change::begin(db, &actor).await.unwrap();
        reject(&mut change, second, "no").await.unwrap();
        change.commit().await.unwrap();
        let f = of(db, &actor, release, "left").await;
        assert_eq!((f.status.as_str(), f.proposal), ("under_investigation", None));
        assert_eq!(
            story(db, &actor, f.id).await,
            [
                "proposed: not_affected · waits for a second person",
                "decided: not_affected · we looked · approved by person:berta",
                "proposed: not_affected · waits for a second person",
                "let-go: ",
                "turned-down: not_affected · no",
            ]
        );
        let ended = Asked { state: Some(State::Ended), ..Asked::default() };
        let endings: Vec<String> =
            decisions(db, &actor, &ended, None, 10).await.unwrap().into_iter().map(|d| d.ending).collect();
        assert_eq!(endings, ["rejected", "replaced"]);
    });
}

#[test]
fn a_decision_is_carried_as_far_as_its_reason_reaches() {
    each(async |db| {
        let actor = anna(db).await;
        let (one, two) = (pump(db, &actor, "1.0").await, pump(db, &actor, "1.1").await);
        let ix = index(&[
            &osv("CVE-2025-1", "left", "2.0.0"),
            &osv("CVE-2025-2", "right", "3.0.0"),
            &osv("CVE-2025-3", "up", "3.0.0"),
        ]);
        let all = [("left", "1.0.0"), ("right", "1.0.0"), ("up", "1.0.0")];
        upload(db, &actor, one, &read(sbom(&all), &ix)).await.unwrap();
        put(db, &actor, of(db, &actor, one, "left").await.id, &decision("not_affected", Reach::Product))
            .await;
        put(db, &actor, of(db, &actor, one, "right").await.id, &decision("false_positive", Reach::Product))
            .await;
        put(db, &actor, of(db, &actor, one, "up").await.id, &decision("affected", Reach::Finding)).await;

        // the same things in a document that tells more of them
        let mut richer: serde_json::Value = serde_json::from_slice(&sbom(&all)).unwrap();
        for c in richer["components"].as_array_mut().unwrap() {
            c["supplier"] = serde_json::json!({"name": "somebody"});
        }
        upload(db, &actor, one, &read(serde_json::to_vec(&richer).unwrap(), &ix)).await.unwrap();
        for (component, status) in [("left", "not_affected"), ("right", "false_positive"), ("up", "affected")]
        {
            let f = of(db, &actor, one, component).await;
            assert_eq!((f.status.as_str(), f.lapsed.as_str()), (status, ""), "{component}");
        }

        // other versions: a wrong match stays one, a decision about risk lapses and says so
        let newer = [("left", "1.5.0"), ("right", "1.5.0"), ("up", "1.5.0")];
        upload(db, &actor, two, &read(sbom(&newer), &ix)).await.unwrap();
        let left = of(db, &actor, two, "left").await;
        assert_eq!(left.status, "under_investigation");
        assert_eq!(left.lapsed, "the version is 1.5.0 now; when it was decided, it was 1.0.0");
        assert_eq!(story(db, &actor, left.id).await, [format!("lapsed: not_affected · {}", left.lapsed)]);
        assert_eq!(of(db, &actor, two, "right").await.status, "false_positive");
        let up = of(db, &actor, two, "up").await;
        assert_eq!(
            (up.status.as_str(), up.lapsed.as_str()),
            ("under_investigation", ""),
            "it was for 1.0 alone"
        );
        // matched again, it says nothing new
        upload(db, &actor, two, &read(sbom(&newer), &ix)).await.unwrap();
        assert_eq!(story(db, &actor, left.id).await.len(), 1);
        // a new decision takes the mark away
        put(db, &actor, left.id, &decision("fixed", Reach::Finding)).await;
        assert_eq!(of(db, &actor, two, "left").await.lapsed, "");

        // until it is withdrawn
        let wrong = of(db, &actor, two, "right").await.decision.unwrap();
        let mut change = Change::begin(db, &actor).await.unwrap();
        withdraw_decision(&mut change, wrong).await.unwrap();
        change.commit().await.unwrap();
        for release in [one, two] {
            assert_eq!(of(db, &actor, release, "right").await.status, "under_investigation");
        }
    });
}

#[test]
fn a_decision_about_risk_lapses_with_severity_and_exploitation() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let before = osv("CVE-2025-1", "left", "2.0.0");
        let milder = before.replace("/C:H/I:H/A:H", "/C:L/I:N/A:N");
        let bytes = sbom(&[("left", "1.0.0")]);
        upload(db, &actor, release, &read(bytes.clone(), &index(&[&milder]))).await.unwrap();
        let id = of(db, &actor, release, "left").await.id;
        for (status, lapses) in [("affected", true), ("not_affected", true), ("false_positive", false)] {
            upload(db, &actor, release, &read(bytes.clone(), &index(&[&milder]))).await.unwrap();
            put(db, &actor, id, &decision(status, Reach::Release)).await;
            upload(db, &actor, release, &read(bytes.clone(), &index(&[&before]))).await.unwrap();
            let f = of(db, &actor, release, "left").await;
            assert_eq!(f.status == "under_investigation", lapses, "{status}");
            let why = "the severity is critical now; when it was decided, it was medium";
            assert_eq!(f.lapsed, if lapses { why } else { "" }, "{status}");
        }
        put(db, &actor, id, &decision("affected", Reach::Component)).await;
        sql::run(db, "telling of an exploit", "UPDATE finding SET exploits = 1, print = ''", vec![])
            .await
            .unwrap();
        let change = Change::begin(db, &actor).await.unwrap();
        carry::follow(&change, &[release]).await.unwrap();
        change.commit().await.unwrap();
        let f = of(db, &actor, release, "left").await;
        assert_eq!(
            f.lapsed,
            "the flaw has public exploits now; when it was decided, it was one that is not known to be exploited"
        );
    });
}

#[test]
fn a_decision_ends_on_its_day_and_a_farther_one_takes_over() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "2.0.0")]);
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0"), ("right", "1.0.0")]), &ix))
            .await
            .unwrap();
        let (left, right) =
            (of(db, &actor, release, "left").await.id, of(db, &actor, release, "right").await.id);
        put(db, &actor, left, &decision("affected", Reach::Component)).await;
        let short =
            |status| Decision { expires: Some("2026-03-01".to_owned()), ..decision(status, Reach::Finding) };
        put(db, &actor, left, &short("not_affected")).await;
        put(db, &actor, right, &short("not_affected")).await;
        for day in ["2026-01-01", "2025-01-01", "soon"] {
            let past = Decision { expires: Some(day.to_owned()), ..decision("affected", Reach::Finding) };
            let mut change = Change::begin(db, &actor).await.unwrap();
            assert!(matches!(decide(&mut change, left, &past).await, Err(Error::Rejected { .. })), "{day}");
        }
        for (now, ended) in [
            ("2026-02-28T23:59:59.000Z", 0),
            ("2026-03-01T00:00:00.000Z", 2),
            ("2026-03-02T00:00:00.000Z", 0),
        ] {
            let actor = at(&actor, now);
            let mut change = Change::begin(db, &actor).await.unwrap();
            assert_eq!(expire(&mut change).await.unwrap(), ended, "{now}");
            change.commit().await.unwrap();
        }
        let (l, r) = (of(db, &actor, release, "left").await, of(db, &actor, release, "right").await);
        assert_eq!((l.status.as_str(), l.lapsed.as_str()), ("affected", ""));
        assert_eq!(
            (r.status.as_str(), r.lapsed.as_str()),
            ("under_investigation", "the decision ended on its day")
        );
        let open = crate::inventory::release_of(db, &actor, release).await.unwrap().open;
        assert_eq!(open, [2, 0, 0, 0, 0]);
    });
}

#[test]
fn many_are_decided_at_once_and_similar_ones_are_shown() {
    each(async |db| {
        let actor = anna(db).await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "left", "2.0.0")]);
        let mut ids = Vec::new();
        for version in ["1.0", "1.1", "1.2"] {
            let release = pump(db, &actor, version).await;
            upload(db, &actor, release, &read(sbom(&[("left", "1.0.0")]), &ix)).await.unwrap();
        }
        let all = findings(db, &actor, &Filter::default(), None, 100).await.unwrap().findings;
        ids.extend(all.iter().map(|f| f.id));
        assert_eq!(ids.len(), 6);
        let mut change = Change::begin(db, &actor).await.unwrap();
        // two findings of one product are decided on: its third release is reached as well
        let some: Vec<i64> = all.iter().filter(|f| f.release_version != "1.2").map(|f| f.id).collect();
        assert_eq!(decide_all(&mut change, &some, &decision("affected", Reach::Product)).await.unwrap(), 6);
        change.commit().await.unwrap();
        let standing = Asked { state: Some(State::Standing), ..Asked::default() };
        let list = decisions(db, &actor, &standing, None, 100).await.unwrap();
        assert_eq!(list.iter().map(|d| d.findings).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(list[0].place(), "every release of Pump 3");
        assert_eq!(reached(db, &actor, list[0].id, 10).await.unwrap().len(), 3);
        let page = decisions(db, &actor, &standing, Some(list[0].id), 100).await.unwrap();
        assert_eq!(page.len(), 1);
        let text = Asked { text: "pump 3".to_owned(), ..Asked::default() };
        assert_eq!(decisions(db, &actor, &text, None, 100).await.unwrap().len(), 2);

        let like = similar(db, &actor, ids[0], 10).await.unwrap();
        assert_eq!(like.iter().map(|l| (l.times, l.same_vulnerability)).collect::<Vec<_>>(), [(1, false)]);

        // another line sees nothing of it
        let other = Actor { grants: vec![Grant { role: Role::Contact, line: Some(99) }], ..actor.clone() };
        assert!(decisions(db, &other, &Asked::default(), None, 10).await.unwrap().is_empty());
        assert!(matches!(super::decision(db, &other, list[0].id).await, Err(Error::NotFound(_))));
        let mut change = Change::begin(db, &other).await.unwrap();
        assert!(withdraw_decision(&mut change, list[0].id).await.is_err());
        assert!(decide(&mut change, ids[0], &decision("affected", Reach::Finding)).await.is_err());
    });
}

#[test]
fn a_component_that_came_later_is_not_what_a_release_was_decided_on() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let both = osv("CVE-2025-1", "left", "2.0.0").replace(
            "}]}]}]}",
            "}]}]},{\"package\":{\"ecosystem\":\"npm\",\"name\":\"leftish\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":\
             [{\"introduced\":\"0\"}]}]}]}",
        );
        let ix = index(&[&both]);
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0")]), &ix)).await.unwrap();
        put(db, &actor, of(db, &actor, release, "left").await.id, &decision("not_affected", Reach::Release))
            .await;
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0"), ("leftish", "1.0.0")]), &ix))
            .await
            .unwrap();
        assert_eq!(of(db, &actor, release, "left").await.status, "not_affected");
        let came = of(db, &actor, release, "leftish").await;
        assert_eq!(came.status, "under_investigation");
        assert_eq!(came.lapsed, "the component came after the release was decided on");
    });
}

#[test]
fn findings_have_an_owner_and_a_due_date() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "2.0.0")]);
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0"), ("right", "1.0.0")]), &ix))
            .await
            .unwrap();
        let (left, right) =
            (of(db, &actor, release, "left").await.id, of(db, &actor, release, "right").await.id);
        let people = owners(db, &actor).await.unwrap();
        assert_eq!(people, [(actor.person.unwrap(), "Anna Berg".to_owned())]);
        let give = Ownership { owner: Some(actor.person), due: Some(Some("2026-05-01".to_owned())) };
        for (o, n) in [(&give, 2), (&give, 0), (&Ownership { owner: Some(None), due: None }, 2)] {
            let mut change = Change::begin(db, &actor).await.unwrap();
            assert_eq!(own(&mut change, &[left, right, left], o).await.unwrap(), n);
            change.commit().await.unwrap();
            let f = of(db, &actor, release, "left").await;
            assert_eq!(f.due.as_deref(), Some("2026-05-01"));
        }
        assert_eq!(of(db, &actor, release, "left").await.owner_name, "");
        assert_eq!(
            story(db, &actor, left).await,
            ["owned: owner Anna Berg · due 2026-05-01", "owned: no owner"]
        );
        for bad in [
            Ownership { owner: Some(Some(4711)), due: None },
            Ownership { owner: None, due: Some(Some("May".to_owned())) },
        ] {
            let mut change = Change::begin(db, &actor).await.unwrap();
            assert!(matches!(own(&mut change, &[left], &bad).await, Err(Error::Rejected { .. })));
        }
    });
}

async fn take(db: &DatabaseConnection, actor: &Actor, place: Place, text: &str) -> Imported {
    let document =
        tocsin_formats::vex::read(text.as_bytes(), &tocsin_formats::input::ReadOptions::default()).unwrap();
    let mut change = Change::begin(db, actor).await.unwrap();
    let done = import(&mut change, place, "said.json", text.as_bytes(), &document, None).await.unwrap();
    change.commit().await.unwrap();
    done
}

fn openvex(statements: serde_json::Value) -> String {
    serde_json::json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1",
        "author": "Example", "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": statements})
    .to_string()
}

#[test]
fn a_vex_document_decides_what_it_names_and_says_why_not() {
    each(async |db| {
        let actor = anna(db).await;
        let (one, two) = (pump(db, &actor, "1.0").await, pump(db, &actor, "1.1").await);
        let both = osv("CVE-2025-1", "left", "2.0.0").replace(
            "}]}]}]}",
            "}]}]},{\"package\":{\"ecosystem\":\"npm\",\"name\":\"right\"},\"ranges\":[{\"type\":\
             \"SEMVER\",\"events\":[{\"introduced\":\"0\"}]}]}]}",
        );
        let ix = index(&[&both, &osv("CVE-2025-2", "up", "2.0.0")]);
        let all = [("left", "1.0.0"), ("right", "1.0.0"), ("up", "1.0.0")];
        for release in [one, two] {
            upload(db, &actor, release, &read(sbom(&all), &ix)).await.unwrap();
        }
        let said = |component: &str, justification: &str| {
            serde_json::json!({"vulnerability": {"name": "CVE-2025-1"}, "products": [{"@id": component}],
                "status": "not_affected", "justification": justification})
        };
        let text = openvex(serde_json::json!([
            said("pkg:npm/left@1.0.0", "vulnerable_code_not_present"),
            said("pkg:npm/left@9.9.9", "vulnerable_code_not_present"),
            said("pkg:generic/Pump%203@7.0", "vulnerable_code_not_present"),
            {"vulnerability": {"name": "CVE-2025-1"}, "products": [{"@id": "pkg:npm/right"}], "status": "not_affected"},
            {"vulnerability": {"name": "CVE-2099-1"}, "products": [{"@id": "pkg:npm/left"}], "status": "fixed"},
            {"vulnerability": {"name": "CVE-2025-2"}, "status": "affected", "action_statement": "update",
             "products": [{"@id": "pkg:generic/Pump%203@1.0", "subcomponents": [{"@id": "pkg:npm/up"}]}]}
        ]));
        let done = take(db, &actor, Place::Release(one), &text).await;
        assert_eq!((done.statements, done.applied, done.findings), (6, 2, 2));
        let why: Vec<&str> = done.outcomes.iter().map(|o| o.skipped.as_str()).collect();
        assert_eq!(
            why,
            [
                "",
                "it does not name what has CVE-2025-1 here: left 1.0.0, right 1.0.0",
                "it does not name what has CVE-2025-1 here: left 1.0.0, right 1.0.0",
                "it says not affected without a justification or an impact statement, which VEX asks for",
                "there is no finding of CVE-2099-1 here",
                "",
            ]
        );
        assert_eq!(of(db, &actor, one, "left").await.justification, "vulnerable_code_not_present");
        for (release, component, status) in [
            (one, "right", "under_investigation"),
            (one, "up", "affected"),
            (two, "left", "under_investigation"),
            (two, "up", "under_investigation"),
        ] {
            assert_eq!(of(db, &actor, release, component).await.status, status, "{component}");
        }
        // once more, nothing changes
        let again = take(db, &actor, Place::Release(one), &text).await;
        assert_eq!((again.applied, again.findings, again.outcomes[0].unchanged), (2, 0, 1));
        // the product's releases, of which the statement names one
        let product = crate::inventory::release_of(db, &actor, one).await.unwrap().product;
        let done = take(db, &actor, Place::Product(product), &text).await;
        assert_eq!((done.applied, done.findings), (2, 1), "{:?}", done.outcomes);
        assert_eq!(of(db, &actor, two, "left").await.status, "not_affected");
        assert_eq!(of(db, &actor, two, "up").await.status, "under_investigation");
        // of two statements about one finding the last counts
        let twice = openvex(serde_json::json!([
            said("pkg:npm/right", "vulnerable_code_not_present"),
            said("pkg:npm/right", "component_not_present"),
        ]));
        let done = take(db, &actor, Place::Workspace, &twice).await;
        assert_eq!(
            (done.outcomes[0].skipped.as_str(), done.findings),
            ("a later statement decides the same", 2)
        );
        assert_eq!(of(db, &actor, two, "right").await.justification, "component_not_present");

        let kept = vex_imports(db, &actor, None, None, 10).await.unwrap();
        assert_eq!(kept.len(), 4);
        assert_eq!(vex_import(db, &actor, kept[3].id).await.unwrap().outcomes.len(), 6);
        let decided =
            super::decision(db, &actor, of(db, &actor, two, "right").await.decision.unwrap()).await.unwrap();
        assert_eq!((decided.source.as_str(), decided.vex), ("vex", Some(kept[0].id)));
        let other = Actor { grants: vec![Grant { role: Role::Contact, line: Some(99) }], ..actor.clone() };
        assert!(matches!(vex_import(db, &other, kept[3].id).await, Err(Error::NotFound(_))));
    });
}

#[test]
fn what_is_exported_is_read_back_as_it_was() {
    use tocsin_formats::vex::{Format, write};
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let names = ["a", "b", "c", "d", "e"];
        let records: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(n, name)| osv(&format!("CVE-2025-000{n}"), name, "2.0.0"))
            .collect();
        let ix = index(&records.iter().map(String::as_str).collect::<Vec<_>>());
        let mut bom: serde_json::Value = serde_json::from_slice(&sbom(&names.map(|n| (n, "1.0.0")))).unwrap();
        bom["serialNumber"] = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79".into();
        upload(db, &actor, release, &read(serde_json::to_vec(&bom).unwrap(), &ix)).await.unwrap();
        let d = |status: &str, justification: &str, response: &str| Decision {
            justification: justification.to_owned(),
            response: response.to_owned(),
            ..decision(status, Reach::Finding)
        };
        let said = [
            ("a", d("not_affected", "vulnerable_code_not_in_execute_path", "")),
            ("b", d("affected", "", "will_not_fix")),
            ("c", d("fixed", "", "")),
            ("d", d("false_positive", "", "")),
        ];
        for (name, d) in &said {
            put(db, &actor, of(db, &actor, release, name).await.id, d).await;
        }
        let filter = Filter { release: Some(release), ..Filter::default() };
        let list = findings(db, &actor, &filter, None, 100).await.unwrap().findings;
        let made = export(db, &actor, "Pump 3 1.0", &list, "test").await.unwrap();
        assert_eq!(made.id, "vex-pump-3-1.0-20260101t000000z");
        for format in [Format::OpenVex, Format::Csaf, Format::CycloneDx] {
            for f in &list {
                if let Some(id) = of(db, &actor, release, &f.component_name).await.decision {
                    let mut change = Change::begin(db, &actor).await.unwrap();
                    withdraw_decision(&mut change, id).await.unwrap();
                    change.commit().await.unwrap();
                }
            }
            let text = String::from_utf8(write(format, &made)).unwrap();
            let done = take(db, &actor, Place::Release(release), &text).await;
            let skipped: Vec<&str> = done.outcomes.iter().map(|o| o.skipped.as_str()).collect();
            assert!(skipped.iter().all(|s| s.is_empty()), "{format:?} {skipped:?}");
            for (name, d) in &said {
                let f = of(db, &actor, release, name).await;
                assert_eq!((&f.status, &f.justification), (&d.status, &d.justification), "{format:?} {name}");
                let kept = super::decision(db, &actor, f.decision.unwrap()).await.unwrap();
                if matches!(d.status.as_str(), "affected" | "not_affected" | "false_positive") {
                    assert_eq!(kept.detail, d.detail, "{format:?} {name}");
                }
                if format != Format::OpenVex {
                    assert_eq!(kept.response, d.response, "{format:?} {name}");
                }
            }
            assert_eq!(of(db, &actor, release, "e").await.status, "under_investigation");
        }
    });
}

//! Early warnings: matched as anything else, seen in their workspace alone, and merged with all that was decided.

use serde_json::{Value, json};
use tocsin_formats::intel::{RawKind, parse};

use super::*;
use crate::detection::{self, Decision, Merged, Ownership, Reach};
use crate::platform::testing::each;
use crate::warnings::{self, NewWarning};

fn component(name: &str, version: &str, purl: bool) -> Value {
    let mut c = json!({"type": "library", "bom-ref": name, "name": name, "version": version});
    if purl {
        c["purl"] = format!("pkg:npm/{name}@{version}").into();
    }
    c
}

fn pump() -> Value {
    json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [component("libpump", "1.2.0", true),
        component("acme-rtos", "4.1", false), component("left", "1.0.0", true)]})
}

fn osv(id: &str, name: &str, fixed: &str) -> Group {
    let record = json!({"id": id, "modified": "2026-02-01T00:00:00Z", "summary": "known flaw", "affected": [{"package":
        {"ecosystem": "npm", "name": name}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"},
        {"fixed": fixed}]}]}]});
    let (records, _) = parse(RawKind::Osv, record.to_string().as_bytes()).unwrap();
    Group { id: id.to_owned(), aliases: Vec::new(), records }
}

async fn bring(db: &DatabaseConnection, opened: &Arc<Opened>) -> Done {
    let reader: Read = Arc::new(read);
    let refused = |name: &str, e: &crate::Error| panic!("{name}: {e}");
    let means = Means { now: &|| NOW.to_owned(), read: reader, refused: &refused, progress: &|_, _| {} };
    detection::bring_warnings(db, Some(opened), &means).await.unwrap()
}

/// Vulnerability, component, confidence, severity, whether it is open or why not, of each finding of a workspace.
async fn found(db: &DatabaseConnection, workspace: i64) -> Vec<String> {
    let select = "SELECT f.vulnerability, c.name, f.confidence, f.severity, COALESCE(f.closed, ''), f.reason FROM finding f \
                  JOIN component c ON c.id = f.component WHERE f.workspace = $1 ORDER BY f.vulnerability, c.name";
    let rows: Vec<(String, String, i64, i64, String, String)> =
        sql::rows(db, "asking", select, vec![workspace.into()]).await.unwrap();
    let line = |(v, c, confidence, severity, closed, reason): (String, String, i64, i64, String, String)| {
        let state = if closed.is_empty() { "open".to_owned() } else { reason };
        format!("{v} {c} {confidence} {severity} {state}")
    };
    rows.into_iter().map(line).collect()
}

fn warning(title: &str, affected: &str) -> NewWarning {
    NewWarning {
        title: title.to_owned(),
        purl: "pkg:npm/libpump".to_owned(),
        affected: affected.to_owned(),
        told: "before 1.4.2".to_owned(),
        severity: "high".to_owned(),
        tlp: "RED".to_owned(),
        ..NewWarning::default()
    }
}

/// A second workspace with the same inventory.
async fn other(db: &DatabaseConnection, opened: &Arc<Opened>) -> Actor {
    let insert = "INSERT INTO workspace (slug, name, settings, created) VALUES ('other', 'Other', '{}', '') RETURNING id";
    let row: Option<(i64,)> = sql::row(db, "making", insert, vec![]).await.unwrap();
    let actor = Actor::system(row.unwrap().0, NOW);
    let r = release(db, &actor, "1.0").await;
    upload(db, &actor, r, &pump(), opened).await;
    actor
}

#[test]
fn a_warning_is_matched_in_its_workspace_alone() {
    each(async |db| {
        let actor = actor(db).await;
        let nothing = Intelligence::default();
        let opened = nothing.publish(db, None).await;
        let r = release(db, &actor, "1.0").await;
        upload(db, &actor, r, &pump(), &opened).await;
        let other = other(db, &opened).await;
        let name = warnings::create(db, &actor, &warning("Pump stops", "< 1.4.2")).await.unwrap();
        assert_eq!(name, "TOCSIN-2026-0001");
        let done = bring(db, &opened).await;
        assert_eq!((done.new, done.closed), (1, 0));
        assert_eq!(found(db, actor.workspace).await, ["TOCSIN-2026-0001 libpump 2 4 open"]);
        let (f, evidence) = detection::finding(db, &actor, 1).await.unwrap();
        // documents for others do not speak of it
        let said = detection::export(db, &actor, "Pump 1.0", std::slice::from_ref(&f), "test").await;
        assert!(matches!(said, Err(crate::Error::Rejected { .. })), "{said:?}");
        let told = inventory::export(db, &actor, r, "test", true).await.unwrap();
        assert!(told.vulnerabilities.is_empty() && told.advisories.is_empty());
        assert_eq!((f.title.as_str(), f.fixed.as_str()), ("Pump stops", "1.4.2"));
        let e = &evidence[0];
        assert_eq!(
            (e.source.as_str(), e.record.as_str(), e.range.as_str()),
            ("tocsin", name.as_str(), "<1.4.2")
        );
        assert_eq!(e.reason, "before 1.4.2");
        // a message about it leaves without detail
        let select = "SELECT COUNT(*) FROM outbox WHERE topic = 'finding-new' AND embargo = 1";
        let row: Option<(i64,)> = sql::row(db, "asking", select, vec![]).await.unwrap();
        assert_eq!(row.unwrap().0, 1);
        // the other workspace has the component and meets nothing of it
        assert!(found(db, other.workspace).await.is_empty());
        assert!(warnings::shown(db, &other, &name).await.is_err());
        assert!(warnings::find(db, &other, Some(&opened), &name).await.unwrap().is_none());
        let query = tocsin_model::query::parse("", &warnings::warning_schema()).unwrap();
        let list =
            async |a: &Actor| warnings::warning_list(db, a, &query, None, 10).await.unwrap().rows.len();
        assert_eq!((list(&actor).await, list(&other).await), (1, 0));
        assert!(warnings::edit(db, &other, &name, 0, &warning("x", "")).await.is_err());
        assert!(detection::merge_warning(db, &other, &name, 0, "CVE-2026-1234").await.is_err());
        assert!(warnings::find(db, &actor, Some(&opened), &name).await.unwrap().is_some());
        // nor by a search, nor by the list of vulnerabilities
        let hits = async |a: &Actor| crate::search::search(db, a, &name, 5).await.unwrap().len();
        assert_eq!((hits(&actor).await > 0, hits(&other).await), (true, 0));
        // its numbers go on in the year, whoever asks
        let second = warnings::create(db, &other, &warning("Other", "")).await.unwrap();
        assert_eq!(second, "TOCSIN-2026-0002");
        bring(db, &opened).await;
        assert_eq!(found(db, other.workspace).await, ["TOCSIN-2026-0002 libpump 2 4 open"]);
        assert_eq!(found(db, actor.workspace).await.len(), 1);
    });
}

#[test]
fn findings_follow_what_an_analyst_changes() {
    each(async |db| {
        let actor = actor(db).await;
        let mut known = Intelligence::default();
        let opened = known.publish(db, None).await;
        let r = release(db, &actor, "1.0").await;
        upload(db, &actor, r, &pump(), &opened).await;
        let name = warnings::create(db, &actor, &warning("Pump stops", "< 1.1")).await.unwrap();
        let state = async || found(db, actor.workspace).await.join("; ");
        bring(db, &opened).await;
        assert_eq!(state().await, "");
        warnings::edit(db, &actor, &name, 1, &warning("Pump stops", "< 1.4.2")).await.unwrap();
        bring(db, &opened).await;
        assert_eq!(state().await, "TOCSIN-2026-0001 libpump 2 4 open");
        let old = warnings::edit(db, &actor, &name, 1, &warning("Pump stops", "")).await;
        assert!(matches!(old, Err(crate::Error::Conflict(_))));
        // the shared index moves on, and the same document comes again: it stays
        known.groups.push(osv("CVE-2026-7", "left", "2.0.0"));
        let opened = known.publish(db, Some(&opened)).await;
        follow(db, &opened).await;
        upload(db, &actor, r, &pump(), &opened).await;
        assert_eq!(state().await, "CVE-2026-7 left 2 0 open; TOCSIN-2026-0001 libpump 2 4 open");
        // another component is meant after all, known by its name alone: a guess
        let by_name =
            NewWarning { product: "ACME RTOS".to_owned(), purl: String::new(), ..warning("RTOS", "<= 4.1") };
        warnings::edit(db, &actor, &name, 2, &by_name).await.unwrap();
        bring(db, &opened).await;
        assert_eq!(
            state().await,
            "CVE-2026-7 left 2 0 open; TOCSIN-2026-0001 acme-rtos 0 4 open; TOCSIN-2026-0001 libpump 2 4 record-changed"
        );
        warnings::withdraw(db, &actor, &name, 0, "the reporter was mistaken").await.unwrap();
        bring(db, &opened).await;
        assert!(state().await.contains("acme-rtos 0 4 record-withdrawn"), "{}", state().await);
        assert!(matches!(
            warnings::edit(db, &actor, &name, 0, &by_name).await,
            Err(crate::Error::Conflict(_))
        ));
        upload(db, &actor, r, &pump(), &opened).await;
        assert!(!state().await.contains("acme-rtos 0 4 open"));
        let shown = warnings::shown(db, &actor, &name).await.unwrap();
        let told: Vec<&str> = shown.events.iter().map(|e| e.what.as_str()).collect();
        assert_eq!(told, ["made", "changed", "changed", "withdrawn"]);
    });
}

#[test]
fn wrong_words_are_told_of() {
    each(async |db| {
        let actor = actor(db).await;
        let field = async |w: NewWarning| match warnings::create(db, &actor, &w).await {
            Err(crate::Error::Rejected { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let w = || warning("t", "< 1");
        assert_eq!(field(NewWarning { title: " ".to_owned(), ..w() }).await, "title");
        assert_eq!(field(NewWarning { purl: "npm/x".to_owned(), ..w() }).await, "purl");
        assert_eq!(field(NewWarning { purl: String::new(), ..w() }).await, "product");
        assert_eq!(field(NewWarning { cpe: "cpe:2.3:a:*:*:*:*:*:*:*:*:*:*".to_owned(), ..w() }).await, "cpe");
        assert_eq!(field(warning("t", "before 2")).await, "affected");
        assert_eq!(field(NewWarning { severity: "awful".to_owned(), ..w() }).await, "severity");
        assert_eq!(field(NewWarning { tlp: "PINK".to_owned(), ..w() }).await, "tlp");
        assert_eq!(field(NewWarning { links: vec!["javascript:alert(1)".to_owned()], ..w() }).await, "links");
        // a number is given to what is written alone
        assert_eq!(warnings::create(db, &actor, &w()).await.unwrap(), "TOCSIN-2026-0001");
    });
}

#[test]
fn a_merge_keeps_what_was_found_and_decided() {
    each(async |db| {
        let early = actor(db).await;
        let mut known = Intelligence::default();
        let opened = known.publish(db, None).await;
        let (one, two) = (release(db, &early, "1.0").await, release(db, &early, "2.0").await);
        for r in [one, two] {
            upload(db, &early, r, &pump(), &opened).await;
        }
        let name = warnings::create(db, &early, &warning("Pump stops", "< 1.4.2")).await.unwrap();
        bring(db, &opened).await;
        let mut change = Change::begin(db, &early).await.unwrap();
        let due = Ownership { due: Some(Some("2026-03-01".to_owned())), ..Ownership::default() };
        detection::own(&mut change, &[1, 2], &due).await.unwrap();
        let decision = Decision {
            status: "affected".to_owned(),
            response: "update".to_owned(),
            detail: "will be updated".to_owned(),
            reach: Reach::Finding,
            justification: String::new(),
            expires: None,
        };
        detection::decide(&mut change, 1, &decision).await.unwrap();
        change.commit().await.unwrap();
        // the CVE comes, and says less of the second release's version than we do
        known.groups.push(osv("CVE-2026-9999", "libpump", "1.2.1"));
        let opened = known.publish(db, Some(&opened)).await;
        follow(db, &opened).await;
        assert_eq!(found(db, early.workspace).await.len(), 4, "both stand side by side");
        let actor = Actor::system(early.workspace, "2026-02-02T00:00:00.000Z");
        let merged = detection::merge_warning(db, &actor, &name, 0, "cve-2026-9999").await.unwrap();
        assert_eq!(merged, Merged { findings: 2, joined: 2, decisions: 1 });
        bring(db, &opened).await;
        let select = "SELECT vulnerability, status, COALESCE(due, ''), first_seen, COALESCE(decision, 0) FROM finding \
                      WHERE closed IS NULL ORDER BY release";
        let rows: Vec<(String, String, String, String, i64)> =
            sql::rows(db, "asking", select, vec![]).await.unwrap();
        let row = |status: &str, decision| {
            let text = |t: &str| t.to_owned();
            (text("CVE-2026-9999"), text(status), text("2026-03-01"), text(NOW), decision)
        };
        assert_eq!(rows, [row("affected", 1), row("under_investigation", 0)]);
        let v = warnings::find(db, &actor, Some(&opened), &name).await.unwrap();
        assert!(v.is_none_or(|v| v.aliases.contains(&name)));
        let ids: Vec<(i64,)> =
            sql::rows(db, "asking", "SELECT id FROM finding WHERE closed IS NULL ORDER BY release", vec![])
                .await
                .unwrap();
        let story = detection::history(db, &actor, ids[0].0).await.unwrap();
        let told: Vec<&str> = story.iter().map(|s| s.what.as_str()).collect();
        assert!(told.contains(&"merged") && told.contains(&"owned"), "{told:?}");
        let (_, evidence) = detection::finding(db, &actor, ids[0].0).await.unwrap();
        let sources: Vec<&str> = evidence.iter().map(|e| e.source.as_str()).collect();
        assert!(sources.contains(&"tocsin"), "{sources:?}");
        // its name leads to what it became, here alone
        let count = async |a: &Actor| {
            let query =
                tocsin_model::query::parse(&format!("vulnerability:{name}"), &detection::schema()).unwrap();
            detection::list(db, a, &query, None, 10).await.unwrap().rows.len()
        };
        assert_eq!(count(&actor).await, 2);
        let select = "SELECT vulnerability, first_seen FROM flaw ORDER BY vulnerability";
        let flaws: Vec<(String, String)> = sql::rows(db, "asking", select, vec![]).await.unwrap();
        assert_eq!(flaws, [("CVE-2026-9999".to_owned(), NOW.to_owned())]);
        // an edition of the index that changes the CVE keeps our word with it
        known.groups = vec![osv("CVE-2026-9999", "libpump", "1.0.0")];
        let opened = known.publish(db, Some(&opened)).await;
        follow(db, &opened).await;
        assert_eq!(found(db, early.workspace).await.iter().filter(|l| l.ends_with(" open")).count(), 2);
        upload(db, &actor, one, &pump(), &opened).await;
        assert_eq!(found(db, early.workspace).await.iter().filter(|l| l.ends_with(" open")).count(), 2);
    });
}

#[test]
fn a_record_with_the_same_address_is_proposed() {
    each(async |db| {
        let actor = actor(db).await;
        let link = "https://lists.example/7";
        let w = NewWarning { links: vec![link.to_owned()], ..warning("Pump stops", "< 1.4.2") };
        let name = warnings::create(db, &actor, &w).await.unwrap();
        // a record as an import stores it
        let record = json!({"id": "CVE-2026-9999", "modified": "2026-02-01T00:00:00Z", "summary": "known flaw",
            "references": [{"type": "WEB", "url": "https://lists.example/7/?utm_source=x"}], "affected": []});
        let raw = zstd::stream::encode_all(record.to_string().as_bytes(), 1).unwrap();
        for statement in [
            "INSERT INTO vulnerability (id, main) VALUES (1, 'CVE-2026-9999')",
            "INSERT INTO alias (id, vulnerability) VALUES ('CVE-2026-9999', 1)",
            "INSERT INTO record (id, source, record_id, kind, hash, state, title, first_seen, last_seen) VALUES (1, 'osv', \
             'CVE-2026-9999', 0, 'x', 'published', '', '', '')",
            "INSERT INTO record_link (record, part, vulnerability, ids) VALUES (1, 0, 1, '[]')",
        ] {
            sql::run(db, "storing a record", statement, vec![]).await.unwrap();
        }
        let kind = i64::from(RawKind::Osv as u8);
        sql::run(db, "storing", "UPDATE record SET kind = $1", vec![kind.into()]).await.unwrap();
        let insert = "INSERT INTO record_raw (record, raw) VALUES (1, $1)";
        sql::run(db, "storing", insert, vec![raw.into()]).await.unwrap();
        let ids = ["CVE-2026-9999".to_owned()].into();
        for _ in 0..2 {
            detection::recognise(db, &actor, &ids).await.unwrap();
        }
        let proposed = warnings::shown(db, &actor, &name).await.unwrap().proposed;
        assert_eq!(proposed.len(), 1);
        assert_eq!(proposed[0].reason, "its record names https://lists.example/7");
        // who says no is not asked again
        warnings::refuse(db, &actor, &name, "CVE-2026-9999").await.unwrap();
        detection::recognise(db, &actor, &ids).await.unwrap();
        assert_eq!(warnings::shown(db, &actor, &name).await.unwrap().warning.proposals, 0);
    });
}

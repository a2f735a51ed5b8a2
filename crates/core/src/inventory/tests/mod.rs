//! From an invitation to a decided finding, on each backend.

mod export;
mod manage;
mod search;

use tocsin_engine::index::{FactsBuilder, Group, Index, SegmentBuilder, encode};
use tocsin_formats::intel::{RawKind, parse};

use super::*;
use crate::detection::{self, Decision, Filter, Reach};
use crate::platform::access::{Grant, Role};
use crate::platform::people::{self, Acceptance, From};
use crate::platform::testing::{each, random};
use crate::platform::{change, sql};

pub(crate) const NOW: &str = "2026-01-01T00:00:00.000Z";
pub(crate) const LATER: &str = "2026-01-02T00:00:00.000Z";

pub(crate) fn index(records: &[&str]) -> Index {
    let mut builder = SegmentBuilder::default();
    for record in records {
        let (records, _) = parse(RawKind::Osv, record.as_bytes()).unwrap();
        let id = records[0].id.clone();
        builder.push(encode(&Group { id, aliases: Vec::new(), records }));
    }
    Index::open(
        vec![std::sync::Arc::new(builder.finish())],
        Some(std::sync::Arc::new(FactsBuilder::default().finish())),
    )
    .unwrap()
}

pub(crate) fn osv(id: &str, name: &str, fixed: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"2025-01-01T00:00:00Z","summary":"flaw of {name}","severity":[{{"type":"CVSS_V3",
        "score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],"affected":[{{"package":{{"ecosystem":"npm",
        "name":"{name}"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
}

pub(crate) fn sbom(components: &[(&str, &str)]) -> Vec<u8> {
    let list: Vec<serde_json::Value> = components
        .iter()
        .enumerate()
        .map(|(n, (name, version))| {
            serde_json::json!({"type": "library", "bom-ref": format!("c{n}"), "name": name, "version": version,
                "purl": format!("pkg:npm/{name}@{version}")})
        })
        .collect();
    serde_json::to_vec(
        &serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": list}),
    )
    .unwrap()
}

pub(crate) fn read(bytes: Vec<u8>, index: &Index) -> Prepared {
    let options = tocsin_formats::input::ReadOptions::default();
    let bom = tocsin_formats::sbom::read("pump.cdx.json", &bytes, &options, None).unwrap();
    prepare("pump.cdx.json", bytes, bom, Some(index), &[]).unwrap()
}

pub(crate) async fn anna(db: &DatabaseConnection) -> Actor {
    let workspace = people::first_workspace(db, "Example Medical", NOW).await.unwrap();
    let system = Actor::system(workspace, NOW);
    let token =
        people::invite(db, &system, random, "anna@example.org", &[Role::Manager], None, LATER).await.unwrap();
    let who = Acceptance {
        login: "Anna".to_owned(),
        name: "Anna Berg".to_owned(),
        email: "anna@example.org".to_owned(),
        password: "correct horse battery".to_owned(),
    };
    let from = From::default();
    people::accept(db, random, &token, &who, &from, NOW).await.unwrap();
    assert!(people::accept(db, random, &token, &who, &from, NOW).await.is_err(), "a link works once");
    let person = people::people(db, &system).await.unwrap()[0].id;
    Actor {
        name: "person:anna".to_owned(),
        person: Some(person),
        grants: vec![Grant { role: Role::Manager, line: None }],
        ..system
    }
}

pub(crate) async fn pump(db: &DatabaseConnection, actor: &Actor, version: &str) -> i64 {
    let mut change = Change::begin(db, actor).await.unwrap();
    let line = make_line(&mut change, "Infusion").await.unwrap();
    let product = make_product(&mut change, line, "Pump 3").await.unwrap();
    let release = make_release(&mut change, product, version).await.unwrap();
    change.commit().await.unwrap();
    release
}

#[test]
fn an_upload_becomes_findings_that_are_decided_and_closed() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "3.0.0")]);

        let first =
            read(sbom(&[("left", "1.0.0"), ("left", "1.0.0"), ("right", "2.0.0"), ("ok", "1.0.0")]), &ix);
        let done = upload(db, &actor, release, &first).await.unwrap();
        assert_eq!((done.components, done.distinct, done.findings.new), (4, 3, 2));
        let again = upload(db, &actor, release, &first).await.unwrap();
        assert!(again.unchanged);
        assert_eq!((again.findings.new, again.findings.open, again.document), (0, 2, done.document));
        assert_eq!(documents(db, &actor, release).await.unwrap().len(), 1);
        let (_, bytes) = original(db, &actor, release, 0).await.unwrap();
        assert_eq!(bytes, sbom(&[("left", "1.0.0"), ("left", "1.0.0"), ("right", "2.0.0"), ("ok", "1.0.0")]));

        let list = detection::findings(db, &actor, &Filter::default(), None, 1).await.unwrap();
        assert_eq!(list.findings[0].vulnerability, "CVE-2025-1");
        let rest =
            detection::findings(db, &actor, &Filter::default(), list.next.as_deref(), 1).await.unwrap();
        assert_eq!(rest.findings[0].vulnerability, "CVE-2025-2");
        assert_eq!(rest.next, None);
        let (finding, evidence) = detection::finding(db, &actor, list.findings[0].id).await.unwrap();
        assert_eq!((finding.severity, finding.fixed.as_str()), ("critical", "2.0.0"));
        assert_eq!(evidence[0].range, "<2.0.0");
        assert_eq!(release_of(db, &actor, release).await.unwrap().open, [2, 0, 0, 0, 0]);

        let decision = Decision {
            status: "not_affected".to_owned(),
            justification: "vulnerable_code_not_present".to_owned(),
            response: String::new(),
            detail: String::new(),
            reach: Reach::Product,
            expires: None,
        };
        let mut change = Change::begin(db, &actor).await.unwrap();
        assert_eq!(detection::decide(&mut change, finding.id, &decision).await.unwrap(), 1);
        change.commit().await.unwrap();
        assert_eq!(release_of(db, &actor, release).await.unwrap().open, [1, 0, 0, 0, 0]);

        // the next release of the product inherits it for the same component
        let next = pump(db, &actor, "1.1").await;
        let second = read(sbom(&[("left", "1.0.0"), ("right", "3.0.0")]), &ix);
        upload(db, &actor, next, &second).await.unwrap();
        let filter = Filter { release: Some(next), ..Filter::default() };
        let list = detection::findings(db, &actor, &filter, None, 10).await.unwrap();
        assert_eq!(list.findings[0].status, "not_affected");
        let story = detection::history(db, &actor, list.findings[0].id).await.unwrap();
        assert_eq!(story[0].detail, "not_affected · carried over");

        // a new document closes with reasons, and deletes nothing
        let third = read(sbom(&[("right", "2.5.0"), ("ok", "1.0.0")]), &ix);
        let done = upload(db, &actor, release, &third).await.unwrap();
        assert_eq!((done.difference.added, done.difference.removed), (0, 1));
        assert_eq!(done.difference.changed, [("right".to_owned(), "2.0.0".to_owned(), "2.5.0".to_owned())]);
        assert_eq!(done.findings.closed.get("removed"), Some(&1));
        assert_eq!(done.findings.closed.get("upgraded-still-vulnerable"), Some(&1));
        let all = Filter { release: Some(release), closed: true, ..Filter::default() };
        assert_eq!(detection::findings(db, &actor, &all, None, 10).await.unwrap().findings.len(), 3);

        let used = where_used(db, &actor, "right", 10).await.unwrap();
        let versions: Vec<(&str, &str)> =
            used.iter().map(|u| (u.release_version.as_str(), u.version.as_str())).collect();
        assert_eq!(versions, [("1.1", "3.0.0"), ("1.0", "2.5.0")]);
        assert_eq!(where_used(db, &actor, "pkg:npm/rig", 10).await.unwrap().len(), 2);
        assert_eq!(where_used(db, &actor, "rig*", 10).await.unwrap().len(), 2);
    });
}

#[test]
fn what_waits_is_told_by_vulnerability_with_its_releases_and_units() {
    each(async |db| {
        let actor = anna(db).await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "3.0.0")]);
        for (version, parts, units) in
            [("1.0", &[("left", "1.0.0"), ("right", "2.0.0")][..], 40), ("1.1", &[("left", "1.5.0")][..], 2)]
        {
            let release = pump(db, &actor, version).await;
            upload(db, &actor, release, &read(sbom(parts), &ix)).await.unwrap();
            let mut change = Change::begin(db, &actor).await.unwrap();
            let there = Deployment { customer: "Ward".to_owned(), region: String::new(), units };
            deploy(&mut change, release, &[there]).await.unwrap();
            change.commit().await.unwrap();
        }
        let told = |list: Vec<detection::Urgent>| -> Vec<(String, i64, i64)> {
            list.into_iter().map(|u| (u.vulnerability, u.releases, u.units)).collect()
        };
        let waiting = detection::urgent(db, &actor, 10).await.unwrap();
        assert_eq!((waiting[0].severity, waiting[0].since.as_str()), ("critical", NOW));
        // of the same urgency: the younger id first
        let both = [("CVE-2025-2".to_owned(), 1, 40), ("CVE-2025-1".to_owned(), 2, 42)];
        assert_eq!(told(waiting), both);
        assert_eq!(told(detection::urgent(db, &actor, 1).await.unwrap()), both[..1]);
        let came = detection::arrivals(db, &actor, 5).await.unwrap();
        assert_eq!(
            came.iter().map(|a| (a.version.as_str(), a.added)).collect::<Vec<_>>(),
            [("1.1", 1), ("1.0", 2)]
        );
    });
}

#[test]
fn a_role_in_one_line_sees_and_changes_nothing_of_another() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0")]), &ix)).await.unwrap();
        let other = Actor {
            grants: vec![crate::platform::access::Grant { role: Role::Contact, line: Some(99) }],
            ..actor.clone()
        };
        assert!(matches!(release_of(db, &other, release).await, Err(Error::NotFound(_))));
        assert!(
            detection::findings(db, &other, &Filter::default(), None, 10).await.unwrap().findings.is_empty()
        );
        assert!(where_used(db, &other, "left", 10).await.unwrap().is_empty());
        assert!(releases(db, &other, None).await.unwrap().is_empty());
        assert_eq!(detection::counts(db, &other).await.unwrap().open, [0; 5]);
        assert!(upload(db, &other, release, &read(sbom(&[]), &ix)).await.is_err());
        let elsewhere = Actor { workspace: actor.workspace + 1, ..actor.clone() };
        assert!(matches!(release_of(db, &elsewhere, release).await, Err(Error::NotFound(_))));
    });
}

#[test]
fn the_audit_trail_tells_of_every_change_and_shows_tampering() {
    each(async |db| {
        let actor = anna(db).await;
        pump(db, &actor, "1.0").await;
        let events = change::events(db, &actor, "", None, 100).await.unwrap();
        let actions: Vec<&str> = events.iter().map(|e| e.action.as_str()).rev().collect();
        assert_eq!(
            actions,
            ["person.invite", "person.join", "line.create", "product.create", "release.create"]
        );
        let good = change::verify(db).await.unwrap();
        assert_eq!((good.events, good.broken_at), (5, None));
        sql::run(db, "tampering", "UPDATE audit SET actor = 'nobody' WHERE seq = 4", vec![]).await.unwrap();
        assert_eq!(change::verify(db).await.unwrap().broken_at, Some(4));
        sql::run(db, "tampering", "DELETE FROM audit WHERE seq >= 4", vec![]).await.unwrap();
        assert_eq!(
            change::verify(db).await.unwrap().broken_at,
            Some(4),
            "an end cut off is seen by the head"
        );
    });
}

/// One component with everything that can be asked for.
const RICH: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[
  {"type":"library","name":"left","version":"1.10.0","purl":"pkg:npm/left@1.10.0",
   "cpe":"cpe:2.3:a:left_project:left:1.10.0:*:*:*:*:*:*:*","licenses":[{"license":{"id":"MIT"}}],
   "hashes":[{"alg":"SHA-1","content":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}]},
  {"type":"library","name":"left-hand","version":"1.0.0","purl":"pkg:npm/left-hand@1.0.0"},
  {"type":"library","name":"zlib","version":"1:1.2.3-1","purl":"pkg:deb/debian/zlib@1:1.2.3-1",
   "licenses":[{"license":{"id":"Zlib"}}]}]}"#;

#[test]
fn where_used_is_asked_in_many_ways() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        upload(db, &actor, release, &read(RICH.as_bytes().to_vec(), &ix)).await.unwrap();
        for (q, wanted) in [
            ("left", &["left"][..]),
            ("left*", &["left", "left-hand"]),
            // 1.10 is above 1.9, which texts have the other way round
            ("pkg:npm/left@>1.9.0", &["left"]),
            ("pkg:npm/left@<1.9.0", &[]),
            ("pkg:npm/left@>=1.0, <1.10.0", &[]),
            ("pkg:npm/left@>=1.0, <=1.10.0", &["left"]),
            ("pkg:npm/left@=1.10.0", &["left"]),
            ("pkg:npm/left@!=1.10.0", &[]),
            // the epoch counts before the version
            ("pkg:deb/debian/zlib@>9.0", &["zlib"]),
            ("pkg:deb/debian/zlib@<1:1.2.3-1", &[]),
            ("cpe:2.3:a:left_project:left:*:*:*:*:*:*:*:*", &["left"]),
            ("cpe:2.3:a:left_project:left:1.9.0:*:*:*:*:*:*:*", &[]),
            ("cpe:/a:left_project:left", &["left"]),
            ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", &["left"]),
            ("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", &["left"]),
            ("licence:mit", &["left"]),
            ("license:Zlib", &["zlib"]),
            ("licence:MI", &[]),
        ] {
            let used = where_used(db, &actor, q, 10).await.unwrap();
            let names: Vec<&str> = used.iter().map(|u| u.name.as_str()).collect();
            assert_eq!(names, wanted, "{q}");
        }
        for q in ["pkg:npm/left@<", "pkg:npm/left@>=1.0,", "cpe:2.3:a:left", "pkg:@<1"] {
            let error = where_used(db, &actor, q, 10).await.unwrap_err();
            assert!(matches!(error, Error::Rejected { .. }), "{q}: {error}");
        }
        let found: Vec<(String, i64)> = licences(db, &actor, release)
            .await
            .unwrap()
            .into_iter()
            .map(|l| (l.name, l.components))
            .collect();
        assert_eq!(found, [("MIT".to_owned(), 1), ("Zlib".to_owned(), 1), (String::new(), 1)]);
        for (text, n) in [("licence:MIT", 1), ("licence:", 1), ("licence:mi", 0), ("left", 2), ("", 3)] {
            assert_eq!(components(db, &actor, release, text, 0, 10).await.unwrap().len(), n, "{text}");
        }
    });
}

#[test]
fn deployments_add_up_and_releases_compare() {
    each(async |db| {
        let actor = anna(db).await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "3.0.0")]);
        let before = pump(db, &actor, "1.0").await;
        upload(db, &actor, before, &read(sbom(&[("left", "1.0.0"), ("ok", "1.0.0"), ("old", "1.0.0")]), &ix))
            .await
            .unwrap();
        let after = pump(db, &actor, "1.1").await;
        upload(
            db,
            &actor,
            after,
            &read(sbom(&[("left", "2.0.0"), ("ok", "1.0.0"), ("right", "1.0.0")]), &ix),
        )
        .await
        .unwrap();
        let d = compare(db, &actor, before, after).await.unwrap();
        let names = |list: &[Piece]| list.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!((names(&d.added), names(&d.removed)), (vec!["right".to_owned()], vec!["old".to_owned()]));
        assert_eq!(
            (d.changed[0].before.as_str(), d.changed[0].after.as_str(), d.same),
            ("1.0.0", "2.0.0", 1)
        );
        assert_eq!((d.new[0].vulnerability.as_str(), d.new.len()), ("CVE-2025-2", 1));
        assert_eq!((d.gone[0].vulnerability.as_str(), d.gone.len()), ("CVE-2025-1", 1));

        let unit = |customer: &str, region: &str, units| Deployment {
            customer: customer.to_owned(),
            region: region.to_owned(),
            units,
        };
        for (list, total) in [
            (vec![unit("Clinic", "EU", 40), unit("Clinic", "US", 2)], Some(42)),
            (vec![unit("Clinic", "EU", 0), unit("Harbour", "", 5)], Some(7)),
            (vec![unit("Other", "", 1), unit("Harbour", "", -1)], None),
            (vec![unit(" ", "", 1)], None),
        ] {
            let mut change = Change::begin(db, &actor).await.unwrap();
            let done = deploy(&mut change, before, &list).await;
            assert_eq!(done.is_ok(), total.is_some());
            if let Some(total) = total {
                change.commit().await.unwrap();
                assert_eq!(release_of(db, &actor, before).await.unwrap().units, total);
            }
        }
        assert_eq!(deployments(db, &actor, before).await.unwrap().len(), 2);
        let spread = detection::spread(db, &actor, "CVE-2025-1").await.unwrap();
        assert_eq!((spread.releases, spread.units, spread.customers), (1, 7, 2));
    });
}

#[test]
fn many_findings_are_decided_in_one_change_or_none() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0"), &osv("CVE-2025-2", "right", "3.0.0")]);
        upload(db, &actor, release, &read(sbom(&[("left", "1.0.0"), ("right", "1.0.0")]), &ix))
            .await
            .unwrap();
        let list = detection::findings(db, &actor, &Filter::default(), None, 10).await.unwrap().findings;
        let ids: Vec<i64> = list.iter().map(|f| f.id).collect();
        let decision = Decision {
            status: "fixed".to_owned(),
            justification: String::new(),
            response: String::new(),
            detail: String::new(),
            reach: Reach::Release,
            expires: None,
        };
        for bad in [vec![], vec![ids[0], 999_999]] {
            let mut change = Change::begin(db, &actor).await.unwrap();
            assert!(detection::decide_all(&mut change, &bad, &decision).await.is_err());
            drop(change);
            let open = Filter { status: Some("under_investigation".to_owned()), ..Filter::default() };
            assert_eq!(detection::findings(db, &actor, &open, None, 10).await.unwrap().findings.len(), 2);
        }
        let mut change = Change::begin(db, &actor).await.unwrap();
        // given twice, decided once
        let asked = [ids[0], ids[1], ids[0]];
        assert_eq!(detection::decide_all(&mut change, &asked, &decision).await.unwrap(), 2);
        change.commit().await.unwrap();
        assert_eq!(release_of(db, &actor, release).await.unwrap().open, [0; 5]);
    });
}

#[test]
fn an_unusual_upload_is_asked_about_before_it_applies() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        let names: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
        let mut all: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1.0.0")).collect();
        all.push(("left", "1.0.0"));
        upload(db, &actor, release, &read(sbom(&all), &ix)).await.unwrap();
        let few = sbom(&all[..5]);
        let Err(Error::Unusual(q)) = upload(db, &actor, release, &read(few.clone(), &ix)).await else {
            panic!("it is asked about")
        };
        assert_eq!((q.before, q.after, q.removed), (41, 5, 36));
        assert_eq!(q.reasons.len(), 2, "{:?}", q.reasons);
        // nothing was changed
        assert_eq!(release_of(db, &actor, release).await.unwrap().components, 41);
        assert_eq!(documents(db, &actor, release).await.unwrap().len(), 1);

        // kept until somebody says a word; an answer to other bytes is none
        let prepared = read(few.clone(), &ix);
        let mut change = Change::begin(db, &actor).await.unwrap();
        hold_upload(&mut change, &prepared, &q).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(held(db, &actor, Some(release), 10).await.unwrap()[0].question, *q);
        let (_, bytes) = held_bytes(db, &actor, release, &q.confirm).await.unwrap();
        assert_eq!(bytes, few);
        let other = read(sbom(&all[..4]), &ix).confirmed(Some(q.confirm.clone()));
        assert!(matches!(upload(db, &actor, release, &other).await, Err(Error::Unusual(_))));
        let done = upload(db, &actor, release, &prepared.confirmed(Some(q.confirm.clone()))).await.unwrap();
        assert_eq!((done.difference.removed, done.findings.closed.get("removed")), (36, Some(&1)));
        assert!(held(db, &actor, None, 10).await.unwrap().is_empty(), "answered");
        assert!(held_bytes(db, &actor, release, &q.confirm).await.is_err());

        // nothing at all, or another product
        let empty = upload(db, &actor, release, &read(sbom(&[]), &ix)).await;
        assert!(matches!(empty, Err(Error::Unusual(_))));
        let described = |name: &str| {
            let mut bom: serde_json::Value = serde_json::from_slice(&few).unwrap();
            bom["metadata"] =
                serde_json::json!({"component": {"type": "firmware", "bom-ref": "root", "name": name}});
            serde_json::to_vec(&bom).unwrap()
        };
        upload(db, &actor, release, &read(described("pump"), &ix)).await.unwrap();
        let Err(Error::Unusual(q)) = upload(db, &actor, release, &read(described("gateway"), &ix)).await
        else {
            panic!("another product is asked about")
        };
        assert_eq!(q.reasons, ["it describes gateway; what the release has describes pump"]);
        let mut change = Change::begin(db, &actor).await.unwrap();
        hold_upload(&mut change, &read(described("gateway"), &ix), &q).await.unwrap();
        drop_held(&mut change, release, &q.confirm).await.unwrap();
        change.commit().await.unwrap();
        assert!(held(db, &actor, None, 10).await.unwrap().is_empty());
        let (count,): (i64,) =
            sql::row(db, "counting", "SELECT COUNT(*) FROM blob", vec![]).await.unwrap().unwrap();
        assert_eq!(count, 3, "the bytes of what was dropped are gone");
    });
}

#[test]
fn licences_are_held_against_rules() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        let component = |name: &str, licences: serde_json::Value| {
            serde_json::json!({"type": "library", "bom-ref": name, "name": name, "version": "1",
                "purl": format!("pkg:npm/{name}@1"), "licenses": licences})
        };
        let bom = serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
            component("a", serde_json::json!([{"license": {"id": "MIT"}}])),
            component("b", serde_json::json!([{"expression": "MIT OR GPL-3.0-only"}])),
            component("c", serde_json::json!([{"license": {"id": "MIT"}}, {"license": {"id": "GPL-3.0-only"}}])),
            component("d", serde_json::json!([])),
            component("e", serde_json::json!([{"license": {"name": "The MIT License"}}])),
        ]});
        upload(db, &actor, release, &read(serde_json::to_vec(&bom).unwrap(), &ix)).await.unwrap();
        let verdicts = async || -> Vec<(String, i64, &'static str)> {
            let list = licences(db, &actor, release).await.unwrap();
            list.into_iter().map(|l| (l.name, l.components, l.verdict)).collect()
        };
        assert!(verdicts().await.iter().all(|l| l.2 == "unruled"));
        let line = release_of(db, &actor, release).await.unwrap().line;
        let words = |list: &[&str]| list.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        let set = async |line: i64, ruling: Ruling| {
            let mut change = Change::begin(db, &actor).await.unwrap();
            let done = rule_licences(&mut change, line, &ruling).await;
            if done.is_ok() {
                change.commit().await.unwrap();
            }
            done
        };
        let ruling = Ruling {
            allowed: words(&["mit"]),
            denied: words(&["GPL-3.0"]),
            none: "review".to_owned(),
            ..Ruling::default()
        };
        set(0, ruling).await.unwrap();
        let found = verdicts().await;
        assert_eq!(found[0], ("GPL-3.0-only".to_owned(), 1, "denied"));
        assert_eq!(found[1], (String::new(), 1, "review"));
        assert!(found[2..].iter().all(|l| l.2 == "allowed"), "{found:?}");
        let asked = LicenceAsked { release: Some(release), ..LicenceAsked::default() };
        let list = violations(db, &actor, &asked, None, 100).await.unwrap();
        let mut who: Vec<(&str, &str)> = list.iter().map(|v| (v.name.as_str(), v.verdict)).collect();
        who.sort_unstable();
        assert_eq!(who, [("c", "denied"), ("d", "review")]);
        let first = violations(db, &actor, &asked, None, 1).await.unwrap();
        let place = (first[0].release, first[0].component, first[0].licence.clone());
        assert_eq!(violations(db, &actor, &asked, Some(&place), 100).await.unwrap(), list[1..]);
        // everywhere, with a filter
        let all = LicenceAsked { verdict: Some("denied".to_owned()), ..LicenceAsked::default() };
        let denied: Vec<Violation> = list.iter().filter(|v| v.verdict == "denied").cloned().collect();
        assert_eq!(violations(db, &actor, &all, None, 100).await.unwrap(), denied);
        let uses = licence_uses(db, &actor, &LicenceAsked::default()).await.unwrap();
        assert_eq!((uses[0].licence.as_str(), uses[0].releases, uses[0].components), ("GPL-3.0-only", 1, 1));
        // the line's own rule stands before that of the workspace
        set(line, Ruling { allowed: words(&["GPL-3.0-only"]), ..Ruling::default() }).await.unwrap();
        assert!(violations(db, &actor, &all, None, 100).await.unwrap().is_empty());
        let rules = licence_rules(db, &actor).await.unwrap();
        assert_eq!(rules[&0].denied, ["GPL-3.0-only"]);
        assert_eq!(rules[&line].allowed, ["GPL-3.0-only"]);
        for bad in [
            Ruling { allowed: words(&["MIT"]), denied: words(&["mit"]), ..Ruling::default() },
            Ruling { other: "perhaps".to_owned(), ..Ruling::default() },
        ] {
            assert!(matches!(set(0, bad).await, Err(Error::Rejected { .. })));
        }
        let elsewhere = Actor {
            grants: vec![crate::platform::access::Grant { role: Role::Contact, line: Some(99) }],
            ..actor.clone()
        };
        assert!(licence_uses(db, &elsewhere, &LicenceAsked::default()).await.unwrap().is_empty());
        let mut change = Change::begin(db, &elsewhere).await.unwrap();
        assert!(rule_licences(&mut change, 0, &Ruling::default()).await.is_err());
        assert!(matches!(
            rule_licences(&mut change, line, &Ruling::default()).await,
            Err(Error::NotFound(_))
        ));
    });
}

#[test]
fn a_line_that_is_there_is_named_by_whoever_may_see_it() {
    each(async |db| {
        let actor = anna(db).await;
        pump(db, &actor, "1.0").await;
        let line = lines(db, &actor).await.unwrap()[0].id;
        let contact = |line: i64| Actor {
            grants: vec![crate::platform::access::Grant { role: Role::Contact, line: Some(line) }],
            ..actor.clone()
        };
        let own = contact(line);
        let mut change = Change::begin(db, &own).await.unwrap();
        assert_eq!(make_line(&mut change, "Infusion").await.unwrap(), line);
        assert!(matches!(make_line(&mut change, "Another").await, Err(Error::Denied(_))));
        drop(change);
        let other = contact(line + 1);
        let mut change = Change::begin(db, &other).await.unwrap();
        assert!(matches!(make_line(&mut change, "Infusion").await, Err(Error::Denied(_))));
    });
}

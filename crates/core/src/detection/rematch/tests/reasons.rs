//! Every reason for which a finding is closed.

use serde_json::{Value, json};
use tocsin_formats::intel::{RawKind, parse};

use super::*;
use crate::detection::{Filter, Finding, findings, history};
use crate::platform::testing::each;

fn of(kind: RawKind, record: &Value) -> Group {
    let (records, _) = parse(kind, record.to_string().as_bytes()).unwrap();
    Group { id: records[0].id.clone(), aliases: Vec::new(), records }
}

fn osv(id: &str, ecosystem: &str, name: &str, fixed: &str) -> Group {
    of(
        RawKind::Osv,
        &json!({"id": id, "modified": "2025-01-01T00:00:00Z", "summary": "flaw", "affected": [{"package":
            {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": "ECOSYSTEM", "events":
            [{"introduced": "0"}, {"fixed": fixed}]}]}]}),
    )
}

/// A flaw of the pump's program on this board alone.
fn on_board() -> Group {
    let criterion = |name: &str, vulnerable: bool| {
        json!({"operator": "OR", "negate": false, "cpeMatch": [{"vulnerable": vulnerable,
            "criteria": format!("cpe:2.3:{name}:*:*:*:*:*:*:*")}]})
    };
    of(
        RawKind::Nvd,
        &json!({"cve": {"id": "CVE-2025-7", "published": "2025-01-01T00:00:00.000", "lastModified":
            "2025-01-01T00:00:00.000", "vulnStatus": "Analyzed", "descriptions": [{"lang": "en", "value": "flaw"}],
            "metrics": {}, "references": [], "configurations": [{"operator": "AND", "nodes":
            [criterion("a:acme:flow:1.0", true), criterion("h:acme:board:1", false)]}]}}),
    )
}

fn known() -> Intelligence {
    let groups = vec![
        osv("CVE-2025-1", "npm", "left", "2.0.0"),
        osv("CVE-2025-2", "npm", "right", "3.0.0"),
        osv("CVE-2025-3", "Debian:12", "zlib", "1.2.3-2"),
        on_board(),
    ];
    Intelligence { groups, ..Intelligence::default() }
}

fn npm(name: &str, version: &str) -> Value {
    json!({"type": "library", "bom-ref": name, "name": name, "version": version,
        "purl": format!("pkg:npm/{name}@{version}")})
}

fn deb(name: &str, version: &str) -> Value {
    json!({"type": "library", "bom-ref": name, "name": name, "version": version,
        "purl": format!("pkg:deb/debian/{name}@{version}?distro=debian-12")})
}

fn named(name: &str, version: &str, cpe: &str) -> Value {
    json!({"type": "application", "bom-ref": name, "name": name, "version": version, "cpe": cpe})
}

fn sbom(components: &[Value]) -> Value {
    json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components})
}

async fn all(db: &DatabaseConnection, actor: &Actor) -> Vec<Finding> {
    let filter = Filter { closed: true, inferred: true, ..Filter::default() };
    findings(db, actor, &filter, None, 100).await.unwrap().findings
}

#[test]
fn a_document_that_follows_closes_with_the_reason() {
    let flow = || named("flow", "1.0", "cpe:2.3:a:acme:flow:1.0:*:*:*:*:*:*:*");
    let board = || named("board", "1", "cpe:2.3:h:acme:board:1:*:*:*:*:*:*:*");
    let mut patched = npm("left", "1.0.0");
    patched["pedigree"] =
        json!({"patches": [{"type": "backport", "resolves": [{"type": "security", "id": "CVE-2025-1"}]}]});
    let mut nameless = npm("left", "1.0.0");
    nameless["purl"] = "pkg:generic/left@1.0.0".into();
    let mut stated = sbom(&[npm("left", "1.0.0"), npm("more", "1.0.0")]);
    stated["vulnerabilities"] = json!([{"id": "CVE-2025-1", "affects": [{"ref": "left"}],
        "analysis": {"state": "not_affected", "justification": "code_not_present"}}]);
    let cases = [
        (sbom(&[npm("right", "2.0.0")]), sbom(&[npm("right", "3.0.0")]), "upgraded"),
        (sbom(&[npm("right", "2.0.0")]), sbom(&[npm("right", "2.5.0")]), "upgraded-still-vulnerable"),
        (sbom(&[npm("right", "2.0.0")]), sbom(&[npm("other", "1.0.0")]), "removed"),
        (sbom(&[deb("zlib", "1.2.3-1")]), sbom(&[deb("zlib", "1.2.3-2")]), "revised-downstream"),
        (sbom(&[deb("zlib", "1.2.3-1")]), sbom(&[deb("zlib", "1.2.4-1")]), "upgraded"),
        (sbom(&[npm("left", "1.0.0")]), sbom(&[patched]), "patched-by-the-build"),
        (sbom(&[npm("left", "1.0.0")]), stated, "stated-not-affected"),
        (
            sbom(&[flow(), board()]),
            sbom(&[flow(), named("board", "2", "cpe:2.3:h:acme:board:2:*:*:*:*:*:*:*")]),
            "surroundings-changed",
        ),
        (sbom(&[npm("left", "1.0.0")]), sbom(&[nameless]), "unexplained"),
    ];
    each(async |db| {
        let actor = actor(db).await;
        let opened = known().publish(db, None).await;
        for (n, (before, after, reason)) in cases.iter().enumerate() {
            let release = release(db, &actor, &format!("{n}")).await;
            let done = upload(db, &actor, release, before, &opened).await;
            assert_eq!(done.findings.new, 1, "{reason}");
            let done = upload(db, &actor, release, after, &opened).await;
            let closed: Vec<(&str, usize)> =
                done.findings.closed.iter().map(|(why, n)| (why.as_str(), *n)).collect();
            assert_eq!(closed, [(*reason, 1)]);
            let filter = Filter { release: Some(release), closed: true, ..Filter::default() };
            let list = findings(db, &actor, &filter, None, 10).await.unwrap().findings;
            let ended = list.iter().find(|f| f.closed.is_some()).unwrap();
            assert_eq!(ended.reason, *reason);
            let story = history(db, &actor, ended.id).await.unwrap();
            assert_eq!((story[0].what.as_str(), story[0].detail.as_str()), ("closed", *reason));
        }
    });
}

#[test]
fn intelligence_that_follows_closes_with_the_reason_and_opens_again() {
    each(async |db| {
        let actor = actor(db).await;
        let mut known = known();
        let first = known.publish(db, None).await;
        let id = release(db, &actor, "1.0").await;
        let document = sbom(&[npm("left", "1.0.0"), npm("right", "2.0.0"), deb("zlib", "1.2.3-1")]);
        assert_eq!(upload(db, &actor, id, &document, &first).await.findings.new, 3);
        follow(db, &first).await;

        known.groups[0] = osv("CVE-2025-1", "npm", "left", "1.0.0");
        known.groups[2].records[0].state = tocsin_model::record::RecordState::Withdrawn;
        known.groups.remove(1);
        let second = known.publish(db, Some(&first)).await;
        let done = follow(db, &second).await;
        assert_eq!((done.closed, done.whole), (3, 0));
        let reasons: Vec<(String, String)> =
            all(db, &actor).await.into_iter().map(|f| (f.vulnerability, f.reason)).collect();
        for (id, reason) in [
            ("CVE-2025-1", "record-changed"),
            ("CVE-2025-2", "record-withdrawn"),
            ("CVE-2025-3", "record-withdrawn"),
        ] {
            assert!(reasons.contains(&(id.to_owned(), reason.to_owned())), "{reasons:?}");
        }
        let open = inventory::release_of(db, &actor, id).await.unwrap().open;
        assert_eq!(open, [0; 5]);

        let third = super::reasons::known().publish(db, Some(&second)).await;
        assert_eq!(follow(db, &third).await.new, 3);
        assert!(all(db, &actor).await.iter().all(|f| f.closed.is_none() && f.reason.is_empty()));
    });
}

#[test]
fn a_component_told_otherwise_keeps_its_findings() {
    each(async |db| {
        let actor = actor(db).await;
        let opened = known().publish(db, None).await;
        let id = release(db, &actor, "1.0").await;
        upload(db, &actor, id, &sbom(&[npm("left", "1.0.0")]), &opened).await;
        let before = all(db, &actor).await;
        let mut named = npm("left", "1.0.0");
        named["supplier"] = json!({"name": "Left Hand"});
        let done = upload(db, &actor, id, &sbom(&[named]), &opened).await;
        assert_eq!((done.findings.new, done.findings.closed.len()), (0, 0));
        let after = all(db, &actor).await;
        assert_eq!((after.len(), after[0].id), (1, before[0].id));
        assert_ne!(after[0].component, before[0].component);
    });
}

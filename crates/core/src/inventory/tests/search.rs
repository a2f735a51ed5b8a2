//! One field for everything, within what the asker may see.

use super::*;
use crate::search::{Kind, search};

#[test]
fn everything_is_found_by_who_may_see_it() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        upload(db, &actor, release, &read(RICH.as_bytes().to_vec(), &ix)).await.unwrap();
        let device = Device { customer: "Ward clinic".into(), region: "EU".into(), serial: "SN-77".into() };
        let mut c = Change::begin(db, &actor).await.unwrap();
        note_devices(&mut c, release, &[device]).await.unwrap();
        c.commit().await.unwrap();
        let kinds = async |actor: &Actor, text: &str| -> Vec<(Kind, String)> {
            let found = search(db, actor, text, 5).await.unwrap();
            found.into_iter().flat_map(|s| s.hits).map(|h| (h.kind, h.title)).collect()
        };
        let has = |list: &[(Kind, String)], kind: Kind, title: &str| {
            list.iter().any(|(k, t)| *k == kind && t == title)
        };
        for (text, kind, title) in [
            ("infus", Kind::Line, "Infusion"),
            ("PUMP", Kind::Product, "Pump 3"),
            ("pump 3 1.0", Kind::Release, "Pump 3 1.0"),
            ("left", Kind::Component, "left 1.10.0"),
            ("hand", Kind::Component, "left-hand 1.0.0"),
            ("pkg:npm/left-h", Kind::Component, "left-hand 1.0.0"),
            ("left_project", Kind::Component, "left 1.10.0"),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", Kind::Component, "left 1.10.0"),
            ("CVE-2025-1", Kind::Finding, "CVE-2025-1 in left 1.10.0"),
            ("left", Kind::Finding, "CVE-2025-1 in left 1.10.0"),
            ("ward", Kind::Customer, "Ward clinic"),
            ("sn-7", Kind::Device, "SN-77"),
            ("anna", Kind::Person, "Anna Berg"),
        ] {
            let found = kinds(&actor, text).await;
            assert!(has(&found, kind, title), "{text}: {found:?}");
        }
        assert!(kinds(&actor, "  ").await.is_empty());
        assert!(kinds(&actor, "100% _ no'\"such (thing)").await.is_empty());
        let first = search(db, &actor, "left", 5).await.unwrap();
        let components = first.iter().find(|s| s.kind == Kind::Component).unwrap();
        assert_eq!(components.hits[0].title, "left 1.10.0", "the very name comes first");
        let other = Actor {
            grants: vec![crate::platform::access::Grant { role: Role::Contact, line: Some(99) }],
            ..actor.clone()
        };
        for text in ["infus", "pump", "left", "CVE-2025-1", "ward", "sn-7"] {
            assert!(kinds(&other, text).await.is_empty(), "{text}");
        }
        let elsewhere = Actor { workspace: actor.workspace + 1, ..actor.clone() };
        for text in ["pump", "left", "anna", "sn-77"] {
            assert!(kinds(&elsewhere, text).await.is_empty(), "{text}");
        }
    });
}

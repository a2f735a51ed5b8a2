//! Naming, archiving, deleting; devices, stakeholders, suppliers, the life of packages.

use super::*;
use crate::platform::access::Grant;

/// Makes a change and keeps it where it is right.
macro_rules! changed {
    ($db:expr, $actor:expr, $change:ident, $what:expr) => {{
        let mut $change = Change::begin($db, $actor).await.unwrap();
        let done = $what.await;
        if done.is_ok() {
            $change.commit().await.unwrap();
        }
        done
    }};
}

fn contact(actor: &Actor, line: i64) -> Actor {
    Actor { grants: vec![Grant { role: Role::Contact, line: Some(line) }], ..actor.clone() }
}

fn field(e: &Error) -> &str {
    match e {
        Error::Rejected { field, .. } => field,
        _ => "",
    }
}

#[test]
fn things_are_named_archived_and_come_back_together() {
    each(async |db| {
        let actor = anna(db).await;
        let one = pump(db, &actor, "1.0").await;
        let two = pump(db, &actor, "1.1").await;
        let r = release_of(db, &actor, one).await.unwrap();
        let (line, product) = (r.line, r.product);
        let edit = ReleaseEdit {
            version: "1.0.1".into(),
            released: Some("2025-01-31".into()),
            support_until: Some("2030-12-31".into()),
            note: " for the wards ".into(),
        };
        changed!(db, &actor, c, edit_release(&mut c, one, &edit)).unwrap();
        let is = release_edit(db, &actor, one).await.unwrap();
        assert_eq!(
            (is.version.as_str(), is.note.as_str(), is.support_until.as_deref()),
            ("1.0.1", "for the wards", Some("2030-12-31"))
        );
        for (wrong, at) in [
            (ReleaseEdit { version: "1.1".into(), ..edit.clone() }, "version"),
            (ReleaseEdit { released: Some("31.1.2025".into()), ..edit.clone() }, "released"),
            (ReleaseEdit { support_until: Some("2024-01-01".into()), ..edit.clone() }, "support_until"),
        ] {
            let e = changed!(db, &actor, c, edit_release(&mut c, one, &wrong)).unwrap_err();
            assert_eq!(field(&e), at);
        }
        let mut c = Change::begin(db, &actor).await.unwrap();
        let other = make_line(&mut c, "Telematics").await.unwrap();
        c.commit().await.unwrap();
        let taken = LineEdit { name: "Telematics".into(), ..LineEdit::default() };
        assert_eq!(field(&changed!(db, &actor, c, edit_line(&mut c, line, &taken)).unwrap_err()), "name");
        let nobody = LineEdit { name: "Infusion".into(), contact: Some(9_999), ..LineEdit::default() };
        assert_eq!(field(&changed!(db, &actor, c, edit_line(&mut c, line, &nobody)).unwrap_err()), "contact");
        // who has one line alone moves nothing out of it, and sees no other
        let moved = ProductEdit { name: "Pump 3".into(), description: String::new(), line: other };
        let limited = contact(&actor, line);
        assert!(changed!(db, &limited, c, edit_product(&mut c, product, &moved)).is_err());
        changed!(db, &actor, c, edit_product(&mut c, product, &moved)).unwrap();
        assert!(matches!(product_of(db, &limited, product).await, Err(Error::NotFound(_))));
        assert!(changed!(db, &limited, c, archive(&mut c, Thing::Product(product), true)).is_err());

        // the first goes to the archive alone; the second with the product, and only that comes back with it
        changed!(db, &actor, c, archive(&mut c, Thing::Release(one), true)).unwrap();
        let later = Actor { now: LATER.to_owned(), ..actor.clone() };
        changed!(db, &later, c, archive(&mut c, Thing::Line(other), true)).unwrap();
        assert!(!release_of(db, &actor, two).await.unwrap().active);
        let shown = |archived: &str| Wanted { archived: archived.to_owned(), ..Wanted::default() };
        assert!(overview(db, &actor, &shown("")).await.unwrap().is_empty());
        assert_eq!(overview(db, &actor, &shown("archived")).await.unwrap()[0].releases.len(), 2);
        changed!(db, &actor, c, archive(&mut c, Thing::Line(other), false)).unwrap();
        let active = |r: Release| r.active;
        assert_eq!(
            (
                active(release_of(db, &actor, one).await.unwrap()),
                active(release_of(db, &actor, two).await.unwrap())
            ),
            (false, true)
        );
        assert_eq!(product_of(db, &actor, product).await.unwrap().archived, None);
        changed!(db, &actor, c, archive(&mut c, Thing::Release(one), false)).unwrap();
        assert!(release_of(db, &actor, one).await.unwrap().active);
        let found = overview(db, &actor, &Wanted { support: Some(Support::Supported), ..Wanted::default() })
            .await
            .unwrap();
        assert_eq!((found.len(), found[0].releases[0].id), (1, one));
    });
}

#[test]
fn what_is_deleted_is_gone_but_for_its_trail() {
    each(async |db| {
        let actor = anna(db).await;
        let one = pump(db, &actor, "1.0").await;
        let two = pump(db, &actor, "1.1").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        for release in [one, two] {
            upload(db, &actor, release, &read(sbom(&[("left", "1.0.0"), ("ok", "1.0.0")]), &ix))
                .await
                .unwrap();
        }
        let list =
            detection::findings(db, &actor, &Filter { release: Some(two), ..Filter::default() }, None, 9)
                .await
                .unwrap();
        let decision = Decision {
            status: "affected".into(),
            justification: String::new(),
            response: String::new(),
            detail: "yes".into(),
            reach: Reach::Release,
            expires: None,
        };
        changed!(db, &actor, c, detection::decide(&mut c, list.findings[0].id, &decision)).unwrap();
        let device = Device { customer: "Clinic".into(), region: String::new(), serial: "SN-1".into() };
        changed!(db, &actor, c, note_devices(&mut c, two, &[device])).unwrap();
        let what = consequences(db, &actor, Thing::Release(two)).await.unwrap();
        assert_eq!(
            (what.products, what.releases, what.documents, what.findings, what.units),
            (0, 1, 1, 1, 1)
        );
        let wrong = changed!(db, &actor, c, delete(&mut c, Thing::Release(two), "Pump 3")).unwrap_err();
        assert_eq!(field(&wrong), "typed");
        let auditor = Actor { grants: vec![Grant { role: Role::Auditor, line: None }], ..actor.clone() };
        assert!(matches!(
            changed!(db, &auditor, c, delete(&mut c, Thing::Release(two), "Pump 3 1.1")),
            Err(Error::Denied(_))
        ));
        changed!(db, &actor, c, delete(&mut c, Thing::Release(two), " Pump 3 1.1 ")).unwrap();
        assert!(matches!(release_of(db, &actor, two).await, Err(Error::NotFound(_))));
        // the other release has the same bytes, which therefore stay, and is the latest now
        assert!(original(db, &actor, one, 0).await.is_ok());
        assert!(release_of(db, &actor, one).await.unwrap().latest);
        let rows = async |table: &str| {
            let select = format!("SELECT COUNT(*) FROM {table}");
            sql::row::<(i64,)>(db, "counting", &select, vec![]).await.unwrap().unwrap().0
        };
        assert_eq!(
            (rows("finding").await, rows("decision").await, rows("device").await, rows("blob").await),
            (1, 0, 0, 1)
        );
        let product = release_of(db, &actor, one).await.unwrap();
        changed!(db, &actor, c, delete(&mut c, Thing::Line(product.line), "Infusion")).unwrap();
        for table in ["line", "product", "release", "document", "blob", "occurrence", "edge", "finding"] {
            assert_eq!(rows(table).await, 0, "{table}");
        }
        let events = change::events(db, &actor, "delete", None, 9).await.unwrap();
        assert_eq!((events.len(), events[0].name.as_str()), (2, "Infusion"));
        assert!(events[0].before.contains("\"releases\":1"), "{}", events[0].before);
        assert_eq!(change::verify(db).await.unwrap().broken_at, None);
    });
}

#[test]
fn devices_stakeholders_suppliers_and_lives_keep_to_their_scope() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let r = release_of(db, &actor, release).await.unwrap();
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"left",
            "version":"1.0.0","purl":"pkg:npm/left@1.0.0","supplier":{"name":"Left GmbH"}}]}"#;
        upload(db, &actor, release, &read(text.as_bytes().to_vec(), &ix)).await.unwrap();
        let device = |customer: &str, serial: &str| Device {
            customer: customer.into(),
            region: "EU".into(),
            serial: serial.into(),
        };
        let list = [device("Clinic", "SN-0001"), device("Clinic", "sn-0002"), device("Harbour", "X_9")];
        assert_eq!(changed!(db, &actor, c, note_devices(&mut c, release, &list)).unwrap(), 3);
        assert_eq!(changed!(db, &actor, c, note_devices(&mut c, release, &list)).unwrap(), 0);
        assert_eq!(release_of(db, &actor, release).await.unwrap().units, 3);
        for (asked, n) in [("sn-0001", 1), ("SN-", 2), ("X_9", 1), ("X%", 0), ("", 0)] {
            assert_eq!(locate(db, &actor, asked, 10).await.unwrap().len(), n, "{asked}");
        }
        let found = locate(db, &actor, "sn-0001", 10).await.unwrap();
        assert_eq!(
            (found[0].release.id, found[0].release.open[0], found[0].device.customer.as_str()),
            (release, 1, "Clinic")
        );
        let elsewhere = contact(&actor, r.line + 1);
        assert!(locate(db, &elsewhere, "sn-0001", 10).await.unwrap().is_empty());
        assert_eq!(devices(db, &actor, release, "sn", 0, 10).await.unwrap().len(), 2);
        assert_eq!(
            changed!(db, &actor, c, drop_devices(&mut c, release, &["SN-0002".to_owned()])).unwrap(),
            1
        );

        let told_of = |line: i64, product: i64| Stakeholder {
            name: "Ward".into(),
            email: "ward@example.org".into(),
            interests: vec!["critical".into(), "nonsense".into()],
            line,
            product,
            ..Stakeholder::default()
        };
        let id = changed!(db, &actor, c, save_stakeholder(&mut c, &told_of(r.line, 0))).unwrap();
        changed!(db, &actor, c, save_stakeholder(&mut c, &told_of(0, 0))).unwrap();
        changed!(db, &actor, c, save_stakeholder(&mut c, &told_of(0, r.product))).unwrap();
        assert_eq!(told(db, &actor, release).await.unwrap().len(), 3);
        assert_eq!(told(db, &actor, release).await.unwrap()[0].interests, ["critical"]);
        // whom the whole workspace tells is not shown to who has one line of it, and not changed by them
        let limited = contact(&actor, r.line);
        let all = tocsin_model::query::Query::default();
        assert_eq!(stakeholder_list(db, &limited, &all, None, 10).await.unwrap().rows.len(), 2);
        assert!(stakeholder_list(db, &elsewhere, &all, None, 10).await.unwrap().rows.is_empty());
        assert_eq!(stakeholder_of(db, &limited, id).await.unwrap().line, r.line);
        assert!(matches!(stakeholder_of(db, &elsewhere, id).await, Err(Error::NotFound(_))));
        assert!(changed!(db, &limited, c, save_stakeholder(&mut c, &told_of(0, 0))).is_err());
        let bad = Stakeholder { email: "nowhere".into(), ..told_of(0, 0) };
        assert_eq!(field(&changed!(db, &actor, c, save_stakeholder(&mut c, &bad)).unwrap_err()), "email");
        assert!(changed!(db, &elsewhere, c, drop_stakeholder(&mut c, id)).is_err());
        changed!(db, &limited, c, drop_stakeholder(&mut c, id)).unwrap();
        assert_eq!(told(db, &actor, release).await.unwrap().len(), 2);

        let note = Supplier {
            name: "Left GmbH".into(),
            contact: "psirt@left.example".into(),
            ..Supplier::default()
        };
        changed!(db, &actor, c, note_supplier(&mut c, &note)).unwrap();
        let list = suppliers(db, &actor, "left", "", 10).await.unwrap();
        assert_eq!(
            (list[0].components, list[0].releases, list[0].contact.as_str()),
            (1, 1, "psirt@left.example")
        );
        assert!(suppliers(db, &elsewhere, "", "", 10).await.unwrap().is_empty());
        let script = Supplier { address: "javascript:alert(1)".into(), ..note };
        assert_eq!(field(&changed!(db, &actor, c, note_supplier(&mut c, &script)).unwrap_err()), "address");

        let life = |cycle: &str, latest: &str, ends: &str| Life {
            package: "pkg:npm/left@1.2.3".into(),
            cycle: cycle.into(),
            latest: latest.into(),
            ends: ends.into(),
            source: "left.example".into(),
            ..Life::default()
        };
        let list = [life("1", "1.9.0", "2025-06-30"), life("2", "2.4.0", ""), life("", "2.4.0", "")];
        changed!(db, &actor, c, note_lives(&mut c, &list)).unwrap();
        let lives = lives_told(db, &actor, "pkg:npm/left@1.0.0").await;
        assert_eq!(life_of(&lives, "1.0.0").unwrap().ends, "2025-06-30");
        changed!(db, &actor, c, note_lives(&mut c, &[life("2", "", "")])).unwrap();
        assert_eq!(all_lives(db, &actor, "LEFT").await.unwrap().0.len(), 2);
        assert_eq!(
            field(&changed!(db, &actor, c, note_lives(&mut c, &[life("1", "1", "soon")])).unwrap_err()),
            "ends"
        );
        let system = System { os_release: "ID=pump".into(), ..System::default() };
        changed!(db, &actor, c, set_system(&mut c, release, &system)).unwrap();
        assert_eq!(super::super::system(db, &actor, release).await.unwrap(), system);
        assert!(changed!(db, &elsewhere, c, set_system(&mut c, release, &system)).is_err());
    });
}

#[test]
fn one_line_and_one_product_are_read_by_id_and_by_name_within_the_scope() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        pump(db, &actor, "2.0").await;
        let r = release_of(db, &actor, release).await.unwrap();
        let limited = contact(&actor, r.line);
        let p = product_by_id(db, &limited, r.product).await.unwrap();
        assert_eq!((p.name.as_str(), p.line, p.releases), (r.product_name.as_str(), r.line, 2));
        assert_eq!(product_named(db, &limited, &r.product_name).await.unwrap().id, r.product);
        let l = line_by_id(db, &limited, r.line).await.unwrap();
        assert_eq!((l.name.as_str(), l.products), (r.line_name.as_str(), 1));
        assert_eq!(line_named(db, &limited, &r.line_name).await.unwrap().id, r.line);
        let elsewhere = contact(&actor, r.line + 1);
        let stranger = Actor { workspace: actor.workspace + 1, ..actor.clone() };
        for other in [&elsewhere, &stranger] {
            assert!(matches!(product_by_id(db, other, r.product).await, Err(Error::NotFound(_))));
            assert!(matches!(product_named(db, other, &r.product_name).await, Err(Error::NotFound(_))));
            assert!(matches!(line_by_id(db, other, r.line).await, Err(Error::NotFound(_))));
            assert!(matches!(line_named(db, other, &r.line_name).await, Err(Error::NotFound(_))));
        }
    });
}

async fn lives_told(db: &DatabaseConnection, actor: &Actor, purl: &str) -> Vec<Life> {
    let of = [(1, purl.to_owned(), Vec::new())];
    lives(db, actor, &of).await.unwrap().remove(&1).unwrap_or_default()
}

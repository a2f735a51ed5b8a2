//! A release that goes out comes in again as the same; where something is used, with all that goes with it.

use super::*;
use tocsin_formats::{cyclonedx, spdx};

/// What a release holds, by name: version, purl, licences, supplier, hashes, edges.
async fn content(db: &DatabaseConnection, actor: &Actor, release: i64) -> Vec<String> {
    let parts = parts(db, actor, release).await.unwrap();
    let g = graph(db, actor, release).await.unwrap();
    let mut out: Vec<String> = parts
        .iter()
        .map(|p| {
            format!("{} {} {} {} {} {:?} {}", p.kind, p.group, p.name, p.version, p.purl, p.cpes, p.licences)
        })
        .collect();
    for (n, node) in g.nodes.iter().enumerate() {
        out.extend(g.needs(n).iter().map(|to| format!("{} > {}", node.name, g.nodes[*to].name)));
    }
    out.sort();
    out
}

const TREE: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,
  "metadata":{"component":{"type":"device","bom-ref":"root","name":"Pump 3","version":"1.0"}},"components":[
  {"type":"firmware","bom-ref":"image","name":"image","version":"7","components":[
    {"type":"library","bom-ref":"left","name":"left","version":"1.0.0","purl":"pkg:npm/left@1.0.0",
     "supplier":{"name":"Left GmbH"},"licenses":[{"license":{"id":"MIT"}},{"license":{"name":"Own words"}}],
     "hashes":[{"alg":"SHA-256","content":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}]}]},
  {"type":"library","bom-ref":"mid","group":"org.example","name":"mid","version":"2","purl":"pkg:maven/org.example/mid@2",
   "cpe":"cpe:2.3:a:example:mid:2:*:*:*:*:*:*:*","licenses":[{"expression":"MIT OR Apache-2.0"}]}],
  "dependencies":[{"ref":"root","dependsOn":["image","mid"]},{"ref":"mid","dependsOn":["left"]}]}"#;

#[test]
fn a_release_goes_out_and_comes_back() {
    each(async |db| {
        let actor = anna(db).await;
        let release = pump(db, &actor, "1.0").await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        upload(db, &actor, release, &read(TREE.as_bytes().to_vec(), &ix)).await.unwrap();
        let wanted = content(db, &actor, release).await;
        assert!(wanted.contains(&"image > left".to_owned()), "what is contained is below: {wanted:?}");
        let out = export(db, &actor, release, "tocsin 0", true).await.unwrap();
        assert_eq!(out.bom.root.map(|n| out.bom.components[n].name.as_str()), Some("Pump 3"));
        assert_eq!((out.vulnerabilities.len(), out.advisories.len()), (1, 1));
        assert_eq!(out.vulnerabilities[0].affects[0].reference, "left");
        let strict = tocsin_formats::input::ReadOptions { strict: true, ..Default::default() };
        let again = export(db, &actor, release, "tocsin 0", false).await.unwrap();
        assert_eq!(again.bom.serial, out.bom.serial);
        assert!(again.vulnerabilities.is_empty());
        let spdx_json = spdx::to_json(&out.bom, &out.advisories).unwrap();
        for (n, (bytes, same)) in [
            (cyclonedx::to_json(&out.bom, &out.vulnerabilities).unwrap(), true),
            (cyclonedx::to_xml(&out.bom, &out.vulnerabilities), true),
            (spdx_json, false),
            (spdx::to_tag_value(&out.bom, &out.advisories), false),
        ]
        .into_iter()
        .enumerate()
        {
            let bom = tocsin_formats::sbom::read("x", &bytes, &strict, None)
                .unwrap_or_else(|e| panic!("{n}: {e:?}"));
            let next = pump(db, &actor, &format!("2.{n}")).await;
            let prepared = prepare("x", bytes, bom, Some(&ix), &[]).unwrap();
            let done = upload(db, &actor, next, &prepared).await.unwrap();
            assert_eq!((done.distinct, done.findings.new), (4, 1), "{n}");
            if same {
                assert_eq!(content(db, &actor, next).await, wanted, "{n}");
            } else {
                // SPDX has one name for group and name, and no words for licences that are not its own
                let is = content(db, &actor, next).await;
                assert_eq!(is.len(), wanted.len());
                assert!(is.iter().any(|l| l.contains("pkg:npm/left@1.0.0") && l.contains("MIT")), "{is:?}");
            }
            let d = compare(db, &actor, release, next).await.unwrap();
            assert!(d.new.is_empty() && d.changed.is_empty(), "{n}: {d:?}");
        }
        let empty = pump(db, &actor, "3.0").await;
        let out = export(db, &actor, empty, "tocsin 0", true).await.unwrap();
        assert_eq!((out.bom.components.len(), out.bom.components[0].name.as_str()), (1, "Pump 3"));
        let elsewhere = Actor { workspace: actor.workspace + 1, ..actor.clone() };
        assert!(export(db, &elsewhere, release, "tocsin 0", false).await.is_err());
    });
}

#[test]
fn where_used_tells_releases_owners_units_and_ways() {
    each(async |db| {
        let actor = anna(db).await;
        let ix = index(&[&osv("CVE-2025-1", "left", "2.0.0")]);
        for (version, units) in [("1.0", 40), ("1.1", 2)] {
            let release = pump(db, &actor, version).await;
            upload(db, &actor, release, &read(TREE.as_bytes().to_vec(), &ix)).await.unwrap();
            let list = [
                Deployment { customer: "Clinic".into(), region: "EU".into(), units },
                Deployment { customer: "Harbour".into(), region: String::new(), units: 1 },
            ];
            let mut c = Change::begin(db, &actor).await.unwrap();
            deploy(&mut c, release, &list).await.unwrap();
            c.commit().await.unwrap();
        }
        for q in ["left", "CVE-2025-1", "cve-2025-1", "licence:own words", "pkg:npm/left@<2"] {
            let a = answer(db, &actor, q, 0, 10, true).await.unwrap();
            let totals =
                Totals { releases: 2, products: 1, occurrences: 2, units: 44, customers: 2, regions: 1 };
            assert_eq!(a.totals, totals, "{q}");
            let versions: Vec<&str> = a.releases.iter().map(|r| r.version.as_str()).collect();
            assert_eq!(versions, ["1.1", "1.0"], "{q}");
            assert_eq!(a.releases[0].parts[0].path.len(), 3, "{q}: {:?}", a.releases[0].parts[0].path);
            assert_eq!(a.releases[0].parts[0].path[0], "Pump 3 1.0");
            assert_eq!(
                (a.owners[0].customer.as_str(), a.owners[0].units, a.owners[0].releases),
                ("Clinic", 42, 2)
            );
            assert_eq!(where_used(db, &actor, q, 10).await.unwrap().len(), 2, "{q}");
        }
        let page = answer(db, &actor, "left", 1, 1, false).await.unwrap();
        assert_eq!(
            (page.releases.len(), page.releases[0].version.as_str(), page.totals.releases),
            (1, "1.0", 2)
        );
        assert_eq!(answer(db, &actor, "CVE-2000-1", 0, 10, true).await.unwrap().totals, Totals::default());
        let other = Actor {
            grants: vec![crate::platform::access::Grant { role: Role::Contact, line: Some(99) }],
            ..actor.clone()
        };
        assert_eq!(answer(db, &other, "left", 0, 10, true).await.unwrap().totals, Totals::default());

        let left = page.releases[0].parts[0].component;
        let one = component_of(db, &actor, left).await.unwrap();
        assert_eq!((one.full_name(), one.supplier.as_str()), ("left".to_owned(), "Left GmbH"));
        assert!(component_of(db, &other, left).await.is_err());
        let found = places(db, &actor, left, 0, 10).await.unwrap();
        assert_eq!((found.len(), found[0].findings, found[0].worst, found[0].hashes.len()), (2, 1, 5, 1));
        let all = versions(db, &actor, &one).await.unwrap();
        assert_eq!((all.len(), all[0].releases, all[0].units, all[0].findings), (1, 2, 44, 2));
        let ways = why(db, &actor, page.releases[0].release, left, 5).await.unwrap();
        let names: Vec<Vec<&str>> =
            ways.iter().map(|w| w.iter().map(|n| n.name.as_str()).collect()).collect();
        assert_eq!(names, [["Pump 3", "image", "left"], ["Pump 3", "org.example/mid", "left"]]);
    });
}

//! Bills of materials as they are written: valid by the schemas, and the same when they are read again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use tocsin_formats::cyclonedx::vdr::{VdrAffect, VdrAnalysis, VdrRating, VdrSource, VdrVulnerability};
use tocsin_formats::input::ReadOptions;
use tocsin_formats::{cyclonedx, spdx};
use tocsin_model::bom::{Bom, Component, ComponentKind, License};
use tocsin_model::cpe::Cpe;
use tocsin_model::purl::Purl;

/// One of everything a bill of materials can hold, and what is hard to write.
fn bom() -> Bom {
    let c = |reference: &str, name: &str| Component {
        reference: reference.to_owned(),
        name: name.to_owned(),
        ..Component::default()
    };
    let expression = |text: &str| License::Expression(text.to_owned());
    let openssl = Component {
        version: Some("3.0.7".into()),
        purl: Purl::parse("pkg:deb/debian/openssl@3.0.7?arch=arm64").ok(),
        cpes: vec![
            Cpe::parse("cpe:2.3:a:openssl:openssl:3.0.7:*:*:*:*:*:*:*").unwrap(),
            Cpe::parse("cpe:2.3:a:openssl_project:openssl:3.0.7:*:*:*:*:*:*:*").unwrap(),
        ]
        .into(),
        supplier: Some("Example & Söhne <GmbH>".into()),
        licenses: vec![expression("Apache-2.0"), expression("MIT")].into(),
        hashes: vec![
            ("SHA-256".into(), "ab".repeat(32)),
            ("MD5".into(), "0f".repeat(16)),
            ("SHA3-512".into(), "cd".repeat(64)),
        ]
        .into(),
        references: vec![("website".into(), "https://example.org/?a=1&b=2".into())].into(),
        locations: vec!["/usr/lib/libssl.so.3".into()].into(),
        ..c("pkg:deb/openssl", "openssl")
    };
    let image = Component { kind: ComponentKind::Firmware, version: Some("7".into()), ..c("image", "image") };
    let inner = Component {
        group: Some("@scope".into()),
        version: Some("1.0.0 \"beta\"".into()),
        licenses: vec![expression("MIT OR GPL-2.0-only"), expression("BSD-3-Clause")].into(),
        parent: Some(2),
        ..c("inner", "left-pad")
    };
    let deep = Component {
        licenses: vec![License::Named("Our own licence, v1".into())].into(),
        resolves: vec!["CVE-2023-9".into()].into(),
        parent: Some(3),
        ..c("deep", "tab\there & <angle>")
    };
    Bom {
        serial: Some("urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79".into()),
        timestamp: Some("2026-01-02T03:04:05.678Z".into()),
        name: Some("Pump 3 1.0".into()),
        creators: vec!["Tool: tocsin 0.1".into(), "Organization: Example Medical".into()],
        root: Some(0),
        components: vec![
            Component { kind: ComponentKind::Device, version: Some("1.0".into()), ..c("root", "Pump 3") },
            openssl,
            image,
            inner,
            deep,
        ],
        dependencies: vec![(0, 1), (0, 2), (3, 4), (4, 1)],
        ..Bom::default()
    }
}

fn report() -> Vec<VdrVulnerability> {
    vec![VdrVulnerability {
        id: "CVE-2024-1".into(),
        source: Some(VdrSource { name: "NVD".into(), url: Some("https://example.org/CVE-2024-1".into()) }),
        references: vec!["GHSA-xxxx".into()],
        ratings: vec![VdrRating {
            source: Some("NVD".into()),
            score: Some(9.8),
            severity: Some("critical".into()),
            method: Some("CVSSv31".into()),
            vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H".into()),
        }],
        cwes: vec![79],
        description: Some("a flaw <of> & in".into()),
        recommendation: Some("Update to 3.0.8.".into()),
        analysis: Some(VdrAnalysis {
            state: Some("not_affected".into()),
            justification: Some("vulnerable_code_not_in_execute_path".into()),
            detail: Some("never called".into()),
            ..VdrAnalysis::default()
        }),
        affects: vec![VdrAffect { reference: "pkg:deb/openssl".into(), versions: vec!["3.0.7".into()] }],
        properties: vec![("tocsin:confidence".into(), "exact".into())],
    }]
}

const STRICT: fn() -> ReadOptions = || ReadOptions { strict: true, ..ReadOptions::default() };

/// What the two say: components by name with all that they hold, and the edges by name. The root stands wherever the
/// format puts it.
fn told(bom: &Bom, parents: bool) -> (Vec<String>, Vec<String>) {
    let name = |n: usize| bom.components[n].full_name();
    let mut components: Vec<String> = bom
        .components
        .iter()
        .map(|c| {
            let parent = c.parent.filter(|_| parents).map(name);
            let purl = c.purl.as_ref().map(ToString::to_string);
            let cpes: Vec<String> = c.cpes.iter().map(ToString::to_string).collect();
            format!(
                "{} {:?} {:?} {purl:?} {cpes:?} {:?} {:?} {parent:?} {:?}",
                c.full_name(),
                c.kind,
                c.version,
                c.supplier,
                c.hashes,
                c.locations
            )
        })
        .collect();
    let mut edges: Vec<String> =
        bom.dependencies.iter().map(|(a, b)| format!("{} > {}", name(*a), name(*b))).collect();
    components.sort();
    edges.sort();
    (components, edges)
}

#[test]
fn cyclonedx_is_valid_and_comes_back() {
    for (bom, vulnerabilities) in [(bom(), report()), (bom(), Vec::new()), (Bom::default(), Vec::new())] {
        let json = cyclonedx::to_json(&bom, &vulnerabilities).unwrap();
        let xml = cyclonedx::to_xml(&bom, &vulnerabilities);
        for (kind, bytes) in [("json", json), ("xml", xml)] {
            let read = cyclonedx::read(&bytes, &STRICT())
                .unwrap_or_else(|said| panic!("{kind}: {said:?}\n{}", String::from_utf8_lossy(&bytes)));
            assert_eq!(read.format.encoding, kind);
            assert_eq!(told(&read, true), told(&bom, true), "{kind}");
            let root = |b: &Bom| b.root.map(|at| b.components[at].full_name());
            assert_eq!(
                (root(&read), &read.serial, &read.timestamp),
                (root(&bom), &bom.serial, &bom.timestamp)
            );
            assert_eq!(read.creators, bom.creators);
            assert_eq!(read.vex.len(), vulnerabilities.len(), "{kind}");
            let licences = |b: &Bom, name: &str| {
                b.components.iter().find(|c| c.name == name).map(|c| c.licenses.clone()).unwrap_or_default()
            };
            if !bom.components.is_empty() {
                let joined = License::Expression("(MIT OR GPL-2.0-only) AND BSD-3-Clause".into());
                assert_eq!(licences(&read, "left-pad"), [joined]);
                assert_eq!(licences(&read, "openssl"), licences(&bom, "openssl"));
                assert_eq!(licences(&read, "tab\there & <angle>"), licences(&bom, "tab\there & <angle>"));
                let resolves =
                    |b: &Bom| b.components.iter().flat_map(|c| c.resolves.clone()).collect::<Vec<_>>();
                assert_eq!(resolves(&read), resolves(&bom));
            }
        }
    }
}

#[test]
fn spdx_is_valid_and_comes_back() {
    let advisories =
        vec![spdx::Advisory { component: 1, id: "CVE-2024-1".into(), comment: "affected\nfor now".into() }];
    for (bom, advisories) in [(bom(), advisories), (Bom::default(), Vec::new())] {
        let json = spdx::to_json(&bom, &advisories).unwrap();
        let tags = spdx::to_tag_value(&bom, &advisories);
        for (kind, bytes) in [("json", json), ("tag-value", tags)] {
            let read = spdx::read(&bytes, &STRICT())
                .unwrap_or_else(|said| panic!("{kind}: {said:?}\n{}", String::from_utf8_lossy(&bytes)));
            assert_eq!(read.format.encoding, kind);
            assert!(read.diagnostics.is_empty(), "{kind}: {:?}", read.diagnostics);
            let mut wanted = bom.clone();
            for c in &mut wanted.components {
                // SPDX has one name, tag-value one line for it
                c.name = c.full_name();
                c.group = None;
                if kind == "tag-value" {
                    c.name = c.name.replace('\t', " ");
                }
            }
            assert_eq!(told(&read, true), told(&wanted, true), "{kind}");
            if let Some(root) = read.root {
                assert_eq!(read.components[root].name, "Pump 3");
                let licences = |name: &str| {
                    read.components.iter().find(|c| c.name.contains(name)).unwrap().licenses.clone()
                };
                assert_eq!(licences("openssl"), [License::Expression("Apache-2.0 AND MIT".into())]);
                assert_eq!(licences("angle"), [License::Expression("LicenseRef-Our-own-licence-v1".into())]);
                let advisory =
                    ("advisory".to_owned(), "https://www.cve.org/CVERecord?id=CVE-2024-1".to_owned());
                assert!(read.components.iter().any(|c| c.references.contains(&advisory)));
            }
        }
    }
}

/// Components that contain each other, or lie deeper than anything sensible, are written all the same, each once.
#[test]
fn circles_and_depth_end() {
    let mut bom = Bom::default();
    for n in 0..200_usize {
        bom.components.push(Component {
            reference: format!("c{n}"),
            name: format!("c{n}"),
            parent: if n == 0 { Some(1) } else { Some(n - 1) },
            ..Component::default()
        });
    }
    for bytes in [cyclonedx::to_json(&bom, &[]).unwrap(), cyclonedx::to_xml(&bom, &[])] {
        assert_eq!(cyclonedx::read(&bytes, &STRICT()).unwrap().components.len(), 200);
    }
    bom.components.truncate(20);
    bom.components[0].parent = None;
    let read = cyclonedx::read(&cyclonedx::to_json(&bom, &[]).unwrap(), &STRICT()).unwrap();
    assert_eq!(told(&read, true), told(&bom, true));
}

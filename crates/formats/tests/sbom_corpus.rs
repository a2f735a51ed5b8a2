//! Every collection of SBOMs in the corpus: what is read, what is refused and why, and that no component is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod corpus;
mod sbom;

use corpus::corpus;
use sbom::count;
use tocsin_formats::input::ReadOptions;
use tocsin_formats::sbom::read as read_document;

/// Files, of which documents read, and the refused: (part of the name, files, code, why).
struct Collection {
    name: &'static str,
    files: usize,
    read: usize,
    refused: &'static [(&'static str, usize, &'static str, &'static str)],
}

const COLLECTIONS: &[Collection] = &[
    Collection { name: "bom-shelter-lab", files: 24, read: 24, refused: &[] },
    Collection {
        name: "bom-shelter-wild",
        files: 47,
        read: 41,
        refused: &[
            ("README.md", 1, "input-unrecognised", "about the collection"),
            ("-dataset-metadata.csv", 2, "input-unrecognised", "about the collection"),
            (
                "bashrc2-sbom-cdx.json",
                1,
                "input-unrecognised",
                "raw scanner results, no CycloneDX in spite of the name",
            ),
            ("scanoss-sbom-cdx.json", 1, "input-unrecognised", "a list of a format of its own, no CycloneDX"),
            ("powershell-2.2.6.spdx.json", 1, "input-syntax", "text of a web page follows the JSON"),
        ],
    },
    Collection {
        name: "claircore",
        files: 8,
        read: 4,
        refused: &[
            ("konflux-manifest.ir.json", 1, "input-empty", "has no bytes"),
            (
                ".ir.json",
                3,
                "input-unrecognised",
                "the program's own index report, the expected result of its tests",
            ),
        ],
    },
    Collection {
        name: "cve-bin-tool",
        files: 29,
        read: 27,
        refused: &[
            ("swid_test.xml", 1, "input-unrecognised", "a SWID tag; not a format that is read"),
            ("test_openvex_vex.json", 1, "input-unrecognised", "OpenVEX, read as intelligence"),
        ],
    },
    Collection { name: "cyclonedx-bom-examples", files: 82, read: 82, refused: &[] },
    Collection {
        name: "dependency-track",
        files: 37,
        read: 36,
        refused: &[("bom-invalid.json", 1, "input-syntax", "cut short on purpose")],
    },
    Collection {
        name: "sbom-utility",
        files: 274,
        read: 193,
        refused: &[
            ("test-base-invalid-format-key-foo.json", 1, "input-unrecognised", "lacks bomFormat on purpose"),
            ("test-cdx-bom-format-missing.json", 1, "input-unrecognised", "lacks bomFormat on purpose"),
            ("test-spdx-spdx-version-missing.json", 1, "input-unrecognised", "lacks spdxVersion on purpose"),
            ("-syntax-err-", 2, "input-syntax", "broken JSON on purpose"),
            ("test/custom/config-", 13, "input-unrecognised", "configuration of the program"),
            ("test/custom/custom-", 1, "input-unrecognised", "configuration of the program"),
            ("test/diff/json-", 10, "input-unrecognised", "fragments for its comparison"),
            ("test/patch/cdx-patch-", 18, "input-unrecognised", "JSON patches"),
            ("test/patch/rfc6902", 30, "input-unrecognised", "JSON patches and fragments"),
            ("outer-parens.policy.json", 1, "input-unrecognised", "licence policy"),
            ("license-policy-family-name-usage", 1, "input-unrecognised", "licence policy"),
            ("license-policy-id.json", 1, "input-unrecognised", "licence policy"),
            ("license-policy-license-expression", 1, "input-unrecognised", "licence policy"),
        ],
    },
    Collection { name: "trustify-rh", files: 74, read: 74, refused: &[] },
];

#[test]
fn every_collection_is_read_and_nothing_lost() {
    let mut faults = Vec::new();
    for c in COLLECTIONS {
        let files = corpus(&format!("sboms/{}.tar.zst", c.name));
        if files.is_empty() {
            continue;
        }
        let (mut read, mut components, mut refused) = (0, 0, vec![0; c.refused.len()]);
        for (name, bytes) in &files {
            let bytes = match name.ends_with(".zst") {
                true => zstd::decode_all(bytes.as_slice()).expect("zstd"),
                false => bytes.clone(),
            };
            let at = c.refused.iter().position(|(part, ..)| name.contains(part));
            match (read_document(name, &bytes, &ReadOptions::default(), None), at) {
                (Ok(bom), None) => {
                    read += 1;
                    components += bom.components.len();
                    let (counted, came) = (count(&bytes), bom.components.len());
                    if came != counted {
                        faults.push(format!("{}/{name}: {came} of {counted} components", c.name));
                    }
                }
                (Err(said), Some(at)) if said.iter().any(|d| d.code == c.refused[at].2) => refused[at] += 1,
                (outcome, _) => faults.push(format!("{}/{name}: {:?}", c.name, outcome.err())),
            }
        }
        eprintln!("{}: {read} of {} files read, {components} components", c.name, files.len());
        let listed: Vec<usize> = c.refused.iter().map(|r| r.1).collect();
        if (files.len(), read, &refused) != (c.files, c.read, &listed) {
            faults.push(format!("{}: {} files, {read} read, {refused:?} refused", c.name, files.len()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

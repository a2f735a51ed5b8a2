//! SPDX against the examples of its own project and tools, where the corpus is at hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod corpus;
mod sbom;

use corpus::corpus;
use sbom::count;
use tocsin_formats::input::ReadOptions;
use tocsin_formats::spdx::{read, recognise};
use tocsin_model::bom::{Bom, License};
use tocsin_model::diagnostic::Level;

const PARTS: &[&str] = &["spdx-examples", "spdx-tools", "spdx-tools-java"];

/// Files that are no SPDX document: (end of the name, why).
const NO_SPDX: &[(&str, &str)] = &[
    ("workflows/pull_request.yml", "a build workflow"),
    ("examplemaven/pom.xml", "a Maven project"),
    ("examplemaven/pom-with-spdx-plugin.xml", "a Maven project"),
    ("BadJSON.spdx.json", "broken JSON on purpose"),
    ("spdx-2-2-revision-8-ontology.owl.xml", "the vocabulary, which describes documents and is none"),
];

#[test]
fn every_document_reads_without_error_and_no_package_is_lost() {
    let (mut read_well, mut components, mut faults) = (0, 0, Vec::new());
    for part in PARTS {
        for (name, bytes) in corpus(&format!("sboms/{part}.tar.zst")) {
            let refused = NO_SPDX.iter().any(|(end, _)| name.ends_with(end));
            let outcome = if recognise(&bytes) { read(&bytes, &ReadOptions::default()).ok() } else { None };
            match outcome {
                None if refused => {}
                None => faults.push(format!("{name}: not read")),
                Some(_) if refused => faults.push(format!("{name}: read, though listed as no SPDX")),
                Some(bom) => {
                    read_well += 1;
                    components += bom.components.len();
                    let errors: Vec<_> = bom.diagnostics.iter().filter(|d| d.level == Level::Error).collect();
                    let expected = count(&bytes);
                    if bom.components.len() != expected || !errors.is_empty() {
                        let found = bom.components.len();
                        faults.push(format!("{name}: {found} of {expected} packages, {errors:?}"));
                    }
                }
            }
        }
    }
    eprintln!("{read_well} documents with {components} packages read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a package says, in an order that does not depend on the serialisation (RDF knows none).
fn said(bom: &Bom) -> Vec<String> {
    let mut out: Vec<String> = (bom.components.iter())
        .map(|c| {
            let mut hashes = c.hashes.clone();
            hashes.sort();
            let mut cpes: Vec<String> = c.cpes.iter().map(ToString::to_string).collect();
            cpes.sort();
            let mut licenses: Vec<String> = (c.licenses.iter())
                .map(|l| {
                    let (License::Expression(text) | License::Named(text)) = l;
                    let mut words: Vec<&str> =
                        text.split(['(', ')', ' ']).filter(|w| !w.is_empty()).collect();
                    words.sort_unstable();
                    words.join(" ")
                })
                .collect();
            licenses.sort();
            format!(
                "{} {} {:?} {:?} {cpes:?} {:?} {licenses:?} {hashes:?} {:?}",
                c.reference,
                c.name,
                c.version,
                c.purl.as_ref().map(ToString::to_string),
                c.supplier,
                c.kind,
            )
        })
        .collect();
    out.sort();
    out
}

/// The same document in several serialisations.
const SAME: &[(&str, &[&str])] = &[
    (
        "spdx-tools-java",
        &[
            "SPDXJSONExample-v2.2.spdx.json",
            "SPDXYAMLExample-2.2.spdx.yaml",
            "SPDXTagExample-v2.2.spdx",
            "SPDXXMLExample-v2.2.spdx.xml",
            "SPDXRdfExample-v2.2.spdx.rdf",
        ],
    ),
    (
        "spdx-tools-java",
        &[
            "SPDXJSONExample-v2.3.spdx.json",
            "SPDXYAMLExample-2.3.spdx.yaml",
            "SPDXTagExample-v2.3.spdx",
            "SPDXXMLExample-v2.3.spdx.xml",
        ],
    ),
    (
        "spdx-tools",
        &["SPDXJSONExample-v2.2.spdx.json", "SPDXYAMLExample-2.2.spdx.yaml", "SPDXTagExample-v2.2.spdx"],
    ),
    (
        "spdx-tools",
        &["SPDXJSONExample-v2.3.spdx.json", "SPDXYAMLExample-2.3.spdx.yaml", "SPDXTagExample-v2.3.spdx"],
    ),
];

#[test]
fn every_serialisation_says_the_same() {
    for (part, names) in SAME {
        let files = corpus(&format!("sboms/{part}.tar.zst"));
        if files.is_empty() {
            continue;
        }
        let boms: Vec<(&str, Bom)> = (names.iter())
            .map(|name| {
                let (_, bytes) = files.iter().find(|(n, _)| n.ends_with(&format!("/{name}"))).expect(name);
                (*name, read(bytes, &ReadOptions::default()).unwrap())
            })
            .collect();
        let (first, rest) = boms.split_first().unwrap();
        for (name, bom) in rest {
            assert_eq!(said(&first.1), said(bom), "{} and {name}", first.0);
            assert_eq!(first.1.timestamp, bom.timestamp, "{name}");
            let edges = |b: &Bom| {
                let name = |i: usize| b.components[i].reference.clone();
                let mut all: Vec<_> = b.dependencies.iter().map(|&(a, b)| (name(a), name(b))).collect();
                all.sort();
                (all, b.root.map(name))
            };
            assert_eq!(edges(&first.1).0, edges(bom).0, "{name}");
        }
    }
}

/// Documents strict mode refuses: (end of the name, word of the message, why that is right).
const NOT_STRICT: &[(&str, &str, &str)] = &[
    ("SPDXWrongVersion.spdx.json", "spdxVersion", "names a version that was never published, on purpose"),
    (
        "SPDXJSONExample-wrongversion.spdx.json",
        "licenseConcluded",
        "a 2.3 document that says 2.2, on purpose",
    ),
    (
        "rdf/SPDXRdfExample-v2.2.spdx.rdf",
        "packages[1].copyrightText",
        "Saxon has no copyright, which 2.2 asks for",
    ),
];

#[test]
fn strict_mode_accepts_the_examples() {
    let strict = ReadOptions { strict: true, ..ReadOptions::default() };
    let (mut accepted, mut faults) = (0, Vec::new());
    for part in PARTS {
        for (name, bytes) in corpus(&format!("sboms/{part}.tar.zst")) {
            if !recognise(&bytes) || NO_SPDX.iter().any(|(end, _)| name.ends_with(end)) {
                continue;
            }
            let listed = NOT_STRICT.iter().find(|(end, ..)| name.ends_with(end));
            match (read(&bytes, &strict), listed) {
                (Ok(_), None) => accepted += 1,
                (Err(said), Some((_, word, _))) if said.iter().any(|d| d.to_string().contains(word)) => {}
                (outcome, _) => faults.push(format!("{name}: {:?}", outcome.err())),
            }
        }
    }
    eprintln!("strict mode accepts {accepted} documents");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

//! CycloneDX against the files of its specification and against real documents, where the corpus is at hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::io::Read;
use std::path::PathBuf;

use tocsin_formats::cyclonedx::{read, recognise};
use tocsin_formats::input::ReadOptions;
use tocsin_model::diagnostic::Level;

/// Files of a packed part of the corpus as (name, bytes); nothing, loudly, where it is absent.
fn corpus(part: &str) -> Vec<(String, Vec<u8>)> {
    let base = std::env::var_os("TOCSIN_CORPUS").map(PathBuf::from);
    let base =
        base.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")));
    let Ok(file) = std::fs::File::open(base.join(part)) else {
        eprintln!("SKIPPED: {part} is not in the corpus ({})", base.display());
        return Vec::new();
    };
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("zstd"));
    let mut out = Vec::new();
    for entry in archive.entries().expect("tar") {
        let mut entry = entry.expect("entry");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().expect("path").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("content");
        out.push((name.trim_start_matches("./").to_owned(), bytes));
    }
    out
}

#[test]
fn every_valid_file_of_the_specification_reads_without_error() {
    let (mut read_well, mut faults) = (0, Vec::new());
    for (name, bytes) in corpus("suites/cyclonedx-specification.tar.zst") {
        let file = name.rsplit('/').next().unwrap_or_default();
        if !file.starts_with("valid-") || !(file.ends_with(".json") || file.ends_with(".xml")) {
            continue;
        }
        match read(&bytes, &ReadOptions::default()) {
            Ok(bom) if bom.diagnostics.iter().all(|d| d.level < Level::Error) => read_well += 1,
            Ok(bom) => faults.push(format!("{name}: {:?}", bom.diagnostics)),
            Err(said) => faults.push(format!("{name}: {said:?}")),
        }
    }
    eprintln!("{read_well} valid files read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Counts the objects a JSON document holds as components of the document.
fn components_in(value: &serde_json::Value) -> usize {
    let nested = value.get("components").and_then(|c| c.as_array());
    nested.map_or(0, |list| list.iter().filter(|c| c.is_object()).map(|c| 1 + components_in(c)).sum())
}

#[test]
fn real_documents_read_and_no_component_is_lost() {
    let (mut documents, mut components, mut faults) = (0, 0, Vec::new());
    let parts =
        ["bom-shelter-lab", "bom-shelter-wild", "cve-bin-tool", "cyclonedx-bom-examples", "dependency-track"];
    for part in parts.iter().chain(&["sbom-utility", "trustify-rh", "claircore"]) {
        for (name, bytes) in corpus(&format!("sboms/{part}.tar.zst")) {
            if !recognise(&bytes) || name.ends_with(".zst") {
                continue;
            }
            let json = serde_json::from_slice::<serde_json::Value>(&bytes);
            let bom = match read(&bytes, &ReadOptions::default()) {
                Ok(bom) => bom,
                // What is not JSON at all is refused, and only that.
                Err(_) if bytes.trim_ascii_start().first() == Some(&b'{') && json.is_err() => continue,
                Err(said) => {
                    faults.push(format!("{part}/{name}: {said:?}"));
                    continue;
                }
            };
            documents += 1;
            components += bom.components.len();
            let Ok(json) = json else { continue };
            let root = json.pointer("/metadata/component").filter(|c| c.is_object());
            let expected = components_in(&json) + root.map_or(0, |r| 1 + components_in(r));
            if bom.components.len() != expected {
                faults.push(format!("{part}/{name}: {} of {expected} components", bom.components.len()));
            }
        }
    }
    eprintln!("{documents} documents with {components} components read");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Files strict mode decides otherwise than the specification's own tests: (file, why). One that starts to agree
/// fails the test.
const DISAGREEMENTS: &[(&str, &str)] = &[(
    "invalid-depgraph-1.0.xml",
    "the dependency graph extension of 1.0 is of another namespace and not read",
)];

#[test]
fn strict_mode_decides_the_files_of_the_specification() {
    let (mut agreed, mut disagreed) = (0, Vec::new());
    let strict = ReadOptions { strict: true, ..ReadOptions::default() };
    for (name, bytes) in corpus("suites/cyclonedx-specification.tar.zst") {
        let file = name.rsplit('/').next().unwrap_or_default();
        let valid = file.starts_with("valid-");
        if !(valid || file.starts_with("invalid-")) || !(file.ends_with(".json") || file.ends_with(".xml")) {
            continue;
        }
        let outcome = read(&bytes, &strict);
        match outcome.is_ok() == valid {
            true => agreed += 1,
            false => {
                eprintln!("{file}: {:?}", outcome.err());
                disagreed.push(file.to_owned());
            }
        }
    }
    eprintln!("strict mode agrees on {agreed} files, disagrees on {}", disagreed.len());
    if agreed > 0 {
        let mut listed: Vec<String> = DISAGREEMENTS.iter().map(|(file, _)| (*file).to_owned()).collect();
        listed.sort();
        disagreed.sort();
        assert_eq!(disagreed, listed);
    }
}

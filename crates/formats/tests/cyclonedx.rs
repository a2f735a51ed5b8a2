//! CycloneDX against the files of its specification and against real documents, where the corpus is at hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod corpus;

use corpus::corpus;
use tocsin_formats::cyclonedx::read;
use tocsin_formats::input::ReadOptions;
use tocsin_model::diagnostic::Level;

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

#[test]
fn strict_mode_knows_every_licence_of_the_specification() {
    let files = corpus("suites/cyclonedx-schemas.tar.zst");
    let Some((_, bytes)) = files.iter().find(|(name, _)| name.ends_with("spdx.schema.json")) else { return };
    let schema: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    let ids: Vec<&str> = schema["enum"].as_array().unwrap().iter().filter_map(|v| v.as_str()).collect();
    let components: Vec<_> = (ids.iter())
        .map(|id| serde_json::json!({"type": "library", "name": id, "licenses": [{"license": {"id": id}}]}))
        .collect();
    let text = serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components});
    let strict = ReadOptions { strict: true, ..ReadOptions::default() };
    let said = read(text.to_string().as_bytes(), &strict).map(|bom| bom.components.len());
    assert_eq!(said, Ok(ids.len()));
}

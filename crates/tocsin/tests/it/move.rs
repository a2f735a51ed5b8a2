//! Backups, moving, upgrades and the commands around them, through the built program; and what is left when it is
//! killed on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use crate::serve::Server;
use crate::tocsin;

/// Runs a command that must succeed; its stdout.
fn ok<S: AsRef<str>>(data: &Path, args: &[S]) -> String {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    let out = tocsin(data, &args);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

fn ok_json<S: AsRef<str>>(data: &Path, args: &[S]) -> Value {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).chain(["--format", "json"]).collect();
    let text = ok(data, &args);
    assert_eq!(text.lines().count(), 1, "one object on one line");
    serde_json::from_str(&text).unwrap()
}

/// Runs a command that must fail; its exit code and stderr.
fn fails(out: &Output) -> (i32, String) {
    assert!(!out.status.success());
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn open(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// Runs statements on a database that nobody else uses.
fn sql(url: &str, statements: &[&str]) {
    runtime().block_on(async {
        let db = open(url).await;
        for statement in statements {
            db.execute_unprepared(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
        db.close().await.unwrap();
    });
}

fn number(url: &str, select: &str) -> i64 {
    runtime().block_on(async {
        let db = open(url).await;
        let backend: DbBackend = db.get_database_backend();
        let row = db.query_one_raw(Statement::from_string(backend, select)).await.unwrap().unwrap();
        db.close().await.unwrap();
        row.try_get_by_index(0).unwrap()
    })
}

fn sqlite(data: &Path) -> String {
    format!("sqlite://{}?mode=rwc", data.join("tocsin.db").display())
}

/// A new PostgreSQL database, where there is a server.
fn postgres() -> Option<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("TOCSIN_TEST_POSTGRES") else {
        eprintln!("SKIPPED: TOCSIN_TEST_POSTGRES is not set; not tested on PostgreSQL");
        return None;
    };
    let name = format!("move{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    sql(&server, &[&format!("CREATE DATABASE {name}")]);
    Some(format!("{}/{name}", server.rsplit_once('/').unwrap().0))
}

fn bom(version: &str, extra: &[&str]) -> String {
    let mut components = vec![json!({"type": "library", "name": "left", "version": version,
        "purl": format!("pkg:npm/left@{version}"), "licenses": [{"license": {"id": "MIT"}}]})];
    for name in extra {
        let purl = format!("pkg:npm/{name}@1.0.0");
        components.push(json!({"type": "library", "name": name, "version": "1.0.0", "purl": purl}));
    }
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components})
        .to_string()
}

fn flaw(data: &Path) {
    let file = data.with_extension("osv.json");
    let record = json!({"id": "CVE-2020-0001", "modified": "2021-01-01T00:00:00Z", "summary": "A flaw", "affected": [
        {"package": {"ecosystem": "npm", "name": "left"}, "ranges": [{"type": "SEMVER",
         "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]}]}]});
    fs::write(&file, record.to_string()).unwrap();
    ok(data, &["db", "import", file.to_str().unwrap()]);
}

/// Arguments of an upload for one release.
fn upload<'a>(file: &'a str, version: &'a str) -> Vec<&'a str> {
    vec!["sbom", "upload", file, "--product", "Pump", "--version", version, "--line", "Pumps"]
}

#[test]
fn a_backup_made_while_the_server_runs_is_a_whole_installation() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    flaw(&data);
    let server = Server::start(&data);
    let key = server.key("manager");
    let file = dir.path().join("bom.json");
    fs::write(&file, bom("1.0.0", &["right"])).unwrap();
    let address = format!("http://{}", server.address());
    let send = |version: &str, format: &str, key: &str| {
        Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .env_remove("TOCSIN_DATA_DIR")
            .env("TOCSIN_API_KEY", key)
            .args(upload(file.to_str().unwrap(), version))
            .args(["--server", &address, "--format", format])
            .output()
            .unwrap()
    };
    let sent = send("1.0", "json", &key);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let done: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!((&done["schema"], &done["components"]), (&json!("tocsin.sbom.upload/1"), &json!(2)));
    assert_eq!((&done["difference"]["added"], &done["findings"]["new"]), (&json!(2), &json!(1)));
    fs::write(&file, bom("1.1.0", &[])).unwrap();
    let sent = send("1.0", "table", &key);
    let text = String::from_utf8(sent.stdout).unwrap();
    for told in ["Pump 1.0", "0 added, 1 removed, 1 changed", "1 upgraded", "left       1.0.0   1.1.0"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let (code, told) = fails(&send("1.0", "table", "tocsin_aaaaaaaa_wrong"));
    assert!(code == 2 && told.contains("TOCSIN_API_KEY"), "{told}");
    let (code, told) = fails(&send("1.0", "table", ""));
    assert!(code == 2 && told.contains("--api-key-file"), "{told}");
    // the key may stand in a file; and never in the output
    let key_file = dir.path().join("key");
    fs::write(&key_file, format!("{key}\n")).unwrap();
    let mut args = upload(file.to_str().unwrap(), "2.0");
    args.extend(["--server", &address, "--api-key-file", key_file.to_str().unwrap()]);
    let text = ok(&data, &args);
    assert!(text.contains("Pump 2.0") && !text.contains(&key), "{text}");

    let backup = dir.path().join("backup.tar");
    let made = ok_json(&data, &["backup", backup.to_str().unwrap()]);
    assert_eq!((&made["tables"]["release"], &made["audit"]["broken_at"]), (&json!(2), &Value::Null));
    let (code, told) = fails(&tocsin(&data, &["backup", backup.to_str().unwrap()]));
    assert!(code == 2 && told.contains("is there already"), "{told}");
    let checked = ok(&data, &["restore", "--check", backup.to_str().unwrap()]);
    assert!(checked.contains("every checksum is right"), "{checked}");
    // data in use is not touched, whatever is forced
    let (code, told) = fails(&tocsin(&data, &["restore", "--force", backup.to_str().unwrap()]));
    assert!(code == 2 && told.contains("in use"), "{told}");
    drop(server);

    let other = dir.path().join("other");
    let done = ok_json(&other, &["restore", backup.to_str().unwrap()]);
    assert_eq!(
        done["rows"],
        made["tables"].as_object().unwrap().values().map(|n| n.as_i64().unwrap()).sum::<i64>()
    );
    let (code, told) = fails(&tocsin(&other, &["restore", backup.to_str().unwrap()]));
    assert!(code == 2 && told.contains("--force"), "{told}");
    assert!(ok(&other, &["audit", "verify"]).contains("is whole"));
    let people = ok_json(&other, &["people", "list"]);
    assert_eq!(people["people"][0]["login"], "ada");
    // the restored server knows the key and what was uploaded
    let again = Server::on(&other);
    let found = again.send("GET", "/api/v2/releases", &[("X-Api-Key", &key)], b"");
    assert_eq!(found.status, 200, "{}", found.text());
    assert!(found.text().contains("Pump") && found.text().contains("2.0"), "{}", found.text());
    drop(again);
    let events = ok_json(&other, &["audit", "list", "--text", "data."]);
    let actions: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["data.restore"], "the backup was noted after it was made");
    let events = ok(&data, &["audit", "list", "--text", "data.backup"]);
    assert!(events.contains("data.backup") && events.contains("backup.tar"), "{events}");
}

#[test]
fn an_sbom_is_uploaded_without_a_server_too() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    flaw(&data);
    let file = dir.path().join("bom.json");
    fs::write(&file, bom("1.0.0", &[])).unwrap();
    let file = file.to_str().unwrap();
    let done = ok_json(&data, &upload(file, "1.0"));
    assert_eq!((&done["findings"]["new"], &done["unchanged"]), (&json!(1), &json!(false)));
    // whoever starts the server first is still its administrator
    let server = Server::start(&data);
    assert!(server.page("/products").text().contains("Pump"));
    drop(server);
    let text = ok(&data, &upload(file, "1.0"));
    assert!(text.contains("the same bytes as before") && text.contains("1 open: 0 new"), "{text}");
    let whole = dir.path().join("whole.json");
    let names: Vec<String> = (0..60).map(|n| format!("part-{n}")).collect();
    fs::write(&whole, bom("1.0.0", &names.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    ok(&data, &upload(whole.to_str().unwrap(), "2.0"));
    // most of the release would go: that is asked about
    let (code, told) = fails(&tocsin(&data, &upload(file, "2.0")));
    assert!(code == 2 && told.contains("nothing was changed") && told.contains("--confirm "), "{told}");
    let token = told.rsplit_once("--confirm ").unwrap().1.trim();
    let mut confirmed = upload(file, "2.0");
    confirmed.extend(["--confirm", token]);
    assert!(ok(&data, &confirmed).contains("60 removed"));
    let bad = dir.path().join("bad.json");
    fs::write(&bad, "{}").unwrap();
    let (code, told) = fails(&tocsin(&data, &upload(bad.to_str().unwrap(), "3.0")));
    assert!(code == 2 && told.contains("error["), "{told}");
    let (code, told) = fails(&tocsin(&data, &upload("/nowhere/x.json", "3.0")));
    assert!(code == 2 && told.contains("/nowhere/x.json"), "{told}");
    assert_eq!(number(&sqlite(&data), "SELECT COUNT(*) FROM release"), 2, "no release for what was refused");
    let mut args = upload(file, "1.0");
    args.extend(["--server", "http://192.0.2.1"]);
    let (code, told) = fails(&tocsin(&data, &args));
    assert!(code == 2 && told.contains("in clear"), "{told}");
}

#[test]
fn a_broken_trail_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    drop(Server::start(data));
    ok(data, &["people", "invite", "--role", "auditor"]);
    let whole = ok_json(data, &["audit", "verify"]);
    assert_eq!((&whole["broken_at"], whole["events"].as_i64().unwrap() >= 3), (&Value::Null, true));
    sql(&sqlite(data), &["UPDATE audit SET name = 'another' WHERE seq = 2"]);
    let out = tocsin(data, &["audit", "verify"]);
    assert_eq!(out.status.code(), Some(1));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("broken at event 2"), "{text}");
    let out = tocsin(data, &["audit", "verify", "--format", "json"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8(out.stdout).unwrap().contains("\"broken_at\":2"));
}

#[test]
fn an_invitation_lets_in_who_lost_the_first_link() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data);
    let url = format!("http://{}", server.address());
    let args = ["people", "invite", "--role", "administrator", "--role", "manager", "--url", &url];
    let link = ok(data, &args);
    let path = link.trim().strip_prefix(&url).unwrap();
    let form = "name=Bo&email=&login=bo&password=a+sentence+does+well+here";
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let joined = server.send("POST", path, &[kind], form.as_bytes());
    assert_eq!(joined.status, 303, "{}", joined.text());
    let list = ok(data, &["people", "list"]);
    assert!(list.contains("bo") && list.contains("administrator manager"), "{list}");
    let (code, told) = fails(&tocsin(data, &["people", "invite", "--role", "king"]));
    assert!(code == 2 && told.contains("the roles are administrator"), "{told}");
    let (code, told) = fails(&tocsin(data, &["people", "invite", "--role", "contact", "--line", "None"]));
    assert!(code == 2 && told.contains("None"), "{told}");
}

#[test]
fn all_data_moves_to_postgresql_and_back() {
    let Some(url) = postgres() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (data, other, third) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    fs::create_dir(&data).unwrap();
    flaw(&data);
    drop(Server::start(&data));
    let file = dir.path().join("bom.json");
    fs::write(&file, bom("1.0.0", &["right"])).unwrap();
    ok(&data, &upload(file.to_str().unwrap(), "1.0"));
    let export = dir.path().join("all.jsonl.zst");
    let told = ok_json(&data, &["db", "export", export.to_str().unwrap()]);
    assert_eq!(told["tables"]["release"], 1);
    let with = |args: &[&str]| -> Vec<String> {
        args.iter().copied().chain(["--database", &url]).map(str::to_owned).collect()
    };
    let done = ok_json(&other, &with(&["db", "import", export.to_str().unwrap()]));
    assert_eq!((&done["schema"], &done["rows"]), (&json!("tocsin.db.import-all/1"), &told["rows"]));
    // the moved data is worked with: the index is made from it, findings stay
    assert!(ok(&other, &with(&["db", "show", "CVE-2020-0001"])).contains("A flaw"));
    assert!(ok(&other, &with(&["db", "search", "flaw"])).contains("CVE-2020-0001"));
    let again = ok_json(&other, &with(&upload(file.to_str().unwrap(), "1.0")));
    assert_eq!((&again["unchanged"], &again["findings"]["new"]), (&json!(true), &json!(0)));
    assert!(ok(&other, &with(&["audit", "verify"])).contains("is whole"));
    let again = with(&["db", "import", export.to_str().unwrap()]);
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let (code, text) = fails(&tocsin(&other, &again));
    assert!(code == 2 && text.contains("holds data"), "{text}");
    // a backup of PostgreSQL goes into a file
    let backup = dir.path().join("p.tar");
    ok(&other, &with(&["backup", backup.to_str().unwrap()]));
    ok(&third, &["restore", backup.to_str().unwrap()]);
    assert!(ok(&third, &["db", "show", "CVE-2020-0001"]).contains("A flaw"));
    assert!(ok(&third, &["audit", "verify"]).contains("is whole"));
    // each command says where the other kind of file goes
    let (_, text) = fails(&tocsin(&data, &["db", "import", backup.to_str().unwrap()]));
    assert!(text.contains("tocsin restore"), "{text}");
    let (_, text) = fails(&tocsin(&data, &["restore", export.to_str().unwrap()]));
    assert!(text.contains("tocsin db import"), "{text}");
    let none = dir.path().join("none");
    let (code, text) = fails(&tocsin(&none, &["backup", backup.to_str().unwrap()]));
    assert!(code == 2 && text.contains("not found"), "{text}");
    assert!(!none.join("tocsin.db").exists(), "looking for data makes none");
}

/// Starts a command and kills it (SIGKILL) after a while; whether it was still running.
fn killed(data: &Path, args: &[&str], after: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
        .env_remove("TOCSIN_DATA_DIR")
        .arg("--data-dir")
        .arg(data)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

/// A statement of a migration, as SQLite runs it.
fn migration(name: &str, text: &str) -> Vec<String> {
    let path = format!("{}/../core/src/platform/migrations/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(path).unwrap();
    let (_, rest) = source.split_once(&format!("const {text}: &str = \"")).unwrap();
    let body = rest.split_once("\";").unwrap().0.replace("SERIAL_KEY", "INTEGER PRIMARY KEY");
    body.split(";\n").filter(|s| !s.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn killed_while_it_migrates_it_starts_with_the_old_or_the_new_schema() {
    // from nothing, on both databases
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    ok(&dir.path().join("warm"), &["db", "status"]);
    let whole = started.elapsed();
    for n in 0..12 {
        let data = dir.path().join(format!("new{n}"));
        fs::create_dir(&data).unwrap();
        killed(&data, &["db", "status"], whole * n / 12);
        ok(&data, &["db", "status"]);
    }
    if let Some(url) = postgres() {
        for n in 0..8 {
            killed(dir.path(), &["db", "status", "--database", &url], whole * n / 8);
        }
        ok(dir.path(), &["db", "status", "--database", &url]);
    }
    // from an early schema with enough rows for the upgrade to take its time
    let old = dir.path().join("old");
    fs::create_dir(&old).unwrap();
    let mut setup: Vec<String> = vec!["PRAGMA journal_mode = WAL".to_owned()];
    setup.extend(migration("m0001_intel", "SCHEMA"));
    setup.extend(migration("m0001_intel", "SEARCH_SQLITE"));
    setup.extend(migration("m0002_catalogue", "SCHEMA"));
    setup.push(
        "CREATE TABLE seaql_migrations (version TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)".to_owned(),
    );
    setup.push("INSERT INTO seaql_migrations VALUES ('m0001_intel', 1), ('m0002_catalogue', 1)".to_owned());
    setup.push(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
         INSERT INTO record_history SELECT i, '2020', 'h', NULL, zeroblob(40) FROM n"
            .to_owned(),
    );
    setup.push("PRAGMA wal_checkpoint(TRUNCATE)".to_owned());
    sql(&sqlite(&old), &setup.iter().map(String::as_str).collect::<Vec<_>>());
    let copy = |to: &Path| {
        fs::create_dir(to).unwrap();
        fs::copy(old.join("tocsin.db"), to.join("tocsin.db")).unwrap();
    };
    let timed = dir.path().join("timed");
    copy(&timed);
    let started = Instant::now();
    ok(&timed, &["db", "status"]);
    let whole = started.elapsed();
    let newest = number(&sqlite(&timed), "SELECT COUNT(*) FROM seaql_migrations");
    let mut on_the_way = 0;
    for n in 1..10 {
        let data = dir.path().join(format!("upgrade{n}"));
        copy(&data);
        let running = killed(&data, &["db", "status"], whole * n / 10);
        let had = number(&sqlite(&data), "SELECT COUNT(*) FROM seaql_migrations");
        assert!(had == 2 || had == newest, "{had} migrations after {n} tenths");
        on_the_way += i32::from(running && had == 2);
        ok(&data, &["db", "status"]);
        assert_eq!(number(&sqlite(&data), "SELECT COUNT(*) FROM seaql_migrations"), newest);
        assert_eq!(number(&sqlite(&data), "SELECT SUM(n) FROM record_history"), 300_000);
        fs::remove_dir_all(&data).unwrap();
    }
    assert!(on_the_way > 0, "no kill met the upgrade on its way");
}

/// Names in a folder.
fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn killed_while_it_copies_it_leaves_the_old_data_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    drop({
        fs::create_dir(&data).unwrap();
        Server::start(&data)
    });
    sql(
        &sqlite(&data),
        &["WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
           INSERT INTO record_raw SELECT i, randomblob(1000) FROM n"],
    );
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let backup = |n: u32| out.join(format!("{n}.tar"));
    let started = Instant::now();
    ok(&data, &["backup", backup(0).to_str().unwrap()]);
    let whole = started.elapsed();
    let mut on_the_way = 0;
    for n in 1..8 {
        let file = backup(n);
        let running = killed(&data, &["backup", file.to_str().unwrap()], whole * n / 8);
        if file.exists() {
            ok(&data, &["restore", "--check", file.to_str().unwrap()]);
            let _ = fs::remove_file(out.join(format!(".{n}.tar.partial")));
        } else {
            on_the_way += i32::from(running);
            ok(&data, &["backup", file.to_str().unwrap()]);
        }
        assert!(ok(&data, &["audit", "verify"]).contains("is whole"));
    }
    assert!(on_the_way > 0, "no kill met a backup on its way");
    let wanted: Vec<String> = (0..8).map(|n| format!("{n}.tar")).collect();
    assert_eq!(names(&out), wanted, "the next backup of the same name takes away what was left");

    // restoring over data: it is the old or the new, and always whole
    let place = dir.path().join("place");
    let marked = |data: &Path| number(&sqlite(data), "SELECT COUNT(*) FROM record_raw");
    ok(&place, &["restore", backup(0).to_str().unwrap()]);
    sql(&sqlite(&place), &["DELETE FROM record_raw WHERE record > 10"]);
    let copies: Vec<PathBuf> = (0..8).map(|n| dir.path().join(format!("place{n}"))).collect();
    for copy in &copies {
        fs::create_dir(copy).unwrap();
        fs::copy(place.join("tocsin.db"), copy.join("tocsin.db")).unwrap();
    }
    let started = Instant::now();
    ok(&copies[0], &["restore", "--force", backup(0).to_str().unwrap()]);
    let whole = started.elapsed();
    let mut kept_old = 0;
    for (n, copy) in copies.iter().enumerate().skip(1) {
        killed(copy, &["restore", "--force", backup(0).to_str().unwrap()], whole * n as u32 / 8);
        let rows = marked(copy);
        assert!(rows == 10 || rows == 40_000, "{rows}");
        kept_old += i32::from(rows == 10);
        assert!(ok(copy, &["audit", "verify"]).contains("is whole"));
        ok(copy, &["restore", "--force", backup(0).to_str().unwrap()]);
        assert_eq!(marked(copy), 40_000);
        assert!(!names(copy).iter().any(|name| name.contains(".new")), "{:?}", names(copy));
    }
    assert!(kept_old > 0);
}

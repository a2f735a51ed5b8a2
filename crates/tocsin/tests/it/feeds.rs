//! Sources, followed from a publisher that the test plays.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::publisher::{Play, Publisher};
use crate::serve::Server;
use crate::tocsin;

/// A catalogue of exploited vulnerabilities.
fn kev(released: &str, cves: &[&str]) -> Vec<u8> {
    let entry = |cve: &&str| {
        json!({"cveID": cve, "vendorProject": "Maker", "product": "Pump", "vulnerabilityName": "A flaw",
            "dateAdded": "2025-01-02", "shortDescription": "Used.", "requiredAction": "Update.",
            "dueDate": "2025-02-02", "knownRansomwareCampaignUse": "Unknown", "notes": "", "cwes": []})
    };
    let entries: Vec<Value> = cves.iter().map(entry).collect();
    json!({"title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": released,
        "dateReleased": format!("{released}T00:00:00.000Z"), "count": cves.len(), "vulnerabilities": entries})
    .to_string()
    .into_bytes()
}

/// Imports the flaws that the publishers of these tests speak of: what is said of a flaw that has no record is kept, but
/// shown nowhere.
fn known(dir: &Path) {
    let file = dir.join("flaws.jsonl");
    let record = |n: u32| {
        json!({"id": format!("CVE-2025-000{n}"), "modified": "2025-01-01T00:00:00Z", "summary": "A flaw",
            "affected": [{"package": {"ecosystem": "npm", "name": format!("p{n}")}, "versions": ["1.0.0"]}]})
    };
    std::fs::write(&file, format!("{}\n{}\n", record(1), record(2))).unwrap();
    let out = tocsin(dir, &["db", "import", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A data folder whose KEV comes from a publisher of the test.
struct Follower {
    dir: tempfile::TempDir,
    publisher: Publisher,
}

impl Follower {
    fn new() -> Follower {
        let follower = Follower { dir: tempfile::tempdir().unwrap(), publisher: Publisher::start() };
        known(follower.dir.path());
        let address = follower.publisher.address("/kev.json");
        follower.run(&["set", "kev", "--address", &address], 0);
        follower
    }

    /// Runs `tocsin feeds`; what it says of its first source, and its words.
    fn run(&self, args: &[&str], code: i32) -> (Value, String) {
        run(self.dir.path(), &self.publisher, args, code)
    }

    fn sync(&self, plays: impl IntoIterator<Item = Play>, code: i32) -> Value {
        self.publisher.plays(plays);
        self.run(&["sync", "kev"], code).0
    }
}

pub fn run(dir: &Path, publisher: &Publisher, args: &[&str], code: i32) -> (Value, String) {
    let host = publisher.host();
    let all = [&["feeds", "--format", "json", "--allow-host", &host], args].concat();
    let out = tocsin(dir, &all);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}: {said}{}", String::from_utf8_lossy(&out.stdout));
    let told: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (told["sources"][0].clone(), said)
}

/// Whether the store knows that a CVE is exploited.
fn exploited(dir: &Path, cve: &str) -> bool {
    let out = tocsin(dir, &["db", "--format", "json", "show", cve]);
    out.status.success() && String::from_utf8_lossy(&out.stdout).contains("2025-01-02")
}

pub fn numbers(feed: &Value) -> [u64; 4] {
    ["read", "new", "changed", "refused"].map(|n| feed[n].as_u64().unwrap_or(u64::MAX))
}

#[test]
fn an_edition_is_taken_once_and_the_next_where_it_changed() {
    let f = Follower::new();
    let first = kev("2025-01-02", &["CVE-2025-0001"]);
    let feed = f.sync([Play::Edition("one", first.clone())], 0);
    assert_eq!(numbers(&feed), [1, 1, 0, 0], "{feed}");
    assert!(exploited(f.dir.path(), "CVE-2025-0001"));
    assert!(!f.publisher.asked()[0].contains("if-none-match"));
    let feed = f.sync([Play::Edition("one", first)], 0);
    assert_eq!(numbers(&feed), [1, 1, 0, 0], "what it last gave");
    assert!(f.publisher.asked()[0].contains("if-none-match: \"one\""));
    let feed = f.sync([Play::Edition("two", kev("2025-01-03", &["CVE-2025-0001", "CVE-2025-0002"]))], 0);
    assert_eq!(feed["read"], 2, "{feed}");
    assert!(exploited(f.dir.path(), "CVE-2025-0002"));
    assert_eq!((&feed["error"], &feed["failures"]), (&json!(""), &json!(0)));
}

#[test]
fn a_publisher_that_asks_to_wait_is_waited_for_or_left_alone() {
    let f = Follower::new();
    let edition = || Play::Edition("one", kev("2025-01-02", &["CVE-2025-0001"]));
    let started = Instant::now();
    let feed = f.sync([Play::Status(429, Some("2")), Play::Status(502, None), edition()], 0);
    assert_eq!(feed["read"], 1, "{feed}");
    assert!(
        started.elapsed() >= Duration::from_secs(4),
        "two seconds as asked, then the pause before a third try"
    );
    assert_eq!(f.publisher.asked().len(), 3);
    let feed = f.sync([Play::Status(429, Some("3600"))], 1);
    assert!(feed["error"].as_str().unwrap().contains("asks to be called later"), "{feed}");
    assert!(feed["not_before"].is_string(), "{feed}");
    assert_eq!(f.publisher.asked().len(), 1);
    let (_, said) = f.run(&["sync", "kev"], 1);
    assert!(said.contains("left alone until") && f.publisher.asked().is_empty(), "{said}");
    f.publisher.plays([edition()]);
    let (feed, _) = f.run(&["sync", "kev", "--force"], 0);
    assert_eq!((&feed["error"], &feed["not_before"]), (&json!(""), &Value::Null));
}

#[test]
fn what_is_cut_slow_or_missing_takes_nothing_away() {
    let f = Follower::new();
    let first = kev("2025-01-02", &["CVE-2025-0001"]);
    f.sync([Play::Edition("one", first.clone())], 0);
    let cut = Play::Cut(kev("2025-01-03", &["CVE-2025-0001", "CVE-2025-0002"]));
    let feed = f.sync([cut.clone(), cut.clone(), cut], 1);
    assert!(feed["error"].as_str().unwrap().contains("broke off"), "{feed}");
    assert!(!exploited(f.dir.path(), "CVE-2025-0002"));
    f.publisher.plays((0..3).map(|_| Play::Slow(Duration::from_secs(4))));
    let (feed, _) = f.run(&["--timeout", "1", "sync", "kev"], 1);
    assert!(feed["error"].as_str().unwrap().contains("did not answer"), "{feed}");
    let feed = f.sync([Play::Status(404, None)], 1);
    assert!(feed["error"].as_str().unwrap().contains("tocsin feeds set kev --address"), "{feed}");
    assert_eq!(feed["failures"], 3);
    assert!(feed["not_before"].is_string(), "three failures: the breaker is open, {feed}");
    assert!(exploited(f.dir.path(), "CVE-2025-0001"), "the last good state stays");
    let kept = std::fs::read(f.dir.path().join("feeds/kev.json")).unwrap();
    assert_eq!(kept, first, "and so do its bytes");
}

#[test]
fn a_changed_format_fails_loudly_and_is_not_taken_for_an_edition() {
    let f = Follower::new();
    f.sync([Play::Edition("one", kev("2025-01-02", &["CVE-2025-0001"]))], 0);
    for other in [
        "{\"entries\": [{\"cve\": \"CVE-2025-0001\"}]}",
        "<html>Welcome</html>",
        "",
        "{\"vulnerabilities\": 1",
    ] {
        let f = &f;
        f.publisher.plays([Play::Edition("two", other.as_bytes().to_vec())]);
        let (feed, _) = f.run(&["sync", "kev", "--force"], 1);
        assert!(feed["error"].as_str().unwrap().contains("changed its format"), "{other}: {feed}");
        assert!(exploited(f.dir.path(), "CVE-2025-0001"), "{other}");
    }
    f.publisher.asked();
    f.publisher.plays([Play::Edition("one", Vec::new())]);
    f.run(&["sync", "kev", "--force"], 0);
    assert!(f.publisher.asked()[0].contains("if-none-match: \"one\""), "the last good one is what we have");
}

#[test]
fn a_record_that_is_not_understood_costs_itself_alone() {
    let f = Follower::new();
    let mut edition: Value =
        serde_json::from_slice(&kev("2025-01-02", &["CVE-2025-0001", "CVE-2025-0002"])).unwrap();
    edition["vulnerabilities"][0]["cveID"] = json!({"year": 2025});
    let feed = f.sync([Play::Edition("one", edition.to_string().into_bytes())], 0);
    assert_eq!((&feed["new"], &feed["refused"]), (&json!(1), &json!(1)), "{feed}");
    assert!(exploited(f.dir.path(), "CVE-2025-0002"));
}

#[test]
fn hostile_sizes_and_ways_round_are_refused() {
    let f = Follower::new();
    for play in [Play::Announced(1 << 40), Play::Endless] {
        f.publisher.plays([play]);
        let (feed, _) = f.run(&["sync", "kev", "--force"], 1);
        assert!(feed["error"].as_str().unwrap().contains("more than the"), "{feed}");
    }
    let inner = Publisher::start();
    f.publisher.plays([Play::Moved(inner.address("/meta-data"))]);
    let (feed, _) = f.run(&["sync", "kev", "--force"], 1);
    assert!(feed["error"].as_str().unwrap().contains("allowed the host by name"), "{feed}");
    assert!(inner.asked().is_empty());
    let left = std::fs::read_dir(f.dir.path().join("feeds/incoming")).unwrap().count();
    assert_eq!(left, 0, "nothing of it is kept");
}

#[test]
fn a_mirror_feeds_a_tocsin_that_reaches_nobody() {
    let f = Follower::new();
    let mirror = f.dir.path().join("mirror");
    let folder = mirror.to_str().unwrap();
    f.publisher.plays([Play::Edition("one", kev("2025-01-02", &["CVE-2025-0001"]))]);
    f.run(&["mirror", folder, "kev"], 0);
    assert!(!exploited(f.dir.path(), "CVE-2025-0001"), "a mirror takes nothing in");
    let away = tempfile::tempdir().unwrap();
    known(away.path());
    f.publisher.asked();
    let (feed, _) = run(away.path(), &f.publisher, &["sync", "--from", folder], 0);
    assert_eq!((&feed["name"], &feed["read"]), (&json!("kev"), &json!(1)));
    assert!(exploited(away.path(), "CVE-2025-0001") && f.publisher.asked().is_empty());
    run(away.path(), &f.publisher, &["sync", "epss", "--from", folder], 2);
}

#[test]
fn a_server_follows_what_it_is_told_to() {
    let f = Follower::new();
    f.run(&["set", "kev", "--on"], 0);
    let server = Server::start_with(f.dir.path(), &["--allow-host", &f.publisher.host()], None);
    f.publisher.plays([Play::Edition("one", kev("2025-01-02", &["CVE-2025-0001"]))]);
    assert_eq!(server.post("/schedules/feed-kev/run", "").status, 303);
    let started = Instant::now();
    while f.run(&["status", "kev"], 0).0["good"].is_null() {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", f.run(&["status", "kev"], 0).0);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(exploited(f.dir.path(), "CVE-2025-0001"));
    let (feed, _) = f.run(&["set", "kev", "--off"], 0);
    assert_eq!((&feed["followed"], &feed["read"]), (&json!(false), &json!(1)));
}

/// What each other source sends, shortened.
#[test]
fn every_source_takes_its_publishers_form() {
    let epss = "#model_version:v2025.03.14,score_date:2025-11-01T00:00:00+0000\ncve,epss,percentile\n\
                CVE-2025-0001,0.94,0.999\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, epss.as_bytes()).unwrap();
    let exploits = "id,file,description,date_published,author,type,platform,port,date_added,date_updated,verified,\
                    codes,tags,aliases,screenshot_url,application_url,source_url\n\
                    1,exploits/1.py,Pump - Overflow,2025-01-02,A,remote,linux,,2025-01-02,2025-01-02,1,\
                    CVE-2025-0001,,,,,\n";
    let modules = json!({"exploit_linux/pump": {"name": "Pump", "fullname": "exploit/linux/pump", "rank": 600,
        "type": "exploit", "references": ["CVE-2025-0001"], "disclosure_date": "2025-01-02",
        "mod_time": "2025-01-03 00:00:00 +0000", "path": "/modules/exploits/linux/pump.rb"}});
    let cases = [
        ("epss", packed.finish().unwrap()),
        ("exploitdb", exploits.as_bytes().to_vec()),
        ("metasploit", modules.to_string().into_bytes()),
    ];
    let (dir, publisher) = (tempfile::tempdir().unwrap(), Publisher::start());
    for (name, body) in cases {
        run(dir.path(), &publisher, &["set", name, "--address", &publisher.address("/x")], 0);
        publisher.plays([Play::Edition("one", body)]);
        let (feed, _) = run(dir.path(), &publisher, &["sync", name], 0);
        assert_eq!((&feed["read"], &feed["new"]), (&json!(1), &json!(1)), "{name}: {feed}");
    }
}

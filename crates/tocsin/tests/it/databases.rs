//! The vulnerability databases of ENISA, of IPA and of Flashpoint, followed from a publisher that the test plays.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::feeds::{numbers, run};
use crate::publisher::{Play, Publisher};
use crate::sources::{edition, known};

struct Follower {
    dir: tempfile::TempDir,
    publisher: Publisher,
    name: &'static str,
}

impl Follower {
    fn new(name: &'static str) -> Follower {
        let follower = Follower { dir: tempfile::tempdir().unwrap(), publisher: Publisher::start(), name };
        follower.run(&["set", name, "--address", &follower.publisher.address("/api")], 0);
        follower
    }

    fn run(&self, args: &[&str], code: i32) -> (Value, String) {
        run(self.dir.path(), &self.publisher, args, code)
    }

    fn sync(&self, plays: impl IntoIterator<Item = Play>, code: i32) -> Value {
        self.publisher.plays(plays);
        self.run(&["sync", self.name, "--force"], code).0
    }

    fn knows(&self, id: &str) -> bool {
        known(self.dir.path(), id)
    }

    fn paths(&self) -> Vec<String> {
        let path = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.publisher.asked().iter().map(path).collect()
    }

    /// Runs a sync until it waits for its request of that number, and kills it.
    fn killed(&self, plays: impl IntoIterator<Item = Play>, requests: usize) {
        self.publisher.plays(plays);
        let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .arg("--data-dir")
            .arg(self.dir.path())
            .args(["feeds", "--allow-host", &self.publisher.host(), "sync", self.name, "--force"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (started, mut asked) = (Instant::now(), 0);
        while asked < requests {
            assert!(started.elapsed() < Duration::from_secs(60), "{asked} requests");
            std::thread::sleep(Duration::from_millis(50));
            asked += self.paths().len();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What every source does with what is no answer; `first` is a good one, which is left whole at the end.
    fn stands_bad_answers(&self, before: &[Play], first: &[u8]) {
        let half = first[..first.len() * 2 / 3].to_vec();
        for (bad, words) in [
            (edition(b"{\"entries\": []}".to_vec()), "changed its format"),
            (edition(b"<html>Welcome</html>".to_vec()), "changed its format"),
            (edition(Vec::new()), "changed its format"),
            (edition(half), ""),
            (Play::Announced(1 << 45), "more than the"),
            (Play::Status(404, None), "404"),
            (Play::Status(429, Some("3600")), "called later"),
        ] {
            let plays: Vec<Play> = before.iter().cloned().chain([bad]).collect();
            let feed = self.sync(plays, 1);
            let error = feed["error"].as_str().unwrap();
            assert!(error.contains(words), "{words}: {feed}");
        }
        let plays: Vec<Play> =
            before.iter().cloned().chain([Play::Status(429, Some("1")), edition(first.to_vec())]).collect();
        let feed = self.sync(plays, 0);
        assert_eq!(feed["error"], json!(""), "{feed}");
    }
}

fn euvd(total: u64, ids: std::ops::Range<u64>) -> Vec<u8> {
    let item = |n: u64| {
        json!({"id": format!("EUVD-2025-{n}"), "enisaUuid": "u", "description": "A flaw of a pump.",
            "datePublished": "Feb 25, 2025, 1:15:11 AM", "dateUpdated": "Mar 3, 2025, 9:36:55 PM", "baseScore": 7.5,
            "baseScoreVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "references": "https://a.example/\n",
            "aliases": format!("CVE-2025-{n:04}\n"), "epss": 0.5, "exploitedSince": "Apr 1, 2025, 12:00:00 AM",
            "enisaIdProduct": [{"product": {"name": "Pump"}, "product_version": "0 <1.2"}],
            "enisaIdVendor": [{"vendor": {"name": "Maker"}}]})
    };
    json!({"items": ids.map(item).collect::<Vec<_>>(), "total": total}).to_string().into_bytes()
}

#[test]
fn euvd_is_read_in_pages_and_then_by_what_was_updated() {
    let f = Follower::new("euvd");
    let feed = f.sync([edition(euvd(103, 0..100)), edition(euvd(103, 100..103))], 0);
    assert_eq!(numbers(&feed), [103, 103, 0, 0], "{feed}");
    assert_eq!(f.paths(), ["/api?size=100&page=0", "/api?size=100&page=1"]);
    assert!(f.knows("EUVD-2025-102") && f.knows("CVE-2025-0102"), "its id is an alias");
    let out = crate::tocsin(f.dir.path(), &["db", "--format", "json", "show", "CVE-2025-0001"]);
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(told.contains("\"euvd\"") && told.contains("2025-04-01") && told.contains("active"), "{told}");
    f.sync([edition(euvd(0, 0..0))], 0);
    assert!(f.paths()[0].contains("&fromupdateddate="));
    let feed = f.sync([edition(euvd(1, 200..201))], 0);
    assert_eq!(numbers(&feed), [1, 1, 0, 0], "{feed}");
}

#[test]
fn euvd_goes_on_where_it_was_killed_and_stands_bad_answers() {
    let f = Follower::new("euvd");
    f.killed([edition(euvd(103, 0..100)), Play::Slow(Duration::from_secs(60))], 2);
    let feed = f.sync([edition(euvd(103, 100..103))], 0);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "{feed}");
    assert_eq!(f.paths(), ["/api?size=100&page=1"]);
    assert!(f.knows("EUVD-2025-1") && f.knows("EUVD-2025-101"));
    f.stands_bad_answers(&[], &euvd(2, 300..302));
    assert!(f.knows("EUVD-2025-301"));
    let feed = f.sync([edition(euvd(9, 0..0))], 1);
    assert!(feed["error"].as_str().unwrap().contains("0 of 9 records"), "{feed}");
}

fn vuldef(ids: &[u32]) -> Vec<u8> {
    let entry = |n: &u32| {
        format!(
            "<Vulinfo>\n<VulinfoID>JVNDB-2025-{n:06}</VulinfoID><VulinfoData><Title>ポンプの脆弱性</Title>\
             <VulinfoDescription><Overview>A flaw.</Overview></VulinfoDescription>\
             <Affected><AffectedItem><Name>Maker</Name><ProductName>Pump</ProductName>\
             <Cpe version=\"2.2\">cpe:/a:maker:pump</Cpe><VersionNumber>1.2 未満</VersionNumber></AffectedItem></Affected>\
             <Impact><Cvss version=\"3.0\"><Vector>CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N</Vector></Cvss></Impact>\
             <Related><RelatedItem type=\"advisory\"><VulinfoID>CVE-2025-{n:04}</VulinfoID><URL>https://cve.example</URL>\
             </RelatedItem></Related><DateFirstPublished>2025-03-08T12:02:28+09:00</DateFirstPublished>\
             <DateLastUpdated>2025-03-08T12:02:28+09:00</DateLastUpdated></VulinfoData></Vulinfo>\n"
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VULDEF-Document version=\"3.2\" xmlns=\"http://jvn.jp/vuldef/\">\n{}</VULDEF-Document>\n",
        ids.iter().map(entry).collect::<String>()
    )
    .into_bytes()
}

fn overview(total: usize, ids: &[u32]) -> Vec<u8> {
    let item = |n: &u32| format!("<item><sec:identifier>JVNDB-2025-{n:06}</sec:identifier></item>");
    format!(
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\" \
         xmlns:sec=\"http://jvn.jp/rss/mod_sec/3.0/\" xmlns:status=\"http://jvndb.jvn.jp/myjvn/Status\">{}\
         <status:Status retCd=\"0\" totalRes=\"{total}\" totalResRet=\"{}\" firstRes=\"1\"/></rdf:RDF>",
        ids.iter().map(item).collect::<String>(),
        ids.len()
    )
    .into_bytes()
}

#[test]
fn jvn_is_read_by_years_and_then_by_what_was_updated() {
    let f = Follower::new("jvn");
    let year: u16 = tocsin::server::now().get(..4).unwrap().parse().unwrap();
    for y in 1998..year {
        let ids: &[u32] = if y == 2025 { &[1, 2] } else { &[] };
        f.publisher.page(&format!("/api/ja/feed/detail/jvndb_detail_{y}.rdf"), edition(vuldef(ids)));
    }
    f.publisher.page(&format!("/api/ja/feed/detail/jvndb_detail_{year}.rdf"), Play::Status(404, None));
    let feed = f.sync([edition(overview(0, &[]))], 0);
    assert_eq!(feed["new"], json!(if year > 2025 { 2 } else { 0 }), "{feed}");
    f.paths();
    let ids: Vec<u32> = (10..22).collect();
    let answers = [overview(12, &ids), vuldef(&ids[..10]), vuldef(&ids[10..])];
    let feed = f.sync(answers.map(edition), 0);
    assert_eq!(numbers(&feed), [12, 12, 0, 0], "{feed}");
    assert!(f.knows("JVNDB-2025-000021") && f.knows("CVE-2025-0021"), "its id is an alias");
    let asked = f.paths();
    assert!(
        asked[0].contains("method=getvulnoverviewlist") && asked[0].contains("&startitem=1&"),
        "{asked:?}"
    );
    assert!(asked[2].ends_with("vulnid=jvndb-2025-000020+jvndb-2025-000021"), "{asked:?}");
    f.stands_bad_answers(&[], &overview(0, &[]));
    let fault = "<rdf:RDF xmlns:rdf=\"r\" xmlns:status=\"s\"><status:Status retCd=\"1\" errCd=\"XX01\" errMsg=\"no\"/></rdf:RDF>";
    let feed = f.sync([edition(fault.as_bytes().to_vec())], 1);
    assert!(feed["error"].as_str().unwrap().contains("XX01"), "{feed}");
    let half = vuldef(&[30, 31]);
    let half = half[..half.len() - 200].to_vec();
    let feed = f.sync([edition(overview(2, &[30, 31])), edition(half)], 1);
    assert!(feed["error"].as_str().unwrap().contains("read to its end"), "{feed}");
    assert!(f.knows("JVNDB-2025-000030") && !f.knows("JVNDB-2025-000031"), "what stands before stays");
}

#[test]
fn jvn_goes_on_where_it_was_killed() {
    let f = Follower::new("jvn");
    f.killed([edition(vuldef(&[1])), edition(vuldef(&[])), Play::Slow(Duration::from_secs(60))], 3);
    f.sync([Play::Status(404, None)], 1);
    assert!(f.paths()[0].ends_with("jvndb_detail_2000.rdf"));
    assert!(f.knows("JVNDB-2025-000001"));
}

fn vulndb(total: u64, ids: std::ops::Range<u64>) -> Vec<u8> {
    let item = |n: u64| {
        json!({"vulndb_id": n, "title": "Pump Overflow", "description": "A flaw.",
            "vulndb_last_modified": "2025-01-03T03:04:05Z", "ext_references": [{"type": "CVE ID", "value": format!("2025-{n:04}")}],
            "vendors": [{"vendor": {"name": "Maker", "products": [{"name": "Pump", "versions": [{"name": "1.0", "affected": "true"}]}]}}]})
    };
    json!({"current_page": 1, "total_entries": total, "results": ids.map(item).collect::<Vec<_>>()})
        .to_string()
        .into_bytes()
}

#[test]
fn vulndb_is_asked_with_a_token_for_the_key() {
    let f = Follower::new("vulndb");
    let (feed, _) = f.run(&["sync", "vulndb"], 1);
    assert!(feed["error"].as_str().unwrap().contains("--key-file") && f.paths().is_empty(), "{feed}");
    let key = f.dir.path().join("key.txt");
    std::fs::write(&key, "Our-Key:Our-Secret\n").unwrap();
    f.run(&["set", "vulndb", "--key-file", key.to_str().unwrap()], 0);
    let token = || {
        edition(b"{\"access_token\": \"A-Token\", \"token_type\": \"bearer\", \"expires_in\": 7200}".to_vec())
    };
    let answers = [
        token(),
        edition(vulndb(101, 1..101)),
        Play::Status(401, None),
        token(),
        edition(vulndb(101, 101..102)),
    ];
    let feed = f.sync(answers, 0);
    assert_eq!(numbers(&feed), [101, 101, 0, 0], "{feed}");
    let asked = f.publisher.asked();
    assert!(
        asked[0].starts_with("post /api/oauth/token") && !asked[0].contains("our-secret"),
        "{}",
        asked[0]
    );
    assert!(
        asked[1].contains("authorization: bearer a-token") && asked[1].contains("&page=1 "),
        "{}",
        asked[1]
    );
    assert!(f.knows("VULNDB-101") && f.knows("CVE-2025-0101"), "its id is an alias");
    let feed = f.sync([token(), Play::Status(404, None)], 0);
    assert_eq!(feed["error"], json!(""), "404 says that nothing changed: {feed}");
    assert!(f.paths()[1].contains("find_by_time?hours_ago=3&"));
    let feed = f.sync([Play::Status(401, None)], 1);
    assert!(feed["error"].as_str().unwrap().contains("--key-file"), "{feed}");
    for other in ["{\"token\": \"A-Token\"}", "A-Token", "{\"access_token\": \"a b\"}"] {
        let feed = f.sync([edition(other.as_bytes().to_vec())], 1);
        assert!(!feed.to_string().contains("A-Token"), "what came is not repeated: {feed}");
    }
    f.run(&["sync", "vulndb", "--again", "--force"], 1);
    f.paths();
    f.killed([token(), edition(vulndb(101, 1..101)), Play::Slow(Duration::from_secs(60))], 3);
    let feed = f.sync([token(), edition(vulndb(102, 101..103))], 0);
    assert_eq!(feed["new"], json!(1), "{feed}");
    assert!(f.paths()[1].ends_with("&page=2"));
    f.run(&["sync", "vulndb", "--again", "--force"], 1);
    f.stands_bad_answers(&[token()], &vulndb(1, 400..401));
}

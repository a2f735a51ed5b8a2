//! Sources of many documents, followed from a publisher that the test plays: in pages, by what changed, broken off and
//! gone on with.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::feeds::{numbers, run};
use crate::publisher::{Play, Publisher};
use crate::serve::Server;
use crate::tocsin;

/// A data folder one of whose sources comes from a publisher of the test.
struct Follower {
    dir: tempfile::TempDir,
    publisher: Publisher,
    name: &'static str,
}

impl Follower {
    fn new(name: &'static str) -> Follower {
        let follower = Follower { dir: tempfile::tempdir().unwrap(), publisher: Publisher::start(), name };
        let key = follower.dir.path().join("key.txt");
        std::fs::write(&key, "A-Key-Of-Ours\n").unwrap();
        let base = follower.publisher.address("/api");
        follower.run(&["set", name, "--address", &base], 0);
        if name == "nvd" || name == "cvelist" {
            follower.run(&["set", name, "--key-file", key.to_str().unwrap()], 0);
        }
        follower
    }

    fn run(&self, args: &[&str], code: i32) -> (Value, String) {
        run(self.dir.path(), &self.publisher, args, code)
    }

    fn sync(&self, code: i32) -> Value {
        self.run(&["sync", self.name, "--force"], code).0
    }

    /// The paths that were asked for since the last look.
    fn paths(&self) -> Vec<String> {
        let path = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.publisher.asked().iter().map(path).collect()
    }
}

pub fn known(dir: &Path, id: &str) -> bool {
    tocsin(dir, &["db", "show", id]).status.success()
}

/// A page of NVD.
fn page(start: u64, total: u64, cves: &[u64]) -> Vec<u8> {
    let cve = |n: &u64| {
        json!({"cve": {"id": format!("CVE-2025-{n:04}"), "sourceIdentifier": "cna@example.org",
            "published": "2025-01-01T00:00:00.000", "lastModified": "2025-01-02T00:00:00.000",
            "vulnStatus": "Analyzed", "descriptions": [{"lang": "en", "value": "A flaw of a pump."}],
            "metrics": {}, "weaknesses": [], "configurations": [], "references": []}})
    };
    json!({"resultsPerPage": cves.len(), "startIndex": start, "totalResults": total, "format": "NVD_CVE",
        "version": "2.0", "timestamp": "2025-01-03T00:00:00.000",
        "vulnerabilities": cves.iter().map(cve).collect::<Vec<_>>()})
    .to_string()
    .into_bytes()
}

pub fn edition(body: Vec<u8>) -> Play {
    Play::Edition("e", body)
}

#[test]
fn nvd_is_read_in_pages_and_then_by_what_was_modified() {
    let f = Follower::new("nvd");
    let pages = [page(0, 3, &[1, 2]), page(2, 3, &[3])];
    f.publisher.plays(pages.map(edition));
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "{feed}");
    assert!(known(f.dir.path(), "CVE-2025-0003"));
    let asked = f.publisher.asked();
    assert!(asked[0].contains("?resultsperpage=2000&startindex=0 "), "{}", asked[0]);
    assert!(asked[1].contains("&startindex=2 ") && asked.len() == 2, "{}", asked[1]);
    assert!(asked.iter().all(|a| a.contains("apikey: a-key-of-ours")), "{}", asked[0]);
    f.publisher.plays([edition(page(0, 0, &[]))]);
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "what it last gave");
    let asked = f.paths();
    assert!(asked[0].contains("lastmodstartdate=") && asked[0].contains("lastmodenddate="), "{asked:?}");
    f.publisher.plays([edition(page(0, 1, &[4]))]);
    assert_eq!(numbers(&f.sync(0)), [1, 1, 0, 0]);
    f.paths();
    f.run(&["sync", "nvd", "--again"], 1);
    assert!(f.paths()[0].ends_with("startindex=0"), "from its beginning");
}

#[test]
fn what_is_killed_in_the_middle_goes_on_from_there() {
    let f = Follower::new("nvd");
    f.publisher.plays([edition(page(0, 4, &[1, 2])), Play::Slow(Duration::from_secs(60))]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
        .arg("--data-dir")
        .arg(f.dir.path())
        .args(["feeds", "--allow-host", &f.publisher.host(), "sync", "nvd"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (started, mut asked) = (Instant::now(), Vec::new());
    while asked.len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "{asked:?}");
        std::thread::sleep(Duration::from_millis(50));
        asked.extend(f.paths());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // the rest as of then, and what was modified since
    f.publisher.plays([edition(page(2, 4, &[3, 4])), edition(page(0, 0, &[]))]);
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [2, 2, 0, 0], "{feed}");
    let asked = f.paths();
    assert!(asked[0].ends_with("startindex=2") && asked[1].contains("lastmodstartdate"), "{asked:?}");
    for id in ["CVE-2025-0001", "CVE-2025-0004"] {
        assert!(known(f.dir.path(), id), "{id}");
    }
}

#[test]
fn a_page_that_is_not_whole_keeps_what_is_understood_and_is_asked_for_again() {
    let f = Follower::new("nvd");
    let whole = page(0, 2, &[1, 2]);
    let half = whole[..whole.len() - 60].to_vec();
    f.publisher.plays([edition(half)]);
    let feed = f.sync(1);
    assert!(feed["error"].as_str().unwrap().contains("could not be read to its end"), "{feed}");
    assert!(known(f.dir.path(), "CVE-2025-0001") && !known(f.dir.path(), "CVE-2025-0002"));
    for other in ["{\"cves\": []}", "<html>Welcome</html>", "", "{\"totalResults\": 3}"] {
        f.publisher.plays([edition(other.as_bytes().to_vec())]);
        let feed = f.sync(1);
        assert!(feed["error"].as_str().unwrap().contains("changed its format"), "{other}: {feed}");
    }
    f.publisher.plays([edition(page(7, 9, &[1]))]);
    assert!(f.sync(1)["error"].as_str().unwrap().contains("were asked for"));
    f.paths();
    f.publisher.plays([Play::Status(429, Some("1")), edition(whole)]);
    assert_eq!(numbers(&f.sync(0)), [2, 1, 0, 0]);
    assert!(f.paths().iter().all(|p| p.ends_with("startindex=0")), "no false mark");
    f.publisher.plays([Play::Announced(1 << 40)]);
    assert!(f.sync(1)["error"].as_str().unwrap().contains("more than the"));
}

#[test]
fn a_key_goes_to_its_publisher_alone_and_is_shown_nowhere() {
    let f = Follower::new("nvd");
    let (feed, said) = f.run(&["status", "nvd"], 0);
    assert_eq!(feed["keyed"], json!(true));
    assert!(!feed.to_string().contains("A-Key") && !said.contains("A-Key"));
    let bytes = std::fs::read(f.dir.path().join("tocsin.db")).unwrap();
    assert!(!bytes.windows(13).any(|w| w == b"A-Key-Of-Ours"), "it is sealed");
    let other = Publisher::start();
    other.plays([Play::Status(404, None)]);
    f.publisher.plays([Play::Moved(other.address("/elsewhere"))]);
    let both = format!("{},{}", f.publisher.host(), other.host());
    let out = tocsin(f.dir.path(), &["feeds", "--allow-host", &both, "sync", "nvd"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(f.publisher.asked()[0].contains("a-key-of-ours"));
    let asked = other.asked();
    assert!(asked.len() == 1 && !asked[0].contains("a-key-of-ours"), "{asked:?}");
    f.run(&["set", "nvd", "--no-key"], 0);
    f.run(&["sync", "nvd"], 1);
    assert!(!f.publisher.asked()[0].contains("apikey"));
    for refused in [
        vec!["set", "kev", "--key-file", f.dir.path().join("key.txt").to_str().unwrap()],
        vec!["set", "nvd", "--option", "ecosystems=npm"],
        vec!["set", "nvd", "--option", "proxy"],
    ] {
        f.run(&refused, 2);
    }
}

#[test]
fn a_source_is_asked_through_its_proxy() {
    let f = Follower::new("nvd");
    let proxy = format!("proxy=http://{}", f.publisher.host());
    f.run(&["set", "nvd", "--address", "https://nvd.example/api", "--option", &proxy], 0);
    f.publisher.plays([Play::Status(502, None), Play::Status(502, None), Play::Status(502, None)]);
    f.sync(1);
    assert!(f.publisher.asked()[0].starts_with("connect nvd.example:443 "));
}

/// An archive of records.
fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn osv(id: &str, modified: &str) -> Vec<u8> {
    json!({"id": id, "modified": modified, "summary": "A flaw",
        "affected": [{"package": {"ecosystem": "npm", "name": "pump"}, "versions": ["1.0.0"]}]})
    .to_string()
    .into_bytes()
}

#[test]
fn osv_is_taken_as_an_archive_and_then_by_id() {
    let f = Follower::new("osv");
    let p = &f.publisher;
    p.page("/api/ecosystems.txt", edition(b"npm\nPyPI\nDebian:12\nDebian\nGitHub Actions\n".to_vec()));
    assert_eq!(f.sync(0)["read"], 0, "an empty inventory wants none");
    assert_eq!(f.paths(), ["/api/ecosystems.txt"]);
    f.run(&["set", "osv", "--option", "ecosystems=npm, GitHub Actions"], 0);
    p.page(
        "/api/npm/modified_id.csv",
        Play::Edition("l1", b"2025-01-02T00:00:00Z,GHSA-aaaa-bbbb-cccc\n".to_vec()),
    );
    let first = osv("GHSA-aaaa-bbbb-cccc", "2025-01-02T00:00:00Z");
    p.page("/api/npm/all.zip", edition(archive(&[("GHSA-aaaa-bbbb-cccc.json".to_owned(), first.clone())])));
    p.page("/api/npm/GHSA-aaaa-bbbb-cccc.json", edition(first));
    p.page("/api/GitHub%20Actions/modified_id.csv", Play::Status(404, None));
    let feed = f.sync(1);
    assert_eq!(numbers(&feed), [1, 1, 0, 0], "{feed}");
    assert!(feed["error"].as_str().unwrap().contains("GitHub Actions: "), "one costs itself alone: {feed}");
    assert!(known(f.dir.path(), "GHSA-aaaa-bbbb-cccc"));
    f.run(&["set", "osv", "--option", "ecosystems=npm"], 0);
    let list = "2025-01-03T00:00:00Z,MAL-2025-1\n2025-01-03T00:00:00Z,MAL-2025-2\n\
                2025-01-02T00:00:00Z,GHSA-aaaa-bbbb-cccc\n";
    p.page("/api/npm/modified_id.csv", Play::Edition("l2", list.as_bytes().to_vec()));
    p.page("/api/npm/MAL-2025-1.json", edition(osv("MAL-2025-1", "2025-01-03T00:00:00Z")));
    p.page("/api/npm/MAL-2025-2.json", Play::Status(404, None));
    f.paths();
    let feed = f.sync(0);
    assert_eq!((&feed["new"], &feed["error"]), (&json!(1), &json!("")), "{feed}");
    assert!(known(f.dir.path(), "MAL-2025-1"));
    assert!(!f.paths().iter().any(|p| p.contains("all.zip")), "the archive is not fetched again");
    f.sync(0);
    let asked = f.publisher.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[1].contains("if-none-match: \"l2\""), "{}", asked[1]);
}

fn cve(id: &str, updated: &str) -> (String, Vec<u8>) {
    let record = json!({"dataType": "CVE_RECORD", "dataVersion": "5.1",
        "cveMetadata": {"cveId": id, "assignerOrgId": "00000000-0000-4000-8000-000000000000", "state": "PUBLISHED",
            "datePublished": "2025-01-01T00:00:00.000Z", "dateUpdated": updated},
        "containers": {"cna": {"providerMetadata": {"orgId": "00000000-0000-4000-8000-000000000000"},
            "descriptions": [{"lang": "en", "value": "A flaw."}], "affected": [], "references": []}}});
    (format!("cves/{id}.json"), record.to_string().into_bytes())
}

#[test]
fn the_cve_list_is_taken_whole_and_then_by_its_deltas() {
    let f = Follower::new("cvelist");
    let p = &f.publisher;
    let asset =
        |name: &str| json!({"name": name, "browser_download_url": p.address(&format!("/files/{name}"))});
    let release =
        |at: &str, assets: Vec<Value>| json!({"tag_name": at, "published_at": at, "assets": assets});
    let inner = archive(&[cve("CVE-2025-0001", "2025-01-01T00:00:00.000Z")]);
    p.page(
        "/files/2025-01-02_all_CVEs_at_midnight.zip.zip",
        edition(archive(&[("cves.zip".to_owned(), inner)])),
    );
    for (hour, id) in [("0100Z", "CVE-2025-0002"), ("0200Z", "CVE-2025-0003"), ("0300Z", "CVE-2025-0004")] {
        let delta = archive(&[cve(id, "2025-01-02T01:00:00.000Z")]);
        p.page(&format!("/files/2025-01-02_delta_CVEs_at_{hour}.zip"), edition(delta));
    }
    let all = asset("2025-01-02_all_CVEs_at_midnight.zip.zip");
    let mut releases = vec![
        release("2025-01-02T02:10:00Z", vec![asset("2025-01-02_delta_CVEs_at_0200Z.zip"), all.clone()]),
        release("2025-01-02T01:10:00Z", vec![asset("2025-01-02_delta_CVEs_at_0100Z.zip"), all]),
        release("2025-01-01T23:10:00Z", vec![]),
    ];
    let listing = "/api?per_page=100&page=1";
    p.page(listing, edition(json!(releases).to_string().into_bytes()));
    let feed = f.sync(0);
    assert_eq!(numbers(&feed), [3, 3, 0, 0], "{feed}");
    for id in ["CVE-2025-0001", "CVE-2025-0002", "CVE-2025-0003"] {
        assert!(known(f.dir.path(), id), "{id}");
    }
    f.paths();
    releases.insert(0, release("2025-01-02T03:10:00Z", vec![asset("2025-01-02_delta_CVEs_at_0300Z.zip")]));
    releases.insert(0, release("2025-01-02T04:10:00Z", vec![]));
    p.page(listing, edition(json!(releases).to_string().into_bytes()));
    assert_eq!(numbers(&f.sync(0)), [1, 1, 0, 0]);
    assert_eq!(f.paths(), [listing, "/files/2025-01-02_delta_cves_at_0300z.zip"]);
    assert_eq!(numbers(&f.sync(0)), [1, 1, 0, 0], "a release whose files are not there yet waits");
    assert_eq!(f.paths(), [listing]);
    p.page(listing, edition(b"{\"message\": \"Moved\"}".to_vec()));
    assert!(f.sync(1)["error"].as_str().unwrap().contains("changed its format"));
}

/// A security advisory.
pub fn csaf(id: &str, cve: &str) -> Vec<u8> {
    json!({"document": {"category": "csaf_security_advisory", "csaf_version": "2.0", "title": "A pump",
            "publisher": {"category": "vendor", "name": "Maker", "namespace": "https://maker.example"},
            "tracking": {"id": id, "status": "final", "version": "1", "initial_release_date": "2025-01-01T00:00:00Z",
                "current_release_date": "2025-01-02T00:00:00Z", "revision_history":
                    [{"number": "1", "date": "2025-01-01T00:00:00Z", "summary": "First"}]}},
        "product_tree": {"full_product_names": [{"name": "Pump 1", "product_id": "P1"}]},
        "vulnerabilities": [{"cve": cve, "title": "A flaw", "product_status": {"known_affected": ["P1"]}}]})
    .to_string()
    .into_bytes()
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    let hex: String = sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    format!("{hex}  a.json\n").into_bytes()
}

#[test]
fn csaf_providers_are_found_and_their_hashes_checked() {
    let f = Follower::new("csaf");
    let p = &f.publisher;
    let host = format!("http://{}", p.host());
    // found by security.txt; a trusted provider with a directory
    f.run(&["set", "csaf", "--address", &host], 0);
    let lines = format!("Contact: mailto:psirt@maker.example\nCSAF: {host}/p/provider-metadata.json\n");
    p.page("/.well-known/csaf/provider-metadata.json", Play::Status(404, None));
    p.page("/.well-known/security.txt", edition(lines.into_bytes()));
    let metadata = json!({"role": "csaf_trusted_provider", "distributions": [{"directory_url": format!("{host}/p/white/")}]});
    p.page("/p/provider-metadata.json", edition(metadata.to_string().into_bytes()));
    let list = "\"2025/a.json\",\"2025-01-02T00:00:00Z\"\n\"2025/b.json\",\"2025-01-01T00:00:00Z\"\n";
    p.page("/p/white/changes.csv", edition(list.as_bytes().to_vec()));
    let (a, b) = (csaf("A", "CVE-2025-0001"), csaf("B", "CVE-2025-0002"));
    for (name, body, hash) in [("a", &a, sha256(&a)), ("b", &b, sha256(&a))] {
        p.page(&format!("/p/white/2025/{name}.json"), edition(body.clone()));
        p.page(&format!("/p/white/2025/{name}.json.sha512"), Play::Status(404, None));
        p.page(&format!("/p/white/2025/{name}.json.sha256"), edition(hash));
    }
    let feed = f.sync(1);
    assert!(feed["error"].as_str().unwrap().contains("it is not what"), "{feed}");
    assert!(known(f.dir.path(), "CVE-2025-0001") && !known(f.dir.path(), "CVE-2025-0002"));
    p.page("/p/white/2025/b.json.sha256", edition(sha256(&b)));
    f.paths();
    let feed = f.sync(0);
    assert_eq!((&feed["new"], &feed["error"]), (&json!(1), &json!("")), "{feed}");
    let asked = f.paths();
    assert!(
        asked.iter().any(|p| p.ends_with("/b.json")) && !asked.iter().any(|p| p.ends_with("/a.json")),
        "{asked:?}"
    );
    // beside it an aggregator, that lists a provider with a feed
    let lister = json!({"aggregator": {"category": "lister"},
        "csaf_providers": [{"metadata": {"url": format!("{host}/q/provider-metadata.json")}}]});
    p.page("/aggregator.json", edition(lister.to_string().into_bytes()));
    let metadata = json!({"role": "csaf_provider", "distributions": [{"rolie": {"feeds": [
        {"url": format!("{host}/q/green.json"), "tlp_label": "GREEN"},
        {"url": format!("{host}/q/white.json"), "tlp_label": "WHITE"}]}}]});
    p.page("/q/provider-metadata.json", edition(metadata.to_string().into_bytes()));
    let entry = |name: &str| {
        json!({"id": name, "updated": "2025-01-03T00:00:00Z", "content": {"src": format!("{host}/q/{name}.json")},
            "link": [{"rel": "hash", "href": format!("{host}/q/{name}.json.sha256")}]})
    };
    let rolie = json!({"feed": {"entry": [entry("c"), entry("d")]}});
    p.page("/q/white.json", edition(rolie.to_string().into_bytes()));
    let c = csaf("C", "CVE-2025-0003");
    p.page("/q/c.json", edition(c.clone()));
    p.page("/q/c.json.sha256", edition(sha256(&c)));
    p.page("/q/d.json", Play::Status(404, None));
    f.run(&["set", "csaf", "--option", &format!("providers={host}/aggregator.json")], 0);
    f.paths();
    let feed = f.sync(1);
    assert!(feed["error"].as_str().unwrap().contains("/q/d.json"), "one costs itself alone: {feed}");
    assert!(known(f.dir.path(), "CVE-2025-0003"));
    assert!(!f.paths().iter().any(|p| p.contains("green")), "what is not for everybody is not asked for");
}

#[test]
fn a_mirror_of_many_documents_is_added_to_and_taken_in() {
    let f = Follower::new("nvd");
    let mirror = f.dir.path().join("mirror");
    let folder = mirror.to_str().unwrap();
    f.publisher.plays([edition(page(0, 2, &[1, 2]))]);
    f.run(&["mirror", folder, "nvd"], 0);
    f.publisher.plays([edition(page(0, 1, &[3]))]);
    f.run(&["mirror", folder, "nvd"], 0);
    assert!(f.paths()[1].contains("lastmodstartdate"), "the second time what is new");
    assert!(!known(f.dir.path(), "CVE-2025-0001"), "a mirror takes nothing in");
    let away = tempfile::tempdir().unwrap();
    let (feed, _) = run(away.path(), &f.publisher, &["sync", "--from", folder], 0);
    assert_eq!((&feed["name"], &feed["read"]), (&json!("nvd"), &json!(3)));
    assert!(known(away.path(), "CVE-2025-0003") && f.paths().is_empty());
    f.publisher.plays([edition(page(0, 2, &[1, 2]))]);
    f.run(&["test", "nvd"], 0);
    assert_eq!(f.paths().len(), 1, "one document tells whether it can be done");
}

#[test]
fn a_source_is_set_and_asked_by_page_and_by_api() {
    let f = Follower::new("nvd");
    let server = Server::start_with(f.dir.path(), &["--allow-host", &f.publisher.host()], None);
    f.publisher.plays([edition(page(0, 2, &[1, 2]))]);
    let asked = server.post("/sources/nvd/run", "");
    assert!(asked.status == 303 && asked.header("location").starts_with("/jobs/"), "{}", asked.status);
    let (started, key) = (Instant::now(), server.key("manager"));
    let api = |method: &str, path: &str, body: &Value| {
        let headers = [("X-Api-Key", key.as_str()), ("Content-Type", "application/json")];
        server.send(method, path, &headers, body.to_string().as_bytes())
    };
    let state = || api("GET", "/api/v2/sources/nvd", &Value::Null).json();
    while state()["good"].is_null() {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", state());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(
        (&state()["health"], &state()["read"], &state()["next"]),
        (&json!("good"), &json!(2), &Value::Null)
    );
    let runs = api("GET", "/api/v2/sources/nvd/runs", &Value::Null).json();
    assert_eq!((&runs["items"][0]["outcome"], &runs["items"][0]["documents"]), (&json!("taken"), &json!(1)));
    let all = api("GET", "/api/v2/sources", &Value::Null).json();
    assert!(all["items"].as_array().unwrap().iter().any(|s| s["name"] == "osv" && s["health"] == "never"));
    let set = api("PATCH", "/api/v2/sources/osv", &json!({"options": {"ecosystems": "npm"}})).json();
    assert_eq!((&set["options"]["ecosystems"], &set["followed"]), (&json!("npm"), &json!(false)));
    let set = api("PATCH", "/api/v2/sources/nvd", &json!({"followed": true})).json();
    assert!(set["followed"] == true && set["next"].is_string(), "{set}");
    for (path, body) in [
        ("/api/v2/sources/osv", json!({"options": {"color": "red"}})),
        ("/api/v2/sources/osv", json!({"address": "ftp://x"})),
    ] {
        assert_eq!(api("PATCH", path, &body).status, 422, "{body}");
    }
    assert_eq!(api("PUT", "/api/v2/sources/kev/key", &json!({"key": "x"})).status, 422);
    assert_eq!(api("PUT", "/api/v2/sources/cvelist/key", &json!({"key": "A-Token"})).status, 204);
    let told = api("GET", "/api/v2/sources/cvelist", &Value::Null);
    assert!(told.json()["keyed"] == true && !told.text().contains("A-Token"));
    assert_eq!(api("DELETE", "/api/v2/sources/cvelist/key", &Value::Null).status, 204);
    assert_eq!(api("GET", "/api/v2/sources/nosuch", &Value::Null).status, 404);
    let page = server.page("/sources").text();
    assert!(page.contains("NIST National Vulnerability Database") && page.contains(">good<"));
    let wrong = server.post("/sources/nvd", "address=ftp%3A%2F%2Fx");
    assert!(wrong.status == 422 && wrong.text().contains("ftp://x"), "{}", wrong.status);
    let csv = server.page("/sources.csv?show=followed").text();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let sorted = server.page("/sources?sort=-read").text();
    assert!(sorted.find("/sources/nvd\"").unwrap() > sorted.find("/sources/osv\"").unwrap());
}

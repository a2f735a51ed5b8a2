//! Jobs through pages, API and command line.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::serve::{Reply, Server};
use crate::tocsin;

/// A document of so many components, the first `flawed` of them hurt by what [`flaw`] tells.
pub fn sbom(components: usize, tag: &str) -> Vec<u8> {
    let list: Vec<Value> = (0..components)
        .map(|n| {
            let name = if n == 0 { "flawed".to_owned() } else { format!("{tag}-{n}") };
            json!({"type": "library", "bom-ref": n.to_string(), "name": name, "version": "1.0.0",
                "purl": format!("pkg:npm/{name}@1.0.0")})
        })
        .collect();
    let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": list});
    bom.to_string().into_bytes()
}

/// Imports a flaw of npm `flawed` under an id.
pub fn flaw(data: &Path, args: &[&str], id: &str) {
    let osv = json!({"id": id, "modified": "2024-01-01T00:00:00Z", "summary": "A flaw",
        "affected": [{"package": {"ecosystem": "npm", "name": "flawed"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]});
    let record = data.with_extension(format!("{id}.json"));
    std::fs::write(&record, osv.to_string()).unwrap();
    let out = tocsin(data, &[args, &["db", "import", record.to_str().unwrap()]].concat());
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A server and a key to it.
pub struct Api<'a>(pub &'a Server, pub &'a str);

impl Api<'_> {
    pub fn send(&self, method: &str, path: &str) -> Reply {
        self.0.send(method, path, &[("X-Api-Key", self.1)], b"")
    }

    pub fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    pub fn upload(&self, version: &str, bom: &[u8]) -> Reply {
        let fields = [("line", "Pumps"), ("product", "Pump"), ("version", version)];
        self.0.upload("/api/v2/sboms", Some(self.1), &fields, bom)
    }

    /// Waits until a job has ended; the job.
    pub fn ended(&self, id: i64) -> Value {
        let since = Instant::now();
        loop {
            let job = self.get(&format!("/api/v2/jobs/{id}"));
            if !matches!(job["state"].as_str(), Some("waiting" | "running")) {
                return job;
            }
            assert!(since.elapsed() < Duration::from_secs(120), "it does not end: {job}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until no job waits or runs.
    pub fn idle(&self) {
        let since = Instant::now();
        while self.get("/api/v2/jobs?state=active")["items"].as_array().is_some_and(|l| !l.is_empty()) {
            assert!(since.elapsed() < Duration::from_secs(120), "jobs do not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_large_upload_is_kept_and_read_by_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    flaw(&data, &[], "GHSA-aaaa-bbbb-cccc");
    let mut server = Server::start_with(&data, &["--large-upload", "2000"], None);
    let (manager, legal) = (server.key("manager"), server.key("legal"));
    let api = Api(&server, &manager);
    let small = api.upload("0", &sbom(2, "a"));
    assert_eq!((small.status, small.json()["components"].as_i64()), (200, Some(2)), "{}", small.text());
    let large = api.upload("1", &sbom(200, "a"));
    assert_eq!(large.status, 202, "{}", large.text());
    let id = large.json()["job"].as_i64().unwrap();
    assert_eq!(large.header("location"), format!("/api/v2/jobs/{id}"));
    // the stream tells of it until it has ended
    let stream = api.send("GET", &format!("/api/v2/jobs/{id}/events"));
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let text = stream.text();
    assert!(text.contains("event: job") && text.trim_end().ends_with("event: end\ndata: {}"), "{text}");
    let job = api.ended(id);
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!((&job["result"]["components"], &job["result"]["findings_new"]), (&json!(200), &json!(1)));
    assert_eq!((&job["kind"], &job["actor"]), (&json!("sbom"), &json!("key:build manager")));
    // who may see what
    let refused = Api(&server, &legal).send("GET", "/api/v2/jobs");
    assert_eq!(refused.status, 403);
    for path in ["", "/events"] {
        assert_eq!(api.send("GET", &format!("/api/v2/jobs/9999{path}")).status, 404);
    }
    for verb in ["cancel", "retry"] {
        assert_eq!(Api(&server, &legal).send("POST", &format!("/api/v2/jobs/{id}/{verb}")).status, 403);
        assert_eq!(api.send("POST", &format!("/api/v2/jobs/{id}/{verb}")).status, 409);
    }
    // one that cannot be read fails at once, says why, and can be looked at
    let broken = api.upload("2", &[b'{'; 3000]);
    assert_eq!(broken.status, 202);
    let id = broken.json()["job"].as_i64().unwrap();
    let job = api.ended(id);
    assert_eq!((&job["state"], &job["attempts"]), (&json!("failed"), &json!(1)), "{job}");
    let release = broken.json()["release"].as_i64().unwrap();
    let page = server.page(&format!("/releases/{release}")).text();
    assert!(page.contains("Nothing of it was taken over."), "{page}");
    let page = server.page("/jobs?state=failed").text();
    assert!(page.contains("Read bom.cdx.json for Pump 2") && page.contains("Run again"), "{page}");
    assert!(!page.contains("for Pump 1"), "the filter holds");
    let again = server.post(&format!("/jobs/{id}/retry"), "back=%2Fjobs%3Fstate%3Dfailed%26kind%3D");
    assert_eq!((again.status, again.header("location").starts_with("/jobs?state=failed")), (303, true));
    assert_eq!(api.ended(id)["state"], "failed");
    assert_eq!(server.post(&format!("/jobs/{id}/cancel"), "").status, 200, "the page says why not");
    let page = server.page(&format!("/jobs/{id}")).text();
    assert!(page.contains("Why it failed") && page.contains("<pre"), "{page}");
    let csv = server.page("/jobs.csv?kind=sbom").text();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    api.idle();
    let stream = server.page(&format!("/jobs/events?ids={id},x,9999")).text();
    let told = stream.matches("event: job").count();
    assert!(
        told == 1 && stream.contains("\"state\":\"failed\"") && stream.contains("event: end"),
        "{stream}"
    );
    // keyset pages
    let first = api.get("/api/v2/jobs?limit=1");
    let second = api.get(&format!("/api/v2/jobs?limit=1&cursor={}", first["next"].as_str().unwrap()));
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    let read = api.get("/api/v2/jobs?q=kind%3Asbom%20state%3Afailed%20Read&sort=oldest");
    assert!(
        read["items"].as_array().is_some_and(|l| !l.is_empty() && l.iter().all(|j| j["kind"] == "sbom")),
        "{read}"
    );
    assert_eq!(api.send("GET", "/api/v2/jobs?state=lost").status, 400);
    // the command line sees the same, while the server runs
    let told = |args: &[&str]| {
        let out = tocsin(&data, &[&["jobs"], args].concat());
        (out.status.success(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (good, table, _) = told(&["list", "--state", "failed"]);
    assert!(good && table.contains("Read bom.cdx.json for Pump 2"), "{table}");
    let (_, shown, _) = told(&["show", &id.to_string(), "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["state"], "failed");
    let (good, _, said) = told(&["cancel", &id.to_string()]);
    assert!(!good && said.contains("has ended"), "{said}");
    assert!(told(&["retry", &id.to_string()]).0);
    assert_eq!(api.ended(id)["state"], "failed", "the server takes it up");
    assert!(!told(&["show", "9999"]).0 && !told(&["list", "--state", "lost"]).0);
    assert!(server.stop(), "it stops when told to");
}

#[test]
fn compatible_clients_wait_for_the_job() {
    use base64::Engine as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start_with(&data, &["--large-upload", "2000"], None);
    let key = server.key("manager");
    let api = Api(&server, &key);
    let bom = base64::engine::general_purpose::STANDARD.encode(sbom(500, "c"));
    let sent = json!({"projectName": "p", "projectVersion": "1", "autoCreate": true, "bom": bom,
        "projectTags": [{"name": "edge"}]});
    let headers = [("X-Api-Key", key.as_str()), ("Content-Type", "application/json")];
    let reply = server.send("PUT", "/api/v1/bom", &headers, sent.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let (token, project) = (reply.json()["token"].clone(), reply.json()["projectUuid"].clone());
    let since = Instant::now();
    while api.get(&format!("/api/v1/event/token/{}", token.as_str().unwrap()))["processing"] == true {
        assert!(since.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(30));
    }
    let shown = api.get(&format!("/api/v1/project/{}", project.as_str().unwrap()));
    assert_eq!(shown["metrics"]["components"], 500, "{shown}");
    assert_eq!(shown["tags"], json!([{"name": "edge"}]));
}

#[test]
fn schedules_are_set_run_and_refused_on_their_page() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"));
    let key = server.key("manager");
    let api = Api(&server, &key);
    let page = server.page("/jobs").text();
    assert!(page.contains("Remove what has expired") && page.contains("17 3 * * *"), "{page}");
    let wrong = server.post("/schedules/housekeeping", "cron=61+*+*+*+*&enabled=1").text();
    assert!(wrong.contains("cannot be read") && wrong.contains("aria-invalid"), "{wrong}");
    assert_eq!(server.post("/schedules/housekeeping", "cron=0+4+*+*+1").status, 303);
    let page = server.page("/jobs").text();
    assert!(page.contains("0 4 * * 1") && page.contains("disabled"), "{page}");
    let run = server.post("/schedules/housekeeping/run", "");
    assert_eq!(run.status, 303);
    let id = run.header("location").rsplit_once('/').unwrap().1.parse().unwrap();
    let job = api.ended(id);
    assert_eq!((&job["state"], &job["result"]["sessions"]), (&json!("done"), &json!(0)), "{job}");
    let foreign = server.send("POST", "/schedules/housekeeping/run", &[], b"csrf=x");
    assert_ne!(foreign.status, 200);
    let trail = server.page("/audit?text=schedule").text();
    assert!(trail.contains("schedule.set") && trail.contains("schedule.run"), "{trail}");
}

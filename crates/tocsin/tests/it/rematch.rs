//! Intelligence imported beside a running server becomes findings without a restart, and goes again.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::serve::Server;
use crate::tocsin;

const BOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[
 {"type":"library","bom-ref":"a","name":"a","version":"1.0.0","purl":"pkg:npm/a@1.0.0"}]}"#;

fn import(data: &Path, id: &str, fixed: &str, modified: &str) {
    let osv = json!({"id": id, "modified": modified, "summary": "A flaw", "affected": [{"package":
        {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"},
        {"fixed": fixed}]}]}]});
    let record = data.join("record.osv.json");
    fs::write(&record, osv.to_string()).unwrap();
    let out = tocsin(data, &["db", "import", record.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn an_import_beside_the_server_becomes_findings() {
    let dir = tempfile::tempdir().unwrap();
    import(dir.path(), "CVE-2024-1", "1.0.0", "2024-01-01T00:00:00Z");
    let server = Server::start(dir.path());
    let key = server.key("manager");
    let headers = [("X-Api-Key", key.as_str()), ("Content-Type", "multipart/form-data; boundary=x")];
    let mut body = String::new();
    for (name, value) in
        [("projectName", "Pump"), ("projectVersion", "1"), ("autoCreate", "true"), ("bom", BOM)]
    {
        body.push_str(&format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str("--x--\r\n");
    let reply = server.send("POST", "/api/v1/bom", &headers, body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let project = server.send("GET", "/api/v1/project/lookup?name=Pump&version=1", &headers[..1], b"").json();
    let path = format!("/api/v1/finding/project/{}", project["uuid"].as_str().unwrap());
    let found = || -> Vec<String> {
        let list = server.send("GET", &path, &headers[..1], b"").json();
        let id = |f: &Value| f["vulnerability"]["vulnId"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(id).collect()
    };
    let becomes = |want: &[&str]| {
        let started = Instant::now();
        while found() != want {
            assert!(started.elapsed() < Duration::from_secs(60), "{:?} instead of {want:?}", found());
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    becomes(&[]);
    import(dir.path(), "CVE-2024-2", "2.0.0", "2024-01-01T00:00:00Z");
    becomes(&["CVE-2024-2"]);
    // the record is put right
    import(dir.path(), "CVE-2024-2", "0.9.0", "2024-02-01T00:00:00Z");
    becomes(&[]);
}

//! The inventory through the built program: pages, exports, search, devices, stakeholders.

use serde_json::{Value, json};

use crate::feeds;
use crate::publisher::{Play, Publisher};
use crate::serve::Server;

const TREE: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,
  "metadata":{"component":{"type":"device","bom-ref":"root","name":"Gateway","version":"1.0"}},"components":[
  {"type":"library","bom-ref":"mid","name":"mid","version":"2","purl":"pkg:maven/org.example/mid@2"},
  {"type":"library","bom-ref":"left","name":"left-pad","version":"1.0.0","purl":"pkg:npm/left-pad@1.0.0",
   "licenses":[{"license":{"id":"MIT"}}]}],
  "dependencies":[{"ref":"root","dependsOn":["mid"]},{"ref":"mid","dependsOn":["left"]}]}"#;

struct Api<'a> {
    server: &'a Server,
    key: String,
}

impl Api<'_> {
    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("X-Api-Key", self.key.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let reply = self.server.send(method, path, &headers, &body);
        let value = if reply.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&reply.body).unwrap_or(Value::Null)
        };
        (reply.status, value)
    }

    fn upload(&self, version: &str, name: &str, bytes: &[u8]) -> i64 {
        let mut body = Vec::new();
        for (field, value) in [("line", "Industry"), ("product", "Gateway"), ("version", version)] {
            body.extend(
                format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"bom\"; filename=\"{name}\"\r\n\r\n")
                .bytes(),
        );
        body.extend(bytes);
        body.extend(b"\r\n--b--\r\n");
        let headers = [("X-Api-Key", self.key.as_str()), ("Content-Type", "multipart/form-data; boundary=b")];
        let reply = self.server.send("POST", "/api/v2/sboms", &headers, &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["release"].as_i64().unwrap()
    }
}

#[test]
fn a_release_is_taken_away_in_every_format_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let api = Api { server: &server, key: server.key("contact") };
    let release = api.upload("1.0", "gateway.cdx.json", TREE.as_bytes());
    for (n, (format, kind)) in [
        ("cyclonedx.json", "application/vnd.cyclonedx+json"),
        ("cyclonedx.xml", "application/vnd.cyclonedx+xml"),
        ("spdx.json", "application/spdx+json"),
        ("spdx.txt", "text/spdx"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/api/v2/releases/{release}/export/{format}?vulnerabilities=true");
        let reply = server.send("GET", &path, &[("X-Api-Key", &api.key)], b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.header("content-type").starts_with(kind), "{}", reply.header("content-type"));
        let name = reply
            .header("content-disposition")
            .rsplit_once("filename=\"")
            .unwrap()
            .1
            .trim_end_matches('"')
            .to_owned();
        let again = api.upload(&format!("2.{n}"), &name, &reply.body);
        let (_, graph) = api.call("GET", &format!("/api/v2/releases/{again}/graph"), &Value::Null);
        assert_eq!(
            (graph["nodes"].as_array().unwrap().len(), graph["edges"].as_array().unwrap().len()),
            (3, 2),
            "{format}"
        );
    }
    assert_eq!(api.call("GET", &format!("/api/v2/releases/{release}/export/pdf"), &Value::Null).0, 400);
}

#[test]
fn search_graph_devices_and_stakeholders_answer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let api = Api { server: &server, key: server.key("contact") };
    let release = api.upload("1.0", "gateway.cdx.json", TREE.as_bytes());
    let (_, found) = api.call("GET", "/api/v2/search?q=left", &Value::Null);
    let hit = &found["found"][0]["hits"][0];
    assert_eq!((hit["kind"].as_str(), hit["title"].as_str()), (Some("component"), Some("left-pad 1.0.0")));
    let component = hit["id"].as_str().unwrap();
    let (_, why) =
        api.call("GET", &format!("/api/v2/releases/{release}/components/{component}/why"), &Value::Null);
    let names: Vec<&str> =
        why["ways"][0].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Gateway", "mid", "left-pad"]);
    let devices = json!([{"customer": "Plant", "region": "EU", "serial": "GW-1"}, {"customer": "Plant", "region": "EU", "serial": "GW-2"}]);
    let path = format!("/api/v2/releases/{release}/devices");
    assert_eq!(api.call("POST", &path, &devices), (200, json!({"new": 2})));
    let (_, located) = api.call("GET", "/api/v2/devices?serial=gw-2", &Value::Null);
    assert_eq!(
        (&located["items"][0]["customer"], &located["items"][0]["release"]["units"]),
        (&json!("Plant"), &json!(2))
    );
    let (_, first) = api.call("GET", &format!("{path}?limit=1"), &Value::Null);
    let cursor = first["next"].as_str().unwrap();
    let (_, second) = api.call("GET", &format!("{path}?limit=1&cursor={cursor}"), &Value::Null);
    assert_eq!(
        (&first["items"][0]["serial"], &second["items"][0]["serial"]),
        (&json!("GW-1"), &json!("GW-2"))
    );
    assert!(second["next"].is_null());
    let (_, first) = api.call("GET", "/api/v2/devices?serial=gw&limit=1", &Value::Null);
    let cursor = first["next"].as_str().unwrap();
    let (_, second) =
        api.call("GET", &format!("/api/v2/devices?serial=gw&limit=1&cursor={cursor}"), &Value::Null);
    assert_eq!((&second["items"][0]["serial"], &second["next"]), (&json!("GW-2"), &Value::Null));
    let somebody = json!({"name": "Plant", "email": "it@plant.example", "interests": ["critical"]});
    let (status, made) = api.call("POST", "/api/v2/stakeholders", &somebody);
    assert_eq!(status, 201, "{made}");
    let one = format!("/api/v2/stakeholders/{}", made["id"]);
    let changed = json!({"name": "Plant", "email": "it@plant.example", "interests": ["support", "advisory"]});
    assert_eq!(api.call("PUT", &one, &changed).0, 200);
    let (_, list) = api.call("GET", "/api/v2/stakeholders?q=plant", &Value::Null);
    assert_eq!(list["items"][0]["interests"], json!(["advisory", "support"]));
    for n in 1..=2 {
        let more =
            json!({"name": format!("Ward {n}"), "email": "it@ward.example", "interests": ["critical"]});
        assert_eq!(api.call("POST", "/api/v2/stakeholders", &more).0, 201);
    }
    // the page asks by the same grammar, and what it lists can be taken away
    let page = server.browse("GET", "/stakeholders?q=interest%3Acritical&sort=-name&limit=1", "").text();
    assert!(
        page.contains("Ward 2") && !page.contains(">Ward 1<") && page.contains("2 stakeholders"),
        "{page}"
    );
    let next = page.split("rel=\"next\"").next().and_then(|p| p.rsplit("href=\"").next()).unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let second = server.browse("GET", &next, "").text();
    assert!(second.contains(">Ward 1<") && !second.contains(">Ward 2<"), "{next}: {second}");
    let file = server.browse("GET", "/stakeholders.csv?q=name%3Award&sort=-name", "").text();
    assert_eq!(file.lines().nth(1), Some("Ward 2,it@ward.example,,critical"), "{file}");
    let file = server.browse("GET", "/stakeholders.json?q=plant", "").json();
    assert_eq!(file["stakeholders"][0]["name"], "Plant");
    let wrong = server.browse("GET", "/stakeholders?q=intrest%3Acritical", "");
    assert!(wrong.status == 200 && wrong.text().contains("cannot be read"), "{}", wrong.text());
    assert_eq!(server.browse("GET", "/stakeholders.csv?q=intrest%3Acritical", "").status, 422);
    assert_eq!(api.call("DELETE", &one, &Value::Null).0, 204);
    assert_eq!(api.call("DELETE", &one, &Value::Null).0, 404);
    let told = json!({"kernel_config": "CONFIG_SECCOMP=y"});
    assert_eq!(api.call("PUT", &format!("/api/v2/releases/{release}/system"), &told).0, 204);
    let reader = Api { server: &server, key: server.key("auditor") };
    assert_eq!(reader.call("PUT", &format!("/api/v2/releases/{release}/system"), &told).0, 403);
    let (_, system) = reader.call("GET", &format!("/api/v2/releases/{release}/system"), &Value::Null);
    assert_eq!(system["kernel_config"], told["kernel_config"]);
}

#[test]
fn pages_change_archive_and_delete_with_the_name_typed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let api = Api { server: &server, key: server.key("contact") };
    let release = api.upload("1.0", "gateway.cdx.json", TREE.as_bytes());
    for (path, holds) in [
        ("/products".to_owned(), "Gateway"),
        (format!("/releases/{release}"), "Most urgent"),
        (format!("/releases/{release}?tab=graph"), "<svg class=\"graph\""),
        (format!("/releases/{release}?tab=graph&view=list"), "Needed by"),
        (format!("/releases/{release}?tab=components&view=tree"), "<ul class=\"tree\">"),
        (format!("/releases/{release}?tab=system"), "Nothing is told"),
        (format!("/releases/{release}/components.csv"), "left-pad"),
        (format!("/releases/{release}/export/spdx.txt"), "SPDXVersion: SPDX-2.3"),
        ("/where-used?q=left-pad".to_owned(), "mid 2 › left-pad 1.0.0"),
        ("/where-used.json?q=licence:mit".to_owned(), "\"occurrences\": 1"),
        ("/search?q=gateway".to_owned(), "Gateway 1.0"),
        ("/products.csv?text=gate".to_owned(), "Industry,Gateway,1.0,watched"),
        ("/workspaces".to_owned(), "you are here"),
    ] {
        let reply = server.browse("GET", &path, "");
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert!(reply.text().contains(holds), "{path} without {holds}: {}", reply.text());
    }
    let edit = format!("/releases/{release}/edit");
    let form = "version=1.0.1&released=2026-01-01&support_until=2025-01-01&note=kept+words";
    let refused = server.browse("POST", &edit, form).text();
    assert!(refused.contains("support ends before") && refused.contains("kept words"), "{refused}");
    assert_eq!(server.browse("POST", &edit, &form.replace("2025-01-01", "2030-01-01")).status, 303);
    assert_eq!(server.browse("POST", &format!("/releases/{release}/archive"), "archived=1").status, 303);
    assert!(
        server.browse("GET", "/products", "").text().contains("Nothing fits")
            || server.browse("GET", "/products", "").text().contains("No product yet")
    );
    assert!(server.browse("GET", "/products?state=archived", "").text().contains("1.0.1"));
    let delete = format!("/releases/{release}/delete");
    let refused = server.browse("POST", &delete, "typed=Gateway");
    assert!(refused.text().contains("type the name"), "{}", refused.text());
    assert_eq!(server.browse("POST", &delete, "typed=Gateway+1.0.1").status, 303);
    assert_eq!(server.browse("GET", &format!("/releases/{release}"), "").status, 404);
    // a workspace of its own sees nothing of the first
    assert_eq!(server.browse("POST", "/workspaces", "name=Second").status, 303);
    assert!(server.browse("GET", "/products", "").text().contains("No product yet"));
    let back = server.browse("GET", "/workspaces", "").text();
    let id = back.split("/workspaces/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    assert_eq!(server.browse("POST", &format!("/workspaces/{id}/enter"), "").status, 303);
    assert_eq!(server.browse("POST", "/workspaces/999/enter", "").status, 404);
}

#[test]
fn a_command_uploads_into_a_new_folder_and_asks_before_an_unusual_change() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("bom.json");
    let write = |n: usize| {
        let parts: Vec<Value> = (0..n)
            .map(|i| {
                json!({"type": "library", "name": format!("part-{i}"), "version": "1.0",
                "purl": format!("pkg:npm/part-{i}@1.0")})
            })
            .collect();
        let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": parts});
        std::fs::write(&file, bom.to_string()).unwrap();
    };
    let upload = |more: &[&str]| {
        let path = file.to_str().unwrap();
        let args = ["sbom", "upload", path, "--product", "Gateway", "--version", "1.0", "--format", "json"];
        crate::tocsin(&data, &[&args[..], more].concat())
    };
    let told = |out: &std::process::Output| String::from_utf8_lossy(&out.stderr).into_owned();
    write(40);
    let none = upload(&["--workspace", "7"]);
    assert!(!none.status.success() && told(&none).contains("there is no workspace 7"), "{}", told(&none));
    let first = upload(&[]);
    assert!(first.status.success(), "{}", told(&first));
    write(3);
    let asked = upload(&[]);
    assert!(!asked.status.success());
    let why = told(&asked);
    assert!(why.contains("unusual") && why.contains("nothing was changed"), "{why}");
    let token = why.rsplit("--confirm ").next().unwrap().trim().to_owned();
    // the token is for those bytes alone
    write(4);
    assert!(!upload(&["--confirm", &token]).status.success());
    write(3);
    let done = upload(&["--confirm", &token]);
    assert!(done.status.success(), "{}", told(&done));
    let result: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(result.to_string().contains("\"removed\":37"), "{result}");
    // the server that starts afterwards still greets its first administrator
    let server = Server::start(&data);
    let page = server.browse("GET", "/products", "").text();
    assert!(page.contains("Gateway"), "{page}");
}

#[test]
fn what_endoflife_date_tells_stands_at_components() {
    let dir = tempfile::tempdir().unwrap();
    let publisher = Publisher::start();
    let address = publisher.address("/full");
    feeds::run(dir.path(), &publisher, &["set", "endoflife", "--address", &address], 0);
    let cycle = |name: &str, over: bool, ends: Value, latest: &str| json!({"name": name, "isEol": over, "eolFrom": ends, "latest": {"name": latest}});
    let document = |version: &str, series: &[Value]| {
        let ids = json!([{"type": "purl", "id": "pkg:npm/left-pad"}, {"type": "repology", "id": "left-pad"}]);
        let one = json!({"name": "left-pad", "label": "left-pad", "identifiers": ids, "releases": series});
        json!({"schema_version": version, "result": [one]}).to_string().into_bytes()
    };
    let series =
        [cycle("1.3", false, json!("2099-01-01"), "1.3.0"), cycle("1.0", true, json!("2016-03-22"), "1.0.2")];
    publisher.plays([Play::Edition("one", document("1.2.0", &series))]);
    let (feed, _) = feeds::run(dir.path(), &publisher, &["sync", "endoflife"], 0);
    assert_eq!(feeds::numbers(&feed), [2, 2, 0, 0], "{feed}");

    let server = Server::start(dir.path());
    let api = Api { server: &server, key: server.key("contact") };
    let release = api.upload("1.0", "gateway.cdx.json", TREE.as_bytes());
    let left = || {
        let (status, list) =
            api.call("GET", &format!("/api/v2/releases/{release}/components?q=over:"), &Value::Null);
        assert_eq!(status, 200, "{list}");
        list["items"].as_array().unwrap().clone()
    };
    let list = left();
    assert_eq!(list.len(), 1, "{list:?}");
    let told = ["name", "latest", "ends", "over"].map(|n| list[0][n].clone());
    assert_eq!(told, [json!("left-pad"), json!("1.0.2"), json!("2016-03-22"), json!(true)]);
    let page = server.browse("GET", &format!("/releases/{release}?tab=components"), "").text();
    assert!(page.contains("Its maintenance ended on 2016-03-22") && page.contains("latest 1.0.2"), "{page}");
    let page = server.browse("GET", &format!("/components/{}", list[0]["id"]), "").text();
    assert!(page.contains("2099-01-01"), "the other series too: {page}");

    // a form that is not understood takes nothing away
    publisher.plays([Play::Edition("two", document("2.0.0", &[]))]);
    let (feed, _) = feeds::run(dir.path(), &publisher, &["sync", "endoflife"], 1);
    assert!(feed["error"].as_str().unwrap().contains("schema_version"), "{feed}");
    assert_eq!(left().len(), 1);
    // what the source no longer tells is gone
    publisher.plays([Play::Edition("three", document("1.2.1", &series[..1]))]);
    feeds::run(dir.path(), &publisher, &["sync", "endoflife"], 0);
    assert_eq!(left().len(), 0);
}

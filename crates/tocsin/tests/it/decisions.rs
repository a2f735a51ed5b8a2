//! Decisions, VEX, unusual uploads and licences through the built program: API, pages and the compatible API.

use std::path::Path;

use serde_json::{Value, json};

use crate::serve::{Reply, Server};
use crate::tocsin;

/// A data folder with one critical flaw of npm `a` and `b`.
fn flawed(data: &Path) {
    let affected: Vec<Value> = ["a", "b"]
        .iter()
        .map(|name| {
            json!({"package": {"ecosystem": "npm", "name": name},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]})
        })
        .collect();
    let osv = json!({"id": "GHSA-aaaa-bbbb-cccc", "modified": "2024-01-01T00:00:00Z", "aliases": ["CVE-2024-0001"],
        "summary": "A flaw", "affected": affected,
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]});
    let record = data.with_extension("osv.json");
    std::fs::write(&record, osv.to_string()).unwrap();
    let out = tocsin(data, &["db", "import", record.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn bom(components: usize) -> String {
    let mut list: Vec<Value> = ["a", "b"]
        .iter()
        .map(|n| {
            json!({"type": "library", "bom-ref": n, "name": n, "version": "1.0.0", "purl": format!("pkg:npm/{n}@1.0.0"),
                "licenses": [{"license": {"id": if *n == "a" { "MIT" } else { "AGPL-3.0-only" }}}]})
        })
        .collect();
    list.extend((2..components).map(|n| {
        json!({"type": "library", "bom-ref": format!("x{n}"), "name": format!("x{n}"), "version": "1",
            "purl": format!("pkg:npm/x{n}@1"), "licenses": [{"license": {"id": "MIT"}}]})
    }));
    json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "metadata": {"component": {"type": "application", "bom-ref": "me", "name": "gateway", "version": "1.0"}},
        "components": list})
    .to_string()
}

struct Client<'a>(&'a Server, String);

impl Client<'_> {
    fn get(&self, path: &str) -> Reply {
        self.0.send("GET", path, &[("X-Api-Key", &self.1)], b"")
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        let headers = [("X-Api-Key", self.1.as_str()), ("Content-Type", "application/json")];
        self.0.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// A form with one file `part`.
    fn file(&self, path: &str, part: &str, bytes: &str, fields: &[(&str, &str)]) -> Reply {
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(&format!(
            "--x\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{part}.json\"\r\n\r\n{bytes}\r\n--x--\r\n"
        ));
        let headers = [("X-Api-Key", self.1.as_str()), ("Content-Type", "multipart/form-data; boundary=x")];
        self.0.send("POST", path, &headers, body.as_bytes())
    }

    fn upload(&self, query: &str, bom: &str) -> Reply {
        let fields = [("line", "Products"), ("product", "gateway"), ("version", "1.0")];
        self.file(&format!("/api/v2/sboms{query}"), "bom", bom, &fields)
    }
}

fn with_server(check: impl FnOnce(Client<'_>)) {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    flawed(&data);
    let server = Server::start(&data);
    let key = server.key("manager");
    check(Client(&server, key));
}

#[test]
fn an_unusual_upload_is_answered_with_how_to_confirm_it() {
    with_server(|client| {
        let first = client.upload("", &bom(40));
        assert_eq!(first.status, 200, "{}", first.text());
        let release = first.json()["release"].as_i64().unwrap();
        let asked = client.upload("", &bom(3));
        assert_eq!(asked.status, 409, "{}", asked.text());
        assert_eq!(asked.header("content-type"), "application/problem+json");
        let problem = asked.json();
        let token = problem["confirm"].as_str().unwrap();
        assert_eq!(problem["unusual"]["removed"], 37);
        assert!(problem["detail"].as_str().unwrap().contains(&format!("?confirm={token}")), "{problem}");
        let other = client.upload(&format!("?confirm={token}"), &bom(4));
        assert_eq!(other.status, 409, "the token is for those bytes alone");
        // a client of the compatible API is told the same
        let fields = [("projectName", "gateway"), ("projectVersion", "1.0")];
        let compat = client.file("/api/v1/bom", "bom", &bom(3), &fields);
        assert_eq!(compat.status, 409, "{}", compat.text());
        assert!(compat.text().contains(&format!("?confirm={token}")), "{}", compat.text());
        let components = |n: i64| {
            let reply = client.get(&format!("/api/v2/releases/{release}")).json();
            assert_eq!(reply["components"], n + 1, "{reply}");
        };
        components(40);
        let done = client.upload(&format!("?confirm={token}"), &bom(3));
        assert_eq!(done.status, 200, "{}", done.text());
        components(3);
    });
}

#[test]
fn vex_goes_in_and_out() {
    with_server(|client| {
        let release = client.upload("", &bom(3)).json()["release"].as_i64().unwrap();
        let vex = json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/1", "author": "x",
            "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [
                {"vulnerability": {"name": "GHSA-aaaa-bbbb-cccc"}, "products": [{"@id": "pkg:npm/a@1.0.0"}],
                 "status": "not_affected", "justification": "vulnerable_code_not_present"},
                {"vulnerability": {"name": "CVE-2024-0001"}, "products": [{"@id": "pkg:npm/c"}], "status": "fixed"}]});
        let place = release.to_string();
        let taken = client.file("/api/v2/vex", "vex", &vex.to_string(), &[("release", &place)]);
        assert_eq!(taken.status, 200, "{}", taken.text());
        let taken = taken.json();
        assert_eq!((&taken["applied"], &taken["outcomes"][0]["applied"]), (&json!(1), &json!(1)), "{taken}");
        assert!(taken["outcomes"][1]["skipped"].as_str().unwrap().starts_with("it does not name"), "{taken}");
        let kept = client.get(&format!("/api/v2/vex/{}", taken["id"])).json();
        assert_eq!(kept["outcomes"], taken["outcomes"]);
        let refused = client.file("/api/v2/vex", "vex", "{}", &[("release", &place)]);
        assert_eq!(refused.status, 422, "{}", refused.text());

        for (format, key) in [("openvex", "@context"), ("csaf", "document"), ("cyclonedx", "bomFormat")] {
            let out = client.get(&format!("/api/v2/releases/{release}/vex?format={format}"));
            assert_eq!(out.status, 200, "{}", out.text());
            assert!(!out.json()[key].is_null(), "{format}");
            let back =
                client.file("/api/v2/vex", "vex", &out.text(), &[("product", "gateway"), ("version", "1.0")]);
            let back = back.json();
            let done: Vec<i64> = back["outcomes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|o| o["applied"].as_i64().unwrap() + o["unchanged"].as_i64().unwrap())
                .collect();
            assert_eq!(done, [1, 1], "{format} {back}");
        }
        assert_eq!(client.get(&format!("/api/v2/releases/{release}/vex?format=word")).status, 400);

        let decisions = client.get("/api/v2/decisions?state=standing&status=not_affected").json();
        let decisions = &decisions["items"];
        let id = decisions[0]["id"].as_i64().unwrap();
        assert_eq!(decisions[0]["source"], "vex");
        let gone = client.post(&format!("/api/v2/decisions/{id}/withdrawal"), &json!({}));
        assert_eq!(gone.json()["ending"], "withdrawn", "{}", gone.text());
        assert_eq!(client.post(&format!("/api/v2/decisions/{id}/withdrawal"), &json!({})).status, 409);
        let approved = client.post(&format!("/api/v2/decisions/{id}/approval"), &json!({"remark": "x"}));
        assert_eq!(approved.status, 409, "a key is no second person");
        let finding = client.get(&format!("/api/v2/releases/{release}/findings")).json();
        let finding = finding["items"][0]["id"].as_i64().unwrap();
        let owned = client
            .post(&format!("/api/v2/findings/{finding}/owner"), &json!({"owner": 1, "due": "2030-01-01"}));
        assert_eq!(owned.json()["changed"], 1, "{}", owned.text());
        let many = client.post("/api/v2/findings/owners", &json!({"findings": [finding], "owner": null}));
        assert_eq!(many.json()["changed"], 1, "{}", many.text());
        let bad = client.post(&format!("/api/v2/findings/{finding}/owner"), &json!({"due": "soon"}));
        assert_eq!(bad.status, 422, "{}", bad.text());
    });
}

#[test]
fn licence_rules_are_set_on_their_page_and_told_to_clients() {
    with_server(|client| {
        client.upload("", &bom(3));
        let lookup = client.get("/api/v1/project/lookup?name=gateway&version=1.0").json();
        let path = format!("/api/v1/violation/project/{}", lookup["uuid"].as_str().unwrap());
        assert_eq!(client.get(&path).json(), json!([]));
        let form = "line=0&allowed=MIT&review=&denied=AGPL-3.0&other=&none=";
        let set = client.0.post("/settings/licences", form);
        assert_eq!(set.status, 303, "{}", set.text());
        let list = client.get(&path).json();
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!((&list[0]["type"], &list[0]["component"]["name"]), (&json!("LICENSE"), &json!("b")));
        assert_eq!(list[0]["policyCondition"]["policy"]["violationState"], "FAIL");
        let project = lookup["uuid"].as_str().unwrap();
        for path in [format!("project/{project}/current"), "portfolio/current".to_owned()] {
            let counts = client.get(&format!("/api/v1/metrics/{path}")).json();
            let of = |name: &str| counts[format!("policyViolations{name}")].as_i64();
            assert_eq!(
                (of("Fail"), of("Warn"), of("LicenseTotal")),
                (Some(1), Some(0), Some(1)),
                "{path}: {counts}"
            );
        }
        let told = client.get(&format!("/api/v1/project/{project}")).json();
        assert_eq!(told["metrics"]["policyViolationsTotal"], 1, "{told}");
        let part = list[0]["component"]["uuid"].as_str().unwrap();
        let counts = client.get(&format!("/api/v1/metrics/component/{part}/current")).json();
        assert_eq!(counts["policyViolationsFail"], 1, "{counts}");
        let badge = client.get("/api/v1/badge/violations/project/gateway/1.0").text();
        assert!(
            badge.contains("policies") && badge.contains(">1</text>") && badge.contains(">0</text>"),
            "{badge}"
        );
        let groups = client.get("/api/v1/licenseGroup").json();
        let names: Vec<&str> =
            groups.as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Allowed licences", "Denied licences"]);
        assert_eq!(groups[0]["licenses"][0]["licenseId"], "MIT");
        let page = client.0.page("/licences?verdict=violation").text();
        assert!(page.contains("AGPL-3.0-only") && !page.contains(">MIT<"), "{page}");
        let csv = client.0.page("/licences.csv?verdict=violation").text();
        assert!(csv.contains("gateway,1.0,b,1.0.0,pkg:npm/b@1.0.0,AGPL-3.0-only,denied"), "{csv}");
        let wrong = client.0.post("/settings/licences", "line=0&allowed=MIT&review=&denied=mit&other=&none=");
        assert!(wrong.text().contains("ruled both"), "{}", wrong.text());
    });
}

#[test]
fn vex_says_who_publishes_it() {
    with_server(|client| {
        let release = client.upload("", &bom(3)).json()["release"].clone();
        let document = || client.get(&format!("/api/v2/releases/{release}/vex?format=csaf")).json();
        assert!(
            document()["document"]["publisher"]["namespace"].as_str().unwrap().ends_with(".example.invalid")
        );
        let form = "name=Example+PSIRT&namespace=https%3A%2F%2Fpsirt.example.com%2F&category=vendor\
                    &contact=psirt%40example.com&authority=";
        assert_eq!(client.0.post("/settings/publisher", form).status, 303);
        let told = document()["document"]["publisher"].clone();
        let want = json!({"category": "vendor", "name": "Example PSIRT", "namespace": "https://psirt.example.com",
            "contact_details": "psirt@example.com"});
        assert_eq!(told, want);
        let wrong = client.0.post("/settings/publisher", "name=x&namespace=psirt");
        assert_eq!(wrong.status, 422);
        assert!(wrong.text().contains("an address of yours") && wrong.text().contains("value=\"psirt\""));
        assert_eq!(document()["document"]["publisher"], want, "nothing of it was taken over");
    });
}

//! What leaves the API of Dependency-Track in other forms, and how projects are described, copied and removed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::compat::{BOM, wanted, with_server};

#[test]
fn a_release_is_exported_in_every_form() {
    with_server(|_, client| {
        let project = client.upload("1.0");
        let bom = |query: &str| client.get(&format!("/api/v1/bom/cyclonedx/project/{project}{query}"));
        for (query, version, vulnerabilities, components) in [
            ("?variant=withVulnerabilities", "1.5", 1, 2),
            ("?variant=vdr&version=1.6", "1.6", 1, 2),
            ("?version=1.2", "1.2", 0, 2),
        ] {
            let reply = bom(query);
            assert_eq!((reply.status, reply.header("content-type")), (200, "application/vnd.cyclonedx+json"));
            let document = reply.json();
            let count = |name: &str| document[name].as_array().map_or(0, Vec::len);
            assert_eq!(document["specVersion"], version, "{query}");
            assert_eq!(
                (count("vulnerabilities"), count("components")),
                (vulnerabilities, components),
                "{query}"
            );
        }
        let told = bom("?variant=withVulnerabilities").json();
        let ratings = &told["vulnerabilities"][0]["ratings"];
        assert_eq!((&ratings[0]["score"], &ratings[0]["method"]), (&json!(9.8), &json!("CVSSv31")));
        let xml = bom("?format=xml&variant=withVulnerabilities&download=true");
        assert_eq!(xml.header("content-type"), "application/vnd.cyclonedx+xml");
        assert!(xml.header("content-disposition").contains("bom.xml"));
        assert!(xml.text().contains("<id>CVE-2024-0001</id>"), "{}", xml.text());
        for (query, text) in [
            ("?format=yaml", "Invalid BOM format specified."),
            ("?variant=all", "Invalid BOM variant specified."),
            ("?version=9", "Invalid CycloneDX version specified."),
        ] {
            wanted(&bom(query), 400, text);
        }
        let findings = client.get(&format!("/api/v1/finding/project/{project}")).json();
        let component = findings[0]["component"]["uuid"].as_str().unwrap().to_owned();
        let one = client.get(&format!("/api/v1/bom/cyclonedx/component/{component}")).json();
        assert_eq!(one["components"].as_array().unwrap().len(), 1);
        assert_eq!(client.get(&format!("/api/v1/component/{component}")).json()["project"]["uuid"], project);

        let path = format!("/api/v1/finding/project/{project}");
        let accept = [("X-Api-Key", client.1.as_str()), ("Accept", "application/sarif+json")];
        let sarif = client.0.send("GET", &path, &accept, b"");
        assert_eq!(sarif.header("content-type"), "application/sarif+json");
        let run = sarif.json()["runs"][0].clone();
        assert_eq!(run["tool"]["driver"]["rules"][0]["properties"]["security-severity"], "9.8");
        assert_eq!(
            (run["results"].as_array().unwrap().len(), &run["results"][0]["level"]),
            (2, &json!("error"))
        );
        let file = client.get(&format!("{path}/export"));
        assert!(file.header("content-disposition").contains(".fpf"));
        assert_eq!(
            (&file.json()["version"], &file.json()["project"]["uuid"]),
            (&json!("1.2"), &json!(project))
        );
        let again =
            client.0.send("POST", &format!("{path}/analyze"), &[("X-Api-Key", client.1.as_str())], b"");
        assert!(again.json()["token"].is_string(), "{}", again.text());
        assert_eq!(client.get("/api/v1/finding?pageSize=1").header("x-total-count"), "2");
        assert_eq!(client.get(&format!("{path}?searchText=nothing")).header("x-total-count"), "0");
        assert_eq!(client.get(&format!("{path}?isKev=false")).header("x-total-count"), "2");
    });
}

#[test]
fn what_is_decided_goes_out_as_vex_and_comes_in_the_same() {
    with_server(|_, client| {
        let project = client.upload("1.0");
        let path = format!("/api/v1/finding/project/{project}?suppressed=true");
        let findings = client.get(&path).json();
        let f = findings.as_array().unwrap().iter().find(|f| f["component"]["name"] == "b").unwrap();
        let decision = json!({"project": project, "component": f["component"]["uuid"],
            "vulnerability": f["vulnerability"]["uuid"], "analysisState": "NOT_AFFECTED",
            "analysisJustification": "REQUIRES_CONFIGURATION", "analysisResponse": "WILL_NOT_FIX", "analysisDetails": "off"});
        assert_eq!(client.json("PUT", "/api/v1/analysis", &decision).status, 200);
        let vex = client.get(&format!("/api/v1/vex/cyclonedx/project/{project}?download=true"));
        assert!(vex.header("content-disposition").contains("vex.json"));
        let vex = vex.json();
        let told = vex["vulnerabilities"].as_array().unwrap();
        let analysis = told.iter().map(|v| &v["analysis"]).find(|a| !a.is_null()).unwrap();
        assert_eq!(
            *analysis,
            json!({"state": "not_affected", "justification": "requires_configuration", "response": ["will_not_fix"],
                "detail": "off"})
        );
        let other = client.upload("2.0");
        let sent = client.form("/api/v1/vex", &[("project", &other), ("vex", &vex.to_string())]);
        assert_eq!(sent.status, 200, "{}", sent.text());
        let states = |project: &str| {
            let list = client.get(&format!("/api/v1/finding/project/{project}?suppressed=true")).json();
            let one = |f: &Value| (f["component"]["name"].to_string(), f["analysis"].to_string());
            let mut all: Vec<_> = list.as_array().unwrap().iter().map(one).collect();
            all.sort();
            all
        };
        assert_eq!(states(&other), states(&project));
    });
}

#[test]
fn projects_are_described_copied_and_removed() {
    with_server(|server, client| {
        let project = client.upload("1.0");
        let path = format!("/api/v1/project/{project}");
        let said = json!({"group": "org.example", "description": "edge", "classifier": "FIRMWARE",
            "purl": "pkg:generic/gateway@1.0", "unknown": 1});
        let told = client.json("PATCH", &path, &said).json();
        assert_eq!((&told["group"], &told["classifier"]), (&json!("org.example"), &json!("FIRMWARE")));
        assert_eq!(told.get("unknown"), None);
        assert_eq!(client.json("PATCH", &path, &said).status, 304);
        let cleared = client.json("PATCH", &path, &json!({"description": null})).json();
        assert_eq!(cleared.get("description"), None);
        let bad = client.json("PATCH", &path, &json!({"classifier": "TOY"}));
        assert_eq!((bad.status, &bad.json()[0]["path"]), (400, &json!("classifier")));
        assert_eq!(client.get("/api/v1/project/classifier/FIRMWARE").json()[0]["uuid"], project);

        let below = json!({"projectName": "module", "projectVersion": "1", "autoCreate": true, "parentName": "gateway",
            "parentVersion": "1.0", "bom": STANDARD.encode(BOM)});
        let module =
            client.json("PUT", "/api/v1/bom", &below).json()["projectUuid"].as_str().unwrap().to_owned();
        assert_eq!(client.get(&format!("{path}/children")).json()[0]["uuid"], module);
        assert_eq!(client.get("/api/v1/project?onlyRoot=true").header("x-total-count"), "1");
        assert_eq!(client.get(&path).json()["children"][0]["name"], "module");
        let circle = client.json("PATCH", &path, &json!({"parent": {"uuid": module}}));
        assert_eq!((circle.status, &circle.json()[0]["path"]), (400, &json!("parent")));

        let copy =
            json!({"project": project, "version": "1.1", "includeComponents": true, "makeCloneLatest": true});
        assert_eq!(client.json("PUT", "/api/v1/project/clone", &copy).status, 200);
        assert_eq!(client.json("PUT", "/api/v1/project/clone", &copy).status, 409);
        let made = client.get("/api/v1/project/lookup?name=gateway&version=1.1").json();
        assert_eq!((&made["isLatest"], &made["metrics"]["critical"]), (&json!(true), &json!(2)));

        let days = client.get(&format!("/api/v1/metrics/project/{project}/days/30")).json();
        assert_eq!((days.as_array().unwrap().len(), &days[0]["critical"]), (1, &json!(2)));
        assert_eq!(
            client
                .get(&format!("/api/v1/metrics/project/{project}/since/20200101"))
                .json()
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let all = client.get("/api/v1/metrics/portfolio/current").json();
        assert_eq!((&all["projects"], &all["critical"]), (&json!(3), &json!(6)));

        let key = client.1.as_str();
        let auditor = server.key("auditor");
        let delete = |path: &str, key: &str| server.send("DELETE", path, &[("X-Api-Key", key)], b"");
        wanted(&delete(&path, &auditor), 403, "");
        wanted(&delete(&path, key), 204, "");
        wanted(&delete(&path, key), 404, "The project could not be found.");
        assert_eq!(client.get(&format!("/api/v1/project/{module}")).json().get("parent"), None);
        let slash = client.get("/api/v1/project/");
        assert_eq!((slash.status, slash.header("location")), (308, "/api/v1/project"));
    });
}

#[test]
fn a_packed_part_is_unpacked() {
    with_server(|_, client| {
        let project = client.upload("1.0");
        let zst = zstd::encode_all(BOM.as_bytes(), 3).unwrap();
        let mut body = Vec::new();
        for (name, kind, bytes) in
            [("project", "text/plain", project.as_bytes()), ("bom", "application/zstd", zst.as_slice())]
        {
            let head = format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--x--\r\n");
        let headers = [("X-Api-Key", client.1.as_str()), ("Content-Type", "multipart/form-data; boundary=x")];
        let reply = client.0.send("POST", "/api/v1/bom", &headers, &body);
        assert_eq!((reply.status, &reply.json()["projectUuid"]), (200, &json!(project)), "{}", reply.text());
        let torn = String::from_utf8_lossy(&body).replace("\u{fd}", "x");
        assert_eq!(client.0.send("POST", "/api/v1/bom", &headers, torn.as_bytes()).status, 400);
    });
}

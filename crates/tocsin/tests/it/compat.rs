//! The API of Dependency-Track as its clients drive it: status codes, texts and fields they compare.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::serve::{Reply, Server};
use crate::tocsin;

pub const BOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,
 "metadata":{"component":{"type":"application","bom-ref":"root","name":"gateway","version":"1.0"}},"components":[
 {"type":"library","bom-ref":"a","group":"@x","name":"a","version":"1.0.0","purl":"pkg:npm/%40x/a@1.0.0"},
 {"type":"library","bom-ref":"b","name":"b","version":"1.0.0","purl":"pkg:npm/b@1.0.0"}]}"#;

/// A data folder with one flaw (critical) of npm `@x/a` and `b`.
pub fn flawed(data: &Path) {
    let affected: Vec<Value> = ["@x/a", "b"]
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
    fs::write(&record, osv.to_string()).unwrap();
    let out = tocsin(data, &["db", "import", record.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A server and a key to it.
pub struct Client<'a>(pub &'a Server, pub String);

impl Client<'_> {
    pub fn get(&self, path: &str) -> Reply {
        self.0.send("GET", path, &[("X-Api-Key", &self.1)], b"")
    }

    pub fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        let headers = [("X-API-Key", self.1.as_str()), ("Content-Type", "application/json")];
        self.0.send(method, path, &headers, body.to_string().as_bytes())
    }

    pub fn form(&self, path: &str, parts: &[(&str, &str)]) -> Reply {
        let mut body = String::new();
        for (name, value) in parts {
            body.push_str(&format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str("--x--\r\n");
        let headers = [("X-Api-Key", self.1.as_str()), ("Content-Type", "multipart/form-data; boundary=x")];
        self.0.send("POST", path, &headers, body.as_bytes())
    }

    /// Uploads for a name and version; the project's UUID.
    pub fn upload(&self, version: &str) -> String {
        let sent = json!({"projectName": "gateway", "projectVersion": version, "autoCreate": true,
            "bom": STANDARD.encode(BOM)});
        let reply = self.json("PUT", "/api/v1/bom", &sent);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["projectUuid"].as_str().unwrap().to_owned()
    }
}

pub fn with_server(check: impl FnOnce(&Server, Client<'_>)) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    flawed(&data);
    let server = Server::start(&data);
    let key = server.key("manager");
    check(&server, Client(&server, key));
}

pub fn wanted(reply: &Reply, status: u16, text: &str) {
    assert_eq!((reply.status, reply.text().as_str()), (status, text));
}

#[test]
fn what_a_build_asks_first() {
    with_server(|server, client| {
        let version = server.send("GET", "/api/version", &[], b"").json();
        assert_eq!(version["application"], "Dependency-Track");
        assert_eq!(version["version"], "4.13.0");
        // The Jenkins plug-in's test of a connection: this list, this header, then the team.
        let projects = client.get("/api/v1/project?pageSize=500&sortName=name");
        assert!(projects.header("x-powered-by").starts_with("Dependency-Track v"));
        assert_eq!(projects.header("x-total-count"), "0");
        wanted(&projects, 200, "[]");
        let team = client.get("/api/v1/team/self").json();
        let held: Vec<&str> =
            team["permissions"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
        assert!(held.contains(&"BOM_UPLOAD") && held.contains(&"VULNERABILITY_ANALYSIS"), "{held:?}");
        for (headers, status) in [
            (vec![], 401),
            (vec![("X-Api-Key", "odt_12345678_12345678901234567890123456789012")], 401),
            (vec![("Authorization", "Bearer nothing")], 401),
        ] {
            let reply = server.send("GET", "/api/v1/project", &headers, b"");
            wanted(&reply, status, "");
            assert!(reply.header("x-powered-by").starts_with("Dependency-Track v"));
        }
        let bearer = format!("Bearer {}", client.1);
        assert_eq!(server.send("GET", "/api/v1/project", &[("Authorization", &bearer)], b"").status, 200);
        wanted(&client.get("/api/v1/nothing"), 404, "");
    });
}

#[test]
fn an_upload_is_matched_when_it_is_answered() {
    with_server(|_, client| {
        let sent = json!({"projectName": "gateway", "projectVersion": "1.0", "autoCreate": true,
            "isLatestProjectVersion": true, "projectTags": [{"name": "edge"}, {"name": "arm"}],
            "bom": STANDARD.encode(BOM)});
        let reply = client.json("PUT", "/api/v1/bom", &sent).json();
        let (token, project) = (reply["token"].as_str().unwrap(), reply["projectUuid"].as_str().unwrap());
        for path in ["event", "bom"] {
            let state = client.get(&format!("/api/v1/{path}/token/{token}")).json();
            assert_eq!(state, json!({"processing": false}));
        }
        let unknown = client.get("/api/v1/event/token/2a3d1b5e-0d8c-4b6a-9a44-1a7f3f1c0001");
        assert_eq!(unknown.json(), json!({"processing": false}));
        let findings = client.get(&format!("/api/v1/finding/project/{project}"));
        assert_eq!(findings.header("x-total-count"), "2");
        let list = findings.json();
        let f = list.as_array().unwrap().iter().find(|f| f["component"]["name"] == "a").unwrap();
        assert_eq!(f["component"]["group"], "@x");
        assert_eq!(f["component"]["purl"], "pkg:npm/%40x/a@1.0.0");
        assert_eq!(f["vulnerability"]["vulnId"], "CVE-2024-0001");
        assert_eq!(f["vulnerability"]["source"], "NVD");
        assert_eq!(f["vulnerability"]["severity"], "CRITICAL");
        assert_eq!(f["vulnerability"]["severityRank"], 0);
        assert_eq!(f["vulnerability"]["cvssV3BaseScore"], 9.8); // the vector's score, CVSS 3.1 section 7.1
        let alias = &f["vulnerability"]["aliases"][0];
        assert_eq!(
            (&alias["cveId"], &alias["ghsaId"]),
            (&json!("CVE-2024-0001"), &json!("GHSA-aaaa-bbbb-cccc"))
        );
        assert_eq!(f["analysis"], json!({"isSuppressed": false}));
        let matrix = f["matrix"].as_str().unwrap().split(':').collect::<Vec<_>>();
        assert_eq!(matrix[0], project);
        assert_eq!(matrix[1], f["component"]["uuid"]);
        assert_eq!(matrix[2], f["vulnerability"]["uuid"]);
        let metrics = client.get(&format!("/api/v1/metrics/project/{project}/current")).json();
        for (name, want) in [
            ("critical", 2),
            ("high", 0),
            ("components", 3),
            ("vulnerableComponents", 2),
            ("findingsTotal", 2),
            ("findingsUnaudited", 2),
            ("suppressed", 0),
            ("inheritedRiskScore", 20),
        ] {
            assert_eq!(metrics[name], want, "{name}");
        }
        let looked = client.get("/api/v1/project/lookup?name=gateway&version=1.0").json();
        assert_eq!(looked["uuid"], project);
        assert_eq!((&looked["name"], &looked["version"]), (&json!("gateway"), &json!("1.0")));
        assert_eq!(looked["isLatest"], true);
        assert_eq!(looked["tags"], json!([{"name": "arm"}, {"name": "edge"}]));
        assert!(looked["lastBomImport"].as_i64().unwrap() > 1_700_000_000_000);
        assert_eq!(looked["metrics"]["critical"], 2);
        // Generated clients refuse metrics without times and list items without this field.
        assert!(
            looked["metrics"]["firstOccurrence"].is_i64() && looked["metrics"]["lastOccurrence"].is_i64()
        );
        assert_eq!(client.get("/api/v1/project").json()[0]["hasChildren"], false);
        assert_eq!(client.get("/api/v1/project/tag/arm").json()[0]["uuid"], project);
        let violations = client.get(&format!("/api/v1/violation/project/{project}"));
        wanted(&violations, 200, "[]");
        let document = client.get(&format!("/api/v1/bom/cyclonedx/project/{project}?format=json"));
        assert_eq!(document.header("content-type"), "application/vnd.cyclonedx+json");
        wanted(&document, 200, BOM);
        let components = client.get(&format!("/api/v1/component/project/{project}")).json();
        assert_eq!(components.as_array().unwrap().len(), 3);
    });
}

#[test]
fn a_form_uploads_too_and_replaces() {
    with_server(|_, client| {
        let project = client.upload("1.0");
        let less = BOM.replace(
            r#""b","name":"b","version":"1.0.0","purl":"pkg:npm/b@1.0.0""#,
            r#""b","name":"b","version":"2.0.0","purl":"pkg:npm/b@2.0.0""#,
        );
        let marked = format!("\u{feff}{less}");
        let reply = client.form("/api/v1/bom", &[("project", &project), ("bom", &marked), ("bom", "second")]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let findings = client.get(&format!("/api/v1/finding/project/{project}")).json();
        assert_eq!(findings.as_array().unwrap().len(), 1, "b 2.0.0 is fixed");
        let parts = [
            ("projectName", "other"),
            ("projectVersion", "3"),
            ("autoCreate", "true"),
            ("projectTags", "a, b"),
            ("isLatest", "false"),
            ("bom", BOM),
        ];
        let made = client.form("/api/v1/bom", &parts).json();
        let one = client.get(&format!("/api/v1/project/{}", made["projectUuid"].as_str().unwrap())).json();
        assert_eq!(one["tags"], json!([{"name": "a"}, {"name": "b"}]));
        assert_eq!(client.get("/api/v1/project/latest/other").json()["uuid"], one["uuid"]);
        let page = client.get("/api/v1/project?pageSize=1&pageNumber=2");
        assert_eq!(page.header("x-total-count"), "2");
        assert_eq!(page.json()[0]["name"], "other");
        wanted(&client.form("/api/v1/bom", &[("project", &project)]), 400, "No BOM file provided.");
    });
}

#[test]
fn faults_have_the_codes_and_texts_that_clients_compare() {
    with_server(|server, client| {
        let project = client.upload("1.0");
        let bom = STANDARD.encode(BOM);
        let put = |body: Value| client.json("PUT", "/api/v1/bom", &body);
        let missing = "The project could not be found.";
        let named = |more: &[(&str, Value)]| {
            let mut body = json!({"projectName": "new", "projectVersion": "1", "bom": bom});
            for (name, value) in more {
                body[*name] = value.clone();
            }
            body
        };
        wanted(&put(named(&[])), 404, missing);
        wanted(&put(named(&[("project", json!("2a3d1b5e-0d8c-4b6a-9a44-1a7f3f1c0001"))])), 404, missing);
        let orphan =
            [("autoCreate", json!(true)), ("parentName", json!("no")), ("parentVersion", json!("1"))];
        wanted(&put(named(&orphan)), 404, "The parent component could not be found.");
        let invalid = put(named(&[("project", json!("no uuid"))]));
        assert_eq!((invalid.status, &invalid.json()[0]["message"]), (400, &json!("Invalid UUID")));
        let no_version = put(json!({"projectName": "new", "autoCreate": true, "bom": bom}));
        assert_eq!((no_version.status, &no_version.json()[0]["path"]), (400, &json!("projectVersion")));
        for (text, detail) in
            [("no document", "BOM is neither valid JSON nor XML"), ("{\"a\":1}", "Schema validation failed")]
        {
            let reply = put(named(&[("autoCreate", json!(true)), ("bom", json!(STANDARD.encode(text)))]));
            assert_eq!(reply.header("content-type"), "application/problem+json");
            let problem = reply.json();
            assert_eq!(
                (&problem["status"], &problem["title"]),
                (&json!(400), &json!("The uploaded BOM is invalid"))
            );
            assert_eq!(problem["detail"], detail);
            assert!(!problem["errors"].as_array().unwrap().is_empty());
        }
        wanted(&client.get("/api/v1/project/lookup?name=new&version=1"), 404, missing);
        let torn = server.send("PUT", "/api/v1/bom", &[("X-Api-Key", &client.1)], b"{");
        assert_eq!(
            (torn.status, &torn.json()["title"]),
            (400, &json!("The provided JSON payload could not be mapped"))
        );

        let developer = Client(server, server.key("developer"));
        let uploaded = developer.json("PUT", "/api/v1/bom", &json!({"project": project, "bom": bom}));
        assert_eq!(uploaded.status, 200, "{}", uploaded.text());
        let made = developer.json("PUT", "/api/v1/bom", &named(&[("autoCreate", json!(true))]));
        wanted(&made, 401, "The principal does not have permission to create project.");
        let auditor = Client(server, server.key("auditor"));
        wanted(&auditor.json("PUT", "/api/v1/bom", &named(&[])), 403, "");
        wanted(&auditor.json("PUT", "/api/v1/project", &json!({"name": "x", "version": "1"})), 403, "");

        let made = client.json("PUT", "/api/v1/project", &json!({"name": "made", "version": "1"}));
        assert_eq!((made.status, &made.json()["classifier"]), (201, &json!("APPLICATION")));
        assert_eq!(made.json().get("metrics"), None, "nothing was uploaded for it");
        let again = client.json("PUT", "/api/v1/project", &json!({"name": "made", "version": "1"}));
        wanted(&again, 409, "A project with the specified name already exists.");
        let uuid = made.json()["uuid"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/project/{uuid}");
        let patched = client.json("PATCH", &path, &json!({"active": false, "tags": [{"name": "old"}]}));
        assert_eq!((patched.status, &patched.json()["active"]), (200, &json!(false)));
        assert_eq!(client.json("PATCH", &path, &json!({"active": false})).status, 304);
        let active = client.get("/api/v1/project?excludeInactive=true");
        assert_eq!(active.header("x-total-count"), "1");
    });
}

#[test]
fn an_analysis_decides_one_finding() {
    with_server(|server, client| {
        let project = client.upload("1.0");
        let path = format!("/api/v1/finding/project/{project}");
        let all = client.get(&path).json();
        let f = all.as_array().unwrap().iter().find(|f| f["component"]["name"] == "b").unwrap().clone();
        let (component, vulnerability) = (f["component"]["uuid"].clone(), f["vulnerability"]["uuid"].clone());
        let query = format!(
            "/api/v1/analysis?project={project}&component={}&vulnerability={}",
            component.as_str().unwrap(),
            vulnerability.as_str().unwrap()
        );
        wanted(&client.get(&query), 404, "No analysis exists.");
        let put = |state: &str| {
            json!({"project": project, "component": component, "vulnerability": vulnerability, "analysisState": state,
                "analysisJustification": "REQUIRES_CONFIGURATION", "analysisResponse": "WILL_NOT_FIX",
                "analysisDetails": "the option is off", "comment": "see the build"})
        };
        // The same component in another project is another component to clients.
        let other = client.upload("1.1");
        let elsewhere = query.replace(&project, &other);
        wanted(&client.get(&elsewhere), 404, "The component could not be found.");
        let auditor = Client(server, server.key("auditor"));
        wanted(&auditor.json("PUT", "/api/v1/analysis", &put("NOT_AFFECTED")), 403, "");
        let told = client.json("PUT", "/api/v1/analysis", &put("NOT_AFFECTED"));
        assert_eq!(told.status, 200, "{}", told.text());
        let told = told.json();
        assert_eq!(told["analysisState"], "NOT_AFFECTED");
        assert_eq!(told["analysisJustification"], "REQUIRES_CONFIGURATION");
        assert_eq!(told["analysisResponse"], "WILL_NOT_FIX");
        assert_eq!(told["analysisDetails"], "the option is off");
        assert_eq!(told["isSuppressed"], true);
        let comments = told["analysisComments"].as_array().unwrap();
        assert_eq!(comments.len(), 2);
        assert_eq!(
            (&comments[1]["comment"], &comments[1]["commenter"]),
            (&json!("see the build"), &json!("build manager"))
        );
        assert_eq!(client.get(&query).json(), told);
        assert_eq!(client.get(&query.replace(&format!("project={project}&"), "")).json(), told);
        let untouched = client.get(&format!("/api/v1/finding/project/{other}")).json();
        assert_eq!(untouched.as_array().unwrap().len(), 2);
        assert_eq!(client.get(&path).json().as_array().unwrap().len(), 1);
        let both = client.get(&format!("{path}?suppressed=true")).json();
        let b = both.as_array().unwrap().iter().find(|f| f["component"]["name"] == "b").unwrap();
        assert_eq!(
            b["analysis"],
            json!({"isSuppressed": true, "state": "NOT_AFFECTED", "detail": "the option is off"})
        );
        // An upload keeps what was decided.
        client.upload("1.0");
        assert_eq!(client.get(&path).json().as_array().unwrap().len(), 1);
        let metrics = client.get(&format!("/api/v1/metrics/project/{project}/current")).json();
        assert_eq!((&metrics["critical"], &metrics["suppressed"]), (&json!(1), &json!(1)));
        let reset = client.json("PUT", "/api/v1/analysis", &put("NOT_SET")).json();
        assert_eq!((&reset["analysisState"], &reset["isSuppressed"]), (&json!("NOT_SET"), &json!(false)));
        assert_eq!(client.get(&path).json().as_array().unwrap().len(), 2);
        let nobody = json!({"component": component, "vulnerability": "2a3d1b5e-0d8c-4b6a-9a44-1a7f3f1c0001"});
        wanted(
            &client.json("PUT", "/api/v1/analysis", &nobody),
            404,
            "The vulnerability could not be found.",
        );
    });
}

#[test]
fn a_vex_document_decides_the_findings_it_names() {
    with_server(|_, client| {
        let project = client.upload("1.0");
        let path = format!("/api/v1/finding/project/{project}?suppressed=true");
        let vex = |reference: &str, state: &str| {
            json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
                "metadata": {"component": {"type": "application", "bom-ref": "me", "name": "gateway"}},
                "vulnerabilities": [{"id": "CVE-2024-0001", "source": {"name": "NVD"}, "affects": [{"ref": reference}],
                    "analysis": {"state": state, "justification": "code_not_reachable", "response": ["update"],
                        "detail": "never called"}},
                    {"id": "CVE-2024-9999", "source": {"name": "NVD"}, "affects": [{"ref": reference}],
                    "analysis": {"state": state}}]})
            .to_string()
        };
        let states = || {
            let list = client.get(&path).json();
            let mut states: Vec<(String, String)> = list
                .as_array()
                .unwrap()
                .iter()
                .map(|f| {
                    (
                        f["component"]["name"].as_str().unwrap().to_owned(),
                        f["analysis"]["state"].as_str().unwrap_or_default().to_owned(),
                    )
                })
                .collect();
            states.sort();
            states
        };
        let want = |a: &str, b: &str| vec![("a".to_owned(), a.to_owned()), ("b".to_owned(), b.to_owned())];
        let sent = json!({"projectName": "gateway", "projectVersion": "1.0", "vex": STANDARD.encode(vex("b", "false_positive"))});
        let reply = client.json("PUT", "/api/v1/vex", &sent);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(states(), want("", "FALSE_POSITIVE"));
        let reply = client.form("/api/v1/vex", &[("project", &project), ("vex", &vex("me", "exploitable"))]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(states(), want("EXPLOITABLE", "EXPLOITABLE"));
        let reply = client.form("/api/v1/vex", &[("project", &project), ("vex", "{}")]);
        assert_eq!((reply.status, &reply.json()["title"]), (400, &json!("The uploaded VEX is invalid")));
    });
}

#[test]
fn badges_take_the_key_in_the_address() {
    with_server(|server, client| {
        let project = client.upload("1.0");
        let path = format!("/api/v1/badge/vulns/project/{project}");
        wanted(&server.send("GET", &path, &[], b""), 401, "");
        let key = &client.1;
        let badge = server.send("GET", &format!("{path}?apiKey={key}"), &[], b"");
        assert_eq!((badge.status, badge.header("content-type")), (200, "image/svg+xml"));
        let svg = badge.text();
        assert!(
            svg.contains("dependencies") && svg.contains("width=\"204\"") && svg.contains(">2</text>"),
            "{svg}"
        );
        let named = server.send(
            "GET",
            &format!("/api/v1/badge/violations/project/gateway/1.0?apiKey={key}"),
            &[],
            b"",
        );
        assert!(named.text().contains("no violations"));
    });
}

#[test]
fn findings_are_told_by_vulnerability_too() {
    with_server(|_, client| {
        client.upload("1.0");
        client.upload("2.0");
        let reply = client.get("/api/v1/finding/grouped");
        assert_eq!((reply.status, reply.header("x-total-count")), (200, "1"), "{}", reply.text());
        let row = &reply.json()[0]["vulnerability"];
        assert_eq!((&row["vulnId"], &row["source"]), (&json!("CVE-2024-0001"), &json!("NVD")), "{row}");
        assert_eq!(row["affectedProjectCount"], 2, "{row}");
        for (asked, n) in [
            ("severity=CRITICAL,HIGH", 1),
            ("severity=LOW", 0),
            ("textSearchInput=cve-2024", 1),
            ("textSearchInput=nothing", 0),
            ("pageNumber=2&pageSize=1", 0),
        ] {
            let list = client.get(&format!("/api/v1/finding/grouped?{asked}")).json();
            assert_eq!(list.as_array().unwrap().len(), n, "{asked}");
        }
        assert_eq!(client.get("/api/v1/finding/grouped?severity=AWFUL").status, 400);
    });
}

#[test]
fn licences_are_those_of_the_spdx_list() {
    with_server(|server, client| {
        let reply = client.get("/api/v1/license?pageSize=10&pageNumber=2");
        let total: usize = reply.header("x-total-count").parse().unwrap();
        assert!(total > 500 && reply.json().as_array().unwrap().len() == 10, "{total}");
        assert_eq!(client.get("/api/v1/license/concise").json().as_array().unwrap().len(), total);
        let one = client.get("/api/v1/license/Apache-2.0").json();
        assert_eq!((&one["name"], &one["isOsiApproved"]), (&json!("Apache License 2.0"), &json!(true)));
        wanted(&client.get("/api/v1/license/nothing"), 404, "The license could not be found.");
        let found = client.get("/api/v1/license?searchText=mozilla").json();
        assert!(found.as_array().unwrap().iter().any(|l| l["licenseId"] == "MPL-2.0"), "{found}");
        assert_eq!(client.get("/api/v1/licenseGroup").json(), json!([]));
        wanted(&server.send("GET", "/api/v1/license", &[], b""), 401, "");
    });
}

#[test]
fn what_came_as_another_format_goes_out_as_cyclonedx() {
    with_server(|_, client| {
        let package = |id: &str, name: &str| {
            json!({"SPDXID": id, "name": name, "versionInfo": "1.0.0",
            "downloadLocation": "NOASSERTION", "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl", "referenceLocator": format!("pkg:npm/{name}@1.0.0")}]})
        };
        let spdx = json!({"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": "gateway", "documentNamespace": "https://example.org/gateway",
            "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: test"]},
            "packages": [package("SPDXRef-b", "b"), package("SPDXRef-c", "c")],
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-c"}]});
        let sent = json!({"projectName": "other", "projectVersion": "1.0", "autoCreate": true,
            "bom": STANDARD.encode(spdx.to_string())});
        let reply = client.json("PUT", "/api/v1/bom", &sent);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let project = client.get("/api/v1/project/lookup?name=other&version=1.0").json();
        let path = format!("/api/v1/bom/cyclonedx/project/{}", project["uuid"].as_str().unwrap());
        let inventory = client.get(&format!("{path}?version=1.5")).json();
        assert_eq!(
            (&inventory["bomFormat"], &inventory["specVersion"]),
            (&json!("CycloneDX"), &json!("1.5"))
        );
        assert!(inventory["vulnerabilities"].is_null(), "{inventory}");
        let purls = inventory.to_string();
        assert!(purls.contains("pkg:npm/b@1.0.0") && purls.contains("pkg:npm/c@1.0.0"), "{inventory}");
        let told = client.get(&format!("{path}?variant=withVulnerabilities")).json();
        assert!(!told["vulnerabilities"].as_array().unwrap().is_empty(), "{told}");
        let report = client.get(&format!("{path}?variant=vdr")).json();
        assert_eq!(report["components"].as_array().unwrap().len(), 1, "{report}");
        let xml = client.get(&format!("{path}?format=xml")).text();
        assert!(
            xml.contains("<bom xmlns=\"http://cyclonedx.org/schema/bom/") && xml.contains("pkg:npm/b@1.0.0"),
            "{xml}"
        );
    });
}

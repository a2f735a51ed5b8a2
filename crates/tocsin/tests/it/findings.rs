//! Findings and vulnerabilities as people meet them: lists, exports, decisions for many, saved views.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::output::valid;
use crate::serve::{Person, Server};
use crate::tocsin;

fn demo(name: &str) -> String {
    format!("{}/../../demo/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A server that knows the demo's intelligence, with its pump in two releases.
fn with_pump(check: impl FnOnce(&Server)) {
    with_pump_in(|server, _| check(server));
}

fn with_pump_in(check: impl FnOnce(&Server, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let out = tocsin(&data, &["db", "import", &demo("intelligence")]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let server = Server::start(&data);
    let key = server.key("manager");
    for version in ["3.2", "3.3"] {
        let bom = STANDARD.encode(fs::read(demo("infusion-pump-3.2.cdx.json")).unwrap());
        let sent =
            json!({"projectName": "Pump 3", "projectVersion": version, "autoCreate": true, "bom": bom});
        let headers = [("X-API-Key", key.as_str()), ("Content-Type", "application/json")];
        let reply = server.send("PUT", "/api/v1/bom", &headers, sent.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    check(&server, &data);
}

fn list(person: &Person<'_>, query: &str) -> Vec<Value> {
    let reply = person.get(&format!("/findings.json?q={query}"));
    assert_eq!(reply.status, 200, "{query}: {}", reply.text());
    reply.json().as_array().unwrap().clone()
}

/// The number that a page tells of its list.
fn total(page: &str) -> String {
    let (_, rest) = page.split_once("data-total>").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

#[test]
fn the_same_query_filters_pages_and_every_export() {
    with_pump(|server| {
        let person = server.person("auditor");
        let all = list(&person, "");
        assert!(all.len() > 8, "{}", all.len());
        let page = person.get("/findings").text();
        assert_eq!(total(&page), format!("{} findings", all.len()));
        assert!(!page.contains("name=\"flaw\""), "an auditor has no boxes");
        for query in ["", "severity%3E%3Dhigh", "release%3D3.2%20-kev%3Atrue", "closed%3Aany%20guess%3Aany"] {
            let n = list(&person, query).len();
            assert_eq!(
                total(&person.get(&format!("/findings?q={query}&group=none")).text()),
                format!("{n} findings")
            );
            let lines = person.get(&format!("/findings.ndjson?q={query}")).text();
            let read: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            assert_eq!(read.len(), n);
            let sheet = person.get(&format!("/findings.csv?q={query}"));
            assert_eq!(csv::Reader::from_reader(sheet.body.as_slice()).records().count(), n);
            let sarif = person.get(&format!("/findings.sarif?q={query}"));
            assert_eq!(sarif.header("content-type"), "application/sarif+json");
            let log = sarif.json();
            valid("testdata/schemas/sarif-2.1.0.json", &log);
            assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), n, "{query}");
        }
        let high = list(&person, "severity%3E%3Dhigh");
        assert!(!high.is_empty() && high.len() < all.len());
        assert!(high.iter().all(|f| ["high", "critical"].contains(&f["severity"].as_str().unwrap())));
        // what cannot be read lists nothing, says where it is wrong, and keeps what was typed
        let wrong = person.get("/findings?q=severty%3E%3Dhigh");
        let text = wrong.text();
        assert_eq!(wrong.status, 200);
        assert!(text.contains("unknown field `severty` at 1, did you mean severity?"), "{text}");
        assert!(text.contains("value=\"severty&#62;=high\"") && !text.contains("data-keys"), "{text}");
        assert_eq!(person.get("/findings.csv?q=severty%3E%3Dhigh").status, 422);
        // a filter without result teaches; a place of another list is refused
        assert!(person.get("/findings?q=component%3Dnothing").text().contains("Nothing found"));
        assert_eq!(person.get("/findings?group=none&after=xyz").status, 422);
    });
}

#[test]
fn pages_follow_each_other_in_every_order() {
    with_pump(|server| {
        let person = server.person("analyst");
        let all = list(&person, "").len();
        for sort in
            ["", "-severity", "epss", "component", "-release", "status", "found", "due", "-vulnerability"]
        {
            let (mut path, mut seen) = (format!("/findings?group=none&limit=3&sort={sort}"), Vec::new());
            loop {
                let page = person.get(&path).text();
                seen.extend(
                    page.split("name=\"finding\" value=\"")
                        .skip(1)
                        .map(|p| p.split('"').next().unwrap().to_owned()),
                );
                let Some((before, _)) = page.split_once("\" rel=\"next\"") else { break };
                path = before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&").replace("&amp;", "&");
                assert!(seen.len() <= all, "{sort} does not end");
            }
            assert_eq!(seen.len(), all, "{sort}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), all, "{sort} shows one twice");
        }
        let grouped = person.get("/findings").text();
        let groups = grouped.matches("name=\"flaw\"").count();
        assert!(groups > 1 && groups < all, "{groups} groups of {all}");
        assert!(grouped.contains("in 2 releases"));
    });
}

#[test]
fn a_decision_for_all_that_a_filter_finds_says_how_many_and_asks() {
    with_pump(|server| {
        let person = server.person("analyst");
        let query = "severity%3E%3Dhigh";
        let n = list(&person, query).len();
        let form = "all=1&to=affected&justification=&reach=finding&detail=looked+at";
        let path = format!("/findings/decisions?q={query}");
        let asked = person.post(&path, form);
        assert_eq!(asked.status, 200);
        assert!(asked.text().contains(&format!("data-found>{n}<")), "{}", asked.text());
        assert_eq!(list(&person, "status%3Aaffected").len(), 0, "nothing is decided before it is confirmed");
        let stale = person.post(&path, &format!("{form}&confirmed={}", n + 1));
        assert!(stale.text().contains("another number of findings"));
        assert_eq!(list(&person, "status%3Aaffected").len(), 0);
        let done = person.post(&path, &format!("{form}&confirmed={n}"));
        assert_eq!(done.status, 303, "{}", done.text());
        assert!(done.header("location").ends_with(&format!("decided={n}")), "{}", done.header("location"));
        assert_eq!(list(&person, "status%3Aaffected").len(), n);
        assert_eq!(list(&person, &format!("{query}%20-status%3Aaffected")).len(), 0);

        // ticked vulnerabilities take their findings within the filter
        let flaw = list(&person, "severity%3Chigh")[0]["vulnerability"].as_str().unwrap().to_owned();
        let of = list(&person, &format!("vulnerability%3A{flaw}%20release%3D3.2")).len();
        let form =
            format!("flaw={flaw}&to=not_affected&justification=component_not_present&reach=finding&detail=");
        let done = person.post("/findings/decisions?q=release%3D3.2", &form);
        assert_eq!(done.status, 303, "{}", done.text());
        assert_eq!(list(&person, "status%3Anot_affected").len(), of);
        // a mistake keeps the page, what was ticked and what was typed
        let mistake = person.post(
            "/findings/decisions?q=release%3D3.3",
            &format!("flaw={flaw}&to=not_affected&justification=&reach=finding&detail="),
        );
        let text = mistake.text();
        assert!(text.contains("justification") && text.contains("role=\"alert\""), "{text}");
        assert!(text.contains("checked>"), "what was ticked stays ticked");
        // on a release's tab, of that release alone
        let release = list(&person, "release%3D3.3")[0]["release"].as_i64().unwrap();
        let n = list(&person, "release%3D3.3").len();
        let form =
            format!("all=1&confirmed={n}&release={release}&to=fixed&justification=&reach=finding&detail=");
        let done = person.post("/findings/decisions", &form);
        assert_eq!((done.status, list(&person, "status%3Afixed").len()), (303, n), "{}", done.text());
        assert!(done.header("location").starts_with(&format!("/releases/{release}?")));

        let auditor = server.person("auditor");
        assert_eq!(auditor.post("/findings/decisions?q=", &form).status, 403);
    });
}

#[test]
fn owner_and_due_date_are_given_to_many_at_once() {
    with_pump(|server| {
        let person = server.person("analyst");
        let page = person.get("/findings?group=none").text();
        let id = page
            .split("<select id=\"owner\"")
            .nth(1)
            .and_then(|p| p.split("nobody</option><option value=\"").nth(1))
            .and_then(|p| p.split('"').next())
            .unwrap_or_else(|| panic!("nobody to choose in {page}"))
            .to_owned();
        let high = list(&person, "severity%3E%3Dhigh");
        let ticked: Vec<String> = high.iter().take(2).map(|f| format!("finding={}", f["id"])).collect();
        let path = "/findings/owners?q=severity%3E%3Dhigh&group=none";
        // what is ticked is done at once, and the list comes back as it was
        let done = person.post(path, &format!("{}&owner={id}&due=2031-05-01", ticked.join("&")));
        assert_eq!(done.status, 303, "{}", done.text());
        assert_eq!(done.header("location"), "/findings?q=severity%3E%3Dhigh&group=none&owned=2");
        let told = person.get(done.header("location")).text();
        assert!(told.contains("Owner and due date are set for 2 findings."), "{told}");
        assert!(told.contains("<time data-due datetime=\"2031-05-01\">"), "{told}");
        assert_eq!(list(&person, "-owner%3Anone").len(), 2);
        assert_eq!(list(&person, "due%3A2031-05-01").len(), 2);
        // all of the filter asks first, with the number, and takes away as well as gives
        let all = person.post(path, "all=1&owner=nobody&undue=1");
        assert_eq!(all.status, 200);
        assert!(all.text().contains(&format!("data-found>{}<", high.len())), "{}", all.text());
        assert!(all.text().contains("no due date"), "{}", all.text());
        let sent = format!("all=1&owner=nobody&undue=1&confirmed={}", high.len());
        let done = person.post(path, &sent);
        assert!(
            done.header("location").ends_with("owned=2"),
            "only two are other than before: {}",
            done.text()
        );
        assert_eq!(list(&person, "due%3Anone%20owner%3Anone").len(), list(&person, "").len());
        // ticked vulnerabilities take their findings; mistakes keep what was ticked and chosen
        let flaw = high[0]["vulnerability"].as_str().unwrap();
        let done = person.post("/findings/owners?q=", &format!("flaw={flaw}&owner={id}"));
        assert_eq!(done.status, 303);
        assert_eq!(
            list(&person, "-owner%3Anone").len(),
            list(&person, &format!("vulnerability%3A{flaw}")).len()
        );
        for (sent, told) in [
            ("owner=", "choose an owner or a due date"),
            ("due=2031-02-31", "a day is written like"),
            ("due=2031-05-01&undue=1", "not both"),
            ("owner=999999", "a person of this workspace"),
        ] {
            let mistake = person.post(path, &format!("{}&{sent}", ticked[0])).text();
            assert!(mistake.contains("role=\"alert\"") && mistake.contains(told), "{sent}: {mistake}");
            assert!(mistake.contains("checked>"), "{sent}: what was ticked stays ticked");
        }
        // Enter in the field of the due date does not decide
        let entered = person.post(
            "/findings/decisions?q=&group=none",
            &format!("{}&to=affected&justification=&reach=finding&detail=&due=2031-05-01", ticked[0]),
        );
        assert!(entered.text().contains("Nothing was decided"), "{}", entered.text());
        assert_eq!(list(&person, "status%3Aaffected").len(), 0);
        assert_eq!(server.person("auditor").post(path, &format!("{}&owner={id}", ticked[0])).status, 403);
    });
}

#[test]
fn views_peek_and_completion() {
    with_pump(|server| {
        let (person, other) = (server.person("analyst"), server.person("auditor"));
        for (name, shared) in [("Night", ""), ("Ours", "&shared=1")] {
            let form = format!("page=findings&name={name}&query=severity%3E%3Dhigh+sort%3A-epss{shared}");
            let saved = person.post("/views", &form);
            assert_eq!(saved.status, 303, "{}", saved.text());
        }
        let page = other.get("/findings").text();
        assert!(page.contains(">Ours</a>") && !page.contains(">Night</a>"), "{page}");
        let id = page.split("/findings?view=").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let opened = other.get(&format!("/findings?view={id}")).text();
        assert!(
            opened.contains("<h1>Ours</h1>") && opened.contains("value=\"severity&#62;=high\""),
            "{opened}"
        );
        assert_eq!(other.post(&format!("/views/{id}/remove"), "").status, 403);
        assert_eq!(person.post(&format!("/views/{id}/remove"), "").status, 303);
        assert_eq!(other.get(&format!("/findings?view={id}")).status, 404);
        assert_eq!(person.post("/views", "page=findings&name=x&query=severty%3Ahigh").status, 422);

        let finding = list(&person, "")[0]["id"].as_i64().unwrap();
        let piece = person.get(&format!("/findings/{finding}/peek")).text();
        assert!(
            !piece.contains("<html") && piece.contains("<h3>Why</h3>") && piece.contains("<form"),
            "{piece}"
        );
        assert!(!other.get(&format!("/findings/{finding}/peek")).text().contains("<form"));

        let complete = |text: &str| person.get(&format!("/complete?of=findings&q={text}")).json();
        assert_eq!(
            complete("kev:true%20seve"),
            json!({"from": 9, "items": [{"text": "severity>=", "what": "how bad the flaw is"}]})
        );
        assert_eq!(complete("product:pu")["items"][0]["text"], "\"Pump 3\"");
    });
}

#[test]
fn a_vulnerability_tells_what_sources_say_and_where_it_hurts() {
    with_pump(|server| {
        let person = server.person("auditor");
        let flaw = list(&person, "kev%3Atrue")[0]["vulnerability"].as_str().unwrap().to_owned();
        let page = person.get(&format!("/vulnerabilities/{flaw}"));
        let text = page.text();
        assert_eq!(page.status, 200, "{text}");
        for told in ["In our products", "Pump 3", "What each source says", "Known exploited", "History"] {
            assert!(text.contains(told), "{told} in {text}");
        }
        assert!(person.get("/vulnerabilities").text().contains(&flaw));
        let some = person.get("/vulnerabilities?q=kev%3Atrue").text();
        let hurting = list(&person, "kev%3Atrue");
        let mut flaws: Vec<&str> = hurting.iter().filter_map(|f| f["vulnerability"].as_str()).collect();
        flaws.sort_unstable();
        flaws.dedup();
        let words = if flaws.len() == 1 { "vulnerability hurts" } else { "vulnerabilities hurt" };
        assert_eq!(total(&some), format!("{} {words} our releases", flaws.len()));
        assert!(person.get(&format!("/vulnerabilities?in=known&text={flaw}")).text().contains(&flaw));
        assert!(person.get("/vulnerabilities?in=known&text=no-such-words").text().contains("Nothing found"));
        assert_eq!(person.get("/vulnerabilities/CVE-1999-99999").status, 404);
        // another name of it leads to its address
        if let Some(alias) = text.split("also mono\">").nth(1).and_then(|t| t.split_whitespace().next()) {
            let led = person.get(&format!("/vulnerabilities/{alias}"));
            assert_eq!(
                (led.status, led.header("location")),
                (303, format!("/vulnerabilities/{flaw}").as_str())
            );
        }
    });
}

#[test]
fn the_command_line_asks_in_the_same_grammar() {
    with_pump_in(|server, data| {
        let person = server.person("auditor");
        let run = |args: &[&str]| {
            let out = tocsin(data, &[&["findings"], args].concat());
            (
                out.status.code(),
                String::from_utf8(out.stdout).unwrap(),
                String::from_utf8(out.stderr).unwrap(),
            )
        };
        let n = list(&person, "severity%3E%3Dhigh").len();
        let (code, text, told) = run(&["severity>=high"]);
        assert_eq!((code, text.lines().count()), (Some(0), n + 1), "{text}");
        assert!(told.contains(&format!("{n} of {n} findings")), "{told}");
        let (_, text, _) = run(&["severity>=high", "--format", "json"]);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len(), n);
        let (_, text, _) = run(&["severity>=high", "--format", "sarif"]);
        valid("testdata/schemas/sarif-2.1.0.json", &serde_json::from_str(&text).unwrap());
        let (code, _, told) = run(&["severty>=high"]);
        assert_eq!(code, Some(2));
        assert!(told.contains("did you mean severity?"), "{told}");
    });
}

//! The desk through the built program: what is entered becomes stories that people work with; API, pages, exports.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::serve::{Reply, Server};

struct Client<'a>(&'a Server, String);

impl Client<'_> {
    fn get(&self, path: &str) -> Reply {
        self.0.send("GET", path, &[("X-Api-Key", &self.1)], b"")
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        let headers = [("X-Api-Key", self.1.as_str()), ("Content-Type", "application/json")];
        self.0.send("POST", path, &headers, body.to_string().as_bytes())
    }

    fn enter(&self, title: &str, text: &str) -> Reply {
        let item =
            json!({"title": title, "text": text, "tlp": "AMBER", "reliability": "B", "credibility": 2});
        self.post("/api/v2/items", &json!({"source": "Dark web watch", "item": item}))
    }

    /// The stories, once there are so many.
    fn stories(&self, query: &str, n: usize) -> Vec<Value> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let reply = self.get(&format!("/api/v2/stories?q={query}"));
            assert_eq!(reply.status, 200, "{}", reply.text());
            let items = reply.json()["items"].as_array().unwrap().clone();
            if items.len() == n {
                return items;
            }
            assert!(Instant::now() < end, "{n} stories for `{query}`: {}", reply.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn what_is_entered_becomes_stories_that_people_work_with() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&scratch.path().join("data"));
    let client = Client(&server, server.key("analyst"));
    let first =
        client.enter("CVE-2026-1001 in a gateway", "CVE-2026-1001 overflows the parser of a gateway.");
    assert_eq!(first.status, 201, "{}", first.text());
    let again =
        client.enter("CVE-2026-1001 in a gateway", "CVE-2026-1001 overflows the parser of a gateway.");
    assert_eq!((again.status, again.json()["id"].clone()), (200, first.json()["id"].clone()));
    let eml = "From: Ada <ada@example.org>\r\nSubject: Second report\r\nMessage-ID: <1@example.org>\r\n\r\n\
               A bulletin on CVE-2026-1002: the web page of a pump asks nobody for a password.";
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nMail\r\n--x\r\nContent-Disposition: form-data; \
         name=\"tlp\"\r\n\r\nRED\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.eml\"\r\n\r\n{eml}\r\n--x--\r\n"
    );
    let headers = [("X-Api-Key", client.1.as_str()), ("Content-Type", "multipart/form-data; boundary=x")];
    let mail = server.send("POST", "/api/v2/items/file", &headers, body.as_bytes());
    assert_eq!(mail.status, 201, "{}", mail.text());
    let kept = client.get(&format!("/api/v2/items/{}", mail.json()["id"])).json();
    assert_eq!((&kept["item"]["title"], &kept["item"]["tlp"]), (&json!("Second report"), &json!("RED")));
    let bad = client.post("/api/v2/items", &json!({"source": "x", "item": {"title": "y", "tlp": "PURPLE"}}));
    assert_eq!(bad.status, 422, "{}", bad.text());

    let all = client.stories("", 2);
    let ids: Vec<i64> = all.iter().map(|s| s["id"].as_i64().unwrap()).collect();
    client.stories("id:CVE-2026-1001", 1);
    let at = |id: i64, verb: &str| format!("/api/v2/stories/{id}/{verb}");
    let liked = client.post(&at(ids[0], "vote"), &json!({"vote": "like"}));
    assert_eq!((liked.status, &liked.json()["votes"]["own"]), (200, &json!("like")));
    let text = json!({"summary": "A parser that overflows.", "impact": "None of ours.", "version": 1});
    let noted = client.post(&at(ids[0], "note"), &text);
    assert_eq!(noted.status, 200, "{}", noted.text());
    assert_eq!(noted.json()["story"]["state"], "reading");
    assert_eq!(client.post(&at(ids[0], "note"), &text).status, 409, "the version was read before");
    let done = client.post(&at(ids[0], "state"), &json!({"state": "done"}));
    assert_eq!(done.json()["story"]["state"], "done");
    let one = client.post("/api/v2/stories/merge", &json!({"stories": ids}));
    assert_eq!(one.json()["pieces"].as_array().unwrap().len(), 2, "{}", one.text());
    let kept = one.json()["story"]["id"].as_i64().unwrap();
    let off = client.post(&at(kept, "split"), &json!({"items": [one.json()["pieces"][1]["id"]]}));
    assert_eq!(off.status, 200, "{}", off.text());
    client.stories("", 2);

    // what is followed
    let mut profile = client.get("/api/v2/desk/profile").json();
    profile["interests"] = json!([{"name": "parsers", "any": ["parser"], "without": [], "weight": 1.0}]);
    let set = client.post("/api/v2/desk/profile", &profile);
    assert_eq!((set.status, &set.json()["version"]), (200, &json!(1)), "{}", set.text());
    assert_eq!(client.post("/api/v2/desk/profile", &profile).status, 409);
    client.stories("relevance%3E%3D30", 1);

    // who may not
    let contact = Client(&server, server.key("contact"));
    assert_eq!(contact.get("/api/v2/stories").status, 403);
    assert_eq!(contact.enter("x", "y").status, 403);
}

#[test]
fn pages_of_the_desk_hold_what_is_hostile() {
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&scratch.path().join("data"));
    let client = Client(&server, server.key("analyst"));
    let title = "<script>alert(1)</script> CVE-2026-7";
    let text = "CVE-2026-70001 <img src=x onerror=alert(1)>\u{202e} and \u{0} =cmd()";
    assert_eq!(client.enter(title, text).status, 201);
    let story = client.stories("", 1).remove(0);
    for path in
        ["/desk".to_owned(), "/".to_owned(), format!("/stories/{}", story["id"]), "/desk/follow".to_owned()]
    {
        let page = server.page(&path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert!(!page.text().contains("<script>alert") && !page.text().contains("<img src=x"), "{path}");
    }
    let page = server.page(&format!("/stories/{}", story["id"]));
    assert!(page.text().contains("<mark title=\"vulnerability CVE-2026-70001"), "{}", page.text());
    assert!(!page.text().contains('\u{202e}'));
    assert_eq!(client.enter("=1+1", "a formula").status, 201);
    client.stories("", 2);
    let csv = server.page("/desk.csv?q=sort%3Atitle");
    assert!(csv.text().contains("'=1+1"), "{}", csv.text());
    assert_eq!(server.page("/desk?q=nonsense%3A1").status, 200);
}

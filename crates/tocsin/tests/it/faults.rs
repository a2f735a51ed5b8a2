//! What breaks: the process is killed, the database goes away, the disk is full, many come at once. Nothing is lost,
//! nothing is done twice, and the pages say what happened.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};

use crate::jobs::{Api, flaw, sbom};
use crate::serve::Server;

/// A database of the test's own on the server that is named, or nothing without one.
struct Postgres {
    runtime: tokio::runtime::Runtime,
    server: DatabaseConnection,
    name: String,
    url: String,
}

impl Postgres {
    fn make() -> Option<Postgres> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("TOCSIN_TEST_POSTGRES") else {
            println!("SKIPPED: TOCSIN_TEST_POSTGRES is not set; not tested on PostgreSQL");
            return None;
        };
        let name = format!("f{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut options = ConnectOptions::new(&server);
        options.max_connections(1).sqlx_logging(false);
        let server = runtime.block_on(Database::connect(options)).unwrap();
        let postgres = Postgres { runtime, server, name, url };
        postgres.run(&format!("CREATE DATABASE {}", postgres.name));
        Some(postgres)
    }

    fn run(&self, sql: &str) {
        self.runtime.block_on(self.server.execute_unprepared(sql)).unwrap();
    }

    /// Ends every connection to the database.
    fn cut(&self) {
        self.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        ));
    }
}

/// Runs `check` with arguments for a server on each database, and what cuts its connections.
fn each(check: impl Fn(&Path, &[&str], Option<&Postgres>)) {
    let dir = tempfile::tempdir().unwrap();
    check(&dir.path().join("sqlite"), &[], None);
    if let Some(postgres) = Postgres::make() {
        check(&dir.path().join("postgres"), &["--database", &postgres.url], Some(&postgres));
    }
}

/// The audit trail holds and tells of so many events of an action about a release.
fn trail(server: &Server, action: &str, release: i64) -> usize {
    let page = server.page(&format!("/audit?verify=1&q=action:{action}")).text();
    assert!(page.contains("is whole."), "the chain holds: {page}");
    page.matches(&format!("second mono\">release/{release}<")).count()
}

fn findings(api: &Api<'_>, release: i64) -> Vec<String> {
    let page = api.get(&format!("/api/v2/releases/{release}/findings?limit=1000"));
    let list = page["items"].as_array().unwrap();
    list.iter().map(|f| f["vulnerability"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_job_killed_at_any_moment_is_done_once() {
    each(|data, on, _| {
        flaw(data, on, "GHSA-aaaa-bbbb-cccc");
        let args = [on, &["--large-upload", "2000"]].concat();
        let mut server = Server::start_with(data, &args, None);
        let key = server.key("manager");
        let mut kept = Vec::new();
        for (n, delay) in [0, 60, 250, 600, 1100].into_iter().enumerate() {
            let reply = Api(&server, &key).upload(&format!("{n}"), &sbom(1200, &format!("v{n}")));
            assert_eq!(reply.status, 202, "{}", reply.text());
            kept.push((reply.json()["job"].as_i64().unwrap(), reply.json()["release"].as_i64().unwrap()));
            std::thread::sleep(Duration::from_millis(delay));
            server.kill();
            let since = Instant::now();
            server.again(data, &args);
            let job = Api(&server, &key).ended(kept[n].0);
            assert_eq!(job["state"], "done", "{job}");
            // whoever waited for a lease to run out would take longer
            assert!(since.elapsed() < Duration::from_secs(25), "{:?}", since.elapsed());
        }
        let api = Api(&server, &key);
        for (job, release) in kept {
            assert_eq!(api.get(&format!("/api/v2/jobs/{job}"))["result"]["unchanged"], false);
            assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 1200);
            assert_eq!(findings(&api, release), ["GHSA-aaaa-bbbb-cccc"]);
            assert_eq!(trail(&server, "sbom.upload", release), 1, "put in place once");
        }
    });
}

#[test]
fn a_rematch_that_is_killed_goes_on() {
    each(|data, on, _| {
        flaw(data, on, "GHSA-aaaa-bbbb-cccc");
        let mut server = Server::start_with(data, on, None);
        let key = server.key("manager");
        let releases: Vec<i64> = (0..25)
            .map(|n| {
                let reply = Api(&server, &key).upload(&format!("{n}"), &sbom(40, "x"));
                assert_eq!(reply.status, 200, "{}", reply.text());
                reply.json()["release"].as_i64().unwrap()
            })
            .collect();
        Api(&server, &key).idle();
        let done = |api: &Api<'_>| {
            let page = api.get("/api/v2/jobs?kind=rematch&state=done");
            page["items"].as_array().unwrap().len()
        };
        let before = done(&Api(&server, &key));
        flaw(data, on, "GHSA-dddd-eeee-ffff");
        let since = Instant::now();
        loop {
            let running = Api(&server, &key).get("/api/v2/jobs?kind=rematch&state=running");
            if running["items"].as_array().is_some_and(|l| !l.is_empty()) {
                break;
            }
            if done(&Api(&server, &key)) > before {
                println!("it was done before it could be killed");
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "it is noticed");
            std::thread::sleep(Duration::from_millis(5));
        }
        server.kill();
        server.again(data, on);
        let api = Api(&server, &key);
        let since = Instant::now();
        while done(&api) == before {
            assert!(since.elapsed() < Duration::from_secs(60), "{}", api.get("/api/v2/jobs"));
            std::thread::sleep(Duration::from_millis(50));
        }
        for release in releases {
            let mut found = findings(&api, release);
            found.sort();
            assert_eq!(found, ["GHSA-aaaa-bbbb-cccc", "GHSA-dddd-eeee-ffff"]);
            assert_eq!(trail(&server, "sbom.upload", release), 1, "no document was put in place again");
        }
    });
}

#[test]
fn many_uploads_at_once_all_arrive() {
    each(|data, on, _| {
        flaw(data, on, "GHSA-aaaa-bbbb-cccc");
        let server = Server::start_with(data, on, None);
        let key = server.key("manager");
        let api = Api(&server, &key);
        // a hundred new releases of a product that is not there yet, with new components in common
        let releases: Vec<i64> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..100)
                .map(|n| {
                    let api = &api;
                    scope.spawn(move || {
                        let reply = api.upload(&format!("{n}"), &sbom(30 + n % 7, "p"));
                        assert_eq!(reply.status, 200, "{}", reply.text());
                        reply.json()["release"].as_i64().unwrap()
                    })
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let listed = api.get("/api/v2/releases");
        let listed = listed["items"].as_array().unwrap();
        assert_eq!(listed.len(), 100);
        assert_eq!(listed.iter().filter(|r| r["latest"] == true).count(), 1, "one is the latest");
        for (n, release) in releases.into_iter().enumerate() {
            assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 30 + n as i64 % 7);
            assert_eq!(findings(&api, release).len(), 1);
        }
        assert!(server.page("/audit?verify=1").text().contains("is whole."));
    });
}

#[test]
fn two_uploads_for_one_release_come_one_after_the_other() {
    each(|data, on, _| {
        flaw(data, on, "GHSA-aaaa-bbbb-cccc");
        let args = [on, &["--large-upload", "20000"]].concat();
        let server = Server::start_with(data, &args, None);
        let key = server.key("manager");
        let api = Api(&server, &key);
        let first = api.upload("1", &sbom(3, "start")).json();
        let release = first["release"].as_i64().unwrap();
        std::thread::scope(|scope| {
            for n in 0..6 {
                let api = &api;
                scope.spawn(move || {
                    let reply = api.upload("1", &sbom(20 + n, &format!("t{n}")));
                    assert_eq!(reply.status, 200, "{}", reply.text());
                });
            }
        });
        assert_eq!(trail(&server, "sbom.upload", release), 7, "each was put in place");
        let components = api.get(&format!("/api/v2/releases/{release}"))["components"].as_i64().unwrap();
        let page = server.page(&format!("/releases/{release}?tab=documents")).text();
        let current = page.split("<p>").find(|p| p.contains(" components ·")).unwrap();
        assert!(current.starts_with(&format!("{components} components")), "{components}, but {current}");
        assert_eq!(findings(&api, release).len(), 1);
        // large ones keep the order in which they came, and a small one waits behind them
        let mut last = 0;
        for n in 0..3 {
            let reply = api.upload("1", &sbom(400 + n, &format!("l{n}")));
            assert_eq!(reply.status, 202, "{}", reply.text());
        }
        let small = api.upload("1", &sbom(9, "small"));
        if small.status == 202 {
            last = small.json()["job"].as_i64().unwrap();
        }
        api.idle();
        assert!(last == 0 || api.get(&format!("/api/v2/jobs/{last}"))["state"] == "done");
        assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 9);
        assert_eq!(trail(&server, "sbom.upload", release), 11);
    });
}

#[test]
fn a_database_that_goes_away_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let Some(postgres) = Postgres::make() else { return };
    let args = ["--database", &postgres.url, "--large-upload", "2000"];
    let server = Server::start_with(&data, &args, None);
    let key = server.key("manager");
    let api = Api(&server, &key);
    // while its connections are ended time and again, jobs go on
    let jobs: Vec<i64> = (0..6)
        .map(|n| {
            let reply = api.upload(&format!("{n}"), &sbom(300, &format!("v{n}")));
            assert_eq!(reply.status, 202, "{}", reply.text());
            reply.json()["job"].as_i64().unwrap()
        })
        .collect();
    for _ in 0..8 {
        postgres.cut();
        std::thread::sleep(Duration::from_millis(120));
    }
    // nobody can connect: pages say so, and that nothing was changed
    postgres.run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", postgres.name));
    postgres.cut();
    let page = server.page("/products");
    assert_eq!(page.status, 503, "{}", page.text());
    assert!(page.text().contains("Nothing was changed"), "{}", page.text());
    let refused = api.upload("down", &sbom(2, "down"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("content-type"), "application/problem+json");
    postgres.run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", postgres.name));
    let since = Instant::now();
    while server.page("/products").status != 200 {
        assert!(since.elapsed() < Duration::from_secs(60), "it comes back by itself");
        std::thread::sleep(Duration::from_millis(100));
    }
    for id in jobs {
        let job = api.ended(id);
        assert_eq!(job["state"], "done", "{job}");
        let release = job["result"]["release"].as_i64().unwrap();
        assert_eq!(trail(&server, "sbom.upload", release), 1);
    }
    assert_eq!(api.upload("up", &sbom(2, "up")).status, 200);
    let versions: Vec<Value> = api.get("/api/v2/releases")["items"].as_array().unwrap().clone();
    assert!(!versions.iter().any(|r| r["version"] == "down"), "nothing of what was refused is there");
}

#[test]
fn a_locked_database_file_is_waited_for_and_then_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data);
    let key = server.key("manager");
    let api = Api(&server, &key);
    api.idle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let file = format!("sqlite://{}", data.join("tocsin.db").display());
    let mut options = ConnectOptions::new(file);
    options.max_connections(1).sqlx_logging(false);
    let lock = runtime.block_on(Database::connect(options)).unwrap();
    runtime.block_on(lock.execute_unprepared("BEGIN IMMEDIATE")).unwrap();
    let since = Instant::now();
    let refused = api.upload("1", &sbom(2, "a"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("Nothing was changed"), "{}", refused.text());
    assert!(since.elapsed() > Duration::from_secs(20), "it was waited for");
    assert_eq!(server.page("/products").status, 200, "who only reads goes on");
    runtime.block_on(lock.execute_unprepared("ROLLBACK")).unwrap();
    assert_eq!(api.upload("1", &sbom(2, "a")).status, 200);
    assert_eq!(api.get("/api/v2/releases")["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_full_disk_is_told_of_and_leaves_nothing_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let args = ["--large-upload", "2000000"];
    let mut server = Server::start_with(&data, &args, Some(5 << 20));
    let key = server.key("manager");
    let api = Api(&server, &key);
    assert_eq!(api.upload("1", &sbom(5, "small")).status, 200);
    let (first, second) = (sbom(14000, "first"), sbom(22000, "second"));
    assert!(first.len() < 2_000_000 && second.len() > 2_000_000);
    // one that is read at once
    let fields = [("line", "Pumps"), ("product", "Pump"), ("version", "2")];
    let refused = server.upload("/releases", None, &fields, &first);
    assert_eq!(refused.status, 507, "{}", refused.text());
    let text = refused.text();
    assert!(text.contains("disk") && text.contains("Nothing was changed"), "{text}");
    // one that a job reads: it is tried again, and says why
    let reply = api.upload("3", &second);
    assert_eq!(reply.status, 202, "{}", reply.text());
    let (job, release) = (reply.json()["job"].as_i64().unwrap(), reply.json()["release"].as_i64().unwrap());
    let since = Instant::now();
    loop {
        let shown = api.get(&format!("/api/v2/jobs/{job}"));
        if let Some(error) = shown["error"].as_str() {
            assert!(error.contains("disk"), "{shown}");
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{shown}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let page = server.page(&format!("/releases/{release}")).text();
    assert!(page.contains("The last attempt failed; the next is at"), "{page}");
    let listed = api.get("/api/v2/releases");
    let mut versions: Vec<&str> =
        listed["items"].as_array().unwrap().iter().filter_map(|r| r["version"].as_str()).collect();
    versions.sort_unstable();
    assert_eq!(versions, ["1", "3"], "nothing of what was refused is there");
    assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 0);
    assert!(server.page("/audit?verify=1").text().contains("is whole."));
    // with room, what was kept is read
    server.kill();
    server.again(&data, &args);
    let api = Api(&server, &key);
    let shown = api.ended(job);
    assert_eq!((&shown["state"], &shown["result"]["components"]), (&json!("done"), &json!(22000)), "{shown}");
    assert_eq!(trail(&server, "sbom.upload", release), 1);
}

/// Waits until a job runs or has ended; its state.
fn begun(api: &Api<'_>, id: i64) -> String {
    let since = Instant::now();
    loop {
        let state = api.get(&format!("/api/v2/jobs/{id}"))["state"].as_str().unwrap().to_owned();
        if state != "waiting" {
            return state;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "it begins");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_job_that_is_cancelled_while_it_runs_writes_nothing() {
    each(|data, on, _| {
        let args = [on, &["--large-upload", "2000"]].concat();
        let server = Server::start_with(data, &args, None);
        let key = server.key("manager");
        let api = Api(&server, &key);
        let reply = api.upload("1", &sbom(9000, "c"));
        let (id, release) =
            (reply.json()["job"].as_i64().unwrap(), reply.json()["release"].as_i64().unwrap());
        assert_eq!(begun(&api, id), "running");
        let told = api.send("POST", &format!("/api/v2/jobs/{id}/cancel"));
        assert_eq!((told.status, told.json()["cancelling"].as_bool()), (202, Some(true)), "{}", told.text());
        assert_eq!(api.ended(id)["state"], "cancelled");
        assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 0);
        assert_eq!(trail(&server, "sbom.upload", release), 0);
        let page = server.page(&format!("/jobs/{id}")).text();
        assert!(page.contains("cancelled") && page.contains("Run again"), "{page}");
        // and can be run again after all
        assert_eq!(server.post(&format!("/jobs/{id}/retry"), "").status, 303);
        assert_eq!(api.ended(id)["state"], "done");
        assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 9000);
    });
}

#[test]
fn a_server_that_is_told_to_stop_ends_or_gives_back_what_runs() {
    each(|data, on, _| {
        let args = [on, &["--large-upload", "2000"]].concat();
        let mut server = Server::start_with(data, &args, None);
        let key = server.key("manager");
        let jobs: Vec<(i64, i64)> = (0..4)
            .map(|n| {
                let reply = Api(&server, &key).upload(&format!("{n}"), &sbom(2500, &format!("s{n}"))).json();
                (reply["job"].as_i64().unwrap(), reply["release"].as_i64().unwrap())
            })
            .collect();
        begun(&Api(&server, &key), jobs[0].0);
        let since = Instant::now();
        assert!(server.stop(), "it ends in good order");
        assert!(since.elapsed() < Duration::from_secs(20), "and soon: {:?}", since.elapsed());
        server.again(data, &args);
        let api = Api(&server, &key);
        for (job, release) in jobs {
            let shown = api.ended(job);
            assert_eq!((&shown["state"], &shown["attempts"]), (&json!("done"), &json!(1)), "{shown}");
            assert_eq!(trail(&server, "sbom.upload", release), 1);
        }
    });
}

#[test]
fn another_node_takes_over_what_a_killed_one_had() {
    let dir = tempfile::tempdir().unwrap();
    let Some(postgres) = Postgres::make() else { return };
    let (front, back) = (dir.path().join("front"), dir.path().join("back"));
    let args = ["--database", postgres.url.as_str(), "--large-upload", "2000"];
    let pages_alone = [args.as_slice(), &["--workers", "0"]].concat();
    let server = Server::start_with(&front, &pages_alone, None);
    let key = server.key("manager");
    let api = Api(&server, &key);
    let job = |n: usize| {
        let reply = api.upload(&format!("{n}"), &sbom(6000, &format!("n{n}"))).json();
        (reply["job"].as_i64().unwrap(), reply["release"].as_i64().unwrap())
    };
    let first = job(1);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(api.get(&format!("/api/v2/jobs/{}", first.0))["state"], "waiting", "this one takes none");
    let mut worker = server.beside(&back, &args);
    assert_eq!(begun(&api, first.0), "running");
    worker.kill();
    // nobody knows that it was killed before its lease has run out
    let _other = server.beside(&dir.path().join("other"), &args);
    let second = job(2);
    assert_eq!(api.ended(second.0)["attempts"], 1, "what waits is done at once");
    let shown = api.ended(first.0);
    assert_eq!((&shown["state"], &shown["attempts"]), (&json!("done"), &json!(2)), "{shown}");
    for (_, release) in [first, second] {
        assert_eq!(trail(&server, "sbom.upload", release), 1);
        assert_eq!(api.get(&format!("/api/v2/releases/{release}"))["components"], 6000);
    }
}

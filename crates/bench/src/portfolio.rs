//! `portfolio`: a maker's whole portfolio in the real server. Releases with overlapping components, about one finding
//! a component, deployments; then uploads, pages, lists and a new vulnerability, over HTTP on this machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tocsin::intake::{self, Place as Where};
use tocsin::rematch::rematch;
use tocsin::server::{self, App, Means, later, now, random};
use tocsin::worker::{self, Node};
use tocsin_core::detection;
use tocsin_core::intel::Store;
use tocsin_core::inventory::{self, Deployment};
use tocsin_core::notify::{self, NewChannel};
use tocsin_core::platform::access::{Actor, Role};
use tocsin_core::platform::change::Change;
use tocsin_core::platform::db::Place;
use tocsin_core::platform::people;

use crate::mail::Sink;
use crate::seed::Seed;
use crate::{figure, peak_mib};

/// Components of a release.
const HELD: u64 = 500;
/// Names of packages, each in [`VERSIONS`] versions: what the releases draw from.
const NAMES: u64 = 1_500;
const VERSIONS: u64 = 4;
/// Vulnerabilities of each name.
const EACH: u64 = 1;
/// Records about packages that nobody has.
const OTHERS: u64 = 100_000;
/// Customers, of which some have units of a release.
const CUSTOMERS: u64 = 400;
/// Requests to each page and list.
const REQUESTS: usize = 40;

/// Runs the bench with `--releases N` (2,000 where not told) on SQLite, and on the empty PostgreSQL database that
/// `TOCSIN_BENCH_POSTGRES` names.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let releases = match args.iter().position(|a| a == "--releases") {
        Some(at) => args.get(at + 1).context("--releases N")?.parse()?,
        None => 2_000,
    };
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("sqlite");
    std::fs::create_dir_all(&file)?;
    one("portfolio, SQLite", &file, Place::File(file.join("tocsin.db")), releases)?;
    if let Ok(url) = std::env::var("TOCSIN_BENCH_POSTGRES") {
        one("portfolio, PostgreSQL", &dir.path().join("postgres"), Place::Postgres(url), releases)?;
    }
    Ok(())
}

fn record(id: &str, name: &str, below: u64, score: u64) -> String {
    let impact = ["L", "H"][score as usize % 2];
    json!({"schema_version": "1.6.0", "id": id, "modified": "2025-02-01T00:00:00Z",
        "summary": format!("Outside input makes {name} read memory out of bounds"),
        "severity": [{"type": "CVSS_V3", "score": format!("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:{impact}/I:L/A:{impact}")}],
        "affected": [{"package": {"ecosystem": "npm", "name": name}, "ranges": [{"type": "SEMVER",
            "events": [{"introduced": "0"}, {"fixed": format!("{below}.0.0")}]}]}]})
    .to_string()
}

/// Intelligence: per name [`EACH`] vulnerabilities that half of its versions have, and many others.
fn intelligence(seed: &mut Seed, file: &Path) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for n in 0..NAMES {
        for k in 0..EACH * 2 {
            // half of the versions, on average
            let line = record(
                &format!("CVE-2024-{}", 10_000 + n * 10 + k),
                &format!("pkg-{n}"),
                1 + seed.below(4),
                k,
            );
            writeln!(out, "{line}")?;
        }
    }
    for n in 0..OTHERS {
        writeln!(out, "{}", record(&format!("CVE-2020-{}", 100_000 + n), &format!("other-{}", n / 3), 3, n))?;
    }
    Ok(out.flush()?)
}

/// A CycloneDX document of [`HELD`] distinct components.
fn document(seed: &mut Seed) -> Vec<u8> {
    let mut components = Vec::new();
    let start = seed.below(NAMES);
    for n in 0..HELD {
        // names in common go together, as those of one framework do
        let at = (start + n * 2 + seed.below(2)) % NAMES;
        let (name, version) = (format!("pkg-{at}"), format!("{}.2.{}", seed.below(VERSIONS), at % 7));
        let licence = ["MIT", "Apache-2.0", "BSD-3-Clause"][at as usize % 3];
        components.push(json!({"type": "library", "bom-ref": format!("c{n}"), "name": name, "version": version,
            "purl": format!("pkg:npm/{name}@{version}"), "licenses": [{"license": {"id": licence}}], "hashes": [{"alg": "SHA-256", "content": format!("{at:064x}")}]}));
    }
    // a tree of four below each, and across it what several need
    let needs =
        |n: u64| (n * 4 + 1..n * 4 + 5).chain([n * 3 + 2]).filter(|c| *c < HELD).map(|c| format!("c{c}"));
    let edges: Vec<_> = (0..HELD)
        .map(|n| json!({"ref": format!("c{n}"), "dependsOn": needs(n).collect::<std::collections::BTreeSet<_>>()}))
        .collect();
    json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components,
        "dependencies": edges})
    .to_string()
    .into_bytes()
}

/// Milliseconds at a share of sorted times.
fn at(times: &mut [Duration], share: f64) -> f64 {
    times.sort();
    let n = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1));
    times.get(n - 1).map_or(0.0, |t| t.as_secs_f64() * 1e3)
}

fn both(bench: &str, what: &str, mut times: Vec<Duration>) {
    figure(bench, &format!("{what}, p50"), at(&mut times, 0.5), "ms");
    figure(bench, &format!("{what}, p95"), at(&mut times, 0.95), "ms");
}

fn import(store: &Store, file: &Path) -> anyhow::Result<()> {
    let clock = || "2026-01-01T00:00:00Z".to_owned();
    store.import(&[file.to_owned()], &clock, &mut |_| ControlFlow::Continue(()))?;
    Ok(())
}

fn one(bench: &str, data: &Path, place: Place, releases: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(data)?;
    let mut seed = Seed::new(11);
    let feed = data.join("feed.jsonl");
    intelligence(&mut seed, &feed)?;
    let store = Store::open_at(data, place.clone())?;
    let started = Instant::now();
    import(&store, &feed)?;
    figure(bench, "intelligence imported", started.elapsed().as_secs_f64(), "s");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let app = runtime.block_on(App::open_with(
        data.to_owned(),
        place.clone(),
        Means { allowed: vec!["127.0.0.1".to_owned()], ..Means::default() },
    ))?;
    let workspace = runtime.block_on(people::first_workspace(app.db(), "Bench", &now()))?;
    // as a server does that starts; the first time it writes down which program matches
    runtime.block_on(rematch(&app, &|_, _| {}))?;
    fill(bench, &runtime, &app, workspace, &mut seed, releases)?;
    let (address, cookie, key) = join(&runtime, &app, workspace)?;
    pages(bench, &runtime, &app, workspace, address, &cookie, &key)?;
    fan_out(bench, &runtime, &app, &store, workspace, data)?;
    to_mail(bench, &runtime, &app, &store, workspace, data)?;
    figure(bench, "peak memory", peak_mib(), "MiB");
    if let Place::File(file) = &place {
        figure(bench, "database", std::fs::metadata(file)?.len() as f64 / 1048576.0, "MiB");
    }
    figure(bench, "store, with files", store.status()?.database_bytes as f64 / 1048576.0, "MiB");
    Ok(())
}

/// Uploads every release, one after the other, and tells who has units of it.
fn fill(
    bench: &str,
    runtime: &tokio::runtime::Runtime,
    app: &App,
    workspace: i64,
    seed: &mut Seed,
    releases: u64,
) -> anyhow::Result<()> {
    let (mut times, mut open) = (Vec::new(), 0);
    let whole = Instant::now();
    for n in 0..releases {
        let bytes = document(seed);
        let actor = Actor::system(workspace, &now());
        let place = Where::Named {
            line: format!("Line {}", n % 3),
            product: format!("Product {}", n / 20),
            version: format!("{}.{}", n / 20 % 9, n % 20),
        };
        let started = Instant::now();
        let done = runtime.block_on(intake::take(app, &actor, place, "bench.cdx.json".to_owned(), bytes))?;
        times.push(started.elapsed());
        open += done.findings.open;
        let list: Vec<Deployment> = (0..3)
            .map(|k| Deployment {
                customer: format!("Customer {}", seed.below(CUSTOMERS)),
                region: ["EU", "US", "JP"][k].to_owned(),
                units: 1 + seed.below(500) as i64,
            })
            .collect();
        runtime.block_on(async {
            let mut change = Change::begin(app.db(), &actor).await?;
            inventory::deploy(&mut change, done.release, &list).await?;
            change.commit().await
        })?;
    }
    figure(bench, "releases", releases as f64, "1");
    figure(bench, "components held", (releases * HELD) as f64, "1");
    figure(bench, "findings open", open as f64, "1");
    figure(bench, "everything uploaded", whole.elapsed().as_secs_f64(), "s");
    let last = times.split_off(times.len() * 9 / 10);
    both(bench, "upload of 500 components, bytes to findings", times);
    both(bench, "the same, the last tenth of them", last);
    Ok(())
}

/// Starts the server; its address, and the cookie and API key of somebody who may see everything.
fn join(
    runtime: &tokio::runtime::Runtime,
    app: &App,
    workspace: i64,
) -> anyhow::Result<(SocketAddr, String, String)> {
    let actor = Actor::system(workspace, &now());
    let roles = [Role::Administrator, Role::Manager, Role::Contact];
    let until = later(1);
    let invite = people::invite(app.db(), &actor, random, "", &roles, None, &until);
    let token = runtime.block_on(invite)?;
    let (tell, told) = std::sync::mpsc::channel();
    let served = app.clone();
    runtime.spawn(server::serve(served, SocketAddr::from(([127, 0, 0, 1], 0)), move |address| {
        let _ = tell.send(address);
    }));
    let address = told.recv_timeout(Duration::from_secs(10))?;
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let form = "name=Ada&email=ada%40example.com&login=ada&password=a+sentence+does+well+here";
    let joined = ask(address, "POST", &format!("/welcome/{token}"), kind, form)?;
    let cookie = between(&joined, "set-cookie: ", ";").context("no cookie")?.to_owned();
    let cookie = format!("Cookie: {cookie}\r\n");
    let page = ask(address, "GET", "/settings/people", &cookie, "")?;
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"").context("no form")?;
    let form = format!("csrf={csrf}&name=bench&role=manager");
    let page = ask(address, "POST", "/settings/keys", &format!("{kind}{cookie}"), &form)?;
    let key = between(&page, "<pre>", "</pre>").context("no key")?;
    Ok((address, cookie.clone(), format!("X-Api-Key: {key}\r\n")))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// One request on a connection of its own; the reply with its head.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Pages and lists, each asked for many times.
fn pages(
    bench: &str,
    runtime: &tokio::runtime::Runtime,
    app: &App,
    workspace: i64,
    address: SocketAddr,
    cookie: &str,
    key: &str,
) -> anyhow::Result<()> {
    let actor = Actor::system(workspace, &now());
    let list = runtime.block_on(inventory::releases(app.db(), &actor, None))?;
    let middle = list.get(list.len() / 2).context("no release")?;
    let (release, product) = (middle.id, middle.product);
    let first = runtime.block_on(detection::findings(app.db(), &actor, &Default::default(), None, 1))?;
    let finding = first.findings.first().context("no finding")?.id;
    let page = ask(address, "GET", "/findings", cookie, "")?;
    let next = between(&page, "/findings?after=", "\"").unwrap_or_default().to_owned();
    let paths: Vec<(String, &str)> = vec![
        ("/".into(), cookie),
        ("/findings".into(), cookie),
        (format!("/findings?after={next}"), cookie),
        ("/findings?q=severity:critical".into(), cookie),
        ("/findings?q=status:under_investigation%20pkg-700".into(), cookie),
        (format!("/findings?product={product}"), cookie),
        (format!("/findings/{finding}"), cookie),
        ("/products".into(), cookie),
        (format!("/releases/{release}"), cookie),
        (format!("/releases/{release}?tab=components"), cookie),
        (format!("/releases/{release}?tab=findings"), cookie),
        (format!("/releases/{release}?tab=licences"), cookie),
        ("/where-used?q=pkg-700".into(), cookie),
        ("/where-used?q=licence:MIT".into(), cookie),
        ("/vulnerabilities/CVE-2024-17000".into(), cookie),
        ("/audit".into(), cookie),
        ("/api/v2/releases".into(), key),
        (format!("/api/v2/releases/{release}/findings"), key),
        ("/api/v2/where-used?q=pkg-700".into(), key),
        ("/api/v1/project?pageSize=100&pageNumber=1".into(), key),
    ];
    for (path, headers) in paths {
        let first = ask(address, "GET", &path, headers, "")?;
        let status = first.get(9..12).unwrap_or_default().to_owned();
        let shown = path.replace(&next, "NEXT");
        if status != "200" {
            println!("{}", json!({"bench": bench, "what": format!("GET {shown}"), "status": status}));
            continue;
        }
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let started = Instant::now();
            ask(address, "GET", &path, headers, "")?;
            times.push(started.elapsed());
        }
        both(bench, &format!("GET {shown} ({} KiB)", first.len() / 1024), times);
    }
    Ok(())
}

/// A new vulnerability of a package that many releases have, from its bytes to who is concerned.
fn fan_out(
    bench: &str,
    runtime: &tokio::runtime::Runtime,
    app: &App,
    store: &Store,
    workspace: i64,
    data: &Path,
) -> anyhow::Result<()> {
    let actor = Actor::system(workspace, &now());
    for (n, id) in ["CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1003"].into_iter().enumerate() {
        let file = data.join(format!("{id}.jsonl"));
        std::fs::write(&file, record(id, &format!("pkg-{}", 700 + n), 99, 1))?;
        let whole = Instant::now();
        import(store, &file)?;
        let imported = whole.elapsed();
        let done = runtime.block_on(rematch(app, &|_, _| {}))?;
        let matched = whole.elapsed();
        let spread = runtime.block_on(detection::spread(app.db(), &actor, id))?;
        let told = whole.elapsed();
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        figure(bench, "new vulnerability: record imported, index brought up to date", ms(imported), "ms");
        figure(bench, "new vulnerability: findings in the database", ms(matched - imported), "ms");
        figure(bench, "new vulnerability: releases, units, customers told", ms(told - matched), "ms");
        figure(bench, "new vulnerability: in all", ms(told), "ms");
        figure(bench, "new vulnerability: findings new", done.new as f64, "1");
        figure(bench, "new vulnerability: releases hurt", spread.releases as f64, "1");
        figure(bench, "new vulnerability: releases matched as a whole", done.whole as f64, "1");
    }
    Ok(())
}

/// From a record's bytes to the mail of who is in charge, through everything between: index, findings, message, job.
fn to_mail(
    bench: &str,
    runtime: &tokio::runtime::Runtime,
    app: &App,
    store: &Store,
    workspace: i64,
    data: &Path,
) -> anyhow::Result<()> {
    let sink = Sink::start()?;
    let actor = Actor::system(workspace, &now());
    let set = [
        ("host", "127.0.0.1".to_owned()),
        ("port", sink.port.to_string()),
        ("security", "none".to_owned()),
        ("from", "psirt@example.com".to_owned()),
    ];
    let channel = NewChannel {
        kind: "mail".to_owned(),
        name: "mail".to_owned(),
        settings: set.map(|(n, v)| (n.to_owned(), v)).into(),
        enabled: true,
        ..NewChannel::default()
    };
    runtime.block_on(notify::set_channel(app.db(), &actor, (app.vault(), random), 0, &channel))?;
    let node = Node::of(data);
    runtime.block_on(worker::start(app, data.to_owned(), node, worker::WORKERS))?;
    // what is left from before is told first
    std::thread::sleep(Duration::from_secs(60));
    let mut times = Vec::new();
    for (n, id) in ["CVE-2026-2001", "CVE-2026-2002", "CVE-2026-2003"].into_iter().enumerate() {
        let file = data.join(format!("{id}.jsonl"));
        std::fs::write(&file, record(id, &format!("pkg-{}", 800 + n), 99, 1))?;
        let started = Instant::now();
        import(store, &file)?;
        match sink.came(id, Duration::from_secs(300)) {
            Some(at) => times.push(at - started),
            None => println!(
                "{}",
                json!({"bench": bench, "what": format!("mail of {id}"), "status": "none came"})
            ),
        }
    }
    for time in times {
        figure(bench, "from a record of 650 releases to the owner's mail", time.as_secs_f64(), "s");
    }
    Ok(())
}

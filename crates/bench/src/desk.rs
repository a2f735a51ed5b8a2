//! `desk`: thirty days of news of many sources against the inventory of a large portfolio. What is measured is what an
//! analyst waits for: a new batch in stories, stories weighed again after a change of weights, the page.

use std::time::Instant;

use anyhow::Context;
use tocsin::intake;
use tocsin::server::{later, now};
use tocsin_core::desk::{self, Memory, NewItem};
use tocsin_core::inventory;
use tocsin_core::platform::access::Actor;
use tocsin_core::platform::change::Change;
use tocsin_core::platform::db::{self, Place};
use tocsin_core::platform::people;
use tocsin_model::query::parse;

use crate::seed::Seed;
use crate::{figure, peak_mib};

/// Components of a release, and names of packages that releases draw from.
const HELD: u64 = 500;
const NAMES: u64 = 30_000;
/// Items of thirty days where it is not told, and of a new batch.
const ITEMS: u64 = 60_000;
const NEW: u64 = 200;
/// Items that one source gives at once.
const TAKEN: u64 = 2_000;
/// Times a page is asked for.
const ASKED: usize = 40;

/// Words that news is made of.
const WORDS: &str = "overflow parser session token firmware update certificate request header device controller bridge pump \
    monitor login cookie buffer memory kernel driver module service server client packet stream archive image radio network \
    cloud gateway sensor scanner script plugin theme library release branch commit patch vendor report researcher conference \
    exploit campaign ransomware botnet malware phishing leak breach fine regulator court award market factory hospital school \
    ministry bridge tunnel harbour airline bakery garden weather football concert festival museum painter novel science";

fn name(n: u64) -> String {
    const HEADS: [&str; 8] = ["lib", "node-", "go-", "py", "fast-", "open", "micro", "net-"];
    const TAILS: [&str; 6] = ["parse", "codec", "socket", "crypt", "cache", "image"];
    format!("{}{}{}", HEADS[(n % 8) as usize], TAILS[(n / 8 % 6) as usize], n)
}

/// One article of about a hundred words; one in six names a component, one in four a flaw.
fn article(seed: &mut Seed, words: &[&str], n: u64, all: u64) -> NewItem {
    let mut word = || words.get(seed.below(words.len() as u64) as usize).copied().unwrap_or("news");
    let title: Vec<&str> = (0..7).map(|_| word()).collect();
    let mut text: Vec<&str> = (0..100).map(|_| word()).collect();
    let (named, flaw) = (name(seed.below(NAMES)), format!("CVE-2026-{}", 10_000 + n / 3 % 20_000));
    if n.is_multiple_of(6) {
        text.insert(20, &named);
    }
    if n.is_multiple_of(4) {
        text.insert(10, &flaw);
    }
    NewItem {
        own: format!("{n}"),
        url: format!("https://news{}.example/{n}", n % 40),
        title: title.join(" "),
        text: text.join(" "),
        published: later(-((n * 720 / all) as i64)),
        reliability: "B".to_owned(),
        credibility: 2,
        ..NewItem::default()
    }
}

fn bom(seed: &mut Seed) -> Vec<u8> {
    let component = |n: u64| {
        let name = name(n);
        serde_json::json!({"type": "library", "name": name, "version": "1.0.0", "purl": format!("pkg:npm/{name}@1.0.0")})
    };
    let list: Vec<serde_json::Value> = (0..HELD).map(|_| component(seed.below(NAMES))).collect();
    serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": list})
        .to_string()
        .into()
}

/// Runs the bench with `--releases N` (2,000 where not told) and `--items N` (60,000) on SQLite, and on the empty
/// PostgreSQL database that `TOCSIN_BENCH_POSTGRES` names.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let told = |name: &str, usual: u64| match args.iter().position(|a| a == name) {
        Some(at) => Ok(args.get(at + 1).with_context(|| format!("{name} N"))?.parse()?),
        None => anyhow::Ok(usual),
    };
    let size = (told("--releases", 2_000)?, told("--items", ITEMS)?);
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(one("desk, SQLite", Place::File(dir.path().join("tocsin.db")), size))?;
    if let Ok(url) = std::env::var("TOCSIN_BENCH_POSTGRES") {
        runtime.block_on(one("desk, PostgreSQL", Place::Postgres(url), size))?;
    }
    Ok(())
}

async fn one(bench: &str, place: Place, (releases, all): (u64, u64)) -> anyhow::Result<()> {
    let mut seed = Seed::new(7);
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let db = db::open(&place).await?;
    let workspace = people::first_workspace(&db, "Bench", &now()).await?;
    let actor = Actor::system(workspace, &now());
    let feeds = Actor::system(0, &now());
    let started = Instant::now();
    for n in 0..releases {
        let mut change = Change::begin(&db, &actor).await?;
        let line = inventory::make_line(&mut change, "Line").await?;
        let product = inventory::make_product(&mut change, line, &format!("Product {}", n / 10)).await?;
        let release = inventory::make_release(&mut change, product, &format!("{n}.0")).await?;
        change.commit().await?;
        let bytes = bom(&mut seed);
        let read = intake::document("bench.cdx.json", &bytes)?;
        let prepared = inventory::prepare_with("bench.cdx.json", bytes, read, None)?;
        inventory::upload(&db, &actor, release, &prepared).await?;
    }
    figure(bench, "releases uploaded", releases as f64 / started.elapsed().as_secs_f64(), "releases/s");
    let started = Instant::now();
    for from in (0..all).step_by(TAKEN as usize) {
        let items = (from..all.min(from + TAKEN)).map(|n| article(&mut seed, &words, n, all)).collect();
        desk::take(&db, &feeds, "wire", items).await?;
    }
    figure(bench, "items taken in", all as f64 / started.elapsed().as_secs_f64(), "items/s");
    let memory = Memory::default();
    let sorted = async |what: &str, memory: &Memory| -> anyhow::Result<desk::Done> {
        let started = Instant::now();
        let done = desk::sort_with(&db, memory, &now, &|_, _| {}).await?;
        figure(bench, what, started.elapsed().as_secs_f64(), "s");
        Ok(done)
    };
    let done = sorted("thirty days sorted for the first time", &memory).await?;
    figure(bench, "items in it", done.items as f64, "1");
    figure(bench, "stories of them", done.opened as f64, "1");
    let mut next = all;
    for (what, memory) in [
        ("a batch of 200, by a program that runs", &memory),
        ("a batch of 200, by one just started", &Memory::default()),
    ] {
        let items = (next..next + NEW)
            .map(|n| NewItem { published: now(), ..article(&mut seed, &words, n, all) })
            .collect();
        next += NEW;
        desk::take(&db, &feeds, "wire", items).await?;
        sorted(what, memory).await?;
    }
    sorted("nothing new", &memory).await?;
    let mut profile = desk::profile(&db, &actor).await?;
    profile.weights.component += 1.0;
    desk::set_profile(&db, &actor, &profile).await?;
    let done = sorted("weighed again after a change of weights", &memory).await?;
    figure(bench, "stories weighed", done.weighed as f64, "1");
    for text in ["", "relevance>=40", "component:libparse0", "is:ours sort:-latest", "id:CVE-2026-10007"] {
        let query = parse(text, &desk::story_schema()).map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut took = Vec::new();
        for _ in 0..ASKED {
            let started = Instant::now();
            desk::story_list(&db, &actor, &query, None, 50).await?;
            took.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        figure(bench, &format!("stories, `{text}`, p95"), took[ASKED * 95 / 100], "ms");
    }
    figure(bench, "memory, peak", peak_mib(), "MiB");
    Ok(())
}

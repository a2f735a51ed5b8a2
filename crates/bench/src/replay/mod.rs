//! `replay`: thirty days of changes of the sources at their true volumes, told by one local server; Tocsin follows them
//! day by day, and what it knows in the end is compared with what a fresh installation takes in at once.

mod publisher;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tocsin::feeds::{self, Means};
use tocsin::outbound::Outbound;
use tocsin::server::now;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{self as sources, Set};
use tocsin_core::platform::db::{self, Place};

use crate::{figure, peak_mib};
use publisher::Publisher;
use world::World;

/// Sources of the replay with the path of each.
const FOLLOWED: [(&str, &str); 9] = [
    ("cvelist", "cvelist"),
    ("csaf", "csaf/provider-metadata.json"),
    ("epss", "epss/scores.csv.gz"),
    ("exploitdb", "exploitdb/files_exploits.csv"),
    ("kev", "kev/kev.json"),
    ("metasploit", "metasploit/modules.json"),
    ("nvd", "nvd"),
    ("osv", "osv"),
    ("vulnrichment", "vulnrichment/develop.zip"),
];

/// Of how many vulnerabilities the two states are compared in everything that is known of them.
const COMPARED: usize = 5_000;

/// Runs the bench with `--days N` (30 where not told) and `--base N` CVE ids known before (100,000).
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let number = |name: &str, default: u64| match args.iter().position(|a| a == name) {
        Some(at) => Ok::<u64, anyhow::Error>(args.get(at + 1).context("a number")?.parse()?),
        None => Ok(default),
    };
    let (days, base) = (number("--days", 30)?, number("--base", 100_000)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = tempfile::tempdir()?;
    let publisher = Publisher::start(World::new(base))?;

    let followed = dir.path().join("followed");
    prepare(&runtime, &followed, &publisher)?;
    let started = Instant::now();
    let first: u64 = sync(&runtime, &followed, &publisher)?.values().map(|t| t.read).sum();
    figure("replay", "the first load: records and facts read", first as f64, "1");
    figure("replay", "the first load", started.elapsed().as_secs_f64(), "s");

    let (mut lags, mut told, mut new) = (Vec::new(), 0, 0);
    let mut spent: BTreeMap<&str, Duration> = BTreeMap::new();
    let before = served(&publisher);
    let following = Instant::now();
    for _ in 0..days {
        told += publisher.world.lock().unwrap_or_else(PoisonError::into_inner).pass();
        let day = Instant::now();
        for (name, took) in sync(&runtime, &followed, &publisher)? {
            *spent.entry(name).or_default() += took.time;
            new += took.changed;
        }
        lags.push(day.elapsed());
    }
    let whole = following.elapsed();
    let after = served(&publisher);
    figure("replay", "days", days as f64, "1");
    figure("replay", "records and facts that the publishers changed, scores aside", told as f64, "1");
    figure("replay", "records and facts taken in as new or changed", new as f64, "1");
    figure("replay", "requests", (after.0 - before.0) as f64, "1");
    figure("replay", "bytes", (after.1 - before.1) as f64 / 1048576.0, "MiB");
    figure("replay", "all days", whole.as_secs_f64(), "s");
    figure("replay", "rate", new as f64 / whole.as_secs_f64(), "1/s");
    for (name, time) in spent {
        figure("replay", &format!("a day of {name}"), time.as_secs_f64() / days.max(1) as f64, "s");
    }
    lags.sort();
    let lag = |share: f64| {
        lags.get((lags.len() as f64 * share) as usize).or(lags.last()).map_or(0.0, Duration::as_secs_f64)
    };
    figure("replay", "from the first request of a day to its last record in the index, p50", lag(0.5), "s");
    figure("replay", "the same, the slowest day", lags.last().map_or(0.0, Duration::as_secs_f64), "s");
    figure("replay", "peak memory, with the publisher", peak_mib(), "MiB");

    let fresh = dir.path().join("fresh");
    prepare(&runtime, &fresh, &publisher)?;
    sync(&runtime, &fresh, &publisher)?;
    compare(&followed, &fresh, &publisher)
}

fn served(publisher: &Publisher) -> (u64, u64) {
    *publisher.served.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A data folder that follows the publisher.
fn prepare(runtime: &tokio::runtime::Runtime, dir: &Path, publisher: &Publisher) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    drop(Store::open(dir)?);
    runtime.block_on(async {
        let db = db::open(&Place::File(dir.join("tocsin.db"))).await?;
        for (name, path) in FOLLOWED {
            let mut options = BTreeMap::new();
            if name == "osv" {
                options.insert("ecosystems".to_owned(), "all".to_owned());
            }
            let set = Set {
                enabled: Some(true),
                address: Some(format!("http://{}/{path}", publisher.host)),
                options,
            };
            sources::set(&db, &feeds::actor(), name, &set).await?;
        }
        Ok(())
    })
}

/// What a source gave on a day.
struct Took {
    read: u64,
    changed: u64,
    time: Duration,
}

/// Asks every source once.
fn sync(
    runtime: &tokio::runtime::Runtime,
    dir: &Path,
    publisher: &Publisher,
) -> anyhow::Result<BTreeMap<&'static str, Took>> {
    let place = Place::File(dir.join("tocsin.db"));
    let outbound = Outbound::new(vec![publisher.host.clone()]);
    let means = Means {
        dir,
        place: &place,
        outbound: &outbound,
        patience: Duration::from_secs(300),
        insists: false,
        told: Arc::new(|_, _, _| {}),
    };
    runtime.block_on(async {
        let db = db::open(&place).await?;
        let mut took = BTreeMap::new();
        for (name, _) in FOLLOWED {
            let source = feeds::source(name)?;
            let (started, began) = (Instant::now(), now());
            let feed = feeds::sync(&db, &means, source).await?;
            anyhow::ensure!(feed.error.is_empty(), "{name}: {}", feed.error);
            // several runs that found nothing new are one
            let last = sources::runs(&db, &feeds::actor(), name).await?.into_iter().next();
            let taken = last.filter(|run| run.outcome == "taken" && run.ended >= began);
            let (read, changed) = taken.map_or((0, 0), |run| (run.read, run.new + run.changed));
            let one =
                Took { read: read.unsigned_abs(), changed: changed.unsigned_abs(), time: started.elapsed() };
            took.insert(name, one);
        }
        Ok(took)
    })
}

/// Says whether two stores know the same: how much of everything, and all that is known of many vulnerabilities.
fn compare(followed: &Path, fresh: &Path, publisher: &Publisher) -> anyhow::Result<()> {
    let (a, b) = (Store::open(followed)?, Store::open(fresh)?);
    let numbers = |store: &Store| -> anyhow::Result<String> {
        let s = store.status()?;
        let sources: Vec<_> =
            s.sources.iter().map(|s| (s.source.clone(), s.records, s.newest.clone())).collect();
        Ok(format!("{sources:?} {} {:?} {:?} {}", s.vulnerabilities, s.epss, s.kev, s.exploits))
    };
    let (one, other) = (numbers(&a)?, numbers(&b)?);
    anyhow::ensure!(one == other, "the numbers differ:\n{one}\n{other}");
    let world = publisher.world.lock().unwrap_or_else(PoisonError::into_inner);
    let step = (world.flaws.len() / COMPARED).max(1);
    let mut same = 0;
    // the last days' flaws one by one, of the others some
    let recent = world.flaws.len().saturating_sub(COMPARED);
    for flaw in world.flaws.iter().enumerate().filter(|(n, _)| *n >= recent || n % step == 0).map(|(_, f)| f)
    {
        let cve = flaw.cve();
        let known = |store: &Store| -> anyhow::Result<String> {
            let shown = store.show(&cve)?;
            let records: Vec<_> =
                shown.records.iter().map(|r| (&r.source, &r.record_id, &r.record)).collect();
            Ok(format!("{} {:?} {records:?} {:?}", shown.id, shown.aliases, shown.facts))
        };
        let (one, other) = (known(&a)?, known(&b)?);
        anyhow::ensure!(one == other, "{cve} differs:\n{one}\n{other}");
        same += 1;
    }
    figure(
        "replay",
        "vulnerabilities compared with a fresh installation, all the same",
        f64::from(same),
        "1",
    );
    Ok(())
}

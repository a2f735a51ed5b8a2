//! MISP feeds (https://www.misp-project.org/feeds/): a folder with `manifest.json` and a file for each event. Its
//! `hashes.csv` serves those who look values up without fetching events, which we have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::desk::NewItem;
use tocsin_core::intel::feeds::{Feed, Mark};
use tocsin_core::platform::clock;
use tocsin_formats::misp::{Listed, event, manifest};

use super::{Reads, Setting, Source, Steps, Stop, Walk, share};

/// See the module.
pub struct Misp;

/// Events taken in together.
const BATCH: usize = 50;
/// Feeds that are followed.
const MOST: usize = 50;
/// Events that are asked for again because they were not right.
const AGAIN: usize = 1000;
/// Events that did not change for so long are not taken in by a first load, in minutes.
const BACK: i64 = 365 * 24 * 60;

impl Source for Misp {
    fn name(&self) -> &'static str {
        "misp"
    }
    fn title(&self) -> &'static str {
        "MISP feeds"
    }
    fn address(&self) -> &'static str {
        "https://www.circl.lu/doc/misp/feed-osint"
    }
    fn file(&self) -> &'static str {
        "misp"
    }
    fn gives(&self) -> &'static str {
        "misp"
    }
    fn cron(&self) -> &'static str {
        "3 * * * *"
    }
    fn most(&self) -> u64 {
        128 << 20
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn reads(&self) -> Option<&dyn Reads> {
        Some(self)
    }
    fn options(&self) -> &'static [Setting] {
        &[
            Setting {
                name: "feeds",
                title: "Feeds",
                words: "Addresses of more feeds beside the address, with commas between: the folder that manifest.json is in.",
            },
            Setting {
                name: "since",
                title: "Since",
                words: "The first day of which changed events are taken in, 2025-01-31. Empty: a year before the first time.",
            },
            share::TLP,
            share::RELIABILITY,
        ]
    }
}

impl Reads for Misp {
    fn items(&self, bytes: &[u8], feed: &Feed) -> Result<(Vec<NewItem>, u64), String> {
        let report = event(bytes).map_err(|d| d.to_string())?;
        Ok((vec![share::item(report, feed)], 0))
    }
}

/// How far each feed is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    feeds: BTreeMap<String, Reached>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    /// When the last event that is taken in changed, in seconds since 1970 …
    until: i64,
    /// … and its id: several have the same time.
    last: String,
    /// Events that were not right and are asked for again.
    again: BTreeSet<String>,
    /// The edition of the manifest that is taken in whole.
    mark: Option<Mark>,
}

impl Reached {
    fn wants(&self, e: &Listed) -> bool {
        (e.changed, e.uuid.as_str()) > (self.until, self.last.as_str()) || self.again.contains(&e.uuid)
    }
}

/// Takes in what is new of a feed.
fn feed(walk: &mut Walk<'_>, cursor: &mut Cursor, base: &str, since: i64) -> Result<(), Stop> {
    let mut reached = cursor.feeds.get(base).cloned().unwrap_or_default();
    reached.until = reached.until.max(since);
    let address = format!("{base}/manifest.json");
    let mark = reached.mark.clone().filter(|m| m.address == address && reached.again.is_empty());
    let Some(document) = walk.fetch(&address, "manifest.json", mark.as_ref())? else { return Ok(()) };
    let bytes = std::fs::read(&document.path).map_err(|e| walk.changed(&e.to_string(), &document))?;
    let (events, left) = manifest(&bytes).map_err(|d| walk.changed(&d.to_string(), &document))?;
    if left > 0 {
        let why = format!("{left} entries of its manifest are no events");
        walk.pass_over(base, Stop::Changed(why))?;
    }
    let new: Vec<Listed> = events.into_iter().filter(|e| reached.wants(e)).collect();
    let total = new.len() as u64;
    for (n, batch) in new.chunks(BATCH).enumerate() {
        let mut documents = Vec::new();
        for (at, one) in batch.iter().enumerate() {
            walk.progress((n * BATCH + at) as u64, total, base);
            let address = format!("{base}/{}.json", one.uuid);
            reached.again.remove(&one.uuid);
            match walk.whole(&address, &format!("{}.json", one.uuid)) {
                // each by itself is read, so that one that is not right is known
                Ok(document) => documents.push((one, address, document)),
                Err(why) => {
                    walk.pass_over(&address, why)?;
                    reached.again.insert(one.uuid.clone());
                }
            }
        }
        for (one, address, document) in documents {
            if let Err(why) = walk.take(&[document]) {
                walk.pass_over(&address, why)?;
                reached.again.insert(one.uuid.clone());
            }
        }
        while reached.again.len() > AGAIN {
            reached.again.pop_first();
        }
        if let Some(last) = batch.last().filter(|l| (l.changed, &l.uuid) > (reached.until, &reached.last)) {
            (reached.until, reached.last) = (last.changed, last.uuid.clone());
        }
        cursor.feeds.insert(base.to_owned(), reached.clone());
        walk.reach(cursor)?;
    }
    reached.mark = Some(Mark { address, etag: document.etag, modified: document.modified });
    cursor.feeds.insert(base.to_owned(), reached);
    walk.reach(cursor)
}

impl Steps for Misp {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        let mut feeds = vec![walk.address().to_owned()];
        let more =
            walk.option("feeds").unwrap_or_default().split(',').map(|f| f.trim().trim_end_matches('/'));
        feeds.extend(more.filter(|f| !f.is_empty()).map(str::to_owned));
        feeds.truncate(MOST);
        let since = match walk.option("since").map(|day| clock::parse(&format!("{day}T00:00:00Z"))) {
            Some(Ok(at)) => at.timestamp(),
            Some(Err(_)) => {
                let why =
                    "the setting `since` is no day like 2025-01-31: tocsin feeds set misp --option since=DAY";
                return Err(Stop::Changed(why.to_owned()));
            }
            None => clock::seconds(&clock::minutes_after(&walk.now, -BACK)),
        };
        for base in &feeds {
            match feed(walk, &mut cursor, base, since) {
                // the only one is the source itself
                Err(why) if feeds.len() > 1 => walk.pass_over(base, why)?,
                other => other?,
            }
        }
        Ok(())
    }

    fn gap(&self, _: bool) -> Duration {
        Duration::from_millis(100)
    }
}

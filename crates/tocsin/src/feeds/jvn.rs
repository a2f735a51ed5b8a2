//! JVN iPedia of IPA, Japan (https://jvndb.jvn.jp/apis/myjvn/): each year of it as one document the first time, then what was
//! updated since, by lists of ids and ten entries at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::platform::clock;
use tocsin_formats::jvn::{Overview, overview};

use super::walk::Document;
use super::{Source, Steps, Stop, Walk};
use crate::outbound::Refused;

/// See the module.
pub struct Jvn;

/// The first year of which there are entries.
const FIRST: u16 = 1998;
/// Entries of a list, and of an answer with details: the most that the API gives.
const PAGE: u64 = 50;
const DETAILS: usize = 10;
/// Begin of a window before the end of the last, in minutes: the API knows days, of Japan.
const OVERLAP: i64 = 2 * 24 * 60;

impl Source for Jvn {
    fn name(&self) -> &'static str {
        "jvn"
    }
    fn title(&self) -> &'static str {
        "JVN iPedia"
    }
    fn address(&self) -> &'static str {
        "https://jvndb.jvn.jp"
    }
    fn file(&self) -> &'static str {
        "jvn"
    }
    fn gives(&self) -> &'static str {
        "jvn"
    }
    fn cron(&self) -> &'static str {
        "9 */4 * * *"
    }
    fn most(&self) -> u64 {
        1 << 30
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
}

/// How far it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// The next year of the first load; 0 before it.
    year: u16,
    /// When the first load began; what was updated since is asked for after it.
    began: String,
    /// Everything that was updated until then is taken in; nothing while the first load goes on.
    until: Option<String>,
    /// What will be so when the pages of now are through; empty between two windows.
    to: String,
    /// Entries of these that are taken in.
    start: u64,
}

/// Year, month and day of an instant as the API wants them.
fn day(name: &str, at: &str) -> String {
    let part =
        |range: std::ops::Range<usize>| at.get(range).unwrap_or("1").trim_start_matches('0').to_owned();
    format!("&{name}Y={}&{name}M={}&{name}D={}", part(0..4), part(5..7), part(8..10))
}

/// The address of a page of the list of what was updated in a window.
fn list(base: &str, until: &str, cursor: &Cursor) -> String {
    format!(
        "{base}/myjvn?method=getVulnOverviewList&feed=hnd&lang=ja&rangeDatePublic=n&rangeDatePublished=n\
         &rangeDateFirstPublished=n{}{}&startItem={}&maxCountItem={PAGE}",
        day("datePublishedStart", &clock::minutes_after(until, -OVERLAP)),
        day("datePublishedEnd", &clock::minutes_after(&cursor.to, OVERLAP / 2)),
        cursor.start + 1
    )
}

/// The years, each as one document.
fn years(walk: &mut Walk<'_>, cursor: &mut Cursor) -> Result<(), Stop> {
    if cursor.began.is_empty() {
        (cursor.began, cursor.year) = (walk.now.clone(), FIRST);
    }
    let last: u16 = walk.now.get(..4).and_then(|y| y.parse().ok()).unwrap_or(FIRST);
    while cursor.year <= last {
        walk.progress(u64::from(cursor.year - FIRST), u64::from(last - FIRST), "years");
        let address = format!("{}/ja/feed/detail/jvndb_detail_{}.rdf", walk.address(), cursor.year);
        match walk.whole(&address, "year.xml") {
            Ok(document) => {
                walk.take(&[document])?;
            }
            // on the first days of a year there is none of it
            Err(Stop::Refused(Refused::Status(_, 404))) if cursor.year == last => {}
            Err(e) => return Err(e),
        }
        cursor.year += 1;
        walk.reach(cursor)?;
    }
    cursor.until = Some(std::mem::take(&mut cursor.began));
    walk.reach(cursor)
}

fn page(document: &Document) -> Result<Overview, String> {
    let bytes = std::fs::read(&document.path).map_err(|e| e.to_string())?;
    overview(&bytes).map_err(|e| e.to_string())
}

/// The entries of a page, ten in a document.
fn details(walk: &mut Walk<'_>, ids: &[String]) -> Result<(), Stop> {
    let mut documents = Vec::new();
    for (n, ids) in ids.chunks(DETAILS).enumerate() {
        let address = format!(
            "{}/myjvn?method=getVulnDetailInfo&feed=hnd&lang=ja&vulnId={}",
            walk.address(),
            ids.join("+")
        );
        documents.push(walk.whole(&address, &format!("details-{n}.xml"))?);
    }
    if documents.is_empty() {
        return Ok(());
    }
    walk.take(&documents).map(|_| ())
}

impl Steps for Jvn {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        if cursor.until.is_none() {
            years(walk, &mut cursor)?;
        }
        let until = cursor.until.clone().unwrap_or_else(|| walk.now.clone());
        if cursor.to.is_empty() {
            (cursor.to, cursor.start) = (walk.now.clone(), 0);
        }
        loop {
            let document = walk.whole(&list(walk.address(), &until, &cursor), "list.xml")?;
            let found = page(&document).map_err(|why| walk.changed(&why, &document))?;
            let came = found.ids.len() as u64;
            if came > PAGE || (came == 0 && cursor.start < found.total) {
                let why = format!("{came} of {} entries came after {}", found.total, cursor.start);
                return Err(walk.changed(&why, &document));
            }
            details(walk, &found.ids)?;
            cursor.start += came;
            walk.progress(cursor.start.min(found.total), found.total, "entries");
            if cursor.start >= found.total {
                break;
            }
            walk.reach(&cursor)?;
        }
        walk.reach(&Cursor { until: Some(cursor.to), ..Cursor::default() })
    }

    fn gap(&self, _: bool) -> Duration {
        // what IPA asks of programs is that they do not call without pause
        Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_a_window_by_days() {
        let cursor = Cursor { to: "2026-01-31T12:00:00.000Z".to_owned(), start: 50, ..Cursor::default() };
        let address = list("B", "2026-01-05T12:00:00.000Z", &cursor);
        assert!(
            address.contains("&datePublishedStartY=2026&datePublishedStartM=1&datePublishedStartD=3&"),
            "{address}"
        );
        assert!(
            address.contains("&datePublishedEndY=2026&datePublishedEndM=2&datePublishedEndD=1&"),
            "{address}"
        );
        assert!(address.ends_with("&startItem=51&maxCountItem=50"), "{address}");
    }
}

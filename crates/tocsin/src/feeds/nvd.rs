//! NIST's National Vulnerability Database, API 2.0 (https://nvd.nist.gov/developers/vulnerabilities): all of it in pages
//! the first time, then what was modified since, in windows of at most 120 days.

use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::platform::clock;

use super::walk::Document;
use super::{Key, Source, Steps, Stop, Walk};

/// See the module.
pub struct Nvd;

/// Records of a page: the most that the API gives.
const PAGE: u64 = 2000;
/// Longest window that the API answers, in minutes.
const WINDOW: i64 = 120 * 24 * 60;
/// Begin of a window before the end of the last, in minutes: clocks differ, and records appear late.
const OVERLAP: i64 = 60;

impl Source for Nvd {
    fn name(&self) -> &'static str {
        "nvd"
    }
    fn title(&self) -> &'static str {
        "NIST National Vulnerability Database"
    }
    fn address(&self) -> &'static str {
        "https://services.nvd.nist.gov/rest/json/cves/2.0"
    }
    fn file(&self) -> &'static str {
        "nvd"
    }
    fn gives(&self) -> &'static str {
        "nvd"
    }
    fn cron(&self) -> &'static str {
        "29 */2 * * *"
    }
    fn most(&self) -> u64 {
        512 << 20
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn key(&self) -> Option<&'static Key> {
        Some(&Key {
            header: "apikey",
            before: "",
            words: "API key of NVD: 50 requests in 30 s in place of 5; asked for at \
                    https://nvd.nist.gov/developers/request-an-api-key",
        })
    }
}

/// How far it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Everything that was modified until then is taken in; nothing while the first load goes on.
    until: Option<String>,
    /// What will be so when the pages of now are through; empty between two windows.
    to: String,
    /// Records of these pages that are taken in.
    start: u64,
}

impl Cursor {
    /// Begins the next window, where none is open.
    fn open(&mut self, now: &str) {
        if self.to.is_empty() {
            let furthest = self.until.as_deref().map(|u| clock::minutes_after(u, WINDOW - OVERLAP));
            self.to = furthest.filter(|f| f.as_str() < now).unwrap_or_else(|| now.to_owned());
            self.start = 0;
        }
    }

    /// The address of the next page.
    fn page(&self, base: &str) -> String {
        let mut address = format!("{base}?resultsPerPage={PAGE}&startIndex={}", self.start);
        if let Some(until) = &self.until {
            let from = clock::minutes_after(until, -OVERLAP);
            address.push_str(&format!("&lastModStartDate={from}&lastModEndDate={}", self.to));
        }
        address
    }
}

/// What a page says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    results_per_page: u64,
    start_index: u64,
    total_results: u64,
}

fn head(document: &Document) -> Result<Head, String> {
    let file = File::open(&document.path).map_err(|e| e.to_string())?;
    serde_json::from_reader(BufReader::with_capacity(1 << 17, file)).map_err(|e| e.to_string())
}

impl Steps for Nvd {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        loop {
            cursor.open(&walk.now);
            loop {
                let page = walk.whole(&cursor.page(walk.address()), "page.json")?;
                let head = match head(&page) {
                    Ok(head) => head,
                    Err(why) => {
                        // what of it is understood is kept; the page is asked for again
                        walk.take(std::slice::from_ref(&page))?;
                        return Err(walk.changed(&why, &page));
                    }
                };
                let more = head.start_index == cursor.start && head.results_per_page > 0;
                if head.total_results > cursor.start && !more {
                    let why = format!(
                        "{} records from {} on came where those from {} on were asked for",
                        head.results_per_page, head.start_index, cursor.start
                    );
                    return Err(walk.changed(&why, &page));
                }
                if head.total_results > cursor.start {
                    walk.take(&[page])?;
                    cursor.start += head.results_per_page;
                }
                walk.progress(cursor.start.min(head.total_results), head.total_results, "records");
                if cursor.start >= head.total_results {
                    break;
                }
                walk.reach(&cursor)?;
            }
            let done = cursor.to >= walk.now;
            cursor = Cursor { until: Some(cursor.to), to: String::new(), start: 0 };
            walk.reach(&cursor)?;
            if done {
                return Ok(());
            }
        }
    }

    fn gap(&self, keyed: bool) -> Duration {
        // 5 and 50 requests in 30 seconds
        Duration::from_millis(if keyed { 600 } else { 6000 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-06-01T00:00:00.000Z";

    #[test]
    fn windows_follow_each_other_with_an_overlap_and_none_is_longer_than_120_days() {
        let mut first = Cursor::default();
        first.open(NOW);
        assert_eq!(first, Cursor { until: None, to: NOW.to_owned(), start: 0 });
        assert_eq!(first.page("B"), "B?resultsPerPage=2000&startIndex=0");
        let mut late = Cursor { until: Some("2026-01-01T00:00:00.000Z".to_owned()), ..Cursor::default() };
        late.open(NOW);
        assert_eq!(late.to, "2026-04-30T23:00:00.000Z");
        late.start = 4000;
        assert_eq!(
            late.page("B"),
            "B?resultsPerPage=2000&startIndex=4000&lastModStartDate=2025-12-31T23:00:00.000Z\
             &lastModEndDate=2026-04-30T23:00:00.000Z"
        );
        late.open("2027-01-01T00:00:00.000Z");
        assert_eq!((late.to.as_str(), late.start), ("2026-04-30T23:00:00.000Z", 4000), "an open one stays");
        let mut last = Cursor { until: Some(late.to), ..Cursor::default() };
        last.open(NOW);
        assert_eq!(last.to, NOW);
    }

    #[test]
    fn no_more_requests_than_are_allowed() {
        assert!(Nvd.gap(false) * 5 >= Duration::from_secs(30));
        assert!(Nvd.gap(true) * 50 >= Duration::from_secs(30));
    }
}

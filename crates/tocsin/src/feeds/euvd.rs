//! ENISA's European Union Vulnerability Database (https://euvd.enisa.europa.eu/apidoc): all of it in pages the first time,
//! then what was updated since, by day.

use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::platform::clock;

use super::walk::Document;
use super::{Source, Steps, Stop, Walk};

/// See the module.
pub struct Euvd;

/// Records of a page: the most that the API gives.
const PAGE: u64 = 100;
/// Begin of a window before the end of the last, in minutes: the API knows days, of Brussels.
const OVERLAP: i64 = 2 * 24 * 60;

impl Source for Euvd {
    fn name(&self) -> &'static str {
        "euvd"
    }
    fn title(&self) -> &'static str {
        "European Union Vulnerability Database"
    }
    fn address(&self) -> &'static str {
        "https://euvdservices.enisa.europa.eu/api/search"
    }
    fn file(&self) -> &'static str {
        "euvd"
    }
    fn gives(&self) -> &'static str {
        "euvd"
    }
    fn cron(&self) -> &'static str {
        "53 */3 * * *"
    }
    fn most(&self) -> u64 {
        64 << 20
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
}

/// How far it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Everything that was updated until then is taken in; nothing while the first load goes on.
    until: Option<String>,
    /// What will be so when the pages of now are through; empty between two windows.
    to: String,
    /// Pages of these that are taken in.
    page: u64,
}

impl Cursor {
    /// The address of the next page.
    fn address(&self, base: &str) -> String {
        let mut address = format!("{base}?size={PAGE}&page={}", self.page);
        if let Some(until) = &self.until {
            let day = |at: &str| at.chars().take(10).collect::<String>();
            let from = day(&clock::minutes_after(until, -OVERLAP));
            // an update of today is still of the window: its end is the day after
            let to = day(&clock::minutes_after(&self.to, OVERLAP / 2));
            address.push_str(&format!("&fromUpdatedDate={from}&toUpdatedDate={to}"));
        }
        address
    }
}

/// What a page says of itself.
#[derive(Debug, Deserialize)]
struct Head {
    total: u64,
    items: Vec<serde::de::IgnoredAny>,
}

fn head(document: &Document) -> Result<Head, String> {
    let file = File::open(&document.path).map_err(|e| e.to_string())?;
    serde_json::from_reader(BufReader::with_capacity(1 << 17, file)).map_err(|e| e.to_string())
}

impl Steps for Euvd {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        if cursor.to.is_empty() {
            (cursor.to, cursor.page) = (walk.now.clone(), 0);
        }
        loop {
            let page = walk.whole(&cursor.address(walk.address()), "page.json")?;
            let head = match head(&page) {
                Ok(head) => head,
                Err(why) => {
                    // what of it is understood is kept; the page is asked for again
                    walk.take(std::slice::from_ref(&page))?;
                    return Err(walk.changed(&why, &page));
                }
            };
            let (before, came) = (cursor.page * PAGE, head.items.len() as u64);
            if came > PAGE || (came == 0 && before < head.total) {
                let why = format!("{came} of {} records came after {before}", head.total);
                return Err(walk.changed(&why, &page));
            }
            if came > 0 {
                walk.take(&[page])?;
            }
            let done = before + came;
            walk.progress(done.min(head.total), head.total, "records");
            if done >= head.total || came < PAGE {
                break;
            }
            cursor.page += 1;
            walk.reach(&cursor)?;
        }
        walk.reach(&Cursor { until: Some(cursor.to), to: String::new(), page: 0 })
    }

    fn gap(&self, _: bool) -> Duration {
        Duration::from_millis(500)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_by_two_days_and_reach_over_today() {
        let mut cursor = Cursor { to: "2026-03-01T23:30:00.000Z".to_owned(), ..Cursor::default() };
        assert_eq!(cursor.address("B"), "B?size=100&page=0");
        cursor.until = Some("2026-03-01T00:10:00.000Z".to_owned());
        cursor.page = 3;
        assert_eq!(
            cursor.address("B"),
            "B?size=100&page=3&fromUpdatedDate=2026-02-27&toUpdatedDate=2026-03-02"
        );
    }
}

//! The CVE list (https://github.com/CVEProject/cvelistV5): releases of the repository every hour, each with what changed
//! (`2026-01-02_delta_CVEs_at_0300Z.zip`) and all of the list as of midnight (`2026-01-02_all_CVEs_at_midnight.zip.zip`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fetch::GAP;
use super::walk::Document;
use super::{Key, Source, Steps, Stop, Walk};

/// See the module.
pub struct CveList;

/// What GitHub is asked with.
pub(super) const GITHUB: Key = Key {
    header: "authorization",
    before: "Bearer ",
    words: "Token of GitHub without any right: more than 60 requests an hour from one address; made at \
            https://github.com/settings/tokens",
};

/// Releases of a page, and pages looked through before all of the list is taken anew.
const PAGE: usize = 100;
const PAGES: u32 = 5;

impl Source for CveList {
    fn name(&self) -> &'static str {
        "cvelist"
    }
    fn title(&self) -> &'static str {
        "CVE list"
    }
    fn address(&self) -> &'static str {
        "https://api.github.com/repos/CVEProject/cvelistV5/releases"
    }
    fn file(&self) -> &'static str {
        "cvelist"
    }
    fn gives(&self) -> &'static str {
        "cve"
    }
    fn cron(&self) -> &'static str {
        "13 * * * *"
    }
    fn most(&self) -> u64 {
        8 << 30
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn key(&self) -> Option<&'static Key> {
        Some(&GITHUB)
    }
}

/// How far it is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// When the last release that is taken in was published; empty before the first load.
    until: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Release {
    tag_name: String,
    published_at: String,
    #[serde(default)]
    assets: Vec<Asset>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Asset {
    name: String,
    browser_download_url: String,
}

impl Release {
    fn deltas(&self) -> impl Iterator<Item = &Asset> {
        self.assets.iter().filter(|a| a.name.contains("_delta_CVEs_at_"))
    }

    /// All of the list, and the midnight that it is of.
    fn all(&self) -> Option<(&Asset, String)> {
        let asset = self.assets.iter().find(|a| a.name.contains("_all_CVEs_at_midnight"))?;
        let day = asset.name.get(..10).filter(|d| d.bytes().all(|b| b.is_ascii_digit() || b == b'-'))?;
        Some((asset, format!("{day}T00:00:00Z")))
    }
}

/// Releases of one page, newest first.
fn read(document: &Document) -> Result<Vec<Release>, String> {
    let bytes = std::fs::read(&document.path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|e| e.to_string())
}

/// Releases that are new since `until`, newest first, and whether the list reaches back to it.
fn since(walk: &mut Walk<'_>, until: &str) -> Result<(Vec<Release>, bool), Stop> {
    let mut found: Vec<Release> = Vec::new();
    for page in 1..=PAGES {
        let address = format!("{}?per_page={PAGE}&page={page}", walk.address());
        let document = walk.whole(&address, "releases.json")?;
        let releases = read(&document).map_err(|why| walk.changed(&why, &document))?;
        if page == 1 && releases.is_empty() {
            return Err(walk.changed("there is no release", &document));
        }
        let last = releases.len() < PAGE;
        let reached = releases.iter().any(|r| r.published_at.as_str() <= until);
        found.extend(releases.into_iter().filter(|r| r.published_at.as_str() > until));
        // a first load wants the newest list alone
        if reached || last || (until.is_empty() && found.iter().any(|r| r.all().is_some())) {
            return Ok((found, reached));
        }
    }
    Ok((found, false))
}

impl Steps for CveList {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        let (mut releases, reached) = since(walk, &cursor.until)?;
        if !reached {
            let Some((asset, midnight)) = releases.iter().find_map(|r| r.all().map(|(a, m)| (a.clone(), m)))
            else {
                return Err(Stop::Changed(
                    "No release of the CVE list holds all of it (…_all_CVEs_at_midnight.zip.zip): the publisher may \
                     have changed its releases. What was known before stays."
                        .to_owned(),
                ));
            };
            walk.progress(0, 0, "all of the list");
            let all = walk.whole(&asset.browser_download_url, "all.zip")?;
            walk.take(&[all])?;
            cursor.until = midnight;
            walk.reach(&cursor)?;
            releases.retain(|r| r.published_at.as_str() > cursor.until.as_str());
        }
        releases.sort_by(|a, b| (&a.published_at, &a.tag_name).cmp(&(&b.published_at, &b.tag_name)));
        let total = releases.len();
        for (n, release) in releases.iter().enumerate() {
            walk.progress(n as u64, total as u64, &release.tag_name);
            if release.deltas().next().is_none() && n + 1 == total {
                // its files are still being put there
                return Ok(());
            }
            for delta in release.deltas() {
                let document = walk.whole(&delta.browser_download_url, "delta.zip")?;
                walk.take(&[document])?;
            }
            cursor.until.clone_from(&release.published_at);
            walk.reach(&cursor)?;
        }
        Ok(())
    }

    fn gap(&self, _: bool) -> Duration {
        GAP
    }
}

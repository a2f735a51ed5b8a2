//! OSV (https://google.github.io/osv.dev/data/): a bucket with a folder for each ecosystem, in it all records as
//! `all.zip`, each as `ID.json`, and `modified_id.csv`, which tells when each was modified, the newest first. GitHub's
//! advisories are among them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::platform::clock;

use super::walk::Document;
use super::{Mark, Setting, Source, Steps, Stop, Walk};

/// See the module.
pub struct Osv;

/// More changed records than this are fetched as the whole archive.
const SINGLY: usize = 1000;
/// Records fetched before they are taken in together.
const BATCH: usize = 100;
/// Lines of a list that are looked at.
const LINES: usize = 5_000_000;
/// What is asked for again, in minutes: an archive may be older than its list.
const OVERLAP: i64 = 6 * 60;

impl Source for Osv {
    fn name(&self) -> &'static str {
        "osv"
    }
    fn title(&self) -> &'static str {
        "OSV, with GitHub advisories"
    }
    fn address(&self) -> &'static str {
        "https://osv-vulnerabilities.storage.googleapis.com"
    }
    fn file(&self) -> &'static str {
        "osv"
    }
    fn gives(&self) -> &'static str {
        "osv"
    }
    fn cron(&self) -> &'static str {
        "17 * * * *"
    }
    fn most(&self) -> u64 {
        4 << 30
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn options(&self) -> &'static [Setting] {
        &[Setting {
            name: "ecosystems",
            title: "Ecosystems",
            words: "Names as OSV writes them, with commas between (npm,PyPI,Debian); empty: those that the inventory \
                    holds packages of; all: every one.",
        }]
    }
}

/// How far each ecosystem is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    ecosystems: BTreeMap<String, Reached>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    /// What was modified until then is taken in.
    until: String,
    /// The list of then.
    list: Option<Mark>,
    /// Records of the overlap that are taken in, with when they were modified.
    seen: BTreeMap<String, String>,
}

/// A segment of an address (RFC 3986, section 3.3).
fn segment(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Whether a text can be the id of a record, and the name of a file.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 200
        && !id.starts_with('.')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
}

/// Ids that were modified after `since` with when, newest first, and the newest time of the list.
fn modified(document: &Document, since: &str) -> Result<(Vec<(String, String)>, String), String> {
    let file = std::fs::File::open(&document.path).map_err(|e| e.to_string())?;
    let (mut found, mut newest) = (Vec::new(), String::new());
    let mut lines = BufReader::new(file).take(1 << 30).lines();
    for n in 1..=LINES {
        let Some(line) = lines.next() else { break };
        let line = line.map_err(|e| e.to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        let (at, id) = line.trim().split_once(',').ok_or_else(|| format!("line {n} has no comma"))?;
        let at = clock::parse(at).map(clock::text).map_err(|e| format!("line {n}: {e}"))?;
        // the list of all ecosystems has their names before the ids
        let id = id.rsplit('/').next().unwrap_or_default();
        if !is_id(id) {
            return Err(format!("line {n}: `{}` is no id", id.chars().take(80).collect::<String>()));
        }
        if at > newest {
            newest.clone_from(&at);
        }
        if at.as_str() > since {
            found.push((id.to_owned(), at));
        }
    }
    if newest.is_empty() { Err("the list is empty".to_owned()) } else { Ok((found, newest)) }
}

/// The ecosystems that are followed, of those that there are.
fn chosen(walk: &Walk<'_>, there: &[String]) -> Vec<String> {
    let wanted: Vec<&str> = match walk.option("ecosystems") {
        Some("all") => return there.to_vec(),
        Some(names) => names.split(',').map(str::trim).filter(|n| !n.is_empty()).collect(),
        None => walk.ecosystems.iter().map(String::as_str).collect(),
    };
    there.iter().filter(|t| wanted.iter().any(|w| w.eq_ignore_ascii_case(t))).cloned().collect()
}

/// Takes in one ecosystem.
fn ecosystem(walk: &mut Walk<'_>, name: &str, cursor: &mut Cursor) -> Result<(), Stop> {
    let base = format!("{}/{}", walk.address(), segment(name));
    let address = format!("{base}/modified_id.csv");
    let before = cursor.ecosystems.get(name).cloned().unwrap_or_default();
    let mark = before.list.clone().filter(|m| m.address == address);
    let Some(list) = walk.fetch(&address, "modified_id.csv", mark.as_ref())? else { return Ok(()) };
    let since =
        if before.until.is_empty() { String::new() } else { clock::minutes_after(&before.until, -OVERLAP) };
    let (found, newest) = modified(&list, &since).map_err(|why| walk.changed(&why, &list))?;
    let from = clock::minutes_after(&newest, -OVERLAP);
    let wanted: Vec<(String, String)> =
        found.iter().filter(|(id, at)| before.seen.get(id) != Some(at)).cloned().collect();
    let whole = before.until.is_empty() || wanted.len() > SINGLY;
    if whole {
        walk.progress(0, 0, &format!("{name}: all records"));
        let all = walk.whole(&format!("{base}/all.zip"), "all.zip")?;
        walk.take(&[all])?;
    } else {
        let (total, mut done) = (wanted.len() as u64, 0);
        // oldest first: what is broken off has a beginning, not an end
        for batch in wanted.rchunks(BATCH).rev() {
            let mut documents = Vec::new();
            for (id, _) in batch {
                walk.progress(done, total, name);
                done += 1;
                match walk
                    .whole(&format!("{base}/{}.json", segment(id)), &format!("{}.json", id.replace(':', "_")))
                {
                    Ok(document) => documents.push(document),
                    // withdrawn from the bucket since the list was written
                    Err(Stop::Refused(crate::outbound::Refused::Status(_, 404))) => {}
                    Err(e) => return Err(e),
                }
            }
            if !documents.is_empty() {
                walk.take(&documents)?;
            }
        }
    }
    // of an archive, what its list has for new may not be in it: that is asked for once more, by itself
    let seen = if whole { BTreeMap::new() } else { found.into_iter().filter(|(_, at)| *at > from).collect() };
    let list = Some(Mark { address, etag: list.etag, modified: list.modified }).filter(|_| !whole);
    cursor.ecosystems.insert(name.to_owned(), Reached { until: newest, list, seen });
    walk.reach(cursor)
}

impl Steps for Osv {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        let list = walk.whole(&format!("{}/ecosystems.txt", walk.address()), "ecosystems.txt")?;
        let text = std::fs::read_to_string(&list.path).unwrap_or_default();
        let there: Vec<String> = text
            .lines()
            .map(|l| l.trim().to_owned())
            // releases of a distribution have folders of their own, whose records its own folder holds too
            .filter(|l| {
                !l.is_empty() && l.len() <= 100 && !l.contains([':', '/', '<', '\\']) && !l.starts_with('.')
            })
            .collect();
        if there.is_empty() {
            return Err(walk.changed("it names no ecosystem", &list));
        }
        let names = chosen(walk, &there);
        for (n, name) in names.iter().enumerate() {
            walk.progress(n as u64, names.len() as u64, name);
            if let Err(why) = ecosystem(walk, name, &mut cursor) {
                walk.pass_over(name, why)?;
            }
        }
        Ok(())
    }

    fn gap(&self, _: bool) -> Duration {
        // a bucket made for many small requests
        Duration::from_millis(40)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> (tempfile::TempDir, Document) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l.csv");
        std::fs::write(&path, text).unwrap();
        (dir, Document { path, etag: None, modified: None, bytes: 0 })
    }

    #[test]
    fn a_list_tells_what_is_newer() {
        let (_dir, document) = list(
            "2026-01-03T00:00:00.5Z,GHSA-3\n2026-01-02T00:00:00Z,npm/GHSA-2\n\n2026-01-01T00:00:00.123456Z,MAL-1\n",
        );
        let (found, newest) = modified(&document, "2026-01-01T12:00:00.000Z").unwrap();
        assert_eq!(newest, "2026-01-03T00:00:00.500Z");
        assert_eq!(found.iter().map(|f| f.0.as_str()).collect::<Vec<_>>(), ["GHSA-3", "GHSA-2"]);
        for bad in ["", "yesterday,X-1\n", "2026-01-03T00:00:00Z\n", "2026-01-03T00:00:00Z,..\n"] {
            assert!(modified(&list(bad).1, "").is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_segments_of_an_address() {
        assert_eq!(segment("GitHub Actions"), "GitHub%20Actions");
        assert_eq!(segment("../x?y#z"), "..%2Fx%3Fy%23z");
        for bad in ["", ".", "../x", "a b", "a/b", "%2e"] {
            assert!(!is_id(bad), "{bad}");
        }
        assert!(is_id("RHSA-2024:1234") && is_id("openSUSE-SU-2024:0001-1") && is_id("GO-2024-1"));
    }
}

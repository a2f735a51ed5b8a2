//! Documents for the desk: read by their source, taken in as items, marked as the operator wants where they do not say.

use std::io::Read;
use std::path::{Path, PathBuf};

use tocsin_core::desk::NewItem;
use tocsin_core::intel::Store;
use tocsin_core::intel::feeds::{Feed, Sum};
use tocsin_formats::shared::Report;

use super::walk::Took;
use super::{Reads, Setting, Source, actor};
use crate::error::Error;

/// Marking of what bears none.
pub(super) const TLP: Setting = Setting {
    name: "tlp",
    title: "Marking",
    words: "Marking of the Traffic Light Protocol of what bears none: CLEAR, GREEN, AMBER, AMBER+STRICT or RED. Empty: AMBER.",
};
/// Reliability of the source.
pub(super) const RELIABILITY: Setting = Setting {
    name: "reliability",
    title: "Reliability",
    words: "Reliability of the source in the Admiralty code, A (completely reliable) to F (cannot be judged). Empty: F.",
};

/// A report as an item, with what the settings say where it says nothing.
pub(super) fn item(report: Report, feed: &Feed) -> NewItem {
    let set = |name: &str| feed.options.get(name).map(|v| v.trim().to_owned()).unwrap_or_default();
    let tlp = match (report.tlp.is_empty(), set("tlp")) {
        (false, _) => report.tlp,
        (true, own) if own.is_empty() => "AMBER".to_owned(),
        (true, own) => own,
    };
    NewItem {
        own: report.id,
        url: report.url,
        title: report.title,
        text: report.text,
        author: report.author,
        published: report.published,
        tlp,
        reliability: set("reliability"),
        credibility: i64::from(report.credibility),
        ..NewItem::default()
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let io = |e| Error::io(path.display().to_string(), e);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(most).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Takes documents in, one after another; one that is not understood costs itself alone.
pub(super) fn take(
    store: &Store,
    source: &dyn Source,
    reads: &dyn Reads,
    feed: &Feed,
    paths: &[PathBuf],
) -> Result<Took, Error> {
    let mut took = Took { sum: Sum::default(), empty: true, broken: None, first: None };
    let mut items = Vec::new();
    for path in paths {
        let bytes = read(path, source.most())?;
        took.sum.documents += 1;
        took.sum.bytes += bytes.len() as u64;
        match reads.items(&bytes, feed) {
            Ok((found, refused)) => {
                took.sum.read += found.len() as u64;
                took.sum.refused += refused;
                items.extend(found);
            }
            Err(why) => {
                took.sum.refused += 1;
                took.empty = false;
                took.first.get_or_insert(why);
            }
        }
    }
    if !items.is_empty() {
        let taken = store.take_items(&actor(), source.name(), items)?;
        (took.sum.new, took.sum.changed) = (taken.new, taken.changed);
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use tocsin_engine::entities::{Dictionary, Kind, find};
    use tocsin_formats::{misp, stix};

    use super::*;

    /// What the desk finds in a text.
    fn found(text: &str) -> Vec<String> {
        let all = find(text, &Dictionary::new([]), &[]);
        let of = |kind: &Kind| matches!(kind, Kind::Indicator(_) | Kind::Vulnerability | Kind::Technique);
        all.into_iter().filter(|e| of(&e.kind)).map(|e| e.value).collect()
    }

    #[test]
    fn the_desk_finds_what_reports_name() {
        let event = br#"{"Event": {"uuid": "57c4445b-c548-4654-af0b-4be3950d210f", "info": "Pumps", "Attribute": [
            {"type": "vulnerability", "value": "CVE-2025-0001"},
            {"type": "ip-dst", "value": "198.51.100.7", "comment": "seen again and again by more than twelve of us in the spring of the year"},
            {"type": "domain", "value": "bad-pump.com"}]}}"#;
        let report = misp::event(event).unwrap();
        let all = found(&report.text);
        for wanted in ["CVE-2025-0001", "198.51.100.7", "bad-pump.com"] {
            assert!(all.iter().any(|v| v == wanted), "{wanted}: {all:?} in {}", report.text);
        }
        let bundle = br#"{"type": "bundle", "id": "bundle--1", "objects": [{"type": "indicator", "id": "indicator--1", "pattern_type": "stix",
            "name": "A server", "pattern": "[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'bad-pump.com' OR url:value = 'https://bad-pump.com/x']"}]}"#;
        let report = stix::envelope(bundle).unwrap().reports.remove(0);
        let all = found(&report.text);
        for wanted in ["198.51.100.7", "bad-pump.com", "https://bad-pump.com/x"] {
            assert!(all.iter().any(|v| v == wanted), "{wanted}: {all:?} in {}", report.text);
        }
    }

    #[test]
    fn what_bears_no_marking_is_kept_close_unless_the_operator_says_otherwise() {
        let mut feed = Feed::default();
        assert_eq!(item(Report::default(), &feed).tlp, "AMBER");
        feed.options.insert("tlp".to_owned(), " GREEN".to_owned());
        assert_eq!(item(Report::default(), &feed).tlp, "GREEN");
        let marked = Report { tlp: "RED".to_owned(), ..Report::default() };
        assert_eq!(item(marked, &feed).tlp, "RED");
    }
}

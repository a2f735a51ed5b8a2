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
        let taken = store.share(&actor(), source.name(), items)?;
        (took.sum.new, took.sum.changed) = (taken.new, taken.changed);
    }
    Ok(took)
}

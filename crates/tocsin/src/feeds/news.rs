//! News: RSS, Atom and JSON Feed of CERTs, makers and those who write about both.

use std::time::Duration;

use tocsin_core::desk::NewItem;
use tocsin_core::intel::feeds::{Feed, Mark};
use tocsin_formats::news;

use super::parts::{self, Part, Place, Reached};
use super::{Known, Setting, Source, Steps, Stop, Walk, known};

/// See the module.
pub struct News;

impl Source for News {
    fn name(&self) -> &'static str {
        "news"
    }
    fn title(&self) -> &'static str {
        "News feeds"
    }
    fn address(&self) -> &'static str {
        ""
    }
    fn file(&self) -> &'static str {
        "news"
    }
    fn gives(&self) -> &'static str {
        "items"
    }
    fn cron(&self) -> &'static str {
        "3,18,33,48 * * * *"
    }
    fn most(&self) -> u64 {
        news::MOST as u64
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn options(&self) -> &'static [Setting] {
        &[Setting {
            name: "feeds",
            title: "Feeds",
            words: "RSS, Atom or JSON Feed, one on each line: its address, then, as you like, a name, the reliability of \
                    the source (A to F, Admiralty code) and a marking. https://cert.example/feed.xml Example CERT B \
                    TLP:CLEAR",
        }]
    }
    fn lines(&self, option: &str) -> bool {
        option == "feeds"
    }
    fn desk(&self) -> bool {
        true
    }
    fn check(&self, option: &str, value: &str) -> Result<(), String> {
        if option == "feeds" { parts::listed(value).map(|_| ()) } else { Ok(()) }
    }
    fn missing(&self, feed: &Feed) -> Option<&'static str> {
        places(feed).is_empty().then_some("feeds")
    }
    fn parts(&self, feed: &Feed) -> Vec<Part> {
        parts::told(places(feed), feed)
    }
    fn known(&self) -> Option<(&'static str, &'static [Known])> {
        Some(("feeds", known::FEEDS))
    }
}

fn places(feed: &Feed) -> Vec<Place> {
    feed.options.get("feeds").and_then(|text| parts::listed(text).ok()).unwrap_or_default()
}

impl Steps for News {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let places = parts::listed(walk.option("feeds").unwrap_or_default()).map_err(Stop::Changed)?;
        parts::each(walk, &places, one)
    }
    fn gap(&self, _: bool) -> Duration {
        Duration::from_secs(1)
    }
}

/// Takes in what is new of one feed.
fn one(walk: &mut Walk<'_>, place: &Place, reached: &mut Reached) -> Result<(), Stop> {
    let mark = reached.mark.clone().filter(|m| m.address == place.address);
    let Some(document) = walk.fetch(&place.address, "feed", mark.as_ref())? else { return Ok(()) };
    let bytes = super::csaf::read(&document.path, news::MOST as u64).map_err(Stop::Changed)?;
    let (feed, said) =
        news::read(&bytes, &place.address).map_err(|d| Stop::Changed(fault(&d.to_string())))?;
    let items: Vec<NewItem> = feed.items.into_iter().map(|i| item(i, place)).collect();
    // a first item that says nothing is no reason to doubt the feed, a feed of nothing else is
    if items.is_empty() && !said.is_empty() {
        return Err(Stop::Changed(fault(&said.first().map(ToString::to_string).unwrap_or_default())));
    }
    reached.items = items.len() as u64;
    walk.give(&place.name, "", items, document.bytes)?;
    if !feed.whole {
        let first = said.first().map(ToString::to_string).unwrap_or_default();
        return Err(Stop::Changed(format!(
            "The feed could not be read to its end ({first}). What stands before that was taken in; it is asked for \
             again at its next time."
        )));
    }
    reached.mark =
        Some(Mark { address: place.address.clone(), etag: document.etag, modified: document.modified });
    Ok(())
}

fn fault(why: &str) -> String {
    format!(
        "What came is not understood ({why}). See whether its address still is that of a feed; what was known before stays."
    )
}

/// An item as the desk takes it.
fn item(i: news::NewsItem, place: &Place) -> NewItem {
    NewItem {
        own: i.id,
        url: i.url,
        title: i.title,
        text: i.text,
        author: i.author,
        published: i.published.unwrap_or_default(),
        tlp: place.tlp.clone(),
        reliability: place.reliability.clone(),
        credibility: 0,
        thread: i.answers,
    }
}

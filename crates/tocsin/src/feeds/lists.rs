//! Mailing lists: archives of public-inbox (`new.atom`, each message as it was sent) and mbox files, also those of
//! Pipermail and HyperKitty by month.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_core::desk::NewItem;
use tocsin_core::intel::feeds::{Feed, Mark};
use tocsin_formats::mail::{self, Mail};
use tocsin_formats::news::{self, NewsItem};

use super::items::Bundle;
use super::parts::{self, Part, Place, Reached};
use super::walk::Document;
use super::{Known, Setting, Source, Steps, Stop, Walk, known};
use crate::mail::of_message;
use crate::outbound::Refused;

/// See the module.
pub struct Lists;

/// Longest mbox, packed or unpacked, in bytes.
const MBOX: u64 = 64 << 20;
/// Messages of one list that are fetched at one time; the others wait for the next.
const MESSAGES: usize = 200;
/// Days of a month on which the one before is asked for too.
const BEFORE: u32 = 3;

impl Source for Lists {
    fn name(&self) -> &'static str {
        "lists"
    }
    fn title(&self) -> &'static str {
        "Mailing lists"
    }
    fn address(&self) -> &'static str {
        ""
    }
    fn file(&self) -> &'static str {
        "lists"
    }
    fn gives(&self) -> &'static str {
        "items"
    }
    fn cron(&self) -> &'static str {
        "9,39 * * * *"
    }
    fn most(&self) -> u64 {
        MBOX
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn options(&self) -> &'static [Setting] {
        &[Setting {
            name: "lists",
            title: "Lists",
            words: "Archives, one on each line: its address, then, as you like, a name, the reliability (A to F, Admiralty \
                    code) and a marking. The address of a public-inbox archive (https://inbox.example/list/), or of an \
                    mbox (….mbox, ….mbox.gz, ….txt.gz, …/mbox.lua?…), in which {yyyy}, {mm} and {Month} stand for the month.",
        }]
    }
    fn lines(&self, option: &str) -> bool {
        option == "lists"
    }
    fn desk(&self) -> bool {
        true
    }
    fn check(&self, option: &str, value: &str) -> Result<(), String> {
        if option == "lists" { parts::listed(value).map(|_| ()) } else { Ok(()) }
    }
    fn missing(&self, feed: &Feed) -> Option<&'static str> {
        places(feed).is_empty().then_some("lists")
    }
    fn parts(&self, feed: &Feed) -> Vec<Part> {
        parts::told(places(feed), feed)
    }
    fn known(&self) -> Option<(&'static str, &'static [Known])> {
        Some(("lists", known::LISTS))
    }
    fn brought(&self, file: &Path, bytes: &[u8]) -> Option<Result<Vec<Bundle>, String>> {
        brought(file, bytes)
    }
}

fn places(feed: &Feed) -> Vec<Place> {
    feed.options.get("lists").and_then(|text| parts::listed(text).ok()).unwrap_or_default()
}

impl Steps for Lists {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let places = parts::listed(walk.option("lists").unwrap_or_default()).map_err(Stop::Changed)?;
        parts::each(walk, &places, |walk, place, reached| {
            if is_mbox(&place.address) {
                by_mbox(walk, place, reached)
            } else {
                by_message(walk, place, reached)
            }
        })
    }
    fn gap(&self, _: bool) -> Duration {
        Duration::from_millis(500)
    }
}

/// A mail or an mbox that somebody put into a mirror's folder: the list is called as the file is.
fn brought(file: &Path, bytes: &[u8]) -> Option<Result<Vec<Bundle>, String>> {
    let name = file.file_name()?.to_string_lossy().into_owned();
    let ends = [".mbox.gz", ".mbox", ".eml"].into_iter().find(|end| name.to_lowercase().ends_with(end))?;
    let origin = name.get(..name.len() - ends.len())?.to_owned();
    let place =
        Place { address: String::new(), name: origin, reliability: String::new(), tlp: String::new() };
    let items = if ends == ".eml" {
        mail::read(bytes).map(|m| vec![item(m, "", &place)]).map_err(|d| d.to_string())
    } else {
        unpacked(bytes).and_then(|bytes| messages(&bytes, &place)).map(|read| read.0)
    };
    Some(items.map(|items| vec![Bundle::new(&place.name, "", items)]))
}

fn is_mbox(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default().to_lowercase();
    let file = path.rsplit('/').next().unwrap_or_default();
    file.contains("mbox") || file.ends_with(".mbx") || file.ends_with(".txt.gz")
}

/// A mail as an item of a list. Its own marking holds before that of the list.
fn item(m: Mail, url: &str, place: &Place) -> NewItem {
    let mut item = of_message(m);
    if item.tlp.is_empty() {
        item.tlp.clone_from(&place.tlp);
    }
    if !url.is_empty() {
        url.clone_into(&mut item.url);
    }
    item.reliability.clone_from(&place.reliability);
    item
}

/// The bytes of an mbox, unpacked where they are gzip.
fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut out = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes).take(MBOX + 1).read_to_end(&mut out);
    read.map_err(|e| format!("it cannot be unpacked: {e}"))?;
    if out.len() as u64 > MBOX {
        Err(format!("it is longer than {MBOX} bytes when unpacked"))
    } else {
        Ok(out)
    }
}

/// The messages of an mbox as items, and how many were not understood.
fn messages(bytes: &[u8], place: &Place) -> Result<(Vec<NewItem>, usize), String> {
    let (mut items, mut bad) = (Vec::new(), 0);
    let read = mail::mbox(bytes, &mut |_, m| {
        match m {
            Ok(m) => items.push(item(m, "", place)),
            Err(_) => bad += 1,
        }
        std::ops::ControlFlow::Continue(())
    });
    read.map_err(|d| d.to_string())?;
    Ok((items, bad))
}

/// The mboxes of an address at a time: that of the month, and in the first days that of the month before.
fn months(address: &str, now: &str) -> Vec<String> {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    if !["{yyyy}", "{mm}", "{Month}"].iter().any(|p| address.contains(p)) {
        return vec![address.to_owned()];
    }
    let number = |from: usize, to: usize| now.get(from..to).and_then(|t| t.parse::<u32>().ok()).unwrap_or(1);
    let (year, month, day) = (number(0, 4), number(5, 7).clamp(1, 12), number(8, 10));
    let before = if month == 1 { (year.saturating_sub(1), 12) } else { (year, month - 1) };
    let told = |(year, month): (u32, u32)| {
        let name = NAMES.get(month as usize - 1).copied().unwrap_or_default();
        let address =
            address.replace("{yyyy}", &format!("{year:04}")).replace("{mm}", &format!("{month:02}"));
        address.replace("{Month}", name)
    };
    let mut all = vec![told((year, month))];
    if day <= BEFORE {
        all.insert(0, told(before));
        all.dedup();
    }
    all
}

/// Editions of the mboxes of a list.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Editions {
    marks: Vec<Mark>,
}

fn by_mbox(walk: &mut Walk<'_>, place: &Place, reached: &mut Reached) -> Result<(), Stop> {
    let known: Editions = serde_json::from_str(&reached.cursor).unwrap_or_default();
    let (mut next, mut last) = (Editions::default(), None);
    let all = months(&place.address, &walk.now);
    for address in &all {
        let mark = known.marks.iter().find(|m| m.address == *address);
        let document = match walk.fetch(address, "mbox", mark) {
            Ok(Some(document)) => document,
            Ok(None) => {
                next.marks.extend(mark.cloned());
                continue;
            }
            // nobody wrote in a month that began just now
            Err(Stop::Refused(e @ Refused::Status(_, 404))) if all.len() > 1 => {
                last = Some(Stop::Refused(e));
                continue;
            }
            Err(e) => return Err(e),
        };
        let bytes = super::csaf::read(&document.path, MBOX).and_then(|b| unpacked(&b));
        let (items, bad) = bytes.and_then(|b| messages(&b, place)).map_err(|why| fault(&why))?;
        if items.is_empty() {
            return Err(fault(&format!("none of its {bad} messages could be read")));
        }
        reached.items = items.len() as u64;
        walk.give(&place.name, "", items, document.bytes)?;
        next.marks.push(mark_of(address, document));
    }
    if let Some(stop) = last.filter(|_| next.marks.is_empty()) {
        return Err(stop);
    }
    reached.cursor = serde_json::to_string(&next).unwrap_or_default();
    Ok(())
}

fn mark_of(address: &str, document: Document) -> Mark {
    Mark { address: address.to_owned(), etag: document.etag, modified: document.modified }
}

fn fault(why: &str) -> Stop {
    Stop::Changed(format!(
        "What came is not understood ({why}). See whether its address still is that of an archive; what was known before \
         stays."
    ))
}

/// Messages of the list that are known, by their ids in its `new.atom`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Seen {
    ids: BTreeSet<String>,
}

/// Reads what is new by `new.atom`, and each message as it was sent (`…/raw`), which alone has its references.
fn by_message(walk: &mut Walk<'_>, place: &Place, reached: &mut Reached) -> Result<(), Stop> {
    let base = place.address.trim_end_matches("new.atom").trim_end_matches('/');
    let address = format!("{base}/new.atom");
    let mark = reached.mark.clone().filter(|m| m.address == address);
    let Some(document) = walk.fetch(&address, "list", mark.as_ref())? else { return Ok(()) };
    let bytes = super::csaf::read(&document.path, news::MOST as u64).map_err(Stop::Changed)?;
    let (list, said) = news::read(&bytes, &address).map_err(|d| fault(&d.to_string()))?;
    let known: Seen = serde_json::from_str(&reached.cursor).unwrap_or_default();
    let mut seen = Seen {
        ids: list.items.iter().map(|i| &i.id).filter(|id| known.ids.contains(*id)).cloned().collect(),
    };
    // the oldest first, so that an answer comes behind what it answers
    let mut new: Vec<NewsItem> = list.items.into_iter().filter(|i| !known.ids.contains(&i.id)).collect();
    new.reverse();
    let more = new.len() > MESSAGES;
    new.truncate(MESSAGES);
    reached.items = new.len() as u64;
    let (mut items, mut came, mut stopped) = (Vec::new(), document.bytes, None);
    for entry in new {
        match message(walk, base, &entry, place) {
            Ok((item, bytes)) => {
                came += bytes;
                items.push(item);
                seen.ids.insert(entry.id);
            }
            Err(e) => {
                stopped = Some(e);
                break;
            }
        }
    }
    walk.give(&place.name, "", items, came)?;
    reached.cursor = serde_json::to_string(&seen).unwrap_or_default();
    if let Some(stop) = stopped {
        return Err(stop);
    }
    if !list.whole {
        return Err(fault(&said.first().map(ToString::to_string).unwrap_or_default()));
    }
    reached.mark = if more { None } else { Some(mark_of(&address, document)) };
    Ok(())
}

/// One message as an item; of one that is not there as it was sent, what the list says of it.
fn message(walk: &mut Walk<'_>, base: &str, entry: &NewsItem, place: &Place) -> Result<(NewItem, u64), Stop> {
    let of_list = || NewItem {
        own: entry.id.clone(),
        url: entry.url.clone(),
        title: entry.title.clone(),
        text: entry.text.clone(),
        author: entry.author.clone(),
        published: entry.published.clone().unwrap_or_default(),
        tlp: place.tlp.clone(),
        reliability: place.reliability.clone(),
        credibility: 0,
        thread: if entry.answers.is_empty() { entry.id.clone() } else { entry.answers.clone() },
    };
    // an archive tells of its own messages, and of nobody else's
    if !entry.url.starts_with(&format!("{base}/")) {
        return Ok((of_list(), 0));
    }
    let raw = format!("{}/raw", entry.url.trim_end_matches('/'));
    let document = match walk.fetch(&raw, "message", None) {
        Ok(Some(document)) => document,
        Ok(None) | Err(Stop::Refused(Refused::Status(..) | Refused::Long(..))) => return Ok((of_list(), 0)),
        Err(e) => return Err(e),
    };
    let Ok(bytes) = super::csaf::read(&document.path, mail::MOST as u64) else { return Ok((of_list(), 0)) };
    let mut read = None;
    if bytes.starts_with(b"From ") {
        let _ = mail::mbox(&bytes, &mut |_, m| {
            read = m.ok();
            std::ops::ControlFlow::Break(())
        });
    } else {
        read = mail::read(&bytes).ok();
    }
    let found = read.filter(|m| !m.id.is_empty());
    Ok((found.map_or_else(of_list, |m| item(m, &entry.url, place)), document.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mbox_of_a_month_is_asked_for_by_its_name() {
        let address = "https://l.example/pipermail/x/{yyyy}-{Month}.txt.gz";
        assert_eq!(
            months(address, "2026-11-28T00:00:00Z"),
            ["https://l.example/pipermail/x/2026-November.txt.gz"]
        );
        let turn = months("https://l.example/{yyyy}{mm}.mbox", "2026-01-02T00:00:00Z");
        assert_eq!(turn, ["https://l.example/202512.mbox", "https://l.example/202601.mbox"]);
        assert!(
            is_mbox(&turn[0])
                && is_mbox("https://l.example/x@l/export/x.MBOX.gz?start=1")
                && !is_mbox("https://l.example/x/")
        );
        assert_eq!(months("https://l.example/x.mbox", "2026-01-02T00:00:00Z").len(), 1);
    }
}

//! Sources of many parts that have nothing to do with each other (feeds, lists, mailboxes): each is asked, remembered and
//! left alone by itself, so that one that is broken stops no other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_core::desk::{RELIABILITIES, TLPS};
use tocsin_core::intel::feeds::{Feed, Mark, PATIENCE, until};
use utoipa::ToSchema;

use super::{Stop, Walk};
use crate::outbound::Refused;

/// Parts of one source.
const MOST: usize = 500;

/// A part, as the operator lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Address.
    pub address: String,
    /// Name under which its items are kept.
    pub name: String,
    /// Reliability in the Admiralty code; empty: it cannot be judged.
    pub reliability: String,
    /// Marking of the Traffic Light Protocol; empty: that of the source.
    pub tlp: String,
}

/// Parts of a list: one on each line, `ADDRESS NAME LETTER TLP:COLOUR`, of which all but the address may be missing; what
/// follows `# ` is for people.
pub(super) fn listed(text: &str) -> Result<Vec<Place>, String> {
    let mut all: Vec<Place> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.split_once("# ").map_or(line, |(before, _)| before).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = place(line).map_err(|why| format!("line {}: {why}", n + 1))?;
        if let Some(same) = all.iter().find(|p| p.address == place.address || p.name == place.name) {
            let what = if same.address == place.address { "address" } else { "name" };
            return Err(format!("line {}: the {what} stands above already; each has its own", n + 1));
        }
        all.push(place);
    }
    if all.len() > MOST {
        Err(format!("there are {}, and at most {MOST} are asked", all.len()))
    } else {
        Ok(all)
    }
}

fn place(line: &str) -> Result<Place, String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let address = words.remove(0).to_owned();
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let host = rest.map(|r| r.split(['/', '?']).next().unwrap_or_default());
    if host.is_none_or(|h| h.is_empty() || h.contains('@'))
        || address.contains(['#', '<', '>', '"'])
        || address.len() > 1_000
    {
        return Err("an address beginning with https:// comes first, without login and #".to_owned());
    }
    let (mut reliability, mut tlp) = (String::new(), String::new());
    if let Some(mark) = words.last().and_then(|w| w.strip_prefix("TLP:")) {
        let known = TLPS.iter().find(|t| **t == mark);
        tlp = known.ok_or_else(|| format!("TLP:{mark} is none; there are {}", TLPS.join(", ")))?.to_string();
        words.pop();
    }
    if let Some(letter) = words.last().filter(|w| RELIABILITIES.iter().any(|r| r.0 == **w)) {
        reliability = (*letter).to_owned();
        words.pop();
    }
    let name = words.join(" ");
    if name.chars().count() > 80 || name.contains(char::is_control) {
        return Err("a name has at most 80 characters".to_owned());
    }
    let bare = rest.unwrap_or_default().trim_end_matches('/');
    let own = bare.strip_prefix("www.").unwrap_or(bare).chars().take(80).collect();
    Ok(Place { name: if name.is_empty() { own } else { name }, address, reliability, tlp })
}

/// How a part is remembered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reached {
    /// The edition that was last taken in.
    pub mark: Option<Mark>,
    /// How far it is read, in its own words.
    pub cursor: String,
    /// Items of the last edition.
    pub items: u64,
    tried: Option<String>,
    good: Option<String>,
    error: String,
    failures: i64,
    not_before: Option<String>,
}

/// The parts by address: the cursor of such a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    parts: BTreeMap<String, Reached>,
}

/// A part of a source, as it is told of.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SourcePart)]
pub struct Part {
    /// Its name: the source of its items.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Reliability in the Admiralty code.
    pub reliability: String,
    /// When it was last asked.
    pub tried: Option<String>,
    /// When it was last heard and understood.
    pub good: Option<String>,
    /// Items of its last edition.
    pub items: u64,
    /// Why it was not heard or understood since, with the remedy; empty where it was.
    pub error: String,
    /// Failures in a row.
    pub failures: i64,
    /// It is left alone until then.
    pub not_before: Option<String>,
}

/// How the parts of a source do.
pub(super) fn told(places: Vec<Place>, feed: &Feed) -> Vec<Part> {
    let mut known: Cursor = serde_json::from_str(&feed.cursor).unwrap_or_default();
    let one = |p: Place| {
        let r = known.parts.remove(&p.address).unwrap_or_default();
        Part {
            name: p.name,
            address: p.address,
            reliability: if p.reliability.is_empty() { "F".to_owned() } else { p.reliability },
            tried: r.tried,
            good: r.good,
            items: r.items,
            error: r.error,
            failures: r.failures,
            not_before: r.not_before,
        }
    };
    places.into_iter().map(one).collect()
}

/// Asks each part, and notes after each how it did. `ask` takes in what is new of one.
///
/// # Errors
/// What is no matter of one part alone.
pub(super) fn each(
    walk: &mut Walk<'_>,
    places: &[Place],
    ask: impl Fn(&mut Walk<'_>, &Place, &mut Reached) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut all: Cursor = walk.cursor();
    all.parts.retain(|address, _| places.iter().any(|p| p.address == *address));
    for (n, place) in places.iter().enumerate() {
        let known = all.parts.get(&place.address).cloned().unwrap_or_default();
        if known.not_before.as_deref().is_some_and(|until| until > walk.now.as_str()) && !walk.insists() {
            walk.fault(&place.name, brief(&known.error), false);
            // to wait as one was asked to is no failure of the source
            walk.heard();
            continue;
        }
        walk.progress(n as u64, places.len() as u64, &place.name);
        let mut next = Reached { tried: Some(walk.now.clone()), ..known.clone() };
        match ask(walk, place, &mut next) {
            Ok(()) => {
                walk.heard();
                next.good = Some(walk.now.clone());
                (next.error, next.failures, next.not_before) = (String::new(), 0, None);
            }
            Err(stop) => {
                let (error, wait) = words(stop)?;
                let failures = known.failures.saturating_add(1);
                walk.fault(&place.name, brief(&error), failures == PATIENCE);
                let not_before = until(&walk.now, failures, wait);
                // what was taken in before it failed need not be again
                let cursor = next.cursor;
                next = Reached { tried: next.tried, error, failures, not_before, cursor, ..known };
            }
        }
        all.parts.insert(place.address.clone(), next);
        walk.reach(&all)?;
    }
    walk.reach(&all)
}

/// What is said of a part among the others: its own place tells the rest.
fn brief(error: &str) -> &str {
    error.split(". ").next().unwrap_or(error)
}

/// What a part's failure is told with, and for how long it asked to be left alone.
fn words(stop: Stop) -> Result<(String, Option<u64>), Stop> {
    let refused = match stop {
        Stop::Refused(e) => e,
        Stop::Changed(words) => return Ok((words, None)),
        other => return Err(other),
    };
    let wait = if let Refused::Later(_, _, wait) = &refused { *wait } else { None };
    let remedy = match &refused {
        Refused::Address(..) => "Set another address in the list.",
        Refused::Silent(..) | Refused::Cut(..) => "It is tried again at its next time.",
        Refused::Status(_, 401 | 403) => {
            "The publisher does not give it to everybody, or is asked too often from here."
        }
        Refused::Status(_, 404 | 410) => {
            "It may have moved or ended; set its new address in the list, or take it off."
        }
        Refused::Status(..) => "The fault is the publisher's; it is tried again at its next time.",
        Refused::Later(..) => "It is left alone for as long as it asked.",
        Refused::Long(..) => "See whether the list has the right address.",
        Refused::Write(_) => "Make room on the disk.",
    };
    Ok((format!("{refused}. {remedy}"), wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_and_what_one_thinks_of_it() {
        let text = "https://www.a.example/feed.xml A CERT B TLP:GREEN\n\n# people\nhttps://b.example/ # for people\n\
                    https://c.example/x Plan A and B A";
        let all = listed(text).unwrap();
        let told = |p: &Place| [&p.address, &p.name, &p.reliability, &p.tlp].map(String::clone);
        assert_eq!(told(&all[0]), ["https://www.a.example/feed.xml", "A CERT", "B", "GREEN"]);
        assert_eq!(told(&all[1]), ["https://b.example/", "b.example", "", ""]);
        assert_eq!(told(&all[2]), ["https://c.example/x", "Plan A and B", "A", ""]);
        for bad in [
            "feed.xml",
            "https://",
            "ftp://a.example/x",
            "https://me:pw@a.example/x",
            "https://a.example/x name TLP:PURPLE",
            "https://a.example/x\nhttps://a.example/x other",
            "https://a.example/x same\nhttps://b.example/x same",
        ] {
            assert!(listed(bad).is_err(), "{bad}");
        }
        assert!(listed(&(0..=MOST).map(|n| format!("https://a.example/{n}\n")).collect::<String>()).is_err());
    }
}

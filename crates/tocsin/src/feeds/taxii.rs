//! Collections of a TAXII 2.1 server (OASIS): discovery, API roots and collections are looked at each time, and of each
//! collection what was added since the last.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tocsin_core::desk::NewItem;
use tocsin_core::intel::feeds::Feed;
use tocsin_core::platform::clock;
use tocsin_formats::stix::envelope;
use zeroize::Zeroizing;

use super::walk::Document;
use super::{Key, Reads, Setting, Source, Steps, Stop, Walk, share};
use crate::outbound::Refused;

/// See the module.
pub struct Taxii;

/// Objects of a page that are asked for.
const PAGE: usize = 500;
/// API roots, and collections of one, that are followed.
const MOST: usize = 100;
/// Begin of a window before the end of the last, in minutes: the server's clock is another.
const OVERLAP: i64 = 60;

impl Source for Taxii {
    fn name(&self) -> &'static str {
        "taxii"
    }
    fn title(&self) -> &'static str {
        "TAXII collections"
    }
    fn address(&self) -> &'static str {
        "https://attack-taxii.mitre.org/taxii2"
    }
    fn file(&self) -> &'static str {
        "taxii"
    }
    fn gives(&self) -> &'static str {
        "taxii"
    }
    fn cron(&self) -> &'static str {
        "57 * * * *"
    }
    fn most(&self) -> u64 {
        128 << 20
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn reads(&self) -> Option<&dyn Reads> {
        Some(self)
    }
    fn accept(&self) -> &'static str {
        "application/taxii+json;version=2.1"
    }
    fn key(&self) -> Option<&'static Key> {
        Some(&Key {
            header: "authorization",
            before: "",
            words: "Login of the server, written NAME:PASSWORD (HTTP Basic), or a token alone (Bearer)",
        })
    }
    fn credentials(&self, key: &str) -> Option<Zeroizing<String>> {
        Some(Zeroizing::new(match key.contains(':') {
            true => {
                let login = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(key));
                format!("Basic {}", login.as_str())
            }
            false => format!("Bearer {key}"),
        }))
    }
    fn options(&self) -> &'static [Setting] {
        &[
            Setting {
                name: "collections",
                title: "Collections",
                words: "Ids or titles of the collections that are followed, with commas between. Empty: all that may be read.",
            },
            share::TLP,
            share::RELIABILITY,
        ]
    }
}

impl Reads for Taxii {
    fn items(&self, bytes: &[u8], feed: &Feed) -> Result<(Vec<NewItem>, u64), String> {
        let found = envelope(bytes).map_err(|d| d.to_string())?;
        if found.objects > 0 && found.refused == found.objects {
            return Err("none of its objects is one of STIX".to_owned());
        }
        let items = found.reports.into_iter().map(|r| share::item(r, feed)).collect();
        Ok((items, found.refused as u64))
    }
}

/// How far each collection is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    collections: BTreeMap<String, Reached>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    /// Everything that was added until then is taken in; empty before the first load.
    until: String,
    /// What will be so when the pages of now are through; empty between two windows.
    to: String,
    /// What the next of these pages is asked for with.
    next: String,
}

/// What the server says of itself (section 4.1), or an API root of itself (section 4.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Discovery {
    default: Option<String>,
    api_roots: Option<Vec<String>>,
    versions: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Collections {
    collections: Vec<Collection>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Collection {
    id: String,
    title: String,
    alias: Option<String>,
    can_read: bool,
}

fn resource<T: DeserializeOwned>(walk: &mut Walk<'_>, address: &str) -> Result<(T, Document), Stop> {
    let document = walk.whole(address, "resource.json")?;
    let bytes = std::fs::read(&document.path).map_err(|e| walk.changed(&e.to_string(), &document))?;
    let read = serde_json::from_slice(&bytes).map_err(|e| walk.changed(&e.to_string(), &document))?;
    Ok((read, document))
}

/// An address that a server names, which may leave out its own host.
fn joined(base: &str, path: &str) -> String {
    let path = path.trim();
    if path.contains("://") {
        return format!("{}/", path.trim_end_matches('/'));
    }
    let host: String = base.split('/').take(3).collect::<Vec<_>>().join("/");
    format!("{host}/{}/", path.trim_matches('/'))
}

/// The API roots behind an address: itself, or those that the server names.
fn roots(walk: &mut Walk<'_>) -> Result<Vec<String>, Stop> {
    let base = format!("{}/", walk.address());
    let (found, document) = resource::<Discovery>(walk, &base)?;
    let named = found.api_roots.unwrap_or_default();
    if named.is_empty() {
        let root = found.versions.is_some_and(|v| v.iter().any(|v| v.contains("2.1")));
        return match (root, found.default) {
            (true, _) => Ok(vec![base]),
            (false, Some(default)) => Ok(vec![joined(&base, &default)]),
            (false, None) => {
                Err(walk.changed("it names neither API roots nor the version 2.1 of TAXII", &document))
            }
        };
    }
    Ok(named.iter().take(MOST).map(|r| joined(&base, r)).collect())
}

/// What goes into an address as it is.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Takes in what was added to a collection.
fn collection(walk: &mut Walk<'_>, cursor: &mut Cursor, address: &str) -> Result<(), Stop> {
    let mut reached = cursor.collections.get(address).cloned().unwrap_or_default();
    if reached.to.is_empty() {
        reached.to.clone_from(&walk.now);
    }
    let mut pages = 0_u64;
    loop {
        let mut page = format!("{address}objects/?limit={PAGE}");
        if !reached.until.is_empty() {
            let from = clock::minutes_after(&reached.until, -OVERLAP);
            page.push_str(&format!("&added_after={from}"));
        }
        if !reached.next.is_empty() {
            page.push_str(&format!("&next={}", escaped(&reached.next)));
        }
        let document = match walk.whole(&page, "envelope.json") {
            // what it gave to go on with is no longer known: the window is read anew
            Err(Stop::Refused(Refused::Status(_, 400 | 404))) if pages == 0 && !reached.next.is_empty() => {
                reached.next.clear();
                continue;
            }
            other => other?,
        };
        let bytes = std::fs::read(&document.path).map_err(|e| walk.changed(&e.to_string(), &document))?;
        let head = envelope(&bytes).map_err(|d| walk.changed(&d.to_string(), &document))?;
        if head.objects > 0 {
            walk.take(std::slice::from_ref(&document))?;
        }
        pages += 1;
        walk.progress(pages, 0, "pages");
        match (head.more, head.next.filter(|n| !n.is_empty())) {
            (false, _) => break,
            (true, Some(next)) if next != reached.next && next.len() <= 2000 => reached.next = next,
            (true, _) => {
                return Err(walk.changed("there is more of it, and it does not say how to ask", &document));
            }
        }
        cursor.collections.insert(address.to_owned(), reached.clone());
        walk.reach(cursor)?;
    }
    let done = Reached { until: reached.to, ..Reached::default() };
    cursor.collections.insert(address.to_owned(), done);
    walk.reach(cursor)
}

impl Steps for Taxii {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        let wanted: Vec<String> = (walk.option("collections").unwrap_or_default().split(','))
            .map(|c| c.trim().to_owned())
            .filter(|c| !c.is_empty())
            .collect();
        let is_wanted = |c: &Collection| {
            let named = |w: &String| [Some(&c.id), Some(&c.title), c.alias.as_ref()].contains(&Some(w));
            c.can_read && !c.id.is_empty() && (wanted.is_empty() || wanted.iter().any(named))
        };
        let (roots, mut followed) = (roots(walk)?, 0);
        for root in &roots {
            let found = match resource::<Collections>(walk, &format!("{root}collections/")) {
                Ok((found, _)) => found.collections,
                Err(why) if roots.len() > 1 => {
                    walk.pass_over(root, why)?;
                    continue;
                }
                Err(why) => return Err(why),
            };
            for c in found.iter().filter(|c| is_wanted(c)).take(MOST) {
                followed += 1;
                let address = format!("{root}collections/{}/", escaped(&c.id));
                if let Err(why) = collection(walk, &mut cursor, &address) {
                    walk.pass_over(&format!("collection {}", c.title), why)?;
                }
            }
        }
        if followed == 0 {
            let why = "The server has no collection that may be read and is wanted; see the setting `collections` and the key.";
            return Err(Stop::Changed(why.to_owned()));
        }
        Ok(())
    }

    fn gap(&self, _: bool) -> Duration {
        Duration::from_millis(250)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_basic_and_a_word_is_a_token() {
        let sent = |key: &str| Taxii.credentials(key).unwrap().as_str().to_owned();
        assert_eq!((sent("ab:cd").as_str(), sent("abcd").as_str()), ("Basic YWI6Y2Q=", "Bearer abcd"));
    }

    #[test]
    fn addresses_are_joined_and_escaped() {
        assert_eq!(joined("https://a.example/taxii2/", "/api1/"), "https://a.example/api1/");
        assert_eq!(joined("https://a.example/taxii2/", "https://b.example/x"), "https://b.example/x/");
        assert_eq!(escaped("a b/../é"), "a%20b%2F..%2F%C3%A9");
    }
}

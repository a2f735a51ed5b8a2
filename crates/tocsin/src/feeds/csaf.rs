//! CSAF providers and aggregators (CSAF 2.0, section 7): found by their domain, listed by ROLIE feeds or `changes.csv`,
//! each document checked against the hash and the signature that stand beside it.

mod signed;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use tocsin_core::intel::feeds::Sum;
use tocsin_core::platform::clock;

use super::walk::Document;
use super::{Setting, Source, Steps, Stop, Walk};
use crate::outbound::Refused;
use signed::Signers;

/// See the module.
pub struct Csaf;

/// Documents taken in together.
const BATCH: usize = 50;
/// Providers of an aggregator, distributions and feeds of a provider that are looked at.
const MOST: usize = 500;
/// Documents that are asked for again because they were not right.
const AGAIN: usize = 1000;
/// Longest list and longest hash file read into memory, in bytes.
const LIST: u64 = 256 << 20;

impl Source for Csaf {
    fn name(&self) -> &'static str {
        "csaf"
    }
    fn title(&self) -> &'static str {
        "CSAF providers"
    }
    fn address(&self) -> &'static str {
        "https://www.cisa.gov/sites/default/files/csaf/provider-metadata.json"
    }
    fn file(&self) -> &'static str {
        "csaf"
    }
    fn gives(&self) -> &'static str {
        "csaf"
    }
    fn cron(&self) -> &'static str {
        "37 */2 * * *"
    }
    fn most(&self) -> u64 {
        256 << 20
    }
    fn steps(&self) -> Option<&dyn Steps> {
        Some(self)
    }
    fn options(&self) -> &'static [Setting] {
        &[
            Setting {
                name: "providers",
                title: "Providers",
                words: "More providers and aggregators beside the address, with commas between: a domain (example.com) or \
                        the address of a provider-metadata.json or aggregator.json.",
            },
            Setting {
                name: "signed",
                title: "Must be signed",
                words: "Providers whose documents are not taken in without an OpenPGP signature, with commas between, as \
                        they are named under Signatures; all: every one. Empty: what bears no signature is taken in and \
                        counted; a signature that does not fit is never taken in.",
            },
        ]
    }
}

/// How far each list of documents is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    lists: BTreeMap<String, Reached>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    /// Time of the last document that is taken in …
    until: String,
    /// … and its address: several have the same time.
    last: String,
    /// Documents that were not right and are asked for again.
    again: BTreeSet<String>,
}

/// A provider's or an aggregator's description of itself, as far as it is used (sections 7.1.7 and 7.1.21).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    role: String,
    public_openpgp_keys: Vec<signed::Named>,
    distributions: Vec<Distribution>,
    csaf_providers: Vec<Listed>,
    csaf_publishers: Vec<Listed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Distribution {
    directory_url: String,
    rolie: Rolie,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rolie {
    feeds: Vec<RolieFeed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RolieFeed {
    url: String,
    tlp_label: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    metadata: ListedMetadata,
    mirrors: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListedMetadata {
    url: String,
}

/// A ROLIE feed (RFC 8322 as JSON, section 7.1.15).
#[derive(Debug, Deserialize)]
struct FeedDocument {
    feed: Entries,
}

#[derive(Debug, Deserialize)]
struct Entries {
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    updated: String,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    link: Vec<Link>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    src: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    rel: String,
    href: String,
}

/// A document that is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    updated: String,
    address: String,
    /// Addresses of its hashes, the first of which that is there counts; none where none must be there.
    hashes: Vec<String>,
    /// Addresses at which its signature may be.
    signatures: Vec<String>,
}

pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > most { Err(format!("it is longer than {most} bytes")) } else { Ok(bytes) }
}

/// Documents of a ROLIE feed.
fn rolie(bytes: &[u8]) -> Result<Vec<Told>, String> {
    let document: FeedDocument = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let told = |e: Entry| {
        let rel =
            |rel: &str| e.link.iter().filter(|l| l.rel == rel).map(|l| l.href.clone()).collect::<Vec<_>>();
        let own = Some(e.content.src.clone()).filter(|s| !s.is_empty());
        let address = rel("self").into_iter().next().or(own).ok_or("an entry names no document")?;
        let mut hashes = rel("hash");
        hashes.sort_by_key(|h| !h.ends_with(".sha512"));
        let updated = clock::parse(&e.updated).map(clock::text).map_err(|e| e.to_string())?;
        let mut signatures = rel("signature");
        signatures.truncate(3);
        if signatures.is_empty() {
            signatures.push(format!("{address}.asc"));
        }
        Ok(Told { updated, address, hashes, signatures })
    };
    document.feed.entry.into_iter().map(told).collect()
}

/// Documents of a `changes.csv` in the folder `base` (section 7.1.13).
fn changes(bytes: &[u8], base: &str, trusted: bool) -> Result<Vec<Told>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut all = Vec::new();
    for (n, row) in reader.records().enumerate() {
        let row = row.map_err(|e| e.to_string())?;
        let (Some(path), Some(at)) = (row.get(0), row.get(1)) else {
            return Err(format!("line {} has no two columns", n + 1));
        };
        // a path leads into the folder, nowhere else
        if path.split('/').any(|part| part.is_empty() || part == "..") || path.contains([':', '\\', '?', '#'])
        {
            return Err(format!(
                "line {}: `{}` is no path",
                n + 1,
                path.chars().take(80).collect::<String>()
            ));
        }
        let updated = clock::parse(at.trim()).map(clock::text).map_err(|e| format!("line {}: {e}", n + 1))?;
        let address = format!("{base}/{path}");
        // a trusted provider has one at least (sections 7.1.18 and 7.1.19)
        let hashes = if trusted {
            ["sha512", "sha256"].map(|h| format!("{address}.{h}")).to_vec()
        } else {
            Vec::new()
        };
        let signatures = vec![format!("{address}.asc")];
        all.push(Told { updated, address, hashes, signatures });
    }
    Ok(all)
}

/// Whether a hash file (`HEX  NAME`) is of these bytes.
fn fits(hash: &[u8], bytes: &[u8]) -> bool {
    let word = String::from_utf8_lossy(hash.get(..hash.len().min(1000)).unwrap_or_default());
    let word = word.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let hex = |digest: &[u8]| digest.iter().map(|b| format!("{b:02x}")).collect::<String>();
    match word.len() {
        64 => word == hex(&Sha256::digest(bytes)),
        128 => word == hex(&Sha512::digest(bytes)),
        _ => false,
    }
}

/// Where the description of a provider may be, in the order in which it is looked for (section 7.3.1).
fn places(provider: &str) -> Vec<String> {
    let provider = provider.trim().trim_end_matches('/');
    if provider.ends_with(".json") {
        return vec![provider.to_owned()];
    }
    let base = if provider.contains("://") { provider.to_owned() } else { format!("https://{provider}") };
    let mut places: Vec<String> =
        ["/.well-known/csaf/provider-metadata.json", "/.well-known/security.txt", "/security.txt"]
            .iter()
            .map(|p| format!("{base}{p}"))
            .collect();
    if !provider.contains("://") {
        places.push(format!("https://csaf.data.security.{provider}"));
    }
    places
}

/// Lines `CSAF:` of a `security.txt` (RFC 9116 with CSAF 2.0, section 7.1.8).
fn csaf_lines(text: &str) -> Vec<String> {
    let value = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("csaf").then(|| value.trim().to_owned())
    };
    text.lines().filter_map(value).filter(|v| v.contains("://")).take(10).collect()
}

fn metadata(walk: &mut Walk<'_>, address: &str) -> Result<Metadata, Stop> {
    let document = walk.whole(address, "metadata.json")?;
    let bytes = read(&document.path, 8 << 20).map_err(|why| walk.changed(&why, &document))?;
    let found: Metadata =
        serde_json::from_slice(&bytes).map_err(|e| walk.changed(&e.to_string(), &document))?;
    if found.distributions.is_empty() && found.csaf_providers.is_empty() && found.csaf_publishers.is_empty() {
        return Err(walk.changed("it names no distribution and no provider", &document));
    }
    Ok(found)
}

/// The description of a provider, wherever it is.
fn discover(walk: &mut Walk<'_>, provider: &str) -> Result<Metadata, Stop> {
    let places = places(provider);
    let mut last = None;
    for place in &places {
        let came = if place.ends_with("security.txt") {
            security_txt(walk, place)
        } else {
            metadata(walk, place).map(Some)
        };
        match came {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(Stop::Refused(e @ (Refused::Status(..) | Refused::Silent(..)))) => {
                last = Some(Stop::Refused(e))
            }
            Err(e @ Stop::Changed(_)) => last = Some(e),
            Err(e) => return Err(e),
        }
    }
    if places.len() == 1
        && let Some(why) = last
    {
        return Err(why);
    }
    let looked = places.join(", ");
    Err(Stop::Changed(format!("no provider-metadata.json was found; it was looked for at {looked}")))
}

fn security_txt(walk: &mut Walk<'_>, address: &str) -> Result<Option<Metadata>, Stop> {
    let document = walk.whole(address, "security.txt")?;
    let bytes = read(&document.path, 1 << 20).map_err(|why| walk.changed(&why, &document))?;
    match csaf_lines(&String::from_utf8_lossy(&bytes)).first() {
        Some(address) => metadata(walk, address).map(Some),
        None => Ok(None),
    }
}

/// The documents that a list tells of.
fn told_by(walk: &mut Walk<'_>, list: &str, base: Option<&str>, trusted: bool) -> Result<Vec<Told>, Stop> {
    let document = walk.whole(list, "list")?;
    let bytes = read(&document.path, LIST).map_err(|why| walk.changed(&why, &document))?;
    let told = match base {
        Some(base) => changes(&bytes, base, trusted),
        None => rolie(&bytes),
    };
    told.map_err(|why| walk.changed(&why, &document))
}

/// A document whose hash and signature are right.
fn checked(walk: &mut Walk<'_>, told: &Told, name: &str, signers: &mut Signers) -> Result<Document, Stop> {
    let document = walk.whole(&told.address, name)?;
    let bytes = read(&document.path, 256 << 20).map_err(|why| walk.changed(&why, &document))?;
    for (n, hash) in told.hashes.iter().enumerate() {
        let file = match walk.whole(hash, "hash") {
            // the other one may be there
            Err(Stop::Refused(Refused::Status(_, 404))) if n + 1 < told.hashes.len() => continue,
            other => other?,
        };
        let wanted = read(&file.path, 1 << 16).unwrap_or_default();
        if !fits(&wanted, &bytes) {
            return Err(Stop::Changed(format!("it is not what {hash} says that it is")));
        }
        break;
    }
    signers.check(walk, &bytes, &told.signatures)?;
    Ok(document)
}

/// Takes in what a list tells of and is new.
fn list(
    walk: &mut Walk<'_>,
    cursor: &mut Cursor,
    (address, base, trusted): (&str, Option<&str>, bool),
    signers: &mut Signers,
) -> Result<(), Stop> {
    let mut told = told_by(walk, address, base, trusted)?;
    told.sort_unstable();
    told.dedup();
    let mut reached = cursor.lists.get(address).cloned().unwrap_or_default();
    let again = std::mem::take(&mut reached.again);
    let (retried, rest): (Vec<Told>, Vec<Told>) = told.into_iter().partition(|t| again.contains(&t.address));
    let new =
        |t: &Told| (t.updated.as_str(), t.address.as_str()) > (reached.until.as_str(), reached.last.as_str());
    let new: Vec<Told> = retried.into_iter().chain(rest.into_iter().filter(new)).collect();
    let total = new.len() as u64;
    for (n, batch) in new.chunks(BATCH).enumerate() {
        let mut documents = Vec::new();
        for (at, one) in batch.iter().enumerate() {
            walk.progress((n * BATCH + at) as u64, total, address);
            match checked(walk, one, &format!("{at:03}.json"), signers) {
                Ok(document) => documents.push(document),
                Err(why) => {
                    walk.pass_over(&one.address, why)?;
                    if reached.again.len() < AGAIN {
                        reached.again.insert(one.address.clone());
                    }
                }
            }
        }
        let came = if documents.is_empty() { Ok(Sum::default()) } else { walk.take(&documents) };
        if let Err(why) = came {
            // the others of the list do not wait for documents that are not understood
            walk.pass_over(address, why)?;
            let left = AGAIN.saturating_sub(reached.again.len());
            reached.again.extend(batch.iter().take(left).map(|b| b.address.clone()));
        }
        if let Some(last) = batch.iter().max().filter(|l| l.updated >= reached.until) {
            (reached.until, reached.last) = (last.updated.clone(), last.address.clone());
        }
        cursor.lists.insert(address.to_owned(), reached.clone());
        walk.reach(cursor)?;
    }
    Ok(())
}

/// Takes in what is new of a provider, which is followed under the name `owner`.
fn provider(walk: &mut Walk<'_>, cursor: &mut Cursor, found: &Metadata, owner: &str) -> Result<(), Stop> {
    if found.distributions.is_empty() {
        return Ok(());
    }
    let mut signers = match Signers::of(walk, owner, &found.public_openpgp_keys) {
        Ok(signers) => signers,
        Err(why) => return walk.pass_over(owner, why),
    };
    let came = distributions(walk, cursor, found, &mut signers);
    signers.end(walk)?;
    came
}

fn distributions(
    walk: &mut Walk<'_>,
    cursor: &mut Cursor,
    found: &Metadata,
    signers: &mut Signers,
) -> Result<(), Stop> {
    let trusted = found.role == "csaf_trusted_provider";
    for distribution in found.distributions.iter().take(MOST) {
        let open = |f: &&RolieFeed| matches!(f.tlp_label.as_str(), "" | "WHITE" | "CLEAR" | "UNLABELED");
        let feeds: Vec<&RolieFeed> = distribution.rolie.feeds.iter().filter(open).take(MOST).collect();
        let base = distribution.directory_url.trim_end_matches('/');
        let lists: Vec<(String, Option<&str>)> = if !feeds.is_empty() {
            feeds.iter().map(|f| (f.url.clone(), None)).collect()
        } else if !base.is_empty() {
            vec![(format!("{base}/changes.csv"), Some(base))]
        } else {
            Vec::new()
        };
        for (address, base) in lists {
            if let Err(why) = list(walk, cursor, (&address, base, trusted), signers) {
                walk.pass_over(&address, why)?;
            }
        }
    }
    Ok(())
}

impl Steps for Csaf {
    fn walk(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        let mut cursor: Cursor = walk.cursor();
        let mut providers = vec![walk.address().to_owned()];
        let more = walk.option("providers").unwrap_or_default().split(',').map(str::trim);
        providers.extend(more.filter(|p| !p.is_empty()).map(str::to_owned));
        for (n, name) in providers.iter().enumerate() {
            let found = match discover(walk, name) {
                Ok(found) => found,
                // the only one is the source itself
                Err(why) if providers.len() == 1 => return Err(why),
                Err(why) => {
                    walk.pass_over(name, why)?;
                    continue;
                }
            };
            walk.progress(n as u64, providers.len() as u64, name);
            provider(walk, &mut cursor, &found, name)?;
            for listed in found.csaf_providers.iter().chain(&found.csaf_publishers).take(MOST) {
                // an aggregator's copies of a publisher that has no metadata of its own in this form
                let address = listed.mirrors.first().unwrap_or(&listed.metadata.url);
                match metadata(walk, address) {
                    Ok(found) => provider(walk, &mut cursor, &found, address)?,
                    Err(why) => walk.pass_over(address, why)?,
                }
            }
        }
        Ok(())
    }

    fn gap(&self, _: bool) -> Duration {
        Duration::from_millis(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_looked_for_where_the_standard_says() {
        assert_eq!(
            places("example.com"),
            [
                "https://example.com/.well-known/csaf/provider-metadata.json",
                "https://example.com/.well-known/security.txt",
                "https://example.com/security.txt",
                "https://csaf.data.security.example.com",
            ]
        );
        assert_eq!(places("https://a.example/x/aggregator.json"), ["https://a.example/x/aggregator.json"]);
        let text = "Contact: mailto:x@example.com\ncsaf: https://a.example/p.json\nCSAF: https://b.example/p.json\n# CSAF: x";
        assert_eq!(csaf_lines(text), ["https://a.example/p.json", "https://b.example/p.json"]);
    }

    #[test]
    fn lists_are_read_in_both_forms() {
        let told = changes(
            b"\"2024/a.json\",\"2024-01-02T00:00:00Z\"\n2024/b.json,2024-01-01T00:00:00+01:00\n",
            "B",
            true,
        );
        let told = told.unwrap();
        assert_eq!(
            (told[0].address.as_str(), told[0].hashes[1].as_str()),
            ("B/2024/a.json", "B/2024/a.json.sha256")
        );
        assert_eq!(told[1].updated, "2023-12-31T23:00:00.000Z");
        for bad in ["../x,2024-01-01T00:00:00Z", "a.json", "a.json,soon", "https://x/a,2024-01-01T00:00:00Z"]
        {
            assert!(changes(bad.as_bytes(), "B", false).is_err(), "{bad}");
        }
        let feed = br#"{"feed": {"entry": [{"id": "a", "updated": "2024-01-02T00:00:00Z", "content": {"src": "U/a.json"},
            "link": [{"rel": "hash", "href": "U/a.json.sha256"}, {"rel": "hash", "href": "U/a.json.sha512"}]}]}}"#;
        let told = rolie(feed).unwrap();
        assert_eq!((told[0].address.as_str(), told[0].hashes[0].as_str()), ("U/a.json", "U/a.json.sha512"));
        assert!(rolie(b"{\"entries\": []}").is_err());
    }

    #[test]
    fn a_hash_fits_its_document_alone() {
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.json\n";
        assert!(fits(sum.as_bytes(), b"abc") && !fits(sum.as_bytes(), b"abd"));
        assert!(!fits(b"", b"") && !fits(b"d41d8cd98f00b204e9800998ecf8427e", b""));
    }
}

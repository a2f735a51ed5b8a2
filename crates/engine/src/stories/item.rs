//! An item as clustering sees it: main ids, shingles, terms. Nothing else of its text is kept.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use crate::entities::text::{Token, before, fold, is_cjk, tokens};
use crate::entities::{Entity, Kind};

/// Shingles kept of an item: the smallest by hash, so that two items are compared by the same sample.
const SHINGLES: usize = 256;
/// Terms kept of an item.
const TERMS: usize = 64;
/// Coined words kept of an item.
const COINED: usize = 16;
/// Tokens of the text behind the title that give terms: what news says first.
const LEAD: usize = 120;

/// One article, message or post.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The caller's key; an item with a known key is an edition of the same item.
    pub key: u64,
    /// Its address without what tracks readers; an item with a known address is an edition too. May be empty.
    pub url: String,
    /// When it was published, seconds since 1970.
    pub published: i64,
    /// Ids that it is about, sorted; those it only compares with are left out.
    pub ids: Vec<String>,
    /// Whether it gathers many flaws.
    pub roundup: bool,
    /// The conversation that it is part of, in its source's words; may be empty. Of those of one conversation, each
    /// belongs to the story of the first.
    pub thread: String,
    pub(super) shingles: Vec<u64>,
    pub(super) terms: Vec<(u64, f64)>,
    /// Coined words, folded and sorted: see [`coined`].
    pub(super) coined: Vec<String>,
}

/// Words that no story is known by.
const STOP: &[&str] = &[
    "the",
    "and",
    "for",
    "with",
    "that",
    "this",
    "from",
    "are",
    "was",
    "has",
    "have",
    "been",
    "which",
    "its",
    "can",
    "could",
    "may",
    "new",
    "all",
    "not",
    "but",
    "who",
    "their",
    "after",
    "before",
    "how",
    "what",
    "your",
    "you",
    "der",
    "die",
    "das",
    "und",
    "ein",
    "eine",
    "mit",
    "von",
    "für",
    "ist",
    "les",
    "des",
    "une",
    "dans",
    "pour",
    "qui",
    "sur",
    "est",
    "security",
    "vulnerability",
    "vulnerabilities",
    "flaw",
    "flaws",
    "attacker",
    "attackers",
    "advisory",
    "update",
    "updates",
    "version",
    "versions",
    "cve",
    "affected",
    "users",
    "remote",
    "code",
    "execution",
    "fixed",
    "released",
    "http",
    "https",
    "www",
    "com",
];

/// Words in a title that announce a roundup.
const ROUNDUP: &[&str] = &[
    "roundup",
    "round-up",
    "patch tuesday",
    "patchday",
    "weekly",
    "monthly",
    "this week in",
    "week in review",
    "digest",
    "wochenrückblick",
    "newsletter",
    "bulletin de la semaine",
    "月例",
];

/// Words before an id that only compare with it.
const COMPARES: &[&str] = &[
    "like ",
    "similar to ",
    "reminiscent of ",
    "unlike ",
    "such as ",
    "predecessor ",
    "is not ",
    "different from ",
    "not to be confused with ",
    "nicht ",
    "n'est pas ",
    "bypass for ",
    "ähnlich wie ",
    "comme ",
];

impl Item {
    /// Reads an item. The first line of `text` is its title; `entities` are those of the same text.
    /// More than `many` ids make a roundup.
    pub fn new(key: u64, url: &str, published: i64, text: &str, entities: &[Entity], many: usize) -> Item {
        let title = text.split('\n').next().unwrap_or_default();
        let tokens = tokens(text);
        let folded: Vec<String> = tokens.iter().take(1200).map(|t| fold(&text[t.span()])).collect();
        let (ids, roundup) = ids(text, title, entities, many);
        Item {
            key,
            url: address(url),
            published,
            ids,
            roundup,
            thread: String::new(),
            shingles: shingles(&folded),
            terms: terms(&tokens, &folded, title.len(), entities),
            coined: coined(text, entities),
        }
    }

    /// The same item as part of a conversation.
    pub fn in_thread(self, thread: &str) -> Item {
        Item { thread: thread.to_owned(), ..self }
    }

    /// How much of the two texts is the same, 0 to 1 (Jaccard over shingles of four words).
    pub(super) fn copy(&self, other: &Item) -> f64 {
        let (a, b) = (&self.shingles, &other.shingles);
        if a.len() < 8 || b.len() < 8 {
            // a few words in common are not a copy, unless they are all there is
            return if !a.is_empty() && a == b { 1.0 } else { 0.0 };
        }
        // of full samples the smallest hashes of the union are the fair sample of it
        let take = if a.len() == SHINGLES || b.len() == SHINGLES { SHINGLES } else { usize::MAX };
        let (mut i, mut j, mut both, mut all) = (0, 0, 0, 0);
        while (i < a.len() || j < b.len()) && all < take {
            let (x, y) = (a.get(i).copied().unwrap_or(u64::MAX), b.get(j).copied().unwrap_or(u64::MAX));
            i += usize::from(x <= y);
            j += usize::from(y <= x);
            both += usize::from(x == y);
            all += 1;
        }
        both as f64 / all as f64
    }
}

/// An address without scheme, `www.`, what tracks readers, and a slash at the end.
pub fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let tracks = |p: &&str| {
        !["utm_", "fbclid", "gclid", "mc_", "ref=", "source=rss", "xtor", "wt_"]
            .iter()
            .any(|t| p.starts_with(t))
    };
    let query: Vec<&str> = query.split('&').filter(|p| !p.is_empty()).filter(tracks).collect();
    let mut clean = path.trim_end_matches('/').to_owned();
    if !query.is_empty() {
        clean.push('?');
        clean.push_str(&query.join("&"));
    }
    // some publishers keep all advisories on one page and tell them apart by fragment
    if !fragment.is_empty() && tracks(&fragment) && fragment.bytes().any(|b| b.is_ascii_digit()) {
        clean.push('#');
        clean.push_str(fragment);
    }
    // the front page of a site is no article
    if clean.contains(['/', '?', '#']) { clean } else { String::new() }
}

/// The ids that a text is about, and whether it is a roundup.
fn ids(text: &str, title: &str, entities: &[Entity], many: usize) -> (Vec<String>, bool) {
    let told = |e: &&Entity| matches!(e.kind, Kind::Vulnerability | Kind::Advisory);
    let compared = |e: &Entity| {
        let head = fold(before(text, e.span.start, 24));
        COMPARES.iter().any(|w| head.ends_with(w))
    };
    let all: BTreeSet<&str> =
        entities.iter().filter(|e| e.kind == Kind::Vulnerability).map(|e| e.value.as_str()).collect();
    let lower = fold(title);
    let announced = ROUNDUP.iter().any(|w| lower.contains(w));
    let in_title: BTreeSet<&str> = entities
        .iter()
        .filter(told)
        .filter(|e| e.span.start < title.len() && !compared(e))
        .map(|e| e.value.as_str())
        .collect();
    let roundup =
        (in_title.is_empty() && all.len() > many) || (announced && all.len() > 1) || in_title.len() > many;
    // "ICSMA-22-251-01": the advisory's own number parts it from nobody, its flaws tell what it is about
    let flaw_in_title = in_title.iter().any(|id| all.contains(id));
    let main: BTreeSet<&str> = if flaw_in_title || roundup {
        if roundup { all } else { in_title }
    } else {
        entities.iter().filter(told).filter(|e| !compared(e)).map(|e| e.value.as_str()).collect()
    };
    (main.into_iter().map(str::to_owned).collect(), roundup)
}

/// Words that somebody made up for one thing, and that no other language has: functions (`BN_mod_sqrt`), models
/// (`CMS8000`), names in camel case (`BadAlloc`), and versions of things of the inventory (`xz 5.6.1`). Ids have their own
/// rules and are none.
fn coined(text: &str, entities: &[Entity]) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for word in
        text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).take(LEAD * 2)
    {
        let word = word.trim_matches(['-', '.', '_']);
        if is_coined(word) {
            found.insert(fold(word));
        }
        if found.len() == COINED {
            break;
        }
    }
    for e in entities.iter().filter(|e| e.kind == Kind::Version).take(COINED) {
        if let Some(of) = e.of.and_then(|of| entities.get(of)) {
            let number = e.value.trim_start_matches(['<', '>', '=', ' ', 'v']);
            found.insert(format!("{} {number}", of.value));
        }
    }
    found.into_iter().collect()
}

fn is_coined(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    // versions, dates, addresses and ids have points and hyphens between their parts
    if !(3..=40).contains(&word.len()) || letters < 3 || word.contains(['.', '-']) {
        return false;
    }
    let camel = word.as_bytes().windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    is_strong(word) || camel
}

/// A version of a thing of the inventory.
pub(super) fn is_version(word: &str) -> bool {
    word.contains(' ')
}

/// A coined word that is hardly anything else by chance: a function, a model.
pub(super) fn is_strong(word: &str) -> bool {
    if is_version(word) {
        return false;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let begins = word.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    begins && (word.contains('_') || digits >= 3)
}

fn shingles(words: &[String]) -> Vec<u64> {
    if words.is_empty() {
        return Vec::new();
    }
    let hash = |w: &[String]| xxh3_64(w.join(" ").as_bytes());
    let mut all: Vec<u64> =
        if words.len() < 4 { vec![hash(words)] } else { words.windows(4).map(hash).collect() };
    all.sort_unstable();
    all.dedup();
    all.truncate(SHINGLES);
    all
}

/// Terms with weights: the title's count three times, so do the things of the inventory.
fn terms(tokens: &[Token], folded: &[String], title: usize, entities: &[Entity]) -> Vec<(u64, f64)> {
    let mut weights: BTreeMap<u64, (usize, f64)> = BTreeMap::new();
    let mut add = |term: &str, place: usize, weight: f64| {
        let known = weights.entry(xxh3_64(term.as_bytes())).or_insert((place, 0.0));
        known.1 += weight;
    };
    for (n, (token, word)) in tokens.iter().zip(folded).enumerate() {
        let in_title = token.start < title;
        if !in_title && n > LEAD {
            break;
        }
        let weight = if in_title { 3.0 } else { 1.0 };
        if word.starts_with(is_cjk) {
            // two characters make a term where words are not parted
            if let Some(next) = folded.get(n + 1).filter(|w| w.starts_with(is_cjk)) {
                add(&format!("{word}{next}"), n, weight);
            }
        } else if word.chars().count() > 2 && !STOP.contains(&word.as_str()) {
            add(word, n, weight);
        }
    }
    for e in entities.iter().filter(|e| matches!(e.kind, Kind::Product | Kind::Component)).take(32) {
        add(&format!("={}", e.value), 0, 1.0);
    }
    // few stories of one week name the same version of the same thing
    for e in entities.iter().filter(|e| e.kind == Kind::Version).take(16) {
        if let Some(of) = e.of.and_then(|of| entities.get(of)) {
            let number = e.value.trim_start_matches(['<', '>', '=', ' ', 'v']);
            add(&format!("={} {number}", of.value), 0, 2.0);
        }
    }
    let mut terms: Vec<(usize, u64, f64)> =
        weights.into_iter().map(|(t, (p, w))| (p, t, 1.0 + w.ln())).collect();
    terms.sort_by_key(|(place, term, _)| (*place, *term));
    terms.truncate(TERMS);
    let mut terms: Vec<(u64, f64)> = terms.into_iter().map(|(_, t, w)| (t, w)).collect();
    terms.sort_by_key(|(t, _)| *t);
    terms
}

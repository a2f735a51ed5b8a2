//! Stories: the same news from many sources is one story that keeps growing.
//!
//! One item after the other is placed among the open stories. What decides, in this order: an edition of a known item
//! stays where it is; an answer belongs to what it answers; the same text is the same story; so are the same main ids; what
//! names no id is compared by its words, and by what it names that hardly anything else names. Two items about different ids are never one story by
//! themselves, however alike their words, so two flaws of one product in one week stay two. A roundup is a story of its
//! own, linked to those whose ids it names.
//!
//! Deterministic for the same items in the same order. Memory is bounded by [`Stories::expire`].

mod item;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

pub use item::{Item, address};
use item::{is_strong, is_version};

const DAY: i64 = 86_400;
/// Items looked at of each shingle, term or id: the youngest.
const RECENT: usize = 256;
/// Smallest shingles by which copies are sought: of copies, few share none of them.
const PROBES: usize = 8;
/// Rarest terms by which items alike are sought.
const RARE: usize = 12;
/// Items looked at of each term: the youngest.
const RECENT_TERM: usize = 64;
/// Items that a coined word is in where it says something: what more name is the talk of everybody.
const FEW: usize = 8;
/// Items whose words are compared in full: those with most of the rarest terms in common.
const COMPARED: usize = 32;

/// A story's number; older stories have smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoryId(pub u64);

/// How near is near.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Days within which the same ids or the same text are the same story.
    pub open_days: i64,
    /// Days within which items without common ids are compared by their words.
    pub alike_days: i64,
    /// Share of the text that makes a copy, 0 to 1.
    pub copy: f64,
    /// Likeness of words that makes one story, 0 to 1.
    pub alike: f64,
    /// Likeness that is enough for items with the same rare coined words, 0 to 1.
    pub named: f64,
}

impl Default for Options {
    fn default() -> Options {
        Options { open_days: 30, alike_days: 5, copy: 0.5, alike: 0.3, named: 0.1 }
    }
}

/// Why an item is where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// No open story is about the same.
    New,
    /// An edition of an item that is known.
    Edition,
    /// It is part of the same conversation.
    Thread,
    /// So much of its text is that of another item, 0 to 1.
    Copy(f64),
    /// It is about the same ids.
    Ids(Vec<String>),
    /// Its words are like those of another item, 0 to 1.
    Alike(f64),
    /// It names what hardly anything else names: functions, models, coined names.
    Named(Vec<String>),
}

/// Where an item was placed.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Its story.
    pub story: StoryId,
    /// Why.
    pub how: How,
    /// Stories that turned out to be the same and are part of `story` now.
    pub merged: Vec<StoryId>,
}

/// An open story.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Story {
    /// Keys of its items, in the order in which they came.
    pub items: Vec<u64>,
    /// Whether it is a roundup.
    pub roundup: bool,
    /// When its youngest item was published, seconds since 1970.
    pub last: i64,
    /// Main ids with the number of items about each.
    pub ids: BTreeMap<String, u32>,
}

/// The open stories with what finds them.
#[derive(Debug, Default)]
pub struct Stories {
    options: Options,
    next: u64,
    items: HashMap<u64, (Item, StoryId)>,
    stories: BTreeMap<StoryId, Story>,
    by_url: HashMap<String, u64>,
    by_id: HashMap<String, Vec<u64>>,
    by_shingle: HashMap<u64, Vec<u64>>,
    by_term: HashMap<u64, Vec<u64>>,
    /// The first open item of each conversation.
    by_thread: HashMap<String, u64>,
    by_coined: HashMap<String, Vec<u64>>,
    /// In how many open items a term is.
    frequency: HashMap<u64, u32>,
    /// Pairs that an analyst parted, the smaller first.
    apart: BTreeSet<(StoryId, StoryId)>,
}

fn pair(a: StoryId, b: StoryId) -> (StoryId, StoryId) {
    (a.min(b), a.max(b))
}

impl Stories {
    /// No stories yet.
    pub fn new(options: Options) -> Stories {
        Stories { options, ..Stories::default() }
    }

    /// New stories get numbers above this one: a state that is read again has closed stories too.
    pub fn continue_after(&mut self, number: u64) {
        self.next = self.next.max(number);
    }

    /// Number of items in open stories.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no story is open.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// An open story.
    pub fn story(&self, id: StoryId) -> Option<&Story> {
        self.stories.get(&id)
    }

    /// All open stories, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (StoryId, &Story)> {
        self.stories.iter().map(|(id, story)| (*id, story))
    }

    /// The story of an item.
    pub fn of(&self, item: u64) -> Option<StoryId> {
        self.items.get(&item).map(|(_, story)| *story)
    }

    /// Places an item: into its story, or a new one.
    pub fn add(&mut self, item: Item) -> Placed {
        let known =
            self.items.get(&item.key).map(|_| item.key).or_else(|| self.by_url.get(&item.url).copied());
        if let Some(key) = known.filter(|k| self.items.contains_key(k))
            && let Some((_, story)) = self.take_out(key)
        {
            // the edition keeps the key under which the item is known
            self.put_in(Item { key, ..item }, story);
            return Placed { story, how: How::Edition, merged: Vec::new() };
        }
        let mut near = self.near(&item);
        // the strongest reason first, of equal ones the older story
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut near = near.into_iter();
        let Some((story, _, how)) = near.next() else {
            let story = self.open();
            self.put_in(item, story);
            return Placed { story, how: How::New, merged: Vec::new() };
        };
        self.put_in(item, story);
        let (mut story, mut merged) = (story, Vec::new());
        for (other, strength, _) in near {
            // words that are alike do not join stories, copies and ids do
            if strength >= 1.0 && self.may_join(story, other) {
                let (kept, gone) = pair(story, other);
                self.join(kept, gone);
                merged.push(gone);
                story = kept;
            }
        }
        Placed { story, how, merged }
    }

    /// Puts an item where it was: how a stored state is read again. Constraints come by [`Stories::keep_apart`].
    pub fn restore(&mut self, item: Item, story: StoryId) {
        self.next = self.next.max(story.0);
        self.take_out(item.key);
        self.put_in(item, story);
    }

    /// An analyst says that two stories are one. Gives the older, which stays; `None` if one is not open.
    pub fn merge(&mut self, a: StoryId, b: StoryId) -> Option<StoryId> {
        if !self.stories.contains_key(&a) || !self.stories.contains_key(&b) {
            return None;
        }
        let (kept, gone) = pair(a, b);
        self.apart.remove(&(kept, gone));
        if kept != gone {
            self.join(kept, gone);
        }
        Some(kept)
    }

    /// An analyst says that these items are another story. Gives the new one, which never joins the old by itself;
    /// `None` if none of them, or all, are in the story.
    pub fn split(&mut self, story: StoryId, items: &[u64]) -> Option<StoryId> {
        let there = &self.stories.get(&story)?.items;
        let moved: Vec<u64> = there.iter().copied().filter(|k| items.contains(k)).collect();
        if moved.is_empty() || moved.len() == there.len() {
            return None;
        }
        let new = self.open();
        // whom the old story was parted from, the new one is parted from too
        let others: Vec<StoryId> = self.parted_from(story).collect();
        self.apart.extend(others.into_iter().map(|o| pair(new, o)));
        self.apart.insert(pair(story, new));
        for key in moved {
            if let Some((item, _)) = self.take_out(key) {
                self.put_in(item, new);
            }
        }
        Some(new)
    }

    /// Two stories never become one by themselves.
    pub fn keep_apart(&mut self, a: StoryId, b: StoryId) {
        if a != b {
            self.apart.insert(pair(a, b));
        }
    }

    /// Pairs that are kept apart.
    pub fn apart(&self) -> impl Iterator<Item = (StoryId, StoryId)> {
        self.apart.iter().copied()
    }

    /// Other stories about ids of this one: what a roundup gathers, and where a flaw is gathered.
    pub fn links(&self, story: StoryId) -> Vec<StoryId> {
        let ids = self.stories.get(&story).into_iter().flat_map(|s| s.ids.keys());
        let found: BTreeSet<StoryId> = ids
            .flat_map(|id| self.by_id.get(id).into_iter().flatten().map(move |key| (id, key)))
            // an edition may no longer name what the item named once
            .filter_map(|(id, key)| self.items.get(key).filter(|(item, _)| item.ids.contains(id)))
            .map(|(_, other)| *other)
            .filter(|other| *other != story)
            .collect();
        found.into_iter().collect()
    }

    /// Closes stories whose youngest item was published before this time (seconds since 1970).
    pub fn expire(&mut self, before: i64) {
        let old: Vec<StoryId> =
            self.stories.iter().filter(|(_, s)| s.last < before).map(|(id, _)| *id).collect();
        if old.is_empty() {
            return;
        }
        for id in old {
            let Some(story) = self.stories.remove(&id) else {
                continue;
            };
            for key in story.items {
                if let Some((item, _)) = self.items.remove(&key) {
                    self.forget(&item);
                }
            }
        }
        self.apart.retain(|(a, b)| self.stories.contains_key(a) && self.stories.contains_key(b));
        sweep(&mut self.by_id, &self.items);
        sweep(&mut self.by_shingle, &self.items);
        sweep(&mut self.by_term, &self.items);
        sweep(&mut self.by_coined, &self.items);
        self.by_url.retain(|_, k| self.items.contains_key(k));
        self.by_thread.retain(|_, k| self.items.contains_key(k));
    }

    fn open(&mut self) -> StoryId {
        self.next += 1;
        StoryId(self.next)
    }

    fn parted_from(&self, story: StoryId) -> impl Iterator<Item = StoryId> {
        self.apart.iter().filter_map(move |(a, b)| match story {
            s if s == *a => Some(*b),
            s if s == *b => Some(*a),
            _ => None,
        })
    }

    /// Whether two stories can become one by themselves.
    fn may_join(&self, a: StoryId, b: StoryId) -> bool {
        let (Some(x), Some(y)) = (self.stories.get(&a), self.stories.get(&b)) else {
            return false;
        };
        let conflict = conflict(x.ids.keys(), y.ids.keys());
        a != b && x.roundup == y.roundup && !conflict && !self.apart.contains(&pair(a, b))
    }

    fn join(&mut self, kept: StoryId, gone: StoryId) {
        let parted: Vec<StoryId> = self.parted_from(gone).collect();
        for other in parted {
            self.apart.remove(&pair(gone, other));
            self.keep_apart(kept, other);
        }
        let Some(story) = self.stories.remove(&gone) else {
            return;
        };
        let into = self.stories.entry(kept).or_default();
        into.last = into.last.max(story.last);
        for (id, n) in story.ids {
            *into.ids.entry(id).or_default() += n;
        }
        for key in &story.items {
            if let Some(held) = self.items.get_mut(key) {
                held.1 = kept;
            }
        }
        into.items.extend(story.items);
    }

    fn put_in(&mut self, item: Item, story: StoryId) {
        let into = self.stories.entry(story).or_default();
        if into.items.is_empty() {
            into.roundup = item.roundup;
            into.last = item.published;
        }
        into.items.push(item.key);
        into.last = into.last.max(item.published);
        for id in &item.ids {
            *into.ids.entry(id.clone()).or_default() += 1;
            note(self.by_id.entry(id.clone()).or_default(), item.key, RECENT);
        }
        for shingle in item.shingles.iter().take(PROBES) {
            note(self.by_shingle.entry(*shingle).or_default(), item.key, RECENT);
        }
        for (term, _) in &item.terms {
            *self.frequency.entry(*term).or_default() += 1;
            note(self.by_term.entry(*term).or_default(), item.key, RECENT_TERM);
        }
        for word in &item.coined {
            note(self.by_coined.entry(word.clone()).or_default(), item.key, FEW + 1);
        }
        if !item.url.is_empty() {
            self.by_url.insert(item.url.clone(), item.key);
        }
        if !item.thread.is_empty() {
            self.by_thread.entry(item.thread.clone()).or_insert(item.key);
        }
        self.items.insert(item.key, (item, story));
    }

    /// Takes an item out; its story closes when it was the last.
    fn take_out(&mut self, key: u64) -> Option<(Item, StoryId)> {
        let (item, id) = self.items.remove(&key)?;
        self.forget(&item);
        if let Some(story) = self.stories.get_mut(&id) {
            story.items.retain(|k| *k != key);
            for told in &item.ids {
                if let Some(n) = story.ids.get_mut(told) {
                    *n -= 1;
                }
            }
            story.ids.retain(|_, n| *n > 0);
            let last = story.items.iter().filter_map(|k| self.items.get(k)).map(|(i, _)| i.published).max();
            match last {
                Some(last) => story.last = last,
                None => {
                    self.stories.remove(&id);
                }
            }
        }
        Some((item, id))
    }

    fn forget(&mut self, item: &Item) {
        for (term, _) in &item.terms {
            if let Some(n) = self.frequency.get_mut(term) {
                *n -= 1;
                if *n == 0 {
                    self.frequency.remove(term);
                }
            }
        }
    }

    /// How much a term tells: the rarer, the more.
    fn rarity(&self, term: u64) -> f64 {
        // the open items are never so few that two of them make a word common
        let all = self.items.len() as f64 + 50.0;
        (all / (1.0 + f64::from(self.frequency.get(&term).copied().unwrap_or(0)))).ln().max(0.0)
    }

    fn weighed(&self, terms: &[(u64, f64)]) -> Vec<(u64, f64)> {
        terms.iter().map(|(t, w)| (*t, w * self.rarity(*t))).collect()
    }

    /// How like the words of an item are to weighed ones, 0 to 1 (cosine over terms by rarity).
    fn likeness(&self, mine: &[(u64, f64)], other: &Item) -> f64 {
        let length = |terms: &[(u64, f64)]| terms.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        let theirs = self.weighed(&other.terms);
        let (mut i, mut j, mut product) = (0, 0, 0.0);
        while let (Some((x, v)), Some((y, w))) = (mine.get(i), theirs.get(j)) {
            if x == y {
                product += v * w;
            }
            i += usize::from(x <= y);
            j += usize::from(y <= x);
        }
        let lengths = length(mine) * length(&theirs);
        if lengths > 0.0 { product / lengths } else { 0.0 }
    }

    /// Items whose words are likest, with their likeness.
    fn alike_items(&self, item: &Item) -> Vec<(f64, StoryId)> {
        let mine = self.weighed(&item.terms);
        let mut rare: Vec<(u64, f64)> =
            mine.iter().filter(|(t, _)| self.by_term.contains_key(t)).copied().collect();
        rare.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut common: BTreeMap<u64, f64> = BTreeMap::new();
        for (term, weight) in rare.iter().take(RARE) {
            for key in self.by_term.get(term).into_iter().flatten() {
                *common.entry(*key).or_default() += weight;
            }
        }
        let mut likest: Vec<(u64, f64)> = common.into_iter().collect();
        likest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let likest = likest.into_iter().filter_map(|(key, _)| self.items.get(&key));
        likest
            .filter(|(other, _)| self.is_near_in_time(item, other))
            .take(COMPARED)
            .map(|(other, story)| (self.likeness(&mine, other), *story))
            .collect()
    }

    fn is_near_in_time(&self, item: &Item, other: &Item) -> bool {
        let days = self.options.alike_days.unsigned_abs() * DAY.unsigned_abs();
        item.published.abs_diff(other.published) <= days
    }

    /// Items that share coined words which hardly anything else has: a function, a model, a version of a thing where nobody
    /// names an id, or two names.
    fn named_items(&self, item: &Item) -> Vec<(f64, StoryId, Vec<String>)> {
        let mut shared: BTreeMap<u64, Vec<&String>> = BTreeMap::new();
        for word in &item.coined {
            let holders = self.by_coined.get(word).map_or(&[][..], Vec::as_slice);
            if holders.len() <= FEW {
                for key in holders {
                    shared.entry(*key).or_default().push(word);
                }
            }
        }
        if shared.is_empty() {
            return Vec::new();
        }
        let mine = self.weighed(&item.terms);
        let known = |(key, words): (u64, Vec<&String>)| {
            // an edition may no longer have what the item had once
            let (other, story) = self.items.get(&key)?;
            // several flaws are told of one version, but hardly within days where nobody has an id for any
            let bare = item.ids.is_empty() && other.ids.is_empty();
            let words: Vec<&String> =
                words.into_iter().filter(|w| other.coined.contains(w) && (bare || !is_version(w))).collect();
            let says = words.len() > 1 || words.iter().any(|w| is_strong(w) || is_version(w));
            if !says || !self.is_near_in_time(item, other) {
                return None;
            }
            let alike = self.likeness(&mine, other);
            (alike >= self.options.named).then(|| (alike, *story, words.into_iter().cloned().collect()))
        };
        shared.into_iter().filter_map(known).collect()
    }

    /// Stories that an item can belong to, each with the strongest reason.
    fn near(&self, item: &Item) -> Vec<(StoryId, f64, How)> {
        let mut best: BTreeMap<StoryId, (f64, How)> = BTreeMap::new();
        let within = |other: &Item, days: i64| {
            item.published.abs_diff(other.published) <= days.unsigned_abs() * DAY.unsigned_abs()
        };
        // what is answered decides, whatever else an answer names
        let first = self.by_thread.get(&item.thread).filter(|_| !item.thread.is_empty());
        if let Some((other, story)) = first.and_then(|key| self.items.get(key))
            && within(other, self.options.open_days)
        {
            best.insert(*story, (4.0, How::Thread));
        }
        let mut found = |story: StoryId, strength: f64, how: How| {
            let fits = self
                .stories
                .get(&story)
                .is_some_and(|s| s.roundup == item.roundup && !conflict(item.ids.iter(), s.ids.keys()));
            if fits && best.get(&story).is_none_or(|(known, _)| strength > *known) {
                best.insert(story, (strength, how));
            }
        };
        let candidates = |keys: &mut dyn Iterator<Item = &u64>| -> BTreeSet<u64> { keys.copied().collect() };

        let probes = item.shingles.iter().take(PROBES).filter_map(|s| self.by_shingle.get(s));
        for key in candidates(&mut probes.flatten()) {
            let Some((other, story)) = self.items.get(&key) else {
                continue;
            };
            let copy = item.copy(other);
            if copy >= self.options.copy && within(other, self.options.open_days) {
                found(*story, 2.0 + copy, How::Copy(copy));
            }
        }
        let told = item.ids.iter().filter_map(|id| self.by_id.get(id));
        for key in candidates(&mut told.flatten()) {
            let Some((other, story)) = self.items.get(&key) else {
                continue;
            };
            let common: Vec<String> = item.ids.iter().filter(|id| other.ids.contains(id)).cloned().collect();
            let fewer = item.ids.len().min(other.ids.len());
            let more = item.ids.len().max(other.ids.len());
            // of roundups both must gather the same, of others one may tell more
            let share = common.len() as f64 / if item.roundup { more } else { fewer } as f64;
            if share >= 0.5 && within(other, self.options.open_days) {
                found(*story, 1.0 + share, How::Ids(common));
            }
        }
        if !item.roundup {
            for (alike, story) in self.alike_items(item) {
                if alike >= self.options.alike {
                    found(story, alike.min(0.99), How::Alike(alike));
                }
            }
            for (alike, story, words) in self.named_items(item) {
                found(story, alike.min(0.99), How::Named(words));
            }
        }
        best.into_iter().map(|(story, (strength, how))| (story, strength, how)).collect()
    }
}

/// Whether ids tell two things apart: none is common, and one system numbered both. A CVE id and an advisory's number
/// say nothing about one another.
fn conflict<'a>(
    a: impl Iterator<Item = &'a String> + Clone,
    b: impl Iterator<Item = &'a String> + Clone,
) -> bool {
    let system = |id: &'a String| id.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let any =
        |same: &dyn Fn(&'a String, &'a String) -> bool| a.clone().any(|x| b.clone().any(|y| same(x, y)));
    !any(&|x, y| x == y) && any(&|x, y| system(x) == system(y))
}

/// Notes an item under a key, keeping the youngest.
fn note(list: &mut Vec<u64>, key: u64, most: usize) {
    if !list.contains(&key) {
        if list.len() >= most {
            list.remove(0);
        }
        list.push(key);
    }
}

fn sweep<K: Eq + Hash>(lists: &mut HashMap<K, Vec<u64>>, items: &HashMap<u64, (Item, StoryId)>) {
    lists.retain(|_, list| {
        list.retain(|k| items.contains_key(k));
        !list.is_empty()
    });
}

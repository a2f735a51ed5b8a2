//! Relevance: how much a story matters to one workspace, as a sum of reasons that are all shown.
//!
//! There is no model behind it. Each reason has a weight in points that a workspace can edit, and the sum of what is
//! shown is the score. From [`Weights::relevant`] on a story counts as relevant.

mod feedback;
mod lexicon;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tocsin_model::explain::{Addend, Explained};

use crate::entities::text::{Token, tokens};
use crate::entities::{Dictionary, Entity, Kind, Name, Strength, Thing, ThingKind};
use lexicon::{Found, LEXICON};

pub use feedback::{Feature, Feedback, Vote, Votes};
pub use lexicon::{Subject, industries, topics};

/// Points of each reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// One of our products is named.
    pub product: f64,
    /// A component that we ship is named.
    pub component: f64,
    /// Each further component, of four at most.
    pub component_more: f64,
    /// What is named stands in the title.
    pub title: f64,
    /// A vendor that we follow (ours, a supplier) is named.
    pub vendor: f64,
    /// The story is of an industry that we follow; in proportion when only some words tell so.
    pub industry: f64,
    /// An interest is met; times the interest's own weight.
    pub interest: f64,
    /// A flaw, an attack or a duty is told of.
    pub flaw: f64,
    /// Nothing of security is told of.
    pub no_flaw: f64,
    /// The flaw is exploited.
    pub exploited: f64,
    /// An exploit is public.
    pub exploit: f64,
    /// Something is advertised.
    pub advert: f64,
    /// The source by its reliability in the Admiralty code, A to F.
    pub reliability: [f64; 6],
    /// The information by its credibility in the Admiralty code, 1 to 6.
    pub credibility: [f64; 6],
    /// What votes on one feature add at most.
    pub feedback: f64,
    /// So many votes halve the caution with which few votes are heard; at least 1.
    pub feedback_caution: f64,
    /// What all votes together add or take at most.
    pub feedback_most: f64,
    /// Days after which half of a story's points are gone; 0: it does not age.
    pub half_life_days: f64,
    /// From so many points on a story is relevant.
    pub relevant: f64,
}

impl Default for Weights {
    fn default() -> Weights {
        Weights {
            product: 60.0,
            component: 40.0,
            component_more: 3.0,
            title: 8.0,
            vendor: 14.0,
            industry: 28.0,
            interest: 30.0,
            flaw: 12.0,
            no_flaw: -30.0,
            exploited: 10.0,
            exploit: 6.0,
            advert: -25.0,
            reliability: [4.0, 2.0, 0.0, -4.0, -8.0, 0.0],
            credibility: [3.0, 2.0, 0.0, -3.0, -6.0, 0.0],
            feedback: 8.0,
            feedback_caution: 8.0,
            feedback_most: 25.0,
            half_life_days: 14.0,
            relevant: 40.0,
        }
    }
}

/// Something that is followed by words, whether or not it has a CVE or a place in the inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interest {
    /// What it is called: "infusion pumps of others".
    pub name: String,
    /// Names, products, vendors or phrases: one of them is enough.
    pub any: Vec<String>,
    /// One of these, and the interest is not met: "petrol pump".
    pub without: Vec<String>,
    /// Times the weight of interests; 1 is usual, negative wards off.
    pub weight: f64,
}

/// What a workspace follows, ready to be looked for.
#[derive(Default)]
pub struct Profile {
    industries: BTreeSet<String>,
    interests: Vec<Interest>,
    words: Dictionary,
}

impl Profile {
    /// Follows industries by their codes (see [`industries`]; unknown ones find nothing) and interests.
    pub fn new(industries: impl IntoIterator<Item = String>, interests: Vec<Interest>) -> Profile {
        let mut things = Vec::new();
        for (n, interest) in interests.iter().enumerate() {
            for (sort, phrases) in [("any", &interest.any), ("without", &interest.without)] {
                let name = |p: &String| Name { text: p.clone(), strength: Strength::Strong };
                let names = phrases.iter().map(name).collect();
                let key = format!("{n}\t{sort}");
                things.push(Thing { key, kind: ThingKind::Component, names, vendors: Vec::new() });
            }
        }
        Profile { industries: industries.into_iter().collect(), interests, words: Dictionary::new(things) }
    }

    /// Interests that a text meets, with the words that do.
    fn met(&self, text: &str, tokens: &[Token]) -> Vec<(&Interest, String)> {
        let mut any: BTreeMap<usize, String> = BTreeMap::new();
        let mut without = BTreeSet::new();
        let mut i = 0;
        while i < tokens.len() {
            let Some((n, meanings)) = self.words.longest(text, &tokens[i..]) else {
                i += 1;
                continue;
            };
            let written = &text[tokens[i].start..tokens[i + n - 1].end];
            for thing in meanings.iter().filter_map(|m| self.words.thing(m)) {
                let Some((number, sort)) = thing.key.split_once('\t') else {
                    continue;
                };
                let Ok(number) = number.parse::<usize>() else {
                    continue;
                };
                if sort == "any" {
                    any.entry(number).or_insert_with(|| written.to_owned());
                } else {
                    without.insert(number);
                }
            }
            i += n;
        }
        any.into_iter()
            .filter(|(n, _)| !without.contains(n))
            .filter_map(|(n, words)| Some((self.interests.get(n)?, words)))
            .collect()
    }
}

/// A story as it is weighed.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its text; the first line is the title.
    pub text: &'a str,
    /// What the text names.
    pub entities: &'a [Entity],
    /// Name of the source.
    pub source: &'a str,
    /// Reliability of the source, `A` to `F` (Admiralty code, NATO AJP-2.1); anything else counts as `F`.
    pub reliability: char,
    /// Credibility of the information, 1 to 6 (the same code); anything else counts as 6.
    pub credibility: u8,
    /// Whether a flaw it names is known to be exploited (KEV and the like), beside what the text says.
    pub exploited: bool,
    /// Whether an exploit of a flaw it names is known, beside what the text says.
    pub exploit: bool,
    /// Days since the story's youngest item was published.
    pub age_days: f64,
}

/// What was read out of a story: what it is weighed by and what votes count on.
struct Read<'a> {
    found: Found,
    met: Vec<(&'a Interest, String)>,
    /// Keys by kind, each with whether the title names it.
    named: BTreeMap<(Kind, &'a str), bool>,
}

fn read<'a>(told: &Told<'a>, profile: &'a Profile) -> Read<'a> {
    let title = told.text.find('\n').unwrap_or(told.text.len());
    let tokens = tokens(told.text);
    let mut named: BTreeMap<(Kind, &str), bool> = BTreeMap::new();
    for e in told.entities.iter().filter(|e| matches!(e.kind, Kind::Product | Kind::Component | Kind::Vendor))
    {
        *named.entry((e.kind, e.value.as_str())).or_default() |= e.span.start < title;
    }
    Read { found: LEXICON.find(told.text, &tokens, title), met: profile.met(told.text, &tokens), named }
}

impl Read<'_> {
    fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, bool)> {
        self.named.iter().filter(move |((k, _), _)| *k == kind).map(|((_, key), title)| (*key, *title))
    }

    fn signal(&self, code: &str) -> Option<&str> {
        self.found.get(&format!("signal:{code}"))?.keys().next().map(String::as_str)
    }

    /// How surely the text is of a subject, 0 to 1, and the words that tell so.
    fn subject(&self, sort: &str, code: &str) -> Option<(f64, Vec<&str>)> {
        let terms = self.found.get(&format!("{sort}:{code}"))?;
        let sum: f64 = terms.values().map(|(weight, title)| weight * if *title { 1.5 } else { 1.0 }).sum();
        // one term of nothing else, or some that speak of it, are enough in a title; a hint alone never is
        Some(((sum / 4.5).min(1.0), terms.keys().map(String::as_str).collect()))
    }
}

/// What votes on this story count on.
pub fn features(told: &Told<'_>, profile: &Profile) -> Vec<Feature> {
    let read = read(told, profile);
    let feature = |sort: &str, key: &str, words: String| Feature { code: format!("{sort}:{key}"), words };
    let mut all = Vec::new();
    for (kind, sort) in [(Kind::Product, "product"), (Kind::Component, "component"), (Kind::Vendor, "vendor")]
    {
        all.extend(read.of(kind).map(|(key, _)| feature(sort, key, format!("on {key}"))));
    }
    for (sort, subjects) in [("industry", industries()), ("topic", topics())] {
        for s in subjects {
            if read.subject(sort, &s.code).is_some_and(|(share, _)| share >= 0.5) {
                all.push(feature(sort, &s.code, format!("on {}", s.name)));
            }
        }
    }
    all.extend(read.met.iter().map(|(i, _)| feature("interest", &i.name, format!("on {}", i.name))));
    if !told.source.is_empty() {
        all.push(feature("source", told.source, format!("from {}", told.source)));
    }
    all
}

/// Weighs a story for a workspace.
pub fn relevance(
    told: &Told<'_>,
    profile: &Profile,
    weights: &Weights,
    feedback: &Feedback,
) -> Explained<f64> {
    let read = read(told, profile);
    let mut sum = Explained::sum(Vec::new());
    ours(&read, weights, &mut sum);
    subjects(&read, profile, weights, &mut sum);
    signals(told, &read, weights, &mut sum);
    source(told, weights, &mut sum);
    for addend in feedback.addends(&features(told, profile), weights) {
        sum.push(addend);
    }
    if let Some(gone) = age(sum.value, told.age_days, weights) {
        sum.push(gone);
    }
    sum
}

/// What age takes of so many points, where it takes something: so that points can be kept and aged day by day.
pub fn age(points: f64, days: f64, weights: &Weights) -> Option<Addend> {
    let gone = aged(points, days, weights.half_life_days)?;
    let whole = days.floor();
    let words = if whole == 1.0 { "1 day old".to_owned() } else { format!("{whole} days old") };
    Some(Addend::new("age", words, -gone, ""))
}

/// Our products, components and vendors.
fn ours(read: &Read<'_>, weights: &Weights, sum: &mut Explained<f64>) {
    let mut title = None;
    let mut note = |key: &str, in_title: bool| {
        if in_title && title.is_none() {
            title = Some(key.to_owned());
        }
    };
    for (key, in_title) in read.of(Kind::Product).take(1) {
        note(key, in_title);
        sum.push(Addend::new("product", format!("names our product {key}"), weights.product, key));
    }
    // the one in the title first
    let mut components: Vec<(&str, bool)> = read.of(Kind::Component).collect();
    components.sort_by_key(|(key, in_title)| (!in_title, *key));
    for (n, (key, in_title)) in components.into_iter().take(5).enumerate() {
        note(key, in_title);
        let weight = if n == 0 { weights.component } else { weights.component_more };
        sum.push(Addend::new("component", format!("names {key}, which we ship"), weight, key));
    }
    // the one in the title first
    if let Some((key, in_title)) = read.of(Kind::Vendor).max_by_key(|(_, in_title)| *in_title) {
        note(key, in_title);
        sum.push(Addend::new("vendor", format!("names the vendor {key}"), weights.vendor, key));
    }
    if let Some(key) = title {
        sum.push(Addend::new("title", format!("{key} stands in the title"), weights.title, key));
    }
}

/// The industry that tells most, and the interest that weighs most.
fn subjects(read: &Read<'_>, profile: &Profile, weights: &Weights, sum: &mut Explained<f64>) {
    let followed = industries().iter().filter(|s| profile.industries.contains(&s.code));
    let told =
        followed.filter_map(|s| read.subject("industry", &s.code).map(|(share, terms)| (s, share, terms)));
    if let Some((s, share, terms)) = told.max_by(|a, b| a.1.total_cmp(&b.1)) {
        let terms: Vec<&str> = terms.into_iter().take(4).collect();
        let words = format!("is of {} ({})", s.name, terms.join(", "));
        sum.push(Addend::new("industry", words, weights.industry * share, s.code.as_str()));
    }
    // wards add up with what is met
    let best =
        read.met.iter().filter(|(i, _)| i.weight > 0.0).max_by(|a, b| a.0.weight.total_cmp(&b.0.weight));
    let wards = read.met.iter().filter(|(i, _)| i.weight < 0.0);
    for (interest, words) in best.into_iter().chain(wards) {
        let said = format!("meets the interest {} ({words})", interest.name);
        sum.push(Addend::new("interest", said, weights.interest * interest.weight, interest.name.as_str()));
    }
}

/// What is told: a flaw, its exploitation, or something for sale.
fn signals(told: &Told<'_>, read: &Read<'_>, weights: &Weights, sum: &mut Explained<f64>) {
    let id = told.entities.iter().find(|e| matches!(e.kind, Kind::Vulnerability | Kind::Advisory));
    match (id, read.signal("flaw")) {
        (Some(id), _) => {
            sum.push(Addend::new("flaw", format!("names {}", id.value), weights.flaw, id.value.as_str()))
        }
        (None, Some(term)) => {
            sum.push(Addend::new("flaw", format!("tells of a flaw ({term})"), weights.flaw, ""))
        }
        (None, None) => {
            sum.push(Addend::new("no_flaw", "tells of nothing that harms or binds", weights.no_flaw, ""))
        }
    }
    match read.signal("exploited") {
        _ if told.exploited => {
            sum.push(Addend::new("exploited", "is known to be exploited", weights.exploited, ""))
        }
        Some(term) => sum.push(Addend::new(
            "exploited",
            format!("says that it is exploited ({term})"),
            weights.exploited,
            "",
        )),
        None => {}
    }
    let linked = told.entities.iter().find(|e| e.kind == Kind::Exploit);
    match (linked, read.signal("exploit")) {
        (Some(e), _) => sum.push(Addend::new(
            "exploit",
            format!("leads to an exploit ({})", e.value),
            weights.exploit,
            "",
        )),
        (None, Some(term)) => sum.push(Addend::new(
            "exploit",
            format!("says that an exploit is public ({term})"),
            weights.exploit,
            "",
        )),
        (None, None) if told.exploit => {
            sum.push(Addend::new("exploit", "an exploit is known", weights.exploit, ""))
        }
        (None, None) => {}
    }
    if let Some(term) = read.signal("advert") {
        sum.push(Addend::new("advert", format!("advertises ({term})"), weights.advert, ""));
    }
}

/// Who says so, and how credible it is (Admiralty code).
fn source(told: &Told<'_>, weights: &Weights, sum: &mut Explained<f64>) {
    let place = match told.reliability.to_ascii_uppercase() {
        c @ 'A'..='F' => usize::from(c as u8 - b'A'),
        _ => 5,
    };
    let code = char::from(b'A' + place as u8);
    if let Some(points) = weights.reliability.get(place).filter(|p| **p != 0.0) {
        let words = format!("the source is of reliability {code}");
        sum.push(Addend::new("reliability", words, *points, told.source));
    }
    let place = usize::from(told.credibility.clamp(1, 6)) - 1;
    if let Some(points) =
        weights.credibility.get(if told.credibility == 0 { 5 } else { place }).filter(|p| **p != 0.0)
    {
        let words = format!("the information is of credibility {}", place + 1);
        sum.push(Addend::new("credibility", words, *points, told.source));
    }
}

/// Points that are gone by age; what is below nothing does not age.
fn aged(points: f64, days: f64, half_life: f64) -> Option<f64> {
    let old = days.is_finite() && days > 0.0 && half_life > 0.0 && points > 0.0;
    old.then(|| points * (1.0 - 0.5f64.powf(days / half_life))).filter(|gone| *gone >= 0.005)
}

//! The lexicon: which words tell of an industry, a topic, a flaw, an exploit, an advertisement. Data that a person can
//! read (`data/lexicon.toml`); nothing is learned here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::entities::text::Token;
use crate::entities::{Dictionary, Name, Strength, Thing, ThingKind};

/// An industry or a topic that the lexicon knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subject {
    /// Code for settings: `medical`.
    pub code: String,
    /// Name for people: "medical devices".
    pub name: String,
    /// Terms of nothing else (weight 3).
    #[serde(default)]
    pub strong: Vec<String>,
    /// Terms that speak of it (weight 2).
    #[serde(default)]
    pub plain: Vec<String>,
    /// Terms that hint at it (weight 1).
    #[serde(default)]
    pub hint: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    industry: Vec<Subject>,
    topic: Vec<Subject>,
    signals: BTreeMap<String, Vec<String>>,
}

/// The lexicon, ready to be looked for in text.
pub(super) struct Lexicon {
    pub industries: Vec<Subject>,
    pub topics: Vec<Subject>,
    words: Dictionary,
}

/// What the lexicon found: code of the subject or signal, to the terms with their weights and whether the title has them.
pub(super) type Found = BTreeMap<String, BTreeMap<String, (f64, bool)>>;

pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let file: File = match toml::from_str(include_str!("../../data/lexicon.toml")) {
        Ok(file) => file,
        // a test reads the file, so this is never what is shipped
        Err(_) => File { industry: Vec::new(), topic: Vec::new(), signals: BTreeMap::new() },
    };
    let mut things = Vec::new();
    let mut add = |sort: &str, code: &str, terms: &[String], weight: u8| {
        for term in terms {
            let key = format!("{sort}:{code}\t{weight}\t{term}");
            let mut names = vec![Name { text: term.clone(), strength: Strength::Strong }];
            // pumps for pump, Kliniken for Klinik, Infusionspumpen for Infusionspumpe
            if term.ends_with(|c: char| c.is_ascii_lowercase()) && !term.ends_with('s') {
                let forms = ["s", "n", "en"].map(|end| format!("{term}{end}"));
                names.extend(forms.map(|text| Name { text, strength: Strength::Strong }));
            }
            things.push(Thing { key, kind: ThingKind::Component, names, vendors: Vec::new() });
        }
    };
    for (sort, subjects) in [("industry", &file.industry), ("topic", &file.topic)] {
        for s in subjects {
            add(sort, &s.code, &s.strong, 3);
            add(sort, &s.code, &s.plain, 2);
            add(sort, &s.code, &s.hint, 1);
        }
    }
    for (code, terms) in &file.signals {
        add("signal", code, terms, 1);
    }
    Lexicon { industries: file.industry, topics: file.topic, words: Dictionary::new(things) }
});

impl Lexicon {
    /// Terms of a text: at each word the longest one that starts there.
    pub fn find(&self, text: &str, tokens: &[Token], title: usize) -> Found {
        let mut found = Found::new();
        for i in 0..tokens.len() {
            let Some((n, meanings)) = self.words.longest(text, &tokens[i..]) else {
                continue;
            };
            let written = &text[tokens[i].start..tokens[i + n - 1].end];
            for thing in meanings.iter().filter_map(|m| self.words.thing(m)) {
                let mut parts = thing.key.splitn(3, '\t');
                let (Some(code), Some(weight), Some(term)) = (parts.next(), parts.next(), parts.next())
                else {
                    continue;
                };
                // an abbreviation is written as one: "ICS", "OT", "TCU", not "ics" or "can"
                let short = term.chars().count() <= 4 && term.bytes().all(|b| b.is_ascii_uppercase());
                if short && written.trim_end_matches('s') != term {
                    continue;
                }
                let weight: f64 = weight.parse().unwrap_or(1.0);
                let in_title = tokens[i].start < title;
                let known = found
                    .entry(code.to_owned())
                    .or_default()
                    .entry(term.to_owned())
                    .or_insert((weight, false));
                known.1 |= in_title;
            }
        }
        found
    }
}

/// The industries that can be followed.
pub fn industries() -> &'static [Subject] {
    &LEXICON.industries
}

/// The topics that feedback speaks of beside industries.
pub fn topics() -> &'static [Subject] {
    &LEXICON.topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::text::tokens;

    #[test]
    fn the_lexicon_is_whole() {
        assert!(toml::from_str::<File>(include_str!("../../data/lexicon.toml")).is_ok());
        assert!(industries().len() >= 8 && topics().len() >= 5);
        for s in industries().iter().chain(topics()) {
            assert!(!s.strong.is_empty() && !s.name.is_empty(), "{}", s.code);
        }
    }

    #[test]
    fn terms_are_words_and_abbreviations_are_written_so() {
        let find = |text: &str| {
            let title = text.find('\n').unwrap_or(0);
            LEXICON.find(text, &tokens(text), title)
        };
        assert!(find("Infusion pumps answer").contains_key("industry:medical"));
        assert!(find("当社の輸液ポンプの脆弱性").contains_key("industry:medical"));
        assert!(!find("what is not ot, nor ics, nor a can").contains_key("industry:industrial"));
        assert!(find("two PLCs in the OT").contains_key("industry:industrial"));
    }
}

//! What people do without relevance: filters by keyword, and a ranking by TF-IDF. Written to win.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::set::{Profile, Story};

/// The words of a text: runs of letters and digits in lower case; of scripts without spaces, pairs of characters.
fn words(text: &str) -> Vec<String> {
    let cjk = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}');
    let lower = text.to_lowercase();
    let mut all = Vec::new();
    for run in lower.split(|c: char| !c.is_alphanumeric()).filter(|r| !r.is_empty()) {
        let chars: Vec<char> = run.chars().collect();
        for part in chars.chunk_by(|a, b| cjk(*a) == cjk(*b)) {
            if part.len() > 1 && part.first().is_some_and(|c| cjk(*c)) {
                all.extend(part.windows(2).map(|pair| pair.iter().collect::<String>()));
            } else {
                all.push(part.iter().collect());
            }
        }
    }
    all
}

/// Whether the words of a phrase follow one another in the words of a text.
fn has(text: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && text.windows(phrase.len()).any(|w| w == phrase)
}

/// How many phrases of a list each story has.
fn counts(texts: &[Vec<String>], phrases: &BTreeSet<String>) -> Vec<f64> {
    let phrases: Vec<Vec<String>> = phrases.iter().map(|p| words(p)).collect();
    texts.iter().map(|text| phrases.iter().filter(|p| has(text, p)).count() as f64).collect()
}

/// The names of packages as a filter can find them: `org.apache.logging.log4j:log4j-core` by its last part too.
fn spoken(name: &str) -> impl Iterator<Item = String> {
    let last = name.rsplit([':', '/']).next().unwrap_or(name);
    let bare = last.split("-core").next().unwrap_or(last);
    [name, last, bare].map(str::to_owned).into_iter()
}

/// Filters by keyword with the number of hits as the score; one hit is enough.
pub fn filters(profile: &Profile, stories: &[Story], labels: &[bool]) -> Vec<(&'static str, Vec<f64>)> {
    let texts: Vec<Vec<String>> = stories.iter().map(|s| words(&s.text)).collect();
    let firms = profile.vendors.iter().cloned();
    let names: BTreeSet<String> = profile.names.iter().flat_map(|n| spoken(n)).chain(firms).collect();
    let all: BTreeSet<String> = names.iter().cloned().chain(profile.keywords.iter().cloned()).collect();
    // a person throws a keyword out when most of what it brings is of no use; who has none to judge by keeps it
    let useful = |phrase: &String| {
        let phrase = words(phrase);
        let met: Vec<bool> = (0..stories.len())
            .filter(|n| !stories[*n].held_out() && has(&texts[*n], &phrase))
            .map(|n| labels[n])
            .collect();
        met.iter().filter(|r| **r).count() * 2 >= met.len()
    };
    let tended: BTreeSet<String> = all.iter().filter(|p| useful(p)).cloned().collect();
    vec![
        ("keywords: names", counts(&texts, &names)),
        ("keywords: names and words", counts(&texts, &all)),
        ("keywords: tended", counts(&texts, &tended)),
    ]
}

type Vector = BTreeMap<String, f64>;

fn cosine(a: &Vector, b: &Vector) -> f64 {
    let product: f64 = a.iter().filter_map(|(w, x)| b.get(w).map(|y| x * y)).sum();
    let length = |v: &Vector| v.values().map(|x| x * x).sum::<f64>().sqrt();
    let lengths = length(a) * length(b);
    if lengths > 0.0 { product / lengths } else { 0.0 }
}

/// Cosine of TF-IDF vectors (1 + ln tf, smoothed idf over the set) of each story and what describes the maker: names,
/// firms and keywords. The second one is taught: the mean of the development half's relevant stories is added and a
/// quarter of that of the others taken off (Rocchio).
pub fn tf_idf(profile: &Profile, stories: &[Story], labels: &[bool]) -> Vec<(&'static str, Vec<f64>)> {
    let texts: Vec<Vec<String>> = stories.iter().map(|s| words(&s.text)).collect();
    let mut frequency: HashMap<&String, usize> = HashMap::new();
    for text in &texts {
        for word in text.iter().collect::<BTreeSet<_>>() {
            *frequency.entry(word).or_default() += 1;
        }
    }
    let rarity = |word: &String| {
        let known = frequency.get(word).copied().unwrap_or_default();
        ((1.0 + stories.len() as f64) / (1.0 + known as f64)).ln() + 1.0
    };
    let vector = |text: &[String]| -> Vector {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for word in text {
            *counts.entry(word.clone()).or_default() += 1.0;
        }
        counts
            .into_iter()
            .map(|(w, n)| {
                let r = rarity(&w);
                (w, (1.0 + n.ln()) * r)
            })
            .collect()
    };
    let told = profile.names.iter().chain(&profile.vendors).chain(&profile.keywords);
    // each word once: a name does not weigh more because many packages share it
    let query: BTreeSet<String> = told.flat_map(|t| words(t)).collect();
    let query = vector(&query.into_iter().collect::<Vec<_>>());
    let vectors: Vec<Vector> = texts.iter().map(|t| vector(t)).collect();
    let plain = vectors.iter().map(|v| cosine(&query, v)).collect();

    let unit = |v: &Vector| -> Vector {
        let length = v.values().map(|x| x * x).sum::<f64>().sqrt().max(1e-9);
        v.iter().map(|(w, x)| (w.clone(), x / length)).collect()
    };
    let mut taught = unit(&query);
    for (wanted, share) in [(true, 1.0), (false, -0.25)] {
        let of: Vec<&Vector> = (0..stories.len())
            .filter(|n| !stories[*n].held_out() && labels[*n] == wanted)
            .map(|n| &vectors[n])
            .collect();
        for v in &of {
            for (word, x) in unit(v) {
                *taught.entry(word).or_default() += share * x / of.len() as f64;
            }
        }
    }
    taught.retain(|_, x| *x > 0.0);
    let taught = vectors.iter().map(|v| cosine(&taught, v)).collect();
    vec![("TF-IDF", plain), ("TF-IDF, taught", taught)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_scripts() {
        assert_eq!(words("OpenSSL 3.0.7の脆弱性"), ["openssl", "3", "0", "7", "の脆", "脆弱", "弱性"]);
        assert!(has(&words("of infusion pumps, an infusion pump"), &words("Infusion Pump")));
        assert!(!has(&words("infusion of a pump"), &words("infusion pump")));
        let names: Vec<String> = spoken("org.apache.logging.log4j:log4j-core").collect();
        assert!(names.contains(&"log4j".to_owned()));
    }
}

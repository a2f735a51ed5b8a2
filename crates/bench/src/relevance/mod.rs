//! `cargo xtask bench relevance`: how well stories are sorted and put together, on a set with labels
//! (`testdata/stories`), against filters by keyword and a ranking by TF-IDF; and how fast.

mod measure;
mod rivals;
mod set;

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;
use tocsin_engine::entities::{Dictionary, Entity, find};
use tocsin_engine::relevance::{Feedback, Told, Weights, relevance};
use tocsin_engine::stories::{Item, Stories, StoryId};

use measure::{Quality, best_threshold, harmonic, quality};
use set::{Profile, Set, Story};

const DAY: i64 = 86_400;
/// More main ids than these make a roundup, as in the product.
const MANY: usize = 6;

/// A method's scores and where it says relevant.
struct Method {
    name: &'static str,
    scores: Vec<f64>,
    threshold: Threshold,
}

enum Threshold {
    /// It has one by itself.
    Own(f64),
    /// The best there is on the half that is measured: more than it would know in use.
    Best,
}

/// Points of each story for a maker at the default weights, as a new workspace has them.
fn points(set: &Set, profile: &Profile) -> Vec<f64> {
    let (dictionary, followed) = (profile.dictionary(), profile.followed());
    let weights = Weights::default();
    set.stories
        .iter()
        .map(|s| {
            told(s, &find(&s.text, &dictionary, &[]), |t| {
                relevance(t, &followed, &weights, &Feedback::default()).value
            })
        })
        .collect()
}

fn told<T>(story: &Story, entities: &[Entity], then: impl FnOnce(&Told<'_>) -> T) -> T {
    then(&Told {
        text: &story.text,
        entities,
        source: &story.by,
        reliability: story.reliability(),
        credibility: 6,
        exploited: false,
        exploit: false,
        age_days: 0.0,
    })
}

fn methods(set: &Set, profile: &Profile) -> Vec<Method> {
    let labels = set.labels(profile);
    let ours = Method {
        name: "relevance",
        scores: points(set, profile),
        threshold: Threshold::Own(Weights::default().relevant),
    };
    let filters = rivals::filters(profile, &set.stories, &labels).into_iter();
    let filters = filters.map(|(name, scores)| Method { name, scores, threshold: Threshold::Own(1.0) });
    let rankings = rivals::tf_idf(profile, &set.stories, &labels).into_iter();
    let rankings = rankings.map(|(name, scores)| Method { name, scores, threshold: Threshold::Best });
    [ours].into_iter().chain(filters).chain(rankings).collect()
}

/// The quality of a method on one half for one maker.
fn judge(set: &Set, profile: &Profile, method: &Method, held_out: bool) -> Quality {
    let labels = set.labels(profile);
    let scored: Vec<(f64, bool)> = (0..set.stories.len())
        .filter(|n| set.stories[*n].held_out() == held_out)
        .map(|n| (method.scores[n], labels[n]))
        .collect();
    let threshold = match method.threshold {
        Threshold::Own(threshold) => threshold,
        Threshold::Best => best_threshold(&scored),
    };
    quality(&scored, threshold)
}

/// The stories that clustering makes of all items, in the order of their days; `dense`: as if all came on one day, so that
/// time parts nothing.
fn clusters(set: &Set, dense: bool) -> Result<Vec<StoryId>> {
    let dictionary = set.everything();
    let mut open = Stories::default();
    for (n, story) in set.stories.iter().enumerate() {
        open.add(item(n, story, if dense { 0 } else { seconds(story)? }, &dictionary));
    }
    let of = |n: usize| open.of(n as u64).context("an item has no story");
    (0..set.stories.len()).map(of).collect()
}

fn seconds(story: &Story) -> Result<i64> {
    let noon: jiff::Timestamp =
        format!("{}T12:00:00Z", story.on).parse().with_context(|| story.id.clone())?;
    Ok(noon.as_second())
}

fn item(n: usize, story: &Story, at: i64, dictionary: &Dictionary) -> Item {
    let entities = find(&story.text, dictionary, &[]);
    Item::new(n as u64, &format!("https://{n}.example/a/{}", story.id), at, &story.text, &entities, MANY)
}

/// Pairs of items of one half that were put together: hits, found, all.
fn pairs(set: &Set, placed: &[StoryId], held_out: bool) -> (usize, usize, usize) {
    let of: Vec<usize> = (0..placed.len()).filter(|n| set.stories[*n].held_out() == held_out).collect();
    let (mut hits, mut found, mut all) = (0, 0, 0);
    for (i, a) in of.iter().enumerate() {
        for b in &of[i + 1..] {
            let one = set.stories[*a].one.is_some() && set.stories[*a].one == set.stories[*b].one;
            let together = placed[*a] == placed[*b];
            hits += usize::from(one && together);
            found += usize::from(together);
            all += usize::from(one);
        }
    }
    (hits, found, all)
}

fn rounded(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// Measures and prints.
///
/// # Errors
/// The set cannot be read.
pub fn run() -> Result<()> {
    let set = Set::read()?;
    let explain = std::env::args().any(|a| a == "--explain");
    for held_out in [false, true] {
        let half = if held_out { "held-out" } else { "development" };
        for profile in &set.profiles {
            for method in methods(&set, profile) {
                let q = judge(&set, profile, &method, held_out);
                println!(
                    "{}",
                    json!({"bench": "relevance", "half": half, "maker": profile.name, "method": method.name,
                        "precision": rounded(q.precision), "recall": rounded(q.recall), "f1": rounded(q.f1),
                        "average_precision": rounded(q.ap)})
                );
            }
        }
        for (dense, what) in [(false, "pairs of items put together"), (true, "the same, all on one day")] {
            let (hits, found, all) = pairs(&set, &clusters(&set, dense)?, held_out);
            let (precision, recall, f1) = harmonic(hits, found, all);
            println!(
                "{}",
                json!({"bench": "relevance", "half": half, "what": what, "pairs": all,
                    "precision": rounded(precision), "recall": rounded(recall), "f1": rounded(f1)})
            );
        }
    }
    if explain {
        faults(&set)?;
    }
    speed(&set)
}

/// What went wrong in the development half, with the reasons: the only half in which faults are looked for.
fn faults(set: &Set) -> Result<()> {
    let weights = Weights::default();
    for profile in &set.profiles {
        let (dictionary, followed) = (profile.dictionary(), profile.followed());
        for (story, wanted) in set.stories.iter().zip(set.labels(profile)).filter(|(s, _)| !s.held_out()) {
            let entities = find(&story.text, &dictionary, &[]);
            let sum = told(story, &entities, |t| relevance(t, &followed, &weights, &Feedback::default()));
            if (sum.value >= weights.relevant) != wanted {
                let why: Vec<String> =
                    sum.addends.iter().map(|a| format!("{:+} {}", a.weight, a.words)).collect();
                println!("{} {} wanted {wanted} {}: {}", profile.code, story.id, sum.value, why.join("; "));
            }
        }
    }
    let placed = clusters(set, false)?;
    let of: Vec<usize> = (0..placed.len()).filter(|n| !set.stories[*n].held_out()).collect();
    for (i, a) in of.iter().enumerate() {
        for b in &of[i + 1..] {
            let (x, y) = (&set.stories[*a], &set.stories[*b]);
            let one = x.one.is_some() && x.one == y.one;
            if one != (placed[*a] == placed[*b]) {
                println!("{} and {} are {}one", x.id, y.id, if one { "" } else { "not " });
            }
        }
    }
    Ok(())
}

/// How fast: the set forty times over, each time two months later, as a stream.
fn speed(set: &Set) -> Result<()> {
    const ROUNDS: i64 = 40;
    let dictionary = set.everything();
    let items = (set.stories.len() as i64 * ROUNDS) as f64;
    let bytes = set.stories.iter().map(|s| s.text.len()).sum::<usize>() as f64 * ROUNDS as f64;
    let started = Instant::now();
    let mut entities = 0;
    for _ in 0..ROUNDS {
        entities += set.stories.iter().map(|s| find(&s.text, &dictionary, &[]).len()).sum::<usize>();
    }
    let took = started.elapsed().as_secs_f64();
    super::figure("relevance", "names in the dictionary", dictionary.things().len() as f64, "1");
    super::figure("relevance", "entities found", entities as f64, "1");
    super::figure("relevance", "entities, one thread", items / took, "items/s");
    super::figure("relevance", "entities, one thread", bytes / took / 1048576.0, "MiB/s");

    let profile = set.profiles.first().context("no maker")?;
    let followed = profile.followed();
    let read: Vec<Vec<Entity>> = set.stories.iter().map(|s| find(&s.text, &dictionary, &[])).collect();
    let started = Instant::now();
    let mut sum = 0.0;
    for _ in 0..ROUNDS {
        for (s, entities) in set.stories.iter().zip(&read) {
            sum += told(s, entities, |t| {
                relevance(t, &followed, &Weights::default(), &Feedback::default()).value
            });
        }
    }
    let took = started.elapsed().as_secs_f64();
    super::figure("relevance", "relevance, one thread", items / took, "items/s");
    super::figure("relevance", "mean points", sum / items, "1");

    let mut made = Vec::new();
    for round in 0..ROUNDS {
        for (n, story) in set.stories.iter().enumerate() {
            // a stream of one day to the next: three hundred items within a month
            let at = round * 60 * DAY + n as i64 * DAY / 10;
            let key = round as usize * set.stories.len() + n;
            made.push(Item::new(
                key as u64,
                "",
                at,
                &story.text,
                read.get(n).map_or(&[], Vec::as_slice),
                MANY,
            ));
        }
    }
    let started = Instant::now();
    let mut open = Stories::default();
    for (n, item) in made.into_iter().enumerate() {
        if n % 100 == 0 {
            open.expire(item.published - 45 * DAY);
        }
        open.add(item);
    }
    let took = started.elapsed().as_secs_f64();
    super::figure("relevance", "clustering, one thread", items / took, "items/s");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the half that nobody looked at while the method was made, it is better than what people do without it.
    #[test]
    fn relevance_beats_keywords_and_tf_idf_on_the_held_out_half() {
        let set = Set::read().unwrap();
        for profile in &set.profiles {
            let all = methods(&set, profile);
            let ours = judge(&set, profile, &all[0], true);
            assert!(ours.f1 > 0.75 && ours.ap > 0.85, "{}: {ours:?}", profile.name);
            for rival in &all[1..] {
                let theirs = judge(&set, profile, rival, true);
                assert!(ours.f1 > theirs.f1, "{}: {} {theirs:?}, ours {ours:?}", profile.name, rival.name);
                assert!(ours.ap > theirs.ap, "{}: {} {theirs:?}, ours {ours:?}", profile.name, rival.name);
            }
        }
    }

    #[test]
    fn items_are_put_together_as_the_labels_say() {
        let set = Set::read().unwrap();
        for dense in [false, true] {
            let (hits, found, all) = pairs(&set, &clusters(&set, dense).unwrap(), true);
            let (precision, recall, _) = harmonic(hits, found, all);
            assert!(precision > 0.9 && recall > 0.4, "precision {precision}, recall {recall}");
        }
    }
}

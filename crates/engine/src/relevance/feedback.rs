//! What an analyst likes and dislikes, as counts that a person can read: "you disliked 4 stories on WordPress plug-ins".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_model::explain::Addend;

use super::Weights;

/// Something that stories have in common: a component, a vendor, an industry, a topic, a source, an interest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Feature {
    /// Sort and key: `topic:wordpress`. What is counted by.
    pub code: String,
    /// As it is read after "stories": "on WordPress plug-ins", "from oss-security".
    pub words: String,
}

/// An analyst's word on a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vote {
    /// More of this.
    Like,
    /// Less of this.
    Dislike,
}

/// How often stories with a feature were liked and disliked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Votes {
    /// Stories liked.
    pub liked: u32,
    /// Stories disliked.
    pub disliked: u32,
}

/// The votes of a workspace, by the code of a feature.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Feedback(pub BTreeMap<String, Votes>);

impl Feedback {
    /// Counts a vote on a story with these features.
    pub fn learn(&mut self, features: &[Feature], vote: Vote) {
        for f in features {
            let votes = self.0.entry(f.code.clone()).or_default();
            let n = if vote == Vote::Like { &mut votes.liked } else { &mut votes.disliked };
            *n = n.saturating_add(1);
        }
    }

    /// Takes a vote back.
    pub fn unlearn(&mut self, features: &[Feature], vote: Vote) {
        for f in features {
            let Some(votes) = self.0.get_mut(&f.code) else {
                continue;
            };
            let n = if vote == Vote::Like { &mut votes.liked } else { &mut votes.disliked };
            *n = n.saturating_sub(1);
            if *votes == Votes::default() {
                self.0.remove(&f.code);
            }
        }
    }

    /// What votes on these features add. Few votes say little: a feature adds
    /// `feedback × (liked − disliked) ÷ (liked + disliked + feedback_caution)`; all of them at most `feedback_most`,
    /// either way, each cut in proportion.
    pub(super) fn addends(&self, features: &[Feature], weights: &Weights) -> Vec<Addend> {
        let told: Vec<(&Feature, Votes, f64)> = features
            .iter()
            .filter_map(|f| {
                let votes = *self.0.get(&f.code)?;
                let (liked, disliked) = (f64::from(votes.liked), f64::from(votes.disliked));
                let points = weights.feedback * (liked - disliked)
                    / (liked + disliked + weights.feedback_caution.max(1.0));
                (points != 0.0).then_some((f, votes, points))
            })
            .collect();
        let sum: f64 = told.iter().map(|t| t.2).sum();
        let cut = if sum.abs() > weights.feedback_most { weights.feedback_most / sum.abs() } else { 1.0 };
        let stories = |n: u32| {
            if n == 1 { "1 story".to_owned() } else { format!("{n} stories") }
        };
        told.into_iter()
            .map(|(f, votes, points)| {
                let words = match votes {
                    Votes { liked, disliked: 0 } => {
                        format!("you liked {} {}", stories(liked), f.words)
                    }
                    Votes { liked: 0, disliked } => {
                        format!("you disliked {} {}", stories(disliked), f.words)
                    }
                    Votes { liked, disliked } => {
                        format!("you liked {liked} and disliked {} {}", stories(disliked), f.words)
                    }
                };
                Addend::new("feedback", words, points * cut, f.code.as_str())
            })
            .collect()
    }
}

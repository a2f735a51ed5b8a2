//! What a workspace follows: weights of reasons, industries, interests with exclusions.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};
use tocsin_engine::relevance::{Interest, Weights, industries};

use super::{json, reads, rejected, sort};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Names of the weights with what each is for, in the order in which pages list them.
pub const WEIGHTS: [(&str, &str); 18] = [
    ("product", "one of our products is named"),
    ("component", "a component that we ship is named"),
    ("component_more", "each further component, of four at most"),
    ("title", "what is named stands in the title"),
    ("vendor", "a vendor of ours is named"),
    ("industry", "it is of an industry that we follow"),
    ("interest", "an interest is met (times its own weight)"),
    ("flaw", "a flaw, an attack or a duty is told of"),
    ("no_flaw", "nothing of security is told of"),
    ("exploited", "the flaw is exploited"),
    ("exploit", "an exploit is public"),
    ("advert", "something is advertised"),
    ("feedback", "likes and dislikes of one feature, at most"),
    ("feedback_most", "all likes and dislikes together, at most"),
    ("feedback_caution", "votes that halve the caution with which few votes are heard"),
    ("half_life_days", "days after which half of the points are gone (0: never)"),
    ("relevant", "points from which a story counts as relevant"),
    ("reliability", "the source by its reliability, A to F"),
];

/// Interests of a workspace, phrases of one, and characters of a phrase or name, at most.
const MOST: usize = 200;
const PHRASES: usize = 100;
const LENGTH: usize = 100;
/// Largest weight, either way.
const POINTS: f64 = 1_000.0;

/// What a workspace follows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Points of each reason.
    pub weights: Weights,
    /// Codes of industries.
    pub industries: Vec<String>,
    /// Interests.
    pub interests: Vec<Interest>,
    /// Goes up with each change; what is changed must be of the newest.
    pub version: i64,
}

pub(super) async fn read(db: &impl ConnectionTrait, workspace: i64) -> Result<Profile> {
    let select = "SELECT weights, industries, interests, version FROM desk_profile WHERE workspace = $1";
    let row: Option<(String, String, String, i64)> =
        sql::row(db, "reading what is followed", select, vec![workspace.into()]).await?;
    Ok(row.map_or_else(Profile::default, |(weights, industries, interests, version)| Profile {
        weights: serde_json::from_str(&weights).unwrap_or_default(),
        industries: serde_json::from_str(&industries).unwrap_or_default(),
        interests: serde_json::from_str(&interests).unwrap_or_default(),
        version,
    }))
}

/// What the actor's workspace follows; the defaults where nobody has said anything.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn profile(db: &impl ConnectionTrait, actor: &Actor) -> Result<Profile> {
    reads(actor)?;
    read(db, actor.workspace).await
}

fn check(new: &Profile) -> Result<()> {
    let weights = serde_json::to_value(&new.weights).unwrap_or_default();
    for (name, value) in weights.as_object().into_iter().flatten() {
        let numbers = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let fits = |n: &serde_json::Value| n.as_f64().is_some_and(|n| n.is_finite() && n.abs() <= POINTS);
        if !numbers.iter().all(fits) {
            return Err(rejected(name, format!("a number from -{POINTS} to {POINTS}")));
        }
    }
    for (name, value) in
        [("half_life_days", new.weights.half_life_days), ("feedback_most", new.weights.feedback_most)]
    {
        if value < 0.0 {
            return Err(rejected(name, "a number that is not below 0"));
        }
    }
    if let Some(code) = new.industries.iter().find(|c| !industries().iter().any(|s| s.code == **c)) {
        return Err(rejected("industries", format!("there is no industry `{code}`")));
    }
    if new.interests.len() > MOST {
        return Err(rejected("interests", format!("at most {MOST} interests")));
    }
    let mut names: Vec<&str> = Vec::new();
    for interest in &new.interests {
        let name = interest.name.trim();
        if name.is_empty() || name.chars().count() > LENGTH {
            return Err(rejected("name", format!("a name of 1 to {LENGTH} characters")));
        }
        if names.contains(&name) {
            return Err(rejected("name", format!("two interests are called `{name}`")));
        }
        names.push(name);
        let phrases = interest.any.iter().chain(&interest.without);
        if interest.any.is_empty() || phrases.clone().count() > PHRASES {
            return Err(rejected("any", format!("1 to {PHRASES} words or phrases")));
        }
        if let Some(long) = phrases.clone().find(|p| !(2..=LENGTH).contains(&p.trim().chars().count())) {
            return Err(rejected("any", format!("`{long}`: 2 to {LENGTH} characters")));
        }
        if !interest.weight.is_finite() || interest.weight.abs() > 10.0 {
            return Err(rejected("weight", "a number from -10 to 10"));
        }
    }
    Ok(())
}

/// Sets what the workspace follows; stories are weighed anew by a job.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`]: a number or an interest does not do; [`crate::Error::Conflict`]: somebody changed
/// it meanwhile.
pub async fn set_profile(db: &DatabaseConnection, actor: &Actor, new: &Profile) -> Result<()> {
    actor.need_everywhere(Permission::DeskWrite)?;
    check(new)?;
    let mut change = Change::begin(db, actor).await?;
    let before = read(&change.tx, actor.workspace).await?;
    let upsert = "INSERT INTO desk_profile (workspace, weights, industries, interests, version, changed) \
                  VALUES ($1, $2, $3, $4, $5 + 1, $6) ON CONFLICT (workspace) DO UPDATE SET weights = excluded.weights, \
                  industries = excluded.industries, interests = excluded.interests, version = excluded.version, \
                  changed = excluded.changed WHERE desk_profile.version = $5";
    let values = vec![
        actor.workspace.into(),
        sql::text(&json(&new.weights)),
        sql::text(&json(&new.industries)),
        sql::text(&json(&new.interests)),
        new.version.into(),
        actor.now.clone().into(),
    ];
    let written = sql::run(&change.tx, "writing what is followed", upsert, values).await?;
    if written == 0 || before.version != new.version {
        return Err(crate::Error::Conflict(
            "somebody changed what is followed meanwhile; look at it again and repeat your change".to_owned(),
        ));
    }
    let after = Profile { version: new.version + 1, ..new.clone() };
    change.record(
        "desk.profile",
        format!("workspace/{}", actor.workspace),
        "what is followed",
        &before,
        &after,
    );
    sort::ask(&mut change).await?;
    change.commit().await
}

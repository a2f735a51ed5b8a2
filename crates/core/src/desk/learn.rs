//! Likes and dislikes: votes of people on stories, kept with what they count on, so that each can be read and taken back.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;
use tocsin_engine::relevance::{Feature, Feedback, Vote};
use utoipa::ToSchema;

use super::judge::{event, open_story, person};
use super::{json, profile, reads, sort, weigh, writes};
use crate::error::{Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::sql;

/// Votes that are counted, the newest.
const COUNTED: i64 = 20_000;

/// A vote of somebody.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoryVote)]
pub struct Cast {
    /// Id.
    pub id: i64,
    /// Story.
    pub story: i64,
    /// Its title.
    pub title: String,
    /// Who: `person:anna`.
    pub who: String,
    /// `like` or `dislike`.
    pub vote: String,
    /// What it counts on, as people read it: `on openssl`.
    pub counts: Vec<String>,
    /// When.
    pub at: String,
    /// It is the actor's own.
    pub own: bool,
}

/// Votes on a story.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = StoryVotes)]
pub struct Votes {
    /// What the actor said: `like`, `dislike` or nothing.
    pub own: String,
    /// Likes of all.
    pub likes: i64,
    /// Dislikes of all.
    pub dislikes: i64,
}

/// What votes say of a feature.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    /// The feature as it is read after "stories".
    pub words: String,
    /// Stories liked.
    pub liked: u32,
    /// Stories disliked.
    pub disliked: u32,
}

fn word(vote: Vote) -> &'static str {
    match vote {
        Vote::Like => "like",
        Vote::Dislike => "dislike",
    }
}

async fn all(db: &impl ConnectionTrait, workspace: i64) -> Result<Vec<(Vec<Feature>, Vote)>> {
    let select = "SELECT features, vote FROM story_vote WHERE workspace = $1 ORDER BY id DESC LIMIT $2";
    let values = vec![workspace.into(), COUNTED.into()];
    let rows: Vec<(String, String)> = sql::rows(db, "reading votes", select, values).await?;
    let read = |(features, vote): (String, String)| {
        let vote = if vote == "like" { Vote::Like } else { Vote::Dislike };
        (serde_json::from_str(&features).unwrap_or_default(), vote)
    };
    Ok(rows.into_iter().map(read).collect())
}

/// What the votes of a workspace say.
pub(super) async fn feedback(db: &impl ConnectionTrait, workspace: i64) -> Result<Feedback> {
    let mut feedback = Feedback::default();
    for (features, vote) in all(db, workspace).await? {
        feedback.learn(&features, vote);
    }
    Ok(feedback)
}

/// What the votes of the workspace say of each feature, those with the most votes first.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn counts(db: &impl ConnectionTrait, actor: &Actor) -> Result<Vec<Counted>> {
    reads(actor)?;
    let mut found: std::collections::BTreeMap<String, Counted> = std::collections::BTreeMap::new();
    for (features, vote) in all(db, actor.workspace).await? {
        for f in features {
            let counted = found.entry(f.code).or_insert(Counted { words: f.words, liked: 0, disliked: 0 });
            match vote {
                Vote::Like => counted.liked += 1,
                Vote::Dislike => counted.disliked += 1,
            }
        }
    }
    let mut found: Vec<Counted> = found.into_values().collect();
    found.sort_by_key(|c| std::cmp::Reverse(c.liked + c.disliked));
    Ok(found)
}

/// Votes on one story.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn votes(db: &impl ConnectionTrait, actor: &Actor, story: i64) -> Result<Votes> {
    reads(actor)?;
    let select = "SELECT person, vote FROM story_vote WHERE workspace = $1 AND story = $2";
    let values = vec![actor.workspace.into(), story.into()];
    let rows: Vec<(i64, String)> = sql::rows(db, "reading votes", select, values).await?;
    let mut votes = Votes::default();
    for (who, vote) in rows {
        if vote == "like" {
            votes.likes += 1;
        } else {
            votes.dislikes += 1;
        }
        if who == person(actor) {
            votes.own = vote;
        }
    }
    Ok(votes)
}

/// The votes of the workspace, newest first, before `below` (an id).
///
/// # Errors
/// Denied; the database does not answer.
pub async fn cast(
    db: &impl ConnectionTrait,
    actor: &Actor,
    below: Option<i64>,
    most: u64,
) -> Result<Vec<Cast>> {
    reads(actor)?;
    let select = "SELECT v.id, v.story, s.title, v.who, v.vote, v.features, v.at, v.person FROM story_vote v \
                  JOIN story s ON s.id = v.story WHERE v.workspace = $1 AND v.id < $2 ORDER BY v.id DESC LIMIT $3";
    let values = vec![actor.workspace.into(), below.unwrap_or(i64::MAX).into(), (most as i64).into()];
    type Row = (i64, i64, String, String, String, String, String, i64);
    let rows: Vec<Row> = sql::rows(db, "listing votes", select, values).await?;
    let read = |(id, story, title, who, vote, features, at, by): Row| {
        let features: Vec<Feature> = serde_json::from_str(&features).unwrap_or_default();
        let counts = features.into_iter().map(|f| f.words).collect();
        Cast { id, story, title, who, vote, counts, at, own: by == person(actor) }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The actor likes or dislikes a story; an earlier vote of theirs on it is replaced. All stories are weighed anew by a
/// job.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn vote(db: &DatabaseConnection, actor: &Actor, story: i64, vote: Vote) -> Result<()> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (story, title) = open_story(&change.tx, actor, story).await?;
    let features = weigh::features_of(&change.tx, actor, story).await?;
    let what = "voting on a story";
    let delete = "DELETE FROM story_vote WHERE story = $1 AND person = $2";
    sql::run(&change.tx, what, delete, vec![story.into(), person(actor).into()]).await?;
    let insert = "INSERT INTO story_vote (workspace, story, person, who, vote, features, at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        actor.workspace.into(),
        story.into(),
        person(actor).into(),
        sql::text(&actor.name),
        word(vote).into(),
        sql::text(&json(&features)),
        actor.now.clone().into(),
    ];
    sql::run(&change.tx, what, insert, values).await?;
    event(&change, &[story], word(vote), "").await?;
    change.record("story.vote", format!("story/{story}"), &title, &(), &word(vote));
    sort::ask(&mut change).await?;
    change.commit().await
}

/// Takes the actor's vote on a story back, where there is one.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn unvote(db: &DatabaseConnection, actor: &Actor, story: i64) -> Result<()> {
    writes(actor)?;
    let select = "SELECT id FROM story_vote WHERE workspace = $1 AND story = $2 AND person = $3";
    let values = vec![actor.workspace.into(), story.into(), person(actor).into()];
    match sql::row::<(i64,)>(db, "looking for a vote", select, values).await? {
        Some((id,)) => revoke(db, actor, id).await,
        None => Ok(()),
    }
}

/// Takes a vote back, anybody's: what is learned belongs to the workspace.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn revoke(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let delete = "DELETE FROM story_vote WHERE id = $1 AND workspace = $2 RETURNING story, who, vote";
    let values = vec![id.into(), actor.workspace.into()];
    let row: Option<(i64, String, String)> =
        sql::row(&change.tx, "taking a vote back", delete, values).await?;
    let (story, who, vote) = row.ok_or_else(|| Error::NotFound(format!("vote {id}")))?;
    event(&change, &[story], "unvote", &format!("{vote} of {who}")).await?;
    change.record("story.unvote", format!("story/{story}"), &who, &vote, &());
    // the newest vote may be the one that is gone: the profile's state is counted, not only its newest vote
    sort::ask(&mut change).await?;
    change.commit().await
}

/// Changes where a vote was given or taken back.
pub(super) async fn state(db: &impl ConnectionTrait, workspace: i64) -> Result<String> {
    let select = "SELECT COUNT(*), COALESCE(MAX(id), 0) FROM story_vote WHERE workspace = $1";
    let row: Option<(i64, i64)> = sql::row(db, "counting votes", select, vec![workspace.into()]).await?;
    let (votes, newest) = row.unwrap_or_default();
    let version = profile::read(db, workspace).await?.version;
    Ok(format!("{version}/{votes}/{newest}"))
}

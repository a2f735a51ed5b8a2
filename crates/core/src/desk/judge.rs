//! What analysts say of stories: state, texts, marking, tags; merging and splitting.

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::weigh::{self, Scale};
use super::{TLPS, rejected, writes};
use crate::error::{Error, Result};
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Where a story stands, in the order of the work.
pub const STATES: [&str; 4] = ["new", "reading", "done", "dismissed"];
/// Bytes of each text.
const TEXT: usize = 64 * 1024;
/// Tags of a story, and characters of one.
const TAGS: usize = 50;
const TAG: usize = 60;
/// Stories that are changed at once.
const MOST: usize = 1_000;

/// What an analyst says of a story.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = StoryNote)]
pub struct Note {
    /// What happened, in the analyst's words.
    pub summary: String,
    /// How bad it is, and how sure that is.
    pub assessment: String,
    /// What it means for our products.
    pub impact: String,
    /// What is to be done.
    pub recommendation: String,
    /// What was done.
    pub done: String,
    /// Marking of the Traffic Light Protocol 2.0; empty: the closest of its items.
    pub tlp: String,
    /// Version of the story that was read; what changed meanwhile is not overwritten.
    pub version: i64,
}

/// Who votes: people by their id; keys and the program share one.
pub(super) fn person(actor: &Actor) -> i64 {
    actor.person.unwrap_or(0)
}

/// A story that is there, followed to the one that it became a part of: id and title.
pub(super) async fn open_story(
    db: &impl ConnectionTrait,
    actor: &Actor,
    story: i64,
) -> Result<(i64, String)> {
    let mut id = story;
    let missing = || Error::NotFound(format!("story {story}"));
    // merged stories point at what stays; a chain is as long as the merges in a row
    for _ in 0..100 {
        let select = "SELECT title, merged FROM story WHERE id = $1 AND workspace = $2";
        let row: Option<(String, i64)> =
            sql::row(db, "reading a story", select, vec![id.into(), actor.workspace.into()]).await?;
        match row.ok_or_else(missing)? {
            (title, 0) => return Ok((id, title)),
            (_, into) => id = into,
        }
    }
    Err(missing())
}

/// Notes what happened to stories, for their timelines.
pub(super) async fn event(change: &Change<'_>, stories: &[i64], what: &str, detail: &str) -> Result<()> {
    let insert = format!(
        "INSERT INTO story_event (story, n, at, actor, what, detail) SELECT s.id, COALESCE((SELECT MAX(e.n) FROM \
         story_event e WHERE e.story = s.id), 0) + 1, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
         CAST($5 AS TEXT) FROM story s WHERE s.id IN {}",
        sql::numbers(&change.tx, 1)
    );
    let values = vec![
        sql::list(stories),
        change.actor.now.clone().into(),
        sql::text(&change.actor.name),
        what.into(),
        sql::text(detail),
    ];
    sql::run(&change.tx, "noting what happened to a story", &insert, values).await?;
    Ok(())
}

/// Sets the state of one story.
///
/// # Errors
/// As [`set_states`]; not found.
pub async fn set_state(db: &DatabaseConnection, actor: &Actor, story: i64, state: &str) -> Result<()> {
    open_story(db, actor, story).await?;
    set_states(db, actor, &[story], state).await?;
    Ok(())
}

/// Sets the state of stories; how many it changed. Those that are none of the workspace are passed over.
///
/// # Errors
/// Denied; [`Error::Rejected`]: no such state, or too many at once; the database does not answer.
pub async fn set_states(
    db: &DatabaseConnection,
    actor: &Actor,
    stories: &[i64],
    state: &str,
) -> Result<usize> {
    writes(actor)?;
    if !STATES.contains(&state) {
        return Err(rejected("state", format!("one of {}", STATES.join(", "))));
    }
    if stories.len() > MOST {
        return Err(rejected("stories", format!("at most {MOST} at once")));
    }
    let mut change = Change::begin(db, actor).await?;
    let what = "setting the state of stories";
    let select = format!(
        "SELECT id, title, state FROM story WHERE workspace = $1 AND merged = 0 AND state <> $2 AND id IN {} ORDER BY id{}",
        sql::numbers(&change.tx, 3),
        sql::for_update(&change.tx)
    );
    let values = vec![actor.workspace.into(), state.into(), sql::list(stories)];
    let rows: Vec<(i64, String, String)> = sql::rows(&change.tx, what, &select, values).await?;
    let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
    let update = format!(
        "UPDATE story SET state = $1, version = version + 1 WHERE id IN {}",
        sql::numbers(&change.tx, 2)
    );
    sql::run(&change.tx, what, &update, vec![state.into(), sql::list(&ids)]).await?;
    event(&change, &ids, "state", state).await?;
    for (id, title, before) in &rows {
        change.record("story.state", format!("story/{id}"), title, before, &state);
    }
    change.commit().await?;
    Ok(ids.len())
}

/// Writes what an analyst says of a story.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]: a text is too long or the marking is none; [`Error::Conflict`]: somebody changed
/// it meanwhile.
pub async fn note(db: &DatabaseConnection, actor: &Actor, story: i64, new: &Note) -> Result<()> {
    writes(actor)?;
    let texts = [
        ("summary", &new.summary),
        ("assessment", &new.assessment),
        ("impact", &new.impact),
        ("recommendation", &new.recommendation),
        ("done", &new.done),
    ];
    if let Some((name, _)) = texts.iter().find(|(_, t)| t.len() > TEXT) {
        return Err(rejected(name, format!("at most {TEXT} bytes")));
    }
    if !new.tlp.is_empty() && !TLPS.contains(&new.tlp.as_str()) {
        return Err(rejected("tlp", format!("one of {}, or nothing", TLPS.join(", "))));
    }
    let mut change = Change::begin(db, actor).await?;
    let what = "writing what is said of a story";
    let (story, title) = open_story(&change.tx, actor, story).await?;
    let select = "SELECT summary, assessment, impact, recommendation, done, tlp, version, marked FROM story WHERE id = $1";
    type Row = (String, String, String, String, String, String, i64, i64);
    let row: Option<Row> = sql::row(&change.tx, what, select, vec![story.into()]).await?;
    let (summary, assessment, impact, recommendation, done, tlp, version, marked) = row.unwrap_or_default();
    let tlp = if marked == 1 { tlp } else { String::new() };
    let before = Note { summary, assessment, impact, recommendation, done, tlp, version };
    let update = "UPDATE story SET summary = $2, assessment = $3, impact = $4, recommendation = $5, done = $6, \
                  tlp = CASE WHEN $7 = '' THEN tlp ELSE $7 END, marked = $8, version = version + 1, \
                  state = CASE WHEN state = 'new' THEN 'reading' ELSE state END WHERE id = $1 AND version = $9";
    let values = vec![
        story.into(),
        sql::text(new.summary.trim()),
        sql::text(new.assessment.trim()),
        sql::text(new.impact.trim()),
        sql::text(new.recommendation.trim()),
        sql::text(new.done.trim()),
        new.tlp.clone().into(),
        i64::from(!new.tlp.is_empty()).into(),
        new.version.into(),
    ];
    if sql::run(&change.tx, what, update, values).await? == 0 {
        return Err(Error::Conflict(
            "somebody changed the story meanwhile; look at it again and repeat your change".to_owned(),
        ));
    }
    if new.tlp.is_empty() && marked == 1 {
        let scale = Scale::read(&change.tx, actor.workspace).await?;
        weigh::weigh(&change, &scale, &[story], false).await?;
    }
    event(&change, &[story], "note", "").await?;
    change.record("story.note", format!("story/{story}"), &title, &before, new);
    change.commit().await
}

/// Sets the tags of a story.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]: a tag is empty or too long, or there are too many.
pub async fn tag(db: &DatabaseConnection, actor: &Actor, story: i64, tags: &[String]) -> Result<()> {
    writes(actor)?;
    let mut new: Vec<String> =
        tags.iter().map(|t| t.trim().to_lowercase()).filter(|t| !t.is_empty()).collect();
    new.sort();
    new.dedup();
    if new.len() > TAGS || new.iter().any(|t| t.chars().count() > TAG) {
        return Err(rejected("tags", format!("at most {TAGS} tags of at most {TAG} characters")));
    }
    let what = "writing the tags of a story";
    let mut change = Change::begin(db, actor).await?;
    let (story, title) = open_story(&change.tx, actor, story).await?;
    let select = "SELECT tag FROM story_tag WHERE story = $1 ORDER BY tag";
    let rows: Vec<(String,)> = sql::rows(&change.tx, what, select, vec![story.into()]).await?;
    let before: Vec<String> = rows.into_iter().map(|r| r.0).collect();
    if before == new {
        return Ok(());
    }
    sql::run(&change.tx, what, "DELETE FROM story_tag WHERE story = $1", vec![story.into()]).await?;
    let rows: Vec<[Value; 2]> = new.iter().map(|t| [story.into(), sql::text(t)]).collect();
    bulk::insert(&change.tx, what, "INSERT INTO story_tag (story, tag)", "", rows).await?;
    event(&change, &[story], "tags", &new.join(", ")).await?;
    change.record("story.tag", format!("story/{story}"), &title, &before, &new);
    change.commit().await
}

/// Items are being moved: sorting that is under way reads the stories again.
async fn turn(change: &Change<'_>) -> Result<()> {
    let update = "UPDATE desk_state SET turn = turn + 1 WHERE workspace = $1";
    sql::run(&change.tx, "moving items", update, vec![change.actor.workspace.into()]).await?;
    Ok(())
}

/// Makes one story part of another: items, votes and tags go over, texts where the other has none.
pub(super) async fn absorb(change: &Change<'_>, gone: i64, kept: i64, why: &str) -> Result<()> {
    if gone == kept {
        return Ok(());
    }
    let what = "merging stories";
    let pair = || vec![Value::from(gone), Value::from(kept)];
    for statement in [
        "UPDATE story_item SET story = $2 WHERE story = $1",
        "DELETE FROM story_vote WHERE story = $1 AND person IN (SELECT v.person FROM story_vote v WHERE v.story = $2)",
        "UPDATE story_vote SET story = $2 WHERE story = $1",
        "DELETE FROM story_tag WHERE story = $1 AND tag IN (SELECT t.tag FROM story_tag t WHERE t.story = $2)",
        "UPDATE story_tag SET story = $2 WHERE story = $1",
        "UPDATE story SET merged = $2 WHERE id = $1",
    ] {
        sql::run(&change.tx, what, statement, pair()).await?;
    }
    sql::run(&change.tx, what, "DELETE FROM story_entity WHERE story = $1", vec![gone.into()]).await?;
    // whom the one was parted from, the other is parted from too
    let apart = "SELECT CASE WHEN a = $1 THEN b ELSE a END FROM story_apart WHERE a = $1 OR b = $1";
    let others: Vec<(i64,)> = sql::rows(&change.tx, what, apart, vec![gone.into()]).await?;
    let rows: Vec<[Value; 3]> = others
        .into_iter()
        .filter(|(other,)| *other != kept)
        .map(|(other,)| [change.actor.workspace.into(), other.min(kept).into(), other.max(kept).into()])
        .collect();
    let head = "INSERT INTO story_apart (workspace, a, b)";
    bulk::insert(&change.tx, what, head, "ON CONFLICT (a, b) DO NOTHING", rows).await?;
    sql::run(&change.tx, what, "DELETE FROM story_apart WHERE a = $1 OR b = $1", vec![gone.into()]).await?;
    for column in ["summary", "assessment", "impact", "recommendation", "done"] {
        let update = format!(
            "UPDATE story SET {column} = (SELECT g.{column} FROM story g WHERE g.id = $1), version = version + 1 \
             WHERE id = $2 AND {column} = '' AND (SELECT g.{column} FROM story g WHERE g.id = $1) <> ''"
        );
        sql::run(&change.tx, what, &update, pair()).await?;
    }
    event(change, &[kept], "merge", &format!("story {gone}: {why}")).await?;
    event(change, &[gone], "merged", &format!("into story {kept}: {why}")).await
}

/// An analyst says that stories are one: the oldest of them stays, and its id is given.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]: fewer than two, or too many.
pub async fn merge(db: &DatabaseConnection, actor: &Actor, stories: &[i64]) -> Result<i64> {
    writes(actor)?;
    if stories.len() > 50 {
        return Err(rejected("stories", "at most 50 at once"));
    }
    let mut change = Change::begin(db, actor).await?;
    turn(&change).await?;
    let mut found: Vec<(i64, String)> = Vec::new();
    for story in stories {
        let one = open_story(&change.tx, actor, *story).await?;
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found.sort();
    let Some(((kept, title), gone)) = found.split_first().filter(|(_, gone)| !gone.is_empty()) else {
        return Err(rejected("stories", "two stories at least"));
    };
    for (story, other) in gone {
        let delete = "DELETE FROM story_apart WHERE a = $1 AND b = $2";
        sql::run(&change.tx, "merging stories", delete, vec![(*kept).into(), (*story).into()]).await?;
        absorb(&change, *story, *kept, &format!("merged by {}", actor.name)).await?;
        change.record("story.merge", format!("story/{kept}"), title, &other, &story);
    }
    let scale = Scale::read(&change.tx, actor.workspace).await?;
    weigh::weigh(&change, &scale, &[*kept], true).await?;
    change.commit().await?;
    Ok(*kept)
}

/// An analyst says that some items of a story are another one, which never joins the old one by itself. Its id.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]: none of the items, or all of them, are in the story.
pub async fn split(db: &DatabaseConnection, actor: &Actor, story: i64, items: &[i64]) -> Result<i64> {
    writes(actor)?;
    let what = "splitting a story";
    let mut change = Change::begin(db, actor).await?;
    turn(&change).await?;
    let (story, title) = open_story(&change.tx, actor, story).await?;
    let select = "SELECT item FROM story_item WHERE story = $1 ORDER BY item";
    let there: Vec<(i64,)> = sql::rows(&change.tx, what, select, vec![story.into()]).await?;
    let moving: Vec<i64> = there.iter().map(|r| r.0).filter(|i| items.contains(i)).collect();
    if moving.is_empty() || moving.len() == there.len() {
        return Err(rejected("items", "some items of the story, and not all of them"));
    }
    let insert = "INSERT INTO story (workspace, number, title, lead, items, sources, roundup, opened, latest, ids, ours, \
                  points, relevance, addends, why, tlp, told) SELECT s.workspace, (SELECT MAX(n.number) + 1 FROM story n \
                  WHERE n.workspace = s.workspace), s.title, s.lead, 0, 0, s.roundup, s.opened, s.latest, '[]', '[]', 0, 0, \
                  '[]', '', s.tlp, 1 FROM story s WHERE s.id = $1 RETURNING id";
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, vec![story.into()]).await?;
    let (new,) = row.ok_or_else(|| Error::NotFound(format!("story {story}")))?;
    let update = format!(
        "UPDATE story_item SET story = $1, how = $2 WHERE story = $3 AND item IN {}",
        sql::numbers(&change.tx, 4)
    );
    let how = format!("split off by {}", actor.name);
    let values = vec![new.into(), sql::text(&how), story.into(), sql::list(&moving)];
    sql::run(&change.tx, what, &update, values).await?;
    let others = "INSERT INTO story_apart (workspace, a, b) SELECT p.workspace, CASE WHEN p.a = $1 THEN p.b ELSE p.a END, \
                  CAST($2 AS BIGINT) FROM story_apart p WHERE p.a = $1 OR p.b = $1 UNION SELECT s.workspace, s.id, \
                  CAST($2 AS BIGINT) FROM story s WHERE s.id = $1";
    sql::run(&change.tx, what, others, vec![story.into(), new.into()]).await?;
    let scale = Scale::read(&change.tx, actor.workspace).await?;
    weigh::weigh(&change, &scale, &[story, new], true).await?;
    event(&change, &[story], "split", &format!("story {new}")).await?;
    event(&change, &[new], "split-off", &format!("from story {story}")).await?;
    change.record("story.split", format!("story/{story}"), &title, &moving, &new);
    change.commit().await?;
    Ok(new)
}

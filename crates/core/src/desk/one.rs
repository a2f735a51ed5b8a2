//! One story with everything: items, what they name, reasons, what is said of it, and where it meets our products.

use sea_orm::DatabaseConnection;
use serde::Serialize;
use tocsin_model::explain::Addend;
use utoipa::ToSchema;

use super::judge::{Note, open_story};
use super::list::{self, Story};
use super::{learn, profile, promote, reads, weigh};
use crate::error::{Error, Result};
use crate::inventory;
use crate::platform::access::{Actor, Permission};
use crate::platform::{query, sql};

/// Items that are shown with their texts, the youngest.
const PIECES: i64 = 200;
/// Entries of a timeline, the youngest.
const EVENTS: i64 = 500;
/// Products that are shown.
const AFFECTED: i64 = 200;
/// Components by whose names products are sought.
const NAMES: usize = 50;

/// An item in a story.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoryItem)]
pub struct Piece {
    /// The item.
    pub id: i64,
    /// Somebody entered it here.
    pub entered: bool,
    /// Name of the source.
    pub source: String,
    /// Address, or empty.
    pub url: String,
    /// Title.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// Who wrote it.
    pub author: String,
    /// When it was published.
    pub published: String,
    /// When it came in.
    pub seen: String,
    /// Number of its edition.
    pub edition: i64,
    /// Marking.
    pub tlp: String,
    /// Reliability, `A` to `F`.
    pub reliability: String,
    /// Credibility, 1 to 6.
    pub credibility: i64,
    /// Why it is in the story.
    pub how: String,
    /// It weighs most.
    pub lead: bool,
    /// What it names: kind, value, why it was taken for one, and place in title, line feed and text, in bytes.
    #[schema(value_type = Vec<Object>)]
    pub named: Vec<(String, String, String, (usize, usize))>,
}

/// Something that happened to a story.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoryEvent)]
pub struct Event {
    /// When.
    pub at: String,
    /// By whom.
    pub actor: String,
    /// `state`, `note`, `tags`, `like`, `dislike`, `unvote`, `merge`, `merged`, `split`, `split-off`,
    /// `warning`.
    pub what: String,
    /// More of it.
    pub detail: String,
}

/// A product of ours that a story concerns.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoryAffected)]
pub struct Affected {
    /// Product.
    pub product: i64,
    /// Its name.
    pub name: String,
    /// Releases concerned.
    pub releases: i64,
    /// Units of these in the field.
    pub units: i64,
    /// Open findings of the ids that the story names; 0 where only a component is named.
    pub findings: i64,
    /// Of them decided to be affected.
    pub affected: i64,
    /// Named components that its releases hold.
    pub holds: Vec<String>,
}

/// A story with everything.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoryShown)]
pub struct Shown {
    /// The story as lists show it.
    pub story: Story,
    /// Its reasons, with what age takes; they add up to its relevance.
    #[schema(value_type = Vec<Object>)]
    pub addends: Vec<Addend>,
    /// What analysts say of it.
    pub note: Note,
    /// Early warnings that were made of it: name, state, and what each was merged into.
    #[schema(value_type = Vec<Object>)]
    pub warnings: Vec<(String, String, String)>,
    /// Tags.
    pub tags: Vec<String>,
    /// Its items, oldest first.
    pub pieces: Vec<Piece>,
    /// What happened to it, newest first.
    pub events: Vec<Event>,
    /// Products that it concerns, those with findings first.
    pub affected: Vec<Affected>,
    /// Everything it names: kind and values.
    #[schema(value_type = Vec<Object>)]
    pub named: Vec<(String, Vec<String>)>,
    /// Other stories that name one of its ids.
    #[schema(value_type = Vec<Object>)]
    pub links: Vec<(i64, String)>,
    /// Votes on it.
    pub votes: learn::Votes,
}

/// One story; of a story that was merged, the one that it is part of.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn story(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Shown> {
    reads(actor)?;
    let what = "reading a story";
    let (id, _) = open_story(db, actor, id).await?;
    let select = format!(
        "SELECT {}, s.addends, s.summary, s.assessment, s.impact, s.recommendation, s.done, s.marked, s.version, s.lead, \
         s.points FROM story s WHERE s.id = $1",
        list::COLUMNS
    );
    let rows = sql::raw(db, what, &select, vec![id.into()]).await?;
    let found = sql::read(&rows, what, |row| {
        let text = |n: usize| row.try_get_by_index::<String>(n);
        let story = list::read(row)?;
        let tlp = if row.try_get_by_index::<i64>(19)? == 1 { story.tlp.clone() } else { String::new() };
        let note = Note {
            summary: text(14)?,
            assessment: text(15)?,
            impact: text(16)?,
            recommendation: text(17)?,
            done: text(18)?,
            tlp,
            version: row.try_get_by_index(20)?,
        };
        let points: f64 = row.try_get_by_index(22)?;
        Ok((story, text(13)?, note, row.try_get_by_index::<i64>(21)?, points))
    })?;
    let (story, addends, note, lead, points) =
        found.into_iter().next().ok_or_else(|| Error::NotFound(format!("story {id}")))?;
    let mut addends: Vec<Addend> = serde_json::from_str(&addends).unwrap_or_default();
    let weights = profile::read(db, actor.workspace).await?.weights;
    // what age takes is what is missing between the points and the relevance as lists have it
    if let (_, Some(age)) = weigh::aged(points, &story.latest, &actor.now, &weights)
        && story.relevance < points
    {
        addends.push(Addend::new("age", age.words, story.relevance - points, ""));
    }
    let select = "SELECT tag FROM story_tag WHERE story = $1 ORDER BY tag";
    let tags: Vec<(String,)> = sql::rows(db, what, select, vec![id.into()]).await?;
    let select = "SELECT at, actor, what, detail FROM story_event WHERE story = $1 ORDER BY n DESC LIMIT $2";
    let events: Vec<(String, String, String, String)> =
        sql::rows(db, what, select, vec![id.into(), EVENTS.into()]).await?;
    let select = "SELECT kind, value FROM story_entity WHERE story = $1 ORDER BY kind, value";
    let names: Vec<(String, String)> = sql::rows(db, what, select, vec![id.into()]).await?;
    let mut named: Vec<(String, Vec<String>)> = Vec::new();
    for (kind, value) in names {
        match named.last_mut().filter(|n| n.0 == kind) {
            Some(known) => known.1.push(value),
            None => named.push((kind, vec![value])),
        }
    }
    let select = "SELECT DISTINCT t.id, t.title FROM story_entity e JOIN story_entity o ON o.workspace = e.workspace \
                  AND o.kind = e.kind AND o.value = e.value AND o.story <> e.story JOIN story t ON t.id = o.story \
                  WHERE e.story = $1 AND e.kind IN ('vulnerability', 'advisory') AND t.merged = 0 \
                  ORDER BY t.id DESC LIMIT 30";
    let links: Vec<(i64, String)> = sql::rows(db, what, select, vec![id.into()]).await?;
    let warnings = promote::made_of(db, actor, id).await?;
    Ok(Shown {
        warnings,
        pieces: pieces(db, actor, id, lead).await?,
        affected: affected(db, actor, id, &named).await?,
        votes: learn::votes(db, actor, id).await?,
        story,
        addends,
        note,
        tags: tags.into_iter().map(|r| r.0).collect(),
        events: events
            .into_iter()
            .map(|(at, actor, what, detail)| Event { at, actor, what, detail })
            .collect(),
        named,
        links,
    })
}

async fn pieces(db: &DatabaseConnection, actor: &Actor, story: i64, lead: i64) -> Result<Vec<Piece>> {
    let what = "reading the items of a story";
    let select = "SELECT i.id, i.workspace, i.source, i.url, i.title, i.body, i.author, i.published, i.seen, i.edition, \
                  i.tlp, i.reliability, i.credibility, x.how, x.entities FROM story_item x JOIN item i ON i.id = x.item \
                  WHERE x.story = $1 AND x.workspace = $2 ORDER BY i.published DESC, i.id DESC LIMIT $3";
    let values = vec![story.into(), actor.workspace.into(), PIECES.into()];
    let rows = sql::raw(db, what, select, values).await?;
    let mut found = sql::read(&rows, what, |row| {
        let text = |n: usize| row.try_get_by_index::<String>(n);
        let number = |n: usize| row.try_get_by_index::<i64>(n);
        let id = number(0)?;
        let named = weigh::kept(&text(14)?);
        Ok(Piece {
            id,
            entered: number(1)? != 0,
            source: text(2)?,
            url: text(3)?,
            title: text(4)?,
            text: text(5)?,
            author: text(6)?,
            published: text(7)?,
            seen: text(8)?,
            edition: number(9)?,
            tlp: text(10)?,
            reliability: text(11)?,
            credibility: number(12)?,
            how: text(13)?,
            lead: id == lead,
            named: named.into_iter().map(|n| (n.kind, n.value, n.reason, (n.start, n.end))).collect(),
        })
    })?;
    found.reverse();
    Ok(found)
}

/// Where a story meets our products: findings of the ids that it names, and releases that hold a component it names.
async fn affected(
    db: &DatabaseConnection,
    actor: &Actor,
    story: i64,
    named: &[(String, Vec<String>)],
) -> Result<Vec<Affected>> {
    let what = "looking where a story meets our products";
    let mut values = vec![actor.workspace.into(), story.into()];
    let scope = query::in_lines(db, actor, Permission::DeskRead, "p.line", &mut values)?;
    values.push(AFFECTED.into());
    let select = format!(
        "SELECT p.id, p.name, COUNT(*), CAST(SUM(r.units) AS BIGINT), CAST(SUM(h.n) AS BIGINT), CAST(SUM(h.bad) AS BIGINT) \
         FROM (SELECT f.release, COUNT(*) AS n, SUM(CASE WHEN f.status = 'affected' THEN 1 ELSE 0 END) AS bad \
         FROM finding f WHERE f.workspace = $1 AND f.closed IS NULL AND f.confidence > 0 AND f.vulnerability IN \
         (SELECT e.value FROM story_entity e WHERE e.story = $2 AND e.kind = 'vulnerability' UNION SELECT m.main \
         FROM story_entity e JOIN alias a ON a.id = e.value JOIN vulnerability m ON m.id = a.vulnerability \
         WHERE e.story = $2 AND e.kind IN ('vulnerability', 'advisory')) GROUP BY f.release) h \
         JOIN release r ON r.id = h.release JOIN product p ON p.id = r.product WHERE p.workspace = $1 AND r.active = 1{scope} \
         GROUP BY p.id, p.name ORDER BY SUM(h.n) DESC, p.id LIMIT ${}",
        values.len()
    );
    type Row = (i64, String, i64, i64, i64, i64);
    let rows: Vec<Row> = sql::rows(db, what, &select, values).await?;
    let mut found: Vec<Affected> = rows
        .into_iter()
        .map(|(product, name, releases, units, findings, affected)| Affected {
            product,
            name,
            releases,
            units,
            findings,
            affected,
            holds: Vec::new(),
        })
        .collect();
    let of = |kind: &str| named.iter().find(|n| n.0 == kind).map_or(&[][..], |n| n.1.as_slice());
    let components: Vec<String> = of("component").iter().take(NAMES).map(|n| inventory::plain(n)).collect();
    let mut values = vec![actor.workspace.into(), sql::list(&components), sql::list(of("product"))];
    let scope = query::in_lines(db, actor, Permission::DeskRead, "p.line", &mut values)?;
    values.push((AFFECTED * 5).into());
    let select = format!(
        "SELECT p.id, p.name, h.held, COUNT(*), CAST(SUM(r.units) AS BIGINT) FROM (SELECT DISTINCT o.release AS release, \
         c.name AS held FROM component c JOIN occurrence o ON o.component = c.id WHERE c.plain IN {} UNION SELECT r.id, '' \
         FROM product q JOIN release r ON r.product = q.id WHERE q.workspace = $1 AND q.name IN {}) h \
         JOIN release r ON r.id = h.release JOIN product p ON p.id = r.product WHERE p.workspace = $1 AND r.active = 1{scope} \
         GROUP BY p.id, p.name, h.held ORDER BY COUNT(*) DESC, p.id, h.held LIMIT ${}",
        sql::texts(db, 2),
        sql::texts(db, 3),
        values.len()
    );
    let rows: Vec<(i64, String, String, i64, i64)> = sql::rows(db, what, &select, values).await?;
    for (product, name, held, releases, units) in rows {
        let place = match found.iter().position(|a| a.product == product) {
            Some(place) => place,
            None => {
                let holds = Vec::new();
                found.push(Affected { product, name, releases, units, findings: 0, affected: 0, holds });
                found.len() - 1
            }
        };
        if let Some(a) = found.get_mut(place) {
            a.releases = a.releases.max(releases);
            a.units = a.units.max(units);
            if !held.is_empty() && !a.holds.contains(&held) {
                a.holds.push(held);
            }
        }
    }
    Ok(found)
}

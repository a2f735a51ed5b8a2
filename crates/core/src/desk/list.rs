//! Stories as lists: by relevance, by time, by what they name.

use sea_orm::{DatabaseConnection, QueryResult};
use serde::Serialize;
use tocsin_model::query::{Field, Kind, Query, Schema};
use utoipa::ToSchema;

use super::judge::STATES;
use super::reads;
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::query::{self, Entry, How, Key, Noun, Rows, inside, order, own};
use crate::platform::sql;

/// A story as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DeskStory)]
pub struct Story {
    /// Id.
    pub id: i64,
    /// Title of the item that weighs most.
    pub title: String,
    /// Relevance in points: the sum of its addends.
    pub relevance: f64,
    /// The strongest reasons, in a line.
    pub why: String,
    /// Ids of vulnerabilities and advisories that it names.
    pub ids: Vec<String>,
    /// Products and components of ours that it names.
    pub ours: Vec<String>,
    /// Items in it.
    pub items: i64,
    /// Sources of these.
    pub sources: i64,
    /// It gathers many flaws.
    pub roundup: bool,
    /// `new`, `reading`, `done`, `dismissed`.
    pub state: String,
    /// Marking of the Traffic Light Protocol 2.0.
    pub tlp: String,
    /// When its first item was published.
    pub opened: String,
    /// When its youngest item was published.
    pub latest: String,
}

const NAMES: &str = "EXISTS (SELECT 1 FROM story_entity e WHERE e.story = s.id AND {})";

const fn names(name: &'static str, expr: &'static str, what: &'static str) -> Entry {
    Entry {
        field: Field { name, kind: Kind::Text, optional: false, what },
        how: How::Inside(NAMES, expr),
        leads: false,
    }
}

/// Ids as they are written: in capitals, or as GitHub writes its own.
const IS: &str = "s.id IN (SELECT e.story FROM story_entity e WHERE e.workspace = $1 AND e.kind IN ('vulnerability', \
                  'advisory') AND e.value IN (CAST({} AS TEXT), UPPER(CAST({} AS TEXT)), UPPER(SUBSTR(CAST({} AS TEXT), 1, 5)) \
                  || LOWER(SUBSTR(CAST({} AS TEXT), 6))))";
const LIKE: &str = "EXISTS (SELECT 1 FROM story_entity e WHERE e.story = s.id AND e.kind IN ('vulnerability', 'advisory') \
                    AND LOWER(e.value) {})";
const FROM: &str =
    "EXISTS (SELECT 1 FROM story_item x JOIN item i ON i.id = x.item WHERE x.story = s.id AND {})";
const CONCERNS: &str = "s.id IN (SELECT e.story FROM product p JOIN release r ON r.product = p.id AND r.active = 1 \
                        JOIN occurrence o ON o.release = r.id JOIN component c ON c.id = o.component JOIN story_entity e \
                        ON e.workspace = p.workspace AND e.kind = 'component' AND e.value = c.name \
                        WHERE p.workspace = $1 AND {} UNION SELECT e.story FROM product p JOIN story_entity e \
                        ON e.workspace = p.workspace AND e.kind = 'product' AND e.value = p.name \
                        WHERE p.workspace = $1 AND {})";
const TAGGED: &str = "EXISTS (SELECT 1 FROM story_tag g WHERE g.story = s.id AND {})";

/// Stories as a noun of queries.
pub(crate) static STORIES: Noun = Noun {
    doing: "listing stories",
    permission: Permission::DeskRead,
    entries: &[
        own("title", Kind::Text, "s.title", "its title"),
        Entry {
            field: Field {
                name: "id",
                kind: Kind::Id,
                optional: false,
                what: "a vulnerability or advisory it names",
            },
            how: How::Id(IS, LIKE),
            leads: false,
        },
        own("relevance", Kind::Number, "s.relevance", "how much it matters to us, in points"),
        own(
            "state",
            Kind::Word(&STATES),
            "s.state",
            "where it stands; dismissed ones are left out unless asked for",
        ),
        names("component", "CASE WHEN e.kind = 'component' THEN e.value END", "a component of ours it names"),
        names("product", "CASE WHEN e.kind = 'product' THEN e.value END", "a product of ours it names"),
        inside(
            "concerns",
            Kind::Text,
            (CONCERNS, "p.name"),
            "a product of ours that it names, or that holds a component it names",
        ),
        names("vendor", "CASE WHEN e.kind = 'vendor' THEN e.value END", "a vendor it names"),
        names("technique", "CASE WHEN e.kind = 'technique' THEN e.value END", "an ATT&CK technique it names"),
        names("names", "e.value", "anything it names, indicators too"),
        inside("source", Kind::Text, (FROM, "i.source"), "a source that tells it"),
        inside("text", Kind::Text, (FROM, "i.body"), "a text of its items"),
        inside("tag", Kind::Text, (TAGGED, "g.tag"), "a tag of it"),
        own("tlp", Kind::Text, "s.tlp", "its marking, TLP 2.0"),
        own("ours", Kind::Truth, "s.ours <> '[]'", "it names a product or component of ours"),
        own(
            "exploited",
            Kind::Truth,
            "s.addends LIKE '%\"code\":\"exploited\"%'",
            "a flaw it tells of is exploited",
        ),
        own("roundup", Kind::Truth, "s.roundup = 1", "it gathers many flaws"),
        own("summary", Kind::Text, "s.summary", "what an analyst wrote of it"),
        own("items", Kind::Number, "s.items", "items in it"),
        own("sources", Kind::Number, "s.sources", "sources that tell it"),
        own("latest", Kind::Time, "s.latest", "when its youngest item was published"),
        own("opened", Kind::Time, "s.opened", "when its first item was published"),
        own("age", Kind::Age, "s.latest", "time since its youngest item was published"),
    ],
    orders: &[
        order("relevance", &[("s.relevance", Key::Real), ("s.id", Key::Int)], true),
        order("latest", &[("s.latest", Key::Text), ("s.id", Key::Int)], true),
        order("opened", &[("s.opened", Key::Text), ("s.id", Key::Int)], true),
        order("sources", &[("s.sources", Key::Int), ("s.id", Key::Int)], true),
        order("title", &[("s.title", Key::Text), ("s.id", Key::Int)], false),
    ],
    columns: &["relevance", "title", "ids", "ours", "sources", "latest", "state"],
    groups: &[],
    table: "story s",
    id: "s.id",
    from: "story s",
    on: "",
    workspace: "s.workspace = $1 AND s.merged = 0",
    lines: "",
    unless: &[(&["state"], "s.state <> 'dismissed'")],
    words: &["LOWER(s.title || ' ' || s.ids || ' ' || s.ours) {}"],
};

/// What a query over stories may name.
pub fn story_schema() -> Schema {
    STORIES.schema()
}

pub(super) const COLUMNS: &str = "s.id, s.title, s.relevance, s.why, s.ids, s.ours, s.items, s.sources, s.roundup, \
                                  s.state, s.tlp, s.opened, s.latest";

pub(super) fn read(row: &QueryResult) -> std::result::Result<Story, sea_orm::DbErr> {
    let list = |n: usize| -> std::result::Result<Vec<String>, sea_orm::DbErr> {
        Ok(serde_json::from_str(&row.try_get_by_index::<String>(n)?).unwrap_or_default())
    };
    Ok(Story {
        id: row.try_get_by_index(0)?,
        title: row.try_get_by_index(1)?,
        relevance: row.try_get_by_index(2)?,
        why: row.try_get_by_index(3)?,
        ids: list(4)?,
        ours: list(5)?,
        items: row.try_get_by_index(6)?,
        sources: row.try_get_by_index(7)?,
        roundup: row.try_get_by_index::<i64>(8)? != 0,
        state: row.try_get_by_index(9)?,
        tlp: row.try_get_by_index(10)?,
        opened: row.try_get_by_index(11)?,
        latest: row.try_get_by_index(12)?,
    })
}

/// Stories of a query, the most relevant first; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`crate::Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn story_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Story>> {
    reads(actor)?;
    query::page(db, actor, &STORIES, query, (COLUMNS, read), after, most).await
}

/// The ids of the stories of a query, the first of its order.
///
/// # Errors
/// As [`story_list`].
pub async fn ids(db: &DatabaseConnection, actor: &Actor, query: &Query, most: u64) -> Result<Vec<i64>> {
    Ok(story_list(db, actor, query, None, most).await?.rows.into_iter().map(|s| s.id).collect())
}

/// The most relevant stories that are not done, from the points on that the workspace calls relevant.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn top(db: &DatabaseConnection, actor: &Actor, most: u64) -> Result<Vec<Story>> {
    reads(actor)?;
    let relevant = super::profile::read(db, actor.workspace).await?.weights.relevant;
    let what = "reading the top stories";
    let select = format!(
        "SELECT {COLUMNS} FROM story s WHERE s.workspace = $1 AND s.merged = 0 AND s.relevance >= $2 AND s.state IN \
         ('new', 'reading') ORDER BY s.relevance DESC, s.id DESC LIMIT $3"
    );
    let values = vec![actor.workspace.into(), relevant.into(), (most as i64).into()];
    sql::read(&sql::raw(db, what, &select, values).await?, what, read)
}

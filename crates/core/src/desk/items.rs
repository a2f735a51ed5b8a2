//! Items: one article, message or post each, with its editions; what comes from a source, and what people enter.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tocsin_model::query::{Kind, Query, Schema};
use utoipa::ToSchema;

use super::{reads, rejected, sort, writes};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::query::{self, Key, Noun, Rows, order, own};
use crate::platform::{bulk, clock, sql};

pub use crate::warnings::TLPS;

/// Reliability of a source in the Admiralty code (NATO AJP-2.1), with its meaning.
pub const RELIABILITIES: [(&str, &str); 6] = [
    ("A", "completely reliable"),
    ("B", "usually reliable"),
    ("C", "fairly reliable"),
    ("D", "not usually reliable"),
    ("E", "unreliable"),
    ("F", "cannot be judged"),
];

/// Credibility of information in the Admiralty code, from 1 on.
const CREDIBILITIES: [&str; 6] =
    ["confirmed", "probably true", "possibly true", "doubtful", "improbable", "cannot be judged"];

/// What a letter of the Admiralty code means.
pub fn reliability(letter: &str) -> &'static str {
    RELIABILITIES.iter().find(|r| r.0 == letter).map_or("cannot be judged", |r| r.1)
}

/// What a number of the Admiralty code, 1 to 6, means.
pub fn credibility(number: i64) -> &'static str {
    let place = usize::try_from(number - 1).unwrap_or(5);
    CREDIBILITIES.get(place).copied().unwrap_or("cannot be judged")
}

/// Bytes of a text that are kept, and of a title.
const TEXT: usize = 256 * 1024;
const TITLE: usize = 500;
/// Bytes of an address, a key or a name.
const SHORT: usize = 2_000;
/// Editions before the newest that are kept of an item.
const EDITIONS: i64 = 20;

/// An item as it comes in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewItem {
    /// What the source calls it (`guid`, `id`, `Message-ID`): the same is an edition of the same item. Empty: its
    /// address, or else its text.
    pub own: String,
    /// Address, or empty.
    pub url: String,
    /// Title, one line.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// Who wrote it, or empty.
    pub author: String,
    /// When it was published (RFC 3339); empty: now.
    pub published: String,
    /// Marking of the Traffic Light Protocol 2.0: `CLEAR`, `GREEN`, `AMBER`, `AMBER+STRICT`, `RED`. Empty: `CLEAR`.
    pub tlp: String,
    /// Reliability of the source, `A` to `F` (Admiralty code). Empty: `F`.
    pub reliability: String,
    /// Credibility of the information, 1 to 6 (Admiralty code). 0: 6.
    pub credibility: i64,
    /// The conversation that it is part of: what the source calls the item that it answers, or the first of them all.
    /// Items of one conversation are one story. Empty: it answers nothing.
    pub thread: String,
}

/// What came of taking items in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Items that were not known.
    pub new: u64,
    /// Items of which a new edition came.
    pub changed: u64,
}

/// What came of entering an item.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ItemEntered)]
pub struct Entered {
    /// Id of the item.
    pub id: i64,
    /// It was not known before.
    pub new: bool,
}

/// An item.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DeskItem)]
pub struct Item {
    /// Id.
    pub id: i64,
    /// It belongs to this workspace alone; all others are shared.
    pub entered: bool,
    /// Name of the source.
    pub source: String,
    /// Address, or empty.
    pub url: String,
    /// Title.
    pub title: String,
    /// Who wrote it, or empty.
    pub author: String,
    /// When it was published.
    pub published: String,
    /// When it came in.
    pub seen: String,
    /// Number of its edition, from 1.
    pub edition: i64,
    /// Marking of the Traffic Light Protocol 2.0.
    pub tlp: String,
    /// Reliability of the source, `A` to `F` (Admiralty code).
    pub reliability: String,
    /// Credibility of the information, 1 to 6 (Admiralty code).
    pub credibility: i64,
    /// The story that it is part of, once it was sorted.
    pub story: Option<i64>,
    /// Plain text; empty in lists.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// An edition before the newest.
#[derive(Debug, Clone, Serialize)]
pub struct Edition {
    /// Its number, from 1.
    pub n: i64,
    /// Title.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// When it came in.
    pub seen: String,
}

/// Text as it is kept: no control characters but tab and line feed, at most `most` bytes.
fn plain(text: &str, most: usize) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out: String = text
        .chars()
        // marks that turn the direction of what follows can hide what a text says
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    if out.len() > most {
        let end = (0..=most).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
    }
    out.trim().to_owned()
}

fn line(text: &str, most: usize) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// An item in the form in which it is kept.
struct Clean {
    own: String,
    hash: String,
    item: NewItem,
}

fn hash(parts: &[&str]) -> String {
    let mut h = Sha256::new();
    for part in parts {
        h.update((part.len() as u64).to_le_bytes());
        h.update(part.as_bytes());
    }
    h.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn clean(new: NewItem, now: &str) -> Clean {
    let url = line(&new.url, SHORT);
    let url = if url.starts_with("https://") || url.starts_with("http://") { url } else { String::new() };
    let text = plain(&new.text, TEXT);
    let title = match line(&new.title, TITLE) {
        title if title.is_empty() => line(text.split('\n').next().unwrap_or_default(), 120),
        title => title,
    };
    // what comes from tomorrow would stay on top
    let published = clock::parse(&new.published).map(clock::text).unwrap_or_else(|_| now.to_owned());
    let published = if published.as_str() > now { now.to_owned() } else { published };
    let tlp = new.tlp.trim().to_ascii_uppercase();
    let tlp = tlp.strip_prefix("TLP:").unwrap_or(&tlp);
    // TLP 1.0 said WHITE; what is not understood is kept close
    let tlp = match tlp {
        "" | "WHITE" => "CLEAR",
        known => TLPS.into_iter().find(|t| *t == known).unwrap_or("RED"),
    };
    let letter = new.reliability.trim().to_ascii_uppercase();
    let reliability = RELIABILITIES.iter().find(|r| r.0 == letter).map_or("F", |r| r.0);
    let credibility = if (1..=6).contains(&new.credibility) { new.credibility } else { 6 };
    let address = tocsin_engine::stories::address(&url);
    let own = match (line(&new.own, SHORT), address) {
        (own, _) if !own.is_empty() => own,
        (_, address) if !address.is_empty() => address,
        _ => hash(&[&title, &text]),
    };
    let hash = hash(&[&title, &text, &url, tlp, reliability, &credibility.to_string()]);
    let item = NewItem {
        own: own.clone(),
        url,
        title,
        text,
        author: line(&new.author, 200),
        published,
        tlp: tlp.to_owned(),
        reliability: reliability.to_owned(),
        credibility,
        thread: line(&new.thread, SHORT),
    };
    Clean { own, hash, item }
}

/// Takes items of a source in: those that are not known, and editions of those that are. The same items again change
/// nothing. Those of the installation's own actor are shared by all workspaces, others belong to the actor's. Stories are
/// made of them by a job.
///
/// # Errors
/// Denied; the database does not answer; nothing is taken then.
pub async fn take(
    db: &DatabaseConnection,
    actor: &Actor,
    source: &str,
    items: Vec<NewItem>,
) -> Result<Taken> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let (taken, _) = put(&change, source, items).await?;
    if taken != Taken::default() {
        change.record("item.take", format!("source/{source}"), source, &(), &taken);
        sort::ask(&mut change).await?;
    }
    change.commit().await?;
    Ok(taken)
}

impl crate::intel::Store {
    /// [`take`] for a thread that follows a source. Blocks.
    ///
    /// # Errors
    /// As [`take`].
    pub fn take_items(&self, actor: &Actor, source: &str, items: Vec<NewItem>) -> Result<Taken> {
        self.runtime.block_on(take(&self.db, actor, source, items))
    }

    /// The workspace of a short name (slug) or, where it is the only one, of a name, for a source that belongs to one.
    /// Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the database does not answer.
    pub fn workspace(&self, name: &str) -> Result<i64> {
        let select = "SELECT id, slug FROM workspace WHERE slug = $1 OR name = $1";
        let found =
            sql::rows::<(i64, String)>(&self.db, "looking for a workspace", select, vec![sql::text(name)]);
        let found = self.runtime.block_on(found)?;
        let one = found.iter().find(|w| w.1 == name).or(found.first().filter(|_| found.len() == 1));
        one.map(|w| w.0).ok_or_else(|| Error::NotFound(format!("workspace `{name}`")))
    }
}

type Known = (i64, String, String, i64, String, String, String);

/// Writes items, and gives the ids by what the source calls them.
async fn put(
    change: &Change<'_>,
    source: &str,
    items: Vec<NewItem>,
) -> Result<(Taken, HashMap<String, i64>)> {
    let what = "taking items in";
    let actor = change.actor;
    let source = line(source, 200);
    // of two with one key in one document the later one stands
    let mut clean: HashMap<String, Clean> =
        items.into_iter().map(|i| clean(i, &actor.now)).map(|c| (c.own.clone(), c)).collect();
    clean.retain(|_, c| !c.item.title.is_empty());
    let threads = threads(change, &source, &clean).await?;
    let (mut taken, mut ids) = (Taken::default(), HashMap::new());
    let mut owns: Vec<String> = clean.keys().cloned().collect();
    owns.sort_unstable();
    for owns in owns.chunks(500) {
        let select = format!(
            "SELECT i.id, i.own, i.hash, i.edition, i.title, i.body, i.changed FROM item i WHERE i.workspace = $1 \
             AND i.source = $2 AND i.own IN {}",
            sql::texts(&change.tx, 3)
        );
        let values = vec![actor.workspace.into(), sql::text(&source), sql::list(owns)];
        let known: Vec<Known> = sql::rows(&change.tx, what, &select, values).await?;
        let (mut old, mut changed) = (Vec::new(), Vec::new());
        for (id, own, hash, edition, title, body, seen) in known {
            ids.insert(own.clone(), id);
            let Some(new) = clean.remove(&own).filter(|c| c.hash != hash) else { continue };
            old.push([id.into(), edition.into(), sql::text(&title), sql::text(&body), seen.into()]);
            let i = new.item;
            changed.push([
                id.into(),
                sql::text(&i.title),
                sql::text(&i.text),
                sql::text(&i.url),
                actor.now.clone().into(),
                (edition + 1).into(),
                new.hash.into(),
                i.tlp.into(),
                i.reliability.into(),
                Value::from(i.credibility),
            ]);
        }
        taken.changed += changed.len() as u64;
        let head = "INSERT INTO item_edition (item, n, title, body, seen)";
        bulk::insert(&change.tx, what, head, "ON CONFLICT (item, n) DO NOTHING", old).await?;
        let head = "UPDATE item SET title = v.column2, body = v.column3, url = v.column4, changed = v.column5, \
                    edition = v.column6, hash = v.column7, tlp = v.column8, reliability = v.column9, \
                    credibility = v.column10";
        bulk::update(&change.tx, what, head, "WHERE item.id = v.column1", changed).await?;
        let rows: Vec<[Value; 16]> = owns
            .iter()
            .filter_map(|own| clean.remove(own))
            .map(|c| {
                let i = c.item;
                [
                    actor.workspace.into(),
                    sql::text(&source),
                    sql::text(&c.own),
                    sql::text(&i.url),
                    sql::text(&i.title),
                    sql::text(&i.text),
                    sql::text(&i.author),
                    i.published.into(),
                    actor.now.clone().into(),
                    actor.now.clone().into(),
                    1_i64.into(),
                    c.hash.into(),
                    i.tlp.into(),
                    i.reliability.into(),
                    i.credibility.into(),
                    sql::text(first(&threads, &i.thread)),
                ]
            })
            .collect();
        let new: Vec<String> = owns.iter().filter(|o| !ids.contains_key(*o)).cloned().collect();
        let head = "INSERT INTO item (workspace, source, own, url, title, body, author, published, seen, changed, \
                    edition, hash, tlp, reliability, credibility, thread)";
        let tail = "ON CONFLICT (workspace, source, own) DO NOTHING";
        taken.new += bulk::insert(&change.tx, what, head, tail, rows).await?;
        let select = format!(
            "SELECT own, id FROM item WHERE workspace = $1 AND source = $2 AND own IN {}",
            sql::texts(&change.tx, 3)
        );
        let values = vec![actor.workspace.into(), sql::text(&source), sql::list(&new)];
        ids.extend(sql::rows::<(String, i64)>(&change.tx, what, &select, values).await?);
    }
    if taken.changed > 0 {
        let delete = "DELETE FROM item_edition WHERE EXISTS (SELECT 1 FROM item i WHERE i.id = item_edition.item \
                      AND i.changed = $1 AND i.edition - item_edition.n > $2)";
        sql::run(&change.tx, what, delete, vec![actor.now.clone().into(), EDITIONS.into()]).await?;
    }
    Ok((taken, ids))
}

/// Conversations by what the source calls an item of them: of the items that come, and of those known ones that they
/// answer.
async fn threads(
    change: &Change<'_>,
    source: &str,
    items: &HashMap<String, Clean>,
) -> Result<HashMap<String, String>> {
    let mut all: HashMap<String, String> = items
        .values()
        .filter(|c| !c.item.thread.is_empty())
        .map(|c| (c.own.clone(), c.item.thread.clone()))
        .collect();
    let mut asked: Vec<String> = all.values().filter(|t| !all.contains_key(*t)).cloned().collect();
    asked.sort_unstable();
    asked.dedup();
    for owns in asked.chunks(500) {
        let select = format!(
            "SELECT own, thread FROM item WHERE workspace = $1 AND source = $2 AND thread <> '' AND own IN {}",
            sql::texts(&change.tx, 3)
        );
        let values = vec![change.actor.workspace.into(), sql::text(source), sql::list(owns)];
        let rows: Vec<(String, String)> =
            sql::rows(&change.tx, "looking for conversations", &select, values).await?;
        all.extend(rows);
    }
    Ok(all)
}

/// The first item of a conversation, as far as it is known.
fn first<'a>(threads: &'a HashMap<String, String>, thread: &'a str) -> &'a str {
    let mut at = thread;
    // two that answer each other have no first
    for _ in 0..100 {
        match threads.get(at) {
            Some(next) if next != at => at = next,
            _ => break,
        }
    }
    at
}

/// Enters what a person or a paid service brings into the actor's workspace. The same again is the same item.
///
/// # Errors
/// Denied; [`Error::Rejected`]: source, title or text is missing, or marking, code or time is none.
pub async fn enter(db: &DatabaseConnection, actor: &Actor, source: &str, new: NewItem) -> Result<Entered> {
    writes(actor)?;
    if actor.workspace == crate::platform::jobs::INSTALLATION {
        return Err(rejected("workspace", "items are entered in a workspace"));
    }
    check(source, &new)?;
    let mut change = Change::begin(db, actor).await?;
    let title = line(&new.title, TITLE);
    let (taken, ids) = put(&change, source, vec![new]).await?;
    let id = ids.into_values().next().ok_or_else(|| rejected("title", "a title is wanted"))?;
    if taken != Taken::default() {
        let action = if taken.new > 0 { "item.enter" } else { "item.edit" };
        change.record(action, format!("item/{id}"), &title, &(), &serde_json::json!({"source": source}));
        sort::ask(&mut change).await?;
    }
    change.commit().await?;
    Ok(Entered { id, new: taken.new > 0 })
}

fn check(source: &str, new: &NewItem) -> Result<()> {
    let source = source.trim();
    if source.is_empty() || source.chars().count() > 80 {
        return Err(rejected("source", "who or what it is from, 1 to 80 characters"));
    }
    if new.title.trim().is_empty() && new.text.trim().is_empty() {
        return Err(rejected("title", "a title, or a text whose first line is one"));
    }
    if new.title.len() > TITLE {
        return Err(rejected("title", format!("at most {TITLE} bytes")));
    }
    if new.text.len() > TEXT {
        return Err(rejected("text", format!("at most {TEXT} bytes; leave out what tells nothing")));
    }
    if !new.published.trim().is_empty() && clock::parse(new.published.trim()).is_err() {
        return Err(rejected("published", "a time in RFC 3339: 2026-01-31T08:30:00Z"));
    }
    let url = new.url.trim();
    if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(rejected("url", "an address that begins with https:// or http://, or nothing"));
    }
    let tlp = new.tlp.trim();
    if !tlp.is_empty() && !TLPS.contains(&tlp) {
        return Err(rejected("tlp", format!("one of {}", TLPS.join(", "))));
    }
    let letter = new.reliability.trim();
    if !letter.is_empty() && !RELIABILITIES.iter().any(|r| r.0 == letter) {
        return Err(rejected("reliability", "a letter of the Admiralty code, A to F"));
    }
    if !(0..=6).contains(&new.credibility) {
        return Err(rejected("credibility", "a number of the Admiralty code, 1 to 6"));
    }
    Ok(())
}

const STORY: &str = "(SELECT s.story FROM story_item s WHERE s.workspace = $1 AND s.item = i.id)";

/// Items as a noun of queries: the shared ones and those of the workspace.
pub(crate) static ITEMS: Noun = Noun {
    doing: "listing items",
    permission: Permission::DeskRead,
    entries: &[
        own("title", Kind::Text, "i.title", "its title"),
        own("source", Kind::Text, "i.source", "where it is from"),
        own("author", Kind::Text, "i.author", "who wrote it"),
        own("text", Kind::Text, "i.body", "its text"),
        own("tlp", Kind::Text, "i.tlp", "its marking, TLP 2.0"),
        own("entered", Kind::Truth, "i.workspace <> 0", "somebody entered it here"),
        own("published", Kind::Time, "i.published", "when it was published"),
        own("seen", Kind::Time, "i.seen", "when it came in"),
        own("age", Kind::Age, "i.published", "time since it was published"),
        own("edition", Kind::Number, "i.edition", "number of its edition"),
    ],
    orders: &[
        order("seen", &[("i.id", Key::Int)], true),
        order("published", &[("i.published", Key::Text), ("i.id", Key::Int)], true),
        order("title", &[("i.title", Key::Text), ("i.id", Key::Int)], false),
    ],
    columns: &["title", "source", "tlp", "published", "seen"],
    groups: &[],
    table: "item i",
    id: "i.id",
    from: "item i",
    on: "",
    workspace: "i.workspace IN (0, $1)",
    lines: "",
    unless: &[],
    words: &["LOWER(i.title || ' ' || i.source) {}"],
};

/// What a query over items may name.
pub fn item_schema() -> Schema {
    ITEMS.schema()
}

fn read(row: &QueryResult) -> std::result::Result<Item, sea_orm::DbErr> {
    Ok(Item {
        id: row.try_get_by_index(0)?,
        entered: row.try_get_by_index::<i64>(1)? != 0,
        source: row.try_get_by_index(2)?,
        url: row.try_get_by_index(3)?,
        title: row.try_get_by_index(4)?,
        author: row.try_get_by_index(5)?,
        published: row.try_get_by_index(6)?,
        seen: row.try_get_by_index(7)?,
        edition: row.try_get_by_index(8)?,
        tlp: row.try_get_by_index(9)?,
        reliability: row.try_get_by_index(10)?,
        credibility: row.try_get_by_index(11)?,
        story: row.try_get_by_index(12)?,
        text: row.try_get_by_index(13)?,
    })
}

/// Items of a query, newest first, without their texts; `after` is [`Rows::next`] of the page before.
///
/// # Errors
/// Denied; [`Error::Rejected`] where `after` is of another list; the database does not answer.
pub async fn item_list(
    db: &DatabaseConnection,
    actor: &Actor,
    query: &Query,
    after: Option<&str>,
    most: u64,
) -> Result<Rows<Item>> {
    reads(actor)?;
    let columns = format!(
        "i.id, i.workspace, i.source, i.url, i.title, i.author, i.published, i.seen, i.edition, i.tlp, i.reliability, \
         i.credibility, {STORY}, ''"
    );
    query::page(db, actor, &ITEMS, query, (&columns, read), after, most).await
}

/// One item with its text, and the editions before it, newest first.
///
/// # Errors
/// Denied; not found; the database does not answer.
pub async fn item(db: &impl ConnectionTrait, actor: &Actor, id: i64) -> Result<(Item, Vec<Edition>)> {
    reads(actor)?;
    let what = "reading an item";
    let select = format!(
        "SELECT i.id, i.workspace, i.source, i.url, i.title, i.author, i.published, i.seen, i.edition, i.tlp, \
         i.reliability, i.credibility, {STORY}, i.body FROM item i WHERE i.id = $2 AND i.workspace IN (0, $1)"
    );
    let rows = sql::raw(db, what, &select, vec![actor.workspace.into(), id.into()]).await?;
    let found = sql::read(&rows, what, read)?.into_iter().next();
    let found = found.ok_or_else(|| Error::NotFound(format!("item {id}")))?;
    let select = "SELECT n, title, body, seen FROM item_edition WHERE item = $1 ORDER BY n DESC";
    let rows: Vec<(i64, String, String, String)> = sql::rows(db, what, select, vec![id.into()]).await?;
    let edition = |(n, title, text, seen)| Edition { n, title, text, seen };
    Ok((found, rows.into_iter().map(edition).collect()))
}

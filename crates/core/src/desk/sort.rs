//! Sorting: new items and editions are placed into stories, and stories are weighed where something that they are weighed
//! by has changed. A job that does only what is due, in batches that are one change each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::{Deserialize, Serialize};
use tocsin_engine::entities::{self, Dictionary};
use tocsin_engine::stories::{How, Item, Options, Placed, Stories, StoryId};

use super::memory::{Memory, Open, Stamp};
use super::weigh::{self, Scale};
use super::{days_before, dictionary, judge, learn};
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::jobs::{self, New, Payload, schedule};
use crate::platform::{bulk, clock, people, sql};

/// Days for which a story takes further items in.
const OPEN: i64 = 30;
/// Days for which what a story names and how it is weighed follow what changes.
const FOLLOWED: i64 = 60;
/// Days for which a story ages; nothing is left of its points then.
const AGES: i64 = 365;
/// Items of one change.
const BATCH: i64 = 200;
/// Items or stories that are read at once.
const READ: i64 = 1_000;
/// More ids than this in one item make it a roundup.
const MANY: usize = 6;
/// Minutes by which times of changes that overlap may lie behind each other.
const OVERLAP: i64 = 60;

/// The job that sorts, for all workspaces.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sort {}

impl Payload for Sort {
    const KIND: &'static str = "desk";
}

/// What sorting did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Items placed.
    pub items: u64,
    /// Stories opened.
    pub opened: u64,
    /// Items whose entities changed with the inventory.
    pub named: u64,
    /// Stories weighed anew.
    pub weighed: u64,
    /// Stories that only grew older.
    pub aged: u64,
}

/// Asks for sorting in the change that makes it due. One job that waits is enough.
pub(super) async fn ask(change: &mut Change<'_>) -> Result<()> {
    let select = "SELECT id FROM job WHERE kind = 'desk' AND state = 'waiting' LIMIT 1";
    if sql::row::<(i64,)>(&change.tx, "looking for a job", select, vec![]).await?.is_some() {
        return Ok(());
    }
    let new = New {
        title: "Sort news into stories".to_owned(),
        lane: Some("desk".to_owned()),
        installation: true,
        ..New::default()
    };
    jobs::enqueue(change, &Sort {}, new).await?;
    Ok(())
}

/// Sees to it that sorting is looked at every quarter of an hour: inventories and lists of exploited flaws change
/// without a word, and stories grow older.
///
/// # Errors
/// The database does not answer.
pub async fn ensure(db: &DatabaseConnection, now: &str) -> Result<()> {
    schedule::ensure(db, "desk", "Sort news into stories", "7,22,37,52 * * * *", &Sort {}, now).await
}

/// The states that stories were last weighed by.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    inventory: String,
    profile: String,
    exploitation: String,
    day: String,
    mark: String,
}

async fn state(db: &impl ConnectionTrait, workspace: i64) -> Result<(State, i64)> {
    let select =
        "SELECT inventory, profile, exploitation, day, mark, turn FROM desk_state WHERE workspace = $1";
    type Row = (String, String, String, String, String, i64);
    let row: Option<Row> =
        sql::row(db, "reading the state of the desk", select, vec![workspace.into()]).await?;
    let (inventory, profile, exploitation, day, mark, turn) = row.unwrap_or_default();
    Ok((State { inventory, profile, exploitation, day, mark }, turn))
}

async fn set_state(db: &impl ConnectionTrait, workspace: i64, state: &State) -> Result<()> {
    let update = "UPDATE desk_state SET inventory = $2, profile = $3, exploitation = $4, day = $5, mark = $6 \
                  WHERE workspace = $1";
    let values = vec![
        workspace.into(),
        state.inventory.clone().into(),
        state.profile.clone().into(),
        state.exploitation.clone().into(),
        state.day.clone().into(),
        state.mark.clone().into(),
    ];
    sql::run(db, "writing the state of the desk", update, values).await?;
    Ok(())
}

async fn exploitation(db: &impl ConnectionTrait) -> Result<String> {
    let select = "SELECT (SELECT COUNT(*) FROM kev), (SELECT COALESCE(MAX(date_added), '') FROM kev), \
                  (SELECT COUNT(*) FROM exploit)";
    let row: Option<(i64, String, i64)> =
        sql::row(db, "looking whether more is exploited", select, vec![]).await?;
    let (kev, newest, exploits) = row.unwrap_or_default();
    Ok(format!("{kev}/{newest}/{exploits}"))
}

/// Brings the stories of all workspaces up to date. It may be broken off at any `await` and done again.
///
/// # Errors
/// The database does not answer.
pub async fn sort(
    db: &DatabaseConnection,
    now: &(dyn Fn() -> String + Send + Sync),
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<Done> {
    sort_with(db, &Memory::default(), now, progress).await
}

/// As [`sort`], by somebody who sorts again and again: what was read of a workspace is kept in `memory` and used where
/// nothing else changed it.
///
/// # Errors
/// As [`sort`].
pub async fn sort_with(
    db: &DatabaseConnection,
    memory: &Memory,
    now: &(dyn Fn() -> String + Send + Sync),
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<Done> {
    let mut done = Done::default();
    for workspace in people::workspaces(db).await? {
        Sorting { db, memory, now, progress, workspace, done: &mut done }.run().await?;
    }
    Ok(done)
}

struct Sorting<'a> {
    db: &'a DatabaseConnection,
    memory: &'a Memory,
    now: &'a (dyn Fn() -> String + Send + Sync),
    progress: &'a (dyn Fn(usize, usize) + Send + Sync),
    workspace: i64,
    done: &'a mut Done,
}

/// An item that waits.
struct Waiting {
    id: i64,
    url: String,
    title: String,
    body: String,
    published: String,
    edition: i64,
    thread: String,
}

const WAITING: &str = "i.id, i.url, i.title, i.body, i.published, i.edition, i.thread, i.changed";
type WaitingRow = (i64, String, String, String, String, i64, String, String);

fn waiting((id, url, title, body, published, edition, thread, _): WaitingRow) -> Waiting {
    Waiting { id, url, title, body, published, edition, thread }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host)
}

fn find(dictionary: &Dictionary, url: &str, text: &str) -> Vec<entities::Entity> {
    let own = host(url);
    let own: &[&str] = if own.is_empty() { &[] } else { &[own] };
    entities::find(text, dictionary, own)
}

/// Why an item is where it is, in words.
fn how(placed: &How) -> String {
    match placed {
        How::New => "the first of the story".to_owned(),
        How::Edition => "an edition of an item of the story".to_owned(),
        How::Thread => "it is part of the same conversation".to_owned(),
        How::Copy(share) => format!("{:.0} % of its text is that of another item", share * 100.0),
        How::Ids(ids) => {
            format!("it is about {}", ids.iter().take(3).cloned().collect::<Vec<_>>().join(", "))
        }
        How::Named(words) => format!("it names {}", words.join(", ")),
        How::Alike(share) => format!("its words are like those of another item ({share:.2})"),
    }
}

impl Sorting<'_> {
    fn actor(&self) -> Actor {
        Actor::system(self.workspace, &(self.now)())
    }

    async fn run(mut self) -> Result<()> {
        let insert = "INSERT INTO desk_state (workspace, inventory, profile, exploitation, day, mark) \
                      VALUES ($1, '', '', '', '', '') ON CONFLICT (workspace) DO NOTHING";
        let had = state(self.db, self.workspace).await?;
        if had.0 == State::default() {
            sql::run(self.db, "beginning the desk", insert, vec![self.workspace.into()]).await?;
        }
        let mut state = had.0.clone();
        let inventory = dictionary::state(self.db, self.workspace).await?;
        let profile = learn::state(self.db, self.workspace).await?;
        let exploitation = exploitation(self.db).await?;
        let day = (self.now)().get(..10).unwrap_or_default().to_owned();
        let (had_inventory, had_names) = state.inventory.split_once('#').unwrap_or((&state.inventory, ""));
        let (renamed, had_names) = (inventory != had_inventory, had_names.to_owned());
        let waits = self.count(&state.mark).await?;
        if waits > 0 || renamed {
            let dictionary = match self.memory.dictionary(self.workspace, &inventory) {
                Some(known) => known,
                None => {
                    let read = Arc::new(dictionary::read(self.db, self.workspace).await?);
                    self.memory.keep_dictionary(self.workspace, &inventory, read.clone());
                    read
                }
            };
            if waits > 0 {
                self.place(&mut state, &dictionary, waits).await?;
            }
            if renamed {
                let names = dictionary::print(&dictionary);
                // most uploads bring other versions of the same names
                if names != had_names {
                    // what items name is part of what they are compared by
                    self.memory.forget(self.workspace);
                    self.rename(&dictionary).await?;
                }
                state.inventory = format!("{inventory}#{names}");
            }
        }
        if profile != state.profile || exploitation != state.exploitation {
            self.reweigh().await?;
            (state.profile, state.exploitation) = (profile, exploitation);
        }
        if day != state.day {
            self.age().await?;
            state.day = day;
        }
        if waits > 0 {
            super::promote::recognise(self.db, &self.actor()).await?;
        }
        if state == had.0 {
            return Ok(());
        }
        set_state(self.db, self.workspace, &state).await
    }

    /// What waits: items that are in no story, or of an edition that is not.
    fn waits(&self, mark: &str) -> (String, Vec<Value>) {
        let from = "FROM item i LEFT JOIN story_item s ON s.item = i.id AND s.workspace = $1 \
                    WHERE i.changed >= $2 AND i.workspace IN (0, $1) AND (s.item IS NULL OR s.edition <> i.edition)";
        (from.to_owned(), vec![self.workspace.into(), clock::minutes_after(mark, -OVERLAP).into()])
    }

    async fn count(&self, mark: &str) -> Result<usize> {
        let (from, values) = self.waits(mark);
        let row: Option<(i64,)> =
            sql::row(self.db, "counting items that wait", &format!("SELECT COUNT(*) {from}"), values).await?;
        Ok(row.map_or(0, |r| usize::try_from(r.0).unwrap_or(0)))
    }

    /// Places what waits.
    async fn place(&mut self, state: &mut State, dictionary: &Dictionary, waits: usize) -> Result<()> {
        let what = "reading items that wait";
        let mut open = match self.memory.take(self.workspace) {
            Some((mut kept, stamp)) if stamp == Stamp::read(self.db, self.workspace).await? => {
                let since = days_before(&(self.now)(), OPEN + 1);
                kept.stories.expire(clock::seconds(&since));
                kept
            }
            _ => self.open().await?,
        };
        let mut placed = 0;
        loop {
            let (from, mut values) = self.waits(&state.mark);
            values.push(BATCH.into());
            let select = format!("SELECT {WAITING} {from} ORDER BY i.changed, i.id LIMIT $3");
            let rows: Vec<WaitingRow> = sql::rows(self.db, what, &select, values).await?;
            let Some(mark) = rows.last().map(|r| r.7.clone()) else {
                let stamp = Stamp::read(self.db, self.workspace).await?;
                // an analyst who moved items meanwhile has made it another
                if stamp.turn == open.turn {
                    self.memory.keep(self.workspace, open, stamp);
                }
                return Ok(());
            };
            let batch: Vec<Waiting> = rows.into_iter().map(waiting).collect();
            if !self.batch(&mut open, dictionary, &batch).await? {
                // somebody moved items by hand meanwhile
                open = self.open().await?;
                continue;
            }
            state.mark = state.mark.clone().max(mark);
            placed += batch.len();
            (self.progress)(placed.min(waits), waits);
        }
    }

    /// Reads the open stories from the store.
    async fn open(&self) -> Result<Open> {
        let what = "reading the open stories";
        let (_, turn) = state(self.db, self.workspace).await?;
        let mut stories = Stories::new(Options { open_days: OPEN, ..Options::default() });
        let mut ids = HashMap::new();
        let since = days_before(&(self.now)(), OPEN + 1);
        let mut after = 0;
        loop {
            let select = format!(
                "SELECT {WAITING}, s.entities, t.number, t.id FROM story_item s JOIN story t ON t.id = s.story \
                 JOIN item i ON i.id = s.item WHERE s.workspace = $1 AND t.latest >= $2 AND i.id > $3 \
                 ORDER BY i.id LIMIT $4"
            );
            let values = vec![self.workspace.into(), since.clone().into(), after.into(), READ.into()];
            type Row = (i64, String, String, String, String, i64, String, String, String, i64, i64);
            let rows: Vec<Row> = sql::rows(self.db, what, &select, values).await?;
            let (last, full) = (rows.last().map(|r| r.0), rows.len() as i64 == READ);
            let read = |(id, url, title, body, published, _, thread, _, entities, number, story): Row| {
                let text = weigh::text(&title, &body);
                let named = weigh::entities(&weigh::kept(&entities), &text);
                let at = clock::seconds(&published);
                let item = Item::new(id.unsigned_abs(), &url, at, &text, &named, MANY).in_thread(&thread);
                (item, number.unsigned_abs(), story)
            };
            // words are counted on all processors, stories put together in the order of the items
            let items: Vec<(Item, u64, i64)> = rows.into_par_iter().with_min_len(32).map(read).collect();
            for (item, number, story) in items {
                stories.restore(item, StoryId(number));
                ids.insert(number, story);
            }
            match last {
                Some(last) if full => after = last,
                _ => break,
            }
        }
        let select = "SELECT x.number, y.number FROM story_apart p JOIN story x ON x.id = p.a JOIN story y ON y.id = p.b \
                      WHERE p.workspace = $1";
        let rows: Vec<(i64, i64)> = sql::rows(self.db, what, select, vec![self.workspace.into()]).await?;
        for (a, b) in rows {
            stories.keep_apart(StoryId(a.unsigned_abs()), StoryId(b.unsigned_abs()));
        }
        let select = "SELECT COALESCE(MAX(number), 0) FROM story WHERE workspace = $1";
        let row: Option<(i64,)> = sql::row(self.db, what, select, vec![self.workspace.into()]).await?;
        stories.continue_after(row.unwrap_or_default().0.unsigned_abs());
        Ok(Open { stories, ids, turn })
    }

    /// Places a batch in one change; whether it was, or the open stories must be read again first.
    async fn batch(&mut self, open: &mut Open, dictionary: &Dictionary, batch: &[Waiting]) -> Result<bool> {
        let what = "placing items into stories";
        let actor = self.actor();
        let change = Change::begin(self.db, &actor).await?;
        let lock = format!("SELECT turn FROM desk_state WHERE workspace = $1{}", sql::for_update(&change.tx));
        let turn: Option<(i64,)> = sql::row(&change.tx, what, &lock, vec![self.workspace.into()]).await?;
        if turn.is_some_and(|t| t.0 != open.turn) {
            return Ok(false);
        }
        let mut seen: Vec<(&Waiting, Placed, String)> = Vec::new();
        for w in batch {
            let text = weigh::text(&w.title, &w.body);
            let found = find(dictionary, &w.url, &text);
            let at = clock::seconds(&w.published);
            let item = Item::new(w.id.unsigned_abs(), &w.url, at, &text, &found, MANY).in_thread(&w.thread);
            seen.push((w, open.stories.add(item), weigh::keep(&found)));
        }
        // a story that was opened in this batch can have become part of another one by now
        let mut into: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, placed, _) in &seen {
            for gone in &placed.merged {
                into.insert(gone.0, placed.story.0);
            }
        }
        let last = |mut number: u64| {
            while let Some(next) = into.get(&number) {
                number = *next;
            }
            number
        };
        let opened: BTreeSet<u64> =
            seen.iter().map(|(_, p, _)| last(p.story.0)).filter(|n| !open.ids.contains_key(n)).collect();
        let rows: Vec<[Value; 16]> =
            opened.iter().map(|n| self.row(*n, &open.stories, &seen, &actor.now)).collect();
        let head = "INSERT INTO story (workspace, number, title, lead, items, sources, roundup, opened, latest, ids, ours, \
                    points, relevance, addends, why, tlp)";
        bulk::insert(&change.tx, what, head, "", rows).await?;
        let numbers: Vec<u64> = opened.iter().copied().collect();
        let select = format!(
            "SELECT number, id FROM story WHERE workspace = $1 AND number IN {}",
            sql::numbers(&change.tx, 2)
        );
        let made: Vec<(i64, i64)> =
            sql::rows(&change.tx, what, &select, vec![self.workspace.into(), sql::list(&numbers)]).await?;
        open.ids.extend(made.into_iter().map(|(n, id)| (n.unsigned_abs(), id)));
        for (gone, kept) in &into {
            if let (Some(gone), Some(kept)) = (open.ids.get(gone), open.ids.get(&last(*kept))) {
                judge::absorb(&change, *gone, *kept, "merged by itself").await?;
            }
        }
        let rows: Vec<[Value; 6]> = seen
            .iter()
            .filter_map(|(w, placed, entities)| {
                let story = *open.ids.get(&last(placed.story.0))?;
                let id = w.id.into();
                Some([
                    self.workspace.into(),
                    id,
                    story.into(),
                    w.edition.into(),
                    sql::text(&how(&placed.how)),
                    sql::text(entities),
                ])
            })
            .collect();
        let head = "INSERT INTO story_item (workspace, item, story, edition, how, entities)";
        // an edition stays where its item is, and so does the reason for it
        let tail = "ON CONFLICT (workspace, item) DO UPDATE SET edition = excluded.edition, entities = excluded.entities";
        bulk::insert(&change.tx, what, head, tail, rows).await?;
        let items: Vec<i64> = batch.iter().map(|w| w.id).collect();
        let select = format!(
            "SELECT DISTINCT story FROM story_item WHERE workspace = $1 AND item IN {}",
            sql::numbers(&change.tx, 2)
        );
        let touched: Vec<(i64,)> =
            sql::rows(&change.tx, what, &select, vec![self.workspace.into(), sql::list(&items)]).await?;
        let touched: Vec<i64> = touched.into_iter().map(|r| r.0).collect();
        let scale = Scale::read(&change.tx, self.workspace).await?;
        weigh::weigh(&change, &scale, &touched, true).await?;
        // what was finished and goes on is to be looked at again
        let update = format!(
            "UPDATE story SET state = 'reading' WHERE state = 'done' AND merged = 0 AND id IN {}",
            sql::numbers(&change.tx, 1)
        );
        sql::run(&change.tx, what, &update, vec![sql::list(&touched)]).await?;
        Stamp::next(&change).await?;
        change.commit().await?;
        self.done.items += batch.len() as u64;
        self.done.opened += opened.len() as u64;
        self.done.weighed += touched.len() as u64;
        Ok(true)
    }

    /// A story that is opened; weighing says the rest.
    fn row(
        &self,
        number: u64,
        stories: &Stories,
        seen: &[(&Waiting, Placed, String)],
        now: &str,
    ) -> [Value; 16] {
        let story = stories.story(StoryId(number));
        let first = story.and_then(|s| seen.iter().find(|(w, _, _)| s.items.contains(&w.id.unsigned_abs())));
        let (title, lead) = first.map_or(("", 0), |(w, _, _)| (w.title.as_str(), w.id));
        let roundup = i64::from(story.is_some_and(|s| s.roundup));
        [
            self.workspace.into(),
            (number as i64).into(),
            sql::text(title),
            lead.into(),
            0_i64.into(),
            0_i64.into(),
            roundup.into(),
            now.into(),
            now.into(),
            "[]".into(),
            "[]".into(),
            0.0_f64.into(),
            0.0_f64.into(),
            "[]".into(),
            "".into(),
            "CLEAR".into(),
        ]
    }

    /// Seeks again what items name, after products or components changed.
    async fn rename(&mut self, dictionary: &Dictionary) -> Result<()> {
        let what = "seeking what items name";
        let since = days_before(&(self.now)(), FOLLOWED);
        let mut after = 0;
        loop {
            let select = format!(
                "SELECT {WAITING}, s.entities, s.story FROM story_item s JOIN story t ON t.id = s.story JOIN item i \
                 ON i.id = s.item WHERE s.workspace = $1 AND t.latest >= $2 AND i.id > $3 ORDER BY i.id LIMIT $4"
            );
            let values = vec![self.workspace.into(), since.clone().into(), after.into(), READ.into()];
            type Row = (i64, String, String, String, String, i64, String, String, String, i64);
            let rows: Vec<Row> = sql::rows(self.db, what, &select, values).await?;
            let Some(last) = rows.last().map(|r| r.0) else { return Ok(()) };
            let full = rows.len() as i64 == READ;
            let (mut changed, mut stories): (Vec<[Value; 3]>, BTreeSet<i64>) = (Vec::new(), BTreeSet::new());
            for (id, url, title, body, _, _, _, _, had, story) in &rows {
                let kept = weigh::keep(&find(dictionary, url, &weigh::text(title, body)));
                if kept != *had {
                    changed.push([(*id).into(), sql::text(&kept), self.workspace.into()]);
                    stories.insert(*story);
                }
            }
            if !changed.is_empty() {
                let actor = self.actor();
                let change = Change::begin(self.db, &actor).await?;
                self.done.named += changed.len() as u64;
                self.done.weighed += stories.len() as u64;
                let tail = "WHERE story_item.item = v.column1 AND story_item.workspace = v.column3";
                bulk::update(&change.tx, what, "UPDATE story_item SET entities = v.column2", tail, changed)
                    .await?;
                let scale = Scale::read(&change.tx, self.workspace).await?;
                weigh::weigh(&change, &scale, &stories.into_iter().collect::<Vec<_>>(), true).await?;
                Stamp::next(&change).await?;
                change.commit().await?;
            }
            if !full {
                return Ok(());
            }
            after = last;
        }
    }

    /// Weighs stories again, after weights, interests, votes or what is exploited changed.
    async fn reweigh(&mut self) -> Result<()> {
        let since = days_before(&(self.now)(), FOLLOWED);
        let mut after = 0;
        loop {
            let select = "SELECT id FROM story WHERE workspace = $1 AND latest >= $2 AND merged = 0 AND id > $3 \
                          ORDER BY id LIMIT $4";
            let values = vec![self.workspace.into(), since.clone().into(), after.into(), READ.into()];
            let rows: Vec<(i64,)> = sql::rows(self.db, "reading stories", select, values).await?;
            let ids: Vec<i64> = rows.into_iter().map(|r| r.0).collect();
            let Some(last) = ids.last() else { return Ok(()) };
            let actor = self.actor();
            let change = Change::begin(self.db, &actor).await?;
            let scale = Scale::read(&change.tx, self.workspace).await?;
            weigh::weigh(&change, &scale, &ids, false).await?;
            change.commit().await?;
            self.done.weighed += ids.len() as u64;
            after = *last;
        }
    }

    /// Stories grow older: only those whose points change are written.
    async fn age(&mut self) -> Result<()> {
        let what = "letting stories grow older";
        let now = (self.now)();
        let scale = Scale::read(self.db, self.workspace).await?;
        let since = days_before(&now, AGES);
        let mut after = 0;
        loop {
            let select = "SELECT id, points, relevance, latest FROM story WHERE workspace = $1 AND latest >= $2 \
                          AND merged = 0 AND points > 0 AND id > $3 ORDER BY id LIMIT $4";
            let values = vec![self.workspace.into(), since.clone().into(), after.into(), (READ * 10).into()];
            let rows: Vec<(i64, f64, f64, String)> = sql::rows(self.db, what, select, values).await?;
            let Some(last) = rows.last().map(|r| r.0) else { return Ok(()) };
            let changed: Vec<[Value; 2]> = rows
                .into_iter()
                .map(|(id, points, had, latest)| {
                    (id, had, weigh::aged(points, &latest, &now, &scale.weights).0)
                })
                .filter(|(_, had, value)| had != value)
                .map(|(id, _, value)| [id.into(), value.into()])
                .collect();
            self.done.aged += changed.len() as u64;
            let head = "UPDATE story SET relevance = v.column2";
            bulk::update(self.db, what, head, "WHERE story.id = v.column1", changed).await?;
            after = last;
        }
    }
}

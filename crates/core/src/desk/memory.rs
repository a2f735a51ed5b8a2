//! What sorting read of workspaces and can use again: the dictionary of an inventory, and the open stories.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::ConnectionTrait;
use tocsin_engine::entities::Dictionary;
use tocsin_engine::stories::Stories;

use crate::error::Result;
use crate::platform::change::Change;
use crate::platform::sql;

/// Items whose stories are kept, of all workspaces together: about three kilobytes each. Those sorted longest ago go
/// first.
const ITEMS: usize = 80_000;
/// Dictionaries that are kept.
const DICTIONARIES: usize = 32;

/// The open stories with the ids of their rows.
pub(super) struct Open {
    pub stories: Stories,
    /// Ids of stories by their numbers.
    pub ids: HashMap<u64, i64>,
    /// See `desk_state.turn`.
    pub turn: i64,
}

/// What tells the open stories of a workspace from those of another moment: turns that people made, and batches that were
/// sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub turn: i64,
    pub sorted: i64,
}

impl Stamp {
    /// That of the store.
    pub(super) async fn read(db: &impl ConnectionTrait, workspace: i64) -> Result<Stamp> {
        let select = "SELECT turn, sorted FROM desk_state WHERE workspace = $1";
        let row: Option<(i64, i64)> =
            sql::row(db, "reading the state of the desk", select, vec![workspace.into()]).await?;
        let (turn, sorted) = row.unwrap_or_default();
        Ok(Stamp { turn, sorted })
    }

    /// Says in a change that what is kept of open stories elsewhere is no longer all.
    pub(super) async fn next(change: &Change<'_>) -> Result<()> {
        let update = "UPDATE desk_state SET sorted = sorted + 1 WHERE workspace = $1";
        let values = vec![change.actor.workspace.into()];
        sql::run(&change.tx, "noting that items were sorted", update, values).await?;
        Ok(())
    }
}

#[derive(Default)]
struct Kept {
    /// Goes up with each use.
    used: u64,
    dictionary: Option<(String, Arc<Dictionary>)>,
    open: Option<(Open, Stamp)>,
}

/// What sorting keeps from one run to the next. It is only ever a shorter way: what the store tells otherwise, because
/// people moved items or another node sorted, is read again.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<i64, Kept>>);

impl Memory {
    fn with<T>(&self, workspace: i64, f: impl FnOnce(&mut Kept) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = all.values().map(|k| k.used).max().unwrap_or(0) + 1;
        let kept = all.entry(workspace).or_default();
        kept.used = used;
        let out = f(kept);
        let mut order: Vec<(u64, i64)> = all.iter().map(|(w, k)| (k.used, *w)).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        let mut items = 0;
        for (n, (_, workspace)) in order.into_iter().enumerate() {
            let Some(kept) = all.get_mut(&workspace) else { continue };
            items += kept.open.as_ref().map_or(0, |(open, _)| open.stories.len());
            if items > ITEMS {
                kept.open = None;
            }
            if n >= DICTIONARIES {
                kept.dictionary = None;
            }
        }
        out
    }

    /// The dictionary of a workspace, where it is of this state of the inventory.
    pub(super) fn dictionary(&self, workspace: i64, inventory: &str) -> Option<Arc<Dictionary>> {
        self.with(workspace, |kept| {
            kept.dictionary.as_ref().filter(|(of, _)| of == inventory).map(|(_, d)| d.clone())
        })
    }

    pub(super) fn keep_dictionary(&self, workspace: i64, inventory: &str, dictionary: Arc<Dictionary>) {
        self.with(workspace, |kept| kept.dictionary = Some((inventory.to_owned(), dictionary)));
    }

    /// Takes the open stories out; whoever sorts puts them back when all is written.
    pub(super) fn take(&self, workspace: i64) -> Option<(Open, Stamp)> {
        self.with(workspace, |kept| kept.open.take())
    }

    pub(super) fn keep(&self, workspace: i64, open: Open, stamp: Stamp) {
        self.with(workspace, |kept| kept.open = Some((open, stamp)));
    }

    pub(super) fn forget(&self, workspace: i64) {
        self.with(workspace, |kept| kept.open = None);
    }
}

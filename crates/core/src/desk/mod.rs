//! The analyst desk: what the sources say, sorted into stories by what matters to a workspace.
//!
//! **Items** of outside sources are shared by all workspaces; items that people enter belong to theirs. Everything that
//! is made of items belongs to one workspace, because it leans on the inventory, the interests and the words of its
//! people: what an item names, the **stories**, their **relevance** with its addends, and what analysts say of them.
//!
//! Sorting ([`sort`]) is a job that may be killed at any instant: each batch of items is one change, and the open
//! stories are read again from the store. Who may see or change anything here may do so in the whole workspace: a story
//! names products of all lines.

mod dictionary;
mod items;
mod judge;
mod learn;
mod list;
mod memory;
mod one;
mod period;
mod profile;
mod promote;
mod sort;
#[cfg(test)]
mod tests;
mod weigh;

use serde::Serialize;

pub use items::{
    Edition, Entered, Item, NewItem, RELIABILITIES, TLPS, Taken, credibility, enter, item, item_list,
    item_schema, reliability, take,
};
pub use judge::{Note, STATES, merge, note, set_state, set_states, split, tag};
pub use learn::{Cast, Counted, Votes, cast, counts, revoke, unvote, vote, votes};
pub use list::{Story, ids, story_list, story_schema, top};
pub use memory::Memory;
pub use one::{Affected, Event, Piece, Shown, story};
pub use period::{MARK, of_period};
pub(crate) use period::{relevant_of, waiting};
pub use profile::{Profile, WEIGHTS, profile, set_profile};
pub use promote::{draft, promote};
pub use sort::{Done, Sort, ensure, sort, sort_with};

use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};

fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

fn reads(actor: &Actor) -> Result<()> {
    actor.need_everywhere(Permission::DeskRead)
}

fn writes(actor: &Actor) -> Result<()> {
    actor.need_everywhere(Permission::DeskWrite)
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The instant before which nothing is looked at again, so many days before another.
fn days_before(now: &str, days: i64) -> String {
    crate::platform::clock::minutes_after(now, -days * 24 * 60)
}

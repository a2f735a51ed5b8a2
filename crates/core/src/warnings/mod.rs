//! Early warnings: flaws that a workspace knows of before they have a CVE.
//!
//! An analyst writes one down in a few words: what is affected, which versions, how bad. It is a **provisional
//! vulnerability** named `TOCSIN-YYYY-NNNN`, whose only record is the workspace's own (source `tocsin`). It never stands
//! in the intelligence that all workspaces share: the records of a workspace are made into a small index of its own
//! ([`book`]), which the ordinary engine matches beside the shared one. So nobody else can meet it, whatever is asked.
//!
//! When the CVE comes, an analyst merges the two: the warning becomes one more record of the CVE's flaw, of the least
//! weight, and what was found, decided and planned stays with the findings of the CVE.

use serde::Serialize;

mod actions;
mod book;
mod list;
mod range;
mod record;
mod types;

pub use actions::{create, edit, refuse, withdraw};
pub(crate) use actions::{event, propose, put, stale, version_of};
pub(crate) use book::{Book, book, fresh, merged_of, stale_book};
pub(crate) use list::open_of;
pub use list::{Event, Proposal, Shown, find, of, shown, visible, warning_list, warning_schema};
pub use types::{Bring, NewWarning, SEVERITY_WORDS, STATES, TLPS, Warning};

use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};

fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

fn writes(actor: &Actor) -> Result<()> {
    actor.need_everywhere(Permission::DeskWrite)
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether an id is that of an early warning.
pub fn is_warning(id: &str) -> bool {
    let rest = id.get(..7).filter(|p| p.eq_ignore_ascii_case("TOCSIN-")).and(id.get(7..));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    rest.and_then(|r| r.split_once('-')).is_some_and(|(year, n)| digits(year) && digits(n))
}

//! Reports: what a workspace tells its readers of a period, made of stories.
//!
//! A report is **drafted** from the desk, **written** by analysts, **submitted**, **approved** by a person and **sent**;
//! what was sent stays as it was, and is corrected by another report. Each section is made of one story, with the facts
//! of our products as they were when it was drafted. Writing goes section by section with a version each: whoever comes
//! second is told what changed, and overwrites nothing. An edit after approval withdraws it.
//!
//! Sections name products of all lines, so everything here is for those who may do it in the whole workspace.

mod addresses;
mod draft;
mod edit;
mod flow;
mod list;
mod send;
mod store;
mod team;
#[cfg(test)]
mod tests;
mod types;

pub use addresses::{Address, add_address, addresses, drop_address};
pub use draft::{Wanted, draft, pick, pick_current, week};
pub use edit::{add, move_to, remove_section, set_head, set_section};
pub use flow::{approve, correct, reject, remove, submit};
pub use list::{report_list, report_schema};
pub use send::{Delivery, Outgoing, Receiver, Recipients, Sending, deliveries, failed, outgoing, send, sent};
pub use store::{edition, history, report};
pub use team::{Desk, desks};
pub use types::{Concerned, Edition, FIELDS, Facts, Head, LANGUAGES, Report, STATES, Section, Text, Whole};

use serde::Serialize;

use crate::desk::TLPS;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};

/// Sections of a report.
pub const SECTIONS: usize = 100;
/// Bytes of each text.
const TEXT: usize = 64 * 1024;
/// Characters of a title or heading.
const LINE: usize = 300;

fn rejected(field: &str, message: impl Into<String>) -> Error {
    Error::Rejected { field: field.to_owned(), message: message.into() }
}

fn reads(actor: &Actor) -> Result<()> {
    actor.need_everywhere(Permission::ReportRead)
}

fn writes(actor: &Actor) -> Result<()> {
    actor.need_everywhere(Permission::ReportWrite)
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// How strict a marking of the Traffic Light Protocol 2.0 is, from 0 (`CLEAR`) up; the strictest for what is none.
pub fn strictness(tlp: &str) -> usize {
    const ORDER: [&str; 5] = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"];
    ORDER.iter().position(|t| *t == tlp).unwrap_or(ORDER.len() - 1)
}

/// Whether a marking lets a report go to addresses outside the organisation.
pub fn may_leave(tlp: &str) -> bool {
    strictness(tlp) < strictness("AMBER+STRICT")
}

/// The stricter of two markings.
fn stricter<'a>(one: &'a str, other: &'a str) -> &'a str {
    if strictness(other) > strictness(one) { other } else { one }
}

fn is_tlp(tlp: &str) -> Result<()> {
    if TLPS.contains(&tlp) { Ok(()) } else { Err(rejected("tlp", format!("one of {}", TLPS.join(", ")))) }
}

//! VEX documents in and out: statements become decisions on the findings that they name, and no others; decisions
//! become claims.

mod export;
mod import;
mod list;
mod names;

pub use export::{Publisher, export, publisher};
pub use import::{Imported, Outcome, Place, import, vex_import, vex_imports};
#[cfg(test)]
pub(crate) use list::DOCUMENTS;
pub use list::{vex_list, vex_schema};
pub(crate) use names::generic;

//! VEX documents in and out: statements become decisions on the findings that they name, and no others; decisions
//! become claims.

mod export;
mod import;
mod names;

pub use export::{Publisher, export, publisher};
pub use import::{Imported, Outcome, Place, import, vex_import, vex_imports};
pub(crate) use names::generic;

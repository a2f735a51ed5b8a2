//! The vocabulary of Tocsin: what things are called and how they compare.
//!
//! No I/O, no SQL, no HTTP, no clock. Everything else depends on this crate, so it is small and slow to
//! change.

pub mod bom;
pub mod cpe;
pub mod diagnostic;
pub mod ecosystem;
pub mod explain;
pub mod finding;
pub mod purl;
pub mod query;
pub mod record;
pub mod severity;
pub mod version;
pub mod vex;

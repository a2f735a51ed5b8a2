//! State: the intelligence store. The only crate that knows SQL; clock values are handed in by its callers.

pub mod desk;
pub mod detection;
pub mod error;
pub mod intel;
pub mod inventory;
pub mod notify;
pub mod platform;
pub mod report;
pub mod search;
pub mod warnings;

pub use error::{Error, Result};

//! The demo: an invented maker of connected devices, with its products, people, customers, findings and decisions.
//!
//! `demo/maker` says what there is; this crate turns it into documents and records and puts them in through the code
//! that every upload and import takes. Only the clock is ours: each release comes in on the day it was released, so
//! that histories look like histories.

pub mod bom;
pub mod fill;
pub mod intelligence;
pub mod maker;
pub mod news;
pub mod reports;

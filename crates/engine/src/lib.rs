//! Pure decisions over the model: no clock, no I/O, no SQL.

pub mod entities;
pub mod index;
pub mod licence;
pub mod matching;
pub mod relevance;
pub mod stories;

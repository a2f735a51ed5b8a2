//! State: the intelligence store.
pub mod intel;
pub mod error;

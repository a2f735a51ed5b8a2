//! Security data of distributions in their own forms: per release and source package, by the distributor.

pub mod debian;
pub mod secdb;

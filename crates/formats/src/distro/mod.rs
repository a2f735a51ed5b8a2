//! Security data of distributions in their own forms: per release and source package, by the distributor.

pub mod arch;
pub mod debian;
pub mod photon;
pub mod secdb;

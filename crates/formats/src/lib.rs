//! Readers and writers of outside formats: bytes in, document and diagnostics out. Everything is bounded by
//! [`input::Limits`]; nothing here panics on data, touches the network or knows the database.

pub mod advisory;
pub mod archive;
mod bound;
pub mod catalogue;
pub mod csaf;
pub mod cve;
pub mod cyclonedx;
pub mod distro;
pub mod euvd;
pub mod exploitation;
pub mod input;
pub mod intel;
mod json;
pub mod jvn;
pub mod lifecycle;
pub mod lock;
pub mod mail;
pub mod misp;
pub mod news;
pub mod nvd;
pub mod openvex;
pub mod osv;
pub mod rustsec;
pub mod sbom;
pub mod shared;
pub mod spdx;
pub mod stix;
pub mod system;
pub mod vex;
pub mod vulndb;
mod xml;

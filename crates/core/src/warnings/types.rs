//! What early warnings are made of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::platform::jobs::Payload;

/// Where an early warning stands.
pub const STATES: [&str; 3] = ["open", "withdrawn", "merged"];

/// How bad an analyst judges a flaw to be, from 0.
pub const SEVERITY_WORDS: [&str; 6] = ["unknown", "none", "low", "medium", "high", "critical"];

/// Markings of the Traffic Light Protocol 2.0 (FIRST), the widest circle first.
pub const TLPS: [&str; 5] = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"];

/// The job that brings findings up to early warnings, for all workspaces.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bring {}

impl Payload for Bring {
    const KIND: &'static str = "warning";
}

/// An early warning as an analyst writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewWarning {
    /// One line.
    pub title: String,
    /// What is known, in own words.
    pub summary: String,
    /// Name of the component or product.
    #[schema(example = "libpump")]
    pub product: String,
    /// Who makes it, or empty.
    pub vendor: String,
    /// Package URL without a version, or empty.
    #[schema(example = "pkg:npm/libpump")]
    pub purl: String,
    /// CPE 2.3 name, or empty.
    pub cpe: String,
    /// Affected versions in the source's words, or empty.
    pub told: String,
    /// Affected versions: `>= 1.0, < 1.4.2 | = 2.0`; empty: every version.
    #[schema(example = ">= 1.0, < 1.4.2")]
    pub affected: String,
    /// `unknown`, `low`, `medium`, `high`, `critical`. Empty: `unknown`.
    pub severity: String,
    /// Marking of the Traffic Light Protocol 2.0. Empty: `AMBER`.
    pub tlp: String,
    /// Addresses where it is told of.
    pub links: Vec<String>,
}

/// An early warning.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EarlyWarning)]
pub struct Warning {
    /// Id.
    pub id: i64,
    /// `TOCSIN-YYYY-NNNN`, the id of the provisional vulnerability.
    pub name: String,
    /// What the analyst wrote.
    #[serde(flatten)]
    pub what: NewWarning,
    /// The story that it was made of; 0 where there is none.
    pub story: i64,
    /// `open`, `withdrawn`, `merged`.
    pub state: String,
    /// The id that it was merged into, or empty.
    pub main: String,
    /// Ids that it may be merged into, and nobody answered.
    pub proposals: i64,
    /// Findings are being brought up to it.
    pub pending: bool,
    /// Its version; a change names the one that was read.
    pub version: i64,
    /// When it was written.
    pub created: String,
    /// When it was last changed.
    pub changed: String,
    /// Who wrote it.
    pub author: String,
}

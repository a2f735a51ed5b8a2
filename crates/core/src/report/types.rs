//! What a report is made of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a report stands, in the order of the work.
pub const STATES: [&str; 4] = ["draft", "review", "approved", "sent"];

/// Languages in which dates are written: code (BCP 47) and name.
pub const LANGUAGES: [(&str, &str); 6] = [
    ("en", "English"),
    ("de", "German"),
    ("fr", "French"),
    ("es", "Spanish"),
    ("it", "Italian"),
    ("iso", "2026-01-31 (ISO 8601)"),
];

/// Texts of a section: stored name and what a reader calls it, in the order in which they are read.
pub const FIELDS: [(&str, &str); 5] = [
    ("explanation", "Technical explanation"),
    ("impact", "Impact on our products"),
    ("done", "What was done"),
    ("recommendation", "Recommendation"),
    ("references", "References"),
];

/// A report as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Report {
    /// Id.
    pub id: i64,
    /// Year of its number.
    pub year: i64,
    /// Number in the year, from 1.
    pub number: i64,
    /// 1, or more for corrections.
    pub revision: i64,
    /// The report that it corrects, or 0.
    pub corrects: i64,
    /// Title.
    pub title: String,
    /// First day of the period.
    #[schema(example = "2026-11-23")]
    pub first: String,
    /// Last day of the period.
    #[schema(example = "2026-11-29")]
    pub last: String,
    /// Marking of the Traffic Light Protocol 2.0; at least as strict as that of each section.
    pub tlp: String,
    /// `draft`, `review`, `approved`, `sent`.
    pub state: String,
    /// Who drafted it.
    pub author: String,
    /// Who wrote last.
    pub writer: String,
    /// Who approved it, or empty.
    pub approver: String,
    /// Sections in it.
    pub sections: i64,
    /// When it was drafted.
    pub created: String,
    /// When it was last changed.
    pub changed: String,
    /// When it was submitted, or empty.
    pub submitted: String,
    /// When it was approved, or empty.
    pub approved: String,
    /// When it was first sent, or empty.
    pub sent: String,
}

impl Report {
    /// Its number as people write it: `2026-07`, `2026-07 r2` for a correction.
    pub fn label(&self) -> String {
        let label = format!("{}-{:02}", self.year, self.number);
        if self.revision > 1 { format!("{label} r{}", self.revision) } else { label }
    }
}

/// What is written of a report as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportHead)]
pub struct Head {
    /// Title.
    pub title: String,
    /// First day of the period.
    pub first: String,
    /// Last day of the period.
    pub last: String,
    /// Language in which dates are written, see [`LANGUAGES`].
    pub language: String,
    /// Introduction, Markdown.
    #[serde(default)]
    pub intro: String,
    /// Marking of the Traffic Light Protocol 2.0.
    pub tlp: String,
    /// Version that was read; what changed meanwhile is not overwritten.
    pub version: i64,
}

/// What is written in a section. The texts are Markdown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ReportText)]
pub struct Text {
    /// Heading.
    pub heading: String,
    /// Technical explanation.
    pub explanation: String,
    /// Impact on our products.
    pub impact: String,
    /// What was done.
    pub done: String,
    /// Recommendation.
    pub recommendation: String,
    /// References, one a line.
    pub references: String,
    /// Marking of the Traffic Light Protocol 2.0.
    pub tlp: String,
    /// Version that was read; what changed meanwhile is not overwritten.
    pub version: i64,
}

impl Text {
    /// A text by its stored name, see [`FIELDS`].
    pub fn field(&self, name: &str) -> &str {
        match name {
            "heading" => &self.heading,
            "explanation" => &self.explanation,
            "impact" => &self.impact,
            "done" => &self.done,
            "recommendation" => &self.recommendation,
            "references" => &self.references,
            "tlp" => &self.tlp,
            _ => "",
        }
    }

    /// Names of the texts in which two differ.
    pub fn differs(&self, other: &Text) -> Vec<&'static str> {
        let names = ["heading", "explanation", "impact", "done", "recommendation", "references", "tlp"];
        names.into_iter().filter(|n| self.field(n) != other.field(n)).collect()
    }
}

impl Head {
    /// A part by its name.
    pub fn field(&self, name: &str) -> &str {
        match name {
            "title" => &self.title,
            "first" => &self.first,
            "last" => &self.last,
            "language" => &self.language,
            "intro" => &self.intro,
            "tlp" => &self.tlp,
            _ => "",
        }
    }

    /// Names of the parts in which two differ.
    pub fn differs(&self, other: &Head) -> Vec<&'static str> {
        let names = ["title", "first", "last", "language", "intro", "tlp"];
        names.into_iter().filter(|n| self.field(n) != other.field(n)).collect()
    }
}

/// A product of ours that a section concerns, as it was when the section was drafted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportConcerned)]
pub struct Concerned {
    /// Product.
    pub product: i64,
    /// Its name.
    pub name: String,
    /// Releases concerned.
    pub releases: i64,
    /// Units of these in the field.
    pub units: i64,
    /// Open findings.
    pub findings: i64,
    /// Of them decided to be affected.
    pub affected: i64,
    /// Named components that its releases hold.
    pub holds: Vec<String>,
}

/// What was known of our products when a section was drafted; it stays as it was then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ReportFacts)]
pub struct Facts {
    /// When.
    pub at: String,
    /// Ids of vulnerabilities and advisories that the story names.
    pub ids: Vec<String>,
    /// Its relevance then, in points.
    pub relevance: String,
    /// One of the ids is known to be exploited.
    pub exploited: bool,
    /// Products concerned, those with findings first.
    pub products: Vec<Concerned>,
    /// Open findings of the ids by VEX status.
    #[schema(value_type = Vec<Object>)]
    pub statuses: Vec<(String, i64)>,
    /// Findings of the ids that were closed in the period.
    pub closed: i64,
}

/// A section of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportSection)]
pub struct Section {
    /// Id.
    pub id: i64,
    /// Place in the report, from 1.
    pub place: i64,
    /// The story that it is made of; 0 for none.
    pub story: i64,
    /// What is written in it.
    pub text: Text,
    /// What was known when it was drafted.
    pub facts: Facts,
}

/// A report with everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportWhole)]
pub struct Whole {
    /// As lists show it.
    pub report: Report,
    /// Name of the workspace.
    pub workspace: String,
    /// Id of the workspace.
    pub workspace_id: i64,
    /// Since when there is the workspace.
    pub workspace_since: String,
    /// What is written of it as a whole.
    pub head: Head,
    /// Its sections, in order.
    pub sections: Vec<Section>,
}

/// A change of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportEdition)]
pub struct Edition {
    /// Number, from 1.
    pub n: i64,
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// `draft`, `head`, `section`, `add`, `remove`, `move`, `submit`, `reject`, `approve`, `send`, `correct`.
    pub what: String,
    /// The section, or 0.
    pub section: i64,
    /// More of it: names of the texts that changed, a heading, a remark.
    pub detail: String,
    /// What it was about stands here as it was after the change, JSON or empty; not in lists.
    pub body: String,
}

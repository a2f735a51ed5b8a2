//! Severity: CVSS 2.0, 3.0, 3.1 and 4.0 (FIRST) and the words for scores.

/// A parsed CVSS vector of any version.
#[derive(Debug, Clone, PartialEq)]
pub struct Cvss {
    /// The vector as written.
    pub vector: String,
    /// `2.0`, `3.0`, `3.1` or `4.0`.
    pub version: &'static str,
    /// Score of the vector with every metric it carries (base, threat/temporal, environmental), 0.0 to 10.0.
    pub score: f32,
}

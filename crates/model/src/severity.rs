//! Severity: CVSS 2.0, 3.0, 3.1 and 4.0 (FIRST) and the words for scores.
//!
//! Vectors are read and scored by the library `polycvss`; what is done here is the choice of the last score a
//! vector defines, and bounds on hostile input.

use std::fmt;
use std::str::FromStr;

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

/// Why a text is no CVSS vector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a CVSS vector: {reason}")]
pub struct CvssError {
    /// What is wrong.
    pub reason: String,
}

/// Longest vector taken, bytes. A complete CVSS 4.0 vector has fewer than 200.
const MAX_BYTES: usize = 512;

fn read(text: &str) -> Result<(polycvss::Vector, &'static str), CvssError> {
    let fail = |reason: &str| CvssError { reason: reason.to_owned() };
    if text.len() > MAX_BYTES || !text.is_ascii() {
        return Err(fail("longer than any vector, or not ASCII"));
    }
    let version = match text.get(..9) {
        Some("CVSS:3.0/") => "3.0",
        Some("CVSS:3.1/") => "3.1",
        Some("CVSS:4.0/") => "4.0",
        Some(t) if t.starts_with("CVSS:") => return Err(fail("of no known version")),
        _ => "2.0",
    };
    let vector = polycvss::Vector::from_str(text).map_err(|e| CvssError { reason: e.to_string() })?;
    Ok((vector, version))
}

/// The plain vector: NVD writes CVSS 2.0 ones in parentheses, some sources with the prefix `CVSS:2.0/`.
fn plain(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(text);
    text.strip_prefix("CVSS:2.0/").unwrap_or(text).trim_end_matches('/')
}

impl Cvss {
    /// Reads a vector of any version and computes its score.
    ///
    /// # Errors
    /// It is no vector: an unknown metric or value, a metric twice, or a base metric missing.
    pub fn parse(text: &str) -> Result<Cvss, CvssError> {
        let (vector, version) = read(plain(text))?;
        Ok(Cvss { vector: text.trim().to_owned(), version, score: scores(vector).last() })
    }

    /// Score of the base metrics alone, 0.0 to 10.0.
    ///
    /// For CVSS 4.0 this is the CVSS-B score: threat and environmental metrics are left out.
    pub fn base_score(&self) -> f32 {
        let text = plain(&self.vector);
        if self.version != "4.0" {
            return read(text).map_or(self.score, |(v, _)| scores(v).base);
        }
        // Prefix and the eleven base metrics, which the specification puts first; order is not relied on.
        const BASE: &[&str] = &["CVSS", "AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"];
        let keep = |p: &&str| p.split(':').next().is_some_and(|name| BASE.contains(&name));
        let base = text.split('/').filter(keep).collect::<Vec<_>>().join("/");
        read(&base).map_or(self.score, |(v, _)| scores(v).base)
    }

    /// The word for the score.
    pub fn severity(&self) -> Severity {
        Severity::from_score(self.version, self.score)
    }
}

struct Scores {
    base: f32,
    temporal: Option<f32>,
    environmental: Option<f32>,
}

impl Scores {
    fn last(&self) -> f32 {
        self.environmental.or(self.temporal).unwrap_or(self.base)
    }
}

fn scores(vector: polycvss::Vector) -> Scores {
    // `+ 0.0` turns the -0.0 that equations may give into 0.0.
    let plain = |s: polycvss::Score| f32::from(s) + 0.0;
    match polycvss::Version::from(vector) {
        polycvss::Version::V20 => {
            let s = polycvss::v2::Scores::from(polycvss::v2::Vector::from(vector));
            Scores {
                base: plain(s.base),
                temporal: s.temporal.map(plain),
                environmental: s.environmental.map(plain),
            }
        }
        polycvss::Version::V30 | polycvss::Version::V31 => {
            let s = polycvss::v3::Scores::from(polycvss::v3::Vector::from(vector));
            Scores {
                base: plain(s.base),
                temporal: s.temporal.map(plain),
                environmental: s.environmental.map(plain),
            }
        }
        polycvss::Version::V40 => {
            Scores { base: plain(polycvss::Score::from(vector)), temporal: None, environmental: None }
        }
    }
}

/// The qualitative severity rating scale (CVSS 3.1 section 5, 4.0 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// 0.0.
    None,
    /// 0.1 to 3.9.
    Low,
    /// 4.0 to 6.9.
    Medium,
    /// 7.0 to 8.9.
    High,
    /// 9.0 to 10.0.
    Critical,
}

impl Severity {
    /// The lower-case word used in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::None => "none",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The rating of a score of that CVSS version. CVSS 2.0 has no ratings of its own; NVD's are used, which
    /// know low (0.0 to 3.9), medium and high (7.0 to 10.0) only.
    pub fn from_score(version: &str, score: f32) -> Severity {
        let v2 = version.starts_with('2');
        match score {
            s if s >= 9.0 && !v2 => Severity::Critical,
            s if s >= 7.0 => Severity::High,
            s if s >= 4.0 => Severity::Medium,
            s if s > 0.0 || v2 => Severity::Low,
            _ => Severity::None,
        }
    }

    /// The rating a source's word stands for (`Important`, `moderate`, `HIGH`), case aside.
    pub fn from_word(word: &str) -> Option<Severity> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "none" | "informational" | "info" => Severity::None,
            "low" | "minor" | "negligible" | "unimportant" => Severity::Low,
            "medium" | "moderate" => Severity::Medium,
            "high" | "important" | "major" => Severity::High,
            "critical" | "urgent" => Severity::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_published_examples() {
        // vector, version, score, base score (FIRST's user guides and examples)
        for (text, version, score, base) in [
            ("(AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C)", "2.0", 6.4, 7.8),
            ("CVSS:3.1/AV:P/AC:H/PR:L/UI:R/S:U/C:L/I:L/A:H/E:H/RL:U/RC:U", "3.1", 4.6, 5.0),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "3.1", 6.1, 6.1),
            ("CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", "4.0", 4.6, 4.6),
        ] {
            let c = Cvss::parse(text).unwrap();
            assert_eq!((c.version, c.score, c.base_score()), (version, score, base), "{text}");
        }
    }

    #[test]
    fn hostile_vectors_are_refused() {
        for bad in
            ["", "CVSS:3.1/", "CVSS:9.9/AV:N", "CVSS:3.1/AV:N", "AV:N/AC:L", "////", "CVSS:4.0/é", "(((("]
        {
            assert!(Cvss::parse(bad).is_err(), "{bad}");
        }
        assert!(Cvss::parse(&"AV:N/".repeat(100_000)).is_err());
    }

    #[test]
    fn words() {
        assert_eq!(Severity::from_score("2.0", 9.8), Severity::High);
        assert_eq!(Severity::from_score("3.1", 9.0), Severity::Critical);
        assert_eq!(Severity::from_score("3.1", 0.0), Severity::None);
        assert_eq!(Severity::from_word("Moderate"), Some(Severity::Medium));
    }
}

//! Package URLs (ECMA-427 / purl specification 1.0).

use std::fmt;

/// A parsed, normalised package URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Purl {
    /// Type, lower case.
    pub ty: String,
    /// Namespace segments joined by `/`, decoded.
    pub namespace: Option<String>,
    /// Name, decoded, normalised as the type asks.
    pub name: String,
    /// Version, decoded.
    pub version: Option<String>,
    /// Qualifiers sorted by key, decoded.
    pub qualifiers: Vec<(String, String)>,
    /// Subpath, decoded.
    pub subpath: Option<String>,
}

/// Why a text is no package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a package URL: {reason}")]
pub struct PurlError {
    /// What is wrong.
    pub reason: &'static str,
}

impl Purl {
    /// Reads and normalises a package URL.
    ///
    /// # Errors
    /// The text breaks the specification.
    pub fn parse(text: &str) -> Result<Purl, PurlError> {
        let _ = text;
        Err(PurlError { reason: "unread" })
    }

    /// The value of a qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

impl fmt::Display for Purl {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

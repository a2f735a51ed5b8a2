//! CPE names: 2.2 URIs and 2.3 formatted strings (NISTIR 7695), name matching (NISTIR 7696).

use std::fmt;

/// Value of one attribute of a well-formed name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum CpeValue {
    /// `*`: any value; in a component's name: unknown.
    #[default]
    Any,
    /// `-`: not applicable.
    Na,
    /// A value, lower case, unquoted. Unquoted wildcards `*`/`?` of the input are kept as the private
    /// characters [`WILD_MANY`] and [`WILD_ONE`].
    Text(String),
}

/// Stands for an unquoted `*` inside a value.
pub const WILD_MANY: char = '\u{E000}';
/// Stands for an unquoted `?` inside a value.
pub const WILD_ONE: char = '\u{E001}';

/// A CPE name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Cpe {
    /// `a`, `o`, `h` or any.
    pub part: CpeValue,
    /// Vendor.
    pub vendor: CpeValue,
    /// Product.
    pub product: CpeValue,
    /// Version.
    pub version: CpeValue,
    /// Update; part of the version when ordering.
    pub update: CpeValue,
    /// Edition (legacy).
    pub edition: CpeValue,
    /// Language.
    pub language: CpeValue,
    /// Software edition.
    pub sw_edition: CpeValue,
    /// Target software.
    pub target_sw: CpeValue,
    /// Target hardware.
    pub target_hw: CpeValue,
    /// Other.
    pub other: CpeValue,
}

/// Why a text is no CPE name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a CPE name: {reason}")]
pub struct CpeError {
    /// What is wrong.
    pub reason: &'static str,
}

impl Cpe {
    /// Reads a CPE 2.3 formatted string or a CPE 2.2 URI (blanks around it are allowed).
    ///
    /// # Errors
    /// The text breaks NISTIR 7695.
    pub fn parse(text: &str) -> Result<Cpe, CpeError> {
        let _ = text;
        Err(CpeError { reason: "unread" })
    }
}

impl fmt::Display for Cpe {
    /// The 2.3 formatted string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = self;
        f.write_str("cpe:2.3")
    }
}

//! What a reader has to say of its input: one shape for parsers, importers, validators and pages.

use std::fmt;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing; nothing is lost.
    Info,
    /// The input is usable, but a part of it was set aside or is doubtful.
    Warning,
    /// The input, or the named part of it, could not be used.
    Error,
}

impl Level {
    /// The lower-case word used in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// One remark about an input, with the place it concerns.
///
/// `code` is stable and has a page under `docs/codes/`; see [`CODES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, one of [`CODES`].
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// Path into the input: `components[17].purl`, `line 12`, `file.zip!inner.json`. Empty: the whole input.
    pub path: String,
    /// What is wrong, in a sentence, with the offending value (shortened).
    pub message: String,
}

impl Diagnostic {
    /// Makes a diagnostic whose level is the one its code is registered with.
    ///
    /// An unregistered code is a programming fault; it is kept as an error so that nothing is lost.
    pub fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        let level = code_info(code).map_or(Level::Error, |c| c.level);
        debug_assert!(code_info(code).is_some(), "diagnostic code {code} is not registered in CODES");
        Diagnostic { code, level, path: path.into(), message: message.into() }
    }

    /// What the reader of this diagnostic can do about it.
    pub fn remedy(&self) -> &'static str {
        code_info(self.code).map_or("", |c| c.remedy)
    }

    /// The same diagnostic seen from outside: `prefix` is put before the path.
    pub fn within(mut self, prefix: &str) -> Self {
        self.path = if self.path.is_empty() { prefix.to_owned() } else { format!("{prefix}: {}", self.path) };
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.level.as_str(), self.code)?;
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// Shortens a value from the input for use in a message: at most 80 characters, no control characters.
pub fn excerpt(value: &str) -> String {
    let mut out: String =
        value.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}

/// A registered diagnostic code.
pub struct CodeInfo {
    /// The code itself: lower case words joined by `-`.
    pub code: &'static str,
    /// The level every diagnostic of this code has.
    pub level: Level,
    /// What to do about it.
    pub remedy: &'static str,
}

/// The entry of `code` in [`CODES`].
pub fn code_info(code: &str) -> Option<&'static CodeInfo> {
    CODES.iter().find(|c| c.code == code)
}

macro_rules! codes {
    ($($code:literal $level:ident $remedy:literal;)*) => {
        /// Every diagnostic code there is. Each has a page `docs/codes/CODE.md`.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo { code: $code, level: Level::$level, remedy: $remedy }),*];
    };
}

codes! {
    "input-empty" Error "Give a file with content; the file is empty or holds only white space.";
    "input-unreadable" Error "Check that the file exists and may be read.";
    "input-unrecognised" Error "Give an SBOM, lock file or intelligence file of a supported format.";
    "input-several" Error "Upload each of the documents for a release of its own.";
    "input-syntax" Error "The file is damaged or not of the format it claims; produce it again.";
    "input-encoding" Warning "Write the file as UTF-8; damaged characters were replaced.";
    "input-duplicate-key" Warning "The same key stands twice in one object; the last one was used.";
    "limit-size" Error "The input is larger than the limit named; split it.";
    "limit-depth" Error "The input nests deeper than the limit named; flatten it.";
    "limit-expansion" Error "The archive unpacks to far more than its size; it may be a bomb. Unpack it yourself and look.";
    "limit-entries" Error "The archive or list has more entries than the limit named; split it.";
    "schema-violation" Error "The document breaks its specification at the place named; correct it or read it without strict mode.";
    "format-version" Warning "The document names a specification version Tocsin does not know; it was read as the nearest known one.";
    "value-ignored" Warning "The value at the place named has the wrong type or form and was set aside.";
    "purl-invalid" Warning "Correct the package URL; the component was kept without it.";
    "cpe-invalid" Warning "Correct the CPE name; the component was kept without it.";
    "license-invalid" Info "The licence is no valid SPDX expression; it was kept as text.";
    "component-unidentified" Warning "Give the component a package URL, a CPE or a name and version; it cannot be matched as it is.";
    "ref-duplicate" Warning "Two elements share one reference; both were kept.";
    "ref-unknown" Warning "The reference names nothing in this document; the edge was set aside.";
    "version-missing" Info "The component has no version; ranges cannot be decided for it.";
    "version-undecidable" Info "A version or bound cannot be ordered in its scheme; the range gives no verdict.";
    "record-invalid" Error "The record breaks its format; it was refused and kept for inspection (tocsin db problems).";
    "record-alias-conflict" Warning "The record's aliases would join two CVE ids; the merge was refused.";
    "lock-unresolved" Info "The entry is not pinned to one version; it cannot be decided.";
    "archive-entry-skipped" Info "The archive entry is not of a known format and was passed over.";
    "backup-damaged" Error "The backup is damaged, cut short or no backup of Tocsin; use another one.";
    "export-damaged" Error "The export is damaged, cut short or no export of Tocsin; export the data again.";
    "export-version" Error "Use the version of Tocsin that made the export, or a newer one.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for c in CODES {
            assert!(seen.insert(c.code), "{} is registered twice", c.code);
        }
    }

    #[test]
    fn every_code_has_a_page() {
        for c in CODES {
            let page = format!("{}/../../docs/codes/{}.md", env!("CARGO_MANIFEST_DIR"), c.code);
            let text = std::fs::read_to_string(&page).unwrap_or_else(|e| panic!("{page}: {e}"));
            assert!(text.contains(c.remedy), "{page} does not tell the remedy");
        }
    }
}

//! Advisories of ecosystems in the forms their databases keep: RubySec, FriendsOfPHP, Node.js Security Working
//! Group, Victims. Each document becomes one record; the ranges mean what the ecosystem's own tools make of them.

mod composer;
mod node;
mod requirement;
mod rubysec;
mod victims;

use sha2::{Digest, Sha256};
use tocsin_model::diagnostic::{Diagnostic, excerpt};
use tocsin_model::record::{VersionEntry, VersionStatus, Versions};
use tocsin_model::severity::Severity;

pub use composer::parse as parse_composer;
pub use node::parse as parse_node;
pub use rubysec::parse as parse_rubysec;
pub use victims::parse as parse_victims;

use crate::intel::RawKind;

/// Which of these forms a YAML text is, by the keys at its left margin.
pub fn recognise_yaml(text: &str) -> Option<RawKind> {
    let has = |key: &str| text.lines().any(|l| l.strip_prefix(key).is_some_and(|r| r.starts_with(':')));
    if has("reference") && has("branches") && text.contains("composer://") {
        return Some(RawKind::Composer);
    }
    if has("title") && (has("gem") || has("engine") || has("library")) && (has("url") || has("date")) {
        return Some(RawKind::RubySec);
    }
    (has("cve") && has("title") && has("affected")).then_some(RawKind::Victims)
}

fn yaml<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Diagnostic> {
    let bad = |e: String| Diagnostic::new("record-invalid", "", e);
    let text = std::str::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
    serde_saphyr::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| bad(e.to_string()))
}

/// `CVE-2024-1` of `CVE-2024-1` or `2024-1`; the same for other prefixes. Empty text and `~` are no id.
fn prefixed(prefix: &str, id: Option<&str>) -> Option<String> {
    let id = id.map(str::trim).filter(|i| !i.is_empty() && *i != "~" && *i != "null")?;
    let bare = id.get(..prefix.len()).is_some_and(|p| p.eq_ignore_ascii_case(prefix));
    let bare = if bare { id.get(prefix.len()..).unwrap_or_default() } else { id };
    // GHSA ids are lower case behind their prefix
    Some(format!("{prefix}{}", if prefix == "GHSA-" { bare.to_lowercase() } else { bare.to_owned() }))
}

/// A short name for an advisory that bears no id: the same text has the same.
fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect()
}

/// The rating of a bare CVSS base score of that version.
fn rating(scores: &[(&str, Option<String>)]) -> Option<String> {
    scores.iter().find_map(|(version, score)| {
        let score: f32 = score.as_ref()?.trim().parse().ok()?;
        let rating = (0.0..=10.0).contains(&score).then(|| Severity::from_score(version, score))?;
        Some(rating.as_str().to_owned())
    })
}

/// Adds what `read` makes of a range. A range that cannot be read makes the statement undecidable where no
/// other entry decides, and is told.
fn add(
    versions: &mut Versions,
    diagnostics: &mut Vec<Diagnostic>,
    place: String,
    text: &str,
    read: Option<impl IntoIterator<Item = VersionEntry>>,
) {
    match read {
        Some(entries) => versions.entries.extend(entries),
        None => {
            versions.default = VersionStatus::Unknown;
            versions.undecidable = Some(text.to_owned());
            let message = format!("no version requirement: {}", excerpt(text));
            diagnostics.push(Diagnostic::new("version-undecidable", place, message));
        }
    }
}

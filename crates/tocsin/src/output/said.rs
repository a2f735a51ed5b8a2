//! What records say of versions, in words; the command line and the pages say it alike.

use tocsin_model::record::{Affected, CpeMatch, Target, VersionEntry, VersionStatus};

use super::text::clip;

/// The word for the status of a version.
pub fn version_status(status: VersionStatus) -> &'static str {
    match status {
        VersionStatus::Affected => "affected",
        VersionStatus::Unaffected => "unaffected",
        VersionStatus::Unknown => "unknown",
        VersionStatus::Fixed => "fixed",
        VersionStatus::UnderInvestigation => "under_investigation",
    }
}

/// What is named, with its ecosystem.
fn name(target: &Target) -> String {
    match target {
        Target::Package { ecosystem, release, name, .. } if release.is_empty() => {
            format!("{} {name}", ecosystem.osv_name())
        }
        Target::Package { ecosystem, release, name, .. } => {
            format!("{}:{release} {name}", ecosystem.osv_name())
        }
        Target::Cpe(cpe) => cpe.to_string(),
        Target::Named { vendor, product } => format!("{vendor} {product}"),
        Target::OtherPurl(purl) => purl.to_string(),
    }
}

/// What a record says of a package or product: its name and which versions.
pub fn affected(a: &Affected) -> String {
    let v = &a.versions;
    let (exact, ranges): (Vec<&VersionEntry>, Vec<&VersionEntry>) =
        v.entries.iter().partition(|e| e.is_exact());
    let mut said: Vec<String> = ranges
        .iter()
        .take(6)
        .map(|e| {
            let words = bounds(e.low.as_deref(), e.low_open, e.high.as_deref(), e.high_closed);
            let status = if e.status == VersionStatus::Affected { "" } else { version_status(e.status) };
            format!("{words} {status}").trim_end().to_owned()
        })
        .collect();
    if ranges.len() > 6 {
        said.push(format!("{} more ranges", ranges.len() - 6));
    }
    match exact.as_slice() {
        [] => {}
        few if few.len() <= 3 => said.extend(few.iter().map(|e| {
            let status = if e.status == VersionStatus::Affected { "" } else { version_status(e.status) };
            format!("{} {status}", e.low.as_deref().unwrap_or("")).trim_end().to_owned()
        })),
        many => said.push(format!("{} versions by name", many.len())),
    }
    if let Some(why) = &v.undecidable {
        said.push(format!("undecidable: {}", clip(why, 60)));
    }
    if v.default != VersionStatus::Unaffected {
        said.push(format!("else {}", version_status(v.default)));
    }
    if !v.fixed.is_empty() {
        let first: Vec<&str> = v.fixed.iter().take(4).map(String::as_str).collect();
        said.push(format!("fixed in {}", first.join(", ")));
    }
    format!(
        "{}: {}",
        name(&a.target),
        if said.is_empty() { "no version".to_owned() } else { said.join("; ") }
    )
}

/// A match of an NVD configuration; `and`: it holds with another alone.
pub fn matched(m: &CpeMatch, and: bool) -> String {
    let role = if !m.vulnerable {
        "  (condition)"
    } else if and {
        "  (with a condition)"
    } else {
        ""
    };
    if m.low.is_none() && m.high.is_none() {
        return format!("{}{role}", m.cpe);
    }
    format!("{}: {}{role}", m.cpe, bounds(m.low.as_deref(), m.low_open, m.high.as_deref(), m.high_closed))
}

/// A range of versions in words.
fn bounds(low: Option<&str>, low_open: bool, high: Option<&str>, high_closed: bool) -> String {
    let low = low.map(|l| format!("{}{l}", if low_open { ">" } else { ">=" }));
    let high = high.map(|h| format!("{}{h}", if high_closed { "<=" } else { "<" }));
    match (low, high) {
        (None, None) => "every version".to_owned(),
        (low, high) => [low, high].into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

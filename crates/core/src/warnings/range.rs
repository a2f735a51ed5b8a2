//! Affected versions as an analyst writes them: `>= 1.0, < 1.4.2 | = 2.0`.

use tocsin_model::record::{VersionEntry, VersionStatus};
use tocsin_model::version::Scheme;

/// Alternatives of one statement.
const MOST: usize = 50;

/// Ranges of versions: alternatives are parted by `|` or on lines of their own, bounds of one by commas. A bound is
/// `<`, `<=`, `>`, `>=` or `=` and a version; a version by itself is that version alone. Nothing, or `*`, is every
/// version.
///
/// # Errors
/// What is wrong, in words for whoever wrote it.
pub(super) fn parse(text: &str, scheme: Scheme) -> Result<Vec<VersionEntry>, String> {
    let affected = VersionStatus::Affected;
    let mut entries = Vec::new();
    for part in text.split(['|', '\n']).map(str::trim).filter(|p| !p.is_empty()) {
        entries.push(match part {
            "*" => VersionEntry::range(None, None, affected),
            part => one(part, scheme)?,
        });
    }
    if entries.is_empty() {
        entries.push(VersionEntry::range(None, None, affected));
    }
    if entries.len() > MOST {
        return Err(format!("at most {MOST} ranges"));
    }
    Ok(entries)
}

fn one(part: &str, scheme: Scheme) -> Result<VersionEntry, String> {
    let mut entry = VersionEntry::range(None, None, VersionStatus::Affected);
    let bounds: Vec<&str> = part.split(',').map(str::trim).filter(|b| !b.is_empty()).collect();
    for bound in &bounds {
        let at = bound.find(|c: char| !matches!(c, '<' | '>' | '=')).unwrap_or(bound.len());
        let (sign, version) = bound.split_at(at);
        let version = version.trim();
        if version.is_empty() || version.contains(char::is_whitespace) {
            return Err(format!("'{bound}' is no bound; write one like < 1.4.2, and several with commas"));
        }
        if scheme.key(version).is_err() {
            return Err(format!("'{version}' is no version that can be compared ({})", scheme.as_str()));
        }
        let twice = || format!("'{part}' has two bounds of one side; part alternatives with |");
        match sign {
            "<" | "<=" if entry.high.is_some() => return Err(twice()),
            ">" | ">=" if entry.low.is_some() => return Err(twice()),
            "<" | "<=" => (entry.high, entry.high_closed) = (Some(version.to_owned()), sign == "<="),
            ">" | ">=" => (entry.low, entry.low_open) = (Some(version.to_owned()), sign == ">"),
            "" | "=" | "==" if bounds.len() == 1 => {
                return Ok(VersionEntry::exact(version, VersionStatus::Affected));
            }
            "" | "=" | "==" => {
                return Err(format!("'{bound}' is one version and stands alone; part alternatives with |"));
            }
            _ => return Err(format!("'{sign}' is not known; use <, <=, >, >= or =")),
        }
    }
    if let (Some(low), Some(high)) = (&entry.low, &entry.high)
        && scheme
            .compare(low, high)
            .is_some_and(|o| o.is_gt() || (o.is_eq() && (entry.low_open || !entry.high_closed)))
    {
        return Err(format!("no version is in '{part}'"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_written() {
        let words = |text: &str| {
            parse(text, Scheme::Generic).map(|list| {
                let word = |e: &VersionEntry| {
                    let low = e.low.as_ref().map(|l| format!("{}{l}", if e.low_open { ">" } else { ">=" }));
                    let high =
                        e.high.as_ref().map(|h| format!("{}{h}", if e.high_closed { "<=" } else { "<" }));
                    [low, high].into_iter().flatten().collect::<Vec<_>>().join(" ")
                };
                list.iter().map(word).collect::<Vec<_>>().join(" | ")
            })
        };
        for (text, want) in [
            ("", Some("")),
            ("*", Some("")),
            ("< 1.4.2", Some("<1.4.2")),
            (">=1.0, <1.4.2 | = 2.0", Some(">=1.0 <1.4.2 | >=2.0 <=2.0")),
            ("> 1\n<= 0.5", Some(">1 | <=0.5")),
            ("1.2.3", Some(">=1.2.3 <=1.2.3")),
            ("< 1, < 2", None),
            (">= 2, < 1", None),
            ("~> 1.2", None),
            ("before 1.2", None),
            ("=1, =2", None),
        ] {
            assert_eq!(words(text).ok().as_deref(), want, "{text}: {:?}", words(text));
        }
    }
}

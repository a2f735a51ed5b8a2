//! Version ranges of `product_version_range` branches: VERS, and prose where it can mean one thing only
//! (CSAF 2.0 section 3.1.2.3 allows both).

use tocsin_model::record::{VersionEntry, VersionStatus};
use tocsin_model::version::Scheme;
use tocsin_model::version::vers::{Comparator, Constraint, Range};

/// A range that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The order the range names for its versions; `None`: none is named.
    pub scheme: Option<Scheme>,
    /// Its entries. Excluded versions come first and are [`VersionStatus::Unknown`]: nothing is said of them.
    pub entries: Vec<VersionEntry>,
}

/// Reads a range; `None` where its meaning or order is not certain.
pub(super) fn read(text: &str, status: VersionStatus) -> Option<Told> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix("vers:") else {
        return Some(Told { scheme: None, entries: prose(text, status)? });
    };
    let (name, list) = rest.split_once('/')?;
    match Range::parse(text) {
        Ok(range) => {
            let entries = entries(range.constraints(), status)?;
            Some(Told { scheme: Some(range.scheme()), entries })
        }
        // `vers:all/<V5.4` and the like name no order; `vers:all/*` is every version
        Err(_) if Scheme::from_name(name).is_none() => {
            let entries = if list.trim() == "*" { vec![all(status)] } else { comparisons(list, status)? };
            Some(Told { scheme: None, entries })
        }
        // constraints joined without `|`
        Err(_) => Some(Told { scheme: Scheme::from_name(name), entries: comparisons(list, status)? }),
    }
}

fn all(status: VersionStatus) -> VersionEntry {
    VersionEntry::range(None, None, status)
}

/// The entries of sorted VERS constraints: of bounds of one direction in a row the widest counts.
fn entries(constraints: &[Constraint], status: VersionStatus) -> Option<Vec<VersionEntry>> {
    let is = |c: &Constraint, any: &[Comparator]| any.contains(&c.comparator);
    let lower = [Comparator::Greater, Comparator::GreaterEqual];
    let upper = [Comparator::Less, Comparator::LessEqual];
    let mut out: Vec<VersionEntry> = constraints
        .iter()
        .filter(|c| c.comparator == Comparator::NotEqual)
        .map(|c| VersionEntry::exact(c.version.clone(), VersionStatus::Unknown))
        .collect();
    if out.len() == constraints.len() {
        out.push(all(status));
        return Some(out);
    }
    let exact = constraints.iter().filter(|c| c.comparator == Comparator::Equal);
    out.extend(exact.map(|c| VersionEntry::exact(c.version.clone(), status)));
    let mut open: Option<VersionEntry> = None;
    let mut bounds = constraints.iter().filter(|c| is(c, &lower) || is(c, &upper)).peekable();
    let mut first = true;
    while let Some(c) = bounds.next() {
        if is(c, &lower) {
            open.get_or_insert_with(|| VersionEntry {
                low_open: c.comparator == Comparator::Greater,
                ..VersionEntry::range(Some(c.version.clone()), None, status)
            });
        } else if !bounds.peek().is_some_and(|next| is(next, &upper)) {
            // an upper bound after another interval's end, with nothing that opens it, says nothing
            let mut entry = match open.take() {
                Some(entry) => entry,
                None if first => all(status),
                None => return None,
            };
            entry.high = Some(c.version.clone());
            entry.high_closed = c.comparator == Comparator::LessEqual;
            out.push(entry);
        }
        first &= is(c, &upper);
    }
    out.extend(open);
    Some(out)
}

/// Prose: `all versions`, comparisons, and the usual phrases around one version.
fn prose(text: &str, status: VersionStatus) -> Option<Vec<VersionEntry>> {
    let plain = text.replace('_', " ");
    let lower = plain.trim().to_ascii_lowercase();
    if matches!(lower.as_str(), "*" | "all" | "all versions" | "all version" | "any") {
        return Some(vec![all(status)]);
    }
    let strip = |prefixes: &[&str]| {
        prefixes
            .iter()
            .find(|p| lower.starts_with(**p))
            .and_then(|p| text.trim().get(p.len()..))
            .map(str::trim)
    };
    let text = strip(&["all versions ", "all version ", "versions "]).unwrap_or(text.trim());
    let lower = text.replace('_', " ").to_ascii_lowercase();
    let after = |p: &str| lower.strip_prefix(p).and(text.get(p.len()..));
    let before = |p: &str| lower.strip_suffix(p).and_then(|rest| text.get(..rest.len()));
    for phrase in ["prior to ", "before ", "earlier than ", "lower than ", "older than ", "below "] {
        if let Some(v) = after(phrase) {
            return Some(vec![VersionEntry::range(None, Some(version(v)?), status)]);
        }
    }
    for phrase in ["up to and including ", "through "] {
        if let Some(v) = after(phrase) {
            return Some(vec![until(version(v)?, status)]);
        }
    }
    for word in ["prior", "earlier", "below", "older", "lower"] {
        for joint in [" and ", " or ", " and all "] {
            if let Some(v) = before(&format!("{joint}{word}")) {
                return Some(vec![until(version(v)?, status)]);
            }
        }
    }
    for word in ["later", "newer", "above", "higher"] {
        for joint in [" and ", " or "] {
            if let Some(v) = before(&format!("{joint}{word}")) {
                return Some(vec![VersionEntry::range(Some(version(v)?), None, status)]);
            }
        }
    }
    if let Some((low, high)) = lower
        .split_once(" through ")
        .and_then(|(low, _)| Some((text.get(..low.len())?, text.get(low.len() + " through ".len()..)?)))
    {
        let entry = VersionEntry { low: Some(version(low)?), ..until(version(high)?, status) };
        return ordered(&entry).then(|| vec![entry]);
    }
    comparisons(text, status)
}

fn until(high: String, status: VersionStatus) -> VersionEntry {
    VersionEntry { high_closed: true, ..VersionEntry::range(None, Some(high), status) }
}

fn ordered(e: &VersionEntry) -> bool {
    match (&e.low, &e.high) {
        (Some(low), Some(high)) => Scheme::Generic.compare(low, high).is_some_and(std::cmp::Ordering::is_le),
        _ => true,
    }
}

/// Comparisons joined by `|`, blanks or nothing: a lower bound and the upper one after it make an interval, a
/// bare version stands for itself. Several upper bounds in a row (one a branch), or a bare version before an
/// upper bound, can mean more than one thing.
fn comparisons(text: &str, status: VersionStatus) -> Option<Vec<VersionEntry>> {
    let mut parts: Vec<(&str, &str)> = Vec::new();
    for piece in text.split('|') {
        let mut rest = piece.trim();
        let at = rest.find(['<', '>', '=']).unwrap_or(rest.len());
        if at > 0 {
            // `9 < 9.1`: who knows
            if at < rest.len() || rest.is_empty() {
                return None;
            }
            parts.push(("", rest));
            continue;
        }
        while !rest.is_empty() {
            let tail = rest.trim_start_matches(['<', '>', '=']);
            let op = rest.get(..rest.len() - tail.len())?;
            let end = tail.find(['<', '>', '=']).unwrap_or(tail.len());
            parts.push((op, tail.get(..end)?.trim()));
            rest = tail.get(end..)?;
        }
    }
    let mut out: Vec<VersionEntry> = Vec::new();
    let mut open: Option<VersionEntry> = None;
    let mut bare = false;
    for (op, v) in parts {
        let v = version(v)?;
        match op {
            "" | "=" | "==" => {
                out.extend(open.take());
                out.push(VersionEntry::exact(v, status));
                bare = true;
                continue;
            }
            ">" | ">=" | "=>" => {
                if open.is_some() {
                    return None;
                }
                let low_open = op == ">";
                open = Some(VersionEntry { low_open, ..VersionEntry::range(Some(v), None, status) });
            }
            "<" | "<=" | "=<" => {
                let mut entry = match open.take() {
                    Some(entry) => entry,
                    None if out.is_empty() && !bare => all(status),
                    None => return None,
                };
                entry.high = Some(v);
                entry.high_closed = op != "<";
                if !ordered(&entry) {
                    return None;
                }
                out.push(entry);
            }
            _ => return None,
        }
        bare = false;
    }
    out.extend(open);
    (!out.is_empty()).then_some(out)
}

/// A version as people write it (`V3.1 SP2`, `Ver.2.60`, `17_Update_6`), without its prefix; `None`: the text
/// says more than a version, or leaves a part open (`2.x`).
fn version(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.').replace('_', " ");
    let mut text = text.as_str();
    for prefix in ["version ", "ver. ", "ver.", "v. ", "v"] {
        if text.get(..prefix.len()).is_some_and(|p| p.eq_ignore_ascii_case(prefix)) {
            text = text.get(prefix.len()..)?.trim();
            break;
        }
    }
    if !text.starts_with(|c: char| c.is_ascii_digit())
        || !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | ' ' | ':' | '~'))
    {
        return None;
    }
    let open = |part: &str| part.eq_ignore_ascii_case("x") || part.to_ascii_lowercase().contains("xx");
    if text.split(['.', '-', ' ']).any(open) {
        return None;
    }
    const WORDS: &[&str] = &[
        "sp",
        "update",
        "upd",
        "hf",
        "hotfix",
        "hotfixrev",
        "patch",
        "p",
        "r",
        "sr",
        "rev",
        "build",
        "release",
        "feature",
        "pack",
        "beta",
        "alpha",
        "rc",
    ];
    let mut words = text.split(' ').filter(|w| !w.is_empty());
    words.next()?;
    for word in words {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        if !letters.is_empty() && !WORDS.contains(&letters.to_ascii_lowercase().as_str()) {
            return None;
        }
    }
    Scheme::Generic.key(text).ok()?;
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: VersionStatus = VersionStatus::Affected;

    fn show(e: &VersionEntry) -> String {
        if e.is_exact() {
            let not = if e.status == VersionStatus::Unknown { "?" } else { "=" };
            return format!("{not}{}", e.low.as_deref().unwrap_or_default());
        }
        let low = e.low.as_deref().map(|v| format!("{}{v}", if e.low_open { ">" } else { ">=" }));
        let high = e.high.as_deref().map(|v| format!("{}{v}", if e.high_closed { "<=" } else { "<" }));
        let both = [low, high].into_iter().flatten().collect::<Vec<_>>().join(",");
        if both.is_empty() { "*".to_owned() } else { both }
    }

    #[test]
    fn ranges_of_real_documents() {
        for (text, want) in [
            ("vers:all/*", Some("*")),
            ("vers:generic/>=1|<2", Some(">=1,<2")),
            ("vers:generic/!=2", Some("?2 *")),
            ("vers:npm/>=1.0.0|!=1.2.0|<2.0.0", Some("?1.2.0 >=1.0.0,<2.0.0")),
            ("vers:deb/<1%3A2.3%2Bdfsg", Some("<1:2.3+dfsg")),
            ("vers:generic/1|>3|<=4|>5", Some("=1 >3,<=4 >5")),
            ("vers:generic/<1|<2", Some("<2")),
            ("vers:all/<V5.4", Some("<5.4")),
            ("vers:all/>=V7.80<V9.40", Some(">=7.80,<9.40")),
            ("vers:all/<V17 Update 6", Some("<17 Update 6")),
            ("vers:all/*_installed_on_CP200_devices", None),
            ("<3.1", Some("<3.1")),
            ("<=v2.0", Some("<=2.0")),
            ("all versions", Some("*")),
            ("All versions", Some("*")),
            ("prior to V3.1 SP2", Some("<3.1 SP2")),
            ("All versions < V5.1 SP1 Update 2", Some("<5.1 SP1 Update 2")),
            ("<V5.1_SP1", Some("<5.1 SP1")),
            (">= 1.3.4 | < 1.5.3", Some(">=1.3.4,<1.5.3")),
            (">=8.0|=<8.5", Some(">=8.0,<=8.5")),
            (">=13.0.0 | <= 13.0.2 | 13.1.0", Some(">=13.0.0,<=13.0.2 =13.1.0")),
            (">= V34.0.252 < V34.0.254", Some(">=34.0.252,<34.0.254")),
            (">v33.011|<v33.015", Some(">33.011,<33.015")),
            ("5.0|5.1", Some("=5.0 =5.1")),
            ("<=Ver.2.60", Some("<=2.60")),
            ("2.0.1 and prior", Some("<=2.0.1")),
            ("Version 4.2 and later", Some(">=4.2")),
            ("1.0 through 1.4", Some(">=1.0,<=1.4")),
            ("2019 R1", Some("=2019 R1")),
            ("<20230518.", Some("<20230518")),
            // more than one meaning, or no version
            ("13.0 | < 13.0.1", None),
            ("0 < 8.0.1", None),
            ("< 19.0.1 | < 18.0.1", None),
            ("<=2.x", None),
            ("<= Serial Numbers 2310****", None),
            ("<=the_first_3_digits_of_serial_number_20X", None),
            ("All versions with maxView Storage Manager < V4.14 on Windows", None),
            ("All versions < CPCI85 V05.11 (only with activated debug support)", None),
            ("< R520.2", None),
            ("<8/30/2024", None),
            ("<May 2018", None),
            ("V9.62_installed_on_CP150_and_CP300_devices", None),
            (">=2.0|<1.0", None),
            ("up to 3", None),
            ("", None),
        ] {
            let got = read(text, S).map(|t| t.entries.iter().map(show).collect::<Vec<_>>().join(" "));
            assert_eq!(got.as_deref(), want, "{text}");
        }
        assert_eq!(read("vers:npm/<1.0.0", S).unwrap().scheme, Some(Scheme::Npm));
        assert_eq!(read("vers:all/<1.0.0", S).unwrap().scheme, None);
    }
}

//! Version requirements as the ecosystems write them, turned into intervals that hold exactly the versions the
//! ecosystem's own tool would accept.

use std::cmp::Ordering;

use tocsin_model::record::{VersionEntry, VersionStatus};
use tocsin_model::version::Scheme;

/// An interval that is narrowed constraint by constraint.
struct Narrow {
    scheme: Scheme,
    entry: VersionEntry,
}

impl Narrow {
    fn new(scheme: Scheme, status: VersionStatus) -> Self {
        Narrow { scheme, entry: VersionEntry::range(None, None, status) }
    }

    /// `version >= low`, or `>` where `open`. `None`: a bound has no order.
    fn low(&mut self, low: String, open: bool) -> Option<()> {
        self.scheme.key(&low).ok()?;
        let order = match &self.entry.low {
            Some(old) => self.scheme.compare(&low, old)?,
            None => Ordering::Greater,
        };
        match order {
            Ordering::Greater => (self.entry.low, self.entry.low_open) = (Some(low), open),
            Ordering::Equal => self.entry.low_open |= open,
            Ordering::Less => {}
        }
        Some(())
    }

    /// `version < high`, or `<=` where `closed`. `None`: a bound has no order.
    fn high(&mut self, high: String, closed: bool) -> Option<()> {
        self.scheme.key(&high).ok()?;
        let order = match &self.entry.high {
            Some(old) => self.scheme.compare(&high, old)?,
            None => Ordering::Less,
        };
        match order {
            Ordering::Less => (self.entry.high, self.entry.high_closed) = (Some(high), closed),
            Ordering::Equal => self.entry.high_closed &= closed,
            Ordering::Greater => {}
        }
        Some(())
    }

    fn exact(&mut self, version: &str) -> Option<()> {
        self.low(version.to_owned(), false)?;
        self.high(version.to_owned(), true)
    }

    /// One comparison without more to it.
    fn plain(&mut self, op: &str, version: String) -> Option<()> {
        match op {
            "" | "=" | "==" => self.exact(&version),
            ">" | ">=" => self.low(version, op == ">"),
            "<" | "<=" => self.high(version, op == "<="),
            _ => None,
        }
    }
}

/// The operator at the beginning of `text` and what follows it.
fn operator(text: &str) -> (&str, &str) {
    let text = text.trim();
    let rest = text.trim_start_matches(['<', '>', '=', '!', '~', '^']);
    (text.get(..text.len() - rest.len()).unwrap_or_default(), rest.trim())
}

/// A RubyGems requirement (`~> 1.2.3, >= 1.2.3.4`), all parts of which must hold (`Gem::Requirement`).
///
/// `~>` accepts from its version on, before the next after dropping the last part; pre-releases of that next
/// are outside too, as `Gem::Requirement` compares them by their release.
pub(super) fn gem(text: &str, status: VersionStatus) -> Option<VersionEntry> {
    let mut out = Narrow::new(Scheme::Gem, status);
    for part in text.split(',') {
        let (op, version) = operator(part);
        if op == "~>" {
            out.low(version.to_owned(), false)?;
            // `A` is the least word a pre-release can begin with
            out.high(format!("{}.A", bump(version)?), false)?;
        } else {
            out.plain(op, version.to_owned())?;
        }
    }
    Some(out.entry)
}

/// `Gem::Version#bump`: without the pre-release part and the last number, the now last number plus one.
fn bump(version: &str) -> Option<String> {
    // `-` stands for `.pre.`; digits and letters are parts of their own
    let mut numbers: Vec<u64> = Vec::new();
    'parts: for part in version.split('.') {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            numbers.push(part.get(..digits)?.parse().ok()?);
        }
        if digits < part.len() {
            break 'parts;
        }
    }
    if numbers.len() > 1 {
        numbers.pop();
    }
    let last = numbers.last_mut()?;
    *last = last.checked_add(1)?;
    Some(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

/// Composer constraints that must all hold (`>=1.0.0`, `<1.0.5`).
///
/// As in Composer's `VersionParser`, a bound of `<` or `>=` without a stability word means its `-dev`: a
/// pre-release of the first fixed version is not below it.
pub(super) fn composer<'a>(
    parts: impl IntoIterator<Item = &'a str>,
    status: VersionStatus,
) -> Option<VersionEntry> {
    let mut out = Narrow::new(Scheme::Composer, status);
    for part in parts.into_iter().flat_map(|p| p.split(',')) {
        let (op, version) = operator(part);
        let stable = !version.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'v' | 'V'));
        let dev = stable && matches!(op, "<" | ">=");
        out.plain(op, format!("{version}{}", if dev { "-dev" } else { "" }))?;
    }
    Some(out.entry)
}

/// An npm range (`>=1.2.0 <1.3.0 || ^2.0.1`): one interval per alternative.
///
/// Pre-releases are compared by order, as `npm audit` asks for (`includePrerelease`): every bound that is
/// completed or computed gets `-0`, the least pre-release (node-semver, "Ranges").
pub(super) fn npm(text: &str, status: VersionStatus) -> Option<Vec<VersionEntry>> {
    text.split("||").map(|alternative| npm_all(alternative, status)).collect()
}

fn npm_all(text: &str, status: VersionStatus) -> Option<VersionEntry> {
    let mut out = Narrow::new(Scheme::Npm, status);
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (Partial::parse(from)?, Partial::parse(to)?);
        let dash = if from.full() && from.pre.is_empty() { "-0" } else { "" };
        out.low(format!("{}{dash}", from.lowest()?), false)?;
        if to.pre.is_empty() {
            out.high(to.after()?, false)?;
        } else {
            out.high(to.text(), true)?;
        }
        return Some(out.entry);
    }
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let (op, mut version) = operator(word);
        if version.is_empty() && !op.is_empty() {
            version = words.next()?;
        }
        let p = Partial::parse(version)?;
        if p.numbers.is_empty() {
            // `*`: every version; `<*` and `>*` none, which nobody means
            if matches!(op, "<" | ">") {
                return None;
            }
            continue;
        }
        match op {
            "^" => {
                out.low(p.lowest()?, false)?;
                // ^ keeps the leftmost part that is not zero
                let zeros = p.numbers.iter().take_while(|n| **n == 0).count();
                out.high(p.next(zeros.min(p.numbers.len() - 1))?, false)?;
            }
            "~" | "~>" => {
                out.low(p.lowest()?, false)?;
                out.high(p.next(1.min(p.numbers.len() - 1))?, false)?;
            }
            ">" if !p.full() => out.low(p.after()?, false)?,
            "<=" if !p.full() => out.high(p.after()?, false)?,
            ">=" | "<" if !p.full() => {
                if op == "<" {
                    out.high(p.lowest()?, false)?;
                } else {
                    out.low(p.lowest()?, false)?;
                }
            }
            "" | "=" if !p.full() => {
                out.low(p.lowest()?, false)?;
                out.high(p.after()?, false)?;
            }
            _ => out.plain(op, p.text())?,
        }
    }
    Some(out.entry)
}

/// A version of which the last numbers may be missing (`1.2`, `1.x`).
struct Partial {
    numbers: Vec<u64>,
    pre: String,
}

impl Partial {
    fn parse(text: &str) -> Option<Partial> {
        let text = text.trim().trim_start_matches(['v', 'V', '=']);
        let text = text.split('+').next()?;
        let (core, pre) = text.split_once('-').unwrap_or((text, ""));
        let mut numbers = Vec::new();
        for part in core.split('.') {
            if matches!(part, "x" | "X" | "*" | "") {
                break;
            }
            numbers.push(part.parse().ok()?);
        }
        (numbers.len() <= 3).then(|| Partial { numbers, pre: pre.to_owned() })
    }

    fn full(&self) -> bool {
        self.numbers.len() == 3
    }

    fn text(&self) -> String {
        let n = |i: usize| self.numbers.get(i).copied().unwrap_or(0);
        let dash = if self.pre.is_empty() { "" } else { "-" };
        format!("{}.{}.{}{dash}{}", n(0), n(1), n(2), self.pre)
    }

    /// The least version meant.
    fn lowest(&self) -> Option<String> {
        Some(if self.full() { self.text() } else { format!("{}-0", self.text()) })
    }

    /// The least version past the number at `part`.
    fn next(&self, part: usize) -> Option<String> {
        let mut n = [0u64; 3];
        for (to, from) in n.iter_mut().zip(self.numbers.iter().take(part + 1)) {
            *to = *from;
        }
        let at = n.get_mut(part)?;
        *at = at.checked_add(1)?;
        let [major, minor, patch] = n;
        Some(format!("{major}.{minor}.{patch}-0"))
    }

    /// The least version past all that are meant.
    fn after(&self) -> Option<String> {
        self.next(self.numbers.len().checked_sub(1)?)
    }
}

/// A range of the Victims database (`<=2.5.9,2.5`): a comparison, limited to a series where one is named.
pub(super) fn victims(text: &str, scheme: Scheme, status: VersionStatus) -> Option<VersionEntry> {
    let (range, series) = text.split_once(',').unwrap_or((text, ""));
    let (op, version) = operator(range);
    let mut out = Narrow::new(scheme, status);
    out.plain(op, version.to_owned())?;
    let series = series.trim().trim_end_matches('.');
    if !series.is_empty() {
        let mut numbers: Vec<u64> = series.split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        // the least that can bear the number: its first pre-release
        let first = if scheme == Scheme::Pypi { ".dev0" } else { "-alpha" };
        out.low(format!("{series}{first}"), false)?;
        let last = numbers.last_mut()?;
        *last = last.checked_add(1)?;
        let next: Vec<String> = numbers.iter().map(u64::to_string).collect();
        out.high(format!("{}{first}", next.join(".")), false)?;
    }
    Some(out.entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: VersionStatus = VersionStatus::Affected;

    fn holds(scheme: Scheme, e: &VersionEntry, v: &str) -> bool {
        let low = e.low.as_deref().is_none_or(|l| {
            let o = scheme.compare(v, l).unwrap();
            o.is_gt() || (o.is_eq() && !e.low_open)
        });
        let high = e.high.as_deref().is_none_or(|h| {
            let o = scheme.compare(v, h).unwrap();
            o.is_lt() || (o.is_eq() && e.high_closed)
        });
        low && high
    }

    /// RubyGems guides, "Patterns": pessimistic version constraint; `Gem::Requirement` tests.
    #[test]
    fn gem_requirements() {
        for (req, version, want) in [
            ("~> 1.2.3", "1.2.3", true),
            ("~> 1.2.3", "1.2.99", true),
            ("~> 1.2.3", "1.3.0", false),
            ("~> 1.2.3", "1.3.0.beta1", false),
            ("~> 1.2.3", "1.2.3.rc1", false),
            ("~> 2.2", "2.9.9", true),
            ("~> 2.2", "3.0", false),
            ("~> 1", "1.9", true),
            ("~> 1", "2.0", false),
            ("~> 3.0.0.rc1", "3.0.0.rc1", true),
            ("~> 3.0.0.rc1", "3.0.9", true),
            ("~> 3.0.0.rc1", "3.1.0", false),
            ("~> 4.2.5, >= 4.2.5.1", "4.2.5", false),
            ("~> 4.2.5, >= 4.2.5.1", "4.2.5.1", true),
            ("~> 4.2.5, >= 4.2.5.1", "4.3.0", false),
            (">= 1.0, < 2.0", "2.0.0.pre", true),
            ("= 1.2.0", "1.2", true),
            ("1.2", "1.2.1", false),
            ("> 1.2", "1.2.0", false),
        ] {
            let e = gem(req, S).unwrap();
            assert_eq!(holds(Scheme::Gem, &e, version), want, "{version} in {req}");
        }
        assert!(gem("!= 1.0", S).is_none() && gem("", S).is_none());
    }

    /// composer/semver `VersionParser::parseConstraint`: `<` and `>=` compare with the `-dev` of the bound.
    #[test]
    fn composer_constraints() {
        for (parts, version, want) in [
            (&[">=1.0.0", "<1.0.5"][..], "1.0.4", true),
            (&[">=1.0.0", "<1.0.5"], "v1.0.0", true),
            (&[">=1.0.0", "<1.0.5"], "1.0.5", false),
            (&[">=1.0.0", "<1.0.5"], "1.0.5-beta1", false),
            (&[">=1.0.0", "<1.0.5"], "1.0.0-alpha1", true),
            (&[">=2.0.0-rc1", "<2.0.1"], "2.0.0-beta3", false),
            (&["<=1.4.2"], "1.4.2", true),
            (&[">1.4.2"], "1.4.2", false),
        ] {
            let e = composer(parts.iter().copied(), S).unwrap();
            assert_eq!(holds(Scheme::Composer, &e, version), want, "{version} in {parts:?}");
        }
    }

    /// composer/semver's own `SemverTest`: rows whose constraint is comparisons alone, as advisories write them.
    #[test]
    fn composer_agrees_with_composers_own_tests() {
        use std::io::Read;
        let base = std::env::var_os("TOCSIN_CORPUS").map(std::path::PathBuf::from);
        let base =
            base.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into());
        let Ok(file) = std::fs::File::open(base.join("suites/composer-semver.jsonl.zst")) else {
            eprintln!("SKIPPED: the tests of composer/semver are not in the corpus ({})", base.display());
            return;
        };
        let mut text = String::new();
        zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
        let mut count = 0;
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let want = match row["provider"].as_str() {
                Some("satisfiesProviderPositive") => true,
                Some("satisfiesProviderNegative") => false,
                _ => continue,
            };
            let (version, constraint) = (row["row"][0].as_str().unwrap(), row["row"][1].as_str().unwrap());
            let simple = |c: char| c.is_ascii_alphanumeric() || "<>=., -".contains(c);
            let plain = constraint.trim_start_matches(['<', '>', '=', ' ']);
            if !constraint.chars().all(simple)
                || !plain.starts_with(|c: char| c.is_ascii_digit())
                || constraint.contains(" - ")
                || plain.contains([' ', 'x'])
            {
                continue;
            }
            let e = composer([constraint], S).unwrap_or_else(|| panic!("{constraint}"));
            assert_eq!(holds(Scheme::Composer, &e, version), want, "{version} in {constraint}");
            count += 1;
        }
        assert!(count >= 20, "{count} rows");
    }

    /// node-semver README, "Advanced Range Syntax", with `includePrerelease`.
    #[test]
    fn npm_ranges() {
        for (range, version, want) in [
            ("<1.2.3", "1.2.2", true),
            ("<1.2.3", "1.2.3-beta", true),
            ("<=1.2.3", "1.2.3", true),
            (">=1.0.0 <2.0.0 || 3.1.4", "3.1.4", true),
            (">=1.0.0 <2.0.0 || 3.1.4", "2.0.0", false),
            ("^1.2.3", "1.9.0", true),
            ("^1.2.3", "2.0.0-rc.1", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("^0.0.x", "0.0.9", true),
            ("^0.0", "0.1.0", false),
            ("^0.x", "0.9.0", true),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0-0", false),
            ("~1", "1.9.9", true),
            ("8.x", "8.0.0-rc.1", true),
            ("8.x || 7.x", "9.0.0", false),
            ("1.2.3 - 2.3", "2.3.9", true),
            ("1.2.3 - 2.3", "2.4.0", false),
            ("1.2.3 - 2.3", "1.2.3-beta", true),
            ("1.2.3 - 2.3.4-rc.1", "2.3.4", false),
            (">1.2", "1.2.9", false),
            (">1.2", "1.3.0", true),
            ("<= 1.2", "1.2.9", true),
            (">= 1.x", "1.0.0", true),
            ("<  1.2.0", "1.1.0", true),
            ("*", "0.0.1-pre", true),
            ("<2.0.0 >=1.0.0", "0.9.0", false),
            ("<=v1.0.0-alpha1", "1.0.0", false),
        ] {
            let list = npm(range, S).unwrap();
            let got = list.iter().any(|e| holds(Scheme::Npm, e, version));
            assert_eq!(got, want, "{version} in {range}");
        }
        assert!(npm("latest", S).is_none());
    }

    /// The README of the Victims database: "<=1.7.6,1.7" is all of the series 1.7 up to 1.7.6.
    #[test]
    fn victims_ranges() {
        for (range, version, want) in [
            ("<=2.5.9,2.5", "2.5.9", true),
            ("<=2.5.9,2.5", "2.5.0-beta", true),
            ("<=2.5.9,2.5", "2.4.9", false),
            (">=2.5.10,2.5", "2.5.11", true),
            (">=2.5.10,2.5", "2.6.0", false),
            (">=2.5.10,2.5", "2.6-beta-1", false),
            ("==1.7.2", "1.7.2", true),
            ("<=1.9.1", "1.0", true),
        ] {
            let e = victims(range, Scheme::Maven, S).unwrap();
            assert_eq!(holds(Scheme::Maven, &e, version), want, "{version} in {range}");
        }
        assert!(victims("<=1.0,1.0.Final-redhat", Scheme::Maven, S).is_none());
    }
}

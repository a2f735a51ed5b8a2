//! VERS, the version range specifier of package-url: `vers:npm/>=1.0.0|<2.0.0`.

use std::cmp::Ordering;
use std::fmt;

use super::Scheme;

/// A range has at most this many constraints.
const MAX_CONSTRAINTS: usize = 100_000;

/// How a constraint compares a version with its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// `=`, written as nothing.
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Comparator {
    /// The comparator's spelling (`=` for equality).
    pub fn as_str(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::NotEqual => "!=",
            Comparator::Less => "<",
            Comparator::LessEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterEqual => ">=",
        }
    }

    fn is_lower(self) -> bool {
        matches!(self, Comparator::Greater | Comparator::GreaterEqual)
    }

    fn is_upper(self) -> bool {
        matches!(self, Comparator::Less | Comparator::LessEqual)
    }
}

/// One constraint of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// How versions are compared with `version`.
    pub comparator: Comparator,
    /// The version, percent-decoded.
    pub version: String,
    key: Option<Vec<u8>>,
}

/// A VERS range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    name: String,
    scheme: Scheme,
    /// Empty: every version (`*`).
    constraints: Vec<Constraint>,
}

/// Why a text is no VERS range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersError {
    /// It lacks `vers:`, a scheme or constraints.
    #[error("not a VERS range")]
    Malformed,
    /// Its versioning scheme has no order here.
    #[error("unknown VERS versioning scheme")]
    Scheme,
    /// It is not canonical; the text says how.
    #[error("non-canonical VERS: {0}")]
    NotCanonical(&'static str),
}

impl Range {
    /// Reads a range leniently: blanks, empty constraints and any order are put right.
    ///
    /// # Errors
    /// Not a range, an unknown scheme, or broken percent-encoding.
    pub fn parse(text: &str) -> Result<Range, VersError> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut range = read(&text, false)?;
        if range.constraints.iter().all(|c| c.key.is_some()) {
            range.constraints.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Ok(range)
    }

    /// Reads a range that must be written canonically.
    ///
    /// # Errors
    /// As [`Range::parse`], and every departure from the canonical form.
    pub fn parse_canonical(text: &str) -> Result<Range, VersError> {
        if text.contains(char::is_whitespace) {
            return Err(VersError::NotCanonical("whitespace is not permitted"));
        }
        let range = read(text, true)?;
        let unsorted = range.constraints.windows(2).any(|pair| match pair {
            [a, b] => matches!((&a.key, &b.key), (Some(x), Some(y)) if x > y),
            _ => false,
        });
        if unsorted {
            return Err(VersError::NotCanonical("constraints are not sorted by version"));
        }
        Ok(range)
    }

    /// The scheme versions are compared in.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The versioning scheme as written.
    pub fn scheme_name(&self) -> &str {
        &self.name
    }

    /// The constraints in order; none means every version.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// Is `version` in the range? `None` when it or a bound has no order in the scheme.
    pub fn contains(&self, version: &str) -> Option<bool> {
        let key = self.scheme.key(version).ok()?;
        if self.constraints.is_empty() {
            return Some(true);
        }
        let mut bounds = Vec::new();
        let mut only_not = true;
        let mut found = false;
        for c in &self.constraints {
            let order = key.as_slice().cmp(c.key.as_deref()?);
            if c.comparator == Comparator::NotEqual {
                if order == Ordering::Equal {
                    return Some(false);
                }
                continue;
            }
            only_not = false;
            if c.comparator == Comparator::Equal {
                found |= order == Ordering::Equal;
            } else {
                bounds.push((c.comparator, order));
            }
        }
        Some(found || only_not || within(&bounds))
    }
}

/// Walks sorted bounds as intervals: of bounds of one direction in a row the widest counts.
fn within(bounds: &[(Comparator, Ordering)]) -> bool {
    let mut above: Option<bool> = None;
    let mut first = true;
    for (i, (comparator, order)) in bounds.iter().enumerate() {
        if comparator.is_lower() {
            above.get_or_insert(match comparator {
                Comparator::GreaterEqual => order.is_ge(),
                _ => order.is_gt(),
            });
        } else if !bounds.get(i + 1).is_some_and(|(next, _)| next.is_upper()) {
            let below = if *comparator == Comparator::LessEqual { order.is_le() } else { order.is_lt() };
            if below && above.take().unwrap_or(first) {
                return true;
            }
            above = None;
        }
        first &= comparator.is_upper();
    }
    above == Some(true)
}

fn read(text: &str, strict: bool) -> Result<Range, VersError> {
    let rest = text.strip_prefix("vers:").ok_or(VersError::Malformed)?;
    let (name, list) = rest.split_once('/').ok_or(VersError::Malformed)?;
    if strict && name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(VersError::NotCanonical("versioning scheme must be lower case"));
    }
    let name = name.to_ascii_lowercase();
    let scheme = (!name.is_empty()).then(|| Scheme::from_name(&name)).flatten().ok_or(VersError::Scheme)?;
    if strict && list.starts_with('|') {
        return Err(VersError::NotCanonical("leading pipe is not permitted"));
    }
    if strict && list.ends_with('|') {
        return Err(VersError::NotCanonical("trailing pipe is not permitted"));
    }
    if strict && list.contains("||") {
        return Err(VersError::NotCanonical("consecutive pipes are not permitted"));
    }
    let mut constraints = Vec::new();
    if list != "*" {
        for part in list.split('|').filter(|p| !p.is_empty()) {
            if constraints.len() >= MAX_CONSTRAINTS {
                return Err(VersError::Malformed);
            }
            constraints.push(constraint(part, scheme, strict)?);
        }
        if constraints.is_empty() {
            return Err(VersError::Malformed);
        }
    }
    Ok(Range { name, scheme, constraints })
}

fn constraint(part: &str, scheme: Scheme, strict: bool) -> Result<Constraint, VersError> {
    const SPELLINGS: &[(&str, Comparator)] = &[
        ("!=", Comparator::NotEqual),
        (">=", Comparator::GreaterEqual),
        ("<=", Comparator::LessEqual),
        (">", Comparator::Greater),
        ("<", Comparator::Less),
        ("=", Comparator::Equal),
    ];
    let (comparator, raw) = SPELLINGS
        .iter()
        .find_map(|(text, c)| part.strip_prefix(text).map(|rest| (*c, rest)))
        .unwrap_or((Comparator::Equal, part));
    if raw.is_empty() || raw == "*" || raw.contains(['<', '>', '=', '!']) {
        return Err(VersError::Malformed);
    }
    if strict && comparator == Comparator::Equal && raw.len() != part.len() {
        return Err(VersError::NotCanonical("equality is written without comparator"));
    }
    let version = decode(raw, strict)?;
    if strict && scheme == Scheme::Date {
        if raw.to_ascii_uppercase().contains("%3A") {
            return Err(VersError::NotCanonical("datetime time colons must be unencoded"));
        }
        if version.contains(['t', 'z']) {
            return Err(VersError::NotCanonical("datetime must use uppercase T and Z"));
        }
    }
    let key = scheme.key(&version).ok();
    Ok(Constraint { comparator, version, key })
}

fn decode(raw: &str, strict: bool) -> Result<String, VersError> {
    let invalid = VersError::NotCanonical("invalid percent-encoding in version");
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return Err(invalid) };
        if strict && (high.is_ascii_lowercase() || low.is_ascii_lowercase()) {
            return Err(if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() {
                VersError::NotCanonical("percent-encoding in version is not canonical")
            } else {
                invalid
            });
        }
        match (char::from(high).to_digit(16), char::from(low).to_digit(16)) {
            (Some(h), Some(l)) => out.push((h * 16 + l) as u8),
            _ => return Err(invalid),
        }
    }
    String::from_utf8(out).map_err(|_| invalid)
}

impl fmt::Display for Range {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vers:{}/", self.name)?;
        if self.constraints.is_empty() {
            return f.write_str("*");
        }
        for (i, c) in self.constraints.iter().enumerate() {
            if i > 0 {
                f.write_str("|")?;
            }
            if c.comparator != Comparator::Equal {
                f.write_str(c.comparator.as_str())?;
            }
            for b in c.version.bytes() {
                if b.is_ascii_alphanumeric() || b"-._~+:^,()@".contains(&b) {
                    write!(f, "{}", char::from(b))?;
                } else {
                    write!(f, "%{b:02X}")?;
                }
            }
        }
        Ok(())
    }
}

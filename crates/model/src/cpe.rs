//! CPE names: 2.2 URIs and 2.3 formatted strings (NISTIR 7695), name matching (NISTIR 7696).

use std::fmt::{self, Write};

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

fn fail<T>(reason: &'static str) -> Result<T, CpeError> {
    Err(CpeError { reason })
}

/// Longest text taken for a CPE name, bytes. It also bounds the work of a wildcard match.
const MAX_BYTES: usize = 4096;

/// How a source attribute or name relates to a target (NISTIR 7696, table 6-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The source covers more than the target.
    Superset,
    /// The source covers less than the target.
    Subset,
    /// Both cover the same.
    Equal,
    /// They have nothing in common.
    Disjoint,
    /// The target holds wildcards, which the specification leaves undefined.
    Undefined,
}

impl CpeValue {
    /// Whether the value holds unquoted wildcards.
    pub fn is_pattern(&self) -> bool {
        matches!(self, CpeValue::Text(t) if t.contains([WILD_MANY, WILD_ONE]))
    }

    /// The relation of this source value to `target` (NISTIR 7696, table 6-2).
    pub fn relation(&self, target: &CpeValue) -> Relation {
        use CpeValue::{Any, Na, Text};
        match (self, target) {
            (_, t) if t.is_pattern() => {
                if self == target {
                    Relation::Equal
                } else {
                    Relation::Undefined
                }
            }
            (Any, Any) | (Na, Na) => Relation::Equal,
            (Any, _) => Relation::Superset,
            (_, Any) => Relation::Subset,
            (Na, Text(_)) | (Text(_), Na) => Relation::Disjoint,
            (Text(s), Text(t)) if s == t => Relation::Equal,
            (Text(s), Text(t)) if self.is_pattern() && wild(s, t) => Relation::Superset,
            _ => Relation::Disjoint,
        }
    }

    /// Whether this pattern covers `value`: equal or superset. Any covers everything, `-` only `-`.
    pub fn matches(&self, value: &CpeValue) -> bool {
        match (self, value) {
            (CpeValue::Any, _) => true,
            (CpeValue::Text(s), CpeValue::Text(t)) => s == t || (self.is_pattern() && wild(s, t)),
            (s, t) => s == t,
        }
    }

    fn parse(text: &str) -> Result<CpeValue, CpeError> {
        match text {
            "*" | "" => return Ok(CpeValue::Any),
            "-" => return Ok(CpeValue::Na),
            _ => {}
        }
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some(c) => keep(c, &mut out)?,
                    None => return fail("a `\\` quotes nothing"),
                },
                '*' => out.push(WILD_MANY),
                '?' => out.push(WILD_ONE),
                c => keep(c, &mut out)?,
            }
        }
        Ok(CpeValue::Text(out))
    }

    /// Reads an attribute of a 2.2 URI: percent escapes, `%01` for `?` and `%02` for `*`.
    fn parse_uri(text: &str) -> Result<CpeValue, CpeError> {
        match text {
            "" | "*" | "%02" => return Ok(CpeValue::Any),
            "-" => return Ok(CpeValue::Na),
            _ if text.contains(char::is_control) => return fail("a control character stands in it"),
            _ => {}
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut input = text.bytes();
        while let Some(b) = input.next() {
            if b != b'%' {
                bytes.push(b);
                continue;
            }
            let mut digit = || input.next().and_then(|d| char::from(d).to_digit(16));
            match (digit(), digit()) {
                (Some(h), Some(l)) => bytes.push((h * 16 + l) as u8),
                _ => return fail("a `%` is not followed by two hexadecimal digits"),
            }
        }
        let Ok(decoded) = String::from_utf8(bytes) else { return fail("the percent escapes are not UTF-8") };
        let mut out = String::with_capacity(decoded.len());
        for c in decoded.chars() {
            match c {
                '\u{1}' => out.push(WILD_ONE),
                '\u{2}' => out.push(WILD_MANY),
                c => keep(c, &mut out)?,
            }
        }
        Ok(CpeValue::Text(out))
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            CpeValue::Any => out.write_char('*'),
            CpeValue::Na => out.write_char('-'),
            CpeValue::Text(t) => t.chars().try_for_each(|c| match c {
                WILD_MANY => out.write_char('*'),
                WILD_ONE => out.write_char('?'),
                // A lone hyphen must be quoted, or it would read as "not applicable".
                '-' if t == "-" => out.write_str("\\-"),
                c if c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '.') => write!(out, "\\{c}"),
                c => out.write_char(c),
            }),
        }
    }

    fn write_uri(&self, out: &mut String) {
        match self {
            CpeValue::Any => {}
            CpeValue::Na => out.push('-'),
            CpeValue::Text(t) => {
                for c in t.chars() {
                    match c {
                        WILD_MANY => out.push_str("%02"),
                        WILD_ONE => out.push_str("%01"),
                        '-' if t == "-" => out.push_str("%2d"),
                        c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') => out.push(c),
                        c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| {
                            let _ = write!(out, "%{b:02x}");
                        }),
                    }
                }
            }
        }
    }
}

/// Keeps a character of a name as itself, in lower case; what would pass for a wildcard is refused.
fn keep(c: char, out: &mut String) -> Result<(), CpeError> {
    match c {
        WILD_MANY | WILD_ONE => return fail("a private character stands in it"),
        c if c.is_control() => return fail("a control character stands in it"),
        c => out.extend(c.to_lowercase()),
    }
    Ok(())
}

/// Wildcard match that follows every place of the pattern at once: its work is the product of the lengths at
/// most. A [`WILD_ONE`] at either end stands for one character or none (NISTIR 7696, section 6.3).
fn wild(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let lead = pattern.iter().take_while(|c| **c == WILD_ONE).count();
    let tail = pattern.iter().rev().take_while(|c| **c == WILD_ONE).count();
    let optional = |i: usize| i < lead || i + tail >= pattern.len();
    // `at[i]`: the text so far can be what the first `i` of the pattern stand for
    let pass = |at: &mut [bool]| {
        for (i, c) in pattern.iter().enumerate() {
            if (*c == WILD_MANY || optional(i)) && at.get(i) == Some(&true) {
                at.iter_mut().skip(i + 1).take(1).for_each(|next| *next = true);
            }
        }
    };
    let mut at = vec![false; pattern.len() + 1];
    at.iter_mut().take(1).for_each(|first| *first = true);
    pass(&mut at);
    for t in text.chars() {
        let mut next = vec![false];
        next.extend(pattern.iter().zip(&at).map(|(c, here)| *here && (*c == WILD_ONE || *c == t)));
        for ((n, c), here) in next.iter_mut().zip(&pattern).zip(&at) {
            *n |= *here && *c == WILD_MANY;
        }
        pass(&mut next);
        at = next;
    }
    at.last() == Some(&true)
}

/// Splits at `:` that no `\` quotes.
fn split_quoted(text: &str) -> Vec<&str> {
    let mut out = Vec::with_capacity(11);
    let (mut start, mut quoted) = (0, false);
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if quoted => quoted = false,
            b'\\' => quoted = true,
            b':' => {
                out.push(text.get(start..i).unwrap_or(""));
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(text.get(start..).unwrap_or(""));
    out
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

impl Cpe {
    /// Reads a CPE 2.3 formatted string or a CPE 2.2 URI (blanks around it are allowed).
    ///
    /// # Errors
    /// The text breaks NISTIR 7695.
    pub fn parse(text: &str) -> Result<Cpe, CpeError> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return fail("longer than 4096 bytes");
        }
        let cpe = if let Some(rest) = strip_prefix(text, "cpe:2.3:") {
            let fields = split_quoted(rest);
            if fields.len() != 11 {
                return fail("a formatted string has eleven attributes");
            }
            let mut cpe = Cpe::default();
            for (slot, field) in cpe.attributes_mut().into_iter().zip(fields) {
                *slot = CpeValue::parse(field)?;
            }
            cpe
        } else if let Some(rest) = strip_prefix(text, "cpe:/") {
            Cpe::from_uri(rest)?
        } else {
            return fail("it begins neither with `cpe:2.3:` nor with `cpe:/`");
        };
        match &cpe.part {
            CpeValue::Text(p) if !matches!(p.as_str(), "a" | "o" | "h") => fail("the part is not a, o or h"),
            _ => Ok(cpe),
        }
    }

    fn from_uri(rest: &str) -> Result<Cpe, CpeError> {
        let fields: Vec<&str> = rest.split(':').collect();
        if fields.len() > 7 {
            return fail("a URI has at most seven attributes");
        }
        let mut cpe = Cpe::default();
        for (i, (slot, field)) in cpe.attributes_mut().into_iter().zip(fields.iter()).enumerate() {
            if i != 5 || !field.starts_with('~') {
                *slot = CpeValue::parse_uri(field)?;
            }
        }
        // The edition may pack five attributes: ~edition~sw_edition~target_sw~target_hw~other (section 6.1.2).
        if let Some(packed) = fields.get(5).and_then(|f| f.strip_prefix('~')) {
            let parts: Vec<&str> = packed.split('~').collect();
            if parts.len() != 5 {
                return fail("a packed edition has five attributes");
            }
            let slots = [
                &mut cpe.edition,
                &mut cpe.sw_edition,
                &mut cpe.target_sw,
                &mut cpe.target_hw,
                &mut cpe.other,
            ];
            for (slot, part) in slots.into_iter().zip(parts) {
                *slot = CpeValue::parse_uri(part)?;
            }
        }
        Ok(cpe)
    }

    fn attributes_mut(&mut self) -> [&mut CpeValue; 11] {
        [
            &mut self.part,
            &mut self.vendor,
            &mut self.product,
            &mut self.version,
            &mut self.update,
            &mut self.edition,
            &mut self.language,
            &mut self.sw_edition,
            &mut self.target_sw,
            &mut self.target_hw,
            &mut self.other,
        ]
    }

    /// The eleven attributes in the order of the formatted string.
    pub fn attributes(&self) -> [&CpeValue; 11] {
        [
            &self.part,
            &self.vendor,
            &self.product,
            &self.version,
            &self.update,
            &self.edition,
            &self.language,
            &self.sw_edition,
            &self.target_sw,
            &self.target_hw,
            &self.other,
        ]
    }

    /// The relation of this name, as source, to `target` (NISTIR 7696, section 6.2 and table 6-4): disjoint or
    /// undefined as soon as one attribute is, else superset or subset where all attributes are that or equal.
    /// Names of which some attributes are supersets and others subsets overlap; that has no name in the
    /// standard and is given as undefined.
    pub fn relation(&self, target: &Cpe) -> Relation {
        let (mut superset, mut subset, mut undefined) = (false, false, false);
        for (s, t) in self.attributes().into_iter().zip(target.attributes()) {
            match s.relation(t) {
                Relation::Disjoint => return Relation::Disjoint,
                Relation::Undefined => undefined = true,
                Relation::Superset => superset = true,
                Relation::Subset => subset = true,
                Relation::Equal => {}
            }
        }
        match (undefined, superset, subset) {
            (true, ..) | (_, true, true) => Relation::Undefined,
            (_, true, false) => Relation::Superset,
            (_, false, true) => Relation::Subset,
            _ => Relation::Equal,
        }
    }

    /// The 2.2 URI, with a packed edition where an attribute needs it (NISTIR 7695, section 6.1).
    pub fn to_uri(&self) -> String {
        let packed = [&self.edition, &self.sw_edition, &self.target_sw, &self.target_hw, &self.other];
        let mut edition = String::new();
        if packed.iter().skip(1).any(|v| **v != CpeValue::Any) {
            for value in packed {
                edition.push('~');
                value.write_uri(&mut edition);
            }
        } else {
            self.edition.write_uri(&mut edition);
        }
        let mut out = String::from("cpe:/");
        for value in [&self.part, &self.vendor, &self.product, &self.version, &self.update] {
            value.write_uri(&mut out);
            out.push(':');
        }
        out.push_str(&edition);
        out.push(':');
        self.language.write_uri(&mut out);
        while out.ends_with(':') {
            out.pop();
        }
        out
    }
}

impl fmt::Display for Cpe {
    /// The 2.3 formatted string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cpe:2.3")?;
        for value in self.attributes() {
            f.write_char(':')?;
            value.write(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings() {
        // formatted string, URI (NISTIR 7695, sections 6.1.2.4 and 6.2.2.3)
        for (fs, uri) in [
            (
                r"cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:*:*:*:*:*",
                "cpe:/a:microsoft:internet_explorer:8.0.6001:beta",
            ),
            (
                r"cpe:2.3:a:microsoft:internet_explorer:8.*:sp?:*:*:*:*:*:*",
                "cpe:/a:microsoft:internet_explorer:8.%02:sp%01",
            ),
            (
                r"cpe:2.3:a:hp:insight_diagnostics:7.4.0.1570:-:*:*:online:win2003:x64:*",
                "cpe:/a:hp:insight_diagnostics:7.4.0.1570:-:~~online~win2003~x64~",
            ),
            (
                r"cpe:2.3:a:foo\\bar:big\$money:2010:*:*:*:special:ipod_touch:80gb:*",
                "cpe:/a:foo%5cbar:big%24money:2010::~~special~ipod_touch~80gb~",
            ),
        ] {
            let from_fs = Cpe::parse(fs).unwrap();
            assert_eq!(from_fs, Cpe::parse(&format!("{uri}  ")).unwrap(), "{uri}");
            assert_eq!((from_fs.to_string().as_str(), from_fs.to_uri().as_str()), (fs, uri));
        }
    }

    #[test]
    fn relations() {
        let v = |t: &str| CpeValue::parse(t).unwrap();
        // source, target, relation (NISTIR 7696, table 6-2)
        for (s, t, r) in [
            ("*", "*", Relation::Equal),
            ("*", "-", Relation::Superset),
            ("*", "x", Relation::Superset),
            ("*", "x*", Relation::Undefined),
            ("-", "*", Relation::Subset),
            ("-", "-", Relation::Equal),
            ("-", "x", Relation::Disjoint),
            ("x", "x", Relation::Equal),
            ("x", "y", Relation::Disjoint),
            ("x", "*", Relation::Subset),
            ("x", "-", Relation::Disjoint),
            ("8.*", "8.1", Relation::Superset),
            ("8.*", "9.1", Relation::Disjoint),
            (r"8.\*", "8.1", Relation::Disjoint),
            ("sp?", "sp3", Relation::Superset),
            ("sp??", "sp3", Relation::Superset),
            ("sp?", "sp31", Relation::Disjoint),
        ] {
            assert_eq!(v(s).relation(&v(t)), r, "{s} {t}");
        }
        let a = Cpe::parse("cpe:2.3:a:v:p:*:*:*:*:*:*:*:*").unwrap();
        let b = Cpe::parse("cpe:2.3:a:v:p:1:*:*:*:*:*:*:*").unwrap();
        assert_eq!((a.relation(&b), b.relation(&a)), (Relation::Superset, Relation::Subset));
    }

    #[test]
    fn hostile_names_are_refused() {
        for bad in ["", "cpe:", "cpe:2.3:a", "cpe:/x:v", "cpe:/a:%zz", "cpe:2.3:a:b:c:d:e:f:g:h:i:j:k\\"] {
            assert!(Cpe::parse(bad).is_err(), "{bad}");
        }
        for forged in [
            "cpe:2.3:a:v:\\\u{e000}:*:*:*:*:*:*:*:*",
            "cpe:2.3:a:v:\\\u{1}:*:*:*:*:*:*:*:*",
            "cpe:/a:v:\u{2}",
        ] {
            assert!(Cpe::parse(forged).is_err(), "{forged:?} holds a wildcard that was not written");
        }
        assert_eq!(Cpe::parse("cpe:/a:v:%02").unwrap().product, CpeValue::Any);
    }

    #[test]
    fn hostile_patterns_cost_no_more_than_their_length() {
        let text = |n| CpeValue::Text("a".repeat(n));
        let long = "?".repeat(1000);
        for (pattern, of, matches) in [
            ("*a".repeat(1000), 900, false),
            ("*a".repeat(900), 900, true),
            (format!("{long}*b*{long}"), 4000, false),
            (format!("{long}a*a{long}"), 2002, true),
            ("?".repeat(1000), 1000, true),
            ("?".repeat(1000), 1001, false),
        ] {
            let pattern = CpeValue::parse(&pattern).unwrap();
            assert_eq!(pattern.matches(&text(of)), matches, "{} of {of}", pattern.matches(&text(1)));
        }
    }
}

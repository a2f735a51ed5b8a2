//! Rules: one statement of one record about one key, as bytes. Bounds are stored as sort keys (for comparison)
//! and as written (for evidence).

use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::record::{Affected, CpeMatch, Source, Target, VersionEntry, VersionStatus, Versions};
use tocsin_model::version::Scheme;

use super::codec::{Reader, put_bytes, put_number, put_strings};
use super::{IndexError, key};

const HAS_LOW: u8 = 1;
const LOW_OPEN: u8 = 2;
const HAS_HIGH: u8 = 4;
const HIGH_CLOSED: u8 = 8;
const EXACT: u8 = 16;
const LOW_BAD: u8 = 32;
const HIGH_BAD: u8 = 64;

/// The CPE attributes beside part, vendor, product, version and update that limit a criterion.
pub(crate) fn limits_of(name: &Cpe) -> [&CpeValue; 6] {
    [&name.edition, &name.language, &name.sw_edition, &name.target_sw, &name.target_hw, &name.other]
}

/// A rule as stored: its key and its body.
pub(crate) type Stored = (Vec<u8>, Vec<u8>);

/// The rules of one `affected` statement.
pub(crate) fn of_affected(affected: &Affected, record: usize, out: &mut Vec<Stored>) {
    let mut body = vec![affected.source as u8];
    put_number(&mut body, record as u64);
    if let (Source::Own, Target::Named { vendor, product }) = (affected.source, &affected.target)
        && vendor.is_empty()
    {
        body.push(3);
        put_versions(&mut body, &affected.versions);
        put_bytes(&mut body, affected.note.as_deref().unwrap_or(""));
        out.extend(key::alone(product).into_iter().map(|key| (key, body.clone())));
        return;
    }
    let key = match &affected.target {
        Target::Package { ecosystem, release, name, qualifiers } => {
            body.push(0);
            put_bytes(&mut body, release);
            put_number(&mut body, qualifiers.len() as u64);
            for (k, v) in qualifiers {
                put_bytes(&mut body, k);
                put_bytes(&mut body, v);
            }
            key::package(*ecosystem, name)
        }
        Target::Cpe(name) => {
            let Some(key) = key::criterion(name) else { return };
            put_cpe(&mut body, name, None);
            key
        }
        Target::Named { vendor, product } => {
            body.push(2);
            key::named(vendor, product)
        }
        Target::OtherPurl(purl) => {
            body.push(2);
            key::other_purl(purl)
        }
    };
    put_versions(&mut body, &affected.versions);
    put_bytes(&mut body, affected.note.as_deref().unwrap_or(""));
    out.push((key, body));
}

/// The rule of a vulnerable NVD criterion; `config` is the number of its configuration in the vulnerability
/// where other components must be asked.
pub(crate) fn of_criterion(
    m: &CpeMatch,
    source: Source,
    record: usize,
    config: Option<usize>,
    out: &mut Vec<Stored>,
) {
    let Some(key) = key::criterion(&m.cpe) else { return };
    let mut body = vec![source as u8];
    put_number(&mut body, record as u64);
    put_cpe(&mut body, &m.cpe, config);
    put_versions(&mut body, &versions_of(m));
    put_bytes(&mut body, "");
    out.push((key, body));
}

/// The versions a criterion means. Bounds apply only where the criterion's version is `*`.
pub(crate) fn versions_of(m: &CpeMatch) -> Versions {
    let mut versions = Versions::new(scheme_of(&m.cpe));
    let affected = VersionStatus::Affected;
    if m.cpe.version == CpeValue::Any && !m.high_closed {
        versions.fixed.extend(m.high.clone());
    }
    match &m.cpe.version {
        CpeValue::Any => versions.entries.push(VersionEntry {
            low: m.low.clone(),
            low_open: m.low_open,
            high: m.high.clone(),
            high_closed: m.high_closed,
            status: affected,
        }),
        CpeValue::Na => {}
        CpeValue::Text(v) => versions.entries.push(VersionEntry::exact(joined(v, &m.cpe.update), affected)),
    }
    versions
}

/// How versions of a CPE product compare.
pub(crate) fn scheme_of(name: &Cpe) -> Scheme {
    match (key::plain(&name.vendor), key::plain(&name.product)) {
        (Some("linux"), Some("linux_kernel")) => Scheme::Kernel,
        _ => Scheme::Generic,
    }
}

/// Version and update as one version: `4.2.8` + `p15` is `4.2.8p15`, `2.0` + `rc1` is `2.0-rc1`.
pub(crate) fn joined(version: &str, update: &CpeValue) -> String {
    match update {
        CpeValue::Text(u)
            if u.len() > 1 && u.starts_with('p') && u[1..].bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{version}{u}")
        }
        CpeValue::Text(u) => format!("{version}-{u}"),
        _ => version.to_owned(),
    }
}

fn put_cpe(body: &mut Vec<u8>, name: &Cpe, config: Option<usize>) {
    body.push(1);
    body.push(match (&name.version, &name.update) {
        (CpeValue::Na, _) => 2,
        (CpeValue::Text(_), CpeValue::Any) => 1, // any update of this version
        _ => 0,
    });
    for value in limits_of(name) {
        match value {
            CpeValue::Any => body.push(0),
            CpeValue::Na => body.push(1),
            CpeValue::Text(t) => {
                body.push(2);
                put_bytes(body, t);
            }
        }
    }
    put_number(body, config.map_or(0, |c| c as u64 + 1));
}

fn put_versions(body: &mut Vec<u8>, v: &Versions) {
    body.extend([v.scheme as u8, v.default as u8]);
    put_bytes(body, v.undecidable.as_deref().unwrap_or(""));
    let kept = without_covered(v);
    put_number(body, kept.len() as u64);
    for e in kept {
        put_entry(body, v.scheme, e);
    }
    put_strings(body, &v.fixed);
}

/// Databases list thousands of versions beside the range that covers them; the range alone decides the same.
fn without_covered(v: &Versions) -> Vec<&VersionEntry> {
    let same = v.entries.iter().all(|e| e.status == VersionStatus::Affected);
    let bound = |b: &Option<String>| b.as_deref().map(|b| v.scheme.key(b)).transpose().ok();
    let ranges: Vec<_> = if same && v.entries.iter().any(VersionEntry::is_exact) {
        v.entries
            .iter()
            .filter(|e| !e.is_exact())
            .filter_map(|e| Some((bound(&e.low)?, e.low_open, bound(&e.high)?, e.high_closed)))
            .collect()
    } else {
        Vec::new()
    };
    let covered = |e: &VersionEntry| {
        let Some(key) = e.low.as_deref().and_then(|l| v.scheme.key(l).ok()) else { return false };
        ranges.iter().any(|(low, low_open, high, high_closed)| {
            low.as_ref().is_none_or(|l| *l < key || (*l == key && !low_open))
                && high.as_ref().is_none_or(|h| key < *h || (key == *h && *high_closed))
        })
    };
    v.entries.iter().filter(|e| ranges.is_empty() || !e.is_exact() || !covered(e)).collect()
}

fn put_entry(body: &mut Vec<u8>, scheme: Scheme, e: &VersionEntry) {
    let keyed = |text: &Option<String>| text.as_deref().map(|t| (scheme.key(t).ok(), t.to_owned()));
    let (low, high) = (keyed(&e.low), keyed(&e.high));
    let mut flags = 0;
    for (on, bit) in [
        (low.is_some(), HAS_LOW),
        (e.low_open, LOW_OPEN),
        (high.is_some(), HAS_HIGH),
        (e.high_closed, HIGH_CLOSED),
        (e.is_exact(), EXACT),
        (matches!(low, Some((None, _))), LOW_BAD),
        (matches!(high, Some((None, _))), HIGH_BAD),
    ] {
        flags |= if on { bit } else { 0 };
    }
    body.extend([flags, e.status as u8]);
    let bounds = if e.is_exact() { vec![low] } else { vec![low, high] };
    for (key, text) in bounds.into_iter().flatten() {
        put_bytes(body, key.unwrap_or_default());
        put_bytes(body, text);
    }
}

/// Status from its number.
fn status(n: u8, at: &Reader<'_>) -> Result<VersionStatus, IndexError> {
    use VersionStatus::*;
    let _ = at;
    [Affected, Unaffected, Unknown, Fixed, UnderInvestigation]
        .into_iter()
        .find(|s| *s as u8 == n)
        .ok_or(IndexError::Foreign)
}

/// What a rule is about beside its key.
#[derive(Clone)]
pub(crate) enum About<'a> {
    /// A package: release of the distribution and qualifiers.
    Package { release: &'a str, qualifiers: Vec<(&'a str, &'a str)> },
    /// A CPE criterion.
    Cpe {
        /// 0: version and update as in the entries; 1: any update of the version; 2: version `-`.
        version: u8,
        /// See [`limits_of`].
        limits: [Limit<'a>; 6],
        /// Number of the configuration in the vulnerability.
        config: Option<usize>,
    },
    /// Named by vendor and product, or by another purl.
    Named,
    /// Named by nothing but its name: whatever meets it does so as a guess.
    Alone,
}

/// A limiting attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limit<'a> {
    Any,
    Na,
    Text(&'a str),
}

/// A rule read back; versions are read on demand.
#[derive(Clone)]
pub(crate) struct Rule<'a> {
    pub source: Source,
    pub record: usize,
    pub about: About<'a>,
    pub scheme: Scheme,
    pub default: VersionStatus,
    pub undecidable: &'a str,
    entries: u64,
    rest: Reader<'a>,
}

/// A version entry read back.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    flags: u8,
    pub status: VersionStatus,
    low: (&'a [u8], &'a str),
    high: (&'a [u8], &'a str),
}

impl<'a> Rule<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Rule<'a>, IndexError> {
        let source = Source::from_u8(r.byte()?).ok_or(IndexError::Foreign)?;
        let record = r.number()? as usize;
        let about = match r.byte()? {
            0 => {
                let release = r.str()?;
                let n = r.number()?;
                let qualifiers =
                    (0..n).map(|_| Ok((r.str()?, r.str()?))).collect::<Result<_, IndexError>>()?;
                About::Package { release, qualifiers }
            }
            1 => {
                let version = r.byte()?;
                let mut limits = [Limit::Any; 6];
                for limit in &mut limits {
                    *limit = match r.byte()? {
                        0 => Limit::Any,
                        1 => Limit::Na,
                        _ => Limit::Text(r.str()?),
                    };
                }
                About::Cpe { version, limits, config: (r.number()? as usize).checked_sub(1) }
            }
            2 => About::Named,
            _ => About::Alone,
        };
        let scheme = Scheme::from_u8(r.byte()?).ok_or(IndexError::Foreign)?;
        let default = status(r.byte()?, &r)?;
        let undecidable = r.str()?;
        let entries = r.number()?;
        Ok(Rule { source, record, about, scheme, default, undecidable, entries, rest: r })
    }

    /// The version entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, IndexError>> + use<'a> {
        let mut rest = self.rest;
        (0..self.entries).map(move |_| read_entry(&mut rest))
    }

    /// Fixed versions as written, and the note.
    pub(crate) fn tail(&self) -> Result<(Vec<String>, String), IndexError> {
        let mut rest = self.rest;
        for _ in 0..self.entries {
            read_entry(&mut rest)?;
        }
        Ok((rest.strings()?, rest.string()?))
    }
}

fn read_entry<'a>(r: &mut Reader<'a>) -> Result<Entry<'a>, IndexError> {
    let flags = r.byte()?;
    let status = status(r.byte()?, r)?;
    let mut bound = |on: bool| if on { Ok((r.bytes()?, r.str()?)) } else { Ok((&[][..], "")) };
    let low = bound(flags & HAS_LOW != 0)?;
    let high = bound(flags & HAS_HIGH != 0 && flags & EXACT == 0)?;
    Ok(Entry { flags, status, low, high })
}

/// Whether an entry covers a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cover {
    Yes,
    No,
    /// A bound or the version cannot be read.
    Unknown,
}

impl<'a> Entry<'a> {
    /// Whether the entry is one exact version.
    pub(crate) fn is_exact(&self) -> bool {
        self.flags & EXACT != 0
    }

    /// Whether the entry covers everything.
    pub(crate) fn is_everything(&self) -> bool {
        self.flags & (HAS_LOW | HAS_HIGH | EXACT) == 0
    }

    /// Whether the version is covered: `key` is its sort key in the rule's scheme (`None`: it has none).
    pub(crate) fn covers(&self, key: Option<&[u8]>, text: Option<&str>) -> Cover {
        if self.is_everything() {
            return Cover::Yes;
        }
        let Some(text) = text else { return Cover::Unknown };
        if self.is_exact() {
            return match key {
                _ if text == self.low.1 => Cover::Yes,
                Some(k) if self.flags & LOW_BAD == 0 && k == self.low.0 => Cover::Yes,
                // two texts that differ and cannot be read are not the same version
                _ => Cover::No,
            };
        }
        let Some(key) = key else { return Cover::Unknown };
        let mut answer = Cover::Yes;
        if self.flags & HAS_LOW != 0 {
            if self.flags & LOW_BAD != 0 {
                answer = Cover::Unknown;
            } else if key < self.low.0 || (key == self.low.0 && self.flags & LOW_OPEN != 0) {
                return Cover::No;
            }
        }
        if self.flags & HAS_HIGH != 0 {
            if self.flags & HIGH_BAD != 0 {
                answer = Cover::Unknown;
            } else if key > self.high.0 || (key == self.high.0 && self.flags & HIGH_CLOSED == 0) {
                return Cover::No;
            }
        }
        answer
    }

    /// Whether the version is at or above an excluded upper bound of an affected range: it holds the fix.
    pub(crate) fn fixed_before(&self, key: Option<&[u8]>) -> bool {
        self.status == VersionStatus::Affected
            && self.flags & (HAS_HIGH | HIGH_CLOSED | HIGH_BAD | EXACT) == HAS_HIGH
            && key.is_some_and(|k| k >= self.high.0)
    }

    /// The range in words: `>=1.5.0 <1.5.10`, `=1.2`, `*`.
    pub(crate) fn words(&self) -> String {
        if self.is_everything() {
            return "*".to_owned();
        }
        if self.is_exact() {
            return format!("={}", self.low.1);
        }
        let mut out = String::new();
        if self.flags & HAS_LOW != 0 {
            out = format!("{}{}", if self.flags & LOW_OPEN != 0 { ">" } else { ">=" }, self.low.1);
        }
        if self.flags & HAS_HIGH != 0 {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(if self.flags & HIGH_CLOSED != 0 { "<=" } else { "<" });
            out.push_str(self.high.1);
        }
        out
    }
}

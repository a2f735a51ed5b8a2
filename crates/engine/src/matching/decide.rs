//! Steps 3 and 4: a rule against a component: versions, distribution release, CPE attributes.

use std::cell::RefCell;

use tocsin_model::cpe::{Cpe, CpeValue};
use tocsin_model::finding::{Confidence, Verdict};
use tocsin_model::record::VersionStatus;
use tocsin_model::version::Scheme;

use super::identity::{Identified, Identity};
use super::names::{ECOSYSTEM_WORDS, target_software};
use crate::index::IndexError;
use crate::index::rule::{About, Cover, Entry, Limit, Rule};

/// A rule's word on a component.
#[derive(Clone)]
pub(crate) struct Word<'a> {
    pub verdict: Verdict,
    pub confidence: Confidence,
    pub range: Range<'a>,
    pub reason: String,
    /// Configuration that other components must be asked about.
    pub config: Option<usize>,
}

/// The range that decided; put into words only for what is shown, since most rules met are dismissed.
#[derive(Clone)]
pub(crate) enum Range<'a> {
    /// A version entry of the rule.
    Entry(Entry<'a>),
    /// No entry: what stands in its place.
    Says(&'static str),
}

impl Range<'_> {
    /// `>=1.5.0 <1.5.10`, `=1.2`, `*`.
    pub(crate) fn words(&self) -> String {
        match self {
            Range::Entry(entry) => entry.words(),
            Range::Says(text) => (*text).to_owned(),
        }
    }
}

/// Sort keys of one version in the schemes that rules ask for; made once each.
pub(crate) struct VersionKeys<'a> {
    text: Option<&'a str>,
    keys: RefCell<Vec<(Scheme, Option<Vec<u8>>)>>,
}

impl<'a> VersionKeys<'a> {
    pub(crate) fn new(text: Option<&'a str>) -> Self {
        VersionKeys { text: text.map(str::trim), keys: RefCell::new(Vec::new()) }
    }

    fn with<T>(&self, scheme: Scheme, f: impl FnOnce(Option<&[u8]>) -> T) -> T {
        let mut keys = self.keys.borrow_mut();
        let at = keys.iter().position(|(s, _)| *s == scheme).unwrap_or_else(|| {
            keys.push((scheme, self.text.and_then(|t| scheme.key(t).ok())));
            keys.len() - 1
        });
        f(keys.get(at).and_then(|(_, k)| k.as_deref()))
    }
}

/// What a rule says of a component under one of its names; `None`: the rule is about something else.
pub(crate) fn apply<'a>(
    rule: &Rule<'a>,
    name: &Identity,
    keys: &VersionKeys<'_>,
    who: &Identified,
) -> Result<Option<Word<'a>>, IndexError> {
    let mut word = Word {
        verdict: Verdict::Undecidable,
        confidence: name.confidence,
        range: Range::Says(""),
        reason: String::new(),
        config: None,
    };
    match &rule.about {
        About::Package { release, qualifiers } => {
            if !release_fits(release, who, &mut word) || !qualifiers_fit(qualifiers, who) {
                return Ok(None);
            }
        }
        About::Cpe { version, limits, config } => {
            word.config = *config;
            match limits_fit(limits, name.cpe.as_ref(), who) {
                Fit::No => return Ok(None),
                Fit::Unknown(why) => word.reason = why,
                Fit::Yes => {}
            }
            let own_version = name.cpe.as_ref().map(|c| &c.version);
            if *version == 2 {
                // criterion version `-`: not applicable, met only by a name that says the same
                if !name.cpe.as_ref().is_some_and(is_hardware) && own_version != Some(&CpeValue::Na) {
                    return Ok(None);
                }
                word.range = Range::Says("version -");
                word.verdict = conditional_if(!word.reason.is_empty());
                return Ok(Some(word));
            }
            if *version == 1
                && let Some(CpeValue::Text(bare)) = own_version
            {
                let bare_keys = VersionKeys::new(Some(bare));
                versions(rule, &bare_keys, &mut word)?;
                return Ok(Some(word));
            }
        }
        About::Named => {}
        About::Alone => word.confidence = Confidence::Inferred,
    }
    versions(rule, keys, &mut word)?;
    Ok(Some(word))
}

/// A device: listed with version `-`, which means it whatever its revision.
pub(crate) fn is_hardware(cpe: &Cpe) -> bool {
    matches!(&cpe.part, CpeValue::Text(part) if part == "h")
}

fn conditional_if(conditional: bool) -> Verdict {
    if conditional { Verdict::Conditional } else { Verdict::Affected }
}

/// A rule for another release says nothing; a component whose release is unknown is matched, less surely.
fn release_fits(release: &str, who: &Identified, word: &mut Word<'_>) -> bool {
    if release.is_empty() {
        return true;
    }
    match &who.release {
        Some(own) => own == release,
        None => {
            word.confidence = Confidence::Inferred;
            word.reason =
                format!("the component does not tell its distribution release; the record is for {release}");
            true
        }
    }
}

/// purl qualifiers of a record limit it to components that do not say otherwise; a module stream must be named.
fn qualifiers_fit(wanted: &[(&str, &str)], who: &Identified) -> bool {
    wanted.iter().all(|(k, v)| {
        let own = who.qualifiers.iter().find(|(q, _)| q == k).map(|(_, own)| own.as_str());
        match (*k, own) {
            ("distro" | "epoch" | "upstream" | "sourcerpm" | "repository_url", _) => true,
            ("rpmmod", own) => own.is_some_and(|own| own.starts_with(v)),
            ("arch", Some(own)) => {
                own == *v
                    || matches!(own, "all" | "noarch" | "src")
                    || matches!(*v, "src" | "source" | "noarch")
            }
            (_, None) => true,
            (_, Some(own)) => own == *v,
        }
    })
}

enum Fit {
    Yes,
    No,
    Unknown(String),
}

/// Compares the attributes beside part, vendor, product and version (NISTIR 7696 section 6, with `*` of the
/// component read as unknown).
fn limits_fit(limits: &[Limit<'_>; 6], own: Option<&Cpe>, who: &Identified) -> Fit {
    const NAMES: [&str; 6] = ["edition", "language", "sw_edition", "target_sw", "target_hw", "other"];
    let any = CpeValue::Any;
    let own = own.map_or([&any; 6], crate::index::rule::limits_of);
    let mut unknown = String::new();
    for ((limit, own), attribute) in limits.iter().zip(own).zip(NAMES) {
        let Limit::Text(wanted) = limit else {
            if *limit == Limit::Na && matches!(own, CpeValue::Text(_)) {
                return Fit::No;
            }
            continue;
        };
        match own {
            CpeValue::Text(own) if own == wanted => {}
            CpeValue::Text(_) | CpeValue::Na => return Fit::No,
            CpeValue::Any if attribute == "target_sw" => match target_fits(wanted, who) {
                Some(true) => {}
                Some(false) => return Fit::No,
                None => {
                    unknown = format!(
                        "the component does not tell its target software; the record asks for {wanted}"
                    )
                }
            },
            CpeValue::Any => {
                unknown = format!("the component does not tell its {attribute}; the record asks for {wanted}")
            }
        }
    }
    if unknown.is_empty() { Fit::Yes } else { Fit::Unknown(unknown) }
}

/// Whether a package of the component's ecosystem is meant by this `target_sw`.
fn target_fits(wanted: &str, who: &Identified) -> Option<bool> {
    let eco = who.ecosystem?;
    if target_software(eco).contains(&wanted) {
        return Some(true);
    }
    ECOSYSTEM_WORDS.contains(&wanted).then_some(false)
}

/// Compares versions: an exact entry first, then the first range that covers, else the default.
fn versions<'a>(rule: &Rule<'a>, keys: &VersionKeys<'_>, word: &mut Word<'a>) -> Result<(), IndexError> {
    let text = keys.text;
    let conditional = !word.reason.is_empty() && matches!(rule.about, About::Cpe { .. });
    keys.with(rule.scheme, |key| {
        let mut hit = None;
        let mut unknown = None;
        let mut fixed = None;
        for entry in rule.entries() {
            let entry = entry?;
            match entry.covers(key, text) {
                Cover::Yes if entry.is_exact() => {
                    hit = Some(entry);
                    break;
                }
                Cover::Yes if hit.is_none() => hit = Some(entry),
                Cover::Unknown => unknown = Some(entry),
                Cover::Yes | Cover::No => {}
            }
            if fixed.is_none() && entry.fixed_before(key) {
                fixed = Some(entry);
            }
        }
        if let Some(entry) = hit {
            word.range = Range::Entry(entry);
            word.verdict = match entry.status {
                VersionStatus::Affected => conditional_if(conditional),
                VersionStatus::Unaffected => Verdict::NotAffected,
                VersionStatus::Fixed => Verdict::Fixed,
                VersionStatus::Unknown | VersionStatus::UnderInvestigation => Verdict::Undecidable,
            };
            return Ok(());
        }
        if unknown.is_some() || (!rule.undecidable.is_empty() && rule.default != VersionStatus::Affected) {
            word.verdict = Verdict::Undecidable;
            word.reason = if unknown.is_none() {
                rule.undecidable.to_owned()
            } else if text.is_none() {
                "the component has no version".to_owned()
            } else {
                format!("version or bound cannot be read as a {} version", rule.scheme.as_str())
            };
            word.range = unknown.map_or(Range::Says(""), Range::Entry);
            return Ok(());
        }
        if let Some(entry) = fixed {
            word.range = Range::Entry(entry);
            word.verdict = Verdict::Fixed;
            return Ok(());
        }
        word.verdict = match rule.default {
            VersionStatus::Affected if text.is_none() => Verdict::Undecidable,
            VersionStatus::Affected => conditional_if(conditional),
            VersionStatus::Unaffected => Verdict::NotAffected,
            VersionStatus::Fixed => Verdict::Fixed,
            VersionStatus::Unknown | VersionStatus::UnderInvestigation => Verdict::Undecidable,
        };
        word.range = Range::Says(match word.verdict {
            Verdict::Affected | Verdict::Conditional => "every version not named otherwise",
            _ => "outside every range",
        });
        Ok(())
    })
}

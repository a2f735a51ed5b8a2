//! Signatures of a provider's documents (CSAF 2.0, sections 7.1.18 to 7.1.20): its keys are fetched and compared with
//! their fingerprints, those that it showed first are trusted, and each document is checked against the signature that
//! stands beside it.

use serde::Deserialize;
use tocsin_core::intel::feeds::{Signed, Signer};
use tocsin_core::platform::clock;

use super::read;
use crate::feeds::openpgp::{self, Certificate};
use crate::feeds::{Stop, Walk};
use crate::outbound::Refused;

/// Keys of a provider that are looked at.
const KEYS: usize = 20;
/// Longest key file and longest signature, in bytes.
const KEY: u64 = 1 << 20;

/// A key as a provider's description names it (section 3.2.6 of its schema).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    fingerprint: Option<String>,
    url: String,
}

/// What a provider's documents are checked with.
pub(super) struct Signers {
    owner: String,
    keys: Vec<Certificate>,
    /// A document without a signature is not taken.
    must: bool,
    /// It has never shown a key.
    keyless: bool,
    now: i64,
    counts: Signed,
}

/// Whether a provider's documents must be signed, by the setting `signed`.
fn must(setting: &str, owner: &str) -> bool {
    setting.split(',').map(str::trim).filter(|p| !p.is_empty()).any(|p| p == "all" || p == owner)
}

impl Signers {
    /// The keys of a provider, fetched and compared with those that are known of it.
    pub(super) fn of(walk: &mut Walk<'_>, owner: &str, named: &[Named]) -> Result<Signers, Stop> {
        let (mut keys, mut whys) = (Vec::new(), Vec::new());
        for key in named.iter().filter(|k| !k.url.is_empty()).take(KEYS) {
            match fetched(walk, key) {
                Ok(found) => keys.extend(found),
                Err(Stop::Refused(e @ (Refused::Status(..) | Refused::Long(..)))) => whys.push(e.to_string()),
                Err(Stop::Changed(why)) => whys.push(why),
                Err(other) => return Err(other),
            }
        }
        let mut prints: Vec<String> = keys.iter().map(|k: &Certificate| k.fingerprint.clone()).collect();
        prints.sort_unstable();
        prints.dedup();
        let known = walk.keys_shown(owner, &prints)?;
        let must = must(walk.option("signed").unwrap_or_default(), owner);
        let waiting: Vec<&Signer> =
            known.iter().filter(|k| !k.trusted && prints.contains(&k.fingerprint)).collect();
        keys.retain(|k| known.iter().any(|s| s.trusted && s.fingerprint == k.fingerprint));
        let keyless = keys.is_empty();
        if keyless && !known.is_empty() {
            return Err(Stop::Changed(gone(&known, &waiting, &whys)));
        }
        if keyless && must {
            let told = whys.first().map(|w| format!(" ({w})")).unwrap_or_default();
            return Err(Stop::Changed(format!(
                "its documents must be signed, and it has no key that could be checked with{told}; see the setting `signed`"
            )));
        }
        for why in whys {
            walk.pass_over(owner, Stop::Changed(format!("a key of it could not be had: {why}")))?;
        }
        for key in waiting {
            walk.pass_over(owner, Stop::Changed(another(key)))?;
        }
        let now = clock::seconds(&walk.now);
        Ok(Signers { owner: owner.to_owned(), keys, must, keyless, now, counts: Signed::default() })
    }

    /// Checks a document against the signature at these addresses, the first of which that is there counts.
    pub(super) fn check(&mut self, walk: &mut Walk<'_>, bytes: &[u8], places: &[String]) -> Result<(), Stop> {
        let came = self.look(walk, bytes, places);
        match &came {
            Ok(true) => self.counts.signed += 1,
            Ok(false) => self.counts.unsigned += 1,
            Err(Stop::Changed(_)) => self.counts.refused += 1,
            Err(_) => {}
        }
        came.map(|_| ())
    }

    fn look(&self, walk: &mut Walk<'_>, bytes: &[u8], places: &[String]) -> Result<bool, Stop> {
        // of a provider without keys a signature says nothing
        for place in places.iter().filter(|_| !self.keyless) {
            let file = match walk.whole(place, "signature.asc") {
                Err(Stop::Refused(Refused::Status(_, 403 | 404 | 410))) => continue,
                other => other?,
            };
            let signature = read(&file.path, KEY).map_err(|why| walk.changed(&why, &file))?;
            return match openpgp::check(&signature, bytes, &self.keys, self.now) {
                Ok(_) => Ok(true),
                Err(why) => Err(Stop::Changed(format!("its signature {place} is not good: {why}"))),
            };
        }
        if self.must {
            return Err(Stop::Changed("it bears no signature, which the setting `signed` wants".to_owned()));
        }
        Ok(false)
    }

    /// Notes what the signatures came to, where there were any documents.
    pub(super) fn end(&self, walk: &mut Walk<'_>) -> Result<(), Stop> {
        if self.counts == Signed::default() {
            return Ok(());
        }
        walk.signed(&self.owner, &self.counts)
    }
}

/// A key that is not the one that was known.
fn another(key: &Signer) -> String {
    format!(
        "it shows a key that was not known, {}: what is signed with it is not taken in until an administrator accepts it, on \
         the source's page or with tocsin feeds set csaf --accept-key {}",
        key.fingerprint, key.fingerprint
    )
}

fn gone(known: &[Signer], waiting: &[&Signer], whys: &[String]) -> String {
    let first = known.first();
    let (print, seen) = first.map_or(("", ""), |k| (k.fingerprint.as_str(), k.seen.as_str()));
    let told = whys.first().map(|w| format!(" ({w})")).unwrap_or_default();
    let nothing = format!("it no longer shows the key {print} known since {seen}{told}");
    match waiting.first() {
        Some(key) => format!("{nothing}; {}. Nothing of it is taken in", another(key)),
        None => format!(
            "{nothing}. Nothing of it is taken in; if the provider does without a key now, forget the key on the source's \
             page or with tocsin feeds set csaf --forget-key {print}"
        ),
    }
}

/// The keys behind an entry; with a fingerprint, that one alone (section 7.1.20).
fn fetched(walk: &mut Walk<'_>, named: &Named) -> Result<Vec<Certificate>, Stop> {
    let file = walk.whole(&named.url, "key.asc")?;
    let bad = |why: String| Stop::Changed(format!("{}: {why}", named.url));
    let bytes = read(&file.path, KEY).map_err(bad)?;
    let mut keys = openpgp::certificates(&bytes).map_err(bad)?;
    if let Some(wanted) = named.fingerprint.as_deref().filter(|f| !f.trim().is_empty()) {
        let wanted = openpgp::plain(wanted);
        keys.retain(|k| k.fingerprint == wanted);
        if keys.is_empty() {
            return Err(bad(format!("it is not the key {wanted} that the provider's description names")));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_whose_documents_must_be_signed_are_named() {
        assert!(must("all", "x") && must("a.example, x", "x"));
        assert!(!must("", "x") && !must("xx", "x"));
    }
}

//! Identifiers, versions, ranges and scores: short texts with laws.

use std::cmp::Ordering;

use tocsin_model::cpe::Cpe;
use tocsin_model::ecosystem;
use tocsin_model::purl::Purl;
use tocsin_model::severity::Cvss;
use tocsin_model::version::Scheme;
use tocsin_model::version::vers::Range;

use super::check::choose;

/// Package URLs: what is read is written so that it is read the same.
pub fn purl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(purl) = Purl::parse(text) else { return };
    ecosystem::of_purl(&purl);
    let again = Purl::parse(&purl.to_string());
    assert_eq!(again.as_ref(), Ok(&purl), "{text:?} was written as {purl}");
}

/// CPE names, both bindings: writing and reading again changes nothing, and a name's relations are those of sets.
pub fn cpe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (a, b) = text.split_once('\n').unwrap_or((text, text));
    let (Ok(a), Ok(b)) = (Cpe::parse(a), Cpe::parse(b)) else { return };
    let written = a.to_string();
    assert_eq!(Cpe::parse(&written).as_ref(), Ok(&a), "{text:?} was written as {written}");
    let uri = a.to_uri();
    assert!(Cpe::parse(&uri).is_ok(), "{text:?} was written as {uri}");
    a.relation(&b);
    for (x, y) in a.attributes().into_iter().zip(b.attributes()) {
        x.relation(y);
        x.matches(y);
    }
}

/// CVSS vectors of every version: scores stay in their bounds.
pub fn cvss(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(cvss) = Cvss::parse(text) else { return };
    assert!((0.0..=10.0).contains(&cvss.score), "{text:?}: {}", cvss.score);
    assert!((0.0..=10.0).contains(&cvss.base_score()), "{text:?}: {}", cvss.base_score());
    cvss.severity();
}

/// Version order: the first byte chooses the scheme, lines are versions. Keys must stay short, equal texts must
/// have equal keys, and a text must not become another version by white space around it.
///
/// Order is that of keys as bytes, so it is total by construction; what could break is the key itself.
pub fn versions(data: &[u8]) {
    let (choice, data) = choose(data);
    let Some(scheme) = Scheme::from_u8(choice as u8 % 23) else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let versions: Vec<&str> = text.split('\n').take(3).collect();
    for v in &versions {
        let Ok(key) = scheme.key(v) else { continue };
        assert!(key.len() <= v.len() * 10 + 64, "{scheme:?} {v:?}: a key of {} bytes", key.len());
        assert_eq!(scheme.key(&format!(" {v} ")).as_ref(), Ok(&key), "{scheme:?} {v:?}");
        assert_eq!(scheme.compare(v, v), Some(Ordering::Equal));
    }
    let [a, b, c] = versions[..] else { return };
    let compare = |x, y| scheme.compare(x, y);
    assert_eq!(compare(a, b), compare(b, a).map(Ordering::reverse), "{scheme:?} {a:?} {b:?}");
    if let (Some(ab), Some(bc), Some(ac)) = (compare(a, b), compare(b, c), compare(a, c)) {
        assert!(ab != bc || ab == ac, "{scheme:?} {a:?} {b:?} {c:?}");
        assert!(ab.is_ne() || bc == ac, "{scheme:?} {a:?} {b:?} {c:?}");
    }
}

/// VERS ranges: the first line is the range, the others are versions asked for.
pub fn vers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (range, versions) = text.split_once('\n').unwrap_or((text, "1.0"));
    if let Ok(canonical) = Range::parse_canonical(range) {
        assert!(Range::parse(range).is_ok(), "canonical and not readable: {range:?}");
        assert_eq!(Range::parse_canonical(&canonical.to_string()).as_ref(), Ok(&canonical));
    }
    let Ok(range) = Range::parse(range) else { return };
    for version in versions.split('\n').take(8) {
        range.contains(version);
    }
}

//! What a piece of text is, by its content alone.

use super::RawKind;
use super::frame;
use crate::{advisory, rustsec};

/// What one JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A record.
    Record(RawKind),
    /// An OpenVEX document.
    OpenVex,
    /// A CycloneDX document.
    CycloneDx,
    /// A CAPEC attack pattern in STIX.
    AttackPattern,
    /// None of these.
    Other,
}

fn starts_with_text(value: &[u8], text: &str) -> bool {
    value.strip_prefix(b"\"").is_some_and(|v| v.starts_with(text.as_bytes()))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|w| w == word)
}

/// Recognises one JSON value by the keys of its outermost object.
pub(super) fn of_json(bytes: &[u8]) -> Shape {
    let (mut id, mut osv, mut nvd) = (false, false, false);
    let (mut pattern, mut packages, mut repository) = (false, false, false);
    let (mut vulnerable, mut patched) = (false, false);
    let (mut group, mut photon, mut euvd) = (false, false, false);
    let mut shape = Shape::Other;
    frame::keys(bytes, |key, value| {
        let opens = value.first() == Some(&b'{');
        match key {
            b"id" => {
                id = value.first() == Some(&b'"');
                euvd = starts_with_text(value, "EUVD-");
            }
            b"enisaUuid" | b"enisaIdProduct" | b"enisaIdVendor" | b"dateUpdated" if euvd => {
                shape = Shape::Record(RawKind::Euvd);
            }
            b"vulndb_id" if value.first().is_some_and(u8::is_ascii_digit) => {
                shape = Shape::Record(RawKind::VulnDb);
            }
            b"affected" | b"schema_version" | b"modified" => osv = true,
            b"vulnStatus" | b"sourceIdentifier" => nvd = true,
            b"cveMetadata" if opens => shape = Shape::Record(RawKind::Cve),
            b"dataType" if starts_with_text(value, "CVE_RECORD") => shape = Shape::Record(RawKind::Cve),
            b"cve" if opens => shape = Shape::Record(RawKind::Nvd),
            b"bomFormat" if starts_with_text(value, "CycloneDX") => shape = Shape::CycloneDx,
            b"type" => pattern = starts_with_text(value, "attack-pattern\""),
            b"external_references" | b"x_capec_version" => {
                let head = value.get(..value.len().min(512)).unwrap_or(value);
                if key == b"x_capec_version" || contains(head, b"\"CAPEC-") {
                    shape = Shape::AttackPattern;
                }
            }
            b"reponame" | b"distroversion" => repository = true,
            b"packages" | b"secfixes" => packages = true,
            b"name" if starts_with_text(value, "AVG-") => group = true,
            b"issues" if group => shape = Shape::Record(RawKind::Arch),
            b"cve_id" => photon = true,
            b"res_ver" if photon => shape = Shape::Record(RawKind::Photon),
            b"vulnerable_versions" | b"vulnerable" => vulnerable = true,
            b"patched_versions" | b"patched" => patched = true,
            b"@context" => {
                let head = value.get(..value.len().min(256)).unwrap_or(value);
                if contains(head, b"openvex.dev/ns") {
                    shape = Shape::OpenVex;
                }
            }
            b"document" if opens => frame::keys(value, |inner, _| {
                if inner == b"csaf_version" {
                    shape = Shape::Record(RawKind::Csaf);
                }
                shape == Shape::Other
            }),
            _ => {}
        }
        shape == Shape::Other && !(id && (osv || nvd))
    });
    match shape {
        // the mark of CAPEC counts on an attack pattern alone
        Shape::AttackPattern if !pattern && !contains(bytes, b"\"attack-pattern\"") => Shape::Other,
        Shape::Other if packages && repository => Shape::Record(RawKind::Secdb),
        Shape::Other if vulnerable && patched => Shape::Record(RawKind::Node),
        Shape::Other if id && nvd => Shape::Record(RawKind::Nvd),
        Shape::Other if id && osv => Shape::Record(RawKind::Osv),
        other => other,
    }
}

/// Recognises an advisory in Markdown (RustSec) or YAML (PyPA, OSS-Fuzz, R) by its beginning.
pub(super) fn of_text(head: &[u8]) -> Option<RawKind> {
    if rustsec::recognise(head) {
        return Some(RawKind::RustSec);
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let has = |keys: &[&str]| {
        text.lines().any(|l| keys.iter().any(|k| l.strip_prefix(k).is_some_and(|r| r.starts_with(':'))))
    };
    if has(&["packages"]) && has(&["distroversion", "reponame"]) {
        return Some(RawKind::Secdb);
    }
    if let Some(kind) = advisory::recognise_yaml(text) {
        return Some(kind);
    }
    // Long descriptions may put `affected` far behind; PyPA's begin with the id and `details` or `modified`.
    (has(&["id"]) && has(&["affected", "modified", "details", "schema_version"])).then_some(RawKind::Osv)
}

/// Whether a large document is the Debian security tracker's: an object of packages, each an object of flaws.
pub(super) fn is_debian_tracker(head: &[u8]) -> bool {
    let mut found = false;
    frame::keys(head, |_, issues| {
        frame::keys(issues, |id, issue| {
            found = (id.starts_with(b"CVE-") || id.starts_with(b"TEMP-"))
                && issue.first() == Some(&b'{')
                && contains(issue, b"\"releases\"");
            false
        });
        false
    });
    found
}

/// Keys of lists that hold records inside an outer object.
const LISTS: &[&[u8]] = &[b"vulnerabilities", b"CVE_Items", b"vulns", b"objects", b"items", b"results"];

/// Where the list of records begins in the head of a large document: offset just inside its `[`, and its key.
/// `None`: the object is a document of its own.
pub(super) fn list_of_records(head: &[u8]) -> Option<(usize, &'static str)> {
    let mut found = None;
    frame::keys(head, |key, value| {
        let Some(known) = LISTS.iter().find(|k| **k == key) else { return true };
        let Some(inside) = value.strip_prefix(b"[") else { return true };
        let first = inside.trim_ascii_start();
        let record = match of_json(first) {
            Shape::Record(RawKind::Nvd) => true,
            Shape::Record(RawKind::Euvd) => **known == *b"items",
            Shape::Record(RawKind::VulnDb) => **known == *b"results",
            Shape::Record(RawKind::Osv) => **known == *b"vulns",
            // of a bundle of STIX objects the first need not be an attack pattern
            _ if **known == *b"objects" => {
                contains(first, b"\"x_capec_version\"") || contains(first, b"\"CAPEC-")
            }
            _ => false,
        };
        if record {
            found = std::str::from_utf8(known).ok().map(|k| (head.len() - inside.len(), k));
        }
        !record
    });
    found
}

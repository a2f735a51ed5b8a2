//! Vulnerability intelligence: the stream splitter and every record format.

use std::ops::ControlFlow;

use tocsin_formats::exploitation::{Format, read, recognise};
use tocsin_formats::intel::{Item, RawKind};
use tocsin_formats::{
    catalogue as catalogue_reader, csaf as csaf_reader, jvn, misp, openvex as openvex_reader, stix,
};

use super::check::{check_diagnostic, check_record, check_stream, choose};

/// The stream splitter of `db import`, and the parsers behind it.
pub fn intel_split(data: &[u8]) {
    check_stream("a", data);
}

/// OSV records, JSON and YAML.
pub fn osv(data: &[u8]) {
    check_record(RawKind::Osv, data);
}

/// CVE records 5.x.
pub fn cve(data: &[u8]) {
    check_record(RawKind::Cve, data);
}

/// NVD items, API 2.0 and feed 1.1.
pub fn nvd(data: &[u8]) {
    check_record(RawKind::Nvd, data);
}

/// CSAF documents, as advisories and as VEX.
pub fn csaf(data: &[u8]) {
    check_record(RawKind::Csaf, data);
    let _ = csaf_reader::vex(data);
}

/// RustSec advisories: Markdown with a TOML head.
pub fn rustsec(data: &[u8]) {
    check_record(RawKind::RustSec, data);
}

/// RubySec, FriendsOfPHP, Node.js and Victims advisories: the first byte chooses.
pub fn advisory(data: &[u8]) {
    const KINDS: [RawKind; 4] = [RawKind::RubySec, RawKind::Composer, RawKind::Node, RawKind::Victims];
    let (choice, data) = choose(data);
    check_record(KINDS[choice % 4], data);
}

/// Records of distributions' trackers: the first byte chooses.
pub fn distro(data: &[u8]) {
    const KINDS: [RawKind; 4] = [RawKind::Secdb, RawKind::DebianTracker, RawKind::Arch, RawKind::Photon];
    let (choice, data) = choose(data);
    check_record(KINDS[choice % 4], data);
}

/// CWE and CAPEC: the first byte chooses the reader.
pub fn catalogue(data: &[u8]) {
    use catalogue_reader::Format;
    catalogue_reader::recognise(data);
    let (choice, mut data) = choose(data);
    let Some(format) = [Format::Xml, Format::Csv, Format::List].get(choice % 4) else {
        if let Err(d) = catalogue_reader::stix(data) {
            check_diagnostic(&d);
        }
        return;
    };
    let outcome = catalogue_reader::read(*format, &mut data, "cwe_4.20_2026-04-30", &mut |item| {
        if let Item::Problem(d, _) = item {
            check_diagnostic(&d);
        }
        ControlFlow::Continue(())
    });
    if let Err(d) = outcome {
        check_diagnostic(&d);
    }
}

/// OpenVEX documents.
pub fn openvex(data: &[u8]) {
    openvex_reader::recognise(data);
    match openvex_reader::read(data) {
        Ok((_, remarks)) => remarks.iter().for_each(check_diagnostic),
        Err(d) => check_diagnostic(&d),
    }
}

/// Readers of exploitation facts.
const FORMATS: [Format; 4] = [Format::KevJson, Format::Table, Format::MetasploitJson, Format::Lines];

/// KEV, EPSS, Exploit-DB, Metasploit and lists of links: the first byte chooses the reader.
pub fn exploitation(data: &[u8]) {
    recognise(data);
    let (choice, mut data) = choose(data);
    let outcome = read(FORMATS[choice % 4], &mut data, "a", &mut |item| {
        if let Item::Problem(d, _) = item {
            check_diagnostic(&d);
        }
        ControlFlow::Continue(())
    });
    if let Err(d) = outcome {
        check_diagnostic(&d);
    }
}

/// Records of EUVD, JVN iPedia and VulnDB: the first byte chooses; and the lists of JVN.
pub fn databases(data: &[u8]) {
    const KINDS: [RawKind; 3] = [RawKind::Euvd, RawKind::Jvn, RawKind::VulnDb];
    let (choice, data) = choose(data);
    match KINDS.get(choice % 4) {
        Some(kind) => check_record(*kind, data),
        None => {
            if let Err(d) = jvn::overview(data) {
                check_diagnostic(&d);
            }
        }
    }
}

/// What communities share: STIX envelopes, MISP events and manifests; the first byte chooses. A text is bounded whatever the
/// input was.
pub fn shared(data: &[u8]) {
    let (choice, data) = choose(data);
    let reports = match choice % 3 {
        0 => stix::envelope(data).map(|e| e.reports),
        1 => misp::event(data).map(|r| vec![r]),
        _ => misp::manifest(data).map(|_| Vec::new()),
    };
    match reports {
        Ok(reports) => {
            for r in reports {
                assert!(!r.id.is_empty() && !r.title.is_empty(), "a report without a name");
                assert!(r.text.len() < 256 << 10, "a text of {} bytes", r.text.len());
            }
        }
        Err(d) => check_diagnostic(&d),
    }
}

/// The list of products of endoflife.date.
pub fn lifecycle(data: &[u8]) {
    match tocsin_formats::lifecycle::read(data) {
        Ok((products, remarks)) => {
            remarks.iter().for_each(check_diagnostic);
            for p in products {
                assert!(!p.keys.is_empty() && !p.series.is_empty());
                // what was read as a key is the key of itself
                for key in &p.keys {
                    let kind = if key.starts_with("cpe:") { "cpe" } else { "purl" };
                    assert_eq!(tocsin_formats::lifecycle::key(kind, key).as_ref(), Some(key));
                }
            }
        }
        Err(d) => check_diagnostic(&d),
    }
}

//! Behaviour of matching through the public API: records in, verdicts out. Format readers are tested in their
//! own crate; the cases with real records are under `testdata/matching/`.

use std::sync::Arc;

use tocsin_model::bom::{Bom, Component, ComponentKind};
use tocsin_model::cpe::Cpe;
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::finding::{Confidence, Verdict};
use tocsin_model::purl::Purl;
use tocsin_model::record::*;
use tocsin_model::version::Scheme;
use tocsin_model::vex::{VexProduct, VexStatement, VexStatus};

use super::{Finding, Options, Report, scan};
use crate::index::{Bytes, FactsBuilder, Group, Index, SegmentBuilder, encode};

fn segment(groups: &[Group], replaced: &[&str]) -> Bytes {
    let mut builder = SegmentBuilder::default();
    for g in groups {
        builder.push(encode(g));
    }
    for id in replaced {
        builder.replace(id);
    }
    Arc::new(builder.finish())
}

fn index(groups: &[Group]) -> Index {
    Index::open(vec![segment(groups, &[])], None).unwrap()
}

fn group(id: &str, records: Vec<Record>) -> Group {
    Group { id: id.to_owned(), aliases: Vec::new(), records }
}

fn entry(low: &str, high: &str) -> VersionEntry {
    let bound = |t: &str| Some(t.to_owned()).filter(|t| !t.is_empty());
    VersionEntry::range(bound(low), bound(high), VersionStatus::Affected)
}

fn package(source: Source, eco: Ecosystem, release: &str, name: &str, entries: Vec<VersionEntry>) -> Record {
    let mut versions = Versions::new(eco.scheme());
    versions.fixed = entries.iter().filter_map(|e| e.high.clone()).collect();
    versions.entries = entries;
    let target =
        Target::Package { ecosystem: eco, release: release.into(), name: name.into(), qualifiers: vec![] };
    Record {
        id: format!("{}-1", source.as_str().to_uppercase()),
        affected: vec![Affected { target, source, versions, symbols: vec![], note: None }],
        ..Record::default()
    }
}

fn criterion(cpe: &str, high: &str, vulnerable: bool) -> CpeMatch {
    let high = Some(high.to_owned()).filter(|h| !h.is_empty());
    CpeMatch {
        vulnerable,
        cpe: Cpe::parse(cpe).unwrap(),
        low: None,
        low_open: false,
        high,
        high_closed: false,
    }
}

fn nvd(nodes: Vec<Vec<CpeMatch>>) -> Record {
    let and = nodes.len() > 1;
    let nodes = nodes.into_iter().map(|matches| Node { matches, ..Node::default() }).collect();
    Record {
        id: "CVE-2020-1".into(),
        configurations: vec![Configuration { and, negate: false, nodes }],
        ..Record::default()
    }
}

fn by_purl(purl: &str) -> Component {
    let p = Purl::parse(purl).unwrap();
    Component {
        reference: purl.into(),
        name: p.name.clone(),
        version: p.version.clone(),
        purl: Some(p),
        ..Component::default()
    }
}

fn by_cpe(cpe: &str) -> Component {
    Component {
        reference: cpe.into(),
        name: "x".into(),
        cpes: vec![Cpe::parse(cpe).unwrap()].into(),
        ..Component::default()
    }
}

fn bom(components: Vec<Component>) -> Bom {
    Bom { components, ..Bom::default() }
}

fn run(index: &Index, components: Vec<Component>) -> Report {
    let options = Options { min_confidence: Confidence::Inferred, explain: false };
    scan(index, &bom(components), &[], &options).unwrap()
}

/// Status and confidence of the only finding, if there is one.
fn one(report: &Report) -> Option<(Verdict, Confidence)> {
    assert!(
        report.findings.len() <= 1,
        "{:?}",
        report.findings.iter().map(|f| &f.vulnerability.id).collect::<Vec<_>>()
    );
    report.findings.first().map(|f: &Finding| (f.status, f.confidence))
}

#[test]
fn a_fixed_version_is_no_finding_and_the_fix_is_named() {
    let i = index(&[group(
        "CVE-1",
        vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("1.0.0", "1.2.0")])],
    )]);
    let report = run(&i, vec![by_purl("pkg:npm/a@1.1.9")]);
    assert_eq!(one(&report), Some((Verdict::Affected, Confidence::Exact)));
    assert_eq!(report.findings[0].fixed_versions, ["1.2.0"]);
    assert_eq!(report.findings[0].evidence[0].range, ">=1.0.0 <1.2.0");
    assert_eq!(report.findings[0].evidence[0].record, "GHSA-1");
    assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/a@1.2.0")])), None);
    assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/a@0.9.0")])), None);
}

#[test]
fn an_unreadable_version_is_never_affected() {
    let i = index(&[group(
        "CVE-1",
        vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "1.2.0")])],
    )]);
    for v in ["latest", "*", "unknown"] {
        let mut c = by_purl("pkg:npm/a");
        c.version = Some(v.into());
        assert_eq!(one(&run(&i, vec![c])), None, "{v}");
    }
    assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/a")])), None);
}

#[test]
fn a_range_without_ends_covers_a_component_without_version() {
    let i =
        index(&[group("MAL-1", vec![package(Source::Osv, Ecosystem::Npm, "", "bad", vec![entry("", "")])])]);
    assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/bad")])), Some((Verdict::Affected, Confidence::Exact)));
}

#[test]
fn an_unreadable_bound_decides_nothing() {
    let i = index(&[group(
        "CVE-1",
        vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("1.0.0", "latest")])],
    )]);
    assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/a@1.5.0")])), None);
}

#[test]
fn each_release_of_a_distribution_answers_for_itself() {
    let of = |release: &str, fixed: &str| {
        package(Source::Distribution, Ecosystem::Debian, release, "expat", vec![entry("", fixed)])
    };
    let i = index(&[group("CVE-1", vec![of("12", "2.5.0-1+deb12u1"), of("13", "2.6.2-2")])]);
    let status = |purl: &str| one(&run(&i, vec![by_purl(purl)]));
    let sure = Some((Verdict::Affected, Confidence::Exact));
    assert_eq!(status("pkg:deb/debian/expat@2.5.0-1+deb12u1?distro=debian-12"), None);
    assert_eq!(status("pkg:deb/debian/expat@2.5.0-1?distro=bookworm"), sure);
    assert_eq!(status("pkg:deb/debian/expat@2.5.0-1+deb12u1?distro=debian-13"), sure);
    // the version's own mark tells the release
    assert_eq!(status("pkg:deb/debian/expat@2.5.0-1+deb12u1"), None);
    // no release at all: every release is a candidate, less surely
    assert_eq!(status("pkg:deb/debian/expat@2.4.0-1"), Some((Verdict::Affected, Confidence::Inferred)));
    // binary package by its source
    assert_eq!(status("pkg:deb/debian/libexpat1@2.5.0-1?distro=debian-12&upstream=expat"), sure);
}

#[test]
fn the_document_tells_the_release_of_its_packages() {
    let i = index(&[group(
        "CVE-1",
        vec![package(Source::Distribution, Ecosystem::Alpine, "3.18", "curl", vec![entry("", "8.4.0-r0")])],
    )]);
    let os = |v: &str| Component {
        name: "alpine".into(),
        version: Some(v.into()),
        kind: ComponentKind::OperatingSystem,
        ..Component::default()
    };
    let curl = || by_purl("pkg:apk/alpine/curl@8.3.0-r0");
    assert_eq!(one(&run(&i, vec![os("3.18.4"), curl()])), Some((Verdict::Affected, Confidence::Exact)));
    assert_eq!(one(&run(&i, vec![os("3.17.1"), curl()])), None);
}

#[test]
fn the_distributor_overrules_the_upstream_range() {
    let upstream = nvd(vec![vec![criterion("cpe:2.3:a:vim:vim:*:*:*:*:*:*:*:*", "9.0.2000", true)]]);
    let fixed =
        package(Source::Distribution, Ecosystem::Debian, "12", "vim", vec![entry("", "2:9.0.1378-2")]);
    let mut c = by_purl("pkg:deb/debian/vim@2:9.0.1378-2?distro=debian-12");
    c.cpes = vec![Cpe::parse("cpe:2.3:a:vim:vim:9.0.1378:*:*:*:*:*:*:*").unwrap()].into();
    let merged = index(&[group("CVE-2020-1", vec![upstream.clone(), fixed.clone()])]);
    assert_eq!(one(&run(&merged, vec![c.clone()])), None);
    // the same when the distributor's record only links to the flaw
    let linked = Record { upstream: vec!["CVE-2020-1".into()], ..fixed };
    let apart = index(&[group("CVE-2020-1", vec![upstream.clone()]), group("DEBIAN-1", vec![linked])]);
    assert_eq!(one(&run(&apart, vec![c.clone()])), None);
    // silent distributor: the declared CPE stands
    assert_eq!(
        one(&run(&index(&[group("CVE-2020-1", vec![upstream])]), vec![c])),
        Some((Verdict::Affected, Confidence::Declared))
    );
}

#[test]
fn target_software_tells_the_ecosystem() {
    let i = index(&[group(
        "CVE-1",
        vec![nvd(vec![vec![criterion("cpe:2.3:a:parser:parser:*:*:*:*:*:wordpress:*:*", "2.0", true)]])],
    )]);
    assert_eq!(one(&run(&i, vec![by_purl("pkg:pypi/parser@1.0")])), None);
    let declared =
        |sw: &str| one(&run(&i, vec![by_cpe(&format!("cpe:2.3:a:parser:parser:1.0:*:*:*:*:{sw}:*:*"))]));
    assert_eq!(declared("wordpress"), Some((Verdict::Affected, Confidence::Declared)));
    assert_eq!(declared("node.js"), None);
    assert_eq!(declared("*"), Some((Verdict::Conditional, Confidence::Declared)));
}

#[test]
fn platforms_are_asked_for_in_the_release() {
    let firmware = "cpe:2.3:o:acme:gate_firmware:*:*:*:*:*:*:*:*";
    let i = index(&[group(
        "CVE-1",
        vec![nvd(vec![
            vec![criterion(firmware, "2.0", true)],
            vec![criterion("cpe:2.3:h:acme:gate:-:*:*:*:*:*:*:*", "", false)],
        ])],
    )]);
    let ours = || by_cpe("cpe:2.3:o:acme:gate_firmware:1.5:*:*:*:*:*:*:*");
    assert_eq!(one(&run(&i, vec![ours()])), Some((Verdict::Conditional, Confidence::Declared)));
    let with = run(&i, vec![ours(), by_cpe("cpe:2.3:h:acme:gate:-:*:*:*:*:*:*:*")]);
    assert_eq!(one(&with), Some((Verdict::Affected, Confidence::Declared)));
}

#[test]
fn a_wildcard_of_the_component_is_no_licence() {
    let all_of_amd = nvd(vec![vec![criterion("cpe:2.3:h:amd:*:*:*:*:*:*:*:*:*", "", true)]]);
    let i = index(&[group("CVE-1", vec![all_of_amd])]);
    assert_eq!(one(&run(&i, vec![by_cpe("cpe:2.3:a:*:zstandard:1.5.2:*:*:*:*:*:*:*")])), None);
    assert_eq!(
        one(&run(&i, vec![by_cpe("cpe:2.3:h:amd:epyc:-:*:*:*:*:*:*:*")])),
        Some((Verdict::Affected, Confidence::Declared))
    );
}

#[test]
fn the_update_is_part_of_the_version() {
    let i = index(&[group(
        "CVE-1",
        vec![nvd(vec![vec![criterion("cpe:2.3:a:ntp:ntp:*:*:*:*:*:*:*:*", "4.2.8p10", true)]])],
    )]);
    assert_eq!(one(&run(&i, vec![by_cpe("cpe:2.3:a:ntp:ntp:4.2.8:p15:*:*:*:*:*:*")])), None);
    assert!(one(&run(&i, vec![by_cpe("cpe:2.3:a:ntp:ntp:4.2.8:p9:*:*:*:*:*:*")])).is_some());
}

#[test]
fn a_guessed_name_is_inferred() {
    let i = index(&[group(
        "CVE-1",
        vec![nvd(vec![vec![criterion("cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*", "3.0.7", true)]])],
    )]);
    let c = Component { name: "openssl".into(), version: Some("3.0.1".into()), ..Component::default() };
    assert_eq!(one(&run(&i, vec![c])), Some((Verdict::Affected, Confidence::Inferred)));
}

#[test]
fn withdrawn_and_rejected_records_hit_nothing() {
    for state in [RecordState::Withdrawn, RecordState::Rejected] {
        let mut r = package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "")]);
        r.state = state;
        let i = index(&[group("CVE-1", vec![r])]);
        assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/a@1.0.0")])), None);
        assert!(i.find("CVE-1").unwrap().is_some());
    }
}

#[test]
fn kernel_series_decide_for_their_own() {
    let mut versions = Versions::new(Scheme::Kernel);
    versions.default = VersionStatus::Affected;
    let un = |low: &str, high: &str| VersionEntry {
        low: Some(low.into()),
        low_open: false,
        high: Some(high.into()),
        high_closed: false,
        status: VersionStatus::Unaffected,
    };
    versions.entries = vec![
        un("0", "5.4"),
        un("5.10.50", "5.11"),
        un("5.15.10", "5.16"),
        VersionEntry { high: None, ..un("5.16", "") },
    ];
    let target = Target::Named { vendor: "Linux".into(), product: "Linux".into() };
    let affected = vec![Affected { target, source: Source::Cna, versions, symbols: vec![], note: None }];
    let i = index(&[group("CVE-1", vec![Record { id: "CVE-1".into(), affected, ..Record::default() }])]);
    let status = |v: &str| {
        one(&run(&i, vec![by_cpe(&format!("cpe:2.3:o:linux:linux_kernel:{v}:*:*:*:*:*:*:*"))])).is_some()
    };
    for (v, affected) in [
        ("5.3", false),
        ("5.10.49", true),
        ("5.10.60", false),
        ("5.14", true),
        ("5.15.9", true),
        ("6.1", false),
    ] {
        assert_eq!(status(v), affected, "{v}");
    }
}

#[test]
fn vex_holds_for_what_it_names_alone() {
    let record = || package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "2.0.0")]);
    let i = index(&[group("CVE-1", vec![record()])]);
    let statement = |id: &str| VexStatement {
        vulnerability: "cve-1".into(),
        aliases: vec![],
        products: vec![VexProduct { identifiers: vec![id.into()], ..VexProduct::default() }],
        status: VexStatus::NotAffected,
        justification: Some("vulnerable_code_not_present".into()),
        statement: None,
        timestamp: None,
        author: None,
        document: None,
        path: String::new(),
        wrong_match: false,
        response: None,
    };
    let b = bom(vec![by_purl("pkg:npm/a@1.0.0"), by_purl("pkg:npm/a@1.5.0")]);
    let options = Options { min_confidence: Confidence::Declared, explain: false };
    let statuses = |id: &str| {
        let report = scan(&i, &b, &[statement(id)], &options).unwrap();
        let mut list: Vec<_> = report.findings.iter().map(|f| (f.component, f.status)).collect();
        list.sort();
        list
    };
    assert_eq!(statuses("pkg:npm/a@1.0.0"), [(0, Verdict::NotAffected), (1, Verdict::Affected)]);
    assert_eq!(statuses("pkg:npm/a"), [(0, Verdict::NotAffected), (1, Verdict::NotAffected)]);
    assert_eq!(statuses("pkg:npm/b"), [(0, Verdict::Affected), (1, Verdict::Affected)]);
}

#[test]
fn a_newer_segment_replaces_and_removes() {
    let old = [
        group("CVE-1", vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "2.0.0")])]),
        group("CVE-2", vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "2.0.0")])]),
    ];
    let new =
        [group("CVE-1", vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "1.0.0")])])];
    let i = Index::open(vec![segment(&old, &[]), segment(&new, &["CVE-2"])], None).unwrap();
    assert_eq!(i.len(), 1);
    assert_eq!(one(&run(&i, vec![by_purl("pkg:npm/a@1.5.0")])), None);
    assert!(one(&run(&i, vec![by_purl("pkg:npm/a@0.5.0")])).is_some());
    assert!(i.find("CVE-2").unwrap().is_none());
}

#[test]
fn any_damaged_byte_is_an_error_never_another_verdict() {
    let groups =
        [group("CVE-1", vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "2.0.0")])])];
    let mut builder = SegmentBuilder::default();
    groups.iter().for_each(|g| builder.push(encode(g)));
    let good = builder.finish();
    let options = Options { min_confidence: Confidence::Declared, explain: false };
    let b = bom(vec![by_purl("pkg:npm/a@1.0.0")]);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        let outcome = Index::open(vec![Arc::new(bad)], None)
            .and_then(|i| i.verify().and_then(|()| scan(&i, &b, &[], &options)));
        // bytes 56..64 of the header are padding
        assert!(outcome.is_err() || (56..64).contains(&at), "byte {at}");
    }
    for len in 0..good.len() {
        assert!(Index::open(vec![Arc::new(good[..len].to_vec())], None).is_err(), "{len}");
    }
}

#[test]
fn facts_come_with_the_vulnerability() {
    let mut facts = FactsBuilder::default();
    facts.push(&Fact::Epss { cve: "CVE-1".into(), score: 0.5, percentile: 0.9, date: String::new() });
    facts.push(&Fact::Kev {
        cve: "CVE-1".into(),
        date_added: "2021-01-01".into(),
        due_date: None,
        ransomware: true,
        name: String::new(),
        released: None,
    });
    let g = group("CVE-1", vec![package(Source::Ghsa, Ecosystem::Npm, "", "a", vec![entry("", "")])]);
    let i = Index::open(vec![segment(&[g], &[])], Some(Arc::new(facts.finish()))).unwrap();
    let v = i.find("cve-1").unwrap().unwrap();
    assert_eq!(v.epss, Some((0.5, 0.9)));
    assert_eq!(v.kev, Some(("2021-01-01".into(), None, true)));
}

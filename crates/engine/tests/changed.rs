//! What [`Index::changed_since`] tells is enough: whatever it does not name comes out the same, and asking for the
//! part it names gives what asking for everything gives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tocsin_engine::index::{Bytes, FactsBuilder, Group, Index, SegmentBuilder, encode};
use tocsin_engine::matching::{About, Finding, Options, alone, distribution, keys, scan, scan_part};
use tocsin_model::bom::{Bom, Component, ComponentKind};
use tocsin_model::cpe::Cpe;
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::finding::Confidence;
use tocsin_model::purl::Purl;
use tocsin_model::record::*;
use tocsin_model::version::Scheme;

/// xorshift64* (Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

const VULNERABILITIES: u64 = 8;

fn cpe(product: u64, version: &str) -> Cpe {
    Cpe::parse(&format!("cpe:2.3:o:acme:p{product}:{version}:*:*:*:*:*:*:*")).unwrap()
}

fn criterion(dice: &mut Dice, vulnerable: bool) -> CpeMatch {
    CpeMatch {
        vulnerable,
        cpe: cpe(dice.below(3), "*"),
        low: None,
        low_open: false,
        high: Some(format!("{}", dice.below(4))),
        high_closed: false,
    }
}

fn record(dice: &mut Dice, n: u64) -> Record {
    let source = [Source::Ghsa, Source::Distribution, Source::Nvd, Source::Csaf][dice.below(4) as usize];
    let mut r = Record { id: format!("R-{n}-{}", source.as_str()), ..Record::default() };
    r.title = format!("title {}", dice.below(3));
    if dice.below(9) == 0 {
        r.state = RecordState::Withdrawn;
    }
    if matches!(source, Source::Distribution | Source::Csaf) && dice.below(2) == 0 {
        let other = dice.below(VULNERABILITIES);
        r.upstream.push(if dice.below(2) == 0 { format!("CVE-{other}") } else { format!("ALIAS-{other}") });
    }
    if source == Source::Nvd {
        let mut nodes = vec![Node { matches: vec![criterion(dice, true)], ..Node::default() }];
        if dice.below(2) == 0 {
            let matches = vec![criterion(dice, false)];
            nodes.push(Node { negate: dice.below(4) == 0, matches, ..Node::default() });
        }
        r.configurations.push(Configuration { and: nodes.len() > 1, negate: false, nodes });
        return r;
    }
    let (ecosystem, release) = match source {
        Source::Ghsa => (Ecosystem::Npm, String::new()),
        _ => (Ecosystem::Debian, format!("{}", 12 + dice.below(2))),
    };
    let mut versions = Versions::new(Scheme::Generic);
    let high = Some(format!("{}", 1 + dice.below(3)));
    let status = if dice.below(4) == 0 { VersionStatus::Unaffected } else { VersionStatus::Affected };
    versions.entries.push(VersionEntry::range(None, high, status));
    let name = format!("p{}", dice.below(3));
    let target = Target::Package { ecosystem, release, name, qualifiers: vec![] };
    r.affected.push(Affected { target, source, versions, symbols: vec![], note: None });
    r
}

fn group(dice: &mut Dice, n: u64) -> Group {
    let aliases = if dice.below(2) == 0 { vec![format!("ALIAS-{n}")] } else { vec![] };
    let records = (0..1 + dice.below(2)).map(|_| record(dice, n)).collect();
    Group { id: format!("CVE-{n}"), aliases, records }
}

fn segment<'a>(groups: impl Iterator<Item = &'a Group>, gone: &[String]) -> Bytes {
    let mut builder = SegmentBuilder::default();
    groups.for_each(|g| builder.push(encode(g)));
    gone.iter().for_each(|id| builder.replace(id));
    Arc::new(builder.finish())
}

fn facts(dice: &mut Dice) -> Bytes {
    let mut builder = FactsBuilder::default();
    for n in 0..VULNERABILITIES {
        if dice.below(2) == 0 {
            let cve = if dice.below(2) == 0 { format!("CVE-{n}") } else { format!("ALIAS-{n}") };
            let score = dice.below(2) as f32 / 4.0;
            builder.push(&Fact::Epss { cve, score, percentile: 0.5, date: String::new() });
        }
    }
    Arc::new(builder.finish())
}

fn component(dice: &mut Dice, n: u64) -> Component {
    let (name, version) = (format!("p{}", dice.below(4)), format!("{}", dice.below(4)));
    let mut c = Component { reference: format!("c{n}"), name: name.clone(), ..Component::default() };
    c.version = Some(version.clone());
    match dice.below(4) {
        0 => c.purl = Some(Purl::parse(&format!("pkg:npm/{name}@{version}")).unwrap()),
        1 => c.purl = Some(Purl::parse(&format!("pkg:deb/debian/{name}@{version}-1")).unwrap()),
        2 => {
            c.cpes.push(cpe(dice.below(3), &version));
            c.name = "board".to_owned();
        }
        _ => {}
    }
    c
}

fn bom(dice: &mut Dice) -> Bom {
    let mut bom = Bom { components: (0..8).map(|n| component(dice, n)).collect(), ..Bom::default() };
    if dice.below(2) == 0 {
        let version = Some(format!("{}", 12 + dice.below(2)));
        let kind = ComponentKind::OperatingSystem;
        bom.components.push(Component { name: "debian".into(), version, kind, ..Component::default() });
    }
    bom
}

type Outcome = BTreeMap<(usize, String), (String, String)>;

/// Findings in words: what matching says, and what exploitation adds.
fn outcome(findings: &[Finding]) -> Outcome {
    let words = |f: &Finding| {
        let v = &f.vulnerability;
        let said =
            format!("{:?} {:?} {:?} {} {:?}", f.status, f.confidence, f.fixed_versions, v.title, f.evidence);
        ((f.component, v.id.clone()), (said, format!("{:?}", v.epss)))
    };
    findings.iter().map(words).collect()
}

/// An index before and after some vulnerabilities came, changed or went, the second one as a delta or built anew.
fn indexes(dice: &mut Dice) -> (Index, Index, usize, BTreeMap<u64, Group>) {
    let mut groups = BTreeMap::new();
    for n in 0..VULNERABILITIES {
        if dice.below(4) > 0 {
            groups.insert(n, group(dice, n));
        }
    }
    let first = segment(groups.values(), &[]);
    let before = Index::open(vec![first.clone()], Some(facts(dice))).unwrap();
    let (mut touched, mut gone) = (BTreeSet::new(), Vec::new());
    for _ in 0..1 + dice.below(3) {
        let n = dice.below(VULNERABILITIES);
        touched.insert(n);
        if dice.below(3) > 0 {
            groups.insert(n, group(dice, n));
        } else if groups.remove(&n).is_some() {
            gone.push(format!("CVE-{n}"));
        }
    }
    let delta = dice.below(2) == 0;
    let segments = if delta {
        let new = groups.iter().filter(|(n, _)| touched.contains(n)).map(|(_, g)| g);
        vec![first, segment(new, &gone)]
    } else {
        vec![segment(groups.values(), &[])]
    };
    (before, Index::open(segments, Some(facts(dice))).unwrap(), usize::from(delta), groups)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_is_not_named_is_the_same(seed in 1u64..u64::MAX) {
        let mut dice = Dice(seed);
        let (before, after, shared, groups) = indexes(&mut dice);
        let changed = after.changed_since(&before, shared).unwrap();
        // the same told in another way differs in nothing
        let whole = Index::open(vec![segment(groups.values(), &[])], None).unwrap();
        let none = after.changed_since(&whole, 0).unwrap();
        prop_assert!(none.keys.is_empty() && none.vulnerabilities.is_empty());
        let about = About::new(&after, changed.vulnerabilities.iter().map(String::as_str)).unwrap();
        let options = Options { min_confidence: Confidence::Inferred, explain: false };
        for _ in 0..4 {
            let bom = bom(&mut dice);
            let was = outcome(&scan(&before, &bom, &[], &options).unwrap().findings);
            let is = outcome(&scan(&after, &bom, &[], &options).unwrap().findings);
            let hit: Vec<usize> = (0..bom.components.len())
                .filter(|n| keys(&bom.components[*n]).iter().any(|k| changed.keys.contains(k)))
                .collect();
            for key in was.keys().chain(is.keys()) {
                let (a, b) = (was.get(key), is.get(key));
                let told = changed.vulnerabilities.contains(&key.1);
                if a.map(|x| &x.0) != b.map(|x| &x.0) {
                    prop_assert!(told && hit.contains(&key.0), "{key:?}\n{a:?}\n{b:?}\n{changed:?}");
                } else if a != b && !told {
                    prop_assert!(changed.exploitation.contains(&key.1), "{key:?} {changed:?}");
                }
            }
            let part = scan_part(&after, &bom, &[], &options, &hit, Some(&about)).unwrap();
            let mut want = is.clone();
            want.retain(|k, _| hit.contains(&k.0) && changed.vulnerabilities.contains(&k.1));
            prop_assert_eq!(outcome(&part.findings), want.clone());
            for n in hit {
                let c = &bom.components[n];
                let alone = alone(&after, c, &distribution(&bom), &options, Some(&about)).unwrap();
                let of_it = want.iter().filter(|(k, _)| k.0 == n);
                let of_it: Outcome = of_it.map(|((_, v), x)| ((0, v.clone()), x.clone())).collect();
                if alone.leans {
                    let ids: Vec<&String> = alone.candidates.iter().map(|v| &v.id).collect();
                    prop_assert!(of_it.keys().all(|(_, v)| ids.contains(&v)));
                } else {
                    prop_assert_eq!(outcome(&alone.findings), of_it);
                }
            }
        }
    }
}

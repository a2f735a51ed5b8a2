//! Matching only what changed comes to the same as matching everything: random intelligence, random releases.

use serde_json::{Value, json};
use tocsin_model::cpe::Cpe;
use tocsin_model::ecosystem::Ecosystem;
use tocsin_model::record::*;
use tocsin_model::version::Scheme;
use tocsin_model::vex::{VexProduct, VexStatus};

use super::*;
use crate::detection::behind;
use crate::platform::testing::each;

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

fn record(dice: &mut Dice, n: u64) -> Record {
    let source = [Source::Ghsa, Source::Distribution, Source::Nvd][dice.below(3) as usize];
    let mut r = Record { id: format!("R-{n}-{}", source.as_str()), ..Record::default() };
    r.title = format!("title {}", dice.below(3));
    if dice.below(9) == 0 {
        r.state = RecordState::Withdrawn;
    }
    if source == Source::Nvd {
        let criterion = |dice: &mut Dice, vulnerable| CpeMatch {
            vulnerable,
            cpe: Cpe::parse(&format!("cpe:2.3:o:acme:p{}:*:*:*:*:*:*:*:*", dice.below(3))).unwrap(),
            low: None,
            low_open: false,
            high: Some(format!("{}", dice.below(4))),
            high_closed: false,
        };
        let mut nodes = vec![Node { matches: vec![criterion(dice, true)], ..Node::default() }];
        if dice.below(2) == 0 {
            nodes.push(Node { matches: vec![criterion(dice, false)], ..Node::default() });
        }
        r.configurations.push(Configuration { and: nodes.len() > 1, negate: false, nodes });
        return r;
    }
    let (ecosystem, release) = match source {
        Source::Ghsa => (Ecosystem::Npm, String::new()),
        _ => (Ecosystem::Debian, format!("{}", 12 + dice.below(2))),
    };
    if source == Source::Distribution && dice.below(2) == 0 {
        r.upstream.push(format!("CVE-{}", dice.below(VULNERABILITIES)));
    }
    let mut versions = Versions::new(Scheme::Generic);
    let high = Some(format!("{}", 1 + dice.below(3)));
    versions.entries.push(VersionEntry::range(None, high, VersionStatus::Affected));
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

fn exploitation(dice: &mut Dice) -> Vec<Fact> {
    let mut facts = Vec::new();
    for n in 0..VULNERABILITIES {
        let cve = if dice.below(2) == 0 { format!("CVE-{n}") } else { format!("ALIAS-{n}") };
        match dice.below(4) {
            0 => facts.push(Fact::Epss { cve, score: 0.25, percentile: 0.5, date: String::new() }),
            1 => facts.push(Fact::Kev {
                cve,
                date_added: "2026-01-01".into(),
                due_date: None,
                ransomware: false,
                name: String::new(),
                released: None,
            }),
            _ => {}
        }
    }
    facts
}

fn statements(dice: &mut Dice) -> Vec<VexStatement> {
    let statement = |dice: &mut Dice| {
        let identifier = ["pkg:npm/p0", "pkg:npm/p1@1", "pkg:deb/debian/p2"][dice.below(3) as usize];
        VexStatement {
            vulnerability: format!("CVE-{}", dice.below(VULNERABILITIES)),
            aliases: vec![],
            products: vec![VexProduct { identifiers: vec![identifier.into()], ..VexProduct::default() }],
            status: if dice.below(2) == 0 { VexStatus::NotAffected } else { VexStatus::Fixed },
            justification: None,
            statement: None,
            timestamp: None,
            author: None,
            document: None,
            path: String::new(),
            wrong_match: false,
            response: None,
        }
    };
    (0..dice.below(3)).map(|_| statement(dice)).collect()
}

/// A document of some components; some have a platform, an operating system, VEX statements, fixes in the build.
fn document(dice: &mut Dice) -> Value {
    let mut list = Vec::new();
    for n in 0..6 {
        let (name, version) = (format!("p{}", dice.below(4)), format!("{}", dice.below(4)));
        let mut c = json!({"type": "library", "bom-ref": format!("c{n}"), "name": name, "version": version});
        match dice.below(4) {
            0 => c["purl"] = format!("pkg:npm/{name}@{version}").into(),
            1 => c["purl"] = format!("pkg:deb/debian/{name}@{version}-1").into(),
            2 => c["cpe"] = format!("cpe:2.3:o:acme:p{}:{version}:*:*:*:*:*:*:*", dice.below(3)).into(),
            _ => {}
        }
        if dice.below(20) == 0 {
            let id = format!("CVE-{}", dice.below(VULNERABILITIES));
            c["pedigree"] =
                json!({"patches": [{"type": "backport", "resolves": [{"type": "security", "id": id}]}]});
        }
        list.push(c);
    }
    if dice.below(2) == 0 {
        let version = format!("{}", 12 + dice.below(2));
        list.push(json!({"type": "operating-system", "bom-ref": "os", "name": "debian", "version": version}));
    }
    let mut document = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": list});
    if dice.below(4) == 0 {
        let id = format!("CVE-{}", dice.below(VULNERABILITIES));
        document["vulnerabilities"] = json!([{"id": id, "affects": [{"ref": "c1"}],
            "analysis": {"state": "not_affected", "justification": "code_not_present"}}]);
    }
    document
}

fn change(dice: &mut Dice, known: &mut Intelligence) {
    for _ in 0..1 + dice.below(2) {
        let n = dice.below(VULNERABILITIES);
        let id = format!("CVE-{n}");
        known.groups.retain(|g| g.id != id);
        if dice.below(4) > 0 {
            known.groups.push(group(dice, n));
        }
    }
    if dice.below(2) == 0 {
        known.facts = exploitation(dice);
    }
    if dice.below(3) == 0 {
        known.vex = statements(dice);
    }
}

/// Open findings whose vulnerability's own row says something else of it than they do.
async fn strayed(db: &DatabaseConnection) -> i64 {
    let select = "SELECT COUNT(*) FROM finding f JOIN release r ON r.id = f.release AND r.active = 1 LEFT JOIN flaw v \
                  ON v.workspace = f.workspace AND v.vulnerability = f.vulnerability WHERE f.closed IS NULL \
                  AND (v.id IS NULL OR v.rank <> f.rank OR v.kev <> f.kev OR v.exploits <> f.exploits \
                  OR v.severity <> f.severity OR v.title <> f.title OR COALESCE(v.epss, -1.0) <> COALESCE(f.epss, -1.0) \
                  OR COALESCE(v.score, -1.0) <> COALESCE(f.score, -1.0))";
    sql::row::<(i64,)>(db, "asking", select, vec![]).await.unwrap().unwrap().0
}

#[test]
fn what_changed_comes_to_the_same_as_everything() {
    each(async |db| {
        let actor = actor(db).await;
        let mut moved = 0;
        for seed in 1..=25_u64 {
            let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut known = Intelligence { facts: exploitation(&mut dice), ..Intelligence::default() };
            known.groups = (0..VULNERABILITIES).map(|n| group(&mut dice, n)).collect();
            let mut opened = known.publish(db, None).await;
            let mut documents = Vec::new();
            for n in 0..5 {
                let release = release(db, &actor, &format!("{seed}.{n}")).await;
                let document = document(&mut dice);
                upload(db, &actor, release, &document, &opened).await;
                documents.push((release, document));
            }
            follow(db, &opened).await;
            for step in 0..4 {
                // now and then a release is not asked for two editions
                for _ in 0..1 + dice.below(2) {
                    change(&mut dice, &mut known);
                    opened = known.publish(db, Some(&opened)).await;
                }
                let done = follow(db, &opened).await;
                assert_eq!((done.releases, done.whole), (5, 0), "seed {seed}, step {step}");
                moved += done.new + done.closed;
                assert_eq!(behind(db, opened.generation).await.unwrap(), []);
                assert_eq!(strayed(db).await, 0, "seed {seed}, step {step}");
                let before = snapshot(db).await;
                for (release, document) in &documents {
                    let done = upload(db, &actor, *release, document, &opened).await;
                    assert!(done.unchanged);
                }
                let after = snapshot(db).await;
                for (was, is) in before.iter().zip(&after) {
                    assert_eq!(was, is, "seed {seed}, step {step}");
                }
                assert_eq!(before.len(), after.len(), "seed {seed}, step {step}");
            }
            sql::run(db, "ending a world", "UPDATE release SET active = 0", vec![]).await.unwrap();
        }
        assert!(moved > 100, "{moved} findings came and went");
    });
}

#[test]
fn a_release_that_is_not_known_to_be_of_an_edition_is_matched_as_a_whole() {
    each(async |db| {
        let actor = actor(db).await;
        let mut dice = Dice(5);
        let known = Intelligence {
            groups: (0..VULNERABILITIES).map(|n| group(&mut dice, n)).collect(),
            ..Intelligence::default()
        };
        let opened = known.publish(db, None).await;
        let id = release(db, &actor, "1.0").await;
        upload(db, &actor, id, &document(&mut dice), &opened).await;
        // the program is new to this database
        assert_eq!(follow(db, &opened).await.whole, 1);
        assert_eq!(follow(db, &opened).await, Done::default());
        let next = known.publish(db, Some(&opened)).await;
        assert_eq!(follow(db, &next).await.whole, 0);
        // an index built anew, of which nothing is known
        let lost = known.publish(db, None).await;
        assert_eq!(follow(db, &lost).await.whole, 1);
        // an older copy of the database: the steps between are missing
        let later = Opened::new(known.index(), Vec::new(), lost.generation + 5);
        assert_eq!(follow(db, &Arc::new(later)).await.whole, 1);
    });
}

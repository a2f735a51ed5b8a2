//! Every noun of queries on both backends: each field answers, each order is whole in pages, scope is kept.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use tocsin_model::query::{Field, Kind, Query, parse};

use super::list::{COMPONENTS, DEPLOYMENTS, PRODUCTS, RELEASES};
use super::list_noted::{LINES, STAKEHOLDERS, line_list, stakeholder_list};
use super::{Within, component_list, component_schema, release_list, release_schema, tags_by};
use crate::detection::list_tests::{fill, in_line};
use crate::detection::{DECISIONS, DOCUMENTS, decision_list, vex_list};
use crate::platform::access::Actor;
use crate::platform::jobs::{self, JOBS};
use crate::platform::people::list::{KEYS, PEOPLE};
use crate::platform::people::{key_list, people_list};
use crate::platform::query::{self, Noun, Total};
use crate::platform::testing::each;
use crate::platform::trail::{TRAIL, trail};

const NOW: &str = "2026-03-01T00:00:00.000Z";

async fn more(db: &DatabaseConnection) {
    fill(db).await;
    for sql in [
        "INSERT INTO occurrence (release, component, ref, places, licences, scope, direct, hashes) SELECT DISTINCT \
         f.release, f.component, '', '[]', '', '', f.component % 2, '[]' FROM finding f",
        "INSERT INTO occurrence_licence (release, licence, component) VALUES (1, 'MIT', 1), (6, 'MIT', 2)",
        "INSERT INTO occurrence_hash (release, value, component) VALUES (1, 'sha256:aa', 1)",
        "INSERT INTO tag (release, name) VALUES (1, 'field')",
        "INSERT INTO deployment (workspace, release, customer, region, units, devices) VALUES (1, 1, 'Harbour', 'US', 10, ''), \
         (1, 4, 'Harbour', '', 3, ''), (2, 6, 'Foreign', '', 9, '')",
        "UPDATE release SET active = 0 WHERE id = 5",
        "INSERT INTO audit (seq, at, workspace, actor, address, action, subject, name, before, after, hash) VALUES \
         (1, '2026-02-01T00:00:00.000Z', 1, 'person:ada', '', 'release.create', 'release/1', 'Pump 3 1.0', '', '', ''), \
         (2, '2026-02-02T00:00:00.000Z', 2, 'person:bo', '', 'release.create', 'release/6', 'Foreign 1', '', '', ''), \
         (3, '2026-02-27T00:00:00.000Z', 1, 'system', '', 'finding.decide', 'finding/3', 'CVE-2025-0001', '', '', '')",
        "INSERT INTO stakeholder (workspace, line, product, name, email, interest) VALUES (1, 0, 0, 'Board', 'b@x.org', \
         'critical'), (1, 1, 0, 'Ward', 'w@x.org', 'exploited high'), (1, 0, 3, 'Plant', 'p@x.org', 'support'), \
         (2, 0, 0, 'Foreign', 'f@x.org', 'high')",
        "INSERT INTO decision (id, workspace, vulnerability, reach, finding, product, status, justification, response, \
         detail, source, version, severity, exploited, expires, proposed, proposer, waits, subject, line, author, ended, \
         ending) VALUES (1, 1, 'CVE-2025-0001', 'finding', 1, NULL, 'affected', '', '', 'seen', 'person', '1.1', 1, 0, \
         '2026-04-01', '2026-02-01T00:00:00.000Z', 5, 0, 1, 1, 'person:ada', NULL, ''), (2, 1, 'CVE-2025-0002', \
         'product', NULL, 3, 'fixed', '', '', '', 'vex', '1.1', 1, 0, NULL, '2026-02-20T00:00:00.000Z', 5, 1, 2, 2, \
         'person:ada', NULL, ''), (3, 1, 'CVE-2025-0003', 'component', NULL, NULL, 'not_affected', \
         'component_not_present', '', '', 'person', '1.1', 1, 0, NULL, '2026-02-21T00:00:00.000Z', 5, 0, 3, 0, \
         'person:ada', '2026-02-22T00:00:00.000Z', 'withdrawn'), (4, 2, 'CVE-2025-0001', 'product', NULL, 4, 'fixed', \
         '', '', '', 'person', '1.1', 1, 0, NULL, '2026-02-23T00:00:00.000Z', 5, 0, 1, 3, 'person:bo', NULL, '')",
        "INSERT INTO blob (hash, size, body) VALUES ('h', 0, '')",
        "INSERT INTO vex_import (workspace, line, release, name, format, document, blob, at, actor, statements, applied, \
         findings, outcomes) VALUES (1, 1, 1, 'a.json', 'openvex', 'urn:a', 'h', '2026-02-01T00:00:00.000Z', 'person:ada', \
         2, 1, 1, '{}'), (1, 2, 4, 'b.json', 'csaf', 'urn:b', 'h', '2026-02-27T00:00:00.000Z', 'key:ci', 1, 0, 0, '{}'), \
         (2, 3, 6, 'c.json', 'csaf', 'urn:c', 'h', '2026-02-27T00:00:00.000Z', 'key:ci', 1, 0, 0, '{}')",
        "INSERT INTO job (id, kind, workspace, payload, state, due, actor, created, ended, title, subject, line) VALUES \
         (1, 'sbom', 1, '{}', 'done', '', 'person:ada', '2026-02-01T00:00:00.000Z', '2026-02-01T00:01:00.000Z', 'Read a', \
         'release/1', 1), (2, 'rematch', 1, '{}', 'waiting', '', 'system', '2026-02-02T00:00:00.000Z', NULL, 'Match', \
         'release/4', 2), (3, 'housekeeping', 0, '{}', 'failed', '', 'system', '2026-02-03T00:00:00.000Z', \
         '2026-02-03T00:00:00.000Z', 'Tidy', '', 0), (4, 'sbom', 2, '{}', 'done', '', 'person:bo', \
         '2026-02-03T00:00:00.000Z', NULL, 'Read c', 'release/6', 3)",
        "INSERT INTO membership (workspace, person, role, line) VALUES (1, 5, 'analyst', 0), (1, 5, 'contact', 2)",
        "INSERT INTO person (id, login, name, email, created) VALUES (6, 'bo', 'Bo', 'bo@x.org', '')",
        "INSERT INTO membership (workspace, person, role, line) VALUES (1, 6, 'auditor', 0)",
        "INSERT INTO api_key (public, hash, name, workspace, role, line, scopes, created, creator, expires) VALUES \
         ('aaaa', 'x', 'ci gateway', 1, 'developer', 2, 'sbom-upload', '2026-02-01T00:00:00.000Z', 5, NULL), \
         ('bbbb', 'x', 'night', 1, 'auditor', 0, '', '2026-02-02T00:00:00.000Z', 0, '2026-09-01T00:00:00.000Z'), \
         ('cccc', 'x', 'theirs', 2, 'auditor', 0, '', '2026-02-02T00:00:00.000Z', 0, NULL)",
    ] {
        db.execute_unprepared(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
}

fn id(row: &QueryResult) -> std::result::Result<i64, sea_orm::DbErr> {
    row.try_get_by_index(0)
}

/// Ids of a query in pages of `most`, walked or sorted.
async fn walk(db: &DatabaseConnection, noun: &'static Noun, q: &Query, most: u64, walked: bool) -> Vec<i64> {
    let (mut out, mut after) = (Vec::new(), None::<String>);
    loop {
        let s = query::statement(db, &Actor::system(1, NOW), noun, q).unwrap();
        let as_if = Total { n: 0, more: walked };
        let page = query::list(db, s, q, (noun.id, id), after.as_deref(), (most, as_if)).await;
        let page = page.unwrap_or_else(|e| panic!("{q}: {e}"));
        out.extend(page.rows);
        assert!(out.len() < 1000, "{q} does not end");
        after = page.next;
        if after.is_none() {
            return out;
        }
    }
}

/// Queries that test a field in each way its kind has.
fn samples(f: &Field) -> Vec<String> {
    let name = f.name;
    let mut list = match f.kind {
        Kind::Text => vec![
            format!("{name}:o"),
            format!("{name}=Harbour"),
            format!("{name}:*o*"),
            format!("-{name}:x,y"),
        ],
        Kind::Id => vec![format!("{name}:CVE-2025-0001"), format!("{name}:*0001")],
        Kind::Word(words) => vec![format!("{name}:{}", words[0])],
        Kind::Scale(words) => vec![format!("{name}>={}", words[0]), format!("{name}:{}", words[1])],
        Kind::Number => vec![format!("{name}>=1"), format!("-{name}<0.5")],
        Kind::Truth => vec![format!("{name}:true"), format!("{name}:false"), format!("{name}:any")],
        Kind::Time => {
            vec![format!("{name}>now-400d"), format!("{name}:2026-02-01"), format!("{name}<=2026-02-01")]
        }
        Kind::Age => vec![format!("{name}>7d")],
    };
    if f.optional {
        list.push(format!("{name}:none"));
    }
    list
}

#[test]
fn every_field_answers_and_every_order_is_whole() {
    each(async |db| {
        more(db).await;
        let nouns = [
            &RELEASES,
            &PRODUCTS,
            &COMPONENTS,
            &DEPLOYMENTS,
            &TRAIL,
            &LINES,
            &STAKEHOLDERS,
            &DECISIONS,
            &DOCUMENTS,
            &JOBS,
            &PEOPLE,
            &KEYS,
        ];
        for noun in nouns {
            let schema = noun.schema();
            let asked = |text: &str| parse(text, &schema).unwrap_or_else(|e| panic!("{text}: {e}"));
            for text in schema.fields.iter().flat_map(samples).chain(["pump".to_owned(), "a OR b".to_owned()])
            {
                let q = asked(&text);
                assert_eq!(walk(db, noun, &q, 2, true).await, walk(db, noun, &q, 100, false).await, "{text}");
            }
            for order in &schema.sorts {
                let up = walk(db, noun, &asked(&format!("sort:{order}")), 100, false).await;
                assert!(!up.is_empty(), "{order} of {}", noun.table);
                for walked in [true, false] {
                    let mut down = walk(db, noun, &asked(&format!("sort:-{order}")), 1, walked).await;
                    down.reverse();
                    assert_eq!(down, up, "{order} of {}", noun.table);
                }
            }
        }
    });
}

#[test]
fn lists_say_what_is_asked_within_scope() {
    each(async |db| {
        more(db).await;
        let actor = Actor::system(1, NOW);
        for (text, wanted) in [
            ("", vec![4, 1, 2, 3]),
            ("active:any", vec![4, 5, 1, 2, 3]),
            ("product:pump sort:-units", vec![3, 1, 2]),
            ("customer:harbour", vec![4, 1]),
            ("component=openssl units>=10", vec![1, 3]),
            ("vulnerability:ghsa-aaaa OR vulnerability:GHSA-aaaa", vec![4, 1, 2, 3]),
            ("tag:field", vec![1]),
            ("gateways", vec![4]),
        ] {
            let found = release_list(
                db,
                &actor,
                Within::default(),
                &parse(text, &release_schema()).unwrap(),
                None,
                10,
            )
            .await
            .unwrap();
            assert_eq!(found.rows.iter().map(|r| r.id).collect::<Vec<_>>(), wanted, "{text}");
        }
        for (text, wanted) in [
            ("licence=MIT", vec!["openssl"]),
            ("hash:sha256:aa", vec!["openssl"]),
            ("severity>=critical name:ssl", vec!["libssl", "openssl"]),
            ("name:log4j.core", vec!["Log4J_Core"]),
            ("direct:true name:z*", vec![]),
        ] {
            let q = parse(text, &component_schema()).unwrap();
            let found = component_list(db, &actor, &q, None, 10).await.unwrap();
            assert_eq!(found.rows.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), wanted, "{text}");
        }
        let scoped =
            release_list(db, &in_line(2), Within::default(), &Query::default(), None, 10).await.unwrap();
        assert_eq!(scoped.rows.iter().map(|r| r.id).collect::<Vec<_>>(), [4]);
        assert_eq!(scoped.total.n, 1);
        let trail_of = trail(db, &actor, &parse("age>7d", &TRAIL.schema()).unwrap(), None, 10).await.unwrap();
        assert_eq!(trail_of.rows.iter().map(|e| e.seq).collect::<Vec<_>>(), [1]);
        assert!(trail(db, &in_line(2), &Query::default(), None, 10).await.is_err());
    });
}

#[test]
fn what_people_keep_is_asked_within_scope() {
    each(async |db| {
        more(db).await;
        let (all, gateways) = (Actor::system(1, NOW), in_line(2));
        let none = Query::default();
        let of =
            |noun: &Noun, text: &str| parse(text, &noun.schema()).unwrap_or_else(|e| panic!("{text}: {e}"));
        for (text, wanted, scoped) in [
            ("", vec![3, 2, 1], vec![3, 2]),
            ("state:standing", vec![1], vec![]),
            ("state:waiting", vec![2], vec![2]),
            ("state:ended ending:withdrawn", vec![3], vec![3]),
            ("product:gateway", vec![2], vec![2]),
            ("product:\"pump 3\" release=1.0", vec![1], vec![]),
            ("component:ssl sort:vulnerability", vec![1, 2], vec![2]),
            ("vulnerability:GHSA-aaaa", vec![1], vec![]),
            ("expires<=2026-04-01", vec![1], vec![]),
            ("gateway OR seen", vec![2, 1], vec![2]),
            ("sort:expires", vec![1, 2, 3], vec![2, 3]),
        ] {
            let q = of(&DECISIONS, text);
            for (actor, wanted) in [(&all, wanted), (&gateways, scoped)] {
                let found = decision_list(db, actor, &q, None, 10).await.unwrap();
                assert_eq!(found.rows.iter().map(|d| d.id).collect::<Vec<_>>(), wanted, "{text}");
                assert_eq!(found.total.n, wanted.len() as u64, "{text}");
            }
        }
        let jobs_of = async |actor: &Actor, text: &str| {
            let found = jobs::list(db, actor, &of(&JOBS, text), None, 10).await.unwrap();
            found.rows.iter().map(|j| j.id).collect::<Vec<_>>()
        };
        assert_eq!(jobs_of(&all, "").await, [3, 2, 1]);
        assert_eq!(jobs_of(&all, "active:true").await, [2]);
        assert_eq!(jobs_of(&all, "subject=release/1 state:done").await, [1]);
        assert_eq!(jobs_of(&gateways, "").await, [2]);
        let named = async |actor: &Actor, text: &str| {
            let found = stakeholder_list(db, actor, &of(&STAKEHOLDERS, text), None, 10).await.unwrap();
            found.rows.into_iter().map(|s| s.name).collect::<Vec<_>>()
        };
        assert_eq!(named(&all, "").await, ["Board", "Plant", "Ward"]);
        assert_eq!(named(&all, "line=gateways").await, ["Plant"]);
        assert_eq!(named(&all, "everything:true OR interest:high").await, ["Board", "Ward"]);
        assert_eq!(named(&gateways, "").await, ["Plant"]);
        let lines = line_list(db, &gateways, &none, None, 10).await.unwrap();
        assert_eq!(lines.rows.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["Gateways"]);
        let taken = vex_list(db, &gateways, None, &none, None, 10).await.unwrap();
        assert_eq!(taken.rows.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["b.json"]);
        assert_eq!(vex_list(db, &all, Some(1), &none, None, 10).await.unwrap().rows[0].name, "a.json");
        let people =
            people_list(db, &all, &of(&PEOPLE, "role:contact line:gateways"), None, 10).await.unwrap();
        assert_eq!(people.rows[0].roles, [("analyst".to_owned(), 0), ("contact".to_owned(), 2)]);
        let keys = key_list(db, &all, &of(&KEYS, "scope:sbom creator:ada"), None, 10).await.unwrap();
        assert_eq!(keys.rows.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(), ["ci gateway"]);
        assert!(key_list(db, &gateways, &none, None, 10).await.is_err());
        let within = Within { product: Some(1), line: None };
        let found = release_list(db, &all, within, &none, None, 10).await.unwrap();
        assert_eq!(found.rows.iter().map(|r| r.id).collect::<Vec<_>>(), [1, 2]);
        let within = Within { product: None, line: Some(2) };
        assert_eq!(release_list(db, &all, within, &none, None, 10).await.unwrap().rows[0].id, 4);
        assert_eq!(tags_by(db, &all, &[1, 2]).await.unwrap()[&1], ["field"]);
        assert!(tags_by(db, &gateways, &[1, 2]).await.unwrap().is_empty());
    });
}

//! Every noun of queries on both backends: each field answers, each order is whole in pages, scope is kept.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use tocsin_model::query::{Field, Kind, Query, parse};

use super::list::{COMPONENTS, DEPLOYMENTS, PRODUCTS, RELEASES};
use super::{component_list, component_schema, release_list, release_schema};
use crate::detection::list_tests::{fill, in_line};
use crate::platform::access::Actor;
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
        for noun in [&RELEASES, &PRODUCTS, &COMPONENTS, &DEPLOYMENTS, &TRAIL] {
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
            let found =
                release_list(db, &actor, &parse(text, &release_schema()).unwrap(), None, 10).await.unwrap();
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
        let scoped = release_list(db, &in_line(2), &Query::default(), None, 10).await.unwrap();
        assert_eq!(scoped.rows.iter().map(|r| r.id).collect::<Vec<_>>(), [4]);
        assert_eq!(scoped.total.n, 1);
        let trail_of = trail(db, &actor, &parse("age>7d", &TRAIL.schema()).unwrap(), None, 10).await.unwrap();
        assert_eq!(trail_of.rows.iter().map(|e| e.seq).collect::<Vec<_>>(), [1]);
        assert!(trail(db, &in_line(2), &Query::default(), None, 10).await.is_err());
    });
}

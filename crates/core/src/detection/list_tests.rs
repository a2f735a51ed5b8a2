//! Queries over findings on both backends: what each filter finds, every order in pages, groups, scope.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tocsin_model::query::{Query, parse};

use super::groups::groups;
use super::list::{FINDINGS, ids, in_release, list, schema, total};
use super::query::{COLUMNS, read};
use crate::error::Error;
use crate::platform::access::{Actor, Grant, Role};
use crate::platform::query::{self, Total};
use crate::platform::testing::each;

const NOW: &str = "2026-03-01T00:00:00.000Z";
/// Findings written; the last ten are closed and the ten before are guesses.
const ALL: i64 = 70;

/// Two lines, three products, six releases, seven components, ten flaws.
pub(crate) async fn fill(db: &DatabaseConnection) {
    let run = async |sql: String| {
        db.execute_unprepared(&sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    };
    for sql in [
        "INSERT INTO workspace (id, slug, name, settings, created) VALUES (1, 'a', 'A', '{}', ''), (2, 'b', 'B', '{}', '')",
        "INSERT INTO person (id, login, name, email, created) VALUES (5, 'ada', 'Ada', '', '')",
        "INSERT INTO line (id, workspace, name, created) VALUES (1, 1, 'Infusion', ''), (2, 1, 'Gateways', ''), (3, 2, 'Other', '')",
        "INSERT INTO product (id, workspace, line, name, created) VALUES (1, 1, 1, 'Pump 3', ''), (2, 1, 1, 'Pump 4', ''), \
         (3, 1, 2, 'Gateway', ''), (4, 2, 3, 'Foreign', '')",
        "INSERT INTO release (id, workspace, product, version, created, units, latest) VALUES (1, 1, 1, '1.0', '', 10, 0), \
         (2, 1, 1, '1.1', '', 0, 1), (3, 1, 2, '1.0', '', 500, 1), (4, 1, 3, '7', '', 3, 0), (5, 1, 3, '8', '', 4, 1), \
         (6, 2, 4, '1', '', 9, 1)",
        "INSERT INTO deployment (workspace, release, customer, region, units, devices) VALUES (1, 3, 'Ward clinic', 'EU', 500, '')",
        "INSERT INTO vulnerability (id, main) VALUES (1, 'CVE-2025-0001')",
        "INSERT INTO alias (id, vulnerability) VALUES ('CVE-2025-0001', 1), ('GHSA-aaaa', 1)",
    ] {
        run(sql.to_owned()).await;
    }
    for n in 1..=7 {
        let name = ["openssl", "libssl", "Log4J_Core", "zlib", "left-pad", "50%_off", "busybox"][n - 1];
        run(format!(
            "INSERT INTO component (id, hash, kind, grp, name, version, purl, cpes, supplier, plain) VALUES ({n}, 'h{n}', \
             'library', '', '{name}', '1.{n}', 'pkg:generic/{name}@1.{n}', '[]', '', '{}')",
            crate::inventory::plain(name)
        ))
        .await;
    }
    for n in 0..ALL {
        let flaw = n % 10 + 1;
        let severity = flaw % 6;
        let score = if severity == 0 { "NULL".to_owned() } else { format!("{}.5", severity * 2 - 1) };
        let epss = if flaw % 4 == 0 { "NULL".to_owned() } else { format!("0.{flaw:02}") };
        let (closed, reason) =
            if n >= 60 { ("'2026-02-01T00:00:00.000Z'", "upgraded") } else { ("NULL", "") };
        let confidence = if (50..60).contains(&n) { 0 } else { 1 + n % 2 };
        let due = if n % 5 == 0 { format!("'2026-03-{:02}'", n % 28 + 1) } else { "NULL".to_owned() };
        run(format!(
            "INSERT INTO finding (id, workspace, release, component, vulnerability, verdict, confidence, severity, score, \
             epss, kev, exploits, title, fixed, evidence, rank, print, status, justification, owner, due, first_seen, \
             last_seen, closed, reason) VALUES ({id}, {workspace}, {release}, {component}, 'CVE-2025-{flaw:04}', 'affected', \
             {confidence}, {severity}, {score}, {epss}, {kev}, {exploits}, 'flaw {flaw} of it', '', '[]', {rank}, '', \
             '{status}', '', {owner}, {due}, '2026-02-{day:02}T08:00:00.000Z', '2026-02-28T08:00:00.000Z', {closed}, \
             '{reason}')",
            id = n + 1,
            workspace = if n % 7 == 6 { 2 } else { 1 },
            release = if n % 7 == 6 { 6 } else { n % 7 % 5 + 1 },
            component = n / 10 + 1,
            kev = i64::from(flaw == 3),
            exploits = i64::from(flaw == 4),
            rank = severity * 1000 + flaw,
            status = if n % 3 == 0 { "affected" } else { "under_investigation" },
            owner = if n % 6 == 0 { "5" } else { "NULL" },
            day = n % 28 + 1,
        ))
        .await;
    }
    // ids begin with 1
    run("UPDATE finding SET proposal = 99 WHERE (id - 1) % 11 = 0".to_owned()).await;
    run("UPDATE finding SET lapsed = 'the version is another' WHERE (id - 1) % 13 = 0".to_owned()).await;
    run("INSERT INTO flaw (workspace, vulnerability, title, severity, score, epss, kev, exploits, rank, first_seen) \
         SELECT workspace, vulnerability, MAX(title), MAX(severity), MAX(score), MAX(epss), MAX(kev), MAX(exploits), \
         MAX(rank), MIN(first_seen) FROM finding GROUP BY workspace, vulnerability"
        .to_owned())
    .await;
}

fn asked(text: &str) -> Query {
    parse(text, &schema()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

pub(crate) fn in_line(line: i64) -> Actor {
    Actor { grants: vec![Grant { role: Role::Analyst, line: Some(line) }], ..Actor::system(1, NOW) }
}

/// Numbers (from 0, as [`fill`] counts) of the findings of workspace 1 that a rule holds for.
fn wanted(rule: impl Fn(i64) -> bool) -> Vec<i64> {
    (0..ALL).filter(|n| n % 7 != 6 && rule(*n)).map(|n| n + 1).collect()
}

#[test]
fn every_field_finds_what_it_says() {
    each(async |db| {
        fill(db).await;
        let actor = Actor { person: Some(5), ..Actor::system(1, NOW) };
        let open = |n: i64| n < 50;
        let flaw = |n: i64| n % 10 + 1;
        let release = |n: i64| n % 7 % 5 + 1;
        type Rule<'a> = Box<dyn Fn(i64) -> bool + 'a>;
        let cases: Vec<(&str, Rule<'_>)> = vec![
            ("", Box::new(open)),
            ("severity>=high", Box::new(|n| open(n) && flaw(n) % 6 >= 4)),
            ("severity<low", Box::new(|n| open(n) && flaw(n) % 6 < 2)),
            ("severity:critical,unknown", Box::new(|n| open(n) && [5, 0].contains(&(flaw(n) % 6)))),
            ("status:affected", Box::new(|n| open(n) && n % 3 == 0)),
            ("status!=affected", Box::new(|n| open(n) && n % 3 != 0)),
            ("vulnerability:CVE-2025-0003", Box::new(|n| open(n) && flaw(n) == 3)),
            ("vulnerability:cve-2025-0003", Box::new(|n| open(n) && flaw(n) == 3)),
            ("vulnerability:GHSA-aaaa", Box::new(|n| open(n) && flaw(n) == 1)),
            ("vulnerability:CVE-2025-000*", Box::new(|n| open(n) && flaw(n) < 10)),
            ("component:ssl", Box::new(|n| open(n) && n < 20)),
            ("component=libssl", Box::new(|n| open(n) && (10..20).contains(&n))),
            ("component:open*", Box::new(|n| n < 10)),
            ("-component:ssl", Box::new(|n| open(n) && n >= 20)),
            ("component=log4j.core", Box::new(|n| (20..30).contains(&n))),
            ("purl:\"50%_\" guess:any", Box::new(|n| (50..60).contains(&n))),
            ("purl:\"5%f\" guess:any", Box::new(|_| false)),
            ("version=1.4", Box::new(|n| (30..40).contains(&n))),
            ("product:\"pump 3\"", Box::new(|n| open(n) && release(n) < 3)),
            ("product:pump*", Box::new(|n| open(n) && release(n) < 4)),
            ("release=1.0", Box::new(|n| open(n) && [1, 3].contains(&release(n)))),
            ("line=gateways", Box::new(|n| open(n) && release(n) > 3)),
            ("latest:true", Box::new(|n| open(n) && [2, 3, 5].contains(&release(n)))),
            ("latest:false", Box::new(|n| open(n) && [1, 4].contains(&release(n)))),
            ("kev:true", Box::new(|n| open(n) && flaw(n) == 3)),
            ("-kev:true", Box::new(|n| open(n) && flaw(n) != 3)),
            ("exploit:true OR kev:true", Box::new(|n| open(n) && [3, 4].contains(&flaw(n)))),
            ("score>=9", Box::new(|n| open(n) && flaw(n) % 6 == 5)),
            ("score:none", Box::new(|n| open(n) && flaw(n) % 6 == 0)),
            ("epss>5%", Box::new(|n| open(n) && [6, 7, 9, 10].contains(&flaw(n)))),
            ("-epss>5%", Box::new(|n| open(n) && ![6, 7, 9, 10].contains(&flaw(n)))),
            ("fix:true", Box::new(|_| false)),
            ("age>20d", Box::new(|n| open(n) && n % 28 < 8)),
            ("found:2026-02-10", Box::new(|n| open(n) && n % 28 == 9)),
            ("found<=2026-02-10", Box::new(|n| open(n) && n % 28 <= 9)),
            ("found>now-7d", Box::new(|n| open(n) && n % 28 >= 21)),
            ("due:none", Box::new(|n| open(n) && n % 5 != 0)),
            ("due<now+7d", Box::new(|n| open(n) && n % 5 == 0 && n % 28 <= 7)),
            ("-due<now+7d", Box::new(|n| open(n) && !(n % 5 == 0 && n % 28 <= 7))),
            ("owner:ada", Box::new(|n| open(n) && n % 6 == 0)),
            ("owner:me", Box::new(|n| open(n) && n % 6 == 0)),
            ("-owner:me", Box::new(|n| open(n) && n % 6 != 0)),
            ("owner:none", Box::new(|n| open(n) && n % 6 != 0)),
            ("owner:none,ada", Box::new(open)),
            ("decided:true", Box::new(|_| false)),
            ("proposed:true", Box::new(|n| open(n) && n % 11 == 0)),
            ("proposed:false", Box::new(|n| open(n) && n % 11 != 0)),
            ("lapsed:true closed:any", Box::new(|n| !(50..60).contains(&n) && n % 13 == 0)),
            ("-lapsed:true", Box::new(|n| open(n) && n % 13 != 0)),
            ("justification:none", Box::new(open)),
            ("verdict:conditional", Box::new(|_| false)),
            ("confidence:exact", Box::new(|n| open(n) && n % 2 == 1)),
            ("guess:true", Box::new(|n| (50..60).contains(&n))),
            ("guess:any", Box::new(|n| n < 60)),
            ("closed:true", Box::new(|n| n >= 60)),
            ("closed:any guess:any", Box::new(|_| true)),
            ("reason:upgraded", Box::new(|n| n >= 60)),
            ("customer:\"ward clinic\"", Box::new(|n| open(n) && release(n) == 3)),
            ("region=EU", Box::new(|n| open(n) && release(n) == 3)),
            ("units>=10", Box::new(|n| open(n) && [1, 3].contains(&release(n)))),
            ("gateway", Box::new(|n| open(n) && release(n) > 3)),
            ("\"flaw 2 of\"", Box::new(|n| open(n) && flaw(n) == 2)),
            ("libssl@1.2 kev:true", Box::new(|n| (10..20).contains(&n) && flaw(n) == 3)),
            (
                "(kev:true OR severity:critical) -status:affected",
                Box::new(|n| open(n) && (flaw(n) == 3 || flaw(n) % 6 == 5) && n % 3 != 0),
            ),
        ];
        for (text, rule) in &cases {
            let mut found = ids(db, &actor, None, &asked(text), 1000).await.unwrap();
            found.sort_unstable();
            assert_eq!(found, wanted(rule), "{text}");
            let walked = walk(db, &actor, &asked(text), 100, true).await;
            assert_eq!(walked.len(), found.len(), "{text}, walked");
            assert_eq!(total(db, &actor, &asked(text)).await.unwrap().n, found.len() as u64, "{text}");
        }
        let untested: Vec<&str> = FINDINGS
            .entries
            .iter()
            .map(|e| e.field.name)
            .filter(|name| *name != "seen" && !cases.iter().any(|(text, _)| text.contains(name)))
            .collect();
        assert!(untested.is_empty(), "fields without a case: {untested:?}");
    });
}

/// All ids of a query in pages of `most`, with the index of its order or by sorting.
async fn walk(db: &DatabaseConnection, actor: &Actor, query: &Query, most: u64, many: bool) -> Vec<i64> {
    let mut out = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let s = query::statement(db, actor, &FINDINGS, query).unwrap();
        let as_if = Total { n: 0, more: many };
        let page = query::list(db, s, query, (COLUMNS, read), after.as_deref(), (most, as_if)).await.unwrap();
        out.extend(page.rows.iter().map(|f| f.id));
        assert!(out.len() < 1000, "{query} does not end");
        after = page.next;
        if after.is_none() {
            return out;
        }
    }
}

#[test]
fn every_order_is_whole_in_pages_both_ways() {
    each(async |db| {
        fill(db).await;
        let actor = Actor::system(1, NOW);
        for order in schema().sorts {
            let up = walk(db, &actor, &asked(&format!("closed:any sort:{order}")), 100, false).await;
            assert_eq!(up.len(), wanted(|n| !(50..60).contains(&n)).len(), "{order}");
            for (sign, many) in [("", false), ("", true), ("-", false), ("-", true)] {
                let mut found =
                    walk(db, &actor, &asked(&format!("closed:any sort:{sign}{order}")), 7, many).await;
                if sign == "-" {
                    found.reverse();
                }
                assert_eq!(found, up, "{sign}{order}, {many}");
            }
        }
        let first = list(db, &actor, &asked("sort:-epss"), None, 1).await.unwrap();
        assert_eq!(first.rows[0].epss, Some(0.1));
        let other = list(db, &actor, &asked("sort:epss"), first.next.as_deref(), 1).await;
        assert!(matches!(other, Err(Error::Rejected { field, .. }) if field == "after"));
        for damaged in ["", "!", "W10", &"A".repeat(9000)] {
            assert!(list(db, &actor, &asked(""), Some(damaged), 1).await.is_err(), "{damaged:.20}");
        }
    });
}

#[test]
fn groups_hold_what_the_query_finds_of_each_vulnerability() {
    each(async |db| {
        fill(db).await;
        let actor = Actor::system(1, NOW);
        let (mut after, mut seen, mut findings) = (None::<String>, Vec::new(), 0);
        loop {
            let page = groups(db, &actor, &asked("status:affected"), after.as_deref(), 3).await.unwrap();
            assert_eq!(page.total.n, wanted(|n| n < 50 && n % 3 == 0).len() as u64);
            for g in page.rows {
                assert_eq!(g.first.len() as i64, g.findings.min(super::FOLDED as i64), "{}", g.vulnerability);
                assert!(g.first.iter().all(|f| f.vulnerability == g.vulnerability && f.status == "affected"));
                assert_eq!(g.undecided, 0);
                findings += g.findings;
                seen.push(g.vulnerability);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(findings, wanted(|n| n < 50 && n % 3 == 0).len() as i64);
        // most urgent first: severity, then number
        assert_eq!(&seen[..3], ["CVE-2025-0005", "CVE-2025-0010", "CVE-2025-0004"]);
        let sorted = groups(db, &actor, &asked("sort:vulnerability"), None, 2).await.unwrap();
        assert_eq!(sorted.rows[0].vulnerability, "CVE-2025-0001");
        let hurting =
            super::hurting(db, &actor, &parse("severity>=high", &super::flaw_schema()).unwrap(), None, 10)
                .await
                .unwrap();
        assert_eq!(
            hurting.rows.iter().map(|h| h.flaw.severity).collect::<Vec<_>>(),
            ["critical", "high", "high"]
        );
        let wanted = wanted(|n| n < 50 && n % 10 == 4);
        assert_eq!(hurting.rows[0].findings, wanted.len() as i64);
    });
}

#[test]
fn scope_is_kept_in_lists_counts_groups_and_what_is_decided() {
    each(async |db| {
        fill(db).await;
        let actor = in_line(2);
        let own = wanted(|n| n < 50 && n % 7 % 5 + 1 > 3);
        let query = asked("");
        let mut listed = walk(db, &actor, &query, 10, true).await;
        listed.sort_unstable();
        assert_eq!(listed, own);
        assert_eq!(total(db, &actor, &query).await.unwrap().n, own.len() as u64);
        let grouped = groups(db, &actor, &query, None, 50).await.unwrap();
        assert_eq!(grouped.rows.iter().map(|g| g.findings).sum::<i64>(), own.len() as i64);
        assert!(grouped.rows.iter().flat_map(|g| &g.first).all(|f| f.line == 2));
        let hurting = super::hurting(db, &actor, &Query::default(), None, 50).await.unwrap();
        assert_eq!(hurting.rows.iter().map(|h| h.findings).sum::<i64>(), own.len() as i64);
        // reads everything, decides in one line: a bulk decision takes that line's
        let mixed = Actor {
            grants: vec![
                Grant { role: Role::Auditor, line: None },
                Grant { role: Role::Analyst, line: Some(2) },
            ],
            ..Actor::system(1, NOW)
        };
        assert_eq!(ids(db, &mixed, None, &query, 1000).await.unwrap(), own);
        assert_eq!(
            ids(db, &mixed, None, &query, 3).await.unwrap().len(),
            4,
            "one more than the most tells of more"
        );
        let nobody = Actor { grants: Vec::new(), ..Actor::system(1, NOW) };
        assert!(matches!(list(db, &nobody, &query, None, 1).await, Err(Error::Denied(_))));
        let of = in_release(db, &actor, 4, &query, None, 100).await.unwrap();
        assert_eq!(of.rows.len(), wanted(|n| n < 50 && n % 7 % 5 == 3).len());
        assert_eq!(ids(db, &actor, Some(4), &query, 100).await.unwrap().len(), of.rows.len());
        let mut export = super::Export::new(asked("closed:any"), Some(4));
        assert_eq!(
            export.next(db, &actor).await.unwrap().len(),
            wanted(|n| !(50..60).contains(&n) && n % 7 % 5 == 3).len()
        );
        assert!(export.next(db, &actor).await.unwrap().is_empty());
        assert!(in_release(db, &actor, 1, &query, None, 100).await.unwrap().rows.is_empty());
    });
}

#[test]
fn values_are_those_of_what_one_sees() {
    each(async |db| {
        fill(db).await;
        db.execute_unprepared(
            "INSERT INTO occurrence (release, component, ref, places, licences, scope, direct, hashes) VALUES \
             (1, 1, '', '[]', '', '', 1, '[]'), (6, 7, '', '[]', '', '', 1, '[]')",
        )
        .await
        .unwrap();
        db.execute_unprepared("INSERT INTO membership (workspace, person, role) VALUES (1, 5, 'analyst')")
            .await
            .unwrap();
        let all = Actor::system(1, NOW);
        for (actor, field, text, wanted) in [
            (&all, "product", "", vec!["Gateway", "Pump 3", "Pump 4"]),
            (&all, "product", "PU", vec!["Pump 3", "Pump 4"]),
            (&in_line(2), "product", "pu", vec![]),
            (&all, "line", "i", vec!["Infusion"]),
            (&all, "release", "1.", vec!["1.0", "1.1"]),
            (&all, "component", "", vec!["openssl"]),
            (&in_line(2), "component", "", vec![]),
            (&all, "vulnerability", "cve-2025-001", vec!["CVE-2025-0010"]),
            (&all, "customer", "w", vec!["Ward clinic"]),
            (&all, "region", "", vec!["EU"]),
            (&all, "owner", "a", vec!["ada"]),
            (&all, "component", "%", vec![]),
            (&all, "score", "", vec![]),
        ] {
            assert_eq!(super::values(db, actor, field, text, 10).await.unwrap(), wanted, "{field}:{text}");
        }
    });
}

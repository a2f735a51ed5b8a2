//! Upgrades from every earlier schema, on both databases: rows of that time come through, and what a failed or
//! second upgrade meets is whole.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::detection::{self, Filter};
use crate::intel::Store;
use crate::inventory;
use crate::platform::access::Actor;
use crate::platform::change::{self, Verified};
use crate::platform::db::{self, Place};
use crate::platform::dump::testing::{by_table, fill, stream};
use crate::platform::{dump, people, sql, testing};

/// Tables that a migration empties on purpose, and the number of the one that does: nothing of them was in use, or
/// it is read again.
const EMPTIED: [(&str, u32); 4] = [("cwe", 2), ("import", 3), ("problem", 3), ("vex_statement", 3)];

async fn memory(steps: u32) -> DatabaseConnection {
    let db = db::sqlite(SqliteConnectOptions::new().in_memory(true), 1).await.unwrap();
    db::migrate(&db, Some(steps)).await.unwrap();
    db
}

fn run(test: impl AsyncFnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(test(dir.path()));
}

fn counts(stream: &[u8]) -> BTreeMap<String, usize> {
    by_table(stream).into_iter().map(|(table, rows)| (table, rows.len())).collect()
}

/// Rows without their first column: m0024 makes flaws of findings, and each database numbers them in its own order.
fn unnumbered(rows: &[String]) -> Vec<String> {
    let mut rest: Vec<String> = rows.iter().filter_map(|r| Some(r.split_once(',')?.1.to_owned())).collect();
    rest.sort();
    rest
}

#[test]
fn rows_of_every_earlier_schema_come_through() {
    let all = u32::try_from(db::known().len()).unwrap();
    for steps in 1..all {
        let postgres = testing::postgres();
        run(async |_| {
            let old = memory(steps).await;
            fill(&old).await;
            let (then, _) = stream(&old).await;
            db::migrate(&old, None).await.unwrap();
            let (now, told) = stream(&old).await;
            assert_eq!(told.schema, db::known());
            let (was, is) = (counts(&then), counts(&now));
            for (table, rows) in was {
                if EMPTIED.iter().any(|(t, by)| *t == table && steps < *by) {
                    continue;
                }
                let left = is.get(&table).unwrap_or_else(|| panic!("{table} of schema {steps} is gone"));
                assert!(*left >= rows, "{table} of schema {steps} had {rows} rows and has {left}");
            }
            let broken: Vec<(String, i64)> =
                sql::rows(&old, "test", "SELECT \"table\", fkid FROM pragma_foreign_key_check", vec![])
                    .await
                    .unwrap();
            assert_eq!(broken, [], "from schema {steps}");

            // PostgreSQL with the same rows of that time comes out the same
            let Some(place) = &postgres else { return };
            let db = db::connect(place, 2, false).await.unwrap();
            db::migrate(&db, Some(steps)).await.unwrap();
            dump::load(&db, Box::new(Cursor::new(&then[..])), &mut |_, _| {}).await.unwrap();
            db::migrate(&db, None).await.unwrap();
            let (other, _) = stream(&db).await;
            let there = by_table(&other);
            for (table, rows) in by_table(&now) {
                let same = |rows: &[String]| if table == "flaw" { unnumbered(rows) } else { rows.to_vec() };
                assert_eq!(same(&there[&table]), same(&rows), "{table} from schema {steps}");
            }
            db.close().await.unwrap();
        });
    }
}

#[test]
fn an_upgrade_that_fails_leaves_the_old_schema() {
    let places = |dir: &Path| [Some(Place::File(dir.join("tocsin.db"))), testing::postgres()];
    let dir = tempfile::tempdir().unwrap();
    for place in places(dir.path()).into_iter().flatten() {
        run(async |_| {
            let db = db::connect(&place, 2, true).await.unwrap();
            db::migrate(&db, Some(3)).await.unwrap();
            // in the way of the fifth migration, which has made other tables by then; the fourth succeeds
            db.execute_unprepared("CREATE TABLE occurrence (x TEXT)").await.unwrap();
            let (before, _) = stream(&db).await;
            assert!(db::migrate(&db, None).await.is_err());
            let (after, told) = stream(&db).await;
            assert_eq!(after, before);
            assert_eq!(told.schema, db::known()[..3], "not even the migration before the failed one remains");
            db.execute_unprepared("DROP TABLE occurrence").await.unwrap();
            db::migrate(&db, None).await.unwrap();
            assert_eq!(db::schema(&db).await.unwrap(), db::known());
            db.close().await.unwrap();
        });
    }
}

#[test]
fn processes_that_start_together_migrate_once() {
    let dir = tempfile::tempdir().unwrap();
    for place in [Some(Place::File(dir.path().join("tocsin.db"))), testing::postgres()].into_iter().flatten()
    {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let place = place.clone();
                std::thread::spawn(move || {
                    run(async |_| {
                        let db = db::open(&place).await.unwrap();
                        assert_eq!(db::schema(&db).await.unwrap(), db::known());
                        db.close().await.unwrap();
                    });
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
    }
}

/// An OSV record of the first schema, with an earlier content.
const FIRST: &str = "
INSERT INTO record (id, source, record_id, kind, hash, modified, state, title, first_seen, last_seen)
  VALUES (1, 'osv', 'CVE-2020-0001', 0, 'h2', '2021-01-01T00:00:00Z', 'active', 'A flaw', '2020', '2021');
INSERT INTO record_history (record, until, hash, modified, raw) VALUES (1, '2021-01-01', 'h1', '2020-01-01', x'00');
INSERT INTO vulnerability (id, main, dirty) VALUES (1, 'CVE-2020-0001', 1);
INSERT INTO alias (id, vulnerability) VALUES ('CVE-2020-0001', 1);
INSERT INTO record_link (record, part, vulnerability, ids) VALUES (1, 0, 1, '[\"CVE-2020-0001\"]');
INSERT INTO epss (cve, date, score, percentile) VALUES ('CVE-2020-0001', '2021-01-01', 0.25, 0.5);
INSERT INTO kev (cve, date_added, due_date, ransomware, name) VALUES ('CVE-2020-0001', '2021-02-03', NULL, 1, 'A');
INSERT INTO kev_change (cve, seen, date_added, due_date, ransomware, name)
  VALUES ('CVE-2020-0001', '2021-02-03', '2021-02-02', '2021-03-01', 0, 'A')
";

#[test]
fn intelligence_of_the_first_schema_is_known_after_the_upgrade() {
    let osv = r#"{"id": "CVE-2020-0001", "modified": "2021-01-01T00:00:00Z", "summary": "A flaw", "affected": [
        {"package": {"ecosystem": "npm", "name": "left"}, "ranges": [{"type": "SEMVER",
         "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]}]}]}"#;
    let raw = zstd::bulk::compress(osv.as_bytes(), 3).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for place in [Some(Place::File(dir.path().join("tocsin.db"))), testing::postgres()].into_iter().flatten()
    {
        let folder = tempfile::tempdir().unwrap();
        run(async |_| {
            let db = db::connect(&place, 1, true).await.unwrap();
            db::migrate(&db, Some(1)).await.unwrap();
            let first = match db.get_database_backend() {
                sea_orm::DbBackend::Postgres => FIRST.replace("x'00'", "'\\x00'::bytea"),
                _ => FIRST.to_owned(),
            };
            for statement in first.split(";\n").filter(|s| !s.trim().is_empty()) {
                db.execute_unprepared(statement).await.unwrap();
            }
            let kind = i64::from(tocsin_formats::intel::RawKind::Osv as u8);
            let update = "UPDATE record SET kind = $1";
            sql::run(&db, "test", update, vec![kind.into()]).await.unwrap();
            let insert = "INSERT INTO record_raw (record, raw) VALUES (1, $1)";
            sql::run(&db, "test", insert, vec![raw.clone().into()]).await.unwrap();
            db.close().await.unwrap();
        });
        let store = Store::open_at(folder.path(), place).unwrap();
        let shown = store.show("CVE-2020-0001").unwrap();
        assert_eq!((shown.records.len(), shown.records[0].history.len()), (1, 1));
        assert_eq!(store.open_index().unwrap().index.len(), 1);
        assert_eq!(store.search("flaw", 10, None).unwrap().hits.len(), 1);
        assert_eq!(store.raw("osv", "CVE-2020-0001").unwrap(), osv.as_bytes());
    }
}

/// People, a release with a finding, and a trail, as the schema of the first server had them.
const SERVER: &str = "
INSERT INTO workspace (id, slug, name, settings, created) VALUES (1, 'main', 'Main', '{}', '2026');
INSERT INTO line (id, workspace, name, created) VALUES (1, 1, 'Pumps', '2026');
INSERT INTO product (id, workspace, line, name, created) VALUES (1, 1, 1, 'Pump', '2026');
INSERT INTO release (id, workspace, product, version, latest, created, components, high)
  VALUES (1, 1, 1, '1.0', 1, '2026', 1, 1);
INSERT INTO component (id, hash, kind, grp, name, version, purl, cpes, supplier, plain)
  VALUES (1, 'h', 'library', '', 'left', '1.0.0', 'pkg:npm/left@1.0.0', '[]', '', 'left');
INSERT INTO occurrence (release, component, ref, places, licences, scope, direct, hashes)
  VALUES (1, 1, 'left', '[\"left\"]', 'MIT', '', 1, '[]');
INSERT INTO finding (id, workspace, release, component, vulnerability, verdict, confidence, severity, score, kev,
  exploits, title, fixed, evidence, rank, print, status, first_seen, last_seen)
  VALUES (1, 1, 1, 1, 'CVE-2020-0001', 'affected', 2, 4, 7.5, 0, 0, 'A flaw', '1.2.3', '[]', 7500000, 'p',
  'under_investigation', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')
";

#[test]
fn a_server_of_the_first_schema_goes_on_after_the_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    for place in [Some(Place::File(dir.path().join("tocsin.db"))), testing::postgres()].into_iter().flatten()
    {
        run(async |_| {
            let db = db::connect(&place, 2, true).await.unwrap();
            db::migrate(&db, Some(5)).await.unwrap();
            for statement in SERVER.split(";\n").filter(|s| !s.trim().is_empty()) {
                db.execute_unprepared(statement).await.unwrap();
            }
            let now = "2026-01-01T00:00:00.000Z";
            let actor = Actor::system(1, now);
            let mut change = change::Change::begin(&db, &actor).await.unwrap();
            change.record("release.create", "release/1".to_owned(), "Pump 1.0", &(), &());
            change.commit().await.unwrap();
            db.close().await.unwrap();

            let db = db::open(&place).await.unwrap();
            assert_eq!(people::workspaces(&db).await.unwrap(), [1]);
            let releases = inventory::releases(&db, &actor, None).await.unwrap();
            assert_eq!(
                (releases.len(), releases[0].version.as_str(), releases[0].open),
                (1, "1.0", [0, 1, 0, 0, 0])
            );
            let found = detection::findings(&db, &actor, &Filter::default(), None, 10).await.unwrap();
            assert_eq!(found.findings.len(), 1);
            assert_eq!(
                (found.findings[0].vulnerability.as_str(), found.findings[0].score),
                ("CVE-2020-0001", Some(7.5))
            );
            assert_eq!(change::verify(&db).await.unwrap(), Verified { events: 1, broken_at: None });
            // ids given by the database follow what is there
            let mut change = change::Change::begin(&db, &actor).await.unwrap();
            let line = inventory::make_line(&mut change, "Gateways").await;
            if db.get_database_backend() != sea_orm::DbBackend::Postgres {
                assert_eq!(line.unwrap(), 2);
            }
            drop(change);
            db.close().await.unwrap();
        });
    }
}

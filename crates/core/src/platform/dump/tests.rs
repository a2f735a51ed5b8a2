//! Every table goes to the other database and back without loss; damaged streams change nothing.

use std::io::Cursor;

use sea_orm::DatabaseConnection;

use super::testing::{ROWS, by_table, fill, stream};
use super::{Source, Summary, check, load};
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::change::{self, Change};
use crate::platform::db::{self, Place};
use crate::platform::{people, sql, testing};

fn source(bytes: &[u8]) -> Source<'_> {
    Box::new(Cursor::new(bytes))
}

async fn read(bytes: &[u8]) -> Result<Summary> {
    check(source(bytes), &mut |_, _| {}).await
}

async fn put(db: &DatabaseConnection, bytes: &[u8]) -> Result<Summary> {
    load(db, source(bytes), &mut |_, _| {}).await
}

/// A few events that follow from one another.
async fn act(db: &DatabaseConnection, times: usize) {
    for n in 0..times {
        let actor = Actor::system(1000, "2026-01-01T00:00:00.000Z");
        let mut change = Change::begin(db, &actor).await.unwrap();
        change.record("test.act", format!("thing/{n}"), "É \"thing\"", &(), &serde_json::json!({"n": n}));
        change.commit().await.unwrap();
    }
}

fn run(test: impl AsyncFnOnce(&std::path::Path)) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(test(dir.path()));
}

#[test]
fn every_table_moves_to_the_other_database_and_back() {
    let Some(postgres) = testing::postgres() else { return };
    run(async |dir| {
        let a = db::open(&Place::File(dir.join("a.db"))).await.unwrap();
        fill(&a).await;
        act(&a, 5).await;
        let (first, told) = stream(&a).await;
        for (table, rows) in &told.tables {
            let wanted = match table.as_str() {
                "audit" => 5,
                "audit_head" => 1,
                _ => ROWS as u64,
            };
            assert!(*rows >= wanted, "{table} has {rows} rows");
        }
        assert_eq!(read(&first).await.unwrap(), told);

        let p = db::open(&postgres).await.unwrap();
        assert_eq!(put(&p, &first).await.unwrap(), told);
        let (second, _) = stream(&p).await;
        same(&first, &second);
        assert_eq!(change::verify(&p).await.unwrap(), change::verify(&a).await.unwrap());
        assert_eq!(change::verify(&p).await.unwrap().broken_at, None);

        let b = db::open(&Place::File(dir.join("b.db"))).await.unwrap();
        put(&b, &second).await.unwrap();
        let (third, _) = stream(&b).await;
        same(&first, &third);
        assert_eq!(change::verify(&b).await.unwrap().broken_at, None);

        // life goes on: ids follow the largest, keys hold, the trail is continued
        for db in [&p, &b] {
            let insert = "INSERT INTO workspace (slug, name, settings, created) VALUES ('x', 'x', '{}', '') RETURNING id";
            let (id,): (i64,) = sql::row(db, "test", insert, vec![]).await.unwrap().unwrap();
            assert_eq!(id, 1000 + ROWS as i64);
            let orphan = "INSERT INTO line (workspace, name, created) VALUES (77, 'x', '')";
            assert!(sql::run(db, "test", orphan, vec![]).await.is_err(), "foreign keys are checked");
            act(db, 2).await;
            assert_eq!(change::verify(db).await.unwrap(), change::Verified { events: 7, broken_at: None });
        }
        for db in [a, b, p] {
            db.close().await.unwrap();
        }
    });
}

/// Compares two streams table by table, so that a failure says where.
fn same(a: &[u8], b: &[u8]) {
    let (left, right) = (by_table(a), by_table(b));
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (table, rows) in &left {
        assert_eq!(rows, &right[table], "{table}");
    }
    assert!(a == b, "the lines between the tables differ");
}

#[test]
fn a_damaged_stream_is_refused_and_changes_nothing() {
    testing::each(async |db| {
        let memory =
            db::sqlite(sea_orm::sqlx::sqlite::SqliteConnectOptions::new().in_memory(true), 1).await.unwrap();
        db::migrate(&memory, None).await.unwrap();
        fill(&memory).await;
        let (good, _) = stream(&memory).await;
        people::first_workspace(db, "mine", "2026").await.unwrap();
        let before = stream(db).await;
        for cut in (0..good.len()).step_by(good.len() / 40) {
            assert!(read(&good[..cut]).await.is_err(), "cut at {cut}");
        }
        let mut behind = good.clone();
        behind.extend(b"[]\n");
        assert!(read(&behind).await.is_err());
        for at in (0..good.len()).step_by(good.len() / 400) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(
                read(&bad).await.is_err(),
                "byte {at}: {}",
                String::from_utf8_lossy(&good[at..][..40.min(good.len() - at)])
            );
        }
        for at in (0..good.len()).step_by(good.len() / 6) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(put(db, &bad).await.is_err(), "byte {at}");
            assert!(put(db, &good[..at]).await.is_err(), "cut at {at}");
        }
        assert_eq!(stream(db).await, before, "nothing was changed");
        assert!(put(db, &good).await.is_ok(), "the undamaged one goes in");
    });
}

#[test]
fn what_one_database_cannot_hold_is_told() {
    testing::each(async |db| {
        let postgres = db.get_database_backend() == sea_orm::DbBackend::Postgres;
        let row = r#"["CVE-1","2026","NaN",-0.0]"#;
        let text = String::from_utf8(stream(db).await.0).unwrap();
        // what the hash is over is rewritten with it
        let (lines, _) = text.trim_end().rsplit_once('\n').unwrap();
        let with = |table: &str, row: &str| {
            let head = format!("{{\"table\":\"{table}\"");
            let at = lines.find(&head).unwrap();
            let (a, b) = lines.split_at(at + lines[at..].find('\n').unwrap() + 1);
            let b = b.replacen("{\"rows\":0}", "{\"rows\":1}", 1);
            let body = format!("{a}{row}\n{b}\n");
            let sha: String = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&body))
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            let tables = body.matches("{\"table\":").count();
            // seeds of migrations are rows too
            let rows = body.lines().filter(|l| l.starts_with('[')).count();
            format!("{body}{{\"end\":{{\"tables\":{tables},\"rows\":{rows},\"sha256\":\"{sha}\"}}}}\n")
        };
        let done = put(db, with("epss", row).as_bytes()).await;
        if postgres {
            done.unwrap();
            let again = String::from_utf8(stream(db).await.0).unwrap();
            assert!(again.contains(row), "{again}");
        } else {
            let error = done.unwrap_err().to_string();
            assert!(error.contains("NaN") && error.contains("epss"), "{error}");
        }
        let nul = r#"["k","a\u0000b"]"#;
        let done = put(db, with("meta", nul).as_bytes()).await.unwrap();
        assert_eq!(done.replaced, u64::from(postgres));
        let (kept,): (String,) =
            sql::row(db, "test", "SELECT value FROM meta", vec![]).await.unwrap().unwrap();
        assert_eq!(kept, if postgres { "a\u{fffd}b" } else { "a\0b" });
        for bad in [r#"["k"]"#, r#"["k",1]"#, r#"["k","v",null]"#, r#"["k",null]"#, "[", r#"["k","v"]]"#] {
            assert!(put(db, with("meta", bad).as_bytes()).await.is_err(), "{bad}");
        }
        let other = with("meta", r#"["k","v"]"#).replace("[\"key\",\"text\"]", "[\"kez\",\"text\"]");
        assert!(put(db, other.as_bytes()).await.is_err());
    });
}

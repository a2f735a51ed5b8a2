//! Backups of either database go back into either; what is damaged, in use or full is refused, and nothing is lost.

use std::path::{Path, PathBuf};

use super::*;
use crate::platform::dump::testing::{by_table, fill, stream};
use crate::platform::secret::Random;
use crate::platform::testing;
use crate::platform::vault::Vault;

fn maker(second: i64) -> Maker {
    Maker {
        program: "0.0.0".to_owned(),
        now: format!("2026-01-02T03:04:{second:02}.000Z"),
        seconds: 1_767_323_040 + second,
    }
}

fn quiet(_: &str, _: u64) {}

/// A data folder with a database that has something in every table.
struct Site {
    dir: tempfile::TempDir,
    place: Place,
}

impl Site {
    fn new(postgres: bool) -> Option<Site> {
        let dir = tempfile::tempdir().unwrap();
        let place = if postgres { testing::postgres()? } else { Place::File(dir.path().join("tocsin.db")) };
        Some(Site { dir, place })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn filled(&self) -> (DatabaseConnection, Vec<u8>) {
        let memory = db::sqlite(SqliteConnectOptions::new().in_memory(true), 1).await.unwrap();
        db::migrate(&memory, None).await.unwrap();
        fill(&memory).await;
        let (bytes, _) = stream(&memory).await;
        let db = db::open(&self.place).await.unwrap();
        dump::load(&db, Box::new(std::io::Cursor::new(bytes)), &mut quiet).await.unwrap();
        let bytes = stream(&db).await.0;
        (db, bytes)
    }

    async fn data(&self) -> Vec<u8> {
        let db = db::open(&self.place).await.unwrap();
        let bytes = stream(&db).await.0;
        db.close().await.unwrap();
        bytes
    }

    async fn make(&self, to: &Path, second: i64) -> Result<(PathBuf, Manifest)> {
        make(self.path(), &self.place, to, true, &maker(second), &mut quiet).await
    }

    async fn restore(&self, from: &Path, force: bool, second: i64) -> Result<Restored> {
        restore(self.path(), &self.place, from, force, &maker(second), &mut quiet).await
    }
}

/// Everything but the trail is the same; the trail is the same and longer.
fn carried(before: &[u8], after: &[u8]) {
    let (before, after) = (by_table(before), by_table(after));
    for (table, rows) in &before {
        match table.as_str() {
            "audit" => assert!(after[table].starts_with(rows), "the trail goes on"),
            "audit_head" => {}
            _ => assert_eq!(rows, &after[table], "{table}"),
        }
    }
    assert!(after["audit"].iter().any(|e| e.contains("data.restore") || e.contains("data.import")));
}

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(test());
}

const RANDOM: Random = testing::random;

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| !n.ends_with("-wal") && !n.ends_with("-shm"))
        .collect();
    all.sort();
    all
}

#[test]
fn a_backup_of_either_database_goes_into_either() {
    for (from, to) in [(false, false), (false, true), (true, false), (true, true)] {
        let (Some(a), Some(b)) = (Site::new(from), Site::new(to)) else { return };
        run(async || {
            let (db, before) = a.filled().await;
            let sealed = Vault::new(a.path()).seal(RANDOM, "x", b"secret").unwrap();
            let out = tempfile::tempdir().unwrap();
            // the database stays open, as with a server that runs
            let (file, manifest) = a.make(out.path(), 5).await.unwrap();
            db.close().await.unwrap();
            assert_eq!(names(out.path()), ["tocsin-20260102T030405Z.tar"]);
            assert_eq!(file, out.path().join("tocsin-20260102T030405Z.tar"));
            assert_eq!((manifest.key, manifest.schema.clone()), (true, db::known()));
            assert!(manifest.tables.values().filter(|n| **n > 0).count() > 30);
            assert_eq!(verify(&file, &mut quiet).await.unwrap(), manifest);
            assert!(recognise(&file).unwrap() && !dump::recognise(&file).unwrap());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            }
            // what is there is not written over
            assert!(matches!(a.make(&file, 6).await, Err(Error::Conflict(_))));

            let done = b.restore(&file, false, 7).await.unwrap();
            assert_eq!((done.rows, done.key, done.kept), (manifest.rows(), true, None));
            assert_eq!(done.audit.unwrap().broken_at, None);
            carried(&before, &b.data().await);
            assert_eq!(Vault::new(b.path()).open("x", &sealed).unwrap().as_slice(), b"secret");

            // again: refused, and with force the old data is kept where it is a file
            assert!(matches!(b.restore(&file, false, 8).await, Err(Error::Conflict(_))));
            let done = b.restore(&file, true, 9).await.unwrap();
            carried(&before, &b.data().await);
            let left = names(b.path());
            if to {
                assert_eq!(left, ["import.lock", "secret.key"]);
            } else {
                let kept = "tocsin.db.before-20260102T030409Z";
                assert_eq!(done.kept, Some(b.path().join(kept)));
                assert_eq!(left, ["import.lock", "secret.key", "tocsin.db", kept]);
                assert_eq!(std::fs::read_to_string(b.path().join("secret.key")).unwrap().lines().count(), 1);
            }
        });
    }
}

#[test]
fn damage_anywhere_is_found_before_anything_is_changed() {
    for postgres in [false, true] {
        let (Some(a), Some(b)) = (Site::new(postgres), Site::new(postgres)) else { return };
        run(async || {
            let (db, _) = a.filled().await;
            db.close().await.unwrap();
            let before = {
                let (db, before) = b.filled().await;
                db.close().await.unwrap();
                before
            };
            let (file, manifest) = a.make(&a.path().join("b.tar"), 1).await.unwrap();
            let good = std::fs::read(&file).unwrap();
            let bad = a.path().join("bad.tar");
            let body = usize::try_from(manifest.files[0].bytes).unwrap();
            for at in (0..512 + body).step_by((512 + body) / 60) {
                let mut bytes = good.clone();
                bytes[at] ^= 0x10;
                std::fs::write(&bad, &bytes).unwrap();
                assert!(verify(&bad, &mut quiet).await.is_err(), "byte {at}");
                std::fs::write(&bad, &good[..at]).unwrap();
                assert!(verify(&bad, &mut quiet).await.is_err(), "cut at {at}");
            }
            let error = b.restore(&bad, true, 2).await.unwrap_err().to_string();
            assert!(error.contains("backup-damaged"), "{error}");
            assert_eq!(b.data().await, before);
            for (text, told) in [(&b""[..], "no backup"), (b"no archive at all", "backup-damaged")] {
                std::fs::write(&bad, text).unwrap();
                let error = verify(&bad, &mut quiet).await.unwrap_err().to_string();
                assert!(error.contains(told), "{error}");
            }
        });
    }
}

#[test]
fn data_in_use_or_of_a_newer_version_is_left_alone() {
    for postgres in [false, true] {
        let (Some(a), Some(b)) = (Site::new(postgres), Site::new(postgres)) else { return };
        run(async || {
            let (db, _) = a.filled().await;
            let (file, _) = a.make(&a.path().join("b.tar"), 1).await.unwrap();
            let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 1)";
            sql::run(&db, "test", insert, vec![]).await.unwrap();
            db.close().await.unwrap();
            let error = db::open(&a.place).await.unwrap_err().to_string();
            assert!(error.contains("newer version") && error.contains("m9999_future"), "{error}");

            let (db, before) = b.filled().await;
            let error = b.restore(&file, true, 2).await.unwrap_err().to_string();
            assert!(error.contains("stop"), "{error}");
            db.close().await.unwrap();
            assert_eq!(b.data().await, before);
            assert!(b.restore(&file, true, 3).await.is_ok());

            // a backup of the future database can be made of a file, and is not taken by this version
            if !postgres {
                let (file, _) = a.make(&a.path().join("c.tar"), 1).await.unwrap();
                let error = b.restore(&file, true, 4).await.unwrap_err().to_string();
                assert!(error.contains("newer version"), "{error}");
            }
        });
    }
}

#[test]
fn a_broken_file_is_replaced_by_force_and_kept() {
    let (Some(a), Some(b)) = (Site::new(false), Site::new(false)) else { return };
    run(async || {
        let (db, before) = a.filled().await;
        let (file, _) = a.make(&a.path().join("b.tar"), 1).await.unwrap();
        db.close().await.unwrap();
        let Place::File(target) = &b.place else { return };
        std::fs::write(target, vec![7; 100_000]).unwrap();
        std::fs::write(b.path().join("tocsin.db-wal"), b"old").unwrap();
        let error = b.restore(&file, false, 2).await.unwrap_err().to_string();
        assert!(error.contains("--force"), "{error}");
        let done = b.restore(&file, true, 3).await.unwrap();
        assert_eq!(std::fs::read(done.kept.unwrap()).unwrap(), vec![7; 100_000]);
        carried(&before, &b.data().await);
    });
}

#[test]
fn exports_move_to_an_empty_database_alone() {
    for (from, to) in [(false, true), (true, false)] {
        let (Some(a), Some(b)) = (Site::new(from), Site::new(to)) else { return };
        run(async || {
            let (db, before) = a.filled().await;
            let file = a.path().join("all.jsonl.zst");
            let told = export(&a.place, &file, &maker(1), &mut quiet).await.unwrap();
            db.close().await.unwrap();
            assert!(dump::recognise(&file).unwrap() && !recognise(&file).unwrap());
            // a database that was only opened is empty
            db::open(&b.place).await.unwrap().close().await.unwrap();
            std::fs::create_dir_all(b.path().join("index")).unwrap();
            std::fs::write(b.path().join("index/manifest"), "of other data").unwrap();
            let done = import(b.path(), &b.place, &file, &maker(2), &mut quiet).await.unwrap();
            assert_eq!(done.rows, told.rows);
            carried(&before, &b.data().await);
            assert!(!b.path().join("index/manifest").exists(), "the index is made again");
            let again = import(b.path(), &b.place, &file, &maker(3), &mut quiet).await;
            assert!(matches!(again, Err(Error::Conflict(_))));
        });
    }
}

#[test]
fn copies_of_every_earlier_schema_are_migrated_on_the_way() {
    for steps in [1, 3, 5] {
        for postgres in [false, true] {
            let (Some(a), Some(b), Some(c)) = (Site::new(false), Site::new(postgres), Site::new(postgres))
            else {
                return;
            };
            run(async || {
                let db = db::connect(&a.place, 1, true).await.unwrap();
                db::migrate(&db, Some(steps)).await.unwrap();
                fill(&db).await;
                db.close().await.unwrap();
                let (file, manifest) = a.make(&a.path().join("b.tar"), 1).await.unwrap();
                let exported = a.path().join("e.jsonl.zst");
                export(&a.place, &exported, &maker(1), &mut quiet).await.unwrap();
                let db = db::connect(&a.place, 1, false).await.unwrap();
                assert_eq!(
                    db::schema(&db).await.unwrap(),
                    db::known()[..steps as usize],
                    "not migrated by a backup"
                );
                db::migrate(&db, None).await.unwrap();
                let wanted = stream(&db).await.0;
                db.close().await.unwrap();
                let done = b.restore(&file, false, 2).await.unwrap();
                assert_eq!(
                    (done.schema, done.migrated),
                    (manifest.schema.last().unwrap().clone(), db::known().last().unwrap().clone())
                );
                import(c.path(), &c.place, &exported, &maker(3), &mut quiet).await.unwrap();
                for site in [&b, &c] {
                    let (wanted, got) = (by_table(&wanted), by_table(&site.data().await));
                    for (table, rows) in wanted.iter().filter(|t| !t.0.starts_with("audit")) {
                        assert_eq!(rows, &got[table], "{table} from schema {steps}");
                    }
                }
            });
        }
    }
}

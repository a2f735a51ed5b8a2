//! What tests of the domains share: a fresh database on each backend, randomness that repeats.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use super::db::{self, Place};

/// Bytes that never repeat within a run.
pub(crate) fn random(bytes: &mut [u8]) {
    static STATE: AtomicU64 = AtomicU64::new(1);
    for chunk in bytes.chunks_mut(8) {
        let n = STATE.fetch_add(1, Ordering::Relaxed);
        let word = xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// A database of the test's own on the server, or nothing without a server.
pub(crate) fn postgres() -> Option<Place> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("TOCSIN_TEST_POSTGRES") else {
        eprintln!("SKIPPED: TOCSIN_TEST_POSTGRES is not set; not tested on PostgreSQL");
        return None;
    };
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = ConnectOptions::new(&server);
        options.max_connections(1);
        let db = Database::connect(options).await.unwrap();
        db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        db.close().await.unwrap();
    });
    let base = server.rsplit_once('/').unwrap().0;
    Some(Place::Postgres(format!("{base}/{name}")))
}

/// Runs `check` with a new database on each backend.
pub(crate) fn each(check: impl AsyncFn(&DatabaseConnection)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Place::File(dir.path().join("tocsin.db"));
    for place in [Some(sqlite), postgres()].into_iter().flatten() {
        runtime.block_on(async {
            let db = db::open(&place).await.unwrap();
            check(&db).await;
            db.close().await.unwrap();
        });
    }
}

//! Findings following intelligence and documents, on each backend.

mod incremental;
mod reasons;
mod warned;

use std::sync::Arc;

use sea_orm::DatabaseConnection;
use tocsin_engine::index::{Bytes, FactsBuilder, Group, Index, SegmentBuilder, encode};
use tocsin_model::record::Fact;
use tocsin_model::vex::VexStatement;

use super::{Done, Means, Read, rematch};
use crate::intel::{self, Opened};
use crate::inventory;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::{people, sql};

const NOW: &str = "2026-01-01T00:00:00.000Z";

/// What is known at one time.
#[derive(Default, Clone)]
struct Intelligence {
    groups: Vec<Group>,
    facts: Vec<Fact>,
    vex: Vec<VexStatement>,
}

impl Intelligence {
    fn index(&self) -> Index {
        let mut builder = SegmentBuilder::default();
        self.groups.iter().for_each(|g| builder.push(encode(g)));
        let mut facts = FactsBuilder::default();
        self.facts.iter().for_each(|f| facts.push(f));
        let (segment, facts): (Bytes, Bytes) = (Arc::new(builder.finish()), Arc::new(facts.finish()));
        Index::open(vec![segment], Some(facts)).unwrap()
    }

    /// Puts it in place as the edition after `before`, as an import does.
    async fn publish(&self, db: &DatabaseConnection, before: Option<&Opened>) -> Arc<Opened> {
        let index = self.index();
        let changed = before.map(|old| {
            let mut changed = index.changed_since(&old.index, 0).unwrap();
            for id in intel::restated(&old.vex, &self.vex) {
                index.tell_of(&id, &mut changed).unwrap();
            }
            changed
        });
        let n = intel::note(db, 0, "token", changed.as_ref()).await.unwrap();
        Arc::new(Opened::new(index, self.vex.clone(), n))
    }
}

async fn actor(db: &DatabaseConnection) -> Actor {
    Actor::system(people::first_workspace(db, "Example Medical", NOW).await.unwrap(), NOW)
}

async fn release(db: &DatabaseConnection, actor: &Actor, version: &str) -> i64 {
    let mut change = Change::begin(db, actor).await.unwrap();
    let line = inventory::make_line(&mut change, "Infusion").await.unwrap();
    let product = inventory::make_product(&mut change, line, "Pump 3").await.unwrap();
    let release = inventory::make_release(&mut change, product, version).await.unwrap();
    change.commit().await.unwrap();
    release
}

fn read(name: &str, bytes: &[u8]) -> crate::Result<tocsin_model::bom::Bom> {
    let options = tocsin_formats::input::ReadOptions::default();
    Ok(tocsin_formats::sbom::read(name, bytes, &options, None).unwrap())
}

async fn upload(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    document: &serde_json::Value,
    opened: &Arc<Opened>,
) -> inventory::Uploaded {
    let bytes = serde_json::to_vec(document).unwrap();
    let bom = read("pump.cdx.json", &bytes).unwrap();
    let prepared = inventory::prepare_with("pump.cdx.json", bytes, bom, Some(opened.clone())).unwrap();
    inventory::upload(db, actor, release, &prepared).await.unwrap()
}

async fn follow(db: &DatabaseConnection, opened: &Arc<Opened>) -> Done {
    let reader: Read = Arc::new(read);
    let refused = |name: &str, e: &crate::Error| panic!("{name}: {e}");
    let means = Means { now: &|| NOW.to_owned(), read: reader, refused: &refused, progress: &|_, _| {} };
    rematch(db, opened, &means).await.unwrap()
}

/// Every finding and every count, as lines.
async fn snapshot(db: &DatabaseConnection) -> Vec<String> {
    let what = "asking";
    let select = "SELECT f.id, f.release, f.component, f.vulnerability || ' ' || f.verdict || ' ' || f.title || ' ' || \
                  f.fixed || ' ' || f.evidence || ' ' || f.status || ' ' || f.reason || ' ' || f.print, f.severity, \
                  f.confidence, f.score, f.epss, f.kev, f.exploits, f.rank, f.closed, (SELECT COUNT(*) \
                  FROM finding_event e WHERE e.finding = f.id) FROM finding f ORDER BY f.id";
    type Row = (i64, i64, i64, String, i64, i64, Option<f64>, Option<f64>, i64, i64, i64, Option<String>);
    let rows = sql::raw(db, what, select, vec![]).await.unwrap();
    let line = |r: &sea_orm::QueryResult| {
        let n = |i: usize| r.try_get_by_index::<i64>(i);
        let real = |i: usize| r.try_get_by_index::<Option<f64>>(i);
        let row: Row = (
            n(0)?,
            n(1)?,
            n(2)?,
            r.try_get_by_index(3)?,
            n(4)?,
            n(5)?,
            real(6)?,
            real(7)?,
            n(8)?,
            n(9)?,
            n(10)?,
            r.try_get_by_index(11)?,
        );
        Ok(format!("{row:?} {}", n(12)?))
    };
    let mut lines = sql::read(&rows, what, line).unwrap();
    let select =
        "SELECT id, generation, critical, high, medium, low, unrated, exploited FROM release ORDER BY id";
    type Counts = (i64, i64, i64, i64, i64, i64, i64, i64);
    let rows: Vec<Counts> = sql::rows(db, what, select, vec![]).await.unwrap();
    lines.extend(rows.iter().map(|r| format!("release {r:?}")));
    lines
}

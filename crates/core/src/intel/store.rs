//! Writing a batch of an import: records, facts, VEX documents and problems, in one transaction.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use tocsin_model::diagnostic::Diagnostic;
use tocsin_model::record::Fact;

use crate::error::Result;
use crate::intel::types::Counts;
use crate::intel::vex::VexDocument;
use crate::intel::{changes, facts, problems, records, vex};
use crate::platform::sql;

/// A record parsed, hashed and compressed, ready to be written.
pub(crate) struct Prepared {
    pub source: &'static str,
    pub record_id: String,
    pub kind: i64,
    pub hash: String,
    pub modified: Option<String>,
    pub state: &'static str,
    pub title: String,
    pub raw: Vec<u8>,
    /// Ids of each parsed record, own id first.
    pub parts: Vec<Vec<String>>,
    /// What its parser remarks.
    pub remarks: Vec<Diagnostic>,
}

/// A refused part of an input.
pub(crate) struct Refused {
    /// Source where it is known, else empty.
    pub source: &'static str,
    /// File it stood in; empty where it concerns stored records.
    pub file: String,
    pub diagnostic: Diagnostic,
    pub bytes: Vec<u8>,
}

/// What is written at once.
#[derive(Default)]
pub(crate) struct Batch {
    pub records: Vec<Prepared>,
    pub facts: Vec<Fact>,
    pub vex: Vec<VexDocument>,
    pub refused: Vec<Refused>,
    /// Files read to their end: problems in them that this run did not meet again are solved.
    pub ended: Vec<String>,
    pub counts: BTreeMap<String, Counts>,
}

/// The run of an import.
pub(crate) struct Run<'a> {
    /// Number.
    pub id: i64,
    /// When it began.
    pub now: &'a str,
}

/// Sources of those of `hashes` that are stored already.
pub(crate) async fn known_hashes(
    db: &impl ConnectionTrait,
    hashes: &[&str],
) -> Result<HashMap<String, String>> {
    let sql = format!("SELECT hash, source FROM record WHERE hash IN {}", sql::texts(db, 1));
    let rows: Vec<(String, String)> =
        sql::rows(db, "looking for known records", &sql, vec![sql::list(hashes)]).await?;
    Ok(rows.into_iter().collect())
}

/// Writes a batch; returns its counts and the diagnostics of refused merges.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    mut batch: Batch,
    run: &Run<'_>,
) -> Result<(BTreeMap<String, Counts>, Vec<Diagnostic>)> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // Numbers of rows are given by the one writer; a file locks out others on SQLite.
        sql::run(tx, "waiting for another import", "SELECT pg_advisory_xact_lock(8313446920117)", vec![])
            .await?;
    }
    let mut counts = std::mem::take(&mut batch.counts);
    let conflicts = records::write(tx, &batch.records, run, &mut counts).await?;
    facts::write(tx, &batch.facts, run.now, &mut counts).await?;
    vex::write(tx, &batch.vex, run.now, &mut counts).await?;
    changes::spoil(tx, "facts", !batch.facts.is_empty()).await?;
    changes::spoil(tx, "vex", !batch.vex.is_empty()).await?;
    problems::write(tx, &batch.refused, run).await?;
    problems::solve(tx, &batch.ended, run).await?;
    Ok((counts, conflicts))
}

/// The number after the largest one `sql` gives.
pub(crate) async fn next_id(tx: &impl ConnectionTrait, sql: &str) -> Result<i64> {
    let max: Option<(i64,)> = sql::row(tx, "numbering rows", sql, vec![]).await?;
    Ok(max.map_or(0, |m| m.0) + 1)
}

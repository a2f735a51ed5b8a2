//! The one unit of work: rows and the audit event of each in one transaction.
//!
//! The trail is a chain: each event's hash is SHA-256 over the previous hash and the event, so that an event changed,
//! removed or put in later is found by [`verify`]. Events are only ever added.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};
use utoipa::ToSchema;

use super::access::{Actor, Permission};
use super::{jobs, sql};
use crate::error::{Doing, Result};

/// An open transaction of an actor.
pub struct Change<'a> {
    /// Who acts.
    pub actor: &'a Actor,
    pub(crate) tx: DatabaseTransaction,
    events: Vec<Draft>,
    rings: AtomicBool,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// SQLite has one writer. Those of this process wait here, in the order in which they came and without holding a
/// connection that a reader could use.
static WRITER: Mutex<()> = Mutex::const_new(());
/// How long they wait, before they are told that the database is busy.
const PATIENCE: Duration = Duration::from_secs(60);

struct Draft {
    action: &'static str,
    subject: String,
    name: String,
    before: String,
    after: String,
}

/// One event of the trail.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Event {
    /// Place in the chain, from 1.
    pub seq: i64,
    /// When (RFC 3339, UTC).
    pub at: String,
    /// `person:anna`, `key:ci`, `system`.
    pub actor: String,
    /// Address of the caller.
    pub address: String,
    /// `release.create`, `finding.decide` …
    pub action: String,
    /// `release/17`.
    pub subject: String,
    /// The subject as people know it.
    pub name: String,
    /// State before, JSON or empty.
    pub before: String,
    /// State after, JSON or empty.
    pub after: String,
    /// SHA-256 in hexadecimal.
    pub hash: String,
}

impl<'a> Change<'a> {
    /// Begins; on SQLite the write lock is taken at once, so that no reader has to be turned into a writer.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begin(db: &DatabaseConnection, actor: &'a Actor) -> Result<Change<'a>> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let what = "beginning a transaction";
        let turn = match db.get_database_backend() {
            DbBackend::Sqlite => {
                let busy = |_| std::io::Error::from(std::io::ErrorKind::ResourceBusy);
                Some(tokio::time::timeout(PATIENCE, WRITER.lock()).await.map_err(busy).doing(what)?)
            }
            _ => None,
        };
        let tx = db.begin_with_options(options).await.doing(what)?;
        Ok(Change { actor, tx, events: Vec::new(), rings: AtomicBool::new(false), _turn: turn })
    }

    /// Notes what is changed; `before` and `after` are the states that the reader of the trail needs.
    pub fn record(
        &mut self,
        action: &'static str,
        subject: String,
        name: &str,
        before: &impl Serialize,
        after: &impl Serialize,
    ) {
        let json = |v: String| if v == "null" { String::new() } else { v };
        self.events.push(Draft {
            action,
            subject,
            name: name.to_owned(),
            before: json(serde_json::to_string(before).unwrap_or_default()),
            after: json(serde_json::to_string(after).unwrap_or_default()),
        });
    }

    /// Ends with everything written, the trail too.
    ///
    /// # Errors
    /// The database does not answer; nothing is written then.
    pub async fn commit(mut self) -> Result<()> {
        let events = std::mem::take(&mut self.events);
        if !events.is_empty() {
            self.append(events).await?;
        }
        let rings = self.rings.load(Ordering::Relaxed);
        self.tx.commit().await.doing("committing a change")?;
        if rings {
            jobs::ring();
        }
        Ok(())
    }

    /// Workers and pages hear of it once this is committed: jobs changed, or there is something to tell.
    pub(crate) fn ring(&self) {
        self.rings.store(true, Ordering::Relaxed);
    }

    async fn append(&self, events: Vec<Draft>) -> Result<()> {
        let what = "writing the audit trail";
        // The row of the head is the lock that keeps the chain single on PostgreSQL too.
        sql::run(&self.tx, what, "UPDATE audit_head SET seq = seq WHERE id = 1", vec![]).await?;
        let head: Option<(i64, String)> =
            sql::row(&self.tx, what, "SELECT seq, hash FROM audit_head WHERE id = 1", vec![]).await?;
        let (mut seq, mut hash) = head.unwrap_or_default();
        for draft in events {
            seq += 1;
            let event = Event {
                seq,
                at: self.actor.now.clone(),
                actor: self.actor.name.clone(),
                address: self.actor.address.clone(),
                action: draft.action.to_owned(),
                subject: draft.subject,
                name: draft.name,
                before: draft.before,
                after: draft.after,
                hash: String::new(),
            };
            hash = link(&hash, self.actor.workspace, &event);
            let insert = "INSERT INTO audit (seq, at, workspace, actor, address, action, subject, name, before, \
                          after, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let values = vec![
                seq.into(),
                event.at.into(),
                self.actor.workspace.into(),
                event.actor.into(),
                event.address.into(),
                event.action.into(),
                event.subject.into(),
                event.name.into(),
                event.before.into(),
                event.after.into(),
                hash.clone().into(),
            ];
            sql::run(&self.tx, what, insert, values).await?;
        }
        let head = "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1";
        sql::run(&self.tx, what, head, vec![seq.into(), hash.into()]).await?;
        Ok(())
    }
}

/// Hash of an event behind `previous`. Fields are told apart by their lengths.
fn link(previous: &str, workspace: i64, e: &Event) -> String {
    let mut h = Sha256::new();
    let (seq, workspace) = (e.seq.to_string(), workspace.to_string());
    let fields = [
        previous, &seq, &e.at, &workspace, &e.actor, &e.address, &e.action, &e.subject, &e.name, &e.before,
        &e.after,
    ];
    for field in fields {
        h.update((field.len() as u64).to_le_bytes());
        h.update(field.as_bytes());
    }
    h.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) type Row = (i64, String, i64, String, String, String, String, String, String, String, String);

pub(super) fn event(row: Row) -> (i64, Event) {
    let (seq, at, workspace, actor, address, action, subject, name, before, after, hash) = row;
    (workspace, Event { seq, at, actor, address, action, subject, name, before, after, hash })
}

pub(super) const COLUMNS: &str =
    "seq, at, workspace, actor, address, action, subject, name, before, after, hash";

/// Events of the actor's workspace, newest first, before `below` (a sequence number), whose actor, action, subject
/// or name holds `text`.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn events(
    db: &DatabaseConnection,
    actor: &Actor,
    text: &str,
    below: Option<i64>,
    most: u64,
) -> Result<Vec<Event>> {
    actor.need(Permission::AuditRead)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE workspace = $1 AND seq < $2 AND ($3 = '' OR \
         LOWER(actor || ' ' || action || ' ' || subject || ' ' || name) LIKE $3) ORDER BY seq DESC LIMIT $4"
    );
    let like = if text.is_empty() { String::new() } else { format!("%{}%", text.to_lowercase()) };
    let values =
        vec![actor.workspace.into(), below.unwrap_or(i64::MAX).into(), like.into(), (most as i64).into()];
    let rows: Vec<Row> = sql::rows(db, "reading the audit trail", &sql, values).await?;
    Ok(rows.into_iter().map(|r| event(r).1).collect())
}

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verified {
    /// Events looked at.
    pub events: i64,
    /// The first event whose hash does not follow from what stands before it, or that is missing.
    pub broken_at: Option<i64>,
}

/// Walks the whole chain.
///
/// # Errors
/// The database does not answer.
pub async fn verify(db: &impl ConnectionTrait) -> Result<Verified> {
    let what = "verifying the audit trail";
    let (mut last, mut hash) = (0_i64, String::new());
    loop {
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq > $1 ORDER BY seq LIMIT 1000");
        let rows: Vec<Row> = sql::rows(db, what, &sql, vec![last.into()]).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let (workspace, event) = event(row);
            if event.seq != last + 1 || link(&hash, workspace, &event) != event.hash {
                return Ok(Verified { events: last, broken_at: Some(last + 1) });
            }
            last = event.seq;
            hash = event.hash;
        }
    }
    let head: Option<(i64, String)> =
        sql::row(db, what, "SELECT seq, hash FROM audit_head WHERE id = 1", vec![]).await?;
    // events cut off at the end leave a whole chain, but not the one the head tells of
    let broken_at = (head != Some((last, hash))).then_some(last + 1);
    Ok(Verified { events: last, broken_at })
}

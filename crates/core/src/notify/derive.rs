//! What is told because time goes by, or because something ended that no change of ours ends: due dates, decisions that
//! wait or end soon, jobs that were given up. It is derived from what stands in the database, each thing once.

use sea_orm::DatabaseConnection;

use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::change::Change;
use crate::platform::outbox::{self, Topic};
use crate::platform::{clock, jobs, sql};

/// Days before a due date or the end of a decision.
const DAYS: i64 = 7;
/// Days for which events that were told are kept, and with them what tells which messages a finding is in.
const KEPT: i64 = 180;
/// A dead letter older than this is no news, in days.
const NEWS: i64 = 7;

/// Puts into the outbox what the passing of time has brought in the actor's workspace, each thing once.
///
/// # Errors
/// The database does not answer; nothing is written then.
pub async fn derive(db: &DatabaseConnection, actor: &Actor) -> Result<()> {
    let change = Change::begin(db, actor).await?;
    due(&change).await?;
    decisions(&change).await?;
    dead(&change).await?;
    change.commit().await
}

fn day(now: &str) -> &str {
    now.get(..10).unwrap_or(now)
}

/// Findings whose due date is near, or went by. Which were told of is known by the events that name them.
async fn due(change: &Change<'_>) -> Result<()> {
    let what = "looking for what is due";
    let now = &change.actor.now;
    let soon = clock::minutes_after(now, DAYS * 24 * 60);
    for (subject, from, to) in [("due/near", day(now), day(&soon)), ("due/passed", "", day(now))] {
        // By the index of due dates, which names what has none 9999. A due date that was moved is told of again:
        // events before it was set do not count.
        let select = "SELECT f.id FROM finding f WHERE f.workspace = $1 AND f.closed IS NULL \
                      AND COALESCE(f.due, '9999') >= $2 AND COALESCE(f.due, '9999') < $3 AND f.status IN ('under_investigation', 'affected') \
                      AND NOT EXISTS (SELECT 1 FROM outbox_finding x JOIN outbox e ON e.id = x.event \
                      WHERE x.finding = f.id AND e.topic = 'finding-due' AND e.subject = $4 AND e.detail >= \
                      COALESCE((SELECT MAX(v.at) FROM finding_event v WHERE v.finding = f.id AND v.what = 'owned'), '')) \
                      LIMIT 10000";
        let values = vec![change.actor.workspace.into(), from.into(), to.into(), subject.into()];
        let rows: Vec<(i64,)> = sql::rows(&change.tx, what, select, values).await?;
        if !rows.is_empty() {
            let told = (subject, now.as_str());
            let event = outbox::tell(change, Topic::FindingDue, subject.to_owned(), 0, told).await?;
            outbox::about(change, event, &rows.into_iter().map(|r| r.0).collect::<Vec<_>>()).await?;
        }
    }
    Ok(())
}

/// Derives events with a key each: what has been told is not told again.
async fn keyed(change: &Change<'_>, topic: Topic, select: &str, more: Vec<sea_orm::Value>) -> Result<()> {
    let insert = format!(
        "INSERT INTO outbox (workspace, topic, at, actor, unique_key, subject, line, title, detail) {select} \
         ON CONFLICT (unique_key) DO NOTHING"
    );
    let actor = change.actor;
    let mut values =
        vec![actor.workspace.into(), topic.name().into(), actor.now.clone().into(), sql::text(&actor.name)];
    values.extend(more);
    let news = sql::run(&change.tx, "looking for what is to be told", &insert, values).await?;
    if news > 0 {
        change.ring();
    }
    Ok(())
}

/// What every derived event selects first; values are cast, since PostgreSQL takes a bare parameter for a text.
const HEAD: &str = "SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT)";

async fn decisions(change: &Change<'_>) -> Result<()> {
    let select = format!(
        "{HEAD}, 'decision-waits/' || d.id, 'decision/' || d.id, d.line, d.vulnerability, d.status || ' by ' || d.author \
         FROM decision d WHERE d.workspace = $1 AND d.waits = 1 AND d.ended IS NULL"
    );
    keyed(change, Topic::DecisionWaits, &select, Vec::new()).await?;
    let select = format!(
        "{HEAD}, 'decision-expires/' || d.id || '/' || d.expires, 'decision/' || d.id, d.line, d.vulnerability, \
         d.status || ' until ' || d.expires FROM decision d WHERE d.workspace = $1 AND d.ended IS NULL AND d.waits = 0 \
         AND d.expires IS NOT NULL AND d.expires <= $5"
    );
    let soon = clock::minutes_after(&change.actor.now, DAYS * 24 * 60);
    keyed(change, Topic::DecisionExpires, &select, vec![soon.into()]).await
}

/// Jobs that were given up; those of the installation are told of in its first workspace.
async fn dead(change: &Change<'_>) -> Result<()> {
    let select = format!(
        "{HEAD}, 'job-dead/' || j.id || '/' || j.ended, 'job/' || j.id, j.line, j.title, COALESCE(j.error, '') \
         FROM job j WHERE j.state = 'failed' AND j.ended >= $5 AND (j.workspace = $1 OR j.workspace = {} \
         AND CAST($1 AS BIGINT) = (SELECT MIN(w.id) FROM workspace w))",
        jobs::INSTALLATION
    );
    let since = clock::minutes_after(&change.actor.now, -NEWS * 24 * 60);
    keyed(change, Topic::JobDead, &select, vec![since.into()]).await
}

/// Removes, in all workspaces, messages and events that are half a year old; what was not acknowledged stays.
///
/// # Errors
/// The database does not answer.
pub async fn prune(change: &Change<'_>) -> Result<u64> {
    let what = "removing what was told long ago";
    let old = clock::minutes_after(&change.actor.now, -KEPT * 24 * 60);
    let delete = "DELETE FROM outbox WHERE taken < $1";
    sql::run(&change.tx, what, delete, vec![old.clone().into()]).await?;
    let delete = "DELETE FROM notify_message WHERE at < $1 AND (urge IS NULL OR acknowledged IS NOT NULL)";
    sql::run(&change.tx, what, delete, vec![old.into()]).await
}

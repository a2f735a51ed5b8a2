//! The stories of a period that are worth a report.

use sea_orm::DatabaseConnection;

use super::list::{COLUMNS, Story, read};
use super::{profile, reads};
use crate::error::Result;
use crate::platform::access::Actor;
use crate::platform::sql;

/// The tag by which an analyst marks a story for the next report.
pub const MARK: &str = "report";

/// Stories that were told of between two days, both included, and that somebody assessed or marked with [`MARK`], or that
/// are relevant to the workspace; those that are marked first, then by relevance. Dismissed ones are left out.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn of_period(
    db: &DatabaseConnection,
    actor: &Actor,
    (first, last): (&str, &str),
    most: u64,
) -> Result<Vec<Story>> {
    reads(actor)?;
    let what = "reading the stories of a period";
    let relevant = profile::read(db, actor.workspace).await?.weights.relevant;
    let marked = "EXISTS (SELECT 1 FROM story_tag g WHERE g.story = s.id AND g.tag = $5)";
    let select = format!(
        "SELECT {COLUMNS} FROM story s WHERE s.workspace = $1 AND s.merged = 0 AND s.state <> 'dismissed' \
         AND s.latest >= $2 AND s.opened < $3 AND (s.relevance >= $4 OR s.summary <> '' OR s.assessment <> '' \
         OR s.impact <> '' OR s.recommendation <> '' OR {marked}) \
         ORDER BY CASE WHEN {marked} THEN 0 ELSE 1 END, s.relevance DESC, s.id DESC LIMIT $6"
    );
    let values = vec![
        actor.workspace.into(),
        first.into(),
        // the end of a day sorts behind every instant of it
        format!("{last}T99").into(),
        relevant.into(),
        MARK.into(),
        (most as i64).into(),
    ];
    sql::read(&sql::raw(db, what, &select, values).await?, what, read)
}

/// The points from which on each of some workspaces calls a story relevant.
pub(crate) async fn relevant_of(db: &DatabaseConnection, workspaces: &[i64]) -> Result<Vec<(i64, f64)>> {
    let mut all = Vec::new();
    for workspace in workspaces {
        // few: a person is in a handful of workspaces
        all.push((*workspace, profile::read(db, *workspace).await?.weights.relevant));
    }
    Ok(all)
}

/// Stories that wait in some workspaces, each with its relevant points: workspace, new ones, those being read, and of
/// both the relevant ones.
pub(crate) async fn waiting(
    db: &DatabaseConnection,
    workspaces: &[(i64, f64)],
) -> Result<Vec<(i64, i64, i64, i64)>> {
    let what = "counting stories that wait";
    let mut all = Vec::new();
    for (workspace, relevant) in workspaces {
        let select = "SELECT s.state, COUNT(*), CAST(SUM(CASE WHEN s.relevance >= $2 THEN 1 ELSE 0 END) AS BIGINT) \
                      FROM story s WHERE s.workspace = $1 AND s.merged = 0 AND s.state IN ('new', 'reading') GROUP BY s.state";
        let rows: Vec<(String, i64, i64)> =
            sql::rows(db, what, select, vec![(*workspace).into(), (*relevant).into()]).await?;
        let of = |state: &str| rows.iter().find(|r| r.0 == state).map_or((0, 0), |r| (r.1, r.2));
        let (new, reading) = (of("new"), of("reading"));
        all.push((*workspace, new.0, reading.0, new.1 + reading.1));
    }
    Ok(all)
}

//! From draft to sent: submitted, approved by a second person where the workspace asks for one, corrected.

use sea_orm::DatabaseConnection;

use super::store::{self, Open, append, note, open};
use super::{rejected, writes};
use crate::detection;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

fn is_in(found: &Open, state: &str, wanted: &str) -> Result<()> {
    if found.state == state {
        return Ok(());
    }
    Err(Error::Conflict(format!("the report is {}; {wanted}", words(&found.state))))
}

fn words(state: &str) -> &str {
    match state {
        "draft" => "a draft",
        "review" => "in review",
        other => other,
    }
}

async fn put(change: &Change<'_>, id: i64, set: &str) -> Result<()> {
    let update = format!("UPDATE report SET changed = $2, {set} WHERE id = $1");
    let values = vec![id.into(), change.actor.now.clone().into()];
    sql::run(&change.tx, "moving a report on", &update, values).await?;
    Ok(())
}

/// Submits a draft for approval.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it is no draft; [`Error::Rejected`]: it says nothing yet.
pub async fn submit(db: &DatabaseConnection, actor: &Actor, report: i64) -> Result<()> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let found = open(&change, report).await?;
    is_in(&found, "draft", "only a draft is submitted")?;
    let whole = store::whole(&change.tx, actor.workspace, report).await?;
    if whole.sections.is_empty() && whole.head.intro.is_empty() {
        return Err(rejected("report", "a report has a section or an introduction; add one first"));
    }
    put(&change, report, "state = 'review', submitted = $2").await?;
    note(&change, report, ("submit", 0, 0), "", "").await?;
    change.record("report.submit", format!("report/{report}"), &found.title, &"draft", &"review");
    change.commit().await
}

/// Approves a report that was submitted. Where the workspace asks for two people, whoever drafted it and whoever wrote
/// last do not approve it.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it was not submitted, or the one who acts may not be the second person, or is
/// no person.
pub async fn approve(db: &DatabaseConnection, actor: &Actor, report: i64) -> Result<()> {
    actor.need_everywhere(Permission::ReportApprove)?;
    let mut change = Change::begin(db, actor).await?;
    let found = open(&change, report).await?;
    is_in(&found, "review", "what is submitted is approved")?;
    let Some(person) = actor.person else {
        return Err(Error::Conflict("a report is approved by a person, not by a key".to_owned()));
    };
    if detection::is_asked(&change.tx, actor.workspace).await? {
        let wrote = |id: i64, name: &str| id == person || name == actor.name;
        if wrote(found.author, &found.author_name) || own_key(&change, &found.author_name, person).await? {
            return Err(Error::Conflict("a second person approves: you drafted this report".to_owned()));
        }
        if wrote(found.writer, &found.writer_name) || own_key(&change, &found.writer_name, person).await? {
            return Err(Error::Conflict(
                "a second person approves: you wrote in this report last".to_owned(),
            ));
        }
    }
    let update = "UPDATE report SET changed = $2, state = 'approved', approved = $2, approver = $3, approver_name = $4 \
                  WHERE id = $1";
    let values = vec![report.into(), actor.now.clone().into(), person.into(), sql::text(&actor.name)];
    sql::run(&change.tx, "approving a report", update, values).await?;
    note(&change, report, ("approve", 0, 0), "", "").await?;
    change.record("report.approve", format!("report/{report}"), &found.title, &"review", &"approved");
    change.commit().await
}

/// Whether a name is that of a key that a person made.
async fn own_key(change: &Change<'_>, name: &str, person: i64) -> Result<bool> {
    let Some(key) = name.strip_prefix("key:") else { return Ok(false) };
    let select = "SELECT COUNT(*) FROM api_key WHERE workspace = $1 AND name = $2 AND creator = $3";
    let values = vec![change.actor.workspace.into(), key.into(), person.into()];
    let row: Option<(i64,)> = sql::row(&change.tx, "asking who made a key", select, values).await?;
    Ok(row.is_some_and(|r| r.0 > 0))
}

/// Gives a report back to its writers, with a remark.
///
/// # Errors
/// Denied; not found; [`Error::Rejected`]: the remark is too long; [`Error::Conflict`]: it is neither in review nor
/// approved.
pub async fn reject(db: &DatabaseConnection, actor: &Actor, report: i64, remark: &str) -> Result<()> {
    actor.need_everywhere(Permission::ReportApprove)?;
    let remark = remark.trim();
    if remark.len() > 20_000 {
        return Err(rejected("remark", "at most 20,000 bytes"));
    }
    let mut change = Change::begin(db, actor).await?;
    let found = open(&change, report).await?;
    if found.state != "approved" {
        is_in(&found, "review", "what is submitted is given back")?;
    }
    put(&change, report, "state = 'draft', approver = 0, approver_name = '', approved = ''").await?;
    note(&change, report, ("reject", 0, 0), remark, "").await?;
    change.record("report.reject", format!("report/{report}"), &found.title, &found.state, &remark);
    change.commit().await
}

/// Begins a correction of a report that was sent: a draft with the same number, its texts and its facts. Its id.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it was not sent, or a correction of it is being written.
pub async fn correct(db: &DatabaseConnection, actor: &Actor, report: i64) -> Result<i64> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let what = "beginning a correction";
    let found = open(&change, report).await?;
    is_in(&found, "sent", "what was sent is corrected")?;
    let writing = "SELECT n.id FROM report r JOIN report n ON n.workspace = r.workspace AND n.year = r.year \
                   AND n.number = r.number AND n.state <> 'sent' WHERE r.id = $1";
    if let Some((id,)) = sql::row::<(i64,)>(&change.tx, what, writing, vec![report.into()]).await? {
        return Err(Error::Conflict(format!("a correction is being written already: report {id}")));
    }
    let insert = "INSERT INTO report (workspace, year, number, revision, corrects, title, first, last, language, intro, \
                  tlp, state, author, author_name, writer, writer_name, created, changed, search) SELECT r.workspace, \
                  r.year, r.number, (SELECT MAX(n.revision) + 1 FROM report n WHERE n.workspace = r.workspace AND n.year = \
                  r.year AND n.number = r.number), r.id, r.title, r.first, r.last, r.language, r.intro, r.tlp, 'draft', \
                  CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), \
                  CAST($4 AS TEXT), r.search FROM report r WHERE r.id = $1 RETURNING id";
    let values = vec![
        report.into(),
        actor.person.unwrap_or(0).into(),
        sql::text(&actor.name),
        actor.now.clone().into(),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    let (id,) = row.ok_or_else(|| Error::NotFound(format!("report {report}")))?;
    let sections = store::sections(&change.tx, report).await?;
    let copies: Vec<_> = sections.into_iter().map(|s| (s.story, s.text, s.facts)).collect();
    append(&change, id, &copies).await?;
    note(&change, id, ("correct", 0, 1), &format!("of report {report}"), "").await?;
    change.record("report.correct", format!("report/{id}"), &found.title, &report, &id);
    change.commit().await?;
    Ok(id)
}

/// Removes a report that was never sent.
///
/// # Errors
/// Denied; not found; [`Error::Conflict`]: it was sent, or is approved.
pub async fn remove(db: &DatabaseConnection, actor: &Actor, report: i64) -> Result<()> {
    writes(actor)?;
    let mut change = Change::begin(db, actor).await?;
    let found = open(&change, report).await?;
    if found.state == "sent" || found.state == "approved" {
        return Err(Error::Conflict(format!("the report is {}; only a draft is removed", found.state)));
    }
    let before = store::whole(&change.tx, actor.workspace, report).await?;
    let delete = "DELETE FROM report WHERE id = $1";
    sql::run(&change.tx, "removing a report", delete, vec![report.into()]).await?;
    change.record("report.remove", format!("report/{report}"), &found.title, &before.head, &());
    change.commit().await
}

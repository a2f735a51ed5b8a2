//! Decisions as things of their own: approved or turned down by a second person, withdrawn by whoever may decide.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;

use super::decide::{Decision, Reach, open, put, reach};
use super::{carry, note};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Whether the workspace asks for a second person's approval (`approval` in its settings).
pub(crate) async fn is_asked(db: &impl ConnectionTrait, workspace: i64) -> Result<bool> {
    let select = "SELECT settings FROM workspace WHERE id = $1";
    let row: Option<(String,)> =
        sql::row(db, "reading the workspace's settings", select, vec![workspace.into()]).await?;
    let settings = row.and_then(|r| serde_json::from_str::<serde_json::Value>(&r.0).ok());
    Ok(settings.is_some_and(|s| s.get("approval").and_then(serde_json::Value::as_bool) == Some(true)))
}

/// A decision that has not ended, as it stands in the database.
struct Standing {
    vulnerability: String,
    line: i64,
    waits: bool,
    proposer: i64,
    author: String,
    decision: Decision,
}

/// Refuses who may not do something with a decision; that it is there is told only to those who may see findings
/// where it holds.
fn need(actor: &Actor, permission: Permission, id: i64, line: i64) -> Result<()> {
    let may = |p: Permission| if line == 0 { actor.need_everywhere(p) } else { actor.need_in(p, line) };
    if line == 0 {
        actor.need(Permission::FindingRead)?;
    } else if actor.need_in(Permission::FindingRead, line).is_err() {
        return Err(Error::NotFound(format!("decision {id}")));
    }
    may(permission)
}

async fn standing(change: &Change<'_>, id: i64, permission: Permission) -> Result<Standing> {
    let what = "reading a decision";
    let select = "SELECT vulnerability, line, waits, proposer, author, status, justification, response, detail, reach, \
                  expires, ended FROM decision WHERE id = $1 AND workspace = $2";
    let rows = sql::raw(&change.tx, what, select, vec![id.into(), change.actor.workspace.into()]).await?;
    let read = sql::read(&rows, what, |row| {
        let decision = Decision {
            status: row.try_get_by_index(5)?,
            justification: row.try_get_by_index(6)?,
            response: row.try_get_by_index(7)?,
            detail: row.try_get_by_index(8)?,
            reach: Reach::parse(&row.try_get_by_index::<String>(9)?).unwrap_or(Reach::Finding),
            expires: row.try_get_by_index(10)?,
        };
        let standing = Standing {
            vulnerability: row.try_get_by_index(0)?,
            line: row.try_get_by_index(1)?,
            waits: row.try_get_by_index::<i64>(2)? != 0,
            proposer: row.try_get_by_index(3)?,
            author: row.try_get_by_index(4)?,
            decision,
        };
        Ok((standing, row.try_get_by_index::<Option<String>>(11)?))
    })?;
    let (found, ended) = read.into_iter().next().ok_or_else(|| Error::NotFound(format!("decision {id}")))?;
    need(change.actor, permission, id, found.line)?;
    match ended {
        Some(at) => Err(Error::Conflict(format!("decision {id} ended on {at}; decide anew"))),
        None => Ok(found),
    }
}

/// Whether the one who acts is who proposed, by name, as the person, or through a key that they made.
async fn is_own(change: &Change<'_>, s: &Standing) -> Result<bool> {
    let Some(person) = change.actor.person else { return Ok(s.author == change.actor.name) };
    if s.proposer == person || s.author == change.actor.name {
        return Ok(true);
    }
    let Some(key) = s.author.strip_prefix("key:") else { return Ok(false) };
    let select = "SELECT COUNT(*) FROM api_key WHERE workspace = $1 AND name = $2 AND creator = $3";
    let values = vec![change.actor.workspace.into(), key.into(), person.into()];
    let row: Option<(i64,)> = sql::row(&change.tx, "asking who made a key", select, values).await?;
    Ok(row.is_some_and(|r| r.0 > 0))
}

fn remarked(remark: &str) -> Result<&str> {
    let remark = remark.trim();
    if remark.len() > 20_000 {
        return Err(super::decide::rejected("remark", "at most 20,000 bytes"));
    }
    Ok(remark)
}

/// Approves a decision that waits: it holds from now on. Gives the number of findings it changed.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Conflict`]: it does not wait, the one who acts proposed it, or is no person.
pub async fn approve(change: &mut Change<'_>, id: i64, remark: &str) -> Result<u64> {
    let what = "approving a decision";
    let (remark, s) = (remarked(remark)?, standing(change, id, Permission::DecisionApprove).await?);
    if !s.waits {
        return Err(Error::Conflict("this decision does not wait for approval".to_owned()));
    }
    let Some(person) = change.actor.person else {
        return Err(Error::Conflict("a decision is approved by a person, not by a key".to_owned()));
    };
    if is_own(change, &s).await? {
        let message = "a second person approves: you proposed this decision".to_owned();
        return Err(Error::Conflict(message));
    }
    let vulnerabilities = [s.vulnerability.clone()];
    let mut all = open(change, &vulnerabilities).await?;
    let key = all.iter().find(|o| o.id == id).map(|o| o.key.clone());
    let before: Vec<i64> =
        all.iter().filter(|o| o.id != id && Some(&o.key) == key.as_ref()).map(|o| o.id).collect();
    carry::end(change, &before, "replaced", "").await?;
    let update = "UPDATE decision SET waits = 0, approved = $2, approver = $3, approver_name = $4, remark = $5 \
                  WHERE id = $1";
    let values = vec![
        id.into(),
        change.actor.now.clone().into(),
        person.into(),
        sql::text(&change.actor.name),
        sql::text(remark),
    ];
    sql::run(&change.tx, what, update, values).await?;
    let clear = "UPDATE finding SET proposal = NULL WHERE proposal = $1";
    sql::run(&change.tx, what, clear, vec![id.into()]).await?;
    all.retain(|o| o.id == id);
    let reached = reach(change, &all).await?;
    let words = format!("approved by {}", change.actor.name);
    put(change, &reached, &s.decision, &words).await?;
    let releases: BTreeSet<i64> = reached.iter().map(|r| r.release).collect();
    carry::settle(change, &before, &releases).await?;
    // What was proposed while the flaw was less severe is not approved for what it is now.
    carry::follow(change, &releases.iter().copied().collect::<Vec<_>>()).await?;
    super::recount(change, &releases.into_iter().collect::<Vec<_>>()).await?;
    change.record("decision.approve", format!("decision/{id}"), &s.vulnerability, &(), &remark);
    Ok(reached.len() as u64)
}

/// Turns a decision that waits down.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Conflict`]: it does not wait.
pub async fn reject(change: &mut Change<'_>, id: i64, remark: &str) -> Result<()> {
    let what = "turning a decision down";
    let (remark, s) = (remarked(remark)?, standing(change, id, Permission::DecisionApprove).await?);
    if !s.waits {
        return Err(Error::Conflict("this decision does not wait for approval".to_owned()));
    }
    let select = "SELECT id FROM finding WHERE proposal = $1";
    let findings: Vec<(i64,)> = sql::rows(&change.tx, what, select, vec![id.into()]).await?;
    carry::end(change, &[id], "rejected", "").await?;
    let update = "UPDATE decision SET approver = $2, approver_name = $3, remark = $4 WHERE id = $1";
    let values = vec![
        id.into(),
        change.actor.person.unwrap_or(0).into(),
        sql::text(&change.actor.name),
        sql::text(remark),
    ];
    sql::run(&change.tx, what, update, values).await?;
    let detail = [s.decision.status.as_str(), remark].join(" · ");
    note(change, findings.iter().map(|f| (f.0, "turned-down", detail.clone())).collect()).await?;
    change.record("decision.reject", format!("decision/{id}"), &s.vulnerability, &(), &remark);
    Ok(())
}

/// Takes a decision back, whatever it reaches: its findings fall back to another decision that reaches them, or are
/// under investigation again. One that waits is no longer proposed.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Conflict`]: it ended already.
pub async fn withdraw_decision(change: &mut Change<'_>, id: i64) -> Result<()> {
    let s = standing(change, id, Permission::FindingDecide).await?;
    let select = "SELECT id FROM finding WHERE proposal = $1";
    let proposed: Vec<(i64,)> =
        sql::rows(&change.tx, "taking a decision back", select, vec![id.into()]).await?;
    carry::end(change, &[id], "withdrawn", "").await?;
    carry::settle(change, &[id], &BTreeSet::new()).await?;
    let detail = format!("{} · what was proposed", s.decision.status);
    note(change, proposed.iter().map(|f| (f.0, "withdrawn", detail.clone())).collect()).await?;
    change.record("decision.withdraw", format!("decision/{id}"), &s.vulnerability, &s.decision, &());
    Ok(())
}

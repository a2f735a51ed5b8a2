//! The desks of one team: every workspace in which a person writes reports, with what is due there.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use serde::Serialize;

use super::store::{COLUMNS, read};
use super::types::Report;
use super::week;
use crate::error::Result;
use crate::platform::access::{Actor, Permission, Role};
use crate::platform::sql;

/// The desk of a workspace as its analysts see it from afar.
#[derive(Debug, Clone, Serialize)]
pub struct Desk {
    /// Workspace.
    pub workspace: i64,
    /// Its name.
    pub name: String,
    /// The person's roles there that let them write reports.
    pub roles: Vec<String>,
    /// Stories that nobody has read.
    pub new: i64,
    /// Stories that are being read.
    pub reading: i64,
    /// Of both, those from the points on that the workspace calls relevant.
    pub relevant: i64,
    /// Reports of this week, or that are not sent yet, youngest period first.
    pub reports: Vec<Report>,
    /// There is a report of this week.
    pub has_this_week: bool,
}

/// The workspaces in which the actor's person may write reports, in all product lines; none for a key. Of each it is
/// told what its own people see: the roles are asked workspace by workspace. `confined` is the only workspace that the
/// session may be used in, since that one's provider vouches for the person; 0 where there is no such limit.
///
/// # Errors
/// The database does not answer.
pub async fn desks(db: &DatabaseConnection, actor: &Actor, confined: i64) -> Result<Vec<Desk>> {
    let Some(person) = actor.person else { return Ok(Vec::new()) };
    let what = "reading the desks of a person";
    let select = "SELECT w.id, w.name, m.role FROM membership m JOIN workspace w ON w.id = m.workspace \
                  WHERE m.person = $1 AND m.line = 0 AND (CAST($2 AS BIGINT) = 0 OR w.id = $2) ORDER BY w.name, w.id, m.role";
    let rows: Vec<(i64, String, String)> =
        sql::rows(db, what, select, vec![person.into(), confined.into()]).await?;
    let mut all: Vec<Desk> = Vec::new();
    for (workspace, name, role) in rows {
        let writes = |r: &Role| r.may(Permission::ReportWrite) && r.may(Permission::DeskRead);
        let Some(role) = Role::parse(&role).filter(writes) else { continue };
        match all.last_mut().filter(|d| d.workspace == workspace) {
            Some(known) => known.roles.push(role.name()),
            None => all.push(Desk {
                workspace,
                name,
                roles: vec![role.name()],
                new: 0,
                reading: 0,
                relevant: 0,
                reports: Vec::new(),
                has_this_week: false,
            }),
        }
    }
    let ids: Vec<i64> = all.iter().map(|d| d.workspace).collect();
    let relevant = crate::desk::relevant_of(db, &ids).await?;
    let counts = crate::desk::waiting(db, &relevant).await?;
    let (first, last) = week(&actor.now);
    let select = format!(
        "SELECT {COLUMNS}, r.workspace FROM report r WHERE r.workspace IN {} AND (r.state <> 'sent' OR r.last >= $2) \
         ORDER BY r.last DESC, r.id DESC LIMIT 1000",
        sql::numbers(db, 1)
    );
    let rows = sql::raw(db, what, &select, vec![sql::list(&ids), first.clone().into()]).await?;
    let found = sql::read(&rows, what, |row| Ok((row.try_get_by_index::<i64>(19)?, read(row)?)))?;
    let mut reports: BTreeMap<i64, Vec<Report>> = BTreeMap::new();
    for (workspace, report) in found {
        reports.entry(workspace).or_default().push(report);
    }
    for d in &mut all {
        if let Some(c) = counts.iter().find(|c| c.0 == d.workspace) {
            (d.new, d.reading, d.relevant) = (c.1, c.2, c.3);
        }
        d.reports = reports.remove(&d.workspace).unwrap_or_default();
        d.has_this_week = d.reports.iter().any(|r| r.last >= first && r.first <= last);
    }
    Ok(all)
}

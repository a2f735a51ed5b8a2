//! Who looks after findings, and by when.

use std::collections::BTreeSet;

use sea_orm::{DatabaseConnection, Value};
use serde::{Deserialize, Serialize};

use super::decide::{MOST, is_day, rejected};
use super::note;
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// What to change; what is missing stays, what is null is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ownership {
    /// A person of the workspace.
    #[serde(default, with = "given", skip_serializing_if = "Option::is_none")]
    pub owner: Option<Option<i64>>,
    /// Day by which it is to be done (`2027-03-01`).
    #[serde(default, with = "given", skip_serializing_if = "Option::is_none")]
    pub due: Option<Option<String>>,
}

/// Tells what is null from what is missing.
mod given {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer, T: Serialize>(v: &Option<Option<T>>, s: S) -> Result<S::Ok, S::Error> {
        v.as_ref().and_then(Option::as_ref).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        d: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(d).map(Some)
    }
}

/// People of the workspace who can look after findings: id and name, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn owners(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<(i64, String)>> {
    actor.need(Permission::FindingRead)?;
    let select = "SELECT DISTINCT p.id, p.name FROM person p JOIN membership m ON m.person = p.id \
                  WHERE m.workspace = $1 AND p.disabled = 0 ORDER BY p.name, p.id";
    sql::rows(db, "listing who can look after findings", select, vec![actor.workspace.into()]).await
}

/// Sets owner or due date of findings, all or none. Gives the number of findings changed; what is so already is not
/// noted as a change.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`].
pub async fn own(change: &mut Change<'_>, findings: &[i64], o: &Ownership) -> Result<u64> {
    let what = "giving findings to a person";
    let ids: Vec<i64> = findings.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if ids.is_empty() {
        return Err(rejected("finding", "no finding is selected"));
    }
    if ids.len() > MOST {
        return Err(rejected("finding", format!("at most {MOST} findings are changed at once")));
    }
    if let Some(Some(day)) = &o.due
        && !is_day(day)
    {
        return Err(rejected("due", "a day is written like 2027-03-01"));
    }
    let select = format!(
        "SELECT f.id, p.line, f.vulnerability, f.owner, f.due FROM finding f JOIN release r ON r.id = f.release \
         JOIN product p ON p.id = r.product WHERE f.workspace = $1 AND f.id IN {} ORDER BY f.id",
        sql::numbers(&change.tx, 2)
    );
    type Row = (i64, i64, String, Option<i64>, Option<String>);
    let values = vec![change.actor.workspace.into(), sql::list(&ids)];
    let rows: Vec<Row> = sql::rows(&change.tx, what, &select, values).await?;
    if let Some(missing) = ids.iter().find(|id| rows.binary_search_by_key(*id, |r| r.0).is_err()) {
        return Err(Error::NotFound(format!("finding {missing}")));
    }
    for line in rows.iter().map(|r| r.1).collect::<BTreeSet<i64>>() {
        change.actor.need_in(Permission::FindingDecide, line)?;
    }
    let name = match o.owner {
        Some(Some(person)) => Some(member(change, person).await?),
        _ => None,
    };
    let differs =
        |row: &&Row| o.owner.is_some_and(|w| w != row.3) || o.due.as_ref().is_some_and(|w| *w != row.4);
    let changed: Vec<&Row> = rows.iter().filter(differs).collect();
    let Some(first) = changed.first() else { return Ok(0) };
    let list: Vec<i64> = changed.iter().map(|r| r.0).collect();
    let mut values: Vec<Value> = vec![sql::list(&list)];
    let mut set = Vec::new();
    if let Some(owner) = o.owner {
        values.push(owner.into());
        set.push(format!("owner = ${}", values.len()));
    }
    if let Some(due) = &o.due {
        values.push(due.clone().into());
        set.push(format!("due = ${}", values.len()));
    }
    let update = format!("UPDATE finding SET {} WHERE id IN {}", set.join(", "), sql::numbers(&change.tx, 1));
    sql::run(&change.tx, what, &update, values).await?;
    let mut words = Vec::new();
    match (&o.owner, &name) {
        (Some(Some(_)), Some(name)) => words.push(format!("owner {name}")),
        (Some(_), _) => words.push("no owner".to_owned()),
        _ => {}
    }
    match &o.due {
        Some(Some(day)) => words.push(format!("due {day}")),
        Some(None) => words.push("no due date".to_owned()),
        None => {}
    }
    let detail = words.join(" · ");
    note(change, list.iter().map(|id| (*id, "owned", detail.clone())).collect()).await?;
    if list.len() == 1 {
        let before =
            Ownership { owner: o.owner.map(|_| first.3), due: o.due.as_ref().map(|_| first.4.clone()) };
        let (subject, name) = (format!("finding/{}", first.0), first.2.clone());
        change.record("finding.own", subject, &name, &before, o);
    } else {
        let name = format!("{} findings", list.len());
        let ids: Vec<i64> = list.iter().copied().take(1_000).collect();
        change.record("finding.own", "findings".to_owned(), &name, &(), &(o, ids));
    }
    Ok(list.len() as u64)
}

async fn member(change: &Change<'_>, person: i64) -> Result<String> {
    let select = "SELECT p.name FROM person p JOIN membership m ON m.person = p.id \
                  WHERE p.id = $1 AND m.workspace = $2 AND p.disabled = 0 LIMIT 1";
    let values = vec![person.into(), change.actor.workspace.into()];
    let row: Option<(String,)> = sql::row(&change.tx, "reading a person", select, values).await?;
    row.map(|r| r.0).ok_or_else(|| rejected("owner", "the owner is a person of this workspace"))
}

//! Outside addresses that reports of a workspace may go to, listed by who sets the workspace up.

use sea_orm::DatabaseConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::{reads, rejected};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Addresses of a workspace.
const MOST: i64 = 500;

/// An outside address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportAddress)]
pub struct Address {
    /// Id.
    pub id: i64,
    /// Mail address.
    pub address: String,
    /// Who it is.
    pub name: String,
    /// Who listed it.
    pub actor: String,
    /// When.
    pub at: String,
}

/// A mail address that can be an envelope's: one `@`, no spaces, no line breaks.
pub(super) fn checked(address: &str) -> Result<String> {
    let address = address.trim().to_lowercase();
    let whole = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.contains('@') && !domain.starts_with('.')
    });
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"');
    if !whole || address.len() > 254 || address.contains(odd) {
        return Err(rejected("address", "a mail address such as psirt@example.org"));
    }
    Ok(address)
}

/// The outside addresses, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn addresses(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Address>> {
    if actor.need_everywhere(Permission::SettingsWrite).is_err() {
        reads(actor)?;
    }
    let select =
        "SELECT id, address, name, actor, at FROM report_address WHERE workspace = $1 ORDER BY name, address";
    let rows: Vec<(i64, String, String, String, String)> =
        sql::rows(db, "reading outside addresses", select, vec![actor.workspace.into()]).await?;
    let read = |(id, address, name, actor, at)| Address { id, address, name, actor, at };
    Ok(rows.into_iter().map(read).collect())
}

/// Lists an outside address; its id.
///
/// # Errors
/// Denied; [`Error::Rejected`].
pub async fn add_address(db: &DatabaseConnection, actor: &Actor, address: &str, name: &str) -> Result<i64> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "listing an outside address";
    let address = checked(address)?;
    let name = super::edit::line("name", name)?;
    let mut change = Change::begin(db, actor).await?;
    let count = "SELECT COUNT(*) FROM report_address WHERE workspace = $1";
    let n: Option<(i64,)> = sql::row(&change.tx, what, count, vec![actor.workspace.into()]).await?;
    if n.is_some_and(|(n,)| n >= MOST) {
        return Err(rejected("address", format!("there are {MOST} addresses; remove one first")));
    }
    let insert = "INSERT INTO report_address (workspace, address, name, actor, at) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (workspace, address) DO NOTHING RETURNING id";
    let values = vec![
        actor.workspace.into(),
        sql::text(&address),
        sql::text(&name),
        sql::text(&actor.name),
        actor.now.clone().into(),
    ];
    let row: Option<(i64,)> = sql::row(&change.tx, what, insert, values).await?;
    let (id,) = row.ok_or_else(|| rejected("address", "this address is listed already"))?;
    change.record("report.address", format!("report-address/{id}"), &address, &(), &name);
    change.commit().await?;
    Ok(id)
}

/// Takes an outside address off the list; what waits for it is not sent.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn drop_address(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<()> {
    actor.need_everywhere(Permission::SettingsWrite)?;
    let what = "taking an outside address off the list";
    let mut change = Change::begin(db, actor).await?;
    let delete = "DELETE FROM report_address WHERE id = $1 AND workspace = $2 RETURNING address";
    let values = vec![id.into(), actor.workspace.into()];
    let row: Option<(String,)> = sql::row(&change.tx, what, delete, values).await?;
    let (address,) = row.ok_or_else(|| Error::NotFound(format!("address {id}")))?;
    let stop = "UPDATE report_delivery SET state = 'dropped', error = 'the address was taken off the list' \
                WHERE workspace = $1 AND address = $2 AND outside = 1 AND state = 'waiting'";
    let values = vec![actor.workspace.into(), sql::text(&address)];
    sql::run(&change.tx, what, stop, values).await?;
    change.record("report.address.remove", format!("report-address/{id}"), &address, &(), &());
    change.commit().await
}

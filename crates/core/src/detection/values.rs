//! Values that fields of findings have, for whoever writes a query.

use sea_orm::DatabaseConnection;

use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::{query, sql};

/// Values of a field that begin with `text`, at most `most`, from what the actor may see; none for fields whose
/// values cannot be listed.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn values(
    db: &DatabaseConnection,
    actor: &Actor,
    field: &str,
    text: &str,
    most: u64,
) -> Result<Vec<String>> {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let mut bound = vec![actor.workspace.into(), sql::text(&format!("{escaped}%"))];
    actor.need(Permission::FindingRead)?;
    // people belong to no product line
    let scope = match field {
        "owner" => String::new(),
        _ => query::in_lines(db, actor, Permission::FindingRead, "p.line", &mut bound)?,
    };
    let in_scope = "SELECT r.id FROM release r JOIN product p ON p.id = r.product WHERE r.workspace = $1";
    let (value, from) = match field {
        "product" => ("p.name", format!("product p WHERE p.workspace = $1{scope}")),
        "line" => ("l.name", format!("line l JOIN product p ON p.line = l.id WHERE l.workspace = $1{scope}")),
        "release" => (
            "r.version",
            format!("release r JOIN product p ON p.id = r.product WHERE r.workspace = $1{scope}"),
        ),
        "component" => (
            "c.plain",
            format!(
                "component c WHERE EXISTS (SELECT 1 FROM occurrence o WHERE o.component = c.id \
                 AND o.release IN ({in_scope}{scope}))"
            ),
        ),
        "vulnerability" => (
            "v.vulnerability",
            format!(
                "flaw v WHERE v.workspace = $1 AND EXISTS (SELECT 1 FROM finding f WHERE f.workspace = $1 \
                 AND f.vulnerability = v.vulnerability AND f.release IN ({in_scope}{scope}))"
            ),
        ),
        "customer" | "region" => (
            if field == "customer" { "d.customer" } else { "d.region" },
            format!("deployment d WHERE d.workspace = $1 AND d.release IN ({in_scope}{scope})"),
        ),
        "owner" => (
            "o.login",
            "person o JOIN membership m ON m.person = o.id WHERE m.workspace = $1 AND o.disabled = 0"
                .to_owned(),
        ),
        _ => return Ok(Vec::new()),
    };
    bound.push((most as i64).into());
    let select = format!(
        "SELECT DISTINCT {value} FROM {from} AND LOWER({value}) LIKE $2 ESCAPE '\\' AND {value} <> '' \
         ORDER BY {value} LIMIT ${}",
        bound.len()
    );
    let rows: Vec<(String,)> = sql::rows(db, "looking values up", &select, bound).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

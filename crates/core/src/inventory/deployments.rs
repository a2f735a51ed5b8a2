//! Units of a release in the field, by customer and region.

use std::collections::HashMap;

use sea_orm::DatabaseConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Release, in_lines, named, release_of, releases_by};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::sql;

/// Most units of one customer in one region.
const MOST: i64 = 1_000_000_000_000;

/// Units of a customer in a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Deployment {
    /// Customer.
    pub customer: String,
    /// Region, or empty.
    pub region: String,
    /// Units in the field.
    pub units: i64,
}

/// Where a release is in the field, by customer and region.
///
/// # Errors
/// As [`release_of`].
pub async fn deployments(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<Deployment>> {
    release_of(db, actor, release).await?;
    let select =
        "SELECT customer, region, units FROM deployment WHERE release = $1 ORDER BY customer, region";
    let rows: Vec<(String, String, i64)> =
        sql::rows(db, "listing deployments", select, vec![release.into()]).await?;
    Ok(rows.into_iter().map(|(customer, region, units)| Deployment { customer, region, units }).collect())
}

/// Notes units in the field, each in place of what was noted for its customer and region; 0 takes that away. Others
/// remain.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`] for a name or number that does not do.
pub async fn deploy(change: &mut Change<'_>, release: i64, list: &[Deployment]) -> Result<()> {
    let what = "noting deployments";
    let release = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, release.line)?;
    let insert = "INSERT INTO deployment (workspace, release, customer, region, units, devices) \
                  VALUES ($1, $2, $3, $4, $5, '') ON CONFLICT (release, customer, region) DO UPDATE SET units = $5";
    for d in list {
        let customer = named("customer", &d.customer)?;
        let region = if d.region.trim().is_empty() { String::new() } else { named("region", &d.region)? };
        if !(0..=MOST).contains(&d.units) {
            let message = format!("units are a number from 0 to {MOST}");
            return Err(Error::Rejected { field: "units".to_owned(), message });
        }
        let values = vec![
            change.actor.workspace.into(),
            release.id.into(),
            customer.into(),
            region.into(),
            d.units.into(),
        ];
        sql::run(&change.tx, what, insert, values).await?;
    }
    let none = "DELETE FROM deployment WHERE release = $1 AND units = 0";
    sql::run(&change.tx, what, none, vec![release.id.into()]).await?;
    let sum = "UPDATE release SET units = (SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM deployment \
               WHERE release = $1) WHERE id = $1";
    sql::run(&change.tx, what, sum, vec![release.id.into()]).await?;
    let name = format!("{} {}", release.product_name, release.version);
    change.record("release.deploy", format!("release/{}", release.id), &name, &(), &list);
    Ok(())
}

/// Where several releases are in the field, of those that the actor may see, by release.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn deployments_of(
    db: &DatabaseConnection,
    actor: &Actor,
    releases: &[i64],
) -> Result<HashMap<i64, Vec<Deployment>>> {
    let mut values = vec![actor.workspace.into(), sql::list(releases)];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT d.release, d.customer, d.region, d.units FROM deployment d JOIN release r ON r.id = d.release \
         JOIN product p ON p.id = r.product WHERE d.workspace = $1 AND d.release IN {}{scope} \
         ORDER BY d.release, d.customer, d.region",
        sql::numbers(db, 2)
    );
    let rows: Vec<(i64, String, String, i64)> = sql::rows(db, "listing deployments", &select, values).await?;
    let mut out: HashMap<i64, Vec<Deployment>> = HashMap::new();
    for (release, customer, region, units) in rows {
        out.entry(release).or_default().push(Deployment { customer, region, units });
    }
    Ok(out)
}

/// What a customer has: releases with their units by region.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn customer(
    db: &DatabaseConnection,
    actor: &Actor,
    name: &str,
) -> Result<Vec<(Release, String, i64)>> {
    let mut values = vec![actor.workspace.into(), sql::text(name)];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT d.release, d.region, d.units FROM deployment d JOIN release r ON r.id = d.release JOIN product p \
         ON p.id = r.product WHERE d.workspace = $1 AND d.customer = $2{scope} ORDER BY p.name, r.id DESC, d.region \
         LIMIT 5000"
    );
    let rows: Vec<(i64, String, i64)> = sql::rows(db, "listing what a customer has", &select, values).await?;
    let ids: Vec<i64> = rows.iter().map(|r| r.0).collect();
    let of: HashMap<i64, Release> =
        releases_by(db, actor, &ids).await?.into_iter().map(|r| (r.id, r)).collect();
    Ok(rows
        .into_iter()
        .filter_map(|(id, region, units)| Some((of.get(&id)?.clone(), region, units)))
        .collect())
}

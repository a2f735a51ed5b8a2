//! Devices in the field by their identifiers (serial numbers, MAC addresses, asset tags): which release one runs, and
//! so what hurts it.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DatabaseConnection, Value};
use serde::Serialize;

use super::{Release, in_lines, named, release_of, releases_by};
use crate::error::{Error, Result};
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// Most devices that one call notes.
const MOST: usize = 100_000;

/// A device of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Device {
    /// Customer who has it.
    pub customer: String,
    /// Region, or empty.
    pub region: String,
    /// Its identifier, as noted.
    pub serial: String,
}

/// A device that was looked up, with the release it runs.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Located {
    /// The device.
    #[serde(flatten)]
    pub device: Device,
    /// What it runs.
    pub release: Release,
}

/// An identifier as it is looked up.
fn plain(serial: &str) -> String {
    serial.trim().to_lowercase()
}

/// Devices of a release that are noted, by customer, region and identifier; `text` is the beginning of an identifier.
///
/// # Errors
/// As [`release_of`].
pub async fn devices(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    text: &str,
    skip: u64,
    most: u64,
) -> Result<Vec<Device>> {
    release_of(db, actor, release).await?;
    let select = "SELECT d.customer, d.region, v.serial FROM device v JOIN deployment d ON d.id = v.deployment \
                  WHERE d.release = $1 AND v.plain LIKE $2 ESCAPE '!' ORDER BY d.customer, d.region, v.serial \
                  LIMIT $3 OFFSET $4";
    let like = format!("{}%", super::escaped(&plain(text)));
    let values = vec![release.into(), like.into(), (most as i64).into(), (skip as i64).into()];
    let rows: Vec<(String, String, String)> = sql::rows(db, "listing devices", select, values).await?;
    Ok(rows.into_iter().map(|(customer, region, serial)| Device { customer, region, serial }).collect())
}

/// Devices of a release by customer, region and identifier, behind the one at `after`; `text` is the beginning of an
/// identifier.
///
/// # Errors
/// As [`release_of`].
pub async fn devices_after(
    db: &DatabaseConnection,
    actor: &Actor,
    release: i64,
    text: &str,
    after: Option<&[String; 3]>,
    most: u64,
) -> Result<Vec<Device>> {
    release_of(db, actor, release).await?;
    let like = format!("{}%", super::escaped(&plain(text)));
    let mut values: Vec<Value> = vec![release.into(), like.into(), (most as i64).into()];
    let mut beyond = "";
    if let Some(place) = after {
        values.extend(place.iter().map(|key| sql::text(key)));
        beyond = " AND (d.customer, d.region, v.serial) > ($4, $5, $6)";
    }
    let select = format!(
        "SELECT d.customer, d.region, v.serial FROM device v JOIN deployment d ON d.id = v.deployment \
         WHERE d.release = $1 AND v.plain LIKE $2 ESCAPE '!'{beyond} ORDER BY d.customer, d.region, v.serial LIMIT $3"
    );
    let rows: Vec<(String, String, String)> = sql::rows(db, "listing devices", &select, values).await?;
    Ok(rows.into_iter().map(|(customer, region, serial)| Device { customer, region, serial }).collect())
}

/// Notes devices of a release, each at its customer and region; those that are noted there already remain. Where more
/// devices than units are known of a customer in a region, the units follow. The number of new ones.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]: a name or identifier does not do, too many at once.
pub async fn note_devices(change: &mut Change<'_>, release: i64, list: &[Device]) -> Result<u64> {
    let what = "noting devices";
    let release = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, release.line)?;
    if list.len() > MOST {
        let message = format!("at most {MOST} devices are noted at once");
        return Err(Error::Rejected { field: "serial".to_owned(), message });
    }
    let mut of: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for d in list {
        let customer = named("customer", &d.customer)?;
        let region = if d.region.trim().is_empty() { String::new() } else { named("region", &d.region)? };
        of.entry((customer, region)).or_default().insert(named("serial", &d.serial)?);
    }
    let workspace = change.actor.workspace;
    let places: Vec<[Value; 6]> = of
        .keys()
        .map(|(customer, region)| {
            [
                workspace.into(),
                release.id.into(),
                customer.clone().into(),
                region.clone().into(),
                0_i64.into(),
                "".into(),
            ]
        })
        .collect();
    let head = "INSERT INTO deployment (workspace, release, customer, region, units, devices)";
    bulk::insert(&change.tx, what, head, "ON CONFLICT (release, customer, region) DO NOTHING", places)
        .await?;
    let select = "SELECT id, customer, region FROM deployment WHERE release = $1";
    let rows: Vec<(i64, String, String)> =
        sql::rows(&change.tx, what, select, vec![release.id.into()]).await?;
    let mut devices: Vec<[Value; 4]> = Vec::new();
    for (id, customer, region) in rows {
        for serial in of.remove(&(customer, region)).unwrap_or_default() {
            devices.push([workspace.into(), id.into(), serial.clone().into(), plain(&serial).into()]);
        }
    }
    let head = "INSERT INTO device (workspace, deployment, serial, plain)";
    let new =
        bulk::insert(&change.tx, what, head, "ON CONFLICT (deployment, serial) DO NOTHING", devices).await?;
    let raise = "UPDATE deployment SET units = (SELECT COUNT(*) FROM device v WHERE v.deployment = deployment.id) \
                 WHERE release = $1 AND units < (SELECT COUNT(*) FROM device v WHERE v.deployment = deployment.id)";
    sql::run(&change.tx, what, raise, vec![release.id.into()]).await?;
    let sum = "UPDATE release SET units = (SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM deployment \
               WHERE release = $1) WHERE id = $1";
    sql::run(&change.tx, what, sum, vec![release.id.into()]).await?;
    let name = format!("{} {}", release.product_name, release.version);
    change.record("release.devices", format!("release/{}", release.id), &name, &(), &new);
    Ok(new)
}

/// Takes devices of a release away by their identifiers, in any case; units stay as they are. The number taken away.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn drop_devices(change: &mut Change<'_>, release: i64, serials: &[String]) -> Result<u64> {
    let release = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, release.line)?;
    let plain: Vec<String> = serials.iter().map(|s| plain(s)).collect();
    let delete = format!(
        "DELETE FROM device WHERE deployment IN (SELECT id FROM deployment WHERE release = $1) AND plain IN {}",
        sql::texts(&change.tx, 2)
    );
    let gone =
        sql::run(&change.tx, "taking devices away", &delete, vec![release.id.into(), sql::list(&plain)])
            .await?;
    if gone > 0 {
        let name = format!("{} {}", release.product_name, release.version);
        change.record("release.devices", format!("release/{}", release.id), &name, &gone, &());
    }
    Ok(gone)
}

/// Devices with this identifier in any case, else those whose identifier begins so; at most `most`. One identifier may
/// stand at several releases: each is told.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn locate(db: &DatabaseConnection, actor: &Actor, serial: &str, most: u64) -> Result<Vec<Located>> {
    Ok(locate_after(db, actor, serial, None, most).await?.0)
}

/// Identifier and deployment of the last device of a page.
pub type DevicePlace = (String, i64);

/// As [`locate`], behind the device at `after`, with where the next page begins.
///
/// # Errors
/// As [`locate`].
pub async fn locate_after(
    db: &DatabaseConnection,
    actor: &Actor,
    serial: &str,
    after: Option<DevicePlace>,
    most: u64,
) -> Result<(Vec<Located>, Option<DevicePlace>)> {
    let what = "looking a device up";
    let serial = plain(serial);
    if serial.is_empty() {
        return Ok((Vec::new(), None));
    }
    for condition in ["v.plain = $2 AND $3 = $3", "v.plain >= $2 AND v.plain < $3"] {
        let mut values: Vec<Value> =
            vec![actor.workspace.into(), sql::text(&serial), format!("{serial}\u{10ffff}").into()];
        let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
        let mut beyond = String::new();
        if let Some((plain, deployment)) = &after {
            values.extend([sql::text(plain), (*deployment).into()]);
            let at = values.len();
            beyond = format!(" AND (v.plain, v.deployment) > (${}, ${at})", at - 1);
        }
        values.push((most as i64 + 1).into());
        let select = format!(
            "SELECT d.customer, d.region, v.serial, r.id, v.plain, v.deployment FROM device v \
             JOIN deployment d ON d.id = v.deployment JOIN release r ON r.id = d.release JOIN product p \
             ON p.id = r.product WHERE v.workspace = $1 AND {condition}{scope}{beyond} \
             ORDER BY v.plain, v.deployment LIMIT ${}",
            values.len()
        );
        type Row = (String, String, String, i64, String, i64);
        let mut rows: Vec<Row> = sql::rows(db, what, &select, values).await?;
        if rows.is_empty() {
            continue;
        }
        let more = rows.len() as u64 > most;
        rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| more).map(|r| (r.4.clone(), r.5));
        let ids: Vec<i64> = rows.iter().map(|r| r.3).collect();
        let releases = releases_by(db, actor, &ids).await?;
        let located = rows.into_iter().filter_map(|(customer, region, serial, id, ..)| {
            let release = releases.iter().find(|r| r.id == id)?.clone();
            Some(Located { device: Device { customer, region, serial }, release })
        });
        return Ok((located.collect(), next));
    }
    Ok((Vec::new(), None))
}

//! Changing what a release is called and how it is kept: watched or not, its product's latest, tags.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Release, in_lines, named, release_of};
use crate::error::Result;
use crate::platform::access::{Actor, Permission};
use crate::platform::change::Change;
use crate::platform::{bulk, sql};

/// What to change; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Amend {
    /// Still watched.
    pub active: Option<bool>,
    /// The newest of its product; the others then are not.
    pub latest: Option<bool>,
    /// All tags.
    pub tags: Option<Vec<String>>,
}

/// Reads a release with its tags and holds its row until the change ends, so that what was read is still so when it is changed.
///
/// # Errors
/// As [`release_of`].
pub async fn held_release(change: &Change<'_>, release: i64) -> Result<(Release, Vec<String>)> {
    let update = "UPDATE release SET id = id WHERE id = $1 AND workspace = $2";
    let values = vec![release.into(), change.actor.workspace.into()];
    sql::run(&change.tx, "holding a release", update, values).await?;
    let r = release_of(&change.tx, change.actor, release).await?;
    Ok((r, names(&change.tx, release).await?))
}

/// Tags of a release.
///
/// # Errors
/// As [`release_of`].
pub async fn tags_of(db: &DatabaseConnection, actor: &Actor, release: i64) -> Result<Vec<String>> {
    release_of(db, actor, release).await?;
    names(db, release).await
}

async fn names(db: &impl ConnectionTrait, release: i64) -> Result<Vec<String>> {
    let select = "SELECT name FROM tag WHERE release = $1 ORDER BY name";
    let rows: Vec<(String,)> = sql::rows(db, "reading tags", select, vec![release.into()]).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Changes a release; what is so already is not noted as a change.
///
/// # Errors
/// Denied; [`crate::Error::NotFound`]; a tag does not do.
pub async fn amend(change: &mut Change<'_>, release: i64, a: &Amend) -> Result<()> {
    let what = "changing a release";
    let r = release_of(&change.tx, change.actor, release).await?;
    change.actor.need_in(Permission::InventoryWrite, r.line)?;
    let mut tags = names(&change.tx, release).await?;
    tags.sort();
    let mut wanted = None;
    if let Some(names) = &a.tags {
        let mut names = names.iter().map(|t| named("tag", t)).collect::<Result<Vec<String>>>()?;
        names.sort();
        names.dedup();
        wanted = Some(names).filter(|names| *names != tags);
    }
    let same = |wanted: Option<bool>, is: bool| wanted.is_none_or(|w| w == is);
    if same(a.active, r.active) && same(a.latest, r.latest) && wanted.is_none() {
        return Ok(());
    }
    if let Some(active) = a.active {
        let update = "UPDATE release SET active = $2, archived = CASE WHEN $2 = 1 THEN NULL ELSE COALESCE(archived, $3) \
                      END WHERE id = $1";
        let values = vec![release.into(), i64::from(active).into(), change.actor.now.clone().into()];
        sql::run(&change.tx, what, update, values).await?;
    }
    if let Some(latest) = a.latest {
        let update = "UPDATE release SET latest = CASE WHEN id = $2 THEN $3 WHEN $3 = 1 THEN 0 ELSE latest END \
                      WHERE product = $1";
        let values = vec![r.product.into(), release.into(), i64::from(latest).into()];
        sql::run(&change.tx, what, update, values).await?;
    }
    if let Some(names) = wanted {
        sql::run(&change.tx, what, "DELETE FROM tag WHERE release = $1", vec![release.into()]).await?;
        let rows: Vec<[Value; 2]> = names.iter().map(|n| [release.into(), sql::text(n)]).collect();
        bulk::insert(&change.tx, what, "INSERT INTO tag (release, name)", "", rows).await?;
    }
    let before = Amend { active: Some(r.active), latest: Some(r.latest), tags: Some(tags) };
    let name = format!("{} {}", r.product_name, r.version);
    change.record("release.amend", format!("release/{release}"), &name, &before, a);
    Ok(())
}

/// Tags by release, of the releases that the actor may see.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn tags(db: &DatabaseConnection, actor: &Actor) -> Result<HashMap<i64, Vec<String>>> {
    let mut values = vec![actor.workspace.into()];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT t.release, t.name FROM tag t JOIN release r ON r.id = t.release JOIN product p ON p.id = r.product \
         WHERE r.workspace = $1{scope} ORDER BY t.release, t.name"
    );
    let rows: Vec<(i64, String)> = sql::rows(db, "reading tags", &select, values).await?;
    let mut map: HashMap<i64, Vec<String>> = HashMap::new();
    for (release, name) in rows {
        map.entry(release).or_default().push(name);
    }
    Ok(map)
}

/// Tags of these releases that the actor may see, by release.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn tags_by(
    db: &DatabaseConnection,
    actor: &Actor,
    releases: &[i64],
) -> Result<HashMap<i64, Vec<String>>> {
    let mut values = vec![actor.workspace.into(), sql::list(releases)];
    let scope = in_lines(db, actor, Permission::InventoryRead, "p.line", &mut values)?;
    let select = format!(
        "SELECT t.release, t.name FROM tag t JOIN release r ON r.id = t.release JOIN product p ON p.id = r.product \
         WHERE r.workspace = $1 AND t.release IN {}{scope} ORDER BY t.release, t.name",
        sql::numbers(db, 2)
    );
    let rows: Vec<(i64, String)> = sql::rows(db, "reading tags", &select, values).await?;
    let mut map: HashMap<i64, Vec<String>> = HashMap::new();
    for (release, name) in rows {
        map.entry(release).or_default().push(name);
    }
    Ok(map)
}

//! Workspaces of a person: which there are, making one, going from one to another.

use sea_orm::DatabaseConnection;
use serde::Serialize;

use super::access::{Actor, Permission, Role};
use super::change::Change;
use super::{secret, sql};
use crate::error::{Error, Result};

/// A workspace in which a person has a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// The person's roles there, with commas between them.
    pub roles: String,
    /// Products in it.
    pub products: i64,
}

/// Workspaces in which the actor's person has a role, by name; none for a key.
///
/// # Errors
/// The database does not answer.
pub async fn mine(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Workspace>> {
    let Some(person) = actor.person else { return Ok(Vec::new()) };
    let select = "SELECT w.id, w.name, m.role, m.line, (SELECT COUNT(*) FROM product p WHERE p.workspace = w.id) \
                  FROM membership m JOIN workspace w ON w.id = m.workspace WHERE m.person = $1 ORDER BY w.name, w.id, m.role";
    let rows: Vec<(i64, String, String, i64, i64)> =
        sql::rows(db, "listing workspaces", select, vec![person.into()]).await?;
    let mut out: Vec<Workspace> = Vec::new();
    for (id, name, role, line, products) in rows {
        let role = if line == 0 { role } else { format!("{role} of a product line") };
        match out.last_mut().filter(|w| w.id == id) {
            Some(w) if w.roles.split(", ").any(|r| r == role) => {}
            Some(w) => w.roles = format!("{}, {role}", w.roles),
            // how much is in it is for those who see all of it
            None => {
                out.push(Workspace { id, name, products: if line == 0 { products } else { 0 }, roles: role })
            }
        }
    }
    Ok(out)
}

/// Makes a workspace in which the actor's person is administrator and manager. Nothing of the present one is seen there.
///
/// # Errors
/// Denied to who does not manage the people of the whole present workspace, and to keys; [`Error::Rejected`].
pub async fn create(db: &DatabaseConnection, actor: &Actor, name: &str) -> Result<i64> {
    let what = "making a workspace";
    actor.need_everywhere(Permission::PeopleManage)?;
    let person = actor.person.ok_or_else(|| Error::Denied("a person makes workspaces".to_owned()))?;
    let name = name.trim();
    let rejected = |message: &str| Error::Rejected { field: "name".to_owned(), message: message.to_owned() };
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(rejected("the name has 1 to 200 characters and no line breaks"));
    }
    let words: String =
        name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug = words.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-");
    let slug = if slug.is_empty() { "workspace" } else { slug.get(..60).unwrap_or(&slug) };
    let mut change = Change::begin(db, actor).await?;
    let like = "SELECT slug FROM workspace WHERE slug = $1 OR name = $2 OR slug LIKE $3";
    let values = vec![slug.into(), sql::text(name), format!("{slug}-%").into()];
    let taken: Vec<(String,)> = sql::rows(&change.tx, what, like, values).await?;
    let free = (1..).map(|n| if n == 1 { slug.to_owned() } else { format!("{slug}-{n}") });
    let slug = free.into_iter().find(|s| !taken.iter().any(|t| t.0 == *s)).unwrap_or_default();
    let same = "SELECT w.id FROM workspace w JOIN membership m ON m.workspace = w.id WHERE w.name = $1 AND m.person = $2";
    if sql::row::<(i64,)>(&change.tx, what, same, vec![sql::text(name), person.into()]).await?.is_some() {
        return Err(rejected("you are in a workspace of this name already"));
    }
    let insert =
        "INSERT INTO workspace (slug, name, settings, created) VALUES ($1, $2, '{}', $3) RETURNING id";
    let values = vec![slug.into(), sql::text(name), actor.now.clone().into()];
    let (id,): (i64,) = sql::row(&change.tx, what, insert, values)
        .await?
        .ok_or_else(|| Error::NotFound("the workspace".to_owned()))?;
    for role in [Role::Administrator, Role::Manager] {
        let insert = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, $3, 0)";
        sql::run(&change.tx, what, insert, vec![id.into(), person.into(), role.name().into()]).await?;
    }
    change.record("workspace.create", format!("workspace/{id}"), name, &(), &());
    change.commit().await?;
    Ok(id)
}

/// The only workspace that a session may be used in; 0 where it may be used in each of its person.
///
/// # Errors
/// The database does not answer.
pub async fn confined(db: &DatabaseConnection, token: &str) -> Result<i64> {
    let select = "SELECT confined FROM session WHERE hash = $1";
    let values = vec![secret::digest(token).into()];
    let row: Option<(i64,)> = sql::row(db, "reading a session", select, values).await?;
    Ok(row.map_or(0, |r| r.0))
}

/// Takes a session to another workspace of its person.
///
/// # Errors
/// [`Error::NotFound`] where the person has no role there.
pub async fn enter(db: &DatabaseConnection, actor: &Actor, token: &str, workspace: i64) -> Result<()> {
    let what = "changing the workspace";
    let found = mine(db, actor).await?.into_iter().find(|w| w.id == workspace);
    let found = found.ok_or_else(|| Error::NotFound(format!("workspace {workspace}")))?;
    let there = Actor { workspace, ..actor.clone() };
    let mut change = Change::begin(db, &there).await?;
    // a session that a workspace's provider vouches for stays in that workspace
    let update = "UPDATE session SET workspace = $2 WHERE hash = $1 AND person = $3 AND confined IN (0, $2)";
    let values = vec![secret::digest(token).into(), workspace.into(), actor.person.unwrap_or(0).into()];
    if sql::run(&change.tx, what, update, values).await? != 1 {
        return Err(Error::NotFound("the session".to_owned()));
    }
    change.record(
        "workspace.enter",
        format!("workspace/{workspace}"),
        &found.name,
        &actor.workspace,
        &workspace,
    );
    change.commit().await
}

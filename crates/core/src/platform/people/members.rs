//! People of a workspace: their roles there, and whether they may sign in at all.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::access::{Actor, Permission, Role};
use super::super::change::Change;
use super::super::sql;
use super::{grants, login_of, rejected, session};
use crate::error::{Error, Result};

/// A person as lists show them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Person {
    /// Id.
    pub id: i64,
    /// What they sign in with.
    pub login: String,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// May no longer sign in.
    pub disabled: bool,
    /// Has an authenticator or a passkey.
    pub second_step: bool,
    /// Last seen.
    pub seen: Option<String>,
    /// Roles in the workspace: name, and product line where limited to one.
    pub roles: Vec<(String, i64)>,
}

/// People of the workspace with their roles, by name.
///
/// # Errors
/// Denied; the database does not answer.
pub async fn people(db: &DatabaseConnection, actor: &Actor) -> Result<Vec<Person>> {
    actor.need(Permission::FindingRead)?;
    list(db, actor, 0).await
}

/// One person of the workspace.
///
/// # Errors
/// Denied; [`Error::NotFound`].
pub async fn person(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Person> {
    actor.need(Permission::FindingRead)?;
    list(db, actor, id).await?.into_iter().next().ok_or_else(|| Error::NotFound("the person".to_owned()))
}

async fn list(db: &DatabaseConnection, actor: &Actor, id: i64) -> Result<Vec<Person>> {
    let select = "SELECT p.id, p.login, p.name, p.email, p.disabled, p.seen, m.role, m.line, \
                  CAST(CASE WHEN p.totp IS NOT NULL OR EXISTS (SELECT 1 FROM passkey k WHERE k.person = p.id) THEN 1 \
                  ELSE 0 END AS BIGINT) FROM membership m JOIN person p ON p.id = m.person \
                  WHERE m.workspace = $1 AND ($2 = 0 OR p.id = $2) ORDER BY p.name, p.id, m.role, m.line";
    type Row = (i64, String, String, String, i64, Option<String>, String, i64, i64);
    let values = vec![actor.workspace.into(), id.into()];
    let rows: Vec<Row> = sql::rows(db, "listing people", select, values).await?;
    let mut people: Vec<Person> = Vec::new();
    for (id, login, name, email, disabled, seen, role, line, second) in rows {
        match people.last_mut().filter(|p| p.id == id) {
            Some(person) => person.roles.push((role, line)),
            None => people.push(Person {
                id,
                login,
                name,
                email,
                disabled: disabled != 0,
                second_step: second != 0,
                seen,
                roles: vec![(role, line)],
            }),
        }
    }
    Ok(people)
}

/// Refuses a product line of another workspace.
pub(super) async fn check_line(db: &impl ConnectionTrait, actor: &Actor, line: i64) -> Result<()> {
    let select = "SELECT id FROM line WHERE id = $1 AND workspace = $2";
    let values = vec![line.into(), actor.workspace.into()];
    match sql::row::<(i64,)>(db, "reading a product line", select, values).await? {
        Some(_) => Ok(()),
        None => Err(Error::NotFound("the product line".to_owned())),
    }
}

/// Refuses where the person is also in a workspace whose people the actor does not manage: what is done to an account
/// reaches all of them.
pub(super) async fn need_whole(db: &impl ConnectionTrait, actor: &Actor, person: i64) -> Result<()> {
    let what = "reading a membership";
    let select = "SELECT DISTINCT workspace FROM membership WHERE person = $1";
    let workspaces: Vec<(i64,)> = sql::rows(db, what, select, vec![person.into()]).await?;
    if !workspaces.iter().any(|w| w.0 == actor.workspace) {
        return Err(Error::NotFound("the person".to_owned()));
    }
    for (workspace,) in workspaces.into_iter().filter(|w| w.0 != actor.workspace) {
        let there = match actor.person {
            Some(own) => grants(db, own, workspace).await?,
            None => Vec::new(),
        };
        if !there.iter().any(|g| g.line.is_none() && g.role.may(Permission::PeopleManage)) {
            return Err(Error::Denied(
                "people-manage in another workspace that this person is in; ask an administrator of both"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

/// The workspace keeps somebody who manages its people and can sign in.
async fn need_an_administrator(change: &Change<'_>) -> Result<()> {
    let select = "SELECT COUNT(*) FROM membership m JOIN person p ON p.id = m.person WHERE m.workspace = $1 \
                  AND m.role = 'administrator' AND m.line = 0 AND p.disabled = 0";
    let values = vec![change.actor.workspace.into()];
    let row: Option<(i64,)> = sql::row(&change.tx, "counting administrators", select, values).await?;
    if row.is_some_and(|r| r.0 > 0) {
        return Ok(());
    }
    Err(Error::Conflict("the workspace would have no administrator; make somebody else one first".to_owned()))
}

/// Sets a person's roles in the workspace, each with its product line (0 for all); without any they leave it, and
/// their sessions in it end.
///
/// # Errors
/// Denied; [`Error::NotFound`]; [`Error::Rejected`]; [`Error::Conflict`]: nobody would be left to manage people.
pub async fn set_roles(
    db: &DatabaseConnection,
    actor: &Actor,
    person: i64,
    roles: &[(Role, i64)],
) -> Result<()> {
    actor.need_everywhere(Permission::PeopleManage)?;
    let what = "setting roles";
    if roles.len() > 200 {
        return Err(rejected("roles", "at most 200 roles of one person"));
    }
    if roles.iter().any(|(role, line)| *role == Role::Administrator && *line != 0) {
        return Err(rejected("roles", "an administrator is one of the whole workspace"));
    }
    let mut change = Change::begin(db, actor).await?;
    let before = grants(&change.tx, person, actor.workspace).await?;
    if before.is_empty() {
        return Err(Error::NotFound("the person".to_owned()));
    }
    let (login, _) = login_of(&change.tx, person).await?;
    let delete = "DELETE FROM membership WHERE workspace = $1 AND person = $2";
    sql::run(&change.tx, what, delete, vec![actor.workspace.into(), person.into()]).await?;
    let insert = "INSERT INTO membership (workspace, person, role, line) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (workspace, person, role, line) DO NOTHING";
    for (role, line) in roles {
        if *line != 0 {
            check_line(&change.tx, actor, *line).await?;
        }
        let values = vec![actor.workspace.into(), person.into(), role.name().into(), (*line).into()];
        sql::run(&change.tx, what, insert, values).await?;
    }
    need_an_administrator(&change).await?;
    if roles.is_empty() {
        session::end_all(&change, person, "", actor.workspace).await?;
    }
    let told = |role: Role, line: i64| {
        if line == 0 { role.name() } else { format!("{} in line {line}", role.name()) }
    };
    let before: Vec<String> = before.iter().map(|g| told(g.role, g.line.unwrap_or(0))).collect();
    let after: Vec<String> = roles.iter().map(|(role, line)| told(*role, *line)).collect();
    change.record("person.roles", format!("person/{person}"), &login, &before, &after);
    change.commit().await
}

async fn set_disabled(db: &DatabaseConnection, actor: &Actor, person: i64, disabled: bool) -> Result<()> {
    actor.need_everywhere(Permission::PeopleManage)?;
    need_whole(db, actor, person).await?;
    if disabled && actor.person == Some(person) {
        return Err(Error::Conflict("nobody disables themselves".to_owned()));
    }
    let (login, _) = login_of(db, person).await?;
    let mut change = Change::begin(db, actor).await?;
    let update = "UPDATE person SET disabled = $2 WHERE id = $1";
    let values = vec![person.into(), i64::from(disabled).into()];
    sql::run(&change.tx, "disabling a person", update, values).await?;
    if disabled {
        need_an_administrator(&change).await?;
        session::end_all(&change, person, "", 0).await?;
        let delete = "DELETE FROM ticket WHERE person = $1";
        sql::run(&change.tx, "disabling a person", delete, vec![person.into()]).await?;
    }
    let action = if disabled { "person.disable" } else { "person.enable" };
    change.record(action, format!("person/{person}"), &login, &(), &());
    change.commit().await
}

/// A person may no longer sign in; all their sessions end. What they did stays theirs.
///
/// # Errors
/// Denied, also where the person is in a workspace whose people the actor does not manage; [`Error::Conflict`].
pub async fn disable(db: &DatabaseConnection, actor: &Actor, person: i64) -> Result<()> {
    set_disabled(db, actor, person, true).await
}

/// A disabled person may sign in again.
///
/// # Errors
/// As [`disable`].
pub async fn enable(db: &DatabaseConnection, actor: &Actor, person: i64) -> Result<()> {
    set_disabled(db, actor, person, false).await
}
